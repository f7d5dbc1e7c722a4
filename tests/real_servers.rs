//! The real daemons of `tests/lab`, swept by the real binary in one go, every row held against `tests/lab/expected.toml`.
//!
//! Needs root and the packages that `tests/lab/lab install` fetches; otherwise it says so and passes, unless
//! `HAILER_REQUIRE_ALL=1` is set. A daemon that the table calls optional may be missing either way, and is named.

#![expect(clippy::unwrap_used, reason = "a test says by panicking what it could not do")]

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// One endpoint of the lab; the table's own head says what each field means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    address: String,
    port: u16,
    daemon: String,
    #[serde(default)]
    optional: bool,
    service: String,
    outcome: String,
    protocol: Option<String>,
    code: Option<u16>,
    software: Option<String>,
    software_later: Option<String>,
    version: Option<String>,
    hostname: Option<String>,
    tls: Option<String>,
    cert_status: Option<String>,
    banner: Option<String>,
    #[serde(rename = "later")]
    _later: Option<toml::Table>,
    greeting_after: Option<f64>,
    why: String,
}

#[derive(Deserialize)]
struct Table {
    endpoint: Vec<Endpoint>,
}

#[test]
fn every_daemon_gets_its_row() {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
    let table: Table = toml::from_str(&fs::read_to_string(lab.join("expected.toml")).unwrap()).unwrap();
    let (expected, left_out) = what_is_there(&lab.join("lab"), table);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (targets, output) = (folder.path().join("targets.txt"), folder.path().join("rows.ndjson"));
    let lines: Vec<_> = expected.iter().map(target).collect();
    fs::write(&targets, lines.join("\n")).unwrap();

    let run = Command::new(lab.join("lab"))
        .args(["run", "--", env!("CARGO_BIN_EXE_hailer"), "scan", "--all", "-o"])
        .arg(&output)
        .arg(format!("@{}", targets.display()))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&run.stderr);
    if run.status.code() == Some(77) {
        assert!(std::env::var_os("HAILER_REQUIRE_ALL").is_none_or(|value| value != "1"), "{words}");
        // Not with a macro: those are caught, and shown of failed tests only.
        writeln!(std::io::stderr(), "skipped: no real server was swept: {words}").unwrap();
        return;
    }
    assert!(run.status.success(), "{}: {words}", run.status);
    for Endpoint { address, port, daemon, .. } in &left_out {
        writeln!(std::io::stderr(), "skipped: {address} port {port}: {daemon} is left out, `lab install` says why")
            .unwrap();
    }

    let rows: Vec<Value> =
        fs::read_to_string(&output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), expected.len(), "one row for each endpoint");
    let place = |row: &Value| format!("{} {}", row["ip"].as_str().unwrap_or_default(), row["port"]);
    let rows: HashMap<_, _> = rows.iter().map(|row| (place(row), row)).collect();

    let mut wrong = String::new();
    for endpoint in &expected {
        let row = rows.get(&format!("{} {}", endpoint.address, endpoint.port)).copied().unwrap_or(&Value::Null);
        for mistake in mistakes(endpoint, row) {
            let Endpoint { address, port, why, .. } = endpoint;
            writeln!(wrong, "{address} port {port} ({why}): {mistake}\n    {row}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}\n{words}");
}

/// Splits the table into what `lab list` names and what it does not, which only optional endpoints may be.
fn what_is_there(lab: &Path, table: Table) -> (Vec<Endpoint>, Vec<Endpoint>) {
    let list = Command::new(lab).arg("list").output().unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8(list.stdout).unwrap();
    let there: HashSet<(&str, &str)> = list
        .lines()
        .map(|line| line.split_whitespace())
        .filter_map(|mut words| words.next().zip(words.next()))
        .collect();
    let (expected, left_out): (Vec<_>, Vec<_>) = table
        .endpoint
        .into_iter()
        .partition(|endpoint| there.contains(&(endpoint.address.as_str(), endpoint.port.to_string().as_str())));
    for Endpoint { address, port, optional, .. } in &left_out {
        assert!(optional, "{address} port {port} is not optional, but not on the list of the lab:\n{list}");
    }
    (expected, left_out)
}

fn target(endpoint: &Endpoint) -> String {
    let Endpoint { address, port, service, .. } = endpoint;
    if address.contains(':') { format!("[{address}]:{port}={service}") } else { format!("{address}:{port}={service}") }
}

/// Everything in the row that is not as the table says.
fn mistakes(endpoint: &Endpoint, row: &Value) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut hold = |column: &str, expected: &Value| {
        if row[column] != *expected {
            mistakes.push(format!("{column} is {} and not {expected}", row[column]));
        }
    };
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    hold("outcome", &endpoint.outcome.as_str().into());
    hold("protocol", &text(&endpoint.protocol));
    if endpoint.software_later.is_none() {
        hold("software", &text(&endpoint.software));
        hold("version", &text(&endpoint.version));
    }
    if let Some(code) = endpoint.code {
        hold("code", &code.into());
    }
    for (column, expected) in
        [("hostname", &endpoint.hostname), ("tls", &endpoint.tls), ("cert_status", &endpoint.cert_status)]
    {
        if expected.is_some() {
            hold(column, &text(expected));
        }
    }
    if let Some(pattern) = &endpoint.banner {
        let banner = row["banner"].as_str().unwrap_or_default();
        if !Regex::new(pattern).unwrap().is_match(banner) {
            mistakes.push(format!("banner {banner:?} does not match {pattern}"));
        }
    }
    if let Some(seconds) = endpoint.greeting_after {
        // The server's pause begins with its accept(), which is between our SYN and our knowing of it.
        let millis = ["connect_ms", "tls_ms", "greeting_ms"].map(|column| row[column].as_f64().unwrap_or_default());
        let found = millis.iter().sum::<f64>() / 1000.0;
        if found < seconds {
            mistakes.push(format!("the greeting came after {found} s and not at least {seconds} s"));
        }
    }
    mistakes
}
