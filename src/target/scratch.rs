//! Bytes that are written once and then read anywhere: in memory while they are few, and in a temporary file from then on.
//!
//! The file has no name, so that it is gone with the process, however that ends.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Where temporary files are, and what is small enough to do without them.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) folder: PathBuf,
    /// How many bytes of words are sorted in memory.
    pub(crate) sorting: usize,
    /// How many bytes of a table are kept in memory.
    pub(crate) table: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 16 MiB are 800,000 addresses, and a file of ten million is a dozen runs; 4 MiB are 140,000 spans.
        Self { folder: std::env::temp_dir(), sorting: 16 << 20, table: 4 << 20 }
    }
}

/// Bytes being written.
#[derive(Debug)]
pub(super) struct Appender {
    folder: PathBuf,
    /// More than so many go to a file.
    bound: usize,
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
    len: u64,
}

impl Appender {
    pub(super) fn new(folder: PathBuf, bound: usize) -> Self {
        Self { folder, bound, memory: Vec::new(), file: None, len: 0 }
    }

    /// How many there are so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() > self.bound {
            let mut file = BufWriter::with_capacity(64 << 10, tempfile::tempfile_in(&self.folder)?);
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend(bytes),
        }
        self.len += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Bytes> {
        self.memory.shrink_to_fit();
        match self.file {
            Some(file) => Ok(Bytes::File(file.into_inner().map_err(io::IntoInnerError::into_error)?)),
            None => Ok(Bytes::Memory(self.memory)),
        }
    }
}

/// Bytes that were written.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    File(File),
}

impl Bytes {
    /// Fills the buffer with what begins at `offset`.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => {
                let from = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)?.get(..buffer.len()));
                buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Self::File(file) => file.read_exact_at(buffer, offset),
        }
    }
}

/// For a file that does not hold what was written to it.
pub(crate) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the temporary file is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_file_hold_the_same() {
        for bound in [0, 10, 1000] {
            let mut appender = Appender::new(std::env::temp_dir(), bound);
            for byte in 0..100 {
                appender.append(&[byte; 3]).unwrap();
            }
            assert_eq!(appender.len(), 300);
            let bytes = appender.finish().unwrap();
            assert_eq!(matches!(bytes, Bytes::Memory(_)), bound == 1000);
            let mut three = [0; 3];
            bytes.read(297, &mut three).unwrap();
            assert_eq!(three, [99; 3]);
            assert_eq!(bytes.read(298, &mut three).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_disk_that_is_full_is_an_error() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut appender = Appender::new(std::env::temp_dir(), 0);
        appender.file = Some(BufWriter::with_capacity(8, full));
        assert_eq!(appender.append(&[0; 16]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
