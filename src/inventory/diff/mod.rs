//! What differs between two inventories, or between an inventory and what should be there.
//!
//! ```text
//! rows of OLD ─► Sighting ─► sorted ─┐                                      ┌─► Change, sorted by kind
//!                                    ├─► same address, port and name ───────┤   and weight
//! rows of NEW ─► Sighting ─► sorted ─┘       │ without a match              │
//!                                            ├─► same name and port: moved ─┤
//!                                            ├─► same domain: no mail exchange known
//!                                            ├─► same address and port: renamed
//!                                            └─► without a match: Coverage says why
//! ```
//!
//! Everything is sorted on the disk where it is more than some megabytes, in files of TMPDIR that have no name
//! and go with the process. In memory there are one row of each side, and the rows of one address or name that have no
//! match at once, of which at most [`MOST_ALIKE`] are matched together.

#[cfg(test)]
mod asked_tests;
mod change;
mod common;
mod compare;
mod coverage;
#[cfg(test)]
mod coverage_tests;
mod expect;
#[cfg(test)]
mod expect_tests;
mod findings;
mod held;
mod join;
mod lasting;
mod later;
mod lines;
mod outline;
mod patience;
mod sighting;
mod stream;
#[cfg(test)]
mod tests;
mod unasked;
mod version;
mod why;
mod write;

use std::collections::BTreeMap;
use std::io;

use self::common::{Common, depth_shown};
use self::join::Join;
use self::sighting::{Keep, Origin, Sighting};
use super::key::push_place;
use super::limits;
use super::row::Row;
use crate::config::Depth;
use crate::observation::Severity;
use crate::output::Column;
use crate::target::scratch::damaged;
use crate::target::sort::{Merge, Sorter};

pub use self::change::{Change, FieldChange, Kind, Trend, What};
pub use self::common::are_alike;
pub use self::coverage::Coverage;
pub use self::expect::{ExpectError, Expectations};
pub use self::held::Expecting;
pub use self::later::Outdated;
pub use self::outline::{About, Outline, Source};
pub use self::patience::{Shorter, Wait};
pub use self::write::{ChangeWriter, Csv, Ndjson};

/// How many rows of one name, or of one address and port, are matched at once on each side.
pub const MOST_ALIKE: usize = 4096;

/// The two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What was, or should be.
    Old,
    /// What is.
    New,
}

/// What of the differences is told.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// These kinds alone; all where there are none.
    pub only: Vec<Kind>,
    /// Not differences of these fields.
    pub ignore: Vec<String>,
}

impl Choice {
    /// What of a difference is none.
    fn disregard(&self, change: &mut Change) {
        change.fields.retain(|field| !self.ignore.contains(&field.field));
        change.name_kind();
    }

    /// The difference, if it is to be told.
    fn of(&self, change: Change) -> Option<Change> {
        let is_told = self.only.is_empty() || self.only.contains(&change.kind);
        is_told.then(|| change.weigh())
    }
}

/// Names of fields that [`Choice::ignore`] can have, beside those of columns.
pub const MORE_FIELDS: [&str; 2] = ["variants", "tls_legacy"];

/// How much there is of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that were read of the old and of the new side.
    pub rows: [u64; 2],
    /// Rows of these that were left out, since a later one is of the same endpoint, or where times do not tell one further on.
    pub superseded: [u64; 2],
    /// Rows with a time that cannot be read.
    pub untimed: [u64; 2],
    /// Rows of these that a later scan of their side asked again, and has no row of.
    pub outdated: [Outdated; 2],
    /// Endpoints that answered on both sides, and in which nothing differs.
    pub unchanged: u64,
    /// How many rows were not asked for what should be in a column.
    pub unasked: BTreeMap<&'static str, u64>,
    /// How many differences of each kind are told.
    pub kinds: BTreeMap<Kind, u64>,
    /// The same of each kind by how much they matter.
    pub severities: BTreeMap<(Kind, Severity), u64>,
}

impl Summary {
    /// How many differences are told.
    pub fn total(&self) -> u64 {
        self.kinds.values().sum()
    }

    fn count(&mut self, change: &Change) {
        *self.kinds.entry(change.kind).or_default() += 1;
        *self.severities.entry((change.kind, change.severity)).or_default() += 1;
    }
}

/// A comparison under way.
///
/// ```
/// use hailer::inventory::Rows;
/// use hailer::inventory::diff::{Choice, Coverage, Diff, Kind, Side};
///
/// let header = "ip,port,service,outcome,software,version\n";
/// let mut diff = Diff::new(Choice::default());
/// for (side, version) in [(Side::Old, "3.0.3"), (Side::New, "3.0.5")] {
///     let csv = format!("{header}192.0.2.1,21,ftp,greeted,vsftpd,{version}\n");
///     for row in Rows::new("rows.csv", csv.as_bytes())? {
///         diff.take(side, &row?)?;
///     }
/// }
/// let mut changes = diff.finish(&Coverage::default(), &Coverage::default())?;
/// let change = changes.next().expect("there is one")?;
/// assert_eq!((change.kind, change.fields[0].to.as_deref()), (Kind::Changed, Some("3.0.5")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Diff {
    sides: [Sorter; 2],
    choice: Choice,
    /// Columns that a file of either side does not have.
    lacking: Vec<Column>,
    /// How much either side was asked at least, as its rows show.
    depths: [Depth; 2],
    summary: Summary,
    record: Vec<u8>,
}

impl Diff {
    /// Nothing yet.
    pub fn new(choice: Choice) -> Self {
        let sides = [(); 2].map(|()| Sorter::new(&limits()));
        let depths = [Depth::Greeting; 2];
        Self { sides, choice, lacking: Vec::new(), depths, summary: Summary::default(), record: Vec::new() }
    }

    /// Knows that a file of either side does not have these columns: they are not compared.
    pub fn lacks(&mut self, columns: impl IntoIterator<Item = Column>) {
        self.lacking.extend(columns);
    }

    /// At which depths either side was asked: as manifests tell, or as rows show where none does; nothing where there are none.
    pub fn depths<'a>(&self, coverages: [&'a Coverage; 2]) -> [Vec<&'a str>; 2] {
        let is_shown = ![Column::Tls, Column::Capabilities].iter().any(|column| self.lacking.contains(column));
        let shown = |depth: Depth, rows: u64| if rows > 0 && is_shown { vec![depth.as_str()] } else { Vec::new() };
        let ([old, new], [old_rows, new_rows]) = (self.depths, self.summary.rows);
        let [told_of_old, told_of_new] = coverages.map(Coverage::depths);
        [(told_of_old, shown(old, old_rows)), (told_of_new, shown(new, new_rows))]
            .map(|(told, shown)| if told.is_empty() { shown } else { told })
    }

    /// Takes a row of one side.
    ///
    /// # Errors
    /// Where the temporary file cannot be made or written.
    pub fn take(&mut self, side: Side, row: &Row) -> io::Result<()> {
        self.take_in(side, row, None)
    }

    /// Takes a row of the file of one side before which so many come, as its coverage was told of them: by that rows are known
    /// of which a later scan proves that they are of the past.
    ///
    /// # Errors
    /// As of [`Self::take`].
    pub fn take_of(&mut self, side: Side, file: usize, row: &Row) -> io::Result<()> {
        self.take_in(side, row, Some(file))
    }

    fn take_in(&mut self, side: Side, row: &Row, file: Option<usize>) -> io::Result<()> {
        let [old, new] = &mut self.sides;
        let [old_rows, new_rows] = &mut self.summary.rows;
        let [old_untimed, new_untimed] = &mut self.summary.untimed;
        let [old_depth, new_depth] = &mut self.depths;
        let (sorter, rows, untimed, depth) = match side {
            Side::Old => (old, old_rows, old_untimed, old_depth),
            Side::New => (new, new_rows, new_untimed, new_depth),
        };
        self.record.clear();
        let sighting = Sighting::of(row, Origin { file, number: *rows }, Keep::Lasting);
        sighting.push(&mut self.record);
        *depth = depth_shown(&sighting).max(*depth);
        *rows += 1;
        *untimed += u64::from(sighting.is_untimed(row));
        sorter.push(&self.record)
    }

    /// All differences, by kind, then by how much they matter, then by address.
    ///
    /// # Errors
    /// Where the temporary file cannot be written or read.
    pub fn finish(self, old: &Coverage, new: &Coverage) -> io::Result<Changes> {
        let common = Common::new([old, new], &self.depths([old, new]), self.lacking);
        let Self { sides: [old_rows, new_rows], choice, summary, record, .. } = self;
        drop(record);
        let mut join = Join::new([old, new], common, Gathered::new(choice, summary));
        join.exact(old_rows, new_rows)?;
        join.rest()?.finish()
    }
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diff").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// Differences being sorted.
struct Gathered {
    sorter: Sorter,
    choice: Choice,
    summary: Summary,
    record: Vec<u8>,
    number: u64,
}

impl Gathered {
    fn new(choice: Choice, summary: Summary) -> Self {
        Self { sorter: Sorter::new(&limits()), choice, summary, record: Vec::new(), number: 0 }
    }

    fn push(&mut self, change: Change) -> io::Result<()> {
        let mut change = change;
        self.choice.disregard(&mut change);
        if change.fields.is_empty()
            && matches!(change.kind, Kind::Changed | Kind::Moved | Kind::Differs | Kind::Renewed)
        {
            self.summary.unchanged += 1;
            return Ok(());
        }
        let Some(change) = self.choice.of(change) else {
            return Ok(());
        };
        let change = change.inert();
        self.summary.count(&change);
        self.record.clear();
        let rank = Kind::ALL.iter().position(|kind| *kind == change.kind);
        let weight = Severity::ALL.iter().rev().position(|severity| *severity == change.severity);
        self.record.extend([rank, weight].map(|at| at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)));
        push_place(change.ip, change.port, &mut self.record);
        self.record.extend(self.number.to_be_bytes());
        self.number += 1;
        serde_json::to_writer(&mut self.record, &change)?;
        self.sorter.push(&self.record)
    }

    fn finish(self) -> io::Result<Changes> {
        Ok(Changes { merge: self.sorter.merge()?, summary: self.summary, record: Vec::new() })
    }
}

/// Bytes before a difference: kind, weight, place and number.
const BEFORE_CHANGE: usize = 2 + 19 + 8;

/// All differences.
pub struct Changes {
    merge: Merge,
    summary: Summary,
    record: Vec<u8>,
}

impl Changes {
    /// How many there are of what.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn change(&mut self) -> io::Result<Option<Change>> {
        if !self.merge.next(&mut self.record)? {
            return Ok(None);
        }
        let json = self.record.get(BEFORE_CHANGE..).ok_or_else(damaged)?;
        Ok(Some(serde_json::from_slice(json)?))
    }
}

impl Iterator for Changes {
    type Item = io::Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        self.change().transpose()
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("summary", &self.summary).finish_non_exhaustive()
    }
}
