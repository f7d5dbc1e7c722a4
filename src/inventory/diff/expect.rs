//! What should be there, as somebody wrote it by hand, and how that stands to what is.
//!
//! CSV with a header: `port`, and `ip` or `name`, or both; beside them any columns of rows. An empty cell says nothing.
//! Columns that rows do not have are the writer's own, and are passed over. Whatever dialect rows are written in is understood,
//! and what spreadsheets make of it: a byte order mark, CRLF, their times and numbers.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use super::change::FieldChange;
use super::why::Why;
use crate::inventory::key::EXCHANGES;
use crate::inventory::read::{is_utf16, made_of_rows};
use crate::inventory::records::{At, End, Records};
use crate::inventory::spoken::Spoken;
use crate::observation::{Outcome, Service};
use crate::output::Column;
use crate::output::csv::plain;
use crate::output::escape::unguard;
use crate::target::parse::parse_name;

/// Nobody writes more by hand: a bound on what is held in memory.
const MOST: usize = 1_000_000;

/// Why a file is no list of what should be there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {words}", file = .file.display())]
pub struct ExpectError {
    file: PathBuf,
    line: u64,
    column: usize,
    words: String,
}

/// What should be there.
#[derive(Debug)]
pub struct Expectations {
    pub(super) lines: Vec<Line>,
    /// Columns of the writer's own.
    own: Vec<String>,
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) ip: Option<IpAddr>,
    pub(super) name: Option<String>,
    pub(super) port: u16,
    /// What is said beside these.
    pub(super) cells: Vec<(Column, String)>,
    pub(super) fate: Fate,
}

/// What has come of a line so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// No row speaks of it.
    Open,
    /// Rows say that nothing stands there, and why; and in what that is not what the line says, where nothing should.
    Absent(Why, String, Vec<FieldChange>),
    /// Something stands at its address, and does not say by which name.
    Answers,
    /// It is there as it should be.
    AsItShould,
    /// It is there, and was told to be otherwise.
    Otherwise,
}

impl Fate {
    /// Whether a row was held against the line.
    pub(super) const fn is_of_a_row(&self) -> bool {
        match self {
            Self::AsItShould | Self::Otherwise => true,
            Self::Open | Self::Absent(..) | Self::Answers => false,
        }
    }
}

/// Columns that are others each time, as in a result that was made an inventory.
const PASSING: [Column; 7] = [
    Column::Time,
    Column::ConnectMs,
    Column::TlsMs,
    Column::GreetingMs,
    Column::Attempts,
    Column::Confidence,
    Column::Evidence,
];

/// Where a cell stands.
struct Cells<'a> {
    path: &'a Path,
    spoken: Spoken,
    columns: Vec<Option<Column>>,
}

impl Expectations {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and column.
    pub fn read(path: &Path) -> Result<Self, ExpectError> {
        let at = |line, column, words: String| ExpectError { file: path.to_owned(), line, column, words };
        let cannot = |error: io::Error| at(1, 1, format!("it cannot be read: {error}"));
        let mut file = BufReader::new(File::open(path).map_err(cannot)?);
        let (start, spoken) = beginning(&mut file).map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        io::copy(&mut file.by_ref().take(start), &mut io::sink()).map_err(cannot)?;
        let (mut records, mut record) = (Records::new(file, spoken.delimiter), ByteRecord::new());
        let cannot = |error: csv::Error| at(1, 1, format!("it cannot be read: {error}"));
        let place = |at: At| (at.line, at.byte + start);
        let first = records.read(&mut record).map_err(cannot)?.map_or((1, start), place);
        let mut cells = Cells { path, spoken, columns: Vec::new() };
        let (columns, own) = header(&cells, &record, first)?;
        cells.columns = columns;
        let mut lines = Vec::new();
        while let Some(read) = records.read(&mut record).map_err(cannot)? {
            let at = place(read);
            if record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            if read.end == End::Quoted && record.as_slice().contains(&b'\n') {
                let last = record.len().saturating_sub(1);
                return Err(cells.error(at, last, "a quotation mark opens here, and none closes".into()));
            }
            if lines.len() >= MOST {
                return Err(cells.error(at, 0, format!("here are more than {MOST} lines: compare two scans instead")));
            }
            lines.push(cells.line(&record, at)?);
        }
        let mut expectations = Self { lines, own };
        expectations.refuse_twice(path)?;
        Ok(expectations)
    }

    /// Columns that rows do not have.
    pub fn own_columns(&self) -> &[String] {
        &self.own
    }

    /// The columns that any line says something of.
    pub fn columns(&self) -> Vec<Column> {
        let said = |column: &Column| self.lines.iter().any(|line| line.cells.iter().any(|(other, _)| other == column));
        Column::ALL.into_iter().filter(said).collect()
    }

    /// Those of them that nothing can be expected of: they tell of one connection.
    pub fn passing(&self) -> Vec<Column> {
        self.columns().into_iter().filter(|column| PASSING.contains(column)).collect()
    }

    /// Leaves out what lines say of these columns.
    pub fn disregard(&mut self, columns: &[Column]) {
        for line in &mut self.lines {
            line.cells.retain(|(column, _)| !columns.contains(column));
        }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn refuse_twice(&mut self, path: &Path) -> Result<(), ExpectError> {
        let key = |line: &Line| (line.ip, line.port, line.name.clone(), line.domain(), line.number);
        self.lines.sort_by_cached_key(key);
        let twice = self.lines.windows(2).find_map(|pair| match pair {
            [one, other] if one.identity() == other.identity() => Some((one.number, other.number)),
            _ => None,
        });
        match twice {
            None => Ok(()),
            Some((first, line)) => {
                let words = format!("this endpoint is on line {first} already: take one of them out");
                Err(ExpectError { file: path.to_owned(), line, column: 1, words })
            }
        }
    }
}

/// Where the text begins, behind a byte order mark, and how it is written.
fn beginning(file: &mut impl Read) -> io::Result<(u64, Spoken)> {
    let mut start = Vec::new();
    file.take(64 << 10).read_to_end(&mut start)?;
    if let Some(what) = made_of_rows(&start) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is {what}: save it as CSV")));
    }
    if is_utf16(&start) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is UTF-16: save it as CSV in UTF-8"));
    }
    let mark: &[u8] = b"\xef\xbb\xbf";
    let text = start.strip_prefix(mark).unwrap_or(&start);
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let spoken = Spoken::of(&header.to_ascii_lowercase(), &[Column::Port]);
    Ok((if text.len() < start.len() { 3 } else { 0 }, spoken))
}

type Header = (Vec<Option<Column>>, Vec<String>);

fn header(cells: &Cells<'_>, record: &ByteRecord, first: (u64, u64)) -> Result<Header, ExpectError> {
    let names: Vec<_> = record.iter().map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase()).collect();
    let columns: Vec<_> = names.iter().map(|name| Column::named(name)).collect();
    let error = |at, words: String| Err(cells.error(first, at, words));
    let has = |column| columns.contains(&Some(column));
    if !has(Column::Port) {
        let found = match names.as_slice() {
            [] => "the file is empty".to_owned(),
            names if names[0].starts_with("sep=") => "'sep=' is for Excel alone: take that line out".to_owned(),
            names => format!("there is no column 'port' in '{}'", names.join(" ").escape_debug()),
        };
        return error(0, format!("{found}; the first line names the columns, as in ip,name,port,software"));
    }
    if !has(Column::Ip) && !has(Column::Name) {
        return error(
            0,
            "there is neither a column 'ip' nor 'name': one of them says where something should be".into(),
        );
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) && !name.is_empty() {
            return error(at, format!("the column '{}' is there twice: take one out", name.escape_debug()));
        }
    }
    let own = names.into_iter().zip(&columns).filter(|(name, column)| column.is_none() && !name.is_empty());
    let own = own.map(|(name, _)| name).collect();
    Ok((columns, own))
}

impl Cells<'_> {
    fn line(&self, record: &ByteRecord, at: (u64, u64)) -> Result<Line, ExpectError> {
        if record.len() > self.columns.len() {
            let (found, expected) = (record.len(), self.columns.len());
            let words = format!("here are {found} cells, and the header names {expected} columns");
            return Err(self.error(at, self.columns.len(), words));
        }
        let mut line = Line { number: at.0, ip: None, name: None, port: 0, cells: Vec::new(), fate: Fate::Open };
        let mut has_port = false;
        for (number, (cell, column)) in record.iter().zip(&self.columns).enumerate() {
            let Some(column) = *column else { continue };
            let text = str::from_utf8(cell)
                .map_err(|_| self.error(at, number, "this is not UTF-8: save the file as UTF-8".into()))?;
            let text = text.trim();
            let text = if self.spoken.is_guarded { unguard(text) } else { text };
            let text = &*plain(column, text, self.spoken.delimiter);
            if text.is_empty() {
                continue;
            }
            let wrong = |what: &str| self.error(at, number, format!("'{}' is not {what}", text.escape_debug()));
            match column {
                Column::Ip => {
                    let ip: IpAddr = text.parse().map_err(|_| wrong("an address, as 10.0.0.5 or 2001:db8::1"))?;
                    line.ip = Some(ip.to_canonical());
                }
                Column::Port => {
                    line.port =
                        text.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("a port, from 1 to 65535"))?;
                    has_port = true;
                }
                Column::Name => {
                    // As rows have it; of a domain whose mail exchanges are not known, `mx:` and that.
                    let (before, rest) = text.split_at_checked(EXCHANGES.len()).unwrap_or(("", text));
                    let is_of_a_domain = before.eq_ignore_ascii_case(EXCHANGES);
                    let (before, rest) = if is_of_a_domain { (EXCHANGES, rest) } else { ("", text) };
                    let name = parse_name(rest).map_err(|error| wrong(&format!("a name: {error}")))?;
                    line.name = Some(format!("{before}{name}"));
                }
                Column::Outcome => {
                    let outcome = Outcome::named(&text.to_ascii_lowercase()).ok_or_else(|| {
                        wrong(&format!("an outcome: write one of {}", Outcome::ALL.map(Outcome::as_str).join(", ")))
                    })?;
                    line.cells.push((column, outcome.to_string()));
                }
                Column::Service => {
                    let service = Service::named(&text.to_ascii_lowercase()).ok_or_else(|| {
                        wrong(&format!("a service: write one of {}", Service::ALL.map(Service::as_str).join(", ")))
                    })?;
                    line.cells.push((column, service.to_string()));
                }
                other => line.cells.push((other, text.to_owned())),
            }
        }
        let place = |column| self.columns.iter().position(|it| *it == Some(column)).unwrap_or_default();
        if !has_port {
            return Err(self.error(at, place(Column::Port), "a port is missing".into()));
        }
        if line.ip.is_none() && line.name.is_none() {
            let at_cell = self.columns.iter().position(|it| matches!(it, Some(Column::Ip | Column::Name)));
            return Err(self.error(at, at_cell.unwrap_or_default(), "an address or a name is missing".into()));
        }
        Ok(line)
    }

    /// A mistake in the cell with this number of the record that begins at this line and byte.
    fn error(&self, (line, byte): (u64, u64), cell: usize, words: String) -> ExpectError {
        let (down, column) = self.find(byte, cell).unwrap_or((0, 1));
        ExpectError { file: self.path.to_owned(), line: line + down, column, words }
    }

    /// How many lines further down, and at which character of its line, a cell begins.
    fn find(&self, byte: u64, cell: usize) -> Option<(u64, usize)> {
        let mut file = File::open(self.path).ok()?;
        file.seek(SeekFrom::Start(byte)).ok()?;
        let mut text = Vec::new();
        file.take(1 << 20).read_to_end(&mut text).ok()?;
        // Behind the end of the line before, and blank ones.
        let mut start = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
        let (mut cells, mut is_quoted, mut down) = (0, false, 0);
        for (at, byte) in text.iter().enumerate().skip(start) {
            if cells == cell {
                // Characters, as editors count them.
                let before = text.get(start..at)?;
                return Some((down, String::from_utf8_lossy(before).chars().count() + 1));
            }
            match byte {
                b'"' => is_quoted = !is_quoted,
                b'\n' if is_quoted => (down, start) = (down + 1, at + 1),
                b'\n' => return None,
                byte if *byte == self.spoken.delimiter.as_byte() && !is_quoted => cells += 1,
                _ => {}
            }
        }
        None
    }
}
