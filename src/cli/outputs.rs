//! Where rows go: what is there already is checked and locked, then all of it is opened.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hailer::manifest::Manifest;
use hailer::output::{Format, Marked, RowFile, RowSink, RowWriter};
use hailer::{Journal, Observation};
use indicatif::ProgressBar;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::Failure;
use super::beside::{Beside, place};

/// Where rows go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    Stdout(Format),
    /// A device or a pipe with a path.
    Stream(PathBuf, Format),
    /// A regular file, which may not be there yet.
    File(PathBuf, Format),
}

/// All the places, of which those that are there are locked.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) outputs: Vec<Output>,
    /// None where nothing can be gone on with.
    pub(super) beside: Option<Beside>,
    /// For each file.
    openings: Vec<Opening>,
    locks: Vec<Flock<File>>,
}

/// What is made of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// It is not there yet.
    Create,
    /// It is locked, and nothing in it is kept.
    Replace,
    /// It is locked, and so much of it is kept.
    GoOn(u64),
}

impl Destination {
    /// The outputs that were named, or stdout as suits whoever reads it. Nothing is written.
    pub(super) fn new(paths: &[PathBuf], overwrite: bool, journal: Option<&Journal>) -> Result<Self, Failure> {
        let mut outputs = Vec::with_capacity(paths.len());
        let mut places = Vec::with_capacity(paths.len());
        for path in paths {
            let output = if path == Path::new("-") { stdout() } else { output(path)? };
            let place = place(path);
            if places.contains(&place) {
                return Err(Failure::usage(format!("-o {}: it is named twice", path.display())));
            }
            places.push(place);
            outputs.push(output);
        }
        if outputs.is_empty() {
            outputs.push(stdout());
        }
        let beside = files(&outputs).next().map(|(path, _)| Beside::new(path.clone()));
        let mut destination = Self { outputs, beside, openings: Vec::new(), locks: Vec::new() };
        for (path, _) in files(&destination.outputs) {
            destination.locks.extend(lock(path)?);
        }
        if !overwrite && journal.is_none() {
            destination.refuse_what_is_there()?;
        }
        let begin = |(path, _): (&PathBuf, _)| if path.exists() { Opening::Replace } else { Opening::Create };
        destination.openings = match journal {
            Some(journal) => marks(journal, &destination.outputs)?.into_iter().map(Opening::GoOn).collect(),
            None => destination.files().map(begin).collect(),
        };
        Ok(destination)
    }

    /// The regular files.
    pub(super) fn files(&self) -> impl Iterator<Item = (&PathBuf, Format)> {
        files(&self.outputs)
    }

    /// Places that take rows and cannot be gone on with.
    pub(super) fn streams(&self) -> Vec<String> {
        let name = |output: &Output| match output {
            Output::Stdout(_) => Some("stdout".to_owned()),
            Output::Stream(path, _) => Some(path.display().to_string()),
            Output::File(..) => None,
        };
        self.outputs.iter().filter_map(name).collect()
    }

    fn refuse_what_is_there(&self) -> Result<(), Failure> {
        self.files().try_for_each(|(path, _)| refuse_what_is_at(&Beside::new(path.clone())))
    }
}

fn refuse_what_is_at(beside: &Beside) -> Result<(), Failure> {
    let (path, journal, manifest) = (beside.output(), beside.journal(), beside.manifest());
    let refuse = |words: &str| Err(Failure::usage(format!("-o {}: {words}", path.display())));
    if journal.exists() {
        let (shown, journal) = (path.display(), journal.display());
        return if path.exists() {
            refuse("an unfinished scan wrote it: go on with it (--resume) or replace it (--overwrite)")
        } else {
            let advice = format!("restore {shown} and go on with it (--resume), or begin anew (--overwrite)");
            refuse(&format!("it is gone, but the journal of its unfinished scan is there ({journal}): {advice}"))
        };
    }
    // An empty file has nothing to lose, unless that is what a scan came to: mktemp makes such, and so does a scan that is
    // killed as it begins.
    let is_empty = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.len() == 0);
    match (path.exists(), manifest.exists()) {
        (true, has_manifest) if has_manifest || !is_empty(path) => {
            refuse("it exists: name another file, or replace it with --overwrite")
        }
        (false, true) => {
            let advice = "name another file, or replace it with --overwrite";
            refuse(&format!("it is gone, but the manifest of its scan is there ({}): {advice}", manifest.display()))
        }
        (true | false, _) => Ok(()),
    }
}

fn files(outputs: &[Output]) -> impl Iterator<Item = (&PathBuf, Format)> {
    outputs.iter().filter_map(|output| match output {
        Output::File(path, format) => Some((path, *format)),
        Output::Stdout(_) | Output::Stream(..) => None,
    })
}

fn stdout() -> Output {
    Output::Stdout(if io::stdout().is_terminal() { Format::Text } else { Format::Ndjson })
}

fn output(path: &Path) -> Result<Output, Failure> {
    let format = Format::from_path(path).ok_or_else(|| {
        let advice = "no format is known by this ending: use .csv, .ndjson or .jsonl";
        Failure::usage(format!("-o {}: {advice}", path.display()))
    })?;
    let is_stream = path.exists() && !path.is_file();
    Ok(if is_stream { Output::Stream(path.to_owned(), format) } else { Output::File(path.to_owned(), format) })
}

/// Keeps other runs from a file, if it is there: two would tear each other's rows.
fn lock(path: &Path) -> Result<Option<Flock<File>>, Failure> {
    // Where it cannot be opened now, opening it for rows says why.
    let Ok(file) = File::options().append(true).open(path) else { return Ok(None) };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => {
            let words = "another scan is writing to it: wait until that has ended";
            Err(Failure::usage(format!("-o {}: {words}", path.display())))
        }
        // A file system that knows no locks.
        Err(_) => Ok(None),
    }
}

/// How much of each file is kept, where they are those that the scan began with.
fn marks(journal: &Journal, outputs: &[Output]) -> Result<Vec<u64>, Failure> {
    let mark = |(path, format): (&PathBuf, Format)| {
        let began_with = journal.outputs.iter().zip(&journal.mark.lengths);
        let mut same =
            began_with.filter(|(file, _)| place(&file.path) == place(path) && file.format == format.as_str());
        let refuse = |words: &str| Failure::usage(format!("-o {}: {words}", path.display()));
        let (file, length) = same.next().ok_or_else(|| refuse("the scan did not begin with this output"))?;
        let own = Beside::new(path.clone());
        let is_anothers = if Some(file) == journal.outputs.first() {
            // A scan that is killed as it ends has left its manifest already.
            own.manifest().exists() && !is_of_same_scan(&own.manifest(), journal)
        } else {
            own.journal().exists() || own.manifest().exists()
        };
        if is_anothers {
            return Err(refuse("another scan has written to it since: it cannot be gone on with"));
        }
        match path.metadata() {
            Ok(metadata) if metadata.len() >= *length => Ok(*length),
            Ok(_) => Err(refuse("it is shorter than its journal says: restore it, or begin anew (--overwrite)")),
            Err(error) => {
                let words = format!("it cannot be gone on with: {error}; restore it, or begin anew (--overwrite)");
                Err(refuse(&words))
            }
        }
    };
    let marks: Vec<_> = files(outputs).map(mark).collect::<Result<_, _>>()?;
    if marks.len() < journal.outputs.len() {
        let named: Vec<_> = files(outputs).map(|(path, _)| place(path)).collect();
        let missing = journal.outputs.iter().find(|file| !named.contains(&place(&file.path)));
        let missing = missing.map(|file| file.path.display().to_string()).unwrap_or_default();
        return Err(Failure::usage(format!("--resume: the scan also writes to {missing}: name every output, or none")));
    }
    Ok(marks)
}

fn is_of_same_scan(manifest: &Path, journal: &Journal) -> bool {
    let manifest = fs::read(manifest).ok().and_then(|content| serde_json::from_slice::<Manifest>(&content).ok());
    manifest.is_some_and(|manifest| {
        (manifest.configuration_digest, manifest.began) == (journal.digest.clone(), journal.began.clone())
    })
}

/// All outputs of a scan.
pub(super) struct Outputs {
    /// Those that can be gone on with.
    files: Vec<Box<dyn Marked>>,
    others: Vec<Box<dyn RowWriter>>,
}

impl Outputs {
    pub(super) fn new(files: Vec<Box<dyn Marked>>, others: Vec<Box<dyn RowWriter>>) -> Self {
        Self { files, others }
    }

    /// Opens them all; lines for people are written around the progress bar. The handles are those of the files.
    pub(super) fn open(destination: &mut Destination, bar: &ProgressBar) -> Result<(Self, Vec<File>), Failure> {
        let Destination { outputs, openings, locks, .. } = destination;
        let (mut opened, mut handles) = (Self::new(Vec::new(), Vec::new()), Vec::new());
        let mut openings = openings.iter();
        for output in outputs {
            match output {
                Output::File(path, format) => {
                    let opening = openings.next().copied().unwrap_or(Opening::Create);
                    let rows = match opening {
                        Opening::Create => RowFile::create(path, *format, false),
                        Opening::Replace => RowFile::create(path, *format, true),
                        Opening::GoOn(mark) => RowFile::resume(path, *format, mark),
                    };
                    let rows = rows.map_err(Failure::failed)?;
                    if opening == Opening::Create {
                        locks.extend(lock(path)?);
                    }
                    handles.push(rows.handle().map_err(Failure::failed)?);
                    opened.files.push(Box::new(rows));
                }
                Output::Stream(path, format) => {
                    opened.others.push(Box::new(RowFile::create(path, *format, false).map_err(Failure::failed)?));
                }
                Output::Stdout(format) if *format == Format::Text || io::stdout().is_terminal() => {
                    opened.others.push(Box::new(RowSink::over(*format, "stdout", AroundBar(bar.clone()))));
                }
                Output::Stdout(format) => {
                    opened.others.push(Box::new(RowSink::over(*format, "stdout", io::stdout())));
                }
            }
        }
        Ok((opened, handles))
    }

    /// Adds others that are shown every row.
    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = Box<dyn RowWriter>>) {
        self.others.extend(more);
    }

    /// Hands every row that waits to the system, of the files; how long each is then.
    pub(super) fn mark(&mut self) -> io::Result<Vec<u64>> {
        self.files.iter_mut().map(|output| output.flush().map(|()| output.complete())).collect()
    }

    pub(super) fn write(&mut self, row: &Observation) -> io::Result<()> {
        self.each(|output| output.write(row))
    }

    pub(super) fn flush_if_due(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.each(|output| output.flush_if_due(now))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.each(|output| output.flush())
    }

    /// Has its turn with every output, also after one has failed; the first error is told.
    fn each(&mut self, mut turn: impl FnMut(&mut dyn RowWriter) -> io::Result<()>) -> io::Result<()> {
        let files = self.files.iter_mut().map(|output| turn(&mut **output)).fold(Ok(()), Result::and);
        self.others.iter_mut().map(|output| turn(&mut **output)).fold(files, Result::and)
    }
}

/// Writes to a terminal that also shows a progress bar.
struct AroundBar(ProgressBar);

impl Write for AroundBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.suspend(|| io::stdout().flush())
    }
}
