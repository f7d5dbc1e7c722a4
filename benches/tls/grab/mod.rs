//! TLS grabs by hailer and by a bare loop over the same library, run in turn against the same peers.
//!
//! All but hailer are processes of the bench's own binary, told their role by their first argument ([`play`]).
//!
//! Limits: nothing leaves 127.0.0.0/8; what is wrong with a row ends it.

mod bare;
pub(crate) mod peers;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use self::peers::{Peers, Version};
use crate::range::Range;
use crate::rows;

/// The first argument of the bare loop and of the peers.
const BARE: &str = "role:bare";
const PEERS: &str = "role:tls-peers";

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
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
    /// As the command line has it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

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

/// What is run how often, and by which hailer.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) prefix: u8,
    pub(crate) pairs: u32,
    /// Connections in flight, of both.
    pub(crate) concurrency: u32,
    pub(crate) hailer: PathBuf,
    /// Arguments more for it.
    pub(crate) arguments: Vec<String>,
}

/// What one client cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system.
    pub(crate) cpu: Duration,
}

/// The costs of one scenario, run by run.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) hailer: Vec<Cost>,
    pub(crate) bare: Vec<Cost>,
}

impl Pairs {
    /// CPU time of hailer by that of the bare loop.
    pub(crate) fn ratios(&self) -> impl Iterator<Item = f64> {
        self.hailer.iter().zip(&self.bare).map(|(hailer, bare)| hailer.cpu.as_secs_f64() / bare.cpu.as_secs_f64())
    }
}

/// Plays the role that a process of this binary was started for; none where it was not.
pub(crate) fn play(arguments: &[String]) -> Option<Result<(), Box<dyn Error>>> {
    match arguments {
        [_, role, job] if role == BARE => Some(bare::run(job)),
        [_, role, job] if role == PEERS => Some(peers::serve(job)),
        _ => None,
    }
}

/// Runs the pairs of a scenario.
pub(crate) fn pairs(plan: &Plan, scenario: Scenario, folder: &Path) -> Result<Pairs, Box<dyn Error>> {
    let range = Range::new(plan.prefix);
    let chain_each = scenario == Scenario::Tls13Each;
    let peers = Peers::start(&peers::Job { range, version: scenario.version(), chain_each, late: Duration::ZERO })?;
    let output = folder.join("rows.ndjson");
    let bare = bare::Job { range, port: peers.port(), concurrency: plan.concurrency, leave: scenario.leave() };
    let bare = || measure(Command::new(std::env::current_exe()?).args([BARE, &serde_json::to_string(&bare)?]));

    // Unmeasured: it fills caches, and proves the peers before hailer is judged by them.
    bare()?;
    let mut pairs = Pairs::default();
    for pair in 1..=plan.pairs {
        pairs.hailer.push(measure(&mut hailer(plan, scenario, peers.port(), &output))?);
        check(&output, range, scenario)?;
        pairs.bare.push(bare()?);
        crate::progress(&format!("{}: pair {pair} of {}", scenario.name(), plan.pairs));
    }
    Ok(pairs)
}

/// The command line of hailer.
fn hailer(plan: &Plan, scenario: Scenario, port: u16, output: &Path) -> Command {
    let leave = match scenario.leave() {
        Leave::Close => "close",
        Leave::Quit => "quit",
    };
    let (range, ports) = (Range::new(plan.prefix).cidr(), format!("{port}=smtps"));
    let mut command = Command::new(&plan.hailer);
    command
        .args(["scan", &range, "-p", &ports, "--leave", leave, "--threads", "1", "-q", "--overwrite"])
        .args(["--concurrency", &plan.concurrency.to_string()])
        .args([OsString::from("-o"), output.into()])
        .args(&plan.arguments);
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
