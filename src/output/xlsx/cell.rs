//! What stands in a cell of a workbook: numbers as numbers, times as dates, flags as booleans, and all else as text.
//!
//! Text is only ever stored as a string, which no spreadsheet takes for a formula, a number or a link, whatever it looks
//! like. It is in the form that [`escape`](crate::output::escape) gives, also where somebody else wrote the row.

use std::borrow::Cow;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::inventory::Row;
use crate::output::csv;
use crate::output::escape::inert;
use crate::output::layout::MAX_CELL;
use crate::output::{Column, Kind};

/// A cell with something in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A number.
    Number(f64),
    /// Days since the turn of the year 1899, in UTC.
    Date(f64),
    /// True or false.
    Flag(bool),
    /// Text: [`Value::text`] makes it such that any can be written.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// What stands in a column of the row.
    pub(super) fn of(row: &'a Row, column: Column) -> Option<Self> {
        let text = row.text(column)?;
        let typed = match (is_date(column), column.kind()) {
            (true, _) => date(&text).map(Value::Date),
            (false, Kind::Number) => number(&text).map(Value::Number),
            (false, Kind::Flag) => flag(&text).map(Value::Flag),
            (false, Kind::Text | Kind::List | Kind::Evidence) => None,
        };
        Some(typed.unwrap_or_else(|| Value::text(text)))
    }

    /// Text, inert and no longer than a cell can hold.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(cut(inert(text.into())))
    }

    /// A count. Those beyond 2^53 would lose digits, and there are none.
    pub fn count(count: u64) -> Self {
        let [high, low] =
            [count >> 32, count & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(u32::MAX));
        Self::Number(f64::from(high) * 4_294_967_296.0 + f64::from(low))
    }

    /// What it counts; nothing where it is no number.
    pub(super) const fn number(&self) -> f64 {
        match self {
            Self::Number(number) | Self::Date(number) => *number,
            Self::Flag(_) | Self::Text(_) => 0.0,
        }
    }
}

/// Whether a column holds times.
pub(super) const fn is_date(column: Column) -> bool {
    matches!(column, Column::Time | Column::CertNotBefore | Column::CertNotAfter)
}

/// A time as a spreadsheet counts it; none where it is no time, or before March 1900, of which spreadsheets think
/// differently.
pub(super) fn date(text: &str) -> Option<f64> {
    /// The first of January 1970.
    const EPOCH: f64 = 25_569.0;
    const FIRST: f64 = 61.0;
    const SECONDS: f64 = 86_400.0;
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    let days = i32::try_from(time.unix_timestamp().div_euclid(86_400)).ok()?;
    let (hour, minute, second, nano) = time.to_hms_nano();
    let seconds = f64::from(hour) * 3_600.0 + f64::from(minute) * 60.0 + f64::from(second) + f64::from(nano) / 1e9;
    let days = f64::from(days) + EPOCH;
    (days >= FIRST).then_some(days + seconds / SECONDS)
}

/// A number that is written as ours are, with as many digits as a spreadsheet keeps.
pub(super) fn number(text: &str) -> Option<f64> {
    const DIGITS: usize = 15;
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain =
        [whole, part].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()));
    (is_plain && text.len() <= DIGITS).then(|| text.parse().ok())?
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A text that is too long for a cell, cut where everybody can see it.
fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    // No text has more UTF-16 units than bytes.
    if text.len() <= MAX_CELL {
        return text;
    }
    let mut text = text.into_owned();
    csv::cut(0, MAX_CELL, &mut text);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days() {
        for (text, days) in [
            ("1970-01-01T00:00:00Z", Some(25_569.0)),
            ("1900-03-01T00:00:00Z", Some(61.0)),
            ("1900-02-28T23:59:59Z", None),
            ("2026-11-21T06:00:00.000000Z", Some(46_347.25)),
            ("2026-11-21T06:00:00+12:00", Some(46_346.75)),
            ("9999-12-31T12:00:00Z", Some(2_958_465.5)),
            ("0000-01-01T00:00:00Z", None),
            ("2026-11-21", None),
            ("", None),
        ] {
            assert_eq!(date(text), days, "{text}");
        }
    }

    #[test]
    fn numbers_are_numbers_only_as_we_write_them() {
        for (text, expected) in [("0", Some(0.0)), ("12.5", Some(12.5)), ("65535", Some(65_535.0))] {
            assert_eq!(number(text), expected, "{text}");
        }
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e5", "NaN", "inf", "0x10", "1,5", "1 ", "1.2.3", "1234567890123456"]
        {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(Value::count(5_000_000_000), Value::Number(5e9));
    }

    #[test]
    fn long_texts_are_cut_visibly() {
        for (character, units) in [("a", 1), ("ä", 1), ("東", 1), ("𝄞", 2)] {
            let fits = character.repeat(MAX_CELL / units);
            assert_eq!(cut(Cow::Borrowed(&fits)), fits);
            let long = character.repeat(MAX_CELL / units + 1);
            let short = cut(Cow::Borrowed(&long));
            let count = short.encode_utf16().count();
            // The mark is shorter than it might be.
            assert!((MAX_CELL - 8..=MAX_CELL).contains(&count), "{character}: {count}");
            let (kept, mark) = short.split_once('…').unwrap();
            let left = long.chars().count() - kept.chars().count();
            assert_eq!(mark, format!(" ({left} more characters)"), "{character}");
        }
    }

    #[test]
    fn text_is_inert() {
        assert_eq!(Value::text("a\u{1b}[2J\0\r\n\u{202e}"), Value::Text(r"a\x1b[2J\x00\r\n\xe2\x80\xae".into()));
        assert_eq!(Value::text("=1+1"), Value::Text("=1+1".into()));
    }
}
