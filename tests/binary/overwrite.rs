//! Results that another scan is to replace (`--overwrite`): they stay as they are until that scan has begun.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal::SIGINT;

use super::peers::{ClosedPort, Gate, Peer, Step, polite};
use super::program::{Ended, Running, rows_in, run, scan};

/// A folder with what a scan came to, in two files.
struct Results {
    folder: tempfile::TempDir,
    peer: Peer,
}

impl Results {
    fn new() -> Self {
        let results = Self { folder: tempfile::tempdir().unwrap(), peer: Peer::new(polite("220 ready\r\n")) };
        let ended = results.again(&[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        results
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn words(&self) -> [String; 5] {
        [&self.peer.target("smtp"), "-o", "rows.ndjson", "-o", "rows.csv"].map(str::to_owned)
    }

    fn again(&self, words: &[&str]) -> Ended {
        run(scan(self.words()).args(words).current_dir(self.path()))
    }

    /// What is in each file; folders are left out.
    fn content(&self) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.path()).unwrap().map(Result::unwrap);
        let files = files.filter(|file| file.path().is_file());
        files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
    }
}

#[test]
fn a_canary_that_is_dead_leaves_what_is_there() {
    let results = Results::new();
    let before = results.content();
    assert_eq!(before.keys().collect::<Vec<_>>(), ["rows.csv", "rows.ndjson", "rows.ndjson.manifest.json"]);
    let canary = format!("{}=smtp", ClosedPort::new().address);
    let ended = results.again(&["--canary", &canary, "--overwrite"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("; nothing was begun\n") && !ended.stderr.contains("--resume"), "{}", ended.stderr);
    assert!(results.content() == before, "{:?}", results.content().keys());
    // One that answers lets it begin.
    let canary = Peer::new(polite("220 tweet\r\n"));
    let ended = results.again(&["--canary", &canary.target("smtp"), "--overwrite"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(results.content().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!((rows_in(&results.path().join("rows.ndjson")).len(), results.peer.connections()), (1, 2));
}

#[test]
fn a_request_to_stop_before_the_canary_answers_leaves_what_is_there() {
    let results = Results::new();
    let before = results.content();
    let gate = Gate::default();
    let canary = Peer::new([vec![Step::Hold(gate.clone())], polite("220 tweet\r\n")].concat());
    for words in [&["--overwrite"][..], &["-o", "new.csv", "--overwrite"]] {
        let mut command = scan(results.words());
        let target = canary.target("smtp");
        command.args(words).args(["--canary", &target]).current_dir(results.path());
        let connections = canary.connections();
        let running = Running::start(&mut command);
        canary.until_connections(connections + 1);
        running.signal(SIGINT);
        let ended = running.end();
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert_eq!(ended.stderr, "stopped: nothing was begun\n");
        assert!(results.content() == before, "{:?}", results.content().keys());
    }
    gate.open();
    assert_eq!(results.peer.connections(), 1);
}

/// What cannot be made, or cannot go, is told before anything has gone.
#[test]
fn what_cannot_be_begun_leaves_what_is_there() {
    let results = Results::new();
    let before = results.content();
    for (in_the_way, told) in [
        ("rows.ndjson.hailer", "hailer: cannot write "),
        ("rows.csv.manifest.json", "hailer: cannot remove "),
        ("rows.csv.hailer-names", "hailer: cannot remove "),
    ] {
        fs::create_dir_all(results.path().join(in_the_way).join("full")).unwrap();
        let ended = results.again(&["--overwrite"]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let last = ended.stderr.lines().last().unwrap();
        assert!(last.starts_with(told) && last.contains(in_the_way), "{in_the_way}: {}", ended.stderr);
        assert!(results.content() == before, "{in_the_way}: {:?}", results.content().keys());
        fs::remove_dir_all(results.path().join(in_the_way)).unwrap();
    }
    assert_eq!(results.peer.connections(), 1, "nothing was sent");
}

/// A scan that is gone on with has its journal, whatever becomes of its canary.
#[test]
fn a_canary_that_is_dead_costs_no_journal() {
    let results = Results::new();
    let gate = Gate::default();
    let held = Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    let mut command = scan([held.target("smtp")]);
    let running = Running::start(command.args(["-o", "left.csv", "-o", "left.xlsx"]).current_dir(results.path()));
    held.until_connected();
    running.signal(SIGINT);
    running.says("stopping");
    running.signal(SIGINT);
    assert_eq!(running.end().code, Some(3));
    let left = results.content();
    let canary = format!("{}=smtp", ClosedPort::new().address);
    let ended = run(scan(["--resume", "left.csv", "--canary", &canary]).current_dir(results.path()));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("\ngo on with: hailer scan --resume "), "{}", ended.stderr);
    assert!(results.content() == left);
    gate.open();
    let canary = Peer::new(polite("220 tweet\r\n"));
    let resume = ["--resume", "left.csv", "--canary", &canary.target("smtp")];
    let ended = run(scan(resume).current_dir(results.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
