//! What a server tells everybody of itself that only its owner need know.
//!
//! Our own address, as the server sees it, is no disclosure, but the observation does not know it: what follows the
//! server's name in the answer to EHLO (RFC 5321 §4.1.1.1) is about us and is passed over.

use std::net::IpAddr;

use super::Seen;
use super::inside::{is_inside, is_inside_name};
use crate::classify::announced::{addresses, may_name_address};
use crate::classify::hostname;
use crate::classify::text::{code, decode};
use crate::observation::{Asked, Observation, Offers, Outcome};

/// How many addresses and names a detail shows.
const SHOWN: usize = 3;

/// The version is named: information that helps whoever knows its holes, and the auditor.
pub(super) fn version(row: &Observation) -> Option<Seen> {
    let software = row.software.as_deref()?;
    Some(Seen::that([&software.name, " ", software.version.as_deref()?].concat()))
}

/// A private, loopback or link-local address, or a name of a private network, in what the server says. Where the
/// address dialled is such itself, we are inside, and nothing is disclosed; so nothing is told of a lab on loopback.
pub(super) fn inside_address(row: &Observation) -> Option<Seen> {
    row.ip.filter(|ip| !is_inside(*ip))?;
    let mut told = Told { shown: Vec::new(), version: row.software.as_deref().and_then(|it| it.version.as_deref()) };
    if row.outcome != Outcome::OtherProtocol {
        told.name(row.hostname.as_deref().unwrap_or_default(), "the greeting");
        told.lines(row.greeting(), "the greeting");
    }
    if let Some(dialogue) = row.dialogue.as_deref() {
        for offers in [&dialogue.offers, &dialogue.offers_inside].into_iter().flatten() {
            told.offers(offers);
        }
        let upgrade = if row.service.is_ftp() { "AUTH TLS" } else { "STARTTLS" };
        let login = dialogue.anonymous.as_ref().map(|guest| &guest.login);
        for (reply, place) in
            [(dialogue.system.as_ref(), "SYST"), (dialogue.upgrade.as_ref(), upgrade), (login, "the login")]
        {
            told.lines(reply.map_or(&[], |reply| &reply.bytes), place);
        }
        told.lines(&dialogue.unasked, "an unasked reply");
    }
    (!told.shown.is_empty()).then(|| Seen::that(told.shown.join(", ")))
}

/// What was found, each once, with the place where it was first said.
struct Told<'a> {
    shown: Vec<String>,
    /// The version that is known of the software, which is no address.
    version: Option<&'a str>,
}

impl Told<'_> {
    /// Of EHLO's and HELO's first line the first word is the server's; the rest of it is about us.
    fn offers(&mut self, offers: &Offers) {
        let place = offers.asked.as_str();
        match offers.asked {
            Asked::Feat => self.lines(&offers.reply.bytes, place),
            Asked::Ehlo | Asked::Helo if offers.reply.is_positive() => {
                let line = offers.reply.lines().next().unwrap_or_default();
                let word = line.split_ascii_whitespace().next().unwrap_or_default();
                self.name(word, place);
                self.line(word, place);
            }
            Asked::Ehlo | Asked::Helo => {}
        }
    }

    fn name(&mut self, name: &str, place: &str) {
        if is_inside_name(name) && hostname::accept(name).is_some() {
            self.show(name, place);
        }
    }

    fn lines(&mut self, bytes: &[u8], place: &str) {
        // Most have nothing of the kind, and are not looked at any closer.
        if !may_name_address(bytes) {
            return;
        }
        for line in decode(bytes).lines() {
            self.line(code(line).and_then(|_| line.get(4..)).unwrap_or(line), place);
        }
    }

    fn line(&mut self, line: &str, place: &str) {
        addresses(line, |ip, part| self.address(ip, part, place));
    }

    fn address(&mut self, ip: IpAddr, part: &str, place: &str) {
        if is_inside(ip) && self.version.is_none_or(|version| version != part) {
            self.show(&ip.to_canonical().to_string(), place);
        }
    }

    fn show(&mut self, what: &str, place: &str) {
        let is_new = !self.shown.iter().any(|shown| shown.split(' ').next() == Some(what));
        if is_new && self.shown.len() < SHOWN {
            self.shown.push(format!("{what} in {place}"));
        }
    }
}
