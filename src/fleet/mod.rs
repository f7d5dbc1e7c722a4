//! A simulated fleet: thousands of FTP and mail servers on loopback addresses, and the truth about each of them.
//!
//! For the demo, tests and benches, and for other tools that want something to sweep. What an endpoint is follows from
//! seed, place in the fleet and port alone, so that it can be asked about any of them ([`Roster::truth`]) and a row be held
//! against the answer ([`Truth::mistakes`]); and a fleet that stands elsewhere is the same fleet.
//!
//! ```text
//! Config ─► Roster ─────────────► Fleet
//!           layout: who is where  one thread that serves them all, until it is dropped
//!           cast: what each does
//!                 and what is true
//! ```
//!
//! **It never leaves the machine:** every listener is bound to one address of 127.0.0.0/8, unless [`Reach::Anywhere`] is
//! asked for; and it only listens. What the servers say before
//! login is all they know, in clear and inside TLS: there are no logins, no mail is taken, no file is served. Each open connection has a task and
//! at most a command line's worth of memory; each listener takes one open file.
//!
//! ```
//! use hailer::fleet::{Config, Roster};
//!
//! let roster = Roster::new(Config { hosts: 20, ..Config::default() })?;
//! let some = roster.truths().find(|truth| truth.answers[0].product.is_some()).expect("most say who they are");
//! assert_eq!(roster.truth(some.address), Some(some));
//! # Ok::<(), hailer::fleet::Error>(())
//! ```

mod cast;
mod certificates;
mod dark;
mod dialogue;
mod draw;
mod features;
mod foreign;
mod greetings;
mod kind;
mod layout;
mod serve;
#[cfg(test)]
mod tests;
mod truth;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

pub use self::kind::Kind;
pub use self::layout::{Reach, Spread};
pub use self::truth::{Answer, Mistake, Product, Truth};

use self::cast::{Part, cast};
use self::certificates::Authority;
use self::dark::DarkPort;
use self::layout::Layout;
use self::serve::{Endpoint, Theatre};
use crate::config::Depth;
use crate::observation::Service;

/// Open files that are left for connections and for the rest of the process.
const RESERVED_FILES: u64 = 320;

/// Connections that wait to be accepted, for each endpoint. The kernel cuts it to its own bound, 4,096 on Linux.
const BACKLOG: i32 = 1024;

/// What a fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// What everything is derived from.
    pub seed: u64,
    /// How many hosts there are; each has five ports.
    pub hosts: u32,
    /// The address of the first, within reach.
    pub first: Ipv4Addr,
    /// Which addresses they may have.
    pub reach: Reach,
    /// Whether each has an address of its own, and on which ports.
    pub spread: Spread,
    /// How long servers pause that take their time. Postscreen's own is six seconds.
    pub pause: Duration,
    /// How much it will be asked, which is not about what it does but about what rows must say.
    pub depth: Depth,
}

impl Default for Config {
    fn default() -> Self {
        let spread = Spread::default();
        let first = match spread {
            Spread::Addresses | Spread::UsualPorts => layout::FIRST,
            Spread::Ports => Ipv4Addr::LOCALHOST,
        };
        let (reach, pause, depth) = (Reach::default(), Duration::from_secs(6), Depth::Greeting);
        Self { seed: 1, hosts: 1000, first, reach, spread, pause, depth }
    }
}

/// Why there is no fleet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address that is not on the loopback network.
    #[error("{0} is not on the loopback network: a fleet is served on 127.0.0.1 to 127.255.255.254 only")]
    NotLoopback(Ipv4Addr),
    /// An address that no host has.
    #[error("{0} is not an address that a host can have: those are 1.0.0.0 to 223.255.255.255")]
    NotAHost(Ipv4Addr),
    /// More hosts than there is room for, or none.
    #[error("{hosts} hosts cannot be served from there: ask for 1 to {most}")]
    Hosts {
        /// How many were asked for.
        hosts: u32,
        /// How many there can be.
        most: u32,
    },
    /// More open files than this process may have.
    #[error(
        "{hosts} hosts take {needed} open files, and this process may have {limit}: ask for at most {fitting} hosts, or \
         raise the limit (ulimit -n)"
    )]
    Files {
        /// How many hosts were asked for.
        hosts: u32,
        /// How many files they take, with some for connections.
        needed: u64,
        /// The limit.
        limit: u64,
        /// How many hosts would fit.
        fitting: u32,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {error}; if another fleet is running there, give this one other addresses")]
    Listen {
        /// The address.
        address: SocketAddrV4,
        /// What the system says.
        error: io::Error,
    },
    /// The machine gave no thread, no event queue or no certificate.
    #[error("cannot start the fleet: {0}")]
    Start(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    fn start(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Start(error.into())
    }
}

/// Who is where, and what is true of them. Nothing is running yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    config: Config,
    layout: Layout,
}

impl Roster {
    /// The roster of a fleet as configured.
    ///
    /// # Errors
    /// Where it would not be within reach, or has no hosts, or too many.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { config, layout: Layout::new(config.first, config.hosts, config.spread, config.reach)? })
    }

    /// What is true of an endpoint; nothing, where it is not one of the fleet's.
    pub fn truth(&self, address: SocketAddr) -> Option<Truth> {
        let SocketAddr::V4(address) = address else { return None };
        let service = self.layout.service_at(address)?;
        Some(self.cast(address, service).truth)
    }

    /// What is true of each endpoint.
    pub fn truths(&self) -> impl Iterator<Item = Truth> {
        self.layout.endpoints().map(|(address, service)| self.cast(address, service).truth)
    }

    fn cast(&self, address: SocketAddrV4, service: Service) -> Part {
        cast(self.config.seed, self.layout.place(address), address, service, self.config.depth)
    }

    /// How many endpoints there are, also those where nothing listens.
    pub fn endpoints(&self) -> u64 {
        self.layout.len()
    }

    /// The addresses as a target of `hailer scan`.
    pub fn target(&self) -> String {
        self.layout.target()
    }

    /// The ports as `hailer scan -p` takes them.
    pub fn ports(&self) -> String {
        self.layout.ports()
    }

    /// How many files are open while it is served, without connections.
    pub fn files(&self) -> u64 {
        let seed = self.config.seed;
        let kinds =
            self.layout.endpoints().map(|(address, service)| cast::kind(seed, self.layout.place(address), service));
        kinds.map(Kind::files).sum()
    }

    /// Brings the fleet up, on a thread of its own; when this returns every endpoint can be connected to.
    ///
    /// # Errors
    /// Where the fleet does not fit into the open-file limit, or an address cannot be listened on.
    pub fn start(self) -> Result<Fleet, Error> {
        self.check_files()?;
        let authority = Authority::new(self.config.seed).map_err(Error::start)?;
        let theatre = Arc::new(Theatre { authority, pause: self.config.pause });
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::start)?;
        let (endpoints, dark) = self.bind(&runtime)?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                for endpoint in endpoints {
                    tokio::spawn(endpoint.serve(Arc::clone(&theatre)));
                }
                // Either is the end: nothing is ever sent.
                drop(stopped.await);
            });
            drop(dark);
        };
        let thread = thread::Builder::new().name("fleet".into()).spawn(serve).map_err(Error::start)?;
        Ok(Fleet { roster: self, stop: Some(stop), thread: Some(thread) })
    }

    fn check_files(&self) -> Result<(), Error> {
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Error::start)?;
        let needed = self.files() + RESERVED_FILES;
        if needed <= limit {
            return Ok(());
        }
        Err(Error::Files { hosts: self.config.hosts, needed, limit, fitting: hosts_within(limit) })
    }

    fn bind(&self, runtime: &Runtime) -> Result<(Vec<Endpoint>, Vec<DarkPort>), Error> {
        let _context = runtime.enter();
        let (mut endpoints, mut dark) = (Vec::new(), Vec::new());
        for (address, service) in self.layout.endpoints() {
            let part = self.cast(address, service);
            let failed = |error| Error::Listen { address, error };
            match part.truth.kind {
                Kind::Refused => {}
                Kind::Dark => dark.push(DarkPort::open(address).map_err(failed)?),
                _ => {
                    let listener = listen(address, BACKLOG).map_err(failed)?;
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
                    endpoints.push(Endpoint::new(listener, part.scripts));
                }
            }
        }
        Ok((endpoints, dark))
    }
}

/// How many hosts a fleet can have with so many open files, whatever the seed.
pub fn hosts_within(limit: u64) -> u32 {
    // A file for each of five ports. Dark ones take three, but far more are refused and take none.
    u32::try_from(limit.saturating_sub(RESERVED_FILES) / 5).unwrap_or(u32::MAX)
}

/// A listener on that address and no other.
fn listen(address: SocketAddrV4, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of the last run that linger in TIME_WAIT do not hold the address.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A fleet that is being served. Dropping it ends it, with every connection.
#[derive(Debug)]
pub struct Fleet {
    roster: Roster,
    /// Dropping it is the request to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Who is where.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// What is true of an endpoint; nothing, where it is not one of the fleet's.
    pub fn truth(&self, address: SocketAddr) -> Option<Truth> {
        self.roster.truth(address)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been told on stderr, and dropping is no place for another.
            drop(thread.join());
        }
    }
}
