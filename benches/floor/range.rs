//! The addresses that every run of the bench sweeps, as numbers.
//!
//! Limits: inside 127.1.0.0/16, or inside 10.98.0.0/16 of a namespace of the bench's own, so nothing can leave the
//! machine; the length is a power of two.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// 127.1.0.0: apart from 127.0.0.1, where other programs of the machine listen.
const NEAR: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 0);

/// For peers behind a cable.
const FAR: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 0);

/// Odd, hence a bijection modulo every power of two; the number is 2³² divided by the golden ratio.
const STRIDE: u32 = 0x9E37_79B1;

/// `127.1.0.0/prefix`, or `10.98.0.0/prefix`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Range {
    first: Ipv4Addr,
    prefix: u8,
}

impl Range {
    /// The loopback range of that prefix length; the caller keeps it within 16..=30.
    pub(crate) fn new(prefix: u8) -> Self {
        Self { first: NEAR, prefix }
    }

    /// The same of a namespace's own.
    pub(crate) fn far(prefix: u8) -> Self {
        Self { first: FAR, prefix }
    }

    /// As hailer's command line takes it.
    pub(crate) fn cidr(self) -> String {
        format!("{}/{}", self.first, self.prefix)
    }

    /// How many addresses it holds.
    pub(crate) fn len(self) -> u32 {
        1 << (32 - self.prefix)
    }

    /// The address at `index`, in order; an index beyond the end starts again at the front.
    pub(crate) fn get(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits() + index % self.len())
    }

    /// The `index`-th address of a fixed scattered order. A scanner shuffles its targets; a yardstick that walked them
    /// in order would be measured on warmer caches.
    pub(crate) fn scattered(self, index: u32) -> Ipv4Addr {
        self.get(index.wrapping_mul(STRIDE))
    }

    /// Where the address stands in the range, if it does.
    pub(crate) fn position(self, address: Ipv4Addr) -> Option<u32> {
        address.to_bits().checked_sub(self.first.to_bits()).filter(|index| *index < self.len())
    }
}
