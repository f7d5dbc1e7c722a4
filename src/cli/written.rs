//! Files that are made of rows which are read back: lines in either format, workbooks, pages.

use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use hailer::classify::fronting::Overview;
use hailer::inventory::{Row, Writer};
use hailer::output::html::{Head, Page};
use hailer::output::xlsx::{About, Workbook};
use hailer::output::{Format, Report};

use super::Failure;
use super::beside::{Beside, place, unfinished};
use super::fresh::{Fresh, To, is_stdout, is_stream};
use super::layout::{LayoutArgs, writer};
use super::summary::middleboxes;

/// A file that rows are to go to.
pub(super) struct Output {
    form: Form,
    file: Fresh,
}

/// What is made of rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Lines, as rows come.
    Lines(Format),
    /// What is made of all of them, once they have come.
    Report(Report),
}

/// One that takes them.
pub(super) struct Begun {
    content: Content,
    file: Fresh,
    out: BufWriter<To>,
}

enum Content {
    /// Rows, of which those wait that are not written yet.
    Lines(Writer, String),
    Page(Box<Page>),
    Workbook(Box<Workbook>),
}

/// What a reader is told of all rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// Where they come from.
    pub(super) sources: &'a [String],
    /// When what is made of them is written: one time for all.
    pub(super) now: SystemTime,
    /// What has to be known about them.
    pub(super) notes: &'a [String],
    /// What only all of them say.
    pub(super) overview: &'a Overview,
}

/// So much is written at once.
const CHUNK: usize = 64 * 1024;

/// The files that were named and what each is to be, where that can be and none of them is an input; `is_input` says why
/// that would not do. Stdout may be one of them, where there are lines to `stdout`.
pub(super) fn named(
    paths: &[PathBuf],
    inputs: &[PathBuf],
    is_input: &str,
    overwrite: bool,
    stdout: Option<Format>,
) -> Result<Vec<(PathBuf, Form)>, Failure> {
    let inputs: Vec<_> = inputs.iter().map(|path| place(path)).collect();
    let (mut taken, mut named) = (Vec::new(), Vec::new());
    for path in paths {
        let refuse = |words: &str| Err(Failure::usage(format!("-o {}: {words}", path.display())));
        let of_stdout = stdout.filter(|_| is_stdout(path));
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return refuse("it ends in a slash, as a folder does: name a file");
        }
        let Some(form) = of_stdout.map(Form::Lines).or_else(|| Form::of(path)) else {
            return refuse("name it .csv, .ndjson, .jsonl, .xlsx or .html");
        };
        let place = place(path);
        if inputs.contains(&place) && of_stdout.is_none() {
            return refuse(&format!("{is_input}: name another file"));
        }
        if taken.contains(&place) {
            return refuse("it is named twice");
        }
        if let Some(words) = what_is_there(&place, overwrite).filter(|_| of_stdout.is_none()) {
            return refuse(&words);
        }
        taken.push(place);
        named.push((path.clone(), form));
    }
    Ok(named)
}

/// Why what is at a place may not be replaced.
fn what_is_there(place: &Path, overwrite: bool) -> Option<String> {
    // Also where it leads nowhere: nobody meant a link to be replaced.
    let exists = place.symlink_metadata().is_ok();
    let manifest = Beside::new(place.to_owned()).manifest();
    if is_stream(place) {
        None
    } else if place.is_dir() {
        Some("it is a folder: name a file in it".to_owned())
    } else if unfinished(place).is_some() {
        Some("an unfinished scan wrote it: name another file".to_owned())
    } else if overwrite {
        None
    } else if exists {
        Some("it exists: name another file, or replace it with --overwrite".to_owned())
    } else {
        let advice = "name another file, or replace it with --overwrite";
        manifest.exists().then(|| format!("it is gone, but its manifest is there ({}): {advice}", manifest.display()))
    }
}

/// That no input is read twice.
pub(super) fn refuse_twice(inputs: &[PathBuf]) -> Result<(), Failure> {
    let places: Vec<_> = inputs.iter().map(|path| place(path)).collect();
    match (1..places.len()).find(|at| places[..*at].contains(&places[*at])) {
        Some(at) => Err(Failure::usage(format!("{} is named twice", inputs[at].display()))),
        None => Ok(()),
    }
}

impl Form {
    /// What a file's ending stands for.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match Format::from_path(path) {
            Some(format @ (Format::Csv | Format::Ndjson)) => Some(Self::Lines(format)),
            Some(Format::Text) | None => Report::from_path(path).map(Self::Report),
        }
    }

    /// As manifests name it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Lines(format) => format.as_str(),
            Self::Report(report) => report.as_str(),
        }
    }
}

impl Output {
    /// What is made of all rows, in the place of what is there.
    pub(super) fn open(path: &Path, form: Form) -> Result<Self, Failure> {
        Ok(Self { form, file: Fresh::open(path)? })
    }

    /// The format of its lines, where it has any.
    pub(super) fn format(&self) -> Option<Format> {
        match self.form {
            Form::Lines(format) => Some(format),
            Form::Report(_) => None,
        }
    }

    /// Begins, with these columns of somebody else's.
    pub(super) fn begin(self, layout: &LayoutArgs, others: &[Arc<str>]) -> Result<Begun, Failure> {
        let Self { form, file } = self;
        let content = match form {
            Form::Lines(format) => {
                let (writer, mut lines) = (writer(layout, format, others)?, String::new());
                writer.header(&mut lines);
                Content::Lines(writer, lines)
            }
            Form::Report(Report::Html) => {
                let page = Page::new().map_err(|error| file.failed(&error))?;
                Content::Page(Box::new(page.seen_from(SystemTime::now())))
            }
            Form::Report(Report::Xlsx) => {
                let workbook = Workbook::new(&file.folder(), others).map_err(|error| file.failed(&error))?;
                Content::Workbook(Box::new(workbook.seen_from(SystemTime::now())))
            }
        };
        Ok(Begun { content, out: file.writer()?, file })
    }
}

impl Begun {
    pub(super) fn write(&mut self, row: &Row) -> Result<(), Failure> {
        let written = match &mut self.content {
            Content::Lines(writer, lines) => {
                writer.row(row, lines);
                if lines.len() < CHUNK { Ok(()) } else { drain(lines, &mut self.out) }
            }
            Content::Page(page) => page.row(row),
            Content::Workbook(workbook) => workbook.row(row),
        };
        written.map_err(|error| self.file.failed(&error))
    }

    /// Writes what is left, so that it can be put in its place; `is_to_stop` is asked again and again while that takes
    /// its time.
    pub(super) fn finish(self, told: Told<'_>, is_to_stop: &(dyn Fn() -> bool + Sync)) -> Result<Fresh, Failure> {
        let Self { content, file, mut out } = self;
        let mut to = Stoppable { to: &mut out, is_to_stop };
        let made = match content {
            Content::Lines(_, mut lines) => drain(&mut lines, &mut out),
            Content::Page(page) => page.write(&told.head(), told.overview, &mut to),
            Content::Workbook(workbook) => workbook.finish_unless(&told.about(), to, is_to_stop),
        };
        match made.and_then(|()| out.flush()) {
            Ok(()) => Ok(file),
            Err(error) => Err(file.failed(&error)),
        }
    }
}

fn drain(lines: &mut String, out: &mut BufWriter<To>) -> io::Result<()> {
    out.write_all(lines.as_bytes())?;
    lines.clear();
    Ok(())
}

impl Told<'_> {
    /// As a page has it, which tells of middleboxes by itself.
    fn head(&self) -> Head {
        Head { sources: self.sources.to_vec(), now: Some(self.now), notes: self.notes.to_vec() }
    }

    /// As a workbook has it.
    fn about(&self) -> About {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = middleboxes(&mut text, self.overview);
        let notes = self.notes.iter().cloned().chain(text.lines().map(str::to_owned));
        About { sources: self.sources.to_vec(), now: Some(self.now), notes: notes.collect() }
    }
}

/// Takes nothing more once it is to stop.
struct Stoppable<'a> {
    to: &'a mut BufWriter<To>,
    is_to_stop: &'a (dyn Fn() -> bool + Sync),
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.is_to_stop)() {
            return Err(io::Error::other("it was to stop"));
        }
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: &str| named(&[folder.path().join(name)], &[], "", true, None).is_ok();
        assert_eq!([named("rows.xlsx"), named("rows.xlsx/"), named("rows.csv/")], [true, false, false]);
    }
}
