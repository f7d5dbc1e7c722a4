//! The library's workbook, whose every call is [`caught`].

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use rust_xlsxwriter::{DocProperties, Workbook, Worksheet, XlsxError};

use super::caught::caught;
use super::cell::Value;
use super::sheet::{Layout, Sheets};

/// A workbook of tables, whatever is in them. Of rows, [`Workbook`](super::Workbook) makes one.
///
/// ```
/// use hailer::output::xlsx::{Book, Head, Layout, Look, Value};
///
/// let mut book = Book::new(&std::env::temp_dir(), "Changes")?;
/// let heads = vec![Head::new("ip", 16.0, Look::Plain), Head::new("severity", 10.0, Look::Severity)];
/// let mut changes = book.begin(Layout::new("Changes", heads, 1))?;
/// book.write(&mut changes, [Some(Value::text("192.0.2.1")), Some(Value::text("high"))].into_iter())?;
/// book.end(changes, None)?;
/// let mut file = Vec::new();
/// book.save(&mut file)?;
/// assert!(file.starts_with(b"PK"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Book(Workbook);

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Book").finish_non_exhaustive()
    }
}

impl Book {
    /// One of that title. What is written waits in temporary files without a name, in that folder.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub fn new(folder: &Path, title: &str) -> io::Result<Self> {
        caught(|| {
            let mut book = Workbook::new();
            book.set_tempdir(folder)?;
            let author = concat!("hailer ", env!("CARGO_PKG_VERSION"));
            book.set_properties(&DocProperties::new().set_title(title).set_author(author));
            Ok(Self(book))
        })
    }

    /// A new table, which is in the workbook once it has ended.
    ///
    /// # Errors
    /// Where there is no room for it. Here as below the workbook can only be dropped then.
    pub fn begin(&mut self, layout: Layout) -> io::Result<Sheets> {
        caught(|| Sheets::new(&mut self.0, layout))
    }

    /// One more row of a table.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn write<'a>(&mut self, table: &mut Sheets, cells: impl Iterator<Item = Option<Value<'a>>>) -> io::Result<()> {
        caught(|| table.write(&mut self.0, cells))
    }

    /// Puts a table behind those that are there, with words below its last row where there are some.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn end(&mut self, table: Sheets, note: Option<&str>) -> io::Result<()> {
        caught(|| table.end(&mut self.0, note))
    }

    /// Puts a sheet that is all in memory behind those that are there.
    pub(super) fn push(&mut self, sheet: impl FnOnce() -> Result<Worksheet, XlsxError>) -> io::Result<()> {
        caught(|| {
            self.0.push_worksheet(sheet()?);
            Ok(())
        })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn save(mut self, to: impl Write + Send) -> io::Result<()> {
        caught(|| self.0.save_to_writer(Failing { to, has_failed: false }))
    }
}

/// What has failed once takes all else and drops it: the library underneath would try again to end the file, and tell
/// stderr of it where it cannot.
struct Failing<W> {
    to: W,
    has_failed: bool,
}

impl<W: Write> Failing<W> {
    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.has_failed |= result.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted);
        result
    }
}

impl<W: Write> Write for Failing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_failed {
            return Ok(bytes.len());
        }
        let written = self.to.write(bytes);
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.has_failed {
            return Ok(());
        }
        let flushed = self.to.flush();
        self.noted(flushed)
    }
}
