//! What a peer said after its greeting, reply by reply, and when.
//!
//! The probe has read these bytes by the grammar already; what is cut short here is no reply, and nothing fails.

use std::time::Duration;

use crate::classify::text::code;
use crate::observation::{Observation, Received};

/// A complete reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'a> {
    pub(super) code: u16,
    /// All its lines.
    pub(super) bytes: &'a [u8],
    /// Where it begins.
    pub(super) start: usize,
}

impl Reply<'_> {
    /// 4yz or 5yz.
    pub(super) const fn is_error(&self) -> bool {
        matches!(self.code, 400..=599)
    }

    /// Whether its text has these words, in any case.
    pub(super) fn says(&self, words: &str) -> bool {
        contains(self.bytes, words)
    }
}

/// The replies after the greeting, with their places in [`Observation::received`].
pub(super) fn after_greeting(row: &Observation) -> impl Iterator<Item = Reply<'_>> + Clone {
    replies(row.received.bytes(), row.greeting_len)
}

/// The replies from `start` on, up to what is none.
pub(super) fn replies(bytes: &[u8], mut start: usize) -> impl Iterator<Item = Reply<'_>> + Clone {
    std::iter::from_fn(move || {
        let rest = bytes.get(start..)?;
        let (code, len) = first_reply(rest)?;
        let reply = Reply { code, bytes: &rest[..len], start };
        start += len;
        Some(reply)
    })
}

/// The code of the reply that the bytes begin with, and how long it is.
fn first_reply(bytes: &[u8]) -> Option<(u16, usize)> {
    let (mut open, mut end) = (None, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        line.strip_suffix(b"\n")?;
        let head = line.get(..line.len().min(4)).and_then(|head| std::str::from_utf8(head).ok()).unwrap_or_default();
        match (code(head.trim_end()).or_else(|| code(head)), open) {
            (None, None) if line.trim_ascii().is_empty() => {}
            (None, None) => return None,
            (Some(found), _) if open.is_none_or(|open| open == found) => {
                if head.as_bytes().get(3) != Some(&b'-') {
                    return Some((found.parse().ok()?, end));
                }
                open = Some(found);
            }
            (_, Some(_)) | (Some(_), None) => {}
        }
    }
    None
}

/// When the byte at this place came, counted from the start of the connect.
pub(super) fn arrived(received: &Received, at: usize) -> Option<Duration> {
    let arrivals = received.arrivals();
    arrivals.get(arrivals.partition_point(|arrival| arrival.range.end <= at)).map(|arrival| arrival.at)
}

/// When the reply came that begins with these words.
pub(super) fn said_at(row: &Observation, words: &[u8]) -> Option<Duration> {
    let reply = after_greeting(row).find(|reply| reply.bytes.starts_with(words))?;
    arrived(&row.received, reply.start)
}

/// Whether the words are among the bytes, in any case.
pub(super) fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len().max(1)).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Outcome, Service};

    #[test]
    fn replies_are_told_apart() {
        for (bytes, expected) in [
            ("", &[][..]),
            ("500 no\r\n", &[(500, 8)]),
            ("500 no\r\n221 bye\r\n", &[(500, 8), (221, 9)]),
            ("500 no\r\n221 by", &[(500, 8)]),
            ("\r\n500 no\r\n", &[(500, 10)]),
            ("500\r\n", &[(500, 5)]),
            ("221-a\r\n b\r\n500 c\r\n221 d\r\n530 e\n", &[(221, 25), (530, 6)]),
            ("\x16\x03\x01\n500 no\r\n", &[]),
            ("hello\r\n500 no\r\n", &[]),
        ] {
            let found: Vec<_> = replies(bytes.as_bytes(), 0).map(|reply| (reply.code, reply.bytes.len())).collect();
            assert_eq!(found, expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_reply_came_when_it_began_and_not_where_its_words_were_quoted() {
        let mut row = Observation::new(std::time::UNIX_EPOCH, None, 25, Service::Smtp, Outcome::Greeted);
        row.received.push(b"220 a says 250 b\r\n", Duration::from_millis(1));
        row.greeting_len = row.received.bytes().len();
        row.received.push(b"500 no\r\n", Duration::from_millis(2));
        row.received.push(b"250 b\r\n", Duration::from_millis(3));
        assert_eq!(said_at(&row, b"250 b\r\n"), Some(Duration::from_millis(3)));
        assert_eq!(said_at(&row, b"o\r\n"), None);
    }

    #[test]
    fn a_byte_came_with_its_read() {
        let mut received = Received::default();
        received.push(b"220 a\r\n", Duration::from_millis(1));
        received.push(b"500", Duration::from_millis(2));
        let millis = |at| arrived(&received, at).map(|at| at.as_millis());
        assert_eq!(
            [millis(0), millis(6), millis(7), millis(9), millis(10)],
            [Some(1), Some(1), Some(2), Some(2), None]
        );
    }
}
