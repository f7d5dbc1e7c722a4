//! Where a sweep goes: a range, a port on which every address of it greets, and one on which all refuse.

use std::error::Error;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};

use crate::Options;
use crate::measure::{self, Cost, measure};
use crate::peers::{self, Peers};
use crate::range::Range;
use crate::world::World;

/// What lies between client and peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Over {
    /// Nothing: the result of `connect()` is there at once.
    Loopback,
    /// A pair of namespaces and a millisecond each way; takes root.
    Veth,
}

impl Over {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth => "veth",
        }
    }
}

/// Peers at work, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) over: Over,
    pub(crate) range: Range,
    pub(crate) open: u16,
    pub(crate) closed: ClosedPort,
    _peers: Peers,
    world: Option<World>,
}

impl Field {
    /// Starts the peers, at the far end of the world where there is one.
    pub(crate) fn new(options: &Options, world: Option<World>) -> Result<Self, Box<dyn Error>> {
        let (over, range) = match &world {
            None => (Over::Loopback, Range::new(options.prefix)),
            Some(_) => (Over::Veth, Range::far(options.prefix)),
        };
        let closed = ClosedPort::reserve(LOWEST)?;
        let open = ClosedPort::reserve(closed.number + 1)?.number;
        let job = peers::Job {
            range,
            port: open,
            greeting: options.greeting.clone(),
            late: Duration::ZERO,
            share: 0,
            of: options.servers,
        };
        let peers = match &world {
            None => Peers::start(&job)?,
            Some(world) => {
                crate::progress(&format!("the way to the peers: {}", world.way()));
                world.far(|| Peers::start(&job))?
            }
        };
        Ok(Self { over, range, open, closed, _peers: peers, world })
    }

    /// Runs a program where clients belong.
    pub(crate) fn measure(&self, job: &measure::Job) -> Result<Cost, Box<dyn Error>> {
        match &self.world {
            None => measure(job),
            Some(world) => world.near(|| measure(job)),
        }
    }
}

/// Where the search for free ports starts: below the ports that Linux gives to clients (32768 and up), since a client
/// that got the very port it connects to would, on 127.0.0.1, meet itself.
pub(crate) const LOWEST: u16 = 20_000;
const HIGHEST: u16 = 30_000;

/// A port that refuses on every address: bound, so that nobody else takes it, but not listening. In a namespace of the
/// bench's own nobody else is.
#[derive(Debug)]
pub(crate) struct ClosedPort {
    pub(crate) number: u16,
    _socket: OwnedFd,
}

impl ClosedPort {
    /// The first port from `lowest` on that nobody uses on any address.
    pub(crate) fn reserve(lowest: u16) -> Result<Self, Box<dyn Error>> {
        for number in lowest..HIGHEST {
            let socket = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            let address = std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, number);
            if socket::bind(socket.as_raw_fd(), &SockaddrIn::from(address)).is_ok() {
                return Ok(Self { number, _socket: socket });
            }
        }
        Err("no free port".into())
    }
}
