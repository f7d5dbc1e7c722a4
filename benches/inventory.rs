//! What comparing two inventories costs, in time and in memory: `cargo bench --bench inventory`, or `-- --rows 200000`.
//!
//! Rows are made up, as a scan with TLS writes them, some 800 bytes each in NDJSON, in files in the system's folder for
//! temporary ones (TMPDIR), which need up to 4 GB there for a million rows a side and are removed. In each case `hailer diff`
//! is a process of its own, whose peak (`VmHWM`) is watched. It fails where that is more than the bound: memory follows the
//! buffers that rows are sorted in, never how many there are.
//!
//! Limits: Linux (`/proc`).

#![expect(clippy::print_stdout, reason = "the figures are for people")]

mod peak;

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The default of `--rows`, of each side.
const ROWS: u32 = 1_000_000;

/// The program may hold so much: sorting takes 32 MiB at a time, three times over where everything differs.
const BOUND: u64 = 256 << 20;

/// Of how many rows one differs on the new side, what rows are, and what is written of the differences.
const CASES: [(&str, &str, &str, u32); 6] = [
    ("nothing differs", "csv", "csv", 0),
    ("1 % differs", "csv", "csv", 100),
    ("1 % differs", "ndjson", "ndjson", 100),
    ("everything differs", "ndjson", "ndjson", 1),
    ("everything differs", "ndjson", "xlsx", 1),
    ("everything differs", "ndjson", "html", 1),
];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured without --bench, which `cargo bench` gives");
        return Ok(());
    }
    let value = |name: &str| words.iter().skip_while(|word| *word != name).nth(1);
    let rows = value("--rows").map_or(Ok(ROWS), |word| word.parse())?;
    let program = value("--hailer").map_or(env!("CARGO_BIN_EXE_hailer"), String::as_str);
    println!(
        "{:20} {:7} {:7} {:>11} {:>9} {:>9} {:>9} {:>9}",
        "rows of each side", "format", "to", "rows", "of OLD", "written", "time", "peak"
    );
    let mut too_much = false;
    for (case, format, to, every) in CASES {
        let folder = tempfile::tempdir()?;
        let [old, new] = ["old", "new"].map(|name| folder.path().join(format!("{name}.{format}")));
        let changes = folder.path().join(format!("changes.{to}"));
        make(&old, rows, 0)?;
        make(&new, rows, every)?;
        let bytes = fs::metadata(&old)?.len();
        let mut command = Command::new(program);
        command.arg("diff").args([&old, &new]).arg("-o").arg(&changes).arg("-q").stderr(Stdio::null());
        let run = peak::run(&mut command)?;
        // 5: something differs.
        if !matches!(run.status.code(), Some(0 | 5)) {
            return Err(run.status.to_string().into());
        }
        let written = fs::metadata(&changes)?.len();
        let mib = |bytes: u64| bytes >> 20;
        println!(
            "{case:20} {format:7} {to:7} {rows:>11} {:>7} M {:>7} M {:>7.1} s {:>7} M",
            mib(bytes),
            mib(written),
            run.seconds,
            mib(run.peak)
        );
        too_much |= run.peak > BOUND;
    }
    if too_much { Err(format!("more than {} MiB were held", BOUND >> 20).into()) } else { Ok(()) }
}

/// Writes rows in the order of a scan, which is none; every so many are other than they were.
fn make(path: &Path, rows: u32, every: u32) -> Result<(), Box<dyn Error>> {
    let is_csv = path.extension().is_some_and(|ending| ending == "csv");
    let mut file = BufWriter::new(File::create(path)?);
    if is_csv {
        writeln!(file, "{}", COLUMNS.join(","))?;
    }
    let mut line = String::new();
    for number in 0..rows {
        // An odd number of steps through all numbers of 32 bits meets each once.
        let host = number.wrapping_mul(2_654_435_761);
        let is_other = every > 0 && number % every == 0;
        line.clear();
        cells(&mut line, host, is_other, is_csv)?;
        file.write_all(line.as_bytes())?;
    }
    Ok(file.flush()?)
}

const COLUMNS: [&str; 17] = [
    "time",
    "ip",
    "port",
    "service",
    "outcome",
    "code",
    "banner",
    "hostname",
    "software",
    "version",
    "tls",
    "tls_version",
    "cert_subject",
    "cert_issuer",
    "cert_not_after",
    "cert_sha256",
    "banner_hash",
];

fn cells(line: &mut String, host: u32, is_other: bool, is_csv: bool) -> std::fmt::Result {
    let ip = std::net::Ipv4Addr::from(host);
    let version = if is_other { "4.98.2" } else { "4.96" };
    let hash = format!("{host:08x}").repeat(8);
    let other_hash = format!("{:08x}", host ^ u32::from(is_other)).repeat(8);
    let names = "autodiscover.example.com imap.example.com mail.example.com pop3.example.com smtp.example.com";
    let cells = [
        format!("2026-11-21T03:{:02}:{:02}.000000Z", host % 60, host / 60 % 60),
        ip.to_string(),
        "465".into(),
        "smtps".into(),
        "greeted".into(),
        "220".into(),
        format!("220 host{host:08x}.example.com ESMTP Exim {version} ready at last {names}"),
        format!("host{host:08x}.example.com"),
        "Exim".into(),
        version.into(),
        "implicit".into(),
        "TLSv1.3".into(),
        format!("CN=host{host:08x}.example.com"),
        "CN=R11;O=Authority;C=US".into(),
        "2027-01-01T00:00:00Z".into(),
        hash,
        other_hash,
    ];
    if is_csv {
        return writeln!(line, "{}", cells.join(","));
    }
    for (at, (name, cell)) in COLUMNS.iter().zip(&cells).enumerate() {
        let is_number = ["port", "code"].contains(name);
        let quote = if is_number { "" } else { "\"" };
        write!(line, "{}\"{name}\":{quote}{cell}{quote}", if at == 0 { "{" } else { "," })?;
    }
    writeln!(line, "}}")
}
