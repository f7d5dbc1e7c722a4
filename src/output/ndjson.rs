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

use super::cell::{Cell, push_display, push_hex, push_millis};
use super::escape::push_escaped;
use super::row::{CertificatePart, Column, chain};

/// Appends one row.
pub(super) fn row(row: &Observation, out: &mut String, scratch: &mut String) {
    let mut object = Object::begin(out, scratch);
    for column in Column::ALL {
        object.push(column.as_str(), column.cell(row));
        if column == Column::Banner && str::from_utf8(row.greeting()).is_err() {
            object.key("banner_b64");
            object.out.push('"');
            STANDARD.encode_string(row.greeting(), object.out);
            object.out.push('"');
        }
        if column == Column::CertSha256 && !chain(row).is_empty() {
            object.key("chain");
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
            object.push(part.as_str(), part.cell(certificate));
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

    /// Appends a key of ours, which needs no escapes.
    fn key(&mut self, key: &'static str) {
        self.out.push_str(if self.is_empty { "\"" } else { ",\"" });
        self.out.push_str(key);
        self.out.push_str("\":");
        self.is_empty = false;
    }

    fn push(&mut self, key: &'static str, cell: Cell<'_>) {
        if cell == Cell::Empty {
            return;
        }
        self.key(key);
        match cell {
            Cell::Empty => {}
            Cell::Flag => self.out.push_str("true"),
            Cell::Integer(number) => push_display(self.out, number),
            Cell::Millis(span) => push_millis(self.out, span),
            Cell::Time(time) => self.quoted(|out| time.push(out)),
            Cell::Ip(ip) => self.quoted(|out| push_display(out, ip)),
            Cell::Word(word) => self.quoted(|out| out.push_str(word)),
            Cell::Hash(hash) => self.quoted(|out| push_hex(out, hash)),
            Cell::Text(text) => self.string(text.as_bytes()),
            Cell::Bytes(bytes) => self.string(bytes),
            Cell::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.out.push(if index > 0 { ',' } else { '[' });
                    self.string(item.as_bytes());
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

    /// Appends what a peer can influence.
    fn string(&mut self, bytes: &[u8]) {
        self.scratch.clear();
        push_escaped(self.scratch, bytes);
        self.out.push('"');
        let mut rest = self.scratch.as_str();
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\')) {
            self.out.push_str(&rest[..at]);
            self.out.push('\\');
            self.out.push_str(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn end(self) {
        self.out.push('}');
    }
}
