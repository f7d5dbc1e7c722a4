//! Rows written out again, in either format. NDJSON holds all that a row has; CSV its columns, and those of others that
//! are named beforehand. Both can be less, in another order, and CSV in another dialect.

use std::collections::HashMap;
use std::sync::Arc;

use super::row::{Cell, Key, Row, as_json, as_text};
use crate::output::csv::{push_escaped_cell, push_names, told};
use crate::output::escape::make_json_inert;
use crate::output::{Column, Dialect};

/// How rows are written.
#[derive(Debug)]
pub enum Writer {
    /// As CSV, with these columns after those of the schema.
    Csv(Vec<Arc<str>>),
    /// As NDJSON.
    Ndjson,
    /// As CSV in this dialect, of these columns in this order.
    CsvOf(Dialect, Vec<Key>),
    /// As NDJSON, of these keys in this order.
    NdjsonOf(Vec<Key>),
}

impl Writer {
    /// Appends what stands before the first row.
    pub fn header(&self, out: &mut String) {
        let (dialect, names): (_, Vec<&str>) = match self {
            Self::Csv(others) => {
                let columns = Column::ALL.iter().map(|column| column.as_str());
                (Dialect::default(), columns.chain(others.iter().map(|name| &**name)).collect())
            }
            Self::CsvOf(dialect, keys) => (*dialect, keys.iter().map(Key::as_str).collect()),
            Self::Ndjson | Self::NdjsonOf(_) => return,
        };
        push_names(names.into_iter(), dialect, out);
    }

    /// Appends a row, which is one line.
    pub fn row(&self, row: &Row, out: &mut String) {
        match self {
            Self::Csv(others) => {
                let columns = Column::ALL.iter().map(|column| row.text(*column));
                let known: HashMap<_, _> = row.others().collect();
                let others = others.iter().map(|name| known.get(&**name).map(|cell| as_text(cell)));
                let cells: Vec<_> = columns.chain(others).collect();
                push_cells(cells.iter().map(Option::as_deref), Dialect::default(), out);
            }
            Self::CsvOf(dialect, keys) => {
                let cells = keys.iter().map(|key| {
                    let text = row.at(key).map(as_text)?;
                    Some(match key {
                        Key::Column(column) => told(*column, &text, *dialect).into_owned(),
                        Key::Other(_) => text.into_owned(),
                    })
                });
                let cells: Vec<_> = cells.collect();
                push_cells(cells.iter().map(Option::as_deref), *dialect, out);
            }
            Self::Ndjson => push_object(row.cells(), out),
            Self::NdjsonOf(keys) => {
                push_object(keys.iter().filter_map(|key| row.at(key).map(|cell| (key, cell))), out);
            }
        }
    }
}

fn push_cells<'a>(cells: impl Iterator<Item = Option<&'a str>>, dialect: Dialect, out: &mut String) {
    let mut scratch = String::new();
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(dialect.delimiter.as_char());
        }
        push_escaped_cell(cell.unwrap_or_default(), dialect, out, &mut scratch);
    }
    out.push_str(dialect.line_end());
}

fn push_object<'a>(cells: impl Iterator<Item = (&'a Key, &'a Cell)>, out: &mut String) {
    let start = out.len();
    out.push('{');
    for (index, (key, cell)) in cells.enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(&serde_json::Value::from(key.as_str()).to_string());
        out.push(':');
        out.push_str(&as_json(key, cell));
    }
    make_json_inert(out, start);
    out.push_str("}\n");
}
