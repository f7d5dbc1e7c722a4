//! Whether what a server says of itself holds together.

use super::Seen;
use crate::observation::{Contradiction, Observation};

/// The greeting names one software and an answer another, both surely.
pub(super) fn banner_contradicted(row: &Observation) -> Option<Seen> {
    let Contradiction { greeting, asked, answer } = row.contradiction.as_deref()?;
    Some(Seen::that(format!("greeting: {greeting}; {asked}: {answer}")))
}
