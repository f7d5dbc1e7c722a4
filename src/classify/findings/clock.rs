//! The server's clock, where its greeting tells the time.
//!
//! Believed is only a date as in mail (RFC 5322 §3.3), down to the second and with its distance from UTC: names of zones
//! other than UTC's own mean different things in different places. The other clock is ours: where all servers are wrong
//! by the same, we are.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::Seen;
use crate::observation::Observation;

/// How much clocks may differ; Kerberos allows as much (RFC 4120 §8.2).
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// How far around a time of day the rest of its date is looked for: no date is longer.
const AROUND: usize = 48;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The date in the greeting is not the time at which it came.
pub(super) fn skew(row: &Observation) -> Option<Seen> {
    let (place, told) = date_in(row.greeting())?;
    let arrival = row.received.arrivals().iter().find(|arrival| arrival.range.contains(&place))?;
    let ours = utc(row.time.checked_add(arrival.at)?)?;
    let skew = told - ours;
    let size = skew.unsigned_abs();
    let side = if skew.is_negative() { "behind" } else { "ahead" };
    (size > TOLERANCE).then(|| Seen::that(format!("{} {side}", rounded(size))))
}

/// A time of the system's as a date, if there is one.
pub(super) fn utc(time: SystemTime) -> Option<OffsetDateTime> {
    let epoch = OffsetDateTime::UNIX_EPOCH;
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => epoch.checked_add(since.try_into().ok()?),
        Err(before) => epoch.checked_sub(before.duration().try_into().ok()?),
    }
}

/// The first date, and where its time of day stands.
fn date_in(greeting: &[u8]) -> Option<(usize, OffsetDateTime)> {
    let is_time = |bytes: &[u8]| match bytes {
        [h1, h2, b':', m1, m2, b':', s1, s2] => [h1, h2, m1, m2, s1, s2].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    let times = greeting.windows("10:11:12".len()).enumerate().filter(|(_, bytes)| is_time(bytes));
    times.map(|(place, _)| place).find_map(|place| Some((place, date_around(greeting, place)?)))
}

/// `2 Jan 2025 10:11:12 +0100`, around the place of its time of day.
fn date_around(greeting: &[u8], place: usize) -> Option<OffsetDateTime> {
    let (before, after) = greeting.split_at_checked(place)?;
    let before = before.get(before.len().saturating_sub(AROUND)..)?;
    let after = after.get(..after.len().min(AROUND))?;
    let mut words = before.rsplit(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let [year, month, day] = [words.next()?, words.next()?, words.next()?].map(|word| str::from_utf8(word).ok());
    let mut words = after.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let [time, zone] = [words.next()?, words.next()?].map(|word| str::from_utf8(word).ok());
    let zone = zone?.trim_end_matches([',', ';', '.']);
    let zone = if matches!(zone, "GMT" | "UTC" | "UT" | "Z") { "+0000" } else { zone };
    if zone.len() != "+0000".len() || !zone.starts_with(['+', '-']) {
        return None;
    }
    // The weekday is left out: it may be in another language.
    let date = format!("{} {} {} {} {zone}", day?.rsplit(',').next()?, month?, year?, time?);
    OffsetDateTime::parse(&date, &Rfc2822).ok()
}

/// In the unit in which a person would say it.
fn rounded(size: Duration) -> String {
    let seconds = size.as_secs();
    match seconds {
        0..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        DAY.. => format!("{} days", seconds / DAY),
    }
}
