//! `hailer report`: results read back twice. The first time shows what only all rows together say; the second time each
//! row is raised by that, counted, and written out again where that is asked for.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hailer::classify::fronting::{Bounds, Overview, Sweep};
use hailer::inventory::{Census, Row, Rows, Writer, raise};
use hailer::output::escape::escape;
use hailer::output::{Column, Format, temporary};
use hailer::{Config, Outcome};
use indicatif::HumanCount;
use tempfile::NamedTempFile;

use super::beside::place;
use super::summary::{fronting, middleboxes, outcomes, software};
use super::{Ended, Failure, tell};

const AFTER: &str = "\
Files may be CSV and NDJSON, of one scan or of several, as those of its shards. Both formats of one scan are the same rows \
and are refused together. NDJSON tells more: only there stands at which address a server sees us.

Exit codes: 0 done, 1 failed, 2 usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ReportArgs {
    /// Files that scans wrote, CSV or NDJSON; - for stdin
    #[arg(required = true, value_name = "RESULTS")]
    results: Vec<PathBuf>,

    /// Write the rows here, with what all of them together say of each; .csv, .ndjson or .jsonl; may repeat
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,

    /// Replace output files that exist
    #[arg(long)]
    overwrite: bool,

    /// Leave out rows of hosts and networks where a middlebox or honeypot answers, but for servers that greet in words of their own
    #[arg(long)]
    without_middleboxes: bool,

    /// An address that is ours: servers that see us there are not behind a proxy; may repeat
    #[arg(long, value_name = "ADDRESS")]
    our_address: Vec<IpAddr>,
}

pub(super) fn run(args: &ReportArgs) -> Result<Ended, Failure> {
    Config::check_our_addresses(&args.our_address)?;
    let mut outputs = outputs(args)?;
    let inputs = args.results.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>, _>>()?;
    let Survey { overview, others } = survey(&inputs)?;
    for output in &mut outputs {
        output.begin(&others)?;
    }
    let mut told = Report { overview, ..Report::default() };
    for input in &inputs {
        for row in input.rows()? {
            let mut row = row.map_err(Failure::failed)?;
            if told.take(args, &mut row) {
                outputs.iter_mut().try_for_each(|output| output.write(&row))?;
            }
        }
    }
    outputs.into_iter().try_for_each(Output::end)?;
    match io::stdout().lock().write_all(told.render().as_bytes()) {
        // Whoever has read enough may go.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(Ended::Done),
    }
}

/// A file that can be read twice.
struct Input {
    name: String,
    path: PathBuf,
    /// What came from stdin; it goes with this.
    _spooled: Option<NamedTempFile>,
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path != Path::new("-") {
            return Ok(Self { name: path.display().to_string(), path: path.to_owned(), _spooled: None });
        }
        let spool = NamedTempFile::new().and_then(|mut spool| {
            io::copy(&mut io::stdin().lock(), &mut spool)?;
            Ok(spool)
        });
        let spool = spool.map_err(|error| {
            Failure::failed(format!("cannot keep what stdin says: {error}; TMPDIR says where to keep it"))
        })?;
        Ok(Self { name: "stdin".to_owned(), path: spool.path().to_owned(), _spooled: Some(spool) })
    }

    fn rows(&self) -> Result<Rows<BufReader<File>>, Failure> {
        let file = File::open(&self.path).and_then(|file| {
            let is_folder = file.metadata()?.is_dir();
            if is_folder { Err(io::Error::from(ErrorKind::IsADirectory)) } else { Ok(file) }
        });
        let file = file.map_err(|error| Failure::failed(format!("cannot read {}: {error}", self.name)))?;
        Rows::new(&self.name, file).map_err(Failure::failed)
    }
}

/// What the first pass shows.
struct Survey {
    overview: Overview,
    /// Columns of somebody else's, of all files.
    others: Vec<Arc<str>>,
}

fn survey(inputs: &[Input]) -> Result<Survey, Failure> {
    let mut sweep = Sweep::new(Bounds::REPORT);
    let (mut others, mut sums): (Vec<Arc<str>>, Vec<(u64, u64)>) = (Vec::new(), Vec::new());
    for input in inputs {
        let mut rows = input.rows()?;
        let new = rows.other_columns().filter(|name| !others.contains(name)).cloned().collect::<Vec<_>>();
        others.extend(new);
        let (mut count, mut sum, mut has_unanswered) = (0u64, 0u64, false);
        for row in rows.by_ref() {
            let row = row.map_err(Failure::failed)?;
            (count, sum) = (count.saturating_add(1), sum.wrapping_add(digest(&row)));
            if let Some(glimpse) = row.glimpse() {
                has_unanswered |= matches!(glimpse.outcome, Outcome::Refused | Outcome::Unreachable | Outcome::Timeout);
                sweep.learn(&glimpse);
            }
        }
        if let Some(line) = rows.torn() {
            tell(format_args!("{}: line {line} broke off, and is left out", escape(input.name.as_bytes())));
        }
        if rows.is_empty() {
            tell(format_args!("{}: it is empty", escape(input.name.as_bytes())));
        }
        // A scan without --all tells of answers only, and what was probed is not known then.
        if count > 0 && !has_unanswered {
            sweep.hears_of_answers_only();
        }
        let same = sums.iter().position(|known| *known == (count, sum) && count > 0);
        if let Some(other) = same.and_then(|at| inputs.get(at)) {
            let words = "hold the same rows, which would count twice: name one of them";
            return Err(Failure::usage(format!("{} and {} {words}", other.name, input.name)));
        }
        sums.push((count, sum));
    }
    Ok(Survey { overview: sweep.overview(), others })
}

/// What tells one row from another, in either format.
fn digest(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    for column in [Column::Time, Column::Name, Column::Ip, Column::Port, Column::Service] {
        row.text(column).hash(&mut hasher);
    }
    hasher.finish()
}

/// What the second pass comes to.
#[derive(Default)]
struct Report {
    overview: Overview,
    census: Census,
    raised: u64,
    left_out: u64,
}

impl Report {
    /// One row; whether it is to be written.
    fn take(&mut self, args: &ReportArgs, row: &mut Row) -> bool {
        let is_middlebox = || row.glimpse().is_some_and(|glimpse| self.overview.is_of_a_middlebox(&glimpse));
        if args.without_middleboxes && is_middlebox() {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        }
        self.raised = self.raised.saturating_add(raise(row, &self.overview, &args.our_address).into());
        self.census.count(row);
        true
    }

    fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write_all(&mut text);
        text
    }

    fn write_all(&self, text: &mut String) -> std::fmt::Result {
        use std::fmt::Write as _;

        let tally = self.census.tally();
        let noun = |count| if count == 1 { "row" } else { "rows" };
        write!(text, "{} {}", HumanCount(tally.rows), noun(tally.rows))?;
        if self.left_out > 0 {
            write!(text, ", {} more of middleboxes left out", HumanCount(self.left_out))?;
        }
        if self.raised > 0 {
            write!(text, ", {} of which others say more", HumanCount(self.raised))?;
        }
        writeln!(text)?;
        outcomes(text, &self.census.ports().collect::<Vec<_>>())?;
        software(text, tally)?;
        fronting(text, tally)?;
        middleboxes(text, &self.overview)
    }
}

/// A file that rows go to. It is there when all of them are in it.
struct Output {
    path: PathBuf,
    writer: Writer,
    /// None where it is a device or a pipe, which is written at once.
    file: Target,
    lines: String,
}

enum Target {
    New(BufWriter<NamedTempFile>),
    Stream(BufWriter<File>),
}

/// So much is written at once.
const CHUNK: usize = 64 * 1024;

fn outputs(args: &ReportArgs) -> Result<Vec<Output>, Failure> {
    let places: Vec<_> = args.results.iter().map(|path| place(path)).collect();
    if let Some(at) = (1..places.len()).find(|at| places[..*at].contains(&places[*at])) {
        return Err(Failure::usage(format!("{} is named twice", args.results[at].display())));
    }
    let mut taken: Vec<PathBuf> = Vec::new();
    let mut outputs = Vec::new();
    for path in &args.output {
        let refuse = |words: &str| Err(Failure::usage(format!("-o {}: {words}", path.display())));
        let writer = match Format::from_path(path) {
            Some(Format::Csv) => Writer::Csv(Vec::new()),
            Some(Format::Ndjson) => Writer::Ndjson,
            Some(Format::Text) | None => return refuse("name it .csv, .ndjson or .jsonl"),
        };
        let place = place(path);
        if places.contains(&place) {
            return refuse("the rows come from there: name another file");
        }
        if taken.contains(&place) {
            return refuse("it is named twice");
        }
        let is_stream = place.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if place.exists() && !is_stream && !args.overwrite {
            return refuse("it exists: name another file, or replace it with --overwrite");
        }
        let file = if is_stream {
            File::options().write(true).open(&place).map(|file| Target::Stream(BufWriter::new(file)))
        } else {
            temporary(&place).map(|file| Target::New(BufWriter::new(file)))
        };
        let file = file.map_err(|error| cannot_write(path, &error))?;
        taken.push(place.clone());
        outputs.push(Output { path: place, writer, file, lines: String::new() });
    }
    Ok(outputs)
}

impl Output {
    fn begin(&mut self, others: &[Arc<str>]) -> Result<(), Failure> {
        if let Writer::Csv(columns) = &mut self.writer {
            columns.extend(others.iter().cloned());
        }
        self.writer.header(&mut self.lines);
        self.drain()
    }

    fn write(&mut self, row: &Row) -> Result<(), Failure> {
        self.writer.row(row, &mut self.lines);
        if self.lines.len() < CHUNK { Ok(()) } else { self.drain() }
    }

    fn drain(&mut self) -> Result<(), Failure> {
        let lines = self.lines.as_bytes();
        let written = match &mut self.file {
            Target::New(file) => file.write_all(lines),
            Target::Stream(file) => file.write_all(lines),
        };
        written.map_err(|error| cannot_write(&self.path, &error))?;
        self.lines.clear();
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        self.drain()?;
        let ended = match self.file {
            Target::New(file) => file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
                file.as_file().sync_all()?;
                file.persist(&self.path)?;
                Ok(())
            }),
            Target::Stream(mut file) => file.flush(),
        };
        ended.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
