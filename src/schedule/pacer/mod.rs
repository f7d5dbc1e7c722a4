//! Which connection may start now: so many a second over all, so many a second into each network, and so many at a time
//! to each host. A network that pushes back is slowed down.
//!
//! There is no clock inside: `now` comes in, and `Next::Wait` says when to come again. What waits is kept by network, first
//! come, first served, and the networks take turns, so that one with many waiting does not hold up the rest. What finds
//! its host busy steps aside, and returns to the head of its network when the host is released.

mod address;
#[cfg(test)]
mod model_tests;
mod networks;
mod rate;
mod slowed;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Instant;

use foldhash::fast::RandomState;

use self::address::{Host, Prefix};
use self::networks::Networks;
use self::rate::{Beat, CATCH_UP};

pub use self::rate::Rate;
pub use self::slowed::Slowed;

/// How fast connections may be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Over all.
    pub(crate) rate: Option<Rate>,
    /// Into each /24 of IPv4 and each /48 of IPv6.
    pub(crate) per_prefix: Option<Rate>,
    /// Connections to one host at a time.
    pub(crate) per_host: NonZeroU32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rate: None, per_prefix: None, per_host: NonZeroU32::MIN }
    }
}

impl Pace {
    /// The part of each of so many pacers that run side by side. A host belongs to one of them and is not divided.
    pub(crate) fn divided_by(self, shards: NonZeroU32) -> Self {
        Self {
            rate: self.rate.map(|rate| rate.divided_by(shards)),
            per_prefix: self.per_prefix.map(|rate| rate.divided_by(shards)),
            per_host: self.per_host,
        }
    }
}

/// `1000/s, 10/s into each /24 or /48, 1 at a time to each host`.
impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rate, self.per_prefix) {
            (None, None) => f.write_str("no rate")?,
            (Some(rate), None) => rate.fmt(f)?,
            (None, Some(per_prefix)) => write!(f, "{per_prefix} into each /24 or /48")?,
            (Some(rate), Some(per_prefix)) => write!(f, "{rate}, {per_prefix} into each /24 or /48")?,
        }
        write!(f, ", {} at a time to each host", self.per_host)
    }
}

/// What may be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// This may start now, and is counted.
    Start(IpAddr, T),
    /// Nothing that waits may start.
    Wait {
        /// When to ask again, for the first that time alone helps, or the first that could be put in; none where only a
        /// release can help. It may turn out to be too early, as where a network was slowed down since.
        at: Option<Instant>,
        /// Whether the overall rate would let something start at once that is put in now.
        more: bool,
    },
}

/// Keeps what waits, and counts what starts.
#[derive(Debug)]
pub(crate) struct Pacer<T> {
    capacity: usize,
    per_host: u32,
    overall: Option<(Rate, Beat)>,
    networks: Networks,
    /// How many connections each host has that has any.
    held: HashMap<Host, u32, RandomState>,
    /// What waits for nothing but its turn. None is empty.
    lanes: HashMap<Prefix, VecDeque<(IpAddr, T)>, RandomState>,
    /// When the turn of each lane comes, each once, or a time before that.
    turns: BinaryHeap<Reverse<(Instant, u64, Prefix)>>,
    /// What waits for its host to be released. None is empty.
    aside: HashMap<Host, VecDeque<(IpAddr, T)>, RandomState>,
    /// What is not to start before a time.
    later: BTreeMap<(Instant, u64), (IpAddr, T)>,
    waiting: usize,
    /// The latest `now` of all.
    latest: Instant,
    /// Counts up, so that of two that are due at the same time the first comes first.
    serial: u64,
}

impl<T> Pacer<T> {
    /// A pacer in which at most `capacity` should wait.
    pub(crate) fn new(pace: Pace, capacity: usize, now: Instant) -> Self {
        Self {
            capacity,
            per_host: pace.per_host.get(),
            overall: pace.rate.map(|rate| (rate, Beat::new(now))),
            networks: Networks::new(pace),
            held: HashMap::default(),
            lanes: HashMap::default(),
            turns: BinaryHeap::new(),
            aside: HashMap::default(),
            later: BTreeMap::new(),
            waiting: 0,
            latest: now,
            serial: 0,
        }
    }

    /// Whether fewer wait than should at most.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting < self.capacity
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many wait that are not to be held back until a time.
    pub(crate) fn lined_up(&self) -> usize {
        self.waiting - self.later.len()
    }

    /// Lets `item` wait for a connection to `ip`, also where there is no room: some cannot be held back.
    pub(crate) fn put(&mut self, ip: IpAddr, item: T, not_before: Option<Instant>) {
        self.waiting += 1;
        match not_before {
            Some(time) => {
                let serial = self.serial();
                self.later.insert((time, serial), (ip, item));
            }
            None => self.line_up(ip, item),
        }
    }

    /// Lets `item` wait before all others of its network.
    pub(crate) fn put_first(&mut self, ip: IpAddr, item: T) {
        self.waiting += 1;
        self.line_up_first(ip, item);
    }

    /// What may start now, or how long to wait.
    pub(crate) fn take(&mut self, now: Instant) -> Next<T> {
        self.latest = self.latest.max(now);
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (ip, item) = entry.remove();
            self.line_up(ip, item);
        }
        if let Some(at) = self.overall_due().filter(|at| *at > now) {
            return Next::Wait { at: Some(at), more: false };
        }
        while let Some(prefix) = self.turn(now) {
            if self.networks.due(prefix).is_some_and(|due| due > now) {
                self.give_turn(prefix);
            } else if let Some((ip, item)) = self.first_in(prefix) {
                self.waiting -= 1;
                self.charge(prefix, now);
                if self.lanes.contains_key(&prefix) {
                    self.give_turn(prefix);
                }
                return Next::Start(ip, item);
            }
        }
        let turn = self.turns.peek().map(|Reverse((at, ..))| *at);
        let later = self.later.first_key_value().map(|((at, _), _)| *at);
        Next::Wait { at: turn.into_iter().chain(later).min(), more: true }
    }

    /// Whether a connection to `ip` may start at once, without keeping any from its turn; if so, it is counted.
    pub(crate) fn try_start(&mut self, ip: IpAddr, now: Instant) -> bool {
        let host = Host::from(ip);
        let prefix = host.prefix();
        let waits = self.overall_due().is_some_and(|due| due > now)
            || self.turns.peek().is_some_and(|Reverse((at, ..))| *at <= now)
            || self.lanes.contains_key(&prefix)
            || self.networks.due(prefix).is_some_and(|due| due > now);
        if waits || !hold(&mut self.held, host, self.per_host) {
            return false;
        }
        self.charge(prefix, now);
        true
    }

    /// Whether a host has room for one more connection, outside of every order and pace; if so, it is counted.
    pub(crate) fn hold(&mut self, ip: IpAddr) -> bool {
        hold(&mut self.held, Host::from(ip), self.per_host)
    }

    /// A connection to a host has been closed.
    pub(crate) fn release(&mut self, ip: IpAddr, now: Instant) {
        self.latest = self.latest.max(now);
        let host = Host::from(ip);
        let Entry::Occupied(mut held) = self.held.entry(host) else { return };
        *held.get_mut() -= 1;
        if *held.get() == 0 {
            held.remove();
        }
        let Entry::Occupied(mut aside) = self.aside.entry(host) else { return };
        let first = aside.get_mut().pop_front();
        if aside.get().is_empty() {
            aside.remove();
        }
        if let Some((ip, item)) = first {
            self.line_up_first(ip, item);
        }
    }

    /// Counts one more connection to a host that is held already; when it may start. Where that is after `now`, what
    /// starts in between over all may come together with it.
    pub(crate) fn again(&mut self, ip: IpAddr, now: Instant) -> Instant {
        let at = self.charge_overall(now);
        self.networks.charge(Host::from(ip).prefix(), at)
    }

    /// A host said that there are too many connections, or refused one though it had answered before.
    pub(crate) fn pushed_back(&mut self, ip: IpAddr, now: Instant) {
        self.networks.pushed_back(Host::from(ip).prefix(), now);
    }

    /// A host answered as it should.
    pub(crate) fn went_well(&mut self, ip: IpAddr, now: Instant) {
        self.networks.went_well(Host::from(ip).prefix(), now);
    }

    /// Which networks were slowed down so far.
    pub(crate) fn slowed(&self) -> Slowed {
        self.networks.slowed()
    }

    /// Takes out everything that waits, in no order. What is under way is still to be released.
    pub(crate) fn drain_waiting(&mut self) -> Vec<(IpAddr, T)> {
        self.waiting = 0;
        self.turns.clear();
        let lanes = self.lanes.drain().flat_map(|(_, lane)| lane);
        let aside = self.aside.drain().flat_map(|(_, items)| items);
        lanes.chain(aside).chain(std::mem::take(&mut self.later).into_values()).collect()
    }

    /// To the end of its lane.
    fn line_up(&mut self, ip: IpAddr, item: T) {
        let prefix = Host::from(ip).prefix();
        let lane = self.lanes.entry(prefix).or_default();
        lane.push_back((ip, item));
        if lane.len() == 1 {
            self.give_turn(prefix);
        }
    }

    /// To the head of its lane.
    fn line_up_first(&mut self, ip: IpAddr, item: T) {
        let prefix = Host::from(ip).prefix();
        let lane = self.lanes.entry(prefix).or_default();
        lane.push_front((ip, item));
        if lane.len() == 1 {
            self.give_turn(prefix);
        }
    }

    /// After those that may start already, or when the network is due.
    fn give_turn(&mut self, prefix: Prefix) {
        let at = self.networks.due(prefix).map_or(self.latest, |due| due.max(self.latest));
        let serial = self.serial();
        self.turns.push(Reverse((at, serial, prefix)));
    }

    /// The next lane whose turn has come. It has none any more.
    fn turn(&mut self, now: Instant) -> Option<Prefix> {
        let next = self.turns.peek_mut().filter(|next| next.0.0 <= now)?;
        let Reverse((_, _, prefix)) = PeekMut::pop(next);
        Some(prefix)
    }

    /// The first in a lane whose host is free, which it then holds. Those before it step aside.
    fn first_in(&mut self, prefix: Prefix) -> Option<(IpAddr, T)> {
        let Entry::Occupied(mut lane) = self.lanes.entry(prefix) else { return None };
        let mut first = None;
        while let Some((ip, item)) = lane.get_mut().pop_front() {
            let host = Host::from(ip);
            if hold(&mut self.held, host, self.per_host) {
                first = Some((ip, item));
                break;
            }
            self.aside.entry(host).or_default().push_back((ip, item));
        }
        if lane.get().is_empty() {
            lane.remove();
        }
        first
    }

    fn overall_due(&self) -> Option<Instant> {
        self.overall.map(|(_, beat)| beat.due())
    }

    fn charge(&mut self, prefix: Prefix, now: Instant) {
        self.charge_overall(now);
        self.networks.charge(prefix, now);
    }

    /// When what is counted may start.
    fn charge_overall(&mut self, now: Instant) -> Instant {
        self.overall.as_mut().map_or(now, |(rate, beat)| beat.charge(now, rate.interval(), CATCH_UP))
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// One more connection to a host, if it may have one.
fn hold(held: &mut HashMap<Host, u32, RandomState>, host: Host, most: u32) -> bool {
    let count = held.entry(host).or_default();
    let free = *count < most;
    if free {
        *count += 1;
    }
    free
}
