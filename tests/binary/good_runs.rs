//! Scans that go well: where rows go and in which form, and what becomes of the targets that were named.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::peers::{ClosedPort, Peer, Step, listen, polite};
use super::program::{Running, Watched, differences, rows, rows_in, run, scan, skip, succeeds, through_shell};

/// The one schema, in its order.
const COLUMNS: &str = "time name ip port service outcome detail protocol connect_ms tls_ms greeting_ms code banner \
    hostname software version vendor device os cpe confidence fronting front evidence tls tls_version tls_cipher \
    tls_group tls_error cert_subject cert_issuer cert_names cert_not_before cert_not_after cert_key cert_signature \
    cert_status cert_sha256 capabilities auth pasv ptr severity findings banner_hash truncated attempts";

/// What NDJSON has beside them.
const MORE_KEYS: &str = "ended ended_ms banner_b64 tls_legacy chain features features_tls syst upgrade injected unasked broken_off \
    findings_detail transcript";

#[test]
fn programs_get_ndjson_on_stdout() {
    let peer = Peer::new(polite("220 (vsFTPd 3.0.5)\r\n"));
    let ended = run(&mut scan([peer.target("ftp")]));
    let expected = json!({"ip": peer.address.ip().to_string(), "port": peer.address.port(), "outcome": "greeted",
        "code": 220, "software": "vsftpd", "version": "3.0.5"});
    assert_eq!(differences(&ended.rows()[0], &expected), [""; 0]);
    assert!(ended.stderr.contains("1 of 1 endpoints"), "{}", ended.stderr);
    assert!(ended.stderr.contains("seed "), "the order can be asked for again: {}", ended.stderr);
}

/// Where stderr is no terminal: a line every ten seconds, and at the end by outcome, port and software.
#[test]
fn progress_and_summary_are_told_in_lines() {
    let named = Peer::new(polite("220 (vsFTPd 3.0.5)\r\n"));
    let silent = Peer::new([Step::HearEnd]);
    let words = [named.target("ftp"), silent.target("smtp"), "--greeting-timeout=12".into()];
    let running = Running::start(&mut scan(words));
    running.says("1/2 done, 0/s, 1 in flight, 1 greeted, ETA ");
    let ended = running.end();
    assert_eq!(ended.code, Some(0));
    let cells: Vec<Vec<_>> = ended.stderr.lines().map(|line| line.split_whitespace().collect()).collect();
    // The ports stand in ascending order; each endpoint has its own.
    let named_first = named.address.port() < silent.address.port();
    let greeted = if named_first { ["greeted", "1", "1", "0"] } else { ["greeted", "1", "0", "1"] };
    for line in [&greeted[..], &["vsftpd", "1"]] {
        assert!(cells.iter().any(|cells| cells == line), "{line:?} in {}", ended.stderr);
    }
}

#[test]
fn every_output_holds_the_same_rows_in_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let peers = [
        (Peer::new(polite("220-=cmd; \"quoted\", caf\u{e9}\r\n220 (vsFTPd 3.0.5)\r\n")), "ftp"),
        (Peer::new(polite(b"220 \xff\x00\x1b[2J\r\n")), "smtp"),
        (Peer::new(polite("SSH-2.0-OpenSSH_9.6\r\n")), "smtp"),
        (Peer::secure(polite("220 mail.example ESMTP Postfix\r\n")), "smtps"),
    ];
    let closed = ClosedPort::new();
    let mut command = scan(peers.iter().map(|(peer, service)| peer.target(service)));
    command.arg(format!("{}=ftp", closed.address)).args(["--all", "-o", "rows.csv", "-o", "rows.ndjson", "-o", "-"]);
    let ended = run(command.current_dir(folder.path()));
    let rows = ended.rows();
    assert_eq!(rows.len(), 5);
    assert_eq!(std::fs::read_to_string(folder.path().join("rows.ndjson")).unwrap(), ended.stdout);

    let mut csv = csv::Reader::from_path(folder.path().join("rows.csv")).unwrap();
    assert_eq!(csv.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS.split(' ').collect::<Vec<_>>());
    let records: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        assert_alike(record, row);
    }
}

/// Both formats say the same of an endpoint, and nothing under a key that nobody knows.
pub(crate) fn assert_alike(record: &csv::StringRecord, row: &Value) {
    for (column, cell) in COLUMNS.split(' ').zip(record) {
        assert_eq!(cell, in_csv(&row[column]), "{column} of {row}");
    }
    let known: BTreeSet<_> = COLUMNS.split(' ').chain(MORE_KEYS.split(' ')).collect();
    let unknown: Vec<_> = row.as_object().unwrap().keys().filter(|key| !known.contains(key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// A value of NDJSON as a cell, where neither needs a guard.
fn in_csv(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_csv).collect::<Vec<_>>().join("; "),
        // Evidence: `code@ms: excerpt`.
        Value::Object(evidence) => {
            let part =
                |before, key| evidence.get(key).map_or_else(String::new, |part| format!("{before}{}", in_csv(part)));
            [part("", "code"), part("@", "ms"), part(": ", "excerpt")].concat()
        }
        other => other.to_string(),
    }
}

#[test]
fn targets_come_from_words_files_and_stdin_and_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let peers = [(); 4].map(|()| Peer::new(polite("220 ready\r\n")));
    let [word, file, stdin, everywhere] = peers.each_ref().map(|peer| peer.target("smtp"));
    let list = format!("# the list\n\n{file}  {everywhere}\n{everywhere} # again\n");
    std::fs::write(folder.path().join("list.txt"), list).unwrap();
    std::fs::write(folder.path().join("stdin.txt"), format!("{stdin}\n{everywhere}")).unwrap();
    let mut command = scan([&word, "@list.txt", "-", &everywhere, &word]);
    command.current_dir(folder.path()).stdin(File::open(folder.path().join("stdin.txt")).unwrap());
    let ended = run(&mut command);
    assert_eq!(places(&ended.rows()), peers.iter().map(|peer| peer.address.to_string()).collect());
    assert_eq!(ended.rows().len(), 4);
    assert_eq!(peers.each_ref().map(Peer::connections), [1; 4]);
    assert!(ended.stderr.starts_with("4 endpoints, "), "{}", ended.stderr);
}

fn places(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| format!("{}:{}", row["ip"].as_str().unwrap(), row["port"])).collect()
}

#[test]
fn a_target_with_ports_has_these_and_others_have_the_default() {
    let [own, default] = [(); 2].map(|()| Peer::new(polite("220 ready\r\n")));
    let ports = format!("{}=submission", default.address.port());
    let words = [own.target("ftp"), default.address.ip().to_string(), "-p".into(), ports];
    let rows = run(&mut scan(words)).rows();
    let services: BTreeSet<_> = rows.iter().map(|row| (row["port"].to_string(), row["service"].to_string())).collect();
    let expected = [(own.address.port(), "\"ftp\""), (default.address.port(), "\"submission\"")];
    assert_eq!(services, expected.map(|(port, service)| (port.to_string(), service.to_owned())).into());
}

#[test]
fn refused_rows_are_written_on_request_only() {
    let (peer, closed) = (Peer::new(polite("220 ready\r\n")), ClosedPort::new());
    let words = [peer.target("smtp"), format!("{}=smtp", closed.address)];
    let rows = run(&mut scan(&words)).rows();
    assert_eq!(places(&rows), [peer.address.to_string()].into());
    let rows = run(scan(&words).arg("--all")).rows();
    assert_eq!(places(&rows), [peer.address, closed.address].map(|address| address.to_string()).into());
    let refused = rows.iter().find(|row| row["outcome"] == "refused").unwrap();
    let expected = json!({"code": null, "banner": null, "connect_ms": null, "detail": null, "attempts": 1});
    assert_eq!(differences(refused, &expected), [""; 0]);
}

#[test]
fn the_other_family_is_left_out_and_counted() {
    let peer = Peer::new(polite("220 ready\r\n"));
    let ended = run(&mut scan([peer.target("smtp"), "::1".into(), "2001:db8::/126".into(), "-4".into()]));
    assert_eq!(places(&ended.rows()), [peer.address.to_string()].into());
    assert!(ended.stderr.contains("left out, being of the other address family: 2 of the targets"), "{}", ended.stderr);
}

#[test]
fn localhost_is_a_name() {
    let peer = Peer::behind(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), || polite("220 ready\r\n"));
    let words = [format!("localhost:{}=smtp", peer.address.port()), "-4".into()];
    let rows = run(&mut scan(words)).rows();
    assert_eq!(differences(&rows[0], &json!({"name": "localhost", "ip": "127.0.0.1"})), [""; 0]);
}

/// Names from a hosts file of the test's own, in a private mount namespace: no question leaves the machine.
#[test]
fn names_lead_to_all_their_addresses_or_to_a_row_that_says_why_not() {
    let unshare: &[&str] = &["unshare", "--mount", "--map-root-user"];
    if let Err(why) =
        succeeds(Command::new(unshare[0]).args(&unshare[1..]).args(["mount", "-t", "tmpfs", "none", "/mnt"]))
    {
        return skip(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    // Names that end in `.invalid` are not asked for (RFC 6761 §6.4).
    std::fs::write(folder.path().join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    let (first, second) = (ClosedPort::new(), ClosedPort::new());
    let hosts = format!(
        "{} two.example\n{} two.example\n::1 two.example six.example\n",
        first.address.ip(),
        second.address.ip()
    );
    std::fs::write(folder.path().join("hosts"), hosts).unwrap();
    let port = first.address.port();
    let words =
        ["two.example", "TWO.example.", "six.example", "nosuch.invalid"].map(|name| format!("{name}:{port}=smtp"));
    // What a name leads to on loopback is probed only where it is a target as well.
    let named = format!("{}:{port}=smtp", first.address.ip());
    let command = scan(words.iter().map(String::as_str).chain([&*named, "-4", "--all", "-q"]));
    let mounts = "mount --bind hosts /etc/hosts\nmount --bind resolv.conf /etc/resolv.conf";
    let ended = run(through_shell(unshare, mounts, &command).current_dir(folder.path()));
    let mut rows = ended.rows();
    let ip = |row: &Value| row["ip"].as_str().map(|ip| ip.parse::<IpAddr>().unwrap());
    rows.sort_by_key(|row| (ip(row), row["name"].to_string()));
    let expected = [
        json!({"name": "nosuch.invalid", "ip": null, "outcome": "unresolved", "detail": "no such name",
            "attempts": null}),
        json!({"name": "six.example", "ip": null, "outcome": "unresolved",
            "detail": "the name has addresses of the other family only"}),
        json!({"name": "two.example", "ip": first.address.ip().to_string(), "outcome": "refused"}),
        json!({"name": null, "ip": first.address.ip().to_string(), "outcome": "refused"}),
        json!({"name": "two.example", "ip": second.address.ip().to_string(), "outcome": "unresolved",
            "detail": format!("{0} is in 127.0.0.0/8 (loopback, RFC 1122 §3.2.1.3): to probe it where a name leads there, \
                name {0} or 127.0.0.0/8 as a target too", second.address.ip())}),
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(differences(row, &expected), [""; 0]);
    }
}

/// One at a time, so that the order of connections is the order of starts.
#[test]
fn the_same_seed_gives_the_same_order() {
    let seen = Arc::<Watched<Vec<u16>>>::default();
    let peers = [(); 8].map(|()| {
        let (listener, seen) = (listen(), Arc::clone(&seen));
        let port = listener.local_addr().unwrap().port();
        Peer::behind(listener, move || {
            seen.change(|seen| seen.push(port));
            polite("220 ready\r\n")
        })
    });
    let order = |seed: &str| {
        let words = ["--concurrency", "1", "--seed", seed, "-q"].map(str::to_owned);
        let rows = run(&mut scan(peers.iter().map(|peer| peer.target("ftp")).chain(words))).rows();
        assert_eq!(rows.len(), 8);
        let mut order = Vec::new();
        seen.change(|seen| std::mem::swap(seen, &mut order));
        order
    };
    let first = order("7");
    assert_eq!(order("7"), first);
    assert_ne!(order("8"), first);
    assert!(!first.is_sorted(), "it is an order of its own");
}

#[test]
fn an_output_is_replaced_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.ndjson");
    File::create(&path).unwrap().write_all(&vec![b'x'; 100_000]).unwrap();
    let peer = Peer::new(polite("220 ready\r\n"));
    let path_word = path.to_str().unwrap().to_owned();
    let ended = run(&mut scan([peer.target("smtp"), "-o".into(), path_word, "--overwrite".into()]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(rows_in(&path).len(), 1);
}

#[test]
fn quiet_says_nothing_to_people() {
    let peer = Peer::new(polite("220 ready\r\n"));
    let ended = run(&mut scan([peer.target("smtp"), "-q".into()]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(rows(&ended.stdout).len(), 1);
}
