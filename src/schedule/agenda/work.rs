//! What slots do, and what they make of it.

use super::Underway;
use crate::observation::{Again, Observation, Outcome, Service};
use crate::schedule::ledger::{Known, Ticket};
use crate::target::{Host, Place};

/// One thing for a slot to do.
#[derive(Debug)]
pub(crate) enum Work {
    /// An address to probe.
    Probe(Underway, Task),
    /// A name to find the addresses of.
    Resolve(Underway, Named),
}

/// An address to probe.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) ticket: Ticket,
    pub(crate) place: Place,
    /// What came of it before, where it was busy then.
    pub(crate) earlier: Option<Box<Observation>>,
    /// How often it was busy.
    pub(crate) busy: u32,
    /// How often it was tried again because packets may have been lost.
    pub(crate) retries: u32,
    /// Whether it had to make room once.
    pub(crate) put_back: bool,
    /// Whether a seat is kept for it.
    pub(crate) has_seat: bool,
    /// Connections that were tried of which no row tells.
    pub(crate) attempts: u32,
}

impl Task {
    /// Of what was never tried.
    pub(crate) fn fresh(ticket: Ticket, place: Place) -> Self {
        Self { ticket, place, earlier: None, busy: 0, retries: 0, put_back: false, has_seat: false, attempts: 0 }
    }
}

/// One row less to come, or one endpoint that has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) ticket: Ticket,
    pub(crate) port: u16,
    pub(crate) outcome: Outcome,
    /// What came of trying again, where that was done because packets may have been lost.
    pub(crate) retried: Option<Retried>,
}

impl Done {
    /// What a final row says.
    pub(crate) fn of(ticket: Ticket, row: &Observation) -> Self {
        Self { ticket, port: row.port, outcome: row.outcome, retried: Retried::of(row.retries, row.outcome, row.again) }
    }

    /// What is final and has no row.
    pub(crate) fn without_row(task: &Task, outcome: Outcome, again: Option<Again>) -> Self {
        let Task { ticket, place, retries, .. } = task;
        Self { ticket: *ticket, port: place.port, outcome, retried: Retried::of(*retries, outcome, again) }
    }
}

/// What came of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retried {
    /// Something answered.
    Answered,
    /// Nothing ever did.
    InVain,
}

impl Retried {
    /// Of an endpoint that was tried again so often, and might be once more.
    fn of(retries: u32, outcome: Outcome, again: Option<Again>) -> Option<Self> {
        let is_in_vain = again == Some(Again::Lost) || outcome == Outcome::LocalError;
        let retried = if is_in_vain { Self::InVain } else { Self::Answered };
        (retries > 0).then_some(retried)
    }
}

/// A name to find the addresses of.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) position: u64,
    pub(crate) host: Host,
    /// Its number in the targets.
    pub(crate) record: u64,
    pub(crate) port: u16,
    pub(crate) service: Service,
    /// What an earlier run found.
    pub(crate) known: Option<Known>,
}
