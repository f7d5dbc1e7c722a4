//! What keeps a scan from being made. What befalls an endpoint is never among it: see [`crate::Outcome`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No targets were given.
    #[error("no targets: name an address, a network, a host name, or a file as @FILE")]
    NoTargets,
    /// A timeout of zero.
    #[error("the {what} timeout is zero: nothing could ever answer in time")]
    ZeroTimeout {
        /// Which.
        what: &'static str,
    },
    /// Words that EHLO cannot be said with.
    #[error("'{name}' cannot stand behind EHLO: it takes a host name with a dot, or an address literal as [10.0.0.5]")]
    EhloName {
        /// The words.
        name: String,
    },
    /// More connections to each endpoint than tell anything.
    #[error("{asked} connections to each endpoint are too many: from {most} on nothing new is learnt")]
    Samples {
        /// How many were asked for.
        asked: NonZeroU32,
        /// How many there may be.
        most: u32,
    },
    /// A decoy on which something is expected.
    #[error(
        "port {port} is no decoy: name one from 1 to 65535 on which nothing should listen, and which is not scanned"
    )]
    Decoy {
        /// The port.
        port: u16,
    },
    /// An address that nobody can see us at.
    #[error(
        "{address} is not an address that anybody sees us at: name the one that servers see, as what NAT makes of ours"
    )]
    OurAddress {
        /// The address.
        address: IpAddr,
    },
    /// More slots than open files.
    #[error(
        "{asked} connections at once need more open files than the limit of {limit} less {reserved} kept for other uses: \
         ask for fewer, or raise the limit (ulimit -n)"
    )]
    Concurrency {
        /// How many were asked for.
        asked: NonZeroUsize,
        /// The limit.
        limit: u64,
        /// How many of it are not for connections.
        reserved: u64,
    },
    /// The open-file limit cannot be read.
    #[error("cannot read the open-file limit: {0}")]
    Limit(io::Error),
    /// No such interface.
    #[error("there is no network interface '{name}': `ip link` lists them")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// The interface cannot be used.
    #[error("cannot connect through interface '{name}': {error}")]
    Interface {
        /// Its name.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// The source address cannot be used.
    #[error(
        "cannot connect from {source_address}: {error}; it must be an address of this machine (`ip address` lists them)"
    )]
    Source {
        /// The address.
        source_address: IpAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Two source addresses of one family.
    #[error("{address} is a second source address of its family: give at most one for each of IPv4 and IPv6")]
    TwoSources {
        /// The second.
        address: IpAddr,
    },
    /// More public addresses than anybody sweeps by mistake.
    #[error(
        "{public} public addresses, which is more than {most}: if you have leave to sweep them, say so with \
         --i-am-authorised, and give --contact for those who ask"
    )]
    NotAuthorised {
        /// How many there are.
        public: u128,
        /// How many need no leave.
        most: u128,
    },
    /// A checkpoint that is not of this scan.
    #[error("the checkpoint is not of this scan: it speaks of endpoints that this one does not have")]
    Checkpoint,
    /// A checkpoint that no scan can have come to.
    #[error("the checkpoint contradicts itself: it is damaged, or was changed since it was kept")]
    DamagedCheckpoint,
    /// The log of what names lead to cannot be kept.
    #[error(transparent)]
    NamesLog(io::Error),
    /// The roots cannot be used.
    #[error("the roots '{roots}' cannot be used: {reason}")]
    Roots {
        /// Which.
        roots: String,
        /// Why, and what to do.
        reason: String,
    },
    /// Nobody can be asked for names.
    #[error(transparent)]
    Resolver(io::Error),
    /// A canary that may not be probed.
    #[error("the canary {canary} may not be probed: {reason}; name another")]
    Canary {
        /// Which.
        canary: SocketAddr,
        /// Why.
        reason: String,
    },
}
