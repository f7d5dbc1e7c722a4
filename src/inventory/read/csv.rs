//! Rows of CSV: what the header says of cells, and what is made of them.

use std::io::{BufRead, Chain, Cursor, Read as _};
use std::sync::Arc;

use csv::ByteRecord;

use super::{DIFFERENCES, Line, MEND, NEEDED, Place, ReadError, failed};
use crate::inventory::records::{At, End, MAX_RECORD, Records};
use crate::inventory::row::{Cell, Key, Row};
use crate::inventory::spoken::Spoken;
use crate::output::csv::plain;
use crate::output::escape::unguard;

/// Rows have some fifty columns.
const MAX_COLUMNS: usize = 1024;

#[derive(Debug)]
pub(super) struct Csv<R> {
    /// The header's first line is read twice.
    records: Records<Chain<Cursor<Vec<u8>>, R>>,
    pub(super) header: Vec<Key>,
    record: ByteRecord,
    dialect: Spoken,
}

impl<R: BufRead> Csv<R> {
    pub(super) fn new(file: &Arc<str>, mut source: R) -> Result<Self, ReadError> {
        let mut first = Vec::new();
        source.by_ref().take(MAX_RECORD).read_until(b'\n', &mut first).map_err(|cause| failed(file, 1, &cause))?;
        let dialect = Spoken::of(&first, &NEEDED);
        let mut records = Records::new(Cursor::new(first).chain(source), dialect.delimiter);
        let mut record = ByteRecord::new();
        let error = |words: String| ReadError::new(file, Place(1, None), words);
        records.read(&mut record).map_err(|cause| error(format!("it cannot be read: {cause}")))?;
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
        Ok(Self { records, header, record, dialect })
    }

    pub(super) fn read(&mut self, file: &Arc<str>) -> Result<Line, ReadError> {
        let (line, end) = loop {
            let next = self.records.next_line();
            let read = self.records.read(&mut self.record);
            match read.map_err(|cause| ReadError::new(file, Place(next, None), format!("{cause}; {MEND}")))? {
                None => return Ok(Line::End),
                // Spreadsheets leave rows of empty cells behind the last one, or in the place of one that was taken out.
                Some(At { end: End::Line, .. }) if self.is_blank() => {}
                Some(At { line, end, .. }) => break (line, end),
            }
        };
        let error = |words: String| ReadError::new(file, Place(line, None), words);
        if end == End::Quoted && self.record.as_slice().contains(&b'\n') {
            return Err(error(format!("a quotation mark opens in this row, and none closes; {MEND}")));
        }
        let (found, expected) = (self.record.len(), self.header.len());
        if end == End::Quoted || end == End::File && found < expected {
            return Ok(Line::Torn(line));
        }
        if found != expected {
            return Err(error(format!("here are {found} cells, and the header names {expected} columns; {MEND}")));
        }
        let mut row = Row::default();
        for (key, cell) in self.header.iter().zip(&self.record) {
            let cell = match str::from_utf8(cell) {
                Ok(cell) => cell,
                Err(_) if end == End::File => return Ok(Line::Torn(line)),
                Err(_) => {
                    return Err(error(format!("{}: this is not UTF-8; save the file as UTF-8", key.as_str())));
                }
            };
            let cell = if self.dialect.is_guarded { unguard(cell) } else { cell };
            let cell = match key {
                Key::Column(column) => plain(*column, cell, self.dialect.delimiter),
                Key::Other(_) => cell.into(),
            };
            if !cell.is_empty() {
                row.push(key.clone(), Cell::Text(cell.into_owned()));
            }
        }
        Ok(if end == End::File { Line::Endless(row, line) } else { Line::Row(row, line) })
    }

    fn is_blank(&self) -> bool {
        self.record.iter().all(|cell| cell.trim_ascii().is_empty())
    }
}
