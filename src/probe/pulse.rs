//! Whether we ran at all: a pulse that comes late tells how long we were stopped (SIGSTOP, a suspended job, a frozen group, a
//! paused virtual machine).
//!
//! A program that has more to do than it gets processor time for is late too, by its own doing; probing again would make
//! it later. It is told apart by the time that it did get. What is missed is any stop shorter than [`STANDSTILL`]. There is no
//! clock inside: `now` comes in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often it beats. What we do between the last beat and a stop must not pass for work during the stop.
pub(super) const BEAT: Duration = Duration::from_millis(50);

/// How late a beat must be to tell anything. A shorter stop makes no peer seem to have waited on purpose (the shortest such
/// wait is 1.8 s).
const STANDSTILL: Duration = Duration::from_millis(1500);

/// Who got less than this part of the time as processor time did not run.
const LEAST_SHARE: u32 = 20;

/// Beats as long as somebody sees to it; without a beat nothing is missed.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Beats>);

#[derive(Debug, Default)]
struct Beats {
    /// When it last beat, and how much processor time we had had by then.
    last: Option<(Instant, Duration)>,
    missed: Duration,
}

impl Pulse {
    /// The next beat is due [`BEAT`] from now.
    pub(super) fn beat(&self, now: Instant, worked: Duration) {
        let mut beats = self.lock();
        beats.catch_up(now, || worked);
        beats.last = Some((now, worked));
    }

    /// No further beat is due.
    pub(super) fn end(&self, now: Instant, worked: Duration) {
        let mut beats = self.lock();
        beats.catch_up(now, || worked);
        beats.last = None;
    }

    /// For how long we have stood still so far. Whoever asks first when we run again need not wait for the beat.
    pub(super) fn missed(&self, now: Instant, worked: impl FnOnce() -> Duration) -> Duration {
        let mut beats = self.lock();
        beats.catch_up(now, worked);
        beats.missed
    }

    fn lock(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beats {
    fn catch_up(&mut self, now: Instant, worked: impl FnOnce() -> Duration) {
        let Some((last, worked_then)) = self.last else { return };
        let late = now.saturating_duration_since(last).saturating_sub(BEAT);
        if late < STANDSTILL {
            return;
        }
        let worked = worked();
        if worked.saturating_sub(worked_then) * LEAST_SHARE < late {
            self.missed += late;
        }
        self.last = Some((now, worked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_comes_late_is_missed_once_unless_we_worked() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        assert_eq!(pulse.missed(start + seconds(9.0), Duration::default), Duration::ZERO, "nothing was due");
        // What happens when, how much processor time we have had by then, and how much has been missed: a beat, or a question.
        let table = [
            ("beat", 10.0, 0.00, 0.0),
            ("beat", 10.05, 0.05, 0.0),
            ("beat", 11.5, 0.05, 0.0),
            ("ask", 13.0, 0.05, 0.0),
            ("ask", 71.55, 0.10, 60.0),
            ("beat", 71.6, 0.12, 60.0),
            ("ask", 71.65, 0.15, 60.0),
            ("beat", 79.65, 0.15, 68.0),
            ("beat", 79.7, 0.15, 68.0),
            ("ask", 89.75, 1.15, 68.0),
            ("beat", 99.8, 2.15, 68.0),
            ("beat", 99.85, 2.15, 68.0),
        ];
        for (what, at, worked, missed) in table {
            let (now, worked) = (start + seconds(at), seconds(worked));
            if what == "beat" {
                pulse.beat(now, worked);
            }
            let so_far = pulse.missed(now, || worked);
            assert!(so_far.abs_diff(seconds(missed)) < Duration::from_millis(1), "{what} at {at}: {so_far:?}");
        }
        pulse.end(start + seconds(99.9), seconds(2.2));
        let so_far = pulse.missed(start + seconds(3600.0), Duration::default);
        assert!(so_far.abs_diff(seconds(68.0)) < Duration::from_millis(1), "nothing is due any more: {so_far:?}");
    }
}
