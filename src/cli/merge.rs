//! `hailer merge`: shards joined to the whole, once their manifests prove that they are all of it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use hailer::inventory::Census;
use hailer::inventory::merge::{Checked, JoinError, Merge, PartFile, Whole, check, whole};
use hailer::manifest::Output as Recorded;
use hailer::output::escape::inert;
use hailer::output::sync_folder;
use hailer::{Config, Shard};
use indicatif::HumanCount;

use super::beside::Beside;
use super::demo::shown;
use super::fresh::{cannot_write, is_stdout, is_stream};
use super::layout::LayoutArgs;
use super::provenance::{Provenance, cannot_sort, rows};
use super::written::{Begun, Form, Output, Told, named, refuse_twice};
use super::{Ended, Failure, tell};

const AFTER: &str = "\
Each part is the output of a scan with --shard, as its scan left it, with FILE.manifest.json beside it. The whole has every \
row of every part once, in the order of the addresses, with what only all of them together say of each, and a manifest of \
its own; as .xlsx it is a workbook, as .html a page. Nothing is written where a shard is missing or twice, where parts are of different scans, or where a file is not \
what its manifest says; each of these is told, with what to do.

Rows are sorted in a temporary file; TMPDIR says where.

Exit codes: 0 done, 1 failed, also where something is missing, 2 usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct MergeArgs {
    /// The outputs of the shards, CSV or NDJSON
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,

    /// Write the whole here: .csv, .ndjson or .jsonl; or .xlsx for a workbook, .html for a page; may repeat
    #[arg(short, long, required = true, value_name = "WHOLE")]
    output: Vec<PathBuf>,

    /// Join what there is where shards are missing; the manifest names them
    #[arg(long)]
    partial: bool,

    /// Replace output files that exist, with their manifests
    #[arg(long)]
    overwrite: bool,

    /// An address that is ours: servers that see us there are not behind a proxy; may repeat
    #[arg(long, value_name = "ADDRESS")]
    our_address: Vec<IpAddr>,
}

pub(super) fn run(args: &MergeArgs) -> Result<Ended, Failure> {
    Config::check_our_addresses(&args.our_address)?;
    let outputs = outputs(args)?;
    let parts = parts(&args.parts)?;
    let checked = check(&parts);
    refuse_what_is_wrong(args, &parts, &checked)?;
    let merge = gather(args, &parts)?;
    let layout = LayoutArgs::default();
    let begun = outputs.iter().map(|(path, form)| Output::open(path, *form)?.begin(&layout, merge.other_columns()));
    let mut begun = begun.collect::<Result<Vec<_>, _>>()?;
    let mut joined = merge.join(&args.our_address).map_err(Failure::failed)?;
    let (census, rows) = write(&mut joined, &mut begun, &args.parts)?;
    let notes: Vec<_> = checked.missing.iter().map(|shard| format!("Shard {shard} is missing.")).collect();
    let sources: Vec<_> = parts.iter().map(|part| part.name.clone()).collect();
    let told = Told { sources: &sources, now: SystemTime::now(), notes: &notes, overview: joined.overview() };
    let whole_files = begun.into_iter().map(|output| output.finish(told, &|| false)).collect::<Result<Vec<_>, _>>()?;
    for (file, (path, _)) in whole_files.into_iter().zip(&outputs) {
        file.put_anew()?;
        sync_folder(path).map_err(|error| cannot_write(path, &error))?;
    }
    let Some(mut manifest) = whole(&parts, &checked.missing, &census, joined.overview()) else {
        return Err(Failure::usage("there is no part"));
    };
    manifest.command_line = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    for (path, form) in &outputs {
        let path = std::path::absolute(path).map_err(Failure::failed)?;
        manifest.outputs.push(Recorded::read(&path, form.as_str(), rows).map_err(Failure::failed)?);
    }
    let Some((first, _)) = outputs.first() else { return Err(Failure::usage("name an output: -o WHOLE.csv")) };
    manifest.write(&Beside::new(first.clone()).manifest()).map_err(Failure::failed)?;
    let counted = |count: u64, noun| format!("{} {noun}{}", HumanCount(count), if count == 1 { "" } else { "s" });
    let [shards, missing] = [parts.len(), checked.missing.len()].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    let lack = if missing == 0 { String::new() } else { format!(", {} missing", counted(missing, "shard")) };
    let (rows, endpoints, parts) =
        (counted(rows, "row"), counted(manifest.endpoints.total, "endpoint"), counted(shards, "part"));
    tell(format_args!("{rows} of {endpoints}, from {parts}{lack}"));
    Ok(Ended::Done)
}

/// Each part with its manifest.
fn parts(paths: &[PathBuf]) -> Result<Vec<PartFile>, Failure> {
    let mut problems = Vec::new();
    let mut parts = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        match Provenance::of(path)? {
            Provenance::Told(told) => {
                let (manifest, output) = *told;
                let rows = manifest.outputs.iter().find(|told| told.sha256 == output.sha256).map(|told| told.rows);
                let output = Recorded { rows: rows.unwrap_or_default(), ..output };
                parts.push(PartFile { name, manifest, output });
            }
            Provenance::Untold => problems.push(format!(
                "{name}: there is no {}: what it covers cannot be proved; put its manifest beside it",
                Beside::new(path.clone()).manifest().display()
            )),
            Provenance::Unfinished(first) => {
                problems.push(format!(
                    "{name}: its scan is not done: run hailer scan --resume {}",
                    shown(first.as_os_str())
                ));
            }
            Provenance::Unreadable(path, error) => {
                problems.push(format!("{}: it cannot be read: {error}; restore it", path.display()));
            }
        }
    }
    if problems.is_empty() { Ok(parts) } else { Err(told_all(&problems)) }
}

/// Says all that is wrong, and which command makes each shard that is missing.
fn refuse_what_is_wrong(args: &MergeArgs, parts: &[PartFile], checked: &Checked) -> Result<(), Failure> {
    for remark in &checked.remarks {
        tell(inert(remark.into()));
    }
    let mut problems = checked.problems.clone();
    for shard in &checked.missing {
        let command = parts.first().map(|part| command(part, *shard)).unwrap_or_default();
        let is_read_once = |word: &str| word == "-" || word.contains("/dev/fd/") || word.contains("/dev/stdin");
        let once = command.split(' ').any(is_read_once);
        let once = if once { "; what it read from stdin or a pipe is to be given once more" } else { "" };
        let words = format!("shard {shard} is missing: run {command}{once}");
        if args.partial {
            tell(inert(words.into()));
        } else {
            problems.push(words);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(told_all(&problems)) }
}

fn told_all(problems: &[String]) -> Failure {
    // One a line: what is told last is made inert as a whole, so that all but the last are told here.
    let Some((last, before)) = problems.split_last() else { return Failure::failed("nothing is wrong") };
    for problem in before {
        tell(format_args!("hailer: {}", inert(problem.into())));
    }
    Failure::failed(last)
}

/// The command that makes another shard, from the one that made this part.
fn command(part: &PartFile, shard: Shard) -> String {
    let is_of_shard = |word: &&String| {
        !["--shard=", "--shard-index=", "--shard-count=", "--output="].iter().any(|option| word.starts_with(option))
    };
    let kept = part.manifest.scan_command_line().iter().filter(is_of_shard);
    let (mut words, mut targets): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for word in kept.skip(2) {
        let is_option = targets.is_empty() && word.starts_with('-') && word != "-";
        if is_option { words.push(word.clone()) } else { targets.push(word.clone()) }
    }
    // So that it is the same scan where targets have changed since, or it was given.
    if !words.iter().any(|word| word.starts_with("--seed=")) {
        words.push(format!("--seed={}", part.manifest.seed));
    }
    words.push(format!("--shard={shard}"));
    words.push(format!("--output={}", beside(&part.output.path, shard).display()));
    // Options end where `--` stands, which goes last of them.
    words.sort_by_key(|word| word == "--");
    let words = ["hailer".to_owned(), "scan".to_owned()].into_iter().chain(words).chain(targets);
    words.map(|word| shown(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Where another shard may be written: `shard-3-of-16.csv`, in the folder of this one.
fn beside(path: &Path, shard: Shard) -> PathBuf {
    let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
    let number = u64::from(shard.index()) + 1;
    let named = path.with_file_name(format!("shard-{number}-of-{}.{ending}", shard.count()));
    std::path::absolute(&named).unwrap_or(named)
}

/// Reads all rows of all parts.
fn gather(args: &MergeArgs, parts: &[PartFile]) -> Result<Merge, Failure> {
    let mut merge = Merge::default();
    for ((number, part), path) in (0..).zip(parts).zip(&args.parts) {
        let (mut rows, mut count) = (rows(path)?, 0u64);
        for row in rows.by_ref() {
            let row = row.map_err(Failure::failed)?;
            merge.take(number, &row).map_err(|error| cannot_sort(&error))?;
            count = count.saturating_add(1);
        }
        let (name, told) = (&part.name, part.output.rows);
        if let Some(line) = rows.torn() {
            return Err(Failure::failed(format!("{name}:{line}: the line broke off; restore the file")));
        }
        if count != told {
            let words = format!("{name}: here are {count} rows, and its manifest says {told}; restore both");
            return Err(Failure::failed(words));
        }
    }
    Ok(merge)
}

fn write(joined: &mut Whole, begun: &mut [Begun], names: &[PathBuf]) -> Result<(Census, u64), Failure> {
    let (mut census, mut rows) = (Census::default(), 0u64);
    for row in joined {
        let row = row.map_err(|error| cannot_join(&error, names))?;
        census.count(&row);
        begun.iter_mut().try_for_each(|output| output.write(&row))?;
        rows = rows.saturating_add(1);
    }
    Ok((census, rows))
}

fn cannot_join(error: &JoinError, names: &[PathBuf]) -> Failure {
    match error {
        JoinError::Twice { endpoint, parts } => {
            let [one, other] = parts.map(|part| {
                let path = usize::try_from(part).ok().and_then(|part| names.get(part));
                path.map(|path| path.display().to_string()).unwrap_or_default()
            });
            Failure::failed(format!("{endpoint} is both in {one} and in {other}: they are not of one scan"))
        }
        JoinError::Disk(_) => Failure::failed(error),
    }
}

/// Where the whole goes, where that may be.
fn outputs(args: &MergeArgs) -> Result<Vec<(PathBuf, Form)>, Failure> {
    refuse_twice(&args.parts)?;
    for path in &args.output {
        let refuse = |words: &str| Err(Failure::usage(format!("-o {}: {words}", path.display())));
        if is_stdout(path) || is_stream(path) {
            return refuse("its manifest has its digest, which only a regular file keeps: name one");
        }
    }
    named(&args.output, &args.parts, "it is a part", args.overwrite, None)
}
