//! Handshake messages out of records (RFC 5246 §7.4), however they were cut, and what servers say in them.

use rustls::CipherSuite;
use rustls::pki_types::CertificateDer;

use super::bytes::{Reader, put_vector, u24};
use super::error::Error;

/// The longest message that is taken, but for certificates.
const MAX_MESSAGE: usize = 64 * 1024;

/// The longest chain that is taken.
const MAX_CHAIN: usize = 256 * 1024;

/// Type and length.
const HEADER: usize = 4;

pub(super) const HELLO_REQUEST: u8 = 0;
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const NEW_SESSION_TICKET: u8 = 4;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const SERVER_HELLO_DONE: u8 = 14;
pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(super) const FINISHED: u8 = 20;
pub(super) const CERTIFICATE_STATUS: u8 = 22;

/// One message, with its header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn kind(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.0.get(HEADER..).unwrap_or_default()
    }

    /// As it goes into the transcript.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends one message.
pub(super) fn put_message(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    put_vector(out, 3, body);
}

/// Takes what handshake records carry, gives messages.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    buffer: Vec<u8>,
    /// How much of it was given already: cutting it off message by message would cost the square of their number.
    given: usize,
}

impl Joiner {
    pub(super) fn push(&mut self, fragment: &[u8]) {
        self.buffer.drain(..self.given);
        self.given = 0;
        self.buffer.extend_from_slice(fragment);
    }

    /// The next message that is whole. One that will be too long is refused by its header.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Error> {
        let rest = &self.buffer[self.given..];
        let (Some(kind), Some(length)) = (rest.first(), rest.get(1..HEADER).and_then(u24)) else { return Ok(None) };
        let (what, limit) =
            if *kind == CERTIFICATE { ("a chain", MAX_CHAIN) } else { ("a handshake message", MAX_MESSAGE) };
        if length > limit {
            return Err(Error::TooLong { what, limit });
        }
        let message = rest.get(..HEADER + length).map(|message| Message(message.to_vec()));
        self.given += message.as_ref().map_or(0, |message| message.0.len());
        Ok(message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.len() == self.given
    }

    /// How much is held.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// Takes what alert records carry, gives alerts: level and description (RFC 5246 §7.2).
#[derive(Debug, Default)]
pub(super) struct Alerts {
    half: Vec<u8>,
}

impl Alerts {
    pub(super) fn push(&mut self, fragment: &[u8]) -> Vec<[u8; 2]> {
        let bytes = [&self.half, fragment].concat();
        let (alerts, half) = bytes.as_chunks();
        self.half = half.to_vec();
        alerts.to_vec()
    }
}

/// What the server chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) version: u16,
    pub(super) random: [u8; 32],
    pub(super) suite: CipherSuite,
    pub(super) compression: u8,
}

impl ServerHello {
    /// Extensions are not looked at: none of those that we send changes what follows.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        let random = reader.take(32)?.try_into().ok()?;
        reader.vector8()?;
        let suite = CipherSuite::from(reader.u16()?);
        Some(Self { version, random, suite, compression: reader.u8()? })
    }
}

/// The certificates of a chain as far as they are whole, and whether all are.
pub(super) fn read_chain(body: &[u8]) -> (Vec<CertificateDer<'static>>, bool) {
    let mut chain = Vec::new();
    // A list that claims more than there is holds what it holds.
    let list = body.get(3..).unwrap_or_default();
    let mut reader = Reader::new(list);
    while !reader.is_empty() {
        let Some(certificate) = reader.vector24() else { return (chain, false) };
        chain.push(CertificateDer::from(certificate.to_vec()));
    }
    (chain, u24(body) == Some(list.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_any_cut() {
        let mut stream = Vec::new();
        put_message(&mut stream, SERVER_HELLO, b"hello");
        put_message(&mut stream, CERTIFICATE, &[7; 300]);
        put_message(&mut stream, SERVER_HELLO_DONE, b"");
        for cut in 0..=stream.len() {
            let mut joiner = Joiner::default();
            let mut messages = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                joiner.push(part);
                while let Some(message) = joiner.next().unwrap() {
                    messages.push((message.kind(), message.body().len()));
                }
            }
            assert_eq!(messages, [(SERVER_HELLO, 5), (CERTIFICATE, 300), (SERVER_HELLO_DONE, 0)], "cut at {cut}");
            assert!(joiner.is_empty());
        }
    }

    #[test]
    fn alerts_may_be_cut_and_joined() {
        let mut alerts = Alerts::default();
        let table: [(&[u8], &[[u8; 2]]); 4] =
            [(&[], &[]), (&[1], &[]), (&[90, 1, 0, 2], &[[1, 90], [1, 0]]), (&[40], &[[2, 40]])];
        for (fragment, expected) in table {
            assert_eq!(alerts.push(fragment), expected);
        }
    }

    #[test]
    fn too_long_a_message_is_refused_by_its_header() {
        let table = [
            ([SERVER_HELLO, 1, 0, 0], None),
            ([SERVER_HELLO, 1, 0, 1], Some(MAX_MESSAGE)),
            ([CERTIFICATE, 4, 0, 0], None),
            ([CERTIFICATE, 4, 0, 1], Some(MAX_CHAIN)),
        ];
        for (header, refused) in table {
            let mut joiner = Joiner::default();
            joiner.push(&header);
            let limit = match joiner.next() {
                Ok(message) => {
                    assert_eq!(message, None);
                    None
                }
                Err(Error::TooLong { limit, .. }) => Some(limit),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(limit, refused, "{header:?}");
        }
    }

    #[test]
    fn a_hello_may_end_with_its_compression_or_with_extensions() {
        let mut body = vec![3, 1];
        body.extend([9; 32]);
        body.extend([4, 1, 2, 3, 4, 0, 0x2f, 0]);
        let hello = ServerHello {
            version: 0x0301,
            random: [9; 32],
            suite: CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
            compression: 0,
        };
        assert_eq!(ServerHello::read(&body), Some(hello.clone()));
        for cut in 0..body.len() {
            assert_eq!(ServerHello::read(&body[..cut]), None, "cut at {cut}");
        }
        body.extend([0, 5, 0xff, 1, 0, 1, 0]);
        assert_eq!(ServerHello::read(&body), Some(hello));
    }

    #[test]
    fn of_a_broken_chain_what_is_whole_is_kept() {
        let table: [(&[u8], usize, bool); 7] = [
            (&[], 0, false),
            (&[0, 0, 0], 0, true),
            (&[0, 0, 5, 0, 0, 2, 1, 2], 1, true),
            (&[0, 0, 10, 0, 0, 2, 1, 2, 0, 0, 2, 3, 4], 2, true),
            (&[0, 0, 10, 0, 0, 2, 1, 2, 0, 0, 9, 3, 4], 1, false),
            (&[0, 0, 6, 0, 0, 2, 1, 2], 1, false),
            (&[0, 0, 8, 0, 0, 2, 1, 2, 0, 0, 0], 2, true),
        ];
        for (body, count, whole) in table {
            let (chain, complete) = read_chain(body);
            assert_eq!((chain.len(), complete), (count, whole), "{body:?}");
        }
    }
}
