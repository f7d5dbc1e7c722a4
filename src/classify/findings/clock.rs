//! The server's clock, where its greeting tells the time. The other clock is ours: where all servers are wrong by the
//! same, we are.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

use super::Seen;
use crate::observation::{Announced, Observation};

/// How much clocks may differ; Kerberos allows as much (RFC 4120 §8.2).
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The date in the greeting is not the time at which it came.
pub(super) fn skew(row: &Observation) -> Option<Seen> {
    let Announced { date, date_at, .. } = &row.announced;
    let arrival = row.received.arrivals().iter().find(|arrival| arrival.range.contains(date_at))?;
    let skew = utc((*date)?)? - utc(row.time.checked_add(arrival.at)?)?;
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

/// In the unit in which a person would say it.
fn rounded(size: Duration) -> String {
    let seconds = size.as_secs();
    match seconds {
        0..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        DAY.. => format!("{} days", seconds / DAY),
    }
}
