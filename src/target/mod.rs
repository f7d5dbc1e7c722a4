//! What is to be probed: addresses, networks, ranges and names, with their ports, as numbers and not as a list.
//!
//! [`Targets`] answers [`len`](Targets::len) and [`endpoint`](Targets::endpoint) from a table of disjoint ranges: a /8
//! costs no more memory than a /32, and an address named twice, or by overlapping networks, is one endpoint a port. Names
//! stay names here (one endpoint a port); their addresses are found when their turn comes.
//!
//! ```text
//! words ─► records ─► sorted ───► swept ─► table
//! parse    builder,   sort        space    assembly, table, set
//!          reserved   (on disk)            (on disk)
//! ```
//!
//! What lists name may be more than memory holds: past a few megabytes, both the words and the table are in temporary
//! files. In memory are exclusions, each different set of ports, and a sparse index.

mod answers;
mod assembly;
mod builder;
mod digest;
#[cfg(test)]
mod dns_server;
mod exchanges;
mod exclusions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod interned;
mod list;
mod lookup;
pub(crate) mod names;
mod nat64;
pub(crate) mod parse;
mod place;
mod ports;
mod record;
mod reserved;
mod resolver;
pub(crate) mod scratch;
mod set;
pub(crate) mod sort;
mod space;
mod table;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use self::answers::AnswerBook;
pub use self::builder::TargetsBuilder;
pub use self::list::{ListError, ListErrorKind};
pub use self::lookup::{Addresses, Lookup, MailExchange, Pointer};
#[cfg(test)]
pub(crate) use self::names::Resolve;
pub(crate) use self::names::{Found, Names, NoAddress, OTHER_FAMILY};
pub use self::parse::TargetError;
pub(crate) use self::place::Place;
pub use self::ports::{Ports, PortsError};
pub use self::reserved::{NotProbed, Policy};
pub use self::resolver::Miss;
pub(crate) use self::resolver::Resolver;
pub use self::set::Targets;

use crate::observation::Service;

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

/// As a target, so that what is shown can be given back.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, service } = self;
        match host {
            Host::Address(ip) if ip.is_ipv6() => write!(f, "[{ip}]:{port}={service}"),
            Host::Address(_) | Host::Name(_) | Host::Mx(_) => write!(f, "{host}:{port}={service}"),
        }
    }
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

/// What stands in one record of the targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// The addresses from the first to the last, both included.
    Range(IpAddr, IpAddr),
    /// A name.
    Name(Arc<str>),
    /// The mail exchanges of a domain.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// All targets are excluded.
    #[error("nothing is left to probe: all {0} addresses and names among the targets are excluded")]
    Excluded(u128),
    /// All targets that are not excluded are in reserved networks.
    #[error("nothing is left to probe: {}", list(.0))]
    Reserved(Vec<NotProbed>),
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
    /// Memory does not hold so many targets, and the disk does not either.
    #[error(
        "so many targets need a temporary file in {folder}, and that fails: {0}: make room there, or name another folder \
         in TMPDIR",
        folder = std::env::temp_dir().display()
    )]
    Storage(#[from] io::Error),
}

fn list(networks: &[NotProbed]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
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

#[cfg(test)]
mod tests;
