//! Numbers that follow from a seed and a place, so that nothing about an endpoint need be remembered.
//!
//! `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): a few instructions, even
//! enough for casting parts, and nothing more is asked of it.

use std::net::SocketAddrV4;

/// A row of numbers.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    /// The row that belongs to the endpoint at a place.
    pub(super) fn new(seed: u64, place: SocketAddrV4) -> Self {
        let place = u64::from(place.ip().to_bits()) << 16 | u64::from(place.port());
        Self(mix(seed) ^ mix(place.wrapping_add(STEP)))
    }

    /// The row that belongs to a seed and a purpose.
    pub(super) fn of(seed: u64, purpose: &str) -> Self {
        Self(purpose.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)).wrapping_add(STEP)))
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// One of `0..count`; 0 where `count` is 0.
    pub(super) fn below(&mut self, count: u32) -> u32 {
        // The high half of the product is below `count`: Lemire's way without division, whose bias is 2⁻³² at most.
        let scaled = (self.number() >> 32) * u64::from(count);
        u32::try_from(scaled >> 32).unwrap_or_default()
    }

    /// One of several, of which there must be one.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        &all[usize::try_from(self.below(count)).unwrap_or_default()]
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&mut self, share: u32) -> bool {
        self.below(100) < share
    }
}

/// 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_follows_from_its_beginning() {
        let row = |seed, address: &str| {
            let mut draw = Draw::new(seed, address.parse().unwrap());
            [0; 4].map(|_: u64| draw.number())
        };
        let first = row(1, "127.77.0.1:21000");
        assert_eq!(first, row(1, "127.77.0.1:21000"));
        for (seed, address) in [(2, "127.77.0.1:21000"), (1, "127.77.0.2:21000"), (1, "127.77.0.1:21001")] {
            assert_ne!(first, row(seed, address), "{seed} {address}");
        }
    }

    #[test]
    fn numbers_are_spread() {
        let mut draw = Draw::of(7, "spread");
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            *counts.get_mut(usize::try_from(draw.below(10)).unwrap()).unwrap() += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(draw.below(0), 0);
    }
}
