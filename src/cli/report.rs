//! `hailer report`: results read back twice. The first time shows what only all rows together say; the second time each
//! row is raised by that, counted, and written out again where that is asked for.
//!
//! A scan whose rows are to be a workbook or a page has it made here as well, when it is done.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, ErrorKind, Read, Seek, Take, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use hailer::classify::fronting::{Bounds, Overview, Sweep};
use hailer::inventory::{Census, Row, Rows, raise};
use hailer::output::escape::escape;
use hailer::output::{self as formats, Column, Field};
use hailer::{Config, Outcome};
use indicatif::HumanCount;

use super::fresh::{Fresh, is_stdout, is_stream};
use super::layout::LayoutArgs;
use super::look::Tone;
use super::provenance;
use super::same::refuse_stdout;
use super::summary::{findings, fronting, middleboxes, outcomes, software};
use super::written::{Form, Output, Told, named, refuse_twice};
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

    /// Write the rows here, with what all of them together say of each: .csv, .ndjson or .jsonl; or .xlsx for a workbook, .html for a page, both with figures, charts and findings; - for stdout, in place of the figures: NDJSON, or CSV where --csv or --delimiter is given; may repeat
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,

    /// Replace output files that exist
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    layout: LayoutArgs,

    /// Leave out rows of hosts and networks where a middlebox or honeypot answers, but for servers that greet in words of their own
    #[arg(long)]
    without_middleboxes: bool,

    /// An address that is ours: servers that see us there are not behind a proxy; may repeat
    #[arg(long, value_name = "ADDRESS")]
    our_address: Vec<IpAddr>,
}

pub(super) fn run(args: &ReportArgs) -> Result<Ended, Failure> {
    Config::check_our_addresses(&args.our_address)?;
    refuse_twice(&args.results)?;
    // Figures go there where rows do not.
    refuse_stdout(&args.results)?;
    let stdout = Some(args.layout.of_stdout());
    let named = named(&args.output, &args.results, "the rows come from there", args.overwrite, stdout)?;
    let outputs = named.iter().map(|(path, form)| Output::open(path, *form)).collect::<Result<Vec<_>, _>>()?;
    args.layout.suits(&outputs.iter().filter_map(Output::format).collect::<Vec<_>>())?;
    let inputs = args.results.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>, _>>()?;
    let how = How {
        without_middleboxes: args.without_middleboxes,
        our_addresses: &args.our_address,
        sources: inputs.iter().map(|input| input.name.clone()).collect(),
        now: SystemTime::now(),
        is_to_stop: &|| false,
    };
    let (told, files) = write(&inputs, outputs, &args.layout, &how)?;
    files.into_iter().try_for_each(Fresh::put_anew)?;
    for input in inputs.iter().filter(|input| input.is_empty()) {
        tell(format_args!("{}: it is empty", escape(input.name.as_bytes())));
    }
    // Nothing among the rows.
    if args.output.iter().any(|path| is_stdout(path)) {
        return Ok(Ended::Done);
    }
    match io::stdout().lock().write_all(told.render().as_bytes()) {
        // Whoever has read enough may go.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(Ended::Done),
    }
}

/// Makes a report of the rows of one file, which is still to be put in its place.
pub(super) fn make(rows: &Path, report: formats::Report, path: &Path, how: &How<'_>) -> Result<Vec<Fresh>, Failure> {
    let output = Output::open(path, Form::Report(report))?;
    write(&[Input::open(rows)?], vec![output], &LayoutArgs::default(), how).map(|(_, files)| files)
}

/// How rows are looked at.
pub(super) struct How<'a> {
    pub(super) without_middleboxes: bool,
    pub(super) our_addresses: &'a [IpAddr],
    /// What a reader is told that the rows come from.
    pub(super) sources: Vec<String>,
    /// As of when it is told what expires: one time for all that is made of the same rows.
    pub(super) now: SystemTime,
    /// Asked again and again; where it says so, that is a failure.
    pub(super) is_to_stop: &'a (dyn Fn() -> bool + Sync),
}

impl How<'_> {
    fn go_on(&self) -> Result<(), Failure> {
        if (self.is_to_stop)() { Err(Failure::failed("it was to stop")) } else { Ok(()) }
    }
}

/// Reads everything twice, and writes it; the files are still to be put in their places.
fn write(
    inputs: &[Input],
    outputs: Vec<Output>,
    layout: &LayoutArgs,
    how: &How<'_>,
) -> Result<(Report, Vec<Fresh>), Failure> {
    // Of columns that were chosen none is missing, but what is made of all rows has all columns.
    let takes_all = !layout.has_chosen() || outputs.iter().any(|output| output.format().is_none());
    let Survey { overview, others, remarks, lengths } = survey(inputs, layout, takes_all, how)?;
    let begun = outputs.into_iter().map(|output| output.begin(layout, &others));
    let mut outputs = begun.collect::<Result<Vec<_>, _>>()?;
    let mut report = Report { overview, ..Report::default() };
    for (input, length) in inputs.iter().zip(lengths) {
        for row in input.rows(&input.file()?, length)? {
            how.go_on()?;
            let mut row = row.map_err(Failure::failed)?;
            if report.take(how, &mut row) {
                outputs.iter_mut().try_for_each(|output| output.write(&row))?;
            }
        }
    }
    let notes: Vec<_> = remarks.into_iter().chain(report.notes()).collect();
    let told = Told { sources: &how.sources, now: how.now, notes: &notes, overview: &report.overview };
    let files = outputs.into_iter().map(|output| output.finish(told, how.is_to_stop)).collect::<Result<_, _>>()?;
    Ok((report, files))
}

/// What can be read twice.
struct Input {
    name: String,
    from: From,
}

enum From {
    File(PathBuf),
    /// What stdin, a pipe or a device said, in a file without a name.
    Spool(File),
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        let is_stdin = path == Path::new("-");
        if !is_stdin && !is_stream(path) {
            return Ok(Self { name: path.display().to_string(), from: From::File(path.to_owned()) });
        }
        let (name, mut source): (_, Box<dyn Read>) = if is_stdin {
            ("stdin".to_owned(), Box::new(io::stdin().lock()))
        } else {
            let name = path.display().to_string();
            let source = File::open(path).map_err(|error| cannot_read(&name, &error))?;
            (name, Box::new(source))
        };
        let spool = tempfile::tempfile().and_then(|mut spool| {
            io::copy(&mut source, &mut spool)?;
            Ok(spool)
        });
        let spool = spool.map_err(|error| {
            Failure::failed(format!("cannot keep what {name} says: {error}; TMPDIR says where to keep it"))
        })?;
        Ok(Self { name, from: From::Spool(spool) })
    }

    /// Whether there is nothing in it, not even a header.
    fn is_empty(&self) -> bool {
        let about = match &self.from {
            From::File(path) => path.metadata(),
            From::Spool(spool) => spool.metadata(),
        };
        about.is_ok_and(|about| about.len() == 0)
    }

    fn file(&self) -> Result<File, Failure> {
        let file = match &self.from {
            From::File(path) => File::open(path),
            From::Spool(spool) => spool.try_clone().and_then(|mut spool| spool.rewind().map(|()| spool)),
        };
        let file = file.and_then(|file| {
            let is_folder = file.metadata()?.is_dir();
            if is_folder { Err(io::Error::from(ErrorKind::IsADirectory)) } else { Ok(file) }
        });
        file.map_err(|error| cannot_read(&self.name, &error))
    }

    /// The rows of so many bytes.
    fn rows<'a>(&self, file: &'a File, most: u64) -> Result<Rows<BufReader<Take<&'a File>>>, Failure> {
        let rows = Rows::new(&self.name, file.take(most)).map_err(Failure::failed)?;
        let is_of_a_scan = matches!(&self.from, From::File(path) if provenance::is_of_a_scan(path));
        Ok(if is_of_a_scan { rows.of_a_scan() } else { rows })
    }
}

fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot read {name}: {error}"))
}

/// What the first pass shows.
struct Survey {
    overview: Overview,
    /// Columns of somebody else's, of all files.
    others: Vec<Arc<str>>,
    /// Where files broke off and what is left out, in words.
    remarks: Vec<String>,
    /// How much of each file was read: what is added to it meanwhile is no part of what is told.
    lengths: Vec<u64>,
}

/// So many columns of somebody else's that NDJSON has are taken without being asked for: a header is bounded, and keys are
/// not.
const MAX_OTHERS: usize = 64;

fn survey(inputs: &[Input], layout: &LayoutArgs, takes_all: bool, how: &How<'_>) -> Result<Survey, Failure> {
    let mut sweep = Sweep::new(Bounds::REPORT);
    let (mut remarks, mut left_out, mut lengths) = (Vec::new(), None, Vec::with_capacity(inputs.len()));
    let (mut others, mut sums): (Vec<Arc<str>>, Vec<(u64, u64)>) = (Vec::new(), Vec::new());
    for input in inputs {
        let mut file = input.file()?;
        let mut rows = input.rows(&file, u64::MAX)?;
        let new = rows.other_columns().filter(|name| !others.contains(name)).cloned().collect::<Vec<_>>();
        others.extend(new);
        let (mut count, mut sum, mut has_unanswered) = (0u64, 0u64, false);
        for row in rows.by_ref() {
            how.go_on()?;
            let row = row.map_err(Failure::failed)?;
            (count, sum) = (count.saturating_add(1), sum.wrapping_add(digest(&row)));
            let asked = layout.others().filter(|name| row.other(name).is_some()).map(Arc::from);
            let new = asked.filter(|name| !others.contains(name)).collect::<Vec<_>>();
            others.extend(new);
            let new = row.other_names().filter(|name| !others.iter().any(|other| **other == **name));
            let new = new.filter(|name| Field::named(name).is_none()).map(Arc::from).collect::<Vec<_>>();
            for name in new {
                if others.len() < MAX_OTHERS { others.push(name) } else { left_out = left_out.or(Some(name)) }
            }
            if let Some(glimpse) = row.glimpse() {
                has_unanswered |= matches!(glimpse.outcome, Outcome::Refused | Outcome::Unreachable | Outcome::Timeout);
                sweep.learn(&glimpse);
            }
        }
        if let Some(words) = provenance::end(&rows) {
            let words = format!("{}: {words}", escape(input.name.as_bytes()));
            tell(&words);
            remarks.push(words);
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
        drop(rows);
        lengths.push(file.stream_position().map_err(|error| cannot_read(&input.name, &error))?);
    }
    if let Some(name) = left_out.filter(|_| takes_all) {
        let words = format!(
            "rows have more than {MAX_OTHERS} columns that are none of ours: '{}' and others are in NDJSON alone; --columns \
             takes those that are named",
            escape(name.as_bytes())
        );
        tell(&words);
        remarks.push(words);
    }
    Ok(Survey { overview: sweep.overview(), others, remarks, lengths })
}

/// As of `2026-11-21T03:11:00.123456Z` up to its seconds: spreadsheets have no more.
const SECONDS: usize = 19;

/// What tells one row from another, in any format and dialect.
fn digest(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    let time = row.text(Column::Time);
    time.as_deref().map(|time| time.get(..SECONDS).unwrap_or(time)).hash(&mut hasher);
    for column in [Column::Name, Column::Ip, Column::Port, Column::Service] {
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
    fn take(&mut self, how: &How<'_>, row: &mut Row) -> bool {
        let is_middlebox = || row.glimpse().is_some_and(|glimpse| self.overview.is_of_a_middlebox(&glimpse));
        if how.without_middleboxes && is_middlebox() {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        }
        self.raised = self.raised.saturating_add(raise(row, &self.overview, how.our_addresses).into());
        self.census.count(row);
        true
    }

    /// What a reader of the rows has to know about them.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.left_out > 0 {
            notes.push(format!("{} rows of middleboxes are left out.", HumanCount(self.left_out)));
        }
        if self.raised > 0 {
            notes.push(format!("Of {} rows others say more: see 'evidence'.", HumanCount(self.raised)));
        }
        notes
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
        let tone = Tone::of_stdout();
        outcomes(text, tone, &self.census.ports().collect::<Vec<_>>())?;
        software(text, tone, tally)?;
        fronting(text, tone, tally)?;
        findings(text, tone, tally)?;
        middleboxes(text, &self.overview)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Both formats of one scan hold the same rows, also where one of them is for spreadsheets.
    #[test]
    fn a_row_is_the_same_in_every_dialect() {
        let digests =
            |text: &str| Rows::new("rows", text.as_bytes()).unwrap().map(|row| digest(&row.unwrap())).collect();
        let ndjson: Vec<_> = digests(
            "{\"time\":\"2026-11-21T03:11:00.123456Z\",\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\
             \"outcome\":\"silent\"}\n",
        );
        let csv = |time: &str| -> Vec<u64> {
            digests(&format!("time;ip;port;service;outcome\r\n{time};192.0.2.1;21;ftp;silent\r\n"))
        };
        assert_eq!(csv("2026-11-21T03:11:00.123456Z"), ndjson);
        assert_eq!(csv("2026-11-21 03:11:00"), ndjson);
        assert_ne!(csv("2026-11-21 03:11:01"), ndjson);
    }

    fn how(now: SystemTime, is_to_stop: &(dyn Fn() -> bool + Sync)) -> How<'_> {
        How { without_middleboxes: false, our_addresses: &[], sources: vec![], now, is_to_stop }
    }

    fn make_and_put(rows: &Path, report: formats::Report, path: &Path, how: &How<'_>) -> Result<(), Failure> {
        make(rows, report, path, how)?.into_iter().try_for_each(Fresh::put)
    }

    /// The time is that of whoever has it made, who may have more than one made.
    #[test]
    fn a_report_is_as_of_the_time_that_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let [rows, page] = ["rows.csv", "page.html"].map(|name| folder.path().join(name));
        fs::write(&rows, "ip,port,service,outcome\n192.0.2.1,21,ftp,silent\n").unwrap();
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        make_and_put(&rows, formats::Report::Html, &page, &how(now, &|| false)).unwrap();
        let page = fs::read_to_string(page).unwrap();
        assert!(page.contains(", 2001-09-09 01:46 UTC. "));
    }

    /// A scan may be writing to it.
    #[test]
    fn what_is_added_meanwhile_is_no_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let rows = |hosts: std::ops::Range<u8>| {
            hosts.map(|host| format!("192.0.2.{host},21,ftp,silent\n")).collect::<Vec<_>>().concat()
        };
        fs::write(&path, format!("ip,port,service,outcome\n{}", rows(1..3))).unwrap();
        // Each row is asked for twice.
        let count = AtomicU32::new(0);
        let is_to_stop: &(dyn Fn() -> bool + Sync) = &|| {
            if count.fetch_add(1, Ordering::Relaxed) == 2 {
                fs::File::options().append(true).open(&path).unwrap().write_all(rows(3..9).as_bytes()).unwrap();
            }
            false
        };
        let how = how(SystemTime::now(), is_to_stop);
        let (told, _) = write(&[Input::open(&path).unwrap()], vec![], &LayoutArgs::default(), &how).unwrap();
        assert_eq!((told.census.tally().rows, count.into_inner()), (2, 4));
    }

    /// Whenever it is asked to stop, be it that rows are read or that the file is written, what was there stays.
    #[test]
    fn what_is_to_stop_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let rows = folder.path().join("rows.csv");
        fs::write(&rows, "ip,port,service,outcome\n192.0.2.1,21,ftp,silent\n192.0.2.2,21,ftp,silent\n").unwrap();
        for (report, name) in [(formats::Report::Xlsx, "rows.xlsx"), (formats::Report::Html, "rows.html")] {
            let path = folder.path().join(name);
            fs::write(&path, "precious").unwrap();
            // Each row is asked for twice, then what is written.
            for (asked, is_done) in [(0, false), (1, false), (3, false), (4, false), (5, false), (u32::MAX, true)] {
                let count = AtomicU32::new(0);
                let is_to_stop: &(dyn Fn() -> bool + Sync) = &|| count.fetch_add(1, Ordering::Relaxed) >= asked;
                let how = how(SystemTime::now(), is_to_stop);
                assert_eq!(make_and_put(&rows, report, &path, &how).is_ok(), is_done, "{name}: {asked}");
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{name}: {asked}");
                assert_eq!(fs::read(&path).unwrap() == b"precious", !is_done, "{name}: {asked}");
            }
            fs::remove_file(path).unwrap();
        }
    }
}
