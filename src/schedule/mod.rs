//! The order in which endpoints are taken, who takes the next, and the request to take no more.

#[cfg_attr(not(test), expect(dead_code, reason = "the scan is yet to be driven by it"))]
#[expect(unreachable_pub, reason = "the library is yet to export the shard")]
mod order;
#[cfg_attr(not(test), expect(dead_code, reason = "the scan is yet to be driven by it"))]
mod pacer;
mod permutation;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::permutation::Permutation;

/// Hands out every index of a scan once, in a seeded random order, to however many slots ask.
#[derive(Debug)]
pub(crate) struct Schedule {
    order: Permutation,
    next: AtomicU64,
}

impl Schedule {
    pub(crate) fn new(len: u64, seed: u64) -> Self {
        Self { order: Permutation::new(len, seed), next: AtomicU64::new(0) }
    }

    /// The next index, until all have been handed out.
    pub(crate) fn take(&self) -> Option<u64> {
        // Relaxed: the counter orders nothing but itself. It cannot overflow: there are at most 2^63 endpoints, and each
        // slot asks once more at the end.
        let position = self.next.fetch_add(1, Ordering::Relaxed);
        self.order.at(position)
    }
}

/// Asks a scan to begin nothing new. Endpoints under way come to their end, and then the stream ends.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Begin nothing new.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
