//! Scans that are stopped or killed and go on: rows exactly once, and a manifest at the end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGINT, SIGKILL};
use serde_json::{Value, json};

use super::peers::{ClosedPort, Gate, Peer, Step, listen, polite};
use super::program::{Ended, Running, Watched, differences, rows_in, run, scan};

/// Peers of which the first to be reached greets, and all others when the gate is open.
fn peers(count: usize, gate: &Gate) -> (Vec<Peer>, Arc<Watched<usize>>) {
    let reached = Arc::<Watched<usize>>::default();
    let peer = |_| {
        let (gate, reached) = (gate.clone(), Arc::clone(&reached));
        Peer::behind(listen(), move || {
            let mut place = 0;
            reached.change(|reached| {
                *reached += 1;
                place = *reached;
            });
            let patience = if place == 1 { vec![] } else { vec![Step::Hold(gate.clone())] };
            [patience, polite("220 ready\r\n")].concat()
        })
    };
    ((0..count).map(peer).collect(), reached)
}

/// A scan of six peers, of which one greets and two are under way when it is asked to stop, and end well.
struct Stopped {
    folder: tempfile::TempDir,
    peers: Vec<Peer>,
    ended: Ended,
}

impl Stopped {
    fn new(by_stdin: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gate = Gate::default();
        let (peers, reached) = peers(6, &gate);
        let targets: Vec<_> = peers.iter().map(|peer| peer.target("smtp")).collect();
        let mut command = scan(["--concurrency", "2", "--seed", "7", "-o", "rows.ndjson", "-o", "rows.csv"]);
        command.current_dir(folder.path()).args(["--contact", "noc@example.com"]);
        if by_stdin {
            fs::write(folder.path().join("list"), targets.join("\n")).unwrap();
            command.arg("-").stdin(Stdio::from(File::open(folder.path().join("list")).unwrap()));
        } else {
            command.args(targets);
        }
        let running = Running::start(&mut command);
        drop(reached.once("two peers under way", |reached| *reached == 3));
        running.signal(SIGINT);
        running.says("stopping: ");
        gate.open();
        Self { ended: running.end(), folder, peers }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn resume(&self, words: &[&str]) -> Ended {
        run(scan(["--resume", "rows.ndjson"]).args(words).current_dir(self.folder.path()))
    }

    /// What is in the folder, in order.
    fn files(&self) -> Vec<String> {
        files(self.folder.path())
    }
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    files.retain(|name| !name.ends_with(".hailer-names"));
    files.sort();
    files
}

/// How many rows each endpoint has, in NDJSON and CSV alike.
fn places(folder: &Path) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    for row in rows_in(&folder.join("rows.ndjson")) {
        *places.entry(format!("{}:{}", row["ip"].as_str().unwrap(), row["port"])).or_default() += 1;
    }
    let mut from_csv = BTreeMap::<_, usize>::new();
    for record in csv::Reader::from_path(folder.join("rows.csv")).unwrap().records() {
        let record = record.unwrap();
        *from_csv.entry(format!("{}:{}", &record[2], &record[3])).or_default() += 1;
    }
    assert_eq!(from_csv, places);
    places
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("rows.ndjson.manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_stopped_scan_goes_on() {
    let stopped = Stopped::new(false);
    assert_eq!(stopped.ended.code, Some(3), "{}", stopped.ended.stderr);
    let words = stopped.ended.stderr.trim_end();
    assert!(words.ends_with("go on with: hailer scan --resume rows.ndjson"), "{words}");
    assert_eq!(stopped.files(), ["rows.csv", "rows.ndjson", "rows.ndjson.hailer"]);
    assert_eq!(rows_in(&stopped.path("rows.ndjson")).len(), 3);

    let ended = stopped.resume(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    for words in [
        "\ngoing on: 3 done and 3 rows written before\n",
        "\n6 of 6 endpoints, 3 of them in this run, in ",
        "\nmiddleboxes are told of this run alone; `hailer report FILE` tells of all rows\n",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("wordlists") && !stopped.ended.stderr.contains("middleboxes"));
    let expected: BTreeMap<_, _> = stopped.peers.iter().map(|peer| (peer.address.to_string(), 1)).collect();
    assert_eq!(places(stopped.folder.path()), expected);
    assert!(stopped.peers.iter().all(|peer| peer.connections() == 1), "nothing is probed twice after a polite stop");
    assert_eq!(stopped.files(), ["rows.csv", "rows.ndjson", "rows.ndjson.manifest.json"]);

    let ended = stopped.resume(&[]);
    assert_eq!(ended.code, Some(2));
    let words = "hailer: --resume rows.ndjson: nothing is left to do: the scan is finished";
    assert!(ended.stderr.starts_with(words), "{}", ended.stderr);
}

#[test]
fn rows_that_other_wordlists_named_are_told() {
    for (kept, before) in [(Some(json!(["ab"])), json!(["ab"])), (None, Value::Null)] {
        let stopped = Stopped::new(false);
        let path = stopped.path("rows.ndjson.hailer");
        let mut journal: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let now = journal.as_object_mut().unwrap().remove("wordlists").unwrap();
        if let Some(kept) = kept {
            journal["wordlists"] = kept;
        }
        fs::write(&path, journal.to_string()).unwrap();
        let ended = stopped.resume(&[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let is_told = ended.stderr.contains("the wordlists are others than before: rows written so far keep the names");
        assert_eq!(is_told, !before.is_null(), "{}", ended.stderr);
        let configuration = manifest(stopped.folder.path())["configuration"].clone();
        assert_eq!((&configuration["wordlists_before"], &configuration["wordlists_sha256"]), (&before, &now[0]));
    }
}

#[test]
fn a_manifest_tells_what_a_scan_came_to_over_all_runs() {
    let stopped = Stopped::new(false);
    assert_eq!(stopped.resume(&["--rate", "50", "-q"]).code, Some(0));
    let manifest = manifest(stopped.folder.path());
    let expected = json!({
        "hailer_manifest": 1, "seed": 7, "shard": "1/1", "contact": "noc@example.com", "canaries": null,
        "endpoints": {"total": 6, "done": 6, "not_done": 0, "coverage": 1.0},
        "outcomes": {"greeted": 6}, "slowed": {"networks": 0, "slowest": []},
    });
    assert_eq!(differences(&manifest, &expected), [""; 0]);
    assert!(manifest["configuration"]["pace"].as_str().unwrap().starts_with("50/s"), "{manifest}");
    let words: Vec<_> =
        manifest["command_line"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(words.starts_with(&["hailer", "scan"]) && words.contains(&"--rate=50"), "{words:?}");
    for (output, name) in manifest["outputs"].as_array().unwrap().iter().zip(["rows.ndjson", "rows.csv"]) {
        let path = stopped.path(name);
        let length = fs::metadata(&path).unwrap().len();
        let expected = json!({"rows": 6, "bytes": length, "path": path.canonicalize().unwrap().to_str()});
        assert_eq!(differences(output, &expected), [""; 0]);
        let sum = std::process::Command::new("sha256sum").arg(&path).output().unwrap().stdout;
        assert!(String::from_utf8(sum).unwrap().starts_with(output["sha256"].as_str().unwrap()));
    }
}

#[test]
fn targets_from_stdin_are_kept_as_long_as_they_are_needed() {
    let stopped = Stopped::new(true);
    assert_eq!(stopped.ended.code, Some(3), "{}", stopped.ended.stderr);
    let kept = ["list", "rows.csv", "rows.ndjson", "rows.ndjson.hailer", "rows.ndjson.hailer-stdin"];
    assert_eq!(stopped.files(), kept);
    let ended = stopped.resume(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(places(stopped.folder.path()).len(), 6);
    assert_eq!(stopped.files(), ["list", "rows.csv", "rows.ndjson", "rows.ndjson.manifest.json"]);
}

#[test]
fn a_stopped_scan_is_not_written_over() {
    let stopped = Stopped::new(false);
    let target = stopped.peers[0].target("smtp");
    let again =
        |words: &[&str]| run(scan([&*target, "-o", "rows.ndjson"]).args(words).current_dir(stopped.folder.path()));
    let ended = again(&[]);
    assert_eq!(ended.code, Some(2));
    let words =
        "hailer: -o rows.ndjson: an unfinished scan wrote it: go on with it (--resume) or replace it (--overwrite)\n";
    assert_eq!(ended.stderr, words);
    // Its journal lies beside the first of its outputs, and speaks of all.
    let ended = run(scan([&*target, "-o", "rows.csv"]).current_dir(stopped.folder.path()));
    assert_eq!(ended.code, Some(2));
    let first = stopped.path("rows.ndjson").canonicalize().unwrap();
    let words = format!(
        "hailer: -o rows.csv: an unfinished scan writes to it: go on with that (--resume {}), ",
        first.display()
    );
    assert!(ended.stderr.starts_with(&words), "{}", ended.stderr);
    let ended = again(&["--overwrite"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(rows_in(&stopped.path("rows.ndjson")).len(), 1);
    assert_eq!(stopped.files(), ["rows.csv", "rows.ndjson", "rows.ndjson.manifest.json"]);
    assert_eq!(manifest(stopped.folder.path())["endpoints"]["total"], 1);
}

/// The rows that a workbook is to be made of are its scan's, though nothing of that name is there yet and the journal lies
/// beside another output: also where the folder holds many other files.
#[test]
fn what_another_scan_is_to_make_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..1_200 {
        File::create(folder.path().join(format!("{number}.txt"))).unwrap();
    }
    let (peer, silent) = (Peer::new(polite("220 ready\r\n")), Peer::new([Step::HearEnd]));
    let words = [silent.target("smtp"), "-o".into(), "book.xlsx".into(), "-o".into(), "page.html".into()];
    let running = Running::start(scan(words).current_dir(folder.path()));
    silent.until_connected();
    running.signal(SIGKILL);
    assert_eq!(running.end().code, None);
    let words = [peer.target("smtp"), "-o".into(), "page.html".into()];
    let ended = run(scan(&words).current_dir(folder.path()));
    assert_eq!((ended.code, peer.connections()), (Some(2), 0), "{}", ended.stderr);
    let told = "hailer: -o page.html: an unfinished scan writes to it: go on with that (--resume ";
    assert!(ended.stderr.starts_with(told) && ended.stderr.contains("/book.xlsx)"), "{}", ended.stderr);
    // With leave it is; then that scan has no claim to it any more.
    for overwrite in [Some("--overwrite"), None] {
        let ended = run(scan(&words).args(overwrite).current_dir(folder.path()));
        let code = if overwrite.is_some() { 0 } else { 2 };
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(!ended.stderr.contains("an unfinished scan"), "{}", ended.stderr);
    }
}

/// What the journal says as soon as it is so.
fn once_journal(folder: &Path, what: &str, is_so: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    loop {
        let journal = fs::read(folder.join("rows.ndjson.hailer")).ok();
        if journal.is_some_and(|journal| is_so(&serde_json::from_slice(&journal).expect("it is never torn"))) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_scan_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing listens there: every endpoint is refused, and has its row.
    let words = "127.78.0.0/24:1=ftp --all --rate 150 -o rows.ndjson -o rows.csv".split(' ');
    let running = Running::start(scan(words).current_dir(folder.path()));
    once_journal(folder.path(), "a journal with rows", |journal| journal["mark"]["tally"]["rows"].as_u64() > Some(0));
    running.signal(SIGKILL);
    assert_eq!(running.end().code, None);

    let ended = run(scan(["--resume", "rows.ndjson", "--rate", "none"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let places = places(folder.path());
    assert_eq!((places.len(), places.values().max()), (256, Some(&1)));
    assert!(
        ended.stderr.contains("\n256 of 256 endpoints, ") && ended.stderr.contains(" 256 rows\n"),
        "{}",
        ended.stderr
    );
    let expected = json!({"endpoints": {"total": 256, "done": 256, "not_done": 0, "coverage": 1.0},
        "outcomes": {"refused": 256}, "ports": {"1": {"refused": 256}}});
    assert_eq!(differences(&manifest(folder.path()), &expected), [""; 0]);
}

/// More machines than endpoints: one that has nothing to do has done it.
#[test]
fn an_empty_shard_is_done() {
    let folder = tempfile::tempdir().unwrap();
    for threads in ["1", "2"] {
        let words = ["127.0.0.1:1=ftp", "--shard", "2/2", "-o", "rows.csv", "-o", "rows.ndjson", "--overwrite"];
        let ended = run(scan(words).args(["--threads", threads]).current_dir(folder.path()));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("0 endpoints of shard 2/2, "), "{}", ended.stderr);
        assert_eq!(files(folder.path()), ["rows.csv", "rows.csv.manifest.json", "rows.ndjson"]);
        assert_eq!(fs::read_to_string(folder.path().join("rows.csv")).unwrap().lines().count(), 1, "the header");
        assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 0);
        let manifest: Value =
            serde_json::from_slice(&fs::read(folder.path().join("rows.csv.manifest.json")).unwrap()).unwrap();
        let expected = json!({"total": 0, "done": 0, "not_done": 0, "coverage": 1.0});
        assert_eq!(differences(&manifest["endpoints"], &expected), [""; 0]);
    }
}

#[test]
fn two_runs_do_not_write_to_one_output() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let peer = Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    let mut command = scan([peer.target("smtp"), "-o".into(), "rows.ndjson".into()]);
    let running = Running::start(command.current_dir(folder.path()));
    peer.until_connected();
    for words in [&["--resume", "rows.ndjson"][..], &["127.0.0.1", "-o", "rows.ndjson", "--overwrite"]] {
        let ended = run(scan(words).current_dir(folder.path()));
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("rows.ndjson: another scan is writing to it"), "{}", ended.stderr);
    }
    gate.open();
    assert_eq!(running.end().code, Some(0));
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 1);
}

#[test]
fn without_a_journal_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("rows.ndjson.hailer/taken")).unwrap();
    let peer = Peer::new(polite("220 ready\r\n"));
    let words = [peer.target("smtp"), "-o".into(), "rows.ndjson".into(), "--overwrite".into()];
    let ended = run(scan(words).current_dir(folder.path()));
    assert_eq!(ended.code, Some(1));
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.starts_with("hailer: cannot write rows.ndjson.hailer: "), "{}", ended.stderr);
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_journal_that_cannot_be_written_any_more_ends_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let peer = Peer::new([Step::Hold(gate.clone())]);
    let mut command = scan([peer.target("smtp"), "-o".into(), "rows.ndjson".into()]);
    let running = Running::start(command.current_dir(folder.path()));
    peer.until_connected();
    let journal = folder.path().join("rows.ndjson.hailer");
    fs::rename(&journal, folder.path().join("kept")).unwrap();
    fs::create_dir_all(journal.join("taken")).unwrap();
    let ended = running.end();
    assert_eq!(ended.code, Some(1));
    let words = ended.stderr.lines().last().unwrap();
    assert!(words.starts_with("hailer: cannot write rows.ndjson.hailer: "), "{}", ended.stderr);
    gate.open();
}

#[test]
fn what_cannot_be_gone_on_with_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::new(polite("220 ready\r\n"));
    let told = |words: &[&str]| {
        let ended = run(scan([peer.target("smtp")]).args(words).current_dir(folder.path()));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stderr
    };
    std::os::unix::fs::symlink("/dev/null", folder.path().join("null.csv")).unwrap();
    let none = "\nstdout, null.csv cannot be gone on with: give a file (-o FILE) to be able to --resume\n";
    assert!(told(&["-o", "-", "-o", "null.csv"]).contains(none));
    assert_eq!(files(folder.path()), ["null.csv"]);
    let some = "\nnull.csv cannot be gone on with: another run writes only its own rows there\n";
    assert!(told(&["-o", "null.csv", "-o", "rows.ndjson"]).contains(some));
    assert!(!told(&["-o", "rows.ndjson", "--overwrite"]).contains("cannot be gone on with"));
}

#[test]
fn a_list_is_the_order_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let peers = [(); 8].map(|()| Peer::new(polite("220 ready\r\n")));
    let mut command = scan(peers.iter().map(|peer| peer.target("ftp")));
    command.args(["--seed", "7", "--concurrency", "1", "-o", "rows.ndjson"]).current_dir(folder.path());
    let listed = run(command.arg("--list"));
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    assert_eq!((files(folder.path()).len(), peers.iter().map(Peer::connections).sum::<usize>()), (0, 0));

    let listed: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(listed.len(), 8);
    let words = listed.iter().rev().copied().chain(["--seed", "7", "--concurrency", "1", "-q"]);
    let rows = run(scan(words).current_dir(folder.path())).rows();
    let rows: Vec<_> = rows.iter().map(|row| format!("{}:{}=ftp", row["ip"].as_str().unwrap(), row["port"])).collect();
    assert_eq!(rows, listed);

    let shards =
        ["1/2", "2/2"].map(|shard| run(&mut scan(["10.0.0.0/28", "mail.example:25", "--list", "--shard", shard])));
    let mut both: Vec<_> = shards.iter().flat_map(|shard| shard.stdout.lines()).collect();
    both.sort_unstable();
    both.dedup();
    assert_eq!(both.len(), 16 * 5 + 1);
    assert!(both.contains(&"mail.example:25=smtp") && both.contains(&"10.0.0.15:990=ftps"), "{both:?}");
}

#[test]
fn a_list_ends_with_its_reader() {
    let (reader, writer) = std::io::pipe().unwrap();
    let running = Running::start_onto(&mut scan(["10.0.0.0/8", "--list"]), Stdio::from(writer));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(reader), &mut line).unwrap();
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(line.starts_with("10.") && line.trim_end().contains('='), "{line}");
}

#[test]
fn a_canary_that_is_dead_stops_the_scan_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (peer, closed) = (Peer::new(polite("220 ready\r\n")), ClosedPort::new());
    let canary = format!("{}=smtp", closed.address);
    let words = [peer.target("smtp"), "--canary".into(), canary, "-o".into(), "rows.ndjson".into()];
    let ended = run(scan(words).current_dir(folder.path()));
    assert_eq!((ended.code, peer.connections()), (Some(1), 0), "{}", ended.stderr);
    let told = format!("the canary {} does not answer (refused): nothing is begun", closed.address);
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.starts_with("hailer: a canary does not answer: "), "{last}");
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn canaries_that_answer_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (peer, canary) = (Peer::new(polite("220 ready\r\n")), Peer::new(polite("220 tweet\r\n")));
    let words = [peer.target("smtp"), "--canary".into(), canary.target("smtp"), "-o".into(), "rows.ndjson".into()];
    let ended = run(scan(words).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 1, "a canary has no row");
    let canaries = &manifest(folder.path())["canaries"];
    assert_eq!(differences(canaries, &json!({"hailed": canary.connections(), "failed": 0})), [""; 0]);
    let loss = &canaries["loss_on_the_canary_path"];
    assert_eq!((&loss["rate"], &loss["low"]), (&json!(0.0), &json!(0.0)), "{loss}");
    let words =
        format!("0 of {} hails of canaries failed: 0.0 % loss on the canary's path (95 %: ", canary.connections());
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
}

/// Columns, profile and delimiter are the file's: whoever goes on writes rows of the same kind.
#[test]
fn a_resumed_scan_goes_on_in_the_same_layout() {
    let folder = tempfile::tempdir().unwrap();
    let peers = [(); 6].map(|()| Peer::new(polite("220 ready\r\n")));
    let gate = Gate::default();
    let waiting = Peer::new([vec![Step::Hold(gate.clone())], polite("220 late\r\n")].concat());
    let mut command = scan(peers.iter().chain([&waiting]).map(|peer| peer.target("smtp")));
    let layout = ["--csv", "excel", "--delimiter", ";", "--columns", "outcome,port,ip,service,banner,connect_ms"];
    command.args(layout).args(["-o", "rows.csv", "--concurrency", "7"]).current_dir(folder.path());
    let running = Running::start(&mut command);
    waiting.until_connected();
    peers.iter().for_each(Peer::until_connected);
    running.signal(SIGINT);
    running.says("stopping");
    running.signal(SIGINT);
    let ended = running.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let journal: Value = serde_json::from_slice(&fs::read(folder.path().join("rows.csv.hailer")).unwrap()).unwrap();
    assert_eq!(journal["layout"], "--csv excel --delimiter ';' --columns outcome,port,ip,service,banner,connect_ms");
    let left = fs::read(folder.path().join("rows.csv")).unwrap();

    for (words, told) in [
        (&["--columns", "ip"][..], "--columns ip"),
        (&["--csv", "raw"], "--csv raw"),
        (&["--delimiter", "tab"], "--delimiter 'tab'"),
    ] {
        let ended = run(scan(["--resume", "rows.csv"]).args(words).current_dir(folder.path()));
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let words =
            "hailer: cannot go on from rows.csv.hailer: its rows have --csv excel --delimiter ';' --columns outcome";
        assert!(ended.stderr.starts_with(words) && ended.stderr.contains(told), "{}", ended.stderr);
    }
    assert_eq!(fs::read(folder.path().join("rows.csv")).unwrap(), left);

    gate.open();
    let ended = run(scan(["--resume", "rows.csv"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(lines[0], "\u{feff}outcome;port;ip;service;banner;connect_ms");
    assert_eq!(lines.len(), 8, "{text}");
    let mut places: Vec<_> = peers.iter().chain([&waiting]).map(|peer| peer.address.ip().to_string()).collect();
    for line in &lines[1..] {
        let cells: Vec<_> = line.split(';').collect();
        assert_eq!((cells.len(), cells[0], cells[3]), (6, "greeted", "smtp"), "{line}");
        places.retain(|place| place != cells[2]);
        assert!(!cells[5].contains('.'), "{line}");
    }
    assert_eq!(places, [""; 0]);
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.path().join("rows.csv.manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["schema_version"], &manifest["outputs"][0]["format"]), (&json!(1), &json!("csv")));
}
