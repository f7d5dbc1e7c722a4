//! What must hold of certificates whatever a server shows.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;

use super::read::has_checkable_key;
use super::{Anchors, Certificates, MAX_CHAIN, Roots};
use crate::observation::{Certificate, CertificateVerdict};

/// The names that a server may have been reached by.
const NAMES: [Option<&str>; 4] = [None, Some("mail.example.com"), Some("intranet"), Some("192.0.2.1")];

/// What there is to be said of a chain.
pub(crate) type Judged = (Arc<[Arc<Certificate>]>, Option<CertificateVerdict>);

/// A chain: certificates one after the other. Its facts are the same each time.
pub(crate) fn certificate(bytes: &[u8]) -> Vec<Judged> {
    let chain = apart(bytes);
    let public = Certificates::new(Anchors::read(&Roots::Public).expect("they are compiled in"));
    let mut judged = judge(&public, &chain);
    let is_trusted = |(_, verdict): &Judged| verdict.is_some_and(|verdict| verdict.trusted);
    assert!(!judged.iter().any(is_trusted), "nobody but a public authority can make what it has signed");
    if let Ok(anchors) = Anchors::of(chain.get(1..).unwrap_or_default()) {
        judged.extend(judge(&Certificates::new(anchors), &chain));
    }
    judged
}

fn judge(certificates: &Certificates, chain: &[CertificateDer<'static>]) -> Vec<Judged> {
    // 2026, as it was when the seeds were made.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let mut judged = Vec::new();
    for name in NAMES {
        let (facts, verdict) = certificates.judge_at(now, chain, name, false);
        let again = certificates.judge_at(now, chain, name, false);
        assert_eq!((&facts, verdict), (&again.0, again.1), "what is known already is judged alike");
        assert_eq!(facts.len(), chain.len().min(MAX_CHAIN));
        assert_eq!(verdict.is_some(), !chain.is_empty());
        for (certificate, der) in facts.iter().zip(chain) {
            assert!(certificate.names.len() <= 500);
            let is_read = certificate.key.is_some();
            assert!(is_read || !has_checkable_key(der), "what is not read has no key");
            assert!(is_read || (certificate.subject.is_none() && certificate.names.is_empty()));
        }
        judged.push((facts, verdict));
    }
    judged
}

/// Where each ends its own header says, as far as that can be believed.
fn apart(mut bytes: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut chain = Vec::new();
    while !bytes.is_empty() {
        let end = match bytes {
            [_, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
            [_, 0x81, length, ..] => 3 + usize::from(*length),
            [_, length, ..] => 2 + usize::from(*length),
            [_] | [] => 1,
        };
        let (der, rest) = bytes.split_at(end.min(bytes.len()));
        chain.push(der.to_vec().into());
        bytes = rest;
    }
    chain
}
