//! What comes in any order and is to be written by severity, the worst first: until then it waits in temporary files, one
//! for each severity.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::observation::Severity;

/// Lines that wait.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    folder: PathBuf,
    /// In the order of [`Severity::ALL`]; none where there is no such line.
    files: [Option<BufWriter<File>>; Severity::ALL.len()],
    lines: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Waiting<T> {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: [const { None }; Severity::ALL.len()], lines: PhantomData }
    }

    pub(super) fn take(&mut self, severity: Severity, line: &T) -> io::Result<()> {
        let file = self.files.iter_mut().zip(Severity::ALL).find(|(_, other)| *other == severity);
        let Some((file, _)) = file else { return Ok(()) };
        let file = match file {
            Some(file) => file,
            None => file.insert(BufWriter::new(tempfile::tempfile_in(&self.folder)?)),
        };
        serde_json::to_writer(&mut *file, line)?;
        file.write_all(b"\n")
    }

    /// Hands on all of them.
    pub(super) fn each(self, mut hand_on: impl FnMut(Severity, T) -> io::Result<()>) -> io::Result<()> {
        for (file, severity) in self.files.into_iter().zip(Severity::ALL).rev() {
            let Some(file) = file else { continue };
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            for line in BufReader::new(file).lines() {
                hand_on(severity, serde_json::from_str(&line?)?)?;
            }
        }
        Ok(())
    }
}
