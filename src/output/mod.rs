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
mod ndjson;
mod replace;
mod row;
mod sink;
#[cfg(test)]
mod tests;
mod text;

pub use cell::{Cell, Timestamp, hex};
pub use ndjson::push_members;
pub use replace::{beside, replace, sync_folder, temporary};
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

/// Rows to lines, with what is kept from row to row so that it need not be allocated again.
#[derive(Debug)]
struct Encoder {
    format: Format,
    scratch: String,
}

impl Encoder {
    const fn new(format: Format) -> Self {
        Self { format, scratch: String::new() }
    }

    /// Appends what stands before the first row.
    fn header(&self, out: &mut String) {
        match self.format {
            Format::Csv => csv::header(out),
            Format::Ndjson | Format::Text => {}
        }
    }

    /// Appends one row, which is one line with its end.
    fn row(&mut self, row: &Observation, out: &mut String) {
        match self.format {
            Format::Csv => csv::row(row, out, &mut self.scratch),
            Format::Ndjson => ndjson::row(row, out, &mut self.scratch),
            Format::Text => text::row(row, out, &mut self.scratch),
        }
    }
}
