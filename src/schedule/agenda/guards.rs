//! What is held while something is done, and given back when that is dropped.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Agenda, Done};

/// Something that a slot is at. Dropping it frees the slot and the host.
#[derive(Debug)]
pub(crate) struct Underway {
    pub(super) agenda: Arc<Agenda>,
    /// The host that is connected to; none while a name is looked up.
    pub(super) host: Option<IpAddr>,
    pub(super) has_seat: bool,
    pub(super) is_over: bool,
}

impl Underway {
    /// Ends it; the endpoint has no row.
    pub(crate) fn finish(mut self, done: Done) {
        self.end(Some(done));
    }

    fn end(&mut self, done: Option<Done>) {
        self.is_over = true;
        let mut state = self.agenda.lock();
        if let Some(done) = done {
            self.agenda.count(&mut state, done);
        }
        state.in_flight -= 1;
        state.resolving -= usize::from(self.host.is_none());
        if self.has_seat {
            state.seats.free();
        }
        let handed_over = self.host.and_then(|host| self.agenda.release(&mut state, host));
        let all_done = state.is_all_done();
        drop(state);
        hand_over(handed_over);
        self.agenda.stats.end();
        self.agenda.changed.notify_one();
        if all_done {
            self.agenda.over.notify_waiters();
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.is_over {
            self.end(None);
        }
    }
}

/// Leave for a connection that stands to say nothing for longer than a short while.
#[derive(Debug)]
pub(crate) struct Seat(pub(super) Arc<Agenda>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().seats.free();
        self.0.changed.notify_one();
    }
}

/// A host that is connected to outside the order.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) agenda: Arc<Agenda>,
    pub(super) host: IpAddr,
}

impl Drop for Held {
    fn drop(&mut self) {
        let handed_over = {
            let mut state = self.agenda.lock();
            self.agenda.release(&mut state, self.host)
        };
        hand_over(handed_over);
        self.agenda.changed.notify_one();
    }
}

/// Not under the lock: where nobody waits any longer, the host is freed by what comes back.
fn hand_over(host: Option<(oneshot::Sender<Held>, Held)>) {
    if let Some((caller, held)) = host {
        drop(caller.send(held));
    }
}

/// While it is there nothing is begun.
#[derive(Debug)]
pub(crate) struct Pause(pub(super) Option<Arc<Agenda>>);

impl Pause {
    /// Ends the pause; whether it was the last of several at a time.
    pub(crate) fn end(mut self) -> bool {
        self.lift()
    }

    fn lift(&mut self) -> bool {
        let Some(agenda) = self.0.take() else { return false };
        let mut state = agenda.lock();
        state.pauses -= 1;
        let was_last = state.pauses == 0;
        drop(state);
        agenda.changed.notify_one();
        was_last
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.lift();
    }
}
