//! What one program costs, by the operating system's own accounting.
//!
//! Every measured program runs under an overseer, a small process of the bench that has this one child: so
//! `getrusage(RUSAGE_CHILDREN)` is that program's CPU time, user and system, to the microsecond, and its peak memory.
//! The overseer samples the memory once a second where asked, ends the program in time, and kills it when its own
//! standard input ends, which is when the bench dies.
//!
//! Limits: the peak starts at the overseer's own few MiB, because Linux hands the mark on through fork and exec. What
//! the kernel does for a connection is charged to whoever runs at that moment, so part of the peers' work lands on the
//! program (and part of the program's on the peers), for hailer and the yardstick alike.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::{Role, role};

/// How long a program may take to stop after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);

const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// A program to be run and measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// SIGTERM comes after this time.
    pub(crate) limit: Duration,
    /// Whether to look at its memory once a second; off where the CPU time counts.
    pub(crate) sample: bool,
}

/// What it cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Exit code; `None` after a signal, then in `signal`.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// The limit was reached and SIGTERM sent.
    pub(crate) stopped: bool,
    pub(crate) wall: Duration,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) peak_kib: u32,
    pub(crate) samples: Vec<Sample>,
    pub(crate) stdout: String,
}

impl Cost {
    /// User and system together.
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// The memory and open files of the program at one moment.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) resident_kib: u32,
    pub(crate) peak_kib: u32,
    /// How many files it had open.
    pub(crate) files: u32,
}

/// Runs the program under an overseer.
pub(crate) fn measure(job: &Job) -> Result<Cost, Box<dyn Error>> {
    // Standard input stays open as long as this value lives: the overseer watches it.
    let mut overseer = role(Role::Overseer, job)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let life = overseer.stdin.take();
    let mut answer = Vec::new();
    let read = overseer.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut answer));
    drop(life);
    let status = overseer.wait()?;
    read?;
    if !status.success() {
        return Err(format!("cannot measure {}", job.program.display()).into());
    }
    Ok(serde_json::from_slice(&answer)?)
}

/// The overseer itself.
pub(crate) fn oversee(job: &Job) -> Result<Cost, Box<dyn Error>> {
    let start = Instant::now();
    let mut command = Command::new(&job.program);
    let mut child = command.args(&job.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let watched = watch(job, &mut child, start);
    if watched.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let wall = start.elapsed();
    let Watched { stopped, samples, stdout } = watched?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(Cost {
        code: status.code(),
        signal: status.signal(),
        stopped,
        wall,
        user: duration(usage.user_time())?,
        system: duration(usage.system_time())?,
        peak_kib: u32::try_from(usage.max_rss())?,
        samples,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
    })
}

#[derive(Default)]
struct Watched {
    stopped: bool,
    samples: Vec<Sample>,
    stdout: Vec<u8>,
}

/// Follows the program until it closes its standard output, which is when it ends. It is not waited for before that, so
/// its id stays its own and no signal can hit another process.
fn watch(job: &Job, child: &mut Child, start: Instant) -> Result<Watched, Box<dyn Error>> {
    let pid = child.id();
    let mut output = child.stdout.take().ok_or("the program has no standard output")?;
    let life = io::stdin();
    let mut watched = Watched::default();
    let mut sample_at = job.sample.then_some(SAMPLE_EVERY);
    let mut buffer = [0; 4096];
    loop {
        let end = if watched.stopped { job.limit + GRACE } else { job.limit };
        let wake = sample_at.map_or(end, |at| at.min(end));
        let mut files = [PollFd::new(output.as_fd(), PollFlags::POLLIN), PollFd::new(life.as_fd(), PollFlags::POLLIN)];
        // A millisecond more, lest the rounding makes it wake up just too early, again and again.
        let pause = wake.saturating_sub(start.elapsed()) + Duration::from_millis(1);
        poll(&mut files, PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX))?;
        let [speaks, dies] = files.map(|file| file.any().unwrap_or_default());

        if dies {
            return Err("the bench is gone".into());
        }
        if speaks {
            let length = output.read(&mut buffer)?;
            if length == 0 {
                return Ok(watched);
            }
            watched.stdout.extend_from_slice(&buffer[..length]);
        }
        let now = start.elapsed();
        if sample_at.is_some_and(|at| now >= at) {
            watched.samples.extend(sample(pid, now));
            sample_at = Some(now + SAMPLE_EVERY);
        }
        if now >= end {
            if watched.stopped {
                return Err("the program does not stop after SIGTERM".into());
            }
            kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
            watched.stopped = true;
        }
    }
}

/// Reads the memory off `/proc/PID/status`; nothing, when the process is just ending.
fn sample(pid: u32, at: Duration) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let files = u32::try_from(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()).ok()?;
    Some(Sample { at, resident_kib: field("VmRSS:")?, peak_kib: field("VmHWM:")?, files })
}

fn duration(value: TimeVal) -> Result<Duration, Box<dyn Error>> {
    let seconds = Duration::from_secs(u64::try_from(value.tv_sec())?);
    Ok(seconds + Duration::from_micros(u64::try_from(value.tv_usec())?))
}
