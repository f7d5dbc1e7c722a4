//! Fronts that show in when something comes: postscreen's pause, a tarpit's trickle, a proxy without a server.

use std::time::Duration;

use super::replies::contains;
use super::{Look, Seen, greeted_at};
use crate::classify::text::code;
use crate::observation::{Arrival, End, Grade, Observation, Outcome, TlsUse};

/// postscreen's pause under stress (`postscreen_greet_wait`), less what a busy machine takes off; usually it is 6 s.
const PAUSE: Duration = Duration::from_millis(1800);

/// The pause between two of a tarpit's bytes: OpenBSD's spamd takes a second.
const TRICKLE: Duration = Duration::from_millis(400);

/// So many bytes at most come at a time.
const DROP: usize = 3;

/// So often at least, one after the other.
const DROPS: usize = 10;

/// A greeting that has more lines by the deadline, and no end, will have none.
const LINES: usize = 20;

/// So long after the first of them, at least, the last line comes of a greeting without end: half of what FTP servers are
/// given by default. A text that comes at once and lacks its end was framed by somebody who does not know how.
const DRAWN_OUT: Duration = Duration::from_millis(7500);

/// How postscreen refuses who is on a list, or too much (`postscreen_dnsbl_action`, `postscreen_client_connection_count_limit`).
const REFUSALS: [&[u8]; 3] = [b"550 ", b"450 ", b"421 "];

/// Mail: a first line alone, a pause, and the line again, or a refusal that ends it: Postfix's postscreen sees whether the
/// client can wait, and asks its lists meanwhile.
pub(super) fn postscreen(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    let is_refused = row.outcome == Outcome::Closed;
    if row.service.is_ftp() || row.outcome != Outcome::Greeted && !is_refused {
        return None;
    }
    // A refusal in other digits than the first line's ends no greeting, and what is read of that is all there is.
    let greeting = if is_refused { row.received.bytes() } else { row.greeting() };
    let second = if is_refused { second_line(greeting) } else { after_teaser(greeting) }?;
    if is_refused && !(second.ends_with(b"\n") && REFUSALS.iter().any(|code| second.starts_with(code))) {
        return None;
    }
    let end = greeting.len() - second.len();
    let teaser = greeting.get("220-".len()..end)?;
    let before = row.received.arrivals().iter().rfind(|arrival| arrival.range.end <= end)?;
    let after = row.received.arrivals().iter().find(|arrival| arrival.range.start >= end)?;
    let is_alone = before.range.end == end && after.at.saturating_sub(before.at) >= PAUSE;
    is_alone.then(|| Seen::said(Grade::Strong, teaser, greeted_at(row)).of("postscreen"))
}

/// The greeting itself, without the teaser of the same name that postscreen puts before it for who comes the first time.
pub(super) fn after_teaser(greeting: &[u8]) -> Option<&[u8]> {
    let second = second_line(greeting)?;
    let is_its_own = first_word(second.strip_prefix(b"220 ")?) == first_word(greeting.get("220-".len()..)?);
    is_its_own.then_some(second)
}

/// A few bytes at a time, or a greeting without end: whatever it calls itself, it is there to keep us waiting.
pub(super) fn tarpit(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    let at = row.received.arrivals().last().map(|arrival| arrival.at);
    let is_drawn_out = || {
        let first = row.received.arrivals().first().map(|arrival| arrival.at);
        first.zip(at).is_some_and(|(first, last)| last.saturating_sub(first) >= DRAWN_OUT)
    };
    let is_endless =
        || row.outcome == Outcome::Silent && row.greeting().split(|byte| *byte == b'\n').nth(LINES).is_some();
    if !(trickles(row) || is_drawn_out() && is_endless()) {
        return None;
    }
    let seen = Seen::said(Grade::Strong, row.received.bytes(), at);
    Some(if contains(row.received.bytes(), "spamd") { seen.of("spamd") } else { seen })
}

/// Accepted, and closed without a byte: a proxy that has no server does so, as do access lists on the host itself. Where
/// TLS comes first our own hello may be the reason, unless the handshake was done.
pub(super) fn accept_then_close(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    let how = match row.outcome {
        Outcome::Closed => row.ending.map_or(End::Fin, |ending| ending.how),
        Outcome::Reset => End::Reset,
        Outcome::Greeted
        | Outcome::OtherProtocol
        | Outcome::TlsFailed
        | Outcome::Silent
        | Outcome::Refused
        | Outcome::Unreachable
        | Outcome::Timeout
        | Outcome::LocalError
        | Outcome::Unresolved => return None,
    };
    let is_secured = row.tls.as_deref().is_some_and(|facts| facts.tls == TlsUse::Implicit);
    if !row.received.is_empty() || (row.service.is_implicit_tls() && !is_secured) {
        return None;
    }
    let words = match how {
        End::Fin => "FIN without a byte",
        End::Reset => "RST without a byte",
    };
    Some(Seen::told(Grade::Moderate, words, row.ending.map(|ending| ending.at)))
}

/// What follows the first of two lines, where that is `220-`.
fn second_line(greeting: &[u8]) -> Option<&[u8]> {
    let rest = greeting.strip_prefix(b"220-")?;
    let teaser = rest.split_inclusive(|byte| *byte == b'\n').next()?;
    let second = rest.get(teaser.len()..)?;
    (second.split_inclusive(|byte| *byte == b'\n').count() == 1).then_some(second)
}

fn first_word(line: &[u8]) -> Option<&[u8]> {
    line.split(u8::is_ascii_whitespace).next()
}

fn trickles(row: &Observation) -> bool {
    let arrivals = row.received.arrivals();
    if arrivals.len() <= DROPS || !starts_like_a_reply(row) {
        return false;
    }
    let is_drop = |pair: &[Arrival]| match pair {
        [before, after] => after.range.len() <= DROP && after.at.saturating_sub(before.at) >= TRICKLE,
        [..] => false,
    };
    let mut run = 0;
    arrivals.windows(2).any(|pair| {
        run = if is_drop(pair) { run + 1 } else { 0 };
        run >= DROPS
    })
}

/// Whether the trickle is one of FTP or SMTP: the code itself comes in pieces.
fn starts_like_a_reply(row: &Observation) -> bool {
    let head = row.received.bytes().get(..4).and_then(|head| std::str::from_utf8(head).ok());
    head.is_some_and(|head| code(head).is_some())
}
