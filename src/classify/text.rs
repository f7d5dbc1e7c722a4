//! Greeting bytes as the text that signatures are matched against.
//!
//! Reply codes are taken off the lines that carry them, blanks off both ends of every line, and the lines are joined by
//! `\n`, so that a signature need not care how a reply was framed (RFC 959 §4.2, RFC 5321 §4.2): a line ends with CRLF,
//! LF or CR, and what telnet negotiates first (RFC 854) is passed over. So is a preliminary reply (`120 ready in 5
//! minutes`, RFC 959 §5.4), unless the one after it has no words. Bytes that are not UTF-8 are read as Latin-1.
//! Whether the reply is complete or well formed is decided elsewhere; nothing here fails.
//!
//! **Only the first 8 KiB are read**, a hundred lines, so that no greeting costs more than its length, however many
//! patterns are tried on it; a server that names itself further down stays unnamed.

use std::borrow::Cow;

/// How much of a greeting is read.
const LIMIT: usize = 8 * 1024;

/// RFC 854: *interpret as command*.
const IAC: u8 = 0xff;

/// A greeting without its framing.
#[derive(Debug)]
pub(super) struct Text<'a> {
    text: Cow<'a, str>,
    ended: bool,
}

impl<'a> Text<'a> {
    /// Reads a greeting; a single line in UTF-8 is borrowed, not copied.
    pub(super) fn read(greeting: &'a [u8]) -> Self {
        let start = greeting.get(..LIMIT).unwrap_or(greeting);
        let bare = trim_end(start);
        let ended = start[bare.len()..].iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        let text = match decode_start(without_negotiation(bare)) {
            Cow::Borrowed(text) => unframe(text),
            Cow::Owned(text) => Cow::Owned(unframe(&text).into_owned()),
        };
        Self { text, ended }
    }

    /// The lines, joined by `\n`.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether something that stands up to `end` may go on in bytes that never came, or are not read.
    pub(super) fn may_be_cut_at(&self, end: usize) -> bool {
        !self.ended && end == self.text.len()
    }
}

/// The bytes as UTF-8 if they are that, else as Latin-1, which every byte is.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

/// What stands before the text of a line: the reply code, if there is one, without its ` ` or `-`.
pub(super) fn code(line: &str) -> Option<&str> {
    let framed = match line.as_bytes() {
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => true,
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', separator, ..] => matches!(separator, b' ' | b'-' | b'\r' | b'\t'),
        _ => false,
    };
    framed.then(|| &line[..3])
}

/// The same of a text that may be cut within its last character.
fn decode_start(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => decode(&bytes[..error.valid_up_to()]),
        _ => decode(bytes),
    }
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| !is_blank_or_end(byte.into())).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// What follows the options that a telnet server offers, a byte order mark, and blanks.
fn without_negotiation(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = match bytes {
            // WILL, WON'T, DO and DON'T name an option; other commands stand alone.
            [IAC, 0xfb..=0xfe, _, rest @ ..] | [IAC, 0xf0..=0xfa, rest @ ..] | [0xef, 0xbb, 0xbf, rest @ ..] => rest,
            [first, rest @ ..] if is_blank_or_end((*first).into()) => rest,
            _ => return bytes,
        }
    }
}

fn unframe(text: &str) -> Cow<'_, str> {
    if !text.bytes().fold(false, |found, byte| found | matches!(byte, b'\n' | b'\r')) {
        return Cow::Borrowed(strip(text, code(text)));
    }
    let mut whole = String::with_capacity(text.len());
    // The reply that a line belongs to, and whether a preliminary one has ended.
    let (mut reply, mut is_begun_anew) = (None, false);
    for line in lines(text) {
        reply = reply.or_else(|| code(line));
        let words = strip(line, reply);
        if is_begun_anew && !words.is_empty() {
            whole.clear();
            is_begun_anew = false;
        }
        if !whole.is_empty() {
            whole.push('\n');
        }
        whole.push_str(words);
        if ends(line, reply) {
            is_begun_anew |= reply.is_some_and(|code| code.starts_with('1'));
            reply = None;
        }
    }
    whole.truncate(whole.trim_end_matches('\n').len());
    Cow::Owned(whole)
}

/// Lines as they end with CRLF, LF or CR; CR CR LF is one end, too.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.trim_end_matches(is_blank_or_end).split('\r'))
}

/// Whether the line is the last of its reply.
fn ends(line: &str, reply: Option<&str>) -> bool {
    reply.is_some() && code(line) == reply && line.as_bytes().get(3) != Some(&b'-')
}

/// A line without the reply's code, which some say twice. A number that is not that code belongs to the text:
/// `220-\r\n 404 files\r\n220 ok`.
fn strip<'a>(mut line: &'a str, reply: Option<&str>) -> &'a str {
    while reply.is_some() && code(line) == reply {
        line = line.get(4..).unwrap_or_default();
    }
    line.trim_matches(is_blank_or_end)
}

/// Some devices end a line with NUL, for it is a C string to them.
fn is_blank_or_end(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_taken_off() {
        for (greeting, text) in [
            (&b"220 a b\r\n"[..], "a b"),
            (b"220-a\r\n220 b\r\n", "a\nb"),
            (b"220-a\n220-b \t\n220 c\n", "a\nb\nc"),
            (b"220-a\r\n  b\r\n404 files\r\n220 c\r\n", "a\nb\n404 files\nc"),
            (b"220-\r\n220-\r\n220 c\r\n", "c"),
            (b"120 soon\r\n220 a\r\n", "a"),
            (b"120-soon\r\n220 files\r\n120 \r\n220-a\r\n220 b\r\n", "a\nb"),
            (b"120 soon\r\n120 sooner\r\n220-\r\n220 a\r\n", "a"),
            (b"120 soon\r\n220 \r\n", "soon"),
            (b"120 soon\r\n", "soon"),
            (b"120 soon\r\n2", "2"),
            (b"220 a\r\n120 soon\r\n", "a\nsoon"),
            (b"220-a\r\n220-\r\n220 c\r\n", "a\n\nc"),
            (b"no code at all\r\n", "no code at all"),
            (b"2200 is a year\r\n", "2200 is a year"),
            (b"220", ""),
            (b"220\r\n", ""),
            (b"220 \r\n", ""),
            (b"220-", ""),
            (b"220---------- a ----------\r\n", "--------- a ----------"),
            (b"421 busy\r\n\0", "busy"),
            (b"220 gr\xfc\xdfe\r\n", "grüße"),
            (b"220-gr\xfc\xdfe\r\n220 x\r\n", "grüße\nx"),
            ("220 grüße\r\n".as_bytes(), "grüße"),
            (b"220-a\r220 b\r", "a\nb"),
            (b"220-a\r\r\n220 b\r\r\n", "a\nb"),
            (b"220 a\0\0", "a"),
            (b"220\ta\tb \r\n", "a\tb"),
            (b"220 220 a\r\n", "a"),
            (b"220-220-a\r\n220 220 b\r\n", "a\nb"),
            (b"\xff\xfb\x01\xff\xfd\x03\xff\xf1220 a\r\n", "a"),
            (b"\xef\xbb\xbf220 a\r\n", "a"),
            (b"\r\n 220 a\r\n", "a"),
            (b"\xff\xfb", "\u{ff}\u{fb}"),
            (b"220 gr\xc3", "gr"),
            (b"", ""),
            (b"\r\n\r\n", ""),
        ] {
            assert_eq!(Text::read(greeting).as_str(), text, "{greeting:?}");
        }
    }

    #[test]
    fn a_single_line_is_borrowed() {
        assert!(matches!(Text::read(b"220 a\r\n").text, Cow::Borrowed("a")));
    }

    #[test]
    fn only_the_end_of_an_unended_line_may_be_cut() {
        let text = Text::read(b"220 Exim 4.9");
        assert!(text.may_be_cut_at(8) && !text.may_be_cut_at(4));
        for ended in [&b"220 Exim 4.9\n"[..], b"220 Exim 4.9\r", b"220 Exim 4.9\r\n\0", b"220 Exim 4.9\0"] {
            assert!(!Text::read(ended).may_be_cut_at(8), "{}", ended.escape_ascii());
        }
    }

    #[test]
    fn no_more_is_read_than_the_limit() {
        let long = format!("220 {}ü {}\r\n", "a".repeat(LIMIT - 5), "b".repeat(50_000));
        let text = Text::read(long.as_bytes());
        assert!(text.as_str().ends_with('a') && text.as_str().len() == LIMIT - 5);
        assert!(text.may_be_cut_at(LIMIT - 5));
        let lines = "220-a line\r\n".repeat(6_000);
        let text = Text::read(lines.as_bytes());
        assert!(text.as_str().len() < LIMIT && text.as_str().starts_with("a line\na line\n"));
    }
}
