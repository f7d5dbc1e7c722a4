//! The real daemons of `tests/lab`, swept by the real binary at its usual depth and at depth `tls`, and some of them with
//! several connections each, every row held against `tests/lab/expected.toml`, and what it says of TLS against what
//! `openssl s_client` says. What was expected and what was got of software, version and fronting is counted in
//! `target/lab-confusion.md`.
//!
//! Needs root and the packages that `tests/lab/lab install` fetches; otherwise it says so and passes, unless
//! `HAILER_REQUIRE_ALL=1` is set. A daemon that the table calls optional may be missing either way, and is named.

#![expect(clippy::unwrap_used, reason = "a test says by panicking what it could not do")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
    software_varies: Option<String>,
    version: Option<String>,
    hostname: Option<String>,
    tls: Option<String>,
    cert_status: Option<String>,
    banner: Option<String>,
    fronting: Option<String>,
    front: Option<String>,
    #[serde(default)]
    evidence: BTreeSet<String>,
    greeting_after: Option<f64>,
    why: String,
    #[serde(default)]
    deep: Deep,
    sampled: Option<Sampled>,
}

/// What several connections show.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sampled {
    fronting: Option<String>,
    front: Option<String>,
    #[serde(default)]
    evidence: BTreeSet<String>,
}

/// What is learnt only at depth `tls`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deep {
    fronting: Option<String>,
    front: Option<String>,
    #[serde(default)]
    evidence: BTreeSet<String>,
    client_address: Option<String>,
    tls: Option<String>,
    tls_version: Option<String>,
    old: Option<String>,
    software: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    auth: Vec<String>,
}

/// What stands in front, by its verdict, its name, and the codes of what speaks for it.
#[derive(Debug, PartialEq, Eq)]
struct Verdict<'a> {
    fronting: &'a str,
    front: Option<&'a str>,
    evidence: BTreeSet<&'a str>,
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
    let targets: String = expected.iter().map(target).collect();
    fs::write(folder.path().join("targets.txt"), targets).unwrap();
    let sampled: String = expected.iter().filter(|endpoint| endpoint.sampled.is_some()).map(target).collect();
    fs::write(folder.path().join("sampled.txt"), sampled).unwrap();
    let asked: String = expected.iter().filter_map(asked).collect();
    fs::write(folder.path().join("asked.txt"), asked).unwrap();

    let run = Command::new(lab.join("lab"))
        .args(["run", "--"])
        .args([lab.join("sweep").as_path(), Path::new(env!("CARGO_BIN_EXE_hailer")), folder.path()])
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

    let [shallow, deep, sampled] =
        ["rows.ndjson", "deep.ndjson", "sampled.ndjson"].map(|name| rows(&folder.path().join(name)));
    assert_eq!([shallow.len(), deep.len()], [expected.len(); 2], "one row for each endpoint");
    let openssl = told_by_openssl(&folder.path().join("told.txt"));
    let mut wrong = String::new();
    for endpoint in &expected {
        let place = endpoint.place();
        let [row, deep_row, sampled_row] =
            [&shallow, &deep, &sampled].map(|rows| rows.get(&place).unwrap_or(&Value::Null));
        let mut hold = |mistakes: Vec<String>, row: &Value| {
            for mistake in mistakes {
                writeln!(wrong, "{place} ({}): {mistake}\n    {row}", endpoint.why).unwrap();
            }
        };
        hold(mistakes(endpoint, row), row);
        hold(deep_mistakes(endpoint, deep_row), deep_row);
        hold(disagreement(openssl.get(&place), deep_row).into_iter().collect(), deep_row);
        hold(endpoint.deep_verdict().mistake("at depth tls", deep_row), deep_row);
        if let Some(sampled) = &endpoint.sampled {
            hold(sampled.verdict().mistake("with samples", sampled_row), sampled_row);
        }
    }
    let confusion = confusion(&expected, &shallow, &deep);
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("lab-confusion.md"), &confusion).unwrap();
    writeln!(std::io::stderr(), "{confusion}").unwrap();
    assert!(wrong.is_empty(), "\n{wrong}\n{words}");
}

/// What was expected and what was got, with how often, at both depths.
fn confusion(expected: &[Endpoint], shallow: &HashMap<String, Value>, deep: &HashMap<String, Value>) -> String {
    let mut text = "# The lab: expected and got\n".to_owned();
    for (depth, rows) in [("greeting", shallow), ("tls", deep)] {
        for column in ["software", "version", "fronting"] {
            let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
            for endpoint in expected {
                let wanted = match column {
                    "software" => {
                        let told = endpoint.deep.software.as_deref().filter(|_| depth == "tls");
                        endpoint.software_varies.as_deref().or(told).or(endpoint.software.as_deref())
                    }
                    "version" => endpoint.version.as_deref(),
                    _ => Some(if depth == "tls" { endpoint.deep_verdict() } else { endpoint.verdict() }.fronting),
                };
                let got = rows.get(&endpoint.place()).and_then(|row| row[column].as_str());
                *counts.entry((wanted.unwrap_or("-"), got.unwrap_or("-"))).or_default() += 1;
            }
            writeln!(text, "\n## {column} at depth {depth}\n\n| expected | got | endpoints |\n|---|---|---:|").unwrap();
            for ((wanted, got), count) in counts {
                let mark = if wanted.split(" or ").any(|wanted| wanted == got) { "" } else { " ≠" };
                writeln!(text, "| {wanted} | {got}{mark} | {count} |").unwrap();
            }
        }
    }
    text
}

/// The rows of a file, by what [`Endpoint::place`] says.
fn rows(path: &Path) -> HashMap<String, Value> {
    let rows = if path.exists() { fs::read_to_string(path).unwrap() } else { String::new() };
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (format!("{} {}", row["ip"].as_str().unwrap_or_default(), row["port"]), row)).collect()
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

impl Endpoint {
    fn place(&self) -> String {
        format!("{} {}", self.address, self.port)
    }

    fn verdict(&self) -> Verdict<'_> {
        Verdict::new(self.fronting.as_deref(), self.front.as_deref(), &self.evidence)
    }

    /// What talk adds, or else the same.
    fn deep_verdict(&self) -> Verdict<'_> {
        let Deep { fronting, front, evidence, .. } = &self.deep;
        if fronting.is_none() { self.verdict() } else { Verdict::new(fronting.as_deref(), front.as_deref(), evidence) }
    }
}

impl Sampled {
    fn verdict(&self) -> Verdict<'_> {
        Verdict::new(self.fronting.as_deref(), self.front.as_deref(), &self.evidence)
    }
}

impl<'a> Verdict<'a> {
    fn new(fronting: Option<&'a str>, front: Option<&'a str>, evidence: &'a BTreeSet<String>) -> Self {
        let evidence = evidence.iter().map(String::as_str).collect();
        Self { fronting: fronting.unwrap_or("not_observed"), front, evidence }
    }

    fn of(row: &'a Value) -> Self {
        let evidence = row["evidence"].as_array().into_iter().flatten().filter_map(|it| it["code"].as_str());
        Self {
            fronting: row["fronting"].as_str().unwrap_or_default(),
            front: row["front"].as_str(),
            evidence: evidence.collect(),
        }
    }

    /// In what the row is not as expected. A direct server that is said to stand behind something is the worst of all.
    fn mistake(&self, when: &str, row: &'a Value) -> Vec<String> {
        let found = Self::of(row);
        let is_direct = matches!(self.fronting, "not_observed" | "possible" | "nat");
        let is_libel = is_direct && matches!(found.fronting, "likely" | "confirmed");
        let grave = if is_libel { "A FALSE ALARM: " } else { "" };
        let is_wrong = found != *self;
        is_wrong.then(|| format!("{when}, {grave}{found:?} and not {self:?}")).into_iter().collect()
    }
}

/// The endpoint as a line of targets.
fn target(endpoint: &Endpoint) -> String {
    let Endpoint { address, port, service, .. } = endpoint;
    let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
    format!("{host}:{port}={service}\n")
}

/// The endpoint as a line of what `openssl s_client` is asked, where there is a session to be had: with an offer as ours,
/// so that both come to the same, and with everything that is old where the server is.
fn asked(endpoint: &Endpoint) -> Option<String> {
    let door = match endpoint.deep.tls.as_deref()? {
        "implicit" => "",
        "starttls" => "-starttls smtp",
        "auth_tls" => "-starttls ftp",
        _ => return None,
    };
    let offer = if matches!(endpoint.deep.tls_version.as_deref(), Some("TLSv1.2" | "TLSv1.3")) {
        "-groups X25519:P-256:P-384 \
         -ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256 \
         -cipher ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:\
         ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
    } else {
        "-cipher ALL:@SECLEVEL=0"
    };
    Some(format!("{} {door} {offer}\n", endpoint.place()))
}

/// What `openssl s_client` came to: version, suite by its IANA name and fingerprint, by [`Endpoint::place`].
fn told_by_openssl(path: &Path) -> HashMap<String, [String; 3]> {
    let names = Command::new("openssl").args(["ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]).output();
    let names = String::from_utf8(names.unwrap().stdout).unwrap();
    let names: HashMap<&str, &str> = names
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (iana, _, openssl) = (words.next()?, words.next()?, words.next()?);
            Some((openssl, iana))
        })
        .collect();
    let told = fs::read_to_string(path).unwrap();
    let told = told.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let [address, port, version, suite, fingerprint] = words[..] else { panic!("openssl s_client: {line}") };
        let version = if version == "TLSv1" { "TLSv1.0" } else { version };
        let suite = names.get(suite).unwrap_or(&suite);
        let fingerprint = fingerprint.replace(':', "").to_lowercase();
        (format!("{address} {port}"), [version.to_owned(), (*suite).to_owned(), fingerprint])
    });
    told.collect()
}

/// Where the row has a session, in what it differs from OpenSSL's word.
fn disagreement(openssl: Option<&[String; 3]>, row: &Value) -> Option<String> {
    matches!(row["tls"].as_str(), Some("implicit" | "starttls" | "auth_tls")).then_some(())?;
    let ours = ["tls_version", "tls_cipher", "cert_sha256"].map(|column| row[column].as_str().unwrap_or_default());
    let agrees = openssl.is_some_and(|openssl| *openssl == ours);
    (!agrees).then(|| format!("TLS is {ours:?}, and by openssl {openssl:?}"))
}

/// Everything in the row at depth `tls` that is not as the table says. Pauses are left out: a server may know us by now.
fn deep_mistakes(endpoint: &Endpoint, row: &Value) -> Vec<String> {
    let Deep { tls, tls_version, old, capabilities, auth, client_address, .. } = &endpoint.deep;
    let mut mistakes = Vec::new();
    let mut hold = |column: &str, found: Option<&str>, expected: Option<&str>| {
        if found != expected {
            mistakes.push(format!("at depth tls, {column} is {found:?} and not {expected:?}"));
        }
    };
    hold("outcome", row["outcome"].as_str(), Some(&endpoint.outcome));
    hold("protocol", row["protocol"].as_str(), endpoint.protocol.as_deref());
    if endpoint.software_varies.is_none() {
        let software = endpoint.deep.software.as_deref().or(endpoint.software.as_deref());
        hold("software", row["software"].as_str(), software);
    }
    hold("tls", row["tls"].as_str(), tls.as_deref());
    hold("tls_version", row["tls_version"].as_str(), tls_version.as_deref());
    let spoken = row["tls_legacy"]["version"].as_str();
    hold("tls_legacy", spoken.or(row["tls_legacy"]["refused"].as_str().map(|_| "refused")), old.as_deref());
    for (column, expected) in [("cert_status", &endpoint.cert_status), ("client_address", client_address)] {
        if expected.is_some() {
            hold(column, row[column].as_str(), expected.as_deref());
        }
    }
    for (column, expected) in [("capabilities", capabilities), ("auth", auth)] {
        let list: Vec<_> = row[column].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let lacks = expected.iter().any(|item| !list.contains(&item.as_str()));
        if lacks || expected.is_empty() != list.is_empty() {
            mistakes.push(format!("at depth tls, {column} are {list:?}, and {expected:?} should be among them"));
        }
    }
    mistakes
}

/// Everything in the row that is not as the table says.
fn mistakes(endpoint: &Endpoint, row: &Value) -> Vec<String> {
    let mut mistakes = endpoint.verdict().mistake("at depth greeting", row);
    let mut hold = |column: &str, expected: &Value| {
        if row[column] != *expected {
            mistakes.push(format!("{column} is {} and not {expected}", row[column]));
        }
    };
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    hold("outcome", &endpoint.outcome.as_str().into());
    hold("protocol", &text(&endpoint.protocol));
    if endpoint.software_varies.is_none() {
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
