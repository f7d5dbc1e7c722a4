//! The files that a scan keeps beside its first output, and how one file is known by any of its names.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hailer::output::{Report, beside};
use hailer::{Journal, Recorded};

/// What a journal's name ends with.
pub(super) const JOURNAL: &str = ".hailer";

/// What a manifest's name ends with.
pub(super) const MANIFEST: &str = ".manifest.json";

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
        beside(&self.0, MANIFEST)
    }

    /// What names led to, as long as it is not done.
    pub(super) fn names(&self) -> PathBuf {
        beside(&self.0, ".hailer-names")
    }

    /// The targets that came from stdin, as long as it is not done.
    pub(super) fn stdin(&self) -> PathBuf {
        beside(&self.0, ".hailer-stdin")
    }

    /// Where the journal is, of an output in another folder than that, as long as the scan is not done.
    pub(super) fn pointer(&self) -> PathBuf {
        beside(&self.0, ".hailer-at")
    }

    /// The rows that a report is made of, as long as it is not done.
    pub(super) fn rows(&self) -> PathBuf {
        beside(&self.0, ".hailer-rows")
    }
}

/// The owner reads and writes it; whoever may do what else is in the lower bits.
const OWNED: u32 = 0o600;

/// Keeps a file from all who may not read or write another, but for its owner; where either is not there, nothing is done.
pub(super) fn keep_from_others(path: &Path, as_this: &Path) -> io::Result<()> {
    let (Ok(known), Ok(metadata)) = (as_this.metadata(), path.metadata()) else { return Ok(()) };
    let mode = metadata.permissions().mode();
    let kept = mode & (known.permissions().mode() | OWNED);
    // Not every file system has such bits to set.
    if !known.is_file() || kept == mode { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(kept)) }
}

/// What is kept lies beside an output's first name, and a file may have another: of so many in its folder each is looked at.
const MOST_BESIDE: usize = 1024;

/// Files in the folder of this one whose names end so.
pub(super) fn files_beside(path: &Path, ending: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let files = path.parent().and_then(|folder| folder.read_dir().ok()).into_iter().flatten();
    let files = files.filter_map(|file| Some(file.ok()?.path()));
    files.filter(move |path| path.to_str().is_some_and(|path| path.ends_with(ending))).take(MOST_BESIDE)
}

/// The first output of the unfinished scan that writes to a place, be it that or another of its outputs: what `--resume`
/// takes.
pub(super) fn unfinished(place: &Path) -> Option<PathBuf> {
    if Beside::new(place.to_owned()).journal().exists() {
        return Some(place.to_owned());
    }
    let writes = |journal: &PathBuf| {
        let outputs = Journal::read(journal).map(|journal| journal.outputs).unwrap_or_default();
        outputs.iter().any(|output| self::place(&output.path) == place)
    };
    let elsewhere = pointed_to(place).map(|first| Beside::new(first).journal()).filter(writes);
    let journal = elsewhere.or_else(|| files_beside(place, JOURNAL).find(writes));
    journal.map(|journal| Beside::named(&journal).output().to_owned())
}

/// The first output of the scan that writes to a place from another folder, or did: what is left of a pointer tells nothing
/// once no journal names the place.
pub(super) fn pointed_to(place: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(Beside::new(place.to_owned()).pointer()).ok()?;
    Some(PathBuf::from(text.strip_suffix('\n').unwrap_or(&text)))
}

/// Where the outputs of a scan are that have its journal in another folder than their own.
pub(super) fn elsewhere(outputs: &[Recorded]) -> Vec<PathBuf> {
    let mut places = outputs.iter().map(|output| place(&output.path));
    let folder = places.next().and_then(|first| first.parent().map(Path::to_owned));
    places.filter(|place| place.parent() != folder.as_deref()).collect()
}

/// What an output of a scan is to be, where that is made of all its rows.
pub(super) fn report_of(output: &Recorded) -> Option<Report> {
    Report::ALL.into_iter().find(|report| output.format == report.as_str())
}

/// Where the rows of an output go while the scan is under way.
pub(super) fn rows_of(output: &Recorded) -> PathBuf {
    report_of(output).map_or_else(|| output.path.clone(), |_| Beside::new(output.path.clone()).rows())
}

/// Where what is made of all rows goes: it takes the place of what a link leads to, and is known by that.
pub(super) fn followed(path: &Path) -> PathBuf {
    if Report::from_path(path).is_some() && path.is_symlink() && path.exists() { place(path) } else { path.to_owned() }
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
            let names = [beside.journal(), beside.manifest(), beside.names(), beside.stdin(), beside.rows()];
            let expected = [".hailer", ".manifest.json", ".hailer-names", ".hailer-stdin", ".hailer-rows"];
            assert_eq!(beside.pointer(), PathBuf::from("out/rows.csv.hailer-at"), "{name}");
            assert_eq!(names, expected.map(|ending| PathBuf::from(format!("out/rows.csv{ending}"))), "{name}");
        }
    }

    #[test]
    fn nobody_may_read_more_than_before() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["rows", "report"].map(|name| folder.path().join(name));
        keep_from_others(&path, &other).unwrap();
        std::fs::write(&path, "").unwrap();
        keep_from_others(&path, &other).unwrap();
        std::fs::write(&other, "").unwrap();
        for (mode, known, expected) in [(0o644, 0o600, 0o600), (0o644, 0o440, 0o640), (0o600, 0o666, 0o600)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            fs::set_permissions(&other, Permissions::from_mode(known)).unwrap();
            keep_from_others(&path, &other).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, expected, "{mode:o} {known:o}");
        }
    }

    #[test]
    fn what_is_made_of_all_rows_follows_links() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        std::fs::write(folder.join("real"), "").unwrap();
        for (name, to) in [("a.csv", "real"), ("a.xlsx", "real"), ("lost.html", "nowhere")] {
            std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
        }
        for (name, to) in [("a.csv", "a.csv"), ("a.xlsx", "real"), ("lost.html", "lost.html"), ("b.xlsx", "b.xlsx")] {
            assert_eq!(followed(&folder.join(name)), folder.join(to));
        }
    }
}
