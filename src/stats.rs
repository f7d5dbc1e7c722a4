//! Counts of a running scan, readable at any time from anywhere.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::observation::Outcome;
use crate::target::Ports;

const OUTCOMES: usize = Outcome::ALL.len();

/// What a scan has done so far. Every count only grows, but for [`Stats::in_flight`].
#[derive(Debug)]
pub struct Stats {
    total: u64,
    done: AtomicU64,
    in_flight: AtomicU64,
    ports: Ports,
    /// By the port's place in the list, then by outcome.
    outcomes: Box<[[AtomicU64; OUTCOMES]]>,
}

impl Stats {
    pub(crate) fn new(total: u64, ports: Ports) -> Self {
        let outcomes = (0..ports.len()).map(|_| Default::default()).collect();
        Self { total, done: AtomicU64::new(0), in_flight: AtomicU64::new(0), ports, outcomes }
    }

    /// How many endpoints there are; one that is reached by a name counts once, however many addresses that has.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of them have been probed, whatever came of it.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many are being probed now.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How many probes ended so, over all ports.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.iter().map(|by_outcome| by_outcome[place(outcome)].load(Ordering::Relaxed)).sum()
    }

    /// How many probes of each port ended how, for the ports that were probed at all.
    pub fn ports(&self) -> impl Iterator<Item = (u16, [(Outcome, u64); OUTCOMES])> + '_ {
        let counts = |by_outcome: &[AtomicU64; OUTCOMES]| {
            Outcome::ALL.map(|outcome| (outcome, by_outcome[place(outcome)].load(Ordering::Relaxed)))
        };
        self.ports.iter().zip(&self.outcomes).map(move |((port, _), by_outcome)| (port, counts(by_outcome)))
    }

    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// One less under way; `done` unless it was broken off.
    pub(crate) fn end(&self, done: bool) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.done.fetch_add(u64::from(done), Ordering::Relaxed);
    }

    pub(crate) fn record(&self, port: u16, outcome: Outcome) {
        if let Some(by_outcome) = self.ports.position(port).and_then(|place| self.outcomes.get(place)) {
            by_outcome[place(outcome)].fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn place(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|other| *other == outcome).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_port_and_outcome() {
        let stats = Stats::new(3, Ports::parse("21,25").unwrap());
        stats.begin();
        stats.record(25, Outcome::Greeted);
        stats.record(25, Outcome::Refused);
        stats.record(21, Outcome::Refused);
        stats.end(true);
        stats.begin();
        stats.end(false);
        assert_eq!((stats.total(), stats.done(), stats.in_flight()), (3, 1, 0));
        assert_eq!(stats.outcome(Outcome::Refused), 2);
        let by_port: Vec<_> = stats.ports().map(|(port, counts)| (port, counts[place(Outcome::Greeted)].1)).collect();
        assert_eq!(by_port, [(21, 0), (25, 1)]);
    }
}
