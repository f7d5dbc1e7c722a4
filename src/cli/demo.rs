//! `hailer demo`: a fleet on this machine, the sweep that `hailer scan` makes of it, and every row held against the truth.
//!
//! The fleet runs on a thread of this process. The sweep is planned from a command line as a user would type it, and
//! shown, so that nothing about it is special but its targets.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use hailer::fleet::{Roster, Truth};
use hailer::output::RowWriter;
use hailer::output::escape::escape;
use hailer::{Observation, Outcome};
use indicatif::HumanCount;

use super::args::ScanArgs;
use super::fleet::{Site, file_limit, refused};
use super::plan::Plan;
use super::scan::{raise_open_file_limit, sweep};
use super::{Ended, Failure, tell};

/// How long servers pause that take their time: long enough to be seen in `greeting_ms`.
const PAUSE: Duration = Duration::from_secs(1);

/// Enough to have everything that waits wait at once, and few enough for one thread to serve in time.
const CONCURRENCY: u64 = 512;

/// Open files that are neither the fleet's nor connections: standard streams, outputs, event queues.
const OTHER_FILES: u64 = 64;

/// How long the sweep waits. The fleet's silent endpoints cost it as much, and its slow ones need a fifth of it.
const PATIENCE: [&str; 6] = ["--connect-timeout", "3s", "--tls-timeout", "5s", "--greeting-timeout", "5s"];

/// What files are called, without their ending.
const NAME: &str = "hailer-demo";

/// Mistakes of one sort are shown up to so many.
const MAX_SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    site: Site,

    /// Where rows go: a folder for hailer-demo.csv and hailer-demo.ndjson, or a file as scan takes it: .csv, .ndjson, .xlsx, .html; may repeat [default: the current folder]
    #[arg(short, long, value_name = "FOLDER|FILE")]
    output: Vec<PathBuf>,

    /// Replace output files that exist
    #[arg(long)]
    overwrite: bool,

    /// Name servers by the wordlists in this folder, too
    #[arg(long, value_name = "FOLDER")]
    wordlists: Option<PathBuf>,

    /// Say nothing but what is wrong
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &DemoArgs) -> Result<Ended, Failure> {
    raise_open_file_limit();
    let roster = args.site.roster(PAUSE)?;
    let outputs = outputs(&args.output);
    let words = words(args, &roster, &outputs);
    let plan = Plan::new(ScanArgs::read(&words).map_err(Failure::usage)?)?;
    let fleet = roster.start().map_err(refused)?;
    if !args.quiet {
        let endpoints = HumanCount(fleet.roster().endpoints());
        tell(format_args!("a simulated fleet of {endpoints} endpoints is up on this machine; sweeping it with"));
        tell(format_args!("  {}", words.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ")));
    }
    let verdict = Arc::new(Mutex::new(Verdict::awaiting(fleet.roster().truths())));
    let ended = sweep(plan, Some(Box::new(Judge(Arc::clone(&verdict)))))?;
    let verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner);
    conclude(&verdict, ended, args, &outputs)
}

/// The command line of the sweep.
fn words(args: &DemoArgs, roster: &Roster, outputs: &[PathBuf]) -> Vec<OsString> {
    // Each connection has an end on either side.
    let room = file_limit().saturating_sub(roster.files() + OTHER_FILES) / 2;
    let concurrency = room.clamp(1, CONCURRENCY).to_string();
    let seed = args.site.seed.to_string();
    let (target, ports) = (roster.target(), roster.ports());
    let mut words: Vec<OsString> =
        ["hailer scan", &target, "-p", &ports, "--all", "--seed", &seed, "--concurrency", &concurrency]
            .into_iter()
            // The hosts are all ours, and all on this machine; there may even be only one.
            .chain(["--per-host", &concurrency])
            .chain(PATIENCE)
            .map(Into::into)
            .collect();
    words.extend(args.site.depth_words().into_iter().map(OsString::from));
    for output in outputs {
        words.extend(["-o".into(), output.into()]);
    }
    if let Some(folder) = &args.wordlists {
        words.extend(["--wordlists".into(), folder.into()]);
    }
    words.extend(args.overwrite.then(|| "--overwrite".into()));
    words.extend(args.quiet.then(|| "--quiet".into()));
    words
}

/// A word as a shell takes it, in which nothing is that a terminal would obey.
pub(super) fn shown(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    // Quotes alone keep a backslash as it is.
    if escape(word.as_bytes()) != text.replace('\\', r"\\") {
        let byte = |byte: &u8| match byte {
            b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
            b' '..=b'~' => char::from(*byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        return format!("$'{}'", word.as_bytes().iter().map(byte).collect::<String>());
    }
    let plain = |c: char| c.is_alphanumeric() || " -_=,./:@%+".contains(c);
    let quote = !text.chars().all(plain) || text.contains(' ') && text != "hailer scan";
    if quote { format!("'{}'", text.replace('\'', r"'\''")) } else { text.into_owned() }
}

/// The files: two for a folder, otherwise what is named.
fn outputs(asked: &[PathBuf]) -> Vec<PathBuf> {
    let both = |folder: &Path| ["csv", "ndjson"].map(|ending| folder.join(NAME).with_extension(ending));
    if asked.is_empty() {
        return both(Path::new("")).into();
    }
    let is_folder = |path: &Path| path.is_dir() || path.to_string_lossy().ends_with(MAIN_SEPARATOR);
    asked.iter().flat_map(|path| if is_folder(path) { both(path).into() } else { vec![path.clone()] }).collect()
}

fn conclude(verdict: &Verdict, ended: Ended, args: &DemoArgs, outputs: &[PathBuf]) -> Result<Ended, Failure> {
    let stopped = ended == Ended::Stopped;
    if !args.quiet || !verdict.is_right(stopped) {
        tell(verdict.render(stopped).trim_end());
    }
    if !verdict.is_right(stopped) {
        return Err(Failure::failed("not every row tells the truth: this is a defect, or the machine was too busy"));
    }
    if !args.quiet && !stopped {
        let files: Vec<_> = outputs.iter().map(|path| path.display().to_string()).collect();
        tell(format_args!("Look at the rows in {}.", files.join(" and ")));
        tell(format_args!("Then sweep a network of your own: hailer scan 10.0.0.0/24 -o inventory.csv"));
    }
    Ok(ended)
}

/// Shown every row of the sweep.
struct Judge(Arc<Mutex<Verdict>>);

impl RowWriter for Judge {
    fn write(&mut self, row: &Observation) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hear(row);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush_if_due(&mut self, _: Instant) -> io::Result<()> {
        Ok(())
    }
}

/// How the rows compare with the truth.
#[derive(Debug, Default)]
struct Verdict {
    /// Of which there has been no row yet.
    awaited: BTreeMap<SocketAddr, Truth>,
    /// Whose row is right.
    found: u64,
    /// Whose row is wrong, and in what.
    misnamed: Vec<String>,
}

impl Verdict {
    fn awaiting(truths: impl Iterator<Item = Truth>) -> Self {
        Self { awaited: truths.map(|truth| (truth.address, truth)).collect(), ..Self::default() }
    }

    fn hear(&mut self, row: &Observation) {
        // A row that says that nothing was tried is none.
        let (Some(ip), false) = (row.ip, row.outcome == Outcome::LocalError) else { return };
        let address = SocketAddr::new(ip, row.port);
        let Some(truth) = self.awaited.remove(&address) else {
            self.misnamed.push(format!("{address}: one row too many"));
            return;
        };
        let mistakes = truth.mistakes(row);
        if mistakes.is_empty() {
            self.found += 1;
        } else {
            let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            self.misnamed.push(format!("{address} ({}): {}", truth.kind, mistakes.join("; ")));
        }
    }

    /// Whether all is as it should be; a sweep that was stopped need not have come everywhere.
    fn is_right(&self, stopped: bool) -> bool {
        self.misnamed.is_empty() && (stopped || self.awaited.is_empty())
    }

    fn render(&self, stopped: bool) -> String {
        let mut text = String::new();
        let missed = self.awaited.len();
        let word = if stopped { "not reached" } else { "missed" };
        let misnamed = self.misnamed.len();
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "compared with the truth: {} found, {missed} {word}, {misnamed} misnamed",
            HumanCount(self.found)
        );
        let missed = self.awaited.values().map(|truth| format!("missed: {} ({})", truth.address, truth.kind));
        let missed: Vec<_> = if stopped { vec![] } else { missed.collect() };
        let wrong: Vec<_> = self.misnamed.iter().map(|words| format!("misnamed: {words}")).collect();
        for words in [missed, wrong] {
            for line in words.iter().take(MAX_SHOWN) {
                let _ = writeln!(text, "  {line}");
            }
            if let Some(more @ 1..) = words.len().checked_sub(MAX_SHOWN) {
                let _ = writeln!(text, "  and {more} more");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use hailer::fleet::{Config, Kind};

    use super::*;

    fn roster() -> Roster {
        Roster::new(Config { hosts: 40, ..Config::default() }).unwrap()
    }

    /// The row of an endpoint where nothing listens, or of another as if nothing did.
    fn refused_row(truth: &Truth) -> Observation {
        let Truth { address, service, .. } = truth;
        Observation::new(SystemTime::UNIX_EPOCH, Some(address.ip()), address.port(), *service, Outcome::Refused)
    }

    #[test]
    fn rows_are_found_missed_or_misnamed() {
        let refused = |truth: &Truth| truth.kind == Kind::Refused;
        let mut verdict = Verdict::awaiting(roster().truths());
        assert!(!verdict.is_right(false) && verdict.is_right(true));
        for truth in roster().truths().filter(refused) {
            verdict.hear(&refused_row(&truth));
        }
        let found = verdict.found;
        assert!(found > 0 && verdict.misnamed.is_empty());

        let server = roster().truths().find(|truth| truth.kind == Kind::Server).unwrap();
        verdict.hear(&refused_row(&server));
        verdict.hear(&refused_row(&server));
        let words = verdict.render(false);
        assert_eq!((verdict.found, verdict.misnamed.len()), (found, 2), "{words}");
        let told = format!("  misnamed: {} (server): outcome: expected 'greeted', got 'refused'; ", server.address);
        assert!(words.contains(&told), "{words}");
        assert!(words.contains("one row too many") && words.contains("  missed: 127.77.0."), "{words}");
        assert!(!verdict.render(true).contains("missed"));
    }

    #[test]
    fn what_was_not_tried_is_missed() {
        let mut verdict = Verdict::awaiting(roster().truths());
        let awaited = verdict.awaited.len();
        let truth = roster().truths().next().unwrap();
        verdict.hear(&Observation { outcome: Outcome::LocalError, ..refused_row(&truth) });
        assert_eq!((verdict.awaited.len(), verdict.found), (awaited, 0));
    }

    #[test]
    fn outputs_are_files_or_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert_eq!(outputs(&[]), [PathBuf::from("hailer-demo.csv"), "hailer-demo.ndjson".into()]);
        assert_eq!(outputs(&[folder.path().into()]), [path("hailer-demo.csv"), path("hailer-demo.ndjson")]);
        assert_eq!(outputs(&["new/".into()])[0], Path::new("new/hailer-demo.csv"));
        assert_eq!(outputs(&["a.csv".into(), "-".into()]), [PathBuf::from("a.csv"), "-".into()]);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(shown("21000=ftp,24000-24009=smtps".as_ref()), "21000=ftp,24000-24009=smtps");
        assert_eq!(shown("my rows.csv".as_ref()), "'my rows.csv'");
        assert_eq!(shown("it's".as_ref()), r"'it'\''s'");
        assert_eq!(shown(r"a\b é".as_ref()), r"'a\b é'");
        assert_eq!(shown("it's\x1b[31m\u{202e}.csv".as_ref()), r"$'it\'s\x1b[31m\xe2\x80\xae.csv'");
        assert_eq!(shown(OsStr::from_bytes(b"\xff\\.csv")), r"$'\xff\\.csv'");
    }
}
