//! TLS and certificates: where they are missing, old, weak or wrong.

use super::*;

#[test]
fn tls_in_the_wrong_place() {
    let tls_failed =
        |tls, legacy| with_tls(ended(Smtps, Outcome::TlsFailed), TlsFacts { legacy, ..TlsFacts::new(tls) });
    let mut spoke_tls = ended(Smtp, Outcome::OtherProtocol);
    spoke_tls.protocol = Some(Protocol::Tls);
    let plain = || TlsFacts::new(TlsUse::NotOffered);
    let old = Some(Legacy::Accepted { version: Some("SSLv3"), cipher: None, group: None });
    let mut wants_certificate = tls_failed(TlsUse::Refused, None);
    wants_certificate.tls.as_mut().unwrap().asks_for_certificate = true;
    let incomplete = TlsFacts { incomplete: true, ..TlsFacts::new(TlsUse::Refused) };
    // The server chose, and we could not go on.
    let chose = |version, cipher: &str| {
        let cipher = Some(cipher.to_owned());
        let facts = TlsFacts { version: Some(version), cipher, ..TlsFacts::new(TlsUse::Failed) };
        with_tls(ended(Smtps, Outcome::TlsFailed), facts)
    };
    assert_each([
        (tls_failed(TlsUse::Failed, None), "high tls_broken"),
        (chose("SSLv3", "TLS_RSA_WITH_AES_128_CBC_SHA"), "high legacy_tls: SSLv3 with TLS_RSA_WITH_AES_128_CBC_SHA"),
        (chose("TLSv1.2", "TLS_RSA_WITH_RC4_128_SHA"), "high weak_cipher: TLS_RSA_WITH_RC4_128_SHA: RC4"),
        (chose("TLSv1.2", "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"), ""),
        (with_tls(ended(Smtps, Outcome::TlsFailed), incomplete), ""),
        (tls_failed(TlsUse::Refused, old), "high legacy_tls: SSLv3"),
        (wants_certificate, ""),
        (with_tls(ended(Smtps, Outcome::Silent), plain()), "low open_but_silent"),
        (with_tls(greeted(Ftps, "220 ready\r\n"), plain()), "high plain_on_tls_port"),
        (with_tls(greeted(Smtps, "421 busy\r\n"), plain()), "info not_ready: 421 busy"),
        (with_tls(greeted(Smtp, "220 ready\r\n"), plain()), ""),
        (with_tls(greeted(Smtp, "220 ready\r\n"), TlsFacts::new(TlsUse::Implicit)), "low tls_on_plain_port"),
        (spoke_tls, "low tls_on_plain_port"),
    ]);
}

pub(super) fn session(version: &'static str, cipher: &str, group: &str) -> TlsFacts {
    let mut facts = TlsFacts::new(TlsUse::Implicit);
    (facts.version, facts.cipher, facts.group) = (Some(version), Some(cipher.to_owned()), Some(group.to_owned()));
    facts
}

#[test]
fn old_versions_and_weak_suites() {
    let modern = || session("TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519");
    let behind = |version, cipher: &str| {
        let legacy = Some(Legacy::Accepted { version: Some(version), cipher: Some(cipher.to_owned()), group: None });
        with_tls(greeted(Smtps, "220 ready\r\n"), TlsFacts { legacy, ..modern() })
    };
    let aes = "TLS_RSA_WITH_AES_128_CBC_SHA";
    let row = |facts| with_tls(greeted(Smtps, "220 ready\r\n"), facts);
    assert_each([
        (row(modern()), ""),
        (row(TlsFacts { legacy: Some(Legacy::Refused("alert 70".into())), ..modern() }), ""),
        (row(session("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "secp256r1")), ""),
        (row(session("TLSv1.1", aes, "")), "medium legacy_tls: TLSv1.1 with TLS_RSA_WITH_AES_128_CBC_SHA"),
        (behind("TLSv1.0", aes), "medium legacy_tls: TLSv1.0 with TLS_RSA_WITH_AES_128_CBC_SHA"),
        (behind("SSLv3", aes), "high legacy_tls: SSLv3 with TLS_RSA_WITH_AES_128_CBC_SHA"),
        (row(session("TLSv1.2", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DH 2048")), ""),
        (row(session("TLSv1.2", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DH 1024")), "medium weak_cipher: DH 1024"),
        (row(session("TLSv1.2", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DH 768")), "high weak_cipher: DH 768"),
    ]);
    for (suite, expected) in [
        ("TLS_RSA_WITH_NULL_SHA256", "high weak_cipher: TLS_RSA_WITH_NULL_SHA256: no encryption"),
        ("TLS_SHA256_SHA256", "high weak_cipher: TLS_SHA256_SHA256: no encryption"),
        (
            "TLS_DH_anon_WITH_AES_128_CBC_SHA",
            "high weak_cipher: TLS_DH_anon_WITH_AES_128_CBC_SHA: no proof of who the server is",
        ),
        (
            "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA",
            "high weak_cipher: TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA: a key short enough to be guessed",
        ),
        ("TLS_RSA_WITH_RC4_128_MD5", "high weak_cipher: TLS_RSA_WITH_RC4_128_MD5: RC4"),
        ("TLS_RSA_WITH_DES_CBC_SHA", "high weak_cipher: TLS_RSA_WITH_DES_CBC_SHA: DES"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "medium weak_cipher: TLS_RSA_WITH_3DES_EDE_CBC_SHA: 3DES"),
        ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "medium weak_cipher: SSL_CK_DES_192_EDE3_CBC_WITH_MD5: 3DES"),
        ("SSL_CK_RC2_128_CBC_WITH_MD5", "high weak_cipher: SSL_CK_RC2_128_CBC_WITH_MD5: RC2"),
        ("TLS_RSA_WITH_IDEA_CBC_SHA", "medium weak_cipher: TLS_RSA_WITH_IDEA_CBC_SHA: IDEA"),
        ("TLS_RSA_WITH_AES_256_GCM_SHA384", ""),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ""),
        ("", ""),
    ] {
        assert_each([(row(session("TLSv1.2", suite, "")), expected)]);
    }
    let mut old_group = behind("TLSv1.1", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA");
    if let Some(Legacy::Accepted { group, .. }) = &mut old_group.tls.as_mut().unwrap().legacy {
        *group = Some("DH 1024".into());
    }
    assert!(told(&old_group).contains(&"medium weak_cipher: DH 1024".to_owned()));
    // No sender checks a certificate on port 25.
    let mut unproved = session("TLSv1.2", "TLS_DH_anon_WITH_AES_128_CBC_SHA", "");
    unproved.tls = TlsUse::Starttls;
    let found = told(&with_tls(greeted(Smtp, "220 ready\r\n"), unproved));
    assert_eq!(found, ["low weak_cipher: TLS_DH_anon_WITH_AES_128_CBC_SHA: no proof of who the server is"]);
    // The worse of two is told; of equals the session's.
    let mut both = behind("TLSv1.0", "TLS_RSA_WITH_RC4_128_SHA");
    both.tls.as_mut().unwrap().cipher = Some("TLS_RSA_WITH_3DES_EDE_CBC_SHA".into());
    assert!(told(&both).contains(&"high weak_cipher: TLS_RSA_WITH_RC4_128_SHA: RC4".to_owned()));
    both.tls.as_mut().unwrap().cipher = Some("TLS_RSA_WITH_RC4_128_MD5".into());
    assert!(told(&both).contains(&"high weak_cipher: TLS_RSA_WITH_RC4_128_MD5: RC4".to_owned()));
}

pub(super) fn certificate() -> Certificate {
    Certificate {
        subject: Some("CN=mail.example".into()),
        issuer: Some("CN=An Issuer".into()),
        names: vec!["mail.example".into()],
        not_before: Some(time() - DAY),
        not_after: Some(time() + 60 * DAY),
        names_left_out: 0,
        key: Some(key(KeyKind::Rsa, 2048)),
        signature: Some("sha256WithRSAEncryption".into()),
        sha256: [0; 32],
    }
}

fn key(kind: KeyKind, bits: u32) -> Key {
    Key { kind, bits: Some(bits), text: format!("{kind:?} {bits}").into() }
}

/// What speaks against a chain of which nothing else is wrong.
pub(super) fn but(change: fn(&mut CertificateVerdict)) -> CertificateVerdict {
    let mut verdict = CertificateVerdict { trusted: true, ..CertificateVerdict::default() };
    change(&mut verdict);
    verdict
}

fn showing(service: Service, chain: Vec<Certificate>, verdict: CertificateVerdict) -> Observation {
    let mut facts = TlsFacts::new(if service.is_implicit_tls() { TlsUse::Implicit } else { TlsUse::Starttls });
    (facts.chain, facts.verdict) = (chain.into_iter().map(Arc::new).collect(), Some(verdict));
    with_tls(greeted(service, "220 ready\r\n"), facts)
}

#[test]
fn certificates() {
    let own = |change: fn(&mut Certificate)| {
        let mut certificate = certificate();
        change(&mut certificate);
        vec![certificate]
    };
    let ended = |it: &mut Certificate| it.not_after = Some(time() - DAY);
    let later = |it: &mut Certificate| it.not_before = Some(time() + DAY);
    let of_itself = |it: &mut Certificate| it.issuer.clone_from(&it.subject);
    let many = |it: &mut Certificate| it.names = ["a.example", "b.example", "c", "d", "e"].map(String::from).to_vec();
    assert_each([
        (showing(Smtps, own(|_| {}), but(|_| {})), ""),
        (showing(Smtps, Vec::new(), but(|_| {})), ""),
        (showing(Smtps, own(ended), but(|it| it.expired = true)), "high cert_expired: ended 2025-01-01"),
        (showing(Smtp, own(ended), but(|it| it.expired = true)), "medium cert_expired: ended 2025-01-01"),
        (showing(Ftp, own(later), but(|it| it.not_yet_valid = true)), "high cert_not_yet_valid: begins 2025-01-03"),
        (showing(Smtps, own(|it| it.not_after = Some(time() + 31 * DAY)), but(|_| {})), ""),
        (
            showing(Smtps, own(|it| it.not_after = Some(time() + 30 * DAY)), but(|_| {})),
            "low cert_expires_soon: ends 2025-02-01, in 30 days",
        ),
        (
            showing(Smtps, own(of_itself), CertificateVerdict { self_signed: true, ..CertificateVerdict::default() }),
            "medium cert_self_signed: CN=mail.example",
        ),
        (
            showing(Smtp, own(of_itself), CertificateVerdict { self_signed: true, ..CertificateVerdict::default() }),
            "low cert_self_signed: CN=mail.example",
        ),
        (showing(Ftps, own(|_| {}), CertificateVerdict::default()), "medium cert_untrusted: issued by CN=An Issuer"),
        (
            showing(Submission, own(|_| {}), but(|it| it.name_matches = Some(false))),
            "medium cert_name_mismatch: for mail.example",
        ),
        (
            showing(Smtp, own(many), but(|it| it.name_matches = Some(false))),
            "low cert_name_mismatch: for a.example, b.example, c and 2 more",
        ),
        (
            showing(Smtp, own(|it| it.names.clear()), but(|it| it.name_matches = Some(false))),
            "low cert_name_mismatch: for no name",
        ),
        (
            showing(
                Smtps,
                vec![Certificate::default()],
                CertificateVerdict { malformed: true, ..CertificateVerdict::default() },
            ),
            "medium cert_malformed",
        ),
        (showing(Smtp, own(|_| {}), but(|it| it.bad_signature = true)), "high cert_bad_signature"),
    ]);
    let all = CertificateVerdict {
        expired: true,
        self_signed: true,
        name_matches: Some(false),
        ..CertificateVerdict::default()
    };
    let found = told(&showing(Smtp, own(ended), all));
    assert_eq!(
        found,
        [
            "medium cert_expired: ended 2025-01-01",
            "low cert_name_mismatch: for mail.example",
            "low cert_self_signed: CN=mail.example",
        ]
    );
    let beyond = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1 << 40)).unwrap();
    let mut old = certificate();
    old.not_after = Some(beyond);
    assert_eq!(
        told(&showing(Smtps, vec![old], but(|it| it.expired = true))),
        ["high cert_expired: ended beyond the calendar"]
    );
}

#[test]
fn weak_keys_and_signatures() {
    let row = |chain| showing(Smtps, chain, but(|_| {}));
    for (kind, bits, is_weak) in [
        (KeyKind::Rsa, 2048, false),
        (KeyKind::Rsa, 2047, true),
        (KeyKind::Dsa, 2048, false),
        (KeyKind::Dsa, 1024, true),
        (KeyKind::Ec, 223, true),
        (KeyKind::Ec, 224, false),
        (KeyKind::Ed25519, 256, false),
        (KeyKind::Other, 1, false),
    ] {
        let found = told(&row(vec![Certificate { key: Some(key(kind, bits)), ..certificate() }]));
        assert_eq!(found, if is_weak { vec![format!("high weak_key: {kind:?} {bits}")] } else { Vec::new() });
    }
    let signed = |by: &str| Certificate { signature: Some(by.into()), ..certificate() };
    let above = |issuer: &str| Certificate {
        subject: Some("CN=Above".into()),
        issuer: Some(issuer.into()),
        key: Some(key(KeyKind::Rsa, 1024)),
        signature: Some("sha1WithRSAEncryption".into()),
        ..certificate()
    };
    let itself = || Certificate { issuer: Some("CN=mail.example".into()), ..signed("sha1WithRSAEncryption") };
    assert_each([
        (row(vec![signed("sha1WithRSAEncryption")]), "medium weak_signature: sha1WithRSAEncryption"),
        (row(vec![signed("md5WithRSAEncryption")]), "medium weak_signature: md5WithRSAEncryption"),
        (row(vec![signed("ecdsa-with-SHA1")]), "medium weak_signature: ecdsa-with-SHA1"),
        (row(vec![signed("ecdsa-with-SHA512")]), ""),
        (row(vec![itself()]), ""),
        (row(vec![certificate(), above("CN=Above")]), ""),
    ]);
    let intermediate = row(vec![certificate(), above("CN=Root")]);
    let expected = ["high weak_key: CN=Above: Rsa 1024", "medium weak_signature: CN=Above: sha1WithRSAEncryption"];
    assert_eq!(told(&intermediate), expected);
}
