//! Rows as CSV: RFC 4180 with a header row, in one of three profiles, and but for `raw` nothing in it that a spreadsheet
//! would run.
//!
//! Quoting is done here rather than by the `csv` crate, which quotes only what its own delimiter asks for: where lists
//! are separated by semicolons (much of Europe) spreadsheets split there, and others split at both. So a cell with a
//! semicolon is quoted, and a formula character that follows a semicolon is written `\xNN`, lest the reader who splits
//! there find a formula behind it; so is what follows a comma or a bar where the delimiter is another. The tests read everything back
//! with the `csv` crate.
//!
//! In `raw` the first name of the header that needs no quotes has some, and no other such name. No reader sees that but ours,
//! which learns by it that a leading apostrophe is no guard.

use std::borrow::Cow;

use crate::observation::Observation;

use super::cell::{Cell, push_evidence, push_hash, push_integer, push_ip, push_millis};
use super::escape::{
    begins_formula, find_byte, guard, push_escaped, push_escaped_bytes, push_escaped_item, push_escaped_text,
    push_inert,
};
use super::layout::{CsvProfile, Delimiter, Dialect, MAX_CELL};
use super::row::Column;

/// U+FEFF: by it spreadsheets know that a file is UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// How long a RFC 3339 time is up to its seconds.
const SECONDS: usize = "2026-11-21T03:11:00".len();

/// Appends the names of the columns.
pub(super) fn header(columns: &[Column], dialect: Dialect, out: &mut String) {
    push_names(columns.iter().map(|column| column.as_str()), dialect, out);
}

/// Appends a header of these names, of which some may be somebody else's.
pub(crate) fn push_names<'a>(names: impl Iterator<Item = &'a str>, dialect: Dialect, out: &mut String) {
    if dialect.profile == CsvProfile::Excel {
        out.push(BYTE_ORDER_MARK);
    }
    let mut is_marked = dialect.profile != CsvProfile::Raw;
    let mut scratch = String::new();
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(dialect.delimiter.as_char());
        }
        if !is_marked && is_plain_name(name.as_bytes()) {
            is_marked = true;
            out.extend(["\"", name, "\""]);
        } else {
            push_escaped_cell(name, dialect, out, &mut scratch);
        }
    }
    out.push_str(dialect.line_end());
}

/// Whether a name needs no quotes in any dialect, so that those which it has are a mark.
pub(crate) fn is_plain_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Appends a cell that is escaped already. One that somebody else wrote, with line ends in it, is brought onto one line.
pub(crate) fn push_escaped_cell(cell: &str, dialect: Dialect, out: &mut String, scratch: &mut String) {
    let start = out.len();
    push_inert(out, cell);
    finish(start, dialect, out, scratch);
}

/// A cell of a column, as CSV of the usual kind has it, as this dialect does.
pub(crate) fn told(column: Column, cell: &str, dialect: Dialect) -> Cow<'_, str> {
    if dialect.profile == CsvProfile::Excel && column.is_time() && is_time(cell) {
        Cow::Owned(format!("{} {}", &cell[..10], &cell[11..SECONDS]))
    } else if dialect.has_decimal_comma() && column.is_number() && is_decimal(cell, '.') {
        Cow::Owned(cell.replace('.', ","))
    } else {
        Cow::Borrowed(cell)
    }
}

/// A cell of a column, as any of our dialects, or a spreadsheet, has it, as CSV of the usual kind does.
pub(crate) fn plain(column: Column, cell: &str, delimiter: Delimiter) -> Cow<'_, str> {
    if column.is_time() && is_told_time(cell) {
        Cow::Owned(format!("{}T{}Z", &cell[..10], &cell[11..]))
    } else if delimiter == Delimiter::Semicolon && column.is_number() && is_decimal(cell, ',') {
        Cow::Owned(cell.replace(',', "."))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Appends one row.
pub(super) fn row(row: &Observation, layout: (&[Column], Dialect), out: &mut String, scratch: &mut String) {
    let (columns, dialect) = layout;
    let delimiter = dialect.delimiter.as_char();
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(delimiter);
        }
        let cell = column.cell(row);
        // As most are.
        if !matches!(cell, Cell::Empty) {
            push_cell(cell, dialect, out, scratch);
        }
    }
    out.push_str(dialect.line_end());
}

fn push_cell(cell: Cell<'_>, dialect: Dialect, out: &mut String, scratch: &mut String) {
    let start = out.len();
    match cell {
        Cell::Empty => return,
        Cell::Flag => return out.push_str("true"),
        Cell::Integer(number) => return push_integer(out, number.into()),
        Cell::Millis(span) => {
            push_millis(out, span);
            if dialect.has_decimal_comma()
                && let Some(at) = out[start..].find('.')
            {
                out.replace_range(start + at..=start + at, ",");
            }
            return;
        }
        Cell::Time(time) => {
            time.push(out);
            if dialect.profile == CsvProfile::Excel {
                out.truncate(start + SECONDS);
                out.replace_range(start + 10..=start + 10, " ");
            }
            return;
        }
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
    finish(start, dialect, out, scratch);
}

/// Cuts, guards and quotes the cell at the end of `out`, which a peer can influence; most cells need none of it.
fn finish(start: usize, dialect: Dialect, out: &mut String, scratch: &mut String) {
    let delimiter = dialect.delimiter.as_byte();
    let is_special = |byte| matches!(byte, b',' | b'"' | b';') || byte == delimiter;
    let is_special = find_byte(&out[start..], is_special).is_some();
    // Before it is cut, as it grows by that.
    if is_special && dialect.profile != CsvProfile::Raw {
        escape_behind_delimiters(start, dialect, out, scratch);
    }
    let guarded = dialect.profile != CsvProfile::Raw && guard(&out[start..]);
    if dialect.profile == CsvProfile::Excel {
        cut(start, MAX_CELL - usize::from(guarded), out);
    }
    let cell = &out[start..];
    if dialect.has_decimal_comma() && is_decimal(cell, ',') {
        // Between quotes some take it for text.
        return;
    }
    if is_special || cell.starts_with(' ') || cell.ends_with(' ') {
        scratch.clear();
        scratch.push_str(cell);
        out.truncate(start);
        out.push_str(if guarded { "\"'" } else { "\"" });
        push_quoted(scratch, out);
        out.push('"');
    } else if guarded {
        out.insert(start, '\'');
    }
}

/// Cuts the cell at the end of `out` to so many UTF-16 code units, and says so in it. No escape is cut in two.
pub(crate) fn cut(start: usize, most: usize, out: &mut String) {
    let cell = &out[start..];
    // A byte is one at most.
    if cell.len() <= most || cell.encode_utf16().count() <= most {
        return;
    }
    let all = cell.chars().count();
    let mark = |kept: usize| format!("… ({} more characters)", all - kept);
    let room = most - mark(0).encode_utf16().count();
    let mut units = 0;
    let (mut kept, mut end) = (0, 0);
    let mut characters = cell.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        // An escape is `\xNN`, or a backslash and one more.
        let more = match (character, characters.peek()) {
            ('\\', Some((_, 'x'))) => 3,
            ('\\', Some(_)) => 1,
            _ => 0,
        };
        let mut len = character.len_utf16();
        let mut until = at + character.len_utf8();
        for (at, next) in characters.by_ref().take(more) {
            len += next.len_utf16();
            until = at + next.len_utf8();
        }
        if units + len > room {
            break;
        }
        (units, kept, end) = (units + len, kept + 1 + more, until);
    }
    let mark = mark(kept.min(all));
    out.truncate(start + end);
    out.push_str(&mark);
}

/// Appends what stands between quotes.
fn push_quoted(cell: &str, out: &mut String) {
    let mut rest = cell;
    while let Some(at) = find_byte(rest, |byte| byte == b'"') {
        let (before, from) = rest.split_at(at + 1);
        out.push_str(before);
        out.push('"');
        rest = from;
    }
    out.push_str(rest);
}

/// Escapes what must not begin a cell, in the cell at the end of `out`, wherever a reader may split it.
fn escape_behind_delimiters(start: usize, dialect: Dialect, out: &mut String, scratch: &mut String) {
    // Who splits there does not take a quote within a cell for the cell's beginning.
    let is_split_at = |byte| byte == b';' || matches!(byte, b',' | b'|') && byte != dialect.delimiter.as_byte();
    let Some(first) = find_byte(&out[start..], is_split_at) else { return };
    scratch.clear();
    scratch.push_str(&out[start + first..]);
    out.truncate(start + first);
    let mut rest = scratch.as_str();
    while let Some(at) = find_byte(rest, is_split_at) {
        let (before, from) = rest.split_at(at + 1);
        out.push_str(before);
        rest = push_behind_delimiter(out, from);
    }
    out.push_str(rest);
}

/// Appends what must not begin a cell, if the reader splits before it, and gives back what follows. Neither blanks nor quotes
/// keep what is behind them from being a cell's beginning.
fn push_behind_delimiter<'a>(out: &mut String, text: &'a str) -> &'a str {
    let first = text.trim_start_matches(|character: char| character == '"' || character.is_whitespace());
    let mut after = first.chars();
    let Some(character) = after.next().filter(|&character| begins_formula(character)) else { return text };
    out.push_str(&text[..text.len() - first.len()]);
    push_escaped_bytes(out, character.encode_utf8(&mut [0; 4]).as_bytes());
    after.as_str()
}

/// Whether it begins as RFC 3339 has a time in UTC.
fn is_time(cell: &str) -> bool {
    cell.len() > SECONDS
        && cell.is_ascii()
        && cell.ends_with('Z')
        && is_of_form(&cell[..SECONDS], "dddd-dd-ddTdd:dd:dd")
}

/// Whether it is a time as spreadsheets have it.
fn is_told_time(cell: &str) -> bool {
    is_of_form(cell, "dddd-dd-dd dd:dd:dd")
}

/// Whether a text has digits where the form has `d`, and else what the form has.
fn is_of_form(text: &str, form: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| if form == b'd' { byte.is_ascii_digit() } else { byte == form };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

fn is_decimal(cell: &str, mark: char) -> bool {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    cell.split_once(mark).is_some_and(|(whole, part)| is_number(whole) && is_number(part))
}
