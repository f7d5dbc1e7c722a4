//! What can be written on the command line: syntax and nothing else. What it means is `plan`'s.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::demo::DemoArgs;
use super::fleet::FleetArgs;

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
    /// See it work: sweep a simulated fleet on this machine, and compare every row with the truth.
    Demo(DemoArgs),
    /// Serve a simulated fleet of FTP and mail servers on loopback addresses, for this or any other tool to sweep.
    Fleet(FleetArgs),
}

const TARGETS: &str = "\
Targets:
  10.0.0.5  10.0.0.0/16  10.0.0.1-10.0.3.9     addresses, networks, ranges
  2001:db8::/120  [2001:db8::1]:25             IPv6; with ports in brackets
  mail.example.com                             every address of a name
  10.0.0.0/24:21  host:2525=smtp               with ports of their own
  @hosts.txt  -                                from a file or stdin, # begins a comment

Exit codes: 0 done, 1 failed, 2 usage, 3 stopped early.

Scan only what you own or are asked to scan.";

#[derive(Debug, Parser)]
#[command(after_help = TARGETS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct ScanArgs {
    /// What to sweep: addresses, networks, ranges, names, @FILE, or - for stdin
    #[arg(required = true, value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Ports and services, as 21,25,2121=ftp or 8000-8010=smtp [default: 21,25,465,587,990]
    #[arg(short, long, value_name = "PORTS")]
    pub(super) ports: Option<String>,

    /// Where rows go: FILE.csv, FILE.ndjson, FILE.jsonl, or - for stdout; may repeat. Stdout, also without -o, gets lines on a terminal and NDJSON elsewhere
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Vec<PathBuf>,

    /// Replace output files that exist
    #[arg(long)]
    pub(super) overwrite: bool,

    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub(super) ipv4: bool,

    /// IPv6 only
    #[arg(short = '6')]
    pub(super) ipv6: bool,

    /// Connect from this address; may be given once for each address family
    #[arg(long, value_name = "ADDRESS")]
    pub(super) source: Vec<IpAddr>,

    /// Connect through this network interface
    #[arg(long, value_name = "NAME")]
    pub(super) interface: Option<String>,

    /// Endpoints probed at once [default: as many as the open-file limit allows, at most 4096; 512 on public addresses]
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<NonZeroUsize>,

    /// Threads that probe
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) threads: u16,

    /// How long a connection may take, as 4, 2.5s or 800ms [default: 4s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) connect_timeout: Option<Duration>,

    /// How long a TLS handshake may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) tls_timeout: Option<Duration>,

    /// How long a greeting may take in all [default: 30s on mail ports, 15s on FTP]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) greeting_timeout: Option<Duration>,

    /// How to leave: with QUIT and a second for its answer, or by closing at once
    #[arg(long, value_enum, default_value_t = LeaveArg::Quit)]
    pub(super) leave: LeaveArg,

    /// Write a row for every endpoint, also where nothing answered
    #[arg(long)]
    pub(super) all: bool,

    /// The order of the sweep; the same number gives the same order [default: random, and printed]
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,

    /// No progress and no summary
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LeaveArg {
    Quit,
    Close,
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
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
