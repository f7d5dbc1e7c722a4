//! What a greeting announces besides a name: a date, and an address.
//!
//! A date is believed only as in mail (RFC 5322 §3.3), down to the second and with its distance from UTC: names of zones
//! other than UTC's own mean different things in different places. An address is believed only where it cannot be anything
//! else: versions look like addresses (`10.0.0.2`), and what follows words such as `from` is about us.

use std::net::{IpAddr, Ipv6Addr};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::text::{code, decode};
use crate::observation::Announced;

/// How far around a time of day the rest of its date is looked for: no date is longer.
const AROUND: usize = 48;

/// An address in a greeting stands near its beginning; further lines are advertisement.
const LINES: usize = 16;

/// After these a bare address is one. After any other word it may be that product's version.
const INTRODUCES: [&str; 12] =
    ["at", "on", "is", "of", "ip", "ipv4", "ipv6", "address", "addr", "host", "hostname", "interface"];

/// After these it is a version, in whatever brackets.
const VERSION: [&str; 6] = ["version", "ver", "v", "release", "rev", "build"];

/// After these a line is about us.
const ABOUT_US: [&str; 7] = ["from", "hello", "helo", "greetings", "your", "you", "client"];

/// What a greeting announces; `version` is the software's, which is no address.
pub(super) fn read(greeting: &[u8], version: Option<&str>) -> Announced {
    let mut announced = Announced::default();
    if let Some((place, date)) = date_in(greeting) {
        (announced.date_at, announced.date) = (place, Some(date.into()));
    }
    if may_name_address(greeting) {
        for line in decode(greeting).lines().take(LINES) {
            addresses(code(line).and_then(|_| line.get(4..)).unwrap_or(line), |ip, part| {
                if version != Some(part) {
                    announced.address.get_or_insert(ip.to_canonical());
                }
            });
        }
    }
    announced
}

/// Whether there can be an address in it: three dots among digits, or colons as times of day do not have them. Most have
/// nothing of the kind, and are not looked at any closer.
pub(super) fn may_name_address(bytes: &[u8]) -> bool {
    let (dots, colons) = bytes.iter().fold((0u32, 0u32), |(dots, colons), byte| {
        (dots + u32::from(*byte == b'.'), colons + u32::from(*byte == b':'))
    });
    if dots < 3 && colons < 2 {
        return false;
    }
    let (mut dots, mut colons, mut before) = (0, 0, 0);
    for &byte in bytes {
        match byte {
            b'0'..=b'9' => {}
            b'.' => dots += 1,
            b':' => colons += if before == b':' { 3 } else { 1 },
            b'a'..=b'f' | b'A'..=b'F' => dots = 0,
            _ => (dots, colons) = (0, 0),
        }
        if dots >= 3 || colons >= 3 {
            return true;
        }
        before = byte;
    }
    false
}

/// Hands on every address in a line that a server says of itself, with the word that it stands in.
pub(super) fn addresses(line: &str, mut take: impl FnMut(IpAddr, &str)) {
    let mut before: Option<&str> = None;
    for word in line.split_ascii_whitespace() {
        let follows =
            |words: &[&str]| before.is_some_and(|before| words.iter().any(|word| word.eq_ignore_ascii_case(before)));
        if follows(&ABOUT_US) {
            return;
        }
        // Neither a word nor a number alone is an address.
        if word.bytes().any(|byte| matches!(byte, b'.' | b':')) {
            let is_version = follows(&VERSION);
            let is_introduced = before.is_none() || follows(&INTRODUCES);
            for (index, part) in word.split(['[', ']', '(', ')', '<', '>']).enumerate() {
                let is_enclosed = index > 0;
                if let Some(ip) = address(part).filter(|_| is_introduced || (is_enclosed && !is_version)) {
                    take(ip, part);
                }
            }
        }
        before = Some(word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    }
}

/// An address as such, as a literal of RFC 5321 §4.1.3, or with a port.
fn address(part: &str) -> Option<IpAddr> {
    let part = part.trim_matches([',', ';', '.', '"', '\'']);
    if !part.bytes().any(|byte| matches!(byte, b'.' | b':'))
        || !part.ends_with(|c: char| c.is_ascii_hexdigit() || c == ':')
    {
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

/// The first date, and where its time of day stands.
fn date_in(greeting: &[u8]) -> Option<(usize, OffsetDateTime)> {
    if !greeting.contains(&b':') {
        return None;
    }
    let is_time = |bytes: &[u8]| match bytes {
        [h1, h2, b':', m1, m2, b':', s1, s2] => [h1, h2, m1, m2, s1, s2].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    let times = greeting.windows("10:11:12".len()).enumerate().filter(|(_, bytes)| is_time(bytes));
    times.map(|(place, _)| place).find_map(|place| Some((place, date_around(greeting, place)?)))
}

/// `2 Jan 2025 10:11:12 +0100`, around the place of its time of day.
fn date_around(greeting: &[u8], place: usize) -> Option<OffsetDateTime> {
    let (before, after) = greeting.split_at_checked(place)?;
    let before = before.get(before.len().saturating_sub(AROUND)..)?;
    let after = after.get(..after.len().min(AROUND))?;
    let mut words = before.rsplit(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let [year, month, day] = [words.next()?, words.next()?, words.next()?].map(|word| str::from_utf8(word).ok());
    let mut words = after.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let [time, zone] = [words.next()?, words.next()?].map(|word| str::from_utf8(word).ok());
    let zone = zone?.trim_end_matches([',', ';', '.']);
    let zone = if matches!(zone, "GMT" | "UTC" | "UT" | "Z") { "+0000" } else { zone };
    if zone.len() != "+0000".len() || !zone.starts_with(['+', '-']) {
        return None;
    }
    // The weekday is left out: it may be in another language.
    let date = format!("{} {} {} {} {zone}", day?.rsplit(',').next()?, month?, year?, time?);
    OffsetDateTime::parse(&date, &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_greetings_are_not_looked_at_for_addresses() {
        for greeting in ["at 10.0.0.2.", "[IPv6:::1]", "[IPv6:2001:db8::4]", "1:2:3:4:5:6:7:8", "x(192.0.2.4:21)"] {
            assert!(may_name_address(greeting.as_bytes()), "{greeting}");
        }
        for greeting in ["220 m ESMTP Exim 4.98.2 Thu, 02 Jan 2025 10:11:12 +0100", "a.b.c.d", "1.2.c.3.4", ""] {
            assert!(!may_name_address(greeting.as_bytes()), "{greeting}");
        }
    }

    #[test]
    fn dates_and_addresses_are_those_of_the_server() {
        for (greeting, version, address, date) in [
            ("220 ProFTPD Server (Default) [192.0.2.4]\r\n", None, Some("192.0.2.4"), None),
            ("220 ProFTPD 1.3.5 Server ready. [::ffff:192.0.2.4]\r\n", Some("1.3.5"), Some("192.0.2.4"), None),
            ("220 [192.0.2.4] ESMTP\r\n", None, Some("192.0.2.4"), None),
            ("220 [IPv6:2001:db8::4] ESMTP\r\n", None, Some("2001:db8::4"), None),
            ("220 bftpd 5.7 at 192.0.2.4 ready.\r\n", Some("5.7"), Some("192.0.2.4"), None),
            ("220 Thing (10.0.0.2) ready\r\n", Some("10.0.0.2"), None, None),
            ("220 Thing 10.0.0.2 ready\r\n", None, None, None),
            ("220 mail; logging access from: [192.0.2.77]\r\n", None, None, None),
            ("220 m ESMTP Exim 4.98 Thu, 02 Jan 2025 10:11:12 +0100\r\n", Some("4.98"), None, Some(1_735_809_072)),
            ("220 m ESMTP Exim 4.98 Thu, 02 Jan 2025 10:11:12 CET\r\n", Some("4.98"), None, None),
        ] {
            let announced = read(greeting.as_bytes(), version);
            assert_eq!(announced.address.map(|ip| ip.to_string()).as_deref(), address, "{greeting:?}");
            let seconds = announced.date.map(|date| date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(seconds, date, "{greeting:?}");
        }
    }
}
