//! The server's half of a key exchange, as its `ServerKeyExchange` says it in clear. The signature under it is not read.

use num_bigint::BigUint;

use super::bytes::Reader;
use super::suite::Said;

/// What the server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Share {
    /// A temporary RSA key (RFC 2246 §7.4.3).
    ExportRsa { modulus: BigUint },
    /// A group and a public value in it (RFC 5246 §7.4.3).
    Dh { prime: BigUint, generator: BigUint, public: BigUint },
    /// A point on a named curve (RFC 8422 §5.4).
    Curve { curve: u16, point: Vec<u8> },
    /// A point on a curve that is spelt out.
    UnnamedCurve,
    /// Nothing that we know how to read.
    Unknown,
}

/// IANA's "TLS Supported Groups" from 1 on, in rustls's capitals.
const CURVES: [&str; 30] = [
    "sect163k1",
    "sect163r1",
    "sect163r2",
    "sect193r1",
    "sect193r2",
    "sect233k1",
    "sect233r1",
    "sect239k1",
    "sect283k1",
    "sect283r1",
    "sect409k1",
    "sect409r1",
    "sect571k1",
    "sect571r1",
    "secp160k1",
    "secp160r1",
    "secp160r2",
    "secp192k1",
    "secp192r1",
    "secp224k1",
    "secp224r1",
    "secp256k1",
    "secp256r1",
    "secp384r1",
    "secp521r1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "X25519",
    "X448",
];

/// RFC 8422 §5.4: `explicit_prime`, `explicit_char2`, `named_curve`.
const EXPLICIT: [u8; 2] = [1, 2];
const NAMED: u8 = 3;

impl Share {
    pub(super) fn read(said: Said, body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let number = |reader: &mut Reader<'_>| reader.vector16().map(BigUint::from_bytes_be);
        match said {
            Said::ExportRsa => Some(Self::ExportRsa { modulus: number(&mut reader)? }),
            Said::Dh => Some(Self::Dh {
                prime: number(&mut reader)?,
                generator: number(&mut reader)?,
                public: number(&mut reader)?,
            }),
            Said::Curve => match reader.u8()? {
                NAMED => Some(Self::Curve { curve: reader.u16()?, point: reader.vector8()?.to_vec() }),
                kind if EXPLICIT.contains(&kind) => Some(Self::UnnamedCurve),
                _ => None,
            },
            Said::Unknown => Some(Self::Unknown),
        }
    }

    /// The group, as rows write it.
    pub(super) fn group(&self) -> Option<String> {
        match self {
            Self::ExportRsa { modulus } => Some(format!("RSA {}", modulus.bits())),
            Self::Dh { prime, .. } => Some(format!("DH {}", prime.bits())),
            Self::Curve { curve, .. } => Some(curve_name(*curve)),
            Self::UnnamedCurve => Some("unnamed curve".to_owned()),
            Self::Unknown => None,
        }
    }
}

/// The name that IANA gives a curve, or its number.
pub(super) fn curve_name(curve: u16) -> String {
    let name = usize::from(curve).checked_sub(1).and_then(|index| CURVES.get(index));
    name.map_or_else(|| format!("0x{curve:04X}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named() {
        let mut dh = vec![0, 128];
        dh.extend([0xff; 128]);
        dh.extend([0, 1, 2, 0, 1, 4]);
        let mut padded = vec![0, 3, 0, 0x7f, 0xff];
        padded.extend([0, 1, 2, 0, 1, 4]);
        let mut export = vec![0, 64];
        export.extend([0xff; 64]);
        export.extend([0, 1, 3]);
        let table: [(Said, &[u8], Option<&str>); 12] = [
            (Said::Dh, &dh, Some("DH 1024")),
            (Said::Dh, &padded, Some("DH 15")),
            (Said::Dh, &[0, 0, 0, 0, 0, 0], Some("DH 0")),
            (Said::ExportRsa, &export, Some("RSA 512")),
            (Said::Curve, &[3, 0, 23, 1, 4], Some("secp256r1")),
            (Said::Curve, &[3, 0, 24, 1, 4], Some("secp384r1")),
            (Said::Curve, &[3, 0, 29, 0], Some("X25519")),
            (Said::Curve, &[3, 0, 0, 0], Some("0x0000")),
            (Said::Curve, &[3, 1, 0, 0], Some("0x0100")),
            (Said::Curve, &[1, 0], Some("unnamed curve")),
            (Said::Curve, &[9, 0], None),
            (Said::Unknown, &[], None),
        ];
        for (said, body, group) in table {
            assert_eq!(Share::read(said, body).and_then(|share| share.group()).as_deref(), group, "{said:?} {body:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_no_share() {
        for (said, body) in [(Said::Dh, vec![0, 1, 23, 0, 1, 2, 0, 1, 4]), (Said::Curve, vec![3, 0, 23, 2, 4, 1])] {
            assert!(Share::read(said, &body).is_some());
            for cut in 0..body.len() {
                assert_eq!(Share::read(said, &body[..cut]), None, "{said:?} cut at {cut}");
            }
        }
    }
}
