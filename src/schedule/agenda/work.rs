//! What slots do, and what they make of it.

use super::Underway;
use crate::observation::{Observation, Outcome, Service};
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
}

/// One row less to come, or one endpoint that has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) ticket: Ticket,
    pub(crate) port: u16,
    pub(crate) outcome: Outcome,
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
