//! How long `hailer scan` takes from its start to its first connection: `cargo bench --bench start`.
//!
//! The program is run on a file of 10,000 targets, addresses and small networks, with an output file and so a journal. A
//! listener stands at the endpoint that `--list` names first; what is told is the time from before the fork to its accept.
//! Two more rows say what of that is the program's own: as little as it can do, and a sweep of one target.
//!
//! Limits: one process at a time on a machine that should have nothing else to do. Nothing leaves 127.0.0.0/8, where all
//! other endpoints are closed; the program is ended as soon as it has connected.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::error::Error;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use socket2::SockRef;

const RUNS: usize = 20;
const TARGETS: u32 = 10_000;
const GOAL: Duration = Duration::from_millis(20);

/// A program that has not connected by then never will.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    if !std::env::args().any(|word| word == "--bench") {
        println!("nothing is measured without --bench, which `cargo bench` gives");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    println!("start to first connection, {RUNS} runs each    median     least      most");
    report("nothing but --version", &times(|_| nothing())?);
    for (name, count) in [("1 target", 1), ("10,000 targets", TARGETS)] {
        let course = Course::lay(folder.path(), count)?;
        report(name, &times(|run| course.run(run))?);
    }
    println!("the goal is {} ms for {TARGETS} targets", GOAL.as_millis());
    Ok(())
}

fn report(name: &str, times: &[Duration]) {
    let shown = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    let (median, least, most) = (times.get(times.len() / 2), times.first(), times.last());
    println!("{name:<36} {:6.1} ms {:6.1} ms {:6.1} ms", shown(median), shown(least), shown(most));
}

/// In order, after one run that nobody counts.
fn times(mut run: impl FnMut(usize) -> io::Result<Duration>) -> io::Result<Vec<Duration>> {
    run(0)?;
    let mut times = (1..=RUNS).map(run).collect::<io::Result<Vec<_>>>()?;
    times.sort_unstable();
    Ok(times)
}

fn hailer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailer"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn nothing() -> io::Result<Duration> {
    let begun = Instant::now();
    hailer().arg("--version").status()?;
    Ok(begun.elapsed())
}

/// A list of targets, and a listener at the one that comes first.
struct Course<'a> {
    folder: &'a Path,
    count: u32,
    words: [String; 5],
    listener: TcpListener,
}

impl<'a> Course<'a> {
    fn lay(folder: &'a Path, count: u32) -> Result<Self, Box<dyn Error>> {
        // A port that is free on one address is hardly taken on another.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let list = folder.join(format!("{count}.txt"));
        fs::write(&list, targets(count))?;
        let words = [format!("@{}", list.display()), "-p".into(), format!("{port}=ftp"), "--seed".into(), "1".into()];
        let listed = hailer().arg("scan").args(&words).arg("--list").stdout(Stdio::piped()).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let first = listed.lines().next().and_then(|line| line.split('=').next()).ok_or("--list prints nothing")?;
        let listener = TcpListener::bind(first.parse::<SocketAddr>()?)?;
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE))?;
        Ok(Self { folder, count, words, listener })
    }

    fn run(&self, number: usize) -> io::Result<Duration> {
        let output = self.folder.join(format!("{}-{number}.csv", self.count));
        let begun = Instant::now();
        let child = hailer().arg("scan").args(&self.words).arg("-o").arg(output).spawn()?;
        let time = self.listener.accept().map(|_| begun.elapsed());
        end(child)?;
        time
    }
}

fn end(mut child: Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

/// Every tenth is a network of four addresses.
fn targets(count: u32) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(127, 64, 0, 0).to_bits() + 4 * number);
        let suffix = if number % 10 == 9 { "/30" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{address}{suffix}");
    }
    lines
}
