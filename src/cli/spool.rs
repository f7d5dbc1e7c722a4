//! Targets from stdin, kept beside the journal: another run cannot ask for them again.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use hailer::output::temporary;
use tempfile::TempPath;

use super::Failure;

/// A copy of what is read. It goes when it is dropped, but for one that was kept.
#[derive(Debug)]
pub(super) struct Spool {
    place: PathBuf,
    /// Its name until it is kept; it goes with that.
    temporary: Option<TempPath>,
    copy: BufWriter<File>,
}

impl Spool {
    /// Where it is to be kept; until then it has another name.
    pub(super) fn create(place: PathBuf) -> Result<Self, Failure> {
        let temporary = temporary(&place).map_err(|cause| {
            Failure::failed(format!("cannot keep the targets of stdin in {}: {cause}", place.display()))
        })?;
        let (copy, temporary) = temporary.into_parts();
        Ok(Self { place, temporary: Some(temporary), copy: BufWriter::new(copy) })
    }

    /// What is read from `source` is copied.
    pub(super) fn copying<'a>(&'a mut self, source: impl Read + 'a) -> impl io::BufRead + 'a {
        BufReader::new(Copying { source, spool: self })
    }

    /// Keeps it, on the disk; the folder is still to be synced.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        self.copy.flush()?;
        self.copy.get_ref().sync_all()?;
        self.temporary.take().map_or(Ok(()), |temporary| temporary.persist(&self.place))?;
        Ok(())
    }
}

struct Copying<'a, R> {
    source: R,
    spool: &'a mut Spool,
}

impl<R: Read> Read for Copying<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(bytes)?;
        self.spool.copy.write_all(&bytes[..count]).map_err(|cause| {
            io::Error::new(cause.kind(), format!("cannot keep them in {}: {cause}", self.spool.place.display()))
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_read_is_kept_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("rows.csv.hailer-stdin");
        for keeps in [false, true] {
            let mut spool = Spool::create(place.clone()).unwrap();
            let mut text = String::new();
            spool.copying(&b"10.0.0.1\n"[..]).read_to_string(&mut text).unwrap();
            if keeps {
                spool.keep().unwrap();
            }
            drop(spool);
            let kept = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!((text.as_str(), kept), ("10.0.0.1\n", usize::from(keeps)));
        }
        assert_eq!(fs::read_to_string(&place).unwrap(), "10.0.0.1\n");
    }
}
