//! Rows from files, one at a time.
//!
//! What a file is, CSV or NDJSON, its first byte says, behind a byte order mark where spreadsheets have put one. In CSV the
//! header decides which columns there are, what stands between them, and whether cells have a guard, whose `'` is taken
//! off; times and numbers as a spreadsheet has them are brought into the usual form. A last line that broke off, as that of
//! a scan that was killed, is left out, and [`Rows::torn`] tells of it; [`Rows::endless`] of one that has all its cells and
//! no end, as programs leave it that put line ends between rows only. Anything else that is no row is an error, which says
//! where and what to do.

mod csv;
mod seen;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use self::csv::Csv;
use self::seen::Seen;
use super::records::MAX_RECORD;
use super::row::{Cell, Key, Row};
use crate::output::Column;

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

impl ReadError {
    fn new(file: &Arc<str>, place: Place, words: String) -> Self {
        Self { file: Arc::clone(file), place, words }
    }
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
    endless: Option<u64>,
    is_of_a_scan: bool,
    has_failed: bool,
}

#[derive(Debug)]
enum Lines<R> {
    Empty,
    Csv(Box<Csv<R>>),
    Ndjson { source: R, line: u64, buffer: Vec<u8>, seen: Seen },
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
        if let Some(words) = no_rows(begins) {
            return Err(ReadError { file, place: Place(1, None), words });
        }
        let first = begins.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        let lines = match first {
            None if begins.is_empty() => Lines::Empty,
            Some(b'{') => Lines::Ndjson { source, line: 0, buffer: Vec::new(), seen: Seen::default() },
            Some(_) | None => Lines::Csv(Box::new(Csv::new(&file, source)?)),
        };
        Ok(Self { file, lines, torn: None, endless: None, is_of_a_scan: false, has_failed: false })
    }
}

impl<R: BufRead> Rows<R> {
    /// The line where the file broke off, once all of it is read.
    pub fn torn(&self) -> Option<u64> {
        self.torn
    }

    /// The line that has no end and all its cells, once all of the file is read: its last cell may have broken off.
    pub fn endless(&self) -> Option<u64> {
        self.endless
    }

    /// Knows that a scan wrote it, which ends every line: what has no end broke off.
    #[must_use]
    pub fn of_a_scan(self) -> Self {
        Self { is_of_a_scan: true, ..self }
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
        let read = match &mut self.lines {
            Lines::Empty => Line::End,
            Lines::Csv(csv) => csv.read(&self.file)?,
            Lines::Ndjson { source, line, buffer, seen } => {
                let read = read_line(source, line, buffer, &self.file)?;
                if let Line::Row(row, _) = &read {
                    seen.see(row);
                }
                read
            }
        };
        let (row, line) = match read {
            Line::End => return Ok(None),
            Line::Endless(row, line) if !self.is_of_a_scan && row.mistake().is_none() => {
                self.endless = Some(line);
                return Ok(Some(row));
            }
            Line::Torn(line) | Line::Endless(_, line) => {
                self.torn = Some(line);
                return Ok(None);
            }
            Line::Row(row, line) => (row, line),
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
        ReadError::new(&self.file, place, words)
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
    /// All its cells are there; its line has no end.
    Endless(Row, u64),
    Torn(u64),
    End,
}

/// Why what begins so is no file of rows, where that is plain.
fn no_rows(begins: &[u8]) -> Option<String> {
    if let Some(what) = made_of_rows(begins) {
        return Some(format!(
            "this is {what}, which cannot be read back: give the rows that it was made of (.csv, .ndjson)"
        ));
    }
    if is_utf16(begins) {
        return Some("this is UTF-16: save it in UTF-8".to_owned());
    }
    let is_array = begins.trim_ascii_start().starts_with(b"[");
    is_array.then(|| "this is a JSON array, and NDJSON has an object on each line: jq -c '.[]' makes it so".to_owned())
}

/// Whether a text is in UTF-16, as spreadsheets save it and some shells write it.
pub(super) fn is_utf16(begins: &[u8]) -> bool {
    begins.starts_with(b"\xff\xfe") || begins.starts_with(b"\xfe\xff")
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
    ReadError::new(file, Place(line, None), words)
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
        let error = |column, words: String| ReadError::new(file, Place(*number, column), words);
        source.by_ref().take(MAX_RECORD).read_until(b'\n', buffer).map_err(|cause| failed(file, *number, &cause))?;
        let is_whole = buffer.ends_with(b"\n");
        if buffer.is_empty() {
            return Ok(Line::End);
        }
        if !is_whole && u64::try_from(buffer.len()).is_ok_and(|len| len >= MAX_RECORD) {
            return Err(error(None, format!("the line is longer than {MAX_RECORD} bytes, as no row is; {MEND}")));
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
