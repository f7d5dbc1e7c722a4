//! Names that do not belong together, and TLS that ends before the server.
//!
//! Names of the same last two labels are taken for one operator's, and so too much is taken for related rather than too
//! little: `example.co.uk` and `example.org.uk` are not, but `a.co.uk` and `b.co.uk` pass for it.

use std::borrow::Cow;

use super::replies::said_at;
use super::{Look, Seen, excerpt};
use crate::classify::findings::inside::is_inside_name;
use crate::observation::{Asked, Grade, Observation, Offers, Outcome, TlsUse};

/// The greeting, the answer to EHLO, the PTR and the certificate name hosts that have nothing to do with each other: TLS
/// ends elsewhere, or a host has many names.
pub(super) fn identity_mismatch(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    // Nothing but the greeting names it.
    let is_alone = row.dialogue.is_none() && row.tls.is_none() && row.ptr.is_empty();
    if row.outcome != Outcome::Greeted || is_alone {
        return None;
    }
    let (name, place) = match (row.hostname.as_deref().and_then(qualified), ehlo_name(row)) {
        (Some(name), _) => (Cow::Borrowed(name), "the greeting"),
        (None, Some(name)) => (name, "EHLO"),
        (None, None) => return None,
    };
    let mut others = Vec::new();
    if let Some(ehlo) = ehlo_name(row).filter(|ehlo| !are_related(ehlo, &name)) {
        others.push(format!("{ehlo} in EHLO"));
    }
    let ptr: Vec<_> = row.ptr.iter().filter_map(|ptr| qualified(ptr)).collect();
    others.extend(unrelated(&ptr, &name).map(|ptr| format!("{ptr} by PTR")));
    let certified = certified(row);
    others.extend(unrelated(&certified, &name).map(|certified| format!("{certified} by certificate")));
    if others.is_empty() {
        return None;
    }
    let told = format!("{name} in {place}, {}", others.join(", "));
    Some(Seen::told(Grade::Weak, excerpt(&told), None))
}

/// TLS from the first byte, and a server inside that seems not to know of it. Mail: it offers STARTTLS, and the
/// certificate is not its own; one without the other is less. FTP servers with TLS of their own list AUTH TLS inside it
/// as well; they list PBSZ and PROT with it, and a server that knows nothing of TLS has none of these.
pub(super) fn tls_ends_elsewhere(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    row.tls.as_deref().filter(|facts| facts.tls == TlsUse::Implicit)?;
    let offers = row.dialogue.as_deref()?.offers.as_ref().filter(|offers| offers.reply.is_positive())?;
    let (grade, told) = match offers.asked {
        Asked::Ehlo if offers.has("STARTTLS") && !is_courier(offers) => {
            let grade = if has_foreign_certificate(row) { Grade::Strong } else { Grade::Moderate };
            (grade, "STARTTLS inside TLS")
        }
        Asked::Feat if offers.has("AUTH") => {
            has_foreign_certificate(row).then_some((Grade::Weak, "AUTH TLS inside TLS"))?
        }
        Asked::Feat if !offers.keywords.is_empty() && !offers.has("PBSZ") && !offers.has("PROT") => {
            (Grade::Moderate, "FEAT inside TLS without AUTH, PBSZ and PROT")
        }
        Asked::Ehlo | Asked::Helo | Asked::Feat => return None,
    };
    Some(Seen::told(grade, told, said_at(row, &offers.reply.bytes)))
}

/// Courier offers STARTTLS whether it is inside TLS or not.
fn is_courier(offers: &Offers) -> bool {
    offers.keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case("XVERP=Courier"))
}

fn has_foreign_certificate(row: &Observation) -> bool {
    let certified = certified(row);
    let name = row.hostname.as_deref().and_then(qualified).map(Cow::Borrowed).or_else(|| ehlo_name(row));
    name.is_some_and(|name| unrelated(&certified, &name).is_some())
}

/// One of the names, where there are any and none has to do with `name`.
fn unrelated<'a>(names: &[&'a str], name: &str) -> Option<&'a str> {
    names.first().copied().filter(|_| !names.iter().any(|it| are_related(it, name)))
}

/// The name that the server gives itself in its answer to EHLO (RFC 5321 §4.1.1.1).
fn ehlo_name(row: &Observation) -> Option<Cow<'_, str>> {
    let offers = row.dialogue.as_deref()?.offers.as_ref().filter(|offers| offers.asked != Asked::Feat)?;
    let line = offers.reply.is_positive().then(|| offers.reply.lines().next())??;
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    qualified(word).map(|word| Cow::Owned(word.to_owned()))
}

/// The host names in the server's certificate.
fn certified(row: &Observation) -> Vec<&str> {
    let own = row.tls.as_deref().and_then(|facts| facts.chain.first());
    let names = own.map_or(&[][..], |own| &own.names);
    names.iter().filter_map(|name| qualified(name.strip_prefix("*.").unwrap_or(name))).collect()
}

/// A name with a domain that is somebody's on the Internet: not `localhost.localdomain`, not an address, not `mail`.
fn qualified(name: &str) -> Option<&str> {
    let name = name.trim_end_matches('.');
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let (host, top) = name.rsplit_once('.')?;
    let is_domain =
        host.split('.').all(is_label) && top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_placeholder = is_inside_name(name) || name.to_ascii_lowercase().starts_with("localhost.");
    (is_domain && !is_placeholder).then_some(name)
}

fn are_related(one: &str, other: &str) -> bool {
    domain(one).eq_ignore_ascii_case(domain(other))
}

/// The last two labels.
fn domain(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    name.rmatch_indices('.').nth(1).map_or(name, |(dot, _)| &name[dot + 1..])
}
