//! Networks that are not probed, or only when named: `wordlists/reserved.toml`, and what follows from it.
//!
//! "Named" is said of one target, which must lie within the network as a whole: `10.2.3.0/24` names a part of
//! 10.0.0.0/8, and `0.0.0.0/0` does not.
//!
//! A network of IPv4 is reserved behind NAT64 as well, where it has no business (RFC 6052 §3.1). That is another network,
//! to be named as such: `127.0.0.1` is this machine, and `64:ff9b::7f00:1` would be the translator.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;
use serde::Deserialize;

use super::nat64;
use super::parse::{to_address, to_number};

/// When a reserved network is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Never.
    Never,
    /// When a target lies within it.
    WhenNamed,
}

/// A reserved network: a line of the table, or what follows from one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) ipv6: bool,
    pub(super) text: String,
    pub(super) policy: Policy,
    /// Private or loopback: nobody's public address.
    local: bool,
    pub(super) words: String,
    pub(super) rfc: String,
}

impl Network {
    /// Whether it holds all addresses from the first to the last of its family.
    fn holds(&self, first: u128, last: u128) -> bool {
        self.first <= first && last <= self.last
    }

    /// A network of IPv4, as it is behind NAT64.
    fn translated(&self) -> Self {
        let Self { text, policy, local, words, rfc, .. } = self;
        let [first, last] = [self.first, self.last].map(nat64::translated);
        // It is a whole network, so that the bits that differ are the host's.
        let text_there = format!("{}/{}", to_address(first, true), (last - first).leading_zeros());
        let words = format!("{text} behind NAT64: {words}");
        Self { first, last, ipv6: true, text: text_there, policy: *policy, local: *local, words, rfc: rfc.clone() }
    }
}

/// What a reserved network kept from being probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotProbed {
    /// The network, as a CIDR.
    pub network: &'static str,
    /// When it would be probed.
    pub policy: Policy,
    /// What it is for.
    pub words: &'static str,
    /// The RFC that says so, with its section.
    pub rfc: &'static str,
    /// How many addresses of it lie in the targets, are not excluded, and are not probed.
    pub addresses: u128,
}

impl NotProbed {
    pub(super) fn new(network: &'static Network, addresses: u128) -> Self {
        let Network { text, policy, words, rfc, .. } = network;
        Self { network: text, policy: *policy, words, rfc, addresses }
    }
}

impl fmt::Display for NotProbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, policy, words, rfc, addresses: _ } = self;
        match policy {
            Policy::Never => write!(f, "{network} is never probed ({words}, {rfc})"),
            Policy::WhenNamed => {
                write!(f, "{network} is probed only where a target lies within it ({words}, {rfc})")
            }
        }
    }
}

/// The table and what follows from it, IPv4 first, in ascending order, a wider network before what lies within it.
pub(super) fn networks() -> &'static [Network] {
    &NETWORKS
}

static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        never: BTreeMap<IpNet, Line>,
        when_named: BTreeMap<IpNet, Line>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        words: String,
        rfc: String,
        #[serde(default)]
        local: bool,
    }
    let file: File = toml::from_str(include_str!("../../wordlists/reserved.toml")).unwrap_or_else(|e| {
        unreachable!("wordlists/reserved.toml is compiled in and tested: {e}");
    });
    let lines = |policy, lines: BTreeMap<IpNet, Line>| {
        lines.into_iter().map(move |(net, Line { words, rfc, local })| {
            let (first, last) = (to_number(net.network()), to_number(net.broadcast()));
            Network { first, last, ipv6: net.network().is_ipv6(), text: net.to_string(), policy, local, words, rfc }
        })
    };
    let mut networks: Vec<_> =
        lines(Policy::Never, file.never).chain(lines(Policy::WhenNamed, file.when_named)).collect();
    let translated: Vec<_> = networks.iter().filter(|network| !network.ipv6).map(Network::translated).collect();
    networks.extend(translated);
    networks.sort_by_key(|network| (network.ipv6, network.first, std::cmp::Reverse(network.last)));
    networks
});

/// What becomes of a range that the user named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// It is probed.
    Kept(u128, u128),
    /// It is not, for the network of this number in the table. Such pieces may lie in one another.
    Reserved(u128, u128, u32),
}

/// Cuts what is reserved out of a range; the kept pieces come in ascending order.
pub(super) fn cut(first: u128, last: u128, ipv6: bool, mut piece: impl FnMut(Piece)) {
    // The first address that no piece holds yet; none after the end of the address space.
    let mut from = Some(first);
    for (number, network) in (0..).zip(networks()) {
        let apart = network.ipv6 != ipv6 || network.last < first || last < network.first;
        if apart || (network.policy == Policy::WhenNamed && network.holds(first, last)) {
            continue;
        }
        let (cut_first, cut_last) = (network.first.max(first), network.last.min(last));
        if let Some(from) = from.filter(|from| *from < cut_first) {
            piece(Piece::Kept(from, cut_first - 1));
        }
        piece(Piece::Reserved(cut_first, cut_last, number));
        from = from.and_then(|from| Some(from.max(cut_last.checked_add(1)?)));
    }
    if let Some(from) = from.filter(|from| *from <= last) {
        piece(Piece::Kept(from, last));
    }
}

/// The narrowest reserved network that holds an address.
pub(super) fn holding(ip: IpAddr) -> Option<&'static Network> {
    let number = to_number(ip);
    let holding = networks().iter().filter(|network| network.ipv6 == ip.is_ipv6() && network.holds(number, number));
    holding.min_by_key(|network| network.last - network.first)
}

/// How many of the addresses from the first to the last may be public: all but the private and the loopback ones.
pub(super) fn public(first: u128, last: u128, ipv6: bool) -> u128 {
    let local = networks().iter().filter(|network| network.local && network.ipv6 == ipv6);
    let not_public = local.filter_map(|network| {
        let (first, last) = (network.first.max(first), network.last.min(last));
        Some(last.checked_sub(first)?.saturating_add(1))
    });
    (last - first).saturating_add(1) - not_public.sum::<u128>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(net: &str) -> (Vec<String>, Vec<&'static str>) {
        let net: IpNet = net.parse().unwrap();
        let ipv6 = net.network().is_ipv6();
        let (mut kept, mut reserved) = (Vec::new(), Vec::new());
        cut(to_number(net.network()), to_number(net.broadcast()), ipv6, |piece| match piece {
            Piece::Kept(first, last) => {
                kept.push(format!("{}-{}", to_address(first, ipv6), to_address(last, ipv6)));
            }
            Piece::Reserved(_, _, number) => reserved.push(networks()[usize::try_from(number).unwrap()].text.as_str()),
        });
        (kept, reserved)
    }

    #[test]
    fn every_line_is_in_order() {
        let (v4, v6): (Vec<_>, Vec<_>) = networks().iter().partition(|network| !network.ipv6);
        assert_eq!((v4.len(), v6.len()), (16, 15 + 16));
        for (i, network) in networks().iter().enumerate() {
            assert!(network.rfc.starts_with("RFC "), "{network:?}");
            assert!(!network.words.is_empty() && network.words.is_ascii(), "{network:?}");
            for other in networks()[i + 1..].iter().filter(|other| other.ipv6 == network.ipv6) {
                let apart = network.last < other.first;
                let stricter = network.holds(other.first, other.last) && other.policy < network.policy && !other.local;
                assert!(apart || stricter, "{} and {}", network.text, other.text);
            }
        }
        // A network is shown as the file has it, or as it is behind NAT64.
        let file = include_str!("../../wordlists/reserved.toml");
        for Network { text, first, last, ipv6, .. } in networks() {
            let translated = text.starts_with("64:ff9b::");
            assert!(translated || file.contains(&format!("\"{text}\"")), "{text}");
            let net: IpNet = text.parse().unwrap();
            assert_eq!((net.network(), net.broadcast()), (to_address(*first, *ipv6), to_address(*last, *ipv6)));
        }
    }

    #[test]
    fn what_is_reserved_is_reserved_behind_nat64() {
        let (kept, reserved) = pieces("64:ff9b::/96");
        let (v4_kept, v4_reserved) = pieces("0.0.0.0/0");
        assert_eq!((kept.len(), reserved.len()), (v4_kept.len(), v4_reserved.len()));
        assert_eq!(kept[0], "64:ff9b::100:0-64:ff9b::9ff:ffff");
        assert_eq!(reserved[..3], ["64:ff9b::/104", "64:ff9b::a00:0/104", "64:ff9b::6440:0/106"]);
        for net in ["64:ff9b::7f00:1/128", "64:ff9b::a02:300/120", "64:ff9b::808:800/120"] {
            let (kept, reserved) = pieces(net);
            assert_eq!((kept.len(), reserved.len()), (1, 0), "{net}");
        }
        assert_eq!(pieces("64:ff9b::e000:1/128"), (vec![], vec!["64:ff9b::e000:0/100"]), "never is never");
        let loopback = holding("64:ff9b::7f00:1".parse().unwrap()).unwrap();
        assert_eq!(
            NotProbed::new(loopback, 1).to_string(),
            "64:ff9b::7f00:0/104 is probed only where a target lies within it (127.0.0.0/8 behind NAT64: loopback, \
             RFC 1122 §3.2.1.3)"
        );
    }

    #[test]
    fn a_target_within_a_network_names_it() {
        for net in ["127.0.0.0/8", "10.2.3.0/24", "192.0.2.1/32", "2001:db8::/65", "fe80::/10", "8.8.8.0/24"] {
            let (kept, reserved) = pieces(net);
            assert_eq!((kept.len(), reserved.len()), (1, 0), "{net}");
        }
    }

    #[test]
    fn wider_targets_are_cut() {
        let (kept, reserved) = pieces("96.0.0.0/3");
        assert_eq!(reserved, ["100.64.0.0/10", "127.0.0.0/8"]);
        assert_eq!(kept, ["96.0.0.0-100.63.255.255", "100.128.0.0-126.255.255.255"]);
        let (kept, reserved) = pieces("240.0.0.0/4");
        assert_eq!(reserved, ["255.255.255.255/32"], "never is never");
        assert_eq!(kept, ["240.0.0.0-255.255.255.254"]);
        let (kept, reserved) = pieces("ff02::1/128");
        assert_eq!((kept, reserved), (vec![], vec!["ff00::/8"]));
        let (kept, reserved) = pieces("0.0.0.0/0");
        assert_eq!(reserved.len(), 16);
        assert_eq!((kept[0].as_str(), kept.len()), ("1.0.0.0-9.255.255.255", 13));
    }

    #[test]
    fn the_narrowest_network_holds_an_address() {
        let text = |ip: &str| holding(ip.parse().unwrap()).map(|network| network.text.as_str());
        assert_eq!(text("255.255.255.255"), Some("255.255.255.255/32"));
        assert_eq!(text("255.255.255.254"), Some("240.0.0.0/4"));
        assert_eq!(text("::1"), Some("::1/128"));
        assert_eq!(text("8.8.8.8"), None);
    }

    #[test]
    fn public_is_what_is_neither_private_nor_loopback() {
        let table = [
            ("10.0.0.0", "10.255.255.255", 0),
            ("127.0.0.1", "127.0.0.1", 0),
            ("9.255.255.255", "10.0.0.1", 1),
            ("9.255.255.254", "11.0.0.0", 3),
            ("192.0.2.1", "192.0.2.1", 1),
            ("fd00::1", "fd00::2", 0),
            ("2001:db8::1", "2001:db8::1", 1),
            ("::1", "::1", 0),
            ("64:ff9b::9ff:fffe", "64:ff9b::b00:0", 3),
        ];
        for (first, last, count) in table {
            let (first, last): (IpAddr, IpAddr) = (first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(public(to_number(first), to_number(last), first.is_ipv6()), count, "{first}");
        }
    }
}
