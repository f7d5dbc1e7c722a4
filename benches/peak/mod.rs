//! Runs the program to its end, and tells how long that took and how much memory it held.
//!
//! Limits: Linux (`/proc`).

use std::error::Error;
use std::fs;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often the memory is looked at: the system keeps its peak, but not beyond the program's end.
const LOOK: Duration = Duration::from_millis(5);

/// What a run took.
pub(super) struct Run {
    pub(super) status: ExitStatus,
    pub(super) seconds: f64,
    /// The most that it held (`VmHWM`), in bytes.
    pub(super) peak: u64,
}

/// # Errors
/// Where it cannot be started or awaited.
pub(super) fn run(command: &mut Command) -> Result<Run, Box<dyn Error>> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default() << 10);
        if let Some(status) = child.try_wait()? {
            return Ok(Run { status, seconds: begun.elapsed().as_secs_f64(), peak });
        }
        thread::sleep(LOOK);
    }
}
