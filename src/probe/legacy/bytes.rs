//! Integers and length-prefixed vectors as TLS writes them (RFC 5246 §4). Reading never goes beyond what is there.

/// What is left to read of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*first))
    }

    /// A vector with a length of one byte.
    pub(super) fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A vector with a length of two bytes.
    pub(super) fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A vector with a length of three bytes.
    pub(super) fn vector24(&mut self) -> Option<&'a [u8]> {
        let length = u24(self.take(3)?)?;
        self.take(length)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An integer of three bytes.
pub(super) fn u24(bytes: &[u8]) -> Option<usize> {
    let [high, middle, low] = *bytes.first_chunk()?;
    Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
}

/// Appends a vector with a length of so many bytes. What we say ourselves is never too long for it.
pub(super) fn put_vector(out: &mut Vec<u8>, length_bytes: usize, body: &[u8]) {
    let length = body.len().to_be_bytes();
    out.extend_from_slice(&length[length.len() - length_bytes..]);
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_read_as_written() {
        let body = vec![7; 300];
        for length_bytes in [2, 3] {
            let mut written = Vec::new();
            put_vector(&mut written, length_bytes, &body);
            let mut reader = Reader::new(&written);
            let read = if length_bytes == 2 { reader.vector16() } else { reader.vector24() };
            assert_eq!(read, Some(body.as_slice()));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let table: [&[u8]; 5] = [b"", b"\x01", b"\x00\x02\x00", b"\x00\x00\x05", b"\xff\xff\xff\x00"];
        for bytes in table {
            assert_eq!(Reader::new(bytes).vector24(), None, "{bytes:?}");
        }
        assert_eq!(Reader::new(b"\x02\x01").vector8(), None);
        assert_eq!(Reader::new(b"\x00\x02\x01").vector16(), None);
    }
}
