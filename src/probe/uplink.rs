//! Whether this machine can still reach what it reached before, and whether it ran to hear the answers. A route that was
//! never there is a matter of one target; one that is gone is ours, and no verdict may come of it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::network::Network;
use super::pulse::Pulse;

/// How many addresses are remembered: enough for a few uplinks.
const REMEMBERED: usize = 8;

/// How often one is added.
const REMEMBER_EVERY: Duration = Duration::from_millis(100);

/// How often it is told that no port is free.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Addresses that were reached of late, and for how long we could not have reached them.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    reached: Mutex<Reached>,
    /// Whether anything was reached.
    knows_any: AtomicBool,
    /// How often something was lost or came back: odd while something is lost.
    turns: AtomicU64,
    pub(super) pulse: Pulse,
}

#[derive(Debug, Default)]
struct Reached {
    addresses: VecDeque<IpAddr>,
    at: Option<Instant>,
    /// Addresses of ours whose link had a carrier. Some links never tell of one, and work.
    carried: VecDeque<IpAddr>,
    /// How often what was lost was given up.
    given_up: u64,
    /// When it was last told that there were no ports.
    told_of_ports: Option<Instant>,
}

impl Uplink {
    /// An answer came from there, or might have.
    pub(super) fn reached(&self, ip: IpAddr, network: &impl Network) {
        let mut reached = self.lock();
        let now = Instant::now();
        if reached.at.is_some_and(|at| now - at < REMEMBER_EVERY) {
            return;
        }
        reached.at = Some(now);
        self.knows_any.store(true, Ordering::Relaxed);
        remember(&mut reached.addresses, ip);
        if reached.carried.is_empty()
            && let Some((ours, true)) = network.carrier(ip)
        {
            remember(&mut reached.carried, ours);
        }
    }

    /// An address that was reached before, and to which there is no route any more, or none over a link that has a carrier;
    /// of the family of `like`, if that is given.
    pub(super) fn lost(&self, like: Option<IpAddr>, network: &impl Network) -> Option<IpAddr> {
        let mut reached = self.lock();
        let is_meant = |ip: &IpAddr| like.is_none_or(|like| ip.is_ipv4() == like.is_ipv4());
        let Reached { addresses, carried, .. } = &mut *reached;
        let lost = addresses.iter().copied().find(|ip| is_meant(ip) && is_cut_off(*ip, carried, network));
        let was_lost = !self.turns().is_multiple_of(2);
        // One family says nothing of what is well with the other.
        let is_lost = lost.is_some() || was_lost && like.is_some();
        self.turns.fetch_add((is_lost != was_lost).into(), Ordering::Relaxed);
        lost
    }

    /// Forgets what is lost, where something else is not; whether that is so.
    pub(super) fn give_up(&self, network: &impl Network) -> bool {
        let mut reached = self.lock();
        let Reached { addresses, carried, .. } = &mut *reached;
        let left: VecDeque<_> = addresses.iter().copied().filter(|ip| !is_cut_off(*ip, carried, network)).collect();
        if left.is_empty() {
            return false;
        }
        *addresses = left;
        reached.given_up += 1;
        true
    }

    /// Whether anything was reached so far.
    pub(super) fn knows_any(&self) -> bool {
        self.knows_any.load(Ordering::Relaxed)
    }

    /// How often what was lost was given up so far.
    pub(super) fn given_up(&self) -> u64 {
        self.lock().given_up
    }

    /// How often something was lost or came back so far: odd while something is lost.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Whether it is to be told that no port is free towards an address: once in a while.
    pub(super) fn is_news(&self) -> bool {
        let mut reached = self.lock();
        let now = Instant::now();
        let is_news = reached.told_of_ports.is_none_or(|at| now - at >= TELL_EVERY);
        if is_news {
            reached.told_of_ports = Some(now);
        }
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_cut_off(ip: IpAddr, carried: &mut VecDeque<IpAddr>, network: &impl Network) -> bool {
    if !network.has_route(ip) {
        return true;
    }
    match network.carrier(ip) {
        Some((ours, true)) => {
            remember(carried, ours);
            false
        }
        Some((ours, false)) => carried.contains(&ours),
        None => false,
    }
}

fn remember(addresses: &mut VecDeque<IpAddr>, ip: IpAddr) {
    if !addresses.contains(&ip) {
        addresses.truncate(REMEMBERED - 1);
        addresses.push_front(ip);
    }
}
