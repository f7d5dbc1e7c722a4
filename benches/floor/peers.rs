//! Peers that greet: every address of the range has a listener of its own, bound to that address alone.
//!
//! A process may hold only so many files (20,000 is common), so several share the range. Each is one epoll loop that
//! accepts, says the greeting, answers QUIT with a 221 and closes, and closes when the client does. A process says that
//! it listens with one byte on its standard output, and ends when its standard input does: dropping [`Peers`] ends it,
//! and so does the death of the bench, however it dies.
//!
//! Peers may greet late: then so many clients are in flight as there are endpoints, or as the client has room for.
//!
//! Limits: one greeting, no dialogue but QUIT, and no deadline for a client.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{self, MsgFlags};
use serde::{Deserialize, Serialize};

use crate::range::Range;
use crate::{Role, role};

/// What stands for a number in a greeting.
const NUMBER: char = '#';

const FAREWELL: &[u8] = b"221 Goodbye.\r\n";

/// What a process says once all its listeners stand.
const READY: u8 = b'!';

/// Events fetched at once; the rest comes with the next call.
const BATCH: usize = 1024;

/// What one process of peers does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) range: Range,
    pub(crate) port: u16,
    /// Line that the peers greet with, without its end.
    pub(crate) greeting: String,
    /// How long after accepting they greet.
    pub(crate) late: Duration,
    /// This process takes every `of`-th address, from `share` on.
    pub(crate) share: u32,
    pub(crate) of: u32,
}

/// The running processes; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Peers(Vec<Child>);

impl Peers {
    /// Starts `job.of` processes and returns when every address greets.
    pub(crate) fn start(job: &Job) -> Result<Self, Box<dyn Error>> {
        let mut peers = Self(Vec::new());
        for share in 0..job.of {
            let mut command = role(Role::Peers, &Job { share, ..job.clone() })?;
            peers.0.push(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        }
        for child in &mut peers.0 {
            let mut ready = [0];
            let read = child.stdout.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut ready))?;
            if ready[..read] != [READY] {
                return Err("a process of peers ended before it listened".into());
            }
        }
        Ok(peers)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
        }
        for child in &mut self.0 {
            // Nothing is left to do about a process that cannot be waited for.
            let _ = child.wait();
        }
    }
}

/// The process of peers itself: serves until standard input ends.
pub(crate) fn serve(job: &Job) -> Result<(), Box<dyn Error>> {
    let mut server = Server {
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        sockets: Vec::new(),
        late: job.late,
        greeting: Greeting { words: format!("{}\r\n", job.greeting), number: job.share.into(), step: job.of.into() },
        waiting: VecDeque::new(),
    };
    let life = io::stdin();
    server.watch(&life)?;
    for index in (job.share..job.range.len()).step_by(usize::try_from(job.of)?) {
        let address = SocketAddrV4::new(job.range.get(index), job.port);
        let listener = TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
        listener.set_nonblocking(true)?;
        server.keep(Socket::Listener(listener))?;
    }
    io::stdout().write_all(&[READY])?;
    io::stdout().flush()?;

    let mut events = vec![EpollEvent::empty(); BATCH];
    loop {
        server.greet_who_waits()?;
        let ready = match server.epoll.wait(&mut events, server.patience()?) {
            Err(Errno::EINTR) => continue,
            ready => ready?,
        };
        for event in &events[..ready] {
            let fd = RawFd::try_from(event.data())?;
            if fd == life.as_raw_fd() {
                return Ok(());
            }
            server.advance(fd)?;
        }
    }
}

/// Everything open, found by its file descriptor.
struct Server {
    epoll: Epoll,
    sockets: Vec<Option<Socket>>,
    late: Duration,
    greeting: Greeting,
    /// Who is to be greeted when. Nobody listens to them before.
    waiting: VecDeque<(Instant, TcpStream)>,
}

/// What is said to one after the other.
struct Greeting {
    words: String,
    /// Of no other process.
    number: u64,
    step: u64,
}

impl Greeting {
    fn next(&mut self) -> Cow<'_, [u8]> {
        if !self.words.contains(NUMBER) {
            return Cow::Borrowed(self.words.as_bytes());
        }
        self.number += self.step;
        Cow::Owned(self.words.replace(NUMBER, &self.number.to_string()).into_bytes())
    }
}

enum Socket {
    Listener(TcpListener),
    Client(TcpStream),
}

impl Server {
    fn watch(&self, file: &(impl AsFd + AsRawFd)) -> Result<(), Box<dyn Error>> {
        let data = u64::try_from(file.as_raw_fd())?;
        Ok(self.epoll.add(file.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, data))?)
    }

    fn keep(&mut self, socket: Socket) -> Result<(), Box<dyn Error>> {
        let fd = match &socket {
            Socket::Listener(listener) => self.watch(listener).map(|()| listener.as_raw_fd()),
            Socket::Client(stream) => self.watch(stream).map(|()| stream.as_raw_fd()),
        }?;
        let index = usize::try_from(fd)?;
        if index >= self.sockets.len() {
            self.sockets.resize_with(index + 1, || None);
        }
        self.sockets[index] = Some(socket);
        Ok(())
    }

    fn advance(&mut self, fd: RawFd) -> Result<(), Box<dyn Error>> {
        let index = usize::try_from(fd)?;
        match self.sockets.get(index).and_then(Option::as_ref) {
            Some(Socket::Listener(listener)) => {
                // An error is a client that is gone already, or too many of them: level-triggered, it comes again.
                if let Ok((stream, _)) = listener.accept() {
                    if !self.late.is_zero() {
                        self.waiting.push_back((Instant::now() + self.late, stream));
                    } else if say(&stream, &self.greeting.next()) {
                        self.keep(Socket::Client(stream))?;
                    }
                }
            }
            Some(Socket::Client(stream)) if answer(stream) => {}
            Some(Socket::Client(_)) => self.sockets[index] = None,
            None => {}
        }
        Ok(())
    }

    fn greet_who_waits(&mut self) -> Result<(), Box<dyn Error>> {
        while self.waiting.front().is_some_and(|(due, _)| *due <= Instant::now())
            && let Some((_, stream)) = self.waiting.pop_front()
        {
            if say(&stream, &self.greeting.next()) {
                self.keep(Socket::Client(stream))?;
            }
        }
        Ok(())
    }

    /// How long nothing need happen.
    fn patience(&self) -> Result<EpollTimeout, Box<dyn Error>> {
        let Some((due, _)) = self.waiting.front() else { return Ok(EpollTimeout::NONE) };
        // The rounding must not make it wake up just too early.
        let pause = due.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Ok(EpollTimeout::try_from(pause)?)
    }
}

/// Answers what the client says; whether the connection goes on.
fn answer(stream: &TcpStream) -> bool {
    let mut buffer = [0; 512];
    match socket::recv(stream.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
        Ok(0) => false,
        Ok(length) if buffer[..length].starts_with(b"QUIT") => {
            say(stream, FAREWELL);
            false
        }
        Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => true,
        Err(_) => false,
    }
}

/// Sends a line; whether it was taken. The socket stays in blocking mode (a system call saved), hence the flag.
fn say(stream: &TcpStream, line: &[u8]) -> bool {
    socket::send(stream.as_raw_fd(), line, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL).is_ok()
}
