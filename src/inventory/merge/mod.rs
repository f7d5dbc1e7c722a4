//! Shards joined to the whole: the parts' manifests are held against each other ([`check`]), then rows are sorted by
//! endpoint, and handed out again with what all of them together say of each.
//!
//! Rows are sorted on the disk where they are more than 32 MiB: the file has no name, lies in TMPDIR, and goes
//! with the process.

mod parts;
#[cfg(test)]
mod tests;
mod whole;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use super::key::{Identity, push_text, take_array, take_text};
use super::limits;
use super::raise::raise;
use super::row::{Cell, Key, Row};
use crate::classify::fronting::{Bounds, Overview, Sweep};
use crate::observation::Outcome;
use crate::output::{Column, Field};
use crate::target::scratch::damaged;
use crate::target::sort;

pub use self::parts::{Checked, PartFile, check};
pub use self::whole::whole;

/// The rows of all parts, being gathered.
pub struct Merge {
    sorter: sort::Sorter,
    sweep: Sweep,
    others: Vec<Arc<str>>,
    rows: u64,
    has_unanswered: bool,
    record: Vec<u8>,
}

impl Default for Merge {
    fn default() -> Self {
        Self {
            sorter: sort::Sorter::new(&limits()),
            sweep: Sweep::new(Bounds::REPORT),
            others: Vec::new(),
            rows: 0,
            has_unanswered: false,
            record: Vec::new(),
        }
    }
}

impl Merge {
    /// Takes a row of the part with this number.
    ///
    /// # Errors
    /// Where the temporary file cannot be made or written.
    pub fn take(&mut self, part: u32, row: &Row) -> io::Result<()> {
        if let Some(glimpse) = row.glimpse() {
            self.has_unanswered |=
                matches!(glimpse.outcome, Outcome::Refused | Outcome::Unreachable | Outcome::Timeout);
            self.sweep.learn(&glimpse);
        }
        // What NDJSON has beside the columns is ours, and no column of anybody's.
        let others = row.others().map(|(name, _)| name).filter(|name| Field::named(name).is_none());
        let new: Vec<_> = others.filter(|name| !self.has_column(name)).collect();
        self.others.extend(new.into_iter().map(Arc::from));
        self.record.clear();
        Identity::of(row).push(&mut self.record);
        self.record.extend(part.to_be_bytes());
        // So that none is taken for another.
        self.record.extend(self.rows.to_be_bytes());
        push_row(row, &mut self.record);
        self.rows += 1;
        self.sorter.push(&self.record)
    }

    fn has_column(&self, name: &str) -> bool {
        self.others.iter().any(|other| **other == *name)
    }

    /// Columns of somebody else's that rows had.
    pub fn other_columns(&self) -> &[Arc<str>] {
        &self.others
    }

    /// All rows in the order of their endpoints. `ours` are addresses that servers may see us at.
    ///
    /// # Errors
    /// Where the temporary file cannot be read.
    pub fn join(mut self, ours: &[IpAddr]) -> io::Result<Whole> {
        if !self.has_unanswered {
            self.sweep.hears_of_answers_only();
        }
        let merge = self.sorter.merge()?;
        Ok(Whole { merge, overview: self.sweep.overview(), ours: ours.to_owned(), record: Vec::new(), last: None })
    }
}

impl std::fmt::Debug for Merge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merge").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// The rows of the whole.
pub struct Whole {
    merge: sort::Merge,
    overview: Overview,
    ours: Vec<IpAddr>,
    record: Vec<u8>,
    last: Option<(Identity, u32)>,
}

/// Why there is no next row.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The disk.
    #[error("cannot read rows back from their temporary file: {0}; TMPDIR says where it is")]
    Disk(#[from] io::Error),
    /// Two parts have a row for one endpoint.
    #[error("{endpoint} is in two parts")]
    Twice {
        /// The endpoint.
        endpoint: String,
        /// The numbers of the parts.
        parts: [u32; 2],
    },
}

impl Whole {
    /// What all rows together show.
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    fn row(&mut self) -> Result<Option<Row>, JoinError> {
        if !self.merge.next(&mut self.record)? {
            return Ok(None);
        }
        let (identity, part, mut row) = read(&mut &*self.record).ok_or_else(damaged)?;
        if let Some((last, before)) = &self.last
            && (last == &identity && *before != part)
        {
            return Err(JoinError::Twice { endpoint: shown(&identity), parts: [*before, part] });
        }
        self.last = Some((identity, part));
        raise(&mut row, &self.overview, &self.ours);
        Ok(Some(row))
    }
}

impl Iterator for Whole {
    type Item = Result<Row, JoinError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Whole").field("last", &self.last).finish_non_exhaustive()
    }
}

fn shown(Identity { ip, port, name, .. }: &Identity) -> String {
    let name = name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    match ip {
        Some(IpAddr::V6(ip)) => format!("[{ip}]:{port}{name}"),
        Some(IpAddr::V4(ip)) => format!("{ip}:{port}{name}"),
        None => format!("port {port}{name}"),
    }
}

fn read(rest: &mut &[u8]) -> Option<(Identity, u32, Row)> {
    let identity = Identity::take(rest)?;
    let part = u32::from_be_bytes(take_array(rest)?);
    take_array::<8>(rest)?;
    Some((identity, part, take_row(rest)?))
}

const TEXT: u8 = 0;
const JSON: u8 = 1;

/// Stands for a column that is somebody else's.
const OTHER: u8 = u8::MAX;

/// Appends a row with every cell as it is.
fn push_row(row: &Row, out: &mut Vec<u8>) {
    for (key, cell) in row.cells() {
        match key {
            Key::Column(column) => out.push(u8::try_from(column.number()).unwrap_or(OTHER)),
            Key::Other(name) => {
                out.push(OTHER);
                push_text(name, out);
            }
        }
        let (kind, text) = match cell {
            Cell::Text(text) => (TEXT, text),
            Cell::Json(json) => (JSON, json),
        };
        out.push(kind);
        push_text(text, out);
    }
}

fn take_row(from: &mut &[u8]) -> Option<Row> {
    let mut row = Row::default();
    while !from.is_empty() {
        let key = match take_array(from)? {
            [OTHER] => Key::Other(take_text(from)?.into()),
            [number] => Key::Column(*Column::ALL.get(usize::from(number))?),
        };
        let [kind] = take_array(from)?;
        let text = take_text(from)?.to_owned();
        row.push(key, if kind == JSON { Cell::Json(text) } else { Cell::Text(text) });
    }
    Some(row)
}
