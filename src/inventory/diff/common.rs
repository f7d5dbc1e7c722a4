//! What both sides can tell: how much each was asked, and which columns its files have.

use std::borrow::Cow;

use super::coverage::Coverage;
use super::sighting::{Item, Sighting};
use crate::config::Depth;
use crate::observation::Service;
use crate::output::Column;

/// What is the same of both sides, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alike {
    /// As much was asked.
    pub(super) depth: bool,
    /// Servers were named by the same wordlists.
    pub(super) wordlists: bool,
    /// Certificates were judged by the same roots.
    pub(super) roots: bool,
}

/// What of two rows may be compared.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub(super) alike: Alike,
    /// Columns that a file of either side does not have.
    pub(super) lacking: Vec<Column>,
}

impl Common {
    pub(super) fn new([old, new]: [&Coverage; 2], depths: &[Vec<&str>; 2], mut lacking: Vec<Column>) -> Self {
        lacking.extend(old.lacking().iter().chain(new.lacking()));
        let alike = Alike {
            depth: are_alike(depths),
            wordlists: are_alike(&[old.wordlists(), new.wordlists()]),
            roots: are_alike(&[old.roots(), new.roots()]),
        };
        Self { alike, lacking }
    }

    /// Of a row what rows of the other side can tell, too.
    pub(super) fn of<'a>(&self, it: &'a Sighting) -> Cow<'a, Sighting> {
        if self.lacking.is_empty() {
            return Cow::Borrowed(it);
        }
        let mut it = it.clone();
        let lacks = |column| self.lacking.contains(&column);
        it.retain(|item| match item {
            Item::Column(_) => !self.lacking.iter().any(|column| Item::from(*column) == item),
            Item::Codes => !lacks(Column::Evidence),
            Item::Grades | Item::Graded => !lacks(Column::Findings),
            // Where columns were chosen, keys that have none of their own were as well.
            Item::Variants | Item::Legacy | Item::Json => false,
            Item::Met => true,
        });
        Cow::Owned(it)
    }
}

/// Whether both sides are the same in something, and each is so throughout, as far as that is known.
pub fn are_alike([old, new]: &[Vec<&str>; 2]) -> bool {
    old.is_empty() || new.is_empty() || old.len() == 1 && old == new
}

/// How much a row was asked at least, by what it tells.
pub(super) fn depth_shown(row: &Sighting) -> Depth {
    let is_in_clear = || row.get(Column::Service).and_then(Service::named).is_some_and(|it| !it.is_implicit_tls());
    let is_asked_for_tls = |tls| matches!(tls, "starttls" | "auth_tls" | "not_offered" | "refused");
    if row.get(Column::Tls).is_some_and(is_asked_for_tls) && is_in_clear() {
        Depth::Tls
    } else if row.get(Column::Capabilities).is_some() {
        Depth::Features
    } else {
        Depth::Greeting
    }
}
