//! The facts of one certificate, each read for itself: a broken field does not lose the others.
//!
//! x509-parser takes the certificate apart; names, key sizes and dates are formatted here, and the alternative names are
//! walked here, because x509-parser gives up all of them for one that is broken.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use x509_parser::asn1_rs::{Any, Class};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::*;
use x509_parser::public_key::PublicKey;

use crate::observation::{Certificate, Key, KeyKind};

/// The RSA keys whose signatures ring checks. Those of others it calls bad unseen, as if the key itself were malformed.
const CHECKABLE_RSA_BITS: RangeInclusive<u32> = 2048..=8192;

/// How many names of one certificate are kept; some carry thousands.
const MAX_NAMES: usize = 500;

/// What can be read of a certificate; all of it but the hash may be missing.
pub(super) fn read(der: &[u8], sha256: [u8; 32]) -> Certificate {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Certificate { sha256, ..Certificate::default() };
    };
    let (mut names, mut names_left_out) = (Vec::new(), 0);
    for name in alternative_names(&certificate).filter_map(AlternativeName::text) {
        if names.len() < MAX_NAMES {
            names.push(name);
        } else {
            names_left_out += 1;
        }
    }
    if names.is_empty() {
        names.extend(certificate.subject().iter_common_name().map(|name| lossy(name.as_slice())));
    }
    Certificate {
        subject: Some(distinguished_name(certificate.subject())),
        issuer: Some(distinguished_name(certificate.issuer())),
        names,
        names_left_out,
        not_before: time(certificate.validity().not_before),
        not_after: time(certificate.validity().not_after),
        key: Some(key(certificate.public_key())),
        signature: Some(signature(&certificate.signature_algorithm.algorithm.to_id_string())),
        sha256,
    }
}

/// Whether a bad signature by this certificate's key can be told from a good one.
pub(in super::super) fn has_checkable_key(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| is_checkable(certificate.public_key()))
}

/// The same of a key.
pub(super) fn is_checkable(key: &SubjectPublicKeyInfo<'_>) -> bool {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => CHECKABLE_RSA_BITS.contains(&bits(rsa.modulus)),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// The DNS names that the certificate is for.
pub(super) fn dns_names<'a>(certificate: &X509Certificate<'a>) -> impl Iterator<Item = &'a [u8]> {
    alternative_names(certificate).filter_map(|name| match name {
        AlternativeName::Dns(name) => Some(name),
        AlternativeName::Address(_) | AlternativeName::Text(_) => None,
    })
}

/// RFC 4514 §2: the most specific part first, special characters escaped.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<_> = name
        .iter_attributes()
        .map(|attribute| {
            let oid = attribute.attr_type().to_id_string();
            let short = match oid.as_str() {
                "2.5.4.3" => "CN",
                "2.5.4.5" => "serialNumber",
                "2.5.4.6" => "C",
                "2.5.4.7" => "L",
                "2.5.4.8" => "ST",
                "2.5.4.9" => "street",
                "2.5.4.10" => "O",
                "2.5.4.11" => "OU",
                "0.9.2342.19200300.100.1.25" => "DC",
                "1.2.840.113549.1.9.1" => "emailAddress",
                other => other,
            };
            format!("{short}={}", escaped(&lossy(attribute.as_slice())))
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let mut result = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=')
            || (index == 0 && matches!(character, ' ' | '#'))
        {
            result.push('\\');
        }
        result.push(character);
    }
    result
}

/// A string of whatever ASN.1 type as text: UTF-8 where it is, otherwise each byte by itself.
fn lossy(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// An entry of the subject alternative name that is kept.
#[derive(Debug, Clone, Copy)]
enum AlternativeName<'a> {
    Dns(&'a [u8]),
    Address(&'a [u8]),
    /// A mail address or a URI.
    Text(&'a [u8]),
}

impl AlternativeName<'_> {
    fn text(self) -> Option<String> {
        match self {
            Self::Dns(text) | Self::Text(text) => Some(lossy(text)),
            Self::Address(bytes) => address(bytes).map(|ip| ip.to_string()),
        }
    }
}

/// The subject alternative name (RFC 5280 §4.2.1.6), as far as its entries can be told apart.
fn alternative_names<'a>(certificate: &X509Certificate<'a>) -> impl Iterator<Item = AlternativeName<'a>> {
    let extensions = certificate.extensions().iter();
    let values = extensions.filter(|it| it.oid == OID_X509_EXT_SUBJECT_ALT_NAME).map(|extension| extension.value);
    let lists: Vec<_> = values.filter_map(|value| Any::from_der(value).ok()).map(|(_, list)| list.data).collect();
    let entries = lists.into_iter().flat_map(|mut rest| {
        std::iter::from_fn(move || {
            let (after, entry) = Any::from_der(rest).ok()?;
            rest = after;
            Some(entry)
        })
    });
    entries.filter(|entry| entry.header.class() == Class::ContextSpecific).filter_map(|entry| {
        match entry.header.tag().0 {
            1 | 6 => Some(AlternativeName::Text(entry.data)),
            2 => Some(AlternativeName::Dns(entry.data)),
            7 => Some(AlternativeName::Address(entry.data)),
            _ => None,
        }
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = time.timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

fn key(key: &SubjectPublicKeyInfo<'_>) -> Key {
    let oid = key.algorithm.algorithm.to_id_string();
    match (oid.as_str(), key.parsed()) {
        (_, Ok(PublicKey::RSA(rsa))) => sized(KeyKind::Rsa, "RSA", Some(bits(rsa.modulus))),
        ("1.2.840.10045.2.1", _) => elliptic(key),
        ("1.3.101.112", _) => Key { kind: KeyKind::Ed25519, bits: Some(256), text: "Ed25519".into() },
        ("1.3.101.113", _) => Key { kind: KeyKind::Ed448, bits: Some(456), text: "Ed448".into() },
        ("1.2.840.10040.4.1", _) => sized(KeyKind::Dsa, "DSA", prime(key).map(bits)),
        _ => Key { kind: KeyKind::Other, bits: None, text: oid.into() },
    }
}

fn sized(kind: KeyKind, name: &'static str, bits: Option<u32>) -> Key {
    Key { kind, bits, text: bits.map_or_else(|| name.into(), |bits| format!("{name} {bits}").into()) }
}

/// The first of the parameters of a DSA key (RFC 3279 §2.3.2), which are missing where they are the issuer's.
fn prime<'a>(key: &SubjectPublicKeyInfo<'a>) -> Option<&'a [u8]> {
    let parameters = key.algorithm.parameters.as_ref()?;
    Any::from_der(parameters.data).ok().map(|(_, prime)| prime.data)
}

/// Counted here: libraries differ by the leading zero byte that keeps an INTEGER positive.
fn bits(modulus: &[u8]) -> u32 {
    let significant = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
    let unused = significant.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(significant.len()).map_or(u32::MAX, |bytes| bytes.saturating_mul(u8::BITS) - unused)
}

fn elliptic(key: &SubjectPublicKeyInfo<'_>) -> Key {
    let ec = |bits, text: Cow<'static, str>| Key { kind: KeyKind::Ec, bits, text };
    let oid = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let Some(oid) = oid else { return ec(None, "EC with explicit parameters".into()) };
    let oid = oid.to_id_string();
    // SEC 2, RFC 5480 §2.1.1.1, RFC 5639 §4.1: all that are too short, and those in use.
    let (bits, text) = match oid.as_str() {
        "1.3.132.0.6" => (112, "EC secp112r1"),
        "1.3.132.0.7" => (112, "EC secp112r2"),
        "1.3.132.0.4" => (113, "EC sect113r1"),
        "1.3.132.0.5" => (113, "EC sect113r2"),
        "1.3.132.0.28" => (128, "EC secp128r1"),
        "1.3.132.0.29" => (128, "EC secp128r2"),
        "1.3.132.0.22" => (131, "EC sect131r1"),
        "1.3.132.0.23" => (131, "EC sect131r2"),
        "1.3.132.0.8" => (160, "EC secp160r1"),
        "1.3.132.0.9" => (160, "EC secp160k1"),
        "1.3.132.0.30" => (160, "EC secp160r2"),
        "1.3.36.3.3.2.8.1.1.1" => (160, "EC brainpoolP160r1"),
        "1.3.36.3.3.2.8.1.1.2" => (160, "EC brainpoolP160t1"),
        "1.3.132.0.1" => (163, "EC sect163k1"),
        "1.3.132.0.2" => (163, "EC sect163r1"),
        "1.3.132.0.15" => (163, "EC sect163r2"),
        "1.2.840.10045.3.1.1" => (192, "EC P-192"),
        "1.2.840.10045.3.1.2" => (192, "EC prime192v2"),
        "1.2.840.10045.3.1.3" => (192, "EC prime192v3"),
        "1.3.132.0.31" => (192, "EC secp192k1"),
        "1.3.36.3.3.2.8.1.1.3" => (192, "EC brainpoolP192r1"),
        "1.3.36.3.3.2.8.1.1.4" => (192, "EC brainpoolP192t1"),
        "1.3.132.0.24" => (193, "EC sect193r1"),
        "1.3.132.0.25" => (193, "EC sect193r2"),
        "1.3.132.0.33" => (224, "EC P-224"),
        "1.2.840.10045.3.1.7" => (256, "EC P-256"),
        "1.3.132.0.34" => (384, "EC P-384"),
        "1.3.132.0.35" => (521, "EC P-521"),
        "1.3.132.0.10" => (256, "EC secp256k1"),
        "1.3.36.3.3.2.8.1.1.7" => (256, "EC brainpoolP256r1"),
        "1.3.36.3.3.2.8.1.1.11" => (384, "EC brainpoolP384r1"),
        "1.3.36.3.3.2.8.1.1.13" => (512, "EC brainpoolP512r1"),
        _ => return ec(None, format!("EC {oid}").into()),
    };
    ec(Some(bits), text.into())
}

/// The name of a signature algorithm in the documents that define it (RFC 8017, RFC 5758, RFC 8410).
fn signature(oid: &str) -> String {
    match oid {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.2.840.10040.4.3" => "dsa-with-sha1",
        "2.16.840.1.101.3.4.3.2" => "dsa-with-sha256",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
#[path = "read_tests.rs"]
pub(super) mod tests;
