//! The PROXY protocol gone wrong: a header sent to a server that expects none, or none where one is expected.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::replies::{self, Reply, after_greeting, arrived, contains};
use super::{Look, Seen, greeted_at};
use crate::observation::{Asked, Dialogue, Grade, Observation, Outcome, TlsUse};

/// Ready for us (RFC 959 §5.4, RFC 5321 §4.2.3).
const READY: u16 = 220;

/// Service closing (RFC 959 §4.2, RFC 5321 §4.2.3).
const CLOSING: u16 = 221;

/// Not available, closing: said by servers that had enough of waiting, or of us.
const NOT_AVAILABLE: u16 = 421;

/// When Postfix gives up waiting for the header: after 5 s (`smtpd_upstream_proxy_timeout`,
/// `postscreen_upstream_proxy_timeout`). It counts in whole seconds, so that a busy one may be one too early.
const POSTFIX_GIVES_UP: RangeInclusive<Duration> = Duration::from_millis(3800)..=Duration::from_millis(5600);

/// When Exim does: after 3 s. Narrow, for little but the time speaks.
const EXIM_GIVES_UP: RangeInclusive<Duration> = Duration::from_millis(2750)..=Duration::from_millis(3250);

/// Codes by which FEAT, SYST, AUTH and EHLO are granted.
const GRANTED: [u16; 4] = [211, 215, 234, 250];

/// What is said of a command that is not known, or that is none of those allowed before a login; Haraka names the header.
const OF_A_COMMAND: [&str; 9] = [
    "command",
    "unrecognized",
    "unrecognised",
    "not understood",
    "syntax error",
    "logged in",
    "please login",
    "log in with",
    "PROXY",
];

/// An error behind the greeting that answers nothing we said: what a server makes of a PROXY header that it takes for a
/// command. A greeting that is a refusal itself may be followed by more of them, and a goodbye to the idle is none. There is
/// a `QUIT` in the second version's header, and a server that passes over the rest of it says goodbye for that.
///
/// Nothing but the first reply counts: what comes behind an answer of ours may be that answer's second half. And an error that
/// speaks of no command, with nothing behind it, is what lists of refused clients say.
pub(super) fn unsolicited_error(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    if row.outcome != Outcome::Greeted || row.code != Some(READY) || was_taken_for_a_command(row) {
        return None;
    }
    let reply = match row.dialogue.as_deref().filter(|dialogue| has_talked(dialogue)) {
        Some(dialogue) => ahead_of_question(row, dialogue).or_else(|| ahead_of_answers(row, dialogue)),
        None => ahead_of_goodbye(row),
    }?;
    let is_last = after_greeting(row).nth(1).is_none();
    let grade = if !reply.is_error() {
        Grade::Strong
    } else if is_last && !OF_A_COMMAND.iter().any(|words| reply.says(words)) {
        Grade::Weak
    } else {
        Grade::Decisive
    };
    Some(Seen::said(grade, reply.bytes, arrived(&row.received, reply.start)))
}

/// Mail: the server waits for a PROXY header, and says so or hangs up when none comes. Exim greets all the same, and what
/// it thinks shows only when it is asked something; until then there is but its pause.
pub(super) fn proxy_header_expected(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    if row.service.is_ftp() || row.outcome != Outcome::Greeted {
        return None;
    }
    if let Some(reply) = after_greeting(row).find(|reply| reply.says("required Proxy negotiation failed")) {
        return Some(Seen::said(Grade::Decisive, reply.bytes, arrived(&row.received, reply.start)));
    }
    let greeting = row.greeting();
    let grade = if row.code == Some(NOT_AVAILABLE) {
        let of_smtpd = contains(greeting, "421 4.3.0 ") && contains(greeting, "Server local error");
        let of_postfix = of_smtpd || contains(greeting, "421 4.3.2 No system resources");
        // After 30 s, as it happens: the words are enough.
        let of_haraka = contains(greeting, "421 PROXY timed out") || contains(greeting, "421 PROXY timeout");
        (of_haraka || of_postfix && is_greeted_within(row, POSTFIX_GIVES_UP)).then_some(Grade::Strong)?
    } else {
        let is_exim = row.software.as_deref().is_some_and(|software| &*software.name == "Exim");
        let is_open = row.code == Some(READY) && !row.dialogue.as_deref().is_some_and(has_talked);
        (is_exim && is_open && is_greeted_within(row, EXIM_GIVES_UP)).then_some(Grade::Weak)?
    };
    Some(Seen::said(grade, greeting, greeted_at(row)))
}

/// A server that speaks in clear on a TLS port has our `ClientHello` for a command, and says what it thinks of it.
fn was_taken_for_a_command(row: &Observation) -> bool {
    row.service.is_implicit_tls() && row.tls.as_deref().is_none_or(|facts| facts.tls != TlsUse::Implicit)
}

/// Whether anything but QUIT was said.
fn has_talked(dialogue: &Dialogue) -> bool {
    dialogue.offers.is_some() || dialogue.broken_off.is_some() || dialogue.anonymous.is_some()
}

/// The error with which the rest begins, unless it can be the answer to our QUIT: it came before that was said, or that was
/// answered as well. A goodbye that nobody asked for came before.
fn ahead_of_goodbye(row: &Observation) -> Option<Reply<'_>> {
    let mut replies = after_greeting(row);
    let first = replies.next()?;
    let came_with_greeting = came_with_greeting(row, &first);
    let came_before = |quit| came_with_greeting || arrived(&row.received, first.start).is_some_and(|came| came < quit);
    let is_unasked = if is_of_a_command(&first) {
        row.quit_at.is_none_or(came_before) || replies.any(|reply| reply.code == CLOSING)
    } else {
        first.code == CLOSING && row.quit_at.map_or(came_with_greeting, came_before)
    };
    is_unasked.then_some(first)
}

/// In one piece with the end of the greeting, before anything could be said.
fn came_with_greeting(row: &Observation, reply: &Reply<'_>) -> bool {
    let arrivals = row.received.arrivals();
    let of_greeting = arrivals.partition_point(|arrival| arrival.range.end < row.greeting_len);
    arrivals.get(of_greeting).is_some_and(|arrival| arrival.range.contains(&reply.start))
}

/// An error, or a goodbye, that came before our first command, or ahead of its answer. A server that takes CR and LF for a
/// line end each refuses every command twice: where the first was refused as well, mail's first refusal may be the answer
/// itself, and so may one in the same words.
fn ahead_of_question<'a>(row: &'a Observation, dialogue: &Dialogue) -> Option<Reply<'a>> {
    let first = after_greeting(row).next().filter(|reply| reply.code == CLOSING || is_of_a_command(reply))?;
    let is_unasked = dialogue.unasked.starts_with(first.bytes);
    let is_refused_twice = dialogue.offers.as_ref().is_some_and(|offers| {
        !offers.reply.is_positive() && (offers.asked != Asked::Feat || offers.reply.bytes == first.bytes)
    });
    (is_unasked && (!is_refused_twice || came_with_greeting(row, &first))).then_some(first)
}

/// An error with which the rest begins, taken for the answer to our first command until that one's own came as well.
fn ahead_of_answers<'a>(row: &'a Observation, dialogue: &Dialogue) -> Option<Reply<'a>> {
    let mut answers = after_greeting(row);
    let first = answers.next().filter(is_of_a_command)?;
    let second = answers.clone().next();
    let is_late = row.service.is_ftp()
        && second.is_some_and(|reply| GRANTED.contains(&reply.code) && contains_reply(&dialogue.unasked, &reply));
    let is_granted =
        dialogue.offers.as_ref().is_some_and(|offers| offers.asked == Asked::Ehlo && offers.reply.is_positive());
    // EHLO's answer and, since we fell back on it, HELO's.
    let are_both = is_granted && answers.take(2).filter(|reply| reply.code == 250).count() == 2;
    (is_late || are_both).then_some(first)
}

fn contains_reply(bytes: &[u8], reply: &Reply<'_>) -> bool {
    replies::replies(bytes, 0).any(|other| other.bytes == reply.bytes)
}

/// Whether a reply can be what a server says of a command that it does not know or does not want now.
fn is_of_a_command(reply: &Reply<'_>) -> bool {
    let is_goodbye = ["OOPS", "timeout", "timed out", "idle"].iter().any(|words| reply.says(words));
    reply.is_error() && if reply.code == NOT_AVAILABLE { reply.says("PROXY ") } else { !is_goodbye }
}

/// Whether the server let so much time pass. Its clock began after our SYN and before we knew of the connection.
fn is_greeted_within(row: &Observation, pause: RangeInclusive<Duration>) -> bool {
    let (Some(since_ready), Some(since_syn)) = (row.greeting_after, greeted_at(row)) else { return false };
    since_ready <= *pause.end() && since_syn >= *pause.start()
}
