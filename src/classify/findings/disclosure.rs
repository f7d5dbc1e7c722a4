//! What a server tells everybody of itself that only its owner need know.
//!
//! An address is believed only where it cannot be anything else: versions look like addresses (`10.0.0.2`). Our own
//! address, as the server sees it, is no disclosure, but the observation does not know it: what follows the server's
//! name in the answer to EHLO (RFC 5321 §4.1.1.1), or words such as `from`, is about us and is passed over.

use std::net::{IpAddr, Ipv6Addr};

use super::Seen;
use super::inside::{is_inside, is_inside_name};
use crate::classify::hostname;
use crate::classify::text::{code, decode};
use crate::observation::{Asked, Observation, Offers, Outcome};

/// How many addresses and names a detail shows.
const SHOWN: usize = 3;

/// After these a bare address is one. After any other word it may be that product's version.
const INTRODUCES: [&str; 12] =
    ["at", "on", "is", "of", "ip", "ipv4", "ipv6", "address", "addr", "host", "hostname", "interface"];

/// After these it is a version, in whatever brackets.
const VERSION: [&str; 6] = ["version", "ver", "v", "release", "rev", "build"];

/// After these a line is about us.
const ABOUT_US: [&str; 7] = ["from", "hello", "helo", "greetings", "your", "you", "client"];

/// The version is named: information that helps whoever knows its holes, and the auditor.
pub(super) fn version(row: &Observation) -> Option<Seen> {
    let software = row.software.as_deref()?;
    Some(Seen::that(format!("{} {}", software.name, software.version.as_deref()?)))
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
        let may_be_address = |pair: &[u8]| matches!(pair, [b'0'..=b'9', b'.' | b':'] | [b':', b':']);
        if !bytes.windows(2).any(may_be_address) {
            return;
        }
        for line in decode(bytes).lines() {
            self.line(code(line).and_then(|_| line.get(4..)).unwrap_or(line), place);
        }
    }

    fn line(&mut self, line: &str, place: &str) {
        let mut before = None;
        for word in line.split_ascii_whitespace() {
            let follows = |words: &[&str]| before.as_deref().is_some_and(|before| words.contains(&before));
            if follows(&ABOUT_US) {
                return;
            }
            let is_version = follows(&VERSION);
            let is_introduced = before.is_none() || follows(&INTRODUCES);
            for (index, part) in word.split(['[', ']', '(', ')', '<', '>']).enumerate() {
                let is_enclosed = index > 0;
                if let Some(ip) = address(part).filter(|_| is_introduced || (is_enclosed && !is_version)) {
                    self.address(ip, part, place);
                }
            }
            before = Some(word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase());
        }
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

/// An address as such, as a literal of RFC 5321 §4.1.3, or with a port.
fn address(part: &str) -> Option<IpAddr> {
    let part = part.trim_matches([',', ';', '.', '"', '\'']);
    // Neither a word nor a number alone.
    if !part.contains(['.', ':']) || !part.ends_with(|c: char| c.is_ascii_hexdigit() || c == ':') {
        return None;
    }
    let is_tagged = part.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let part = if is_tagged { &part[5..] } else { part };
    if let Ok(ip) = part.parse::<IpAddr>() {
        return Some(ip).filter(|ip| *ip != IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    }
    let (ip, port) = part.split_once(':')?;
    let is_port = port.is_empty() || port.parse::<u16>().is_ok();
    ip.parse().ok().filter(|_| is_port).map(IpAddr::V4)
}
