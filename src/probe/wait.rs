//! How long a peer is waited for that says nothing: a short while in any case, and as long as it may take where the agenda
//! has a seat for that. Whoever gets none makes room for others.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Prober, Turn, Visit};
use crate::probe::Network;
use crate::schedule::{Agenda, Seat};

/// How long a connection may be silent without a seat: servers that are not slow on purpose greet sooner, and a lost greeting
/// has been sent again by then (RFC 6298 §2: after a second at first).
const SHORT: Duration = Duration::from_secs(2);

/// One wait.
pub(super) struct Wait<'a> {
    pub(super) begun: Instant,
    /// The next moment at which to see whether it goes on.
    pub(super) until: Instant,
    pub(super) end: Instant,
    needs: Option<Needs<'a>>,
}

/// What a wait needs to go on, and where that is kept as long as the endpoint is visited.
#[derive(Clone, Copy)]
struct Needs<'a> {
    agenda: &'a Arc<Agenda>,
    seat: &'a OnceLock<Seat>,
}

/// What is to be done when a wait has come to its moment.
pub(super) enum GoOn {
    Yes,
    /// Nothing came in time.
    NoTime,
    /// Others need the room.
    NoSeat,
}

impl<N: Network> Prober<N> {
    /// A wait on the connection that a visit began with.
    pub(super) fn wait<'a>(&'a self, visit: &'a Visit<'_>, begun: Instant, patience: Duration) -> Wait<'a> {
        let wait = Wait::to_the_end(begun, patience);
        let needs_seat = match visit.turn {
            Turn::First => visit.seat.get().is_none(),
            Turn::Seated | Turn::Known | Turn::Further => false,
        };
        if !needs_seat {
            return wait;
        }
        let needs = Some(Needs { agenda: &self.agenda, seat: &visit.seat });
        Wait { until: wait.end.min(begun + SHORT), needs, ..wait }
    }
}

impl Wait<'_> {
    /// A wait that needs no seat.
    pub(super) fn to_the_end(begun: Instant, patience: Duration) -> Self {
        let end = begun + patience;
        Self { begun, until: end, end, needs: None }
    }

    /// Whether it goes on; if so, to its end.
    pub(super) fn go_on(&mut self) -> GoOn {
        let Some(Needs { agenda, seat }) = self.needs.filter(|_| self.until < self.end) else { return GoOn::NoTime };
        let Some(granted) = agenda.seat() else { return GoOn::NoSeat };
        // There was none before.
        seat.get_or_init(|| granted);
        self.until = self.end;
        GoOn::Yes
    }

    /// Waits for something that knows its own end; none where others need the room before.
    pub(super) async fn over<T>(mut self, what: impl Future<Output = T>) -> Option<T> {
        let mut what = pin!(what);
        if let Ok(come) = timeout_at(self.until, &mut what).await {
            return Some(come);
        }
        match self.go_on() {
            GoOn::Yes | GoOn::NoTime => Some(what.await),
            GoOn::NoSeat => None,
        }
    }
}
