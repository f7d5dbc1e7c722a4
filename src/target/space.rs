//! Address space as a sweep: ranges go in by their first address, and segments come out in which the same ranges lie.
//!
//! It holds one end for each different mark, however many ranges have it, because of those that are open the one that
//! ends last outlives the others.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Mark;

/// Addresses of one family from the first to the last, and all that is said of each of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) first: u128,
    pub(super) last: u128,
    /// The marks, with where each ends.
    pub(super) marks: &'a BTreeMap<Mark, u128>,
}

/// The ranges of one family that are open.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// What was handed out lies before it.
    at: u128,
    open: BTreeMap<Mark, u128>,
    /// The same, by their ends.
    ends: BTreeSet<(u128, Mark)>,
}

impl Sweep {
    /// Adds a range that begins no earlier than the one before it; what ends before that is handed out.
    pub(super) fn add<E>(
        &mut self,
        (first, last): (u128, u128),
        mark: Mark,
        emit: impl FnMut(Segment<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.advance(Some(first), emit)?;
        self.at = first;
        match self.open.get_mut(&mark) {
            Some(end) if *end >= last => return Ok(()),
            Some(end) => {
                self.ends.remove(&(*end, mark));
                *end = last;
            }
            None => {
                self.open.insert(mark, last);
            }
        }
        self.ends.insert((last, mark));
        Ok(())
    }

    /// Hands out all that is open, and is as new.
    pub(super) fn finish<E>(&mut self, emit: impl FnMut(Segment<'_>) -> Result<(), E>) -> Result<(), E> {
        self.advance(None, emit)?;
        self.at = 0;
        Ok(())
    }

    fn advance<E>(&mut self, next: Option<u128>, mut emit: impl FnMut(Segment<'_>) -> Result<(), E>) -> Result<(), E> {
        while let Some((end, _)) = self.ends.first().copied() {
            if let Some(next) = next.filter(|next| *next <= end) {
                if self.at < next {
                    emit(Segment { first: self.at, last: next - 1, marks: &self.open })?;
                    self.at = next;
                }
                break;
            }
            emit(Segment { first: self.at, last: end, marks: &self.open })?;
            while let Some((_, mark)) = self.ends.first().copied().filter(|(last, _)| *last == end) {
                self.ends.pop_first();
                self.open.remove(&mark);
            }
            // After the last address of all nothing is open.
            self.at = end.saturating_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    type Plain = (u128, u128, Vec<u32>);

    fn sweep(ranges: &[(u128, u128, u32)]) -> Vec<Plain> {
        let mut ranges = ranges.to_vec();
        ranges.sort_unstable();
        let (mut sweep, mut segments) = (Sweep::default(), Vec::new());
        let mut emit = |segment: Segment<'_>| {
            let marks = segment.marks.keys().filter_map(|mark| match mark {
                Mark::Ports(number) => Some(*number),
                Mark::Default | Mark::Reserved(_) | Mark::Excluded | Mark::Translated => None,
            });
            segments.push((segment.first, segment.last, marks.collect()));
            Ok::<_, ()>(())
        };
        for (first, last, ports) in ranges {
            sweep.add((first, last), Mark::Ports(ports), &mut emit).unwrap();
        }
        sweep.finish(&mut emit).unwrap();
        segments
    }

    #[test]
    fn overlaps_are_segments_of_their_own() {
        let table = [
            (vec![(0, 9, 1), (5, 14, 2)], vec![(0, 4, vec![1]), (5, 9, vec![1, 2]), (10, 14, vec![2])]),
            (vec![(0, 9, 1), (2, 3, 1)], vec![(0, 1, vec![1]), (2, 9, vec![1])]),
            (vec![(0, 4, 1), (3, 9, 1)], vec![(0, 2, vec![1]), (3, 9, vec![1])]),
            (vec![(0, 9, 1), (0, 4, 2)], vec![(0, 4, vec![1, 2]), (5, 9, vec![1])]),
            (vec![(7, 7, 1), (9, 9, 1)], vec![(7, 7, vec![1]), (9, 9, vec![1])]),
        ];
        for (ranges, expected) in table {
            assert_eq!(sweep(&ranges), expected, "{ranges:?}");
        }
    }

    #[test]
    fn the_end_of_the_address_space_is_an_address() {
        let segments = sweep(&[(u128::MAX - 1, u128::MAX, 1), (u128::MAX, u128::MAX, 2)]);
        assert_eq!(segments, [(u128::MAX - 1, u128::MAX - 1, vec![1]), (u128::MAX, u128::MAX, vec![1, 2])]);
    }

    proptest! {
        /// The segments hold just what was said, each address once, whatever overlaps.
        #[test]
        fn the_same_marks_at_the_same_addresses(named in prop::collection::vec((0u128..60, 0u128..20, 0u32..3), 1..12)) {
            let ranges: Vec<_> = named.iter().map(|(first, length, ports)| (*first, first + length, *ports)).collect();
            let said = |(first, last, marks): Plain| {
                (first..=last).flat_map(move |at| marks.clone().into_iter().map(move |mark| (at, mark)))
            };
            let expected: BTreeSet<_> = ranges.iter().flat_map(|(first, last, ports)| said((*first, *last, vec![*ports]))).collect();
            let segments = sweep(&ranges);
            prop_assert!(segments.windows(2).all(|pair| pair[0].1 < pair[1].0));
            let found: Vec<_> = segments.into_iter().flat_map(said).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
