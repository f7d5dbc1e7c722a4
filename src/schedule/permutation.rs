//! A seeded bijection of 0..n onto itself, in constant memory.
//!
//! A Feistel network over the smallest power of two that holds n, walked until the result is below n (cycle walking,
//! Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002): at most two steps on average. The halves differ by
//! one bit where the width is odd. It is for spreading load, not for secrecy.

/// Rounds enough that neither neighbours nor a common seed show in the order.
const ROUNDS: usize = 6;

#[derive(Debug, Clone)]
pub(super) struct Permutation {
    len: u64,
    /// Bits of the left and the right half.
    left: u32,
    right: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    pub(super) fn new(len: u64, seed: u64) -> Self {
        let bits = (u64::BITS - len.saturating_sub(1).leading_zeros()).max(2);
        let mut state = seed;
        let keys = [(); ROUNDS].map(|()| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        });
        Self { len, left: bits / 2, right: bits - bits / 2, keys }
    }

    /// Where `index` goes; none for an index beyond the end.
    pub(super) fn at(&self, index: u64) -> Option<u64> {
        if index >= self.len {
            return None;
        }
        let mut value = self.step(index);
        while value >= self.len {
            value = self.step(value);
        }
        Some(value)
    }

    /// What goes to `value`, which is [`Permutation::at`] undone; none for a value beyond the end.
    pub(super) fn index_of(&self, value: u64) -> Option<u64> {
        if value >= self.len {
            return None;
        }
        let mut index = self.step_back(value);
        while index >= self.len {
            index = self.step_back(index);
        }
        Some(index)
    }

    /// One pass over the power of two: each round changes one half by a function of the other, which can be undone.
    fn step(&self, value: u64) -> u64 {
        let (left_mask, right_mask) = (mask(self.left), mask(self.right));
        let mut left = value >> self.right;
        let mut right = value & right_mask;
        for pair in self.keys.chunks_exact(2) {
            left ^= mix(right ^ pair[0]) & left_mask;
            right ^= mix(left ^ pair[1]) & right_mask;
        }
        left << self.right | right
    }

    fn step_back(&self, value: u64) -> u64 {
        let (left_mask, right_mask) = (mask(self.left), mask(self.right));
        let mut left = value >> self.right;
        let mut right = value & right_mask;
        for pair in self.keys.chunks_exact(2).rev() {
            right ^= mix(left ^ pair[1]) & right_mask;
            left ^= mix(right ^ pair[0]) & left_mask;
        }
        left << self.right | right
    }
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood, 2014): every bit of the input reaches every bit of the output.
pub(super) const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(len: u64, seed: u64) -> Vec<u64> {
        let permutation = Permutation::new(len, seed);
        (0..).map_while(|index| permutation.at(index)).collect()
    }

    #[test]
    fn the_smallest_and_the_largest() {
        assert!(order(0, 1).is_empty());
        assert_eq!(order(1, 1), [0]);
        let largest = Permutation::new(1 << 63, 7);
        assert!((0..1000).all(|index| largest.at(index).is_some_and(|value| value < 1 << 63)));
        assert_eq!(largest.at(1 << 63), None);
    }

    /// In any stretch of the order each /24 of a /16 gets about its share: with 256 expected draws each, a fair order stays
    /// within 6 standard deviations.
    #[test]
    fn every_network_sees_its_share() {
        for seed in 0..20 {
            let permutation = Permutation::new(1 << 24, seed);
            let mut hits = [0u32; 256];
            for index in 0..1 << 16 {
                hits[usize::try_from(permutation.at(index).unwrap() >> 16).unwrap()] += 1;
            }
            assert!(hits.iter().all(|hits| (160..=352).contains(hits)), "seed {seed}: {hits:?}");
        }
    }

    #[test]
    fn neighbours_are_parted() {
        let order = order(1 << 16, 42);
        let close = order.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 256).count();
        // By chance about 65,535 × 511 / 65,536 = 511; 23 is its standard deviation.
        assert!((373..=649).contains(&close), "{close}");
    }

    proptest! {
        #[test]
        fn every_index_exactly_once(len in 0u64..5000, seed: u64) {
            let mut sorted = order(len, seed);
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..len).collect::<Vec<_>>());
        }

        #[test]
        fn it_can_be_undone(len in 1u64..=1 << 63, seed: u64, index: u64) {
            let permutation = Permutation::new(len, seed);
            let index = index % len;
            let value = permutation.at(index).unwrap();
            prop_assert_eq!(permutation.index_of(value), Some(index));
            prop_assert_eq!(permutation.index_of(len), None);
        }

        #[test]
        fn another_seed_is_another_order(seed: u64) {
            prop_assert_ne!(order(64, seed), order(64, seed ^ 1));
        }
    }
}
