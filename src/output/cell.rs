//! What stands in one cell of a row, typed, and how the types that every format writes alike look as text.
//!
//! A cell borrows from its observation. Its variants keep apart what is ours ([`Cell::Word`] can only be a word of the
//! program) from what a peer can influence ([`Cell::Text`], [`Cell::Bytes`], [`Cell::List`]), which a format must pass
//! through [`escape`](super::escape).

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

use crate::observation::{Evidence, Finding};

/// One cell of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Not known, or not asked.
    Empty,
    /// True. A flag that is not set is [`Cell::Empty`].
    Flag,
    /// A whole number.
    Integer(u32),
    /// A time span, shown as decimal milliseconds.
    Millis(Duration),
    /// A point in time.
    Time(Timestamp),
    /// An address.
    Ip(IpAddr),
    /// A word of the program's own.
    Word(&'static str),
    /// A digest, shown as hexadecimal digits.
    Hash(&'a [u8; 32]),
    /// Text that a peer or a user can influence.
    Text(&'a str),
    /// Bytes of a peer.
    Bytes(&'a [u8]),
    /// Texts that a peer can influence.
    List(&'a [String]),
    /// Findings, shown by their ids.
    Findings(&'a [Finding]),
    /// Evidence, shown as `code(grade)@milliseconds: excerpt`.
    Evidence(&'a [Evidence]),
}

impl<'a> Cell<'a> {
    /// A text; an absent one and an empty one are alike, since CSV cannot tell them apart.
    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Empty, Self::Text)
    }

    pub(super) fn bytes(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Bytes(bytes) }
    }

    /// A list; one without a word in it is no list.
    pub(super) fn list(items: &'a [String]) -> Self {
        if items.iter().all(String::is_empty) { Self::Empty } else { Self::List(items) }
    }

    pub(super) fn findings(findings: &'a [Finding]) -> Self {
        if findings.is_empty() { Self::Empty } else { Self::Findings(findings) }
    }

    pub(super) fn evidence(evidence: &'a [Evidence]) -> Self {
        if evidence.is_empty() { Self::Empty } else { Self::Evidence(evidence) }
    }

    pub(super) fn word(word: Option<&'static str>) -> Self {
        word.map_or(Self::Empty, Self::Word)
    }

    pub(super) fn integer(number: Option<impl Into<u32>>) -> Self {
        number.map_or(Self::Empty, |number| Self::Integer(number.into()))
    }

    pub(super) fn millis(span: Option<Duration>) -> Self {
        span.map_or(Self::Empty, Self::Millis)
    }

    pub(super) fn time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Empty, Self::Time)
    }
}

/// A point in time as RFC 3339 can tell it: UTC, in the years 0 to 9999.
///
/// ```
/// use hailer::output::Timestamp;
/// use std::time::{Duration, SystemTime};
///
/// let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_753_600_000_123_456);
/// assert_eq!(Timestamp::micros(at).map(|time| time.to_string()).as_deref(), Some("2025-07-27T07:06:40.123456Z"));
/// assert_eq!(Timestamp::seconds(at).map(|time| time.to_string()).as_deref(), Some("2025-07-27T07:06:40Z"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    utc: OffsetDateTime,
    with_micros: bool,
}

impl Timestamp {
    /// `time` to the microsecond, unless it is out of range.
    pub fn micros(time: SystemTime) -> Option<Self> {
        Self::new(time, true)
    }

    /// `time` to the second, unless it is out of range.
    pub fn seconds(time: SystemTime) -> Option<Self> {
        Self::new(time, false)
    }

    fn new(time: SystemTime, with_micros: bool) -> Option<Self> {
        let epoch = OffsetDateTime::UNIX_EPOCH;
        let utc = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => epoch.checked_add(since.try_into().ok()?),
            Err(before) => epoch.checked_sub(before.duration().try_into().ok()?),
        };
        utc.filter(|utc| (0..=9999).contains(&utc.year())).map(|utc| Self { utc, with_micros })
    }

    /// Appends the time, as [`Timestamp`]'s `Display` but without its machinery: every row has one.
    pub(super) fn push(self, out: &mut String) {
        let (year, month, day) = self.utc.to_calendar_date();
        let (hour, minute, second, micro) = self.utc.to_hms_micro();
        let mut text = *b"0000-00-00T00:00:00.000000";
        let fields = [
            (0..4, year.unsigned_abs()),
            (5..7, u8::from(month).into()),
            (8..10, day.into()),
            (11..13, hour.into()),
            (14..16, minute.into()),
            (17..19, second.into()),
            (20..26, micro),
        ];
        for (place, number) in fields {
            fill_digits(&mut text[place], number);
        }
        let end = if self.with_micros { 26 } else { 19 };
        push_ascii(out, &text[..end]);
        out.push('Z');
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push(&mut text);
        f.pad(&text)
    }
}

/// Appends decimal milliseconds down to the microsecond, with no more digits than it takes: `12.5`.
pub(super) fn push_millis(out: &mut String, span: Duration) {
    push_integer(out, u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    let micros = span.subsec_micros() % 1000;
    if micros > 0 {
        let mut digits = [0; 3];
        fill_digits(&mut digits, micros);
        out.push('.');
        push_ascii(out, &digits);
        out.truncate(out.trim_end_matches('0').len());
    }
}

/// Appends one piece of evidence as text: `unsolicited_error@12.5: 530 Please login`. The excerpt is a peer's. A grade is
/// told where it is not the usual one: `nginx_mail(weak)@12.5: …`.
pub(super) fn push_evidence(out: &mut String, evidence: &Evidence) {
    out.push_str(evidence.code.as_str());
    if evidence.code.usual_grade(evidence.excerpt.as_deref()) != Some(evidence.grade) {
        out.push('(');
        out.push_str(evidence.grade.as_str());
        out.push(')');
    }
    if let Some(at) = evidence.at {
        out.push('@');
        push_millis(out, at);
    }
    if let Some(excerpt) = &evidence.excerpt {
        out.push_str(": ");
        out.push_str(excerpt);
    }
}

/// Appends a whole number.
pub(super) fn push_integer(out: &mut String, number: u64) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Appends a digest in hexadecimal digits.
pub(super) fn push_hash(out: &mut String, hash: &[u8; 32]) {
    let digits = hash.map(|byte| HEX[usize::from(byte)]);
    push_ascii(out, digits.as_flattened());
}

/// Appends an address; the common kind without the machinery of `Display`, which took a tenth of a row's time.
pub(super) fn push_ip(out: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                push_integer(out, octet.into());
            }
        }
        IpAddr::V6(ip) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{ip}");
        }
    }
}

/// The two hexadecimal digits of a byte.
pub(super) fn hex_digits(byte: u8) -> [u8; 2] {
    HEX[usize::from(byte)]
}

/// The digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    table
};

/// Bytes as hexadecimal digits, as digests are shown.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        push_ascii(&mut digits, &hex_digits(*byte));
    }
    digits
}

/// Appends bytes that are ASCII: digits and the marks between them.
pub(super) fn push_ascii(out: &mut String, ascii: &[u8]) {
    out.push_str(str::from_utf8(ascii).unwrap_or_default());
}

/// Writes the last decimal digits of `number`, as many as there is room for.
fn fill_digits(digits: &mut [u8], number: u32) {
    let mut rest = number;
    for place in digits.iter_mut().rev() {
        *place = digit(rest.into());
        rest /= 10;
    }
}

/// The last decimal digit of `number`.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(micros: u64) -> String {
        let mut out = String::from("0");
        push_millis(&mut out, Duration::from_micros(micros));
        out.split_off(1)
    }

    #[test]
    fn milliseconds_take_no_more_digits_than_they_need() {
        assert_eq!(millis(0), "0");
        assert_eq!(millis(1), "0.001");
        assert_eq!(millis(12_500), "12.5");
        assert_eq!(millis(100_000), "100");
        assert_eq!(millis(4_000_020), "4000.02");
    }

    #[test]
    fn times_before_1970_and_out_of_range() {
        let second = Duration::from_secs(1);
        let before = SystemTime::UNIX_EPOCH - second;
        assert_eq!(Timestamp::micros(before).unwrap().to_string(), "1969-12-31T23:59:59.000000Z");
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        assert_eq!(Timestamp::seconds(last).unwrap().to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::seconds(last + second), None);
        assert_eq!(Timestamp::seconds(SystemTime::UNIX_EPOCH - Duration::from_secs(70_000_000_000)), None);
    }
}
