//! Results that another scan is to replace (`--overwrite`): they stay as they are until that scan has begun.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal::{SIGINT, SIGKILL};
use serde_json::Value;

use super::peers::{ClosedPort, Gate, Peer, Step, polite};
use super::program::{Ended, Running, hailer, rows_in, run, scan};

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

/// A scan that goes to its end when a gate opens, to that file.
fn held(folder: &Path, words: &[&str]) -> (Peer, Gate, Running) {
    let gate = Gate::default();
    let peer = Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    let running = Running::start(scan([peer.target("smtp")]).args(words).current_dir(folder));
    peer.until_connected();
    (peer, gate, running)
}

/// The command that words tell.
fn told<'a>(words: &'a str, before: &str) -> Vec<&'a str> {
    words.lines().find_map(|line| line.split_once(before)).unwrap().1.split(' ').collect()
}

/// What has come to the place of a report is not replaced, and is told with the commands that have the report all the same.
#[test]
fn what_comes_to_the_place_of_a_report_stays() {
    for (name, leave) in [("book.xlsx", false), ("page.html", false), ("book.xlsx", true), ("page.html", true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let words = if leave {
            fs::write(&path, "old").unwrap();
            vec!["-o", name, "--overwrite"]
        } else {
            vec!["-o", name]
        };
        let (peer, gate, running) = held(folder.path(), &words);
        fs::write(&path, "precious").unwrap();
        gate.open();
        let ended = running.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(
            ended.stderr.contains(
                ": something has come there meanwhile, or what was there was written to, and is not replaced: "
            ),
            "{}",
            ended.stderr
        );
        let command = told(&ended.stderr, " make another: hailer ");
        assert_eq!(run(hailer(&command).current_dir(folder.path())).code, Some(0), "{command:?}");
        let other = format!("{}-new.{}", path.file_stem().unwrap().display(), path.extension().unwrap().display());
        assert!(folder.path().join(other).exists(), "{command:?}");

        let resume = || run(scan(["--resume", name]).current_dir(folder.path()));
        assert_eq!((resume().code, fs::read_to_string(&path).unwrap().as_str()), (Some(1), "precious"));
        fs::rename(&path, folder.path().join("away")).unwrap();
        let ended = resume();
        assert_eq!((ended.code, peer.connections()), (Some(0), 1), "{}", ended.stderr);
        assert!(path.exists() && !folder.path().join(format!("{name}.hailer-rows")).exists());
    }
}

/// What was there when the scan began makes room, also where the scan is gone on with, and what is free stays free.
#[test]
fn what_was_there_when_a_scan_began_is_replaced_in_the_end() {
    for is_stopped in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let [book, page] = ["book.xlsx", "page.html"].map(|name| folder.path().join(name));
        fs::write(&book, "old").unwrap();
        let (_peer, gate, running) = held(folder.path(), &["-o", "book.xlsx", "-o", "page.html", "--overwrite"]);
        if is_stopped {
            running.signal(SIGKILL);
            assert_eq!(running.end().code, None);
            gate.open();
            let ended = run(scan(["--resume", "book.xlsx"]).current_dir(folder.path()));
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        } else {
            gate.open();
            assert_eq!(running.end().code, Some(0));
        }
        assert!(fs::read(&book).unwrap().starts_with(b"PK") && page.exists());
    }
}

/// What a scan put there itself before it was killed is no obstacle to it; nor is anything to one that an earlier version
/// began, which did not keep what was there.
#[test]
fn a_report_that_the_scan_itself_put_there_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_peer, gate, running) = held(folder.path(), &["-o", "book.xlsx"]);
    let manifest = folder.path().join("book.xlsx.manifest.json");
    fs::create_dir_all(manifest.join("full")).unwrap();
    gate.open();
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let book = folder.path().join("book.xlsx");
    assert!(book.exists() && ended.stderr.contains("book.xlsx.manifest.json"), "{}", ended.stderr);
    fs::remove_dir_all(&manifest).unwrap();
    let journal = folder.path().join("book.xlsx.hailer");
    let left: Value = serde_json::from_slice(&fs::read(&journal).unwrap()).unwrap();
    let copy = fs::read(folder.path().join("book.xlsx.hailer-rows")).unwrap();
    let resume = || run(scan(["--resume", "book.xlsx"]).current_dir(folder.path()));
    let ended = resume();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(manifest.exists());

    let mut old = left;
    assert!(old["outputs"][0].as_object_mut().unwrap().remove("replaces").is_some());
    fs::write(&journal, old.to_string()).unwrap();
    fs::write(folder.path().join("book.xlsx.hailer-rows"), copy).unwrap();
    fs::remove_file(&manifest).unwrap();
    fs::write(&book, "whoever put it there").unwrap();
    let ended = resume();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(fs::read(&book).unwrap().starts_with(b"PK"));
}

/// Every command knows the outputs of an unfinished scan, also those in other folders than its journal's.
#[test]
fn outputs_in_another_folder_are_known_for_those_of_an_unfinished_scan() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("q")).unwrap();
    fs::write(path("other.ndjson"), "{\"ip\":\"127.0.0.1\",\"port\":25,\"service\":\"smtp\",\"outcome\":\"silent\"}\n")
        .unwrap();
    let (peer, gate, running) = held(folder.path(), &["-o", "l.csv", "-o", "q/l.xlsx", "-o", "q/m.ndjson"]);
    running.signal(SIGKILL);
    assert_eq!(running.end().code, None);
    gate.open();
    let first = path("l.csv").canonicalize().unwrap();
    for name in ["q/l.xlsx", "q/m.ndjson"] {
        let ended = run(scan(["127.0.0.1", "-o", name]).current_dir(folder.path()));
        let words = format!(
            "hailer: -o {name}: an unfinished scan writes to it: go on with that (--resume {})",
            first.display()
        );
        assert!(ended.code == Some(2) && ended.stderr.starts_with(&words), "{}", ended.stderr);
        let ended = run(hailer(["report", "other.ndjson", "--overwrite", "-o", name]).current_dir(folder.path()));
        let words = format!("hailer: -o {name}: an unfinished scan wrote it: name another file\n");
        assert_eq!((ended.code, ended.stderr), (Some(2), words));
    }
    let ended = run(scan(["--resume", "l.csv"]).current_dir(folder.path()));
    assert_eq!((ended.code, peer.connections()), (Some(0), 2), "{}", ended.stderr);
    let mut left: Vec<_> = fs::read_dir(path("q")).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["l.xlsx", "m.ndjson"]);
    // Of what another scan has taken over there is no such word.
    let (_peer, _gate, running) = held(folder.path(), &["-o", "l.csv", "-o", "q/m.ndjson", "--overwrite"]);
    running.signal(SIGKILL);
    assert_eq!(running.end().code, None);
    assert!(path("q/m.ndjson.hailer-at").exists());
    let ended = run(scan([peer.target("smtp")]).args(["-o", "q/m.ndjson", "--overwrite"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!path("q/m.ndjson.hailer-at").exists());
    let ended = run(hailer(["report", "other.ndjson", "--overwrite", "-o", "q/m.ndjson"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
