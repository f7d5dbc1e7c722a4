//! Rows as a workbook (XLSX), for Excel, LibreOffice and whatever else opens one.
//!
//! | sheet | holds |
//! |---|---|
//! | `Summary` | figures and charts |
//! | `Endpoints`, `Endpoints 2` … | every row, with the columns of the schema |
//! | `Findings` … | one row for each finding of each endpoint, the worst first |
//! | `Certificates` | each certificate once, those that expire first on top |
//! | `Software` | products and versions |
//!
//! Numbers are numbers, times dates (UTC), flags booleans, and all else strings: versions stay what they are (`4.90`),
//! and nothing that a peer said can be a formula, a link or a number. What is longer than a cell can hold is cut where
//! everybody can see it.
//!
//! However many rows there are, memory stays bounded: cells wait in temporary files until the workbook is written, of
//! certificates those are kept that expire first, and of software as much as [`Figures`] tells apart. What is left out
//! for that is said on the sheet.
//!
//! ```
//! use hailer::inventory::Rows;
//! use hailer::output::xlsx::{About, Workbook};
//!
//! let csv = "ip,port,service,outcome,software,version\n192.0.2.1,25,smtp,greeted,Exim,4.90\n";
//! let mut workbook = Workbook::new(&std::env::temp_dir(), &[])?;
//! for row in Rows::new("rows.csv", csv.as_bytes())? {
//!     workbook.row(&row?)?;
//! }
//! let mut file = Vec::new();
//! workbook.finish(&About { sources: vec!["rows.csv".into()], ..About::default() }, &mut file)?;
//! assert!(file.starts_with(b"PK"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Of differences, [`ChangesBook`] makes one.

mod book;
mod caught;
mod cell;
mod certificates;
mod changes;
mod charts;
mod endpoints;
mod findings;
mod front;
mod sheet;
mod software;
mod summary;
#[cfg(test)]
mod tests;
mod waiting;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

pub use self::book::Book;
pub use self::caught::will_be_caught;
pub use self::cell::Value;
pub use self::changes::ChangesBook;
pub use self::sheet::{Head, Layout, Look, Sheets};

use self::cell::date;
use self::certificates::{Bounds, Certificates};
use self::findings::Findings;
use self::sheet::Limits;
use crate::inventory::{Figures, Row};
use crate::output::Timestamp;

/// What a workbook tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Where its rows come from.
    pub sources: Vec<String>,
    /// When it is written: what certificates are held against. Where absent, that is the last row's time.
    pub now: Option<SystemTime>,
    /// What a reader has to know about them.
    pub notes: Vec<String>,
}

/// A workbook that takes rows.
pub struct Workbook {
    book: Book,
    limits: Limits,
    others: Vec<Arc<str>>,
    endpoints: Sheets,
    findings: Findings,
    certificates: Certificates,
    figures: Figures,
}

impl fmt::Debug for Workbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limits, others, figures, .. } = self;
        let rows = &figures.rows();
        f.debug_struct("Workbook").field("limits", limits).field("others", others).field("rows", rows).finish()
    }
}

impl Workbook {
    /// One with these columns behind those of the schema. Until it is finished what it takes waits in that folder, in
    /// files that have no name and go with it, also where the program is killed: some kilobyte for a row.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub fn new(folder: &Path, others: &[Arc<str>]) -> io::Result<Self> {
        Self::bounded(folder, others, (Limits::EXCEL, Bounds::REPORT))
    }

    fn bounded(folder: &Path, others: &[Arc<str>], (limits, bounds): (Limits, Bounds)) -> io::Result<Self> {
        let mut book = Book::new(folder, summary::TITLE)?;
        let endpoints = book.begin(endpoints::layout(others, limits))?;
        let (findings, certificates) = (Findings::new(folder), Certificates::new(bounds));
        let figures = Figures::default();
        Ok(Self { book, limits, others: others.to_vec(), endpoints, findings, certificates, figures })
    }

    /// The same, for a reader who looks at it at about that time: what certificates are told apart by. Before its first row.
    #[must_use]
    pub fn seen_from(self, now: SystemTime) -> Self {
        Self { figures: Figures::around(now), ..self }
    }

    /// One more row.
    ///
    /// # Errors
    /// Where there is no room for it. Then the workbook can only be dropped.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.book.write(&mut self.endpoints, endpoints::cells(row, &self.others))?;
        self.findings.take(row)?;
        self.certificates.take(row);
        self.figures.count(row);
        Ok(())
    }

    /// Writes the workbook, from its first byte to its last.
    ///
    /// # Errors
    /// Where it cannot be written, or there is no room for what waits.
    pub fn finish(self, about: &About, to: impl Write + Send) -> io::Result<()> {
        self.finish_unless(about, to, &|| false)
    }

    /// The same, unless it is to stop, which is asked again and again.
    ///
    /// # Errors
    /// There as well.
    pub fn finish_unless(
        self,
        about: &About,
        to: impl Write + Send,
        is_to_stop: &(dyn Fn() -> bool + Sync),
    ) -> io::Result<()> {
        let go_on = || if is_to_stop() { Err(io::Error::other("it was to stop")) } else { Ok(()) };
        let Self { mut book, limits, endpoints, findings, certificates, figures, .. } = self;
        let mut about = about.clone();
        about.notes.extend(certificates.left_out());
        let now = about.now.or(figures.span().map(|(_, last)| last));
        book.push(|| summary::sheet(&figures, &about, now))?;
        book.end(endpoints, None)?;
        findings.write(&mut book, limits, &go_on)?;
        certificates.write(&mut book, (now.and_then(days), limits), &go_on)?;
        software::write(&figures, &mut book, limits)?;
        book.save(to)
    }
}

/// A time as sheets have it, in days.
fn days(at: SystemTime) -> Option<f64> {
    date(&Timestamp::seconds(at)?.to_string())
}
