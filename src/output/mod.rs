//! One file a format over any writer, all driven by one table of columns.
//!
//! [`Column`] is the schema and [`Column::cell`] says what stands where; [`Format`] decides how a cell is written, and a
//! [`RowSink`] takes rows to a file or a stream and never leaves one torn. What a peer says reaches an output only
//! through [`escape`], so that no cell holds a raw control character and every row is one physical line.
//!
//! Formats that need the whole result before they can begin (a workbook, a page) are reports, not row writers.
//!
//! ```
//! use hailer::output::{Format, RowSink, RowWriter};
//! use hailer::{Observation, Outcome, Service};
//! use std::time::SystemTime;
//!
//! let row = Observation::new(SystemTime::UNIX_EPOCH, "192.0.2.1".parse().ok(), 21, Service::Ftp, Outcome::Silent);
//! let mut lines = Vec::new();
//! let mut sink = RowSink::over(Format::Ndjson, "memory", &mut lines);
//! sink.write(&row)?;
//! sink.flush()?;
//! drop(sink);
//! assert_eq!(
//!     String::from_utf8_lossy(&lines),
//!     "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\"}\n",
//! );
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::path::Path;
use std::time::Instant;

use crate::observation::Observation;

mod cell;
pub(crate) mod csv;
pub mod escape;
mod field;
pub mod html;
mod layout;
mod ndjson;
mod replace;
mod row;
pub mod schema;
mod sink;
pub mod style;
#[cfg(test)]
mod tests;
mod text;
#[cfg(feature = "xlsx")]
pub mod xlsx;

pub use cell::{Cell, Timestamp, hex};
pub use field::{Extra, Field};
pub use layout::{CsvProfile, Delimiter, Dialect, Fields, Layout, Look, MAX_CELL};
pub use ndjson::push_members;
pub use replace::{Draft, beside, cannot_write, replace, sync_folder, temporary};
pub use row::{Column, Kind};
pub use sink::{FileTarget, Marked, RowFile, RowSink, RowStream, StreamTarget, Target};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 4180 with a header row and LF line ends. Lists are joined by `; `, and no cell that a peer can influence is
    /// a formula to a spreadsheet: see [`escape::guard`].
    Csv,
    /// One JSON object a line; a missing key is an absent value.
    Ndjson,
    /// Aligned lines for people at a terminal. They are not meant to be read back.
    Text,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Text];

    /// The name used in journals and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Text => "text",
        }
    }

    /// The format that a file's ending stands for, in any case: `.csv`, `.ndjson` or `.jsonl`.
    ///
    /// ```
    /// use hailer::output::Format;
    /// use std::path::Path;
    ///
    /// assert_eq!(Format::from_path(Path::new("out/fleet.CSV")), Some(Format::Csv));
    /// assert_eq!(Format::from_path(Path::new("fleet.doc")), None);
    /// ```
    pub fn from_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        let is = |name: &str| ending.eq_ignore_ascii_case(name);
        if is("csv") {
            Some(Self::Csv)
        } else if is("ndjson") || is("jsonl") {
            Some(Self::Ndjson)
        } else {
            None
        }
    }
}

/// Names in a line: all of a few, and of more the first ones and how many others there are.
pub(crate) fn first_few(names: &[String]) -> String {
    /// What a reader takes in at once.
    const FEW: usize = 5;
    let more = names.len().saturating_sub(FEW);
    let first = names.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// What is made of all rows together, once they are there. It is no row writer: `xlsx` and [`html`] make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Report {
    /// A workbook: `xlsx::Workbook`.
    Xlsx,
    /// A page: [`html::Page`].
    Html,
}

impl Report {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Xlsx, Self::Html];

    /// The name used in journals and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Html => "html",
        }
    }

    /// The one that a file's ending stands for, in any case: `.xlsx`, `.html` or `.htm`.
    ///
    /// ```
    /// use hailer::output::Report;
    /// use std::path::Path;
    ///
    /// assert_eq!(Report::from_path(Path::new("fleet.XLSX")), Some(Report::Xlsx));
    /// assert_eq!(Report::from_path(Path::new("fleet.htm")), Some(Report::Html));
    /// assert_eq!(Report::from_path(Path::new("fleet.xls")), None);
    /// ```
    pub fn from_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        let is = |name: &str| ending.eq_ignore_ascii_case(name);
        let report = Self::ALL.into_iter().find(|report| is(report.as_str()));
        report.or_else(|| is("htm").then_some(Self::Html))
    }
}

/// Somewhere that rows go.
///
/// Rows may wait in memory: whoever drives a scan calls [`RowWriter::flush_if_due`] a few times a second, and
/// [`RowWriter::flush`] at the end.
pub trait RowWriter: Send {
    /// Takes one row. Where this fails the row was not taken, and the same row can be given again.
    fn write(&mut self, row: &Observation) -> io::Result<()>;

    /// Writes out every row that waits.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes out what has waited for a second, as `now` tells.
    fn flush_if_due(&mut self, now: Instant) -> io::Result<()>;
}

/// Appends a row as a line for people.
pub fn push_line(row: &Observation, look: Look, out: &mut String) {
    text::row(row, look, out, &mut String::new());
}

/// Rows to lines, with what is kept from row to row so that it need not be allocated again.
#[derive(Debug)]
struct Encoder {
    layout: Layout,
    /// Those of its fields that CSV has.
    columns: Box<[Column]>,
    scratch: String,
}

impl Encoder {
    fn new(layout: impl Into<Layout>) -> Self {
        let layout = layout.into();
        Self { columns: layout.fields.columns().collect(), layout, scratch: String::new() }
    }

    /// Appends what stands before the first row.
    fn header(&self, out: &mut String) {
        let Layout { format, dialect, .. } = &self.layout;
        match format {
            Format::Csv => csv::header(&self.columns, *dialect, out),
            Format::Ndjson | Format::Text => {}
        }
    }

    /// Appends one row, which is one line with its end.
    fn row(&mut self, row: &Observation, out: &mut String) {
        let Self { layout: Layout { format, fields, dialect, look }, columns, scratch } = self;
        match format {
            Format::Csv => csv::row(row, (columns, *dialect), out, scratch),
            Format::Ndjson => ndjson::row(row, fields, out, scratch),
            Format::Text => text::row(row, *look, out, scratch),
        }
    }
}
