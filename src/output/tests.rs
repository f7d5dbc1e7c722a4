//! Golden rows in every format, and that no peer can break out of one.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use unicode_width::UnicodeWidthStr;

use super::escape::{guard, split_list, unescape, unguard};
use super::*;
use crate::observation::{
    Certificate, CertificateVerdict, Evidence, EvidenceCode, Finding, Fronting, Grade, Key, KeyKind, Outcome, Protocol,
    Service, Severity, Software, TlsFacts, TlsUse,
};

const COLUMNS: &str = "time name ip port service outcome detail protocol connect_ms tls_ms greeting_ms code banner \
    hostname software version vendor device os cpe confidence fronting front evidence tls tls_version tls_cipher \
    tls_group tls_error cert_subject cert_issuer cert_names cert_not_before cert_not_after cert_key cert_signature \
    cert_status cert_sha256 capabilities auth pasv ptr severity findings banner_hash truncated attempts";

/// Columns that a peer can influence, with its bytes behind them.
const OF_PEERS: [&str; 18] = [
    "name",
    "detail",
    "banner",
    "hostname",
    "software",
    "version",
    "vendor",
    "device",
    "os",
    "cpe",
    "tls_cipher",
    "tls_group",
    "tls_error",
    "cert_subject",
    "cert_issuer",
    "cert_key",
    "cert_signature",
    "cert_names",
];

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn empty() -> Observation {
    Observation::new(at(0), None, 25, Service::Smtp, Outcome::Unresolved)
}

fn greet(row: &mut Observation, greeting: &[u8]) {
    row.received.push(greeting, Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
}

fn full() -> Observation {
    let mut row = empty();
    row.time = at(1_753_600_000) + Duration::from_micros(250);
    row.name = Some("ftp.example.com".into());
    row.ip = "2001:db8::1".parse().ok();
    row.port = 990;
    row.service = Service::Ftps;
    row.outcome = Outcome::Greeted;
    row.detail = Some(Cow::Borrowed("closed early, errno 104"));
    row.protocol = Some(Protocol::Tls);
    row.connect = Some(Duration::from_micros(1_500));
    row.tls_handshake = Some(Duration::from_micros(20_042));
    row.greeting_after = Some(Duration::from_millis(3));
    row.code = Some(220);
    greet(&mut row, b"220 \"Caf\xe9\"; \\o/\r\n");
    row.received.push(&b" ".repeat(70_000), Duration::ZERO);
    row.hostname = Some("ftp1.example.com".into());
    row.software = Some(Box::new(Software {
        name: "ProFTPD".into(),
        version: Some("1.3.8b".into()),
        vendor: Some("The ProFTPD Project".into()),
        device: Some("NAS".into()),
        os: Some("Debian".into()),
        cpe: Some("cpe:2.3:a:proftpd:proftpd:1.3.8b:*:*:*:*:*:*:*".into()),
        confidence: 95,
    }));
    let leaf = Certificate {
        subject: Some("CN=ftp.example.com,O=A\\, B".into()),
        issuer: Some("CN=R11".into()),
        names: vec!["ftp.example.com".into(), "a;b".into(), "=c\n".into()],
        not_before: Some(at(1_700_000_000)),
        not_after: Some(at(1_707_776_000)),
        names_left_out: 734,
        key: Some(Key { kind: KeyKind::Rsa, bits: Some(2048), text: "RSA 2048".into() }),
        signature: Some("sha256WithRSAEncryption".into()),
        sha256: [0xab; 32],
    };
    row.tls = Some(Box::new(TlsFacts {
        tls: TlsUse::Implicit,
        alert: None,
        asks_for_certificate: false,
        incomplete: false,
        chain_left_out: 0,
        legacy: None,
        version: Some("TLSv1.3"),
        cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        group: Some("X25519".into()),
        error: Some(Cow::Borrowed("-")),
        chain: [leaf, Certificate::default()].map(Arc::new).into(),
        verdict: Some(CertificateVerdict { expired: true, ..CertificateVerdict::default() }),
    }));
    row.banner_hash = Some([1; 32]);
    row.attempts = 2;
    row
}

/// One row with what stands before it.
fn written(layout: impl Into<Layout>, row: &Observation) -> String {
    let mut encoder = Encoder::new(layout);
    let mut out = String::new();
    encoder.header(&mut out);
    encoder.row(row, &mut out);
    out
}

fn csv_of(profile: CsvProfile, delimiter: Delimiter) -> Layout {
    Layout { dialect: Dialect { profile, delimiter }, ..Layout::from(Format::Csv) }
}

/// The columns and their cells, as a reader of CSV sees them.
fn read_csv(text: &str) -> Vec<(String, String)> {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].len(), header.len());
    header.iter().zip(&rows[0]).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
}

fn read_json(text: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn csv_full() {
    let expected = [
        "2025-07-27T07:06:40.000250Z,ftp.example.com,2001:db8::1,990,ftps,greeted",
        r#""closed early, errno 104",tls,1.5,20.042,3,220"#,
        r#""220 ""Caf\xe9""; \\o/\r\n",ftp1.example.com"#,
        "ProFTPD,1.3.8b,The ProFTPD Project,NAS,Debian,cpe:2.3:a:proftpd:proftpd:1.3.8b:*:*:*:*:*:*:*,95,,,",
        r#"implicit,TLSv1.3,TLS_AES_128_GCM_SHA256,X25519,'-,"CN=ftp.example.com,O=A\\, B",CN=R11"#,
        r#""ftp.example.com; a\;b; \x3dc\n",2023-11-14T22:13:20Z,2024-02-12T22:13:20Z,RSA 2048"#,
        "sha256WithRSAEncryption,expired,abababababababababababababababababababababababababababababababab",
        ",,,,,,0101010101010101010101010101010101010101010101010101010101010101,true,2\n",
    ]
    .join(",");
    let text = written(Format::Csv, &full());
    assert_eq!(text.split_once('\n').unwrap().1, expected);
}

#[test]
fn csv_empty() {
    let expected = format!("1970-01-01T00:00:00.000000Z,,,25,smtp,unresolved{}\n", ",".repeat(41));
    let text = written(Format::Csv, &empty());
    assert_eq!(text, format!("{}\n{expected}", COLUMNS.replace(' ', ",")));
}

#[test]
fn ndjson_full() {
    let expected = [
        r#"{"time":"2025-07-27T07:06:40.000250Z","name":"ftp.example.com","ip":"2001:db8::1","port":990"#,
        r#""service":"ftps","outcome":"greeted","detail":"closed early, errno 104","protocol":"tls","connect_ms":1.5"#,
        r#""tls_ms":20.042,"greeting_ms":3,"code":220,"banner":"220 \"Caf\\xe9\"; \\\\o/\\r\\n""#,
        r#""banner_b64":"MjIwICJDYWbpIjsgXG8vDQo=","hostname":"ftp1.example.com","software":"ProFTPD""#,
        r#""version":"1.3.8b","vendor":"The ProFTPD Project","device":"NAS","os":"Debian""#,
        r#""cpe":"cpe:2.3:a:proftpd:proftpd:1.3.8b:*:*:*:*:*:*:*","confidence":95,"tls":"implicit""#,
        r#""tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","tls_group":"X25519","tls_error":"-""#,
        r#""cert_subject":"CN=ftp.example.com,O=A\\\\, B","cert_issuer":"CN=R11""#,
        r#""cert_names":["ftp.example.com","a;b","=c\\n"],"cert_not_before":"2023-11-14T22:13:20Z""#,
        r#""cert_not_after":"2024-02-12T22:13:20Z","cert_key":"RSA 2048""#,
        r#""cert_signature":"sha256WithRSAEncryption","cert_status":"expired""#,
        r#""cert_sha256":"abababababababababababababababababababababababababababababababab""#,
        r#""chain":[{"subject":"CN=ftp.example.com,O=A\\\\, B","issuer":"CN=R11""#,
        r#""names":["ftp.example.com","a;b","=c\\n"],"names_left_out":734,"not_before":"2023-11-14T22:13:20Z""#,
        r#""not_after":"2024-02-12T22:13:20Z","key":"RSA 2048","signature":"sha256WithRSAEncryption""#,
        r#""sha256":"abababababababababababababababababababababababababababababababab"}"#,
        r#"{"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]"#,
        r#""banner_hash":"0101010101010101010101010101010101010101010101010101010101010101""#,
        r#""truncated":true,"attempts":2}"#,
    ]
    .join(",");
    assert_eq!(written(Format::Ndjson, &full()), expected + "\n");
}

#[test]
fn names_left_out_are_something_truncated() {
    let truncated = |change: fn(&mut Certificate)| {
        let mut row = empty();
        let mut facts = TlsFacts::new(TlsUse::Implicit);
        let mut own = Certificate::default();
        change(&mut own);
        facts.chain = [Arc::new(own)].into();
        row.tls = Some(Box::new(facts));
        read_json(&written(Format::Ndjson, &row)).get("truncated").cloned()
    };
    assert_eq!(truncated(|own| own.names_left_out = 1), Some(true.into()));
    assert_eq!(truncated(|_| {}), None);
}

#[test]
fn ndjson_empty() {
    let expected = r#"{"time":"1970-01-01T00:00:00.000000Z","port":25,"service":"smtp","outcome":"unresolved"}"#;
    assert_eq!(written(Format::Ndjson, &empty()), format!("{expected}\n"));
}

#[test]
fn text() {
    let mut silent = empty();
    silent.ip = "192.0.2.7".parse().ok();
    silent.outcome = Outcome::Greeted;
    silent.code = Some(220);
    greet(&mut silent, b"220- \r\n220-\x1b]0;pwned\x07 hello\r\n220 end\r\n");
    let mut endless = silent.clone();
    endless.received = crate::observation::Received::default();
    greet(&mut endless, "é".repeat(500).as_bytes());
    let mut ssh = empty();
    ssh.ip = "192.0.2.8".parse().ok();
    ssh.outcome = Outcome::OtherProtocol;
    ssh.protocol = Some(Protocol::Ssh);
    greet(&mut ssh, b"SSH-2.0-OpenSSH_9.9\r\n");
    let mut gone = empty();
    gone.name = Some("gone.example.com".into());
    gone.detail = Some(Cow::Borrowed("NXDOMAIN"));
    let cut = format!("192.0.2.7:25           smtp        greeted         220          {}…\n", "é".repeat(55));
    for (row, line) in [
        (empty(), "-:25                   smtp        unresolved\n"),
        (
            full(),
            "[2001:db8::1]:990      ftps        greeted         220          ProFTPD 1.3.8b                ftp1.example.com\n",
        ),
        (silent, "192.0.2.7:25           smtp        greeted         220          \\x1b]0;pwned\\x07 hello\n"),
        (endless, &cut),
        (ssh, "192.0.2.8:25           smtp        other_protocol               ssh: SSH-2.0-OpenSSH_9.9\n"),
        (gone, "gone.example.com:25    smtp        unresolved                   NXDOMAIN\n"),
    ] {
        assert_eq!(written(Format::Text, &row), line);
    }
}

fn look(width: usize, is_coloured: bool) -> Layout {
    Layout { look: Look { width, is_coloured }, ..Layout::from(Format::Text) }
}

fn guarded_server() -> Observation {
    let mut row = full();
    row.hostname = Some("mail.example.com".into());
    row.fronting = Some(Fronting::Likely);
    row.evidence = vec![Evidence {
        code: EvidenceCode::Postscreen,
        grade: Grade::Strong,
        excerpt: None,
        at: None,
        front: Some("postscreen".into()),
    }];
    row.findings = vec![Finding { id: "weak_key", severity: Severity::High, detail: None }];
    row
}

#[test]
fn what_stands_in_front_and_how_bad_it_is_are_told() {
    let row = guarded_server();
    let lines = [
        (
            140,
            "ftps        greeted         220  high    ProFTPD 1.3.8b                likely postscreen  mail.example.com",
        ),
        (120, "ftps        greeted         220  high    ProFTPD 1.3.8b                likely postscreen  mail.e…"),
        (80, "greeted         220  high    ProFTPD 1.3.8b  likely post…"),
    ];
    for (width, line) in lines {
        assert_eq!(written(look(width, false), &row), format!("[2001:db8::1]:990      {line}\n"));
    }
    let mut direct = row.clone();
    direct.fronting = Some(Fronting::NotObserved);
    let line = written(look(120, false), &direct);
    assert!(line.ends_with("high    ProFTPD 1.3.8b                mail.example.com\n"), "{line}");
    let coloured = written(look(120, true), &row);
    for part in ["\x1b[32mgreeted\x1b[0m", "\x1b[1m\x1b[31mhigh\x1b[0m", "\x1b[1mProFTPD\x1b[0m 1.3.8b"] {
        assert!(coloured.contains(part), "{part} in {coloured:?}");
    }
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), written(look(120, false), &row));
}

#[test]
fn addresses_look_as_they_are_told() {
    for ip in ["0.0.0.0", "10.9.100.255", "::", "2001:db8::1", "::ffff:192.0.2.1"] {
        let mut row = empty();
        row.ip = ip.parse().ok();
        assert_eq!(read_json(&written(Format::Ndjson, &row))["ip"], ip);
    }
}

#[test]
fn the_columns_are_the_schema() {
    assert_eq!(Column::ALL.map(Column::as_str).join(" "), COLUMNS);
    let json = read_json_order(&written(Format::Ndjson, &full()));
    let beyond = ["banner_b64", "chain"];
    let unfilled = ["fronting", "front", "evidence", "capabilities", "auth", "pasv", "ptr", "severity", "findings"];
    let keys: Vec<_> = json.iter().map(String::as_str).filter(|key| !beyond.contains(key)).collect();
    let columns: Vec<_> = COLUMNS.split(' ').filter(|column| !unfilled.contains(column)).collect();
    assert_eq!(keys, columns);
}

/// The keys of an object as they stand in the text; a map would sort them.
fn read_json_order(text: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Keys>(text).unwrap().0
}

#[test]
fn a_row_costs_no_allocation_once_its_buffers_have_grown() {
    let row = full();
    let excel = csv_of(CsvProfile::Excel, Delimiter::Semicolon);
    for layout in [Format::Csv.into(), Format::Ndjson.into(), csv_of(CsvProfile::Raw, Delimiter::Comma), excel] {
        let shown = format!("{layout:?}");
        let mut encoder = Encoder::new(layout);
        let mut out = String::new();
        encoder.row(&row, &mut out);
        out.clear();
        let counted = allocation_counter::measure(|| encoder.row(&row, &mut out));
        // A formula behind a semicolon, which is nobody's everyday, may have one.
        assert!(counted.count_total <= 1, "{shown}: {counted:?}");
    }
}

#[test]
fn formats_follow_the_ending() {
    for (path, format) in [
        ("a.csv", Some(Format::Csv)),
        ("b/a.NDJSON", Some(Format::Ndjson)),
        ("a.tar.JsonL", Some(Format::Ndjson)),
        ("csv", None),
        (".csv", None),
        ("a.csv/", Some(Format::Csv)),
        ("a.json", None),
    ] {
        assert_eq!(Format::from_path(Path::new(path)), format, "{path}");
    }
}

#[test]
fn no_formula_hides_behind_a_delimiter() {
    let semicolons = csv_of(CsvProfile::Default, Delimiter::Semicolon);
    for (greeting, cell) in [("220 a,=1+1", r#""220 a,\x3d1+1""#), ("220 a;=1+1", r#""220 a;\x3d1+1""#)] {
        let mut row = empty();
        greet(&mut row, greeting.as_bytes());
        let text = written(semicolons.clone(), &row);
        assert!(text.contains(cell), "{text}");
    }
    for (greeting, cell) in [
        ("220 a;=1+1", r#""220 a;\x3d1+1""#),
        ("220 a,=1+1", r#""220 a,=1+1""#),
        ("220 a; \"@b", r#""220 a; ""\x40b""#),
        ("220 a;\u{a0}＝b", "\"220 a;\u{a0}\\xef\\xbc\\x9db\""),
        ("220 a; b=c", r#""220 a; b=c""#),
    ] {
        let mut row = empty();
        greet(&mut row, greeting.as_bytes());
        let text = written(Format::Csv, &row);
        assert!(text.contains(cell), "{text}");
        let (_, banner) = read_csv(&text).into_iter().find(|(name, _)| name == "banner").unwrap();
        assert_eq!(unescape(unguard(&banner)).unwrap(), greeting.as_bytes());
    }
}

#[test]
fn csv_for_spreadsheets() {
    let text = written(csv_of(CsvProfile::Excel, Delimiter::Semicolon), &full());
    let expected = [
        "2025-07-27 07:06:40;ftp.example.com;2001:db8::1;990;ftps;greeted",
        r#""closed early, errno 104";tls;1,5;20,042;3;220"#,
        r#""220 ""Caf\xe9""; \\o/\r\n";ftp1.example.com"#,
        "ProFTPD;1.3.8b;",
    ]
    .join(";");
    let (header, rows) = text.split_once("\r\n").unwrap();
    assert_eq!(header, format!("\u{feff}{}", COLUMNS.replace(' ', ";")));
    assert!(rows.starts_with(&expected), "{rows}");
    assert!(
        rows.contains(";'-;\"CN=ftp.example.com,O=A\\\\, B\";") && rows.contains(";2023-11-14 22:13:20;"),
        "{rows}"
    );
    assert!(rows.ends_with(";true;2\r\n") && rows.matches('\n').count() == 1);
    let comma = written(csv_of(CsvProfile::Excel, Delimiter::Comma), &full());
    assert!(comma.contains(",tls,1.5,20.042,3,220,"), "a comma is no decimal mark where it separates: {comma}");
}

/// A combining mark takes no column, and the blanks before it do.
#[test]
fn what_takes_no_column_moves_nothing_beyond_the_width() {
    let row = hostile_row("\u{b01}", Vec::new(), b"");
    for width in 60..120 {
        let line = written(look(width, false), &row);
        assert!(line.trim_end_matches('\n').width() <= width, "{width}: {line}");
    }
}

#[test]
fn csv_for_programs() {
    let text = written(csv_of(CsvProfile::Raw, Delimiter::Comma), &full());
    let (header, rows) = text.split_once('\n').unwrap();
    assert_eq!(header, format!("\"time\",{}", COLUMNS.replace(' ', ",").trim_start_matches("time,")));
    assert!(rows.contains(r#",X25519,-,"CN=ftp"#) && rows.contains(r#"a\;b; =c\n""#), "{rows}");
    for (delimiter, name) in [(Delimiter::Tab, "name\tip\tport"), (Delimiter::Bar, "name|ip|port")] {
        assert!(written(csv_of(CsvProfile::Raw, delimiter), &full()).contains(name));
        let mut row = empty();
        greet(&mut row, b"220 a|b\tc");
        let cell = if delimiter == Delimiter::Bar { "|\"220 a|b\\x09c\"|" } else { "\t220 a|b\\x09c\t" };
        let text = written(csv_of(CsvProfile::Raw, delimiter), &row);
        assert!(text.contains(cell), "{text}");
    }
}

#[test]
fn columns_are_chosen_and_in_order() {
    let fields = Fields::named(["attempts", "software", "ip"]).unwrap();
    let of = |format: Format| Layout { fields: fields.clone(), ..Layout::from(format) };
    assert_eq!(written(of(Format::Csv), &full()), "attempts,software,ip\n2,ProFTPD,2001:db8::1\n");
    let json = "{\"attempts\":2,\"software\":\"ProFTPD\",\"ip\":\"2001:db8::1\"}\n";
    assert_eq!(written(of(Format::Ndjson), &full()), json);
    let beyond = Fields::named(["banner_b64", "port", "chain"]).unwrap();
    assert_eq!(beyond.beyond_csv(), Some(Extra::BannerB64));
    let keys = read_json_order(&written(Layout { fields: beyond, ..Layout::from(Format::Ndjson) }, &full()));
    assert_eq!(keys, ["banner_b64", "port", "chain"]);
}

#[test]
fn cells_are_cut_where_a_spreadsheet_would() {
    let units = |text: &str| text.encode_utf16().count();
    for (piece, times) in
        [("x", 40_000), ("\u{1f600}", 16_384), ("\0", 20_000), ("\\", 30_000), ("=", 32_767), ("\"", 32_767)]
    {
        let mut row = empty();
        greet(&mut row, piece.repeat(times).as_bytes());
        let text = written(csv_of(CsvProfile::Excel, Delimiter::Comma), &row);
        let cells = read_csv(text.trim_start_matches('\u{feff}'));
        let cell = &cells.iter().find(|(name, _)| name == "banner").unwrap().1;
        if piece == "\"" {
            // As long as it may be.
            assert_eq!((units(cell), cell.ends_with('"')), (MAX_CELL, true));
            continue;
        }
        assert!((MAX_CELL - 8..=MAX_CELL).contains(&units(cell)), "{piece:?}: {}", units(cell));
        let (kept, mark) = unguard(cell).split_once('…').unwrap();
        let kept = unescape(kept).unwrap_or_else(|| panic!("{piece:?}: an escape was cut in two"));
        let left = piece.repeat(times).len() - kept.len();
        assert!(piece.repeat(times).as_bytes().starts_with(&kept) && left > 0);
        let escaped = escape::escape(&piece.repeat(times).as_bytes()[kept.len()..]).chars().count();
        assert_eq!(mark, format!(" ({escaped} more characters)"), "{piece:?}");
        assert!(written(Format::Csv, &row).len() > piece.len() * times, "only spreadsheets are short of room");
    }
}

/// What is escaped lest it begin a cell makes a cell longer, and is cut as well.
#[test]
fn cells_are_cut_as_a_spreadsheet_reads_them() {
    for (piece, times) in [(";=", 16_000), ("; =", 10_900), (",\"=", 10_900), (";＝", 16_000), (";", 32_767)] {
        let mut row = empty();
        greet(&mut row, piece.repeat(times).as_bytes());
        for delimiter in Delimiter::ALL {
            let text = written(csv_of(CsvProfile::Excel, delimiter), &row);
            let mut reader = ::csv::ReaderBuilder::new();
            let mut reader =
                reader.delimiter(delimiter.as_byte()).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            let cell = record.iter().max_by_key(|cell| cell.len()).unwrap();
            let is_behind_delimiter = piece.starts_with(';') || delimiter != Delimiter::Comma;
            let is_cut = is_behind_delimiter && piece != ";";
            assert!(cell.encode_utf16().count() <= MAX_CELL, "{piece} {delimiter:?}");
            assert_eq!(cell.ends_with(" more characters)"), is_cut, "{piece} {delimiter:?}");
        }
    }
}

#[test]
fn of_many_names_the_first_are_told() {
    let names = |count: usize| (0..count).map(|number| format!("p{number}")).collect::<Vec<_>>();
    assert_eq!([0, 1, 5].map(|count| first_few(&names(count))), ["", "p0", "p0, p1, p2, p3, p4"]);
    assert_eq!(first_few(&names(150)), "p0, p1, p2, p3, p4 and 145 more");
}

/// Texts with more of what breaks things than chance would bring.
fn hostile() -> impl Strategy<Value = String> {
    proptest::string::string_regex("([=+@;,\"'\\\\ \t\r\n\0-]|＝|\u{202e}|\u{2028}|\u{85}|[a-z]|\\PC|\\p{Cc}){0,12}")
        .unwrap()
}

fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![hostile().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..40)]
}

/// The same hostile text wherever a peer can put one.
fn hostile_row(text: &str, names: Vec<String>, greeting: &[u8]) -> Observation {
    let own = || Some(text.to_owned());
    let mut row = full();
    row.name = Some(text.into());
    row.detail = Some(Cow::Owned(text.to_owned()));
    row.hostname = own();
    row.received = crate::observation::Received::default();
    greet(&mut row, greeting);
    row.software = Some(Box::new(Software {
        name: text.into(),
        version: own(),
        vendor: Some(text.into()),
        device: own(),
        os: own(),
        cpe: own(),
        confidence: 100,
    }));
    let mut facts = TlsFacts::new(TlsUse::Failed);
    facts.cipher = own();
    facts.group = own();
    facts.error = Some(Cow::Owned(text.to_owned()));
    let (subject, issuer, signature) = (own(), own(), own());
    let key = Some(Key { kind: KeyKind::Other, bits: None, text: Cow::Owned(text.to_owned()) });
    let certificate = Certificate { subject, issuer, names, key, signature, ..Certificate::default() };
    facts.chain = [Arc::new(certificate)].into();
    row.tls = Some(Box::new(facts));
    row
}

/// The items of a list that would be read back.
fn items(names: &[String]) -> Vec<Vec<u8>> {
    if names.iter().all(String::is_empty) {
        return Vec::new();
    }
    names.iter().map(|name| name.clone().into_bytes()).collect()
}

proptest! {
    #[test]
    fn no_peer_breaks_out_of_csv(
        text in hostile(),
        names in proptest::collection::vec(hostile(), 0..4),
        greeting in hostile_bytes(),
    ) {
        let csv = written(Format::Csv, &hostile_row(&text, names.clone(), &greeting));
        prop_assert_eq!(csv.lines().count(), 2);
        prop_assert!(!csv.chars().any(|character| character.is_control() && character != '\n'));
        for (name, cell) in read_csv(&csv) {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0', '＝', '＋', '－', '＠']), "{}", cell);
            prop_assert!(!guard(&cell) || cell.starts_with('\''));
            if !OF_PEERS.contains(&name.as_str()) {
                continue;
            }
            let cell = unguard(&cell);
            match name.as_str() {
                "banner" => prop_assert_eq!(unescape(cell), Some(greeting.clone())),
                "cert_names" => {
                    let read: Vec<_> = split_list(cell).into_iter().filter_map(unescape).collect();
                    prop_assert_eq!(read, items(&names));
                }
                _ => prop_assert_eq!(unescape(cell), Some(text.clone().into_bytes()), "{}", name),
            }
        }
    }

    #[test]
    fn no_formula_in_any_dialect_for_people(text in hostile(), greeting in hostile_bytes(), delimiter in 0usize..4) {
        let delimiter = Delimiter::ALL[delimiter];
        for profile in [CsvProfile::Default, CsvProfile::Excel] {
            let csv = written(csv_of(profile, delimiter), &hostile_row(&text, vec![text.clone(), text.clone()], &greeting));
            let csv = csv.trim_start_matches('\u{feff}');
            let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter.as_byte()).from_reader(csv.as_bytes());
            for record in reader.records() {
                for cell in &record.unwrap() {
                    let dangerous = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];
                    prop_assert!(!cell.trim_start().starts_with(dangerous), "{profile:?}: {cell}");
                    prop_assert!(!cell.chars().any(char::is_control));
                }
            }
        }
    }

    /// A reader that splits elsewhere than it should finds no formula either.
    #[test]
    fn no_formula_whatever_the_delimiter(text in hostile(), greeting in hostile_bytes(), delimiter in 0usize..4) {
        for profile in [CsvProfile::Default, CsvProfile::Excel] {
            let layout = csv_of(profile, Delimiter::ALL[delimiter]);
            let csv = written(layout, &hostile_row(&text, vec![text.clone(), text.clone()], &greeting));
            let csv = csv.trim_start_matches('\u{feff}');
            for splits_at in Delimiter::ALL.map(Delimiter::as_byte) {
                let mut reader = ::csv::ReaderBuilder::new();
                let mut reader = reader.delimiter(splits_at).flexible(true).from_reader(csv.as_bytes());
                for record in reader.records() {
                    for cell in &record.unwrap() {
                        prop_assert!(!cell.trim_start().starts_with(escape::begins_formula), "{profile:?}: {cell}");
                    }
                }
            }
        }
    }

    /// However it is read back, with whatever in it that is escaped or doubled.
    #[test]
    fn no_cell_is_longer_than_a_spreadsheet_takes(text in hostile(), delimiter in 0usize..4) {
        let delimiter = Delimiter::ALL[delimiter];
        let greeting = text.repeat(33_000 / text.len().max(1));
        let csv = written(csv_of(CsvProfile::Excel, delimiter), &hostile_row(&text, vec![text.clone()], greeting.as_bytes()));
        let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter.as_byte()).from_reader(csv.as_bytes());
        for record in reader.records() {
            for cell in &record.unwrap() {
                prop_assert!(cell.encode_utf16().count() <= MAX_CELL, "{} units", cell.encode_utf16().count());
            }
        }
    }

    #[test]
    fn no_peer_breaks_out_of_ndjson(
        text in hostile(),
        names in proptest::collection::vec(hostile(), 0..4),
        greeting in hostile_bytes(),
    ) {
        let line = written(Format::Ndjson, &hostile_row(&text, names.clone(), &greeting));
        prop_assert_eq!(line.lines().count(), 1);
        let row = read_json(&line);
        let read = |name: &str| row.get(name).map_or("", |value| value.as_str().unwrap());
        for name in OF_PEERS {
            match name {
                "banner" => prop_assert_eq!(unescape(read(name)), Some(greeting.clone())),
                "cert_names" => {
                    let list = row.get(name).map_or(&[][..], |value| value.as_array().unwrap());
                    let read: Vec<_> = list.iter().filter_map(|item| unescape(item.as_str().unwrap())).collect();
                    prop_assert_eq!(read, items(&names));
                }
                _ => prop_assert_eq!(unescape(read(name)), Some(text.clone().into_bytes()), "{}", name),
            }
        }
        prop_assert_eq!(row.contains_key("banner_b64"), str::from_utf8(&greeting).is_err());
    }

    #[test]
    fn no_peer_breaks_out_of_text(text in hostile(), greeting in hostile_bytes()) {
        let mut row = hostile_row(&text, Vec::new(), &greeting);
        for software in [row.software.clone(), None] {
            row.software = software;
            let line = written(Format::Text, &row);
            prop_assert_eq!(line.lines().count(), 1);
            for width in [60, 80, 120] {
                for is_coloured in [false, true] {
                    let line = written(look(width, is_coloured), &row);
                    let shown = anstream::adapter::strip_str(&line).to_string();
                    prop_assert_eq!(&shown, &written(look(width, false), &row));
                    prop_assert!(!shown.trim_end_matches('\n').chars().any(char::is_control));
                    prop_assert!(shown.trim_end_matches('\n').width() <= width, "{}", shown);
                }
            }
        }
    }
}
