//! What must hold of replies and greetings whatever a peer sends, and however that is cut into reads.

use super::greeting::{GreetingReader, State};
use super::reply::{Progress, ReplyReader};
use super::{passive, protocol};
use crate::fuzzing::{assert_written, greeted};
use crate::observation::{TlsFacts, TlsUse};

pub(crate) use super::legacy::fuzz::legacy_tls;

/// What is said of a chain of certificates stands in rows as it is.
pub(crate) fn certificate(bytes: &[u8]) {
    for (chain, verdict) in super::certificate::fuzz::certificate(bytes) {
        let mut row = greeted(b"220 ready\r\n");
        row.tls = Some(Box::new(TlsFacts { chain, verdict, ..TlsFacts::new(TlsUse::Implicit) }));
        assert_written(&row);
    }
}

/// The same replies whatever the cuts, each up to its LF, and those that a reader of whole lines finds.
pub(crate) fn reply(bytes: &[u8]) {
    let whole = replies([bytes].into_iter());
    assert_eq!(replies(bytes.chunks(1)), whole, "byte by byte");
    let size = part_size(bytes);
    assert_eq!(replies(bytes.chunks(size)), whole, "in parts of {size}");

    let mut before = 0;
    for (code, end) in &whole {
        assert!(*end > before && *end <= bytes.len() && (100..600).contains(code), "{code} up to {end}");
        assert_eq!(bytes[*end - 1], b'\n');
        before = *end;
    }
    assert_eq!(by_lines(bytes), whole);
}

/// The same greeting whatever the cuts; the bytes up to its end are the same greeting again.
pub(crate) fn greeting(bytes: &[u8]) {
    let whole = greet([bytes].into_iter());
    assert_eq!(greet(bytes.chunks(1)), whole, "byte by byte");
    let size = part_size(bytes);
    assert_eq!(greet(bytes.chunks(size)), whole, "in parts of {size}");

    let (state, preliminary) = whole;
    if let Some((code, len)) = preliminary {
        assert!(code / 100 == 1 && len <= bytes.len());
    }
    match state {
        State::Complete { code, len } => {
            let greeting = &bytes[..len];
            let is_preliminary = preliminary == Some((code, len));
            let again = if is_preliminary { State::Waiting } else { state };
            assert_eq!(greet([greeting].into_iter()), (again, preliminary));
            assert_eq!(replies([greeting].into_iter()).last(), Some(&(code, len)));
            assert!((100..600).contains(&code) && is_preliminary == (code < 200));
            protocol::is_news(code, greeting);
            passive::address(greeting);
            passive::port(greeting);
        }
        State::Foreign => drop(protocol::name(bytes)),
        State::Waiting => {}
    }
}

/// Every complete reply as its code and where it ends, until what is no reply.
fn replies<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<(u16, usize)> {
    let (mut reader, mut found, mut at) = (ReplyReader::default(), Vec::new(), 0);
    for mut part in parts {
        loop {
            match reader.read(part) {
                Progress::Complete { code, used } => {
                    at += used;
                    found.push((code, at));
                    part = &part[used..];
                }
                Progress::Incomplete => break at += part.len(),
                Progress::NotAReply => return found,
            }
        }
    }
    found
}

/// The same by a look at each line as a whole.
fn by_lines(bytes: &[u8]) -> Vec<(u16, usize)> {
    let (mut found, mut open, mut end) = (Vec::new(), None, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        end += line.len();
        let begin = line.iter().position(|byte| *byte != b'\r').unwrap_or_default();
        let (line, code) = (&line[begin..], code(&line[begin..]));
        match (code, line.get(3), open) {
            _ if line == b"\n" => {}
            (Some(code), Some(b' ' | b'\t' | b'\r' | b'\n'), _) if open.is_none_or(|open| open == code) => {
                found.push((code, end));
                open = None;
            }
            (Some(code), Some(b'-'), None) => open = Some(code),
            (_, _, Some(_)) => {}
            (_, _, None) => break,
        }
    }
    found
}

fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    str::from_utf8(digits).ok()?.parse().ok().filter(|code| (100..600).contains(code))
}

/// What became of a greeting, and its preliminary reply.
fn greet<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (State, Option<(u16, usize)>) {
    let mut reader = GreetingReader::default();
    let mut states = parts.map(|part| reader.read(part));
    let state = states.find(|state| *state != State::Waiting).unwrap_or(State::Waiting);
    (state, reader.preliminary())
}

/// How long the parts are that bytes are cut into: as they say themselves.
fn part_size(bytes: &[u8]) -> usize {
    2 + bytes.last().map_or(0, |byte| usize::from(*byte) % 13)
}
