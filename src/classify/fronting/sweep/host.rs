//! One host: whether it greets alike on ports of different services, or accepts on every port.
//!
//! It accepts everything where its decoy accepted, or where all ports that were probed anywhere (four at least) accepted
//! on it though most of them, leaving out those where TLS failed, stayed open and never said a byte, and none of them
//! hung up on us, as a host does that does not want us. A host of which fewer ports were probed than of others may
//! escape; one whose ports are merely shy, or whose TLS is broken, does not look like it.

use std::net::IpAddr;

use super::{Glimpse, MAX_PORTS, Words};
use crate::observation::Outcome;

/// On fewer ports that accept, silence says nothing.
const FEWEST_PORTS: usize = 4;
/// So many of these must not be ports where TLS failed.
const FEWEST_VOICES: usize = 2;

/// How a port that accepted went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Voice {
    /// It stayed open until we gave up.
    Silent,
    /// The peer was the first to end it.
    HungUp,
    /// TLS came to nothing, which says neither that a server is there nor that none is.
    NoTls,
    Spoke,
}

impl Voice {
    pub(super) fn of(glimpse: &Glimpse<'_>) -> Self {
        let said = match glimpse.greeting {
            Words::Bytes(bytes) => !bytes.is_empty(),
            Words::Escaped(text) => !text.is_empty(),
        };
        match glimpse.outcome {
            Outcome::TlsFailed => Self::NoTls,
            Outcome::Reset | Outcome::Closed if !said => Self::HungUp,
            Outcome::Silent if !said => Self::Silent,
            Outcome::Greeted
            | Outcome::OtherProtocol
            | Outcome::Reset
            | Outcome::Closed
            | Outcome::Silent
            | Outcome::Refused
            | Outcome::Unreachable
            | Outcome::Timeout
            | Outcome::LocalError
            | Outcome::Unresolved => Self::Spoke,
        }
    }
}

/// One port of a host that accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) is_ftp: bool,
    pub(super) hash: Option<u64>,
    pub(super) voice: Voice,
}

/// What is known of a host.
#[derive(Debug, Default)]
pub(super) struct State {
    /// In their order.
    ports: Vec<Port>,
    /// What it says where it greets alike.
    greeting: Option<Box<str>>,
    pub(super) has_decoy: bool,
    /// Where it sees us; of several addresses the lowest.
    pub(super) seen_as: Option<IpAddr>,
}

impl State {
    pub(super) fn learn(&mut self, port: Port, greeting: Words<'_>) {
        match self.ports.binary_search_by_key(&port.number, |known| known.number) {
            // Several names may lead here.
            Ok(place) => self.ports[place] = self.ports[place].max(port),
            Err(place) => self.ports.insert(place, port),
        }
        self.ports.truncate(MAX_PORTS);
        if port.hash.is_some() && self.alike().is_some_and(|(hash, _)| Some(hash) == port.hash) {
            self.greeting = Some(greeting.least(self.greeting.take()));
        }
    }

    /// The greeting that it has on ports of both families, and on which.
    pub(super) fn alike(&self) -> Option<(u64, Vec<u16>)> {
        let ftp = self.ports.iter().filter(|port| port.is_ftp).filter_map(|port| port.hash);
        let in_mail = |hash: &u64| self.ports.iter().any(|port| !port.is_ftp && port.hash == Some(*hash));
        let hash = ftp.filter(in_mail).min()?;
        Some((hash, self.ports.iter().filter(|port| port.hash == Some(hash)).map(|port| port.number).collect()))
    }

    pub(super) fn greeting(&self) -> Option<&str> {
        self.greeting.as_deref()
    }

    /// Whether it accepts everything, where so many ports were probed.
    pub(super) fn accepts_everything(&self, probed: usize) -> bool {
        self.has_decoy || probed <= MAX_PORTS && self.ports.len() == probed && self.is_hollow()
    }

    fn is_hollow(&self) -> bool {
        let voices: Vec<_> = self.ports.iter().map(|port| port.voice).filter(|voice| *voice != Voice::NoTls).collect();
        let count = |wanted| voices.iter().filter(|voice| **voice == wanted).count();
        let is_most = 2 * count(Voice::Silent) > voices.len() && count(Voice::HungUp) == 0;
        self.ports.len() >= FEWEST_PORTS && voices.len() >= FEWEST_VOICES && is_most
    }
}
