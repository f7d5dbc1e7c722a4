//! The files that a scan keeps beside its first output, and how one file is known by any of its names.

use std::path::{Path, PathBuf};

use hailer::output::beside;

/// What a journal's name ends with.
const JOURNAL: &str = ".hailer";

/// The first output of a scan that is a regular file. What is kept is named after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside(PathBuf);

impl Beside {
    pub(super) fn new(output: PathBuf) -> Self {
        Self(output)
    }

    /// Of an output, or of its journal.
    pub(super) fn named(path: &Path) -> Self {
        let output = path.to_str().and_then(|path| path.strip_suffix(JOURNAL)).map_or(path, Path::new);
        Self(output.to_owned())
    }

    /// The output itself.
    pub(super) fn output(&self) -> &Path {
        &self.0
    }

    /// How far the scan is, as long as it is not done.
    pub(super) fn journal(&self) -> PathBuf {
        beside(&self.0, JOURNAL)
    }

    /// What it came to, once it is done.
    pub(super) fn manifest(&self) -> PathBuf {
        beside(&self.0, ".manifest.json")
    }

    /// What names led to, as long as it is not done.
    pub(super) fn names(&self) -> PathBuf {
        beside(&self.0, ".hailer-names")
    }

    /// The targets that came from stdin, as long as it is not done.
    pub(super) fn stdin(&self) -> PathBuf {
        beside(&self.0, ".hailer-stdin")
    }
}

/// A path by which the same file is known however it was named; the file itself may not be there yet.
pub(super) fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let plain = folder.join(path.file_name().unwrap_or_default());
    plain.canonicalize().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_output() {
        for name in ["out/rows.csv", "out/rows.csv.hailer"] {
            let beside = Beside::named(Path::new(name));
            let names = [beside.journal(), beside.manifest(), beside.names(), beside.stdin()];
            let expected = [".hailer", ".manifest.json", ".hailer-names", ".hailer-stdin"];
            assert_eq!(names, expected.map(|ending| PathBuf::from(format!("out/rows.csv{ending}"))), "{name}");
        }
    }
}
