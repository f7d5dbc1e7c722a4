//! `--depth`, `--anonymous` and `--transcript`: what is said to a server, and what its row then says, in every format.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};

use nix::sys::signal::Signal::SIGINT;
use serde_json::{Value, json};

use super::good_runs::assert_alike;
use super::peers::{Gate, Peer, listen};
use super::program::{Running, differences, rows_in, run, scan};
use super::talkers::Talker;

const EHLO: &str = "250-mail.example\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 8BITMIME\r\n";

/// A mail server that takes passwords only inside TLS.
pub(crate) fn mail() -> Talker {
    Talker::new("220 mail.example ESMTP Postfix\r\n")
        .answers("EHLO", EHLO)
        .answers("STARTTLS", "220 2.0.0 Ready\r\n")
        .inside("EHLO", "250-mail.example\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n")
}

/// An FTP server that has TLS and guests; the latter are told these data addresses.
fn files(passive: &str, extended: &str) -> Talker {
    let features = "211-Features:\r\n AUTH TLS\r\n UTF8\r\n211 End\r\n";
    let answers = [
        ("FEAT", features),
        ("SYST", "215 UNIX Type: L8\r\n"),
        ("AUTH TLS", "234 Proceed\r\n"),
        ("USER anonymous", "331 Any password\r\n"),
        ("PASS", "230 Welcome\r\n"),
        ("PASV", passive),
        ("EPSV", extended),
    ];
    let talker =
        answers.into_iter().fold(Talker::new("220 (vsFTPd 3.0.5)\r\n"), |it, (line, words)| it.answers(line, words));
    talker.inside("FEAT", "211-Features:\r\n UTF8\r\n PBSZ\r\n211 End\r\n")
}

/// What this peer heard on so many connections.
fn heard(peer: &Peer, connections: usize) -> Vec<String> {
    peer.reports(connections).into_iter().map(|report| String::from_utf8(report.heard).unwrap()).collect()
}

/// The one row of a scan of this peer, which must be the same in CSV and NDJSON.
fn row(peer: &Peer, service: &str, options: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scan([peer.target(service)]);
    command.args(options.split_whitespace()).args(["-o", "rows.csv", "-o", "rows.ndjson"]);
    let ended = run(command.current_dir(folder.path()));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let mut rows = rows_in(&folder.path().join("rows.ndjson"));
    assert_eq!(rows.len(), 1);
    let record = csv::Reader::from_path(folder.path().join("rows.csv")).unwrap().records().next().unwrap().unwrap();
    assert_alike(&record, &rows[0]);
    rows.remove(0)
}

fn assert_row(row: &Value, expected: &Value) {
    assert_eq!(differences(row, expected), [""; 0]);
}

/// Id and severity of each finding.
fn found(row: &Value) -> Vec<String> {
    let details = row["findings_detail"].as_array().map_or(&[][..], Vec::as_slice);
    let ids: Vec<_> = details.iter().map(|finding| finding["id"].clone()).collect();
    assert_eq!(row["findings"].as_array().map_or(&[][..], Vec::as_slice), ids);
    assert_eq!(row.get("severity"), details.first().map(|worst| &worst["severity"]), "{row}");
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    details.iter().map(|finding| format!("{} {}", word(&finding["severity"]), word(&finding["id"]))).collect()
}

#[test]
fn a_greeting_is_all_that_is_asked_for_unless_told() {
    let peer = mail().serve();
    let row = row(&peer, "smtp", "");
    assert_row(&row, &json!({"capabilities": null, "auth": null, "features": null, "tls": null, "transcript": null}));
    assert_eq!(heard(&peer, 1), ["QUIT\r\n"]);
}

#[test]
fn features_of_a_mail_server() {
    let peer = mail().serve();
    let row = row(&peer, "submission", "--depth features --ehlo-name scan.example");
    let keywords = json!(["SIZE 1000", "STARTTLS", "8BITMIME"]);
    let features = json!({"asked": "EHLO", "code": 250, "keywords": keywords});
    let expected = json!({"capabilities": keywords, "features": features, "auth": null, "tls": null, "upgrade": null,
        "features_tls": null, "findings": null, "attempts": 1});
    assert_row(&row, &expected);
    assert_eq!(heard(&peer, 1), ["EHLO scan.example\r\nQUIT\r\n"]);

    let old = Talker::new("220 mail.example SMTP\r\n").answers("HELO", "250 mail.example\r\n").serve();
    let row = self::row(&old, "smtp", "--depth features --ehlo-name scan.example");
    let expected = json!({"capabilities": ["HELO: nothing offered"], "auth": null,
        "features": {"asked": "HELO", "code": 250}, "findings": ["no_starttls"]});
    assert_row(&row, &expected);
    assert_eq!(heard(&old, 1), ["EHLO scan.example\r\nHELO scan.example\r\nQUIT\r\n"]);
}

#[test]
fn features_of_an_ftp_server() {
    let peer = files("", "").serve();
    let row = row(&peer, "ftp", "--depth features");
    let expected = json!({"capabilities": ["AUTH TLS", "UTF8", "SYST UNIX Type: L8"], "tls": null,
        "features": {"asked": "FEAT", "code": 211, "keywords": ["AUTH TLS", "UTF8"]}, "pasv": null,
        "syst": "215 UNIX Type: L8\\r\\n", "findings": ["version_disclosed"]});
    assert_row(&row, &expected);
    assert_eq!(heard(&peer, 1), ["FEAT\r\nSYST\r\nQUIT\r\n"]);

    let later = "530 Please login with USER and PASS.\r\n";
    let mute = Talker::new("220 ready\r\n").answers("FEAT", later).answers("SYST", later).serve();
    let row = self::row(&mute, "ftp", "--depth features");
    assert_row(&row, &json!({"capabilities": ["FEAT refused: 530", "SYST refused: 530"], "findings": null}));
}

/// By default with this machine's name, if it has a dot, or with the address that we connect from; never with what the
/// server calls itself.
#[test]
fn ehlo_says_who_we_are() {
    let name = |options: &str| {
        let peer = mail().serve();
        row(&peer, "smtp", &format!("--depth features --source 127.0.0.9 {options}"));
        let said = heard(&peer, 1).remove(0);
        assert_ne!(said, format!("EHLO [{}]\r\nQUIT\r\n", peer.address.ip()));
        said.strip_prefix("EHLO ").and_then(|said| said.strip_suffix("\r\nQUIT\r\n")).unwrap().to_owned()
    };
    let default = name("");
    assert!(default == "[127.0.0.9]" || (hailer::is_ehlo_name(&default) && !default.starts_with('[')), "{default}");
    assert_eq!(name("--ehlo-name mail.example"), "[127.0.0.9]");
    assert_eq!(name("--ehlo-name [192.0.2.7]"), "[192.0.2.7]");
}

#[test]
fn starttls_and_what_is_offered_inside() {
    let peer = mail().serve();
    let row = row(&peer, "submission", "--depth tls --ehlo-name scan.example");
    let expected = json!({"tls": "starttls", "tls_version": "TLSv1.3", "cert_subject": "CN=mail.example",
        "cert_status": "self_signed", "attempts": 2, "auth": ["tls:PLAIN", "tls:LOGIN"],
        "capabilities": ["SIZE 1000", "STARTTLS", "8BITMIME", "tls:AUTH PLAIN LOGIN"],
        "features_tls": {"asked": "EHLO", "code": 250, "keywords": ["SIZE 1000", "8BITMIME", "AUTH PLAIN LOGIN"]},
        "tls_legacy": {"refused": "alert 40 handshake_failure"}, "upgrade": "220 2.0.0 Ready\\r\\n", "injected": null});
    assert_row(&row, &expected);
    assert_eq!(found(&row), ["medium cert_self_signed"]);
    let to_the_door = "EHLO scan.example\r\nSTARTTLS\r\n";
    // The second connection ends with a hello of the past.
    assert_eq!(heard(&peer, 2), [format!("{to_the_door}EHLO scan.example\r\nQUIT\r\n"), to_the_door.to_owned()]);
    // Between servers, any certificate will do.
    assert_eq!(found(&self::row(&mail().serve(), "smtp", "--depth tls")), ["low cert_self_signed"]);
}

#[test]
fn auth_tls_and_what_is_offered_inside() {
    let peer = files("", "").serve();
    let row = row(&peer, "ftp", "--depth tls");
    let expected = json!({"tls": "auth_tls", "tls_version": "TLSv1.3", "attempts": 2,
        "capabilities": ["AUTH TLS", "UTF8", "tls:PBSZ", "SYST UNIX Type: L8"], "upgrade": "234 Proceed\\r\\n"});
    assert_row(&row, &expected);
    assert_eq!(found(&row), ["medium cert_self_signed", "info version_disclosed"]);
    assert_eq!(heard(&peer, 2), ["FEAT\r\nSYST\r\nAUTH TLS\r\nFEAT\r\nQUIT\r\n", "AUTH TLS\r\n"]);
}

#[test]
fn tls_from_the_first_byte() {
    let peer = mail().begins_with_tls().serve();
    let row = row(&peer, "smtps", "--depth tls --ehlo-name scan.example");
    let expected = json!({"tls": "implicit", "capabilities": ["SIZE 1000", "8BITMIME", "AUTH PLAIN LOGIN"],
        "auth": ["PLAIN", "LOGIN"], "features_tls": null, "tls_legacy": {"refused": "alert 40 handshake_failure"}});
    assert_row(&row, &expected);
    assert_eq!(heard(&peer, 2), ["EHLO scan.example\r\nQUIT\r\n", ""]);
}

#[test]
fn what_is_wrong_with_tls_is_found() {
    let mail = |ehlo: &str| Talker::new("220 mail.example ESMTP\r\n").answers("EHLO", ehlo);
    let in_clear = mail("250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n");
    let row_of = |talker: Talker, service| row(&talker.serve(), service, "--depth tls");

    let row = row_of(in_clear.clone(), "submission");
    assert_row(&row, &json!({"tls": "not_offered", "auth": ["PLAIN", "LOGIN"], "severity": "high", "attempts": 1}));
    assert_eq!(found(&row), ["high cleartext_auth", "high no_starttls"]);
    assert_eq!(found(&row_of(in_clear, "smtp")), ["high cleartext_auth", "medium no_starttls"]);

    let row = row_of(mail(EHLO).answers("STARTTLS", "454 4.7.0 not now\r\n"), "smtp");
    assert_row(&row, &json!({"tls": "refused", "tls_error": "refused with 454", "upgrade": "454 4.7.0 not now\\r\\n"}));
    assert_eq!(found(&row), ["medium starttls_broken"]);

    let injected = "220 2.0.0 Ready\r\n250 mallory.example\r\n";
    let row = row_of(mail(EHLO).answers("STARTTLS", injected).inside("EHLO", "250 mail.example\r\n"), "smtp");
    assert_row(&row, &json!({"tls": "starttls", "injected": "250 mallory.example\\r\\n"}));
    assert_eq!(found(&row), ["high starttls_injection", "low cert_self_signed"]);

    let row = row_of(Talker::new("220 ready\r\n").answers("FEAT", "211-Features\r\n UTF8\r\n211 End\r\n"), "ftp");
    assert_row(&row, &json!({"tls": "refused"}));
    assert_eq!(found(&row), ["medium no_auth_tls"]);
}

/// A 227 may name any address; a connection is made to the host that was dialled alone.
#[test]
fn data_connections_go_to_the_host_that_was_dialled() {
    let (control, elsewhere) = (listen(), listen());
    let named = elsewhere.local_addr().unwrap();
    let dialled = control.local_addr().unwrap().ip();
    let here = TcpListener::bind((dialled, named.port())).unwrap();
    let extended = TcpListener::bind((dialled, 0)).unwrap();
    let IpAddr::V4(ip) = named.ip() else { panic!("{named}") };
    let ([a, b, c, d], [high, low]) = (ip.octets(), named.port().to_be_bytes());
    let passive = format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low}).\r\n");
    let port = extended.local_addr().unwrap().port();
    let peer = files(&passive, &format!("229 Extended (|||{port}|)\r\n")).serve_at(control);

    let row = row(&peer, "ftp", "--anonymous");
    let expected = json!({"capabilities": null, "features": null, "tls": null,
        "pasv": [format!("PASV {named}"), format!("PASV {named} open"), format!("EPSV {port} open")]});
    assert_row(&row, &expected);
    assert_eq!(found(&row), ["medium anonymous_ftp", "medium pasv_private_address", "info version_disclosed"]);
    let said = "USER anonymous\r\nPASS hailer@example.com\r\nPASV\r\nPASV\r\nEPSV\r\nQUIT\r\n";
    assert_eq!(heard(&peer, 1), [said]);
    // Whatever connected is in a listener's queue by now.
    let queued = |listener: &TcpListener| {
        listener.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| listener.accept().ok()).count()
    };
    assert_eq!([&elsewhere, &here, &extended].map(queued), [0, 1, 1]);
}

#[test]
fn nobody_logs_in_or_sends_mail_unless_told() {
    let known: BTreeSet<_> = ["EHLO", "HELO", "FEAT", "SYST", "STARTTLS", "AUTH TLS", "QUIT"].into();
    for depth in ["greeting", "features", "tls"] {
        let table = [
            ("ftp", files("", "").serve()),
            ("ftps", files("", "").begins_with_tls().serve()),
            ("smtp", mail().serve()),
            ("submission", mail().serve()),
            ("smtps", mail().begins_with_tls().serve()),
        ];
        let words = table.iter().map(|(service, peer)| peer.target(service));
        let rows = run(scan(words).args(["--depth", depth])).rows();
        assert_eq!(rows.len(), table.len());
        for (service, peer) in table {
            let connections = if depth == "tls" { 2 } else { 1 };
            assert_eq!(peer.connections(), connections, "{service} at {depth}");
            for line in heard(&peer, connections).iter().flat_map(|said| said.lines()) {
                let command = if line.starts_with("AUTH ") { line } else { line.split(' ').next().unwrap() };
                assert!(known.contains(command), "{service} at {depth}: {line}");
            }
        }
    }
    // A guest is for FTP only.
    let peer = mail().serve();
    row(&peer, "smtp", "--anonymous --depth features --ehlo-name scan.example");
    assert_eq!(heard(&peer, 1), ["EHLO scan.example\r\nQUIT\r\n"]);
}

#[test]
fn a_transcript_has_both_sides_in_order() {
    let peer = mail().serve();
    let row = row(&peer, "smtp", "--depth tls --ehlo-name scan.example --transcript");
    let moments = row["transcript"].as_array().unwrap();
    let times: Vec<_> = moments.iter().map(|moment| moment["ms"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let address = peer.address.to_string();
    let ehlo = "EHLO scan.example\\r\\n";
    let inside = "250-mail.example\\r\\n250-SIZE 1000\\r\\n250-8BITMIME\\r\\n250 AUTH PLAIN LOGIN\\r\\n";
    let to_the_door = [
        ("dialled", address.as_str()),
        ("connected", ""),
        ("heard", "220 mail.example ESMTP Postfix\\r\\n"),
        ("said", ehlo),
        ("heard", &EHLO.replace("\r\n", "\\r\\n")),
        ("said", "STARTTLS\\r\\n"),
        ("heard", "220 2.0.0 Ready\\r\\n"),
    ];
    let session = [
        ("hello", "TLS 1.2 and 1.3"),
        ("secured", "TLSv1.3 "),
        ("said", ehlo),
        ("heard", inside),
        ("said", "QUIT\\r\\n"),
        ("heard", "221 bye\\r\\n"),
    ];
    let old = [("hello", "TLS 1.1 and older"), ("not_secured", "alert 40 handshake_failure"), ("closed", "")];
    let mut expected = [&to_the_door[..], &session, &to_the_door, &old].concat().into_iter().peekable();
    for moment in moments {
        let (event, text) = (moment["event"].as_str().unwrap(), moment["text"].as_str().unwrap_or_default());
        // How the first connection ends depends on whose FIN comes first.
        let is_next = expected.next_if(|(next, begin)| event == *next && text.starts_with(begin)).is_some();
        assert!(
            is_next || matches!(event, "ended" | "closed"),
            "{moment} should be {:?} in {moments:?}",
            expected.peek()
        );
    }
    assert_eq!(expected.next(), None, "{moments:?}");
}

#[test]
fn hostile_answers_are_inert() {
    let ehlo = b"250-mail.example\r\n250-X\x1b[2J;=1+1\xff\r\n250 AUTH PLAIN \xc2\x9b31m\r\n";
    let peer = Talker::new("220 mail.example\r\n").answers("EHLO", ehlo).serve();
    let ended = run(scan([peer.target("smtp")]).args(["--depth", "features", "--transcript", "-o", "-"]));
    let row = &ended.rows()[0];
    assert_eq!(row["capabilities"][0], "X\\x1b[2J;=1+1\u{fffd}", "{row}");
    assert_eq!(row["auth"], json!(["PLAIN", "\\xc2\\x9b31M"]), "{row}");
    assert!(!ended.stdout.trim_end().contains(|c: char| c.is_control()), "{}", ended.stdout);

    let folder = tempfile::tempdir().unwrap();
    run(scan([peer.target("smtp")]).args(["--depth", "features", "-o", "rows.csv"]).current_dir(folder.path()));
    let csv = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert!(!csv.contains(|c: char| c.is_control() && c != '\n') && csv.lines().count() == 2, "{csv:?}");
    assert!(!csv.contains(";=") && csv.contains("X\\x1b[2J"), "{csv:?}");
}

/// A scan that was stopped goes on as deep as it began, and with the same name.
#[test]
fn what_was_asked_for_outlives_a_stop() {
    let (folder, gate) = (tempfile::tempdir().unwrap(), Gate::default());
    let peers = [(); 3].map(|()| mail().held_by(&gate).serve());
    let options = "--depth tls --ehlo-name scan.example --transcript --anonymous --concurrency 1 -o rows.ndjson";
    let words: Vec<_> = peers.iter().map(|peer| peer.target("submission")).collect();
    let order = run(scan(&words).arg("--list")).stdout;
    let first = peers.iter().find(|peer| order.starts_with(&peer.address.to_string())).expect("one is first");
    let running = Running::start(scan(&words).args(options.split(' ')).current_dir(folder.path()));
    first.until_connected();
    running.signal(SIGINT);
    running.says("stopping: ");
    gate.open();
    assert_eq!(running.end().code, Some(3));
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 1);

    let ended = run(scan(["--resume", "rows.ndjson"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let rows = rows_in(&folder.path().join("rows.ndjson"));
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_row(&row, &json!({"tls": "starttls", "auth": ["tls:PLAIN", "tls:LOGIN"]}));
        assert!(row["transcript"].to_string().contains("EHLO scan.example"), "{row}");
    }
    let manifest = std::fs::read(folder.path().join("rows.ndjson.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let expected = json!({"depth": "tls", "anonymous": true, "ehlo_name": "scan.example", "transcript": true});
    assert_row(&manifest["configuration"], &expected);
}
