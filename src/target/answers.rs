//! What names led to, kept on disk: memory does not grow with the names that were asked for.
//!
//! The answers are lines of JSON in a log, in the order in which they came; of several for one record the last one
//! holds. An index, eight bytes a record, says where in the log a record's answer begins. It has holes where nothing is
//! known yet, and is never looked for by name: it is made anew from the log. A log beside a scan's outputs lets a scan
//! that goes on find what the names led to before, and so the same rows.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use super::names::Answer;
use crate::output::{sync_folder, temporary};

/// A longer line is none of ours. The largest answer has the most exchanges with the most addresses each, about 6 MiB.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// How much of the log is read at once: nearly every answer is shorter.
const CHUNK: usize = 512;

/// How many bytes of the index each record has.
const ENTRY: usize = 8;

/// The answers to a scan's names.
#[derive(Debug)]
pub(crate) struct AnswerBook {
    /// Where the log is; without it, the log is a temporary file.
    path: Option<PathBuf>,
    files: Mutex<Option<Files>>,
}

#[derive(Debug)]
struct Files {
    log: Arc<File>,
    /// For each record where its answer begins in the log, plus one; nothing where there is none.
    index: Arc<File>,
    /// How long the log is up to the end of its last whole line.
    end: u64,
    /// The name of a new log until it is first seen onto the disk.
    unnamed: Option<TempPath>,
}

/// One line of the log.
#[derive(Serialize)]
struct Line<'a> {
    record: u64,
    found: &'a Answer,
}

/// One line that was read back.
#[derive(Deserialize)]
struct ReadLine {
    record: u64,
    found: Answer,
}

impl AnswerBook {
    /// Answers that are forgotten with the scan. Nothing is made on disk before the first of them.
    pub(crate) fn temporary() -> Self {
        Self { path: None, files: Mutex::new(None) }
    }

    /// Answers in a log at `path`: with `resume` those of the scan that was left, otherwise none yet.
    ///
    /// A new log takes the place of one that is there when it is first synced: a scan that does not come to that destroys
    /// nothing. A last line that is torn is cut off: a scan that is killed leaves one.
    pub(crate) fn at(path: &Path, resume: bool) -> io::Result<Self> {
        let (verb, advice) =
            if resume { ("go on with", "restore the file, or start anew") } else { ("create", "choose another place") };
        let fail = |cause: io::Error| {
            io::Error::new(cause.kind(), format!("cannot {verb} {}: {cause}; {advice}", path.display()))
        };
        let (log, unnamed) = if resume {
            (OpenOptions::new().read(true).write(true).open(path).map_err(fail)?, None)
        } else {
            let (log, name) = temporary(path).map_err(fail)?.into_parts();
            (log, Some(name))
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let index = tempfile::tempfile_in(folder).map_err(fail)?;
        let mut files = Files { log: Arc::new(log), index: Arc::new(index), end: 0, unnamed };
        if resume {
            files.read_back(path)?;
        }
        Ok(Self { path: Some(path.to_owned()), files: Mutex::new(Some(files)) })
    }

    /// On a disk that is full.
    #[cfg(test)]
    pub(crate) fn full() -> Self {
        let path = PathBuf::from("/dev/full");
        let log = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let files = Files { log: Arc::new(log), ..Files::temporary().unwrap() };
        Self { path: Some(path), files: Mutex::new(Some(files)) }
    }

    /// What the names of a record led to, if that is known.
    pub(crate) fn get(&self, record: u64) -> io::Result<Option<Answer>> {
        let open = {
            let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.as_ref().map(|open| (Arc::clone(&open.log), Arc::clone(&open.index)))
        };
        let Some((log, index)) = open else { return Ok(None) };
        find(&log, &index, record).map_err(|cause| self.failure("read", &cause))
    }

    /// Keeps what the names of a record led to.
    pub(crate) fn put(&self, record: u64, answer: &Answer) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match &mut *files {
            Some(open) => open,
            None => files.insert(Files::temporary().map_err(|cause| self.failure("create", &cause))?),
        };
        open.append(record, answer).map_err(|cause| self.failure("write", &cause))
    }

    /// Sees every answer onto the disk. It may take long, and keeps nobody else waiting.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let log = self.file();
        let synced = log.map_or(Ok(()), |log| log.sync_data());
        synced.and_then(|()| self.name()).map_err(|cause| self.failure("write", &cause))
    }

    /// Gives a new log its name.
    fn name(&self) -> io::Result<()> {
        let unnamed = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.as_mut().and_then(|files| files.unnamed.take())
        };
        let (Some(unnamed), Some(path)) = (unnamed, &self.path) else { return Ok(()) };
        unnamed.persist(path)?;
        sync_folder(path)
    }

    /// The log, if there is one yet, for whoever sees files onto the disk.
    pub(crate) fn file(&self) -> Option<Arc<File>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.as_ref().map(|files| Arc::clone(&files.log))
    }

    fn failure(&self, verb: &str, cause: &io::Error) -> io::Error {
        let name = match &self.path {
            Some(path) => path.display().to_string(),
            None => format!("the temporary file for what names led to, in {}", temporary_folder().display()),
        };
        io::Error::new(cause.kind(), format!("cannot {verb} {name}: {cause}"))
    }
}

impl Files {
    fn temporary() -> io::Result<Self> {
        let file = || tempfile::tempfile_in(temporary_folder()).map(Arc::new);
        Ok(Self { log: file()?, index: file()?, end: 0, unnamed: None })
    }

    fn append(&mut self, record: u64, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { record, found: answer })?;
        line.push(b'\n');
        // What a failure leaves behind the last whole line has no line end, and the next line is written over it.
        self.log.write_all_at(&line, self.end)?;
        let begin = self.end;
        self.end = begin.saturating_add(len_u64(line.len()));
        self.point(record, begin)
    }

    /// Notes that the answer of a record begins at `begin`.
    fn point(&self, record: u64, begin: u64) -> io::Result<()> {
        self.index.write_all_at(&(begin + 1).to_le_bytes(), place(record)?)
    }

    /// Makes the index from the log, as a stream.
    fn read_back(&mut self, path: &Path) -> io::Result<()> {
        let log = Arc::clone(&self.log);
        let unread =
            |cause: io::Error| io::Error::new(cause.kind(), format!("cannot read {}: {cause}", path.display()));
        let mut reader = BufReader::new(&*log);
        let mut bytes = Vec::new();
        let mut number: u64 = 0;
        loop {
            bytes.clear();
            number += 1;
            let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(unread)?;
            if length == 0 {
                return Ok(());
            }
            let line = bytes.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<ReadLine>(line).ok());
            match line {
                Some(ReadLine { record, found: _ }) => {
                    self.point(record, self.end).map_err(unread)?;
                    self.end = self.end.saturating_add(len_u64(length));
                }
                None if reader.fill_buf().map_err(unread)?.is_empty() => return log.set_len(self.end).map_err(unread),
                None => {
                    let words = format!(
                        "{}:{number}: not an answer as a scan keeps it: restore the file, or start anew",
                        path.display()
                    );
                    return Err(io::Error::new(ErrorKind::InvalidData, words));
                }
            }
        }
    }
}

fn find(log: &File, index: &File, record: u64) -> io::Result<Option<Answer>> {
    let mut entry = [0; ENTRY];
    match index.read_exact_at(&mut entry, place(record)?) {
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let Some(begin) = u64::from_le_bytes(entry).checked_sub(1) else { return Ok(None) };
    let line = line_at(log, begin)?;
    let line: ReadLine = serde_json::from_slice(&line)?;
    if line.record != record {
        return Err(io::Error::new(ErrorKind::InvalidData, "it was changed by somebody else"));
    }
    Ok(Some(line.found))
}

/// The line that begins at `begin`.
fn line_at(log: &File, begin: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        let read = match log.read_at(&mut chunk, begin.saturating_add(len_u64(line.len()))) {
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        let new = &chunk[..read];
        let (rest, ended) = match new.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&new[..end], true),
            None => (new, read == 0 || len_u64(line.len()) > MAX_LINE),
        };
        line.extend_from_slice(rest);
        if ended {
            return Ok(line);
        }
    }
}

/// Where a record is in the index.
fn place(record: u64) -> io::Result<u64> {
    // Files have no places beyond what is signed.
    let place = record.checked_mul(len_u64(ENTRY)).filter(|place| i64::try_from(*place).is_ok());
    place.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("there is no record {record}")))
}

/// Where there is room for large files: `/tmp` is in memory on many systems.
fn temporary_folder() -> PathBuf {
    let chosen = std::env::var_os("TMPDIR").is_some();
    let large = Path::new("/var/tmp");
    if !chosen && large.is_dir() { large.to_owned() } else { std::env::temp_dir() }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
