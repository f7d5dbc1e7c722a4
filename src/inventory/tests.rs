use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::classify::fronting::{Bounds, Overview, Sweep};
use crate::observation::{End, Ending, Evidence, EvidenceCode, Fronting, Grade, Software};
use crate::output::{Cell, Column, CsvProfile, Delimiter, Dialect, Fields, Format, Kind, Layout, RowSink, RowWriter};
use crate::{Observation, Outcome, Service};

/// Rows as a scan writes them.
fn written(layout: impl Into<Layout>, rows: &[Observation]) -> String {
    let mut lines = Vec::new();
    let mut sink = RowSink::over(layout, "memory", &mut lines);
    for row in rows {
        sink.write(row).unwrap();
    }
    sink.flush().unwrap();
    drop(sink);
    String::from_utf8(lines).unwrap()
}

fn read(text: &str) -> Vec<Row> {
    Rows::new("rows", text.as_bytes()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn rewritten(writer: &Writer, rows: &[Row]) -> String {
    let mut out = String::new();
    writer.header(&mut out);
    for row in rows {
        writer.row(row, &mut out);
    }
    out
}

/// Where reading ends, and why.
fn mistake(text: &str) -> String {
    let mut rows = match Rows::new("rows", text.as_bytes()) {
        Ok(rows) => rows,
        Err(error) => return error.to_string(),
    };
    rows.find_map(Result::err).expect("there is a mistake").to_string()
}

fn greeted(host: u8, port: u16, service: Service, greeting: &str) -> Observation {
    let ip = Some([192, 0, 2, host].into());
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(host.into());
    let mut row = Observation::new(time, ip, port, service, Outcome::Greeted);
    row.received.push(greeting.as_bytes(), Duration::from_millis(3));
    row.greeting_len = greeting.len();
    row.code = greeting.get(..3).and_then(|code| code.parse().ok());
    row.connect = Some(Duration::from_micros(1500));
    row.attempts = 1;
    crate::classify::Classifier::builtin().classify(&mut row);
    row
}

/// One with all that is hard to write.
fn odd() -> Observation {
    let mut row = greeted(9, 21, Service::Ftp, "220 =1+1; \"quoted\"; +x, 'C:\\' caf\u{e9}\r\n");
    row.hostname = Some("'=evil; host".into());
    row.software = Some(Box::new(Software {
        name: "Odd; Name".into(),
        version: Some("4.90".into()),
        vendor: None,
        device: Some("-1".into()),
        os: None,
        cpe: None,
        confidence: 90,
    }));
    row.ptr = vec!["a; b".into(), r"c\d".into(), "=e".into()];
    row.seen_as = Some([198, 51, 100, 7].into());
    let excerpt = Some(r#"530 "no"; say: more @ 5"#.to_owned());
    let evidence =
        |code, excerpt, at| Evidence { code, grade: Grade::Strong, excerpt, at, front: Some("nginx".into()) };
    row.evidence = vec![
        evidence(EvidenceCode::UnsolicitedError, excerpt, Some(Duration::from_micros(12_500))),
        evidence(EvidenceCode::Postscreen, None, None),
        evidence(EvidenceCode::TlsEndsElsewhere, None, None),
    ];
    row.fronting = Some(Fronting::Confirmed);
    row
}

fn overview(rows: &[Row]) -> Overview {
    let mut sweep = Sweep::new(Bounds::REPORT);
    rows.iter().filter_map(Row::glimpse).for_each(|glimpse| sweep.learn(&glimpse));
    sweep.overview()
}

#[test]
fn what_is_read_is_written_as_it_was() {
    let mut silent = greeted(1, 990, Service::Ftps, "");
    silent.outcome = Outcome::Silent;
    let rows = [greeted(3, 25, Service::Smtp, "220 m.example ESMTP Postfix\r\n"), odd(), silent];
    for (format, writer) in [(Format::Csv, Writer::Csv(Vec::new())), (Format::Ndjson, Writer::Ndjson)] {
        let text = written(format, &rows);
        assert_eq!(rewritten(&writer, &read(&text)), text);
    }
}

fn dialects() -> impl Iterator<Item = Dialect> {
    let profiles = [CsvProfile::Default, CsvProfile::Excel, CsvProfile::Raw];
    profiles.into_iter().flat_map(|profile| Delimiter::ALL.map(|delimiter| Dialect { profile, delimiter }))
}

fn csv_of(dialect: Dialect, fields: &str) -> Layout {
    let fields = if fields.is_empty() { Fields::default() } else { Fields::named(fields.split(' ')).unwrap() };
    Layout { fields, dialect, ..Layout::from(Format::Csv) }
}

fn all_columns() -> Vec<Key> {
    Column::ALL.map(Key::Column).into()
}

#[test]
fn every_dialect_is_read_back() {
    let rows = [greeted(3, 25, Service::Smtp, "220 m.example ESMTP Postfix\r\n"), odd()];
    let plain = read(&written(Format::Csv, &rows));
    let told = |row: &Row, column| row.text(column).map(|text| text.replace(r"\x3d", "=").replace(r"\x2b", "+"));
    for dialect in dialects() {
        let text = written(csv_of(dialect, ""), &rows);
        let again = read(&text);
        for (row, plain) in again.iter().zip(&plain) {
            for column in Column::ALL {
                let expected = match column {
                    // Spreadsheets have no microseconds.
                    Column::Time if dialect.profile == CsvProfile::Excel => {
                        plain.text(column).map(|time| time.replace(".000000Z", "Z"))
                    }
                    _ => told(plain, column),
                };
                assert_eq!(told(row, column), expected, "{} in {dialect:?}", column.as_str());
            }
        }
        assert_eq!(rewritten(&Writer::CsvOf(dialect, all_columns()), &again), text, "{dialect:?}");
        // The other way too, from what the scan wrote otherwise.
        if dialect.profile != CsvProfile::Raw {
            assert_eq!(rewritten(&Writer::CsvOf(dialect, all_columns()), &plain), text, "{dialect:?}");
        }
    }
}

/// Names of others may need quotes, which are no mark of a dialect.
#[test]
fn names_in_quotes_are_read_back_in_every_dialect() {
    let row = serde_json::json!({
        "owner; team": "=a", "a, \"b\"": "'t", " edge": "x", "ip": "192.0.2.1", "port": 25, "service": "smtp",
        "outcome": "greeted", "hostname": "'-x", "c|d": "+1",
    });
    let rows = read(&format!("{row}\n"));
    let orders = [
        ["owner; team", "a, \"b\"", "ip", "port", "service", "outcome", "hostname", " edge", "c|d"],
        ["ip", "owner; team", "port", "service", "outcome", "hostname", " edge", "c|d", "a, \"b\""],
    ];
    for order in orders {
        let keys: Vec<_> = order.iter().map(|name| Key::named(name)).collect();
        for dialect in dialects() {
            let csv = rewritten(&Writer::CsvOf(dialect, keys.clone()), &rows);
            let again = read(&csv);
            assert_eq!(rewritten(&Writer::CsvOf(dialect, keys.clone()), &again), csv, "{dialect:?}");
            for (name, expected) in [("owner; team", "=a"), ("hostname", "'-x")] {
                let cell = again[0].at(&Key::named(name)).map(super::row::as_text);
                assert_eq!(cell.as_deref().map(|cell| cell.replace(r"\x3d", "=")), Some(expected.to_owned()), "{csv}");
            }
        }
    }
    // Programs that quote all names, or those that need it.
    for header in [
        "\"ip\",\"port\",\"service\",\"outcome\"",
        "ip,\"po rt\",port,service,outcome",
        "\"po rt\",ip,port,service,outcome",
    ] {
        assert!(Spoken::of(header.as_bytes(), &[Column::Ip, Column::Port]).is_guarded, "{header}");
    }
}

/// What another program wrote into rows is no more obeyed by a terminal than what peers say.
#[test]
fn rows_of_others_are_inert_in_ndjson() {
    let row = serde_json::json!({
        "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "greeted", "banner": "a\u{9b}31m\u{202e}",
        "cert_names": ["\u{9b}a"], "\u{202e}key": {"\u{9b}": "\u{2066}"},
    });
    let rows = read(&format!("{row}\n"));
    let text = rewritten(&Writer::Ndjson, &rows);
    assert!(text.is_ascii(), "{text}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), row);
}

#[test]
fn chosen_columns_are_read_back_in_every_dialect() {
    let rows = [odd()];
    for dialect in dialects() {
        let text = written(csv_of(dialect, "outcome connect_ms version port ip service hostname"), &rows);
        let [row] = read(&text).try_into().unwrap();
        assert_eq!(row.text(Column::Version).as_deref(), Some("4.90"));
        assert_eq!(row.text(Column::ConnectMs).as_deref(), Some("1.5"), "{text}");
        assert_eq!(row.text(Column::Hostname).as_deref(), Some("'=evil; host"), "{text}");
        let keys = ["ip", "port", "outcome"].map(Key::named).to_vec();
        let json = rewritten(&Writer::NdjsonOf(keys), &[row]);
        assert_eq!(json, "{\"ip\":\"192.0.2.9\",\"port\":21,\"outcome\":\"greeted\"}\n");
    }
}

/// A byte at a time, as a pipe may give it.
#[test]
fn a_header_may_come_in_pieces() {
    struct Drops<'a>(&'a [u8]);
    impl std::io::Read for Drops<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(bytes.len()).min(1);
            let (now, later) = self.0.split_at(count);
            bytes[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }
    let dialect = Dialect { profile: CsvProfile::Default, delimiter: Delimiter::Semicolon };
    let text = written(csv_of(dialect, ""), &[odd()]);
    let rows: Vec<_> = Rows::new("rows", Drops(text.as_bytes())).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, read(&text));
}

#[test]
fn formats_become_each_other() {
    let mut row = odd();
    // What a spreadsheet must not see behind a semicolon is told in another way in CSV.
    row.received = crate::observation::Received::default();
    row.received.push(b"220 plain, \"quoted\"\r\n", Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    row.ptr.truncate(2);
    row.seen_as = None;
    let rows = [row, greeted(3, 25, Service::Smtp, "220 m.example ESMTP Postfix\r\n")];
    let (csv, ndjson) = (written(Format::Csv, &rows), written(Format::Ndjson, &rows));
    assert_eq!(rewritten(&Writer::Csv(Vec::new()), &read(&ndjson)), csv);
    // Findings in detail are not in CSV.
    let plain = |ndjson: &str| {
        ndjson.lines().map(|line| line.split(",\"findings_detail\"").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let from_csv = rewritten(&Writer::Ndjson, &read(&csv));
    for (from_csv, ndjson) in from_csv.lines().zip(plain(&ndjson)) {
        assert!(from_csv.starts_with(ndjson.trim_end_matches('}')), "{from_csv}\n{ndjson}");
    }
}

#[test]
fn kinds_are_those_of_the_cells() {
    let mut row = odd();
    row.findings.clear();
    for column in Column::ALL {
        let kind = match column.cell(&row) {
            Cell::Empty => continue,
            Cell::Flag => Kind::Flag,
            Cell::Integer(_) | Cell::Millis(_) => Kind::Number,
            Cell::Time(_) | Cell::Ip(_) | Cell::Word(_) | Cell::Hash(_) | Cell::Text(_) | Cell::Bytes(_) => Kind::Text,
            Cell::List(_) | Cell::Findings(_) => Kind::List,
            Cell::Evidence(_) => Kind::Evidence,
        };
        assert_eq!(column.kind(), kind, "{}", column.as_str());
    }
}

#[test]
fn columns_of_others_are_kept() {
    let csv = "note,port,ip,outcome,service,=x\nhi; there,21,192.0.2.1,silent,ftp,'=y\n,25,,unresolved,smtp,\n";
    let mut rows = Rows::new("rows", csv.as_bytes()).unwrap();
    let others: Vec<_> = rows.other_columns().cloned().collect();
    let read: Vec<_> = rows.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!((others.len(), read[0].other("=x").as_deref()), (2, Some("=y")));
    let text = rewritten(&Writer::Csv(others), &read);
    let mut lines = text.lines();
    assert!(lines.next().unwrap().ends_with("attempts,note,'=x"), "{text}");
    assert!(lines.next().unwrap().ends_with(",\"hi; there\",'=y"), "{text}");
    let ndjson = rewritten(&Writer::Ndjson, &read);
    let first: serde_json::Value = serde_json::from_str(ndjson.lines().next().unwrap()).unwrap();
    assert_eq!((&first["note"], &first["=x"], &first["port"]), (&"hi; there".into(), &"=y".into(), &21.into()));
    let extra =
        "{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\",\"new\":{\"a\":[1, 2]}}\n";
    assert_eq!(rewritten(&Writer::Ndjson, &self::read(extra)), extra);
}

#[test]
fn line_ends_and_control_characters_of_others_break_no_line() {
    let csv = "ip,port,service,outcome,note,\"a\nb\"\n192.0.2.1,21,ftp,silent,\"C:\\ftp\n\u{9b}=1\r\",\n";
    let ndjson = "{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\",\"ptr\":[\"a\\nb\"]}\n";
    for (text, expected) in [(csv, "C:\\ftp\\n\\xc2\\x9b=1\\r"), (ndjson, "a\\nb")] {
        let mut rows = Rows::new("rows", text.as_bytes()).unwrap();
        let others: Vec<_> = rows.other_columns().cloned().collect();
        let read: Vec<_> = rows.by_ref().collect::<Result<_, _>>().unwrap();
        let written = rewritten(&Writer::Csv(others), &read);
        assert_eq!(written.lines().count(), 2, "{written}");
        assert!(written.contains(expected) && self::read(&written).len() == 1, "{written}");
    }
}

#[test]
fn names_that_others_wrote_are_counted_as_a_terminal_can_show_them() {
    let row = |name: &str| {
        format!(
            "{{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"greeted\",\"software\":\"{name}\"}}\n"
        )
    };
    let mut census = Census::default();
    for row in read(&(row("a\\u001b[2J") + &row("C:\\\\d"))) {
        census.count(&row);
    }
    assert_eq!(census.tally().software.keys().map(|name| &**name).collect::<Vec<_>>(), ["C:\\d", "a\\x1b[2J"]);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let header = "ip,port,service,outcome\n";
    let json = "{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\"}\n";
    let table = [
        (format!("{json}{{\"ip\":}}\n{json}"), "rows:2:7: this is not a JSON object on one line; mend the line"),
        (format!("{json}\n[1]\n"), "rows:3:"),
        (json.replace("21", "\"ftp\""), "rows:1: port: 'ftp' is not a port; mend the line, or take it out"),
        (json.replace("ftp", "gopher"), "rows:1: service: 'gopher' is not a service"),
        ("{\"ip\":\"::1\",\"port\":21}\n".to_owned(), "rows:1: there is no 'service', without which nothing is a row"),
        (
            "{\"kind\":\"appeared\",\"port\":21,\"fields\":[{}]}\n".to_owned(),
            "rows:1: these are differences, not rows: give the rows that were compared",
        ),
        ("10.0.0.1,21\n".to_owned(), "rows:1: this is not the header of rows: there is no column 'ip'."),
        (
            "ip;port;service\n".to_owned(),
            "rows:1: this is not the header of rows: there is no column 'ip'. The first line of CSV names the columns, with ',', ';',",
        ),
        (format!("x{header}"), "rows:1: this is not the header of rows: there is no column 'ip'. The first line"),
        (format!("{}{header}", "x,".repeat(1021)), "rows:1: here are 1025 columns, and rows have 1024 at most"),
        ("ip,port,service,outcome,ip\n".to_owned(), "rows:1: the column 'ip' is there twice"),
        (
            format!("{header}192.0.2.1,21,ftp,silent\n192.0.2.1,21\n"),
            "rows:3: here are 2 cells, and the header names 4",
        ),
        (format!("{header}192.0.2.1,21,ftp,silent,5\n"), "rows:2: here are 5 cells"),
        (format!("{header}192.0.2.300,21,ftp,silent\n"), "rows:2: ip: '192.0.2.300' is not an address"),
        (format!("{header}192.0.2.1,21,ftp,asleep\n"), "rows:2: outcome: 'asleep' is not an outcome"),
        (format!("[{}]\n", json.trim_end()), "rows:1: this is a JSON array, and NDJSON has an object on each line"),
        // Lines as editors count them, whatever ends them.
        (
            format!("{header}192.0.2.1,21,ftp,silent\n\n192.0.2.1,x,ftp,silent\n").replace('\n', "\r\n"),
            "rows:4: port: 'x' is not a port",
        ),
        (
            format!("{}192.0.2.1,21,ftp,silent\n192.0.2.1,21\n", header.replace('\n', "\r\n")),
            "rows:3: here are 2 cells",
        ),
        (
            format!("{header}192.0.2.1,21,ftp,\"silent\n192.0.2.1,21,ftp,silent\n"),
            "rows:2: a quotation mark opens in this row, and none closes; mend the line",
        ),
    ];
    for (text, expected) in table {
        let told = mistake(&text);
        assert!(told.starts_with(expected), "{told} should be {expected}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let rows = [greeted(3, 25, Service::Smtp, "220 m.example ESMTP Postfix\r\n"), odd()];
    for format in [Format::Csv, Format::Ndjson] {
        let text = written(format, &rows);
        assert_eq!(read(&format!("\u{feff}{text}")), read(&text), "{format:?}");
    }
    assert!(Rows::new("rows", "\u{feff}".as_bytes()).unwrap().is_empty());
}

#[test]
fn what_spreadsheets_leave_behind_is_no_row() {
    let row = "192.0.2.1,21,ftp,silent\n";
    let text = format!("ip,port,service,outcome\n,,,\n{row}\"\",\"\",,\n,\n  , ,,\n{row},,,\n,,,,,\n");
    assert_eq!(read(&text).len(), 2);
    assert_eq!(read(&text.replace('\n', "\r\n")).len(), 2);
    // They are counted all the same.
    let told = mistake(&text.replacen("silent\n", "asleep\n", 1));
    assert!(told.starts_with("rows:3: outcome: 'asleep'"), "{told}");
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] {
        let told = Rows::new("rows", &mark[..]).unwrap_err().to_string();
        assert_eq!(told, "rows:1: this is UTF-16: save it in UTF-8");
    }
}

#[test]
fn files_that_broke_off_are_read_as_far_as_they_go() {
    let rows = [greeted(3, 25, Service::Smtp, "220 m.example ESMTP Postfix\r\n"), odd()];
    for format in [Format::Csv, Format::Ndjson] {
        let text = written(format, &rows);
        let second = text.trim_end().rfind('\n').unwrap() + 1;
        for cut in [second + 1, second + 30, text.len() - 20] {
            let mut rows = Rows::new("rows", &text.as_bytes()[..cut]).unwrap();
            assert_eq!(rows.by_ref().filter_map(Result::ok).count(), 1, "{format:?} {cut}");
            assert_eq!(rows.torn(), Some(text.lines().count().try_into().unwrap()), "{format:?} {cut}");
        }
    }
    let empty = Rows::new("rows", &b""[..]).unwrap();
    assert!(empty.is_empty() && empty.count() == 0);
}

#[test]
fn a_last_line_without_an_end_may_be_whole() {
    let header = "service,outcome,port,ip,ptr\nftp,silent,21,192.0.2.1,\n";
    let read = |line: &str, is_of_a_scan: bool| {
        let text = format!("{header}{line}");
        let rows = Rows::new("rows", text.as_bytes()).unwrap();
        let mut rows = if is_of_a_scan { rows.of_a_scan() } else { rows };
        let count = rows.by_ref().map(Result::unwrap).count();
        (count, rows.torn(), rows.endless())
    };
    for (line, expected) in [
        ("ftp,silent,21,192.0.2.2,a.example\n", (2, None, None)),
        ("ftp,silent,21,192.0.2.2,a.example\r\n", (2, None, None)),
        // With an end that lost its LF.
        ("ftp,silent,21,192.0.2.2,a.example\r", (2, None, None)),
        ("ftp,silent,21,192.0.2.2,a.exam", (2, None, Some(3))),
        ("ftp,silent,21,192.0.2.2,\"a.exam\"", (2, None, Some(3))),
        ("ftp,silent,21,192.0.2.2,", (2, None, Some(3))),
        ("ftp,silent,21,192.0.2.2,\"a.exam", (1, Some(3), None)),
        ("ftp,silent,21,192.0.2.2", (1, Some(3), None)),
        ("ftp,sil,21,192.0.2.2,a.example", (1, Some(3), None)),
    ] {
        assert_eq!(read(line, false), expected, "{line}");
        let (count, torn, endless) = expected;
        let of_a_scan = if endless.is_some() { (count - 1, endless, None) } else { (count, torn, None) };
        assert_eq!(read(line, true), of_a_scan, "{line}");
    }
    // An object says itself where it ends.
    let json = "{\"ip\":\"192.0.2.1\",\"port\":21,\"service\":\"ftp\",\"outcome\":\"silent\"}";
    let mut rows = Rows::new("rows", json.as_bytes()).unwrap().of_a_scan();
    assert_eq!((rows.by_ref().count(), rows.torn(), rows.endless()), (1, None, None));
}

#[test]
fn a_glimpse_of_a_row_is_that_of_its_observation() {
    use crate::classify::fronting::Glimpse;

    let mut closed = greeted(4, 25, Service::Smtp, "");
    closed.outcome = Outcome::Closed;
    closed.ending = Some(Ending { how: End::Fin, at: Duration::from_micros(4_001_500) });
    let at = closed.ending.map(|ending| ending.at);
    let evidence =
        Evidence { code: EvidenceCode::AcceptThenClose, grade: Grade::Moderate, excerpt: None, at, front: None };
    closed.evidence = vec![evidence];
    for row in [closed, odd()] {
        let expected = Glimpse::of(&row).unwrap();
        let read = read(&written(Format::Ndjson, std::slice::from_ref(&row))).remove(0);
        let found = read.glimpse().unwrap();
        let pick = |glimpse: Glimpse<'_>| (glimpse.ip, glimpse.banner_hash, glimpse.closed_after, glimpse.seen_as);
        assert_eq!(pick(found), pick(expected));
    }
}

/// An overloaded host, or its xinetd, says the same on each port.
#[test]
fn who_sends_us_away_is_no_middlebox() {
    use crate::classify::fronting::Glimpse;

    for (greeting, count) in [("220 hi\r\n", 1), ("421 Service not available\r\n", 0), ("554 no\r\n", 0)] {
        let rows = [(21, Service::Ftp), (25, Service::Smtp)].map(|(port, service)| greeted(7, port, service, greeting));
        let mut sweep = Sweep::new(Bounds::SCAN);
        rows.iter().filter_map(Glimpse::of).for_each(|glimpse| sweep.learn(&glimpse));
        let overviews = [Format::Csv, Format::Ndjson].map(|format| overview(&read(&written(format, &rows))));
        for overview in overviews.into_iter().chain([sweep.overview()]) {
            assert_eq!(overview.middleboxes().len(), count, "{greeting}");
        }
    }
    // In the place of a middlebox such words are somebody's own all the same.
    let alike = (0..250).map(|host| greeted(host, 25, Service::Smtp, "220 hi\r\n"));
    let rows: Vec<_> = alike.chain([greeted(251, 25, Service::Smtp, "421 later\r\n")]).collect();
    let rows = read(&written(Format::Ndjson, &rows));
    let overview = overview(&rows);
    let is_left_out = |row: &Row| overview.is_of_a_middlebox(&row.glimpse().unwrap());
    assert!(is_left_out(&rows[0]) && !is_left_out(&rows[250]));
}

#[test]
fn evidence_counts_as_much_as_it_did() {
    use crate::classify::fronting::verdict;

    let excerpts = [None, Some("a: (b)@1".to_owned()), Some(format!("{}5 endpoints", EvidenceCode::SHARED))];
    for service in Service::ALL {
        for (code, grade) in EvidenceCode::ALL.into_iter().flat_map(|code| Grade::ALL.map(|grade| (code, grade))) {
            let piece = |excerpt: &Option<String>| Evidence {
                code,
                grade,
                excerpt: excerpt.clone(),
                at: Some(Duration::from_micros(12_500)),
                front: None,
            };
            let mut row = greeted(1, 25, service, "220 ready\r\n");
            row.evidence = excerpts.iter().map(piece).collect();
            row.fronting = Some(verdict(&row.evidence));
            let (csv, ndjson) = (written(Format::Csv, &[row.clone()]), written(Format::Ndjson, &[row]));
            let rewritten = rewritten(&Writer::Ndjson, &read(&csv));
            for text in [csv, ndjson, rewritten] {
                let grades: Vec<_> = read(&text)[0].evidence().iter().map(|told| told.grade(service)).collect();
                assert_eq!(grades, [Some(grade); 3], "{service} {code}: {text}");
            }
        }
    }
}

#[test]
fn weak_evidence_is_not_raised_with_other() {
    let alike = |host| {
        let mut row = greeted(host, 25, Service::Smtp, "220 hi\r\n");
        let excerpt = Some("220 hi".to_owned());
        row.evidence =
            vec![Evidence { code: EvidenceCode::NginxMail, grade: Grade::Weak, excerpt, at: None, front: None }];
        row.fronting = Some(Fronting::Possible);
        row
    };
    let rows: Vec<_> = (0..250).map(alike).collect();
    for format in [Format::Csv, Format::Ndjson] {
        let mut read = read(&written(format, &rows));
        let overview = overview(&read);
        assert!(raise(&mut read[0], &overview, &[]));
        assert_eq!(read[0].fronting(), Some(Fronting::Possible));
        let shown = read[0].text(Column::Evidence).unwrap().into_owned();
        assert_eq!(shown, "same_everywhere: as on 250 addresses of 192.0.2.0/24; nginx_mail(weak): 220 hi");
    }
}

#[test]
fn rows_are_raised_by_what_others_say() {
    let alike = |host| {
        [(21, Service::Ftp), (25, Service::Smtp)].map(|(port, service)| greeted(host, port, service, "220 hi\r\n"))
    };
    let mut rows: Vec<_> = (0..250).flat_map(alike).collect();
    rows.push(greeted(251, 25, Service::Smtp, "220 mail.example.com ESMTP Postfix\r\n"));
    let close = |host: u8| {
        let mut row = greeted(host, 587, Service::Submission, "");
        row.outcome = Outcome::Closed;
        let at = Some(Duration::from_secs(4));
        let code = EvidenceCode::AcceptThenClose;
        row.evidence = vec![Evidence { code, grade: Grade::Moderate, excerpt: None, at, front: None }];
        row.fronting = Some(Fronting::Possible);
        row
    };
    rows.extend((0..5).map(close));
    for format in [Format::Csv, Format::Ndjson] {
        let mut read = read(&written(format, &rows));
        let overview = overview(&read);
        let raised: Vec<_> = read.iter_mut().map(|row| raise(row, &overview, &[])).collect();
        assert!(
            raised[..500].iter().all(|raised| *raised) && !raised[500] && raised[501..].iter().all(|raised| *raised)
        );
        assert_eq!(read[0].fronting(), Some(Fronting::Possible));
        let shown = |row: &Row| row.text(Column::Evidence).unwrap().into_owned();
        assert_eq!(shown(&read[0]), "same_everywhere: as on 250 addresses of 192.0.2.0/24");
        assert_eq!(read[501].fronting(), Some(Fronting::Likely));
        assert_eq!(shown(&read[501]), "accept_then_close@4000: as on 5 endpoints at that time");
        // Once more says nothing new, also of what was written out.
        let writer = if format == Format::Csv { Writer::Csv(Vec::new()) } else { Writer::Ndjson };
        let mut again = self::read(&rewritten(&writer, &read));
        let overview = self::overview(&again);
        assert!(again.iter_mut().all(|row| !raise(row, &overview, &[])));
    }
}

proptest! {
    /// Whatever peers say, both formats give it back, and each becomes the other without loss.
    #[test]
    fn nothing_is_lost(banner in proptest::collection::vec(any::<u8>(), 0..40), name in "([;\\\\ '=a\"]|\\PC){0,8}", items in proptest::collection::vec("([;\\\\ '=a,]|\\PC){1,6}", 0..4)) {
        let mut row = greeted(1, 21, Service::Ftp, "");
        row.received.push(&banner, Duration::ZERO);
        row.greeting_len = banner.len();
        row.hostname = Some(name);
        row.ptr = items;
        let rows = [row];
        let (csv, ndjson) = (written(Format::Csv, &rows), written(Format::Ndjson, &rows));
        prop_assert_eq!(rewritten(&Writer::Csv(Vec::new()), &read(&csv)), csv.clone());
        prop_assert_eq!(rewritten(&Writer::Ndjson, &read(&ndjson)), ndjson.clone());
        prop_assert_eq!(rewritten(&Writer::Csv(Vec::new()), &read(&ndjson)), csv);
    }
}
