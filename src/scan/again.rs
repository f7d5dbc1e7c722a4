//! What is tried again: endpoints that nothing came back from, where that may be for lost packets, and those that had to make
//! room for others.
//!
//! What waits to be tried again is not done. A request to stop leaves it so, for the next run to try: unlike the row of a
//! server that was busy, what came of it says little.

use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use crate::observation::{Again, Observation};
use crate::probe::{Network, Turn};
use crate::schedule::Task;

/// How long lost packets are given to become fewer: a queue that overflowed has drained by then, and a path that failed has
/// been replaced (RSTP and LACP take one to three seconds).
const LOST: Duration = Duration::from_secs(2);

/// What becomes of an endpoint whose row may not be final.
pub(super) enum Fate {
    /// The row is final.
    Final(Task),
    /// It waits to be tried again.
    Waits,
}

/// Which connection it is to be.
pub(super) fn turn(task: &Task) -> Turn {
    if task.has_seat { Turn::Seated } else { Turn::First }
}

/// Says of an endpoint that did not take a second connection that it took the first, and has it written: a connection stood.
pub(super) fn tell_of_the_first(row: &mut Observation) {
    let first = "took a connection that had to make room, and then no other";
    row.detail = Some(row.detail.take().map_or(first.into(), |detail| format!("{first}; {detail}").into()));
    row.again = Some(Again::CutShort);
}

impl<N: Network> Run<N> {
    /// Puts an endpoint where it waits to be tried again, if it is to be. What is under way must be held until then: there
    /// must be no moment in which the scan seems over.
    pub(super) fn try_again(&self, again: Option<Again>, attempts: u32, task: Task) -> Fate {
        let attempts = task.attempts + attempts;
        match again {
            Some(Again::CutShort) => self.agenda().put_back(Task { attempts, put_back: true, has_seat: false, ..task }),
            Some(Again::Lost) if task.retries < self.settings.retries => {
                let not_before = Instant::now() + LOST;
                let task = Task { attempts, retries: task.retries + 1, has_seat: false, ..task };
                self.agenda().put(task, Some(not_before.into_std()));
            }
            Some(Again::Lost) | None => return Fate::Final(task),
        }
        Fate::Waits
    }
}
