//! Whether a service is there for us at all.

use super::{Seen, excerpt};
use crate::classify::text::Text;
use crate::observation::{Observation, Outcome};

/// It greeted with 120 (RFC 959 §4.2.2), 421 (RFC 5321 §3.8) or another reply that says *not now*.
pub(super) fn not_ready(row: &Observation) -> Option<Seen> {
    greeting_of(row, |class| matches!(class, 1 | 4))
}

/// It greeted with 554 (RFC 5321 §3.1), 521 (RFC 7504), FTP's 530 or another reply that says *not you*.
pub(super) fn rejects_us(row: &Observation) -> Option<Seen> {
    greeting_of(row, |class| class == 5)
}

/// The connection stood until the deadline and not a byte came.
pub(super) fn open_but_silent(row: &Observation) -> Option<Seen> {
    (row.outcome == Outcome::Silent && row.received.is_empty()).then(Seen::it)
}

fn greeting_of(row: &Observation, is_class: fn(u16) -> bool) -> Option<Seen> {
    let code = row.code.filter(|code| row.outcome == Outcome::Greeted && is_class(code / 100))?;
    let text = Text::read(row.greeting());
    let line = text.as_str().lines().find(|line| !line.is_empty()).unwrap_or_default();
    Some(Seen::that(format!("{code} {}", excerpt(line)).trim_end()))
}
