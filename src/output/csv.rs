//! Rows as CSV: RFC 4180 with LF line ends, a header row, and nothing in it that a spreadsheet would run.
//!
//! Quoting is done here rather than by the `csv` crate, which quotes only what its own delimiter asks for: where lists
//! are separated by semicolons (much of Europe) spreadsheets split there, and others split at both. So a cell with a
//! semicolon is quoted, and a formula character that follows a semicolon is written `\xNN`, lest the reader who splits
//! there find a formula behind it. The tests read everything back with the `csv` crate.

use crate::observation::Observation;

use super::cell::{Cell, push_display, push_hex, push_millis};
use super::escape::{begins_formula, guard, push_escaped, push_escaped_bytes, push_escaped_item};
use super::row::Column;

/// Appends the names of the columns.
pub(super) fn header(out: &mut String) {
    for (index, column) in Column::ALL.into_iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(column.as_str());
    }
    out.push('\n');
}

/// Appends one row.
pub(super) fn row(row: &Observation, out: &mut String, scratch: &mut String) {
    for (index, column) in Column::ALL.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_cell(column.cell(row), out, scratch);
    }
    out.push('\n');
}

fn push_cell(cell: Cell<'_>, out: &mut String, scratch: &mut String) {
    scratch.clear();
    match cell {
        Cell::Empty => return,
        Cell::Flag => return out.push_str("true"),
        Cell::Integer(number) => return push_display(out, number),
        Cell::Millis(span) => return push_millis(out, span),
        Cell::Time(time) => return time.push(out),
        Cell::Ip(ip) => return push_display(out, ip),
        Cell::Word(word) => return out.push_str(word),
        Cell::Hash(hash) => return push_hex(out, hash),
        Cell::Text(text) => push_escaped(scratch, text.as_bytes()),
        Cell::Bytes(bytes) => push_escaped(scratch, bytes),
        Cell::List(items) => {
            for (index, item) in items.iter().enumerate() {
                scratch.push_str(if index > 0 { "; " } else { "" });
                push_escaped_item(scratch, item);
            }
        }
    }
    push_guarded(out, scratch);
}

/// Appends a cell that a peer can influence.
fn push_guarded(out: &mut String, cell: &str) {
    let guard = if guard(cell) { "'" } else { "" };
    if cell.contains([',', '"', ';']) || cell.starts_with(' ') || cell.ends_with(' ') {
        out.push('"');
        out.push_str(guard);
        push_quoted(out, cell);
        out.push('"');
    } else {
        out.push_str(guard);
        out.push_str(cell);
    }
}

/// Appends what stands between quotes.
fn push_quoted(out: &mut String, cell: &str) {
    let mut begins_cell = false;
    for character in cell.chars() {
        match character {
            '"' => out.push_str("\"\""),
            _ if begins_cell && begins_formula(character) => {
                push_escaped_bytes(out, character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.push(character),
        }
        // Behind a semicolon, blanks and quotes do not keep what follows from being a cell's beginning.
        begins_cell = character == ';' || begins_cell && (character == '"' || character.is_whitespace());
    }
}
