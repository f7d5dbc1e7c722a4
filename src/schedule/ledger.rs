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
    /// Those of them that could not be tried, all or in part.
    #[serde(default)]
    pub(crate) missed: u64,
    /// By port, then in the order of [`crate::Outcome::ALL`].
    pub(crate) outcomes: Vec<(u16, Vec<u64>)>,
    pub(crate) hailed: u64,
    pub(crate) failed: u64,
    /// Endpoints that were tried again because packets may have been lost, and those of them that answered.
    #[serde(default)]
    pub(crate) retried: u64,
    #[serde(default)]
    pub(crate) answered: u64,
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
        self.next <= len
    }

    /// Whether all that it says can be so at once. Who edits one, or has it on a bad disk, makes others.
    pub(crate) fn is_sound(&self) -> bool {
        let partly: Vec<_> = self.partly.iter().map(|partly| partly.position).collect();
        let is_listed_once = |positions: &[u64]| {
            positions.is_sorted_by(|one, next| one < next) && positions.last().is_none_or(|last| *last < self.next)
        };
        let open = u64::try_from(self.unfinished.len() + partly.len()).ok();
        is_listed_once(&self.unfinished)
            && is_listed_once(&partly)
            && partly.iter().all(|position| self.unfinished.binary_search(position).is_err())
            && self.partly.iter().all(Partly::is_sound)
            && open.and_then(|open| self.next.checked_sub(open)) == Some(self.counts.done)
            && self.counts.are_sound()
    }
}

impl Counts {
    /// Whether more can be counted for as long as anybody lives, and summed, without coming to the end of numbers.
    fn are_sound(&self) -> bool {
        let mut all = self.outcomes.iter().flat_map(|(_, counts)| counts);
        let sum = all.try_fold(0u64, |sum, count| sum.checked_add(*count));
        let pairs = [(self.failed, self.hailed), (self.answered, self.retried)];
        sum.is_some_and(|sum| sum <= u64::MAX / 2)
            && pairs.iter().all(|(part, whole)| part <= whole && *whole <= u64::MAX / 2)
    }
}

/// A name of which some addresses are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Partly {
    position: u64,
    found: Vec<Found>,
    /// Which of them are done, ascending.
    done: Vec<u32>,
    /// Whether one of these could not be tried.
    #[serde(default)]
    missed: bool,
}

impl Partly {
    /// Whether some of it is done, and not all.
    fn is_sound(&self) -> bool {
        let is_there = |part: &u32| usize::try_from(*part).is_ok_and(|part| part < self.found.len());
        self.done.is_sorted_by(|one, next| one < next)
            && self.done.last().is_some_and(is_there)
            && self.done.len() < self.found.len()
    }
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
    /// What a name led to before.
    pub(crate) known: Option<Known>,
}

/// What a name led to in an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) found: Arc<[Found]>,
    /// Which of it is done, ascending.
    pub(crate) done: Vec<u32>,
    /// Whether some of that could not be tried.
    missed: bool,
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
    /// Whether one of those that are done could not be tried.
    missed: bool,
}

impl Parts {
    fn at(&self, position: u64) -> Partly {
        let done = (0u32..).zip(&self.done).filter_map(|(part, done)| done.then_some(part)).collect();
        Partly { position, found: self.found.to_vec(), done, missed: self.missed }
    }
}

impl Ledger {
    /// Of `len` positions, going on where `from` was.
    pub(crate) fn new(len: u64, from: Checkpoint) -> Self {
        let plain = from.unfinished.into_iter().map(|position| Position { position, known: None });
        let partly = from.partly.into_iter().map(|Partly { position, found, done, missed }| Position {
            position,
            known: Some(Known { found: found.into(), done, missed }),
        });
        let mut again: Vec<_> = plain.chain(partly).collect();
        again.sort_unstable_by_key(|position| std::cmp::Reverse(position.position));
        let mut ledger = Self { next: from.next, len, open: HashMap::default(), again };
        // What was unfinished is so until it is finished, whether or not it comes to its turn.
        for Position { position, known } in ledger.again.clone() {
            ledger.open.insert(position, None);
            if let Some(Known { found, done, missed }) = known {
                ledger.split(position, &found, &done);
                if let Some(Some(parts)) = ledger.open.get_mut(&position) {
                    parts.missed = missed;
                }
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

    /// A name's position is finished when each of what it led to is, of which some, ascending, may be done already.
    pub(crate) fn split(&mut self, position: u64, found: &Arc<[Found]>, done: &[u32]) {
        if let Some(open) = self.open.get_mut(&position) {
            let mut is_done = vec![false; found.len()];
            for part in done {
                if let Some(is_done) = usize::try_from(*part).ok().and_then(|part| is_done.get_mut(part)) {
                    *is_done = true;
                }
            }
            let missed = open.as_ref().is_some_and(|parts| parts.missed);
            *open = Some(Box::new(Parts { found: Arc::clone(found), done: is_done, missed }));
        }
    }

    /// One row less to come, which `missed` its endpoint where that could not be tried.
    pub(crate) fn finish(&mut self, ticket: Ticket, missed: bool) -> Finished {
        let Some(open) = self.open.get_mut(&ticket.position) else { return Finished::No };
        let mut missed = missed;
        if let Some(parts) = open {
            if let Some(done) = usize::try_from(ticket.part).ok().and_then(|part| parts.done.get_mut(part)) {
                *done = true;
            }
            parts.missed |= missed;
            missed = parts.missed;
            if parts.done.contains(&false) {
                return Finished::No;
            }
        }
        self.open.remove(&ticket.position);
        if missed { Finished::Missed } else { Finished::Done }
    }
}

/// What one row made of its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    /// More of it is to come.
    No,
    /// It is done.
    Done,
    /// Nothing more is to come of it, but some of it could not be tried.
    Missed,
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

    fn done(done: u64) -> Counts {
        Counts { done, ..Counts::default() }
    }

    #[test]
    fn a_name_is_finished_with_its_last_address() {
        let mut ledger = Ledger::new(1, Checkpoint::default());
        ledger.begin().unwrap();
        ledger.split(0, &found(3), &[]);
        assert_eq!(ledger.finish(ticket(0, 2), true), Finished::No);
        assert_eq!(ledger.finish(ticket(0, 0), false), Finished::No);
        let checkpoint = Checkpoint::new(&ledger, Counts::default());
        assert_eq!(checkpoint.low_water_mark(), 0);

        let mut resumed = Ledger::new(1, checkpoint);
        let Position { position, known } = resumed.begin().unwrap();
        let Known { found: led_to, done, .. } = known.unwrap();
        assert_eq!((position, &led_to, &*done), (0, &found(3), &[0, 2][..]));
        assert!(resumed.begin().is_none());
        resumed.split(0, &led_to, &done);
        assert_eq!(resumed.finish(ticket(0, 1), false), Finished::Missed, "what an earlier run could not try");
        assert_eq!(Checkpoint::new(&resumed, Counts::default()).low_water_mark(), 1);
    }

    #[test]
    fn checkpoints_of_another_order_do_not_fit() {
        let mut ledger = Ledger::new(9, Checkpoint::default());
        while ledger.begin().is_some() {}
        let checkpoint = Checkpoint::new(&ledger, Counts::default());
        assert!(checkpoint.fits(9) && !checkpoint.fits(8));
    }

    #[test]
    fn checkpoints_that_contradict_themselves_are_told_from_others() {
        type Change = fn(&mut Checkpoint);
        let partly = |position, count, done: &[u32]| Partly {
            position,
            found: found(count).to_vec(),
            done: done.into(),
            missed: false,
        };
        let sound = Checkpoint {
            next: 9,
            unfinished: vec![1, 4],
            partly: vec![partly(2, 2, &[1]), partly(8, 3, &[0, 2])],
            counts: Counts { done: 5, outcomes: vec![(25, vec![3, 4])], hailed: 2, failed: 1, ..Counts::default() },
        };
        assert!(sound.is_sound() && Checkpoint::default().is_sound());
        let table: [(&str, Change); 16] = [
            ("twice", |it| it.unfinished = vec![4, 4]),
            ("descending", |it| it.unfinished = vec![4, 1]),
            ("never begun", |it| it.unfinished = vec![1, 9]),
            ("both", |it| it.unfinished = vec![1, 2]),
            ("partly twice", |it| it.partly[1].position = 2),
            ("partly descending", |it| it.partly.swap(0, 1)),
            ("partly, never begun", |it| it.partly[1].position = 9),
            ("no part", |it| it.partly[0].done.clear()),
            ("every part", |it| it.partly[0].done = vec![0, 1]),
            ("a part too many", |it| it.partly[0].done = vec![2]),
            ("a part twice", |it| it.partly[1].done = vec![0, 0]),
            ("other counts", |it| it.counts.done = 6),
            ("nothing begun", |it| it.next = 0),
            ("huge counts", |it| it.counts.outcomes.push((25, vec![u64::MAX]))),
            ("more failed than hailed", |it| it.counts.failed = 3),
            ("more answered than were retried", |it| it.counts.answered = 1),
        ];
        for (what, change) in table {
            let mut forged = sound.clone();
            change(&mut forged);
            assert!(!forged.is_sound(), "{what}");
        }
    }

    #[test]
    fn a_checkpoint_outlasts_being_written_down() {
        let mut ledger = Ledger::new(9, Checkpoint::default());
        for _ in 0..4 {
            ledger.begin();
        }
        ledger.finish(ticket(1, 0), false);
        ledger.split(2, &found(2), &[]);
        ledger.finish(ticket(2, 1), false);
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
                        prop_assert_eq!(ledger.finish(ticket(position, 0), false), Finished::Done);
                        finished.push(position);
                    }
                }
                checkpoint = Checkpoint::new(&ledger, done(u64::try_from(finished.len()).unwrap()));
                prop_assert!(checkpoint.fits(len) && checkpoint.is_sound());
                let open: BTreeSet<_> = checkpoint.unfinished.iter().copied().collect();
                prop_assert!(finished.iter().all(|position| !open.contains(position)));
            }
            finished.sort_unstable();
            prop_assert_eq!(finished, (0..len).collect::<Vec<_>>());
        }
    }
}
