//! What a process holds, once a second: open files, resident memory, threads.

use std::error::Error;
use std::fs;
use std::time::Duration;

use nix::unistd::Pid;

/// The head of the table.
pub(crate) const HEAD: &str = "     s   files  RSS MiB  threads";

/// How much more than before may be held, in files and in KiB: what a moment differs from another.
const FILES: u64 = 64;
const MEMORY: u64 = 24 * 1024;

/// A table has so many lines.
const LINES: u32 = 20;

/// The samples of one process.
pub(crate) struct Watch {
    process: Pid,
    samples: Vec<Sample>,
    told: u32,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    files: u64,
    resident: u64,
    threads: u64,
}

impl Watch {
    pub(crate) fn new(process: Pid) -> Self {
        Self { process, samples: Vec::new(), told: 0 }
    }

    /// Looks once.
    pub(crate) fn sample(&mut self, at: Duration) -> Result<(), Box<dyn Error>> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.process))?.count();
        let status = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.split_ascii_whitespace().next().unwrap_or_default().parse::<u64>()
        };
        let (resident, threads) = (number("VmRSS:")?, number("Threads:")?);
        self.samples.push(Sample { at, files: u64::try_from(files)?, resident, threads });
        Ok(())
    }

    /// Whether a line of the table is due.
    pub(crate) fn is_due(&mut self, time: Duration) -> bool {
        let due = self.samples.last().is_some_and(|sample| sample.at >= time * self.told / LINES);
        self.told += u32::from(due);
        due
    }

    /// The last sample.
    pub(crate) fn line(&self) -> String {
        self.samples.last().map_or_else(String::new, |sample| {
            let Sample { at, files, resident, threads } = sample;
            format!("{:>6}  {files:>6}  {:>7}  {threads:>7}", at.as_secs(), resident / 1024)
        })
    }

    /// What has grown: the most of the second half against the most of the second quarter, when all is warm.
    pub(crate) fn growth(&self) -> Vec<String> {
        let count = self.samples.len();
        let (quarter, half) = (&self.samples[count / 4..count / 2], &self.samples[count / 2..]);
        let most = |samples: &[Sample], what: fn(&Sample) -> u64| samples.iter().map(what).max().unwrap_or_default();
        let of = |name: &str, what: fn(&Sample) -> u64, more: u64| {
            let (before, after) = (most(quarter, what), most(half, what));
            println!("{name}: at most {before} in the second quarter, {after} in the second half");
            (after > before + before / 10 + more).then(|| format!("{name} have grown from {before} to {after}"))
        };
        let figures = [
            of("open files", |sample| sample.files, FILES),
            of("KiB resident", |sample| sample.resident, MEMORY),
            of("threads", |sample| sample.threads, 0),
        ];
        figures.into_iter().flatten().collect()
    }
}
