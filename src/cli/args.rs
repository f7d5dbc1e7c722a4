//! What can be written on the command line: syntax and nothing else. What it means is `plan`'s.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use hailer::{Canary, Depth, Limit, Ports, Rate, Roots, Shard};

use super::check::CheckArgs;
use super::classify::ClassifyArgs;
use super::demo::DemoArgs;
use super::explain::ExplainArgs;
use super::fleet::FleetArgs;
use super::given::Given;
use super::report::ReportArgs;
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
    /// Name the servers that greetings came from, without a network: reads lines, NDJSON or CSV, writes NDJSON.
    Classify(ClassifyArgs),
    /// Look after the wordlists that servers are named by: check them, list what they know, make a copy to change.
    Wordlists(WordlistsArgs),
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
with; targets, ports, exclusions, -4, -6, --seed, --shard, --all and the output files must stay. What came of a scan that \
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

    /// Where rows go: FILE.csv, FILE.ndjson, FILE.jsonl, or - for stdout; may repeat. Stdout, also without -o, gets lines on a terminal and NDJSON elsewhere
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUTS)]
    pub(super) output: Vec<PathBuf>,

    /// Replace output files that exist, with what is kept beside them
    #[arg(long, help_heading = OUTPUTS)]
    pub(super) overwrite: bool,

    /// Go on with the scan that wrote FILE, its first output, and was stopped; see below
    #[arg(long, value_name = "FILE", conflicts_with_all = ["overwrite", "list"], help_heading = OUTPUTS)]
    pub(super) resume: Option<PathBuf>,

    /// Write a row for every endpoint, also where nothing answered
    #[arg(long, help_heading = OUTPUTS)]
    pub(super) all: bool,

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

    /// How long a connection may take, as 4, 2.5s or 800ms [default: 4s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PATIENCE)]
    pub(super) connect_timeout: Option<Duration>,

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

/// What may stand behind EHLO (RFC 5321 §4.1.1.1): a domain with a dot, or an address literal.
pub(super) fn ehlo_name(word: &str) -> Result<String, String> {
    hailer::is_ehlo_name(word)
        .then(|| word.to_owned())
        .ok_or_else(|| "write a host name with a dot, as scan.example.net, or an address literal, as [10.0.0.5] or [IPv6:2001:db8::5]".to_owned())
}

/// How many connections to one endpoint.
fn samples(word: &str) -> Result<NonZeroU32, String> {
    let samples = word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()));
    samples.ok_or_else(|| "write how many connections in all, from 1 to 100".to_owned())
}

/// Connections a second, or `none`.
fn limit(word: &str) -> Result<Limit, String> {
    if word == "none" {
        return Ok(Limit::None);
    }
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let rate = word.parse().ok().filter(|_| plain).and_then(Rate::per_second);
    rate.map(Limit::Rate)
        .ok_or_else(|| "write connections a second, from 0.0003 (one an hour) to 10000000, or none".to_owned())
}

/// An address with its port, and the service where the port does not say it.
fn canary(word: &str) -> Result<Canary, String> {
    let (address, service) = word.split_once('=').map_or((word, None), |(address, service)| (address, Some(service)));
    let address: SocketAddr =
        address.parse().map_err(|_| "write an address and a port, as 10.0.0.5:25 or [2001:db8::1]:25".to_owned())?;
    let port = address.port();
    let port = service.map_or_else(|| port.to_string(), |service| format!("{port}={service}"));
    let ports = Ports::parse(&port).map_err(|error| error.to_string())?;
    let (_, service) = ports.iter().next().ok_or("a port is missing")?;
    Ok(Canary { address, service })
}

/// A DNS server's address, with its port if that is not 53 (RFC 1035 §4.2).
pub(super) fn resolver(word: &str) -> Result<SocketAddr, String> {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let address = bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)).ok();
    address
        .or_else(|| word.parse().ok())
        .filter(|address| address.port() != 0)
        .ok_or_else(|| "write an address, as 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:5353".to_owned())
}

/// Seconds as a decimal number, or with `s` or `ms` behind it.
pub(super) fn duration(word: &str) -> Result<Duration, String> {
    let (number, scale) = if let Some(number) = word.strip_suffix("ms") {
        (number, 1e-3)
    } else {
        (word.strip_suffix('s').unwrap_or(word), 1.0)
    };
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = number.parse::<f64>().ok().filter(|_| plain).map(|number| number * scale);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(duration))
        .ok_or_else(|| "write a time from 1ms to 3600s, as 4, 2.5s or 800ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn rates() {
        let per_second = |rate| Rate::per_second(rate).map(Limit::Rate);
        let table = [("100", 100.0), ("0.5", 0.5), ("1000000", 1e6), ("0.0003", 0.0003)];
        for (word, rate) in table {
            assert_eq!(limit(word).ok(), per_second(rate), "{word}");
        }
        assert_eq!(limit("none"), Ok(Limit::None));
        for word in ["", "0", "-1", "+1", "1e3", "inf", "nan", "0.0001", "99999999", "None", "1/s"] {
            assert!(limit(word).is_err(), "{word}");
        }
    }

    #[test]
    fn numbers_of_samples() {
        assert_eq!(samples("1").map(NonZeroU32::get), Ok(1));
        assert_eq!(samples("100").map(NonZeroU32::get), Ok(100));
        for word in ["", "0", "-1", "+2", "2.5", "many"] {
            assert!(samples(word).is_err(), "{word}");
        }
    }

    #[test]
    fn canaries_and_resolvers() {
        let shown = |word| canary(word).map(|canary| format!("{} {}", canary.address, canary.service));
        let table = [
            ("10.0.0.5:25", "10.0.0.5:25 smtp"),
            ("10.0.0.5:2121=ftp", "10.0.0.5:2121 ftp"),
            ("[2001:db8::1]:990", "[2001:db8::1]:990 ftps"),
        ];
        for (word, expected) in table {
            assert_eq!(shown(word).as_deref(), Ok(expected));
        }
        for word in ["10.0.0.5", "10.0.0.5:0", "mail.example:25", "10.0.0.5:4711", "10.0.0.5:25=imap", "::1:25=", ""] {
            assert!(canary(word).is_err(), "{word}");
        }
        let table = [
            ("10.0.0.53", "10.0.0.53:53"),
            ("10.0.0.53:5353", "10.0.0.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ];
        for (word, expected) in table {
            assert_eq!(resolver(word).map(|address| address.to_string()).as_deref(), Ok(expected));
        }
        for word in ["", "dns.example", "10.0.0.53:0", "10.0.0.53:", "[::1", "10.0.0.0/8"] {
            assert!(resolver(word).is_err(), "{word}");
        }
    }

    #[test]
    fn durations() {
        let table = [("4", 4000), ("2.5s", 2500), ("800ms", 800), ("0.5", 500), ("3600", 3_600_000)];
        for (word, millis) in table {
            assert_eq!(duration(word), Ok(Duration::from_millis(millis)), "{word}");
        }
        for word in ["", "s", "-1", "+1", "1e3", "inf", "0", "3601", "4m", "4 s"] {
            assert!(duration(word).is_err(), "{word}");
        }
    }
}
