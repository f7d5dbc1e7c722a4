//! As many keys as there is room for, chosen by a hash: whatever order they come in, the same are kept, and of each of
//! them all that was learnt.
//!
//! A key is kept while its rank is among the lowest. Ranks of keys that are left out only fall, so that what is kept in
//! the end was kept from its first time on.

use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;

use foldhash::fast::RandomState;

#[derive(Debug)]
pub(crate) struct Sample<K, V> {
    most: usize,
    kept: HashMap<K, V, RandomState>,
    /// The highest rank first.
    ranks: BinaryHeap<(u64, K)>,
    /// The lowest rank that was left out.
    left_out: Option<u64>,
}

impl<K: Copy + Ord + Hash + Into<u128>, V: Default> Sample<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: HashMap::default(), ranks: BinaryHeap::new(), left_out: None }
    }

    /// What is kept of a key, unless it is left out.
    pub(crate) fn at(&mut self, key: K) -> Option<&mut V> {
        let rank = rank(key.into());
        if self.left_out.is_some_and(|bound| rank >= bound) {
            return None;
        }
        let before = self.kept.len();
        self.kept.entry(key).or_default();
        if self.kept.len() > before {
            self.ranks.push((rank, key));
        }
        if self.ranks.len() > self.most
            && let Some((highest, last)) = self.ranks.pop()
        {
            self.kept.remove(&last);
            self.left_out = Some(highest);
        }
        self.kept.get_mut(&key)
    }

    /// What is kept of a key.
    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.kept.get(&key)
    }

    /// Whether all is known of a key, even if that is nothing.
    pub(crate) fn is_watched(&self, key: K) -> bool {
        self.left_out.is_none_or(|bound| rank(key.into()) < bound)
    }

    /// All that is kept, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.kept.iter().map(|(key, value)| (*key, value))
    }

    /// All that is kept, in the order of keys.
    pub(crate) fn sorted(&self) -> Vec<(K, &V)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    /// All that is kept, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.kept.values()
    }

    /// How many keys are kept, and how many came, as the ranks let guess where some are left out.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let kept = u64::try_from(self.kept.len()).unwrap_or(u64::MAX);
        let came = self.left_out.map_or(kept, |bound| {
            let came = (u128::from(kept) << 64) / u128::from(bound.max(1));
            u64::try_from(came).unwrap_or(u64::MAX)
        });
        (kept, came)
    }
}

/// The finisher of `splitmix64` over both halves: it spreads neighbours over all of 64 bits, and is the same everywhere.
fn rank(key: u128) -> u64 {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    spread(spread(half(key >> 64)) ^ half(key))
}

fn spread(bits: u64) -> u64 {
    let mut bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(keys: impl Iterator<Item = u128>) -> Sample<u128, u32> {
        let mut sample = Sample::new(256);
        for key in keys {
            if let Some(count) = sample.at(key) {
                *count += 1;
            }
        }
        sample
    }

    #[test]
    fn the_same_are_kept_in_any_order_with_all_of_each() {
        let (forwards, backwards) = (sample((0..9000).chain(0..9000)), sample((0..9000).rev().chain(0..9000)));
        assert_eq!(forwards.sorted(), backwards.sorted());
        assert!(forwards.sorted().iter().all(|(key, count)| **count == 2 && forwards.is_watched(*key)));
        let (kept, came) = forwards.counts();
        assert!(kept == 256 && (8000..10_000).contains(&came), "{came} is far from 9000");
    }

    #[test]
    fn nothing_is_left_out_where_there_is_room() {
        let sample = sample(0..256);
        assert_eq!(sample.counts(), (256, 256));
        assert!(sample.is_watched(1 << 70) && sample.get(1 << 70).is_none() && sample.get(255) == Some(&1));
    }
}
