//! Takes rows to a file or a stream, and never leaves a file torn.
//!
//! Whole rows are collected and written together. Where a write fails half-way (a full disk, a reader that went away), a
//! regular file is cut back to the end of its last whole row, so that what was written so far can be read, and the rows
//! that are not in it stay in memory: once the cause is mended, the next flush goes on where this one stopped. Pipes
//! and devices cannot be cut; there the next flush writes the rest of the row.
//!
//! Nothing here looks at the clock: whoever drives a scan says when it is, through [`RowWriter::flush_if_due`]. What is
//! flushed is with the system; [`RowSink::sync`] sees it onto the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::observation::Observation;

use super::{Encoder, Layout, RowWriter};

/// Rows to a file.
pub type RowFile = RowSink<FileTarget>;

/// Rows to any writer.
pub type RowStream<W> = RowSink<StreamTarget<W>>;

/// What a [`RowSink`] writes to.
pub trait Target: Write + Send {
    /// Cuts what was written back to its first `len` bytes and goes on from there; `false` where that cannot be.
    fn cut(&mut self, len: u64) -> io::Result<bool>;

    /// Sees what was written onto the disk, where there is one.
    fn sync(&mut self) -> io::Result<()>;
}

/// Rows to somewhere that a later run can go on with.
pub trait Marked: RowWriter {
    /// Lets go of what was there before ([`RowFile::stand_by`]), where that is not done yet.
    ///
    /// # Errors
    /// Where it cannot be cut.
    fn begin(&mut self) -> io::Result<()>;

    /// How many bytes of whole rows are with the system: where [`RowSink::resume`] can go on.
    fn complete(&self) -> u64;
}

/// Rows to a file or a stream, collected and written whole.
///
/// What still waits when this is dropped is written if it can be; call [`RowWriter::flush`] to learn whether it was.
#[derive(Debug)]
pub struct RowSink<T: Target> {
    target: T,
    /// The path, or what else the target is called in errors.
    name: String,
    encoder: Encoder,
    /// Rows that are not all in the target. It begins at the end of a row.
    buffer: String,
    /// How many bytes of the buffer are in the target all the same, because it could not be cut.
    torn: usize,
    /// How long the target is up to the end of its last whole row.
    complete: u64,
    /// When [`RowWriter::flush_if_due`] last saw that nothing waited.
    empty_at: Option<Instant>,
    /// Whether the target still holds what it held before.
    stands_by: bool,
}

impl RowSink<FileTarget> {
    /// Opens a file for new rows.
    ///
    /// A file that exists is refused unless `overwrite` is given. Devices and pipes lose nothing by being written to and
    /// need no leave.
    ///
    /// ```
    /// use hailer::output::{Format, RowFile, RowWriter};
    ///
    /// let mut rows = RowFile::create("/dev/null".as_ref(), Format::Csv, false)?;
    /// rows.flush()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn create(path: &Path, layout: impl Into<Layout>, overwrite: bool) -> io::Result<Self> {
        let mut rows = Self::stand_by(path, layout, overwrite)?;
        rows.begin()?;
        Ok(rows)
    }

    /// The same, but what is in the file stays until [`Marked::begin`], before which no row may be written.
    pub fn stand_by(path: &Path, layout: impl Into<Layout>, overwrite: bool) -> io::Result<Self> {
        let target = FileTarget::create(path, overwrite).map_err(|cause| {
            let advice = match cause.kind() {
                ErrorKind::AlreadyExists => "choose another name, or have it overwritten",
                ErrorKind::NotFound => "create its directory first",
                ErrorKind::PermissionDenied => "choose a place that you may write to",
                _ => "choose another place",
            };
            failure("create", &path.display().to_string(), &cause, advice)
        })?;
        Ok(Self::bare(layout, path.display().to_string(), target))
    }

    /// Opens a file to go on after its first `complete` bytes, which are whole rows; what is behind them is cut off.
    ///
    /// A file that is shorter, or has no row's end there, is not the one that was left, and is refused.
    pub fn resume(path: &Path, layout: impl Into<Layout>, complete: u64) -> io::Result<Self> {
        let target = FileTarget::resume(path, complete).map_err(|cause| {
            failure("go on with", &path.display().to_string(), &cause, "restore the file, or start anew")
        })?;
        Ok(Self::onto(layout, path.display().to_string(), target, complete))
    }

    /// Another handle on the file, for whoever sees it onto the disk meanwhile.
    pub fn handle(&self) -> io::Result<File> {
        self.target.file.try_clone()
    }

    /// Whether it is a regular file: one that can be gone on with.
    pub fn is_regular(&self) -> bool {
        self.target.is_regular
    }
}

impl<W: Write + Send> RowSink<StreamTarget<W>> {
    /// Rows to any writer, which `name` stands for in errors. It needs no buffer of its own.
    pub fn over(layout: impl Into<Layout>, name: impl Into<String>, writer: W) -> Self {
        Self::new(layout, name.into(), StreamTarget(writer))
    }
}

impl<T: Target> RowSink<T> {
    /// How much is collected before it is written: some hundred rows, and as much as a pipe takes at once.
    const BUFFER: usize = 64 * 1024;

    /// How long a row waits before it is due.
    const FLUSH_AFTER: Duration = Duration::from_secs(1);

    /// Rows to a target that holds `complete` bytes of whole rows, and nothing behind them.
    pub fn onto(layout: impl Into<Layout>, name: impl Into<String>, target: T, complete: u64) -> Self {
        let mut sink = Self::new(layout, name.into(), target);
        if complete > 0 {
            sink.buffer.clear();
            sink.complete = complete;
        }
        sink
    }

    fn new(layout: impl Into<Layout>, name: String, target: T) -> Self {
        let mut sink = Self::bare(layout, name, target);
        sink.encoder.header(&mut sink.buffer);
        sink.stands_by = false;
        sink
    }

    /// Without a header.
    fn bare(layout: impl Into<Layout>, name: String, target: T) -> Self {
        let buffer = String::with_capacity(2 * Self::BUFFER);
        let encoder = Encoder::new(layout);
        Self { target, name, encoder, buffer, torn: 0, complete: 0, empty_at: None, stands_by: true }
    }

    /// How many bytes of whole rows are with the system: where [`RowSink::resume`] can go on.
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// Writes out every row that waits and sees it onto the disk, so that it outlasts a loss of power.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.target.sync().map_err(|cause| self.write_failure(&cause))
    }

    /// Sorts out what is in the target after `sent` more bytes of the buffer went there and no more would.
    fn keep_whole_rows(&mut self, sent: usize) {
        let in_target = self.torn + sent;
        let whole = self.buffer.as_bytes()[..in_target].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        self.buffer.drain(..whole);
        self.complete = self.complete.saturating_add(len_u64(whole));
        self.torn = match self.target.cut(self.complete) {
            Ok(true) => 0,
            Ok(false) | Err(_) => in_target - whole,
        };
    }

    fn write_failure(&self, cause: &io::Error) -> io::Error {
        let advice = match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room for it",
            ErrorKind::FileTooLarge => "raise the limit on the length of files (ulimit -f)",
            ErrorKind::BrokenPipe => "what read it has ended",
            _ => "see whether its disk is sound",
        };
        let state = if self.torn > 0 { "its last row is torn" } else { "every row that it took is whole" };
        failure("write", &self.name, cause, &format!("{state}; {advice}"))
    }
}

impl<T: Target> RowWriter for RowSink<T> {
    fn write(&mut self, row: &Observation) -> io::Result<()> {
        if self.buffer.len() >= Self::BUFFER {
            self.flush()?;
        }
        self.encoder.row(row, &mut self.buffer);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (sent, result) = write_as_far_as_it_goes(&mut self.target, &self.buffer.as_bytes()[self.torn..]);
        if let Err(cause) = result {
            self.keep_whole_rows(sent);
            return Err(self.write_failure(&cause));
        }
        self.complete = self.complete.saturating_add(len_u64(self.buffer.len()));
        self.torn = 0;
        self.buffer.clear();
        // One peer that talks without end must not cost its memory for the rest of the scan.
        self.buffer.shrink_to(4 * Self::BUFFER);
        self.target.flush().map_err(|cause| self.write_failure(&cause))
    }

    fn flush_if_due(&mut self, now: Instant) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let waiting_since = *self.empty_at.get_or_insert(now);
            if now.saturating_duration_since(waiting_since) < Self::FLUSH_AFTER {
                return Ok(());
            }
            self.flush()?;
        }
        self.empty_at = Some(now);
        Ok(())
    }
}

impl<T: Target> Marked for RowSink<T> {
    fn begin(&mut self) -> io::Result<()> {
        if self.stands_by {
            self.target.cut(0).map_err(|cause| self.write_failure(&cause))?;
            self.encoder.header(&mut self.buffer);
            self.stands_by = false;
        }
        Ok(())
    }

    fn complete(&self) -> u64 {
        self.complete
    }
}

impl<T: Target> Drop for RowSink<T> {
    fn drop(&mut self) {
        if !self.buffer.is_empty() {
            // There is nobody left to tell.
            let _ = self.flush();
        }
    }
}

/// A file, or a pipe or device that has a path.
#[derive(Debug)]
pub struct FileTarget {
    /// Opened for appending, so that what follows a cut is written where the file now ends.
    file: File,
    /// Whether it is a regular file, which can be cut.
    is_regular: bool,
}

impl FileTarget {
    fn create(path: &Path, overwrite: bool) -> io::Result<Self> {
        let file = match OpenOptions::new().append(true).create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && (overwrite || !path.metadata()?.is_file()) => {
                OpenOptions::new().append(true).open(path)
            }
            opened => opened,
        }?;
        let is_regular = file.metadata()?.is_file();
        Ok(Self { file, is_regular })
    }

    fn resume(path: &Path, complete: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        let metadata = file.metadata()?;
        let refuse = |why: &str| Err(io::Error::new(ErrorKind::InvalidData, why));
        if !metadata.is_file() {
            return refuse("it is not a regular file");
        }
        if metadata.len() < complete {
            return refuse("it is shorter than it was");
        }
        if let Some(last) = complete.checked_sub(1) {
            let mut end = [0];
            file.seek(SeekFrom::Start(last))?;
            file.read_exact(&mut end)?;
            if end != *b"\n" {
                return refuse("it is not the file that was left");
            }
        }
        file.set_len(complete)?;
        Ok(Self { file, is_regular: true })
    }
}

impl Write for FileTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Target for FileTarget {
    fn cut(&mut self, len: u64) -> io::Result<bool> {
        if self.is_regular {
            self.file.set_len(len)?;
        }
        Ok(self.is_regular)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_regular { self.file.sync_data() } else { Ok(()) }
    }
}

/// Any writer; it cannot be cut.
#[derive(Debug)]
pub struct StreamTarget<W>(W);

impl<W: Write> Write for StreamTarget<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Target for StreamTarget<W> {
    fn cut(&mut self, _len: u64) -> io::Result<bool> {
        Ok(false)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `write_all`, but it says how far it came.
fn write_as_far_as_it_goes(writer: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match writer.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(ErrorKind::WriteZero.into())),
            Ok(more) => sent += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}

fn failure(verb: &str, name: &str, cause: &io::Error, advice: &str) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot {verb} {name}: {cause}; {advice}"))
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
