//! `hailer report`: results read back, what all of them together say, and the rows written out again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::program::{Ended, rows_in, run, through_shell};

fn report(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailer"));
    command.arg("report").args(words).current_dir(folder).stdin(Stdio::null());
    command
}

/// What stdout says, after checking that nothing is wrong.
fn reported(folder: &Path, words: &[&str]) -> String {
    let Ended { code, stdout, stderr } = run(&mut report(folder, words));
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}");
    stdout
}

/// A network in which one thing answers on 21 and 25, and a server of its own.
fn network() -> String {
    let mut lines = String::new();
    let mut push = |host: usize, port: usize, service: &str, more: &Value| {
        let mut row = json!({
            "time": format!("2025-07-27T07:06:40.{:06}Z", host * 100 + port), "ip": format!("192.0.2.{host}"), "port": port,
            "service": service, "outcome": "greeted", "code": 220, "fronting": "not_observed", "note": "kept",
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        writeln!(lines, "{row}").unwrap();
    };
    let alike = json!({ "banner": r"220 ready\r\n", "banner_hash": "ab".repeat(32) });
    for host in 0..250 {
        push(host, 21, "ftp", &alike);
        push(host, 25, "smtp", &alike);
    }
    push(
        251,
        25,
        "smtp",
        &json!({ "banner": r"220 m.example ESMTP Postfix\r\n", "banner_hash": "cd".repeat(32), "software": "Postfix" }),
    );
    lines
}

#[test]
fn a_middlebox_is_told_and_its_rows_are_raised() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("rows.ndjson"), network()).unwrap();
    let told = reported(folder, &["rows.ndjson", "-o", "out.ndjson", "-o", "out.csv"]);
    for line in [
        "501 rows, 500 of which others say more\n",
        "  greeted                501       250       251\n",
        "  Postfix                              1\n",
        "  possible                           500\n",
        "  nothing observed                     1\n",
        "192.0.2.0/24: 250 addresses greet alike on ports 21, 25 (\"220 ready\"): a middlebox or honeypot",
    ] {
        assert!(told.contains(line), "{line:?} is missing in\n{told}");
    }
    let rows = rows_in(&folder.join("out.ndjson"));
    let evidence =
        json!([{ "code": "same_everywhere", "grade": "moderate", "excerpt": "as on 250 addresses of 192.0.2.0/24" }]);
    assert_eq!(
        (&rows[0]["fronting"], &rows[0]["evidence"], &rows[0]["note"]),
        (&json!("possible"), &evidence, &json!("kept"))
    );
    assert_eq!((rows.len(), &rows[500]["fronting"], rows[500].get("evidence")), (501, &json!("not_observed"), None));
    let csv = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert!(
        csv.lines().nth(1).unwrap().contains(",possible,,same_everywhere: as on 250 addresses of 192.0.2.0/24,"),
        "{csv}"
    );

    // From the CSV, by way of stdin, comes the same.
    let mut piped = through_shell(&[], "exec < out.csv", &report(folder, &["-"]));
    let piped = run(piped.current_dir(folder));
    assert_eq!((piped.code, piped.stderr.as_str()), (Some(0), ""));
    assert_eq!(piped.stdout, told.replace(", 500 of which others say more", ""));

    let told = reported(folder, &["rows.ndjson", "--without-middleboxes", "-o", "servers.ndjson"]);
    assert!(told.starts_with("1 row, 500 more of middleboxes left out\n"), "{told}");
    let rows = rows_in(&folder.join("servers.ndjson"));
    assert_eq!((rows.len(), &rows[0]["software"]), (1, &json!("Postfix")));
}

#[test]
fn shards_are_read_together() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = network();
    let (odd, even): (Vec<_>, Vec<_>) = whole.lines().enumerate().partition(|(number, _)| number % 2 == 1);
    for (name, part) in [("odd.ndjson", odd), ("even.ndjson", even)] {
        let lines: Vec<_> = part.iter().map(|(_, line)| *line).collect();
        fs::write(folder.join(name), lines.join("\n") + "\n").unwrap();
    }
    fs::write(folder.join("whole.ndjson"), whole).unwrap();
    assert_eq!(reported(folder, &["odd.ndjson", "even.ndjson"]), reported(folder, &["whole.ndjson"]));
}

#[test]
fn columns_of_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "note,ip,port,service,outcome\n\"seen; by me\",192.0.2.1,21,ftp,silent\n";
    fs::write(folder.path().join("rows.csv"), csv).unwrap();
    reported(folder.path(), &["rows.csv", "-o", "out.csv", "-o", "out.ndjson"]);
    let out = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert!(out.contains(",attempts,note\n") && out.ends_with(",\"seen; by me\"\n"), "{out}");
    assert_eq!(rows_in(&folder.path().join("out.ndjson"))[0]["note"], "seen; by me");
}

#[test]
fn what_is_torn_or_empty_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = network();
    fs::write(folder.join("torn.ndjson"), &whole[..whole.len() - 9]).unwrap();
    fs::write(folder.join("empty.csv"), "").unwrap();
    let ended = run(&mut report(folder, &["torn.ndjson", "empty.csv"]));
    let stderr = "torn.ndjson: line 501 broke off, and is left out\nempty.csv: it is empty\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), stderr));
    assert!(ended.stdout.starts_with("500 rows, "), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_read_or_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let csv = "ip,port,service,outcome\n192.0.2.1,21,ftp,silent\n";
    for (name, content) in [
        ("rows.csv", csv),
        ("again.csv", csv),
        ("same.ndjson", "{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\"}\n"),
        ("broken.ndjson", "{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\"}\n{]\n{}\n"),
        ("headless.csv", "192.0.2.1,21,ftp,silent\n"),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    let table: [(&[&str], i32, &str); 13] = [
        (&[], 2, "error: the following required arguments were not provided"),
        (&["rows.csv", "./rows.csv"], 2, "hailer: ./rows.csv is named twice"),
        (&["rows.csv", "again.csv"], 2, "hailer: rows.csv and again.csv hold the same rows"),
        (&["rows.csv", "same.ndjson"], 2, "hailer: rows.csv and same.ndjson hold the same rows"),
        (&["rows.csv", "-o", "rows.csv", "--overwrite"], 2, "hailer: -o rows.csv: the rows come from there"),
        (&["rows.csv", "-o", "again.csv"], 2, "hailer: -o again.csv: it exists: name another file, or replace it"),
        (&["rows.csv", "-o", "out.xls"], 2, "hailer: -o out.xls: name it .csv, .ndjson or .jsonl"),
        (&["rows.csv", "-o", "no/such/out.csv"], 1, "hailer: cannot write no/such/out.csv: "),
        (&["nosuch.csv"], 1, "hailer: cannot read nosuch.csv: "),
        (&["broken.ndjson", "-o", "out.csv"], 1, "hailer: broken.ndjson:2:2: this is not a JSON object on one line"),
        (&["headless.csv"], 1, "hailer: headless.csv:1: this is not the header of rows: there is no column 'ip'."),
        (&["rows.csv", "--our-address", "0.0.0.0"], 2, "hailer: 0.0.0.0 is not an address that anybody sees us at"),
        (&["."], 1, "hailer: cannot read .: "),
    ];
    for (words, code, told) in table {
        let ended = run(&mut report(folder, words));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(told), "{words:?}: {}", ended.stderr);
    }
    // Nothing was left of what failed.
    assert_eq!(fs::read_dir(folder).unwrap().count(), 5);
    reported(folder, &["rows.csv", "-o", "again.csv", "--overwrite"]);
    assert_eq!(fs::read_to_string(folder.join("again.csv")).unwrap().lines().count(), 2);
}
