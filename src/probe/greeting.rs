//! When a greeting is complete: pure, over bytes as they come.
//!
//! A greeting is the first complete reply. A preliminary one (`120 ready in 5 minutes`, RFC 959 §5.4) belongs to the
//! greeting and is waited beyond; where nothing follows it stands alone.

use super::reply::{Progress, ReplyReader};

/// How far a greeting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// More is to come.
    Waiting,
    /// It is complete, and so long.
    Complete { code: u16, len: usize },
    /// It is neither FTP nor SMTP.
    Foreign,
}

/// Reads a greeting.
#[derive(Debug, Default)]
pub(super) struct GreetingReader {
    reader: ReplyReader,
    /// Bytes of complete replies and of the one begun.
    len: usize,
    preliminary: Option<(u16, usize)>,
}

impl GreetingReader {
    /// Takes what came; not to be called again after a state other than [`State::Waiting`].
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> State {
        loop {
            match self.reader.read(bytes) {
                Progress::Incomplete => {
                    self.len += bytes.len();
                    return State::Waiting;
                }
                Progress::Complete { code, used } => {
                    self.len += used;
                    if code / 100 != 1 {
                        return State::Complete { code, len: self.len };
                    }
                    self.preliminary = Some((code, self.len));
                    bytes = &bytes[used..];
                }
                Progress::NotAReply => {
                    return self.preliminary.map_or(State::Foreign, |(code, len)| State::Complete { code, len });
                }
            }
        }
    }

    /// The code and length of a preliminary reply that nothing complete has followed.
    pub(super) fn preliminary(&self) -> Option<(u16, usize)> {
        self.preliminary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        let complete = |code, len| State::Complete { code, len };
        let table = [
            ("220 ready\r\n", complete(220, 11)),
            ("220 ready\r\n500 what?\r\n", complete(220, 11)),
            ("120 soon\r\n", State::Waiting),
            ("120 soon\r\n220 ready\r\n", complete(220, 21)),
            ("120-soon\r\n120 \r\n421 no\r\n", complete(421, 24)),
            ("120 soon\r\nSSH-2.0\r\n", complete(120, 10)),
            ("SSH-2.0\r\n", State::Foreign),
            ("220-teaser\r\n", State::Waiting),
        ];
        for (bytes, expected) in table {
            assert_eq!(GreetingReader::default().read(bytes.as_bytes()), expected, "{bytes:?}");
            let mut byte_by_byte = GreetingReader::default();
            let state = bytes.bytes().map(|byte| byte_by_byte.read(&[byte])).find(|state| *state != State::Waiting);
            assert_eq!(state.unwrap_or(State::Waiting), expected, "{bytes:?} byte by byte");
        }
    }

    #[test]
    fn a_preliminary_reply_is_remembered() {
        let mut reader = GreetingReader::default();
        assert_eq!(reader.preliminary(), None);
        reader.read(b"120 soon\r\n220-");
        assert_eq!(reader.preliminary(), Some((120, 10)));
    }
}
