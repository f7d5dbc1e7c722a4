//! Counts of a running scan, readable at any time from anywhere.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::classify::fronting::{Overview, Sweep};
use crate::observation::Outcome;
use crate::schedule::{Counts, Finished, Learnt, Patience, Retried, Slowed};
use crate::target::Ports;

const OUTCOMES: usize = Outcome::ALL.len();

/// What a scan has done so far. Every count only grows, but for [`Stats::in_flight`].
#[derive(Debug)]
pub struct Stats {
    total: u64,
    done: AtomicU64,
    missed: AtomicU64,
    in_flight: AtomicU64,
    ports: Ports,
    /// By the port's place in the list, then by outcome.
    outcomes: Box<[[AtomicU64; OUTCOMES]]>,
    canary_hailed: AtomicU64,
    canary_failed: AtomicU64,
    canary_dead: AtomicBool,
    retried: AtomicU64,
    answered: AtomicU64,
    patience: Patience,
    slowed: Mutex<Slowed>,
    sweep: Mutex<Sweep>,
}

impl Stats {
    /// Of so many endpoints, some of which an earlier run may have done.
    pub(crate) fn new(total: u64, ports: Ports, patience: Patience, before: &Counts) -> Self {
        let outcomes = (0..ports.len()).map(|_| Default::default()).collect();
        let stats = Self {
            total,
            done: before.done.into(),
            missed: before.missed.into(),
            in_flight: 0.into(),
            ports,
            outcomes,
            canary_hailed: before.hailed.into(),
            canary_failed: before.failed.into(),
            canary_dead: false.into(),
            retried: before.retried.into(),
            answered: before.answered.into(),
            patience,
            slowed: Mutex::default(),
            sweep: Mutex::default(),
        };
        for (port, counts) in &before.outcomes {
            for (outcome, count) in Outcome::ALL.into_iter().zip(counts) {
                stats.add(*port, outcome, *count);
            }
        }
        stats
    }

    /// How many endpoints there are; one that is reached by a name counts once, however many addresses that has.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of them are done: probed, whatever came of it, and handed on.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many of these this machine could not try, all or in part: their outcome, or that of one of a name's addresses,
    /// is [`Outcome::LocalError`].
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
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

    /// How often canaries were hailed, and how often in vain.
    pub fn canaries(&self) -> (u64, u64) {
        (self.canary_hailed.load(Ordering::Relaxed), self.canary_failed.load(Ordering::Relaxed))
    }

    /// How many endpoints were tried again because packets may have been lost, and are final, and how many of these
    /// answered in the end.
    pub fn retried(&self) -> (u64, u64) {
        (self.retried.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed))
    }

    /// What this run learnt of how long answers take, where it was to learn and there were enough of them.
    pub fn learnt(&self) -> Option<Learnt> {
        self.patience.learnt()
    }

    /// Whether nothing was begun because a canary did not answer.
    pub fn is_canary_dead(&self) -> bool {
        self.canary_dead.load(Ordering::Relaxed)
    }

    /// The networks that told us to go easier.
    pub fn slowed(&self) -> Slowed {
        self.slowed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What shows only over all the rows of this run.
    pub fn overview(&self) -> Overview {
        self.sweep().overview()
    }

    pub(crate) fn sweep(&self) -> MutexGuard<'_, Sweep> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// One probe of a port ended so, which made this of its endpoint.
    pub(crate) fn record(&self, port: u16, outcome: Outcome, finished: Finished) {
        self.add(port, outcome, 1);
        self.done.fetch_add((finished != Finished::No).into(), Ordering::Relaxed);
        self.missed.fetch_add((finished == Finished::Missed).into(), Ordering::Relaxed);
    }

    pub(crate) fn note_retried(&self, retried: Retried) {
        self.retried.fetch_add(1, Ordering::Relaxed);
        self.answered.fetch_add((retried == Retried::Answered).into(), Ordering::Relaxed);
    }

    /// How long connections may take.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(crate) fn note_canary(&self, answered: bool) {
        self.canary_hailed.fetch_add(1, Ordering::Relaxed);
        self.canary_failed.fetch_add((!answered).into(), Ordering::Relaxed);
    }

    pub(crate) fn note_canary_dead(&self) {
        self.canary_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn note_slowed(&self, slowed: Slowed) {
        *self.slowed.lock().unwrap_or_else(PoisonError::into_inner) = slowed;
    }

    /// What another run is to go on counting from.
    pub(crate) fn counts(&self) -> Counts {
        let outcomes = self.ports().map(|(port, counts)| (port, counts.iter().map(|(_, count)| *count).collect()));
        let ((hailed, failed), (retried, answered)) = (self.canaries(), self.retried());
        let (done, missed) = (self.done(), self.missed());
        Counts { done, missed, outcomes: outcomes.collect(), hailed, failed, retried, answered }
    }

    fn add(&self, port: u16, outcome: Outcome, count: u64) {
        if let Some(by_outcome) = self.ports.position(port).and_then(|place| self.outcomes.get(place)) {
            by_outcome[place(outcome)].fetch_add(count, Ordering::Relaxed);
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
        let ports = Ports::parse("21,25").unwrap();
        let patience = || Patience::new(std::time::Duration::from_secs(4), false);
        let stats = Stats::new(3, ports.clone(), patience(), &Counts::default());
        stats.begin();
        stats.record(25, Outcome::Greeted, Finished::Done);
        stats.record(25, Outcome::Refused, Finished::No);
        stats.record(21, Outcome::Refused, Finished::No);
        stats.note_canary(false);
        stats.note_retried(Retried::InVain);
        stats.note_retried(Retried::Answered);
        stats.end();
        stats.begin();
        let check = |stats: &Stats| {
            assert_eq!((stats.total(), stats.done(), stats.canaries()), (3, 1, (1, 1)));
            assert_eq!((stats.outcome(Outcome::Refused), stats.retried()), (2, (2, 1)));
            let greeted = |counts: [(Outcome, u64); OUTCOMES]| counts[place(Outcome::Greeted)].1;
            let by_port: Vec<_> = stats.ports().map(|(port, counts)| (port, greeted(counts))).collect();
            assert_eq!(by_port, [(21, 0), (25, 1)]);
        };
        check(&stats);
        assert_eq!(stats.in_flight(), 1);
        let resumed = Stats::new(3, ports, patience(), &stats.counts());
        check(&resumed);
        assert_eq!(resumed.in_flight(), 0);
    }
}
