//! What a scan asked, as a manifest tells it, so that it can be told later whether an endpoint was among it.
//!
//! Ranges and names stand in the order of the targets' numbers, and what is excluded or reserved is cut out of them: the
//! same targets have the same scope, in whatever words they were named. Of long lists only the first [`LISTED`] are there.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use serde::{Deserialize, Serialize};

use crate::schedule::{Order, Shard};
use crate::target::Hosts;
use crate::target::parse::{HostSpec, parse, to_number};
use crate::{Family, Ports, Targets};

/// How many ranges and names are listed, of targets and of exclusions each: some two megabytes.
pub const LISTED: usize = 65_536;

/// What a scan asked; of a shard, what all shards asked together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// How many endpoints that are, of all shards; one that is reached by a name counts once.
    pub endpoints: u64,
    /// The ranges and names, those with the same ports together as long as they follow one another.
    pub targets: Vec<Asked>,
    /// How many ranges and names there are beyond those listed.
    #[serde(default)]
    pub more_targets: u64,
    /// What was excluded, whatever targets said.
    #[serde(default)]
    pub excluded: Vec<String>,
    /// How many exclusions there are beyond those listed.
    #[serde(default)]
    pub more_excluded: u64,
    /// Of which family the addresses are that names were taken to lead to.
    #[serde(default)]
    pub family: Family,
}

/// Ranges and names that were asked alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// As `21=ftp,25=smtp`.
    pub ports: String,
    /// As targets are written: `10.0.0.0/24`, `10.0.0.1-10.0.3.9`, `mail.example.com`, `mx:example.com`.
    pub hosts: Vec<String>,
}

impl Scope {
    /// What these targets ask.
    ///
    /// # Errors
    /// Where they are so many that they are in a temporary file, and it cannot be read.
    pub fn of(targets: &Targets) -> io::Result<Self> {
        Self::listing(targets, LISTED)
    }

    /// Whether names are among the targets that it lists.
    pub fn has_names(&self) -> bool {
        let is_name = |word: &String| matches!(parse(word).map(|it| it.host), Ok(HostSpec::Name(_) | HostSpec::Mx(_)));
        self.targets.iter().flat_map(|asked| &asked.hosts).any(is_name)
    }

    fn listing(targets: &Targets, listed: usize) -> io::Result<Self> {
        let mut scope = Self { endpoints: targets.len(), family: targets.family(), ..Self::default() };
        for (number, span) in targets.spans().enumerate() {
            if number >= listed {
                scope.more_targets = scope.more_targets.saturating_add(1);
                continue;
            }
            let (hosts, ports) = span?;
            let ports = written(ports);
            let hosts = match hosts {
                Hosts::Range(first, last) => range(first, last),
                Hosts::Name(name) => name.to_string(),
                Hosts::Mx(domain) => format!("mx:{domain}"),
            };
            match scope.targets.last_mut().filter(|asked| asked.ports == ports) {
                Some(asked) => asked.hosts.push(hosts),
                None => scope.targets.push(Asked { ports, hosts: vec![hosts] }),
            }
        }
        let ranges = targets.excluded_ranges().map(|(first, last)| range(first, last));
        for excluded in ranges.chain(targets.excluded_names().map(str::to_owned)) {
            if scope.excluded.len() < listed {
                scope.excluded.push(excluded);
            } else {
                scope.more_excluded = scope.more_excluded.saturating_add(1);
            }
        }
        Ok(scope)
    }
}

fn written(ports: &Ports) -> String {
    ports.iter().map(|(port, service)| format!("{port}={service}")).collect::<Vec<_>>().join(",")
}

/// As a target: an address, a network where it is a whole one, otherwise both ends.
fn range(first: IpAddr, last: IpAddr) -> String {
    let network = match (first, last) {
        _ if first == last => return first.to_string(),
        (IpAddr::V4(first), IpAddr::V4(last)) => whole(Ipv4Subnets::new(first, last, 0).map(IpNet::from)),
        (IpAddr::V6(first), IpAddr::V6(last)) => whole(Ipv6Subnets::new(first, last, 0).map(IpNet::from)),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    };
    network.map_or_else(|| format!("{first}-{last}"), |network| network.to_string())
}

/// The network, if it is a single one.
fn whole(mut networks: impl Iterator<Item = IpNet>) -> Option<IpNet> {
    let first = networks.next();
    first.filter(|_| networks.next().is_none())
}

/// A scope that can be asked, with the shards of it that were probed.
#[derive(Debug, Clone)]
pub struct Reach {
    /// In ascending order, IPv4 before IPv6; each begins at its number.
    spans: Vec<Span>,
    names: HashMap<String, Span>,
    excluded: Vec<(bool, u128, u128)>,
    excluded_names: Vec<String>,
    is_whole: bool,
    family: Family,
    orders: Option<Vec<Order>>,
}

#[derive(Debug, Clone)]
struct Span {
    place: (bool, u128, u128),
    /// The number of its first endpoint.
    start: u64,
    ports: Ports,
}

/// Whether an endpoint was among what a scan asked; what outweighs the others last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asking {
    /// The host is none of the targets.
    NoTarget,
    /// It is excluded.
    Excluded,
    /// The host is a target, the port is not asked there.
    NoPort,
    /// The name is a target, and such addresses of it were left out.
    OtherFamily,
    /// It belongs to a shard that is not there.
    OtherShard,
    /// Nothing is known of that: more was asked than the manifest lists.
    NotListed,
    /// It was asked.
    Asked,
}

/// An endpoint, as rows name it.
#[derive(Debug, Clone, Copy)]
pub struct Whereabouts<'a> {
    /// The name that led there.
    pub name: Option<&'a str>,
    /// The domain whose mail exchange that is.
    pub domain: Option<&'a str>,
    /// The address.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl Reach {
    /// What of a scope these shards have probed.
    ///
    /// # Errors
    /// The first word in it that is none of a scope.
    pub fn new(scope: &Scope, seed: u64, shards: &[Shard]) -> Result<Self, String> {
        let mut reach = Self {
            spans: Vec::new(),
            names: HashMap::new(),
            excluded: Vec::new(),
            excluded_names: Vec::new(),
            is_whole: scope.more_targets == 0,
            family: scope.family,
            orders: (!shards.contains(&Shard::WHOLE))
                .then(|| shards.iter().map(|shard| Order::new(scope.endpoints, seed, *shard)).collect()),
        };
        let mut start = 0u64;
        for asked in &scope.targets {
            let ports = Ports::parse(&asked.ports).map_err(|error| format!("'{}': {error}", asked.ports))?;
            let each = u128::try_from(ports.len()).unwrap_or(u128::MAX);
            for word in &asked.hosts {
                let host = parse(word).map_err(|error| format!("'{word}': {error}"))?.host;
                let (count, key) = match &host {
                    HostSpec::Range(first, last) => {
                        let place = (first.is_ipv6(), to_number(*first), to_number(*last));
                        reach.spans.push(Span { place, start, ports: ports.clone() });
                        ((place.2 - place.1).saturating_add(1), None)
                    }
                    HostSpec::Name(name) => (1, Some(name.clone())),
                    HostSpec::Mx(domain) => (1, Some(format!("mx:{domain}"))),
                };
                if let Some(key) = key {
                    reach.names.insert(key, Span { place: (false, 0, 0), start, ports: ports.clone() });
                }
                let endpoints = count.checked_mul(each).and_then(|endpoints| u64::try_from(endpoints).ok());
                let end = endpoints.and_then(|endpoints| start.checked_add(endpoints));
                start = end.ok_or_else(|| format!("'{word}': it has more endpoints than a scan can have"))?;
            }
        }
        if !reach.spans.is_sorted_by(|a, b| (a.place.0, a.place.2) < (b.place.0, b.place.1)) {
            return Err("its ranges are not in order".to_owned());
        }
        for word in &scope.excluded {
            match parse(word).map_err(|error| format!("'{word}': {error}"))?.host {
                HostSpec::Range(first, last) => {
                    reach.excluded.push((first.is_ipv6(), to_number(first), to_number(last)));
                }
                HostSpec::Name(name) => reach.excluded_names.push(name),
                HostSpec::Mx(_) => {}
            }
        }
        Ok(reach)
    }

    /// Whether there are domains whose mail exchanges were asked, which only DNS names.
    pub fn has_exchanges(&self) -> bool {
        self.names.keys().any(|name| name.starts_with("mx:"))
    }

    /// Whether an endpoint was asked, by its address or by its name.
    pub fn asks(&self, at: Whereabouts<'_>) -> Asking {
        let by_address = at.ip.map(|ip| self.asks_address(ip, at.port));
        if by_address == Some(Asking::Excluded) {
            // Whatever leads there.
            return Asking::Excluded;
        }
        let is_of_family = at.ip.is_none_or(|ip| self.family.has(ip));
        let by_name = |name: &str| match self.asks_name(name, at.port) {
            Asking::Asked | Asking::OtherShard if !is_of_family => Asking::OtherFamily,
            asking => asking,
        };
        let name = at.name.map(by_name);
        let domain = at.domain.map(|domain| by_name(&format!("mx:{domain}")));
        [by_address, name, domain].into_iter().flatten().max().unwrap_or(self.unlisted())
    }

    fn asks_address(&self, ip: IpAddr, port: u16) -> Asking {
        let (ipv6, number) = (ip.is_ipv6(), to_number(ip));
        if find(&self.excluded, |place| *place, ipv6, number).is_some() {
            return Asking::Excluded;
        }
        match find(&self.spans, |span| span.place, ipv6, number) {
            Some(span) => self.asks_port(span, number - span.place.1, port),
            None => self.unlisted(),
        }
    }

    fn asks_name(&self, name: &str, port: u16) -> Asking {
        match self.names.get(name) {
            Some(span) => self.asks_port(span, 0, port),
            None if self.excluded_names.iter().any(|excluded| excluded == name) => Asking::Excluded,
            None => self.unlisted(),
        }
    }

    fn asks_port(&self, span: &Span, host: u128, port: u16) -> Asking {
        let Some(at) = span.ports.iter().position(|(asked, _)| asked == port) else { return Asking::NoPort };
        let Some(orders) = &self.orders else { return Asking::Asked };
        let index = u128::try_from(span.ports.len()).ok().and_then(|each| host.checked_mul(each));
        let index = index.and_then(|index| u64::try_from(index).ok()?.checked_add(u64::try_from(at).ok()?));
        let index = index.and_then(|index| span.start.checked_add(index));
        let is_there = index.is_some_and(|index| orders.iter().any(|order| order.holds(index)));
        if is_there { Asking::Asked } else { Asking::OtherShard }
    }

    fn unlisted(&self) -> Asking {
        if self.is_whole { Asking::NoTarget } else { Asking::NotListed }
    }
}

/// The one of some places, in ascending order, that holds an address.
fn find<T>(places: &[T], place: impl Fn(&T) -> (bool, u128, u128), ipv6: bool, number: u128) -> Option<&T> {
    let found = places.binary_search_by(|it| {
        let (v6, first, last) = place(it);
        match v6.cmp(&ipv6) {
            Ordering::Equal if last < number => Ordering::Less,
            Ordering::Equal if first > number => Ordering::Greater,
            other => other,
        }
    });
    found.ok().and_then(|at| places.get(at))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crate::schedule::listing;
    use crate::target::Host;

    use super::*;

    fn targets(words: &str, excluded: &str) -> Targets {
        let mut builder = Targets::builder();
        for word in words.split_whitespace() {
            builder.add(word).unwrap();
        }
        for word in excluded.split_whitespace() {
            builder.exclude(word).unwrap();
        }
        builder.build(&Ports::parse("21,25").unwrap(), Family::Any).unwrap()
    }

    #[test]
    fn the_same_targets_have_the_same_scope() {
        let words =
            "mx:b.example 10.0.0.0/25 10.0.0.128/25 10.0.2.5 10.0.1.0-10.0.1.9 a.example [fd00::/126]:2525=smtp";
        let scope = Scope::of(&targets(words, "10.0.0.7 c.example")).unwrap();
        let others = "a.example [fd00::/126]:2525=smtp 10.0.2.5 10.0.0.0-10.0.1.9 10.0.0.9 mx:b.example";
        assert_eq!(scope, Scope::of(&targets(others, "c.example 10.0.0.7")).unwrap());
        let hosts: Vec<_> = scope.targets.iter().map(|asked| (asked.ports.as_str(), asked.hosts.join(" "))).collect();
        let ports = "21=ftp,25=smtp";
        let v4 = "10.0.0.0-10.0.0.6 10.0.0.8-10.0.1.9 10.0.2.5";
        let expected =
            [(ports, v4.to_owned()), ("2525=smtp", "fd00::/126".into()), (ports, "a.example mx:b.example".into())];
        assert_eq!(hosts, expected);
        assert_eq!(scope.excluded, ["10.0.0.7", "c.example"]);
        assert_eq!((scope.endpoints, scope.more_targets), ((7 + 258 + 1) * 2 + 4 + 4, 0));
    }

    #[test]
    fn every_endpoint_of_a_shard_is_asked_and_no_other() {
        let targets = targets("10.0.0.0/27 10.0.0.9:2121=ftp a.example mx:b.example fd00::/125", "10.0.0.3");
        let scope = Scope::of(&targets).unwrap();
        let read: Scope = serde_json::from_str(&serde_json::to_string(&scope).unwrap()).unwrap();
        assert_eq!(read, scope);
        let count = NonZeroU32::new(3).unwrap();
        let shards: Vec<_> = (1..=3).map(|number| Shard::new(number, count).unwrap()).collect();
        let reaches: Vec<_> = shards.iter().map(|shard| Reach::new(&scope, 7, &[*shard]).unwrap()).collect();
        let whole = Reach::new(&scope, 7, &[Shard::WHOLE]).unwrap();
        for shard in &shards {
            for endpoint in listing(&targets, Some(7), *shard) {
                let endpoint = endpoint.unwrap();
                let (name, domain, ip) = match &endpoint.host {
                    Host::Address(ip) => (None, None, Some(*ip)),
                    Host::Name(name) => (Some(&**name), None, None),
                    Host::Mx(domain) => (Some("mx.example"), Some(&**domain), None),
                };
                let at = Whereabouts { name, domain, ip, port: endpoint.port };
                assert_eq!(whole.asks(at), Asking::Asked, "{endpoint}");
                for (reach, other) in reaches.iter().zip(&shards) {
                    let expected = if other == shard { Asking::Asked } else { Asking::OtherShard };
                    assert_eq!(reach.asks(at), expected, "{endpoint} of {shard}, asked of {other}");
                }
            }
        }
    }

    #[test]
    fn what_was_not_asked_is_told_with_its_reason() {
        let targets = targets("10.0.0.0/27 10.0.9.0/24 a.example", "10.0.0.3 b.example");
        let table = [
            ("", "10.0.0.4", 25, Asking::Asked),
            ("", "10.0.0.4", 26, Asking::NoPort),
            ("", "10.0.0.3", 25, Asking::Excluded),
            ("", "10.0.0.32", 25, Asking::NoTarget),
            ("", "fd00::1", 25, Asking::NoTarget),
            ("a.example", "192.0.2.1", 25, Asking::Asked),
            ("a.example", "192.0.2.1", 465, Asking::NoPort),
            ("a.example", "10.0.0.3", 25, Asking::Excluded),
            ("b.example", "192.0.2.1", 25, Asking::Excluded),
            ("c.example", "10.0.0.4", 25, Asking::Asked),
            ("c.example", "192.0.2.1", 25, Asking::NoTarget),
        ];
        let asking = |scope: &Scope, name: &'static str, ip: &str, port| {
            let at = Whereabouts {
                name: Some(name).filter(|name| !name.is_empty()),
                domain: None,
                ip: ip.parse().ok(),
                port,
            };
            Reach::new(scope, 1, &[Shard::WHOLE]).unwrap().asks(at)
        };
        let whole = Scope::of(&targets).unwrap();
        let short = Scope::listing(&targets, 2).unwrap();
        assert_eq!((short.more_targets, short.targets.len()), (2, 1));
        for (name, ip, port, expected) in table {
            assert_eq!(asking(&whole, name, ip, port), expected, "{name} {ip} {port}");
        }
        let of_v4 = Scope { family: Family::V4, ..whole.clone() };
        assert_eq!(asking(&whole, "a.example", "2001:db8::1", 25), Asking::Asked);
        assert_eq!(asking(&of_v4, "a.example", "2001:db8::1", 25), Asking::OtherFamily);
        assert_eq!(asking(&of_v4, "a.example", "2001:db8::1", 26), Asking::NoPort);
        assert_eq!(asking(&of_v4, "a.example", "192.0.2.1", 25), Asking::Asked);
        assert_eq!(asking(&short, "", "10.0.9.1", 25), Asking::NotListed);
        assert_eq!(asking(&short, "", "10.0.0.4", 25), Asking::Asked);
        // What a name was not asked, its address may have been.
        let of_names = Scope { more_targets: 1, targets: whole.targets[1..].to_vec(), ..whole.clone() };
        assert_eq!(asking(&of_names, "a.example", "10.0.0.4", 465), Asking::NotListed);
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let asked = |ports: &str, hosts: &[&str]| Scope {
            targets: vec![Asked { ports: ports.into(), hosts: hosts.iter().map(|host| (*host).into()).collect() }],
            ..Scope::default()
        };
        for scope in [
            asked("gopher", &[]),
            asked("25", &["10.0.0.300"]),
            asked("25", &["10.0.0.9", "10.0.0.1"]),
            asked("25", &["::/0"]),
        ] {
            Reach::new(&scope, 1, &[Shard::WHOLE]).unwrap_err();
        }
    }
}
