//! Whether TLS is where it should be, and how strong what was negotiated is.
//!
//! What a server would negotiate with others is known only as far as it was asked: once for the best that both know, and
//! at depth `tls` once for the oldest.

use super::{Seen, excerpt};
use crate::observation::{Legacy, Observation, Outcome, Protocol, Service, Severity, TlsFacts, TlsUse};

/// The fewest bits of a finite-field Diffie-Hellman prime that are not weak: RFC 9325 §4.5.
const DH_BITS: u32 = 2048;

/// Below this a prime has been broken by ordinary means, as Logjam did with 512 bits.
const DH_BROKEN_BITS: u32 = 1024;

/// A TLS port where no handshake succeeds: nobody can use it. Plain text there is [`plain_on_tls_port`].
pub(super) fn tls_broken(row: &Observation) -> Option<Seen> {
    if row.outcome != Outcome::TlsFailed || !row.service.is_implicit_tls() {
        return None;
    }
    let facts = row.tls.as_deref().filter(|facts| matches!(facts.tls, TlsUse::Refused | TlsUse::Failed))?;
    (!may_serve(facts)).then(|| facts.error.as_deref().map_or_else(Seen::it, |error| Seen::that(excerpt(error))))
}

/// Whether others may well come to a session where we came to none: who speaks the old version or the weak suite that
/// the server chose (which [`legacy_tls`] and [`weak_cipher`] tell), or has a certificate that it asks for. Nor is it
/// known that nobody does where not everything was tried.
pub(super) fn may_serve(facts: &TlsFacts) -> bool {
    let speaks_old = matches!(facts.legacy, Some(Legacy::Accepted { .. }));
    facts.version.is_some() || speaks_old || facts.asks_for_certificate || facts.incomplete
}

/// A port for TLS from the first byte where a greeting comes in plain text: users believe their passwords safe. A reply
/// that turns us away (421 before the handshake) is not held against the server.
pub(super) fn plain_on_tls_port(row: &Observation) -> Option<Seen> {
    // Where it greets without TLS first it greets in clear, also if it offers TLS later.
    let is_plain = row.tls.as_deref().is_some_and(|facts| facts.tls != TlsUse::Implicit);
    let is_welcome = row.outcome == Outcome::Greeted && row.code.is_some_and(|code| code / 100 == 2);
    (row.service.is_implicit_tls() && is_plain && is_welcome).then(Seen::it)
}

/// TLS from the first byte on a port where clear text comes first.
pub(super) fn tls_on_plain_port(row: &Observation) -> Option<Seen> {
    let is_tls = row.tls.as_deref().is_some_and(|facts| facts.tls == TlsUse::Implicit)
        || (row.outcome == Outcome::OtherProtocol && row.protocol == Some(Protocol::Tls));
    (is_tls && !row.service.is_implicit_tls()).then(Seen::it)
}

/// A version below TLS 1.2, of this session or of one that the server would make: TLS 1.0 and 1.1 (RFC 8996), SSL 3
/// (RFC 7568) and SSL 2 (RFC 6176), which matter more (high). The oldest is told.
pub(super) fn legacy_tls(row: &Observation) -> Option<Seen> {
    let old =
        negotiated(row.tls.as_deref()?).filter_map(|(version, cipher)| Some((age(version?)?, (version?, cipher))));
    let (age, (version, cipher)) = worst(old)?;
    let detail = cipher.map_or_else(|| version.to_owned(), |cipher| format!("{version} with {cipher}"));
    Some(Seen::that(detail).at(if age > TLS_1_0 { Severity::High } else { Severity::Medium }))
}

/// A suite or a group that protects too little. What is broken or protects nothing matters more (high).
pub(super) fn weak_cipher(row: &Observation) -> Option<Seen> {
    let facts = row.tls.as_deref()?;
    let suites = negotiated(facts).filter_map(|(_, cipher)| {
        let (severity, weakness) = weakness(cipher?, row.service)?;
        Some((severity, format!("{}: {weakness}", excerpt(cipher?))))
    });
    let old_group = match &facts.legacy {
        Some(Legacy::Accepted { group, .. }) => group.as_deref(),
        Some(Legacy::Refused(_) | Legacy::Unknown(_)) | None => None,
    };
    let groups = [facts.group.as_deref(), old_group].into_iter().flatten();
    let groups = groups.filter_map(|group| Some((weak_group(group)?, group.to_owned())));
    worst(suites.chain(groups)).map(|(severity, detail)| Seen::that(detail).at(severity))
}

/// Version and suite of the session and of the old hello's answer, as far as known.
fn negotiated(facts: &TlsFacts) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
    let legacy = match &facts.legacy {
        Some(Legacy::Accepted { version, cipher, .. }) => Some((*version, cipher.as_deref())),
        Some(Legacy::Refused(_) | Legacy::Unknown(_)) | None => None,
    };
    [(facts.version, facts.cipher.as_deref())].into_iter().chain(legacy)
}

/// What is worst; of equals the first, which is of the session, before what would be.
fn worst<K: Ord, T>(found: impl Iterator<Item = (K, T)>) -> Option<(K, T)> {
    found.reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
}

/// How [`age`] counts TLS 1.0, the oldest that is not worse than old.
const TLS_1_0: u8 = 2;

/// How old a version below TLS 1.2 is; the more, the older.
fn age(version: &str) -> Option<u8> {
    match version {
        "TLSv1.1" => Some(1),
        "TLSv1.0" | "TLSv1" => Some(TLS_1_0),
        "SSLv3" => Some(3),
        "SSLv2" => Some(4),
        _ => None,
    }
}

/// The worst part of a suite, by its IANA name: RFC 9325 §4.1; RFC 7465 for RC4, RFC 5469 for DES and IDEA. A
/// suite without a certificate matters less on port 25, where no sender checks one (RFC 7435 §3).
fn weakness(suite: &str, service: Service) -> Option<(Severity, &'static str)> {
    // RFC 9150: integrity only.
    if matches!(suite, "TLS_SHA256_SHA256" | "TLS_SHA384_SHA384") {
        return Some((Severity::High, "no encryption"));
    }
    let has = |part: &str| suite.split('_').any(|word| word == part);
    let begins = |part: &str| suite.split('_').any(|word| word.starts_with(part));
    let is_triple = has("3DES") || has("EDE3");
    let found = if has("NULL") {
        (Severity::High, "no encryption")
    } else if has("anon") {
        let is_asked = service != Service::Smtp;
        (if is_asked { Severity::High } else { Severity::Low }, "no proof of who the server is")
    } else if begins("EXPORT") {
        (Severity::High, "a key short enough to be guessed")
    } else if has("RC4") {
        (Severity::High, "RC4")
    } else if has("RC2") {
        (Severity::High, "RC2")
    } else if !is_triple && begins("DES") {
        (Severity::High, "DES")
    } else if is_triple {
        (Severity::Medium, "3DES")
    } else if has("IDEA") {
        (Severity::Medium, "IDEA")
    } else if suite.ends_with("_MD5") {
        (Severity::Medium, "MD5")
    } else {
        return None;
    };
    Some(found)
}

/// `DH 1024` and the like; curves are not judged.
fn weak_group(group: &str) -> Option<Severity> {
    let bits: u32 = group.strip_prefix("DH ")?.parse().ok()?;
    match bits {
        DH_BITS.. => None,
        DH_BROKEN_BITS.. => Some(Severity::Medium),
        _ => Some(Severity::High),
    }
}
