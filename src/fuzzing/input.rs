//! Bytes of a fuzzer, taken apart.

/// What begins another part: ASCII's record separator, which no parser here means anything by.
const SEPARATOR: u8 = 0x1e;

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte; zero at the end.
    pub(crate) fn byte(&mut self) -> u8 {
        let [byte, rest @ ..] = self.0 else { return 0 };
        self.0 = rest;
        *byte
    }

    /// All up to the next separator.
    pub(crate) fn part(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == SEPARATOR).unwrap_or(self.0.len());
        let (part, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        part
    }

    /// The same as text, whatever it is.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.part()).into_owned()
    }

    /// A kind, a length, and so many bytes, as far as they are there.
    pub(crate) fn instruction(&mut self) -> Option<(u8, &'a [u8])> {
        /// What a record holds (RFC 5246 §6.2.1).
        const MOST: usize = 1 << 14;
        let [kind, high, low, rest @ ..] = self.0 else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()).min(MOST);
        let (content, rest) = rest.split_at(length);
        self.0 = rest;
        Some((*kind, content))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}
