//! What a peer says, as it comes.

use std::ops::Range;
use std::time::Duration;

/// Bytes as they came, with their times, up to a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    bytes: Vec<u8>,
    arrivals: Vec<Arrival>,
    truncated: bool,
}

/// One read's worth of [`Received`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Where its bytes are.
    pub range: Range<usize>,
    /// When it came, counted from the start of the connect.
    pub at: Duration,
}

impl Received {
    /// How much is kept of what one peer says: 64 KiB, more than any greeting a person would read.
    pub const LIMIT: usize = 64 * 1024;

    /// How many arrivals are told apart; later ones are kept with the time of the last, lest a byte a second cost more
    /// for its times than for its bytes.
    const MAX_ARRIVALS: usize = 1024;

    /// Keeps `bytes`, as far as there is room; what is beyond is dropped and said so.
    pub fn push(&mut self, bytes: &[u8], at: Duration) {
        let room = Self::LIMIT - self.bytes.len();
        let kept = &bytes[..bytes.len().min(room)];
        self.truncated |= kept.len() < bytes.len();
        if kept.is_empty() {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(kept);
        let end = self.bytes.len();
        let full = self.arrivals.len() >= Self::MAX_ARRIVALS;
        match self.arrivals.last_mut() {
            Some(last) if full => last.range.end = end,
            _ => self.arrivals.push(Arrival { range: start..end, at }),
        }
    }

    /// What is kept.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// When each part came.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Whether more came than is kept.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Whether nothing came.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
