//! A file that an output goes to: it is there when all of it is written, and not before.

use std::env;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hailer::manifest::{Manifest, Output};
use hailer::output::{self, Draft};

use super::Failure;
use super::beside::{Beside, place};

pub(super) struct Fresh {
    place: PathBuf,
    kind: Kind,
}

enum Kind {
    /// Without a name until it is whole, and whether it is to take the place of another: what comes there meanwhile is
    /// nobody's to replace.
    New { draft: Draft, replaces: bool },
    /// A device or a pipe, which is written at once.
    Stream(File),
}

/// What writes it.
pub(super) enum To {
    File(File),
    /// Whoever reads it and has read enough may go.
    Stream(File),
}

impl Fresh {
    /// Opens it; `-` is stdout.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if is_stdout(path) {
            let (place, stdout) = (PathBuf::from("stdout"), io::stdout().as_fd().try_clone_to_owned());
            let stdout = stdout.map_err(|error| cannot_write(&place, &error))?;
            return Ok(Self { place, kind: Kind::Stream(stdout.into()) });
        }
        let place = place(path);
        let kind = if is_stream(&place) {
            File::options().write(true).open(&place).map(Kind::Stream)
        } else {
            let replaces = place.symlink_metadata().is_ok();
            Draft::new(&place).map(|draft| Kind::New { draft, replaces })
        };
        let kind = kind.map_err(|error| cannot_write(path, &error))?;
        Ok(Self { place, kind })
    }

    pub(super) fn writer(&self) -> Result<BufWriter<To>, Failure> {
        let to = match &self.kind {
            Kind::New { draft, .. } => draft.as_file().try_clone().map(To::File),
            Kind::Stream(file) => file.try_clone().map(To::Stream),
        };
        to.map(BufWriter::new).map_err(|error| self.failed(&error))
    }

    /// Where what is to be in it can wait: beside it there is room for it, or nowhere, and the folder for temporary files
    /// may be in memory.
    pub(super) fn folder(&self) -> PathBuf {
        match self.kind {
            Kind::New { .. } => self.place.parent().unwrap_or(Path::new(".")).to_owned(),
            Kind::Stream(_) => env::temp_dir(),
        }
    }

    /// What it is like once it is on the disk, where it is a file.
    pub(super) fn synced(&self) -> io::Result<Option<Metadata>> {
        match &self.kind {
            Kind::New { draft, .. } => draft.as_file().sync_all().and_then(|()| draft.as_file().metadata()).map(Some),
            Kind::Stream(_) => Ok(None),
        }
    }

    /// The same, where it is known better whether there is something to replace.
    pub(super) fn replacing(mut self, is_there: bool) -> Self {
        if let Kind::New { replaces, .. } = &mut self.kind {
            *replaces = is_there;
        }
        self
    }

    /// Sees onto the disk what was written, and gives it its name.
    pub(super) fn put(self) -> Result<(), Failure> {
        let Self { place, kind } = self;
        let put = match kind {
            Kind::New { draft, replaces: true } => draft.put(),
            Kind::New { draft, replaces: false } => draft.put_new(),
            Kind::Stream(_) => Ok(()),
        };
        put.map_err(|error| cannot_write(&place, &error))
    }

    /// The same where a scan may have written what was there before: its manifest is not of what is there now. It goes last,
    /// so that what keeps its place keeps its manifest; until it is gone, the digest in it tells that it is of another file.
    pub(super) fn put_anew(self) -> Result<(), Failure> {
        let place = matches!(self.kind, Kind::New { .. }).then(|| self.place.clone());
        self.put()?;
        place.map_or(Ok(()), |place| forget(&place))
    }

    pub(super) fn failed(&self, error: &io::Error) -> Failure {
        cannot_write(&self.place, error)
    }
}

/// No manifest speaks of what was there before. That of a scan with other outputs goes to one that is as it was.
fn forget(path: &Path) -> Result<(), Failure> {
    let manifest = Beside::new(path.to_owned()).manifest();
    let gone = match heir(&manifest, path) {
        Some(other) => fs::rename(&manifest, Beside::new(other).manifest()),
        None => fs::remove_file(&manifest),
    };
    match gone {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot_write(&manifest, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Another output that a manifest is of, as it was and without one of its own.
fn heir(manifest: &Path, path: &Path) -> Option<PathBuf> {
    let outputs = Manifest::read(manifest).ok()?.outputs;
    // They may have been moved together.
    let places = |output: &Output| {
        let beside = output.path.file_name().map(|name| manifest.with_file_name(name));
        [Some(place(&output.path)), beside.map(|path| place(&path))].into_iter().flatten()
    };
    let is_as_it_was = |place: &Path, told: &Output| {
        place.is_file() && Output::read(place, "", 0).is_ok_and(|output| output.sha256 == told.sha256)
    };
    let own = place(path);
    let mut others = outputs.iter().flat_map(|told| places(told).map(move |place| (place, told)));
    let found = others.find(|(place, told)| {
        *place != own && !Beside::new(place.clone()).manifest().exists() && is_as_it_was(place, told)
    });
    found.map(|(place, _)| place)
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stream(file) => match file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
                written => written,
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a name stands for stdout.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether there is something that is no file, and takes what is written at once.
pub(super) fn is_stream(place: &Path) -> bool {
    place.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(output::cannot_write(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What appears where nothing was stays, with the manifest that it has.
    #[test]
    fn nothing_is_replaced_that_was_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.xlsx");
        let manifest = Beside::new(path.clone()).manifest();
        let report = Fresh::open(&path).unwrap();
        report.writer().unwrap().write_all(b"report").unwrap();
        for file in [&path, &manifest] {
            fs::write(file, "mine").unwrap();
        }
        assert!(report.put_anew().is_err());
        assert_eq!([&path, &manifest].map(|file| fs::read(file).unwrap()), [b"mine", b"mine"]);
        // What was there is replaced, and its manifest is gone.
        Fresh::open(&path).unwrap().put_anew().unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), manifest.exists()), (b"".as_slice(), false));
    }

    /// What keeps its place, as where that is a mount point, keeps what tells of it.
    #[test]
    fn what_cannot_be_replaced_keeps_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.csv");
        let manifest = Beside::new(path.clone()).manifest();
        for file in [&path, &manifest] {
            fs::write(file, "mine").unwrap();
        }
        let report = Fresh::open(&path).unwrap();
        // Nothing can be renamed to a folder that holds something.
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("another")).unwrap();
        assert!(report.put_anew().is_err());
        assert_eq!(fs::read(&manifest).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
