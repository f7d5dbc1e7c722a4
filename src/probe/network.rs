//! The network as the probe sees it, and the real one. Tests put a scripted one in its place.
//!
//! A socket is non-blocking from its making, and `connect()` is started here so that its two kinds of error stay apart:
//! a synchronous one is ours (no route, no descriptor, no port), an asynchronous one came from the network. Only RST is
//! the network's in both cases: on loopback it is there before `connect()` returns.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::deadline::{Elapsed, by};
use super::icmp::{self, IcmpError};
use super::info;
use super::neighbours;
use super::tcp::Tcp;

/// How long a peer is given to speak before it is asked whether the connection stands at all: less than the second after
/// which a SYN is repeated (RFC 6298 §2.1), so that until then there is one handshake to be measured.
pub(super) const SOON: Duration = Duration::from_millis(900);

/// What the probe needs of a network.
pub(crate) trait Network: Send + Sync + 'static {
    /// A connection.
    type Stream: Stream;

    /// Connects; what does not stand at the deadline is a [`Failure::Timeout`].
    fn connect(&self, to: SocketAddr, how: How) -> impl Future<Output = Result<Self::Stream, Failure>> + Send;

    /// Whether this machine knows a way there; nothing is sent.
    fn has_route(&self, to: IpAddr) -> bool;

    /// The address of ours that we would speak from, and whether its link has a carrier; none where that is not known.
    fn carrier(&self, _: IpAddr) -> Option<(IpAddr, bool)> {
        None
    }

    /// For how long this machine has been asleep since it started.
    fn slept(&self) -> Duration;

    /// How much processor time this program has had.
    fn worked(&self) -> Duration {
        Duration::ZERO
    }
}

/// How a connection is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// When it has to stand.
    pub(crate) deadline: Instant,
    /// Whether what is written is sent at once: TLS needs that, or loses 40 ms.
    pub(crate) nodelay: bool,
    /// Whether we have nothing to say before the peer. The connection may then be handed over a little after it stands,
    /// with the first words, which saves a wake-up.
    pub(crate) listens: bool,
}

/// What the probe needs of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Takes what lies in the receive queue, without waiting and whatever the readiness told so far; how much it was.
    fn take_now(&mut self, buffer: &mut [u8]) -> usize;

    /// Our own address on it.
    fn local_ip(&self) -> Option<IpAddr>;

    /// The time from our SYN to its answer, as the system measured it; none where it did not.
    fn handshake(&self) -> Option<Duration> {
        None
    }

    /// Has what comes next acknowledged without the usual delay of 40 ms, where the system can be told so.
    fn acknowledge_at_once(&self) {}
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// RST in answer to our SYN.
    Refused,
    /// RST after the connection stood.
    Reset,
    /// An ICMP error, or what the system made of one.
    Unreachable(Option<IcmpError>, io::Error),
    /// The system gave up before we did.
    Timeout,
    /// Our own limit.
    Local(io::Error),
}

/// The machine's own network.
#[derive(Debug, Clone, Default)]
pub(crate) struct System {
    /// The address to connect from, for each family.
    pub(crate) source_v4: Option<IpAddr>,
    pub(crate) source_v6: Option<IpAddr>,
    /// The interface to connect through.
    pub(crate) interface: Option<Interface>,
}

/// A network interface.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: NonZeroU32,
}

impl System {
    /// A socket that is ready to connect to addresses of the family of `to`.
    pub(crate) fn socket(&self, to: IpAddr) -> io::Result<Socket> {
        let socket = self.prepared(to, Type::STREAM, Protocol::TCP)?;
        icmp::ask_for_errors(&socket, to)?;
        Ok(socket)
    }

    /// A socket that is bound to where we connect from.
    fn prepared(&self, to: IpAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        let (domain, source) = match to {
            IpAddr::V4(_) => (Domain::IPV4, self.source_v4),
            IpAddr::V6(_) => (Domain::IPV6, self.source_v6),
        };
        // One system call on Linux; elsewhere socket2 sets the flags one by one.
        #[cfg(target_os = "linux")]
        let socket = Socket::new_raw(domain, kind.nonblocking().cloexec(), Some(protocol))?;
        #[cfg(not(target_os = "linux"))]
        let socket = {
            let socket = Socket::new(domain, kind, Some(protocol))?;
            socket.set_nonblocking(true)?;
            socket
        };
        if let Some(interface) = &self.interface {
            bind_to_interface(&socket, to, interface)?;
        }
        if let Some(source) = source {
            // The port is chosen at connect(), where it need only differ for the same peer: 28,000 ports are then enough for
            // any number of peers.
            #[cfg(target_os = "linux")]
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        Ok(socket)
    }

    /// A datagram socket that is connected to the discard port, which sends nothing.
    fn towards(&self, to: IpAddr) -> io::Result<Socket> {
        let socket = self.prepared(to, Type::DGRAM, Protocol::UDP)?;
        socket.connect(&self.scoped(SocketAddr::new(to, 9)).into())?;
        Ok(socket)
    }

    /// Sends the SYN.
    fn start(&self, to: SocketAddr, nodelay: bool) -> Result<TcpStream, Failure> {
        let socket = self.socket(to.ip()).map_err(Failure::Local)?;
        if nodelay {
            socket.set_tcp_nodelay(true).map_err(Failure::Local)?;
        }
        match socket.connect(&self.scoped(to).into()) {
            Ok(()) => {}
            Err(error) => match errno(&error) {
                Errno::EINPROGRESS => {}
                Errno::ECONNREFUSED => return Err(Failure::Refused),
                Errno::ECONNRESET => return Err(Failure::Reset),
                _ => return Err(Failure::Local(error)),
            },
        }
        TcpStream::from_std(socket.into()).map_err(Failure::Local)
    }

    /// A link-local address is one of many without its interface (RFC 4007 §11).
    fn scoped(&self, to: SocketAddr) -> SocketAddr {
        match (to, &self.interface) {
            (SocketAddr::V6(v6), Some(interface)) if v6.ip().is_unicast_link_local() => {
                SocketAddrV6::new(*v6.ip(), v6.port(), 0, interface.index.get()).into()
            }
            _ => to,
        }
    }
}

#[cfg(target_os = "linux")]
fn bind_to_interface(socket: &Socket, _: IpAddr, interface: &Interface) -> io::Result<()> {
    socket.bind_device(Some(interface.name.as_bytes()))
}

#[cfg(target_vendor = "apple")]
fn bind_to_interface(socket: &Socket, to: IpAddr, interface: &Interface) -> io::Result<()> {
    match to {
        IpAddr::V4(_) => socket.bind_device_by_index_v4(Some(interface.index)),
        IpAddr::V6(_) => socket.bind_device_by_index_v6(Some(interface.index)),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn bind_to_interface(_: &Socket, _: IpAddr, interface: &Interface) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("cannot bind to {} on this system", interface.name)))
}

impl Network for System {
    type Stream = Tcp;

    fn connect(&self, to: SocketAddr, how: How) -> impl Future<Output = Result<Tcp, Failure>> + Send {
        let started = self.start(to, how.nodelay);
        // What waits keeps the socket, and once: an async fn would keep where it leads to as well.
        async move {
            let Ok(stream) = &started else { return started.and_then(Tcp::decided) };
            if how.listens && info::IS_KNOWN {
                let soon = how.deadline.min(Instant::now() + SOON);
                match by(soon, poll_fn(|cx| stream.poll_read_ready(cx))).await {
                    Ok(Ok(())) => return started.and_then(Tcp::heard_of),
                    Ok(Err(error)) => return Err(Failure::Local(error)),
                    Err(Elapsed) => {}
                }
            }
            match by(how.deadline, poll_fn(|cx| stream.poll_write_ready(cx))).await {
                Ok(Ok(())) => started.and_then(Tcp::decided),
                Ok(Err(error)) => Err(Failure::Local(error)),
                Err(Elapsed) => Err(Failure::Timeout),
            }
        }
    }

    fn has_route(&self, to: IpAddr) -> bool {
        // Out of sockets is not out of routes.
        self.towards(to).map_or_else(|error| is_exhaustion(&error) && !is_out_of_ports(&error), |_| true)
    }

    fn carrier(&self, to: IpAddr) -> Option<(IpAddr, bool)> {
        let ours = self.towards(to).ok()?.local_addr().ok()?.as_socket()?.ip();
        Some((ours, neighbours::has_carrier(ours)?))
    }

    fn worked(&self) -> Duration {
        use nix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
    }

    #[cfg(target_os = "linux")]
    fn slept(&self) -> Duration {
        use nix::time::{ClockId, clock_gettime};
        // One clock runs on while the machine sleeps, and one does not.
        let read = |clock| clock_gettime(clock).map(Duration::from);
        match (read(ClockId::CLOCK_MONOTONIC), read(ClockId::CLOCK_BOOTTIME)) {
            (Ok(awake), Ok(all)) => all.saturating_sub(awake),
            _ => Duration::ZERO,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn slept(&self) -> Duration {
        Duration::ZERO
    }
}

/// The system's number of an error; 0 where it has none.
pub(super) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

/// An error as rows and people see it: its name and what it means.
pub(super) fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => {
            let errno = errno(error);
            format!("{errno:?}: {}", errno.desc())
        }
        None => error.to_string(),
    }
}

/// Whether an error will pass by itself, once sockets, ports or memory are free again.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Errno::EMFILE | Errno::ENFILE | Errno::EADDRNOTAVAIL | Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN
    )
}

/// Whether every port towards an address is taken, also by connections that are over (RFC 9293 §3.6.1, TIME-WAIT).
pub(super) fn is_out_of_ports(error: &io::Error) -> bool {
    errno(error) == Errno::EADDRNOTAVAIL
}
