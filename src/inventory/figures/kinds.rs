//! Names, counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::output::escape::inert;

/// So many kinds are told apart: where we choose the words there are a dozen.
const MAX_KINDS: usize = 256;

/// A name is no longer than that, in characters.
const MAX_NAME: usize = 120;

/// Names with how often each came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    counts: BTreeMap<Arc<str>, u64>,
    left_out: u64,
}

impl Kinds {
    /// One more of that name, which can be shown on a terminal whoever wrote it.
    pub(in crate::inventory) fn add(&mut self, name: &str) {
        let name = counted_as(name);
        if let Some(count) = self.counts.get_mut(&*name) {
            *count = count.saturating_add(1);
        } else if self.counts.len() < MAX_KINDS {
            self.counts.insert((*name).into(), 1);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// How often a name came.
    pub fn of(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// How often any came.
    pub fn total(&self) -> u64 {
        self.counts.values().fold(self.left_out, |sum, count| sum.saturating_add(*count))
    }

    /// Each with how often it came, the commonest first.
    pub fn commonest(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(name, count)| (&**name, *count)).collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        all
    }

    /// How often names came beyond those that are told apart.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// A name as it is counted: it can be shown whoever wrote it, and ends in `…` where it is too long. Whoever leads from what was
/// counted to what was seen has both by this name.
pub(crate) fn counted_as(name: &str) -> Cow<'_, str> {
    let name = inert(name.into());
    if name.char_indices().nth(MAX_NAME).is_none() {
        return name;
    }
    let mut short: String = name.chars().take(MAX_NAME - 1).collect();
    short.push('…');
    Cow::Owned(short)
}
