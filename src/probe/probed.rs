//! What a probe came to. Most of a range does not answer, and must not cost a row that nobody wants.

use std::time::SystemTime;

use super::dial::NoConnection;
use super::farewell::Parting;
use crate::observation::{Again, Observation, Outcome};
use crate::target::Place;

/// What a probe came to.
pub(crate) enum Probed<S> {
    /// A row, and a connection that may have to be seen out.
    Row(Box<Observation>, Option<Parting<S>>),
    /// No connection stood.
    Nothing(Nothing),
}

/// How it came that no connection stood.
pub(crate) struct Nothing {
    /// When the last try was begun.
    pub(super) time: SystemTime,
    /// How many tries it took.
    pub(super) attempts: u32,
    pub(super) reason: NoConnection,
}

impl<S> Probed<S> {
    /// How far it got.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Row(row, _) => row.outcome,
            Self::Nothing(nothing) => nothing.reason.outcome,
        }
    }

    /// How many connections were tried.
    pub(crate) fn attempts(&self) -> u32 {
        match self {
            Self::Row(row, _) => row.attempts,
            Self::Nothing(nothing) => nothing.attempts,
        }
    }

    /// Why another try may come to more, where it may.
    pub(crate) fn again(&self) -> Option<Again> {
        match self {
            Self::Row(row, _) => row.again,
            Self::Nothing(nothing) => nothing.reason.again,
        }
    }

    /// The row, whatever it says.
    pub(crate) fn into_row(self, place: &Place) -> (Box<Observation>, Option<Parting<S>>) {
        match self {
            Self::Row(row, parting) => (row, parting),
            Self::Nothing(nothing) => (Box::new(nothing.into_row(place)), None),
        }
    }
}

impl Nothing {
    fn into_row(self, place: &Place) -> Observation {
        let Self { time, attempts, reason: NoConnection { outcome, detail, again } } = self;
        let mut row = Observation::new(time, Some(place.ip), place.port, place.service, outcome);
        row.name.clone_from(&place.name);
        row.attempts = attempts;
        row.detail = detail.map(Into::into);
        row.again = again;
        tell_via(place, &mut row);
        row
    }
}

/// Puts before the detail of a row how its address was found.
pub(crate) fn tell_via(place: &Place, row: &mut Observation) {
    if let Some(via) = &place.via {
        let detail = row.detail.take();
        row.detail = Some(detail.map_or_else(|| via.to_string(), |detail| format!("{via}; {detail}")).into());
    }
}
