//! Whatever happens in whatever order, everything starts once, and no limit is overstepped.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::tests::{MILLISECOND, host, per_host, rate};
use super::*;

/// What may befall a pacer.
#[derive(Debug, Clone, Copy)]
enum Step {
    Put { network: u32, host: u8, after: Option<u16> },
    Try { network: u32, host: u8 },
    Take,
    Release(prop::sample::Index),
    Again(prop::sample::Index),
    PushedBack { network: u32 },
    WentWell { network: u32 },
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = || (0u32..3, 0u8..3);
    let step = prop_oneof![
        6 => (place(), prop::option::weighted(0.2, 0u16..3000))
            .prop_map(|((network, host), after)| Step::Put { network, host, after }),
        2 => place().prop_map(|(network, host)| Step::Try { network, host }),
        8 => Just(Step::Take),
        4 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => (0u32..3).prop_map(|network| Step::PushedBack { network }),
        1 => (0u32..3).prop_map(|network| Step::WentWell { network }),
        4 => (0u16..1500).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..300)
}

fn paces() -> impl Strategy<Value = Pace> {
    let rates = || prop::option::of(prop::sample::select(vec![1.0, 3.0, 20.0, 1000.0]));
    (rates(), rates(), 1u32..3).prop_map(|(over_all, per_prefix, count)| Pace {
        rate: over_all.map(rate),
        per_prefix: per_prefix.map(rate),
        per_host: per_host(count),
    })
}

/// A pacer, and what it has done so far.
struct Watched {
    pacer: Pacer<usize>,
    pace: Pace,
    now: Instant,
    put: usize,
    started: HashSet<usize>,
    /// The hosts of connections that stand.
    standing: Vec<IpAddr>,
    /// When each network was started into, and when it may be.
    starts: HashMap<Prefix, Vec<Instant>>,
}

impl Watched {
    fn new(pace: Pace) -> Self {
        let now = Instant::now();
        let pacer = Pacer::new(pace, 100, now);
        let (started, standing, starts) = (HashSet::new(), Vec::new(), HashMap::new());
        Self { pacer, pace, now, put: 0, started, standing, starts }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put { network, host: n, after } => {
                let not_before = after.map(|after| self.now + u32::from(after) * MILLISECOND);
                self.pacer.put(host(network, n), self.put, not_before);
                self.put += 1;
            }
            Step::Try { network, host: n } => {
                if self.pacer.try_start(host(network, n), self.now) {
                    self.stands(host(network, n));
                }
            }
            Step::Take => {
                self.take();
            }
            Step::Release(index) => {
                if !self.standing.is_empty() {
                    self.release(index.index(self.standing.len()));
                }
            }
            Step::Again(index) => {
                if !self.standing.is_empty() {
                    let ip = *index.get(&self.standing);
                    let at = self.pacer.again(ip, self.now);
                    assert!(at >= self.now);
                    self.starts.entry(Host::from(ip).prefix()).or_default().push(at);
                }
            }
            Step::PushedBack { network } => self.pacer.pushed_back(host(network, 0), self.now),
            Step::WentWell { network } => self.pacer.went_well(host(network, 0), self.now),
            Step::Pass(millis) => self.now += u32::from(millis) * MILLISECOND,
        }
    }

    fn take(&mut self) -> Next<usize> {
        let next = self.pacer.take(self.now);
        match &next {
            Next::Start(ip, item) => {
                assert!(self.started.insert(*item), "{item} started twice");
                self.stands(*ip);
            }
            Next::Wait { at, more } => assert!(at.is_none_or(|at| at > self.now) && (*more || at.is_some())),
        }
        next
    }

    fn stands(&mut self, ip: IpAddr) {
        self.standing.push(ip);
        let count = self.standing.iter().filter(|held| **held == ip).count();
        assert!(count <= usize::try_from(self.pace.per_host.get()).unwrap(), "{ip} has {count}");
        self.starts.entry(Host::from(ip).prefix()).or_default().push(self.now);
    }

    fn release(&mut self, index: usize) {
        let ip = self.standing.swap_remove(index);
        self.pacer.release(ip, self.now);
    }

    /// Lets everything end, as time goes on.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            match self.take() {
                Next::Start(..) => {}
                Next::Wait { .. } if !self.standing.is_empty() => self.release(0),
                Next::Wait { at: Some(at), .. } => self.now = at,
                Next::Wait { at: None, .. } => break,
            }
            if self.started.len() == self.put && self.standing.is_empty() {
                break;
            }
        }
    }

    /// Whether no window of time has more starts into one network than the rate allows and two.
    fn keeps_to_the_rate(&self) -> bool {
        let Some(rate) = self.pace.per_prefix else { return true };
        self.starts.values().all(|starts| {
            let mut starts = starts.clone();
            starts.sort_unstable();
            starts.iter().enumerate().all(|(first, from)| {
                starts[first..]
                    .iter()
                    .zip(1u32..)
                    .all(|(to, count)| *to - *from >= rate.interval() * (count.max(2) - 2))
            })
        })
    }
}

proptest! {
    #[test]
    fn every_item_starts_once_and_no_limit_is_overstepped(pace in paces(), steps in steps()) {
        let mut watched = Watched::new(pace);
        for step in steps {
            watched.step(step);
        }
        watched.finish();
        prop_assert_eq!(watched.started.len(), watched.put);
        prop_assert_eq!((watched.pacer.waiting(), watched.pacer.held.len(), watched.pacer.turns.len()), (0, 0, 0));
        prop_assert!(watched.keeps_to_the_rate());
    }
}
