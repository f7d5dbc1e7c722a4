//! What is not swept without leave. Where a test of this fails nothing may be sent either: the program runs where there is
//! no network at all.

use std::process::Command;

use super::program::{run, scan, skip, succeeds, through_shell};

/// Targets and options, the exit code, and how stderr begins. The second wrong thing is told where the first was none.
const TABLE: &[(&str, i32, &str)] = &[
    ("8.0.0.0/12 8.16.0.0", 4, REFUSED),
    ("8.0.0.0/12 mail.example", 4, REFUSED),
    ("8.0.0.0/12 2a00::1", 4, REFUSED),
    ("8.0.0.0/12 8.16.0.0 --shard 1/1000", 4, REFUSED),
    ("8.0.0.0/12 8.16.0.0 --i-am-authorised", 4, REFUSED),
    ("8.0.0.0/12 8.16.0.0 --contact noc@example.com", 4, REFUSED),
    ("8.0.0.0/12 8.16.0.0 --i-am-authorised --contact noc@example.com --concurrency 999999999", 2, GREEDY),
    // So many need no leave, whatever their ports are; nor does what is nobody's public address, or is excluded.
    ("8.0.0.0/12 --concurrency 999999999", 2, GREEDY),
    ("8.0.0.0/12 -p 1-1000=smtp --concurrency 999999999", 2, GREEDY),
    ("8.0.0.0/12 8.16.0.0 -x 8.0.0.7 --concurrency 999999999", 2, GREEDY),
    ("8.0.0.0/12 10.0.0.0/8 127.0.0.0/8 fd00::/80 --concurrency 999999999", 2, GREEDY),
];

const REFUSED: &str = "hailer: 1048577 public addresses, which is more than 1048576: if you have leave to sweep them, \
    say so with --i-am-authorised, and give --contact for those who ask\n";

const GREEDY: &str = "hailer: 999999999 connections at once need more open files ";

/// What says why there cannot be a place without a network.
fn no_network() -> Result<(), String> {
    succeeds(Command::new("unshare").args(["-n", "true"]))
}

#[test]
fn so_many_public_addresses_need_leave() {
    if let Err(why) = no_network() {
        return skip(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (words, code, expected) in TABLE {
        let command = scan(words.split(' ').chain(["-o", "rows.ndjson", "-o", "rows.csv"]));
        let ended = run(through_shell(&["unshare", "-n"], "", &command).current_dir(folder.path()));
        let is_right = ended.code == Some(*code) && ended.stderr.starts_with(expected) && ended.stdout.is_empty();
        if !is_right || ended.stderr.lines().count() != 1 {
            wrong.push(format!("{words}: {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn with_leave_they_are_listed() {
    if let Err(why) = no_network() {
        return skip(&why);
    }
    let words = "8.0.0.0/12 8.16.0.0 -p 25 --i-am-authorised --contact noc@example.com --shard 1/1024 --list";
    let ended = run(&mut through_shell(&["unshare", "-n"], "", &scan(words.split(' '))));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("8.") && line.ends_with(":25=smtp")).count(), 1025);
}
