//! Records out of a stream of bytes (RFC 5246 §6.2), however the stream was cut.

use super::bytes::put_vector;
use super::error::Error;
use super::version::Version;

/// The most that a record may hold once encrypted: 2^14 and 2,048 of padding and MAC (RFC 5246 §6.2.3).
pub(super) const MAX_BODY: usize = MAX_PLAIN + 2048;

/// The most that a record may hold in clear (RFC 5246 §6.2.1).
pub(super) const MAX_PLAIN: usize = 1 << 14;

/// Type, version and length.
const HEADER: usize = 5;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
}

impl Content {
    fn from_number(number: u8) -> Option<Self> {
        [Self::ChangeCipherSpec, Self::Alert, Self::Handshake, Self::ApplicationData]
            .into_iter()
            .find(|content| content.number() == number)
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
        }
    }
}

/// One record as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) content: Content,
    /// Whatever the header says: servers are not consistent in it before the version is settled.
    pub(super) version: u16,
    pub(super) body: Vec<u8>,
}

/// Takes bytes, gives records. It holds less than one record and what was pushed last.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    buffer: Vec<u8>,
    /// How much of it was given already: cutting it off record by record would cost the square of their number.
    given: usize,
}

impl Deframer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.given);
        self.given = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Error> {
        let rest = &self.buffer[self.given..];
        let Some([content, major, minor, high, low]) = rest.first_chunk::<HEADER>() else { return Ok(None) };
        let content = Content::from_number(*content).ok_or(Error::Malformed("record"))?;
        let version = u16::from_be_bytes([*major, *minor]);
        if *major != 3 {
            return Err(Error::Malformed("record"));
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > MAX_BODY {
            return Err(Error::TooLong { what: "a record", limit: MAX_BODY });
        }
        let Some(body) = rest.get(HEADER..HEADER + length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.given += HEADER + length;
        if self.given == self.buffer.len() {
            // A waiting peer costs no buffer.
            *self = Self::default();
        }
        Ok(Some(Record { content, version, body }))
    }

    /// How much is held.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// Appends one record.
pub(super) fn put_record(out: &mut Vec<u8>, content: Content, version: Version, body: &[u8]) {
    out.push(content.number());
    out.extend_from_slice(&version.number().to_be_bytes());
    put_vector(out, 2, body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_any_cut() {
        let mut stream = Vec::new();
        put_record(&mut stream, Content::Handshake, Version::Tls10, b"hello");
        put_record(&mut stream, Content::Alert, Version::Ssl3, b"");
        put_record(&mut stream, Content::ApplicationData, Version::Tls12, &[7; 300]);
        for cut in 0..=stream.len() {
            let mut deframer = Deframer::default();
            let mut records = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                deframer.push(part);
                while let Some(record) = deframer.next().unwrap() {
                    records.push((record.content, record.version, record.body.len()));
                }
            }
            let expected =
                [(Content::Handshake, 0x0301, 5), (Content::Alert, 0x0300, 0), (Content::ApplicationData, 0x0303, 300)];
            assert_eq!(records, expected, "cut at {cut}");
            assert_eq!(deframer.held(), 0);
        }
    }

    #[test]
    fn what_is_no_record_is_told_by_its_header() {
        let too_long = Error::TooLong { what: "a record", limit: MAX_BODY };
        let table: [(&[u8], Option<Error>); 6] = [
            (&[22, 3, 1, 0x48], None),
            (&[22, 3, 1, 0x48, 0x00], None),
            (&[22, 3, 1, 0x48, 0x01], Some(too_long)),
            (&[24, 3, 1, 0, 0], Some(Error::Malformed("record"))),
            (&[22, 2, 1, 0, 0], Some(Error::Malformed("record"))),
            (b"220 hello", Some(Error::Malformed("record"))),
        ];
        for (bytes, refused) in table {
            let mut deframer = Deframer::default();
            deframer.push(bytes);
            assert_eq!(deframer.next(), refused.map_or(Ok(None), Err), "{bytes:?}");
        }
    }
}
