//! Outputs while the scan runs, and outputs that fail: a full disk, a reader that has gone.

use std::collections::BTreeMap;
use std::fs::{DirEntry, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::peers::{Gate, Peer, Step, polite};
use super::program::{Running, hailer, rows, rows_in, run, scan, skip, succeeds, through_shell};

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

/// A report takes the place of what a link leads to: two scans that name it differently are known to write to one file, the
/// link stays, and by either name the scan is gone on with.
#[test]
fn a_link_stands_for_what_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("real.xlsx"), "precious").unwrap();
    std::os::unix::fs::symlink("real.xlsx", path("link.xlsx")).unwrap();
    std::os::unix::fs::symlink("nowhere.xlsx", path("lost.xlsx")).unwrap();
    let gate = Gate::default();
    let [first, second] =
        [(); 2].map(|()| Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat()));
    let targets = [first.target("smtp"), second.target("smtp")];
    let begin = |words: &[&str]| {
        let mut command = scan(&targets);
        command.args(["--concurrency", "1", "--seed", "7"]).args(words).current_dir(folder.path());
        command
    };
    let ended = run(&mut begin(&["-o", "lost.xlsx"]));
    let refused = "hailer: -o lost.xlsx: it exists: name another file, or replace it with --overwrite\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), refused));

    let running = Running::start(&mut begin(&["-o", "link.xlsx", "--overwrite"]));
    running.says("2 endpoints, ");
    let ended = run(&mut begin(&["-o", "real.xlsx", "--overwrite"]));
    let refused = "hailer: -o real.xlsx: another scan is writing to it: wait until that has ended\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), refused));
    running.signal(Signal::SIGINT);
    running.says("stopping: ");
    gate.open();
    assert_eq!(running.end().code, Some(3));

    let ended = run(scan(["--resume", "link.xlsx"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(path("link.xlsx").is_symlink());
    assert!(std::fs::read(path("real.xlsx")).unwrap().starts_with(b"PK"));
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["link.xlsx", "lost.xlsx", "real.xlsx", "real.xlsx.manifest.json"]);
}

/// What waits for a report that few may read, and what tells of it, is for no more eyes.
#[test]
fn who_may_not_read_a_report_may_not_read_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.xlsx");
    std::fs::write(&path, "precious").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let gate = Gate::default();
    let peer = Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    let words = [peer.target("smtp"), "-o".into(), "book.xlsx".into(), "--overwrite".into()];
    let running = Running::start(scan(words).current_dir(folder.path()));
    peer.until_connected();
    // A journal is replaced meanwhile, by way of a name that goes again.
    let mode = |file: &DirEntry| Some(file.metadata().ok()?.permissions().mode() & 0o777);
    let modes = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        let files = files.filter(|file| file.path().extension().is_none_or(|ending| ending != "tmp"));
        let modes = files.map(|file| (file.file_name().into_string().unwrap(), mode(&file)));
        modes.collect::<BTreeMap<_, _>>()
    };
    let begun = modes();
    assert!(begun.contains_key("book.xlsx.hailer-rows") && begun.contains_key("book.xlsx.hailer"), "{begun:?}");
    assert!(begun.values().all(|mode| *mode == Some(0o600)), "{begun:?}");
    gate.open();
    assert_eq!(running.end().code, Some(0));
    let ended = ["book.xlsx", "book.xlsx.manifest.json"].map(|name| (name.to_owned(), Some(0o600)));
    assert_eq!(modes(), BTreeMap::from(ended));
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

/// Where files may not be as long as that (`ulimit -f`), it is told as of a full disk.
#[test]
fn a_file_that_may_not_grow_holds_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let greeting = format!("220 {}\r\n", "long ".repeat(4_000));
    let peers = [(); 5].map(|()| Peer::new(polite(&greeting)));
    let words = ["-q".into(), "-o".into(), "rows.ndjson".into()];
    let command = scan(peers.iter().map(|peer| peer.target("smtp")).chain(words));
    // Of 512 or 1,024 bytes each, as the shell has it.
    let ended = run(through_shell(&[], "ulimit -f 64", &command).current_dir(folder.path()));
    let told = "hailer: cannot write rows.ndjson: File too large (os error 27); every row that it took is whole; raise the \
         limit on the length of files (ulimit -f); then go on with it (--resume)\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), told));
    assert!((1..5).contains(&rows_in(&folder.path().join("rows.ndjson")).len()));
    // The cells of a workbook wait in another file, which takes no more.
    for (name, advice) in [("book.xlsx", "make room for it\n"), ("page.html", "(ulimit -f)\n")] {
        let command = hailer(["report", "rows.ndjson", "-o", name]);
        let ended = run(through_shell(&[], "ulimit -f 4", &command).current_dir(folder.path()));
        let is_told = ended.stderr.contains("File too large") && ended.stderr.ends_with(advice);
        assert!(is_told, "{name}: {}", ended.stderr);
        assert_eq!((ended.code, folder.path().join(name).exists()), (Some(1), false), "{name}");
    }
    let ended = run(scan(["--resume", "rows.ndjson", "-q"]).current_dir(folder.path()));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 5);
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
