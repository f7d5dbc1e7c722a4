//! `hailer diff`: what differs between two results, or between results and what should be there.

mod notes;
mod output;
mod tell;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use hailer::inventory::Row;
use hailer::inventory::diff::{
    About, ChangeWriter, Changes, Choice, Coverage, Diff, Expectations, Kind, MORE_FIELDS, Side, Source, are_alike,
};
use hailer::output::escape::escape;
use hailer::output::{Column, Format};

use self::notes::{left_out, shorter, unasked};
use self::output::{Begun, Output};
use self::tell::Lines;
use super::fresh::{is_stdout, is_stream};
use super::provenance::{self, Provenance, cannot_sort, is_stdin, rows};
use super::same::refuse_stdout;
use super::written::named;
use super::{Ended, Failure, tell as say};

const AFTER: &str = "\
Results are the outputs of scans, CSV or NDJSON, with their manifests beside them (FILE.manifest.json). The manifest proves \
what was probed: without that of NEW nothing is told to have vanished, but `not_scanned`. Several files a side, as the \
shards of a scan, are named by --old and --new.

Kinds: appeared, vanished, changed, moved (the same name at another address), renewed (a certificate), not_answered (probed, \
and nothing came back), not_scanned, newly_scanned; with --expect missing, unexpected, differs.

What is no difference: times, dates, ids and counters in greetings, the order of lists, what only one of the scans asked, \
postscreen's memory of who was there before, and a pool of servers that takes turns (--samples).

Rows are sorted in temporary files; TMPDIR says where.

Exit codes: 0 nothing differs, 1 failed, 2 usage, 5 something differs.";

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct DiffArgs {
    /// OLD and NEW; with --expect any number of results; - for stdin
    #[arg(value_name = "RESULTS", required_unless_present_all = ["old", "new"])]
    results: Vec<PathBuf>,

    /// Results of the old side, where they are several; goes with --new
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "new", conflicts_with_all = ["results", "expect"])]
    old: Vec<PathBuf>,

    /// Results of the new side, where they are several; goes with --old
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "old", conflicts_with_all = ["results", "expect"])]
    new: Vec<PathBuf>,

    /// Compare results with what should be there: CSV with a header, port, ip or name, and any columns of rows beside; an empty cell says nothing
    #[arg(long, value_name = "INVENTORY")]
    expect: Option<PathBuf>,

    /// Tell these kinds alone, as appeared,vanished; may repeat
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    only: Vec<Kind>,

    /// Not differences of this field, as hostname,banner; may repeat
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = field)]
    ignore: Vec<String>,

    /// Write the differences here: .csv, .ndjson or .jsonl; or .xlsx for a workbook, .html for a page, both with figures and charts, the worst first; - for stdout, NDJSON in place of the lines; may repeat
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,

    /// Replace output files that exist
    #[arg(long)]
    overwrite: bool,

    /// Nothing on stdout: the exit code says whether something differs
    #[arg(short, long)]
    quiet: bool,
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::named(word).ok_or_else(|| format!("write one of {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

fn field(word: &str) -> Result<String, String> {
    let known = Column::ALL.map(Column::as_str).into_iter().chain(MORE_FIELDS).collect::<Vec<_>>();
    if known.contains(&word) {
        return Ok(word.to_owned());
    }
    let like = known.iter().max_by(|one, other| {
        let likeness = |field: &str| strsim::jaro_winkler(field, word);
        likeness(one).total_cmp(&likeness(other))
    });
    Err(format!("it is no field: did you mean {}?", like.copied().unwrap_or_default()))
}

pub(super) fn run(args: &DiffArgs) -> Result<Ended, Failure> {
    let choice = Choice { only: args.only.clone(), ignore: args.ignore.clone() };
    let mut about = About { is_of_expectations: args.expect.is_some(), notes: limits(&choice), ..About::default() };
    let (mut changes, outputs) = if let Some(expected) = &args.expect {
        let outputs = outputs(args, &[&args.results[..], std::slice::from_ref(expected)].concat())?;
        (against(expected, &args.results, choice, &mut about)?, outputs)
    } else {
        let [old, new] = sides(args)?;
        let outputs = outputs(args, &[old, new].concat())?;
        (between(old, new, choice, &mut about)?, outputs)
    };
    write(args, &mut changes, &about, outputs)
}

fn outputs(args: &DiffArgs, inputs: &[PathBuf]) -> Result<Vec<Output>, Failure> {
    if inputs.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::usage("- is named twice: stdin is read once"));
    }
    if !args.quiet || args.output.iter().any(|path| is_stdout(path)) {
        refuse_stdout(inputs)?;
    }
    let named = named(&args.output, inputs, "it is compared", args.overwrite, Some(Format::Ndjson))?;
    named.into_iter().map(Output::open).collect()
}

/// What the reader of a file cannot see in it.
fn limits(choice: &Choice) -> Vec<String> {
    let only = choice.only.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let parts = [("These kinds alone are told", only), ("Not told are differences of", choice.ignore.join(", "))];
    let told = parts.iter().filter(|(_, list)| !list.is_empty());
    told.map(|(words, list)| format!("{words}: {list}.")).collect()
}

/// Says something, also to whoever reads a file of the differences.
fn note(about: &mut About, words: &str) {
    let words = escape(words.as_bytes());
    say(&words);
    about.notes.push(words);
}

/// The files of each side.
fn sides(args: &DiffArgs) -> Result<[&[PathBuf]; 2], Failure> {
    match args.results.as_slice() {
        [] => Ok([&args.old, &args.new]),
        [old, new] => Ok([std::slice::from_ref(old), std::slice::from_ref(new)]),
        _ => {
            Err(Failure::usage("name OLD and NEW, one file each; where they are several: --old FILE... --new FILE..."))
        }
    }
}

fn between(old: &[PathBuf], new: &[PathBuf], choice: Choice, about: &mut About) -> Result<Changes, Failure> {
    let [old_coverage, new_coverage] = [coverage(old, Side::Old, about)?, coverage(new, Side::New, about)?];
    let mut diff = Diff::new(choice);
    let mut lacking = [old_coverage.lacking(), new_coverage.lacking()].concat();
    for (side, paths) in [(Side::Old, old), (Side::New, new)] {
        lacking.extend(each_row(paths, about, |file, row| diff.take_of(side, file, row))?);
    }
    let lacking: Vec<_> = Column::ALL.into_iter().filter(|column| lacking.contains(column)).collect();
    diff.lacks(lacking.iter().copied());
    if !lacking.is_empty() {
        note(about, &format!("not compared, since a file does not have it: {}", names(&lacking)));
    }
    let depths = depths(&diff, [&old_coverage, &new_coverage]);
    let changes = diff.finish(&old_coverage, &new_coverage).map_err(|error| cannot_sort(&error))?;
    for words in ["OLD", "NEW"].into_iter().enumerate().flat_map(|(at, side)| left_out(side, at, changes.summary())) {
        note(about, &words);
    }
    for words in depths.into_iter().chain(others(&old_coverage, &new_coverage)) {
        note(about, &words);
    }
    if changes.summary().total() > 0 {
        for words in shorter(&old_coverage, &new_coverage) {
            note(about, &words);
        }
    }
    Ok(changes)
}

/// By what else rows were judged, where that is not the same.
fn others(old: &Coverage, new: &Coverage) -> Vec<String> {
    let wordlists =
        "OLD and NEW were named by other wordlists: of the same greeting, what is made of it is not compared";
    let roots = "certificates of OLD and NEW were judged by other --roots: whether they are trusted is not compared";
    let all = [([old.wordlists(), new.wordlists()], wordlists), ([old.roots(), new.roots()], roots)];
    all.into_iter().filter(|(sides, _)| !are_alike(sides)).map(|(_, words)| words.to_owned()).collect()
}

/// What both sides were asked, where that is not the same.
fn depths(diff: &Diff, coverages: [&Coverage; 2]) -> Option<String> {
    let depths = diff.depths(coverages);
    if are_alike(&depths) {
        return None;
    }
    let told = |depths: &[&str], coverage: &Coverage| {
        let as_shown = if coverage.depths().is_empty() { ", as its rows show" } else { "" };
        format!("{}{as_shown}", depths.join(" and "))
    };
    let [old, new] = [told(&depths[0], coverages[0]), told(&depths[1], coverages[1])];
    Some(format!("OLD was asked at --depth {old}, NEW at {new}: what only one of them asked is not compared"))
}

fn against(expected: &Path, results: &[PathBuf], choice: Choice, about: &mut About) -> Result<Changes, Failure> {
    if is_stdin(expected) || is_stream(expected) {
        let words = "a pipe is read once, and an inventory twice: save it in a file";
        return Err(Failure::usage(format!("--expect {}: {words}", expected.display())));
    }
    about.sources.push(Source::new(Side::Old, &expected.display().to_string()));
    let coverage = coverage(results, Side::New, about)?;
    let mut lines = Expectations::read(expected).map_err(Failure::failed)?;
    if !lines.own_columns().is_empty() {
        let columns = lines.own_columns().join(", ");
        let name = expected.display();
        note(about, &format!("{name}: rows have no such columns, which are passed over: {columns}"));
    }
    let passing = lines.passing();
    if !passing.is_empty() {
        let name = expected.display();
        note(about, &format!("{name}: what is another each time is not compared: {}", names(&passing)));
        lines.disregard(&passing);
    }
    let mut expecting = Expectations::begin(choice);
    let mut lacking = each_row(results, about, |file, row| expecting.take_of(file, row))?;
    lacking.extend(coverage.lacking());
    let lacking: Vec<_> = lines.columns().into_iter().filter(|column| lacking.contains(column)).collect();
    if !lacking.is_empty() {
        let columns = names(&lacking);
        let name = expected.display();
        note(about, &format!("{name}: results have no such columns, which are not compared: {columns}"));
        lines.disregard(&lacking);
    }
    let changes = expecting.finish(lines, &coverage).map_err(|error| cannot_sort(&error))?;
    for words in unasked(changes.summary()).into_iter().chain(left_out("results", 1, changes.summary())) {
        note(about, &words);
    }
    Ok(changes)
}

/// What the manifests of some files prove; where they prove nothing, that is told.
fn coverage(paths: &[PathBuf], side: Side, about: &mut About) -> Result<Coverage, Failure> {
    let mut coverage = Coverage::default();
    for path in paths {
        let name = provenance::named(path);
        let source = Source::new(side, &name);
        let why = match Provenance::of(path)? {
            Provenance::Told(told) => {
                let (manifest, output) = *told;
                if manifest.outputs.iter().any(|told| told.sha256 == output.sha256) {
                    coverage.add(&manifest).map_err(|words| {
                        Failure::failed(format!(
                            "{name}: the scope in its manifest cannot be read: {words}; restore it"
                        ))
                    })?;
                    about.sources.push(source.scanned(&manifest));
                    continue;
                }
                "it was changed since its scan ended, so that its manifest does not say what was probed".to_owned()
            }
            Provenance::Untold => "there is no manifest beside it, so that nothing says what was probed".to_owned(),
            Provenance::Unfinished(_) => "its scan is not done, so that nothing says what was probed".to_owned(),
            Provenance::Unreadable(manifest, error) => {
                return Err(Failure::failed(format!(
                    "{}: it cannot be read: {error}; restore it, or take it away",
                    manifest.display()
                )));
            }
        };
        say(escape(format!("{name}: {why}").as_bytes()));
        about.sources.push(source.lacking(&why));
        coverage.add_untold(why.split(',').next().unwrap_or_default());
    }
    Ok(coverage)
}

/// Takes every row, with how many files come before its own; which columns a file does not have.
fn each_row(
    paths: &[PathBuf],
    about: &mut About,
    mut take: impl FnMut(usize, &Row) -> io::Result<()>,
) -> Result<Vec<Column>, Failure> {
    let mut lacking = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        let mut rows = rows(path)?;
        let name = provenance::named(path);
        for row in rows.by_ref() {
            take(file, &row.map_err(Failure::failed)?).map_err(|error| cannot_sort(&error))?;
        }
        lacking.extend(Column::ALL.into_iter().filter(|column| !rows.has(*column)));
        if let Some(words) = provenance::end(&rows) {
            note(about, &format!("{name}: {words}"));
        }
        if rows.is_empty() {
            note(about, &format!("{name}: it is empty"));
        }
    }
    Ok(lacking)
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.as_str()).collect::<Vec<_>>().join(", ")
}

/// Tells all of it everywhere.
fn write(args: &DiffArgs, changes: &mut Changes, about: &About, outputs: Vec<Output>) -> Result<Ended, Failure> {
    let is_taken = args.output.iter().any(|path| is_stdout(path));
    let mut lines = (!args.quiet && !is_taken).then(|| Lines::new(args.expect.is_some()));
    let summary = changes.summary().clone();
    let begun = outputs.into_iter().map(|output| output.begin(about, &summary));
    let mut outputs = begun.collect::<Result<Vec<_>, _>>()?;
    told(&mut lines, |lines| lines.begin(&summary))?;
    for change in changes {
        let change = change.map_err(|error| cannot_sort(&error))?;
        outputs.iter_mut().try_for_each(|output| output.write(&change))?;
        told(&mut lines, |lines| lines.change(&change))?;
    }
    outputs.into_iter().try_for_each(Begun::end)?;
    if let Some(lines) = lines {
        is_read(Box::new(lines).end())?;
    }
    Ok(if summary.total() == 0 { Ended::Done } else { Ended::Findings })
}

/// Says something on stdout, as long as somebody reads it.
fn told(lines: &mut Option<Lines>, say: impl FnOnce(&mut Lines) -> io::Result<()>) -> Result<(), Failure> {
    if let Some(to) = lines
        && !is_read(say(to))?
    {
        *lines = None;
    }
    Ok(())
}

fn is_read(said: io::Result<()>) -> Result<bool, Failure> {
    match said {
        // Whoever has read enough may go.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::failed(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(true),
    }
}
