//! Address space as disjoint spans: overlaps merged by a sweep over their ends, O(n log n) in the targets named.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::ports::{Ports, PortsError};

/// Addresses of one family from the first to the last, both included, each with the same ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) ports: Ports,
}

/// The same endpoints as disjoint spans in ascending order, as few as can be; an address has the ports of every span it
/// is in. On a conflict: the address at which it begins, and what it is.
pub(super) fn disjoint(spans: Vec<Span>) -> Result<Vec<Span>, (u128, PortsError)> {
    // (position, whether it opens, which ports); a span closes one after its last address, and one that ends with the
    // address space never closes.
    let mut ends = Vec::with_capacity(spans.len() * 2);
    for Span { first, last, ports } in spans {
        if let Some(after) = last.checked_add(1) {
            ends.push((after, false, ports.clone()));
        }
        ends.push((first, true, ports));
    }
    ends.sort_by_key(|(at, ..)| *at);

    let mut result: Vec<Span> = Vec::new();
    let mut open: BTreeMap<Ports, usize> = BTreeMap::new();
    let mut ends = ends.into_iter().peekable();
    while let Some((at, opens, ports)) = ends.next() {
        change(&mut open, opens, &ports);
        while let Some((_, opens, ports)) = ends.next_if(|(next, ..)| *next == at) {
            change(&mut open, opens, &ports);
        }
        let mut sets = open.keys();
        let Some(first_set) = sets.next() else { continue };
        let ports = sets.try_fold(first_set.clone(), |all, set| all.union(set)).map_err(|error| (at, error))?;
        let last = ends.peek().map_or(u128::MAX, |(next, ..)| next - 1);
        match result.last_mut() {
            Some(before) if before.last.checked_add(1) == Some(at) && before.ports == ports => before.last = last,
            _ => result.push(Span { first: at, last, ports }),
        }
    }
    Ok(result)
}

fn change(open: &mut BTreeMap<Ports, usize>, opens: bool, ports: &Ports) {
    let count = open.entry(ports.clone()).or_default();
    if opens {
        *count += 1;
    } else if *count > 1 {
        *count -= 1;
    } else {
        open.remove(ports);
    }
}

/// Networks that are nobody's public address: RFC 1918, 6598, 3927, 1122, 4193, 4291.
const NOT_PUBLIC: [IpNet; 9] = [
    v4(Ipv4Addr::new(10, 0, 0, 0), 8),
    v4(Ipv4Addr::new(172, 16, 0, 0), 12),
    v4(Ipv4Addr::new(192, 168, 0, 0), 16),
    v4(Ipv4Addr::new(100, 64, 0, 0), 10),
    v4(Ipv4Addr::new(169, 254, 0, 0), 16),
    v4(Ipv4Addr::new(127, 0, 0, 0), 8),
    v6(0xfc00, 7),
    v6(0xfe80, 10),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

const fn v4(first: Ipv4Addr, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(first, prefix))
}

const fn v6(first: u16, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix))
}

/// Whether any address from the first to the last may be public: all but what lies within one network that is not.
pub(super) fn may_be_public(first: IpAddr, last: IpAddr) -> bool {
    !NOT_PUBLIC.iter().any(|net| net.contains(&first) && net.contains(&last))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn span(first: u128, last: u128, ports: &str) -> Span {
        Span { first, last, ports: Ports::parse(ports).unwrap() }
    }

    #[test]
    fn neighbours_with_the_same_ports_become_one() {
        let spans = vec![span(5, 9, "21"), span(0, 4, "21"), span(3, 6, "21")];
        assert_eq!(disjoint(spans), Ok(vec![span(0, 9, "21")]));
    }

    #[test]
    fn overlaps_have_the_ports_of_both() {
        let spans = vec![span(0, 9, "21"), span(5, 14, "25")];
        assert_eq!(disjoint(spans), Ok(vec![span(0, 4, "21"), span(5, 9, "21,25"), span(10, 14, "25")]));
    }

    #[test]
    fn the_end_of_the_address_space_is_an_address() {
        let spans = vec![span(u128::MAX - 1, u128::MAX, "21"), span(u128::MAX, u128::MAX, "25")];
        let expected = vec![span(u128::MAX - 1, u128::MAX - 1, "21"), span(u128::MAX, u128::MAX, "21,25")];
        assert_eq!(disjoint(spans), Ok(expected));
    }

    #[test]
    fn a_conflict_says_where_it_begins() {
        let spans = vec![span(0, 9, "25"), span(5, 5, "25=ftp")];
        assert!(matches!(disjoint(spans), Err((5, PortsError::Conflict { port: 25, .. }))));
    }

    #[test]
    fn public_is_what_no_private_network_holds() {
        let table = [
            ("10.0.0.0", "10.255.255.255", false),
            ("127.0.0.1", "127.0.0.1", false),
            ("9.255.255.255", "10.0.0.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("fd00::1", "fd00::2", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("::1", "::1", false),
        ];
        for (first, last, public) in table {
            assert_eq!(may_be_public(first.parse().unwrap(), last.parse().unwrap()), public, "{first}");
        }
    }

    proptest! {
        /// The spans hold just the endpoints named, each once, whatever overlaps.
        #[test]
        fn the_same_endpoints_each_once(named in prop::collection::vec((0u128..60, 0u128..20, 0usize..3), 1..12)) {
            let lists = ["21", "25,587", "21,25"];
            let spans: Vec<_> = named.iter().map(|(first, len, ports)| span(*first, first + len, lists[*ports])).collect();
            let mut expected = BTreeSet::new();
            for span in &spans {
                expected.extend((span.first..=span.last).flat_map(|at| span.ports.iter().map(move |(port, _)| (at, port))));
            }
            let result = disjoint(spans).unwrap();
            prop_assert!(result.windows(2).all(|pair| pair[0].last < pair[1].first));
            let found: Vec<_> = result
                .iter()
                .flat_map(|span| (span.first..=span.last).flat_map(|at| span.ports.iter().map(move |(port, _)| (at, port))))
                .collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
