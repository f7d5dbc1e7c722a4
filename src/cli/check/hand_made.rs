//! Observations as tests need them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hailer::observation::{
    Asked, Certificate, CertificateVerdict, Dialogue, Key, KeyKind, Offers, Reply, TlsFacts, TlsUse,
};
use hailer::{Observation, Outcome, Service};

/// An endpoint of 192.0.2.5 that ended so.
pub(super) fn ended(port: u16, outcome: Outcome) -> Observation {
    let service = match port {
        21 => Service::Ftp,
        990 => Service::Ftps,
        465 => Service::Smtps,
        587 => Service::Submission,
        _ => Service::Smtp,
    };
    Observation::new(SystemTime::UNIX_EPOCH, "192.0.2.5".parse().ok(), port, service, outcome)
}

/// One that greeted with these words; a second word with a dot is its name.
pub(super) fn greeted(port: u16, greeting: &str) -> Observation {
    let mut row = ended(port, Outcome::Greeted);
    row.received.push(greeting.as_bytes(), Duration::from_millis(5));
    row.greeting_len = greeting.len();
    row.code = greeting.get(..3).and_then(|code| code.parse().ok());
    let name = greeting.split_whitespace().nth(1);
    row.hostname = name.filter(|name| name.contains('.') && name.starts_with(char::is_alphabetic)).map(Into::into);
    row
}

/// The same with this answer to EHLO.
pub(super) fn ehlo(mut row: Observation, reply: &str) -> Observation {
    let reply = Reply { code: 250, bytes: reply.into() };
    row.dialogue = Some(Box::new(Dialogue { offers: Some(Offers::new(Asked::Ehlo, reply)), ..Dialogue::default() }));
    row
}

/// The same inside TLS, with a certificate for these names that is good for thirty days.
pub(super) fn certified(mut row: Observation, names: &[&str]) -> Observation {
    let certificate = Certificate {
        subject: names.first().map(|name| format!("CN={name}")),
        issuer: Some("CN=authority".into()),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: Some(SystemTime::UNIX_EPOCH),
        not_after: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(30 * 24 * 60 * 60)),
        key: Some(Key { kind: KeyKind::Rsa, bits: Some(2048), text: "RSA 2048".into() }),
        signature: Some("sha256WithRSAEncryption".into()),
        ..Certificate::default()
    };
    let mut facts = TlsFacts::new(TlsUse::Implicit);
    facts.version = Some("TLSv1.3");
    facts.verdict = Some(CertificateVerdict { trusted: true, ..CertificateVerdict::default() });
    facts.chain = [Arc::new(certificate)].into();
    row.tls = Some(Box::new(facts));
    row
}
