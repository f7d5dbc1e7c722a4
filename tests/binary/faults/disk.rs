//! Disks that are full, at whatever moment: the scan says so and ends, and goes on once there is room. And disks that stall,
//! which delay what is begun, and falsify nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::pipe::{assert_true, slow_peer};
use crate::peers::{Gate, Peer, Step, polite};
use crate::program::{Running, rows_in, run, scan, skip, succeeds, through_shell};
use crate::workbook::column;

const UNSHARE: &[&str] = &["unshare", "--mount", "--map-root-user"];

/// Nothing listens there, so that each has its row at once; some 20 kB of them.
const ENDPOINTS: usize = 128;

/// Scans onto a disk of so many kB, which is then made large, and goes on if there is something to go on with. What each run
/// answered and said, and what is on the disk in the end, is left in the folder.
fn on_small_disk(folder: &Path, size: u32, outputs: &[&str]) {
    let words = ["127.0.0.0/25:1=smtp", "--all", "--rate", "200", "-q"].into_iter();
    let command = scan(words.chain(outputs.iter().flat_map(|output| ["-o", *output])));
    let script = format!(
        "mount -t tmpfs -o size={size}k none /mnt\n\
         \"$0\" \"$@\" 2>first.stderr && echo 0 >first || echo $? >first\n\
         mount -o remount,size=64m /mnt\n\
         for journal in /mnt/*.hailer ./*.hailer; do\n\
           [ -e \"$journal\" ] || continue\n\
           \"$0\" scan -q --resume \"$journal\" 2>second.stderr && echo 0 >second || echo $? >second\n\
         done\n\
         cp -a /mnt/. .\nexec true"
    );
    let ended = run(through_shell(UNSHARE, &script, &command).current_dir(folder));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// The addresses in an output, each once; every row is whole.
fn addresses(path: &Path) -> Vec<String> {
    let mut addresses: Vec<String> = if path.extension().is_some_and(|ending| ending == "csv") {
        let mut csv = csv::Reader::from_path(path).unwrap();
        let column = csv.headers().unwrap().iter().position(|column| column == "ip").unwrap();
        csv.records().map(|record| record.unwrap()[column].to_owned()).collect()
    } else if path.extension().is_some_and(|ending| ending == "xlsx") {
        column(path, "Endpoints", "ip")
    } else {
        rows_in(path).iter().map(|row| row["ip"].to_string()).collect()
    };
    let rows = addresses.len();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), rows, "none twice in {}", path.display());
    addresses
}

/// Which of these could not be written for want of room, on one disk size or another.
fn full_at(sizes: &[u32], outputs: &[&str], must_fill: &[&str]) {
    let disk = ["mount", "-t", "tmpfs", "none", "/mnt"];
    if let Err(why) = succeeds(Command::new(UNSHARE[0]).args(&UNSHARE[1..]).args(disk)) {
        return skip(&why);
    }
    let mut said = String::new();
    for size in sizes {
        let folder = tempfile::tempdir().unwrap();
        on_small_disk(folder.path(), *size, outputs);
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let (first, words) = (read("first"), read("first.stderr"));
        match first.trim() {
            "0" => assert_eq!((read("second"), words.as_str()), (String::new(), ""), "{size} kB"),
            code => {
                assert_eq!(code, "1", "{size} kB: {words}");
                let last = words.lines().last().unwrap_or_default();
                let is_told = last.contains("No space left on device") && last.contains("make room for it");
                assert!(is_told, "{size} kB: {words}");
                assert_eq!(read("second"), "0\n", "{size} kB: {}", read("second.stderr"));
                said.push_str(&words);
            }
        }
        for output in outputs {
            let name = Path::new(output).file_name().unwrap();
            assert_eq!(addresses(&folder.path().join(name)).len(), ENDPOINTS, "{size} kB: {output}");
        }
        let first_output = Path::new(outputs[0]).file_name().unwrap().to_str().unwrap();
        assert!(folder.path().join(format!("{first_output}.manifest.json")).exists(), "{size} kB");
    }
    for name in must_fill {
        assert!(said.contains(&format!("hailer: cannot write {name}: No space left")), "never full: {name}\n{said}");
    }
}

#[test]
fn a_disk_that_fills_at_any_moment_costs_no_row() {
    // The smallest disk takes the first journal alone, the largest all but a part of the last; a page is 4 kB.
    full_at(&[4, 8, 16, 20, 24, 64], &["/mnt/rows.ndjson"], &["/mnt/rows.ndjson", "/mnt/rows.ndjson.hailer"]);
    full_at(&[8, 20, 64], &["/mnt/rows.csv"], &["/mnt/rows.csv"]);
}

/// Be it that rows find no room, or that the workbook does which is made of them.
#[test]
fn a_disk_that_fills_under_a_workbook_costs_no_row() {
    let fill = ["/mnt/rows.xlsx.hailer", "/mnt/rows.xlsx.hailer-rows"];
    full_at(&[4, 8, 16, 20, 24, 64], &["/mnt/rows.xlsx"], &fill);
}

#[test]
fn of_two_disks_one_may_be_full() {
    // The journal lies beside the first output.
    full_at(&[4, 12], &["rows.csv", "/mnt/rows.ndjson"], &["/mnt/rows.ndjson"]);
    full_at(&[8], &["/mnt/rows.ndjson", "rows.csv"], &["/mnt/rows.ndjson"]);
}

/// A file that loses its name takes rows where nobody finds them. That is told while the scan runs, and it goes on once the
/// file is back.
#[test]
fn an_output_that_is_moved_away_ends_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let held = Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    let quick = Peer::new(polite("220 ready\r\n"));
    let words = [held.target("smtp"), quick.target("smtp")];
    let outputs = ["-o", "rows.ndjson", "-o", "rows.csv"];
    let running = Running::start(scan(words).args(outputs).current_dir(folder.path()));
    let [rows, away] = ["rows.ndjson", "rows.1"].map(|name| folder.path().join(name));
    held.until_connected();
    quick.report();
    fs::rename(&rows, &away).unwrap();
    let ended = running.end();
    let last = ended.stderr.lines().last().unwrap();
    assert!(ended.code == Some(1) && last.contains("rows.ndjson: it was removed or renamed"), "{}", ended.stderr);
    fs::rename(&away, &rows).unwrap();
    gate.open();
    let ended = run(scan(["--resume", "rows.ndjson"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!((rows_in(&rows).len(), addresses(&rows).len()), (2, 2));
    assert_eq!(addresses(&folder.path().join("rows.csv")).len(), 2);
}

/// An image of a disk that is frozen for a while, as one that has failed and is taken back: every write and sync hangs.
/// `HAILER_STALL` gives it other seconds.
#[test]
fn a_disk_that_stalls_falsifies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let make = "truncate -s 32M disk; mkfs.ext4 -q disk; mount -o loop disk /mnt";
    let try_it = format!("{make}; fsfreeze -f /mnt; fsfreeze -u /mnt");
    let mut shell = Command::new("unshare");
    if let Err(why) = succeeds(shell.args(["--mount", "sh", "-ec", &try_it]).current_dir(folder.path())) {
        return skip(&why);
    }
    let stall = std::env::var("HAILER_STALL").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(8_u32);
    let peers: Vec<_> = (0..8).map(|_| slow_peer()).collect();
    let words = ["127.0.0.0/19:1=smtp", "--all", "--concurrency", "64", "--rate", "2000", "-o", "/mnt/rows.ndjson"];
    let words = peers.iter().map(|peer| peer.target("smtp")).chain(words.map(str::to_owned));
    let script = format!(
        "{make}\n\"$0\" \"$@\" 2>stderr & scan=$!\n\
         until [ -s /mnt/rows.ndjson ]; do kill -0 $scan; sleep 0.05; done\n\
         fsfreeze -f /mnt; sleep {stall}; fsfreeze -u /mnt\n\
         wait $scan\ncp -a /mnt/. .\nexec true"
    );
    let ended = run(through_shell(&["unshare", "--mount"], &script, &scan(words)).current_dir(folder.path()));
    let stderr = fs::read_to_string(folder.path().join("stderr")).unwrap();
    assert_eq!(ended.code, Some(0), "{stderr}{}", ended.stderr);
    let rows = rows_in(&folder.path().join("rows.ndjson"));
    assert_true(&rows, 8192, peers.len());
    // Had the disk stopped a clock, whoever was connected to before would have been heard after all of the stall.
    for row in rows.iter().filter(|row| row["outcome"] == "greeted") {
        assert!(row["greeting_ms"].as_f64().unwrap() < f64::from(stall) * 1000.0, "{row}");
    }
    assert!(folder.path().join("rows.ndjson.manifest.json").exists());
}
