//! What the scan of a file of rows says of it: the manifest beside it, and whether that is of the file as it is now.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hailer::inventory::Rows;
use hailer::manifest::{Manifest, Output};
use hailer::output::Format;

use super::Failure;
use super::beside::{Beside, MANIFEST, files_beside, place, unfinished};
use super::fresh::is_stream;

/// What lies beside a file of rows.
pub(super) enum Provenance {
    /// The manifest of its scan, and the file as it is.
    Told(Box<(Manifest, Output)>),
    /// Nothing says what was probed.
    Untold,
    /// Its scan is not done, and is gone on with under this name.
    Unfinished(PathBuf),
    /// There is a manifest, and it cannot be read; why.
    Unreadable(PathBuf, io::Error),
}

impl Provenance {
    /// Looks beside the file, which is read once for its digest.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        // What can be read once only is not read here.
        if is_stdin(path) || is_stream(path) {
            return Ok(Self::Untold);
        }
        File::open(path).map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
        let (named, path) = (path, &place(path));
        let own = Beside::new(path.clone());
        if let Some(first) = unfinished(path) {
            return Ok(Self::Unfinished(if first == *path { named.to_owned() } else { first }));
        }
        let output = || Output::read(path, format(path), 0).map_err(Failure::failed);
        match Manifest::read(&own.manifest()) {
            Ok(manifest) => return Ok(Self::Told(Box::new((manifest, output()?)))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Ok(Self::Unreadable(Beside::new(named.to_owned()).manifest(), error)),
        }
        let others = files_beside(path, MANIFEST).filter_map(|path| Manifest::read(&path).ok());
        let mut others = others.filter(|manifest| !manifest.outputs.is_empty()).peekable();
        if others.peek().is_none() {
            return Ok(Self::Untold);
        }
        let output = output()?;
        Ok(the_one(others, &output, path).map_or(Self::Untold, |manifest| Self::Told(Box::new((manifest, output)))))
    }
}

/// The manifest that names the file, or else the only one of a file that is the same. All without rows are the same, and some
/// with few columns: these prove nothing.
fn the_one(manifests: impl Iterator<Item = Manifest>, output: &Output, path: &Path) -> Option<Manifest> {
    let mut same: Vec<Manifest> = Vec::new();
    for manifest in manifests {
        let told: Vec<_> = manifest.outputs.iter().filter(|told| told.sha256 == output.sha256).collect();
        if told.iter().any(|told| place(&told.path) == path) {
            return Some(manifest);
        }
        if same.len() < 2 && told.iter().any(|told| told.rows > 0) {
            same.push(manifest);
        }
    }
    if same.len() == 1 { same.pop() } else { None }
}

/// As manifests name it.
fn format(path: &Path) -> &'static str {
    Format::from_path(path).map_or("", Format::as_str)
}

/// Whether a name stands for stdin.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// How a file is called.
pub(super) fn named(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

/// The rows of a file.
pub(super) fn rows(path: &Path) -> Result<Rows<BufReader<File>>, Failure> {
    let name = named(path);
    let file = if is_stdin(path) { io::stdin().as_fd().try_clone_to_owned().map(File::from) } else { File::open(path) };
    let file = file.and_then(|file| {
        let is_folder = file.metadata()?.is_dir();
        if is_folder { Err(io::Error::from(ErrorKind::IsADirectory)) } else { Ok(file) }
    });
    let file = file.map_err(|error| Failure::failed(format!("cannot read {name}: {error}")))?;
    let rows = Rows::new(&name, file).map_err(Failure::failed)?;
    Ok(if is_of_a_scan(path) { rows.of_a_scan() } else { rows })
}

/// Whether a scan wrote it, as what lies beside it shows: it ends every line then.
pub(super) fn is_of_a_scan(path: &Path) -> bool {
    if is_stdin(path) || is_stream(path) {
        return false;
    }
    let path = place(path);
    Beside::new(path.clone()).manifest().exists() || unfinished(&path).is_some()
}

/// What is to be said of how a file of rows ends, once all of it is read.
pub(super) fn end<R: BufRead>(rows: &Rows<R>) -> Option<String> {
    let torn = rows.torn().map(|line| format!("line {line} broke off, and is left out"));
    let endless = |line| format!("line {line} has no end: if the file broke off there, its last cell may be cut");
    torn.or_else(|| rows.endless().map(endless))
}

/// Where there is no room for the rows that are sorted.
pub(super) fn cannot_sort(error: &io::Error) -> Failure {
    let folder = std::env::temp_dir();
    let folder = folder.display();
    Failure::failed(format!(
        "cannot sort rows in a temporary file in {folder}: {error}: make room there, or name another folder in TMPDIR"
    ))
}
