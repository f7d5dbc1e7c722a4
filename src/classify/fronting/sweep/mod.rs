//! What shows only over many rows, in memory that does not grow with them.
//!
//! | what | when |
//! |---|---|
//! | same on each port | a host greets alike on an FTP and on a mail port |
//! | same on every address | nearly all of a network answers, and nearly all of that alike: see [`network`] |
//! | accepts everything | a host's decoy accepted, or all of its ports did and most never said a byte: see [`host`] |
//! | shared closing times | several hosts accept and then close at one sharp time: see [`closings`] |
//! | seen elsewhere | a server sees us at another address than most: see [`sightings`] |
//!
//! A [`Sweep`] learns of endpoints one by one and [`Overview`] is what it comes to. Their order makes no difference,
//! not even where there are more hosts or networks than are watched: which are is decided by a hash of their address.
//! [`Overview::watched`] says how many that were.

mod address;
mod closings;
mod host;
mod middlebox;
mod network;
mod overview;
mod sample;
mod sightings;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use self::address::{Host, Network};
use self::closings::Closings;
use self::host::Voice;
use self::network::Unanswered;
use self::sightings::Sightings;
use crate::observation::{Observation, Outcome, Service};
use crate::output::escape::escape;

pub use self::middlebox::{Middlebox, What};
pub use self::overview::{Overview, Watched};

pub(crate) use self::sample::Sample;

/// So many ports of a host, and of a network, are told apart; of more these are the lowest.
const MAX_PORTS: usize = 16;

/// An excerpt of a greeting is no longer than that, in characters.
const EXCERPT: usize = 60;

/// How much is watched at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Hosts that answered: some 100 to 400 bytes each.
    pub hosts: usize,
    /// Networks (a /24 of IPv4, a /64 of IPv6) in which something answered: some 200 bytes for each port, 500 at most.
    pub networks: usize,
    /// Networks in which something did not answer: some 100 bytes each.
    pub unanswered: usize,
}

impl Bounds {
    /// For a scan under way: commonly some 15 MB where all of it is used.
    pub const SCAN: Self = Self { hosts: 1 << 16, networks: 1 << 14, unanswered: 1 << 16 };

    /// For rows read back, sixteen times as much; some 400 MB where there are as many hosts, each with a greeting of its own.
    pub const REPORT: Self = Self { hosts: 1 << 20, networks: 1 << 18, unanswered: 1 << 20 };
}

impl Default for Bounds {
    fn default() -> Self {
        Self::SCAN
    }
}

/// What a server said, as it came or as a row shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words<'a> {
    /// Bytes of a peer.
    Bytes(&'a [u8]),
    /// The same in escaped form.
    Escaped(&'a str),
}

impl Words<'_> {
    /// Whether that is its excerpt, as far as a glance tells: greetings that are alike are mostly the same.
    fn is_excerpted_as(self, excerpt: &str) -> bool {
        let Self::Bytes(bytes) = self else { return false };
        let is_plain = excerpt.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic() && byte != b'\\');
        let rest = bytes.strip_prefix(excerpt.as_bytes()).filter(|_| is_plain && excerpt.len() < EXCERPT);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'\r' | b'\n')))
    }

    /// The least of what is known and its excerpt.
    fn least(self, known: Option<Box<str>>) -> Box<str> {
        match known {
            Some(known) if self.is_excerpted_as(&known) => known,
            Some(known) => known.min(self.excerpt().into_boxed_str()),
            None => self.excerpt().into_boxed_str(),
        }
    }

    /// The beginning of the first line, escaped.
    fn excerpt(self) -> String {
        let escaped = match self {
            // Each byte is a character at least, or four of them together one.
            Self::Bytes(bytes) => escape(&bytes[..bytes.len().min(4 * EXCERPT)]),
            Self::Escaped(text) => text.chars().take(4 * EXCERPT).collect(),
        };
        let line = [r"\r", r"\n"].iter().filter_map(|end| escaped.find(end)).min().unwrap_or(escaped.len());
        let mut characters = escaped[..line].chars();
        let mut excerpt: String = characters.by_ref().take(EXCERPT).collect();
        if characters.next().is_some() {
            excerpt.push('…');
        }
        excerpt
    }
}

/// As much of one endpoint as a sweep looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glimpse<'a> {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// What was expected there.
    pub service: Service,
    /// How far the probe got.
    pub outcome: Outcome,
    /// The greeting with what changes masked, hashed; none of one that sends us away. Such words (`421 Service not
    /// available`) are of whoever starts servers, or of a server under load, and many have the same.
    pub banner_hash: Option<[u8; 32]>,
    /// The greeting.
    pub greeting: Words<'a>,
    /// Where it closed without a byte: how long after the connection stood.
    pub closed_after: Option<Duration>,
    /// The address that it says we come from.
    pub seen_as: Option<IpAddr>,
    /// Whether a port of it on which nothing should listen accepted.
    pub decoy_accepted: bool,
}

impl<'a> Glimpse<'a> {
    /// Of a row that is classified; none where there was no address.
    pub fn of(row: &'a Observation) -> Option<Self> {
        let has_closed = row.outcome == Outcome::Closed && row.received.is_empty();
        let ended = row.ending.filter(|_| has_closed).map(|ending| ending.at);
        Some(Self {
            ip: row.ip?,
            port: row.port,
            service: row.service,
            outcome: row.outcome,
            banner_hash: row.banner_hash.filter(|_| Self::is_welcome(row.outcome, row.code)),
            greeting: Words::Bytes(row.greeting()),
            closed_after: ended.map(|at| at.saturating_sub(row.connect.unwrap_or_default())),
            seen_as: row.seen_as,
            decoy_accepted: row.decoy.is_some_and(|decoy| decoy.accepted),
        })
    }

    /// Whether it is a greeting that tells one server from another.
    pub(crate) fn is_welcome(outcome: Outcome, code: Option<u16>) -> bool {
        outcome == Outcome::Greeted && code == Some(220)
    }

    /// The part of the hash that greetings are told apart by.
    fn hash(&self) -> Option<u64> {
        let mut first = [0; 8];
        first.copy_from_slice(&self.banner_hash?[..8]);
        Some(u64::from_be_bytes(first))
    }
}

/// What many rows together say.
///
/// ```
/// use hailer::classify::fronting::{Bounds, Glimpse, Sweep, Words};
/// use hailer::{Outcome, Service};
///
/// let mut sweep = Sweep::new(Bounds::SCAN);
/// for (port, service) in [(21, Service::Ftp), (25, Service::Smtp)] {
///     sweep.learn(&Glimpse {
///         ip: [192, 0, 2, 1].into(),
///         port,
///         service,
///         outcome: Outcome::Greeted,
///         banner_hash: Some([7; 32]),
///         greeting: Words::Bytes(b"220 ready\r\n"),
///         closed_after: None,
///         seen_as: None,
///         decoy_accepted: false,
///     });
/// }
/// let told = sweep.overview().middleboxes()[0].to_string();
/// assert!(told.starts_with("192.0.2.1: greets alike on ports 21, 25 (\"220 ready\")"));
/// ```
#[derive(Debug)]
pub struct Sweep {
    hosts: Sample<Host, host::State>,
    networks: Sample<Network, network::State>,
    unanswered: Sample<Network, Unanswered>,
    /// The ports that were probed anywhere, the lowest, and one more than are told apart.
    ports: Vec<u16>,
    closings: Closings,
    sightings: Sightings,
    hears_of_all: bool,
}

impl Default for Sweep {
    fn default() -> Self {
        Self::new(Bounds::SCAN)
    }
}

impl Sweep {
    /// That has learnt of nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            hosts: Sample::new(bounds.hosts),
            networks: Sample::new(bounds.networks),
            unanswered: Sample::new(bounds.unanswered),
            ports: Vec::new(),
            closings: Closings::default(),
            sightings: Sightings::default(),
            hears_of_all: true,
        }
    }

    /// Says that endpoints that did not answer are not told of, so that what was probed is not known.
    pub fn hears_of_answers_only(&mut self) {
        self.hears_of_all = false;
    }

    /// One endpoint, whatever came of it.
    pub fn learn(&mut self, glimpse: &Glimpse<'_>) {
        match glimpse.outcome {
            Outcome::Greeted
            | Outcome::OtherProtocol
            | Outcome::TlsFailed
            | Outcome::Reset
            | Outcome::Closed
            | Outcome::Silent => self.answered(glimpse),
            Outcome::Refused | Outcome::Unreachable | Outcome::Timeout => self.pass(glimpse.ip, glimpse.port),
            // Nothing was learnt about the endpoint.
            Outcome::LocalError | Outcome::Unresolved => {}
        }
    }

    /// One endpoint that did not answer.
    pub fn pass(&mut self, ip: IpAddr, port: u16) {
        self.note_port(port);
        if let Some(unanswered) = self.unanswered.at(Host::new(ip).network()) {
            unanswered.count(port);
        }
    }

    /// The address that most of the servers so far have seen us at, of those that are reached as this one is.
    pub fn usual(&self, ip: IpAddr) -> Option<IpAddr> {
        self.sightings.usual(ip)
    }

    /// What it comes to.
    pub fn overview(&self) -> Overview {
        Overview::new(self)
    }

    fn answered(&mut self, glimpse: &Glimpse<'_>) {
        self.note_port(glimpse.port);
        let (host, hash) = (Host::new(glimpse.ip), glimpse.hash());
        if let Some(after) = glimpse.closed_after {
            self.closings.learn(host, after);
        }
        if let Some(network) = self.networks.at(host.network()) {
            network.learn(host.place(), glimpse);
        }
        let Some(state) = self.hosts.at(host) else { return };
        let port =
            host::Port { number: glimpse.port, is_ftp: glimpse.service.is_ftp(), hash, voice: Voice::of(glimpse) };
        state.learn(port, glimpse.greeting);
        state.has_decoy |= glimpse.decoy_accepted;
        if let Some(seen_as) = glimpse.seen_as {
            let before = state.seen_as.replace(state.seen_as.map_or(seen_as, |known| known.min(seen_as)));
            if before.is_none() {
                self.sightings.learn(glimpse.ip, seen_as);
            }
        }
    }

    fn note_port(&mut self, port: u16) {
        if let Err(place) = self.ports.binary_search(&port) {
            self.ports.insert(place, port);
            self.ports.truncate(MAX_PORTS + 1);
        }
    }
}
