//! What a TLS grab costs: connect, handshake, chain, greeting and farewell, by hailer and by a bare loop over the same
//! library, run in turn against the same peers.
//!
//! ```text
//! cargo bench --bench tls                                  all scenarios: 8,192 endpoints, five pairs each
//! cargo bench --bench tls -- --scenario tls13 --pairs 9
//! ```
//!
//! The bench is several processes: itself, the peers, and one client at a time, which is hailer or the bare loop
//! ([`grab`]). CPU time is the operating system's own accounting of each client, user and system, with its start;
//! hailer's includes naming, judging and writing its rows.
//!
//! Limits: Linux; nothing leaves 127.0.0.0/8; keys are P-256 on every peer. Clients and peers share one machine, so the
//! grabs per second are those of both, and say less than the CPU time. Rows are checked, timings are not. Without
//! `--bench`, as `cargo test --benches` runs it, only a smoke run of a few endpoints takes place.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::print_stderr, reason = "progress and complaints are for people")]

#[path = "grab/mod.rs"]
mod grab;
#[path = "../floor/range.rs"]
#[expect(dead_code, reason = "this bench has peers on loopback only")]
mod range;
#[path = "../floor/rows.rs"]
mod rows;
#[path = "../floor/spread.rs"]
mod spread;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::grab::{Cost, Pairs, Plan, Scenario};
use crate::range::Range;
use crate::spread::Spread;

/// As in hailer: else the loops would differ in what neither of them is about.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    #[arg(long, default_value = env!("CARGO_BIN_EXE_hailer"))]
    hailer: PathBuf,
    /// An argument more for hailer; may be repeated
    #[arg(long, allow_hyphen_values = true)]
    hailer_arg: Vec<String>,
    /// Given by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let played = grab::play(&std::env::args().collect::<Vec<_>>());
    match played.unwrap_or_else(run) {
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
    let Options { prefix, pairs, concurrency, .. } = options;
    let plan = Plan { prefix, pairs, concurrency, hailer: options.hailer, arguments: options.hailer_arg };
    let mut table = vec![HEAD.to_owned()];
    for scenario in options.scenario {
        table.push(line(scenario, Range::new(prefix), &grab::pairs(&plan, scenario, folder.path())?));
    }
    println!("{}", table.join("\n"));
    Ok(())
}

const HEAD: &str = "scenario     endpoints    hailer/s   bare/s  hailer µs CPU  bare µs CPU  ratio: median (min–max)";

fn line(scenario: Scenario, range: Range, pairs: &Pairs) -> String {
    let grabs = f64::from(range.len());
    let median = |costs: &[Cost], figure: &dyn Fn(&Cost) -> f64| {
        Spread::of(costs.iter().map(figure)).map_or(0.0, |it| it.median)
    };
    let rate = |costs: &[Cost]| median(costs, &|cost| grabs / cost.wall.as_secs_f64());
    let cpu = |costs: &[Cost]| median(costs, &|cost| cost.cpu.as_secs_f64() * 1e6 / grabs);
    format!(
        "{:<12} {grabs:>9}  {:>10.0} {:>8.0}  {:>13.1} {:>12.1}  {}",
        scenario.name(),
        rate(&pairs.hailer),
        rate(&pairs.bare),
        cpu(&pairs.hailer),
        cpu(&pairs.bare),
        Spread::of(pairs.ratios()).map_or_else(String::new, |ratio| ratio.text(3)),
    )
}

/// Says how far the bench is.
fn progress(text: &str) {
    eprintln!("{text}");
}
