//! Hostile peers on real sockets: what only a socket does (an accept queue that is never served, RST, half-closed
//! connections), and what becomes of hostile bytes in everything that is written. Every deed at every stage, without
//! sockets, is in `src/probe/hostile_tests.rs`.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};

use super::names::Dns;
use super::peers::{End, Peer, Step, listen, say};
use super::program::{Running, differences, hailer, run, scan};
use super::talkers::Talker;
use super::terminal::without_colours;

/// What a terminal, a line of text, a spreadsheet or a reader of bidirectional text would obey.
const EVIL: &str = "=1\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{85}\u{2028}\u{202e}\u{2066}\u{0}\u{8}\u{7f}\u{feff}";

/// Whether a character has no business in a line for people.
fn is_evil(character: char) -> bool {
    let bidi = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    character.is_control() || bidi || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn assert_harmless(what: &str, text: &str) {
    assert!(text.contains("owned"), "{what} does not tell of it: {text}");
    let evil = text.chars().find(|character| *character != '\n' && is_evil(*character));
    assert_eq!(evil, None, "in {what}: {text:?}");
}

/// A server that is evil wherever it can be: its greeting, its offers, its certificate, and its leave.
fn evil_talker() -> Talker {
    let mut params = CertificateParams::new(vec!["evil\u{1b}[2Jowned.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, EVIL);
    params.distinguished_name.push(DnType::OrganizationName, EVIL);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let offers = format!("250-{EVIL}\r\n250-AUTH {EVIL}\r\n250-STARTTLS\r\n250 {EVIL}\r\n");
    Talker::new(format!("220-{EVIL}\r\n220 mail.example ESMTP {EVIL}\r\n"))
        .answers("EHLO", &offers)
        .answers("STARTTLS", format!("220 {EVIL}\r\n"))
        .inside("EHLO", offers.replace("250-STARTTLS\r\n", ""))
        .certified_by(config)
}

#[test]
fn nothing_that_is_written_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let peer = evil_talker().serve();
    let mut command = scan([peer.target("smtp"), "--depth=tls".into(), "--transcript".into()]);
    let ended = run(command.args(["-o=rows.csv", "-o=rows.ndjson", "-o=-"]).current_dir(folder.path()));
    let rows = ended.rows();
    assert_eq!(rows[0]["tls"], "starttls", "{}", rows[0]);
    assert_harmless("the words for people", &(ended.stderr + "owned"));
    assert_harmless("NDJSON", &ended.stdout);
    let csv = fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert_harmless("CSV", &csv);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    for cell in
        reader.records().map(Result::unwrap).flat_map(|record| record.iter().map(str::to_owned).collect::<Vec<_>>())
    {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {cell}");
    }
    // Read back and written again.
    let ended = run(hailer(["report", "rows.ndjson", "-o", "again.csv"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_harmless("a report", &fs::read_to_string(folder.path().join("again.csv")).unwrap());
}

#[test]
fn nothing_that_a_terminal_gets_is_obeyed() {
    let peer = evil_talker().serve();
    for verbose in [None, Some("-v")] {
        let mut command = scan([peer.target("smtp"), "--depth=tls".into()]);
        let (code, lines) = on_terminal(command.args(verbose).env("TERM", "xterm"));
        assert_eq!(code, Some(0));
        assert_harmless("lines on a terminal", &without_colours(&lines));
    }
    let dns = Dns::new("* ANY REFUSED");
    let mut command = hailer(["check", &peer.target("smtp"), "--quiet"]);
    let (_, told) = on_terminal(command.arg(dns.option()));
    assert_harmless("what is told of a host", &told);
}

/// Runs a command with a terminal for its stdout: how it ended, and what the terminal got.
fn on_terminal(command: &mut Command) -> (Option<i32>, String) {
    // Not openpty(): other tests' programs would inherit what it opens.
    let mut terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let slave = File::options().write(true).open(ptsname_r(&terminal).unwrap()).unwrap();
    // It takes no more than some KiB until they are read.
    let reader = thread::spawn(move || {
        let mut lines = Vec::new();
        // Linux ends a terminal that nobody writes to any longer with EIO.
        drop(terminal.read_to_end(&mut lines));
        String::from_utf8(lines).unwrap()
    });
    let ended = Running::start_onto(command, Stdio::from(slave)).end();
    // A terminal ends lines with CRLF.
    (ended.code, reader.join().unwrap().replace("\r\n", "\n"))
}

/// A peer that nobody serves: the system takes its connections, and they wait in its queue for ever.
struct Unserved(TcpListener);

impl Unserved {
    fn target(&self, service: &str) -> String {
        format!("{}={service}", self.0.local_addr().unwrap())
    }
}

#[test]
fn a_queue_that_is_never_served() {
    let cases = [
        ("ftp", json!({"outcome": "silent", "banner": null, "tls": null, "detail": null})),
        ("smtp", json!({"outcome": "silent", "banner": null, "tls": null, "detail": null})),
        (
            "smtps",
            json!({"outcome": "tls_failed", "tls": "failed", "attempts": 1,
            "tls_error": "stalled: no end of the handshake before the deadline"}),
        ),
    ];
    let peers = cases.each_ref().map(|(service, _)| (Unserved(listen()), *service));
    let words = peers.each_ref().map(|(peer, service)| peer.target(service));
    let rows = run(scan(words).args(["--greeting-timeout=1", "--tls-timeout=1"])).rows();
    assert_eq!(rows.len(), cases.len());
    for (service, expected) in &cases {
        let row = rows.iter().find(|row| row["service"] == *service).unwrap();
        assert_eq!(differences(row, expected), [""; 0]);
    }
}

/// How a peer ends it at a stage, and what its row must say besides.
type Ending = (&'static str, Vec<Step>, Value);

/// FIN and RST at each stage of a mail server, told apart by what the row says of them.
fn endings() -> Vec<Ending> {
    let offers = || say("250-mail.example\r\n250 STARTTLS\r\n");
    let asked = || vec![say("220 mail.example ESMTP\r\n"), Step::Hear(b"EHLO")];
    let wanted = || [asked(), vec![offers(), Step::Hear(b"STARTTLS\r\n")]].concat();
    // The beginning of a record.
    let agreed = || [wanted(), vec![say("220 go\r\n"), Step::Hear(b"\x16\x03\x01")]].concat();
    let greeted = |tls: Value| json!({"outcome": "greeted", "code": 220, "tls": tls});
    vec![
        ("at once", vec![], json!({"outcome": "ended", "banner": null})),
        ("within the first line", vec![say("220 mai")], json!({"outcome": "ended", "banner": "220 mai"})),
        ("between two lines", vec![say("220-a\r\n")], json!({"outcome": "ended", "banner": r"220-a\r\n"})),
        ("when spoken to", asked(), greeted(Value::Null)),
        ("within an answer", [asked(), vec![say("250-mail")]].concat(), greeted(Value::Null)),
        ("at STARTTLS", wanted(), greeted(Value::Null)),
        ("at our hello", agreed(), json!({"outcome": "greeted", "tls": ["failed", "refused"]})),
        (
            "within the answer to our hello",
            [agreed(), vec![say(b"\x16\x03\x03\x40\x00\x02")]].concat(),
            json!({"outcome": "greeted", "tls": ["failed"]}),
        ),
    ]
}

#[test]
fn fin_and_reset_at_every_stage() {
    let hears_out = [Step::Finish, Step::HearEnd];
    for (how, last, outcome) in [("FIN", &hears_out[..], "closed"), ("RST", &[Step::Reset][..], "reset")] {
        let cases: Vec<_> = endings()
            .into_iter()
            .map(|(stage, steps, expected)| (stage, Peer::new([steps, last.to_vec()].concat()), expected))
            .collect();
        let words = cases.iter().map(|(_, peer, _)| peer.target("smtp"));
        let rows = run(scan(words).args(["--depth=tls", "--greeting-timeout=20"])).rows();
        assert_eq!(rows.len(), cases.len(), "one row for each");
        for (stage, peer, mut expected) in cases {
            let row = rows.iter().find(|row| row["ip"] == peer.address.ip().to_string().as_str()).unwrap();
            if expected["outcome"] == "ended" {
                expected["outcome"] = outcome.into();
            }
            if let Some(any) = expected["tls"].as_array().cloned() {
                assert!(any.contains(&row["tls"]), "{how} {stage}: {row}");
                expected.as_object_mut().unwrap().remove("tls");
            }
            assert_eq!(differences(row, &expected), [""; 0], "{how} {stage}");
        }
    }
}

/// Who has sent FIN and listens on hears no RST from us, whatever was left unread.
#[test]
fn who_half_closes_is_not_reset() {
    let floods = "220-and on\r\n".repeat(10_000);
    for words in ["220 mail.example ESMTP\r\n", "220 mail", "SSH-2.0-x\r\n", &floods] {
        let peer = Peer::new([say(words), Step::Finish, Step::HearEnd]);
        let rows = run(&mut scan([peer.target("smtp")])).rows();
        assert_eq!(rows.len(), 1);
        assert_eq!(peer.report().end, End::Fin, "{:?}", &words[..words.len().min(40)]);
    }
}
