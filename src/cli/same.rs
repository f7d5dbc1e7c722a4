//! Which file something is, where no path tells: a file may have several names, and stdin and stdout lead anywhere.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Failure;
use super::provenance::{is_stdin, named};

/// One regular file, by whatever name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// That of what is read; `-` is stdin.
    pub(super) fn of_input(path: &Path) -> Option<Self> {
        if is_stdin(path) { of_open(&io::stdin()) } else { Self::of(path) }
    }

    /// That of what a path leads to.
    pub(super) fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().as_ref().and_then(of_known)
    }

    /// That of what stdout goes to.
    pub(super) fn of_stdout() -> Option<Self> {
        of_open(&io::stdout())
    }
}

fn of_open(stream: &impl AsFd) -> Option<Identity> {
    let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
    of_known(&file.metadata().ok()?)
}

/// A device or a pipe keeps nothing that could be read again.
fn of_known(metadata: &Metadata) -> Option<Identity> {
    metadata.is_file().then(|| Identity { device: metadata.dev(), number: metadata.ino() })
}

/// That nothing is read which stdout goes to: what is written there would be read in turn, without end.
pub(super) fn refuse_stdout(inputs: &[PathBuf]) -> Result<(), Failure> {
    let Some(stdout) = Identity::of_stdout() else { return Ok(()) };
    match inputs.iter().find(|path| Identity::of_input(path) == Some(stdout)) {
        Some(path) => {
            let words = "stdout goes there, and would be added to what is read: send it to another file";
            Err(Failure::usage(format!("{}: {words}", named(path))))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, name, other] = ["file", "link", "name", "other"].map(|name| folder.path().join(name));
        for path in [&file, &other] {
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::hard_link(&file, &name).unwrap();
        let known = Identity::of(&file);
        assert!(known.is_some());
        assert_eq!([&link, &name].map(|path| Identity::of(path)), [known; 2]);
        assert_ne!(Identity::of(&other), known);
        assert_eq!([folder.path(), Path::new("/dev/null"), &folder.path().join("no")].map(Identity::of), [None; 3]);
    }
}
