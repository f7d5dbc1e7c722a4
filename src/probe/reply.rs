//! The reply grammar of FTP (RFC 959 §4.2) and SMTP (RFC 5321 §4.2), as a pure incremental function over bytes.
//!
//! A reply is three digits and a text. `220 text` is whole; `220-text` begins a reply of several lines that ends with a
//! line of the same code and a blank. What stands between is not looked at: FTP's continuation lines need no code. Lines
//! end with LF, with or without CR before it. Blank lines before a reply are passed over. Nothing is kept but the state,
//! so that a reply without end costs no memory.

/// What became of the bytes given so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// No reply is complete yet.
    Incomplete,
    /// A reply ended, so many bytes into the last chunk; the rest of it belongs to what follows.
    Complete { code: u16, used: usize },
    /// These bytes cannot begin a reply.
    NotAReply,
}

/// Reads one reply. After [`Progress::Complete`] it is ready for the next.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplyReader {
    line: Line,
    /// The code of the first line, once that has ended with a `-` after the code.
    open: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Line {
    /// At its start.
    #[default]
    Start,
    /// After so many digits, with their value.
    Code { digits: u8, value: u16 },
    /// In the text of a line that ends the reply.
    Last { code: u16 },
    /// In the text of the first of several lines.
    First { code: u16 },
    /// In the text of a line between.
    Between,
}

impl ReplyReader {
    /// Takes bytes up to the end of a reply.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Progress {
        for (index, byte) in bytes.iter().enumerate() {
            match self.byte(*byte) {
                Progress::Complete { code, .. } => return Progress::Complete { code, used: index + 1 },
                Progress::NotAReply => return Progress::NotAReply,
                Progress::Incomplete => {}
            }
        }
        Progress::Incomplete
    }

    fn byte(&mut self, byte: u8) -> Progress {
        let end = byte == b'\n';
        match (self.line, byte) {
            (Line::Start, b'0'..=b'9') => self.digit(1, 0, byte),
            (Line::Code { digits: digits @ 1..=2, value }, b'0'..=b'9') => self.digit(digits + 1, value, byte),
            (Line::Code { digits: 3, value: code }, b' ' | b'\t' | b'\r' | b'\n') if self.may_end_with(code) => {
                if end {
                    return self.complete(code);
                }
                self.line = Line::Last { code };
            }
            (Line::Code { digits: 3, value: code }, b'-') if self.open.is_none() && is_code(code) => {
                self.line = Line::First { code };
            }
            (Line::Last { code }, b'\n') => return self.complete(code),
            (Line::First { code }, b'\n') => {
                self.open = Some(code);
                self.line = Line::Start;
            }
            (Line::Between, b'\n') => self.line = Line::Start,
            (Line::Start, b'\r' | b'\n') | (Line::Last { .. } | Line::First { .. } | Line::Between, _) => {}
            // Neither a code nor what may follow one: fine between the lines of a reply, otherwise no reply at all.
            (Line::Start | Line::Code { .. }, _) => {
                if self.open.is_none() {
                    return Progress::NotAReply;
                }
                self.line = if end { Line::Start } else { Line::Between };
            }
        }
        Progress::Incomplete
    }

    fn digit(&mut self, digits: u8, value: u16, byte: u8) {
        self.line = Line::Code { digits, value: value * 10 + u16::from(byte - b'0') };
    }

    fn may_end_with(&self, code: u16) -> bool {
        self.open.map_or(is_code(code), |open| open == code)
    }

    fn complete(&mut self, code: u16) -> Progress {
        *self = Self::default();
        Progress::Complete { code, used: 0 }
    }
}

/// RFC 959 and RFC 5321 know 1yz to 5yz; RFC 2228 adds 6yz for protected replies, which no greeting is.
fn is_code(code: u16) -> bool {
    (100..600).contains(&code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every complete reply in `bytes` as (code, length), and how it went on.
    fn replies(bytes: &[u8]) -> (Vec<(u16, usize)>, Progress) {
        let mut reader = ReplyReader::default();
        let mut found = Vec::new();
        let mut rest = bytes;
        loop {
            match reader.read(rest) {
                Progress::Complete { code, used } => {
                    found.push((code, used));
                    rest = &rest[used..];
                }
                other => return (found, other),
            }
        }
    }

    /// What is sent, the replies in it as (code, length), and how it goes on.
    type Row = (&'static str, &'static [(u16, usize)], Progress);

    const TABLE: &[Row] = &[
        ("220 ready\r\n", &[(220, 11)], Progress::Incomplete),
        ("220 ready\n", &[(220, 10)], Progress::Incomplete),
        ("220\r\n", &[(220, 5)], Progress::Incomplete),
        ("220\n", &[(220, 4)], Progress::Incomplete),
        ("220 \r\n", &[(220, 6)], Progress::Incomplete),
        ("220\tready\r\n", &[(220, 11)], Progress::Incomplete),
        ("\r\n220 ready\r\n", &[(220, 13)], Progress::Incomplete),
        ("220 ready", &[], Progress::Incomplete),
        ("220 ready\r", &[], Progress::Incomplete),
        ("220-a\r\n220-b\r\n220 c\r\n", &[(220, 21)], Progress::Incomplete),
        ("220-a\n b\n220 c\n", &[(220, 15)], Progress::Incomplete),
        ("220-a\r\nno code\r\n\r\n220 c\r\n", &[(220, 25)], Progress::Incomplete),
        ("220-a\r\n  220 not yet\r\n220 c\r\n", &[(220, 29)], Progress::Incomplete),
        ("220-a\r\n421 other\r\n220 c\r\n", &[(220, 25)], Progress::Incomplete),
        ("220-a\r\n22\r\n2200 x\r\n220\r\n", &[(220, 24)], Progress::Incomplete),
        ("220-teaser\r\n", &[], Progress::Incomplete),
        ("120 wait\r\n220 ready\r\n", &[(120, 10), (220, 11)], Progress::Incomplete),
        ("421 busy\r\n", &[(421, 10)], Progress::Incomplete),
        ("530 no\r\n", &[(530, 8)], Progress::Incomplete),
        ("554-no\r\n554 never\r\n", &[(554, 19)], Progress::Incomplete),
        ("220 a\r\n500 b\r\n", &[(220, 7), (500, 7)], Progress::Incomplete),
        ("SSH-2.0-OpenSSH_9.6\r\n", &[], Progress::NotAReply),
        ("+OK ready\r\n", &[], Progress::NotAReply),
        ("22 ready\r\n", &[], Progress::NotAReply),
        ("2200 ready\r\n", &[], Progress::NotAReply),
        ("020 ready\r\n", &[], Progress::NotAReply),
        ("620 ready\r\n", &[], Progress::NotAReply),
        ("220ready\r\n", &[], Progress::NotAReply),
        (" 220 ready\r\n", &[], Progress::NotAReply),
        ("\0", &[], Progress::NotAReply),
    ];

    #[test]
    fn the_grammar() {
        for (bytes, expected, then) in TABLE {
            assert_eq!(replies(bytes.as_bytes()), (expected.to_vec(), *then), "{bytes:?}");
        }
    }

    /// What `replies` finds when the bytes come in two parts.
    fn in_two(bytes: &[u8], at: usize) -> (Vec<(u16, usize)>, Progress) {
        let mut reader = ReplyReader::default();
        let (mut found, mut begun) = (Vec::new(), 0);
        let mut last = Progress::Incomplete;
        for part in [&bytes[..at], &bytes[at..]] {
            let mut rest = part;
            loop {
                last = reader.read(rest);
                match last {
                    Progress::Complete { code, used } => {
                        found.push((code, begun + used));
                        begun = 0;
                        rest = &rest[used..];
                    }
                    Progress::Incomplete => break begun += rest.len(),
                    Progress::NotAReply => return (found, last),
                }
            }
        }
        (found, last)
    }

    #[test]
    fn a_split_at_any_byte_changes_nothing() {
        for (bytes, expected, then) in TABLE {
            for at in 0..=bytes.len() {
                assert_eq!(in_two(bytes.as_bytes(), at), (expected.to_vec(), *then), "{bytes:?} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_split_anywhere(bytes in "[0-9 \\-\r\n]{0,40}", at in 0usize..41) {
            let at = at.min(bytes.len());
            prop_assert_eq!(in_two(bytes.as_bytes(), at), replies(bytes.as_bytes()));
        }

        #[test]
        fn whatever_comes_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (found, _) = replies(&bytes);
            prop_assert!(found.iter().map(|(_, used)| used).sum::<usize>() <= bytes.len());
        }
    }
}
