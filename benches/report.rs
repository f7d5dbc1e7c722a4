//! What `hailer report` costs: rows to every format, with the time that takes, the memory, and what the file comes to.
//! `cargo bench --bench report`, or of fewer rows, of some formats, with another program:
//!
//! ```text
//! cargo bench --bench report -- --rows 100000 --hailer target/release/hailer xlsx html
//! ```
//!
//! The rows are made up: each host has two endpoints, three endpoints in ten speak TLS, each with a certificate of its own, and as many have findings.
//! They are in a folder for temporary files (`TMPDIR`), with some 700 MB for a million of them and as much again for each
//! format; a workbook needs 2 GB more while it is written. Of so many rows a page holds the figures, and those with the worst
//! findings.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

mod peak;

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

const ROWS: u32 = 1_000_000;

const FORMATS: [&str; 4] = ["csv", "ndjson", "xlsx", "html"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<_> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured without --bench, which `cargo bench` gives");
        return Ok(());
    }
    words.retain(|word| word != "--bench");
    let rows = taken(&mut words, "--rows").map_or(Ok(ROWS), |word| word.parse())?;
    let program = taken(&mut words, "--hailer").unwrap_or_else(|| env!("CARGO_BIN_EXE_hailer").to_owned());
    let asked: Vec<_> = words.iter().map(String::as_str).collect();
    let formats = if asked.is_empty() { FORMATS.to_vec() } else { asked };
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("rows.ndjson");
    let mut file = BufWriter::new(File::create(&source)?);
    (0..rows).try_for_each(|number| writeln!(file, "{}", row(number)))?;
    file.flush()?;
    println!("{rows} rows in {:.0} MB of NDJSON", megabytes(&source)?);
    println!("{:>8} {:>9} {:>10} {:>9}", "format", "seconds", "peak MB", "file MB");
    for format in formats {
        let output = folder.path().join(format!("out.{format}"));
        let run = peak::run(Command::new(&program).arg("report").arg(&source).arg("-o").arg(&output))?;
        if !run.status.success() {
            return Err(format!("it ended with {}", run.status).into());
        }
        let peak = f64::from(u32::try_from(run.peak >> 10)?) / 1024.0;
        println!("{format:>8} {:>9.1} {peak:>10.1} {:>9.0}", run.seconds, megabytes(&output)?);
        fs::remove_file(output)?;
    }
    Ok(())
}

/// The word behind this one, which both are no more.
fn taken(words: &mut Vec<String>, name: &str) -> Option<String> {
    let at = words.iter().position(|word| word == name)?;
    words.drain(at..words.len().min(at + 2)).nth(1)
}

fn megabytes(path: &Path) -> Result<f64, Box<dyn Error>> {
    let kilobytes = u32::try_from(path.metadata()?.len() / 1024)?;
    Ok(f64::from(kilobytes) / 1024.0)
}

/// The row of one endpoint, of which each host has two.
fn row(number: u32) -> String {
    const PORTS: [(u16, &str); 5] = [(21, "ftp"), (25, "smtp"), (465, "smtps"), (587, "submission"), (990, "ftps")];

    let host = number / 2;
    let ip = Ipv4Addr::from(0x0a00_0000 + host);
    let (port, service) = PORTS[usize::try_from(number % 2 * 2 + host % 3).unwrap_or(0)];
    let (minute, second) = (number / 60 % 60, number % 60);
    let head = format!(
        r#"{{"time":"2026-11-21T03:{minute:02}:{second:02}.598462Z","ip":"{ip}","port":{port},"service":"{service}","outcome""#
    );
    let kind = scatter(number) % 10;
    let version = scatter(number) / 16 % 40;
    let hash = format!("{:016x}", scatter(number)).repeat(4);
    match kind {
        0 => format!(r#"{head}:"refused","attempts":1}}"#),
        1 => format!(
            r#"{head}:"closed","connect_ms":0.4,"fronting":"possible","evidence":[{{"code":"accept_then_close","grade":"moderate","excerpt":"FIN without a byte","ms":41.561}}],"attempts":1}}"#
        ),
        2..=6 => format!(
            r#"{head}:"greeted","connect_ms":0.7,"greeting_ms":44.02,"code":220,"banner":"220 host{number}.example ESMTP Exim 4.{version} ready\\r\\n","hostname":"host{number}.example","software":"Exim","version":"4.{version}","cpe":"cpe:2.3:a:exim:exim:4.{version}:*:*:*:*:*:*:*","confidence":95,"fronting":"not_observed","banner_hash":"{hash}","attempts":1}}"#
        ),
        _ => format!(
            r#"{head}:"greeted","connect_ms":0.7,"tls_ms":12.25,"greeting_ms":44.02,"code":220,"banner":"220 host{number}.example ESMTP Postfix\\r\\n","hostname":"host{number}.example","software":"Postfix","vendor":"Postfix","confidence":95,"fronting":"not_observed","tls":"starttls","tls_version":"TLSv1.3","tls_cipher":"TLS13_AES_256_GCM_SHA384","tls_group":"X25519","cert_subject":"CN=host{number}.example","cert_issuer":"CN=Example CA,O=Example","cert_names":["host{number}.example","mail{number}.example"],"cert_not_before":"2026-01-{:02}T00:00:00Z","cert_not_after":"2027-{:02}-01T00:00:00Z","cert_key":"EC P-256","cert_signature":"ecdsa-with-SHA256","cert_status":"untrusted","cert_sha256":"{hash}","severity":"medium","findings":["cert_untrusted","version_disclosed"],"findings_detail":[{{"id":"cert_untrusted","severity":"medium","detail":"CN=Example CA"}},{{"id":"version_disclosed","severity":"info"}}],"banner_hash":"{hash}","attempts":1}}"#,
            number % 28 + 1,
            number % 12 + 1,
        ),
    }
}

/// The same numbers in every run, all over the place (`SplitMix64`, which gives each number once).
fn scatter(number: u32) -> u64 {
    let mut z = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
