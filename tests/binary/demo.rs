//! `hailer demo` and `hailer fleet`: a fleet that is what it says it is, and a sweep of it that finds all of it.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sys::signal::Signal::{SIGINT, SIGTERM};
use serde_json::Value;

use super::program::{Ended, Running, differences, rows, rows_in, run, scan, through_shell};

fn hailer(words: &str) -> Command {
    super::program::hailer(words.split_whitespace())
}

/// Addresses that no other test has, also where several test programs run at once.
fn place(test: u32) -> String {
    let pid = std::process::id();
    format!("127.{}.{}.1", 100 + pid % 100, 100 + test * 20 + pid / 100 % 20)
}

fn demo_in(folder: &Path, words: &str) -> Ended {
    run(hailer(&format!("demo {words}")).current_dir(folder))
}

/// The rows without what differs from run to run, in order.
fn timeless(mut rows: Vec<Value>) -> Vec<String> {
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.retain(|key, _| key != "time" && !key.ends_with("_ms"));
        for evidence in row.get_mut("evidence").and_then(Value::as_array_mut).into_iter().flatten() {
            evidence.as_object_mut().unwrap().remove("ms");
        }
    }
    let mut lines: Vec<_> = rows.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

#[test]
fn the_demo_finds_everything_and_the_same_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let words = format!("--hosts 40 --at {}", place(0));
    let first = demo_in(folder.path(), &words);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), ""), "{}", first.stderr);
    for expected in ["  hailer scan 127.", "200 found, 0 missed, 0 misnamed", "hailer-demo.ndjson.", "hailer scan 10."]
    {
        assert!(first.stderr.contains(expected), "{expected}: {}", first.stderr);
    }
    let (csv, ndjson) = (folder.path().join("hailer-demo.csv"), folder.path().join("hailer-demo.ndjson"));
    let found = rows_in(&ndjson);
    assert_eq!(found.len(), 200);
    assert_eq!(csv::Reader::from_path(&csv).unwrap().records().map(Result::unwrap).count(), 200);

    let kept = fs::read(&csv).unwrap();
    let refused = demo_in(folder.path(), &words);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("hailer: -o hailer-demo.csv: it exists"), "{}", refused.stderr);
    assert_eq!(fs::read(&csv).unwrap(), kept);

    let again = demo_in(folder.path(), &format!("{words} -q --overwrite -o ./"));
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    assert_eq!(timeless(rows_in(&ndjson)), timeless(found));
}

#[test]
fn the_demo_in_depth() {
    let folder = tempfile::tempdir().unwrap();
    let ended = demo_in(folder.path(), &format!("--hosts 40 --depth tls --at {}", place(5)));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("200 found, 0 missed, 0 misnamed"), "{}", ended.stderr);
    assert!(ended.stderr.contains(" --depth tls -o "), "{}", ended.stderr);
    let rows = rows_in(&folder.path().join("hailer-demo.ndjson"));
    for tls in ["starttls", "auth_tls", "implicit"] {
        let found = rows.iter().any(|row| row["tls"] == tls && row["capabilities"].is_array());
        assert!(found, "{tls}");
    }
}

#[test]
fn the_demo_on_one_address() {
    let folder = tempfile::tempdir().unwrap();
    let ended = demo_in(folder.path(), &format!("--hosts 20 --seed 7 --one-address --at {} -o rows.csv", place(1)));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("100 found, 0 missed, 0 misnamed"), "{}", ended.stderr);
    assert!(folder.path().join("rows.csv").exists() && !folder.path().join("hailer-demo.csv").exists());
}

fn truths(words: &str) -> Vec<Value> {
    run(&mut hailer(&format!("fleet --truth - {words}"))).rows()
}

#[test]
fn a_row_that_is_wrong_is_named_and_fails_the_demo() {
    let words = format!("--hosts 12 --at {}", place(2));
    let truth = truths(&words).into_iter().find(|truth| truth["kind"] == "refused").unwrap();
    let address = format!("{}:{}", truth["ip"].as_str().unwrap(), truth["port"]);
    // Somebody else's server, where nothing should listen.
    let intruder = TcpListener::bind(&address).unwrap();
    thread::spawn(move || intruder.incoming().for_each(drop));
    let folder = tempfile::tempdir().unwrap();
    let ended = demo_in(folder.path(), &words);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("59 found, 0 missed, 1 misnamed"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("  misnamed: {address} (refused): outcome: expected 'refused'")));
}

#[test]
fn a_fleet_is_swept_by_others_and_is_what_it_says() {
    let words = format!("--hosts 40 --seed 3 --pause 300ms --at {}", place(3));
    let folder = tempfile::tempdir().unwrap();
    let mut command = hailer(&format!("fleet --serve --truth truth.ndjson {words}"));
    let fleet = Running::start(command.current_dir(folder.path()));
    fleet.says("--all\n");
    let expected = rows_in(&folder.path().join("truth.ndjson"));

    let target = place(3);
    let last = target.strip_suffix('1').unwrap().to_owned() + "40";
    let ports = "21000=ftp,24000=smtps,25000=smtp,27000=submission,29000=ftps";
    let patience = "--connect-timeout 3 --tls-timeout 6 --greeting-timeout 6 --all";
    let swept = run(&mut scan(format!("{target}-{last} -p {ports} {patience}").split(' ')));
    let place = |row: &Value| format!("{} {}", row["ip"], row["port"]);
    let found: HashMap<_, _> = swept.rows().into_iter().map(|row| (place(&row), row)).collect();
    assert_eq!((expected.len(), found.len()), (200, 200));
    let mut wrong = Vec::new();
    for mut truth in expected.into_iter().filter(|truth| truth["or"].is_null()) {
        let row = &found[&place(&truth)];
        truth.as_object_mut().unwrap().retain(|key, _| !["kind", "signature", "unasked"].contains(&key.as_str()));
        wrong.extend(differences(row, &truth));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    fleet.signal(SIGTERM);
    let ended = fleet.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let told = format!("  hailer scan {target}-{last} -p {ports} --all\n");
    assert!(ended.stderr.starts_with("serving 200 endpoints") && ended.stderr.ends_with(&told), "{}", ended.stderr);
}

#[test]
fn two_fleets_do_not_share_an_address() {
    let words = format!("--hosts 10 --at {}", place(4));
    let first = Running::start(&mut hailer(&format!("fleet --serve {words}")));
    first.says("--all\n");
    let folder = tempfile::tempdir().unwrap();
    let ended = demo_in(folder.path(), &words);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("hailer: cannot listen on 127."), "{}", ended.stderr);
    assert!(!folder.path().join("hailer-demo.csv").exists(), "nothing was swept");
    first.signal(SIGINT);
    assert_eq!(first.end().code, Some(0));
}

/// Words, and what stderr must say.
const USAGE: &[(&str, &str)] = &[
    ("demo --at 10.0.0.1", "hailer: 10.0.0.1 is not on the loopback network"),
    ("demo --at mail.example", "error: invalid value 'mail.example' for '--at"),
    ("demo --hosts 0", "hailer: 0 hosts cannot be served from there"),
    ("demo --hosts 1001 --one-address", "hailer: 1001 hosts cannot be served from there: ask for 1 to 1000"),
    ("demo --hosts 9000000", "hailer: 9000000 hosts cannot be served from there: ask for 1 to 65536"),
    ("demo -o rows.doc", "hailer: -o rows.doc: no format is known by this ending"),
    ("demo 127.0.0.1", "error: unexpected argument '127.0.0.1'"),
    ("fleet", "error: the following required arguments were not provided"),
    ("fleet --serve --hosts x", "error: invalid value 'x' for '--hosts"),
    ("fleet --serve --pause 0", "error: invalid value '0' for '--pause"),
    ("fleet --hosts 1 --truth precious", "hailer: --truth precious: it exists: name another file, or replace it"),
    ("fleet --serve --at 128.0.0.1", "hailer: 128.0.0.1 is not on the loopback network"),
];

#[test]
fn bad_arguments_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "precious").unwrap();
    for (words, expected) in USAGE {
        let ended = run(hailer(words).current_dir(folder.path()));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(expected), "{words}: {}", ended.stderr);
    }
    assert_eq!(fs::read_to_string(folder.path().join("precious")).unwrap(), "precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was written");
}

#[test]
fn truths_are_written_without_serving() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(hailer("fleet --hosts 5 --truth t.ndjson").current_dir(folder.path()));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(rows_in(&folder.path().join("t.ndjson")), truths("--hosts 5"));
    assert_ne!(truths("--hosts 5"), truths("--hosts 5 --seed 2"));
    assert_eq!(rows(&run(&mut hailer("fleet --hosts 5 --truth -")).stdout).len(), 25);
}

#[test]
fn a_fleet_fits_into_the_open_files_or_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = through_shell(&[], "ulimit -n 512", &hailer(&format!("demo --hosts 100 --at {}", place(5))));
    let ended = run(command.current_dir(folder.path()));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("hailer: 100 hosts take ") && ended.stderr.contains("(ulimit -n)"));

    let mut command = through_shell(&[], "ulimit -n 512", &hailer(&format!("demo --at {}", place(6))));
    let ended = run(command.current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("190 found, 0 missed, 0 misnamed"), "{}", ended.stderr);
}
