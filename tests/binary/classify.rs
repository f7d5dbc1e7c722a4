//! `hailer classify`: greetings in, names out, whatever they are written in.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use super::peers::{Peer, polite};
use super::program::{Ended, Running, hailer, run, scan};

fn classify<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = hailer(["classify"]);
    command.args(words);
    command
}

/// Runs it over what comes from stdin.
fn over(words: &str, input: &[u8]) -> Ended {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    run(classify(words.split_whitespace()).stdin(Stdio::from(file)))
}

fn rows(ended: &Ended) -> Vec<Value> {
    super::program::rows(&ended.stdout)
}

/// Line, software and version of each row.
fn named(ended: &Ended) -> Vec<(u64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let told = |row: Value| (row["line"].as_u64().unwrap(), text(&row["software"]), text(&row["version"]));
    rows(ended).into_iter().map(told).collect()
}

#[test]
fn greetings_are_named_however_they_are_written() {
    let input = concat!(
        "220 (vsFTPd 3.0.5)\n",
        "220-welcome\\r\\n220 ProFTPD 1.3.5e Server (x) [192.0.2.1]\\r\\n\r\n",
        "{\"banner\": \"220 mail.example.com ESMTP Exim 4.98.2 ready\\\\r\\\\n\", \"port\": 25}\n",
        "\n",
        "220-FileZilla Server 1.8.1\n",
        "220-\n",
        " 221 files\n",
        "220 Please visit https://filezilla-project.org/\n",
        "220 mail.example.com ESMTP Postfix",
    );
    let ended = over("-q", input.as_bytes());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let expected = [
        (1, "vsftpd", "3.0.5"),
        (2, "ProFTPD", "1.3.5e"),
        (3, "Exim", "4.98.2"),
        (5, "FileZilla Server", "1.8.1"),
        (9, "Postfix", "-"),
    ];
    assert_eq!(named(&ended), expected.map(|(line, name, version)| (line, name.to_owned(), version.to_owned())));
    let rows = rows(&ended);
    assert_eq!(rows[2]["port"], 25);
    assert_eq!(rows[3]["banner"].as_str().unwrap().matches("\\r\\n").count(), 4);
    assert!(rows.iter().all(|row| row["banner_hash"].as_str().unwrap().len() == 64 && row.get("file").is_none()));
}

#[test]
fn rows_of_a_scan_are_classified_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let greetings = ["220 mail.example.com ESMTP Exim 4.98.2, \"x\"; y\r\n", "220-=1+1\r\n220 ready \u{202e}\\n\r\n"];
    let peers = greetings.map(|greeting| Peer::new(polite(greeting)));
    let mut words: Vec<_> = peers.iter().map(|peer| peer.target("smtp")).collect();
    words.extend(["127.0.0.1:1=ftp --all -q -o rows.csv -o rows.ndjson"].map(String::from));
    let words: Vec<_> = words.iter().flat_map(|word| word.split(' ')).collect();
    let scanned = run(scan(words).current_dir(folder.path()));
    assert_eq!(scanned.code, Some(0), "{}", scanned.stderr);
    let scanned = super::program::rows_in(&folder.path().join("rows.ndjson"));
    for file in ["rows.csv", "rows.ndjson"] {
        let ended = run(classify([file]).current_dir(folder.path()));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let classified = rows(&ended);
        assert_eq!(classified.len(), 2, "{file}");
        for row in &classified {
            let same = |then: &&Value| then["ip"] == row["ip"] && then["port"] == row["port"];
            let then = scanned.iter().find(same).unwrap();
            for key in ["service", "banner", "software", "version", "cpe", "confidence", "hostname", "banner_hash"] {
                assert_eq!(row[key], then[key], "{file}: {key}");
            }
        }
        assert!(ended.stderr.ends_with("rows without a greeting: 1\n"), "{}", ended.stderr);
    }
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_done() {
    let long = "x".repeat(1_100_000);
    let input = format!(
        "220 (vsFTPd 3.0.5)\n{{\"banner\": \n{{}}\n{long}\n{{\"banner\":\"a\",\"service\":\"\\u001b\"}}\n220-a\n{long}\n220 b\n"
    );
    let ended = over("", input.as_bytes());
    assert_eq!(ended.code, Some(1));
    assert_eq!(named(&ended).iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [1, 6, 8]);
    let told: Vec<_> = ended.stderr.lines().collect();
    for (line, words) in told.iter().zip([
        "hailer: stdin:2: not an object as expected: EOF while parsing",
        "hailer: stdin:3: neither banner nor banner_b64 is in the object",
        "hailer: stdin:4: longer than 1 MiB",
        "hailer: stdin:5: '\\x1b' is none of ftp, ",
        "hailer: stdin:7: longer than 1 MiB",
        "3 greetings: 1 named, 2 unnamed",
    ]) {
        assert!(line.starts_with(words), "{line} is not {words}");
    }
    assert_eq!(told.last(), Some(&"hailer: not read: 5 of the lines, as told above"));
    for words in ["--ndjson -q", "-q"] {
        let ended = over(words, b"[1]\n");
        let is_told = ended.stderr.starts_with("hailer: stdin:1: not an object");
        assert_eq!((ended.code, is_told), (Some(i32::from(is_told)), words.contains("ndjson")), "{}", ended.stderr);
    }
}

/// Every line comes out as a row or is told, and nothing raw comes through.
#[test]
fn garbage_does_no_harm() {
    // Numbers in a row by a linear congruential generator (Knuth, MMIX).
    let mut state = 7_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let garbage: Vec<u8> = (0..60_000).map(|_| byte()).collect();
    let lines = garbage.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    for words in ["-q", "-q --text", "-q --ndjson"] {
        let ended = over(words, &garbage);
        let told = ended.stderr.lines().filter(|line| line.starts_with("hailer: stdin:")).count();
        assert_eq!(rows(&ended).len() + told, lines, "{words}");
        assert_eq!(ended.code, Some(i32::from(told > 0)));
        let raw = |text: &str| text.bytes().any(|byte| byte < b' ' && byte != b'\n');
        assert!(!raw(&ended.stdout) && !raw(&ended.stderr), "{words}");
    }
}

#[test]
fn files_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "220 (vsFTPd 3.0.5)\n220-broken off\n").unwrap();
    fs::write(folder.path().join("b.csv"), "x,banner\n1,220 (vsFTPd 3.0.3)\n").unwrap();
    let ended = run(classify(["a.txt", "nosuch", ".", "b.csv", "-"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(1));
    let files: Vec<_> = rows(&ended).iter().map(|row| format!("{}:{}", row["file"], row["line"])).collect();
    assert_eq!(files, ["\"a.txt\":1", "\"a.txt\":2", "\"b.csv\":2"]);
    for words in [
        "hailer: nosuch: cannot be read: No such file",
        "hailer: .: cannot be read: Is a directory",
        "hailer: not read: 2 of the files, as told above",
    ] {
        assert!(ended.stderr.contains(words), "{words} is missing in {}", ended.stderr);
    }
}

#[test]
fn only_the_unnamed_and_a_summary() {
    let input = b"220 (vsFTPd 3.0.5)\n220 hello\n220 (vsFTPd 3.0.3)\n220 mail.example.com ESMTP Postfix\n";
    let ended = over("--only-unnamed", input);
    assert_eq!(rows(&ended).iter().map(|row| row["banner"].clone()).collect::<Vec<_>>(), ["220 hello\\r\\n"]);
    let summary: Vec<_> =
        ended.stderr.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(summary, ["4 greetings: 3 named, 1 unnamed", "vsftpd 2", "Postfix 1"]);
    let confidence = |words: &str| rows(&over(words, b"220 (vsFTPd 3.0.5)\n"))[0]["confidence"].as_u64().unwrap();
    assert!(confidence("--service smtp") < confidence("--service ftp"));
}

#[test]
fn what_is_wrong_with_the_words_is_a_usage_error() {
    for (words, told) in [
        ("--service imap", "error: invalid value 'imap' for '--service <SERVICE>': write one of ftp, ftps, smtp, "),
        ("--text --ndjson", "error: the argument '--text' cannot be used with '--ndjson'"),
        ("--wordlists /nosuch", "hailer: /nosuch: cannot read wordlists: No such file"),
    ] {
        let ended = over(words, b"220 a\n");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words}");
        assert!(ended.stderr.starts_with(told), "{words}: {}", ended.stderr);
    }
}

#[test]
fn a_row_does_not_wait_for_the_next_greeting() {
    let (input, mut typed) = std::io::pipe().unwrap();
    let (written, output) = std::io::pipe().unwrap();
    let running = Running::start_onto(classify(["-q"]).stdin(Stdio::from(input)), output.into());
    let mut written = BufReader::new(written);
    for greeting in ["220 (vsFTPd 3.0.5)", "220 mail.example.com ESMTP Postfix"] {
        typed.write_all(format!("{greeting}\n").as_bytes()).unwrap();
        let mut row = String::new();
        written.read_line(&mut row).unwrap();
        let banner = serde_json::from_str::<Value>(&row).unwrap()["banner"].clone();
        assert_eq!(banner, format!("{greeting}\\r\\n"));
    }
    drop(typed);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn rows_are_in_the_order_of_the_input() {
    let (input, mut typed) = std::io::pipe().unwrap();
    let rest = "x".repeat(300);
    let writer = thread::spawn(move || {
        for number in 1..=4_000 {
            writeln!(typed, "220 host{number}.example.com ESMTP {rest}").unwrap();
        }
    });
    let ended = run(classify(["-q"]).stdin(Stdio::from(input)));
    writer.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let names: Vec<_> = rows(&ended).iter().map(|row| format!("{} {}", row["line"], row["hostname"])).collect();
    let expected: Vec<_> = (1..=4_000).map(|number| format!("{number} \"host{number}.example.com\"")).collect();
    assert!(names == expected);
}

#[test]
fn whoever_has_read_enough_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("greetings.txt");
    fs::write(&path, "220 (vsFTPd 3.0.5)\n".repeat(5_000)).unwrap();
    let words = [path.to_str().unwrap()];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Running::start_onto(&mut classify(words), writer.into()).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = Running::start_onto(&mut classify(words), full.into()).end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("hailer: cannot write to stdout: "), "{}", ended.stderr);
}

#[test]
fn nothing_in_is_nothing_out() {
    let ended = over("", b"");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(ended.stderr, "0 greetings: 0 named, 0 unnamed\n");
}
