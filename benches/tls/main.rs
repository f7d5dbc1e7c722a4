//! What a TLS grab costs: connect, handshake, chain, greeting and farewell, by hailer and by a bare loop over the same
//! library, run in turn against the same peers.
//!
//! ```text
//! cargo bench --bench tls                                  all scenarios: 8,192 endpoints, five pairs each
//! cargo bench --bench tls -- --scenario tls13 --pairs 9
//! ```
//!
//! The bench is several processes: itself, the peers ([`peers`]), and one client at a time, which is hailer or the bare
//! loop ([`bare`]). All but hailer are this binary, told its role by its first argument. CPU time is the operating
//! system's own accounting of each client, user and system, with its start; hailer's includes naming, judging and
//! writing its rows.
//!
//! Limits: Linux; nothing leaves 127.0.0.0/8; keys are P-256 on every peer. Clients and peers share one machine, so the
//! grabs per second are those of both, and say less than the CPU time. Rows are checked, timings are not. Without
//! `--bench`, as `cargo test --benches` runs it, only a smoke run of a few endpoints takes place.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::print_stderr, reason = "progress and complaints are for people")]

mod bare;
mod peers;
#[path = "../floor/range.rs"]
mod range;
#[path = "../floor/rows.rs"]
mod rows;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::peers::{Peers, Version};
use crate::range::Range;

/// As in hailer: else the loops would differ in what neither of them is about.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The first argument of the bare loop and of the peers.
const BARE: &str = "role:bare";
const PEERS: &str = "role:peers";

#[derive(Debug, Clone, Parser)]
#[command(name = "tls", about = "Measures TLS grabs against a bare loop over the same library")]
struct Options {
    /// What to run; may be repeated
    #[arg(long, value_enum, default_values = ["tls13", "tls12", "tls13-quit", "tls13-each"])]
    scenario: Vec<Scenario>,
    /// Endpoints: 127.1.0.0/PREFIX
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(u8).range(16..=30))]
    prefix: u8,
    /// Runs of hailer and the bare loop each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Connections in flight, of both
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Another hailer than the one built with the bench
    #[arg(long)]
    hailer: Option<PathBuf>,
    /// An argument more for hailer; may be repeated
    #[arg(long, allow_hyphen_values = true)]
    hailer_arg: Vec<String>,
    /// Given by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// TLS 1.3; all peers show one chain; the connection is closed after the greeting.
    Tls13,
    /// The same with TLS 1.2.
    Tls12,
    /// TLS 1.3; QUIT and 221 before the end.
    Tls13Quit,
    /// TLS 1.3; every peer shows a chain of its own, so that hailer has each to read and to judge.
    Tls13Each,
}

impl Scenario {
    const fn version(self) -> Version {
        match self {
            Self::Tls13 | Self::Tls13Quit | Self::Tls13Each => Version::Tls13,
            Self::Tls12 => Version::Tls12,
        }
    }

    const fn leave(self) -> Leave {
        match self {
            Self::Tls13 | Self::Tls12 | Self::Tls13Each => Leave::Close,
            Self::Tls13Quit => Leave::Quit,
        }
    }
}

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Leave {
    Close,
    Quit,
}

fn main() -> ExitCode {
    let result = match &std::env::args().collect::<Vec<_>>()[..] {
        [_, role, job] if role == BARE => bare::run(job),
        [_, role, job] if role == PEERS => peers::serve(job),
        _ => run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tls: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let options = if options.bench { options } else { Options { prefix: 28, pairs: 1, concurrency: 4, ..options } };
    // Inside the target folder, which `cargo clean` empties should the bench be killed.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut table = vec![HEAD.to_owned()];
    for scenario in &options.scenario {
        table.push(pairs(&options, *scenario, folder.path())?);
    }
    println!("{}", table.join("\n"));
    Ok(())
}

const HEAD: &str = "scenario     endpoints    hailer/s   bare/s  hailer µs CPU  bare µs CPU  ratio: median (min–max)";

/// Runs the pairs of a scenario; their line in the table.
fn pairs(options: &Options, scenario: Scenario, folder: &Path) -> Result<String, Box<dyn Error>> {
    let range = Range::new(options.prefix);
    let job = peers::Job { range, version: scenario.version(), chain_each: scenario == Scenario::Tls13Each };
    let peers = Peers::start(&job)?;
    let output = folder.join("rows.ndjson");
    let Options { concurrency, .. } = *options;
    let bare = bare::Job { range, port: peers.port(), concurrency, leave: scenario.leave() };
    let bare = || measure(Command::new(std::env::current_exe()?).args([BARE, &serde_json::to_string(&bare)?]));
    let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();

    // Unmeasured: it fills caches, and proves the peers before hailer is judged by them.
    bare()?;
    let (mut hailers, mut bares) = (Vec::new(), Vec::new());
    for pair in 1..=options.pairs {
        hailers.push(measure(&mut hailer(options, scenario, peers.port(), &output))?);
        check(&output, range, scenario)?;
        bares.push(bare()?);
        eprintln!("{name}: pair {pair} of {}", options.pairs);
    }
    let ratios = hailers.iter().zip(&bares).map(|(hailer, bare)| hailer.cpu.as_secs_f64() / bare.cpu.as_secs_f64());
    let (least, ratio, most) = spread(ratios);
    let grabs = f64::from(range.len());
    let rate = |costs: &[Cost]| spread(costs.iter().map(|cost| grabs / cost.wall.as_secs_f64())).1;
    let cpu = |costs: &[Cost]| spread(costs.iter().map(|cost| cost.cpu.as_secs_f64() * 1e6 / grabs)).1;
    Ok(format!(
        "{name:<12} {grabs:>9}  {:>10.0} {:>8.0}  {:>13.1} {:>12.1}  {ratio:.3} ({least:.3}–{most:.3})",
        rate(&hailers),
        rate(&bares),
        cpu(&hailers),
        cpu(&bares),
    ))
}

/// The command line of hailer.
fn hailer(options: &Options, scenario: Scenario, port: u16, output: &Path) -> Command {
    let leave = match scenario.leave() {
        Leave::Close => "close",
        Leave::Quit => "quit",
    };
    let program = options.hailer.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_hailer")));
    let (range, ports) = (Range::new(options.prefix).cidr(), format!("{port}=smtps"));
    let mut command = Command::new(program);
    command
        .args(["scan", &range, "-p", &ports, "--leave", leave, "--threads", "1", "-q", "--overwrite"])
        .args(["--concurrency", &options.concurrency.to_string()])
        .args([OsString::from("-o"), output.into()])
        .args(&options.hailer_arg);
    command
}

/// What of a row is TLS.
#[derive(Deserialize)]
struct Row {
    tls_version: Option<String>,
    #[serde(default)]
    chain: Vec<IgnoredAny>,
}

/// Whether every endpoint has its row, with a greeting, the version and a chain of two.
fn check(output: &Path, range: Range, scenario: Scenario) -> Result<(), Box<dyn Error>> {
    if let Some(complaint) = rows::complaint(output, range, "greeted")? {
        return Err(complaint.into());
    }
    for line in fs::read_to_string(output)?.lines() {
        let row: Row = serde_json::from_str(line)?;
        if row.tls_version.as_deref() != Some(scenario.version().as_str()) || row.chain.len() != peers::CHAIN {
            return Err(format!("not as the peers are: {line}").into());
        }
    }
    Ok(())
}

/// What one client cost.
struct Cost {
    wall: Duration,
    /// User and system.
    cpu: Duration,
}

/// Runs a client to its end. The peers are not waited for until later, so it is the only child that is accounted for.
fn measure(command: &mut Command) -> Result<Cost, Box<dyn Error>> {
    let (begun, before) = (Instant::now(), cpu_of_children()?);
    let status = command.status()?;
    let cost = Cost { wall: begun.elapsed(), cpu: cpu_of_children()?.saturating_sub(before) };
    if status.success() { Ok(cost) } else { Err(format!("a client ended with {status}").into()) }
}

fn cpu_of_children() -> Result<Duration, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

/// The least, the median and the most of one value or more.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    (values[0], f64::midpoint(values[last / 2], values[last.div_ceil(2)]), values[last])
}
