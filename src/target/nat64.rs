//! IPv4 addresses as an IPv6-only network sees them: behind the well-known prefix of NAT64 (RFC 6052 §2.1).
//!
//! There a resolver makes up such an address for every host that has IPv4 alone (DNS64, RFC 6147), so that whoever is
//! not to be reached at the one address is not to be reached at the other. A network may also have a prefix of its own;
//! which one that is cannot be told from an address, and it is not looked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `64:ff9b::`, before the 32 bits of the IPv4 address.
const PREFIX: u128 = 0x0064_ff9b << 96;

/// What an IPv4 address has become, both as numbers.
pub(super) fn translated(number: u128) -> u128 {
    PREFIX | number
}

/// The IPv4 address that an address stands for, if it is such a one.
pub(super) fn behind(ip: Ipv6Addr) -> Option<IpAddr> {
    let number = u32::try_from(u128::from(ip).checked_sub(PREFIX)?).ok()?;
    Some(Ipv4Addr::from(number).into())
}

#[cfg(test)]
mod tests {
    use super::super::parse::to_number;
    use super::*;

    #[test]
    fn the_prefix_has_96_bits() {
        let table = [
            ("64:ff9b::", Some("0.0.0.0")),
            ("64:ff9b::7f00:1", Some("127.0.0.1")),
            ("64:ff9b::ffff:ffff", Some("255.255.255.255")),
            ("64:ff9b::1:0:0", None),
            ("64:ff9b:1::7f00:1", None),
            ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", None),
            ("::7f00:1", None),
            ("ffff::1", None),
        ];
        for (ip, expected) in table {
            let (ip, expected): (Ipv6Addr, Option<IpAddr>) =
                (ip.parse().unwrap(), expected.map(|ip| ip.parse().unwrap()));
            assert_eq!(behind(ip), expected, "{ip}");
            assert!(expected.is_none_or(|v4| translated(to_number(v4)) == u128::from(ip)), "{ip}");
        }
    }
}
