//! What a sweep comes to: what is told of it, and what it says of each row.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;
use ipnet::IpNet;

use super::address::{Host, Network};
use super::closings::Closings;
use super::middlebox::{Found, Kind, Middlebox, What, joined};
use super::network::Unanswered;
use super::sightings::{Reach, is_usual};
use super::{Glimpse, Sweep};
use crate::observation::{Evidence, EvidenceCode, Grade, Outcome};

/// So many middleboxes are told.
const MAX_TOLD: usize = 256;

/// How much of what came was watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Hosts that were.
    pub hosts: u64,
    /// Hosts that answered; about so many where not all were watched.
    pub of_hosts: u64,
    /// Networks that were.
    pub networks: u64,
    /// Networks in which something answered; about so many where not all were watched.
    pub of_networks: u64,
}

impl Watched {
    /// Whether that was all of it.
    pub const fn is_all(self) -> bool {
        self.hosts == self.of_hosts && self.networks == self.of_networks
    }
}

/// What many rows together say.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    middleboxes: Vec<Middlebox>,
    left_out: u64,
    watched: Watched,
    /// Greetings that are those of a network, not of a server.
    everywhere: HashMap<Network, Vec<Greeting>, RandomState>,
    /// Greetings that a host has on ports of both families.
    on_each_port: HashMap<Host, Greeting, RandomState>,
    open: HashSet<Host, RandomState>,
    closings: Closings,
    /// Where most see us, by how they are reached.
    usual: [Option<IpAddr>; 4],
    seen_elsewhere: u64,
}

#[derive(Debug, Clone)]
struct Greeting {
    hash: u64,
    ports: Vec<u16>,
    addresses: u64,
    words: Option<String>,
}

impl Overview {
    pub(super) fn new(sweep: &Sweep) -> Self {
        let mut overview = Self { closings: sweep.closings.clone(), ..Self::default() };
        let ((hosts, of_hosts), (networks, of_networks)) = (sweep.hosts.counts(), sweep.networks.counts());
        overview.watched = Watched { hosts, of_hosts, networks, of_networks };
        for (network, state) in sweep.networks.sorted() {
            let is_known = sweep.hears_of_all && sweep.unanswered.is_watched(network);
            let count = |port| sweep.unanswered.get(network).map_or(0, |unanswered: &Unanswered| unanswered.of(port));
            let mut greetings: Vec<Greeting> = Vec::new();
            for alike in state.alike(|port| is_known.then(|| count(port))) {
                let addresses = u64::from(alike.addresses);
                if let Some(greeting) = greetings.iter_mut().find(|greeting| greeting.hash == alike.hash) {
                    greeting.ports.push(alike.port);
                    greeting.addresses = greeting.addresses.max(addresses);
                    greeting.words = greeting.words.take().into_iter().chain(alike.greeting).min();
                } else {
                    let (hash, ports) = (alike.hash, vec![alike.port]);
                    greetings.push(Greeting { hash, ports, addresses, words: alike.greeting });
                }
            }
            if !greetings.is_empty() {
                overview.everywhere.insert(network, greetings);
            }
        }
        let mut sightings: BTreeMap<Reach, BTreeMap<IpAddr, u64>> = BTreeMap::new();
        for (host, state) in sweep.hosts.iter() {
            if let Some((hash, ports)) = state.alike() {
                let words = state.greeting().map(str::to_owned);
                overview.on_each_port.insert(host, Greeting { hash, ports, addresses: 1, words });
            }
            if state.accepts_everything(sweep.ports.len()) {
                overview.open.insert(host);
            }
            if let Some(seen_as) = state.seen_as {
                *sightings.entry(Reach::of(host.ip())).or_default().entry(seen_as).or_default() += 1;
            }
        }
        for (usual, reach) in overview.usual.iter_mut().zip(Reach::ALL) {
            let Some(counts) = sightings.get(&reach) else { continue };
            let of: u64 = counts.values().sum();
            *usual = counts.iter().find(|(_, count)| is_usual(**count, of)).map(|(seen_as, _)| *seen_as);
            let others = counts.iter().filter(|(seen_as, _)| usual.is_some_and(|usual| usual != **seen_as));
            overview.seen_elsewhere += others.map(|(_, count)| count).sum::<u64>();
        }
        overview.tell();
        overview
    }

    /// What answers in the place of servers, the largest first; [`Overview::left_out`] says how many more there are.
    pub fn middleboxes(&self) -> &[Middlebox] {
        &self.middleboxes
    }

    /// How many middleboxes are not among [`Overview::middleboxes`].
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How much was watched.
    pub fn watched(&self) -> Watched {
        self.watched
    }

    /// The address that more than half of the servers see us at, of those that are reached as this one is.
    pub fn usual(&self, ip: IpAddr) -> Option<IpAddr> {
        let reach = Reach::of(ip);
        self.usual.iter().zip(Reach::ALL).find(|(_, of)| *of == reach).and_then(|(usual, _)| *usual)
    }

    /// How many servers see us at another address than most.
    pub fn seen_elsewhere(&self) -> u64 {
        self.seen_elsewhere
    }

    /// What the other rows say of this one.
    pub fn evidence(&self, glimpse: &Glimpse<'_>, ours: &[IpAddr]) -> Vec<Evidence> {
        let evidence = |code, grade, excerpt| Evidence { code, grade, excerpt: Some(excerpt), at: None, front: None };
        let host = Host::new(glimpse.ip);
        let mut found = Vec::new();
        if self.open.contains(&host) {
            let words = "every port that was tried accepts".to_owned();
            found.push(evidence(EvidenceCode::AcceptsEverything, Grade::Strong, words));
        }
        if let (Some(seen_as), Some(usual)) = (glimpse.seen_as, self.usual(glimpse.ip))
            && seen_as != usual
            && !ours.contains(&seen_as)
        {
            let words = format!("{seen_as}, {}{usual}", EvidenceCode::UNLIKE_MOST);
            found.push(evidence(EvidenceCode::ForeignClientAddress, Grade::Strong, words));
        }
        if let Some((place, greeting)) = self.same(host, glimpse) {
            let words = match place {
                Some(network) => format!("as on {} addresses of {network}", greeting.addresses),
                None => format!("as on each of ports {}", listed(&greeting.ports)),
            };
            found.push(evidence(EvidenceCode::SameEverywhere, Grade::Moderate, words));
        }
        found
    }

    /// How many endpoints accepted and then closed without a byte after as long, where several hosts share a sharp time.
    pub fn closings_shared(&self, after: Duration) -> Option<u64> {
        self.closings.shared(after)
    }

    /// Whether a row is a middlebox's: its address is in the place of one, and it did not greet with words of its own.
    pub fn is_of_a_middlebox(&self, glimpse: &Glimpse<'_>) -> bool {
        let host = Host::new(glimpse.ip);
        let is_in_place = self.open.contains(&host)
            || self.on_each_port.contains_key(&host)
            || self.everywhere.contains_key(&host.network());
        is_in_place && (glimpse.outcome != Outcome::Greeted || self.same(host, glimpse).is_some())
    }

    /// Whose words a greeting is, where they are not a server's own: a network's, or else the host's.
    fn same(&self, host: Host, glimpse: &Glimpse<'_>) -> Option<(Option<IpNet>, &Greeting)> {
        let hash = glimpse.hash()?;
        let is_it = |greeting: &&Greeting| greeting.hash == hash && greeting.ports.contains(&glimpse.port);
        let network = host.network();
        let everywhere = self.everywhere.get(&network).and_then(|greetings| greetings.iter().find(is_it));
        let each_port = || self.on_each_port.get(&host).filter(is_it).map(|greeting| (None, greeting));
        everywhere.map(|greeting| (Some(network.net()), greeting)).or_else(each_port)
    }

    fn tell(&mut self) {
        let mut found = Vec::new();
        let kind = |what, greeting: &Greeting| Kind { what, hash: Some(greeting.hash), ports: greeting.ports.clone() };
        for (network, greetings) in &self.everywhere {
            found.extend(greetings.iter().map(|greeting| Found {
                kind: kind(What::SameOnEveryAddress, greeting),
                place: network.net(),
                addresses: greeting.addresses,
                greeting: greeting.words.clone(),
            }));
        }
        for (host, greeting) in &self.on_each_port {
            let is_told = |greetings: &Vec<Greeting>| greetings.iter().any(|other| other.hash == greeting.hash);
            if !self.everywhere.get(&host.network()).is_some_and(is_told) {
                let kind = kind(What::SameOnEachPort, greeting);
                found.push(Found { kind, place: host.ip().into(), addresses: 1, greeting: greeting.words.clone() });
            }
        }
        for host in &self.open {
            let kind = Kind { what: What::AcceptsEverything, hash: None, ports: Vec::new() };
            found.push(Found { kind, place: host.ip().into(), addresses: 1, greeting: None });
        }
        found.sort_by_key(|found| found.place);
        self.middleboxes = joined(found, |place| Host::new(place.addr()).network().net());
        self.left_out = u64::try_from(self.middleboxes.len().saturating_sub(MAX_TOLD)).unwrap_or(u64::MAX);
        self.middleboxes.truncate(MAX_TOLD);
    }
}

fn listed(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
