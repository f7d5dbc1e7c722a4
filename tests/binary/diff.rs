//! `hailer diff`: two real scans with a fleet that changed between them, and scans held against what should be there.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal::SIGTERM;
use serde_json::Value;

use super::peers::{Peer, polite};
use super::program::{Ended, Running, hailer_in, rows, rows_in, run, scan};

fn diff(folder: &Path, words: &str) -> Ended {
    run(&mut hailer_in(folder, &format!("diff {words}")))
}

fn swept(folder: &Path, words: &str) {
    let ended = run(scan(words.split_whitespace()).arg("-q").current_dir(folder));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// A peer at an address of the test's own; nobody else takes it.
fn serve(host: u8, greeting: &'static str) -> Peer {
    let listener = TcpListener::bind(format!("127.79.41.{host}:2525")).unwrap();
    Peer::behind(listener, move || polite(format!("220 {greeting}\r\n")))
}

/// What was told, as `kind host field from>to …`.
fn told(changes: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = changes.iter().map(|change| {
        let host = text(&change["ip"]).rsplit('.').next().unwrap_or_default().to_owned();
        let fields = change["fields"].as_array().cloned().unwrap_or_default();
        let fields =
            fields.iter().map(|it| format!(" {} {}>{}", text(&it["field"]), text(&it["from"]), text(&it["to"])));
        format!("{} {host}:{}", text(&change["kind"]), fields.collect::<String>())
    });
    told.collect()
}

#[test]
fn a_fleet_that_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // One keeps what it is but for a date, one is another by then, one comes, and one is asked the second time only.
    let stays = TcpListener::bind("127.79.41.1:2525").unwrap();
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let stays = Peer::behind(stays, move || {
        let number = 20 + turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        polite(format!("220 mail.example ESMTP Exim 4.96 Sat, {number} Nov 2026 10:00:00 +0000\r\n"))
    });
    let later = serve(9, "later.example ESMTP Postfix");
    let changing = TcpListener::bind("127.79.41.2:2525").unwrap();
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let changing = Peer::behind(changing, move || {
        let version = ["4.94", "4.96", "4.96", "4.96"][turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(3)];
        polite(format!("220 old.example ESMTP Exim {version}\r\n"))
    });
    let gone = fake(3);
    let words = "127.79.41.0/29 -p 2525=smtp";
    swept(folder, &format!("{words} -o old.csv -o old.ndjson"));
    drop(gone);
    let comes = serve(4, "new.example ESMTP Sendmail 8.17.1");
    swept(folder, &format!("{words} 127.79.41.9 -o new.ndjson"));

    let expected = [
        "appeared 4:",
        "vanished 3:",
        r"changed 2: banner 220 old.example ESMTP Exim 4.94\r\n>220 old.example ESMTP Exim 4.96\r\n version 4.94>4.96",
        "newly_scanned 9:",
    ];
    for old in ["old.csv", "old.ndjson"] {
        let ended = diff(folder, &format!("{old} new.ndjson -o changes.ndjson -o changes.csv --overwrite"));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(5), ""), "{old}");
        assert_eq!(told(&rows_in(&folder.join("changes.ndjson"))), expected, "{old}");
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(lines[0], "3 rows before, 4 now: 1 unchanged, 1 appeared, 1 vanished, 1 changed, 1 newly_scanned");
        assert!(lines.contains(&"          version        4.94 -> 4.96  upgrade"), "{}", ended.stdout);
        assert!(!ended.stdout.contains('\u{1b}'), "no colours for programs");
        let csv = fs::read_to_string(folder.join("changes.csv")).unwrap();
        assert_eq!(csv.lines().count(), 6, "{csv}");
        assert!(
            csv.contains(
                "changed,info,better,,127.79.41.2,2525,smtp,greeted,Exim,4.96,,version,4.94,4.96,upgrade,info,better\n"
            ),
            "{csv}"
        );
    }
    // Nothing differs from itself, and what is not wanted is not told.
    for (words, code) in [
        ("new.ndjson new.ndjson", 0),
        ("old.csv old.ndjson", 0),
        ("old.csv new.ndjson --only vanished -q", 5),
        ("old.csv new.ndjson --only moved,renewed", 0),
        ("old.csv new.ndjson --only changed --ignore version,banner", 0),
    ] {
        let ended = diff(folder, words);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(code), ""), "{words}: {}", ended.stdout);
    }

    // What does not answer has a row with --all; what the manifest does not cover did not vanish.
    swept(folder, &format!("{words} --all -o all.ndjson"));
    let changes_in = |words: &str| {
        let ended = diff(folder, &format!("{words} -o c.ndjson --overwrite"));
        (told(&rows_in(&folder.join("c.ndjson"))), ended)
    };
    assert_eq!(changes_in("new.ndjson all.ndjson").0, ["not_scanned 9:"]);
    assert_eq!(changes_in("old.csv all.ndjson --only vanished").0, ["vanished 3:"]);
    swept(folder, "127.79.41.0/29 -x 127.79.41.3 -p 2525=smtp -o less.ndjson");
    assert_eq!(changes_in("old.csv less.ndjson --only vanished,not_scanned").0, ["not_scanned 3:"]);
    for shard in ["1/2", "2/2"] {
        let name = &shard[..1];
        swept(folder, &format!("{words} --shard {shard} -o part{name}.ndjson"));
    }
    let (both, _) = changes_in("--old old.csv --new part1.ndjson part2.ndjson");
    assert_eq!(both[1], "vanished 3:", "{both:?}");
    let one = changes_in("old.csv part1.ndjson --only vanished,not_scanned").0;
    let other = changes_in("old.csv part2.ndjson --only vanished,not_scanned").0;
    let count = |kind: &str| one.iter().chain(&other).filter(|it| it.starts_with(kind)).count();
    assert_eq!((count("vanished"), count("not_scanned")), (1, 3), "{one:?} {other:?}");

    // Without its manifest, and with a file that is not what it was, nothing is known.
    fs::create_dir(folder.join("bare")).unwrap();
    fs::copy(folder.join("new.ndjson"), folder.join("bare/new.ndjson")).unwrap();
    let (changes, ended) = changes_in("old.csv bare/new.ndjson --only vanished,not_scanned");
    assert_eq!(changes, ["not_scanned 3:"]);
    assert_eq!(ended.stderr, "bare/new.ndjson: there is no manifest beside it, so that nothing says what was probed\n");
    let text = fs::read_to_string(folder.join("new.ndjson")).unwrap();
    fs::write(folder.join("new.ndjson"), &text[..text.len() - 5]).unwrap();
    let (_, ended) = changes_in("old.csv new.ndjson");
    assert!(ended.stderr.starts_with("new.ndjson: it was changed since its scan ended"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("new.ndjson: line 4 broke off, and is left out\n"), "{}", ended.stderr);
    drop((stays, later, comes, changing));
}

#[test]
fn a_last_line_without_an_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = "service,outcome,software,version,ip,port\nftp,greeted,ProFTPD,1.3.5,192.0.2.2,2121\n";
    let row = "ftp,greeted,vsftpd,3.0.3,192.0.2.3,21";
    for (name, text) in
        [("old.csv", whole), ("new.csv", &format!("{whole}{row}")), ("cut.csv", &whole[..whole.len() - 3])]
    {
        fs::write(folder.join(name), text).unwrap();
    }
    // As programs leave it that put line ends between rows.
    let words = "line 3 has no end: if the file broke off there, its last cell may be cut\n";
    let ended = diff(folder, "old.csv new.csv --only appeared");
    assert!(ended.stdout.contains("192.0.2.3:21"), "{}", ended.stdout);
    assert!(ended.stderr.contains(&format!("\nnew.csv: {words}")), "{}", ended.stderr);
    let ended = run(&mut hailer_in(folder, "report new.csv"));
    assert!(ended.stderr.contains(&format!("new.csv: {words}")), "{}", ended.stderr);
    // A scan ends every line: what has no end is none of its rows.
    fs::write(folder.join("cut.csv.manifest.json"), "").unwrap();
    let ended = run(&mut hailer_in(folder, "report cut.csv"));
    assert_eq!(ended.stderr, "cut.csv: line 2 broke off, and is left out\n");
}

/// A server that can be taken away: it greets once.
fn fake(host: u8) -> std::thread::JoinHandle<()> {
    let listener = TcpListener::bind(format!("127.79.41.{host}:2525")).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        stream.write_all(b"220 gone.example ESMTP Postfix\r\n").unwrap();
        let _ = stream.read(&mut [0; 64]);
    })
}

#[test]
fn two_fleets_differ_and_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = "21000=ftp,24000=smtps,25000=smtp,27000=submission,29000=ftps";
    for (name, seed) in [("one", 3), ("other", 4)] {
        let words = format!("fleet --serve --hosts 12 --seed {seed} --pause 50ms --at 127.79.42.1");
        let fleet = Running::start(&mut hailer_in(folder, &words));
        fleet.says("--all\n");
        let words = format!(
            "127.79.42.1-127.79.42.12 -p {ports} --all --connect-timeout 1 --tls-timeout 1 --greeting-timeout 1 --per-host 5"
        );
        swept(folder, &format!("{words} -o {name}.ndjson"));
        if seed == 3 {
            swept(folder, &format!("{words} -o again.csv"));
        }
        fleet.signal(SIGTERM);
        assert_eq!(fleet.end().code, Some(0));
    }
    // Some of a fleet's servers take turns; what else there is stays.
    let truth =
        rows(&run(&mut hailer_in(folder, "fleet --truth - --hosts 12 --seed 3 --pause 50ms --at 127.79.42.1")).stdout);
    let ended = diff(folder, "one.ndjson again.csv -o same.ndjson");
    assert_eq!(ended.stderr, "");
    // A result will do as what should be there.
    let ended = diff(folder, "--expect again.csv one.ndjson -o met.ndjson");
    let words = "again.csv: what is another each time is not compared: time, connect_ms, tls_ms, greeting_ms, ";
    assert!(ended.stderr.starts_with(words), "{}", ended.stderr);
    for change in [rows_in(&folder.join("same.ndjson")), rows_in(&folder.join("met.ndjson"))].concat() {
        let place = |row: &Value| (row["ip"].clone(), row["port"].clone());
        let of = truth.iter().find(|truth| place(truth) == place(&change)).unwrap();
        assert!(!of["or"].is_null(), "{change} is no change: {of}");
    }
    let ended = diff(folder, "one.ndjson other.ndjson");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(5), ""));
    for kind in ["appeared", "vanished", "changed"] {
        assert!(ended.stdout.contains(&format!("\n{kind} ")), "{}", ended.stdout);
    }
    // On stdout as in a file, and whoever has read enough may go.
    let ended = diff(folder, "one.ndjson other.ndjson -o - -o changes.ndjson");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(5), ""));
    assert_eq!(ended.stdout, fs::read_to_string(folder.join("changes.ndjson")).unwrap());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = hailer_in(folder, "diff one.ndjson other.ndjson -o -").stdout(writer).stderr(Stdio::piped()).output();
    let unread = unread.unwrap();
    assert_eq!((unread.status.code(), unread.stderr.as_slice()), (Some(5), &b""[..]));
}

#[test]
fn a_fleet_that_is_asked_more_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let of_fleet = "--hosts 40 --seed 7 --pause 50ms --depth tls --at 127.79.43.1";
    let fleet = Running::start(&mut hailer_in(folder, &format!("fleet --serve {of_fleet}")));
    fleet.says("--depth tls\n");
    let words = "127.79.43.1-127.79.43.40 -p 21000=ftp,24000=smtps,25000=smtp,27000=submission,29000=ftps --all \
        --connect-timeout 1 --tls-timeout 2 --greeting-timeout 2 --per-host 5";
    let depths = ["greeting", "features", "tls"];
    for depth in depths {
        swept(folder, &format!("{words} --depth {depth} -o {depth}.ndjson"));
    }
    fleet.signal(SIGTERM);
    assert_eq!(fleet.end().code, Some(0));
    let truth = rows(&run(&mut hailer_in(folder, &format!("fleet --truth - {of_fleet}"))).stdout);
    for (old, new) in depths.into_iter().flat_map(|old| depths.map(|new| (old, new))).filter(|(old, new)| old != new) {
        let ended = diff(folder, &format!("{old}.ndjson {new}.ndjson -o changes.ndjson --overwrite"));
        let told =
            format!("OLD was asked at --depth {old}, NEW at {new}: what only one of them asked is not compared\n");
        assert_eq!(ended.stderr, told);
        for change in rows_in(&folder.join("changes.ndjson")) {
            let place = |row: &Value| (row["ip"].clone(), row["port"].clone());
            let of = truth.iter().find(|truth| place(truth) == place(&change)).unwrap();
            assert!(!of["or"].is_null(), "{old} {new}: {change} is no change: {of}");
        }
    }
}

/// A pipeline that failed leaves a file without rows, as a scan does that found nothing.
#[test]
fn a_file_without_rows_is_not_that_of_another_scan() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let peer = fake(11);
    swept(folder, "127.79.41.11 -p 2525=smtp -o october.csv");
    peer.join().unwrap();
    swept(folder, "127.79.41.11 -p 2525=smtp -o quiet.csv -o quiet-rows.ndjson");
    // Its own manifest is found among many files.
    (0..1100).for_each(|number| fs::write(folder.join(format!("other-{number}")), "").unwrap());
    fs::write(folder.join("november.ndjson"), "").unwrap();
    for (new, kind) in [("quiet-rows.ndjson", "vanished"), ("november.ndjson", "not_scanned")] {
        let ended = diff(folder, &format!("october.csv {new} -o -"));
        assert_eq!(told(&rows(&ended.stdout)), [format!("{kind} 11:")], "{}", ended.stderr);
    }
    // Rows from stdin have no manifest either; what was written over is not what its manifest speaks of.
    let ended = run(hailer_in(folder, "diff october.csv -").stdin(fs::File::open(folder.join("october.csv")).unwrap()));
    assert_eq!(
        (ended.code, ended.stdout.starts_with("1 rows before, 1 now: 1 unchanged")),
        (Some(0), true),
        "{ended:?}"
    );
    diff(folder, "october.csv november.ndjson -o quiet.csv --overwrite");
    assert!(!folder.join("quiet.csv.manifest.json").exists());
    let ended = diff(folder, "october.csv quiet.csv");
    let words = "hailer: quiet.csv:1: these are differences, not rows: give the rows that were compared";
    assert!(ended.code == Some(1) && ended.stderr.contains(words), "{}", ended.stderr);
}

/// A server that refuses the second scan of its side, of which there is no row.
#[test]
fn what_refused_a_later_scan_of_its_side_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let peer = fake(13);
    swept(folder, "127.79.41.13 -p 2525=smtp -o first.csv");
    peer.join().unwrap();
    swept(folder, "127.79.41.13 -p 2525=smtp -o later.csv");
    // As of another day.
    let path = folder.join("later.csv.manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, time) in [("began", "2099-11-22T05:00:00Z"), ("ended", "2099-11-22T05:01:00Z")] {
        manifest[key] = time.into();
    }
    fs::write(&path, manifest.to_string()).unwrap();
    fs::write(folder.join("inventory.csv"), "ip,port\n127.79.41.13,2525\n").unwrap();
    let left_out =
        |side: &str| format!("{side}: 1 rows are of endpoints that refused a later scan, and are left out\n");
    for (words, side, told) in [
        ("--old first.csv --new first.csv later.csv", "NEW", "1 rows before, 1 now: 0 unchanged, 1 vanished\n"),
        ("--old later.csv first.csv --new first.csv", "OLD", "1 rows before, 1 now: 0 unchanged, 1 appeared\n"),
        (
            "--expect inventory.csv first.csv later.csv",
            "results",
            "1 expected, 1 rows: 0 as they should be, 1 missing\n",
        ),
    ] {
        let ended = diff(folder, words);
        assert_eq!((ended.code, ended.stderr), (Some(5), left_out(side)), "{words}");
        assert!(ended.stdout.starts_with(told), "{words}: {}", ended.stdout);
    }
    // Where packets may have been lost it is not proved.
    manifest["ports"]["2525"] = serde_json::json!({"timeout": 1});
    fs::write(&path, manifest.to_string()).unwrap();
    let ended = diff(folder, "--old first.csv --new first.csv later.csv");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let words = "NEW: 1 rows count of endpoints that a later scan asked as well and has no row of, as 127.79.41.13:2525: that \
        does not prove that they refused\n";
    assert_eq!(ended.stderr, words);
}

/// As a spreadsheet saves times: that the last row in the file counts is told.
#[test]
fn rows_of_one_endpoint_whose_times_do_not_tell_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let header = "time,ip,port,service,outcome,software\n";
    let row = |time: &str, software: &str| format!("{time},192.0.2.1,25,smtp,greeted,{software}\n");
    let usual = "2026-11-21T02:00:00Z";
    let all =
        "rows have a time that cannot be read, and count as older than all others: write it as 2026-11-21T03:00:00Z\n";
    let left =
        "1 rows are of endpoints that have a later row, or one further on where times do not tell, and are left out\n";
    fs::write(folder.join("inventory.csv"), "ip,port,software\n192.0.2.1,25,Exim\n192.0.2.9,25,\n").unwrap();
    for (first, last, untimed) in [
        (row("21.11.2026 03:00", "Postfix"), row(usual, "Exim"), Some(1)),
        (row("21.11.2026 03:00", "Postfix"), row("11/21/2026 2:00", "Exim"), Some(2)),
        (row("", "Postfix"), row("", "Exim"), None),
        (row(usual, "Exim"), row("2026-11-21T01:00:00Z", "Postfix"), None),
    ] {
        fs::write(folder.join("rows.csv"), format!("{header}{first}{last}")).unwrap();
        let told = |side: &str| {
            let untimed = untimed.map(|count| format!("{side}: {count} {all}")).unwrap_or_default();
            format!("{side}: {left}{untimed}")
        };
        let ended = diff(folder, "rows.csv rows.csv");
        assert!(ended.stderr.ends_with(&format!("{}{}", told("OLD"), told("NEW"))), "{}", ended.stderr);
        let ended = diff(folder, "--expect inventory.csv rows.csv");
        assert!(ended.stderr.ends_with(&told("results")), "{}", ended.stderr);
        assert!(
            ended.stdout.starts_with("2 expected, 2 rows: 1 as they should be, 1 not_scanned\n"),
            "{}",
            ended.stdout
        );
        assert!(ended.stdout.contains("\nnot_scanned should be there; nothing says that it was probed: 1 "));
    }
    // Of one row each it says nothing.
    fs::write(folder.join("rows.csv"), format!("{header}{}", row("21.11.2026 03:00", "Exim"))).unwrap();
    let ended = diff(folder, "rows.csv rows.csv");
    assert!(!ended.stderr.contains(" rows "), "{}", ended.stderr);
}

#[test]
fn what_should_be_there_is_held_against_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = "ip,port,service,outcome,name,software,version,tls_version\n\
        192.0.2.1,25,smtp,greeted,,Postfix,,\n192.0.2.2,21,ftp,greeted,,vsftpd,3.0.3,\n\
        192.0.2.3,465,smtps,greeted,mail.example,Exim,4.96,TLSv1.3\n192.0.2.4,25,smtp,greeted,,,,\n\
        192.0.2.6,25,smtp,refused,,,,\n";
    fs::write(folder.join("rows.csv"), rows).unwrap();
    let expected = "\u{feff}ip;name;port;software;version;outcome;owner\r\n\
        192.0.2.1;;25;postfix;;;Ann\r\n192.0.2.2;;21;;3.0.5;;Bob\r\n;mail.example.;465;Exim;4.96;;\r\n\
        192.0.2.5;;25;;;;\r\n192.0.2.6;;25;;;refused;\r\n;;;;;;\r\n";
    fs::write(folder.join("inventory.csv"), expected).unwrap();
    let ended = diff(folder, "--expect inventory.csv rows.csv -o c.ndjson");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("inventory.csv: rows have no such columns, which are passed over: owner\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(
        told(&rows_in(&folder.join("c.ndjson"))),
        ["unexpected 4:", "differs 2: version 3.0.5>3.0.3", "not_scanned 5:"]
    );
    assert!(
        ended.stdout.starts_with("5 expected, 5 rows: 3 as they should be, 1 unexpected, 1 differs, 1 not_scanned\n"),
        "{}",
        ended.stdout
    );
    fs::write(folder.join("right.csv"), "ip,port\n192.0.2.1,25\n192.0.2.2,21\n192.0.2.3,465\n192.0.2.4,25\n").unwrap();
    assert_eq!(diff(folder, "--expect right.csv rows.csv").code, Some(0));

    let table = [
        ("ip,port\n192.0.2.1,25\n192.0.2.300,25\n", "3:1: '192.0.2.300' is not an address"),
        ("ip,software,port\n192.0.2.1,\"a, \"\"b\",25x\n", "2:20: '25x' is not a port, from 1 to 65535"),
        ("name,port\na.example,25\n,25\n", "3:1: an address or a name is missing"),
        ("name,port\na.example,\n", "2:11: a port is missing"),
        ("name,software\na.example,b\n", "1:1: there is no column 'port'"),
        ("port\n25\n", "1:1: there is neither a column 'ip' nor 'name'"),
        ("ip,port,ip\n", "1:9: the column 'ip' is there twice: take one out"),
        ("ip,port\n::1,25\n::1,25\n", "3:1: this endpoint is on line 2 already: take one of them out"),
        ("ip,port,outcome\n::1,25,asleep\n", "2:8: 'asleep' is not an outcome: write one of greeted, "),
        ("ip,port\n::1,25,more\n", "2:8: here are 3 cells, and the header names 2 columns"),
    ];
    for (text, told) in table {
        fs::write(folder.join("wrong.csv"), text).unwrap();
        let ended = diff(folder, "--expect wrong.csv rows.csv");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{text}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("hailer: wrong.csv:{told}")), "{told}: {}", ended.stderr);
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let csv = "ip,port,service,outcome\n192.0.2.1,21,ftp,silent\n";
    for (name, text) in
        [("a.csv", csv), ("b.csv", csv), ("broken.csv", "ip,port,service,outcome\n192.0.2.1\n1,2,3,4\n")]
    {
        fs::write(folder.join(name), text).unwrap();
    }
    let before = fs::read_dir(folder).unwrap().count();
    let table = [
        ("", 2, "error: the following required arguments were not provided"),
        ("a.csv", 2, "hailer: name OLD and NEW, one file each"),
        ("a.csv b.csv a.csv", 2, "hailer: name OLD and NEW, one file each"),
        ("--old a.csv", 2, "error: the following required arguments were not provided"),
        ("a.csv b.csv --only gone", 2, "error: invalid value 'gone' for '--only <KIND>': write one of missing, "),
        (
            "a.csv b.csv --ignore host_name",
            2,
            "error: invalid value 'host_name' for '--ignore <FIELD>': it is no field: did you mean hostname?",
        ),
        ("a.csv b.csv -o a.csv --overwrite", 2, "hailer: -o a.csv: it is compared: name another file"),
        ("a.csv b.csv -o c.pdf", 2, "hailer: -o c.pdf: name it .csv, .ndjson, .jsonl, .xlsx or .html"),
        (
            "a.csv b.csv -o broken.csv",
            2,
            "hailer: -o broken.csv: it exists: name another file, or replace it with --overwrite",
        ),
        ("nosuch.csv a.csv", 1, "hailer: cannot read nosuch.csv: "),
        ("a.csv broken.csv -o c.csv", 1, "a.csv: there is no manifest beside it"),
    ];
    for (words, code, told) in table {
        let ended = diff(folder, words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{words}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(told), "{words}: {}", ended.stderr);
        assert_eq!(fs::read_dir(folder).unwrap().count(), before, "nothing is left: {words}");
    }
    // Sorting needs a folder; what reads no further is no failure.
    let ended = run(hailer_in(folder, "diff a.csv b.csv").env("TMPDIR", "/nowhere/at/all"));
    assert_eq!(ended.code, Some(0), "so few are sorted in memory: {}", ended.stderr);
}
