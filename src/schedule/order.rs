//! The order in which one shard takes its endpoints.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::permutation::Permutation;

/// One of several equal parts of a scan, for as many machines. Written `3/16`: the third of sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// From 0.
    index: u32,
    count: NonZeroU32,
}

/// What is wrong with a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It is not two numbers with a stroke between them.
    #[error("'{0}' is not a shard: write which one of how many, as in 3/16")]
    NotAShard(String),
    /// It is none of so many.
    #[error("there is no shard {number} of {count}: they are numbered from 1 to {count}")]
    OutOfRange {
        /// Which was asked for.
        number: u32,
        /// Of how many.
        count: NonZeroU32,
    },
}

impl Shard {
    /// The whole scan.
    pub const WHOLE: Self = Self { index: 0, count: NonZeroU32::MIN };

    /// The shard with this number, counted from 1, of so many.
    ///
    /// # Errors
    /// Where there is none.
    pub fn new(number: u32, count: NonZeroU32) -> Result<Self, ShardError> {
        match number.checked_sub(1) {
            Some(index) if index < count.get() => Ok(Self { index, count }),
            Some(_) | None => Err(ShardError::OutOfRange { number, count }),
        }
    }

    /// Which one, counted from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> NonZeroU32 {
        self.count
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text
            .split_once('/')
            .and_then(|(number, count)| Some((number.trim().parse().ok()?, count.trim().parse().ok()?)));
        let (number, count) = numbers.ok_or_else(|| ShardError::NotAShard(text.to_owned()))?;
        Self::new(number, count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", u64::from(self.index) + 1, self.count)
    }
}

/// The indices that fall to one shard, in a seeded random order.
///
/// A shard of n takes every n-th place of the order of the whole. So no two shards share an index and all together leave
/// none out, and each gets its share of every network.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    whole: Permutation,
    len: u64,
    first: u64,
    step: u64,
}

impl Order {
    /// The order of a scan of `len` endpoints.
    pub(crate) fn new(len: u64, seed: u64, shard: Shard) -> Self {
        let (first, step) = (u64::from(shard.index), u64::from(shard.count.get()));
        let len_of_shard = len.saturating_sub(first).div_ceil(step);
        Self { whole: Permutation::new(len, seed), len: len_of_shard, first, step }
    }

    /// Whether an index falls to this shard.
    pub(crate) fn holds(&self, index: u64) -> bool {
        self.whole.index_of(index).is_some_and(|place| place % self.step == self.first)
    }

    /// How many places this shard has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The index at a place; none beyond the last.
    pub(crate) fn at(&self, position: u64) -> Option<u64> {
        self.whole.at(position.checked_mul(self.step)?.checked_add(self.first)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shards(count: u32) -> impl Iterator<Item = Shard> {
        let count = NonZeroU32::new(count).unwrap();
        (1..=count.get()).map(move |number| Shard::new(number, count).unwrap())
    }

    fn all(order: &Order) -> Vec<u64> {
        (0..).map_while(|position| order.at(position)).collect()
    }

    #[test]
    fn shards_are_written_as_people_count() {
        for text in ["1/1", "3/16", "16/16", "4294967295/4294967295"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        let third = " 3 / 16 ".parse::<Shard>().unwrap();
        assert_eq!((third.index(), third.count().get()), (2, 16));
        assert_eq!(Shard::default().to_string(), "1/1");
        for text in ["", "3", "/", "3/", "/16", "3/0", "-1/2", "a/b", "1/2/3", "1.5/2", "1/4294967296"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert_eq!(error, ShardError::NotAShard(text.to_owned()));
        }
        for (text, words) in [
            ("0/16", "there is no shard 0 of 16: they are numbered from 1 to 16"),
            ("17/16", "there is no shard 17 of 16: they are numbered from 1 to 16"),
        ] {
            assert_eq!(text.parse::<Shard>().unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn the_smallest_and_the_largest() {
        let lens = |len, count| shards(count).map(|shard| Order::new(len, 1, shard).len()).collect::<Vec<_>>();
        assert_eq!(lens(0, 3), [0, 0, 0]);
        assert_eq!(lens(2, 3), [1, 1, 0]);
        assert_eq!(lens(10, 3), [4, 3, 3]);
        let last = Shard::new(u32::MAX, NonZeroU32::MAX).unwrap();
        let order = Order::new(1 << 63, 7, last);
        assert!(order.at(order.len() - 1).is_some());
        assert_eq!([order.at(order.len()), order.at(u64::MAX)], [None, None]);
    }

    #[test]
    fn a_shard_sees_every_network_alike() {
        for shard in shards(4) {
            let order = Order::new(1 << 16, 42, shard);
            let mut hits = [0u32; 256];
            for position in 0..1 << 13 {
                hits[usize::try_from(order.at(position).unwrap() >> 8).unwrap()] += 1;
            }
            // 32 expected each; a fair order stays within 6 standard deviations.
            assert!(hits.iter().all(|hits| (2..=64).contains(hits)), "{shard}: {hits:?}");
        }
    }

    proptest! {
        #[test]
        fn every_index_falls_to_one_shard_once(len in 0u64..5000, seed: u64, count in 1u32..40) {
            let mut found = Vec::new();
            for shard in shards(count) {
                let order = Order::new(len, seed, shard);
                let indices = all(&order);
                prop_assert_eq!(u64::try_from(indices.len()).unwrap(), order.len());
                found.extend(indices);
            }
            found.sort_unstable();
            prop_assert_eq!(found, (0..len).collect::<Vec<_>>());
        }

        #[test]
        fn a_shard_knows_its_own(len in 0u64..200, seed: u64, count in 1u32..8) {
            for shard in shards(count) {
                let order = Order::new(len, seed, shard);
                let mut own = all(&order);
                own.sort_unstable();
                prop_assert_eq!((0..=len).filter(|index| order.holds(*index)).collect::<Vec<_>>(), own);
            }
        }

        #[test]
        fn the_whole_is_the_permutation(len in 0u64..1000, seed: u64) {
            let permutation = Permutation::new(len, seed);
            let expected: Vec<_> = (0..len).filter_map(|index| permutation.at(index)).collect();
            prop_assert_eq!(all(&Order::new(len, seed, Shard::WHOLE)), expected);
        }
    }
}
