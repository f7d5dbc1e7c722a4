//! Rows as NDJSON: one object a line, keys in the order of the columns, a missing key for an absent value.
//!
//! Texts of peers are in the same escaped form as in CSV. What a cell cannot hold is beside it: `banner_b64` with the
//! bytes of a greeting that is not UTF-8, and `chain` with every certificate.
//!
//! Lines are put together here, not by a serializer: what [`escape`](super::escape) leaves is printable, so that only
//! quotes and backslashes have to be escaped for JSON, and there is no tree to build.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::observation::{Event, Evidence, Finding, Legacy, Observation, Offers, Reply, Transcript, Variant};

use super::cell::{Cell, Timestamp, push_hash, push_integer, push_ip, push_millis};
use super::escape::{find_byte, push_escaped, push_escaped_text};
use super::field::{Extra, Field};
use super::layout::Fields;
use super::row::{CertificatePart, Column, chain};

/// Appends one row.
pub(super) fn row(row: &Observation, fields: &Fields, out: &mut String, scratch: &mut String) {
    let mut object = Object::begin(out, scratch);
    for field in fields.list() {
        match field {
            Field::Column(column) => {
                let cell = column.cell(row);
                // As most are.
                if !matches!(cell, Cell::Empty) {
                    object.push(column.json_key(), cell);
                }
            }
            Field::Extra(extra) => push_extra(*extra, row, &mut object),
        }
    }
    object.end();
    out.push('\n');
}

/// Appends what stands beside the columns, if there is anything.
fn push_extra(extra: Extra, row: &Observation, object: &mut Object<'_>) {
    let key = extra.json_key();
    let facts = row.tls.as_deref();
    let dialogue = row.dialogue.as_deref();
    let flag = |is_set: bool| if is_set { Cell::Flag } else { Cell::Empty };
    let cell = match extra {
        Extra::BannerB64 => {
            if str::from_utf8(row.greeting()).is_err() {
                object.key(key);
                object.out.push('"');
                STANDARD.encode_string(row.greeting(), object.out);
                object.out.push('"');
            }
            return;
        }
        Extra::Variants if row.variants.is_empty() => return,
        Extra::Variants => return object.nested(key, |out, scratch| push_variants(&row.variants, out, scratch)),
        Extra::Chain if chain(row).is_empty() => return,
        Extra::Chain => return object.nested(key, |out, scratch| push_chain(row, out, scratch)),
        Extra::TlsLegacy => {
            if let Some(legacy) = facts.and_then(|facts| facts.legacy.as_ref()) {
                object.nested(key, |out, scratch| push_legacy(legacy, out, scratch));
            }
            return;
        }
        Extra::Features => return push_offers(key, dialogue.and_then(|it| it.offers.as_ref()), object),
        Extra::FeaturesTls => return push_offers(key, dialogue.and_then(|it| it.offers_inside.as_ref()), object),
        Extra::FindingsDetail if row.findings.is_empty() => return,
        Extra::FindingsDetail => return object.nested(key, |out, scratch| push_findings(&row.findings, out, scratch)),
        Extra::Transcript => {
            if let Some(transcript) = row.transcript.as_deref() {
                object.nested(key, |out, scratch| push_transcript(transcript, out, scratch));
            }
            return;
        }
        Extra::Ended => Cell::word(row.hung_up().map(|ending| ending.how.as_str())),
        Extra::EndedMs => Cell::millis(row.hung_up().map(|ending| ending.at)),
        Extra::AnnouncedAddress => row.announced.address.map_or(Cell::Empty, Cell::Ip),
        Extra::AnnouncedDate => Cell::time(row.announced.date.and_then(Timestamp::seconds)),
        Extra::ClientAddress => row.seen_as.map_or(Cell::Empty, Cell::Ip),
        Extra::TlsAlert => Cell::integer(facts.and_then(|facts| facts.alert)),
        Extra::TlsAsksForCertificate => flag(facts.is_some_and(|facts| facts.asks_for_certificate)),
        Extra::TlsIncomplete => flag(facts.is_some_and(|facts| facts.incomplete)),
        Extra::Syst => reply(dialogue.and_then(|it| it.system.as_ref())),
        Extra::Upgrade => reply(dialogue.and_then(|it| it.upgrade.as_ref())),
        Extra::Injected => dialogue.map_or(Cell::Empty, |it| Cell::bytes(&it.injected)),
        Extra::Unasked => dialogue.map_or(Cell::Empty, |it| Cell::bytes(&it.unasked)),
        Extra::BrokenOff => Cell::text(dialogue.and_then(|it| it.broken_off.as_deref())),
    };
    object.push(key, cell);
}

/// Appends some columns of a row as members of a JSON object that is open and not empty: each behind a comma.
///
/// ```
/// use hailer::output::{Column, push_members};
/// use hailer::{Observation, Outcome, Service};
/// use std::time::SystemTime;
///
/// let row = Observation::new(SystemTime::UNIX_EPOCH, None, 21, Service::Ftp, Outcome::Silent);
/// let mut object = "{\"line\":7".to_owned();
/// push_members(&row, &[Column::Ip, Column::Port, Column::Service], &mut object, &mut String::new());
/// assert_eq!(object, "{\"line\":7,\"port\":21,\"service\":\"ftp\"");
/// ```
pub fn push_members(row: &Observation, columns: &[Column], out: &mut String, scratch: &mut String) {
    let mut object = Object { out, scratch, is_empty: false };
    for column in columns {
        object.push(column.json_key(), column.cell(row));
    }
}

/// Each server that repeated connections met.
fn push_variants(variants: &[Variant], out: &mut String, scratch: &mut String) {
    out.push('[');
    for (index, variant) in variants.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let mut object = Object::begin(out, scratch);
        object.push("\"count\":", Cell::Integer(variant.count));
        object.push("\"code\":", Cell::integer(variant.code));
        object.push("\"banner\":", Cell::bytes(&variant.banner));
        object.push("\"banner_hash\":", variant.banner_hash.as_ref().map_or(Cell::Empty, Cell::Hash));
        object.push("\"hostname\":", Cell::text(variant.hostname.as_deref()));
        object.push("\"software\":", Cell::text(variant.software.as_deref()));
        object.push("\"version\":", Cell::text(variant.version.as_deref()));
        object.push("\"capabilities\":", Cell::list(&variant.capabilities));
        object.push("\"cert_sha256\":", variant.cert_sha256.as_ref().map_or(Cell::Empty, Cell::Hash));
        object.end();
    }
    out.push(']');
}

/// What an old hello came to.
fn push_legacy(legacy: &Legacy, out: &mut String, scratch: &mut String) {
    let mut object = Object::begin(out, scratch);
    match legacy {
        Legacy::Accepted { version, cipher, group } => {
            object.push("\"version\":", Cell::word(*version));
            object.push("\"cipher\":", Cell::text(cipher.as_deref()));
            object.push("\"group\":", Cell::text(group.as_deref()));
        }
        Legacy::Unknown(why) => object.push("\"unknown\":", Cell::text(Some(why))),
        Legacy::Refused(how) => object.push("\"refused\":", Cell::text(Some(how))),
    }
    object.end();
}

/// What was asked, and the answer.
fn push_offers(key: &'static str, offers: Option<&Offers>, object: &mut Object<'_>) {
    let Some(offers) = offers else { return };
    object.nested(key, |out, scratch| {
        let mut features = Object::begin(out, scratch);
        features.push("\"asked\":", Cell::Word(offers.asked.as_str()));
        features.push("\"code\":", Cell::Integer(offers.reply.code.into()));
        features.push("\"keywords\":", Cell::list(&offers.keywords));
        features.end();
    });
}

fn reply(reply: Option<&Reply>) -> Cell<'_> {
    reply.map_or(Cell::Empty, |reply| Cell::bytes(&reply.bytes))
}

fn push_evidence(evidence: &[Evidence], out: &mut String, scratch: &mut String) {
    out.push('[');
    for (index, evidence) in evidence.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let mut object = Object::begin(out, scratch);
        object.push("\"code\":", Cell::Word(evidence.code.as_str()));
        object.push("\"grade\":", Cell::Word(evidence.grade.as_str()));
        object.push("\"excerpt\":", Cell::text(evidence.excerpt.as_deref()));
        object.push("\"ms\":", Cell::millis(evidence.at));
        object.end();
    }
    out.push(']');
}

fn push_findings(findings: &[Finding], out: &mut String, scratch: &mut String) {
    out.push('[');
    for (index, finding) in findings.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let mut object = Object::begin(out, scratch);
        object.push("\"id\":", Cell::Word(finding.id));
        object.push("\"severity\":", Cell::Word(finding.severity.as_str()));
        object.push("\"detail\":", Cell::text(finding.detail.as_deref()));
        object.end();
    }
    out.push(']');
}

/// Each moment with its milliseconds since the start, what happened, and the words.
fn push_transcript(transcript: &Transcript, out: &mut String, scratch: &mut String) {
    out.push('[');
    for (index, moment) in transcript.moments().iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let mut object = Object::begin(out, scratch);
        object.push("\"ms\":", Cell::Millis(moment.at));
        let words;
        let (event, text) = match &moment.event {
            Event::Dialled(address) => {
                words = address.to_string();
                ("dialled", Cell::text(Some(&words)))
            }
            Event::Connected => ("connected", Cell::Empty),
            Event::NotConnected(why) => ("not_connected", Cell::text(Some(why))),
            Event::Said(bytes) => ("said", Cell::bytes(bytes)),
            Event::Heard(bytes) => ("heard", Cell::bytes(bytes)),
            Event::Hello(kind) => ("hello", Cell::Word(kind)),
            Event::Secured(facts) => ("secured", Cell::text(Some(facts))),
            Event::WouldSpeak(facts) => ("would_speak", Cell::text(Some(facts))),
            Event::NotSecured(why) => ("not_secured", Cell::text(Some(why))),
            Event::Ended => ("ended", Cell::Empty),
            Event::Broken(why) => ("broken", Cell::text(Some(why))),
            Event::GaveUp => ("gave_up", Cell::Empty),
            Event::Closed => ("closed", Cell::Empty),
        };
        object.push("\"event\":", Cell::Word(event));
        object.push("\"text\":", text);
        object.end();
    }
    out.push(']');
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

    /// Appends a key, and whatever the other appends.
    fn nested(&mut self, key: &'static str, push: impl FnOnce(&mut String, &mut String)) {
        self.key(key);
        push(self.out, self.scratch);
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
            Cell::Findings(findings) => {
                for (index, finding) in findings.iter().enumerate() {
                    self.out.push(if index > 0 { ',' } else { '[' });
                    self.quoted(|out| out.push_str(finding.id));
                }
                self.out.push(']');
            }
            Cell::Evidence(evidence) => push_evidence(evidence, self.out, self.scratch),
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
