//! Facts of certificates made here, and of an old one that no library makes any more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, SanType, SignatureAlgorithm, date_time_ymd};
use rustls::pki_types::CertificateDer;

use super::*;

fn certificate(params: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    signed_by(&rcgen::PKCS_ECDSA_P256_SHA256, params)
}

fn signed_by(algorithm: &'static SignatureAlgorithm, params: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut certificate = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
    certificate.distinguished_name.push(DnType::CommonName, "mail, the \"old\" one");
    certificate.distinguished_name.push(DnType::OrganizationName, "Example");
    certificate.not_before = date_time_ymd(2020, 1, 1);
    certificate.not_after = date_time_ymd(2030, 1, 1);
    params(&mut certificate);
    certificate.self_signed(&KeyPair::generate_for(algorithm).unwrap()).unwrap().der().to_vec()
}

fn facts(der: &[u8]) -> Certificate {
    read(der, [7; 32])
}

/// Signed by itself, in 2026, with RSA 1024.
pub(crate) fn with_a_short_key() -> Vec<u8> {
    // openssl req -x509 -newkey rsa:1024 -nodes -days 3650 -subj /CN=old
    let old = "MIIB+DCCAWGgAwIBAgIUccIvyqAQQtUOILogyZ5e6TH/zXkwDQYJKoZIhvcNAQELBQAwDjEMMAoGA1UEAwwDb2xkMB4XDTI2MTEy\
         MTA1MjAwNFoXDTM2MTExODA1MjAwNFowDjEMMAoGA1UEAwwDb2xkMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCz/bPNq8iu\
         x28x3hzO8T4uA9fst4K5XOUJeLsdpTDswbhdOQWTDB52gn6jY0T+Cram+CgSggx5WWpGHMk81ca63jURtyGgOo7KMkbbWvzcZa1M\
         dJ2DoqqfsMEjkoe7/np5J8oh5hJ2n+n3eZN52//gxGvNOHAFZtlBdlVEKm8gKQIDAQABo1MwUTAdBgNVHQ4EFgQU2GKPhMdfysAd\
         EjLj3wk5W2wOA84wHwYDVR0jBBgwFoAU2GKPhMdfysAdEjLj3wk5W2wOA84wDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsF\
         AAOBgQApRGTx4iZHi7jqp/e1VdtQbTR/q9GNxY0RP1NxbgjrQmvcPZp1Mhe63e7iNYlv3t588wCZ5oMMaY6bTHNae5A7S96NQLGr\
         2NaG/v8D4sA5Dv+JebNzuV5ZWEO8jBOLaxRYQRL8Yc6ImBqq3gZBUSOEg2WteF4cd0F8bzOQq2T2fg==";
    STANDARD.decode(old).unwrap()
}

/// One whose alternative name has these entries.
pub(crate) fn with_names(entries: &[u8]) -> CertificateDer<'static> {
    let der = certificate(|params| {
        params.subject_alt_names.clear();
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], sequence(entries)));
    });
    der.into()
}

#[test]
fn facts_are_read() {
    let facts = facts(&certificate(|_| {}));
    assert_eq!(facts.names, ["mail.example"]);
    assert_eq!(facts.names_left_out, 0);
    assert_eq!(facts.subject.as_deref(), Some(r#"O=Example,CN=mail\, the \"old\" one"#));
    assert_eq!(facts.issuer, facts.subject);
    assert_eq!(facts.key.unwrap().text, "EC P-256");
    assert_eq!(facts.signature.as_deref(), Some("ecdsa-with-SHA256"));
    assert_eq!(facts.not_after, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000)));
    assert_eq!(facts.sha256, [7; 32]);
}

#[test]
fn keys_have_a_kind_and_a_size() {
    let key = |der: &[u8]| facts(der).key.map(|key| (key.kind, key.bits, key.to_string())).unwrap();
    let table = [
        (certificate(|_| {}), (KeyKind::Ec, Some(256), "EC P-256")),
        (signed_by(&rcgen::PKCS_ECDSA_P384_SHA384, |_| {}), (KeyKind::Ec, Some(384), "EC P-384")),
        (signed_by(&rcgen::PKCS_ED25519, |_| {}), (KeyKind::Ed25519, Some(256), "Ed25519")),
        (with_a_short_key(), (KeyKind::Rsa, Some(1024), "RSA 1024")),
    ];
    for (der, (kind, bits, text)) in table {
        assert_eq!(key(&der), (kind, bits, text.to_owned()));
    }
}

/// The parameters of a DSA key are what is long; its value may be a bit shorter.
#[test]
fn dsa_keys_are_as_long_as_their_prime() {
    // A SubjectPublicKeyInfo of RFC 3279 §2.3.2 with p of 16 bits, q and g of one byte each.
    let info = |parameters: &[u8]| {
        let oid = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
        let algorithm = sequence(&[&oid, parameters].concat());
        sequence(&[&algorithm, &[3, 4, 0, 2, 1, 5][..]].concat())
    };
    let with_prime = info(&sequence(&[2, 3, 0, 0x80, 1, 2, 1, 3, 2, 1, 4]));
    for (info, text, bits) in [(with_prime, "DSA 16", Some(16)), (info(&[]), "DSA", None)] {
        let (_, info) = SubjectPublicKeyInfo::from_der(&info).unwrap();
        assert_eq!(key(&info), Key { kind: KeyKind::Dsa, bits, text: text.into() });
    }
}

#[test]
fn short_curves_have_a_name_and_a_size() {
    let info = |curve: &[u8]| {
        let oid = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        let curve = [&[6, u8::try_from(curve.len()).unwrap()], curve].concat();
        let algorithm = sequence(&[&oid[..], &curve].concat());
        sequence(&[&algorithm, &[3, 4, 0, 4, 1, 5][..]].concat())
    };
    // As `openssl ecparam -name NAME -outform DER` writes them.
    let table: [(&[u8], u32, &str); 6] = [
        (&[0x2b, 0x81, 4, 0, 4], 113, "EC sect113r1"),
        (&[0x2b, 0x81, 4, 0, 8], 160, "EC secp160r1"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], 192, "EC P-192"),
        (&[0x2b, 0x81, 4, 0, 0x1f], 192, "EC secp192k1"),
        (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 3], 192, "EC brainpoolP192r1"),
        (&[0x2b, 0x81, 4, 0, 0x19], 193, "EC sect193r2"),
    ];
    for (curve, bits, text) in table {
        let info = info(curve);
        let (_, info) = SubjectPublicKeyInfo::from_der(&info).unwrap();
        assert_eq!(key(&info), Key { kind: KeyKind::Ec, bits: Some(bits), text: text.into() });
    }
}

fn sequence(content: &[u8]) -> Vec<u8> {
    [&[0x30, u8::try_from(content.len()).unwrap()], content].concat()
}

#[test]
fn a_short_rsa_key_cannot_be_checked() {
    assert!(!has_checkable_key(&with_a_short_key()));
    assert!(!has_checkable_key(b"junk"));
    assert!(has_checkable_key(&certificate(|_| {})));
}

#[test]
fn names_of_every_kind_are_kept() {
    let der = certificate(|params| {
        params.subject_alt_names.extend([
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::Rfc822Name("postmaster@mail.example".try_into().unwrap()),
            SanType::URI("https://mail.example/".try_into().unwrap()),
        ]);
    });
    let expected = ["mail.example", "192.0.2.1", "2001:db8::1", "postmaster@mail.example", "https://mail.example/"];
    assert_eq!(facts(&der).names, expected);
}

#[test]
fn names_beyond_the_bound_are_counted() {
    let names =
        |count: usize| (0..count).map(|number| SanType::DnsName(format!("{number}.example").try_into().unwrap()));
    for (count, kept, left_out) in [(500, 500, 0), (501, 500, 1), (1234, 500, 734)] {
        let facts = facts(&certificate(|params| params.subject_alt_names = names(count).collect()));
        assert_eq!((facts.names.len(), facts.names_left_out), (kept, left_out));
    }
}

#[test]
fn a_broken_name_does_not_lose_the_others() {
    let common = "mail, the \"old\" one";
    let table: [(&[u8], &[&str]); 5] = [
        // Not ASCII, an address of three bytes, a tag that there is not, and one more name.
        (b"\x82\x03a\xe9b\x87\x03\x01\x02\x03\x8f\x01x\x82\x01c", &["a\u{e9}b", "c"]),
        (b"\x82\x03a\xc3\xa9\x82\x01c", &["a\u{e9}", "c"]),
        // The second is cut off.
        (b"\x82\x01a\x82\x09c", &["a"]),
        (b"\x82\x09c", &[common]),
        (b"", &[common]),
    ];
    for (entries, names) in table {
        assert_eq!(facts(&with_names(entries)).names, names, "{entries:02x?}");
    }
}

#[test]
fn modulus_bits_are_counted() {
    assert_eq!(bits(&[0, 0x80, 0]), 16);
    assert_eq!(bits(&[0x01, 0xff]), 9);
    assert_eq!(bits(&[0, 0]), 0);
    assert_eq!(bits(&[]), 0);
}
