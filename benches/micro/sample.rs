//! Rows as scans write them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hailer::observation::{Certificate, CertificateVerdict, Key, KeyKind, Software, TlsFacts, TlsUse};
use hailer::{Observation, Outcome, Service};

/// A mail server in clear text, named.
pub(crate) fn plain() -> Observation {
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_753_600_000_123_456);
    let mut row = Observation::new(time, "192.0.2.25".parse().ok(), 25, Service::Smtp, Outcome::Greeted);
    row.connect = Some(Duration::from_micros(12_345));
    row.greeting_after = Some(Duration::from_micros(54_321));
    row.code = Some(220);
    row.received.push(b"220 mail.example.com ESMTP Postfix (Debian/GNU)\r\n", Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    row.hostname = Some("mail.example.com".into());
    row.software = Some(Box::new(Software {
        name: "Postfix".into(),
        version: None,
        vendor: Some("Wietse Venema".into()),
        device: None,
        os: Some("Debian".into()),
        cpe: Some("cpe:2.3:a:postfix:postfix:*:*:*:*:*:*:*:*".into()),
        confidence: 90,
    }));
    row.banner_hash = Some([0x5a; 32]);
    row.attempts = 1;
    row
}

/// The same behind TLS with a chain of two certificates.
pub(crate) fn in_tls() -> Observation {
    let mut row = plain();
    let certificate = Certificate {
        subject: Some("CN=mail.example.com".into()),
        issuer: Some("CN=R11,O=Let's Encrypt,C=US".into()),
        names: vec!["mail.example.com".into(), "smtp.example.com".into()],
        not_before: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000)),
        not_after: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_757_776_000)),
        names_left_out: 0,
        key: Some(Key { kind: KeyKind::Rsa, bits: Some(2048), text: "RSA 2048".into() }),
        signature: Some("sha256WithRSAEncryption".into()),
        sha256: [0xa5; 32],
    };
    row.tls_handshake = Some(Duration::from_micros(33_333));
    row.tls = Some(Box::new(TlsFacts {
        alert: None,
        asks_for_certificate: false,
        incomplete: false,
        chain_left_out: 0,
        legacy: None,
        tls: TlsUse::Implicit,
        version: Some("TLSv1.3"),
        cipher: Some("TLS_AES_256_GCM_SHA384".into()),
        group: Some("X25519".into()),
        error: None,
        chain: [certificate.clone(), certificate].map(Arc::new).into(),
        verdict: Some(CertificateVerdict { trusted: true, ..CertificateVerdict::default() }),
    }));
    row
}
