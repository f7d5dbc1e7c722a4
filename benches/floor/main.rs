//! How close hailer comes to the machine's floor: CPU time per endpoint, wall time and peak memory, against a bare
//! readiness loop over the same endpoints, run in turn; and what else it is held to, in a table of goals.
//!
//! ```text
//! cargo bench --bench floor -- --goals                all that has a goal; some eight minutes, as root
//! cargo bench --bench floor -- --prefix 20            a quick run over 4,096 endpoints
//! cargo bench --bench floor                           65,536 endpoints, five pairs a scenario
//! cargo bench --bench floor -- --scenario greeting --over veth
//! cargo bench --bench floor -- --scenario refused-8 --seconds 120
//! ```
//!
//! `cargo bench` builds hailer with the features that tests need, a clock that can be paused among them, which costs a
//! little; `--hailer target/release/hailer` measures what `cargo build --release` has built.
//!
//! The bench is several processes: itself, the peers that greet ([`peers`]), the keeper of its namespaces ([`world`]),
//! and one overseer at a time ([`measure`]) with the program that it measures, which is hailer or the yardstick
//! ([`yardstick`]). All but hailer are this binary, told its role by its first argument.
//!
//! Limits: Linux (epoll, `/proc`); nothing leaves 127.0.0.0/8 or namespaces of the bench's own; everything shares one
//! machine, so wall time says less than CPU time. Rows and exit codes are checked, timings are not: a goal that is not met
//! is printed as such. Without `--bench`, as `cargo test --benches` runs it, only a smoke run of a few endpoints takes place.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::print_stderr, reason = "progress and complaints are for people")]

mod dark;
mod field;
mod goal;
#[path = "../tls/grab/mod.rs"]
mod grab;
mod measure;
mod memory;
mod pairs;
mod peers;
mod range;
mod relay;
mod report;
mod rows;
#[path = "../micro/sample.rs"]
#[expect(dead_code, reason = "one kind of row is enough here")]
mod sample;
mod scenarios;
mod spread;
mod start;
mod threads;
mod tls;
mod world;
mod writers;
mod yardstick;

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use crate::field::Over;
use crate::scenarios::{Bench, Scenario};

/// As in hailer: the bare loop over TLS allocates.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What peers greet with where nothing else is asked for.
const GREETING: &str = "220 (vsFTPd 3.0.5)";

/// Files that a process of peers needs besides its listeners and clients.
const SPARE_FILES: u64 = 64;

#[derive(Debug, Clone, Parser)]
#[command(name = "floor", about = "Measures hailer against a bare readiness loop")]
struct Options {
    /// What to run; may be repeated
    #[arg(long, value_enum, default_values = ["greeting", "greeting-quit", "refused", "refused-8"])]
    scenario: Vec<Scenario>,
    /// What lies between client and peers in refused, greeting and greeting-quit; may be repeated
    #[arg(long, value_enum, default_values = ["loopback"])]
    over: Vec<Over>,
    /// All scenarios that have a goal, over both
    #[arg(long, conflicts_with_all = ["scenario", "over", "floor_only"])]
    goals: bool,
    /// Endpoints: 127.1.0.0/PREFIX, or 10.98.0.0/PREFIX of a namespace
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(16..=30))]
    prefix: u8,
    /// Runs of hailer and the yardstick each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Connections in flight, of both
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Threads of hailer
    #[arg(long, default_value_t = 1)]
    threads: u32,
    /// How long refused-8 lasts
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Processes of peers
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    servers: u32,
    /// What the peers greet with; # stands for a number that is another each time
    #[arg(long, default_value = GREETING)]
    greeting: String,
    /// Another hailer than the one built with the bench
    #[arg(long, default_value = env!("CARGO_BIN_EXE_hailer"))]
    hailer: PathBuf,
    /// An argument more for hailer; may be repeated
    #[arg(long, allow_hyphen_values = true)]
    hailer_arg: Vec<String>,
    /// The yardstick alone
    #[arg(long)]
    floor_only: bool,
    /// Given by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = std::env::args().collect::<Vec<_>>();
    if let [_, role, job] = &arguments[..]
        && let Some(role) = Role::from_name(role)
    {
        return play(role, job).map(|()| ExitCode::SUCCESS);
    }
    if let Some(played) = grab::play(&arguments) {
        return played.map(|()| ExitCode::SUCCESS);
    }
    let options = Options::parse();
    let options = if options.bench { options } else { smoke(options) };
    let options = if options.goals {
        Options { scenario: Scenario::WITH_GOALS.into(), over: vec![Over::Loopback, Over::Veth], ..options }
    } else {
        options
    };
    let files = allow_files(&options)?;

    // Inside the target folder, which `cargo clean` empties should the bench be killed.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut bench = Bench::new(&options, folder.path(), files);
    bench.run();
    if !bench.runs.is_empty() {
        println!("{}", report::table(&bench.runs));
    }
    if options.bench && !options.floor_only && !bench.goals.is_empty() {
        println!("each line again: cargo bench --bench floor -- {} …\n", options.common());
        print!("{}", goal::table(&bench.goals));
    }
    match bench.complaints() {
        [] => Ok(ExitCode::SUCCESS),
        complaints => {
            eprintln!("floor: {} complaints, listed above", complaints.len());
            Ok(ExitCode::FAILURE)
        }
    }
}

impl Options {
    /// The words that all lines of the table of goals were measured with, for a shell.
    fn common(&self) -> String {
        let hailer = std::path::absolute(&self.hailer).unwrap_or_else(|_| self.hailer.clone());
        let mut words = vec![format!("--hailer {}", quoted(&hailer.to_string_lossy()))];
        let Self { prefix, pairs, concurrency, threads, servers, .. } = self;
        words.push(format!("--prefix {prefix} --pairs {pairs} --concurrency {concurrency}"));
        words.push(format!("--threads {threads} --servers {servers}"));
        if self.greeting != GREETING {
            words.push(format!("--greeting {}", quoted(&self.greeting)));
        }
        words.extend(self.hailer_arg.iter().map(|word| format!("--hailer-arg={}", quoted(word))));
        words.join(" ")
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-=:,".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A run that shows whether the bench works, not how fast anything is.
fn smoke(options: Options) -> Options {
    let scenario = vec![Scenario::Greeting, Scenario::GreetingQuit, Scenario::Refused];
    let over = vec![Over::Loopback, Over::Veth];
    Options { scenario, over, goals: false, prefix: 26, pairs: 1, concurrency: 16, servers: 2, ..options }
}

/// Raises the limit of open files as far as it goes, for all the processes to come, and checks that it suffices for what
/// has peers; how far it goes.
fn allow_files(options: &Options) -> Result<u64, Box<dyn Error>> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let listeners = u64::from(range::Range::new(options.prefix).len().div_ceil(options.servers));
    // At worst all the clients meet in one process.
    let needed = listeners + u64::from(options.concurrency) + SPARE_FILES;
    if needed > hard {
        let concurrency = options.concurrency;
        return Err(format!(
            "{listeners} listeners a process and {concurrency} clients need {needed} open files, the limit is {hard}: \
             more --servers or a longer --prefix"
        )
        .into());
    }
    Ok(hard)
}

/// What a process of this binary is for, when it is not the bench itself.
#[derive(Debug, Clone, Copy)]
enum Role {
    Keeper,
    Overseer,
    Peers,
    Yardstick,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Keeper => "role:keeper",
            Self::Overseer => "role:overseer",
            Self::Peers => "role:peers",
            Self::Yardstick => "role:yardstick",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Keeper, Self::Overseer, Self::Peers, Self::Yardstick].into_iter().find(|role| role.name() == name)
    }
}

/// A process of this binary in that role, with its job.
fn role(role: Role, job: &impl Serialize) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments(role, job)?);
    Ok(command)
}

fn arguments(role: Role, job: &impl Serialize) -> Result<[OsString; 2], Box<dyn Error>> {
    Ok([role.name().into(), serde_json::to_string(job)?.into()])
}

fn play(role: Role, job: &str) -> Result<(), Box<dyn Error>> {
    match role {
        Role::Keeper => world::keep(serde_json::from_str(job)?),
        Role::Overseer => answer(&measure::oversee(&serde_json::from_str(job)?)?),
        Role::Peers => peers::serve(&serde_json::from_str(job)?),
        Role::Yardstick => answer(&yardstick::run(serde_json::from_str(job)?)?),
    }
}

/// What a process of this binary has to say, on one line.
fn answer(words: &impl Serialize) -> Result<(), Box<dyn Error>> {
    println!("{}", serde_json::to_string(words)?);
    Ok(())
}

/// Says how far the bench is.
fn progress(text: &str) {
    eprintln!("{text}");
}

/// Says at once what is wrong, and hands it on to be counted.
fn loudly(complaint: String) -> String {
    eprintln!("WRONG: {complaint}");
    complaint
}
