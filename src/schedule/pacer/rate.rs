//! How many connections in how much time, and the beat that keeps to it.

use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Connections per time, kept as the time between two of them. Whole nanoseconds: 0.5 % too slow at the very worst, at
/// rates near ten million a second, and exact where anybody will notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
}

impl Rate {
    /// Ten million a second: more than any machine can open.
    const SHORTEST: Duration = Duration::from_nanos(100);
    /// One an hour. It takes a share of it to go below.
    const LONGEST: Duration = Duration::from_secs(3600);

    /// None for what lies outside one an hour to ten million a second.
    pub fn per_second(rate: f64) -> Option<Self> {
        Self::every(Duration::try_from_secs_f64(rate.recip()).ok()?)
    }

    /// One connection in such a time; none for what lies outside one an hour to ten million a second.
    pub fn every(interval: Duration) -> Option<Self> {
        (Self::SHORTEST..=Self::LONGEST).contains(&interval).then_some(Self { interval })
    }

    /// The time between two connections.
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// One of so many equal parts.
    pub(super) fn divided_by(self, parts: NonZeroU32) -> Self {
        Self { interval: self.interval.saturating_mul(parts.get()) }
    }

    /// For what was slowed down, which no bounds hold for.
    pub(super) fn of(interval: Duration) -> Self {
        Self { interval }
    }
}

/// `250/s`, `7.5/min`: by the unit in which it is at least one.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.interval.as_secs_f64();
        let (count, unit) = match seconds {
            ..=1.0 => (1.0 / seconds, "s"),
            ..=60.0 => (60.0 / seconds, "min"),
            _ => (3600.0 / seconds, "h"),
        };
        let tenths = (count * 10.0).round() / 10.0;
        let digits = usize::from(tenths < 10.0 && tenths.fract() > 0.0);
        write!(f, "{tenths:.digits$}/{unit}")
    }
}

/// How much lost time is made up for: a timer that fires late must not slow the scan down, and a machine that slept for an
/// hour must not begin an hour's connections at once.
pub(super) const CATCH_UP: Duration = Duration::from_millis(50);

/// Starts an interval apart, counted from when each was due and not from when it came about, so that lateness does not
/// add up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    next: Instant,
}

impl Beat {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// When the next one is due.
    pub(super) fn due(self) -> Instant {
        self.next
    }

    /// Takes the next place, of which no more than `credit` may lie behind us; when that is, at the earliest now.
    pub(super) fn charge(&mut self, now: Instant, interval: Duration, credit: Duration) -> Instant {
        let place = now.checked_sub(credit).map_or(self.next, |earliest| self.next.max(earliest));
        self.next = place + interval;
        place.max(now)
    }

    /// Nothing more before then.
    pub(super) fn hold(&mut self, until: Instant) {
        self.next = self.next.max(until);
    }

    /// Whether a new one would do the same.
    pub(super) fn is_at_rest(self, now: Instant, credit: Duration) -> bool {
        self.next + credit <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bounded() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-4, 1.1e7, f64::MIN_POSITIVE] {
            assert_eq!(Rate::per_second(rate), None, "{rate}");
        }
        for (rate, nanos) in [(1e7, 100), (3.0, 333_333_333), (1.0, 1_000_000_000), (1.0 / 3600.0, 3_600_000_000_000)] {
            assert_eq!(Rate::per_second(rate).unwrap().interval(), Duration::from_nanos(nanos), "{rate}");
        }
        assert_eq!(Rate::every(Duration::ZERO), None);
        assert_eq!(Rate::every(Duration::from_secs(3601)), None);
    }

    #[test]
    fn rates_are_told_in_a_fitting_unit() {
        for (rate, text) in [
            (1e7, "10000000/s"),
            (333.3, "333/s"),
            (31.25, "31/s"),
            (2.5, "2.5/s"),
            (1.0, "1/s"),
            (0.9, "54/min"),
            (0.1, "6/min"),
            (1.0 / 3600.0, "1/h"),
        ] {
            assert_eq!(Rate::per_second(rate).unwrap().to_string(), text);
        }
    }
}
