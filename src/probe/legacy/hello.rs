//! The four hellos that old servers are asked with.

use std::net::IpAddr;

use rustls::CipherSuite;

use super::bytes::put_vector;
use super::message::{self, put_message};
use super::suite::{NAMED, SPOKEN, UNPROTECTED, is_new, is_open, is_weak};
use super::version::Version;

/// What to ask a server with; a connection bears one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hello {
    /// Up to TLS 1.2, every suite that authenticates and encrypts however badly: for a server that refuses rustls.
    Everything,
    /// The same up to TLS 1.1, the weakest suites first and those without authentication or encryption among them: for a
    /// server that negotiates better with us, to learn the worst that it still takes. One that follows its own order shows
    /// the best of it.
    Old,
    /// Up to TLS 1.2, only suites without authentication or encryption. Last resort: offered beside others, a server was
    /// seen to choose them and to show no certificate.
    Anonymous,
    /// TLS 1.0 without extensions: last resort but one, for servers that choke on anything they do not know.
    Bare,
}

/// Hellos of 256 to 511 bytes make some load balancers hang; longer ones do not (RFC 7685 §1).
const HANGS: std::ops::Range<usize> = 256..512;

/// The curves that we can speak, then P-521, Brainpool's and secp256k1, which are only named: a server that insists on one of
/// them, or whose key is on one (RFC 8422 §5.1), would refuse us otherwise.
const GROUPS: [u16; 8] = [29, 23, 24, 25, 26, 27, 28, 22];

/// RSA, ECDSA and DSA with SHA-512, 384, 256, 224 and SHA-1, then RSA with MD5 (RFC 5246 §7.4.1.4.1).
const SIGNATURES: [u16; 16] = [
    0x0601, 0x0603, 0x0602, 0x0501, 0x0503, 0x0502, 0x0401, 0x0403, 0x0402, 0x0301, 0x0303, 0x0302, 0x0201, 0x0203,
    0x0202, 0x0101,
];

impl Hello {
    /// The highest version offered.
    pub(super) fn version(self) -> Version {
        match self {
            Self::Everything | Self::Anonymous => Version::Tls12,
            Self::Old => Version::Tls11,
            Self::Bare => Version::Tls10,
        }
    }

    /// The version of the record that bears the hello: TLS 1.0 is what everybody sends (RFC 5246 §E.1), and what refuses
    /// that may take SSL 3.0.
    pub(super) fn record_version(self) -> Version {
        match self {
            Self::Everything | Self::Old | Self::Anonymous => Version::Tls10,
            Self::Bare => Version::Ssl3,
        }
    }

    /// The suites offered, most wanted first.
    pub(super) fn suites(self) -> Vec<CipherSuite> {
        let all: Vec<CipherSuite> = match self {
            Self::Everything | Self::Bare => SPOKEN.iter().chain(NAMED).copied().collect(),
            Self::Old => {
                // What anybody can read, what is broken, what proves nothing, and then the rest.
                let (open, unproved): (Vec<_>, Vec<_>) = UNPROTECTED.iter().partition(|suite| is_open(**suite));
                let (weak, rest): (Vec<_>, Vec<_>) = NAMED.iter().chain(SPOKEN).partition(|suite| is_weak(**suite));
                open.into_iter().chain(weak).chain(unproved).chain(rest).collect()
            }
            Self::Anonymous => UNPROTECTED.to_vec(),
        };
        all.into_iter().filter(|suite| self.version() == Version::Tls12 || !is_new(*suite)).collect()
    }

    /// The handshake message.
    pub(super) fn message(self, random: &[u8; 32], server_name: Option<&str>) -> Vec<u8> {
        let mut body = self.version().number().to_be_bytes().to_vec();
        body.extend_from_slice(random);
        // No session to resume.
        put_vector(&mut body, 1, &[]);
        let mut suites: Vec<u8> = self.suites().into_iter().flat_map(|suite| u16::from(suite).to_be_bytes()).collect();
        // Some servers demand a word on renegotiation; this one needs no extension (RFC 5746 §3.3).
        suites.extend(u16::from(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV).to_be_bytes());
        put_vector(&mut body, 2, &suites);
        // No compression.
        put_vector(&mut body, 1, &[0]);
        if self != Self::Bare {
            let extensions = self.extensions(server_name, body.len());
            put_vector(&mut body, 2, &extensions);
        }
        let mut message = Vec::new();
        put_message(&mut message, message::CLIENT_HELLO, &body);
        message
    }

    /// The extensions, for a hello of so many bytes before them.
    fn extensions(self, server_name: Option<&str>, before: usize) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(name) = server_name.and_then(sayable) {
            let mut entry = vec![0];
            put_vector(&mut entry, 2, name.as_bytes());
            put_extension(&mut out, 0, &in_vector(2, &entry));
        }
        put_extension(&mut out, 10, &in_vector(2, &numbers(&GROUPS)));
        // Points are not compressed.
        put_extension(&mut out, 11, &in_vector(1, &[0]));
        if self.version() == Version::Tls12 {
            put_extension(&mut out, 13, &in_vector(2, &numbers(&SIGNATURES)));
        }
        // Before these come the message's header and their own length.
        let length = 4 + before + 2 + out.len();
        if HANGS.contains(&length) {
            let padding = HANGS.end.saturating_sub(length + 4);
            put_extension(&mut out, 21, &vec![0; padding]);
        }
        out
    }
}

/// A name as it may be said: no address, no final dot (RFC 6066 §3).
fn sayable(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = !name.is_empty() && name.len() <= 255 && name.is_ascii() && name.parse::<IpAddr>().is_err();
    is_name.then_some(name)
}

fn put_extension(out: &mut Vec<u8>, number: u16, body: &[u8]) {
    out.extend_from_slice(&number.to_be_bytes());
    put_vector(out, 2, body);
}

fn in_vector(length_bytes: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_vector(&mut out, length_bytes, body);
    out
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::legacy::bytes::Reader;

    const ALL: [Hello; 4] = [Hello::Everything, Hello::Old, Hello::Anonymous, Hello::Bare];

    /// Version, suites and extensions.
    type Said = (u16, Vec<u8>, Vec<(u16, Vec<u8>)>);

    fn read(message: &[u8]) -> Option<Said> {
        let mut reader = Reader::new(message);
        assert_eq!(reader.u8()?, message::CLIENT_HELLO);
        let mut reader = Reader::new(reader.vector24()?);
        let version = reader.u16()?;
        reader.take(32)?;
        assert_eq!(reader.vector8()?, b"");
        let suites = reader.vector16()?.to_vec();
        assert_eq!(reader.vector8()?, [0]);
        let mut extensions = Vec::new();
        if !reader.is_empty() {
            let mut list = Reader::new(reader.vector16()?);
            while !list.is_empty() {
                extensions.push((list.u16()?, list.vector16()?.to_vec()));
            }
        }
        assert!(reader.is_empty());
        Some((version, suites, extensions))
    }

    #[test]
    fn a_hello_says_what_it_is_for() {
        let table: [(Hello, u16, &[u16]); 4] = [
            (Hello::Everything, 0x0303, &[0, 10, 11, 13, 21]),
            (Hello::Old, 0x0302, &[0, 10, 11]),
            (Hello::Anonymous, 0x0303, &[0, 10, 11, 13]),
            (Hello::Bare, 0x0301, &[]),
        ];
        for (hello, version, extensions) in table {
            let message = hello.message(&[7; 32], Some("mail.example"));
            let (said, suites, found) = read(&message).unwrap();
            assert_eq!(said, version, "{hello:?}");
            assert_eq!(suites[suites.len() - 2..], [0, 0xff], "{hello:?}");
            assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), extensions, "{hello:?}");
        }
    }

    #[test]
    fn no_hello_is_of_a_length_that_hangs() {
        let long = "a".repeat(255);
        for hello in ALL {
            for name in [None, Some("a.example"), Some("a-longer-name.of-some-host.example"), Some(&*long)] {
                let length = hello.message(&[7; 32], name).len();
                assert!(!HANGS.contains(&length), "{hello:?} for {name:?}: {length}");
            }
        }
    }

    #[test]
    fn only_names_are_said() {
        let table = [
            (Some("mail.example"), Some("mail.example")),
            (Some("mail.example."), Some("mail.example")),
            (Some("192.0.2.1"), None),
            (Some("2001:db8::1"), None),
            (Some("."), None),
            (None, None),
        ];
        for (name, said) in table {
            let (_, _, extensions) = read(&Hello::Everything.message(&[7; 32], name)).unwrap();
            let found = extensions.iter().find(|(number, _)| *number == 0).map(|(_, body)| &body[5..]);
            assert_eq!(found, said.map(str::as_bytes), "{name:?}");
        }
    }

    #[test]
    fn windows_server_2003_sees_what_it_knows() {
        for hello in [Hello::Everything, Hello::Old, Hello::Bare] {
            let seen = &hello.suites()[..64.min(hello.suites().len())];
            for suite in NAMED[..10].iter().chain([&CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA]) {
                assert!(seen.contains(suite), "{hello:?} {suite:?}");
            }
        }
    }

    #[test]
    fn what_is_new_is_offered_with_tls_1_2_only() {
        for hello in [Hello::Old, Hello::Bare] {
            assert!(!hello.suites().iter().any(|suite| is_new(*suite)), "{hello:?}");
        }
        assert!(Hello::Everything.suites().contains(&CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256));
    }
}
