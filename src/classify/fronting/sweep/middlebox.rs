//! What is told of middleboxes: a few lines, however many addresses they answer for.

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;

use super::network;

/// What a middlebox or honeypot gives itself away by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Every address of a network greets alike.
    SameOnEveryAddress,
    /// A host greets alike on ports of different services.
    SameOnEachPort,
    /// A host accepts on every port.
    AcceptsEverything,
}

impl What {
    /// The name used in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameOnEveryAddress => "same_on_every_address",
            Self::SameOnEachPort => "same_on_each_port",
            Self::AcceptsEverything => "accepts_everything",
        }
    }
}

/// Something that answers in the place of servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Middlebox {
    /// What it gives itself away by.
    pub what: What,
    /// The network where it is, or the host.
    pub network: IpNet,
    /// How many addresses were seen to answer so; in IPv6 at least so many.
    pub addresses: u64,
    /// The ports where it greets; empty where it accepts everything.
    pub ports: Vec<u16>,
    /// Its greeting, or the beginning of that, in escaped form.
    pub greeting: Option<String>,
}

impl Middlebox {
    /// The network, or a host's address.
    pub fn place(&self) -> String {
        if self.is_host() { self.network.addr().to_string() } else { self.network.to_string() }
    }

    fn is_host(&self) -> bool {
        self.network.prefix_len() == self.network.max_prefix_len()
    }
}

impl fmt::Display for Middlebox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_host = self.is_host();
        write!(f, "{}: ", self.place())?;
        if !is_host {
            let least = if self.network.addr().is_ipv6() { "at least " } else { "" };
            write!(f, "{least}{} addresses ", Thousands(self.addresses))?;
        }
        f.write_str(match (self.what, is_host) {
            (What::AcceptsEverything, true) => "accepts on every port",
            (What::AcceptsEverything, false) => "accept on every port",
            (What::SameOnEachPort, true) => "greets alike on",
            (What::SameOnEachPort, false) => "greet alike each on its",
            (What::SameOnEveryAddress, _) => "greet alike on",
        })?;
        if let Some((first, others)) = self.ports.split_first() {
            write!(f, " port{} {first}", if others.is_empty() { "" } else { "s" })?;
            others.iter().try_for_each(|port| write!(f, ", {port}"))?;
        }
        if let Some(greeting) = &self.greeting {
            write!(f, " (\"{greeting}\")")?;
        }
        f.write_str(match self.what {
            What::SameOnEveryAddress => {
                ": a middlebox or honeypot that answers for the whole network; its rows say nothing about servers"
            }
            What::SameOnEachPort => {
                ": a middlebox or honeypot that knows one greeting for FTP and mail; its rows say nothing about servers"
            }
            What::AcceptsEverything => {
                ": a SYN proxy, firewall or tarpit; only what greets there says something about servers"
            }
        })
    }
}

/// What was found in one place.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) place: IpNet,
    pub(super) addresses: u64,
    pub(super) greeting: Option<String>,
}

/// What is told together where it is found in neighbouring places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) what: What,
    pub(super) hash: Option<u64>,
    pub(super) ports: Vec<u16>,
}

/// Hosts of which a network has many are told as that network, and neighbouring networks as one; the largest first.
pub(super) fn joined(found: Vec<Found>, network_of: impl Fn(IpNet) -> IpNet) -> Vec<Middlebox> {
    let mut kinds: BTreeMap<Kind, BTreeMap<IpNet, Vec<Found>>> = BTreeMap::new();
    for found in found {
        kinds.entry(found.kind.clone()).or_default().entry(network_of(found.place)).or_default().push(found);
    }
    let mut boxes = Vec::new();
    for (kind, networks) in kinds {
        let mut whole = Vec::new();
        for (network, found) in networks {
            let is_whole = found.iter().any(|found| found.place == network);
            let addresses: u64 = found.iter().map(|found| found.addresses).sum();
            if is_whole || addresses >= network::FEWEST.into() {
                let greeting = found.into_iter().filter_map(|found| found.greeting).min();
                whole.push(Found { kind: kind.clone(), place: network, addresses, greeting });
            } else {
                boxes.extend(found.into_iter().map(|found| found.told(found.place)));
            }
        }
        boxes.extend(neighbours(whole));
    }
    boxes.sort_by(|one, other| {
        let rank = |it: &Middlebox| (it.what, it.network, it.ports.clone());
        other.addresses.cmp(&one.addresses).then_with(|| rank(one).cmp(&rank(other)))
    });
    boxes
}

/// Networks of one kind, in their order.
fn neighbours(networks: Vec<Found>) -> Vec<Middlebox> {
    let places: Vec<_> = networks.iter().map(|found| found.place).collect();
    let mut networks = networks.into_iter().peekable();
    let mut boxes = Vec::new();
    for place in IpNet::aggregate(&places) {
        let mut joined: Option<Middlebox> = None;
        while let Some(found) = networks.next_if(|found| place.contains(&found.place)) {
            match &mut joined {
                Some(joined) => {
                    joined.addresses = joined.addresses.saturating_add(found.addresses);
                    joined.greeting = joined.greeting.take().into_iter().chain(found.greeting).min();
                }
                None => joined = Some(found.told(place)),
            }
        }
        boxes.extend(joined);
    }
    boxes
}

impl Found {
    fn told(&self, network: IpNet) -> Middlebox {
        let Kind { what, ports, .. } = self.kind.clone();
        Middlebox { what, network, addresses: self.addresses, ports, greeting: self.greeting.clone() }
    }
}

/// A number with its thousands apart.
struct Thousands(u64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}
