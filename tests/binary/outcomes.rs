//! What befell an endpoint and what its row says of it, one row for each kind of peer.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::peers::{ClosedPort, DarkPort, NAMES, Peer, Step, polite, say};
use super::program::{Running, differences, rows_in, run, scan, skip, through_shell};

/// A peer, the service expected of it, and what its row must say; null stands for a missing key.
type Case = (&'static str, Peer, &'static str, Value);

/// Scans all peers at once and compares their rows.
fn assert_rows(cases: &[Case], options: &[&str]) {
    let words = cases.iter().map(|(_, peer, service, _)| peer.target(service));
    let rows = run(&mut scan(words.chain(options.iter().map(|word| (*word).to_owned())))).rows();
    assert_eq!(rows.len(), cases.len());
    let mut wrong = Vec::new();
    for (name, peer, service, expected) in cases {
        let row = row_of(&rows, peer.address);
        let mut differences = differences(row, expected);
        for (key, value) in [("service", Value::from(*service)), ("attempts", 1.into())] {
            if expected.get(key).is_none() && row[key] != value {
                differences.push(format!("{key} should be {value}"));
            }
        }
        if !differences.is_empty() {
            wrong.push(format!("{name}: {}", differences.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn row_of(rows: &[Value], address: SocketAddr) -> &Value {
    let ip = address.ip().to_string();
    let is_its = |row: &&Value| row["ip"] == ip.as_str() && row["port"] == address.port();
    rows.iter().find(is_its).unwrap_or_else(|| panic!("no row of {address}: {rows:?}"))
}

fn greeting(name: &'static str, service: &'static str, said: &str, code: u16, banner: &str) -> Case {
    let expected = json!({"outcome": "greeted", "code": code, "banner": banner, "detail": null, "protocol": null,
        "tls": null, "truncated": null, "banner_b64": null});
    (name, Peer::new(polite(said)), service, expected)
}

#[test]
fn greetings() {
    let mut cases = vec![
        greeting("plain", "ftp", "220 (vsFTPd 3.0.5)\r\n", 220, r"220 (vsFTPd 3.0.5)\r\n"),
        greeting("without CR", "smtp", "220 ready\n", 220, r"220 ready\n"),
        greeting("code alone", "smtp", "220\r\n", 220, r"220\r\n"),
        greeting("many lines", "ftp", "220-a\r\n b\r\n220 c\r\n", 220, r"220-a\r\n b\r\n220 c\r\n"),
        greeting("120, then 220", "ftp", "120 soon\r\n220 ready\r\n", 220, r"120 soon\r\n220 ready\r\n"),
        greeting("530", "ftp", "530 not from there\r\n", 530, r"530 not from there\r\n"),
        greeting("554", "smtp", "554-no\r\n554 never\r\n", 554, r"554-no\r\n554 never\r\n"),
        greeting("421", "smtp", "421 busy\r\n", 421, r"421 busy\r\n"),
        greeting("more after it", "smtp", "220 ready\r\n500 what?\r\n", 220, r"220 ready\r\n"),
        greeting(
            "escapes",
            "submission",
            "220 \x1b]0;x\x07 \u{202e}\\\r\n",
            220,
            r"220 \x1b]0;x\x07 \xe2\x80\xae\\\r\n",
        ),
    ];
    cases[0].3["software"] = "vsftpd".into();
    cases[0].3["version"] = "3.0.5".into();
    let expected = json!({"outcome": "greeted", "banner": r"220 \xff\r\n", "banner_b64": "MjIwIP8NCg=="});
    cases.push(("not UTF-8", Peer::new(polite(b"220 \xff\r\n")), "smtp", expected));
    let in_parts = [say("12"), say("0 soon\r\n"), say("220-\r\n220"), say(" \r"), say("\n"), Step::HearEnd];
    let expected = json!({"outcome": "greeted", "code": 220, "banner": r"120 soon\r\n220-\r\n220 \r\n"});
    cases.push(("in parts", Peer::new(in_parts), "ftp", expected));
    let expected = json!({"outcome": "greeted", "code": 220, "banner": r"220 ready\r\n"});
    cases.push(("then closed", Peer::new([say("220 ready\r\n"), Step::Finish]), "smtp", expected.clone()));
    // Its answer to QUIT is an RST; the greeting stands.
    cases.push(("then reset", Peer::new([say("220 ready\r\n"), Step::HearLine, Step::Reset]), "smtp", expected));
    let expected = json!({"outcome": "greeted", "code": 120, "banner": r"120 in an hour\r\n"});
    cases.push(("120, then closed", Peer::new([say("120 in an hour\r\n")]), "ftp", expected));
    assert_rows(&cases, &[]);
}

#[test]
fn times_are_told_where_there_is_something_to_time() {
    let delay = Duration::from_millis(200);
    let peer = Peer::behind(super::peers::listen(), move || {
        thread::sleep(delay);
        polite("220 ready\r\n")
    });
    let rows = run(&mut scan([peer.target("smtp")])).rows();
    let millis = |key: &str| rows[0][key].as_f64();
    assert!(millis("greeting_ms").unwrap() >= 150.0, "{}", rows[0]);
    assert!(millis("connect_ms").unwrap() < 10_000.0, "{}", rows[0]);
    assert_eq!(millis("tls_ms"), None);
    let time = rows[0]["time"].as_str().unwrap();
    assert!(time.starts_with("20") && time.contains('T') && time.ends_with('Z'), "{time}");
}

#[test]
fn greetings_without_measure() {
    let line = "220-and on, and on, and on\r\n";
    let long = [&line.repeat(4_000), "220 ready\r\n"].concat();
    let endless = line.repeat(50_000);
    let peers = [Peer::new(polite(long)), Peer::new([say(endless), Step::HearEnd])];
    let rows = run(&mut scan(peers.each_ref().map(|peer| peer.target("ftp")))).rows();
    let [long, endless] = peers.each_ref().map(|peer| row_of(&rows, peer.address));
    assert_eq!(differences(long, &json!({"outcome": "greeted", "code": 220, "truncated": true})), [""; 0]);
    let expected = json!({"outcome": "silent", "code": null, "truncated": true,
        "detail": "no end of the greeting after 1 MiB"});
    assert_eq!(differences(endless, &expected), [""; 0]);
    for row in [long, endless] {
        let bytes = hailer::output::escape::unescape(row["banner"].as_str().unwrap()).unwrap();
        assert_eq!(bytes.len(), 64 * 1024, "the beginning is kept");
        assert!(bytes.starts_with(line.as_bytes()));
    }
}

#[test]
fn inside_tls() {
    let peer = Peer::secure(polite("220 mail.example ESMTP Postfix\r\n"));
    let rows = run(&mut scan([peer.target("smtps")])).rows();
    let expected = json!({"outcome": "greeted", "code": 220, "banner": r"220 mail.example ESMTP Postfix\r\n",
        "hostname": "mail.example", "software": "Postfix", "detail": null, "attempts": 1, "tls": "implicit",
        "tls_version": "TLSv1.3", "tls_group": "X25519", "tls_error": null, "cert_subject": "CN=mail.example",
        "cert_issuer": "CN=mail.example", "cert_names": NAMES, "cert_key": "EC P-256",
        "cert_signature": "ecdsa-with-SHA256", "cert_status": "self_signed"});
    assert_eq!(differences(&rows[0], &expected), [""; 0]);
    assert!(rows[0]["tls_cipher"].as_str().unwrap().starts_with("TLS_"), "{}", rows[0]);
    assert!(rows[0]["tls_ms"].as_f64().is_some(), "{}", rows[0]);
    assert_eq!(rows[0]["chain"].as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["chain"][0]["sha256"], rows[0]["cert_sha256"]);
}

/// A server's own certificate among the roots, and another's.
#[test]
fn judged_by_roots_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let (peer, certificate) = Peer::secure_with_certificate(polite("220 mail.example ESMTP\r\n"));
    let (_, other) = Peer::secure_with_certificate(polite("220 mail.example ESMTP\r\n"));
    for (roots, status) in [(other.clone(), "self_signed"), (other + &certificate, "valid")] {
        std::fs::write(folder.path().join("roots.pem"), roots).unwrap();
        let words = [peer.target("smtps"), "--roots=roots.pem".into(), "-o=rows.ndjson".into()];
        let ended = run(scan(words).arg("--overwrite").current_dir(folder.path()));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(rows_in(&folder.path().join("rows.ndjson"))[0]["cert_status"], status);
        let manifest = std::fs::read(folder.path().join("rows.ndjson.manifest.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&manifest).unwrap()["configuration"]["roots"], "roots.pem");
    }

    let by_system = |roots: &str| {
        let roots = folder.path().join(roots);
        let mut command = scan([peer.target("smtps"), "--roots=system".into()]);
        run(command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR"))
    };
    assert_eq!(by_system("roots.pem").rows()[0]["cert_status"], "valid");
    let refused = by_system("none.pem");
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("the roots 'system' cannot be used: this system has no root"),
        "{}",
        refused.stderr
    );
}

#[test]
fn no_handshake() {
    // Who refuses a modern hello is asked with older ones: two, or three where an alert says that it understood.
    let failed = |detail: &str, tls: &str, attempts: u32| {
        json!({"outcome": "tls_failed", "detail": detail, "tls": tls, "tls_error": detail, "tls_version": null,
            "code": null, "banner": null, "cert_status": null, "attempts": attempts})
    };
    let alert = say(b"\x15\x03\x01\x00\x02\x02\x28");
    let plain = json!({"outcome": "greeted", "code": 220, "banner": r"220 ready\r\n", "tls": "not_offered",
        "tls_error": "plain text in answer to a ClientHello", "tls_version": null, "detail": null});
    let foreign = json!({"outcome": "other_protocol", "protocol": "ssh", "tls": "not_offered"});
    let cases = [
        (
            "alert",
            Peer::new([Step::HearRecord, alert, Step::HearEnd]),
            "smtps",
            failed("alert 40 handshake_failure", "refused", 4),
        ),
        ("closed", Peer::new([Step::HearRecord]), "ftps", failed("closed during the handshake", "refused", 3)),
        (
            "reset",
            Peer::new([Step::HearRecord, Step::Reset]),
            "smtps",
            failed("reset during the handshake", "refused", 3),
        ),
        (
            "half a record, then closed",
            Peer::new([Step::HearRecord, say(b"\x16\x03\x03\x00\x40half")]),
            "smtps",
            failed("closed during the handshake", "failed", 1),
        ),
        ("plain text", Peer::new(polite("220 ready\r\n")), "ftps", plain.clone()),
        (
            "plain text after the hello",
            Peer::new([vec![Step::HearRecord], polite("220 ready\r\n")].concat()),
            "smtps",
            plain,
        ),
        ("another protocol", Peer::new([say("SSH-2.0-x\r\n"), Step::HearEnd]), "smtps", foreign),
    ];
    assert_rows(&cases, &[]);
    let stalled = failed("stalled: no end of the handshake before the deadline", "failed", 1);
    assert_rows(&[("stalled", Peer::new([Step::HearEnd]), "smtps", stalled)], &["--tls-timeout=500ms"]);
}

#[test]
fn no_greeting() {
    let row = |outcome: &str, banner: Option<&str>, protocol: Option<&str>| {
        let ended = match outcome {
            "closed" => Some("fin"),
            "reset" => Some("reset"),
            _ => None,
        };
        json!({"outcome": outcome, "banner": banner, "protocol": protocol, "code": null, "greeting_ms": null,
            "detail": null, "tls": null, "ended": ended})
    };
    let cases = [
        ("ssh", Peer::new(polite("SSH-2.0-x\r\n")), "ftp", row("other_protocol", Some(r"SSH-2.0-x\r\n"), Some("ssh"))),
        (
            "imap",
            Peer::new(polite("* OK ready\r\n")),
            "smtp",
            row("other_protocol", Some(r"* OK ready\r\n"), Some("imap")),
        ),
        ("unknown", Peer::new(polite("hello\r\n")), "smtp", row("other_protocol", Some(r"hello\r\n"), None)),
        ("reset", Peer::new([Step::Reset]), "smtp", row("reset", None, None)),
        ("closed", Peer::new([]), "smtp", row("closed", None, None)),
        ("closed early", Peer::new([say("220-half\r\n22")]), "ftp", row("closed", Some(r"220-half\r\n22"), None)),
    ];
    assert_rows(&cases, &[]);
    let half = [say("220-(vsFTPd 3.0.5)\r\n22"), Step::HearEnd];
    let cases = [
        ("silent", Peer::new([Step::HearEnd]), "smtp", row("silent", None, None)),
        ("half", Peer::new(half), "ftp", row("silent", Some(r"220-(vsFTPd 3.0.5)\r\n22"), None)),
        (
            "silent inside TLS",
            Peer::secure([Step::HearEnd]),
            "smtps",
            json!({"outcome": "silent", "banner": null, "tls": "implicit", "cert_status": "self_signed"}),
        ),
    ];
    // Long enough for a busy machine to bring what a peer says at once.
    assert_rows(&cases, &["--greeting-timeout=2"]);
}

#[test]
fn no_connection() {
    let (closed, dark) = (ClosedPort::new(), DarkPort::new());
    // Loopback's broadcast address: connect() itself says that there is no way for TCP.
    let no_way = SocketAddr::from(([127, 255, 255, 255], 2525));
    let words = [closed.address, dark.address, no_way].map(|address| format!("{address}=smtp"));
    let ended = run(scan(words).args(["--all", "--connect-timeout=500ms"]));
    let rows = ended.rows();
    let row = |outcome: &str, detail: Option<&str>, attempts: u32| {
        let expected = json!({"outcome": outcome, "detail": detail, "attempts": attempts});
        (expected, json!({"banner": null, "connect_ms": null, "code": null}))
    };
    let expected = [
        (closed.address, row("refused", None, 1)),
        (dark.address, row("timeout", None, 1)),
        (no_way, row("local_error", Some("ENETUNREACH: Network is unreachable"), 3)),
    ];
    for (address, (expected, absent)) in expected {
        let row = row_of(&rows, address);
        assert_eq!([differences(row, &expected), differences(row, &absent)].concat(), [""; 0]);
    }
    assert!(ended.stderr.contains("1 not done: this machine could not try them"), "{}", ended.stderr);
}

/// With room for every open file but the socket.
#[test]
fn running_out_of_open_files_is_no_verdict_on_the_target() {
    let peer = Peer::new([Step::HearEnd]);
    let command = scan([peer.target("smtp"), "-q".into()]);
    let mut unlimited = through_shell(&[], "", &command);
    let running = Running::start(&mut unlimited);
    let limit = {
        peer.until_connected();
        let own = open_files("self");
        let opened = open_files(&running.id().to_string());
        let is_socket = |(number, file): &(u32, String)| {
            (file.starts_with("socket:") && !own.contains(&(*number, file.clone()))).then_some(*number)
        };
        opened.iter().filter_map(is_socket).max().unwrap()
    };
    drop(running);
    let ended = run(&mut through_shell(&[], &format!("ulimit -n {limit}"), &command));
    let expected = json!({"outcome": "local_error", "detail": "EMFILE: Too many open files", "attempts": 5});
    assert_eq!(differences(&ended.rows()[0], &expected), [""; 0]);
    assert_eq!(peer.connections(), 1, "the first run's");
}

/// The numbers of a process's open files, and what they are.
fn open_files(process: &str) -> Vec<(u32, String)> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().map(|file| file.unwrap().path());
    let describe = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.parse().ok()?;
        Some((number, std::fs::read_link(path).ok()?.to_str()?.to_owned()))
    };
    files.filter_map(describe).collect()
}

#[test]
fn over_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return skip("there is no ::1");
    };
    let peer = Peer::behind(listener, || polite("220 ready\r\n"));
    assert_rows(&[("::1", peer, "smtp", json!({"outcome": "greeted", "ip": "::1", "code": 220}))], &[]);
}
