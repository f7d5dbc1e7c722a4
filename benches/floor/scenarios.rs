//! The scenarios: hailer and the yardstick in turn over the same endpoints, and what each run must have yielded.
//!
//! Limits: a wrong count or a wrong row is a complaint, a failing program ends the bench; no timing ever does. The
//! second sweep over a /16 fills the kernel's table of connections in `TIME_WAIT` (131,072 as a rule); from then on a
//! close costs both a little less, so the first pair may differ from the others.

use std::error::Error;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};

use crate::measure::{self, Cost, measure};
use crate::peers::{self, Peers};
use crate::range::Range;
use crate::report::{self, Runs};
use crate::yardstick::{self, Counts, Leave};
use crate::{Options, Role, arguments};

/// No run over a /16 takes this long; one that does is stopped and complained about.
const LIMIT: Duration = Duration::from_secs(300);

/// What hailer's exit code says about a scan that was stopped and can go on.
const STOPPED: i32 = 3;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Every endpoint greets; the connection is closed.
    Greeting,
    /// Every endpoint greets; QUIT, 221.
    GreetingQuit,
    /// Nothing listens.
    Refused,
    /// Nothing listens in all of 127.0.0.0/8; stopped after a while, its memory sampled.
    #[value(name = "refused-8")]
    RefusedEight,
}

/// A bench at work.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    options: &'a Options,
    range: Range,
    /// The port of the peers, which run as long as this value lives.
    open: u16,
    _peers: Peers,
    closed: ClosedPort,
    folder: &'a Path,
    complaints: Vec<String>,
}

impl<'a> Bench<'a> {
    /// Starts the peers.
    pub(crate) fn new(options: &'a Options, folder: &'a Path) -> Result<Self, Box<dyn Error>> {
        let range = Range::new(options.prefix);
        let closed = ClosedPort::reserve(LOWEST)?;
        let open = ClosedPort::reserve(closed.number + 1)?.number;
        let peers = Peers::start(&peers::Job {
            range,
            port: open,
            greeting: options.greeting.clone(),
            share: 0,
            of: options.servers,
        })?;
        Ok(Self { options, range, open, _peers: peers, closed, folder, complaints: Vec::new() })
    }

    /// What was wrong so far.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Runs the pairs of a scenario.
    pub(crate) fn pairs(&mut self, scenario: Scenario) -> Result<Option<Runs>, Box<dyn Error>> {
        let (name, port, leave) = match scenario {
            Scenario::Greeting => ("greeting", self.open, Leave::Close),
            Scenario::GreetingQuit => ("greeting-quit", self.open, Leave::Quit),
            Scenario::Refused => ("refused", self.closed.number, Leave::Close),
            Scenario::RefusedEight => return Ok(None),
        };
        let (greets, len) = (scenario != Scenario::Refused, self.range.len());
        let counts = Counts { greeted: if greets { len } else { 0 }, refused: if greets { 0 } else { len }, broken: 0 };
        let mut runs = Runs { scenario: name, endpoints: len, hailer: Vec::new(), floor: Vec::new() };

        // Unmeasured: the first sweep fills the kernel's caches, and proves the peers before hailer is judged by them.
        self.floor(port, leave, counts)?;
        if !greets && !self.options.floor_only {
            self.refusals(port)?;
        }
        for pair in 1..=self.options.pairs {
            if !self.options.floor_only {
                runs.hailer.push(self.hailer(port, leave, greets)?);
            }
            runs.floor.push(self.floor(port, leave, counts)?);
            crate::progress(&format!("{name}: pair {pair} of {}", self.options.pairs));
        }
        Ok(Some(runs))
    }

    /// Sweeps 127.0.0.0/8 for a while; returns what there is to say about it.
    pub(crate) fn refused_eight(&mut self) -> Result<String, Box<dyn Error>> {
        let output = self.folder.join("refused-8.ndjson");
        let seconds = Duration::from_secs(self.options.seconds);
        let job = measure::Job {
            limit: seconds,
            sample: true,
            ..self.scan("127.0.0.0/8", self.closed.number, Leave::Close, &output)
        };
        let cost = measure(&job)?;
        if cost.code != Some(STOPPED) {
            self.complain(format!("refused-8: hailer ended with {}, expected exit code {STOPPED}", ending(&cost)));
        }
        Ok(format!(
            "refused-8: 127.0.0.0/8, SIGTERM after {} s: {}, {:.1} s CPU in {:.1} s\n{}",
            self.options.seconds,
            ending(&cost),
            cost.cpu().as_secs_f64(),
            cost.wall.as_secs_f64(),
            report::memory(&cost.samples)
        ))
    }

    fn floor(&mut self, port: u16, leave: Leave, expected: Counts) -> Result<Cost, Box<dyn Error>> {
        let job = yardstick::Job { range: self.range, port, concurrency: self.options.concurrency, leave };
        let cost = measure(&measure::Job {
            program: std::env::current_exe()?.into(),
            arguments: arguments(Role::Yardstick, &job)?.into(),
            limit: LIMIT,
            sample: false,
        })?;
        if cost.code != Some(0) {
            return Err(format!("the yardstick ended with {}", ending(&cost)).into());
        }
        let counts = serde_json::from_str::<Counts>(&cost.stdout)?;
        if counts != expected {
            self.complain(format!("yardstick: {counts:?}, expected {expected:?}"));
        }
        Ok(cost)
    }

    fn hailer(&mut self, port: u16, leave: Leave, greets: bool) -> Result<Cost, Box<dyn Error>> {
        let output = self.folder.join("rows.ndjson");
        let cost = measure(&self.scan(&self.range.cidr(), port, leave, &output))?;
        if cost.code != Some(0) {
            return Err(format!("hailer ended with {}", ending(&cost)).into());
        }
        if greets {
            self.complaints.extend(crate::rows::complaint(&output, self.range, "greeted")?.map(crate::loudly));
        } else if std::fs::metadata(&output).map_err(|error| format!("hailer's rows: {error}"))?.len() > 0 {
            self.complain("hailer wrote rows where every endpoint refuses".to_owned());
        }
        Ok(cost)
    }

    /// Unmeasured: with `--all`, every refusal has its row, which is what proves that hailer went everywhere.
    fn refusals(&mut self, port: u16) -> Result<(), Box<dyn Error>> {
        let output = self.folder.join("refusals.ndjson");
        let mut job = self.scan(&self.range.cidr(), port, Leave::Close, &output);
        job.arguments.push("--all".into());
        let cost = measure(&job)?;
        if cost.code != Some(0) {
            return Err(format!("hailer --all ended with {}", ending(&cost)).into());
        }
        self.complaints.extend(crate::rows::complaint(&output, self.range, "refused")?.map(crate::loudly));
        Ok(())
    }

    /// The command line of hailer.
    fn scan(&self, target: &str, port: u16, leave: Leave, output: &Path) -> measure::Job {
        let leave = match leave {
            Leave::Close => "close",
            Leave::Quit => "quit",
        };
        let mut arguments = vec![OsString::from("scan"), target.into()];
        arguments.extend(["-p".into(), format!("{port}=ftp").into(), "--leave".into(), leave.into()]);
        arguments.extend(["--concurrency".into(), self.options.concurrency.to_string().into()]);
        arguments.extend(["--threads".into(), self.options.threads.to_string().into()]);
        arguments.extend(["-q".into(), "--overwrite".into(), "-o".into(), output.into()]);
        arguments.extend(self.options.hailer_arg.iter().map(OsString::from));
        let program = self.options.hailer.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_hailer")));
        measure::Job { program: program.into(), arguments, limit: LIMIT, sample: false }
    }

    fn complain(&mut self, complaint: String) {
        self.complaints.push(crate::loudly(complaint));
    }
}

fn ending(cost: &Cost) -> String {
    let ending = match (cost.code, cost.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    if cost.stopped { format!("{ending} after SIGTERM") } else { ending }
}

/// Where the search for free ports starts: below the ports that Linux gives to clients (32768 and up), since a client
/// that got the very port it connects to would, on 127.0.0.1, meet itself.
const LOWEST: u16 = 20_000;
const HIGHEST: u16 = 30_000;

/// A port that refuses on every address: bound, so that nobody else takes it, but not listening.
#[derive(Debug)]
struct ClosedPort {
    number: u16,
    _socket: OwnedFd,
}

impl ClosedPort {
    /// The first port from `lowest` on that nobody uses on any address.
    fn reserve(lowest: u16) -> Result<Self, Box<dyn Error>> {
        for number in lowest..HIGHEST {
            let socket = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            let address = std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, number);
            if socket::bind(socket.as_raw_fd(), &SockaddrIn::from(address)).is_ok() {
                return Ok(Self { number, _socket: socket });
            }
        }
        Err("no free port".into())
    }
}
