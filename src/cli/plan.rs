//! Arguments to what is done: files are read, targets and outputs checked against each other. Nothing is sent, and
//! nothing is written yet but what a scan keeps for the next run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use hailer::manifest::{Scope, Settings};
use hailer::output::{Column, Extra, Field, Format, hex};
use hailer::{
    Config, Family, Journal, Leave, Mark, Ports, Profile, Recorded, Roots, Scan, Shard, Targets, TargetsBuilder,
};
use indicatif::HumanCount;

use super::Failure;
use super::args::{LeaveArg, ProfileArg, ScanArgs};
use super::beside::{Beside, report_of};
use super::fresh::is_stdout;
use super::kept::{Facts, Kept, now};
use super::layout::{Layouts, NEEDED};
use super::outputs::{Destination, Output};
use super::reports;
use super::resume::Resumed;
use super::same::{Identity, refuse_stdout};
use super::spool::Spool;
use super::values::ConnectTimeout;
use super::wordlists;

/// Which rows those are only the order of the file tells.
const OTHER_WORDLISTS: &str =
    "the wordlists are others than before: rows written so far keep the names that those gave";

/// The same of them.
const OTHER_DEPTH: &str = "--depth is another than before: rows written so far tell what was asked then";

/// A scan and where its rows go.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) scan: Scan,
    pub(super) destination: Destination,
    pub(super) layouts: Layouts,
    /// What lets another run go on, where the outputs allow it.
    pub(super) kept: Option<Kept>,
    pub(super) threads: u16,
    pub(super) quiet: bool,
    /// What people should know about the targets.
    pub(super) remarks: Vec<String>,
}

impl Plan {
    pub(super) fn new(args: ScanArgs) -> Result<Self, Failure> {
        let resumed = args.resume.as_deref().map(Resumed::open).transpose()?;
        let args = match &resumed {
            Some(resumed) => resumed.complete(args)?,
            None => args,
        };
        refuse_to_replace_inputs(&args)?;
        let destination = Destination::new(&args.output, args.overwrite, resumed.as_ref().map(|left| &left.journal))?;
        if let Some(resumed) = &resumed {
            resumed.is_left_still()?;
        }
        let layouts =
            Layouts::new(&args.layout, &destination.formats(), args.transcript)?.showing_dialogues(args.verbose);
        let lost = lost(&args, &destination, &layouts)?;
        if let Some(resumed) = &resumed {
            resumed.is_laid_out_so(&layouts.told())?;
        }
        let classifier = wordlists::classifier(args.wordlists.as_deref())?;
        let config = settings(&args)?;
        let config = match &resumed {
            Some(resumed) => resumed.settle(config)?,
            None => config,
        };
        let mut stdin = Stdin::of(&args, destination.beside.as_ref(), resumed.as_ref())?;
        let targets = targets(&args, Some(&mut stdin))?;
        let (mut remarks, targets_digest, ports) = (remarks(&targets), targets.digest(), targets.ports().clone());
        remarks.extend(lost);
        let scope = destination.beside.as_ref().map(|_| Scope::of(&targets)).transpose().map_err(Failure::failed)?;
        let mut builder = Scan::builder().targets(targets).config(config.clone()).classifier(classifier);
        if let Some(beside) = &destination.beside {
            builder = builder.names_log(beside.names());
        }
        let scan = match &resumed {
            Some(resumed) => {
                // Names that lie there are of a scan before.
                let builder = if resumed.journal.takes_over {
                    builder
                } else {
                    builder.resume(resumed.journal.mark.checkpoint.clone())
                };
                resumed.check(builder.build())?
            }
            None => builder.build()?,
        };
        let (threads, quiet) = (args.threads, args.quiet);
        let kept = match destination.beside.clone() {
            Some(beside) => {
                let is_resumed = resumed.is_some();
                let journal = journal(&scan, &config, args.given.record()?, &destination, resumed)?;
                let journal = Journal { layout: layouts.told(), ..journal };
                let before = |all: &[String]| all.split_last().map_or(&[][..], |(_, before)| before).to_owned();
                let [wordlists_before, depths_before] = [&journal.wordlists, &journal.depths].map(|all| before(all));
                let others = [(&wordlists_before, OTHER_WORDLISTS), (&depths_before, OTHER_DEPTH)];
                remarks
                    .extend(others.iter().filter(|(before, _)| !before.is_empty()).map(|(_, words)| (*words).into()));
                let facts = Facts {
                    command_line: command_line(&journal.command)?,
                    contact: contact(&args).map(str::to_owned),
                    targets_digest: hex(&targets_digest),
                    scope: scope.unwrap_or_default(),
                    columns: layouts.chosen(),
                    settings: Settings {
                        wordlists: folder(args.wordlists.as_deref())?,
                        wordlists_before,
                        depths_before,
                        ..Settings::new(&config, &scan, &ports)
                    },
                };
                let spool = if let Stdin::Spooled(spool) = stdin { Some(spool) } else { None };
                Some(Kept { beside, journal, is_resumed, has_journal: is_resumed, spool, facts })
            }
            None => None,
        };
        Ok(Self { scan, destination, layouts, kept, threads, quiet, remarks })
    }
}

/// That no rows take the place of what is read, nor are added to it.
fn refuse_to_replace_inputs(args: &ScanArgs) -> Result<(), Failure> {
    let list = |word: &String| word.strip_prefix('@').or((word == "-").then_some("-")).map(PathBuf::from);
    let lists = args.targets.iter().filter_map(list).map(|path| (path, "targets"));
    let excluded = args.exclude_file.iter().map(|path| (path.clone(), "exclusions"));
    let roots = match &args.roots {
        Roots::File(path) => Some((path.clone(), "roots")),
        Roots::Public | Roots::System => None,
    };
    let (inputs, of): (Vec<_>, Vec<_>) = lists.chain(excluded).chain(roots).unzip();
    for (input, of) in inputs.iter().zip(of) {
        let input = Identity::of_input(input);
        let is_it = |path: &&PathBuf| input.is_some() && Identity::of(path) == input;
        if let Some(output) = args.output.iter().find(is_it) {
            let words = format!("the {of} come from there: name another file");
            return Err(Failure::usage(format!("-o {}: {words}", output.display())));
        }
    }
    let is_for_stdout = args.output.is_empty() || args.output.iter().any(|path| is_stdout(path));
    if is_for_stdout { refuse_stdout(&inputs) } else { Ok(()) }
}

/// A folder, for whoever reads of it in another one.
fn folder(path: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    path.map(std::path::absolute).transpose().map_err(Failure::failed)
}

/// What the scan is, for the next run.
fn journal(
    scan: &Scan,
    config: &Config,
    command: BTreeMap<String, Vec<String>>,
    destination: &Destination,
    resumed: Option<Resumed>,
) -> Result<Journal, Failure> {
    let mut outputs = Vec::new();
    for file in destination.files() {
        let path = std::path::absolute(file.path).map_err(Failure::failed)?;
        let replaces = match &resumed {
            Some(resumed) => resumed.replaces(&path),
            None => None,
        };
        let mut output = Recorded { path, format: file.format.to_owned(), replaces };
        if output.replaces.is_none() && report_of(&output).is_some() {
            output.replaces = Some(reports::stamp(&output.path).into_iter().collect());
        }
        outputs.push(output);
    }
    // The header of a new output is a row like others: what is not marked is written again.
    let new = || Mark { lengths: vec![0; outputs.len()], ..Mark::default() };
    let digest = hex(scan.classifier().digest());
    let depth = config.depth.as_str();
    let (wordlists, depths) = match &resumed {
        Some(resumed) => (resumed.wordlists(&digest), resumed.depths(depth)),
        None => (vec![digest], vec![depth.to_owned()]),
    };
    let takes_over = resumed.as_ref().is_none_or(|resumed| resumed.journal.takes_over);
    let (began, mark) = resumed.map_or_else(|| (now(), new()), |resumed| resumed.began(&outputs));
    Ok(Journal {
        version: Journal::VERSION,
        hailer: env!("CARGO_PKG_VERSION").into(),
        began,
        digest: hex(&scan.digest()),
        seed: scan.seed(),
        shard: scan.shard().to_string(),
        all: config.all,
        layout: String::new(),
        command,
        wordlists,
        depths,
        takes_over,
        outputs,
        mark,
    })
}

fn command_line(command: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, Failure> {
    let words = super::given::Given::recorded(command).words().map_err(Failure::failed)?;
    Ok(words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect())
}

/// The settings that were given, over the library's defaults.
pub(super) fn settings(args: &ScanArgs) -> Result<Config, Failure> {
    let default = Config::default();
    Ok(Config {
        concurrency: args.concurrency,
        connect_timeout: match args.connect_timeout {
            Some(ConnectTimeout::Fixed(time)) => time,
            Some(ConnectTimeout::Auto) | None => default.connect_timeout,
        },
        learn_connect_timeout: args.connect_timeout == Some(ConnectTimeout::Auto),
        tls_timeout: args.tls_timeout.unwrap_or(default.tls_timeout),
        mail_greeting_timeout: args.greeting_timeout.unwrap_or(default.mail_greeting_timeout),
        ftp_greeting_timeout: args.greeting_timeout.unwrap_or(default.ftp_greeting_timeout),
        leave: match args.leave {
            LeaveArg::Quit => Leave::Quit,
            LeaveArg::Close => Leave::Close,
        },
        depth: args.depth.into(),
        anonymous: args.anonymous,
        ehlo_name: args.ehlo_name.clone(),
        samples: args.samples.unwrap_or(default.samples),
        sample_interval: args.sample_interval.unwrap_or(default.sample_interval),
        decoy: args.decoy,
        our_addresses: args.our_address.clone(),
        // What is to be shown must be kept that long.
        transcript: args.transcript || args.verbose,
        all: args.all,
        seed: args.seed,
        shard: shard(args)?,
        profile: args.profile.map(|profile| match profile {
            ProfileArg::Courteous => Profile::Courteous,
            ProfileArg::Own => Profile::Own,
            ProfileArg::Lan => Profile::Lan,
        }),
        rate: args.rate,
        per_prefix: args.per_prefix,
        per_host: args.per_host.unwrap_or(default.per_host),
        retries: args.retries.unwrap_or(default.retries),
        retry_busy: args.retry_busy.unwrap_or(default.retry_busy),
        canaries: args.canary.clone(),
        resolvers: args.resolver.clone(),
        roots: args.roots.clone(),
        // Leave that nobody can be asked about is none.
        authorised: args.i_am_authorised && contact(args).is_some(),
        source: args.source.clone(),
        interface: args.interface.clone(),
        ..default
    })
}

/// Whom to ask; words without a word are nobody.
fn contact(args: &ScanArgs) -> Option<&str> {
    args.contact.as_deref().filter(|contact| !contact.trim().is_empty())
}

fn shard(args: &ScanArgs) -> Result<Shard, Failure> {
    match (args.shard, args.shard_index, args.shard_count) {
        (Some(shard), ..) => Ok(shard),
        (None, Some(index), Some(count)) => {
            let shard = index.checked_add(1).and_then(|number| Shard::new(number, count).ok());
            shard.ok_or_else(|| {
                let most = count.get() - 1;
                Failure::usage(format!("--shard-index {index}: of {count} shards the last is {most}, counted from 0"))
            })
        }
        (None, ..) => Ok(Shard::WHOLE),
    }
}

/// Where the targets of `-` come from.
pub(super) enum Stdin {
    /// From stdin.
    Streamed,
    /// From stdin, and are kept for the next run.
    Spooled(Spool),
    /// From what an earlier run kept.
    Kept(File),
}

impl Stdin {
    fn of(args: &ScanArgs, beside: Option<&Beside>, resumed: Option<&Resumed>) -> Result<Self, Failure> {
        let Some(beside) = beside.filter(|_| args.targets.iter().any(|target| target == "-")) else {
            return Ok(Self::Streamed);
        };
        match resumed {
            None => Spool::create(beside.stdin()).map(Self::Spooled),
            Some(resumed) if resumed.has_targets_of_old(args) => {
                let path = beside.stdin();
                let file = File::open(&path).map_err(|error| {
                    let path = path.display();
                    Failure::usage(format!("{path}: cannot read the targets that came from stdin: {error}"))
                })?;
                Ok(Self::Kept(file))
            }
            Some(_) => Ok(Self::Streamed),
        }
    }
}

/// What was asked for that no output has, be it made of all rows, without the key, or a stream.
fn lost(args: &ScanArgs, destination: &Destination, layouts: &Layouts) -> Result<Vec<String>, Failure> {
    let (formats, mut lost) = (destination.formats(), Vec::new());
    if shard(args)? != Shard::WHOLE {
        lost.extend(cannot_be_joined(destination, layouts)?.map(str::to_owned));
    }
    let missing = missing(layouts);
    if !missing.is_empty() && has_rows(destination) {
        let missing = missing.iter().map(|column| format!("'{}'", column.as_str())).collect::<Vec<_>>().join(", ");
        let words = "cannot be read back (report, diff): name them all there";
        lost.push(format!("--columns: rows without {missing} {words}"));
    }
    let samples = args.samples.is_some_and(|samples| samples.get() > 1);
    let asked = [("--transcript", args.transcript, Extra::Transcript), ("--samples", samples, Extra::Variants)];
    for (option, _, key) in asked.into_iter().filter(|(_, is_asked, _)| *is_asked) {
        if !formats.contains(&Format::Ndjson) {
            lost.push(format!("{option}: no output has all of it, as NDJSON does: add -o FILE.ndjson"));
        } else if !layouts.has(Field::Extra(key)) {
            lost.push(format!("{option}: no output has all of it: name '{}' in --columns", key.as_str()));
        }
    }
    Ok(lost)
}

/// Why what a shard writes cannot be joined with the others': refused where its rows cannot be read back at all, else told.
fn cannot_be_joined(destination: &Destination, layouts: &Layouts) -> Result<Option<&'static str>, Failure> {
    let refuse = |words: String| Err(Failure::usage(format!("--shard: {words}")));
    // Whoever has them on stdout alone does something of his own with them.
    if destination.files().next().is_none() {
        return Ok(None);
    }
    if let Some(missing) = missing(layouts).first() {
        let name = missing.as_str();
        return refuse(format!(
            "rows without '{name}' cannot be read back, so that shards could not be joined: name it in --columns"
        ));
    }
    if has_rows(destination) {
        return Ok(None);
    }
    let is_read_back = |format: &Format| *format != Format::Text;
    if destination.formats().iter().any(is_read_back) {
        return Ok(Some(
            "--shard: what goes to a stream has no manifest, by which shards are joined: add -o FILE.ndjson",
        ));
    }
    let words = "workbooks and pages cannot be read back, so that shards could not be joined: add -o FILE.ndjson";
    refuse(words.to_owned())
}

/// Without which rows cannot be read back.
fn missing(layouts: &Layouts) -> Vec<Column> {
    NEEDED.into_iter().filter(|column| !layouts.has(Field::Column(*column))).collect()
}

/// Whether there is a file of rows.
fn has_rows(destination: &Destination) -> bool {
    destination.outputs.iter().any(|output| matches!(output, Output::File(..)))
}

/// The targets that were named, but for those that are excluded.
pub(super) fn targets(args: &ScanArgs, stdin: Option<&mut Stdin>) -> Result<Targets, Failure> {
    let ports = match &args.ports {
        Some(list) => Ports::parse(list).map_err(|error| Failure::usage(format!("-p {list}: {error}")))?,
        None => Ports::default(),
    };
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    };
    let mut targets = gather(&args.targets, stdin.unwrap_or(&mut Stdin::Streamed))?;
    for word in &args.exclude {
        targets.exclude(word).map_err(|error| Failure::usage(format!("--exclude '{word}': {error}")))?;
    }
    for path in &args.exclude_file {
        targets.exclude_list(&path.display().to_string(), list(path, "exclusions")?).map_err(Failure::usage)?;
    }
    targets.build(&ports, family).map_err(Failure::usage)
}

fn gather(words: &[String], stdin: &mut Stdin) -> Result<TargetsBuilder, Failure> {
    let mut targets = Targets::builder();
    let mut stdin_taken = false;
    for word in words {
        if let Some(path) = word.strip_prefix('@') {
            targets.add_list(path, list(Path::new(path), "targets")?).map_err(Failure::usage)?;
        } else if word == "-" {
            if std::mem::replace(&mut stdin_taken, true) {
                return Err(Failure::usage("'-': stdin can be read once only"));
            }
            match stdin {
                Stdin::Streamed => targets.add_list("stdin", io::stdin().lock()),
                Stdin::Spooled(spool) => targets.add_list("stdin", spool.copying(io::stdin().lock())),
                Stdin::Kept(file) => targets.add_list("stdin", BufReader::new(file)),
            }
            .map_err(Failure::usage)?;
        } else {
            targets.add(word).map_err(|error| Failure::usage(format!("target '{word}': {error}")))?;
        }
    }
    Ok(targets)
}

fn list(path: &Path, of: &str) -> Result<BufReader<File>, Failure> {
    let file = File::open(path);
    let file = file.map_err(|error| Failure::usage(format!("{}: cannot read {of}: {error}", path.display())))?;
    Ok(BufReader::new(file))
}

/// What of that which was named is not probed.
fn remarks(targets: &Targets) -> Vec<String> {
    let shown = |count: u128| HumanCount(u64::try_from(count).unwrap_or(u64::MAX));
    let left_out = targets.left_out();
    let left_out =
        (left_out > 0).then(|| format!("left out, being of the other address family: {left_out} of the targets"));
    let excluded = targets.excluded();
    let excluded = (excluded > 0).then(|| format!("excluded: {} of the addresses and names", shown(excluded)));
    let not_probed = targets.not_probed().iter();
    let not_probed = not_probed.map(|network| format!("left out: {} addresses: {network}", shown(network.addresses)));
    left_out.into_iter().chain(excluded).chain(not_probed).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
