//! What there is, counted.

use std::collections::BTreeMap;

use super::row::Row;
use crate::observation::Outcome;
use crate::schedule::Tally;

const OUTCOMES: usize = Outcome::ALL.len();

/// How many rows there are of what.
#[derive(Debug, Clone, Default)]
pub struct Census {
    ports: BTreeMap<u16, [u64; OUTCOMES]>,
    tally: Tally,
}

impl Census {
    /// One more row.
    pub fn count(&mut self, row: &Row) {
        row.tallied(|tallied| self.tally.add(tallied));
        if let (Some(port), Some(outcome)) = (row.port(), row.outcome()) {
            let counts = self.ports.entry(port).or_default();
            for (count, _) in counts.iter_mut().zip(Outcome::ALL).filter(|(_, other)| *other == outcome) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Rows, and what they name.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many rows of each port ended how.
    pub fn ports(&self) -> impl Iterator<Item = (u16, [(Outcome, u64); OUTCOMES])> + '_ {
        self.ports.iter().map(|(port, counts)| {
            let mut counts = counts.iter();
            (*port, Outcome::ALL.map(|outcome| (outcome, counts.next().copied().unwrap_or_default())))
        })
    }
}
