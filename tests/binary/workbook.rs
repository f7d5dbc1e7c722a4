//! Workbooks that `hailer scan` and `hailer report` write: read back with another library, and opened by LibreOffice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use calamine::{Data, Reader, open_workbook_auto};
use nix::sys::signal::Signal::SIGINT;
use nix::sys::stat::Mode;
use serde_json::{Value, json};

use super::peers::{Gate, Peer, Step, polite};
use super::program::{Ended, Running, hailer, hailer_in, rows_in, run, scan, skip, succeeds, through_shell};

/// The cells of a sheet.
pub(crate) fn sheet(path: &Path, name: &str) -> Vec<Vec<Data>> {
    let mut workbook = open_workbook_auto(path).unwrap();
    workbook.worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
}

/// What stands in a column, below its head.
pub(crate) fn column(path: &Path, sheet_name: &str, name: &str) -> Vec<String> {
    let rows = sheet(path, sheet_name);
    let place = rows[0].iter().position(|head| matches!(head, Data::String(head) if head == name)).unwrap();
    rows[1..].iter().map(|row| row[place].to_string()).collect()
}

fn report(folder: &Path, words: &[&str]) -> Ended {
    let mut command = hailer(["report"]);
    run(command.args(words).current_dir(folder))
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with(".hailer-names")).collect();
    names.sort();
    names
}

fn endpoints(path: &Path) -> BTreeMap<String, usize> {
    let mut endpoints = BTreeMap::new();
    let (ips, ports) = (column(path, "Endpoints", "ip"), column(path, "Endpoints", "port"));
    for (ip, port) in ips.into_iter().zip(ports) {
        *endpoints.entry(format!("{ip}:{port}")).or_default() += 1;
    }
    endpoints
}

fn expected(peers: &[Peer]) -> BTreeMap<String, usize> {
    peers.iter().map(|peer| (peer.address.to_string(), 1)).collect()
}

fn manifest(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_scan_writes_a_workbook_and_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let peers: Vec<_> = (0..3).map(|_| Peer::new(polite("220 m.example ESMTP Postfix\r\n"))).collect();
    let mut command = scan(peers.iter().map(|peer| peer.target("smtp")));
    let ended = run(command.args(["-o", "rows.xlsx", "-o", "rows.ndjson"]).current_dir(folder));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("\nwriting "), "{}", ended.stderr);
    assert_eq!(files(folder), ["rows.ndjson", "rows.xlsx", "rows.xlsx.manifest.json"]);
    let path = folder.join("rows.xlsx");
    assert_eq!(endpoints(&path), expected(&peers));
    let software: Vec<_> = rows_in(&folder.join("rows.ndjson")).iter().map(|row| row["software"].clone()).collect();
    assert_eq!(
        column(&path, "Endpoints", "software"),
        software.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>()
    );
    let output = &manifest(&folder.join("rows.xlsx.manifest.json"))["outputs"][0];
    let sha256 = Command::new("sha256sum").arg(&path).output().unwrap().stdout;
    let sha256 = String::from_utf8(sha256).unwrap();
    assert_eq!((&output["format"], &output["rows"]), (&json!("xlsx"), &json!(3)));
    assert_eq!(output["sha256"].as_str(), sha256.split(' ').next());
    assert_eq!(output["path"].as_str(), path.canonicalize().unwrap().to_str());
}

#[test]
fn what_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let peer = Peer::new(polite("220 ready\r\n"));
    let again = |words: &[&str]| {
        run(scan([peer.target("smtp")]).args(["-q", "-o", "rows.xlsx"]).args(words).current_dir(folder))
    };
    let refused = |words: &str| {
        let ended = again(&[]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), format!("hailer: -o rows.xlsx: {words}\n").as_str()));
    };
    fs::write(folder.join("rows.xlsx"), "precious").unwrap();
    refused("it exists: name another file, or replace it with --overwrite");
    fs::remove_file(folder.join("rows.xlsx")).unwrap();
    fs::write(folder.join("rows.xlsx.hailer-rows"), "{}\n").unwrap();
    refused(
        "rows of a scan are there whose journal is not (rows.xlsx.hailer-rows): go on with that scan (--resume with its \
         first output), or see what they are (`hailer report`), and have them replaced (--overwrite)",
    );
    fs::write(folder.join("rows.xlsx"), "precious").unwrap();
    assert_eq!(again(&["--overwrite"]).code, Some(0));
    assert_eq!(files(folder), ["rows.xlsx", "rows.xlsx.manifest.json"]);
    assert_eq!(endpoints(&folder.join("rows.xlsx")).len(), 1);
    refused("it exists: name another file, or replace it with --overwrite");
    // Whatever comes of the scan: what is there goes when there is something to take its place.
    let dead = Peer::new(vec![]).address;
    let before = fs::read(folder.join("rows.xlsx")).unwrap();
    let ended = again(&["--overwrite", "--canary", &format!("{dead}=smtp")]);
    assert_eq!(
        (ended.code, fs::read(folder.join("rows.xlsx")).unwrap() == before),
        (Some(1), true),
        "{}",
        ended.stderr
    );
    nix::unistd::mkfifo(&folder.join("pipe.xlsx"), Mode::S_IRWXU).unwrap();
    let ended = run(scan(["127.0.0.1", "-o", "pipe.xlsx"]).current_dir(folder));
    let words = "hailer: -o pipe.xlsx: it is made when all rows are there, and takes a regular file: name one\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), words));
}

/// A scan of six peers that greet when a gate opens, of which the first has greeted already.
fn held(folder: &Path) -> (Vec<Peer>, Gate, Running) {
    let gate = Gate::default();
    let mut peers = vec![Peer::new(polite("220 ready\r\n"))];
    let held = || Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat());
    peers.extend((0..5).map(|_| held()));
    let mut command = scan(["--concurrency", "2", "--seed", "7", "-o", "rows.xlsx", "-o", "rows.csv"]);
    command.args(peers.iter().map(|peer| peer.target("smtp"))).current_dir(folder);
    let running = Running::start(&mut command);
    running.says("seed 7");
    (peers, gate, running)
}

#[test]
fn a_stopped_scan_says_where_its_rows_are_and_has_them_all_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (peers, gate, running) = held(folder);
    running.signal(SIGINT);
    running.says("stopping: ");
    gate.open();
    let ended = running.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let rows = folder.canonicalize().unwrap().join("rows.xlsx.hailer-rows");
    let words =
        format!("the rows so far are in {}, as NDJSON\ngo on with: hailer scan --resume rows.xlsx\n", rows.display());
    assert!(ended.stderr.ends_with(&words), "{}", ended.stderr);
    assert_eq!(files(folder), ["rows.csv", "rows.xlsx.hailer", "rows.xlsx.hailer-rows"]);
    let so_far = rows_in(&rows).len();
    assert!((1..6).contains(&so_far), "{so_far}");
    let ended = report(folder, &["rows.xlsx.hailer-rows", "-o", "part.xlsx"]);
    assert_eq!((ended.code, endpoints(&folder.join("part.xlsx")).len()), (Some(0), so_far), "{}", ended.stderr);
    fs::remove_file(folder.join("part.xlsx")).unwrap();

    // Another scan does not take its place.
    let ended = run(scan(["127.0.0.1", "-o", "rows.xlsx"]).current_dir(folder));
    let words =
        "hailer: -o rows.xlsx: an unfinished scan wrote it: go on with it (--resume) or replace it (--overwrite)\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), words));

    let ended = run(scan(["--resume", "rows.xlsx"]).current_dir(folder));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(files(folder), ["rows.csv", "rows.xlsx", "rows.xlsx.manifest.json"]);
    assert_eq!(endpoints(&folder.join("rows.xlsx")), expected(&peers));
    let outputs = &manifest(&folder.join("rows.xlsx.manifest.json"))["outputs"];
    assert_eq!((&outputs[0]["rows"], &outputs[1]["rows"]), (&json!(6), &json!(6)));
}

#[test]
fn rows_whose_file_is_gone_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_peers, gate, running) = held(folder);
    running.signal(SIGINT);
    running.says("stopping: ");
    gate.open();
    assert_eq!(running.end().code, Some(3));
    fs::rename(folder.join("rows.xlsx.hailer-rows"), folder.join("moved")).unwrap();
    let resume = || run(scan(["--resume", "rows.xlsx"]).current_dir(folder));
    let ended = resume();
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("rows.xlsx.hailer-rows with its rows cannot be gone on with: No such file"),
        "{}",
        ended.stderr
    );
    fs::write(folder.join("rows.xlsx.hailer-rows"), "").unwrap();
    let ended = resume();
    assert!(ended.stderr.contains("with its rows is shorter than its journal says"), "{}", ended.stderr);
    fs::rename(folder.join("moved"), folder.join("rows.xlsx.hailer-rows")).unwrap();
    assert_eq!(resume().code, Some(0));
}

/// What takes the workbook's place while the scan runs costs no row.
#[test]
fn a_workbook_that_cannot_be_written_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (peers, gate, running) = held(folder);
    fs::create_dir_all(folder.join("rows.xlsx/full")).unwrap();
    gate.open();
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("hailer: cannot write ") && ended.stderr.contains("--resume rows.xlsx"),
        "{}",
        ended.stderr
    );
    assert_eq!(files(folder), ["rows.csv", "rows.xlsx", "rows.xlsx.hailer", "rows.xlsx.hailer-rows"]);
    fs::remove_dir_all(folder.join("rows.xlsx")).unwrap();
    let ended = run(scan(["--resume", "rows.xlsx"]).current_dir(folder));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(endpoints(&folder.join("rows.xlsx")), expected(&peers));
    assert!(peers.iter().all(|peer| peer.connections() == 1), "nothing is probed twice");
}

#[test]
fn a_report_goes_to_a_pipe_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("rows.csv"), "ip,port,service,outcome,version\n192.0.2.1,21,ftp,greeted,4.90\n").unwrap();
    let pipe = folder.join("pipe.xlsx");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let (from, to) = (pipe, folder.join("copy.xlsx"));
    let reader = thread::spawn(move || std::io::copy(&mut File::open(from).unwrap(), &mut File::create(to).unwrap()));
    let ended = report(folder, &["rows.csv", "-o", "pipe.xlsx"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    reader.join().unwrap().unwrap();
    assert_eq!(column(&folder.join("copy.xlsx"), "Endpoints", "version"), ["4.90"]);
}

/// Many rows with a long greeting each, which a small disk has no room for.
#[test]
fn a_full_disk_is_told_without_a_panic() {
    let unshare: &[&str] = &["unshare", "--mount", "--map-root-user"];
    let disk = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", "/mnt"];
    if let Err(why) = succeeds(Command::new(unshare[0]).args(&unshare[1..]).args(disk)) {
        return skip(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let row = |host: usize| {
        let row = json!({ "ip": format!("192.0.2.{host}"), "port": 21, "service": "ftp", "outcome": "greeted",
            "banner": format!("220 {}", "long ".repeat(1_000)) });
        format!("{row}\n")
    };
    fs::write(folder.join("rows.ndjson"), (0..200).map(row).collect::<String>()).unwrap();
    let command = hailer(["report", "rows.ndjson", "-o", "/mnt/rows.xlsx"]);
    let script = format!("{}\n\"$0\" \"$@\" || code=$?\nls /mnt\nexit $code", disk.join(" "));
    let ended = run(through_shell(unshare, &script, &command).current_dir(folder));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.starts_with("hailer: cannot write /mnt/rows.xlsx: ") && ended.stderr.lines().count() == 1,
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("No space left on device") && ended.stderr.contains("make room"), "{}", ended.stderr);
}

/// What a spreadsheet could take for more than text.
const HOSTILE: [&str; 12] = [
    "=1+1",
    "=HYPERLINK(\"http://192.0.2.1/\",\"x\")",
    "=WEBSERVICE(\"http://192.0.2.1/\")",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "'=1+1",
    "_x003D_1+1",
    "<f>1+1</f>]]>&amp;",
    "http://192.0.2.1/",
    "2026-11-21",
];

/// LibreOffice's own view of a file, in a folder of its own; none where there is no LibreOffice.
fn converted(path: &Path, to: &str) -> Option<PathBuf> {
    if let Err(why) = succeeds(Command::new("soffice").arg("--version")) {
        skip(&format!("LibreOffice is not here (libreoffice-calc-nogui): {why}"));
        return None;
    }
    let (folder, profile) = (path.with_extension("converted"), path.with_extension("profile"));
    let mut office = Command::new("soffice");
    office.arg(format!("-env:UserInstallation=file://{}", profile.display())).args(["--headless", "--convert-to", to]);
    succeeds(office.arg("--outdir").arg(&folder).arg(path)).unwrap();
    Some(folder)
}

#[test]
fn libreoffice_shows_what_the_rows_say_and_evaluates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let row = |(host, words): (usize, &&str)| {
        let row = json!({
            "time": "2026-11-21T03:11:00.250000Z", "ip": format!("192.0.2.{host}"), "port": 25, "service": "smtp",
            "outcome": "greeted", "banner": words, "hostname": words, "software": words, "version": "4.90",
            "cert_subject": words, "cert_sha256": format!("{host:064}"), "cert_not_after": "2027-01-01T00:00:00Z",
            "truncated": true, "connect_ms": 12.5, "severity": "high", "findings": ["cleartext_auth"],
            "findings_detail": [{ "id": "cleartext_auth", "severity": "high", "detail": words }],
        });
        format!("{row}\n")
    };
    fs::write(folder.join("rows.ndjson"), HOSTILE.iter().enumerate().map(row).collect::<String>()).unwrap();
    let ended = report(&folder, &["rows.ndjson", "-o", "rows.xlsx"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // All sheets as they are shown, formulas as their values.
    let csv = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1";
    let Some(shown) = converted(&folder.join("rows.xlsx"), csv) else { return };
    let read = |sheet: &str| {
        let reader = csv::ReaderBuilder::new().flexible(true).from_path(shown.join(format!("rows-{sheet}.csv")));
        let mut reader = reader.unwrap();
        let heads = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        move |name: &str| -> Vec<String> {
            let place = heads.iter().position(|head| head == name).unwrap();
            rows.iter().map(|row| row[place].to_owned()).collect()
        }
    };
    let of_endpoints = read("Endpoints");
    for name in ["banner", "hostname", "software", "cert_subject"] {
        assert_eq!(of_endpoints(name), HOSTILE, "{name}");
    }
    for (name, expected) in [
        ("time", "2026-11-21 03:11:00"),
        ("cert_not_after", "2027-01-01 00:00:00"),
        ("version", "4.90"),
        ("port", "25"),
        ("connect_ms", "12.5"),
        ("truncated", "TRUE"),
        ("severity", "high"),
    ] {
        assert!(of_endpoints(name).iter().all(|cell| cell == expected), "{name}: {:?}", of_endpoints(name));
    }
    assert_eq!(read("Findings")("what was seen"), HOSTILE);
    assert_eq!(read("Certificates")("cert_subject"), HOSTILE);
    let mut software = read("Software")("software");
    software.truncate(HOSTILE.len());
    let mut sorted = HOSTILE.to_vec();
    sorted.sort_unstable();
    assert_eq!(software, sorted);
    let summary = fs::read_to_string(shown.join("rows-Summary.csv")).unwrap();
    assert!(summary.contains("=1+1") && !summary.contains("#NAME") && !summary.contains("Err:"), "{summary}");
    // The charts, too, are such that it can draw them.
    let pdf = converted(&folder.join("rows.xlsx"), "pdf").unwrap().join("rows.pdf");
    assert!(fs::read(pdf).unwrap().starts_with(b"%PDF-"));
}

/// Nor is its manifest taken away: nobody has said that it may be replaced.
#[test]
fn what_comes_while_a_report_is_made_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let pipe = folder.join("rows.pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut command = hailer_in(folder, "report rows.pipe -o z.xlsx");
    let report = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It is there once it is read from, and that is after the report has looked where it is to go.
    let mut rows = File::options().write(true).open(&pipe).unwrap();
    for name in ["z.xlsx", "z.xlsx.manifest.json"] {
        fs::write(folder.join(name), "precious").unwrap();
    }
    rows.write_all(b"ip,port,service,outcome\n192.0.2.1,25,smtp,greeted\n").unwrap();
    drop(rows);
    let ended = report.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains("z.xlsx: something has come there meanwhile, and is not replaced"), "{stderr}");
    assert_eq!(ended.status.code(), Some(1));
    for name in ["z.xlsx", "z.xlsx.manifest.json"] {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "precious");
    }
}

#[test]
fn differences_are_a_workbook_that_nothing_is_evaluated_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let row = |host: usize, words: &str, version: &str| {
        let row = json!({
            "ip": format!("192.0.2.{host}"), "port": 25, "service": "smtp", "outcome": "greeted", "hostname": words,
            "software": "Exim", "version": version,
        });
        format!("{row}\n")
    };
    let old: String = (0..HOSTILE.len()).map(|host| row(host, "m.example", "4.90")).collect();
    let new: String = HOSTILE.iter().enumerate().map(|(host, words)| row(host, words, "4.10")).collect();
    fs::write(folder.join("old.ndjson"), old).unwrap();
    fs::write(folder.join("new.ndjson"), new + "{\"ip\":").unwrap();
    let inventory = "ip,port,version\n192.0.2.0,25,4.90\n192.0.2.200,25,\n";
    fs::write(folder.join("inventory.csv"), inventory).unwrap();
    let diff = |words: &[&str]| {
        let mut command = hailer(["diff"]);
        let ended = run(command.args(words).args(["-q", "--overwrite"]).current_dir(&folder));
        assert_eq!(ended.code, Some(5), "{}", ended.stderr);
        ended.stderr
    };
    diff(&["old.ndjson", "new.ndjson", "-o", "c.xlsx", "-o", "c.csv", "-o", "c.ndjson"]);
    let path = folder.join("c.xlsx");
    // Cell by cell what NDJSON says.
    let changes = rows_in(&folder.join("c.ndjson"));
    let fields: Vec<_> = changes
        .iter()
        .flat_map(|change| change["fields"].as_array().unwrap().iter().map(move |field| (change, field)))
        .collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut expected: Vec<_> = fields
        .iter()
        .map(|(change, field)| {
            let what = Some(text(&field["what"])).filter(|what| what != "other").unwrap_or_default();
            let [from, to] = ["from", "to"].map(|name| field[name].as_str().unwrap_or_default().to_owned());
            [
                text(&field["severity"]),
                text(&change["ip"]),
                text(&change["port"]),
                text(&field["field"]),
                from,
                to,
                what,
            ]
        })
        .collect();
    let heads = ["severity", "ip", "port", "field", "before", "now", "what it means"];
    let columns = heads.map(|name| column(&path, "Changes", name));
    let mut told: Vec<_> = (0..columns[0].len()).map(|at| columns.each_ref().map(|cells| cells[at].clone())).collect();
    assert_eq!(told.len(), 2 * HOSTILE.len());
    let severities = ["high", "medium", "low", "info"];
    let rank = |line: &[String; 7]| severities.iter().position(|severity| *severity == line[0]);
    assert!(told.is_sorted_by_key(rank), "the worst first");
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    let is_text = |cell: &Data| matches!(cell, Data::String(_));
    let [ip, port] = ["ip", "port"].map(|name| heads.iter().position(|head| *head == name).unwrap());
    assert!(is_text(&sheet(&path, "Changes")[1][ip + 1]) && !is_text(&sheet(&path, "Changes")[1][port + 1]));
    assert_eq!(column(&path, "Endpoints", "kind"), vec!["changed"; HOSTILE.len()]);
    let says = |path: &Path, words: &str| {
        let summary = sheet(path, "Summary");
        assert!(summary.iter().flatten().any(|cell| *cell == *words), "{words:?} is not in {summary:?}");
    };
    says(&path, "What changed");
    says(&path, "new.ndjson: line 13 broke off, and is left out");
    says(&path, "there is no manifest beside it, so that nothing says what was probed");

    diff(&["--expect", "inventory.csv", "new.ndjson", "--only", "differs,not_scanned", "-o", "e.xlsx"]);
    let path = folder.join("e.xlsx");
    assert_eq!(column(&path, "Endpoints", "kind"), ["differs", "not_scanned"]);
    says(&path, "What should be there, and what is");
    says(&path, "These kinds alone are told: differs, not_scanned.");
    let (expected, found) = (column(&path, "Changes", "expected"), column(&path, "Changes", "found"));
    assert!(expected.contains(&"4.90".to_owned()) && found.contains(&"4.10".to_owned()), "{expected:?} {found:?}");

    // All sheets as they are shown, formulas as their values.
    let csv = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1";
    let Some(shown) = converted(&folder.join("c.xlsx"), csv) else { return };
    let text = fs::read_to_string(shown.join("c-Changes.csv")).unwrap();
    for words in HOSTILE {
        assert!(text.contains(&words.replace('"', "\"\"")), "{words}: {text}");
    }
    assert!(text.contains(",4.90,4.10,") && !text.contains("#NAME") && !text.contains("Err:"), "{text}");
    let pdf = converted(&folder.join("c.xlsx"), "pdf").unwrap().join("c.pdf");
    assert!(fs::read(pdf).unwrap().starts_with(b"%PDF-"));
}
