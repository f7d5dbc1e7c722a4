//! Certificates as facts: read as far as they can be read, judged, never enforced.
//!
//! Reading is x509-parser's, judging is webpki's against the public roots. Names, key sizes and dates are formatted here,
//! so that one broken field does not lose the others.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::*;
use x509_parser::public_key::PublicKey;

use crate::observation::{Certificate, CertificateStatus};

/// More intermediates than this are not looked at: path building is exponential in what a hostile peer sends.
const MAX_INTERMEDIATES: usize = 10;

/// The RSA keys whose signatures ring checks. Those of others it calls bad unseen, as if the key itself were malformed.
const CHECKABLE_RSA_BITS: RangeInclusive<u64> = 2048..=8192;

/// How many names of one certificate are kept; some carry thousands.
const MAX_NAMES: usize = 500;

/// What can be read of a certificate; all of it but the hash may be missing.
pub(super) fn read(der: &[u8]) -> Certificate {
    let sha256 = Sha256::digest(der).into();
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Certificate { sha256, ..Certificate::default() };
    };
    let subject = distinguished_name(certificate.subject());
    let mut names = alternative_names(&certificate);
    if names.is_empty() {
        names.extend(certificate.subject().iter_common_name().map(|name| lossy(name.as_slice())));
    }
    Certificate {
        subject: Some(subject),
        issuer: Some(distinguished_name(certificate.issuer())),
        names,
        not_before: time(certificate.validity().not_before),
        not_after: time(certificate.validity().not_after),
        key: Some(key(certificate.public_key())),
        signature: Some(signature(&certificate.signature_algorithm.algorithm.to_id_string())),
        sha256,
    }
}

/// Whether a bad signature by this certificate's key can be told from a good one.
pub(super) fn has_checkable_key(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => CHECKABLE_RSA_BITS.contains(&bits(rsa.modulus)),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Whether the chain is trusted and fits the name, and if not, the first reason in the order of the variants checked here.
pub(super) fn judge(
    chain: &[CertificateDer<'static>],
    own: &Certificate,
    name: Option<&str>,
    now: SystemTime,
) -> CertificateStatus {
    judge_by(webpki_roots::TLS_SERVER_ROOTS, chain, own, name, now)
}

fn judge_by(
    roots: &[TrustAnchor<'_>],
    chain: &[CertificateDer<'static>],
    own: &Certificate,
    name: Option<&str>,
    now: SystemTime,
) -> CertificateStatus {
    let (Some(der), Some(not_before), Some(not_after)) = (chain.first(), own.not_before, own.not_after) else {
        return CertificateStatus::Malformed;
    };
    if now < not_before {
        return CertificateStatus::NotYetValid;
    }
    if now > not_after {
        return CertificateStatus::Expired;
    }
    let trusted =
        EndEntityCert::try_from(der).ok().filter(|certificate| is_trusted(certificate, roots, &chain[1..], now));
    match trusted {
        None if own.subject == own.issuer => CertificateStatus::SelfSigned,
        None => CertificateStatus::Untrusted,
        Some(certificate) => match name.and_then(|name| ServerName::try_from(name).ok()) {
            Some(name) if certificate.verify_is_valid_for_subject_name(&name).is_err() => {
                CertificateStatus::NameMismatch
            }
            _ => CertificateStatus::Valid,
        },
    }
}

fn is_trusted(
    certificate: &EndEntityCert<'_>,
    roots: &[TrustAnchor<'_>],
    intermediates: &[CertificateDer<'static>],
    now: SystemTime,
) -> bool {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let intermediates = &intermediates[..intermediates.len().min(MAX_INTERMEDIATES)];
    certificate
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            roots,
            intermediates,
            UnixTime::since_unix_epoch(since_epoch),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .is_ok()
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

/// DNS names and addresses of the subject alternative name (RFC 5280 §4.2.1.6).
fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
            _ => None,
        })
        .take(MAX_NAMES)
        .collect()
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

fn key(key: &SubjectPublicKeyInfo<'_>) -> String {
    let oid = key.algorithm.algorithm.to_id_string();
    match (oid.as_str(), key.parsed()) {
        (_, Ok(PublicKey::RSA(rsa))) => format!("RSA {}", bits(rsa.modulus)),
        ("1.2.840.10045.2.1", _) => format!("EC {}", curve(key)),
        ("1.3.101.112", _) => "Ed25519".to_owned(),
        ("1.3.101.113", _) => "Ed448".to_owned(),
        ("1.2.840.10040.4.1", _) => "DSA".to_owned(),
        _ => oid,
    }
}

/// Counted here: libraries differ by the leading zero byte that keeps an INTEGER positive.
fn bits(modulus: &[u8]) -> u64 {
    let significant = modulus.iter().skip_while(|byte| **byte == 0);
    let mut count = 0;
    for (index, byte) in significant.enumerate() {
        count += if index == 0 { u64::from(u8::BITS - byte.leading_zeros()) } else { u64::from(u8::BITS) };
    }
    count
}

fn curve(key: &SubjectPublicKeyInfo<'_>) -> String {
    let oid = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let Some(oid) = oid else { return "with explicit parameters".to_owned() };
    let oid = oid.to_id_string();
    match oid.as_str() {
        "1.2.840.10045.3.1.1" => "P-192".to_owned(),
        "1.3.132.0.33" => "P-224".to_owned(),
        "1.2.840.10045.3.1.7" => "P-256".to_owned(),
        "1.3.132.0.34" => "P-384".to_owned(),
        "1.3.132.0.35" => "P-521".to_owned(),
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1".to_owned(),
        _ => oid,
    }
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
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(params: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut certificate = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
        certificate.distinguished_name.push(DnType::CommonName, "mail, the \"old\" one");
        certificate.distinguished_name.push(DnType::OrganizationName, "Example");
        certificate.not_before = date_time_ymd(2020, 1, 1);
        certificate.not_after = date_time_ymd(2030, 1, 1);
        params(&mut certificate);
        certificate.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn at(year: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs((year - 1970) * 31_557_600)
    }

    #[test]
    fn facts_are_read() {
        let facts = read(&certificate(|_| {}));
        assert_eq!(facts.names, ["mail.example"]);
        assert_eq!(facts.subject.as_deref(), Some(r#"O=Example,CN=mail\, the \"old\" one"#));
        assert_eq!(facts.issuer, facts.subject);
        assert_eq!(facts.key.as_deref(), Some("EC P-256"));
        assert_eq!(facts.signature.as_deref(), Some("ecdsa-with-SHA256"));
        assert_eq!(facts.not_after, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000)));
    }

    #[test]
    fn the_first_reason_is_told() {
        let der = certificate(|_| {});
        let facts = read(&der);
        let status = |year| judge(std::slice::from_ref(&der), &facts, None, at(year));
        assert_eq!(status(2019), CertificateStatus::NotYetValid);
        assert_eq!(status(2025), CertificateStatus::SelfSigned);
        assert_eq!(status(2031), CertificateStatus::Expired);
        let junk = CertificateDer::from(vec![0x30, 0x82]);
        assert_eq!(judge(std::slice::from_ref(&junk), &read(&junk), None, at(2025)), CertificateStatus::Malformed);
    }

    #[test]
    fn a_short_rsa_key_cannot_be_checked() {
        // openssl req -x509 -newkey rsa:1024 -nodes -days 3650 -subj /CN=old
        let old = "MIIB+DCCAWGgAwIBAgIUccIvyqAQQtUOILogyZ5e6TH/zXkwDQYJKoZIhvcNAQELBQAwDjEMMAoGA1UEAwwDb2xkMB4XDTI2MTEy\
         MTA1MjAwNFoXDTM2MTExODA1MjAwNFowDjEMMAoGA1UEAwwDb2xkMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCz/bPNq8iu\
         x28x3hzO8T4uA9fst4K5XOUJeLsdpTDswbhdOQWTDB52gn6jY0T+Cram+CgSggx5WWpGHMk81ca63jURtyGgOo7KMkbbWvzcZa1M\
         dJ2DoqqfsMEjkoe7/np5J8oh5hJ2n+n3eZN52//gxGvNOHAFZtlBdlVEKm8gKQIDAQABo1MwUTAdBgNVHQ4EFgQU2GKPhMdfysAd\
         EjLj3wk5W2wOA84wHwYDVR0jBBgwFoAU2GKPhMdfysAdEjLj3wk5W2wOA84wDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsF\
         AAOBgQApRGTx4iZHi7jqp/e1VdtQbTR/q9GNxY0RP1NxbgjrQmvcPZp1Mhe63e7iNYlv3t588wCZ5oMMaY6bTHNae5A7S96NQLGr\
         2NaG/v8D4sA5Dv+JebNzuV5ZWEO8jBOLaxRYQRL8Yc6ImBqq3gZBUSOEg2WteF4cd0F8bzOQq2T2fg==";
        let old = STANDARD.decode(old).unwrap();
        assert_eq!(read(&old).key.as_deref(), Some("RSA 1024"));
        assert!(!has_checkable_key(&old));
        assert!(!has_checkable_key(b"junk"));
        assert!(has_checkable_key(&certificate(|_| {})));
    }

    #[test]
    fn trusted_chains_are_held_against_the_name() {
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "an authority");
        let ca_der = ca.self_signed(&ca_key).unwrap().der().clone();
        let mut params = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "mail.example");
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let der = params.signed_by(&key, &issuer).unwrap().der().clone();

        let facts = read(&der);
        let roots = [webpki::anchor_from_trusted_cert(&ca_der).unwrap()];
        let status = |roots: &[_], name| judge_by(roots, std::slice::from_ref(&der), &facts, name, at(2025));
        assert_eq!(status(&roots, Some("mail.example")), CertificateStatus::Valid);
        assert_eq!(status(&roots, None), CertificateStatus::Valid);
        assert_eq!(status(&roots, Some("other.example")), CertificateStatus::NameMismatch);
        assert_eq!(status(&[], Some("mail.example")), CertificateStatus::Untrusted);
    }

    #[test]
    fn modulus_bits_are_counted() {
        assert_eq!(bits(&[0, 0x80, 0]), 16);
        assert_eq!(bits(&[0x01, 0xff]), 9);
        assert_eq!(bits(&[0, 0]), 0);
    }

    proptest! {
        /// One corrupted byte anywhere: facts or none, never a panic, and always the hash.
        #[test]
        fn corrupt_certificates_do_no_harm(at in 0usize..400, value: u8) {
            let mut der = certificate(|_| {}).to_vec();
            let at = at % der.len();
            der[at] = value;
            let facts = read(&der);
            prop_assert_eq!(facts.sha256, <[u8; 32]>::from(Sha256::digest(&der)));
            judge(&[CertificateDer::from(der)], &facts, Some("mail.example"), super::tests::at(2025));
        }
    }
}
