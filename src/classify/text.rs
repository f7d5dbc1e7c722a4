//! Greeting bytes as the text that signatures are matched against.
//!
//! Reply codes are taken off the lines that carry them, blanks off both ends of every line, and the lines are joined by
//! `\n`, so that a signature need not care how a reply was framed (RFC 959 §4.2, RFC 5321 §4.2). Bytes that are not
//! UTF-8 are read as Latin-1. Whether the reply is complete or well formed is decided elsewhere; nothing here fails.

use std::borrow::Cow;

/// A greeting without its framing.
#[derive(Debug)]
pub(super) struct Text<'a> {
    text: Cow<'a, str>,
    ended: bool,
}

impl<'a> Text<'a> {
    /// Reads a greeting; a single line in UTF-8 is borrowed, not copied.
    pub(super) fn read(greeting: &'a [u8]) -> Self {
        let ended = greeting.last() == Some(&b'\n');
        let text = match decode(greeting) {
            Cow::Borrowed(text) => unframe(text),
            Cow::Owned(text) => Cow::Owned(unframe(&text).into_owned()),
        };
        Self { text, ended }
    }

    /// The lines, joined by `\n`.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether something that stands up to `end` may go on in bytes that never came.
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

fn unframe(text: &str) -> Cow<'_, str> {
    let text = text.trim_end_matches(is_blank_or_end);
    if !text.contains('\n') {
        return Cow::Borrowed(strip(text, code(text)));
    }
    let mut whole = String::with_capacity(text.len());
    // The reply that a line belongs to: a preliminary one (RFC 959 §5.4) is followed by another, of another code.
    let mut reply = None;
    for line in text.split('\n') {
        if !whole.is_empty() {
            whole.push('\n');
        }
        reply = reply.or_else(|| code(line));
        whole.push_str(strip(line, reply));
        if ends(line, reply) {
            reply = None;
        }
    }
    whole.truncate(whole.trim_end_matches('\n').len());
    Cow::Owned(whole)
}

/// Whether the line is the last of its reply.
fn ends(line: &str, reply: Option<&str>) -> bool {
    reply.is_some() && code(line) == reply && line.as_bytes().get(3) != Some(&b'-')
}

/// A line without the reply's code. A number that is not that code belongs to the text: `220-\r\n 404 files\r\n220 ok`.
fn strip<'a>(line: &'a str, reply: Option<&str>) -> &'a str {
    let rest = match code(line) {
        Some(code) if Some(code) == reply => line.get(4..).unwrap_or_default(),
        _ => line,
    };
    rest.trim_matches(is_blank_or_end)
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
            (b"120 soon\r\n220 a\r\n", "soon\na"),
            (b"120-soon\r\n220 files\r\n120 \r\n220-a\r\n220 b\r\n", "soon\n220 files\n\na\nb"),
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
        assert!(!Text::read(b"220 Exim 4.9\n").may_be_cut_at(8));
    }
}
