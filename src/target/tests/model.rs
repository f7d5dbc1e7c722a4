//! The table against a plain set of endpoints, for words around the edges of reserved networks.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::super::parse::{to_address, to_number};
use super::*;

/// Where ranges begin: within reserved networks, outside, and so that they run from the one into the other.
const BASES: [&str; 10] = [
    "8.8.8.0",
    "10.0.0.0",
    "192.0.1.224",
    "255.255.255.176",
    "::",
    "2001:db8::",
    "64:ff9b::808:800",
    "64:ff9b::9ff:ffe0",
    "64:ff9b::ffff:ffb0",
    "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffe0",
];

/// No port is there as two services.
const PORTS: [Option<&str>; 4] = [None, Some("25"), Some("21,2525=smtp"), Some("26")];

/// Of the table, what these words may meet, and whether it is never probed.
const RESERVED: [(&str, bool); 12] = [
    ("10.0.0.0/8", false),
    ("192.0.2.0/24", false),
    ("240.0.0.0/4", false),
    ("255.255.255.255/32", true),
    ("::/128", true),
    ("::1/128", false),
    ("64:ff9b::a00:0/104", false),
    ("64:ff9b::f000:0/100", false),
    ("64:ff9b::ffff:ffff/128", true),
    ("100::/64", true),
    ("2001:db8::/32", false),
    ("ff00::/8", true),
];

#[derive(Debug, Clone)]
enum Word {
    Range(IpAddr, IpAddr, Option<&'static str>),
    Named(Host, Option<&'static str>),
}

impl Word {
    fn text(&self, with_ports: bool) -> String {
        let (host, ports, ipv6) = match self {
            Self::Range(first, last, ports) => (format!("{first}-{last}"), ports, first.is_ipv6()),
            Self::Named(host, ports) => (host.to_string(), ports, false),
        };
        match ports.filter(|_| with_ports) {
            Some(ports) if ipv6 => format!("[{host}]:{ports}"),
            Some(ports) => format!("{host}:{ports}"),
            None => host,
        }
    }

    fn hosts(&self) -> Vec<Host> {
        match self {
            Self::Range(first, last, _) => (to_number(*first)..=to_number(*last))
                .map(|number| Host::Address(to_address(number, first.is_ipv6())))
                .collect(),
            Self::Named(host, _) => vec![host.clone()],
        }
    }

    /// Whether a reserved network keeps a host of this word from being probed.
    fn is_kept_from(&self, host: &Host) -> bool {
        let (Self::Range(first, last, _), Host::Address(ip)) = (self, host) else { return false };
        RESERVED.iter().any(|(net, never)| {
            let net: IpNet = net.parse().unwrap();
            net.contains(ip) && (*never || !(net.contains(first) && net.contains(last)))
        })
    }

    fn ports(&self) -> Ports {
        let (Self::Range(.., ports) | Self::Named(_, ports)) = self;
        Ports::parse(ports.unwrap_or("25,465")).unwrap()
    }
}

/// What an IPv4 address is behind NAT64.
fn behind_nat64(v4: Ipv4Addr) -> IpAddr {
    format!("64:ff9b::{v4}").parse().unwrap()
}

fn word() -> impl Strategy<Value = Word> {
    let ports = || prop::sample::select(PORTS.to_vec());
    let range =
        (prop::sample::select(BASES.to_vec()), 0u128..80, 0u128..50, ports()).prop_map(|(base, from, more, ports)| {
            let base: IpAddr = base.parse().unwrap();
            let end = if base.is_ipv6() { u128::MAX } else { u128::from(u32::MAX) };
            let [first, last] =
                [from, from + more].map(|offset| to_address((to_number(base) + offset).min(end), base.is_ipv6()));
            Word::Range(first, last, ports)
        });
    let names = prop::sample::select(vec!["a.example", "a-b.example", "b"]);
    let named = (names, any::<bool>(), ports()).prop_map(|(name, mx, ports)| {
        Word::Named(if mx { Host::Mx(name.into()) } else { Host::Name(name.into()) }, ports)
    });
    prop_oneof![4 => range, 1 => named]
}

/// What a set should be.
#[derive(Debug, PartialEq, Eq)]
struct Model {
    endpoints: BTreeSet<(Host, u16)>,
    excluded: u128,
    not_probed: u128,
}

fn model(words: &[Word], exclusions: &[Word]) -> Model {
    let mut excluded: BTreeSet<_> = exclusions.iter().flat_map(Word::hosts).collect();
    excluded.extend(excluded.clone().into_iter().filter_map(|host| match host {
        Host::Address(IpAddr::V4(v4)) => Some(Host::Address(behind_nat64(v4))),
        Host::Address(IpAddr::V6(_)) | Host::Name(_) | Host::Mx(_) => None,
    }));
    let mut named = BTreeSet::new();
    let mut endpoints = BTreeSet::new();
    for word in words {
        for host in word.hosts() {
            named.insert(host.clone());
            if !excluded.contains(&host) && !word.is_kept_from(&host) {
                endpoints.extend(word.ports().iter().map(|(port, _)| (host.clone(), port)));
            }
        }
    }
    let probed: BTreeSet<_> = endpoints.iter().map(|(host, _)| host.clone()).collect();
    let excluded = u128::try_from(named.intersection(&excluded).count()).unwrap();
    let not_probed = u128::try_from(named.len() - probed.len()).unwrap() - excluded;
    Model { endpoints, excluded, not_probed }
}

fn build(words: &[Word], exclusions: &[Word], limits: Limits) -> Result<Targets, TargetsError> {
    let mut builder = TargetsBuilder::with_limits(limits);
    for word in words {
        builder.add(&word.text(true)).unwrap();
    }
    for word in exclusions {
        builder.exclude(&word.text(false)).unwrap();
    }
    builder.build(&Ports::parse("25,465").unwrap(), Family::Any)
}

/// Nothing fits into memory, one record does, a few do, all do.
fn limits() -> impl Iterator<Item = Limits> {
    [(0, 0), (40, 40), (200, 1000)]
        .map(|(sorting, table)| Limits { sorting, table, ..Limits::default() })
        .into_iter()
        .chain([Limits::default()])
}

proptest! {
    #[test]
    fn the_table_is_what_the_words_say(
        words in prop::collection::vec(word(), 1..10),
        exclusions in prop::collection::vec(word(), 0..4),
    ) {
        let expected = model(&words, &exclusions);
        for limits in limits() {
            let built = build(&words, &exclusions, limits);
            let targets = match built {
                Ok(targets) => targets,
                Err(TargetsError::Reserved(_)) => {
                    prop_assert!(expected.endpoints.is_empty() && expected.not_probed > 0);
                    continue;
                }
                Err(TargetsError::Excluded(excluded)) => {
                    prop_assert!(expected.endpoints.is_empty() && expected.not_probed == 0);
                    prop_assert_eq!(excluded, expected.excluded);
                    continue;
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            let endpoints: Vec<_> = (0..targets.len())
                .map(|index| targets.endpoint(index).unwrap().unwrap())
                .map(|Endpoint { host, port, .. }| (host, port))
                .collect();
            prop_assert!(endpoints.is_sorted_by(|a, b| a < b), "ascending, each once");
            let not_probed = targets.not_probed().iter().map(|part| part.addresses).sum();
            let found = Model { endpoints: endpoints.into_iter().collect(), excluded: targets.excluded(), not_probed };
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn disk_order_and_repetition_change_nothing(
        (words, shuffled) in prop::collection::vec(word(), 1..8).prop_flat_map(|words| {
            let twice = words.iter().chain(&words[..1]).cloned().collect::<Vec<_>>();
            (Just(words), Just(twice).prop_shuffle())
        }),
        exclusions in prop::collection::vec(word(), 0..3),
    ) {
        let Ok(one) = build(&words, &exclusions, Limits::default()) else { return Ok(()) };
        for limits in limits() {
            let other = build(&shuffled, &exclusions, limits).unwrap();
            prop_assert_eq!(other.digest(), one.digest());
            prop_assert_eq!(other.table().count(), one.table().count());
            prop_assert_eq!(other.public_addresses(), one.public_addresses());
            for index in 0..one.len() {
                prop_assert_eq!(other.lookup(index).unwrap(), one.lookup(index).unwrap());
            }
        }
    }

    /// To exclude behind NAT64 what is excluded there already makes no other set, also where the words overlap in part.
    #[test]
    fn what_follows_from_an_exclusion_need_not_be_said(
        words in prop::collection::vec(word(), 1..8),
        exclusions in prop::collection::vec(word(), 1..4),
    ) {
        let Ok(one) = build(&words, &exclusions, Limits::default()) else { return Ok(()) };
        let there = exclusions.iter().filter_map(|word| match word {
            Word::Range(IpAddr::V4(first), IpAddr::V4(last), _) => {
                Some(Word::Range(behind_nat64(*first), behind_nat64(*last), None))
            }
            Word::Range(..) | Word::Named(..) => None,
        });
        let all: Vec<_> = exclusions.iter().cloned().chain(there).collect();
        let other = build(&words, &all, Limits::default()).unwrap();
        prop_assert_eq!(other.digest(), one.digest());
        prop_assert_eq!((other.len(), other.excluded(), other.not_probed()), (one.len(), one.excluded(), one.not_probed()));
    }

    /// A name leads behind NAT64 only to what it might lead to without, and only to what is public.
    #[test]
    fn nat64_is_no_way_around(
        (from, more, number) in (any::<u32>(), 0u32..1 << 16, any::<u32>()),
        near in prop::option::of(0u32..1 << 17),
    ) {
        let last = from.saturating_add(more);
        let v4 = Ipv4Addr::from(near.map_or(number, |near| from.saturating_sub(1 << 15).saturating_add(near)));
        let excluded = format!("{}-{}", Ipv4Addr::from(from), Ipv4Addr::from(last));
        let targets = without(&["a.example"], &[&excluded]).unwrap();
        let there = behind_nat64(v4);
        prop_assert_eq!(targets.admits(there).is_ok(), targets.admits(v4.into()).is_ok());
        prop_assert_eq!(targets.tolerates(there).is_ok(), targets.tolerates(v4.into()).is_ok());
        prop_assert!((from..=last).contains(&v4.into()) <= targets.tolerates(there).is_err());
    }

    /// A range in two parts is the same set, where no reserved network is at its edge.
    #[test]
    fn the_cut_of_a_range_changes_nothing(first in 0u8..100, middle in 100u8..200, last in 200u8..255, port in 1u16..9) {
        let digest = |words: &[String]| {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            targets(&words, "25", Family::Any).unwrap().digest()
        };
        let whole = digest(&[format!("8.8.8.{first}-8.8.8.{last}:{port}=ftp")]);
        let parts = [format!("8.8.8.{middle}-8.8.8.{last}:{port}=ftp"), format!("8.8.8.{first}-8.8.8.{}:{port}=ftp", middle + 1)];
        prop_assert_eq!(digest(&parts), whole);
        prop_assert_ne!(digest(&parts[..1]), whole);
    }

    /// What is shown of an endpoint names it and no other.
    #[test]
    fn an_endpoint_can_be_given_back(words in prop::collection::vec(word(), 1..4)) {
        let Ok(one) = build(&words, &[], Limits::default()) else { return Ok(()) };
        for index in [0, one.len() / 2, one.len() - 1] {
            let endpoint = one.endpoint(index).unwrap().unwrap();
            let again = targets(&[&endpoint.to_string()], "990", Family::Any).unwrap();
            prop_assert_eq!(again.len(), 1);
            prop_assert_eq!(again.endpoint(0).unwrap().unwrap(), endpoint);
        }
    }
}
