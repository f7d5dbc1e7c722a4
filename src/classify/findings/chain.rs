//! A certificate chain as rules ask about it. How the observation says it is known here alone.

use std::time::SystemTime;

use crate::observation::{Certificate, CertificateVerdict, KeyKind, Observation, TlsFacts};

/// The chain that a server showed, and what was made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain<'a> {
    facts: &'a TlsFacts,
    /// When it was shown.
    time: SystemTime,
    /// The server's own certificate.
    pub(super) own: &'a Certificate,
}

impl<'a> Chain<'a> {
    /// None where no certificate was shown.
    pub(super) fn of(row: &'a Observation) -> Option<Self> {
        let facts = row.tls.as_deref()?;
        Some(Self { facts, time: row.time, own: facts.chain.first()? })
    }

    /// The server's own certificate cannot be read.
    pub(super) fn is_malformed(self) -> bool {
        self.verdict().malformed
    }

    /// The server did not prove that it holds the key.
    pub(super) fn has_bad_signature(self) -> bool {
        self.verdict().bad_signature
    }

    /// When its validity begins, if that is still to come.
    pub(super) fn begins_later(self) -> Option<SystemTime> {
        self.own.not_before.filter(|begin| *begin > self.time)
    }

    /// When its validity ended, if it has.
    pub(super) fn ended(self) -> Option<SystemTime> {
        self.own.not_after.filter(|end| *end < self.time)
    }

    /// It is signed by itself and is none of the roots.
    pub(super) fn is_self_signed(self) -> bool {
        let verdict = self.verdict();
        verdict.self_signed && !verdict.trusted
    }

    /// No chain leads to a root, and it is not signed by itself.
    pub(super) fn is_untrusted(self) -> bool {
        let verdict = self.verdict();
        !verdict.trusted && !verdict.self_signed && !verdict.malformed
    }

    /// It is for other names than the one that the endpoint was reached by.
    pub(super) fn is_for_other_names(self) -> bool {
        self.verdict().name_matches == Some(false)
    }

    /// Without one nothing is held against the chain.
    fn verdict(self) -> CertificateVerdict {
        self.facts.verdict.unwrap_or(CertificateVerdict { trusted: true, ..CertificateVerdict::default() })
    }

    /// The server's own certificate and the intermediates: what a client has to rely on, which is not a root's signature
    /// or key, for the client has its own copy of that.
    pub(super) fn relied_on(self) -> impl Iterator<Item = &'a Certificate> {
        let above = self.facts.chain.iter().skip(1).map(|certificate| &**certificate);
        std::iter::once(self.own).chain(above.filter(|certificate| !is_self_issued(certificate)))
    }

    /// Those of [`Chain::relied_on`] whose signature somebody relies on: not that of a certificate by itself.
    pub(super) fn signed_by_others(self) -> impl Iterator<Item = &'a Certificate> {
        self.relied_on().filter(|certificate| !is_self_issued(certificate))
    }
}

/// The kind and the size of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// The bits of the modulus.
    Rsa(u32),
    /// The bits of the prime.
    Dsa(u32),
    /// The bits of the curve's field.
    Ec(u32),
}

/// None where the kind or the size is not known, or cannot be too small.
pub(super) fn strength(certificate: &Certificate) -> Option<Strength> {
    let key = certificate.key.as_ref()?;
    match key.kind {
        KeyKind::Rsa => Some(Strength::Rsa(key.bits?)),
        KeyKind::Dsa => Some(Strength::Dsa(key.bits?)),
        KeyKind::Ec => Some(Strength::Ec(key.bits?)),
        KeyKind::Ed25519 | KeyKind::Ed448 | KeyKind::Other => None,
    }
}

/// The key as it is shown.
pub(super) fn key_text(certificate: &Certificate) -> &str {
    certificate.key.as_ref().map_or("", |key| &key.text)
}

fn is_self_issued(certificate: &Certificate) -> bool {
    certificate.subject.is_some() && certificate.subject == certificate.issuer
}
