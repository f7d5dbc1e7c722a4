//! What of a scan is done and what is not, kept as the positions that were begun and are not finished.
//!
//! That is the finished set turned inside out: everything before [`Checkpoint::next`] is finished but for what is listed,
//! and the list is as long as what is under way, in transit or waiting, all of which is bounded. Pure: no clock, no lock.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::target::Found;

/// How far a scan has come: where another run of it goes on.
///
/// Everything before one position of the scan's order is finished but for what is listed as unfinished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    next: u64,
    unfinished: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    partly: Vec<Partly>,
    counts: Counts,
}

/// How many endpoints of each port ended with each outcome, and how many times canaries were hailed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Endpoints, of which a name is one however many addresses it has.
    pub(crate) done: u64,
    /// By port, then in the order of [`crate::Outcome::ALL`].
    pub(crate) outcomes: Vec<(u16, Vec<u64>)>,
    pub(crate) hailed: u64,
    pub(crate) failed: u64,
}

impl Checkpoint {
    pub(crate) fn new(ledger: &Ledger, counts: Counts) -> Self {
        let mut unfinished = Vec::with_capacity(ledger.open.len());
        let mut partly = Vec::new();
        for (position, parts) in &ledger.open {
            match parts {
                Some(parts) if parts.done.contains(&true) => partly.push(parts.at(*position)),
                Some(_) | None => unfinished.push(*position),
            }
        }
        unfinished.sort_unstable();
        partly.sort_unstable_by_key(|partly: &Partly| partly.position);
        Self { next: ledger.next, unfinished, partly, counts }
    }

    /// Below this position of the order everything is finished.
    pub fn low_water_mark(&self) -> u64 {
        let first_partly = self.partly.iter().map(|partly| partly.position).min();
        self.unfinished.iter().copied().chain(first_partly).min().unwrap_or(self.next)
    }

    /// How many endpoints are finished.
    pub fn done(&self) -> u64 {
        self.counts.done
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether it can belong to an order of so many positions.
    pub(crate) fn fits(&self, len: u64) -> bool {
        let begun = |position: &u64| *position < self.next;
        self.next <= len
            && self.unfinished.iter().all(begun)
            && self.partly.iter().all(|partly| begun(&partly.position))
    }
}

/// A name of which some addresses are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Partly {
    position: u64,
    found: Vec<Found>,
    /// Which of them are done, ascending.
    done: Vec<u32>,
}

/// One row's place: a position of the order, and which of a name's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    pub(crate) position: u64,
    pub(crate) part: u32,
}

/// A position that is to be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) position: u64,
    /// What a name led to before, and which of it is done.
    pub(crate) known: Option<(Arc<[Found]>, Vec<u32>)>,
}

/// Which positions are begun and not finished.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The first position that was never begun.
    next: u64,
    len: u64,
    open: HashMap<u64, Option<Box<Parts>>, RandomState>,
    /// What an earlier run began and did not finish, last first.
    again: Vec<Position>,
}

#[derive(Debug)]
struct Parts {
    found: Arc<[Found]>,
    done: Vec<bool>,
}

impl Parts {
    fn at(&self, position: u64) -> Partly {
        let done = (0u32..).zip(&self.done).filter_map(|(part, done)| done.then_some(part)).collect();
        Partly { position, found: self.found.to_vec(), done }
    }
}

impl Ledger {
    /// Of `len` positions, going on where `from` was.
    pub(crate) fn new(len: u64, from: Checkpoint) -> Self {
        let plain = from.unfinished.into_iter().map(|position| Position { position, known: None });
        let partly = from
            .partly
            .into_iter()
            .map(|Partly { position, found, done }| Position { position, known: Some((found.into(), done)) });
        let mut again: Vec<_> = plain.chain(partly).collect();
        again.sort_unstable_by_key(|position| std::cmp::Reverse(position.position));
        let mut ledger = Self { next: from.next, len, open: HashMap::default(), again };
        // What was unfinished is so until it is finished, whether or not it comes to its turn.
        for Position { position, known } in ledger.again.clone() {
            ledger.open.insert(position, None);
            if let Some((found, done)) = known {
                ledger.split(position, &found, &done);
            }
        }
        ledger
    }

    /// The next position, which is unfinished from now on.
    pub(crate) fn begin(&mut self) -> Option<Position> {
        if let Some(position) = self.again.pop() {
            return Some(position);
        }
        if self.next == self.len {
            return None;
        }
        let position = self.next;
        self.next += 1;
        self.open.insert(position, None);
        Some(Position { position, known: None })
    }

    /// Whether every position has been begun.
    pub(crate) fn all_begun(&self) -> bool {
        self.next == self.len && self.again.is_empty()
    }

    /// A name's position is finished when each of what it led to is, of which some may be done already.
    pub(crate) fn split(&mut self, position: u64, found: &Arc<[Found]>, done: &[u32]) {
        if let Some(open) = self.open.get_mut(&position) {
            let is_done = (0u32..).zip(found.iter()).map(|(part, _)| done.contains(&part)).collect();
            *open = Some(Box::new(Parts { found: Arc::clone(found), done: is_done }));
        }
    }

    /// One row less to come; whether its position is finished with it.
    pub(crate) fn finish(&mut self, ticket: Ticket) -> bool {
        let Some(open) = self.open.get_mut(&ticket.position) else { return false };
        let finished = open.as_mut().is_none_or(|parts| {
            let part = usize::try_from(ticket.part).ok().and_then(|part| parts.done.get_mut(part));
            if let Some(done) = part {
                *done = true;
            }
            !parts.done.contains(&false)
        });
        if finished {
            self.open.remove(&ticket.position);
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ticket(position: u64, part: u32) -> Ticket {
        Ticket { position, part }
    }

    fn found(count: usize) -> Arc<[Found]> {
        (0..count).map(|_| Found { exchange: None, address: Ok("192.0.2.1".parse().unwrap()) }).collect()
    }

    #[test]
    fn a_name_is_finished_with_its_last_address() {
        let mut ledger = Ledger::new(1, Checkpoint::default());
        ledger.begin().unwrap();
        ledger.split(0, &found(3), &[]);
        assert!(!ledger.finish(ticket(0, 2)));
        assert!(!ledger.finish(ticket(0, 0)));
        let checkpoint = Checkpoint::new(&ledger, Counts::default());
        assert_eq!(checkpoint.low_water_mark(), 0);

        let mut resumed = Ledger::new(1, checkpoint);
        let Position { position, known } = resumed.begin().unwrap();
        assert_eq!((position, known), (0, Some((found(3), vec![0, 2]))));
        assert!(resumed.begin().is_none());
        assert!(resumed.finish(ticket(0, 1)));
        assert_eq!(Checkpoint::new(&resumed, Counts::default()).low_water_mark(), 1);
    }

    #[test]
    fn checkpoints_of_another_order_do_not_fit() {
        let mut ledger = Ledger::new(9, Checkpoint::default());
        while ledger.begin().is_some() {}
        let checkpoint = Checkpoint::new(&ledger, Counts::default());
        assert!(checkpoint.fits(9) && !checkpoint.fits(8));
        let forged = Checkpoint { unfinished: vec![5], next: 5, ..checkpoint };
        assert!(!forged.fits(9));
    }

    #[test]
    fn a_checkpoint_outlasts_being_written_down() {
        let mut ledger = Ledger::new(9, Checkpoint::default());
        for _ in 0..4 {
            ledger.begin();
        }
        ledger.finish(ticket(1, 0));
        ledger.split(2, &found(2), &[]);
        ledger.finish(ticket(2, 1));
        let checkpoint = Checkpoint::new(&ledger, Counts::default());
        let text = serde_json::to_string(&checkpoint).unwrap();
        assert_eq!(serde_json::from_str::<Checkpoint>(&text).unwrap(), checkpoint);
    }

    proptest! {
        /// However often a scan is broken off, every position is finished exactly once.
        #[test]
        fn exactly_once_over_any_number_of_runs(len in 0u64..60, runs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut checkpoint = Checkpoint::default();
            let mut finished = Vec::new();
            let last = vec![0; 400];
            for steps in runs.into_iter().chain([last]) {
                let mut ledger = Ledger::new(len, checkpoint);
                let mut under_way = Vec::new();
                for step in steps {
                    // One more is begun, and one of those under way, not always the eldest, may be finished.
                    under_way.extend(ledger.begin().map(|position| position.position));
                    if step % 2 == 0 && !under_way.is_empty() {
                        let position = under_way.swap_remove(usize::from(step) % under_way.len());
                        prop_assert!(ledger.finish(ticket(position, 0)));
                        finished.push(position);
                    }
                }
                checkpoint = Checkpoint::new(&ledger, Counts::default());
                prop_assert!(checkpoint.fits(len));
                let open: BTreeSet<_> = checkpoint.unfinished.iter().copied().collect();
                prop_assert!(finished.iter().all(|position| !open.contains(position)));
            }
            finished.sort_unstable();
            prop_assert_eq!(finished, (0..len).collect::<Vec<_>>());
        }
    }
}
