//! Rows as NDJSON: one object a line, keys in the order of the columns, a missing key for an absent value.
//!
//! Texts of peers are in the same escaped form as in CSV. What a cell cannot hold is beside it: `banner_b64` with the
//! bytes of a greeting that is not UTF-8, and `chain` with every certificate.
//!
//! Lines are put together here, not by a serializer: what [`escape`](super::escape) leaves is printable, so that only
//! quotes and backslashes have to be escaped for JSON, and there is no tree to build.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::observation::Observation;

use super::cell::{Cell, push_hash, push_integer, push_ip, push_millis};
use super::escape::{find_byte, push_escaped, push_escaped_text};
use super::row::{CertificatePart, Column, chain};

/// Appends one row.
pub(super) fn row(row: &Observation, out: &mut String, scratch: &mut String) {
    let mut object = Object::begin(out, scratch);
    for &column in &Column::ALL {
        object.push(column.json_key(), column.cell(row));
        if column == Column::Banner && str::from_utf8(row.greeting()).is_err() {
            object.key("\"banner_b64\":");
            object.out.push('"');
            STANDARD.encode_string(row.greeting(), object.out);
            object.out.push('"');
        }
        if column == Column::CertSha256 && !chain(row).is_empty() {
            object.key("\"chain\":");
            push_chain(row, object.out, object.scratch);
        }
    }
    object.end();
    out.push('\n');
}

fn push_chain(row: &Observation, out: &mut String, scratch: &mut String) {
    out.push('[');
    for (index, certificate) in chain(row).iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let mut object = Object::begin(out, scratch);
        for part in CertificatePart::ALL {
            object.push(part.json_key(), part.cell(certificate));
        }
        object.end();
    }
    out.push(']');
}

/// A JSON object that is being written.
struct Object<'a> {
    out: &'a mut String,
    scratch: &'a mut String,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut String, scratch: &'a mut String) -> Self {
        out.push('{');
        Self { out, scratch, is_empty: true }
    }

    /// Appends a key in its quotes and with its colon.
    fn key(&mut self, key: &'static str) {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        self.out.push_str(key);
    }

    fn push(&mut self, key: &'static str, cell: Cell<'_>) {
        if matches!(cell, Cell::Empty) {
            return;
        }
        self.key(key);
        match cell {
            Cell::Empty => {}
            Cell::Flag => self.out.push_str("true"),
            Cell::Integer(number) => push_integer(self.out, number.into()),
            Cell::Millis(span) => push_millis(self.out, span),
            Cell::Time(time) => self.quoted(|out| time.push(out)),
            Cell::Ip(ip) => self.quoted(|out| push_ip(out, ip)),
            Cell::Word(word) => self.quoted(|out| out.push_str(word)),
            Cell::Hash(hash) => self.quoted(|out| push_hash(out, hash)),
            Cell::Text(text) => self.string(|out| push_escaped_text(out, text)),
            Cell::Bytes(bytes) => self.string(|out| push_escaped(out, bytes)),
            Cell::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.out.push(if index > 0 { ',' } else { '[' });
                    self.string(|out| push_escaped_text(out, item));
                }
                self.out.push(']');
            }
        }
    }

    fn quoted(&mut self, push: impl FnOnce(&mut String)) {
        self.out.push('"');
        push(self.out);
        self.out.push('"');
    }

    /// Appends what a peer can influence, and then what JSON escapes of it, which in most texts is nothing.
    fn string(&mut self, push: impl FnOnce(&mut String)) {
        let must_escape = |byte| matches!(byte, b'"' | b'\\');
        self.out.push('"');
        let start = self.out.len();
        push(self.out);
        if let Some(first) = find_byte(&self.out[start..], must_escape) {
            self.scratch.clear();
            self.scratch.push_str(&self.out[start + first..]);
            self.out.truncate(start + first);
            let mut rest = self.scratch.as_str();
            while let Some(at) = find_byte(rest, must_escape) {
                self.out.push_str(&rest[..at]);
                self.out.push('\\');
                self.out.push_str(&rest[at..=at]);
                rest = &rest[at + 1..];
            }
            self.out.push_str(rest);
        }
        self.out.push('"');
    }

    fn end(self) {
        self.out.push('}');
    }
}
