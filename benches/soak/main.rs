//! Hours of hostile peers: whether anything leaks, panics, or is lost or told twice.
//!
//! ```text
//! cargo bench --bench soak                              a minute
//! cargo bench --bench soak -- --minutes 10              as long as that
//! cargo bench --bench soak -- --hailer target/debug/hailer --minutes 1
//! ```
//!
//! Every address of 127.64.0.0/10 is a peer on five ports, twenty million endpoints in all: what one does follows from its
//! address ([`peers`]). One scan at depth `tls` sweeps them until it is asked to stop. Once a second its open files, memory
//! and threads are looked at ([`watch`]); what it holds in the second half of the time must be what it held in the first.
//! Every row is read as it is written: none may come twice, and whoever was connected to needs one.
//!
//! Then the tarpits: thousands of endpoints that say nothing, and a few hundred that greet at once. How long it took
//! until all of these were told is printed.
//!
//! Limits: Linux; nothing leaves 127.0.0.0/8, since the listeners are bound to the device `lo`. Peers and scan share one
//! machine, so the endpoints per second say little. Without `--bench`, as `cargo test --benches` runs it, only a smoke run
//! of some seconds takes place.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

mod peers;
mod rows;
mod watch;

use std::error::Error;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peers::Peers;
use crate::rows::Rows;
use crate::watch::Watch;

/// How long a scan may take to stop: what is under way is brought to its end.
const GRACE: Duration = Duration::from_secs(120);

/// What was begun longer ago than this must have come to an end; at a request to stop hailer gives it ten seconds.
const LONGEST: Duration = Duration::from_secs(60);

/// How many of the tarpits greet at once: one in so many.
const ONE_IN: u32 = 31;

#[derive(Debug, Clone, Parser)]
#[command(name = "soak", about = "Sweeps hostile peers for as long as you like")]
struct Options {
    /// How long to sweep
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// How many endpoints are under way at once
    #[arg(long, default_value_t = 1024)]
    concurrency: usize,
    /// How many tarpits there are besides
    #[arg(long, default_value_t = 15_000)]
    tarpits: u32,
    /// The program, where it is another than the one just built
    #[arg(long, default_value = env!("CARGO_BIN_EXE_hailer"))]
    hailer: PathBuf,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut options = Options::parse();
    let mut time = Duration::from_secs(60 * options.minutes);
    if !options.bench {
        println!("a smoke run: `cargo bench --bench soak` takes its time");
        (time, options.concurrency, options.tarpits) = (Duration::from_secs(6), 64, 100);
    }
    // For the peers, as far as it goes: each connection under way is a file of theirs, too.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let peers = Peers::start()?;
    let mut wrong = soak(&options, &peers, time)?;
    wrong.extend(tarpits(&options, &peers)?);
    for what in &wrong {
        println!("WRONG: {what}");
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A scan and whoever reads its rows; it is killed if it is dropped while it runs.
struct Scan {
    child: Child,
    rows: Arc<Rows>,
    readers: Option<[thread::JoinHandle<String>; 2]>,
}

impl Scan {
    fn start(options: &Options, target: &str, ports: &str, words: &[&str], rows: Rows) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(&options.hailer);
        command.args(["scan", target, "-p", ports, "--all", "-o", "-", "--profile", "lan"]).args(words);
        command.arg("--concurrency").arg(options.concurrency.to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (rows, stdout, stderr) = (Arc::new(rows), child.stdout.take(), child.stderr.take());
        let of_rows = Arc::clone(&rows);
        let readers = [
            thread::spawn(move || stdout.map_or_else(String::new, |pipe| of_rows.read(BufReader::new(pipe)))),
            thread::spawn(move || {
                stderr.map_or_else(String::new, |pipe| std::io::read_to_string(pipe).unwrap_or_default())
            }),
        ];
        Ok(Self { child, rows, readers: Some(readers) })
    }

    fn pid(&self) -> Result<Pid, Box<dyn Error>> {
        Ok(Pid::from_raw(self.child.id().try_into()?))
    }

    /// Waits for the end; what is wrong with it.
    fn end(&mut self, code: i32, patience: Duration) -> Result<Vec<String>, Box<dyn Error>> {
        let deadline = Instant::now() + patience;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err("the scan does not end".into()),
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        let mut wrong = Vec::new();
        if status.code() != Some(code) {
            wrong.push(format!("it ended with {status}, and not with {code}"));
        }
        let words = self.readers.take().map(|readers| readers.map(|reader| reader.join().unwrap_or_default()));
        let [of_rows, said] = words.unwrap_or_default();
        if !of_rows.is_empty() {
            wrong.push(of_rows);
        }
        if said.contains("panicked") {
            wrong.push(format!("it panicked: {said}"));
        }
        Ok(wrong)
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // Neither does anything where it has ended and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The sweep of hostile peers; what is wrong with it.
fn soak(options: &Options, peers: &Peers, time: Duration) -> Result<Vec<String>, Box<dyn Error>> {
    let words = ["--depth", "tls", "--anonymous", "--connect-timeout", "1", "--tls-timeout", "2"];
    let words = [&words[..], &["--greeting-timeout", "3"]].concat();
    let mut scan = Scan::start(options, peers::HOSTILE, &peers.ports(), &words, Rows::new(peers.service_ports()))?;
    let mut watch = Watch::new(scan.pid()?);
    let begun = Instant::now();
    println!("{}", watch::HEAD);
    let mut visited = None;
    while begun.elapsed() < time {
        thread::sleep(Duration::from_secs(1));
        if begun.elapsed() > time.saturating_sub(LONGEST).max(time / 2) {
            visited.get_or_insert_with(|| peers.visited().clone());
        }
        watch.sample(begun.elapsed())?;
        if watch.is_due(time) {
            println!("{}  {:>9} rows", watch.line(), scan.rows.count());
        }
    }
    kill(scan.pid()?, Signal::SIGTERM)?;
    let mut wrong = scan.end(3, GRACE)?;
    wrong.extend(watch.growth());

    let (rows, seconds) = (scan.rows.count(), begun.elapsed().as_secs().max(1));
    println!("\n{rows} rows in {seconds} s, {} in a second; what became of whom:", rows / seconds);
    print!("{}", scan.rows.table());
    let lost = scan.rows.missing(&visited.unwrap_or_default());
    println!("{lost} endpoints that were connected to well before the end have no row\n");
    if lost > 0 {
        wrong.push(format!("{lost} rows are lost"));
    }
    if rows == 0 {
        wrong.push("no rows".into());
    }
    Ok(wrong)
}

/// Silent endpoints in their thousands, and a few that greet at once: when are these told?
fn tarpits(options: &Options, peers: &Peers) -> Result<Vec<String>, Box<dyn Error>> {
    let (first, last) = (peers::TARPITS, peers::TARPITS + options.tarpits - 1);
    let target = format!("{}-{}", std::net::Ipv4Addr::from_bits(first), std::net::Ipv4Addr::from_bits(last));
    let live = u64::from(options.tarpits.div_ceil(ONE_IN));
    let ports = peers.ports();
    let ports = ports.split(',').find(|port| port.ends_with("=smtp")).unwrap_or_default();
    let begun = Instant::now();
    let words = ["--greeting-timeout", "10"];
    let mut scan = Scan::start(options, &target, ports, &words, Rows::new(peers.service_ports()))?;
    let mut wrong = scan.end(0, Duration::from_secs(3600))?;
    let (greeted, last) = scan.rows.greeted();
    println!(
        "{} endpoints, of which {live} greet and the others are silent, {} at once, each silence borne for 10 s:",
        options.tarpits, options.concurrency
    );
    println!(
        "{greeted} were told to have greeted, the last after {:.1} s of {:.1} s",
        last.saturating_duration_since(begun).as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    if (greeted, scan.rows.count()) != (live, u64::from(options.tarpits)) {
        wrong.push(format!("{greeted} of {live} were told to have greeted, in {} rows", scan.rows.count()));
    }
    Ok(wrong)
}
