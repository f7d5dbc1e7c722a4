//! What sets of targets cost: memory, the time to make them, and the time to find an endpoint: `cargo bench --bench
//! targets`.
//!
//! Each set is made in a process of its own, which is this binary again, told what to make, so that peaks can be
//! compared. Lists are files in the system's folder for temporary ones, which need up to 150 MB there and are removed.
//! The endpoints found are random, as a scan takes them. `resident` is after that, `peak` is the most it ever was, both
//! without what the system caches of files.
//!
//! Limits: Linux (`/proc`).

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hailer::{Family, Ports, Targets};

/// How many endpoints are looked up.
const LOOKUPS: u32 = 1_000_000;

/// Told to a process that makes one set.
const ROLE: &str = "--make";

/// What is made: targets as they are, or so many lines of a list.
enum What {
    Words(&'static [&'static str]),
    Lines(u64, fn(u64) -> String),
}

const ROWS: [(&str, What); 9] = [
    ("nothing", What::Words(&[])),
    ("8.8.8.8", What::Words(&["8.8.8.8"])),
    ("8.8.0.0/16", What::Words(&["8.8.0.0/16"])),
    ("8.0.0.0/8", What::Words(&["8.0.0.0/8"])),
    ("0.0.0.0/0", What::Words(&["0.0.0.0/0"])),
    ("2600::/65, port 25", What::Words(&["[2600::/65]:25"])),
    ("1,000,000 addresses", What::Lines(1_000_000, address)),
    ("2,000,000 names", What::Lines(2_000_000, name)),
    ("10,000,000 of all kinds", What::Lines(10_000_000, any)),
];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == ROLE) {
        return make(&words[1..]);
    }
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured without --bench, which `cargo bench` gives");
        return Ok(());
    }
    println!(
        "{:24} {:>20} {:>9} {:>9} {:>9} {:>10}",
        "targets", "endpoints", "resident", "peak", "made in", "a lookup"
    );
    let folder = tempfile::tempdir()?;
    for (title, what) in ROWS {
        let words = match what {
            What::Words(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            What::Lines(count, line) => {
                let path = folder.path().join("list");
                write(&path, count, line)?;
                vec![format!("@{}", path.display())]
            }
        };
        let made = Command::new(std::env::current_exe()?).arg(ROLE).args(words).output()?;
        if !made.status.success() {
            return Err(format!("{title}: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        println!("{title:24} {}", String::from_utf8(made.stdout)?.trim_end());
    }
    Ok(())
}

/// Makes one set in this process, and says what it cost.
fn make(words: &[String]) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mut builder = Targets::builder();
    for word in words {
        match word.strip_prefix('@') {
            Some(path) => drop(builder.add_list(path, BufReader::new(File::open(path)?))?),
            None => drop(builder.add(word)?),
        }
    }
    let targets = match words {
        [] => None,
        _ => Some(builder.build(&Ports::default(), Family::Any)?),
    };
    let made = begun.elapsed();
    let begun = Instant::now();
    if let Some(targets) = &targets {
        for i in 0..u64::from(LOOKUPS) {
            black_box(targets.endpoint(scatter(i) % targets.len())?);
        }
    }
    let lookup = begun.elapsed() / LOOKUPS;
    let endpoints = targets.as_ref().map_or(0, Targets::len);
    let (resident, peak) = (memory("VmRSS:")?, memory("VmHWM:")?);
    println!(
        "{endpoints:>20} {resident:>6.1} MB {peak:>6.1} MB {:>7.3} s {:>7} ns",
        made.as_secs_f64(),
        lookup.as_nanos()
    );
    Ok(())
}

/// A figure of this process in MB.
fn memory(what: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

fn write(path: &Path, count: u64, line: fn(u64) -> String) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for i in 0..count {
        writeln!(file, "{}", line(i))?;
    }
    file.flush()
}

/// The same numbers in every run, all over the place (`SplitMix64`, which gives each number once).
fn scatter(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Somewhere from 16.0.0.0 to 79.255.255.255, where nothing is reserved.
fn address(i: u64) -> String {
    let number = u32::try_from(scatter(i) % (64 << 24)).unwrap_or_default();
    Ipv4Addr::from((16 << 24) + number).to_string()
}

fn name(i: u64) -> String {
    format!("mail-{:012x}.example.com", scatter(i) >> 16)
}

fn any(i: u64) -> String {
    match i % 5 {
        0 | 1 => address(i),
        2 => format!("{}/29:25", address(i)),
        3 => Ipv6Addr::from((0x2600_u128 << 112) + (u128::from(scatter(i)) << 16)).to_string(),
        _ if i.is_multiple_of(2) => format!("mx:{}", name(i)),
        _ => name(i),
    }
}
