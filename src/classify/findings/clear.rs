//! What goes over the network in clear, and whether TLS can be begun there: STARTTLS (RFC 3207), AUTH TLS (RFC 4217).
//!
//! FTP begins in clear, and so does a login by USER and PASS: what can be said of it without logging in is whether the
//! server offers AUTH TLS. Whether it demands it is known only after a login, and gives no finding.

use super::tls::may_serve;
use super::{Seen, excerpt};
use crate::classify::fronting::is_overwritten;
use crate::observation::{Asked, Dialogue, Observation, Offers, Reply, Service, Severity, TlsUse};

/// Mechanisms that send the password, or a token that is as good: RFC 4616, RFC 7628, Microsoft's LOGIN, and Google's
/// XOAUTH2.
const SENDS_SECRET: [&str; 5] = ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2", "XOAUTH"];

/// Mechanisms whose answer to a challenge lets the password be guessed at by whoever overheard both: RFC 2195,
/// RFC 6331, RFC 5802 §9, and Microsoft's NTLM. Kerberos and certificates send nothing of the kind.
const LETS_GUESS: [&str; 7] =
    ["CRAM-MD5", "DIGEST-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-SHA1"];

/// Mail: AUTH is offered before TLS. Where no mechanism sends the password itself it matters less (medium).
pub(super) fn cleartext_auth(row: &Observation) -> Option<Seen> {
    let offers = clear_offers(row).filter(|_| !row.service.is_ftp())?;
    let offered = offers.auth();
    let known = |known: &[&'static str]| {
        let words: Vec<_> = known.iter().copied().filter(|word| offered.iter().any(|it| it == word)).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    if let Some(words) = known(&SENDS_SECRET) {
        return Some(Seen::that(format!("AUTH {words} before TLS")));
    }
    let words = known(&LETS_GUESS)?;
    let detail = format!("AUTH {words} before TLS: the password is not sent, but can be guessed at by who listens");
    Some(Seen::that(detail).at(Severity::Medium))
}

/// Mail in clear: the server lists what it can do, and STARTTLS is not among it, or it knows no EHLO. On the
/// submission port it matters more (high): users log in there (RFC 8314 §3).
pub(super) fn no_starttls(row: &Observation) -> Option<Seen> {
    let severity = match row.service {
        Service::Smtp => Severity::Medium,
        Service::Submission => Severity::High,
        Service::Ftp | Service::Ftps | Service::Smtps => return None,
    };
    let offers = clear_offers(row).filter(|offers| offers.reply.is_positive())?;
    let detail = match offers.asked {
        Asked::Ehlo if offers.has("STARTTLS") => return None,
        Asked::Ehlo if offers.keywords.iter().any(|word| is_overwritten(word)) => {
            "EHLO without STARTTLS, and a keyword of X: masked on the way"
        }
        Asked::Ehlo => "EHLO without STARTTLS",
        Asked::Helo => "HELO only",
        Asked::Feat => return None,
    };
    Some(Seen::that(detail).at(severity))
}

/// FTP in clear: AUTH TLS is refused for good, or is not in the list that FEAT gives (RFC 4217 §6). A refusal is a
/// refusal whatever its code: vsftpd without TLS says 530, as to everything before a login. Where FEAT does list it, it
/// is [`starttls_broken`].
pub(super) fn no_auth_tls(row: &Observation) -> Option<Seen> {
    let dialogue = clear_dialogue(row).filter(|_| row.service == Service::Ftp)?;
    if offers_auth_tls(dialogue) {
        return None;
    }
    match &dialogue.upgrade {
        Some(reply) if reply.is_positive() => None,
        Some(reply) if reply.code / 100 == 5 => Some(Seen::that(format!("AUTH TLS refused: {}", said(reply)))),
        Some(_) | None => {
            let offers = dialogue.offers.as_ref()?;
            let is_list = offers.asked == Asked::Feat && offers.reply.is_positive();
            is_list.then(|| Seen::that("FEAT without AUTH TLS"))
        }
    }
}

/// STARTTLS or AUTH TLS is offered and then refused; or it is granted, and no handshake succeeds, for nobody.
pub(super) fn starttls_broken(row: &Observation) -> Option<Seen> {
    let dialogue = row.dialogue.as_deref()?;
    let reply = dialogue.upgrade.as_ref()?;
    let (command, is_offered) = if row.service.is_ftp() {
        ("AUTH TLS", offers_auth_tls(dialogue))
    } else {
        ("STARTTLS", dialogue.offers.as_ref().is_some_and(|offers| offers.has("STARTTLS")))
    };
    if !reply.is_positive() {
        return is_offered.then(|| Seen::that(format!("{command} offered and refused: {}", said(reply))));
    }
    // Going on in plain text is no handshake either.
    let is_without = |tls| matches!(tls, TlsUse::NotOffered | TlsUse::Refused | TlsUse::Failed);
    let facts = row.tls.as_deref().filter(|facts| is_without(facts.tls) && !may_serve(facts))?;
    let error = facts.error.as_deref().unwrap_or("no handshake");
    Some(Seen::that(format!("{command} {}, then {}", reply.code, excerpt(error))))
}

/// Bytes in clear between the answer to STARTTLS or AUTH TLS and the handshake. A client that takes them for words from
/// inside TLS can be told anything by whoever put them there; blank lines tell it nothing, and matter less (medium).
/// Whether the server carries out commands that were sent in clear is not tried.
pub(super) fn starttls_injection(row: &Observation) -> Option<Seen> {
    let injected = &row.dialogue.as_deref()?.injected;
    let text = String::from_utf8_lossy(injected.trim_ascii());
    match (injected.is_empty(), text.is_empty()) {
        (true, _) => None,
        (false, true) => Some(Seen::that("blank lines").at(Severity::Medium)),
        (false, false) => Some(Seen::that(excerpt(&text))),
    }
}

/// What is offered in clear: all that is offered first, unless TLS was there before it, whatever the port is for.
fn clear_offers(row: &Observation) -> Option<&Offers> {
    clear_dialogue(row)?.offers.as_ref()
}

/// A talk that began in clear.
fn clear_dialogue(row: &Observation) -> Option<&Dialogue> {
    let is_inside = row.tls.as_deref().is_some_and(|facts| facts.tls == TlsUse::Implicit);
    row.dialogue.as_deref().filter(|_| !is_inside)
}

/// FEAT lists AUTH with TLS, or with SSL as before RFC 4217: `AUTH TLS`, `AUTH TLS;TLS-C;SSL;TLS-P;`, `AUTH SSL`.
fn offers_auth_tls(dialogue: &Dialogue) -> bool {
    let Some(offers) = dialogue.offers.as_ref().filter(|offers| offers.asked == Asked::Feat) else { return false };
    offers.keywords.iter().any(|line| {
        let mut words = line.split([' ', '\t', ';', ',', '=']).filter(|word| !word.is_empty());
        let is_tls = |word: &str| ["TLS", "TLS-C", "TLS-P", "SSL"].iter().any(|it| it.eq_ignore_ascii_case(word));
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH")) && words.any(is_tls)
    })
}

/// A reply's code and the beginning of its first line.
fn said(reply: &Reply) -> String {
    let line = reply.lines().next().unwrap_or_default();
    format!("{} {}", reply.code, excerpt(&line)).trim_end().to_owned()
}
