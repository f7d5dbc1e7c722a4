//! Rules at work: observations made of what peers say, and what is found in them.

mod said;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::classify::Classifier;
use crate::observation::{
    Anonymous, Asked, Certificate, CertificateVerdict, Dialogue, Key, KeyKind, Legacy, Offers, Outcome, Protocol,
    Reply, Service, TlsFacts, TlsUse,
};
use Service::{Ftp, Ftps, Smtp, Smtps, Submission};

/// Thu, 2 Jan 2025 10:11:12 +0000.
const TIME: u64 = 1_735_812_672;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(TIME)
}

fn ended(service: Service, outcome: Outcome) -> Observation {
    Observation::new(time(), "198.51.100.7".parse().ok(), 1, service, outcome)
}

/// A host that greeted, at once.
fn greeted(service: Service, greeting: &str) -> Observation {
    let mut row = ended(service, Outcome::Greeted);
    row.received.push(greeting.as_bytes(), Duration::ZERO);
    row.greeting_len = greeting.len();
    row.code = greeting.get(..3).and_then(|code| code.parse().ok());
    row
}

/// The reply that these lines are: `250-mail.example\n250 SIZE`.
fn reply(lines: &str) -> Reply {
    Reply { code: lines.get(..3).and_then(|code| code.parse().ok()).unwrap(), bytes: crlf(lines) }
}

fn crlf(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

fn asked(service: Service, asked: Asked, lines: &str) -> Observation {
    let offers = Some(Offers::new(asked, reply(lines)));
    talked(service, Dialogue { offers, ..Dialogue::default() })
}

fn talked(service: Service, dialogue: Dialogue) -> Observation {
    let mut row = greeted(service, "220 ready\r\n");
    row.dialogue = Some(Box::new(dialogue));
    row
}

fn with_tls(mut row: Observation, facts: TlsFacts) -> Observation {
    row.tls = Some(Box::new(facts));
    row
}

/// Every finding as `severity id: detail`.
fn told(row: &Observation) -> Vec<String> {
    judge(row).iter().map(tell).collect()
}

fn tell(Finding { id, severity, detail }: &Finding) -> String {
    detail.as_ref().map_or_else(|| format!("{severity} {id}"), |detail| format!("{severity} {id}: {detail}"))
}

/// What is found in each of the rows: one finding or none.
#[track_caller]
fn assert_each(rows: impl IntoIterator<Item = (Observation, &'static str)>) {
    for (index, (row, expected)) in rows.into_iter().enumerate() {
        let expected: &[_] = if expected.is_empty() { &[] } else { &[expected] };
        assert_eq!(told(&row), expected, "row {index}: {row:?}");
    }
}

#[test]
fn the_handbook_knows_every_rule() {
    for Rule { id, severity, .. } in &RULES {
        let text = crate::handbook::Handbook::builtin().finding(id).unwrap_or_else(|| panic!("{id} has no text"));
        assert_eq!(text.severity, *severity, "{id}");
    }
}

#[test]
fn ids_are_in_order_and_once() {
    assert!(RULES.is_sorted_by(|a, b| a.id < b.id), "{RULES:?}");
}

#[test]
fn nothing_is_found_where_nothing_was_seen() {
    for outcome in Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Silent) {
        for service in Service::ALL {
            assert_each([(ended(service, outcome), "")]);
        }
    }
    let plain = greeted(Smtp, "220 mail.example.com ESMTP Postfix\r\n");
    assert_eq!(judge(&plain).capacity(), 0);
}

#[test]
fn the_worst_comes_first() {
    let mut row = asked(Smtp, Asked::Ehlo, "250-mail.example\n250 AUTH PLAIN");
    row.received = crate::observation::Received::default();
    let greeting = b"220 mail.example.com ESMTP Exim 4.98.2 Thu, 02 Jan 2025 09:11:12 +0000\r\n";
    row.received.push(greeting, Duration::ZERO);
    row.greeting_len = greeting.len();
    Classifier::builtin().classify(&mut row);
    assert_eq!(
        row.findings.iter().map(tell).collect::<Vec<_>>(),
        [
            "high cleartext_auth: AUTH PLAIN before TLS",
            "medium no_starttls: EHLO without STARTTLS",
            "low clock_skew: 1 h 0 min behind",
            "info version_disclosed: Exim 4.98.2",
        ]
    );
}

#[test]
fn rows_without_a_greeting_are_judged_too() {
    let mut row = ended(Ftps, Outcome::TlsFailed);
    let mut facts = TlsFacts::new(TlsUse::Refused);
    facts.error = Some("alert 40 handshake_failure".into());
    row.tls = Some(Box::new(facts));
    Classifier::builtin().classify(&mut row);
    assert_eq!(row.findings.iter().map(tell).collect::<Vec<_>>(), ["high tls_broken: alert 40 handshake_failure"]);
}

#[test]
fn presence() {
    let mut partial = ended(Smtp, Outcome::Silent);
    partial.received.push(b"220-wait", Duration::ZERO);
    assert_each([
        (ended(Smtp, Outcome::Silent), "low open_but_silent"),
        (partial, ""),
        (greeted(Smtp, "421 4.7.0 mail.example busy\r\n"), "info not_ready: 421 4.7.0 mail.example busy"),
        (greeted(Ftp, "120-\r\n120 in 5 minutes\r\n"), "info not_ready: 120 in 5 minutes"),
        (greeted(Smtp, "451 \r\n"), "info not_ready: 451"),
        (greeted(Smtp, "554 No SMTP service here\r\n"), "info rejects_us: 554 No SMTP service here"),
        (greeted(Ftp, "530 Sorry, too many\r\n"), "info rejects_us: 530 Sorry, too many"),
        (greeted(Ftp, "220 Ready\r\n"), ""),
    ]);
    let long = greeted(Smtp, &format!("554 {}\r\n", "ü".repeat(500)));
    assert_eq!(told(&long), [format!("info rejects_us: 554 {}", "ü".repeat(EXCERPT))]);
}

#[test]
fn passwords_in_clear() {
    let ehlo =
        |service, auth: &str| asked(service, Asked::Ehlo, &format!("250-mail.example\n250-STARTTLS\n250 {auth}"));
    let inside = Dialogue {
        offers: Some(Offers::new(Asked::Ehlo, reply("250-mail.example\n250 STARTTLS"))),
        offers_inside: Some(Offers::new(Asked::Ehlo, reply("250-mail.example\n250 AUTH PLAIN"))),
        ..Dialogue::default()
    };
    let plain_smtps = with_tls(ehlo(Smtps, "AUTH LOGIN"), TlsFacts::new(TlsUse::NotOffered));
    assert_eq!(told(&plain_smtps), ["high cleartext_auth: AUTH LOGIN before TLS", "high plain_on_tls_port"]);
    let only_guess = "before TLS: the password is not sent, but can be guessed at by who listens";
    let guess = format!("medium cleartext_auth: AUTH CRAM-MD5 NTLM {only_guess}");
    assert_eq!(told(&ehlo(Smtp, "AUTH NTLM GSSAPI CRAM-MD5")), [guess]);
    assert_each([
        (ehlo(Smtp, "AUTH LOGIN CRAM-MD5 PLAIN"), "high cleartext_auth: AUTH PLAIN LOGIN before TLS"),
        (ehlo(Submission, "AUTH=XOAUTH2"), "high cleartext_auth: AUTH XOAUTH2 before TLS"),
        (ehlo(Submission, "AUTH GSSAPI EXTERNAL \u{1b}[31mPLAIN?"), ""),
        (ehlo(Smtp, "AUTHENTICATE PLAIN"), ""),
        (talked(Submission, inside), ""),
        (with_tls(ehlo(Smtps, "AUTH PLAIN"), TlsFacts::new(TlsUse::Implicit)), ""),
    ]);
}

/// The port says what is expected of it; what is in clear is for the server to say.
#[test]
fn clear_text_is_where_no_tls_came_first() {
    let ehlo = |service| asked(service, Asked::Ehlo, "250-mail.example\n250 AUTH PLAIN");
    let feat = || asked(Ftp, Asked::Feat, "211-Features:\n MDTM\n211 End");
    let inside = |row| with_tls(row, TlsFacts::new(TlsUse::Implicit));
    assert_each([
        (inside(ehlo(Smtp)), "low tls_on_plain_port"),
        (inside(ehlo(Submission)), "low tls_on_plain_port"),
        (inside(feat()), "low tls_on_plain_port"),
    ]);
    for tls in [TlsUse::Starttls, TlsUse::NotOffered, TlsUse::Refused, TlsUse::Failed] {
        let found = told(&with_tls(ehlo(Smtps), TlsFacts::new(tls)));
        assert_eq!(found, ["high cleartext_auth: AUTH PLAIN before TLS", "high plain_on_tls_port"], "{tls:?}");
    }
}

#[test]
fn mail_without_starttls() {
    assert_each([
        (asked(Smtp, Asked::Ehlo, "250 mail.example"), "medium no_starttls: EHLO without STARTTLS"),
        (asked(Submission, Asked::Ehlo, "250 mail.example"), "high no_starttls: EHLO without STARTTLS"),
        (asked(Smtp, Asked::Helo, "250 mail.example"), "medium no_starttls: HELO only"),
        (
            asked(Smtp, Asked::Ehlo, "250-mail.example\n250-SIZE\n250 XXXXXXXA"),
            "medium no_starttls: EHLO without STARTTLS, and a keyword of X: masked on the way",
        ),
        (asked(Smtp, Asked::Ehlo, "250-mail.example\n250 starttls"), ""),
        (asked(Smtp, Asked::Ehlo, "503 no"), ""),
        (asked(Smtps, Asked::Ehlo, "250 mail.example"), ""),
        (talked(Smtp, Dialogue::default()), ""),
    ]);
}

/// FEAT's answer and AUTH TLS's, where they were asked for.
fn ftp(feat: &str, upgrade: &str) -> Observation {
    let offers = (!feat.is_empty()).then(|| Offers::new(Asked::Feat, reply(feat)));
    talked(Ftp, Dialogue { offers, upgrade: (!upgrade.is_empty()).then(|| reply(upgrade)), ..Dialogue::default() })
}

#[test]
fn ftp_without_auth_tls() {
    let (with, without) = ("211-Features:\n AUTH TLS;TLS-C;SSL;TLS-P;\n211 End", "211-Features:\n MDTM\n211 End");
    assert_each([
        (ftp(without, ""), "medium no_auth_tls: FEAT without AUTH TLS"),
        (ftp("211-Features:\n AUTH GSSAPI\n211 End", ""), "medium no_auth_tls: FEAT without AUTH TLS"),
        (ftp("211 none", ""), "medium no_auth_tls: FEAT without AUTH TLS"),
        (ftp(without, "234 go"), ""),
        (ftp(with, ""), ""),
        (ftp("211-Features:\n auth ssl\n211 End", ""), ""),
        (ftp("530 Please login", ""), ""),
        (ftp("", "530 Please login"), "medium no_auth_tls: AUTH TLS refused: 530 Please login"),
        (ftp("530 Please login", "534 no"), "medium no_auth_tls: AUTH TLS refused: 534 no"),
        (ftp("", "431 later"), ""),
        (ftp(with, "534 no certificate"), "medium starttls_broken: AUTH TLS offered and refused: 534 no certificate"),
        (ftp(with, "431 later"), "medium starttls_broken: AUTH TLS offered and refused: 431 later"),
    ]);
}

#[test]
fn starttls_that_does_not_work() {
    let offers = || Some(Offers::new(Asked::Ehlo, reply("250-mail.example\n250 STARTTLS")));
    let upgraded = |upgrade: &str, tls, legacy| {
        let row = talked(Smtp, Dialogue { offers: offers(), upgrade: Some(reply(upgrade)), ..Dialogue::default() });
        with_tls(row, TlsFacts { error: Some("alert 80".into()), legacy, ..TlsFacts::new(tls) })
    };
    let refused = Some(Legacy::Refused("alert 70".into()));
    let old = Some(Legacy::Accepted { version: Some("TLSv1.0"), cipher: None, group: None });
    let mut wants_certificate = upgraded("220 go", TlsUse::Refused, None);
    wants_certificate.tls.as_mut().unwrap().asks_for_certificate = true;
    let injected = |bytes: &[u8]| talked(Smtp, Dialogue { injected: bytes.to_vec(), ..Dialogue::default() });
    assert_each([
        (wants_certificate, ""),
        (
            upgraded("454 4.7.0 not now", TlsUse::Refused, None),
            "medium starttls_broken: STARTTLS offered and refused: 454 4.7.0 not now",
        ),
        (upgraded("220 go", TlsUse::Refused, refused), "medium starttls_broken: STARTTLS 220, then alert 80"),
        (upgraded("220 go", TlsUse::Failed, None), "medium starttls_broken: STARTTLS 220, then alert 80"),
        (upgraded("220 go", TlsUse::NotOffered, None), "medium starttls_broken: STARTTLS 220, then alert 80"),
        (upgraded("220 go", TlsUse::Failed, old), "medium legacy_tls: TLSv1.0"),
        (upgraded("220 go", TlsUse::Starttls, None), ""),
        (injected(b"\r\n250 ok\r\n"), "high starttls_injection: 250 ok"),
        (injected(b"\r\n \r\n"), "medium starttls_injection: blank lines"),
        (injected(b""), ""),
    ]);
}

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

fn session(version: &'static str, cipher: &str, group: &str) -> TlsFacts {
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

fn certificate() -> Certificate {
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
fn but(change: fn(&mut CertificateVerdict)) -> CertificateVerdict {
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

#[test]
fn data_addresses() {
    let guest = |ip: &str, change: fn(&mut Anonymous)| {
        let mut anonymous = Anonymous { login: reply("230 welcome"), ..Anonymous::default() };
        change(&mut anonymous);
        let mut row = talked(Ftp, Dialogue { anonymous: Some(anonymous), ..Dialogue::default() });
        row.ip = ip.parse().ok();
        row
    };
    let (v4, v6) = ("198.51.100.7", "2001:db8::7");
    let at = |address: &str| vec![address.parse().unwrap()];
    let address: [fn(&mut Anonymous); 3] = [
        |it| it.addresses = ["198.51.100.7:1", "10.0.0.5:40001"].map(|it| it.parse().unwrap()).to_vec(),
        |it| it.addresses = vec!["203.0.113.9:40001".parse().unwrap()],
        |it| it.addresses = vec!["0.0.0.0:40001".parse().unwrap()],
    ];
    for (row, expected) in [
        (guest(v4, |_| {}), ""),
        (guest(v4, address[0]), "medium pasv_private_address: PASV 10.0.0.5:40001"),
        (guest("::ffff:198.51.100.7", address[0]), "medium pasv_private_address: PASV 10.0.0.5:40001"),
        (guest(v4, address[1]), "medium pasv_other_host: PASV 203.0.113.9:40001"),
        (guest(v4, address[2]), "medium pasv_private_address: PASV 0.0.0.0:40001"),
        (guest(v6, address[0]), ""),
        (guest("203.0.113.9", address[1]), ""),
        (guest(v4, |it| it.extended = Some(reply("500 what"))), "low epsv_broken: EPSV refused: 500 what"),
        (guest(v6, |it| it.extended = Some(reply("500 what"))), "medium epsv_broken: EPSV refused: 500 what"),
        (guest(v4, |it| it.extended = Some(reply("229 ok"))), "medium epsv_broken: 229 without a port"),
        (guest(v4, |it| opens(it, true)), ""),
        (guest(v4, |it| opens(it, false)), "medium epsv_broken: port 40002 does not open"),
        // Inside a public address is none that is wrong.
        (guest("10.0.0.9", address[1]), ""),
        (guest("10.0.0.9", address[2]), "medium pasv_private_address: PASV 0.0.0.0:40001"),
        (guest(v4, |it| closed(it, "198.51.100.7:7", None)), "medium pasv_broken: port 7 does not open"),
        (
            guest(v4, |it| closed(it, "198.51.100.7:7", Some(true))),
            "medium pasv_broken: port 7 does not open, though that of EPSV does",
        ),
        (
            guest(v4, |it| closed(it, "198.51.100.7:7", Some(false))),
            "medium epsv_broken: port 40002 does not open, nor does that of PASV",
        ),
        (guest(v4, |it| closed(it, "203.0.113.9:7", None)), "medium pasv_other_host: PASV 203.0.113.9:7"),
    ] {
        let mut found = told(&row);
        let place = found.iter().position(|found| found == "medium anonymous_ftp").expect("a guest was let in");
        found.remove(place);
        assert_eq!(found, if expected.is_empty() { vec![] } else { vec![expected] });
    }
    let turned_away = Anonymous { login: reply("530 no"), addresses: at("10.0.0.5:1"), ..Anonymous::default() };
    assert_each([(talked(Ftp, Dialogue { anonymous: Some(turned_away), ..Dialogue::default() }), "")]);
}

/// PASV's port is closed; EPSV's is as it says, where it was asked for.
fn closed(guest: &mut Anonymous, address: &str, extended: Option<bool>) {
    (guest.addresses, guest.passive_opens) = (vec![address.parse().unwrap()], Some(false));
    if let Some(extended) = extended {
        opens(guest, extended);
    }
}

fn opens(guest: &mut Anonymous, opens: bool) {
    guest.extended = Some(reply("229 Entering Extended Passive Mode (|||40002|)"));
    (guest.extended_port, guest.extended_opens) = (Some(40002), Some(opens));
}
