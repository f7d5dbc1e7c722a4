//! What must hold of rows: ours, whatever a peer says in them, and those of anybody.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Input;
use crate::classify::fronting::{Bounds, Sweep};
use crate::inventory::{Census, Row, Rows, Told, Writer, raise};
use crate::observation::{
    Asked, Dialogue, Event, Evidence, EvidenceCode, Grade, Legacy, Observation, Offers, Outcome, Reply, Service,
    Software, TlsFacts, TlsUse, Transcript,
};
use crate::output::escape::{escape, split_list, unescape};
use crate::output::{Cell, Column, Format, Kind, RowSink, RowWriter};

const TIME: Duration = Duration::from_micros(1_753_600_000_123_456);
const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A row with this greeting, and nothing else that is known.
pub(crate) fn greeted(greeting: &[u8]) -> Observation {
    let mut row = Observation::new(SystemTime::UNIX_EPOCH + TIME, Some(IP), 21, Service::Ftp, Outcome::Greeted);
    row.received.push(greeting, Duration::from_millis(3));
    row.greeting_len = row.received.bytes().len();
    row
}

/// A row is one line in every format, without anything that acts on a terminal, and read back it says what it said.
pub(crate) fn assert_written(row: &Observation) {
    assert_eq!(unescape(&escape(row.greeting())).as_deref(), Some(row.greeting()));
    for format in Format::ALL {
        let text = written(format, row);
        // A header, and for people another line for each thing that does not fit into one.
        let is_inert = text.split_inclusive('\n').all(|line| !line.trim_end_matches('\n').contains(char::is_control));
        assert!(is_inert && text.ends_with('\n'), "{text:?}");
    }
    let [csv, ndjson] = [Format::Csv, Format::Ndjson].map(|format| {
        let mut rows = read(&written(format, row)).0;
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    });
    for column in Column::ALL {
        for read in [&csv, &ndjson] {
            assert_says(read.text(column), column.cell(row), column);
        }
    }
    let told =
        |read: &Row| read.evidence().into_iter().map(|told| (told.code.clone(), words(&told))).collect::<Vec<_>>();
    let words: Vec<_> = row.evidence.iter().map(|it| (it.code.as_str().to_owned(), excerpt(it))).collect();
    assert_eq!((told(&csv), told(&ndjson)), (words.clone(), words));
}

/// Whether a cell that was read says what it was made of.
fn assert_says(read: Option<Cow<'_, str>>, cell: Cell<'_>, column: Column) {
    let name = column.as_str();
    let bytes = |text: &str| unescape(text).unwrap_or_else(|| panic!("{name}: {text:?} is not in escaped form"));
    let lists = |cell: &str| split_list(cell).into_iter().map(bytes).collect::<Vec<_>>();
    match (cell, read) {
        (Cell::Empty, read) => assert_eq!(read, None, "{name}"),
        (_, None) => panic!("{name} is gone"),
        (Cell::Text(text), Some(read)) => assert_eq!(bytes(&read), text.as_bytes(), "{name}"),
        (Cell::Bytes(expected), Some(read)) => assert_eq!(bytes(&read), expected, "{name}"),
        (Cell::List(items), Some(read)) => {
            assert_eq!(lists(&read), items.iter().map(|item| item.as_bytes().to_vec()).collect::<Vec<_>>(), "{name}");
        }
        (Cell::Ip(ip), Some(read)) => assert_eq!(read.parse(), Ok(ip), "{name}"),
        (Cell::Integer(number), Some(read)) => assert_eq!(read.parse(), Ok(number), "{name}"),
        (Cell::Word(word), Some(read)) => assert_eq!(read, word, "{name}"),
        (Cell::Flag, Some(read)) => assert_eq!(read, "true", "{name}"),
        (Cell::Millis(_) | Cell::Time(_) | Cell::Hash(_) | Cell::Findings(_) | Cell::Evidence(_), Some(_)) => {}
    }
}

fn words(told: &Told) -> Option<Vec<u8>> {
    let words = told.excerpt.as_deref().map(|words| unescape(words).expect("an excerpt is in escaped form"));
    words.filter(|words| !words.is_empty())
}

fn excerpt(evidence: &Evidence) -> Option<Vec<u8>> {
    evidence.excerpt.as_deref().filter(|words| !words.is_empty()).map(|words| words.as_bytes().to_vec())
}

fn written(format: Format, row: &Observation) -> String {
    let mut lines = Vec::new();
    let mut sink = RowSink::over(format, "memory", &mut lines);
    sink.write(row).expect("memory takes all");
    sink.flush().expect("memory takes all");
    drop(sink);
    String::from_utf8(lines).expect("rows are text")
}

/// Everything that a peer or a user can influence, one part of the input each.
pub(super) fn row(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut text = || Some(input.text()).filter(|text| !text.is_empty());
    let (banner, name, detail, hostname) = (text(), text(), text(), text());
    let mut row = greeted(banner.unwrap_or_default().as_bytes());
    row.name = name.map(Into::into);
    row.detail = detail.map(Cow::Owned);
    row.hostname = hostname;
    row.software = text()
        .map(|name| Software {
            name: name.into(),
            version: text(),
            vendor: text().map(Into::into),
            device: text(),
            os: text(),
            cpe: text(),
            confidence: 90,
        })
        .map(Box::new);
    row.evidence = (0..3)
        .map_while(|number| {
            let excerpt = text()?;
            let code = EvidenceCode::ALL[excerpt.len() % EvidenceCode::ALL.len()];
            let grade = Grade::ALL[excerpt.len() % Grade::ALL.len()];
            let at = (excerpt.len() % 2 == 0).then(|| Duration::from_micros(number * 1500));
            Some(Evidence { code, grade, excerpt: Some(excerpt), at, front: text().map(Into::into) })
        })
        .collect();
    let mut facts = TlsFacts::new(TlsUse::Implicit);
    (facts.cipher, facts.group, facts.error) = (text(), text(), text().map(Cow::Owned));
    facts.legacy = text().map(|why| Legacy::Unknown(why.into()));
    row.tls = Some(Box::new(facts));
    row.transcript = text().map(|heard| {
        let mut transcript = Transcript::default();
        transcript.push(Duration::ZERO, Event::Heard(heard.into_bytes()));
        Box::new(transcript)
    });
    let reply = text().map(|reply| Reply { code: 250, bytes: reply.into_bytes() });
    row.dialogue = reply.map(|reply| {
        let mut dialogue = Dialogue { offers: Some(Offers::new(Asked::Ehlo, reply)), ..Dialogue::default() };
        dialogue.settle();
        Box::new(dialogue)
    });
    row.ptr = std::iter::from_fn(text).take(5).collect();
    assert_written(&row);
}

/// NDJSON is refused at a line, or read, written, and read as it was.
pub(super) fn ndjson(bytes: &[u8]) {
    let (rows, others) = read_bytes(bytes);
    let Some(rows) = rows else { return };
    let text = lines(&Writer::Ndjson, &rows);
    if !rows.is_empty() {
        let again = read(&text).0;
        assert_eq!(
            (again.len(), lines(&Writer::Ndjson, &again)),
            (rows.len(), text),
            "what was written is written as it was"
        );
    }
    look(rows, &others);
}

/// The same of CSV: a cell is written as it was, but for its quotes and guard.
pub(super) fn csv(bytes: &[u8]) {
    let (rows, others) = read_bytes(bytes);
    if let Some(rows) = rows {
        look(rows, &others);
    }
}

/// The rows up to the first that cannot be read, which has to be told with its line; none where there is not even a header.
fn read_bytes(bytes: &[u8]) -> (Option<Vec<Row>>, Vec<Arc<str>>) {
    let sound = |error: &dyn std::fmt::Display| {
        let told = error.to_string();
        let line =
            told.strip_prefix("rows:").and_then(|told| told.split(':').next()).and_then(|line| line.parse().ok());
        assert!(line.is_some_and(|line: u64| line > 0), "{told}");
        assert!(!told.contains(char::is_control), "{told:?}");
    };
    let mut rows = match Rows::new("rows", bytes) {
        Ok(rows) => rows,
        Err(error) => {
            sound(&error);
            return (None, Vec::new());
        }
    };
    let mut read = Vec::new();
    for row in rows.by_ref() {
        match row {
            Ok(row) => read.push(row),
            Err(error) => sound(&error),
        }
    }
    assert!(rows.next().is_none(), "an end is an end");
    let others = rows.other_columns().cloned().collect();
    (Some(read), others)
}

fn read(text: &str) -> (Vec<Row>, Vec<Arc<str>>) {
    let mut rows = Rows::new("rows", text.as_bytes()).expect("what was written has a header");
    let read = rows.by_ref().collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error} in {text:?}"));
    assert_eq!(rows.torn(), None, "{text:?}");
    let others = rows.other_columns().cloned().collect();
    (read, others)
}

/// Each row is one line.
fn lines(writer: &Writer, rows: &[Row]) -> String {
    let mut text = String::new();
    writer.header(&mut text);
    for row in rows {
        writer.row(row, &mut text);
    }
    text
}

/// What is done with rows that were read: judging, counting, raising, writing in either format.
fn look(mut rows: Vec<Row>, others: &[Arc<str>]) {
    assert_kept(&rows, others);
    let mut sweep = Sweep::new(Bounds::REPORT);
    rows.iter().filter_map(Row::glimpse).for_each(|glimpse| sweep.learn(&glimpse));
    let overview = sweep.overview();
    let mut census = Census::default();
    for row in &mut rows {
        raise(row, &overview, &[IP]);
        assert!(!raise(row, &overview, &[IP]), "what was raised is not raised again");
        census.count(row);
    }
    assert!(census.tally().rows == u64::try_from(rows.len()).unwrap_or(u64::MAX));
    let mut named = census.tally().software.keys().chain(census.tally().fronts.keys());
    assert!(!named.any(|name| name.contains(char::is_control)), "names are shown on a terminal");
    assert_kept(&rows, others);
}

/// No row and no text of one is lost on its way through either format.
fn assert_kept(rows: &[Row], others: &[Arc<str>]) {
    let text = lines(&Writer::Csv(others.to_vec()), rows);
    assert_eq!(text.split_inclusive('\n').count(), 1 + rows.len(), "{text:?}");
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    let (csv, kept) = read(&text);
    assert_eq!(kept.len(), others.len());
    let ndjson = if rows.is_empty() { Vec::new() } else { read(&lines(&Writer::Ndjson, rows)).0 };
    assert_eq!((csv.len(), ndjson.len()), (rows.len(), rows.len()));
    for ((row, csv), ndjson) in rows.iter().zip(&csv).zip(&ndjson) {
        for column in Column::ALL {
            assert_eq!(
                csv.text(column).as_deref().map(meaning),
                row.text(column).as_deref().map(meaning),
                "{}",
                column.as_str()
            );
            // Lists are put together anew: an item is what it was, what stood between may not be.
            if matches!(column.kind(), Kind::Text | Kind::Number | Kind::Flag) {
                assert_eq!(ndjson.text(column), row.text(column), "{}", column.as_str());
            }
        }
        for (name, kept) in others.iter().zip(&kept) {
            assert_eq!(csv.other(kept).as_deref().map(meaning), row.other(name).as_deref().map(meaning), "{name}");
            assert_eq!(ndjson.other(name), row.other(name), "{name}");
        }
    }
}

/// What a text says whether it is in escaped form or, where others wrote it, only in part: CSV escapes some more of it, lest
/// there be a formula behind a semicolon or a line end in a cell.
fn meaning(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(character) = rest.chars().next() {
        let escapes = [rest.get(..4), rest.get(..2)].into_iter().flatten().filter(|_| character == '\\');
        let escape =
            escapes.filter_map(|escape| Some((escape.len(), unescape(escape)?))).find(|(_, said)| said.len() == 1);
        let (taken, said) = escape.unwrap_or_else(|| {
            let taken = character.len_utf8();
            (taken, rest.as_bytes()[..taken].to_vec())
        });
        bytes.extend(said);
        rest = &rest[taken..];
    }
    bytes
}
