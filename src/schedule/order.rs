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

    /// How many places this shard has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The index at a place; none beyond the last.
    pub(crate) fn at(&self, position: u64) -> Option<u64> {
        self.whole.at(position.checked_mul(self.step)?.checked_add(self.first)?)
    }
}
