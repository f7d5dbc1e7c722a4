//! Certificates: in date, in order, for the right name, and strong enough. Several findings may hold at once.
//!
//! On port 25 TLS is opportunistic (RFC 7435): servers deliver whatever the certificate is, so that what is wrong with it
//! matters less there than where a user's program asks. Dates are compared with our own clock.

use std::time::{Duration, SystemTime};

use super::chain::{Chain, Strength, key_text, strength};
use super::clock::utc;
use super::{Seen, excerpt};
use crate::observation::{Certificate, Observation, Service, Severity};

/// How long before its end a certificate should have been renewed; those of ninety days are at two thirds of their time.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The fewest bits of RSA (RFC 9325 §4.5) and DSA (NIST SP 800-131A §3) that are not weak.
const MODULUS_BITS: u32 = 2048;

/// The fewest bits of a curve that are not weak: RFC 9325 §4.5.
const CURVE_BITS: u32 = 224;

/// How many names of a certificate a detail shows.
const NAMES: usize = 3;

pub(super) fn malformed(row: &Observation) -> Option<Seen> {
    Chain::of(row).filter(|chain| chain.is_malformed()).map(|_| Seen::it())
}

pub(super) fn bad_signature(row: &Observation) -> Option<Seen> {
    Chain::of(row).filter(|chain| chain.has_bad_signature()).map(|_| Seen::it())
}

pub(super) fn not_yet_valid(row: &Observation) -> Option<Seen> {
    let begin = Chain::of(row)?.begins_later()?;
    Some(Seen::that(format!("begins {}", day(begin))).at(demanded(row, Severity::High, Severity::Medium)))
}

pub(super) fn expired(row: &Observation) -> Option<Seen> {
    let end = Chain::of(row)?.ended()?;
    Some(Seen::that(format!("ended {}", day(end))).at(demanded(row, Severity::High, Severity::Medium)))
}

pub(super) fn expires_soon(row: &Observation) -> Option<Seen> {
    let end = Chain::of(row)?.own.not_after?;
    // None where it has ended.
    let left = end.duration_since(row.time).ok().filter(|left| *left <= RENEWAL)?;
    let days = left.as_secs() / (24 * 60 * 60);
    Some(Seen::that(format!("ends {}, in {days} days", day(end))))
}

pub(super) fn self_signed(row: &Observation) -> Option<Seen> {
    let chain = Chain::of(row).filter(|chain| chain.is_self_signed())?;
    let detail = chain.own.subject.as_deref().map_or_else(Seen::it, |subject| Seen::that(excerpt(subject)));
    Some(detail.at(demanded(row, Severity::Medium, Severity::Low)))
}

pub(super) fn untrusted(row: &Observation) -> Option<Seen> {
    let chain = Chain::of(row).filter(|chain| chain.is_untrusted())?;
    let issuer = chain.own.issuer.as_deref();
    let detail = issuer.map_or_else(Seen::it, |issuer| Seen::that(format!("issued by {}", excerpt(issuer))));
    Some(detail.at(demanded(row, Severity::Medium, Severity::Low)))
}

pub(super) fn name_mismatch(row: &Observation) -> Option<Seen> {
    let chain = Chain::of(row).filter(|chain| chain.is_for_other_names())?;
    let names = &chain.own.names;
    let shown: Vec<_> = names.iter().take(NAMES).map(|name| excerpt(name)).collect();
    let detail = match names.len().saturating_sub(NAMES) {
        _ if shown.is_empty() => "for no name".to_owned(),
        0 => format!("for {}", shown.join(", ")),
        more => format!("for {} and {more} more", shown.join(", ")),
    };
    Some(Seen::that(detail).at(demanded(row, Severity::Medium, Severity::Low)))
}

/// The server's own key, or an intermediate's, is too short.
pub(super) fn weak_key(row: &Observation) -> Option<Seen> {
    let chain = Chain::of(row)?;
    let is_weak = |certificate: &&Certificate| match strength(certificate) {
        Some(Strength::Rsa(bits) | Strength::Dsa(bits)) => bits < MODULUS_BITS,
        Some(Strength::Ec(bits)) => bits < CURVE_BITS,
        None => false,
    };
    let weak = chain.relied_on().find(is_weak)?;
    Some(about(chain, weak, key_text(weak)))
}

/// The server's own certificate, or an intermediate's, is signed over MD2, MD5 or SHA-1.
pub(super) fn weak_signature(row: &Observation) -> Option<Seen> {
    let chain = Chain::of(row)?;
    let weak = chain.signed_by_others().find(|certificate| certificate.has_weak_signature())?;
    Some(about(chain, weak, weak.signature.as_deref().unwrap_or_default()))
}

/// What is wrong with a certificate, and which it is if not the server's own.
fn about(chain: Chain<'_>, certificate: &Certificate, what: &str) -> Seen {
    let is_own = std::ptr::eq(certificate, chain.own);
    let subject = certificate.subject.as_deref().filter(|_| !is_own);
    Seen::that(subject.map_or_else(|| what.to_owned(), |subject| format!("{}: {what}", excerpt(subject))))
}

/// How much it matters where a certificate is asked for, and where none is (RFC 7435).
fn demanded(row: &Observation, asked: Severity, opportunistic: Severity) -> Severity {
    match row.service {
        Service::Smtp => opportunistic,
        Service::Ftp | Service::Ftps | Service::Submission | Service::Smtps => asked,
    }
}

/// RFC 3339's full-date, in UTC.
fn day(time: SystemTime) -> String {
    utc(time).map_or_else(|| "beyond the calendar".to_owned(), |time| time.date().to_string())
}
