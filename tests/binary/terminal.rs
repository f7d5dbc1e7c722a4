//! What people see: lines and tables as wide as their terminal, colours where they are wanted, both sides' words, and
//! nothing of a peer that the terminal would obey.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use super::peers::{Peer, polite};
use super::program::{Running, hailer_in, rows_in, run, scan, succeeds};

/// A terminal of that many columns, and where a program writes to it.
fn terminal(columns: u16) -> (PtyMaster, File) {
    // Not openpty(): other tests' programs would inherit what it opens.
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    assert!(master.as_raw_fd() >= 0);
    let name = ptsname_r(&master).unwrap();
    // Where nobody holds it open its size would be forgotten.
    let slave = File::options().write(true).open(&name).unwrap();
    succeeds(Command::new("stty").args(["-F", &name, "cols", &columns.to_string(), "rows", "24"])).unwrap();
    (master, slave)
}

/// What a terminal was given.
fn seen(mut terminal: PtyMaster) -> String {
    let mut bytes = Vec::new();
    // Linux ends a terminal that nobody writes to any longer with EIO.
    drop(terminal.read_to_end(&mut bytes));
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

fn environed<'a>(command: &'a mut Command, environment: &[(&str, &str)]) -> &'a mut Command {
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").envs(environment.iter().copied())
}

/// With this on stdout.
fn on_a_terminal(command: &mut Command, columns: u16, environment: &[(&str, &str)]) -> String {
    environed(command, environment);
    let (master, slave) = terminal(columns);
    let reader = thread::spawn(move || seen(master));
    let ended = Running::start_onto(command, Stdio::from(slave)).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    reader.join().unwrap()
}

/// With this on stderr, where people are told things.
fn told_on_a_terminal(command: &mut Command, columns: u16) -> String {
    let (master, slave) = terminal(columns);
    let reader = thread::spawn(move || seen(master));
    environed(command, &[("NO_COLOR", "1")]).stdout(Stdio::null()).stderr(Stdio::from(slave));
    let code = command.status().unwrap().code();
    // The command would keep the terminal open.
    command.stderr(Stdio::null());
    assert_eq!(code, Some(0));
    reader.join().unwrap()
}

/// Without the escape sequences of colours, and nothing else taken away.
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let (codes, after) = from.split_once('m').unwrap_or_else(|| panic!("no colour: {text:?}"));
        assert!(codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "no colour: {text:?}");
        rest = after;
    }
    plain + rest
}

#[test]
fn colours_are_shown_where_they_are_wanted() {
    let peer = Peer::new(polite("220 \x1b[2J(vsFTPd 3.0.5) \u{9b}31m\r\n"));
    let line =
        |environment: &[(&str, &str)]| on_a_terminal(&mut scan([peer.target("ftp"), "-q".into()]), 120, environment);
    let coloured = line(&[]);
    assert!(
        coloured.contains("\x1b[32mgreeted\x1b[0m") && coloured.contains("\x1b[1mvsftpd\x1b[0m 3.0.5"),
        "{coloured:?}"
    );
    let plain = without_colours(&coloured);
    assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
    for environment in [&[("NO_COLOR", "1")][..], &[("TERM", "dumb")], &[("CLICOLOR", "0")]] {
        assert_eq!(line(environment), plain, "{environment:?}");
    }
    for environment in [[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")], [("TERM", "dumb"), ("CI", "true")]] {
        assert_eq!(line(&environment), coloured, "{environment:?}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let greetings = [
        format!("220 {}\r\n", "welcome to a very long greeting ".repeat(20)),
        format!("220 {}\r\n", "漢字".repeat(100)),
        "220 mail.a-rather-long-name-of-a-host.example.com ESMTP Exim 4.98.2 Fri, 21 Nov 2026\r\n".to_owned(),
        format!("220 {}\r\n", "\x1b]0;x\x07\u{202e}".repeat(40)),
    ];
    let peers: Vec<_> = greetings.iter().map(|greeting| Peer::new(polite(greeting))).collect();
    for columns in [60, 80, 132] {
        let words = peers.iter().map(|peer| peer.target("smtp")).chain(["-q".into()]);
        let lines = without_colours(&on_a_terminal(&mut scan(words), columns, &[]));
        assert_eq!(lines.lines().count(), 4, "{lines}");
        for line in lines.lines() {
            let wide = line.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
            assert!(line.chars().count() + wide <= usize::from(columns), "{columns}: {line}");
        }
    }
}

#[test]
fn a_summary_on_a_terminal_has_bars() {
    let folder = tempfile::tempdir().unwrap();
    let peers = ["220 (vsFTPd 3.0.5)\r\n", "220 (vsFTPd 3.0.5)\r\n", "220 ready\r\n"].map(|it| Peer::new(polite(it)));
    let mut command = scan(peers.iter().map(|peer| peer.target("ftp")));
    let ended = run(command.args(["-o", "rows.ndjson"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains('█') && !ended.stderr.contains('\x1b'), "{}", ended.stderr);

    let report = || hailer_in(folder.path(), "report rows.ndjson");
    let text = on_a_terminal(&mut report(), 80, &[]);
    let plain = without_colours(&text);
    let full = "█".repeat(24);
    for line in ["  vsftpd                               2  ", "  (unnamed)                            1  "] {
        assert!(plain.contains(line), "{line:?} in {plain}");
    }
    assert!(text.contains(&full) && text.contains("\x1b[2m  software"), "{text:?}");
    let half = plain.lines().find(|line| line.starts_with("  (unnamed)")).unwrap();
    assert_eq!(half.matches('█').count(), 12, "{half}");
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");

    let ascii = on_a_terminal(&mut report(), 80, &[("LANG", "C"), ("NO_COLOR", "1")]);
    assert!(ascii.contains(&"#".repeat(24)) && !ascii.contains('█') && !ascii.contains('\x1b'), "{ascii}");
    // What is no terminal has neither, unless it is told to.
    let piped = run(&mut report());
    assert!(!piped.stdout.contains('█') && !piped.stdout.contains('\x1b'), "{}", piped.stdout);
    let forced = run(report().env("CLICOLOR_FORCE", "1").env("LANG", "C.UTF-8"));
    assert!(forced.stdout.contains(&full) && forced.stdout.contains("\x1b["), "{}", forced.stdout);
}

#[test]
fn both_sides_words_are_shown() {
    let peer = Peer::new(polite("220 mail.example ESMTP Exim 4.98.2 \x1b[2J\r\n"));
    let words = [peer.target("smtp"), "-v".into(), "--depth".into(), "greeting".into()];
    let text = on_a_terminal(&mut scan(&words), 100, &[("NO_COLOR", "1")]);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(&peer.address.to_string()) && lines[0].contains("Exim 4.98.2"), "{text}");
    for part in ["ms * connected", "ms < 220 mail.example ESMTP Exim 4.98.2 \\x1b[2J", "ms > QUIT", "ms < 221"] {
        assert!(lines[1..].iter().any(|line| line[7..].contains(part)), "{part} in {text}");
    }

    // Rows to files have no transcript unless they are to; words go to stderr.
    for has_transcript in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = scan(&words);
        command.args(has_transcript.then_some("--transcript")).args(["-o", "rows.ndjson"]);
        let ended = run(command.current_dir(folder.path()));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("ms > QUIT\n"), "{}", ended.stderr);
        assert_eq!(rows_in(&folder.path().join("rows.ndjson"))[0].get("transcript").is_some(), has_transcript);
    }
    let ended = run(scan(&words).arg("-q"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

/// A bar that is drawn before there are words for people would stay above them.
#[test]
fn words_stand_above_the_bar_and_nothing_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::new(polite("220 ready\r\n"));
    let name = "book\x1b[31m.xlsx";
    let text = told_on_a_terminal(scan([peer.target("smtp")]).args(["-o", name]).current_dir(folder.path()), 80);
    assert!(folder.path().join(name).exists());
    let (above, below) = text.split_once("░").unwrap_or_else(|| panic!("no bar: {text:?}"));
    let above = above.trim_end_matches('\r').trim_end();
    assert!(above.starts_with("1 endpoint, 1 at once, ") && above.lines().count() == 1, "{text:?}");
    assert!(below.contains("1 of 1 endpoints in ") && below.ends_with("\r\x1b[2K"), "{text:?}");
    // Nothing of the file's name is obeyed.
    let written = below.lines().find_map(|line| line.split_once("writing ")).unwrap().1;
    assert!(written.ends_with(r"/book\x1b[31m.xlsx") && !text.contains(name), "{text:?}");
}

/// What is shown where rows go to a file: a line and both sides' words of each, and the tables of the summary.
#[test]
fn neither_words_nor_tables_are_wider_than_a_narrow_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let greeting =
        format!("220 mail.a-rather-long-name-of-a-host.example.com ESMTP Exim 4.98.2 {}\r\n", "漢字".repeat(40));
    let peer = Peer::new(polite(&greeting));
    for columns in [60, 72] {
        let mut command = scan([peer.target("smtp"), "-v".into(), "-o".into(), "rows.ndjson".into()]);
        let text = told_on_a_terminal(command.arg("--overwrite").current_dir(folder.path()), columns);
        // What the bar leaves, each time that it is taken away.
        let lines: Vec<_> = text.lines().map(|line| line.rsplit("\r\x1b[2K").next().unwrap()).collect();
        let shown = || lines.iter().filter(|line| line.starts_with("  ") || line.starts_with("127."));
        for part in [" ms < 220 mail.", " ms > QUIT", "  outcome ", "  greeted ", "  software ", "  Exim "] {
            assert!(shown().any(|line| line.contains(part)), "{part:?} in {text}");
        }
        for line in shown() {
            let wide = line.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
            assert!(line.chars().count() + wide <= usize::from(columns), "{columns}: {line:?}");
        }
    }
}
