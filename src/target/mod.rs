//! What is to be probed: addresses, networks, ranges and names, with their ports, as numbers and not as a list.
//!
//! [`Targets`] answers [`len`](Targets::len) and [`endpoint`](Targets::endpoint) from a table of disjoint ranges: a /8
//! costs no more memory than a /32, and an address named twice, or by overlapping networks, is one endpoint a port. Names
//! stay names here (one endpoint a port); their addresses are found when their turn comes.

mod list;
pub(crate) mod names;
mod parse;
mod place;
mod ports;
mod resolver;
mod space;
mod stub;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use sha2::Digest as _;

pub use self::list::{ListError, ListErrorKind};
pub(crate) use self::names::{Found, Names, NoAddress, Resolve};
pub use self::parse::TargetError;
pub(crate) use self::place::Place;
pub use self::ports::{Ports, PortsError};
pub(crate) use self::resolver::Resolver;
pub use self::stub::NotProbed;

use self::parse::{HostSpec, parse, to_address, to_number};
use self::space::Span;
use crate::observation::Service;

/// More endpoints than this are refused: with 2^63 a scan at a million a second would take 290,000 years.
const MAX_ENDPOINTS: u128 = 1 << 63;

/// One address or name, one port, and the service expected there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where it is.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The service expected there.
    pub service: Service,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// At an address.
    Address(IpAddr),
    /// At the addresses of a name, each of which is probed.
    Name(Arc<str>),
    /// At the addresses of each mail exchange of a domain (RFC 5321 §5.1).
    Mx(Arc<str>),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Mx(domain) => write!(f, "mx:{domain}"),
        }
    }
}

/// Which address families are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Both.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Family {
    /// Whether `ip` is of this family.
    pub fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

/// What is wrong with a set of targets as a whole.
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// Nothing is left to probe.
    #[error("no targets: name an address, a network, a host name, or a file as @FILE")]
    Empty,
    /// All targets are of the family that is not wanted.
    #[error("no targets: all {0} of them are addresses of the family that -4 or -6 leaves out")]
    WrongFamily(u64),
    /// More than 2^63 endpoints.
    #[error("the targets have {0} endpoints, which is more than 2^63: name smaller networks or fewer ports")]
    TooMany(TooMany),
    /// One endpoint is asked for as two services.
    #[error("{host}: {source}")]
    Conflict {
        /// The first address, or the name, at which it happens.
        host: String,
        /// Which port, and as what.
        source: PortsError,
    },
}

/// How many endpoints were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany(Option<u128>);

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => count.fmt(f),
            None => f.write_str("more than 2^128"),
        }
    }
}

/// Gathers targets, and makes [`Targets`] of them.
///
/// ```
/// use hailer::{Family, Ports, Targets};
///
/// let mut builder = Targets::builder();
/// builder.add("10.0.0.0/24")?;
/// builder.add("10.0.0.7:2121=ftp")?;
/// let targets = builder.build(&Ports::default(), Family::Any)?;
/// assert_eq!(targets.len(), 256 * 5 + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct TargetsBuilder {
    ranges: Vec<(IpAddr, IpAddr, Option<Ports>)>,
    names: Vec<(Host, Option<Ports>)>,
}

impl TargetsBuilder {
    /// Adds one target: an address, a CIDR, a range or a name, with its own ports if it has some.
    ///
    /// # Errors
    /// What is wrong with the word; nothing is added then.
    pub fn add(&mut self, word: &str) -> Result<&mut Self, TargetError> {
        let parsed = parse(word)?;
        match parsed.host {
            HostSpec::Range(first, last) => self.ranges.push((first, last, parsed.ports)),
            HostSpec::Name(name) => self.names.push((Host::Name(name.into()), parsed.ports)),
            HostSpec::Mx(domain) => self.names.push((Host::Mx(domain.into()), parsed.ports)),
        }
        Ok(self)
    }

    /// Adds the targets of a list: any number in a line, between blanks; `#` begins a comment.
    ///
    /// # Errors
    /// The first bad word with its line and column, or why reading failed; `source` names the list to people.
    pub fn add_list(&mut self, source: &str, list: impl io::BufRead) -> Result<&mut Self, ListError> {
        list::read(source, list, |word| self.add(word).map(drop))?;
        Ok(self)
    }

    /// How many targets there are so far.
    pub fn len(&self) -> usize {
        self.ranges.len() + self.names.len()
    }

    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes the set: overlaps are merged, `default` is put where a target has no ports of its own, addresses of the
    /// other family are left out (and counted, see [`Targets::left_out`]).
    ///
    /// # Errors
    /// If nothing is left, if there are more than 2^63 endpoints, or if one port of one host is asked for as two services.
    pub fn build(self, default: &Ports, family: Family) -> Result<Targets, TargetsError> {
        let mut left_out = 0;
        let mut spans = [Vec::new(), Vec::new()];
        for (first, last, ports) in self.ranges {
            if !family.has(first) {
                left_out += 1;
                continue;
            }
            let span = Span {
                first: to_number(first),
                last: to_number(last),
                ports: ports.unwrap_or_else(|| default.clone()),
            };
            spans[usize::from(first.is_ipv6())].push(span);
        }
        let mut targets = Targets { blocks: Vec::new(), len: 0, left_out, family, all_ports: Ports::from_iter([]) };
        let mut total: u128 = 0;
        for (spans, ipv6) in spans.into_iter().zip([false, true]) {
            let disjoint = space::disjoint(spans).map_err(|(at, source)| {
                let host = to_address(at, ipv6).to_string();
                TargetsError::Conflict { host, source }
            })?;
            for Span { first, last, ports } in disjoint {
                let size = (last - first).checked_add(1).and_then(|hosts| hosts.checked_mul(widen(ports.len())));
                targets.push(Place_::Range { first, ipv6 }, ports, size, &mut total)?;
            }
        }
        let mut names = self.names;
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for same in names.chunk_by(|a, b| a.0 == b.0) {
            let host = same[0].0.clone();
            let mut ports = Ports::from_iter([]);
            for (_, own) in same {
                ports = ports
                    .union(own.as_ref().unwrap_or(default))
                    .map_err(|source| TargetsError::Conflict { host: host.to_string(), source })?;
            }
            let size = Some(widen(ports.len()));
            targets.push(Place_::Named(host), ports, size, &mut total)?;
        }
        match (targets.len, left_out) {
            (0, 0) => Err(TargetsError::Empty),
            (0, left_out) => Err(TargetsError::WrongFamily(left_out)),
            _ => Ok(targets),
        }
    }
}

/// A set of endpoints that can be counted and numbered without being listed.
#[derive(Debug, Clone)]
pub struct Targets {
    /// In ascending order of `start`.
    blocks: Vec<Block>,
    len: u64,
    left_out: u64,
    family: Family,
    all_ports: Ports,
}

#[derive(Debug, Clone)]
struct Block {
    /// The index of its first endpoint.
    start: u64,
    place: Place_,
    ports: Ports,
}

#[derive(Debug, Clone)]
enum Place_ {
    Range { first: u128, ipv6: bool },
    Named(Host),
}

impl Targets {
    /// Begins a set.
    pub fn builder() -> TargetsBuilder {
        TargetsBuilder::default()
    }

    /// How many endpoints there are; a name counts once a port, however many addresses it will have.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none, which [`TargetsBuilder::build`] does not let happen.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of the targets named were left out because they are of the other address family.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Which families are wanted, also of the addresses that names have.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Every port of every target.
    pub fn ports(&self) -> &Ports {
        &self.all_ports
    }

    /// The endpoint with this index, if there are so many.
    pub fn endpoint(&self, index: u64) -> Option<Endpoint> {
        self.lookup(index).map(|(endpoint, _)| endpoint)
    }

    /// The endpoint with this index, and the number of the record it is in, which all ports of a name share.
    pub(crate) fn lookup(&self, index: u64) -> Option<(Endpoint, u64)> {
        if index >= self.len {
            return None;
        }
        let after = self.blocks.partition_point(|block| block.start <= index);
        let record = after.checked_sub(1)?;
        let block = self.blocks.get(record)?;
        let offset = index - block.start;
        let ports = u64::try_from(block.ports.len()).ok()?;
        let (port, service) = block.ports.at(usize::try_from(offset % ports).ok()?);
        let host = match &block.place {
            Place_::Range { first, ipv6 } => Host::Address(to_address(first + u128::from(offset / ports), *ipv6)),
            Place_::Named(host) => host.clone(),
        };
        Some((Endpoint { host, port, service }, u64::try_from(record).ok()?))
    }

    /// What the set is, whatever words named it: the same endpoints and exclusions have the same digest.
    pub fn digest(&self) -> [u8; 32] {
        sha2::Sha256::digest(format!("{:?} {:?}", self.blocks, self.family)).into()
    }

    /// Whether some target may be on the public Internet: a globally routable address, or a name, which may lead there.
    pub fn may_be_public(&self) -> bool {
        let ends = self.blocks.iter().enumerate().map(|(i, block)| {
            let next = self.blocks.get(i + 1).map_or(self.len, |block| block.start);
            (block, next - block.start)
        });
        ends.into_iter().any(|(block, size)| match &block.place {
            Place_::Named(_) => true,
            Place_::Range { first, ipv6 } => {
                let hosts = u128::from(size) / widen(block.ports.len()).max(1);
                let last = first + hosts.saturating_sub(1);
                space::may_be_public(to_address(*first, *ipv6), to_address(last, *ipv6))
            }
        })
    }

    fn push(&mut self, place: Place_, ports: Ports, size: Option<u128>, total: &mut u128) -> Result<(), TargetsError> {
        let sum = size.and_then(|size| total.checked_add(size));
        let len = sum.filter(|sum| *sum <= MAX_ENDPOINTS).and_then(|sum| u64::try_from(sum).ok());
        let (Some(sum), Some(len)) = (sum, len) else {
            return Err(TargetsError::TooMany(TooMany(sum)));
        };
        // Two targets may well ask for one port number as two services, on different hosts: only the numbers count here.
        if !ports.iter().all(|(port, _)| self.all_ports.position(port).is_some()) {
            self.all_ports = self.all_ports.iter().chain(ports.iter()).collect();
        }
        self.blocks.push(Block { start: self.len, place, ports });
        self.len = len;
        *total = sum;
        Ok(())
    }
}

/// A count of things in memory as the widest integer.
fn widen(count: usize) -> u128 {
    u128::try_from(count).unwrap_or(u128::MAX)
}

#[cfg(test)]
mod tests;
