//! `hailer merge`: shards of a real scan joined, and everything that keeps them from being the whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal::SIGTERM;
use serde_json::{Value, json};

use super::peers::{Gate, Peer, Step, polite, say};
use super::program::{Ended, Running, hailer_in, rows_in, run, scan, succeeds};
use super::workbook::{column, sheet};

fn merge(folder: &Path, words: &str) -> Ended {
    run(&mut hailer_in(folder, &format!("merge {words}")))
}

fn manifest(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(format!("{}.manifest.json", path.display())).unwrap()).unwrap()
}

/// Which endpoints rows are of.
fn places(path: &Path) -> BTreeSet<String> {
    let rows = rows_in(path);
    let places: BTreeSet<_> = rows.iter().map(|row| format!("{}:{}", row["ip"], row["port"])).collect();
    assert_eq!(places.len(), rows.len(), "each once");
    places
}

/// Words with quotes, backslashes and what a terminal would obey, and a folder with a quote.
#[test]
fn a_command_that_is_told_is_the_one_that_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("it's");
    fs::create_dir(&folder).unwrap();
    let contacts = ["P. O'Brien, noc@example.com", r"x\'; touch owned; echo '", "y\u{1b}\\'; touch owned; echo '"];
    for (number, contact) in (1..).zip(contacts) {
        let part = format!("{number}.ndjson");
        let mut first = scan(["127.0.0.1-127.0.0.8:1=ftp", "--all", "-q", "--shard=1/2", "--contact", contact]);
        let ended = run(first.args(["-o", &part]).current_dir(&folder));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let told = merge(&folder, &format!("{part} -o whole.ndjson --overwrite")).stderr;
        let command = told.trim_end().strip_prefix("hailer: shard 2/2 is missing: run ");
        let command = command.unwrap_or_else(|| panic!("{told}"));
        let script = format!("hailer() {{ {} \"$@\" --overwrite; }}\n{command}", env!("CARGO_BIN_EXE_hailer"));
        succeeds(Command::new("bash").args(["-ec", &script]).current_dir(&folder)).unwrap();
        assert_eq!(manifest(&folder.join("shard-2-of-2.ndjson"))["contact"], json!(contact));
        assert!(!folder.join("owned").exists(), "{command}");
        let ended = merge(&folder, &format!("{part} shard-2-of-2.ndjson -o whole.ndjson --overwrite"));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

/// Three shards of a scan of a fleet, with and without rows for what does not answer, and the whole of it.
fn swept(folder: &Path, third: u8) {
    let at = format!("127.79.{third}.1");
    let fleet =
        Running::start(&mut hailer_in(folder, &format!("fleet --serve --hosts 12 --seed 5 --pause 50ms --at {at}")));
    fleet.says("--all\n");
    let ports = "21000=ftp,24000=smtps,25000=smtp,27000=submission,29000=ftps";
    let words = format!("{at}-127.79.{third}.12 -x 127.79.{third}.3 -p {ports} --all -q");
    let patience = "--connect-timeout 1 --tls-timeout 1 --greeting-timeout 1 --per-host 5";
    for (name, shard) in [("whole", "1/1"), ("a", "1/3"), ("b", "2/3"), ("c", "3/3")] {
        let words = format!("{words} {patience} --shard {shard} -o {name}.ndjson");
        let ended = run(scan(words.split(' ')).current_dir(folder));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    fleet.signal(SIGTERM);
    assert_eq!(fleet.end().code, Some(0));
}

fn copied(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

#[test]
fn shards_become_the_whole_or_it_is_told_what_is_wrong() {
    let original = tempfile::tempdir().unwrap();
    swept(original.path(), 31);

    let folder = copied(original.path());
    let ended = merge(folder.path(), "b.ndjson c.ndjson a.ndjson -o merged.ndjson -o merged.csv");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("55 rows of 55 endpoints, from 3 parts\n"), "{}", ended.stderr);
    let [merged, whole] = ["merged.ndjson", "whole.ndjson"].map(|name| folder.path().join(name));
    assert_eq!(places(&merged), places(&whole));
    let order: Vec<_> = rows_in(&merged)
        .iter()
        .filter_map(|row| Some((row["ip"].as_str()?.parse::<std::net::IpAddr>().unwrap(), row["port"].as_u64())))
        .collect();
    assert!(order.is_sorted(), "in the order of addresses");
    let [told, expected] = [&merged, &whole].map(|path| manifest(path));
    for key in ["seed", "shard", "configuration_digest", "targets_digest", "scope"] {
        assert_eq!(told[key], expected[key], "{key}");
    }
    assert_eq!(told["endpoints"]["total"], expected["endpoints"]["total"]);
    let shards: Vec<_> = told["joined"]["parts"].as_array().unwrap().iter().map(|part| &part["shard"]).collect();
    assert_eq!((shards, &told["joined"]["missing"]), (vec![&json!("1/3"), &json!("2/3"), &json!("3/3")], &json!([])));
    assert_eq!((&told["outputs"][0]["rows"], &told["outputs"][1]["format"]), (&json!(55), &json!("csv")));
    assert_eq!(&told["scope"]["excluded"], &json!(["127.79.31.3"]));
    let header = fs::read_to_string(folder.path().join("merged.csv")).unwrap().lines().next().unwrap().to_owned();
    assert!(header.ends_with(",attempts"), "the columns of the schema alone: {header}");
    // A workbook and a page are as good, with figures of all rows; the manifest has their digests.
    let ended = merge(folder.path(), "a.ndjson b.ndjson c.ndjson -o merged.xlsx -o merged.html");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let workbook = folder.path().join("merged.xlsx");
    let ips = column(&workbook, "Endpoints", "ip");
    let ips: Vec<std::net::IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
    assert!(ips.len() == 55 && ips.is_sorted(), "{ips:?}");
    assert!(!sheet(&workbook, "Endpoints")[0].iter().any(|head| *head == "findings_detail"));
    let html = fs::read_to_string(folder.path().join("merged.html")).unwrap();
    assert!(html.contains("<strong>55</strong>") && html.contains("from a.ndjson, b.ndjson, c.ndjson"));
    let outputs = manifest(&workbook)["outputs"].clone();
    assert_eq!(
        (&outputs[0]["format"], &outputs[1]["format"], &outputs[1]["rows"]),
        (&json!("xlsx"), &json!("html"), &json!(55))
    );
    // The same again is the same.
    let before = fs::read(&merged).unwrap();
    assert_eq!(merge(folder.path(), "a.ndjson b.ndjson c.ndjson -o merged.ndjson").code, Some(2), "it exists");
    let ended = merge(folder.path(), "a.ndjson b.ndjson c.ndjson -o merged.ndjson --overwrite");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(&merged).unwrap(), before);

    // A part that is missing is made by the command that is told.
    let folder = copied(original.path());
    let ended = merge(folder.path(), "a.ndjson c.ndjson -o merged.ndjson");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let told = ended.stderr.lines().find_map(|line| line.strip_prefix("hailer: shard 2/3 is missing: run hailer "));
    let command = told.unwrap_or_else(|| panic!("{}", ended.stderr)).to_owned();
    assert!(command.contains("--shard=2/3") && command.contains("--exclude=127.79.31.3"), "{command}");
    assert!(!folder.path().join("merged.ndjson").exists());
    // Nothing listens there any more; the endpoints are the same.
    assert_eq!(run(&mut hailer_in(folder.path(), &command)).code, Some(0));
    let made = folder.path().join("shard-2-of-3.ndjson");
    assert_eq!(places(&made), places(&original.path().join("b.ndjson")));
    let ended = merge(folder.path(), &format!("a.ndjson {} c.ndjson -o merged.ndjson", made.display()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    // Part of it, where that is asked for.
    let ended = merge(folder.path(), "a.ndjson c.ndjson -o part.ndjson --partial");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("shard 2/3 is missing: run "), "{}", ended.stderr);
    let told = manifest(&folder.path().join("part.ndjson"));
    assert_eq!((&told["shard"], &told["joined"]["missing"]), (&json!("1/3,3/3"), &json!(["2/3"])));
    assert_eq!(places(&folder.path().join("part.ndjson")).len(), 37);
    let ended = merge(folder.path(), "a.ndjson c.ndjson -o part.html --partial");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let html = fs::read_to_string(folder.path().join("part.html")).unwrap();
    assert!(html.contains("<p class=\"notice\">Shard 2/3 is missing.</p>"), "the page says so");
    // And completed later.
    let ended = merge(folder.path(), "part.ndjson b.ndjson -o completed.ndjson");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(places(&folder.path().join("completed.ndjson")), places(&folder.path().join("whole.ndjson")));
    // One alone as well, and what is missing beside it has the command of a scan.
    assert_eq!(merge(folder.path(), "a.ndjson -o one.ndjson --partial").code, Some(0));
    let ended = merge(folder.path(), "one.ndjson c.ndjson -o merged2.ndjson");
    let told = ended.stderr.lines().find_map(|line| line.strip_prefix("hailer: shard 2/3 is missing: run hailer "));
    assert!(told.is_some_and(|command| command.contains("--exclude=127.79.31.3")), "{}", ended.stderr);
    let ended = merge(folder.path(), "one.ndjson c.ndjson b.ndjson -o merged2.ndjson");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(places(&folder.path().join("merged2.ndjson")), places(&folder.path().join("whole.ndjson")));
}

#[test]
fn parts_that_are_not_what_they_were_are_refused() {
    let original = tempfile::tempdir().unwrap();
    swept(original.path(), 32);
    let all = "a.ndjson b.ndjson c.ndjson";
    let edited = |name: &str, change: fn(String) -> String| {
        let folder = copied(original.path());
        let path = folder.path().join(name);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
        folder
    };
    let table = [
        (
            edited("b.ndjson", |text| text.replacen("\"ip\"", "\"IP\"", 1)),
            all,
            "b.ndjson: it was changed since its scan ended (its SHA-256",
        ),
        (edited("b.ndjson", |text| text[..text.len() - 9].to_owned()), all, "b.ndjson: it broke off: "),
        (
            edited("c.ndjson.manifest.json", |text| text.replacen("\"shard\": \"3/3\"", "\"shard\": \"2/3\"", 1)),
            "a.ndjson c.ndjson",
            "c.ndjson: its manifest contradicts itself (configuration_digest)",
        ),
        (edited("a.ndjson.manifest.json", |_| "{".to_owned()), all, "a.ndjson.manifest.json: it cannot be read: "),
        (
            edited("a.ndjson", |text| text),
            "a.ndjson b.ndjson b2.ndjson c.ndjson",
            "shard 2/3 is there twice: b.ndjson and b2.ndjson; leave one out",
        ),
        (
            edited("a.ndjson", |text| text),
            "a.ndjson whole.ndjson",
            "whole.ndjson is shard 1/1, and a.ndjson is one of 3",
        ),
        (
            edited("c.ndjson.manifest.json", |text| text.replacen("\"depth\": \"greeting\"", "\"depth\": \"tls\"", 1)),
            all,
            "c.ndjson is of another scan than a.ndjson: depth \"tls\", not \"greeting\"",
        ),
        (
            edited("a.ndjson", |text| text),
            "a.ndjson bare/b.ndjson",
            "bare/b.ndjson: there is no bare/b.ndjson.manifest.json: what it covers cannot be proved",
        ),
        (edited("a.ndjson", |text| text), "a.ndjson nosuch.ndjson", "cannot read nosuch.ndjson: "),
    ];
    for (folder, parts, told) in table {
        let folder = folder.path();
        fs::create_dir(folder.join("bare")).unwrap();
        for (from, to) in [
            ("b.ndjson", "b2.ndjson"),
            ("b.ndjson.manifest.json", "b2.ndjson.manifest.json"),
            ("b.ndjson", "bare/b.ndjson"),
        ] {
            fs::copy(folder.join(from), folder.join(to)).unwrap();
        }
        let before = fs::read_dir(folder).unwrap().count();
        let ended = merge(folder, &format!("{parts} -o merged.csv"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{parts}: {}", ended.stderr);
        assert!(
            ended.stderr.lines().any(|line| line.starts_with(&format!("hailer: {told}"))),
            "{told}: {}",
            ended.stderr
        );
        assert_eq!(fs::read_dir(folder).unwrap().count(), before, "nothing was left: {told}");
    }
    let folder = original.path();
    for (words, told) in [
        ("a.ndjson ./a.ndjson -o m.csv", "hailer: ./a.ndjson is named twice"),
        ("a.ndjson -o a.ndjson --overwrite", "hailer: -o a.ndjson: it is a part: name another file"),
        ("a.ndjson -o m.txt", "hailer: -o m.txt: name it .csv, .ndjson, .jsonl, .xlsx or .html"),
        ("a.ndjson -o -", "hailer: -o -: its manifest has its digest, which only a regular file keeps: name one"),
        ("a.ndjson", "error: the following required arguments were not provided"),
        ("a.ndjson -o m.csv -o ./m.csv", "hailer: -o ./m.csv: it is named twice"),
    ] {
        let ended = merge(folder, words);
        assert_eq!(ended.code, Some(2), "{words}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(told), "{words}: {}", ended.stderr);
    }
}

#[test]
fn a_shard_that_is_not_done_is_to_be_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let peer = Peer::new([vec![say("220-"), Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    let words = format!("{} --shard 1/1 -q -o rows.ndjson", peer.target("smtp"));
    let running = Running::start(scan(words.split(' ')).current_dir(folder.path()));
    peer.until_connected();
    let ended = merge(folder.path(), "rows.ndjson -o whole.ndjson");
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, "hailer: rows.ndjson: its scan is not done: run hailer scan --resume rows.ndjson\n");
    gate.open();
    assert_eq!(running.end().code, Some(0));
    let ended = merge(folder.path(), "rows.ndjson -o whole.ndjson");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "1 row of 1 endpoint, from 1 part\n"));
}
