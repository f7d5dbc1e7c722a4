//! Rows as CSV: RFC 4180 with LF line ends, a header row, and nothing in it that a spreadsheet would run.
//!
//! Quoting is done here rather than by the `csv` crate, which quotes only what its own delimiter asks for: where lists
//! are separated by semicolons (much of Europe) spreadsheets split there, and others split at both. So a cell with a
//! semicolon is quoted, and a formula character that follows a semicolon is written `\xNN`, lest the reader who splits
//! there find a formula behind it. The tests read everything back with the `csv` crate.

use crate::observation::Observation;

use super::cell::{Cell, push_evidence, push_hash, push_integer, push_ip, push_millis};
use super::escape::{
    begins_formula, find_byte, guard, push_escaped, push_escaped_bytes, push_escaped_item, push_escaped_text,
    push_inert,
};
use super::row::Column;

/// Appends the names of the columns.
pub(super) fn header(out: &mut String) {
    for (index, column) in Column::ALL.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(column.as_str());
    }
    out.push('\n');
}

/// Appends a cell that is escaped already. One that somebody else wrote, with line ends in it, is brought onto one line.
pub(crate) fn push_escaped_cell(cell: &str, out: &mut String, scratch: &mut String) {
    let start = out.len();
    push_inert(out, cell);
    guard_from(start, out, scratch);
}

/// Appends one row.
pub(super) fn row(row: &Observation, out: &mut String, scratch: &mut String) {
    for (index, column) in Column::ALL.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_cell(column.cell(row), out, scratch);
    }
    out.push('\n');
}

fn push_cell(cell: Cell<'_>, out: &mut String, scratch: &mut String) {
    let start = out.len();
    match cell {
        Cell::Empty => return,
        Cell::Flag => return out.push_str("true"),
        Cell::Integer(number) => return push_integer(out, number.into()),
        Cell::Millis(span) => return push_millis(out, span),
        Cell::Time(time) => return time.push(out),
        Cell::Ip(ip) => return push_ip(out, ip),
        Cell::Word(word) => return out.push_str(word),
        Cell::Hash(hash) => return push_hash(out, hash),
        Cell::Text(text) => push_escaped_text(out, text),
        Cell::Bytes(bytes) => push_escaped(out, bytes),
        Cell::List(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "; " } else { "" });
                push_escaped_item(out, item);
            }
        }
        Cell::Findings(findings) => {
            for (index, finding) in findings.iter().enumerate() {
                out.push_str(if index > 0 { "; " } else { "" });
                out.push_str(finding.id);
            }
        }
        Cell::Evidence(evidence) => {
            for (index, evidence) in evidence.iter().enumerate() {
                out.push_str(if index > 0 { "; " } else { "" });
                scratch.clear();
                push_evidence(scratch, evidence);
                push_escaped_item(out, scratch);
            }
        }
    }
    guard_from(start, out, scratch);
}

/// Guards and quotes the cell at the end of `out`, which a peer can influence; most cells need neither.
fn guard_from(start: usize, out: &mut String, scratch: &mut String) {
    let cell = &out[start..];
    let guarded = guard(cell);
    let has_special = find_byte(cell, |byte| matches!(byte, b',' | b'"' | b';')).is_some();
    if has_special || cell.starts_with(' ') || cell.ends_with(' ') {
        scratch.clear();
        scratch.push_str(cell);
        out.truncate(start);
        out.push_str(if guarded { "\"'" } else { "\"" });
        push_quoted(out, scratch);
        out.push('"');
    } else if guarded {
        out.insert(start, '\'');
    }
}

/// Appends what stands between quotes.
fn push_quoted(out: &mut String, cell: &str) {
    let mut rest = cell;
    while let Some(at) = find_byte(rest, |byte| matches!(byte, b'"' | b';')) {
        let (before, from) = rest.split_at(at + 1);
        out.push_str(before);
        rest = from;
        if before.ends_with('"') {
            out.push('"');
        } else {
            rest = push_behind_semicolon(out, rest);
        }
    }
    out.push_str(rest);
}

/// Appends what must not begin a cell, if the reader splits at semicolons, and gives back what follows. Neither blanks
/// nor quotes keep what is behind them from being a cell's beginning.
fn push_behind_semicolon<'a>(out: &mut String, text: &'a str) -> &'a str {
    let first = text.trim_start_matches(|character: char| character == '"' || character.is_whitespace());
    let mut after = first.chars();
    let Some(character) = after.next().filter(|&character| begins_formula(character)) else { return text };
    out.push_str(&text[..text.len() - first.len()].replace('"', "\"\""));
    push_escaped_bytes(out, character.encode_utf8(&mut [0; 4]).as_bytes());
    after.as_str()
}
