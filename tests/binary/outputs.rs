//! Outputs while the scan runs, and outputs that fail: a full disk, a reader that has gone.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::peers::{Gate, Peer, Step, polite};
use super::program::{Running, rows, rows_in, run, scan, skip, succeeds, through_shell};

#[test]
fn rows_are_in_the_file_while_others_are_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.ndjson");
    let gate = Gate::default();
    let (quick, silent) = (Peer::new(polite("220 ready\r\n")), Peer::new([Step::Hold(gate.clone())]));
    let words = [quick.target("smtp"), silent.target("smtp"), "-o".into(), path.to_str().unwrap().into()];
    let mut running = Running::start(&mut scan(words));
    let begun = Instant::now();
    let early = loop {
        let rows = std::fs::read_to_string(&path).map(|text| rows(&text)).unwrap_or_default();
        if !rows.is_empty() {
            break rows;
        }
        assert!(running.is_running() && begun.elapsed() < Duration::from_secs(25), "no row while it runs");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(early[0]["port"], quick.address.port());
    assert!(running.is_running());
    gate.open();
    assert_eq!(running.end().code, Some(0));
    let rows = rows_in(&path);
    assert_eq!(rows[0], early[0]);
    assert_eq!((rows.len(), &rows[1]["outcome"]), (2, &Value::from("closed")));
}

#[test]
fn a_full_device_ends_the_scan_and_leaves_the_other_output_whole() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full.csv")).unwrap();
    let peers = [(); 3].map(|()| Peer::new(polite("220 ready\r\n")));
    let mut command = scan(peers.iter().map(|peer| peer.target("smtp")));
    let ended = run(command.args(["-o", "full.csv", "-o", "rows.ndjson"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(1));
    let words = ended.stderr.lines().last().unwrap();
    assert!(words.starts_with("hailer: cannot write full.csv: No space left on device"), "{words}");
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 3);
}

/// A tiny disk in a private mount namespace; what is on it is copied out afterwards.
#[test]
fn a_full_disk_holds_whole_rows() {
    let unshare: &[&str] = &["unshare", "--mount", "--map-root-user"];
    let disk = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"];
    if let Err(why) = succeeds(Command::new(unshare[0]).args(&unshare[1..]).args(disk)) {
        return skip(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    // Five rows of some 20 kB fill 64 kB within the fourth.
    let greeting = format!("220 {}\r\n", "long ".repeat(4_000));
    let peers = [(); 5].map(|()| Peer::new(polite(&greeting)));
    for format in ["ndjson", "csv"] {
        let full = format!("/mnt/full.{format}");
        let command = scan(peers.iter().map(|peer| peer.target("smtp")).chain(["-o".into(), full.clone()]));
        // Not `exec`: the shell has to see to the file when the program has ended.
        let script = format!("{}\n\"$0\" \"$@\" || code=$?\ncp {full} copy.{format}\nexit $code", disk.join(" "));
        let ended = run(through_shell(unshare, &script, &command).current_dir(folder.path()));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let words = ended.stderr.lines().last().unwrap();
        let expected = format!(
            "hailer: cannot write {full}: No space left on device (os error 28); every row that it took is whole"
        );
        assert!(words.starts_with(&expected), "{words}");
        let copy = std::fs::read_to_string(folder.path().join(format!("copy.{format}"))).unwrap();
        // Reading it back fails on a torn row.
        let whole = if format == "csv" {
            csv::Reader::from_reader(copy.as_bytes()).records().map(Result::unwrap).count()
        } else {
            rows(&copy).len()
        };
        assert_eq!((whole, copy.ends_with('\n')), (3, true), "{format}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_scan() {
    let gate = Gate::default();
    let first = Peer::new(polite("220 first\r\n"));
    let second = Peer::new([vec![Step::Hold(gate.clone())], polite("220 second\r\n")].concat());
    let silent = Peer::new([Step::HearEnd]);
    let (reader, writer) = std::io::pipe().unwrap();
    let words = [&first, &second, &silent].map(|peer| peer.target("smtp"));
    let running = Running::start_onto(&mut scan(words), Stdio::from(writer));
    let mut row = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut row).unwrap();
    assert_eq!(rows(&row)[0]["port"], first.address.port());
    drop(reader);
    gate.open();
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let words = ended.stderr.lines().last().unwrap();
    assert!(words.starts_with("hailer: cannot write stdout: Broken pipe"), "{words}");
    // The silent one was not waited for, and saw its connection end.
    silent.report();
}
