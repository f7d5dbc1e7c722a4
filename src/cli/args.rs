//! What can be written on the command line: syntax and nothing else. What it means is `plan`'s.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use hailer::{Canary, Depth, Limit, Roots, Shard};

use super::check::CheckArgs;
use super::classify::ClassifyArgs;
use super::completions::CompletionsArgs;
use super::demo::DemoArgs;
use super::diff::DiffArgs;
use super::explain::ExplainArgs;
use super::fleet::FleetArgs;
use super::given::Given;
use super::layout::LayoutArgs;
use super::man::ManArgs;
use super::merge::MergeArgs;
use super::report::ReportArgs;
use super::schema::SchemaArgs;
use super::values::{ConnectTimeout, canary, connect_timeout, duration, ehlo_name, limit, resolver, samples};
use super::wordlists::WordlistsArgs;

/// Sweeps address ranges for FTP and mail servers.
#[derive(Debug, Parser)]
#[command(name = "hailer", version, arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sweep networks and hosts: one row for every endpoint that a connection was made to, or that could not be tried.
    Scan(Box<ScanArgs>),
    /// Look at one host in depth: what DNS says of it, what each port answers, what is wrong, and what to do.
    Check(Box<CheckArgs>),
    /// See it work: sweep a simulated fleet on this machine, and compare every row with the truth.
    Demo(DemoArgs),
    /// Serve a simulated fleet of FTP and mail servers on loopback addresses, for this or any other tool to sweep.
    Fleet(FleetArgs),
    /// Say what a reply code, a port, a finding or evidence means, what to do, and how to check it by hand.
    Explain(ExplainArgs),
    /// Read results back: what there is, which of it a middlebox answered, and the rows written out again.
    Report(ReportArgs),
    /// Say what appeared, vanished or changed between two results, or how results stand to what should be there.
    Diff(DiffArgs),
    /// Join the shards of a scan, and prove from their manifests that nothing is missing and nothing is there twice.
    Merge(MergeArgs),
    /// Name the servers that greetings came from, without a network: reads lines, NDJSON or CSV, writes NDJSON.
    Classify(ClassifyArgs),
    /// Look after the wordlists that servers are named by: check them, list what they know, make a copy to change.
    Wordlists(WordlistsArgs),
    /// Print what a row looks like, for programs that read rows: as JSON Schema, or as a view for DuckDB.
    Schema(SchemaArgs),
    /// Print what completes hailer's words in a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command.
    Man(ManArgs),
}

const AFTER: &str = "\
How targets are written:
  10.0.0.5  10.0.0.0/16  10.0.0.1-10.0.3.9     addresses, networks, ranges
  2001:db8::/120  [2001:db8::1]:25             IPv6; with ports in brackets
  mail.example.com  mx:example.com             a name's addresses; a domain's mail exchanges
  10.0.0.0/24:21  host:2525=smtp               with ports of their own
  @hosts.txt  -                                from a file or stdin, # begins a comment

A scan with an output file keeps a journal beside it (FILE.hailer) until it is done. One that was stopped, killed or cut \
off goes on with `hailer scan --resume FILE`, which needs nothing else. What is given besides replaces what it began \
with; targets, ports, exclusions, -4, -6, --seed, --shard, --all, the output files, --csv, --delimiter and --columns must \
stay. What came of a scan that \
is done is told in FILE.manifest.json.

Exit codes: 0 done, 1 failed, 2 usage, 3 stopped early, 4 refused by policy.

Scan only what you own or are asked to scan.";

// Under which words the options are shown.
const SCOPE: &str = "Scope";
const OUTPUTS: &str = "Outputs";
const PACE: &str = "Pace";
const ORDER: &str = "Order and shards";
const DEPTH: &str = "Depth";
const PATIENCE: &str = "Patience and manners";
const NETWORK: &str = "Network";
const CERTIFICATES: &str = "Certificates";
const NAMES: &str = "Names of servers";

#[derive(Debug, Parser)]
#[command(after_help = AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct ScanArgs {
    /// What to sweep: addresses, networks, ranges, names, mx:DOMAIN, @FILE, or - for stdin
    #[arg(required_unless_present = "resume", value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Ports and services, as 21,25,2121=ftp or 8000-8010=smtp [default: 21,25,465,587,990]
    #[arg(short, long, value_name = "PORTS", help_heading = SCOPE)]
    pub(super) ports: Option<String>,

    /// Never probe this, whatever else is named, nor an address of it that a name leads to: a target without ports, or several with commas between; may repeat
    #[arg(short = 'x', long, value_name = "TARGET", value_delimiter = ',', help_heading = SCOPE)]
    pub(super) exclude: Vec<String>,

    /// Never probe what this file lists, written as a list of targets without ports; may repeat
    #[arg(long, value_name = "FILE", help_heading = SCOPE)]
    pub(super) exclude_file: Vec<PathBuf>,

    /// IPv4 only, also of the addresses that names have
    #[arg(short = '4', conflicts_with = "ipv6", help_heading = SCOPE)]
    pub(super) ipv4: bool,

    /// IPv6 only, also of the addresses that names have
    #[arg(short = '6', help_heading = SCOPE)]
    pub(super) ipv6: bool,

    /// Print what would be probed, in order, and touch nothing: no network, no output
    #[arg(long, help_heading = SCOPE)]
    pub(super) list: bool,

    /// I have leave to sweep more than 1,048,576 public addresses; goes with --contact
    #[arg(long, help_heading = SCOPE)]
    pub(super) i_am_authorised: bool,

    /// Whom to ask about this scan, for the manifest; nothing of it is sent
    #[arg(long, value_name = "TEXT", help_heading = SCOPE)]
    pub(super) contact: Option<String>,

    /// Where rows go: FILE.csv, FILE.ndjson, FILE.jsonl, FILE.xlsx (a workbook) and FILE.html (a page), both made when the scan is done, or - for stdout; may repeat. Stdout, also without -o, gets lines on a terminal and NDJSON elsewhere
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUTS)]
    pub(super) output: Vec<PathBuf>,

    /// Replace output files that exist, with what is kept beside them
    #[arg(long, help_heading = OUTPUTS)]
    pub(super) overwrite: bool,

    /// Go on with the scan that wrote FILE, its first output, and was stopped; see below
    #[arg(long, value_name = "FILE", conflicts_with_all = ["overwrite", "list"], help_heading = OUTPUTS)]
    pub(super) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(super) layout: LayoutArgs,

    /// Write a row for every endpoint, also where nothing answered
    #[arg(long, help_heading = OUTPUTS)]
    pub(super) all: bool,

    /// Show what both sides said, for every row as it is written: on stdout below its line, otherwise on stderr
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUTS)]
    pub(super) verbose: bool,

    /// No progress and no summary
    #[arg(short, long, action = ArgAction::SetTrue, help_heading = OUTPUTS)]
    pub(super) quiet: bool,

    /// How much the networks are to be spared; --rate and --per-prefix replace its rates [default: courteous if a target is a name or a public address, otherwise lan]
    #[arg(long, value_enum, help_heading = PACE)]
    pub(super) profile: Option<ProfileArg>,

    /// Connections a second over all, as 100, 0.5 or none; the shards of a scan share them
    #[arg(long, value_name = "N", value_parser = limit, help_heading = PACE)]
    pub(super) rate: Option<Limit>,

    /// Connections a second into each /24 of IPv4 and /48 of IPv6, as 10, 0.5 or none; the shards of a scan share them
    #[arg(long, value_name = "N", value_parser = limit, help_heading = PACE)]
    pub(super) per_prefix: Option<Limit>,

    /// Connections to one host at a time, over all its ports [default: 1]
    #[arg(long, value_name = "N", help_heading = PACE)]
    pub(super) per_host: Option<NonZeroU32>,

    /// Endpoints under way at once [default: as many as the open-file limit allows, at most 4096; 512 if a target is a name or a public address]
    #[arg(long, value_name = "N", help_heading = PACE)]
    pub(super) concurrency: Option<NonZeroUsize>,

    /// Try a server that greets with 120 or 421 (busy) up to N times again, after a minute, two more, four more and so on [default: 0]
    #[arg(long, value_name = "N", help_heading = PACE)]
    pub(super) retry_busy: Option<u32>,

    /// An endpoint that is known to greet: while it does not, nothing is begun; may repeat
    #[arg(long, value_name = "ADDRESS:PORT[=SERVICE]", value_parser = canary, help_heading = PACE)]
    pub(super) canary: Vec<Canary>,

    /// Threads that probe; more than one helps only where a core is busy throughout
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = PACE)]
    pub(super) threads: u16,

    /// Do one of several equal parts, as 3/16: the third of sixteen
    #[arg(long, value_name = "I/N", help_heading = ORDER)]
    pub(super) shard: Option<Shard>,

    /// The same for machines that count from 0: 2 is the third; goes with --shard-count
    #[arg(long, value_name = "I", requires = "shard_count", conflicts_with = "shard", help_heading = ORDER)]
    pub(super) shard_index: Option<u32>,

    /// How many parts there are, for --shard-index
    #[arg(long, value_name = "N", requires = "shard_index", conflicts_with = "shard", help_heading = ORDER)]
    pub(super) shard_count: Option<NonZeroU32>,

    /// What the order of the sweep follows from; all shards need the same [default: the targets', which is the same wherever they are; printed]
    #[arg(long, value_name = "NUMBER", help_heading = ORDER)]
    pub(super) seed: Option<u64>,

    /// How long a connection may take, as 4, 2.5s or 800ms; or auto: 4s at first, then as long as answers show to be enough, but for one endpoint in a hundred [default: 4s]
    #[arg(long, value_name = "TIME|auto", value_parser = connect_timeout, help_heading = PATIENCE)]
    pub(super) connect_timeout: Option<ConnectTimeout>,

    /// Try an endpoint up to N times again, two seconds later, where nothing came back or only an error that may pass, such as no neighbour: packets may have been lost [default: 0]
    #[arg(long, value_name = "N", help_heading = PATIENCE)]
    pub(super) retries: Option<u32>,

    /// How long a TLS handshake may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PATIENCE)]
    pub(super) tls_timeout: Option<Duration>,

    /// How long a greeting may take in all [default: 30s on mail ports, 15s on FTP]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PATIENCE)]
    pub(super) greeting_timeout: Option<Duration>,

    /// How much is asked: greeting reads the greeting, features adds EHLO or FEAT, tls adds STARTTLS or AUTH TLS, asks again inside, and tries what old TLS is still accepted
    #[arg(long, value_enum, default_value_t = DepthArg::Greeting, help_heading = DEPTH)]
    pub(super) depth: DepthArg,

    /// Who we say we are in EHLO: a host name with a dot, or an address literal as [10.0.0.5] [default: this machine's name if it has a dot, otherwise the address that we connect from]
    #[arg(long, value_name = "NAME", value_parser = ehlo_name, help_heading = DEPTH)]
    pub(super) ehlo_name: Option<String>,

    /// Log in to FTP servers as anonymous, and ask where data connections would go; nothing is transferred
    #[arg(long, help_heading = DEPTH)]
    pub(super) anonymous: bool,

    /// Keep what both sides said with each row, in NDJSON
    #[arg(long, help_heading = DEPTH)]
    pub(super) transcript: bool,

    /// Connect so often in all to each endpoint that greets or hangs up at once, to see whether it is always the same server; at most 100 [default: 1]
    #[arg(long, value_name = "N", value_parser = samples, help_heading = DEPTH)]
    pub(super) samples: Option<NonZeroU32>,

    /// How long to wait between two of these connections [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = DEPTH)]
    pub(super) sample_interval: Option<Duration>,

    /// Try this port as well on hosts that greet: one on which nothing should listen, and which takes a connection where something in front takes them all
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = DEPTH)]
    pub(super) decoy: Option<u16>,

    /// An address that servers see us at where it is not the socket's own, as behind NAT; may repeat
    #[arg(long, value_name = "ADDRESS", help_heading = NETWORK)]
    pub(super) our_address: Vec<IpAddr>,

    /// How to leave: with QUIT and a second for its answer, or by closing at once
    #[arg(long, value_enum, default_value_t = LeaveArg::Quit, help_heading = PATIENCE)]
    pub(super) leave: LeaveArg,

    /// Connect from this address; may be given once for each address family
    #[arg(long, value_name = "ADDRESS", help_heading = NETWORK)]
    pub(super) source: Vec<IpAddr>,

    /// Connect through this network interface
    #[arg(long, value_name = "NAME", help_heading = NETWORK)]
    pub(super) interface: Option<String>,

    /// Ask this DNS server and not the system's, nor its hosts file; may repeat
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = resolver, help_heading = NETWORK)]
    pub(super) resolver: Vec<SocketAddr>,

    /// By which authorities certificates are judged: the public ones compiled in, those that this system trusts, or those in a PEM file and no others
    #[arg(long, value_name = "webpki|system|FILE", default_value_t = Roots::default(), value_parser = PathBufValueParser::new().map(Roots::from), help_heading = CERTIFICATES)]
    pub(super) roots: Roots,

    /// Name servers by the wordlists in this folder, too: ftp.toml, smtp.toml, fronts.toml, or some of these, added to those compiled in
    #[arg(long, value_name = "FOLDER", help_heading = NAMES)]
    pub(super) wordlists: Option<PathBuf>,

    /// The words themselves, for whoever repeats them.
    #[arg(skip)]
    pub(super) given: Given,
}

impl Args {
    /// Reads the command line of this process; where it is wrong, or asks for help, the process ends here.
    pub(super) fn read() -> Self {
        let matches = Self::command().get_matches();
        let mut args = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let (Command::Scan(scan), Some(matches)) = (&mut args.command, matches.subcommand_matches("scan")) {
            scan.given = Given::of(matches);
        }
        args
    }
}

impl ScanArgs {
    /// Reads the words of a scan; the first is the program's name.
    pub(super) fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        let mut args = Self::from_arg_matches(&matches)?;
        args.given = Given::of(&matches);
        Ok(args)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DepthArg {
    Greeting,
    Features,
    Tls,
}

impl From<DepthArg> for Depth {
    fn from(depth: DepthArg) -> Self {
        match depth {
            DepthArg::Greeting => Self::Greeting,
            DepthArg::Features => Self::Features,
            DepthArg::Tls => Self::Tls,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LeaveArg {
    Quit,
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileArg {
    /// For networks of others: 1000 connections a second over all, 10 into each /24 or /48
    Courteous,
    /// For one's own networks: 500 connections a second into each /24 or /48
    Own,
    /// For networks at hand: no rate
    Lan,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
