//! `hailer explain`: words from the handbook, for people and for programs.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};
use serde_json::Value;

use super::program::{Ended, Running, hailer, run, skip, succeeds};

fn explain(words: &str) -> Command {
    let mut command = hailer(["explain"]);
    command.args(words.split(' ').filter(|word| !word.is_empty()));
    command
}

/// What is explained, after checking that nothing is wrong.
fn explained(words: &str) -> String {
    let Ended { code, stdout, stderr } = run(&mut explain(words));
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words}");
    stdout
}

/// Whether these come one after the other.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing, or out of order, in\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn a_code_is_explained_for_both_protocols() {
    let text = explained("421");
    let parts = [
        "421\n\nFTP\n",
        "  Seen when      As the greeting",
        "\n  Do             ",
        "\n  Check by hand  $ telnet HOST PORT\n",
        "\n  Source         RFC 959 §4.2.2",
        "\n\nSMTP\n",
        "\n  Source         RFC 5321 §3.8",
    ];
    assert_in_order(&text, &parts);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(explained("354").contains("FTP has no such code."));
}

#[test]
fn two_codes_stand_side_by_side() {
    let text = explained("220 221");
    let lines: Vec<_> = text.lines().collect();
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(columns(lines[0]), ["220", "221"]);
    assert!(lines.iter().any(|line| columns(line) == ["SMTP", "SMTP"]), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 100 && !line.ends_with(' ')), "{text}");

    // More are told one after the other, and so is what is no code.
    assert_in_order(&explained("220 221 250"), &["220\n\nFTP", "\n\n221\n\nFTP", "\n\n250\n\nFTP"]);
    assert_in_order(&explained("220 port:20"), &["220\n\nFTP", "\n\nport 20: ftp-data\n"]);
}

#[test]
fn ports_and_findings_are_explained() {
    assert_in_order(&explained("port:20"), &["port 20: ftp-data\n", "active mode", "hailer does not", "RFC 959 §3.2"]);
    let parts = [
        "pasv_private_address (medium)\n",
        "\n  Why  ",
        "\n  Do  ",
        "MasqueradeAddress",
        "Pure-FTPd: -P",
        "pasv_address=",
        "\n  Check by hand  $ curl -v --disable-epsv",
        "\n  Source         RFC 959 §4.1.2",
    ];
    assert_in_order(&explained("pasv-private-address"), &parts);
}

#[test]
fn a_code_that_is_not_listed_is_told_by_its_digits() {
    let parts =
        ["429 (not in the handbook; near it are 421, 425, 426)", "FTP", "later", "connections", "SMTP", "later"];
    assert_in_order(&explained("429"), &parts);
}

#[test]
fn everything_is_listed() {
    let text = explained("");
    assert_eq!(text, explained("--list"));
    let parts =
        ["\n421       FTP   ", "\n421       SMTP  ", "\nport:20         ", "\ncleartext_auth            high    The"];
    assert_in_order(&text, &parts);
}

#[test]
fn programs_read_json() {
    let json = |words: &str| serde_json::from_str::<Value>(&explained(words)).unwrap();
    let entries = json("--json 220 429 port:465 cert_expired");
    let kinds: Vec<_> = ["code", "code", "port", "id"].into_iter().zip(entries.as_array().unwrap()).collect();
    assert!(kinds.len() == 4 && kinds.iter().all(|(key, entry)| entry.get(key).is_some()), "{entries}");
    assert_eq!(entries[0]["smtp"]["rfc"].as_str().unwrap().split(' ').next(), Some("RFC"));
    assert_eq!(entries[0]["ftp"]["verify"][0]["type"][0], "QUIT");
    assert_eq!(entries[1]["near"], serde_json::json!([421, 425, 426]));
    assert_eq!((&entries[2]["name"], &entries[3]["severity"]), (&"submissions".into(), &"high".into()));
    assert!(json("--json 354")[0].get("ftp").is_none());
    assert!(json("--json").as_array().unwrap().len() > 100);
}

#[test]
fn what_is_unknown_is_a_usage_error_that_helps() {
    for (words, told) in [
        (
            "cert_expird",
            "hailer: 'cert_expird' is no reply code, port, finding or evidence: did you mean 'cert_expired'? ",
        ),
        ("220 cert_expird", "hailer: 'cert_expird' is no reply code"),
        ("25", "hailer: '25' is no reply code, which has three digits; a port is written port:25\n"),
        ("700", "hailer: '700' is no reply code: "),
        ("port:4711", "hailer: 'port:4711': the ports explained here are 20, 21, "),
        ("--list 220", "error: the argument '--list' cannot be used with"),
    ] {
        let ended = run(&mut explain(words));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words}");
        assert!(ended.stderr.starts_with(told), "{words}: {}", ended.stderr);
    }
}

#[test]
fn lines_follow_the_terminal() {
    for (columns, is_beside) in [(80, false), (130, true)] {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).unwrap();
        let ended = Running::start_onto(&mut explain("220 221"), terminal.slave.into());
        let mut text = Vec::new();
        // A terminal ends with an error once nobody holds its other side.
        let _ = File::from(terminal.master).read_to_end(&mut text);
        drop(ended);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().next().unwrap().contains("221"), is_beside, "{columns}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= columns.into()), "{columns}: {text}");
        assert!(is_beside || text.lines().any(|line| line.chars().count() > 60), "{columns}: {text}");
    }
}

/// In a network namespace of its own, where there is not even a loopback.
#[test]
fn nothing_is_needed_from_a_network() {
    if let Err(why) = succeeds(Command::new("unshare").args(["-rn", "true"])) {
        return skip(&why);
    }
    let mut command = Command::new("unshare");
    command.args(["-rn", env!("CARGO_BIN_EXE_hailer"), "explain", "421"]).stdin(Stdio::null());
    assert_eq!(run(&mut command).stdout, explained("421"));
}

#[test]
fn whoever_has_read_enough_may_go() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Running::start_onto(&mut explain("--list"), writer.into()).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = Running::start_onto(&mut explain("--list"), full.into()).end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("hailer: cannot write to stdout: "), "{}", ended.stderr);
}
