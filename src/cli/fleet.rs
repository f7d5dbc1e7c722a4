//! `hailer fleet`: the simulated fleet alone, for other tools to sweep, and the list of what is true of it.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use hailer::Depth;
use hailer::fleet::{self, Config, Reach, Roster, Spread};
use indicatif::HumanCount;
use nix::sys::resource::{Resource, getrlimit};
use tokio::runtime::Builder;

use super::args::DepthArg;
use super::scan::raise_open_file_limit;
use super::signals::Signals;
use super::values::duration;
use super::{Ended, Failure, tell};

/// Where a fleet is, and which.
#[derive(Debug, Clone, Args)]
pub(super) struct Site {
    /// What everything about the fleet is derived from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,

    /// Hosts, with five ports each [default: 1000, or what the open-file limit allows]
    #[arg(long, value_name = "N")]
    pub(super) hosts: Option<u32>,

    /// Address of the first host, in 127.0.0.0/8, or beyond with --beyond-loopback of `fleet` [default: 127.77.0.1;
    /// 127.0.0.1 where all are on one]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) at: Option<Ipv4Addr>,

    /// All hosts on one address, each on ports of its own; the only way where 127.0.0.1 is the only loopback address
    #[arg(long)]
    pub(super) one_address: bool,

    /// How much it is asked, which decides what rows must say: as in `hailer scan`
    #[arg(long, value_enum, default_value_t = DepthArg::Greeting)]
    pub(super) depth: DepthArg,
}

impl Site {
    /// The words that ask so much of `hailer scan`; none where it does so by itself.
    pub(super) fn depth_words(&self) -> Vec<&'static str> {
        let depth = Depth::from(self.depth);
        if depth == Depth::Greeting { vec![] } else { vec!["--depth", depth.as_str()] }
    }

    /// The roster of the fleet there.
    pub(super) fn roster(&self, pause: Duration) -> Result<Roster, Failure> {
        Roster::new(self.config(pause)).map_err(refused)
    }

    fn config(&self, pause: Duration) -> Config {
        let default = Config::default();
        let spread = if self.one_address { Spread::Ports } else { default.spread };
        let first = if spread == default.spread { default.first } else { Ipv4Addr::LOCALHOST };
        let hosts = self.hosts.unwrap_or_else(|| default.hosts.min(fleet::hosts_within(file_limit())).max(1));
        let (first, depth) = (self.at.unwrap_or(first), self.depth.into());
        Config { seed: self.seed, hosts, first, spread, pause, depth, ..default }
    }
}

/// What a fleet that does not come about means to the shell.
pub(super) fn refused(error: fleet::Error) -> Failure {
    match error {
        fleet::Error::NotLoopback(_)
        | fleet::Error::NotAHost(_)
        | fleet::Error::Hosts { .. }
        | fleet::Error::Files { .. } => Failure::usage(error),
        fleet::Error::Listen { .. } | fleet::Error::Start(_) => Failure::failed(error),
    }
}

/// How many files this process may open.
pub(super) fn file_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(limit, _)| limit)
}

/// What brings a fleet closer to a real one than a demo may.
#[derive(Debug, Clone, Args)]
struct Lifelike {
    /// Let --at be any address of this machine, as in a network namespace; whoever reaches it reaches the fleet
    #[arg(long, requires = "at")]
    beyond_loopback: bool,

    /// Listen on the usual ports, 21, 25, 465, 587 and 990, which takes a privilege
    #[arg(long, conflicts_with = "one_address")]
    usual_ports: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["serve", "truth"]).required(true).multiple(true)))]
pub(super) struct FleetArgs {
    /// Serve the fleet until Ctrl-C or SIGTERM
    #[arg(long)]
    serve: bool,

    /// Write what is true of each endpoint as NDJSON, - for stdout
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, requires = "truth")]
    overwrite: bool,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    lifelike: Lifelike,

    /// How long servers pause that take their time, as 6, 2.5s or 800ms
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = duration)]
    pause: Duration,
}

impl FleetArgs {
    fn roster(&self) -> Result<Roster, Failure> {
        let mut config = self.site.config(self.pause);
        if self.lifelike.beyond_loopback {
            config.reach = Reach::Anywhere;
        }
        if self.lifelike.usual_ports {
            config.spread = Spread::UsualPorts;
        }
        Roster::new(config).map_err(refused)
    }
}

pub(super) fn run(args: &FleetArgs) -> Result<Ended, Failure> {
    raise_open_file_limit();
    let roster = args.roster()?;
    if let Some(path) = &args.truth {
        write_truths(&roster, path, args.overwrite)?;
    }
    if args.serve {
        serve(roster, &args.site.depth_words())?;
    }
    Ok(Ended::Done)
}

fn serve(roster: Roster, depth: &[&str]) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    runtime.block_on(async {
        // Before the fleet stands, so that nobody can ask it to stop in vain.
        let mut signals = Signals::listen().map_err(Failure::failed)?;
        let fleet = roster.start().map_err(refused)?;
        let (target, ports) = (fleet.roster().target(), fleet.roster().ports());
        tell(format_args!("serving {} endpoints; Ctrl-C ends it", HumanCount(fleet.roster().endpoints())));
        tell(format_args!("  {}", [&["hailer scan", &target, "-p", &ports, "--all"], depth].concat().join(" ")));
        signals.next().await;
        Ok(())
    })
}

fn write_truths(roster: &Roster, path: &Path, overwrite: bool) -> Result<(), Failure> {
    let name = path.display();
    let mut output = BufWriter::new(open(path, overwrite)?);
    let lines = roster.truths().try_for_each(|truth| writeln!(output, "{}", truth.to_json()));
    lines.and_then(|()| output.flush()).map_err(|error| Failure::failed(format!("--truth {name}: {error}")))
}

fn open(path: &Path, overwrite: bool) -> Result<Box<dyn Write>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout().lock()));
    }
    let name = path.display();
    let file = OpenOptions::new().write(true).create(true).truncate(true).create_new(!overwrite).open(path);
    let file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::usage(format!("--truth {name}: it exists: name another file, or replace it with --overwrite"))
        }
        _ => Failure::failed(format!("--truth {name}: cannot create it: {error}")),
    })?;
    Ok(Box::new(file))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Args;
    use super::*;

    #[derive(Parser)]
    struct Only<Words: clap::Args> {
        #[command(flatten)]
        words: Words,
    }

    fn parsed<Words: clap::Args>(line: &str) -> Result<Words, String> {
        let words = format!("hailer {line}");
        let only = Only::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?;
        Ok(only.words)
    }

    fn told(failure: Failure) -> String {
        match failure {
            Failure::Usage(words) | Failure::Policy(words) | Failure::Failed(words) => words,
        }
    }

    fn site(line: &str) -> Result<Roster, String> {
        parsed::<Site>(line)?.roster(Duration::from_secs(1)).map_err(told)
    }

    fn roster(line: &str) -> Result<Roster, String> {
        parsed::<FleetArgs>(&format!("--serve {line}"))?.roster().map_err(told)
    }

    #[test]
    fn sites_are_on_loopback_addresses() {
        let table = [
            ("--hosts 3 --at 127.1.2.3", "127.1.2.3-127.1.2.5", "21000=ftp,"),
            ("--hosts 3 --one-address", "127.0.0.1", "21000-21002=ftp,"),
            ("--hosts 3 --one-address --at 127.9.9.9", "127.9.9.9", "21000-21002=ftp,"),
        ];
        for (line, target, ports) in table {
            let roster = site(line).unwrap();
            assert_eq!(roster.target(), target, "{line}");
            assert!(roster.ports().starts_with(ports), "{line}: {}", roster.ports());
        }
        let table = [
            ("--at 10.0.0.1", "10.0.0.1 is not on the loopback network"),
            ("--hosts 0", "0 hosts cannot be served from there"),
            ("--hosts 1001 --one-address", "1001 hosts cannot be served from there: ask for 1 to 1000"),
        ];
        for (line, expected) in table {
            let words = site(line).unwrap_err();
            assert!(words.starts_with(expected), "{line}: {words}");
        }
    }

    #[test]
    fn only_a_fleet_that_is_asked_to_leaves_them() {
        let table = [
            ("--hosts 3 --at 10.99.1.1 --beyond-loopback", "10.99.1.1-10.99.1.3", "21000=ftp,"),
            ("--hosts 3 --at 10.99.1.1 --beyond-loopback --usual-ports", "10.99.1.1-10.99.1.3", "21=ftp,465=smtps,"),
            ("--hosts 3 --usual-ports", "127.77.0.1-127.77.0.3", "21=ftp,465=smtps,"),
        ];
        for (line, target, ports) in table {
            let roster = roster(line).unwrap();
            assert_eq!(roster.target(), target, "{line}");
            assert!(roster.ports().starts_with(ports), "{line}: {}", roster.ports());
        }
        let table = [
            ("--at 10.99.1.1", "10.99.1.1 is not on the loopback network"),
            ("--at 0.0.0.0 --beyond-loopback", "0.0.0.0 is not an address that a host can have"),
            ("--beyond-loopback", "error: the following required arguments were not provided"),
            ("--usual-ports --one-address", "error: the argument '--usual-ports' cannot be used with"),
        ];
        for (line, expected) in table {
            let words = roster(line).unwrap_err();
            assert!(words.starts_with(expected), "{line}: {words}");
        }
    }

    #[test]
    fn something_must_be_asked_for() {
        let table = [
            ("--serve", true),
            ("--truth -", true),
            ("--serve --truth a --overwrite --pause 800ms", true),
            ("", false),
            ("--hosts 3", false),
            ("--serve --overwrite", false),
            ("--serve --pause x", false),
            ("--serve --at mail.example", false),
        ];
        for (line, is_sound) in table {
            let words = format!("hailer fleet {line}");
            assert_eq!(Args::try_parse_from(words.split_whitespace()).is_ok(), is_sound, "{line}");
        }
    }
}
