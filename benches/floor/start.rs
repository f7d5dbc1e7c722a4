//! The start of a scan: what it costs before its first endpoint, which is in every figure of the other scenarios, the more
//! the fewer endpoints they have; and how long it takes to the first connection.
//!
//! For that hailer is run on a file of targets, addresses and small networks, with an output file and so a journal. A
//! listener stands at the endpoint that `--list` names first; what is told is the time from before the fork to its accept.
//! `--version`, which is as little as a program can do, and one target say what of that is the system's.
//!
//! Limits: nothing leaves 127.0.0.0/8, where all other endpoints are closed; hailer is ended as soon as it has connected.

use std::error::Error;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use socket2::SockRef;

use crate::Options;
use crate::field::{ClosedPort, LOWEST};
use crate::goal::{Bound, Goal};
use crate::measure::measure;
use crate::scenarios::{Bench, Sweep, to_the_end};
use crate::yardstick::Leave;

/// Runs of each; they are short, and differ.
const RUNS: usize = 20;

const MANY: u32 = 10_000;

/// A program that has not connected by then never will.
const PATIENCE: Duration = Duration::from_secs(20);

impl Bench<'_> {
    pub(crate) fn start(&mut self) -> Result<(), Box<dyn Error>> {
        let mut table = vec![("start: ms of --version", Bound::None, millis(|_| nothing(self.options))?)];
        let courses = [
            ("start: ms to the first connection, one target", Bound::None, 1),
            ("start: ms to the first connection, 10,000 lines of targets", Bound::AtMost(20.0), MANY),
        ];
        for (what, bound, count) in courses {
            let course = Course::lay(self, count)?;
            table.push((what, bound, millis(|run| course.run(run))?));
        }
        let [cpus, peaks] = self.one_endpoint()?;
        table.push(("start: ms CPU of a scan of one endpoint", Bound::None, cpus));
        table.push(("start: MiB of a scan of one endpoint", Bound::None, peaks));
        self.goals.extend(table.into_iter().map(|(what, bound, figures)| Goal {
            what: what.to_owned(),
            bound,
            figures,
            decimals: 1,
            command: "--scenario start".to_owned(),
        }));
        Ok(())
    }

    /// Milliseconds of CPU time and MiB, run by run.
    fn one_endpoint(&self) -> Result<[Vec<f64>; 2], Box<dyn Error>> {
        let closed = ClosedPort::reserve(LOWEST)?;
        let output = self.folder.join("start.ndjson");
        let sweep = Sweep {
            target: "127.1.0.1".to_owned(),
            port: closed.number,
            service: "ftp",
            leave: Leave::Close,
            concurrency: 1,
            threads: self.options.threads,
            more: Vec::new(),
        };
        let (mut cpus, mut peaks) = (Vec::new(), Vec::new());
        for _ in 0..self.options.pairs {
            let cost = to_the_end(measure(&self.scan(sweep.clone(), &output))?)?;
            cpus.push(cost.cpu().as_secs_f64() * 1e3);
            peaks.push(f64::from(cost.peak_kib) / 1024.0);
        }
        Ok([cpus, peaks])
    }
}

/// Run by run, after one that nobody counts.
fn millis(mut run: impl FnMut(usize) -> io::Result<Duration>) -> io::Result<Vec<f64>> {
    run(0)?;
    (1..=RUNS).map(|number| Ok(run(number)?.as_secs_f64() * 1e3)).collect()
}

fn hailer(options: &Options) -> Command {
    let mut command = Command::new(&options.hailer);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn nothing(options: &Options) -> io::Result<Duration> {
    let begun = Instant::now();
    hailer(options).arg("--version").status()?;
    Ok(begun.elapsed())
}

/// A list of targets, and a listener at the one that comes first.
struct Course<'a> {
    bench: &'a Bench<'a>,
    count: u32,
    words: Vec<String>,
    listener: TcpListener,
}

impl<'a> Course<'a> {
    fn lay(bench: &'a Bench<'_>, count: u32) -> Result<Self, Box<dyn Error>> {
        // A port that is free now is hardly taken before the listener stands.
        let port = ClosedPort::reserve(LOWEST)?.number;
        let list = bench.folder.join(format!("{count}.txt"));
        fs::write(&list, targets(count))?;
        let mut words = vec![format!("@{}", list.display()), "-p".into(), format!("{port}=ftp")];
        words.extend(["--seed".into(), "1".into(), "--threads".into(), bench.options.threads.to_string()]);
        words.extend(bench.options.hailer_arg.iter().cloned());
        let listed = hailer(bench.options).arg("scan").args(&words).arg("--list").stdout(Stdio::piped()).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let first = listed.lines().next().and_then(|line| line.split('=').next()).ok_or("--list prints nothing")?;
        let listener = TcpListener::bind(first.parse::<SocketAddr>()?)?;
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE))?;
        Ok(Self { bench, count, words, listener })
    }

    fn run(&self, number: usize) -> io::Result<Duration> {
        let output = self.bench.folder.join(format!("start-{}-{number}.csv", self.count));
        let begun = Instant::now();
        let child = hailer(self.bench.options).arg("scan").args(&self.words).arg("-o").arg(output).spawn()?;
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
