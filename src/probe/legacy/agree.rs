//! Our half of a key exchange. Where it cannot be done the reason is told in words: the server has said all that it says
//! in clear by then, and that stands.

use num_bigint::BigUint;
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::bytes::put_vector;
use super::error::Error;
use super::share::{Share, curve_name};
use super::suite::Exchange;
use super::version::Version;

/// The longest prime that is reckoned with, in bits.
const MAX_PRIME: u64 = 4096;

/// The longest RSA modulus, in bits. Encryption costs less than DH: its exponent is short.
const MAX_MODULUS: u64 = 16_384;

/// The longest RSA exponent, in bits; 17 are usual.
const MAX_EXPONENT: u64 = 64;

/// Our exponent, in bytes: twice the strength that the largest prime has.
const EXPONENT: usize = 32;

/// What both sides come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    /// The body of our `ClientKeyExchange`.
    pub(super) said: Vec<u8>,
    pub(super) premaster: Vec<u8>,
}

/// Why there can be no session.
pub(super) type Obstacle = std::borrow::Cow<'static, str>;

/// Agrees on a secret. `offered` is the version of our hello, which RSA encrypts along (RFC 5246 §7.4.7.1).
pub(super) fn agree(
    exchange: Exchange,
    share: Option<&Share>,
    chain: &[CertificateDer<'_>],
    offered: Version,
) -> Result<Agreed, Obstacle> {
    match (exchange, share) {
        (Exchange::Rsa, _) => {
            let own = chain.first().ok_or("no session without a certificate")?;
            let (modulus, exponent) = rsa_key(own).ok_or("no session with a certificate without an RSA key")?;
            rsa(&modulus, &exponent, offered)
        }
        (Exchange::Dhe, Some(Share::Dh { prime, generator, public })) => dh(prime, generator, public),
        (Exchange::Ecdhe, Some(Share::Curve { curve, point })) => ecdh(*curve, point),
        (Exchange::Ecdhe, Some(Share::UnnamedCurve)) => Err("no session on an unnamed curve".into()),
        (
            Exchange::Dhe | Exchange::Ecdhe,
            None
            | Some(
                Share::ExportRsa { .. } | Share::Dh { .. } | Share::Curve { .. } | Share::UnnamedCurve | Share::Unknown,
            ),
        ) => Err("no session without the server's half of the key exchange".into()),
    }
}

fn rsa_key(certificate: &CertificateDer<'_>) -> Option<(BigUint, BigUint)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some((BigUint::from_bytes_be(key.modulus), BigUint::from_bytes_be(key.exponent))),
        _ => None,
    }
}

/// RFC 8017 §7.2.1, with the version and 46 random bytes for a message.
fn rsa(modulus: &BigUint, exponent: &BigUint, offered: Version) -> Result<Agreed, Obstacle> {
    if modulus.bits() > MAX_MODULUS || exponent.bits() > MAX_EXPONENT {
        return Err(format!("no session with an RSA key of {} bits", modulus.bits()).into());
    }
    let length = modulus.to_bytes_be().len();
    let mut premaster = random::<48>()?.to_vec();
    premaster[..2].copy_from_slice(&offered.number().to_be_bytes());
    // Two bytes before the padding and one after it, which is at least eight bytes long.
    let padding = length.checked_sub(3 + premaster.len()).filter(|padding| *padding >= 8);
    let (Some(padding), true) = (padding, modulus.bit(0)) else {
        return Err(format!("no session with an RSA key of {} bits", modulus.bits()).into());
    };
    let mut block = vec![0, 2];
    while block.len() < 2 + padding {
        block.extend(random::<32>()?.into_iter().filter(|byte| *byte != 0).take(2 + padding - block.len()));
    }
    block.push(0);
    block.extend_from_slice(&premaster);
    let encrypted = BigUint::from_bytes_be(&block).modpow(exponent, modulus);
    let mut said = Vec::new();
    put_vector(&mut said, 2, &padded(&encrypted, length));
    Ok(Agreed { said, premaster })
}

fn dh(prime: &BigUint, generator: &BigUint, public: &BigUint) -> Result<Agreed, Obstacle> {
    if prime.bits() > MAX_PRIME {
        return Err(format!("no session with a prime of {} bits", prime.bits()).into());
    }
    let zero = BigUint::ZERO;
    // An even one is none, and costs far more; of its primality nothing depends.
    if !prime.bit(0) || prime.bits() < 2 || public % prime == zero {
        return Err("no session with a group that is none".into());
    }
    let exponent = BigUint::from_bytes_be(&random::<EXPONENT>()?);
    let mut said = Vec::new();
    put_vector(&mut said, 2, &generator.modpow(&exponent, prime).to_bytes_be());
    // Zeros in front are stripped (RFC 5246 §8.1.2).
    Ok(Agreed { said, premaster: public.modpow(&exponent, prime).to_bytes_be() })
}

fn ecdh(curve: u16, point: &[u8]) -> Result<Agreed, Obstacle> {
    let algorithm = match curve {
        23 => &ECDH_P256,
        24 => &ECDH_P384,
        29 => &X25519,
        _ => return Err(format!("no session on {}", curve_name(curve)).into()),
    };
    let no_randomness = |_| Obstacle::from(Error::NoRandomness.to_string());
    let own = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).map_err(no_randomness)?;
    let mut said = Vec::new();
    put_vector(&mut said, 1, own.compute_public_key().map_err(no_randomness)?.as_ref());
    agreement::agree_ephemeral(own, &UnparsedPublicKey::new(algorithm, point), <[u8]>::to_vec)
        .map(|premaster| Agreed { said, premaster })
        .map_err(|_| format!("no session with a point that is not on {}", curve_name(curve)).into())
}

fn random<const N: usize>() -> Result<[u8; N], Obstacle> {
    super::random().map_err(|error| error.to_string().into())
}

/// A number in so many bytes.
fn padded(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; length.saturating_sub(bytes.len())], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> BigUint {
        BigUint::from(number)
    }

    #[test]
    fn no_group_makes_it_panic() {
        let huge = (BigUint::from(1_u8) << 4096_u32) + 1_u8;
        let table = [
            (number(0), number(2), number(4), "no session with a group that is none"),
            (number(1), number(2), number(4), "no session with a group that is none"),
            (number(2), number(2), number(3), "no session with a group that is none"),
            (number(23), number(2), number(0), "no session with a group that is none"),
            (number(23), number(2), number(46), "no session with a group that is none"),
            (huge, number(2), number(4), "no session with a prime of 4097 bits"),
        ];
        for (prime, generator, public, reason) in table {
            assert_eq!(dh(&prime, &generator, &public), Err(reason.into()), "{prime}");
        }
        assert!(dh(&number(23), &number(0), &number(4)).is_ok(), "a generator may be senseless");
        assert_eq!(dh(&number(23), &number(5), &number(22 * 23 + 1)).unwrap().premaster.len(), 1);
    }

    #[test]
    fn both_sides_of_a_group_agree() {
        // RFC 2409 §6.1, the first Oakley group.
        let prime = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
                     ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a3620ffffffffffffffff";
        let prime = BigUint::parse_bytes(prime.as_bytes(), 16).unwrap();
        let theirs = number(123_457);
        let agreed = dh(&prime, &number(2), &number(2).modpow(&theirs, &prime)).unwrap();
        let ours = BigUint::from_bytes_be(&agreed.said[2..]);
        assert_eq!(agreed.premaster, ours.modpow(&theirs, &prime).to_bytes_be());
    }

    #[test]
    fn no_key_makes_it_panic() {
        let long = (BigUint::from(1_u8) << 16_384_u32) + 1_u8;
        let even = BigUint::from(1_u8) << 1023_u32;
        for modulus in [number(0), number(1), number(77), long, even] {
            let words = format!("no session with an RSA key of {} bits", modulus.bits());
            assert_eq!(rsa(&modulus, &number(3), Version::Tls10), Err(words.into()));
        }
        let modulus = (BigUint::from(1_u8) << 1023_u32) + 1_u8;
        for exponent in [number(0), number(1), number(65_537)] {
            let agreed = rsa(&modulus, &exponent, Version::Tls11).unwrap();
            assert_eq!((agreed.said.len(), &agreed.premaster[..2]), (130, [3, 2].as_slice()));
        }
        assert!(rsa(&modulus, &(BigUint::from(1_u8) << 64_u32), Version::Tls11).is_err());
    }

    #[test]
    fn what_is_encrypted_is_padded() {
        let modulus = (BigUint::from(1_u8) << 1023_u32) + 1_u8;
        // With this exponent nothing is encrypted.
        let agreed = rsa(&modulus, &number(1), Version::Tls12).unwrap();
        let block = &agreed.said[2..];
        assert_eq!(block[..2], [0, 2]);
        assert!(!block[2..79].contains(&0));
        assert_eq!(block[79], 0);
        assert_eq!(block[80..], agreed.premaster);
    }

    #[test]
    fn no_point_makes_it_panic() {
        let table: [(u16, &[u8], &str); 5] = [
            (23, &[4; 65], "no session with a point that is not on secp256r1"),
            (24, &[], "no session with a point that is not on secp384r1"),
            (29, &[0; 32], "no session with a point that is not on X25519"),
            (25, &[4; 133], "no session on secp521r1"),
            (999, &[], "no session on 0x03E7"),
        ];
        for (curve, point, reason) in table {
            assert_eq!(ecdh(curve, point), Err(reason.into()));
        }
    }

    #[test]
    fn a_session_needs_what_its_exchange_says() {
        let point = Share::Curve { curve: 29, point: vec![9; 32] };
        let chain = [CertificateDer::from(vec![0x30, 0])];
        let table: [(Exchange, Option<&Share>, &[_], &str); 5] = [
            (Exchange::Rsa, None, &[], "no session without a certificate"),
            (Exchange::Rsa, Some(&point), &chain, "no session with a certificate without an RSA key"),
            (Exchange::Dhe, None, &chain, "no session without the server's half of the key exchange"),
            (Exchange::Dhe, Some(&point), &chain, "no session without the server's half of the key exchange"),
            (Exchange::Ecdhe, Some(&Share::UnnamedCurve), &chain, "no session on an unnamed curve"),
        ];
        for (exchange, share, chain, reason) in table {
            assert_eq!(agree(exchange, share, chain, Version::Tls10), Err(reason.into()), "{exchange:?}");
        }
    }
}
