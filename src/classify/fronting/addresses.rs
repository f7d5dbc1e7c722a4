//! Addresses: the one that a server sees us at, and the one that it takes for its own.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::replies::said_at;
use super::{Look, Seen, excerpt, greeted_at};
use crate::classify::findings::inside::is_inside;
use crate::classify::text::decode;
use crate::observation::{Asked, Grade, Observation, Outcome};

/// What a host file calls the host itself: Debian's second loopback address, and the first.
const OF_HOST_FILES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 1, 1), Ipv4Addr::LOCALHOST];

/// How much of a line is read: as long as a reply's may be (RFC 5321 §4.5.3.1.5).
const MAX_LINE: usize = 512;

/// The address that a mail server says we come from, in its answer to EHLO or in a greeting that tells what it logs.
pub(in crate::classify) fn seen_as(row: &Observation) -> Option<IpAddr> {
    told_of_us(row).map(|told| told.address)
}

/// The server sees us at an address that is not ours: whoever has that one passes us on. What is ours is said by the user,
/// or else seen by most servers, which is less sure: they do not know from where a machine of several addresses connected.
/// The address of our own socket is ours in any case; it alone is no measure, for behind a NAT nobody sees us there.
pub(super) fn foreign_client_address(look: &Look<'_>) -> Option<Seen> {
    let Look { row, vantage, .. } = look;
    let seen = row.seen_as?.to_canonical();
    let own = row.dialogue.as_deref().and_then(|dialogue| dialogue.our_address).map(|own| own.to_canonical());
    if own == Some(seen) {
        return None;
    }
    let measures = if vantage.ours.is_empty() {
        let usual = vantage.usual.or_else(|| own.filter(|own| !is_inside(*own)));
        Cow::Owned(usual.into_iter().collect())
    } else {
        Cow::Borrowed(&vantage.ours)
    };
    let mut same_family = measures.iter().map(IpAddr::to_canonical).filter(|it| it.is_ipv4() == seen.is_ipv4());
    let measure = same_family.clone().next()?;
    // A neighbour sees the address that we have inside; whether it does is not known.
    let may_be_socket = own.is_none() && is_inside(seen) && !is_inside(measure);
    let is_ours = same_family.any(|ours| ours == seen) || may_be_socket;
    let told = told_of_us(row).filter(|_| !is_ours)?;
    let grade = if vantage.ours.is_empty() { Grade::Strong } else { Grade::Decisive };
    Some(Seen::told(grade, excerpt(&told.line), told.at))
}

/// The server names another port or address than the one dialled: Pure-FTPd its port, ProFTPD its address, any FTP server
/// one for data, a mail server an address literal in place of its name.
pub(super) fn other_port_named(look: &Look<'_>) -> Option<Seen> {
    let row = look.row;
    if row.outcome != Outcome::Greeted {
        return None;
    }
    let dialled = row.ip?.to_canonical();
    if row.service.is_ftp() {
        // A port stands behind a colon, an address in brackets.
        if row.greeting().iter().any(|byte| matches!(byte, b':' | b'[')) {
            let greeting = decode(row.greeting());
            if let Some(line) = greeting.lines().find(|line| names_other(line, row.port, dialled, row)) {
                return Some(Seen::told(Grade::Decisive, excerpt(line), greeted_at(row)));
            }
        }
        let guest = row.dialogue.as_deref().and_then(|dialogue| dialogue.anonymous.as_ref())?;
        let other = guest.addresses.iter().find(|address| is_other(IpAddr::V4(*address.ip()), dialled))?;
        return Some(Seen::told(Grade::Decisive, format!("PASV {other}"), None));
    }
    let literal = row.hostname.as_deref().and_then(bracketed).filter(|named| is_other(*named, dialled))?;
    Some(Seen::told(Grade::Decisive, format!("[{literal}]"), greeted_at(row)))
}

/// What a server told of us.
struct Told<'a> {
    address: IpAddr,
    line: Cow<'a, str>,
    at: Option<Duration>,
}

fn told_of_us(row: &Observation) -> Option<Told<'_>> {
    if row.service.is_ftp() || row.outcome != Outcome::Greeted {
        return None;
    }
    told_in_ehlo(row).or_else(|| told_in_greeting(row))
}

/// `250-mail.example Hello client.example [192.0.2.1]`: behind the server's own name. We may have called ourselves by an
/// address literal, which some repeat; the last one is what they see.
fn told_in_ehlo(row: &Observation) -> Option<Told<'_>> {
    let dialogue = row.dialogue.as_deref()?;
    let offers = [&dialogue.offers, &dialogue.offers_inside].into_iter().flatten();
    let mut granted = offers.filter(|offers| offers.asked != Asked::Feat && offers.reply.is_positive());
    granted.find_map(|offers| {
        let line = offers.reply.lines().next()?;
        let (_, about_us) = line.split_once([' ', '\t'])?;
        let address = last_bracketed(about_us)?;
        Some(Told { address, at: said_at(row, &offers.reply.bytes), line })
    })
}

/// Sendmail, where it is told to: `… logging access from: client.example [192.0.2.1]`.
fn told_in_greeting(row: &Observation) -> Option<Told<'_>> {
    let words = b"access from:";
    let greeting = row.greeting();
    let colons = greeting.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at + 1);
    let mut starts = colons.filter_map(|end| end.checked_sub(words.len()));
    let at = starts.find(|at| greeting[*at..*at + words.len()].eq_ignore_ascii_case(words))?;
    let from = decode(greeting.get(at..)?);
    let address = last_bracketed(from.lines().next()?)?;
    Some(Told { address, line: from, at: greeted_at(row) })
}

/// The last address in brackets. Each byte is looked at twice at most, whatever brackets there are.
fn last_bracketed(line: &str) -> Option<IpAddr> {
    let bound = (0..=MAX_LINE.min(line.len())).rfind(|end| line.is_char_boundary(*end)).unwrap_or(0);
    let mut text = &line[..bound];
    while let Some(end) = text.rfind(']') {
        let start = text[..end].rfind('[')?;
        let inner = text[start + 1..].split(']').next().and_then(literal);
        if inner.is_some() {
            return inner;
        }
        text = &text[..start];
    }
    None
}

fn bracketed(word: &str) -> Option<IpAddr> {
    literal(word.strip_prefix('[')?.strip_suffix(']')?)
}

/// `192.0.2.1`, `2001:db8::1` or, as RFC 5321 §4.1.3 has it, `IPv6:2001:db8::1`.
fn literal(inner: &str) -> Option<IpAddr> {
    let is_tagged = inner.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    inner.get(if is_tagged { 5 } else { 0 }..)?.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// A line of an FTP greeting: `Server port: 2121.` or one that ends with `[192.0.2.1]`.
fn names_other(line: &str, port: u16, dialled: IpAddr, row: &Observation) -> bool {
    if let Some((_, rest)) = line.split_once("Server port: ") {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        return digits.parse::<u16>().is_ok_and(|named| named != 0 && named != port);
    }
    let line = line.trim_end().trim_end_matches('.');
    let named = line.rfind('[').and_then(|start| bracketed(&line[start..]));
    let own = row.dialogue.as_deref().and_then(|dialogue| dialogue.our_address);
    named.is_some_and(|named| is_other(named, dialled) && own.is_none_or(|own| own.to_canonical() != named))
}

/// Whether an address that a server gives is another one than the one that was dialled, and can be one at all. A loopback
/// address tells of a host file, unless we are on that host.
fn is_other(named: IpAddr, dialled: IpAddr) -> bool {
    let is_of_host_file = match named {
        IpAddr::V4(ip) => OF_HOST_FILES.contains(&ip),
        IpAddr::V6(ip) => ip.is_loopback(),
    };
    let is_address = !named.is_unspecified() && !named.is_multicast() && !is_of_host_file;
    let can_be = !named.is_loopback() || dialled.is_loopback();
    named != dialled && named.is_ipv4() == dialled.is_ipv4() && is_address && can_be
}
