//! The yardstick: the least that a client on this machine can do for an endpoint.
//!
//! One thread, one epoll instance, non-blocking sockets. For each endpoint: socket, connect, wait until it is readable,
//! read until the newline, close; for a refused one the same read yields the error. Nothing is allocated after the
//! start, nothing is parsed, timed or written. Where no answer comes there has to be a deadline: all are equally far away,
//! so a queue holds them in their order. It runs as a process of its own, so that the operating system's accounting sees
//! nothing else.
//!
//! Limits: the deadline is for the whole endpoint; without one, when nothing at all happens for [`STALL`], it gives up.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn};
use serde::{Deserialize, Serialize};

use crate::range::Range;

/// Longer than any retransmission that a busy machine causes (the second comes after 3 s).
const STALL: Duration = Duration::from_secs(10);

/// A greeting of the bench's peers is 20 bytes long.
const READ: usize = 512;

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Leave {
    /// Close as soon as the greeting is there.
    Close,
    /// Say QUIT, read the 221, close.
    Quit,
}

/// What one run of the yardstick does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) range: Range,
    pub(crate) port: u16,
    /// Connections in flight.
    pub(crate) concurrency: u32,
    pub(crate) leave: Leave,
    /// How long an endpoint may take.
    pub(crate) deadline: Option<Duration>,
}

/// What became of the endpoints.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) greeted: u32,
    pub(crate) refused: u32,
    /// Closed or broken before the greeting or the 221 was there.
    pub(crate) broken: u32,
    /// Still without an answer at the deadline.
    pub(crate) late: u32,
}

/// Sweeps the range once.
pub(crate) fn run(job: Job) -> io::Result<Counts> {
    let mut sweep = Sweep::new(job)?;
    let mut next = 0;
    let mut events = vec![EpollEvent::empty(); sweep.slots.len()];
    loop {
        while next < job.range.len()
            && let Some(slot) = sweep.free.pop()
        {
            sweep.start(slot, next)?;
            next += 1;
        }
        if sweep.free.len() == sweep.slots.len() {
            return Ok(sweep.counts);
        }
        let ready = sweep.epoll.wait(&mut events, sweep.patience()?)?;
        if ready == 0 && job.deadline.is_none() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the yardstick waits for peers that say nothing"));
        }
        for event in &events[..ready] {
            sweep.advance(usize::try_from(event.data()).map_err(io::Error::other)?)?;
        }
        sweep.give_up();
    }
}

struct Sweep {
    job: Job,
    epoll: Epoll,
    slots: Vec<Slot>,
    /// Indices of the slots that hold no socket.
    free: Vec<usize>,
    /// Until when which slot may take, and for which of its endpoints that was.
    deadlines: VecDeque<(Instant, usize, u32)>,
    counts: Counts,
}

#[derive(Default)]
struct Slot {
    socket: Option<OwnedFd>,
    /// The endpoint's number.
    index: u32,
    /// QUIT is said.
    leaving: bool,
}

/// What became of one endpoint.
#[derive(Clone, Copy)]
enum End {
    Greeted,
    Refused,
    Broken,
    Late,
}

impl Sweep {
    fn new(job: Job) -> io::Result<Self> {
        let concurrency = usize::try_from(job.concurrency).map_err(io::Error::other)?;
        Ok(Self {
            job,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            slots: std::iter::repeat_with(Slot::default).take(concurrency).collect(),
            free: (0..concurrency).collect(),
            deadlines: VecDeque::with_capacity(if job.deadline.is_some() { concurrency } else { 0 }),
            counts: Counts::default(),
        })
    }

    fn start(&mut self, slot: usize, index: u32) -> io::Result<()> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket::socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        let address = std::net::SocketAddrV4::new(self.job.range.scattered(index), self.job.port);
        match socket::connect(socket.as_raw_fd(), &SockaddrIn::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {
                // Readable is enough: it comes with the greeting and with every error, and saves the wake-up that
                // only says "connected".
                let data = u64::try_from(slot).map_err(io::Error::other)?;
                self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, data))?;
                self.slots[slot] = Slot { socket: Some(socket), index, leaving: false };
                self.deadlines.extend(self.job.deadline.map(|deadline| (Instant::now() + deadline, slot, index)));
                Ok(())
            }
            Err(Errno::ECONNREFUSED) => {
                self.counts.refused += 1;
                self.free.push(slot);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn advance(&mut self, index: usize) -> io::Result<()> {
        let slot = &mut self.slots[index];
        let Some(socket) = &slot.socket else { return Ok(()) };
        let mut buffer = [0; READ];
        let end = match socket::recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) | Err(Errno::ECONNRESET | Errno::EPIPE) => End::Broken,
            Ok(length) if !buffer[..length].contains(&b'\n') => return Ok(()),
            Ok(_) if slot.leaving || self.job.leave == Leave::Close => End::Greeted,
            Ok(_) => match socket::send(socket.as_raw_fd(), b"QUIT\r\n", MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => {
                    slot.leaving = true;
                    return Ok(());
                }
                Err(_) => End::Broken,
            },
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(Errno::ECONNREFUSED) => End::Refused,
            Err(error) => return Err(error.into()),
        };
        self.end(index, end);
        Ok(())
    }

    /// How long nothing need happen.
    fn patience(&self) -> io::Result<EpollTimeout> {
        let patience = self.deadlines.front().map_or(STALL, |(at, ..)| {
            // The rounding must not make it wake up just too early.
            at.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
        });
        EpollTimeout::try_from(patience).map_err(io::Error::other)
    }

    /// Ends what has taken too long.
    fn give_up(&mut self) {
        while let Some((at, slot, index)) = self.deadlines.front().copied() {
            let is_over = self.slots[slot].socket.is_none() || self.slots[slot].index != index;
            if !is_over && at > Instant::now() {
                return;
            }
            self.deadlines.pop_front();
            if !is_over {
                self.end(slot, End::Late);
            }
        }
    }

    fn end(&mut self, slot: usize, end: End) {
        // Closing takes the socket out of the epoll instance, too.
        self.slots[slot].socket = None;
        self.free.push(slot);
        match end {
            End::Greeted => self.counts.greeted += 1,
            End::Refused => self.counts.refused += 1,
            End::Broken => self.counts.broken += 1,
            End::Late => self.counts.late += 1,
        }
    }
}
