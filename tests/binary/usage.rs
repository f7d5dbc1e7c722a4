//! What cannot be done as it was asked: exit code 2, words that name what is wrong, and nothing sent.

use std::fs::File;
use std::io::ErrorKind;
use std::process::Stdio;

use super::peers::listen;
use super::program::{hailer, run, scan, through_shell};

/// Words after `hailer scan GOOD-TARGET` in a folder with the files of [`folder`], and what stderr must say.
const TABLE: &[(&str, &str)] = &[
    // Targets.
    ("10.0.0.0/33", "hailer: target '10.0.0.0/33': '/33' is not a prefix length"),
    ("10.0.0.300", "hailer: target '10.0.0.300': it looks like an address and is none"),
    ("10.0.0.9-10.0.0.1", "hailer: target '10.0.0.9-10.0.0.1': the range ends before it begins"),
    ("10.0.0.1-::1", "hailer: target '10.0.0.1-::1': the range begins in one address family"),
    ("[::1:25", "hailer: target '[::1:25': the brackets are not in order"),
    ("fe80::1%eth0", "hailer: target 'fe80::1%eth0': zones are not understood"),
    ("no_,such", "hailer: target 'no_,such': it is neither an address nor a host name"),
    ("b\u{fffd}ro.example", "hailer: target 'b\u{fffd}ro.example': it is not an internationalised name"),
    ("2001:db8::/32", "hailer: the targets have "),
    // Ports.
    ("-p 21,4711", "hailer: -p 21,4711: no service is known for port 4711"),
    ("-p 0", "hailer: -p 0: '0' is not a port"),
    ("-p 65536", "hailer: -p 65536: '65536' is not a port"),
    ("-p 25-21", "hailer: -p 25-21: the range '25-21' ends before it begins"),
    ("-p 21,,25", "hailer: -p 21,,25: a port is missing"),
    ("-p 143=imap", "hailer: -p 143=imap: 'imap' is not a service"),
    ("-p 25=smtp,25=ftp", "hailer: -p 25=smtp,25=ftp: port 25 is asked for both as smtp and as ftp"),
    ("127.0.0.1:7=ftp 127.0.0.0/31:7=smtp", "hailer: 127.0.0.1: port 7 is asked for both as "),
    ("host.example:", "hailer: target 'host.example:': a port is missing"),
    // Files.
    ("@nosuch.txt", "hailer: nosuch.txt: cannot read targets: No such file"),
    ("@bad.txt", "hailer: bad.txt:3:13: '10.0.0.999': it looks like an address and is none"),
    ("@nested.txt", "hailer: nested.txt:1:10: '@bad.txt': a list cannot name another list"),
    ("@binary.txt", "hailer: binary.txt:2:3: not UTF-8"),
    ("@long.txt", "hailer: long.txt:1:1: a line of more than 65536 bytes"),
    ("@.", "hailer: .: Is a directory"),
    ("-", "hailer: stdin:3:13: '10.0.0.999': it looks like an address and is none"),
    // Outputs.
    ("-o rows.doc", "hailer: -o rows.doc: no format is known by this ending"),
    ("-o rows", "hailer: -o rows: no format is known by this ending"),
    ("-o precious.csv", "hailer: -o precious.csv: it exists: name another file, or replace it with --overwrite"),
    ("-o a.csv -o a.csv", "hailer: -o a.csv: it is named twice"),
    ("-o - -o -", "hailer: -o -: it is named twice"),
    // Settings.
    ("--concurrency 999999999", "hailer: 999999999 connections at once need more open files"),
    ("--interface nosuch0", "hailer: there is no network interface 'nosuch0'"),
    // RFC 5737: no machine has an address of the documentation networks.
    ("--source 203.0.113.77", "hailer: cannot connect from 203.0.113.77: "),
    ("--source 127.0.0.1 --source 127.0.0.2", "hailer: 127.0.0.2 is a second source address of its family"),
    ("--roots nosuch.pem", "hailer: the roots 'nosuch.pem' cannot be used: cannot read it: No such file"),
    ("--roots bad.txt", "hailer: the roots 'bad.txt' cannot be used: there is no certificate in it"),
    ("--concurrency 0", "error: invalid value '0' for '--concurrency"),
    ("--connect-timeout 0", "error: invalid value '0' for '--connect-timeout"),
    ("--tls-timeout 4m", "error: invalid value '4m' for '--tls-timeout"),
    ("--greeting-timeout -1", "error: unexpected argument '-1'"),
    ("--depth abyss", "error: invalid value 'abyss' for '--depth"),
    (
        "--ehlo-name localhost",
        "error: invalid value 'localhost' for '--ehlo-name <NAME>': write a host name with a dot",
    ),
    ("--ehlo-name 10.0.0.5", "error: invalid value '10.0.0.5' for '--ehlo-name <NAME>': write a host name with a dot"),
    ("--ehlo-name a.example\r\nRSET", "error: invalid value 'a.example"),
    ("--ehlo-name a.example\r", "error: invalid value 'a.example"),
    ("--leave shouting", "error: invalid value 'shouting' for '--leave"),
    ("--seed x", "error: invalid value 'x' for '--seed"),
    ("--rate fast", "error: invalid value 'fast' for '--rate"),
    ("--per-prefix 0", "error: invalid value '0' for '--per-prefix"),
    ("--per-host 0", "error: invalid value '0' for '--per-host"),
    ("--profile rude", "error: invalid value 'rude' for '--profile"),
    ("--retry-busy x", "error: invalid value 'x' for '--retry-busy"),
    ("--canary mail.example:25", "error: invalid value 'mail.example:25' for '--canary"),
    ("--resolver dns.example", "error: invalid value 'dns.example' for '--resolver"),
    ("--shard 17/16", "error: invalid value '17/16' for '--shard"),
    ("--shard-index 0", "error: the following required arguments were not provided"),
    ("--shard-index 2 --shard-count 2", "hailer: --shard-index 2: of 2 shards the last is 1"),
    ("-x 10.0.0.0/33", "hailer: --exclude '10.0.0.0/33': '/33' is not a prefix length"),
    // What is excluded is not connected to, whatever for.
    ("-x 127.88.0.0/16 --canary 127.88.0.1:25", "hailer: the canary 127.88.0.1:25 may not be probed: it is excluded;"),
    ("--canary 224.0.0.1:25", "hailer: the canary 224.0.0.1:25 may not be probed: 224.0.0.0/4 is never probed ("),
    ("--exclude-file bad.txt", "hailer: bad.txt:3:13: '10.0.0.999': it looks like an address and is none"),
    ("--resume a.csv", "hailer: --resume a.csv: there is no journal a.csv.hailer"),
    ("--resume a.csv --overwrite", "error: the argument '--resume <FILE>' cannot be used with '--overwrite'"),
    ("-4 -6", "error: the argument '-4' cannot be used with '-6'"),
    ("--wordlists nosuch", "hailer: nosuch: cannot read wordlists: No such file"),
    ("--wordlists bad.txt", "hailer: bad.txt: cannot read wordlists: Not a directory"),
    ("--wordlists .", "hailer: .: none of ftp.toml, smtp.toml, fronts.toml is in this folder"),
    ("--frobnicate", "error: unexpected argument '--frobnicate'"),
    ("-p", "error: a value is required for '--ports"),
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let long = vec![b'a'; 100_000];
    let files: [(&str, &[u8]); 5] = [
        ("bad.txt", b"# offices\n10.0.0.1\n10.0.0.0/16 10.0.0.999\n"),
        ("nested.txt", b"10.0.0.1 @bad.txt\n"),
        ("binary.txt", b"10.0.0.1\n# \xff\n"),
        ("long.txt", &long),
        ("precious.csv", b"precious"),
    ];
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_sent() {
    let (folder, listener) = (folder(), listen());
    let target = format!("{}=smtp", listener.local_addr().unwrap());
    let mut wrong = Vec::new();
    for (words, expected) in TABLE {
        let mut command = scan([target.as_str()].into_iter().chain(words.split(' ')));
        command.current_dir(folder.path()).stdin(Stdio::from(File::open(folder.path().join("bad.txt")).unwrap()));
        let ended = run(&mut command);
        let is_ours = expected.starts_with("hailer: ");
        let is_one_message = if is_ours { ended.stderr.lines().count() == 1 } else { ended.stderr.contains("--help") };
        let is_right = ended.code == Some(2) && ended.stdout.is_empty() && ended.stderr.starts_with(expected);
        if !(is_right && is_one_message) {
            wrong.push(format!("{words}: {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_nothing_came(&listener);
    assert_eq!(std::fs::read_to_string(folder.path().join("precious.csv")).unwrap(), "precious");
    assert!(!folder.path().join("a.csv").exists(), "an output is made only once everything is checked");
}

#[test]
fn an_output_that_cannot_be_made_is_told_before_anything_is_sent() {
    let (folder, listener) = (folder(), listen());
    std::fs::create_dir(folder.path().join("folder.csv")).unwrap();
    std::os::unix::fs::symlink("nowhere.csv", folder.path().join("link.csv")).unwrap();
    let target = format!("{}=smtp", listener.local_addr().unwrap());
    let table = [
        ("nosuch/rows.csv", 1, "hailer: cannot create nosuch/rows.csv: No such file or directory"),
        ("folder.csv", 1, "hailer: cannot create folder.csv: Is a directory"),
        ("link.csv", 2, "hailer: -o link.csv: it is a link that leads nowhere: "),
    ];
    for (path, code, expected) in table {
        for more in [None, Some("--overwrite")] {
            let ended = run(scan([target.as_str(), "-o", path].into_iter().chain(more)).current_dir(folder.path()));
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{path}: {}", ended.stderr);
            assert!(ended.stderr.starts_with(expected), "{path}: {}", ended.stderr);
        }
    }
    assert_nothing_came(&listener);
}

/// What is written there would be added to it, or take its place.
#[test]
fn what_is_read_is_not_where_rows_go() {
    let (folder, listener) = (tempfile::tempdir().unwrap(), listen());
    let list = format!("{}=smtp\n", listener.local_addr().unwrap());
    std::fs::write(folder.path().join("list.csv"), &list).unwrap();
    let goes_there = "list.csv: stdout goes there, and would be added to what is read: send it to another file";
    for (from, to, words, told) in [
        (
            "list.csv",
            "/dev/null",
            "- -o list.csv --overwrite",
            "-o list.csv: the targets come from there: name another",
        ),
        ("list.csv", "list.csv", "-", &goes_there.replace("list.csv", "stdin")),
        ("/dev/null", "list.csv", "@list.csv", goes_there),
        ("/dev/null", "list.csv", "127.0.0.2 --exclude-file list.csv -o - -o rows.csv", goes_there),
    ] {
        let onto = format!("exec < {from} >> {to}");
        let ended = run(through_shell(&[], &onto, &scan(words.split(' '))).current_dir(folder.path()));
        assert_eq!(ended.code, Some(2), "{words}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("hailer: {told}")), "{words}: {}", ended.stderr);
        assert_eq!(std::fs::read_to_string(folder.path().join("list.csv")).unwrap(), list, "{words}");
    }
    assert_nothing_came(&listener);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A connection on loopback is in the listener's queue before `connect()` returns: none can be on its way still.
fn assert_nothing_came(listener: &std::net::TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
}

#[test]
fn help_and_version() {
    let hailer = |words: &[&str]| run(&mut hailer(words));
    let table: [(&[&str], &str); 4] = [
        (&["--version"], concat!("hailer ", env!("CARGO_PKG_VERSION"), "\n")),
        (&["--help"], "Usage: hailer <COMMAND>"),
        (&["scan", "--help"], "Exit codes: 0 done"),
        (&["scan", "-h"], "--overwrite"),
    ];
    for (words, expected) in table {
        let ended = hailer(words);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(ended.stdout.contains(expected), "{words:?}: {}", ended.stdout);
    }
    let table: [(&[&str], &str); 3] =
        [(&[], "Usage: hailer <COMMAND>"), (&["scan"], "<TARGET>..."), (&["sacn"], "unrecognized subcommand 'sacn'")];
    for (words, expected) in table {
        let ended = hailer(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words:?}");
        assert!(ended.stderr.contains(expected), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn no_target_is_left() {
    let table = [("::1 -4", "no targets: all 1 of them are"), ("127.0.0.1 -6", "no targets: all 1 of them are")];
    for (words, expected) in table {
        let ended = run(&mut scan(words.split(' ')));
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(expected), "{words}: {}", ended.stderr);
    }
    let ended = run(&mut scan(["-"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.starts_with("hailer: no targets: name an address"), "{}", ended.stderr);
}
