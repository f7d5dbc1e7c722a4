//! `hailer report`: results read back, what all of them together say, and the rows written out again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::program::{Ended, hailer, hailer_in, rows_in, run, scan, skip, succeeds, through_shell};
use super::workbook::column;

fn report(folder: &Path, words: &[&str]) -> Command {
    let mut command = hailer(["report"]);
    command.args(words).current_dir(folder);
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

/// One manifest is of both outputs of a scan. Where the one that it lies beside is replaced, the other keeps it.
#[test]
fn a_manifest_goes_with_the_output_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ended = run(scan(["127.0.0.1:1=ftp", "--all", "-o", "x.csv", "-o", "y.ndjson"]).current_dir(folder));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let [first, other] = ["x.csv.manifest.json", "y.ndjson.manifest.json"].map(|name| folder.join(name));
    let manifest = fs::read(&first).unwrap();
    let diff = || run(&mut hailer_in(folder, "diff y.ndjson y.ndjson.copy.ndjson"));
    fs::copy(folder.join("y.ndjson"), folder.join("y.ndjson.copy.ndjson")).unwrap();
    let before = diff().stderr;
    reported(folder, &["y.ndjson", "-o", "x.csv", "--csv", "excel", "--overwrite"]);
    assert_eq!((first.exists(), fs::read(&other).unwrap()), (false, manifest));
    assert_eq!(diff().stderr, before);
    // Nothing is left that it is of.
    reported(folder, &["x.csv", "-o", "y.ndjson", "--overwrite"]);
    assert!(!first.exists() && !other.exists());
}

/// As in a container: what is mounted there is not replaced, and its manifest goes nowhere.
#[test]
fn what_cannot_be_replaced_keeps_its_manifest() {
    let unshare: &[&str] = &["unshare", "--mount", "--map-root-user"];
    if let Err(why) = succeeds(Command::new(unshare[0]).args(&unshare[1..]).arg("true")) {
        return skip(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("rows.ndjson"), network()).unwrap();
    let names = ["mounted.csv", "x.csv", "x.csv.manifest.json", "stdout.manifest.json"];
    for name in names {
        fs::write(folder.join(name), name).unwrap();
    }
    let onto_x = report(folder, &["rows.ndjson", "-o", "x.csv", "--overwrite"]);
    let ended = run(through_shell(unshare, "mount --bind mounted.csv x.csv", &onto_x).current_dir(folder));
    let told = "hailer: cannot write x.csv: Device or resource busy (os error 16); where it is a mount point it cannot be \
         replaced: name a file in a folder\n";
    assert_eq!((ended.code, ended.stderr.replace(&format!("{}/", folder.display()), "").as_str()), (Some(1), told));
    // A stream has none.
    reported(folder, &["rows.ndjson", "-o", "-"]);
    assert_eq!(names.map(|name| fs::read_to_string(folder.join(name)).unwrap()), names);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 5);
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

/// Pipes can be read once only, and are read twice all the same.
#[test]
fn a_pipe_with_a_path_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, rows) = (folder.path().join("pipe"), network());
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Opening it waits for whoever reads.
    let writer = std::thread::spawn(move || fs::write(pipe, rows));
    let told = reported(folder.path(), &["pipe", "-o", "out.ndjson"]);
    writer.join().unwrap().unwrap();
    assert!(told.starts_with("501 rows, "), "{told}");
    assert_eq!(rows_in(&folder.path().join("out.ndjson")).len(), 501);
}

#[test]
fn keys_of_others_are_columns_of_csv() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let row = r#"{"ip":"192.0.2.1","port":21,"service":"ftp","outcome":"silent","chain":[],"owner":"team1","#;
    let keys = |count: usize| (0..count).map(|number| format!(r#""k{number}":1"#)).collect::<Vec<_>>().join(",");
    fs::write(folder.join("few.ndjson"), format!("{row}{}}}\n", keys(1))).unwrap();
    reported(folder, &["few.ndjson", "-o", "few.csv", "-o", "few.xlsx"]);
    let csv = fs::read_to_string(folder.join("few.csv")).unwrap();
    assert!(csv.contains(",attempts,owner,k0\n") && csv.ends_with(",team1,1\n"), "{csv}");
    assert_eq!(column(&folder.join("few.xlsx"), "Endpoints", "owner"), ["team1"]);
    fs::write(folder.join("many.ndjson"), format!("{row}{}}}\n", keys(64))).unwrap();
    // Where columns were chosen nothing is missing, but in a workbook.
    let chosen = ["--columns", "ip,k63", "-o", "chosen.csv"];
    let outputs: [(&[&str], bool); 3] = [(&["-o", "many.csv"], true), (&chosen, false), (&["-o", "many.xlsx"], true)];
    for (words, is_told) in outputs {
        let ended = run(&mut report(folder, &[&["many.ndjson"], words].concat()));
        let told = "rows have more than 64 columns that are none of ours: 'k63' and others are in NDJSON alone";
        assert_eq!((ended.code, ended.stderr.starts_with(told)), (Some(0), is_told), "{words:?}: {}", ended.stderr);
    }
    assert_eq!(fs::read_to_string(folder.join("chosen.csv")).unwrap(), "ip,k63\n192.0.2.1,1\n");
    let both = run(&mut report(folder, &[&["many.ndjson", "-o", "both.xlsx", "--overwrite"], &chosen[..]].concat()));
    assert!(both.code == Some(0) && both.stderr.contains("'k62' and others"), "{}", both.stderr);
}

/// What is guarded is read as it was, also a column's name, and an apostrophe that guards nothing stays.
#[test]
fn names_and_apostrophes_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let csv = "ip,port,service,outcome,banner,'=1+1\n192.0.2.1,21,ftp,greeted,'t was,'=2\n";
    fs::write(folder.join("rows.csv"), csv).unwrap();
    for (from, to) in [("rows.csv", "one.csv"), ("one.csv", "two.csv")] {
        reported(folder, &[from, "-o", to, "--columns", "ip,port,service,outcome,banner,=1+1"]);
    }
    let [one, two] = ["one.csv", "two.csv"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    assert_eq!(one, csv.replace("'t was", "''t was"));
    assert_eq!(two, one);
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
        ("book.xlsx", "PK\x03\x04"),
        ("page.html", "<!DOCTYPE html>\n<html>"),
        ("left.csv.hailer", "{}"),
        ("gone.csv.manifest.json", "{}"),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("nowhere.csv", folder.join("link.csv")).unwrap();
    let table: [(&[&str], i32, &str); 19] = [
        (&[], 2, "error: the following required arguments were not provided"),
        (&["rows.csv", "./rows.csv"], 2, "hailer: ./rows.csv is named twice"),
        (&["rows.csv", "again.csv"], 2, "hailer: rows.csv and again.csv hold the same rows"),
        (&["rows.csv", "same.ndjson"], 2, "hailer: rows.csv and same.ndjson hold the same rows"),
        (&["rows.csv", "-o", "rows.csv", "--overwrite"], 2, "hailer: -o rows.csv: the rows come from there"),
        (&["rows.csv", "-o", "again.csv"], 2, "hailer: -o again.csv: it exists: name another file, or replace it"),
        (&["rows.csv", "-o", "out.xls"], 2, "hailer: -o out.xls: name it .csv, .ndjson, .jsonl, .xlsx or .html"),
        (
            &["rows.csv", "-o", "no/such/out.csv"],
            1,
            "hailer: cannot write no/such/out.csv: No such file or directory (os error 2); create its directory first",
        ),
        (&["nosuch.csv"], 1, "hailer: cannot read nosuch.csv: "),
        (&["broken.ndjson", "-o", "out.csv"], 1, "hailer: broken.ndjson:2:2: this is not a JSON object on one line"),
        (&["headless.csv"], 1, "hailer: headless.csv:1: this is not the header of rows: there is no column 'ip'."),
        (&["rows.csv", "--our-address", "0.0.0.0"], 2, "hailer: 0.0.0.0 is not an address that anybody sees us at"),
        (&["."], 1, "hailer: cannot read .: "),
        (&["book.xlsx"], 1, "hailer: book.xlsx:1: this is a workbook, which cannot be read back: give the rows"),
        (&["page.html"], 1, "hailer: page.html:1: this is a page, which cannot be read back: give the rows"),
        (&["rows.csv", "-o", "link.csv"], 2, "hailer: -o link.csv: it exists: name another file, or replace it"),
        (&["rows.csv", "-o", "left.csv"], 2, "hailer: -o left.csv: an unfinished scan wrote it: name another file"),
        (&["rows.csv", "-o", "left.csv", "--overwrite"], 2, "hailer: -o left.csv: an unfinished scan wrote it"),
        (&["rows.csv", "-o", "gone.csv"], 2, "hailer: -o gone.csv: it is gone, but its manifest is there"),
    ];
    for (words, code, told) in table {
        let ended = run(&mut report(folder, words));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(told), "{words:?}: {}", ended.stderr);
    }
    // Nothing was left of what failed.
    assert_eq!(fs::read_dir(folder).unwrap().count(), 10);
    reported(folder, &["rows.csv", "-o", "again.csv", "--overwrite"]);
    assert_eq!(fs::read_to_string(folder.join("again.csv")).unwrap().lines().count(), 2);
}

#[test]
fn rows_are_written_again_in_any_layout_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("rows.ndjson"), network()).unwrap();
    let told = reported(folder, &["rows.ndjson", "-o", "plain.ndjson"]);
    let plain = fs::read_to_string(folder.join("plain.ndjson")).unwrap();
    assert_eq!(reported(folder, &["rows.ndjson", "-o", "-"]), plain);
    for words in ["--csv excel --delimiter ;", "--csv raw", "--csv raw --delimiter tab", "--csv default --delimiter |"]
    {
        let mut all: Vec<_> = vec!["rows.ndjson", "-o", "laid.csv", "--overwrite"];
        all.extend(words.split(' '));
        assert_eq!(reported(folder, &all), told);
        let to_stdout: Vec<_> = ["rows.ndjson", "-o", "-"].into_iter().chain(words.split(' ')).collect();
        assert_eq!(reported(folder, &to_stdout), fs::read_to_string(folder.join("laid.csv")).unwrap(), "{words}");
        // They are the same rows in any dialect.
        let both = run(&mut report(folder, &["plain.ndjson", "laid.csv"]));
        assert!(both.code == Some(2) && both.stderr.contains("hold the same rows"), "{words}: {}", both.stderr);
        // What others say more is in the rows already.
        let again = reported(folder, &["laid.csv", "-o", "again.ndjson", "--overwrite"]);
        assert_eq!(again.replace("501 rows\n", "501 rows, 500 of which others say more\n"), told, "{words}");
        let expected = rows_in(&folder.join("plain.ndjson"));
        // Spreadsheets have no microseconds.
        let kept = |mut row: Value| {
            if let Some(time) = row.get_mut("time").filter(|_| words.contains("excel")) {
                *time = time.as_str().unwrap()[..19].into();
            }
            row
        };
        for (again, expected) in rows_in(&folder.join("again.ndjson")).into_iter().zip(expected) {
            assert_eq!(kept(again), kept(expected), "{words}");
        }
    }
    let chosen = ["rows.ndjson", "--columns", "port,note,ip", "-o", "chosen.csv", "-o", "chosen.ndjson"];
    assert_eq!(reported(folder, &chosen), told);
    let csv = fs::read_to_string(folder.join("chosen.csv")).unwrap();
    assert!(csv.starts_with("port,note,ip\n21,kept,192.0.2.0\n"), "{csv}");
    let ndjson = fs::read_to_string(folder.join("chosen.ndjson")).unwrap();
    assert!(ndjson.starts_with("{\"port\":21,\"note\":\"kept\",\"ip\":\"192.0.2.0\"}\n"), "{ndjson}");
}

/// What is added to a file that is read would be read in turn, and so on: nothing is, also where it has another name.
#[test]
fn what_is_read_is_not_where_stdout_goes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("rows.ndjson"), network()).unwrap();
    reported(folder, &["rows.ndjson", "-o", "rows.csv"]);
    fs::copy(folder.join("rows.ndjson"), folder.join("old.ndjson")).unwrap();
    fs::hard_link(folder.join("rows.ndjson"), folder.join("name.ndjson")).unwrap();
    std::os::unix::fs::symlink("rows.ndjson", folder.join("link.ndjson")).unwrap();
    let ended = |to: &str, words: &str, from: &str| {
        let before = fs::read(folder.join(to)).unwrap();
        // Where it is not refused, it ends at some length.
        let onto = format!("ulimit -f 4096\nexec < {from} >> {to}");
        let ended = run(through_shell(&[], &onto, &hailer(words.split(' '))).current_dir(folder));
        let is_as_it_was = fs::read(folder.join(to)).unwrap() == before;
        (ended.code, ended.stderr.lines().last().unwrap_or_default().to_owned(), is_as_it_was)
    };
    let words = "stdout goes there, and would be added to what is read: send it to another file";
    for (to, command, from, name) in [
        ("rows.ndjson", "report rows.ndjson -o -", "/dev/null", "rows.ndjson"),
        ("rows.ndjson", "report old.ndjson link.ndjson", "/dev/null", "link.ndjson"),
        ("rows.ndjson", "report - -o -", "name.ndjson", "stdin"),
        ("rows.csv", "report rows.csv --csv default -o -", "/dev/null", "rows.csv"),
        ("rows.ndjson", "diff old.ndjson rows.ndjson", "/dev/null", "rows.ndjson"),
        ("rows.ndjson", "diff -q rows.ndjson old.ndjson -o -", "/dev/null", "rows.ndjson"),
        ("rows.csv", "diff --expect rows.csv rows.ndjson", "/dev/null", "rows.csv"),
        ("rows.ndjson", "classify -q name.ndjson", "/dev/null", "name.ndjson"),
        ("rows.ndjson", "classify -q", "rows.ndjson", "stdin"),
    ] {
        assert_eq!(ended(to, command, from), (Some(2), format!("hailer: {name}: {words}"), true), "{command}");
    }
    // Nothing goes there.
    let (code, _, is_as_it_was) = ended("rows.ndjson", "diff -q old.ndjson rows.ndjson", "/dev/null");
    assert_eq!((code, is_as_it_was), (Some(0), true));
}

#[test]
fn a_layout_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.ndjson"), network()).unwrap();
    for (words, told) in [
        ("--columns ip", "--csv, --delimiter and --columns are for rows: name a file for them"),
        ("--csv raw -o out.ndjson", "--csv: none of the outputs is CSV"),
        ("--columns ip,softwear -o out.csv", "there is no column 'softwear': did you mean 'software'?"),
        ("--columns ip,chain -o out.csv", "CSV has no cell for 'chain'"),
        ("--columns ip,ip -o out.csv", "the column 'ip' is named twice"),
        // Escaped, and that once.
        ("--columns \x1b[31m -o out.csv", r"there is no column '\x1b[31m': the README"),
    ] {
        let words: Vec<_> = ["rows.ndjson"].into_iter().chain(words.split(' ')).collect();
        let ended = run(&mut report(folder.path(), &words));
        assert_eq!(ended.code, Some(2), "{words:?}");
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}
