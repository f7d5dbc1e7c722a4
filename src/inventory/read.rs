//! Rows from files, one at a time.
//!
//! What a file is, CSV or NDJSON, its first byte says, behind a byte order mark where spreadsheets have put one. In CSV the
//! header decides which columns there are, what stands between them, and whether cells have a guard, whose `'` is taken
//! off; times and numbers as a spreadsheet has them are brought into the usual form. A last line that broke off, as that of
//! a scan that was killed, is left out, and [`Rows::torn`] tells of it; anything else that is no row is an error, which says
//! where and what to do.

mod seen;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use self::seen::Seen;
use super::row::{Cell, Key, Row};
use super::spoken::Spoken;
use crate::output::Column;
use crate::output::csv::plain;
use crate::output::escape::unguard;

/// No row is as long as that: a greeting has 64 KiB, and a transcript some of them.
const MAX_ROW: u64 = 16 << 20;

/// Rows have some fifty columns.
const MAX_COLUMNS: usize = 1024;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Without these nothing is a row.
const NEEDED: [Column; 4] = [Column::Ip, Column::Port, Column::Service, Column::Outcome];

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{place} {words}")]
pub struct ReadError {
    file: Arc<str>,
    place: Place,
    words: String,
}

/// A line, and within it a place, where there is one.
#[derive(Debug, Clone, Copy)]
struct Place(u64, Option<usize>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(line, Some(column)) => write!(f, "{line}:{column}:"),
            Self(line, None) => write!(f, "{line}:"),
        }
    }
}

/// The rows of a file.
#[derive(Debug)]
pub struct Rows<R> {
    file: Arc<str>,
    lines: Lines<R>,
    torn: Option<u64>,
    has_failed: bool,
}

#[derive(Debug)]
enum Lines<R> {
    Empty,
    Csv(Box<Csv<R>>),
    Ndjson { source: R, line: u64, buffer: Vec<u8>, seen: Seen },
}

#[derive(Debug)]
struct Csv<R> {
    reader: csv::Reader<Source<R>>,
    header: Vec<Key>,
    record: ByteRecord,
    dialect: Spoken,
}

impl<R: Read> Rows<BufReader<R>> {
    /// The rows of a file that errors call so.
    ///
    /// # Errors
    /// Where it cannot be read, or has another header than rows have.
    ///
    /// ```
    /// use hailer::inventory::Rows;
    /// use hailer::output::Column;
    ///
    /// let csv = "ip,port,service,outcome,software\n192.0.2.1,21,ftp,greeted,vsftpd\n192.0.2.2,21,f";
    /// let mut rows = Rows::new("rows.csv", csv.as_bytes())?;
    /// let row = rows.next().expect("there is one")?;
    /// assert_eq!(row.text(Column::Software).as_deref(), Some("vsftpd"));
    /// assert!(rows.next().is_none() && rows.torn() == Some(3));
    /// # Ok::<(), hailer::inventory::ReadError>(())
    /// ```
    pub fn new(file: &str, source: R) -> Result<Self, ReadError> {
        let file: Arc<str> = file.into();
        let mut source = BufReader::new(source);
        let cannot_read = |cause: io::Error| failed(&file, 1, &cause);
        if source.fill_buf().map_err(cannot_read)?.starts_with(BYTE_ORDER_MARK) {
            source.consume(BYTE_ORDER_MARK.len());
        }
        let begins = source.fill_buf().map_err(cannot_read)?;
        if let Some(what) = made_of_rows(begins) {
            let words =
                format!("this is {what}, which cannot be read back: give the rows that it was made of (.csv, .ndjson)");
            return Err(ReadError { file, place: Place(1, None), words });
        }
        let first = begins.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        let lines = match first {
            None if begins.is_empty() => Lines::Empty,
            Some(b'{') => Lines::Ndjson { source, line: 0, buffer: Vec::new(), seen: Seen::default() },
            Some(_) | None => Lines::Csv(Box::new(Csv::new(&file, source)?)),
        };
        Ok(Self { file, lines, torn: None, has_failed: false })
    }
}

impl<R: BufRead> Rows<R> {
    /// The line where the file broke off, once all of it is read.
    pub fn torn(&self) -> Option<u64> {
        self.torn
    }

    /// Whether there is nothing in it, not even a header.
    pub fn is_empty(&self) -> bool {
        matches!(self.lines, Lines::Empty)
    }

    /// Whether it has a column: by the header of CSV; of NDJSON, once all of it is read, a column that no row has is one that
    /// it lacks where rows lack what all have that a scan writes.
    pub fn has(&self, column: Column) -> bool {
        match &self.lines {
            Lines::Csv(csv) => csv.header.contains(&Key::Column(column)),
            Lines::Ndjson { seen, .. } => seen.has(column),
            Lines::Empty => true,
        }
    }

    /// Columns of CSV that the schema does not have.
    pub fn other_columns(&self) -> impl Iterator<Item = &Arc<str>> {
        let header = match &self.lines {
            Lines::Csv(csv) => csv.header.as_slice(),
            Lines::Empty | Lines::Ndjson { .. } => &[],
        };
        header.iter().filter_map(|key| match key {
            Key::Other(name) => Some(name),
            Key::Column(_) => None,
        })
    }

    fn read(&mut self) -> Result<Option<Row>, ReadError> {
        let (row, line) = match &mut self.lines {
            Lines::Empty => return Ok(None),
            Lines::Csv(csv) => match csv.read(&self.file)? {
                Line::End => return Ok(None),
                Line::Torn(line) => {
                    self.torn = Some(line);
                    return Ok(None);
                }
                Line::Row(row, line) => (row, line),
            },
            Lines::Ndjson { source, line, buffer, seen } => match read_line(source, line, buffer, &self.file)? {
                Line::End => return Ok(None),
                Line::Torn(line) => {
                    self.torn = Some(line);
                    return Ok(None);
                }
                Line::Row(row, line) => {
                    seen.see(&row);
                    (row, line)
                }
            },
        };
        match row.mistake() {
            None => Ok(Some(row)),
            Some((column, what)) => {
                let name = column.as_str();
                let words = match row.text(column) {
                    Some(found) => format!("{name}: '{}' is not {what}; {MEND}", found.escape_debug()),
                    None => {
                        format!("there is no '{name}', without which nothing is a row: was it written with --columns?")
                    }
                };
                Err(self.error(Place(line, None), words))
            }
        }
    }

    fn error(&self, place: Place, words: String) -> ReadError {
        ReadError { file: Arc::clone(&self.file), place, words }
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed || self.torn.is_some() {
            return None;
        }
        let row = self.read().transpose();
        self.has_failed = matches!(row, Some(Err(_)));
        row
    }
}

/// What `hailer diff` writes looks like rows with some more columns.
const DIFFERENCES: &str = "these are differences, not rows: give the rows that were compared";

const MEND: &str = "mend the line, or take it out";

enum Line {
    Row(Row, u64),
    Torn(u64),
    End,
}

/// What a file is that begins so, if it is none of rows but made of such.
pub(super) fn made_of_rows(begins: &[u8]) -> Option<&'static str> {
    let is_tagged = |tag: &str| {
        let begins = begins.trim_ascii_start();
        begins.get(..tag.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(tag.as_bytes()))
    };
    if begins.starts_with(b"PK\x03\x04") {
        Some("a workbook")
    } else if is_tagged("<!doctype") || is_tagged("<html") {
        Some("a page")
    } else {
        None
    }
}

fn failed(file: &Arc<str>, line: u64, cause: &io::Error) -> ReadError {
    let words = format!("it cannot be read on: {cause}");
    ReadError { file: Arc::clone(file), place: Place(line, None), words }
}

/// The next line of NDJSON that is not blank.
fn read_line(
    source: &mut impl BufRead,
    number: &mut u64,
    buffer: &mut Vec<u8>,
    file: &Arc<str>,
) -> Result<Line, ReadError> {
    loop {
        buffer.clear();
        *number += 1;
        let error = |column, words: String| ReadError { file: Arc::clone(file), place: Place(*number, column), words };
        source.by_ref().take(MAX_ROW).read_until(b'\n', buffer).map_err(|cause| failed(file, *number, &cause))?;
        let is_whole = buffer.ends_with(b"\n");
        if buffer.is_empty() {
            return Ok(Line::End);
        }
        if !is_whole && u64::try_from(buffer.len()).is_ok_and(|len| len >= MAX_ROW) {
            return Err(error(None, format!("the line is longer than {MAX_ROW} bytes, as no row is; {MEND}")));
        }
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        return match serde_json::from_slice::<Object>(buffer) {
            Ok(Object(row)) if *number == 1 && ["kind", "fields"].iter().all(|key| row.other(key).is_some()) => {
                Err(error(None, DIFFERENCES.to_owned()))
            }
            Ok(Object(row)) => Ok(Line::Row(row, *number)),
            Err(_) if !is_whole => Ok(Line::Torn(*number)),
            Err(cause) => Err(error(Some(cause.column()), format!("this is not a JSON object on one line; {MEND}"))),
        };
    }
}

/// A row as a JSON object, its keys in their order.
struct Object(Row);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some((Name(key), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    let raw = value.get();
                    let cell = match text(raw).map_err(A::Error::custom)? {
                        Some(text) => Cell::Text(text),
                        None => Cell::Json(raw.to_owned()),
                    };
                    // Neither is a value: an empty text is an absent one.
                    if !matches!(raw, "null" | "\"\"") {
                        row.push(Key::named(&key), cell);
                    }
                }
                Ok(row)
            }
        }

        deserializer.deserialize_map(Keys).map(Self)
    }
}

/// A key, which is seldom escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a value says that is a text.
fn text(raw: &str) -> serde_json::Result<Option<String>> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Ok(Some(text.to_owned())),
        Some(_) => serde_json::from_str(raw).map(Some),
        None => Ok(None),
    }
}

impl<R: BufRead> Csv<R> {
    fn new(file: &Arc<str>, mut source: R) -> Result<Self, ReadError> {
        let mut first = Vec::new();
        source.by_ref().take(MAX_ROW).read_until(b'\n', &mut first).map_err(|cause| failed(file, 1, &cause))?;
        let dialect = Spoken::of(&first, &NEEDED);
        let source = Cursor::new(first).chain(source);
        let source = Source { inner: source, last: b'\n', has_ended: false, allowance: MAX_ROW };
        let mut reader = ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(dialect.delimiter.as_byte());
        let mut reader = reader.from_reader(source);
        let mut record = ByteRecord::new();
        let error = |words: String| ReadError { file: Arc::clone(file), place: Place(1, None), words };
        reader.read_byte_record(&mut record).map_err(|cause| error(format!("it cannot be read: {cause}")))?;
        if record.len() > MAX_COLUMNS {
            return Err(error(format!("here are {} columns, and rows have {MAX_COLUMNS} at most", record.len())));
        }
        let plain = |name: &str| if dialect.is_guarded { unguard(name).to_owned() } else { name.to_owned() };
        let names: Vec<_> = record.iter().map(|name| plain(&String::from_utf8_lossy(name))).collect();
        if ["kind", "field", "what"].iter().all(|name| names.iter().any(|other| other == name)) {
            return Err(error(DIFFERENCES.to_owned()));
        }
        let header: Vec<_> = names.iter().map(|name| Key::named(name)).collect();
        if let Some(missing) = NEEDED.into_iter().find(|column| !header.contains(&Key::Column(*column))) {
            let advice = "The first line of CSV names the columns, with ',', ';', '|' or TAB between";
            let missing = missing.as_str();
            return Err(error(format!("this is not the header of rows: there is no column '{missing}'. {advice}")));
        }
        if let Some(name) =
            names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name)
        {
            return Err(error(format!("the column '{}' is there twice: take one out", name.escape_debug())));
        }
        Ok(Self { reader, header, record, dialect })
    }

    fn read(&mut self, file: &Arc<str>) -> Result<Line, ReadError> {
        self.reader.get_mut().allowance = MAX_ROW;
        let line = self.reader.position().line();
        let error = |words: String| ReadError { file: Arc::clone(file), place: Place(line, None), words };
        let is_there =
            self.reader.read_byte_record(&mut self.record).map_err(|cause| error(format!("{cause}; {MEND}")))?;
        if !is_there {
            return Ok(Line::End);
        }
        let line = self.record.position().map_or(line, csv::Position::line);
        let error = |words: String| ReadError { file: Arc::clone(file), place: Place(line, None), words };
        let (found, expected) = (self.record.len(), self.header.len());
        let source = self.reader.get_ref();
        let is_last = source.has_ended && source.last != b'\n';
        if found < expected && is_last {
            return Ok(Line::Torn(line));
        }
        if found != expected {
            return Err(error(format!("here are {found} cells, and the header names {expected} columns; {MEND}")));
        }
        let mut row = Row::default();
        for (key, cell) in self.header.iter().zip(&self.record) {
            let cell = str::from_utf8(cell)
                .map_err(|_| error(format!("{}: this is not UTF-8; save the file as UTF-8", key.as_str())))?;
            let cell = if self.dialect.is_guarded { unguard(cell) } else { cell };
            let cell = match key {
                Key::Column(column) => plain(*column, cell, self.dialect.delimiter),
                Key::Other(_) => cell.into(),
            };
            if !cell.is_empty() {
                row.push(key.clone(), Cell::Text(cell.into_owned()));
            }
        }
        Ok(Line::Row(row, line))
    }
}

/// What CSV is read from: it knows how it ended, and that a row has to end.
#[derive(Debug)]
struct Source<R> {
    /// The header's first line, and what follows it.
    inner: Chain<Cursor<Vec<u8>>, R>,
    last: u8,
    /// Where its last row has no end, that is known when this row is read.
    has_ended: bool,
    allowance: u64,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        match bytes[..count].last() {
            Some(last) => self.last = *last,
            None => self.has_ended = true,
        }
        let count_u64 = u64::try_from(count).unwrap_or(u64::MAX);
        self.allowance = self.allowance.checked_sub(count_u64).ok_or_else(|| {
            io::Error::other(format!("a row is longer than {MAX_ROW} bytes: a quotation mark may be missing"))
        })?;
        Ok(count)
    }
}
