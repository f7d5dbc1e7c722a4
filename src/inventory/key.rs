//! What tells one row from another, as bytes that sort: address, port, name, and the domain whose mail exchange that is.
//!
//! Rows come in the order of their addresses, IPv4 first, then those without one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::row::Row;
use crate::output::Column;

const V4: u8 = 0;
const V6: u8 = 1;
const NOWHERE: u8 = 2;

/// With this begins what stands in the place of a name that is not known: `mx:example.com`.
pub(super) const EXCHANGES: &str = "mx:";

/// What tells one row from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) name: Option<String>,
    /// The domain whose mail exchange the name is: there may be several, each with a row.
    pub(super) domain: Option<String>,
}

impl Identity {
    pub(super) fn of(row: &Row) -> Self {
        let name = row.text(Column::Name).map(|name| plain(&name));
        let exchange = row.text(Column::Detail).and_then(|detail| exchange_of(&detail).map(str::to_owned));
        let own = name.as_deref().and_then(|name| name.strip_prefix(EXCHANGES)).map(str::to_owned);
        Self {
            ip: row.ip().map(|ip| ip.to_canonical()),
            port: row.port().unwrap_or_default(),
            domain: own.or_else(|| exchange.filter(|_| row.has_name())),
            name,
        }
    }

    /// Whether it is of a domain whose mail exchanges are not known: no name led to any.
    pub(super) fn is_of_no_exchange(&self) -> bool {
        self.ip.is_none() && self.name.as_deref().is_some_and(|name| name.starts_with(EXCHANGES))
    }

    /// Appends it so that equal ones are equal, and others sort by address and port first.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        push_place(self.ip, self.port, out);
        for text in [&self.name, &self.domain] {
            push_text(text.as_deref().unwrap_or_default(), out);
        }
    }

    /// Takes it off the front of a record.
    pub(super) fn take(from: &mut &[u8]) -> Option<Self> {
        let (ip, port) = take_place(from)?;
        let mut text = || Some(Some(take_text(from)?.to_owned()).filter(|text| !text.is_empty()));
        Some(Self { ip, port, name: text()?, domain: text()? })
    }
}

/// A name as targets have it: rows have neither capitals nor the root's dot, and people who edit them may. Only a name of one
/// label keeps that dot, which is of another target than the name without it.
fn plain(name: &str) -> String {
    let bare = name.trim_end_matches('.');
    let name = if bare.contains('.') { bare } else { name };
    name.to_ascii_lowercase()
}

/// The domain in `MX 10 of example.com`, with whatever follows.
pub(super) fn exchange_of(detail: &str) -> Option<&str> {
    let (preference, rest) = detail.strip_prefix("MX ")?.split_once(" of ")?;
    let is_number = !preference.is_empty() && preference.bytes().all(|byte| byte.is_ascii_digit());
    let domain = rest.split(';').next().unwrap_or_default();
    is_number.then_some(domain).filter(|domain| !domain.is_empty())
}

/// What follows `MX 10 of example.com; `, and all of a detail without that.
pub(super) fn without_exchange(detail: &str) -> Option<&str> {
    if exchange_of(detail).is_none() {
        return Some(detail);
    }
    detail.split_once("; ").map(|(_, rest)| rest)
}

pub(super) fn push_place(ip: Option<IpAddr>, port: u16, out: &mut Vec<u8>) {
    let (kind, number) = match ip {
        Some(IpAddr::V4(ip)) => (V4, u128::from(u32::from(ip))),
        Some(IpAddr::V6(ip)) => (V6, u128::from(ip)),
        None => (NOWHERE, 0),
    };
    out.push(kind);
    out.extend(number.to_be_bytes());
    out.extend(port.to_be_bytes());
}

pub(super) fn take_place(from: &mut &[u8]) -> Option<(Option<IpAddr>, u16)> {
    let [kind] = take_array(from)?;
    let number = u128::from_be_bytes(take_array(from)?);
    let port = u16::from_be_bytes(take_array(from)?);
    let ip = match kind {
        V4 => Some(IpAddr::V4(Ipv4Addr::from(u32::try_from(number).ok()?))),
        V6 => Some(IpAddr::V6(Ipv6Addr::from(number))),
        NOWHERE => None,
        _ => return None,
    };
    Some((ip, port))
}

/// Appends a text behind its length.
pub(super) fn push_text(text: &str, out: &mut Vec<u8>) {
    // A row has 16 MiB at most.
    out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}

pub(super) fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(u32::from_be_bytes(take_array(from)?)).ok()?;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    str::from_utf8(text).ok()
}

pub(super) fn take_array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*array)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mail_exchanges_name_their_domain() {
        for (detail, domain) in [
            ("MX 10 of example.com", Some("example.com")),
            ("MX 0 of example.com; ICMP 3/1", Some("example.com")),
            ("MX of example.com", None),
            ("MX x of example.com", None),
            ("MX 10 of ", None),
            ("connection reset", None),
        ] {
            assert_eq!(exchange_of(detail), domain, "{detail}");
            let rest = if domain.is_none() { Some(detail) } else { detail.split_once("; ").map(|_| "ICMP 3/1") };
            assert_eq!(without_exchange(detail), rest, "{detail}");
        }
    }

    #[test]
    fn names_are_those_of_targets() {
        for (written, name) in [
            ("Mail.Example.COM.", "mail.example.com"),
            ("mail.example.com", "mail.example.com"),
            ("localhost", "localhost"),
            ("Localhost.", "localhost."),
            ("mx:Example.com.", "mx:example.com"),
            ("mx:localhost.", "mx:localhost."),
        ] {
            assert_eq!(plain(written), name);
        }
    }

    fn identity() -> impl Strategy<Value = Identity> {
        let ip = prop_oneof![
            Just(None),
            any::<Ipv4Addr>().prop_map(|ip| Some(IpAddr::V4(ip))),
            any::<Ipv6Addr>().prop_map(|ip| Some(IpAddr::V6(ip)))
        ];
        let text = || prop::option::of("\\PC{1,5}");
        (ip, any::<u16>(), text(), text()).prop_map(|(ip, port, name, domain)| Identity { ip, port, name, domain })
    }

    proptest! {
        #[test]
        fn bytes_tell_the_same(one in identity(), other in identity()) {
            let bytes = |identity: &Identity| {
                let mut bytes = Vec::new();
                identity.push(&mut bytes);
                bytes
            };
            let mut rest = &*bytes(&one);
            prop_assert_eq!(Identity::take(&mut rest), Some(one.clone()));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
            if let (Some(a), Some(b)) = (one.ip, other.ip) && (a, one.port) != (b, other.port) {
                prop_assert_eq!(bytes(&one) < bytes(&other), (a.is_ipv6(), a, one.port) < (b.is_ipv6(), b, other.port));
            }
        }
    }
}
