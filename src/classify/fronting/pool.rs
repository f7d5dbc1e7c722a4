//! What shows on more than one connection to a host: several servers behind one address, and a port that nobody serves.

use super::{Look, Seen, excerpt};
use crate::observation::{Grade, Variant};

/// How many of the servers are shown.
const SHOWN: usize = 3;

/// Repeated connections meet different servers. A refusal now and then is no other server, nor is a greeting that is
/// never the same twice.
pub(super) fn samples_disagree(look: &Look<'_>) -> Option<Seen> {
    let ready = |variant: &&Variant| variant.code.is_some_and(|code| code / 100 == 2);
    let variants: Vec<_> = look.row.variants.iter().filter(ready).collect();
    let (first, others) = variants.split_first()?;
    let is_other = |other: &&Variant| differ(first, other) || differ_in_text(first, other);
    if !others.iter().any(is_other) {
        return None;
    }
    let told: Vec<_> = variants.iter().take(SHOWN).map(|variant| tell(variant)).collect();
    let told = format!("{} servers: {}", variants.len(), told.join("; "));
    Some(Seen::told(Grade::Strong, excerpt(&told), None))
}

/// A port on which nothing should listen takes connections as well: so would any other.
pub(super) fn accepts_everything(look: &Look<'_>) -> Option<Seen> {
    let decoy = look.row.decoy.filter(|decoy| decoy.accepted)?;
    Some(Seen::told(Grade::Strong, format!("port {} accepts as well", decoy.port), None))
}

/// Two servers, by what each says of itself; what one of them leaves out says nothing.
fn differ(one: &Variant, other: &Variant) -> bool {
    let differ = |one: Option<&str>, other: Option<&str>| one.zip(other).is_some_and(|(one, other)| one != other);
    let certificates = one.cert_sha256.zip(other.cert_sha256);
    differ(one.hostname.as_deref(), other.hostname.as_deref())
        || differ(one.software.as_deref(), other.software.as_deref())
        || differ(one.version.as_deref(), other.version.as_deref())
        || certificates.is_some_and(|(one, other)| one != other)
        || !one.capabilities.is_empty() && !other.capabilities.is_empty() && one.capabilities != other.capabilities
}

/// Different words, of which some came again.
fn differ_in_text(one: &Variant, other: &Variant) -> bool {
    one.banner_hash.zip(other.banner_hash).is_some_and(|(one, other)| one != other) && one.count.max(other.count) > 1
}

/// Who one of them is, and how often it was met.
fn tell(variant: &Variant) -> String {
    let banner = crate::classify::text::decode(&variant.banner);
    let words: Vec<_> = [variant.hostname.as_deref(), variant.software.as_deref(), variant.version.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let words = if words.is_empty() { excerpt(&banner).to_owned() } else { words.join(" ") };
    format!("{words} ({}x)", variant.count)
}
