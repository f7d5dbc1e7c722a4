//! Where rows go: what is there already is checked and locked, then all of it is opened.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hailer::manifest::Manifest;
use hailer::output::escape::escape;
use hailer::output::{Format, Layout, Marked, Report, RowFile, RowSink, RowWriter};
use hailer::{Journal, Observation};
use indicatif::ProgressBar;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::Failure;
use super::beside::{Beside, followed, keep_from_others, place, unfinished};
use super::dialogues::Dialogues;
use super::fresh::cannot_write;
use super::layout::Layouts;
use super::look;
use super::same::Identity;

/// Where rows go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    Stdout(Format),
    /// A device or a pipe with a path.
    Stream(PathBuf, Format),
    /// A regular file, which may not be there yet.
    File(PathBuf, Format),
    /// One that is made of all rows when the scan is done; until then they are kept beside it.
    Report(PathBuf, Report),
}

/// A regular file of a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Regular<'a> {
    /// As it was named.
    pub(super) path: &'a PathBuf,
    /// What it is in the end.
    pub(super) format: &'static str,
    is_report: bool,
}

impl Regular<'_> {
    /// Where rows go.
    fn rows(self) -> PathBuf {
        if self.is_report { self.beside().rows() } else { self.path.clone() }
    }

    fn beside(self) -> Beside {
        Beside::new(self.path.clone())
    }
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
        let beside = files(&outputs).next().map(Regular::beside);
        let mut destination = Self { outputs, beside, openings: Vec::new(), locks: Vec::new() };
        let mut known: Vec<(Identity, &PathBuf)> = Vec::new();
        for file in files(&destination.outputs) {
            let identity = Identity::of(&file.rows());
            if let Some((_, other)) = known.iter().find(|(known, _)| Some(*known) == identity) {
                let words = format!("it is the same file as {}: name another", other.display());
                return Err(Failure::usage(format!("-o {}: {words}", file.path.display())));
            }
            known.extend(identity.map(|identity| (identity, file.path)));
            destination.locks.extend(lock(file.path, &file.rows())?);
        }
        if !overwrite && journal.is_none() {
            destination.files().try_for_each(refuse_what_is_at)?;
        }
        let begin = |file: Regular<'_>| if file.rows().exists() { Opening::Replace } else { Opening::Create };
        destination.openings = match journal {
            Some(journal) => marks(journal, &destination.outputs)?.into_iter().map(Opening::GoOn).collect(),
            None => destination.files().map(begin).collect(),
        };
        Ok(destination)
    }

    /// Removes what was made of a scan that never began.
    pub(super) fn take_back(&self) {
        let made = self.files().zip(&self.openings).filter(|(_, opening)| **opening == Opening::Create);
        for rows in made.map(|(file, _)| file.rows()) {
            if rows.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
                // An empty file is in nobody's way.
                let _ = fs::remove_file(rows);
            }
        }
    }

    /// The regular files.
    pub(super) fn files(&self) -> impl Iterator<Item = Regular<'_>> {
        files(&self.outputs)
    }

    /// Places that take rows and cannot be gone on with, as people are shown them.
    pub(super) fn streams(&self) -> Vec<String> {
        let name = |output: &Output| match output {
            Output::Stdout(_) => Some("stdout".to_owned()),
            Output::Stream(path, _) => Some(escape(path.as_os_str().as_bytes())),
            Output::File(..) | Output::Report(..) => None,
        };
        self.outputs.iter().filter_map(name).collect()
    }

    /// The formats of those that take rows as they come.
    pub(super) fn formats(&self) -> Vec<Format> {
        let format = |output: &Output| match output {
            Output::Stdout(format) | Output::Stream(_, format) | Output::File(_, format) => Some(*format),
            Output::Report(..) => None,
        };
        self.outputs.iter().filter_map(format).collect()
    }
}

fn refuse_what_is_at(file: Regular<'_>) -> Result<(), Failure> {
    let (path, rows, journal, manifest) = (file.path, file.rows(), file.beside().journal(), file.beside().manifest());
    let refuse = |words: &str| Err(Failure::usage(format!("-o {}: {words}", path.display())));
    if journal.exists() {
        let (shown, journal) = (rows.display(), journal.display());
        return if rows.exists() {
            refuse("an unfinished scan wrote it: go on with it (--resume) or replace it (--overwrite)")
        } else {
            let what = if file.is_report { format!("{shown} is gone") } else { "it is gone".to_owned() };
            let advice = format!("restore {shown} and go on with it (--resume), or begin anew (--overwrite)");
            refuse(&format!("{what}, but the journal of its unfinished scan is there ({journal}): {advice}"))
        };
    }
    // One that another scan has written to since has its manifest.
    if let Some(first) = unfinished(&place(path)).filter(|_| !manifest.exists()) {
        let first = first.display();
        return refuse(&format!(
            "an unfinished scan writes to it: go on with that (--resume {first}), name another file, or replace it \
             (--overwrite), and that scan cannot be gone on with"
        ));
    }
    // An empty file has nothing to lose, unless that is what a scan came to: mktemp makes such, and so does a scan that is
    // killed as it begins.
    let is_empty = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.len() == 0);
    // Also a link that leads nowhere, which a report would replace.
    let exists = path.symlink_metadata().is_ok();
    match (exists, manifest.exists()) {
        (true, has_manifest) if has_manifest || !is_empty(path) => {
            refuse("it exists: name another file, or replace it with --overwrite")
        }
        (false, true) => {
            let advice = "name another file, or replace it with --overwrite";
            refuse(&format!("it is gone, but the manifest of its scan is there ({}): {advice}", manifest.display()))
        }
        // Where rows are what the output is, they have been spoken of.
        (true | false, _) if file.is_report && rows.exists() && !is_empty(&rows) => {
            let advice = "go on with that scan (--resume with its first output), or see what they are (`hailer report`), and \
                          have them replaced (--overwrite)";
            refuse(&format!("rows of a scan are there whose journal is not ({}): {advice}", rows.display()))
        }
        (true | false, _) => Ok(()),
    }
}

fn files(outputs: &[Output]) -> impl Iterator<Item = Regular<'_>> {
    outputs.iter().filter_map(|output| match output {
        Output::File(path, format) => Some(Regular { path, format: format.as_str(), is_report: false }),
        Output::Report(path, report) => Some(Regular { path, format: report.as_str(), is_report: true }),
        Output::Stdout(_) | Output::Stream(..) => None,
    })
}

fn stdout() -> Output {
    Output::Stdout(if io::stdout().is_terminal() { Format::Text } else { Format::Ndjson })
}

fn output(path: &Path) -> Result<Output, Failure> {
    let refuse = |words: &str| Failure::usage(format!("-o {}: {words}", path.display()));
    let is_stream = path.exists() && !path.is_file();
    if let Some(report) = Report::from_path(path) {
        let words = "it is made when all rows are there, and takes a regular file: name one";
        return if is_stream { Err(refuse(words)) } else { Ok(Output::Report(followed(path), report)) };
    }
    let format = Format::from_path(path)
        .ok_or_else(|| refuse("no format is known by this ending: use .csv, .ndjson, .jsonl, .xlsx or .html"))?;
    if path.is_symlink() && matches!(path.try_exists(), Ok(false)) {
        return Err(refuse("it is a link that leads nowhere: make the file that it leads to, or name another"));
    }
    Ok(if is_stream { Output::Stream(path.to_owned(), format) } else { Output::File(path.to_owned(), format) })
}

/// Keeps other runs from the rows of an output, if they are there: two would tear each other's.
fn lock(path: &Path, rows: &Path) -> Result<Option<Flock<File>>, Failure> {
    // Where it cannot be opened now, opening it for rows says why.
    let Ok(file) = File::options().append(true).open(rows) else { return Ok(None) };
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
    let mark = |regular: Regular<'_>| {
        let (path, rows, own) = (regular.path, regular.rows(), regular.beside());
        let began_with = journal.outputs.iter().zip(&journal.mark.lengths);
        let mut same =
            began_with.filter(|(other, _)| place(&other.path) == place(path) && other.format == regular.format);
        let refuse = |words: &str| Failure::usage(format!("-o {}: {words}", path.display()));
        let (file, length) = same.next().ok_or_else(|| refuse("the scan did not begin with this output"))?;
        let is_anothers = if journal.takes_over {
            // What lies there is of before.
            false
        } else if Some(file) == journal.outputs.first() {
            // A scan that is killed as it ends has left its manifest already.
            own.manifest().exists() && !is_of_same_scan(&own.manifest(), journal)
        } else {
            own.journal().exists() || own.manifest().exists()
        };
        if is_anothers {
            return Err(refuse("another scan has written to it since: it cannot be gone on with"));
        }
        // What is not the output itself is named.
        let it = if regular.is_report { format!("{} with its rows", rows.display()) } else { "it".to_owned() };
        match rows.metadata() {
            Ok(metadata) if metadata.len() >= *length => Ok(*length),
            Ok(_) => {
                let advice = "restore it, or begin anew (--overwrite)";
                Err(refuse(&format!("{it} is shorter than its journal says: {advice}")))
            }
            Err(error) => {
                let advice = "restore it, or begin anew (--overwrite)";
                Err(refuse(&format!("{it} cannot be gone on with: {error}; {advice}")))
            }
        }
    };
    let marks: Vec<_> = files(outputs).map(mark).collect::<Result<_, _>>()?;
    if marks.len() < journal.outputs.len() {
        let named: Vec<_> = files(outputs).map(|file| place(file.path)).collect();
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

    /// Opens them all; lines for people are written around the progress bar. The handles are those of the files, in which
    /// all that is there stays until they [`begin`](Self::begin).
    pub(super) fn open(
        destination: &mut Destination,
        layouts: &Layouts,
        bar: &ProgressBar,
    ) -> Result<(Self, Vec<File>), Failure> {
        let Destination { outputs, openings, locks, .. } = destination;
        let (mut opened, mut handles) = (Self::new(Vec::new(), Vec::new()), Vec::new());
        let (mut openings, mut shows_dialogues) = (openings.iter(), false);
        let mut open = |path: &Path, rows: &Path, layout: Layout| -> Result<(), Failure> {
            let opening = openings.next().copied().unwrap_or(Opening::Create);
            let file = match opening {
                Opening::Create => RowFile::stand_by(rows, layout, false),
                Opening::Replace => RowFile::stand_by(rows, layout, true),
                Opening::GoOn(mark) => RowFile::resume(rows, layout, mark),
            };
            let file = file.map_err(Failure::failed)?;
            // Of a report that is there, before a row is: what waits for it is for the same eyes.
            keep_from_others(rows, path).map_err(|error| cannot_write(rows, &error))?;
            if opening == Opening::Create {
                locks.extend(lock(path, rows)?);
            }
            handles.push(file.handle().map_err(Failure::failed)?);
            opened.files.push(Box::new(file));
            Ok(())
        };
        let mut others: Vec<Box<dyn RowWriter>> = Vec::new();
        for output in outputs {
            match output {
                Output::File(path, format) => open(path, path, layouts.of(*format))?,
                Output::Report(path, _) => open(path, &Beside::new(path.clone()).rows(), layouts.of_kept())?,
                Output::Stream(path, format) => {
                    let file = RowFile::create(path, layouts.of(*format), false).map_err(Failure::failed)?;
                    others.push(Box::new(file));
                }
                Output::Stdout(Format::Text) if layouts.shows_dialogues() => {
                    shows_dialogues = true;
                    others.push(Box::new(Dialogues::rows(look::of_stdout(), AroundBar::stdout(bar))));
                }
                Output::Stdout(format) if *format == Format::Text || io::stdout().is_terminal() => {
                    others.push(Box::new(RowSink::over(layouts.of(*format), "stdout", AroundBar::stdout(bar))));
                }
                Output::Stdout(format) => {
                    others.push(Box::new(RowSink::over(layouts.of(*format), "stdout", io::stdout())));
                }
            }
        }
        if layouts.shows_dialogues() && !shows_dialogues {
            others.push(Box::new(Dialogues::words(look::of_stderr(), AroundBar::stderr(bar))));
        }
        opened.others = others;
        Ok((opened, handles))
    }

    /// Lets go of what the files held.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(|output| output.begin())
    }

    /// Adds others that are shown every row.
    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = Box<dyn RowWriter>>) {
        self.others.extend(more);
    }

    /// Hands every row that waits to the system, of the files; how long each is then.
    pub(super) fn mark(&mut self) -> io::Result<Vec<u64>> {
        self.files.iter_mut().map(|output| can_go_on(output.flush()).map(|()| output.complete())).collect()
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
        let files = self.files.iter_mut().map(|output| can_go_on(turn(&mut **output))).fold(Ok(()), Result::and);
        self.others.iter_mut().map(|output| turn(&mut **output)).fold(files, Result::and)
    }
}

/// What a file does not take now it takes once the cause is mended.
fn can_go_on(turn: io::Result<()>) -> io::Result<()> {
    turn.map_err(|error| io::Error::new(error.kind(), format!("{error}; then go on with it (--resume)")))
}

/// Writes to a terminal that also shows a progress bar.
pub(super) struct AroundBar<W> {
    bar: ProgressBar,
    stream: W,
}

impl AroundBar<io::Stdout> {
    fn stdout(bar: &ProgressBar) -> Self {
        Self { bar: bar.clone(), stream: io::stdout() }
    }
}

impl AroundBar<io::Stderr> {
    fn stderr(bar: &ProgressBar) -> Self {
        Self { bar: bar.clone(), stream: io::stderr() }
    }
}

impl<W: Write> Write for AroundBar<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bar.suspend(|| self.stream.flush())
    }
}
