//! Fronts that speak for themselves: masked greetings, nginx's own words, and gateways that give their names.

use std::sync::Arc;

use super::replies::{after_greeting, said_at};
use super::{Look, Seen, excerpt, greeted_at};
use crate::classify::signature::{Said, Signature};
use crate::classify::text::{Text, decode};
use crate::observation::{Asked, Dialogue, Grade, Observation, Offers, Outcome};

/// How many characters a greeting has at least after it was masked; a line of a few asterisks is decoration.
const MASKED: usize = 12;

/// A signature that is less sure than this supports what else is seen.
const SURE: u8 = 60;

/// From here on software is named for sure, as in rows and reports.
const NAMED: u8 = 80;

/// A front as sure as this that opens its line speaks for itself, also where the server behind it is told: hosted gateways
/// that say Exim under their own domain.
const OF_ITS_OWN: u8 = 90;

/// Words that a front puts into the greeting of whatever stands behind it, and nobody else into any.
const NOBODY_ELSES: u8 = 98;

/// Mail: nothing but asterisks is left of the greeting, and the digits of its `220`, or EHLO's keywords are made of X.
/// Cisco's PIX and ASA do that (`inspect esmtp`).
pub(super) fn masked_greeting(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    if row.service.is_ftp() || row.outcome != Outcome::Greeted {
        return None;
    }
    if is_masked(row.greeting()) {
        return Some(Seen::said(Grade::Decisive, row.greeting(), greeted_at(row)).of("cisco_asa"));
    }
    let offers = ehlo(row.dialogue.as_deref()?)?;
    let keyword = offers.keywords.iter().find(|keyword| is_overwritten(keyword))?;
    Some(Seen::told(Grade::Decisive, excerpt(keyword), said_at(row, &offers.reply.bytes)).of("cisco_asa"))
}

/// Mail: nginx greets for the server behind it, with `ESMTP ready`. Others may say so too; that and an answer to EHLO
/// which is the bare name, AUTH and STARTTLS is nginx.
pub(super) fn nginx_mail(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    if row.service.is_ftp() || row.outcome != Outcome::Greeted {
        return None;
    }
    let line = row.greeting().strip_prefix(b"220 ")?.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let name = line.strip_suffix(b" ESMTP ready")?;
    if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let grade = match row.dialogue.as_deref().map(|dialogue| (dialogue, ehlo(dialogue))) {
        None | Some((_, None)) => Grade::Weak,
        Some((dialogue, Some(offers))) => grade_of_nginx(row, dialogue, offers, name)?,
    };
    Some(Seen::said(grade, row.greeting(), greeted_at(row)).of("nginx"))
}

/// What the answer to EHLO adds; none where nginx would have answered otherwise.
fn grade_of_nginx(row: &Observation, dialogue: &Dialogue, offers: &Offers, name: &[u8]) -> Option<Grade> {
    if offers.reply.lines().next()?.as_bytes() != name {
        return None;
    }
    let is_auth = |keyword: &String| keyword.starts_with("AUTH ");
    let says_start = dialogue.upgrade.as_ref().is_none_or(|reply| reply.bytes.starts_with(b"220 2.0.0 Start TLS"));
    let says_bye =
        after_greeting(row).filter(|reply| reply.code == 221).all(|reply| reply.bytes.starts_with(b"221 2.0.0 Bye"));
    if !says_start || !says_bye {
        return None;
    }
    match offers.keywords.as_slice() {
        [.., auth, last] if is_auth(auth) && last == "STARTTLS" => Some(Grade::Strong),
        // `starttls only`: AUTH is for later.
        [.., last] if last == "STARTTLS" && dialogue.upgrade.is_some() => Some(Grade::Strong),
        [.., last] if is_auth(last) => Some(Grade::Moderate),
        [_, ..] | [] => None,
    }
}

/// A gateway or a proxy gives its name, in the greeting or in the answer to EHLO.
pub(super) fn named_front(look: &Look<'_>) -> Option<Seen> {
    let Look { row, fronts, .. } = look;
    if row.outcome == Outcome::OtherProtocol || row.greeting().is_empty() {
        return None;
    }
    let of = |words: &[u8], at: Option<std::time::Duration>| {
        let text = Text::read(words);
        let found = fronts.find(Said::Greeting, &text)?;
        let signature = found.signature;
        let is_its_place =
            found.place.start == 0 && signature.confidence >= OF_ITS_OWN || signature.confidence >= NOBODY_ELSES;
        let is_in_doubt = signature.confidence < SURE || (is_another(row, signature) && !is_its_place);
        let grade = if is_in_doubt { Grade::Moderate } else { Grade::Strong };
        let text = decode(words);
        let names = |line: &&str| fronts.best(&Text::read(line.as_bytes())).is_some();
        let line = text.lines().find(names).unwrap_or_default();
        let seen = Seen::told(grade, excerpt(if line.is_empty() { &text } else { line }), at);
        Some(Seen { front: Some(Arc::from(signature.id.as_str())), ..seen })
    };
    of(row.greeting(), greeted_at(row)).or_else(|| {
        let offers = ehlo(row.dialogue.as_deref()?)?;
        let first = offers.reply.bytes.split_inclusive(|byte| *byte == b'\n').next()?;
        of(first, said_at(row, first))
    })
}

/// Whether the software is named, and is another product than the front: that may only speak of it.
fn is_another(row: &Observation, front: &Signature) -> bool {
    let named = row.software.as_deref().filter(|software| software.confidence >= NAMED);
    named.is_some_and(|software| {
        let is_of_maker = software.vendor.is_some() && software.vendor == front.vendor;
        software.name != front.software && !is_of_maker
    })
}

/// What EHLO was granted, if it was.
fn ehlo(dialogue: &Dialogue) -> Option<&Offers> {
    dialogue.offers.as_ref().filter(|offers| offers.asked == Asked::Ehlo && offers.reply.is_positive())
}

/// Only asterisks and what `220` is made of, behind the reply's code.
fn is_masked(greeting: &[u8]) -> bool {
    let Some(text) = greeting.get(4..).map(<[u8]>::trim_ascii) else { return false };
    let is_bare = text.iter().all(|byte| matches!(byte, b'*' | b'2' | b'0' | b' '));
    is_bare && text.iter().filter(|byte| **byte == b'*').nth(MASKED - 1).is_some()
}

/// `XXXXXXXX`, `XXXXXXXA`: a keyword that was not on the list of those let through; as long as the shortest that matters.
pub(in crate::classify) fn is_overwritten(keyword: &str) -> bool {
    keyword.len() >= "STARTTLS".len() && keyword.strip_suffix('A').unwrap_or(keyword).bytes().all(|byte| byte == b'X')
}
