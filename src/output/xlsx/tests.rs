//! Workbooks read back with another library, cell by cell.

use std::io::{Cursor, Read};
use std::sync::atomic::{AtomicU32, Ordering};

use calamine::{Data, Reader, Xlsx};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::inventory::Rows;
use crate::inventory::diff::{self, ChangeWriter, Kind, Side, Source, Summary};
use crate::output::escape::inert;
use crate::output::{Column, Kind as Is};

const SMALL: (Limits, Bounds) = (Limits::EXCEL, Bounds::REPORT);

/// Rows as NDJSON has them, each with what every row needs.
fn rows(rows: &[Json]) -> Vec<Row> {
    let line = |row: &Json| {
        let mut whole = json!({ "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "greeted" });
        whole.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
        format!("{whole}\n")
    };
    let text: String = rows.iter().map(line).collect();
    Rows::new("rows", text.as_bytes()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn written(rows: &[Row], others: &[&str], bounds: (Limits, Bounds)) -> Vec<u8> {
    let others: Vec<Arc<str>> = others.iter().map(|name| (*name).into()).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut workbook = Workbook::bounded(folder.path(), &others, bounds).unwrap();
    rows.iter().try_for_each(|row| workbook.row(row)).unwrap();
    let mut file = Vec::new();
    let about = About { sources: vec!["rows.ndjson".into()], notes: vec!["a note".into()], ..About::default() };
    workbook.finish(&about, &mut file).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    file
}

fn opened(file: &[u8]) -> Xlsx<Cursor<&[u8]>> {
    Xlsx::new(Cursor::new(file)).unwrap()
}

fn sheet(file: &[u8], name: &str) -> Vec<Vec<Data>> {
    opened(file).worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
}

/// What stands in a column, below its head.
fn column(rows: &[Vec<Data>], name: &str) -> Vec<Data> {
    let place = rows[0].iter().position(|head| *head == Data::String(name.to_owned())).unwrap();
    rows[1..].iter().map(|row| row.get(place).cloned().unwrap_or(Data::Empty)).collect()
}

fn texts(cells: &[Data]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

/// Every part of the file, by its name.
fn parts(file: &[u8]) -> Vec<(String, String)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let count = archive.len();
    let read = |place| {
        let mut part = archive.by_index(place).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        (part.name().unwrap().into_owned(), text)
    };
    (0..count).map(read).collect()
}

/// A cell holds what the row says, as the column's type.
fn assert_same(cell: &Data, row: &Row, column: Column) {
    let Some(text) = row.text(column).filter(|text| !text.is_empty()) else {
        return assert_eq!(*cell, Data::Empty, "{}", column.as_str());
    };
    let text = inert(text);
    match (cell, column.kind()) {
        (Data::DateTime(date), _) => {
            assert!(matches!(column, Column::Time | Column::CertNotBefore | Column::CertNotAfter));
            let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
            let read = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}");
            assert_eq!(read.get(..19), text.get(..19), "{text}");
        }
        (Data::Float(number), Is::Number) => assert_eq!(Ok(*number), text.parse(), "{}", column.as_str()),
        (Data::Bool(flag), Is::Flag) => assert_eq!(flag.to_string(), text),
        (Data::String(read), _) => assert_eq!(*read, text, "{}", column.as_str()),
        (other, _) => panic!("{}: {other:?} for {text}", column.as_str()),
    }
}

fn assert_all_same(file: &[u8], rows: &[Row]) {
    let read = sheet(file, "Endpoints");
    let heads: Vec<_> = Column::ALL.iter().map(|column| column.as_str()).collect();
    assert_eq!(texts(&read[0])[..heads.len()], heads);
    assert_eq!(read.len(), rows.len() + 1);
    for (cells, row) in read[1..].iter().zip(rows) {
        for (place, column) in Column::ALL.into_iter().enumerate() {
            assert_same(cells.get(place).unwrap_or(&Data::Empty), row, column);
        }
    }
}

/// A row with something in each column.
fn full() -> Json {
    let mut row = json!({
        "time": "2026-11-21T03:11:00.123456Z", "cert_not_before": "2025-01-01T00:00:00Z",
        "cert_not_after": "2027-01-01T00:00:00Z", "truncated": true, "version": "4.90", "severity": "high",
        "findings": ["cleartext_auth", "no_starttls"], "evidence": [{ "code": "banner_x", "excerpt": "a; b", "ms": 12.5 }],
        "cert_sha256": "ab".repeat(32), "confidence": 95, "connect_ms": 0.25, "code": 220, "attempts": 1, "tls_ms": 4000.02,
    });
    let known = row.as_object_mut().unwrap();
    for column in Column::ALL {
        let name = column.as_str();
        let value = match column.kind() {
            Is::Number => json!(7),
            Is::List => json!(["one; two", "three"]),
            Is::Text | Is::Flag | Is::Evidence => json!(format!("the {name}")),
        };
        if !matches!(column, Column::Ip | Column::Port | Column::Service | Column::Outcome) {
            known.entry(name).or_insert(value);
        }
    }
    row
}

#[test]
fn cells_have_the_type_of_what_they_hold() {
    let rows = rows(&[full(), json!({ "outcome": "silent" })]);
    let file = written(&rows, &[], SMALL);
    assert_all_same(&file, &rows);
    let read = sheet(&file, "Endpoints");
    let cell = |name| column(&read, name)[0].clone();
    assert_eq!((cell("port"), cell("version")), (Data::Float(25.0), Data::String("4.90".into())));
    assert_eq!((cell("truncated"), cell("connect_ms")), (Data::Bool(true), Data::Float(0.25)));
    assert!(
        matches!(cell("time"), Data::DateTime(date) if date.is_datetime() && (date.as_f64() - (46_347.0 + 11_460.123_456 / 86_400.0)).abs() < 1e-9)
    );
    assert_eq!(cell("evidence"), Data::String(r"banner_x@12.5: a\; b".into()));
    assert!(read[2].iter().filter(|cell| **cell != Data::Empty).count() == 4);
}

#[test]
fn what_is_no_number_time_or_flag_stays_text() {
    let row = json!({ "time": "yesterday", "cert_not_after": "0001-01-01T00:00:00Z", "code": "=1", "truncated": "maybe",
        "attempts": "1e400" });
    let read = sheet(&written(&rows(&[row]), &[], SMALL), "Endpoints");
    let told = ["time", "cert_not_after", "code", "truncated", "attempts"].map(|name| column(&read, name)[0].clone());
    let expected = ["yesterday", "0001-01-01T00:00:00Z", "=1", "maybe", "1e400"];
    assert_eq!(told, expected.map(|text| Data::String(text.to_owned())));
}

#[test]
fn columns_of_others_stand_behind() {
    let rows = rows(&[json!({ "note": "=1+1", "=x": "\u{1b}[2J" }), json!({})]);
    let read = sheet(&written(&rows, &["note", "=x"], SMALL), "Endpoints");
    assert_eq!(texts(&read[0])[Column::ALL.len()..], ["note", "=x"]);
    assert_eq!(
        (texts(&column(&read, "note")), texts(&column(&read, "=x"))),
        (vec!["=1+1".into(), String::new()], vec![r"\x1b[2J".into(), String::new()])
    );
}

#[test]
fn sheets_roll_over_with_head_filter_and_pane() {
    let all: Vec<_> =
        (0..7).map(|host| json!({ "ip": format!("192.0.2.{host}"), "findings": ["no_starttls"] })).collect();
    let rows = rows(&all);
    let limits = Limits { rows: 4, ..Limits::EXCEL };
    let file = written(&rows, &[], (limits, Bounds::REPORT));
    let names = opened(&file).sheet_names();
    let expected = ["Summary", "Endpoints", "Endpoints 2", "Endpoints 3", "Findings", "Findings 2", "Findings 3"];
    assert_eq!(names, expected.into_iter().chain(["Certificates", "Software"]).collect::<Vec<_>>());
    let read: Vec<_> = ["Endpoints", "Endpoints 2", "Endpoints 3"].map(|name| sheet(&file, name)).into();
    assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let ips: Vec<_> = read.iter().flat_map(|sheet| texts(&column(sheet, "ip"))).collect();
    assert_eq!(ips, (0..7).map(|host| format!("192.0.2.{host}")).collect::<Vec<_>>());
    let parts = parts(&file);
    for number in 2..=7 {
        let (_, xml) = parts.iter().find(|(name, _)| *name == format!("xl/worksheets/sheet{number}.xml")).unwrap();
        assert!(xml.contains("<autoFilter ref=\"A1:") && xml.contains("ySplit=\"1\""), "{number}: {xml}");
    }
    // As many bytes as a sheet may have count as well.
    let limits = Limits { bytes: 1_000, ..Limits::EXCEL };
    assert!(opened(&written(&rows, &[], (limits, Bounds::REPORT))).sheet_names().contains(&"Endpoints 3".to_owned()));
}

#[test]
fn no_row_is_one_more_than_a_sheet_holds() {
    let of = |count| rows(&vec![json!({}); count]);
    let limits = Limits { rows: 4, ..Limits::EXCEL };
    for (count, sheets) in [(0, 1), (3, 1), (4, 2), (6, 2)] {
        let names = opened(&written(&of(count), &[], (limits, Bounds::REPORT))).sheet_names();
        assert_eq!(names.iter().filter(|name| name.starts_with("Endpoints")).count(), sheets, "{count}");
    }
}

#[test]
fn findings_come_worst_first() {
    let finding = |id, severity, detail: &str| json!({ "id": id, "severity": severity, "detail": detail });
    let rows = rows(&[
        json!({ "ip": "192.0.2.1", "findings": ["a"], "findings_detail": [finding("version_disclosed", "info", "x\u{7}")] }),
        json!({ "ip": "192.0.2.2", "software": "Postfix", "findings": ["a"],
            "findings_detail": [finding("of_another_version", "low", ""), finding("cleartext_auth", "high", "AUTH PLAIN")] }),
        json!({ "ip": "192.0.2.3", "findings": ["no_starttls"], "severity": "medium" }),
    ]);
    let read = sheet(&written(&rows, &[], SMALL), "Findings");
    assert_eq!(texts(&column(&read, "severity")), ["high", "medium", "low", "info"]);
    assert_eq!(
        texts(&column(&read, "finding")),
        ["cleartext_auth", "no_starttls", "of_another_version", "version_disclosed"]
    );
    assert_eq!(texts(&column(&read, "ip")), ["192.0.2.2", "192.0.2.3", "192.0.2.2", "192.0.2.1"]);
    assert_eq!(column(&read, "port")[0], Data::Float(25.0));
    assert_eq!(texts(&column(&read, "what was seen")), ["AUTH PLAIN", "", "", r"x\x07"]);
    let remedies = texts(&column(&read, "what to do"));
    assert!(
        remedies[0].ends_with("Postfix: smtpd_tls_auth_only = yes in main.cf.") && remedies[2].is_empty(),
        "{remedies:?}"
    );
}

fn shows(sha: &str, not_after: Option<&str>, status: &str, host: u32) -> Json {
    let mut row = json!({ "cert_sha256": sha, "cert_status": status, "ip": format!("192.0.2.{}", host % 200), "cert_names": ["a.example", "b; c"] });
    if let Some(not_after) = not_after {
        row["cert_not_after"] = json!(not_after);
    }
    row
}

#[test]
fn certificates_come_once_each_by_expiry() {
    let rows = rows(&[
        shows("late", Some("2030-01-01T00:00:00Z"), "valid", 1),
        shows("none", None, "malformed", 2),
        shows("soon", Some("2026-01-01T00:00:00Z"), "untrusted", 3),
        shows("late", Some("2030-01-01T00:00:00Z"), "name_mismatch", 4),
        json!({}),
    ]);
    let read = sheet(&written(&rows, &[], SMALL), "Certificates");
    assert_eq!(texts(&column(&read, "cert_sha256")), ["soon", "late", "none"]);
    assert_eq!(texts(&column(&read, "cert_status")), ["untrusted", "name_mismatch; valid", "malformed"]);
    assert_eq!(column(&read, "endpoints"), [1.0, 2.0, 1.0].map(Data::Float));
    assert_eq!(texts(&column(&read, "for example")), ["192.0.2.3:25", "192.0.2.1:25", "192.0.2.2:25"]);
    assert!(matches!(column(&read, "cert_not_after")[..], [Data::DateTime(_), Data::DateTime(_), Data::Empty]));
    assert_eq!(texts(&column(&read, "cert_names"))[0], r"a.example; b\; c");
}

#[test]
fn the_summary_counts() {
    let rows = rows(&[
        full(),
        json!({ "port": 21, "service": "ftp", "software": "=cmd|' /C calc'!A0", "version": "1", "tls_version": "TLSv1.3" }),
        json!({ "port": 21, "service": "ftp", "outcome": "refused", "ip": "192.0.2.9" }),
    ]);
    let file = written(&rows, &[], SMALL);
    let read = sheet(&file, "Summary");
    let has = |wanted: &[Data]| {
        let is_there = read.iter().any(|row| row.windows(wanted.len()).any(|cells| cells == wanted));
        assert!(is_there, "{wanted:?} is not in {read:#?}");
    };
    let line = |name: &str, count: f64, share: f64| [Data::String(name.into()), Data::Float(count), Data::Float(share)];
    has(&line("greeted", 2.0, 2.0 / 3.0));
    has(&line("=cmd|' /C calc'!A0", 1.0, 0.5));
    has(&line("TLSv1.3", 1.0, 0.5));
    has(&line("high", 1.0, 0.5));
    has(&[Data::String("Outcomes by port".into()), Data::String("21".into()), Data::String("25".into())]);
    has(&[Data::String("refused".into()), Data::Float(1.0), Data::Float(0.0)]);
    has(&[Data::String("Rows of rows.ndjson".into())]);
    has(&[Data::String("a note".into())]);
    let software = sheet(&file, "Software");
    assert_eq!(texts(&software[0]), ["software", "version", "vendor", "endpoints", "of all versions"]);
    assert_eq!(software.len(), 3);
    // Outcomes and software have charts of their own, also by port.
    assert!(parts(&file).iter().filter(|(name, _)| name.starts_with("xl/charts/chart")).count() >= 4);
}

/// Certificates are held against the time that the summary names, which need not be that of the last row.
#[test]
fn certificates_are_held_against_the_time_that_is_told() {
    let mut row = shows("one", Some("2026-03-01T00:00:00Z"), "valid", 1);
    row["time"] = json!("2026-01-10T00:00:00Z");
    let rows = rows(&[row.clone(), row]);
    let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(20_779 * 86_400);
    for (now, day, expired) in [(None, "2026-01-10", 0.0), (Some(at), "2026-11-22", 2.0)] {
        let mut workbook = Workbook::new(&std::env::temp_dir(), &[]).unwrap();
        rows.iter().try_for_each(|row| workbook.row(row)).unwrap();
        let mut file = Vec::new();
        workbook.finish(&About { now, ..About::default() }, &mut file).unwrap();
        let read = sheet(&file, "Summary");
        let told = format!("Whether certificates are expired is told as of {day} 00:00:00, ");
        assert!(read.iter().any(|row| row[0].to_string().starts_with(&told)), "{read:#?}");
        // Rows that show it, as is said: there is one certificate.
        let label = Data::String("endpoints with an expired certificate".into());
        let find = |row: &Vec<Data>| row.iter().position(|cell| *cell == label);
        let (row, column) = read.iter().enumerate().find_map(|(row, cells)| Some((row, find(cells)?))).unwrap();
        assert_eq!(read[row + 1][column], Data::Float(expired));
        assert_eq!(column_of(&file, "endpoints"), [Data::Float(2.0)]);
    }
}

fn column_of(file: &[u8], name: &str) -> Vec<Data> {
    column(&sheet(file, "Certificates"), name)
}

/// A count that stands beside a severity is of that severity.
#[test]
fn findings_of_several_severities_have_a_line_for_each() {
    let row = |severity| json!({ "findings_detail": [{ "id": "no_starttls", "severity": severity }] });
    let file = written(&rows(&[row("medium"), row("high"), row("medium")]), &[], SMALL);
    let lines: Vec<_> =
        sheet(&file, "Summary").into_iter().filter(|row| row[0] == Data::String("no_starttls".into())).collect();
    let told: Vec<_> = lines.iter().map(|row| (row[1].to_string(), row[2].clone())).collect();
    assert_eq!(told, [("high".to_owned(), Data::Float(1.0)), ("medium".to_owned(), Data::Float(2.0))]);
}

/// Others may write an end of validity of any length.
#[test]
fn certificates_are_bounded_by_all_that_is_kept_of_them() {
    let rows: Vec<_> = (0..20)
        .map(|it| shows(&format!("{it:02}"), Some(&format!("{it:02}{}", "9".repeat(20_000))), "valid", it))
        .collect();
    let bounds = Bounds { bytes: 100_000, ..Bounds::REPORT };
    let read = sheet(&written(&self::rows(&rows), &[], (Limits::EXCEL, bounds)), "Certificates");
    assert!(read.last().unwrap()[0].to_string().ends_with(" 16 endpoints show others."), "{:?}", read.last());
}

#[test]
fn a_workbook_of_nothing_opens() {
    let file = written(&[], &[], SMALL);
    assert_eq!(opened(&file).sheet_names(), ["Summary", "Endpoints", "Findings", "Certificates", "Software"]);
    assert_eq!(sheet(&file, "Endpoints").len(), 1);
}

/// The library underneath tells stderr where it cannot end a file; it is not to try.
#[test]
fn a_writer_that_fails_is_asked_once() {
    struct Fails(u32);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.write(&[]).map(drop)
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let mut full = Fails(0);
    let workbook = Workbook::new(folder.path(), &[]).unwrap();
    let error = workbook.finish(&About::default(), &mut full).unwrap_err();
    assert_eq!((error.kind(), full.0), (io::ErrorKind::StorageFull, 1));
}

/// Sheets are made before the first byte is written: it is asked for each line of them.
#[test]
fn what_is_to_stop_writes_nothing() {
    let rows = rows(&[(); 3].map(|()| json!({ "findings": ["no_starttls"], "severity": "medium" })));
    for most in [0, 1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let mut workbook = Workbook::new(folder.path(), &[]).unwrap();
        rows.iter().try_for_each(|row| workbook.row(row)).unwrap();
        let (asked, mut file) = (AtomicU32::new(0), Vec::new());
        let is_to_stop = || asked.fetch_add(1, Ordering::Relaxed) == most;
        assert!(workbook.finish_unless(&About::default(), &mut file, &is_to_stop).is_err() && file.is_empty());
    }
}

#[test]
fn long_cells_are_cut_visibly() {
    let row =
        json!({ "banner": "é".repeat(40_000), "cert_names": ["x".repeat(33_000)], "software": "y".repeat(40_000) });
    let file = written(&rows(&[row]), &[], SMALL);
    let read = sheet(&file, "Endpoints");
    for (name, all) in [("banner", 40_000), ("cert_names", 33_000), ("software", 40_000)] {
        let cell = column(&read, name)[0].to_string();
        let kept = cell.chars().take_while(|character| *character != '…').count();
        assert!(cell.ends_with(&format!("… ({} more characters)", all - kept)), "{name}");
        assert!((32_765..=32_767).contains(&cell.encode_utf16().count()), "{name}");
    }
}

/// What spreadsheets, XML and terminals could take for more than text.
const HOSTILE: [&str; 22] = [
    "=1+1",
    "=HYPERLINK(\"http://192.0.2.1/\",\"x\")",
    "=cmd|' /C calc'!A0",
    "{=1+1}",
    "+1",
    "-1",
    "@SUM(1)",
    "＝1+1",
    "\t=1",
    "'=1",
    "http://192.0.2.1/",
    "mailto:a@b.example",
    "internal:Sheet1!A1",
    "<f>1+1</f>",
    "]]></t></is></c><c><f>1</f></c>",
    "&lt;&#x3d;1",
    "_x003D_1",
    "_x000D_",
    "1e5",
    "TRUE",
    "2026-11-21",
    " blanks \u{3000}",
];

#[test]
fn nothing_that_peers_say_is_more_than_text() {
    let row = |words: &&str| {
        let mut row = json!({});
        for column in Column::ALL {
            let value = if column.kind() == Is::List { json!([words]) } else { json!(words) };
            let is_needed = matches!(column, Column::Ip | Column::Port | Column::Service | Column::Outcome);
            if column.kind() != Is::Evidence && !is_needed {
                row[column.as_str()] = value;
            }
        }
        row["evidence"] = json!([{ "code": words, "excerpt": words }]);
        row["findings_detail"] = json!([{ "id": words, "severity": "high", "detail": words }]);
        row["note"] = json!(words);
        row
    };
    let rows = rows(&HOSTILE.iter().map(row).collect::<Vec<_>>());
    let file = written(&rows, &["note"], SMALL);
    for row in &rows {
        for column in Column::ALL {
            assert!(row.text(column).is_some(), "{}", column.as_str());
        }
    }
    let read = sheet(&file, "Endpoints");
    for (cells, row) in read[1..].iter().zip(&rows) {
        for (place, column) in Column::ALL.into_iter().enumerate() {
            // Only a plain number that was written as text may become one again, and dates are dates.
            let text = inert(row.text(column).unwrap());
            assert!(
                cells[place] == Data::String(text.to_string())
                    || column.kind() != Is::Text
                    || matches!(column, Column::Ip),
                "{text}"
            );
        }
    }
    assert_inert(&file);
}

/// A workbook of differences, of which each has these words wherever it has any.
fn compared(severities: &[&str], words: &str, limits: Limits) -> Vec<u8> {
    let (folder, mut file) = (tempfile::tempdir().unwrap(), Vec::new());
    let sources = vec![Source::new(Side::Old, words), Source::new(Side::New, "new.csv").lacking(words)];
    let about = diff::About { is_of_expectations: false, sources, notes: vec![words.to_owned()] };
    let mut book = Box::new(ChangesBook::bounded(folder.path(), about, &mut file, limits).unwrap());
    let mut summary = Summary { rows: [7, 8], unchanged: 5, ..Summary::default() };
    summary.kinds.insert(Kind::Changed, 3);
    book.begin(&summary).unwrap();
    for (port, severity) in severities.iter().enumerate() {
        let change = json!({
            "kind": "changed", "severity": severity, "trend": "worse", "name": words, "ip": "192.0.2.1", "port": port,
            "service": words, "outcome": words, "software": words, "version": words, "detail": words,
            "fields": [
                { "field": "version", "from": "4.90", "to": words, "what": "upgrade", "severity": "info" },
                { "field": "findings", "to": words, "what": "new_finding", "severity": severity },
            ],
        });
        book.change(&serde_json::from_value(change).unwrap()).unwrap();
    }
    let gone = json!({ "kind": "vanished", "severity": "medium", "port": 21 });
    book.change(&serde_json::from_value(gone).unwrap()).unwrap();
    book.end().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    file
}

#[test]
fn differences_are_told_by_endpoint_and_by_field() {
    let file = compared(&["low", "high"], "a word", Limits::EXCEL);
    assert_eq!(opened(&file).sheet_names(), ["Summary", "Endpoints", "Changes"]);
    let endpoints = sheet(&file, "Endpoints");
    let expected = "severity kind ip port name service trend fields what differs outcome software version why";
    assert_eq!(texts(&endpoints[0]).join(" "), expected);
    assert_eq!(texts(&column(&endpoints, "severity")), ["low", "high", "medium"], "as they are told");
    assert_eq!(texts(&column(&endpoints, "what differs"))[1..], ["version 4.90 → a word; findings + a word", ""]);
    assert_eq!(column(&endpoints, "fields"), [2.0, 2.0, 0.0].map(Data::Float));
    assert_eq!(column(&endpoints, "ip")[2], Data::Empty);
    let changes = sheet(&file, "Changes");
    let told: Vec<_> = ["severity", "kind", "port", "field", "before", "now", "what it means", "trend"]
        .map(|name| texts(&column(&changes, name)))
        .into();
    let lines: Vec<_> = (0..5).map(|at| told.iter().map(|cells| cells[at].as_str()).collect::<Vec<_>>()).collect();
    assert_eq!(
        lines,
        [
            ["high", "changed", "1", "findings", "", "a word", "new_finding", "worse"],
            ["medium", "vanished", "21", "", "", "", "", ""],
            ["low", "changed", "0", "findings", "", "a word", "new_finding", "worse"],
            ["info", "changed", "0", "version", "4.90", "a word", "upgrade", "better"],
            ["info", "changed", "1", "version", "4.90", "a word", "upgrade", "better"],
        ]
    );
    assert_eq!(
        (&column(&changes, "before")[3], &column(&changes, "port")[0]),
        (&Data::String("4.90".into()), &Data::Float(1.0))
    );
    let summary = sheet(&file, "Summary");
    let has = |wanted: &[Data]| {
        let is_there = summary.iter().any(|row| row.windows(wanted.len()).any(|cells| cells == wanted));
        assert!(is_there, "{wanted:?} is not in {summary:#?}");
    };
    let text = |text: &str| Data::String(text.to_owned());
    has(&[text("What changed")]);
    has(&[text("a word"), text("before")]);
    has(&[text("192.0.2.1:1"), text("high"), Data::Float(2.0), text("changed a word a word a word")]);
    has(&[text("findings"), Data::Float(2.0), Data::Float(0.5)]);
    has(&[text("upgrade"), Data::Float(2.0), Data::Float(0.5)]);
    assert!(parts(&file).iter().any(|(name, _)| name.starts_with("xl/charts/chart")));
    // Each sheet rolls over.
    let names = opened(&compared(&["low", "high"], "x", Limits { rows: 3, ..Limits::EXCEL })).sheet_names();
    assert_eq!(names, ["Summary", "Endpoints", "Endpoints 2", "Changes", "Changes 2", "Changes 3"]);
}

#[test]
fn nothing_in_differences_is_more_than_text() {
    for words in HOSTILE {
        let file = compared(&["high"], words, Limits::EXCEL);
        assert_inert(&file);
        let changes = sheet(&file, "Changes");
        for name in ["now", "name", "service", "outcome", "software", "version", "why"] {
            assert_eq!(column(&changes, name)[0], Data::String(inert(words.into()).into_owned()), "{name}");
        }
    }
}

fn assert_inert(file: &[u8]) {
    for (name, xml) in parts(file) {
        for tag in [
            "<f>",
            "<f ",
            "<hyperlink",
            "<oleObject",
            "<definedName name=\"_xlnm.Auto_Open",
            "TargetMode=\"External\"",
            "ddeLink",
        ] {
            assert!(!xml.contains(tag) || name.starts_with("xl/charts/") && tag == "<f>", "{tag} in {name}");
        }
        assert!(
            xml.chars().all(|character| !character.is_control() || character == '\n' || character == '\r'),
            "{name}"
        );
        assert!(!name.contains("externalLink"), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a peer says, it is read back as what the row says of it, and is text.
    #[test]
    fn every_cell_is_read_back(
        words in proptest::collection::vec("([=+\\-@'\"<>&;_x0-9A-F\\\\ ]|\\PC|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{202e}\\u{fffe}]){0,12}", 8),
        number in "[0-9eE.+-]{0,8}",
    ) {
        let row = json!({
            "banner": words[0], "hostname": words[1], "software": words[2], "version": number, "name": words[3],
            "cert_subject": words[4], "cert_names": [words[5], words[0]], "cert_sha256": words[6], "time": words[7],
            "code": number, "findings": [words[1]], "capabilities": [words[2], number],
        });
        let rows = rows(&[row]);
        let file = written(&rows, &[], SMALL);
        assert_all_same(&file, &rows);
        assert_inert(&file);
    }

    /// However many certificates there are and in whatever order, those that are kept expire first, and are counted right.
    #[test]
    fn kept_certificates_are_counted_right(shown in proptest::collection::vec((0u32..12, 0u32..6), 0..60), most in 1usize..8) {
        let expiry = |certificate: u32| format!("20{:02}-01-01T00:00:00Z", 20 + (certificate * 7) % 12);
        let all: Vec<_> = shown.iter().map(|(it, host)| shows(&format!("{it:02}"), Some(&expiry(*it)), "valid", *host)).collect();
        let bounds = Bounds { certificates: most, ..Bounds::REPORT };
        let file = written(&rows(&all), &[], (Limits::EXCEL, bounds));
        let mut expected = std::collections::BTreeMap::<_, f64>::new();
        for (it, _) in &shown {
            *expected.entry((expiry(*it), format!("{it:02}"))).or_default() += 1.0;
        }
        let read = sheet(&file, "Certificates");
        let (kept, left_out): (Vec<_>, Vec<_>) = expected.into_iter().enumerate().partition(|(place, _)| *place < most);
        let found: Vec<_> = texts(&column(&read, "cert_sha256")).into_iter().zip(column(&read, "endpoints")).filter(|(sha, _)| !sha.is_empty()).collect();
        prop_assert_eq!(found, kept.iter().map(|(_, ((_, sha), count))| (sha.clone(), Data::Float(*count))).collect::<Vec<_>>());
        let lost: f64 = left_out.iter().map(|(_, (_, count))| count).sum();
        let note = read.last().unwrap()[0].to_string();
        prop_assert_eq!(note.contains(&format!("{lost} endpoints show others.")), lost > 0.0, "{}", note);
    }
}
