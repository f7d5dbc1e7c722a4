//! Rows written out again, in either format. NDJSON holds all that a row has; CSV its columns, and those of others that
//! are named beforehand.

use std::collections::HashMap;
use std::sync::Arc;

use super::row::{Cell, Key, Row, as_json, as_text};
use crate::output::Column;
use crate::output::csv::push_escaped_cell;

/// How rows are written.
#[derive(Debug)]
pub enum Writer {
    /// As CSV, with these columns after those of the schema.
    Csv(Vec<Arc<str>>),
    /// As NDJSON.
    Ndjson,
}

impl Writer {
    /// Appends what stands before the first row.
    pub fn header(&self, out: &mut String) {
        match self {
            Self::Csv(others) => {
                let names = Column::ALL.iter().map(|column| column.as_str()).chain(others.iter().map(|name| &**name));
                push_cells(names.map(Some), out);
            }
            Self::Ndjson => {}
        }
    }

    /// Appends a row, which is one line.
    pub fn row(&self, row: &Row, out: &mut String) {
        match self {
            Self::Csv(others) => {
                let columns = Column::ALL.iter().map(|column| row.text(*column));
                let known: HashMap<_, _> = row.others().collect();
                let others = others.iter().map(|name| known.get(&**name).map(|cell| as_text(cell)));
                let cells: Vec<_> = columns.chain(others).collect();
                push_cells(cells.iter().map(Option::as_deref), out);
            }
            Self::Ndjson => push_object(row.cells(), out),
        }
    }
}

fn push_cells<'a>(cells: impl Iterator<Item = Option<&'a str>>, out: &mut String) {
    let mut scratch = String::new();
    for (index, cell) in cells.enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        push_escaped_cell(cell.unwrap_or_default(), out, &mut scratch);
    }
    out.push('\n');
}

fn push_object<'a>(cells: impl Iterator<Item = (&'a Key, &'a Cell)>, out: &mut String) {
    out.push('{');
    for (index, (key, cell)) in cells.enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(&serde_json::Value::from(key.as_str()).to_string());
        out.push(':');
        out.push_str(&as_json(key, cell));
    }
    out.push_str("}\n");
}
