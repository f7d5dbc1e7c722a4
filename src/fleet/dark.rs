//! A port that never answers a SYN, without any privilege: a listener whose accept queue is full and stays so.
//!
//! Linux drops a SYN for such a listener (`tcp_conn_request`: `sk_acceptq_is_full`), and so does not answer at all. The
//! queue is filled by connections of our own that are never accepted.

use std::io::{self, ErrorKind};
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

use super::listen;

/// Not 0: then the queue of half-open connections counts as full from the start, and the kernel writes of a SYN flood.
const BACKLOG: i32 = 1;

/// Linux lets one more connection into a queue than its bound; more than a few must mean that it is never full.
const MOST_FILLERS: usize = 8;

/// How many milliseconds a connection over loopback may take that is accepted: it takes microseconds, as the kernel does it in
/// `connect()` itself. One that has not come by then is taken for dropped.
const NO_ANSWER: u8 = 50;

/// The listener and what fills its queue.
#[derive(Debug)]
pub(super) struct DarkPort {
    _listener: TcpListener,
    _fillers: Vec<Socket>,
}

impl DarkPort {
    /// Opens it, and has proved that it is dark when it returns.
    pub(super) fn open(address: SocketAddrV4) -> io::Result<Self> {
        let listener = listen(address, BACKLOG)?;
        let mut fillers = Vec::new();
        while fillers.len() < MOST_FILLERS {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            filler.set_nonblocking(true)?;
            match filler.connect(&address.into()) {
                Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => return Err(error),
                _ => {}
            }
            if !is_connected(&filler)? {
                return Ok(Self { _listener: listener, _fillers: fillers });
            }
            fillers.push(filler);
        }
        Err(io::Error::new(ErrorKind::Unsupported, "this system accepts connections for a queue that is full"))
    }
}

fn is_connected(socket: &Socket) -> io::Result<bool> {
    let mut files = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    Ok(poll(&mut files, PollTimeout::from(NO_ANSWER))? > 0)
}
