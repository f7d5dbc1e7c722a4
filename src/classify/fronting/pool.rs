//! What shows on more than one connection to a host: several servers behind one address, and a port that nobody serves.

use std::fmt::Write as _;

use super::timing::after_teaser;
use super::{Look, Seen, excerpt};
use crate::classify::text::decode;
use crate::observation::{Grade, Variant};

/// How many of the servers are shown.
const SHOWN: usize = 3;

/// A text must come so often before it is one of several, and no motto that changes.
const AGAIN: u32 = 2;

/// Repeated connections meet different servers. A refusal now and then is no other server, nor is a greeting that is
/// never the same twice. Words alone are weak: one server has several mottos.
pub(super) fn samples_disagree(look: &Look<'_>) -> Option<Seen> {
    let ready = |variant: &&Variant| variant.code.is_some_and(|code| code / 100 == 2);
    let variants: Vec<_> = look.row.variants.iter().filter(ready).collect();
    let pairs = || {
        let behind = |(place, one): (usize, _)| variants.iter().skip(place + 1).map(move |other| (one, other));
        variants.iter().copied().enumerate().flat_map(behind)
    };
    let Some(apart) = pairs().find_map(|(one, other)| apart(one, other)) else {
        let (one, other) = pairs().find_map(|(one, other)| words_apart(one, other))?;
        return Some(Seen::told(Grade::Weak, excerpt(&format!("other words: {one}; {other}")), None));
    };
    let told: Vec<_> = variants.iter().take(SHOWN).map(|variant| tell(variant)).collect();
    let told = format!("{} servers{apart}: {}", variants.len(), told.join("; "));
    Some(Seen::told(Grade::Strong, excerpt(&told), None))
}

/// A port on which nothing should listen takes connections as well: so would any other.
pub(super) fn accepts_everything(look: &Look<'_>) -> Option<Seen> {
    let decoy = look.row.decoy.filter(|decoy| decoy.accepted)?;
    Some(Seen::told(Grade::Strong, format!("port {} accepts as well", decoy.port), None))
}

/// What tells two servers apart, by what each says of itself; what one of them leaves out says nothing. Empty where it is
/// their names, which are shown of each.
fn apart(one: &Variant, other: &Variant) -> Option<String> {
    let differ = |one: Option<&str>, other: Option<&str>| one.zip(other).is_some_and(|(one, other)| one != other);
    if differ(one.hostname.as_deref(), other.hostname.as_deref())
        || differ(one.software.as_deref(), other.software.as_deref())
        || differ(one.version.as_deref(), other.version.as_deref())
    {
        return Some(String::new());
    }
    let certificates = one.cert_sha256.zip(other.cert_sha256).filter(|(one, other)| one != other);
    if let Some((one, other)) = certificates {
        return Some(format!(" by certificates {} and {}", start_of(&one), start_of(&other)));
    }
    // postscreen's own answers to EHLO are others than those of the server behind it.
    let is_visited = after_teaser(&one.banner).is_some() != after_teaser(&other.banner).is_some();
    let word = if is_visited { None } else { offered_by_one(&one.capabilities, &other.capabilities) };
    word.map(|word| format!(" by {word}"))
}

/// A word that one of them offers and the other does not, as far as both granted what was asked: in clear, inside TLS that
/// was begun, and by SYST, each by itself.
fn offered_by_one<'a>(one: &'a [String], other: &'a [String]) -> Option<&'a str> {
    let kind = |item: &str| (item.starts_with("tls:"), item.starts_with("SYST "));
    let is_refusal = |item: &&String| item.contains(" refused: ");
    [(false, false), (true, false), (false, true)].into_iter().find_map(|asked| {
        let of = |items: &'a [String]| items.iter().filter(move |item| kind(item) == asked);
        let is_granted = |items| of(items).next().is_some() && !of(items).any(|item| is_refusal(&item));
        if !is_granted(one) || !is_granted(other) {
            return None;
        }
        let alone = |items, others: &[String]| of(items).find(|item| !others.contains(item));
        alone(one, other).or_else(|| alone(other, one)).map(String::as_str)
    })
}

/// The first lines that differ in more than their digits, of greetings of which each came again.
fn words_apart(one: &Variant, other: &Variant) -> Option<(String, String)> {
    if one.count.min(other.count) < AGAIN || one.banner_hash == other.banner_hash {
        return None;
    }
    let text = |variant: &Variant| decode(after_teaser(&variant.banner).unwrap_or(&variant.banner)).into_owned();
    let (one, other) = (text(one), text(other));
    let words = |line: &str| line.split(|character: char| character.is_ascii_digit()).collect::<String>();
    let (mut ours, mut theirs) = (one.lines(), other.lines());
    let mut pairs = std::iter::from_fn(|| Some((ours.next(), theirs.next())).filter(|pair| *pair != (None, None)));
    let (one, other) = pairs.find(|(one, other)| one.map(words) != other.map(words))?;
    Some((one.unwrap_or_default().trim().to_owned(), other.unwrap_or_default().trim().to_owned()))
}

fn start_of(hash: &[u8; 32]) -> String {
    hash.iter().take(4).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Who one of them is, and how often it was met.
fn tell(variant: &Variant) -> String {
    let banner = decode(&variant.banner);
    let words: Vec<_> = [variant.hostname.as_deref(), variant.software.as_deref(), variant.version.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let words = if words.is_empty() { excerpt(&banner).to_owned() } else { words.join(" ") };
    format!("{words} ({}x)", variant.count)
}
