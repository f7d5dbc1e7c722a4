//! A TCP connection of the system's: what became of the attempt, and how it goes on over errors that end nothing.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use nix::errno::Errno;
use nix::libc;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::icmp;
use super::info;
use super::network::{Failure, Stream, errno};

/// A TCP connection that survives what it should: after `IP_RECVERR` an ICMP error shows up on a standing connection
/// once, without ending it, and is passed over here as the system does by itself (RFC 1122 §4.2.3.9: a soft error).
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    /// How it broke before we came to look. The system tells that once, and what came before it can still be read.
    broken: Option<io::Error>,
}

impl Tcp {
    /// What became of an attempt of which something can be read: words, an end, or an error.
    pub(super) fn heard_of(stream: TcpStream) -> Result<Self, Failure> {
        // The runtime knows without asking the system.
        let ready = stream.ready(Interest::READABLE | Interest::ERROR).now_or_never();
        match ready {
            Some(Ok(ready)) if !ready.is_error() => Ok(Self { stream, broken: None }),
            Some(Ok(_)) | None => Self::decided(stream),
            Some(Err(error)) => Err(Failure::Local(error)),
        }
    }

    /// What became of an attempt that is over.
    pub(super) fn decided(stream: TcpStream) -> Result<Self, Failure> {
        match stream.take_error().map_err(Failure::Local)? {
            None => Ok(Self { stream, broken: None }),
            Some(error) if is_soft(&error) && info::stands(&stream) => Ok(Self { stream, broken: None }),
            Some(error) if errno(&error) == Errno::ECONNRESET && info::handshake(&stream).is_some() => {
                Ok(Self { stream, broken: Some(error) })
            }
            // After their FIN, which can still be read.
            Some(error) if errno(&error) == Errno::EPIPE && info::handshake(&stream).is_some() => {
                Ok(Self { stream, broken: None })
            }
            Some(error) => Err(asynchronous(&stream, error)),
        }
    }
}

/// What an error of the connection attempt says about the target.
fn asynchronous(stream: &TcpStream, error: io::Error) -> Failure {
    // A port unreachable (ICMP 3/3) is ECONNREFUSED as well: the error queue tells it from an RST.
    if let Some(icmp) = icmp::read_error(stream) {
        return Failure::Unreachable(Some(icmp), error);
    }
    match errno(&error) {
        Errno::ECONNREFUSED => Failure::Refused,
        Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED => Failure::Reset,
        Errno::ETIMEDOUT => Failure::Timeout,
        Errno::ENETDOWN | Errno::ENOBUFS | Errno::ENOMEM => Failure::Local(error),
        _ => Failure::Unreachable(None, error),
    }
}

fn is_soft(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            // Port unreachable, as packet filters refuse by; a standing connection cannot be refused otherwise.
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::EMSGSIZE
        )
    )
}

/// The system tells such an error once, to whichever call comes first, and no byte has moved then.
fn past_soft_errors<T>(mut call: impl FnMut() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    loop {
        match ready!(call()) {
            Err(error) if is_soft(&error) => {}
            result => return Poll::Ready(result),
        }
    }
}

impl Stream for Tcp {
    fn take_now(&mut self, buffer: &mut [u8]) -> usize {
        io::Read::read(&mut &*SockRef::from(&self.stream), buffer).unwrap_or(0)
    }

    fn local_ip(&self) -> Option<IpAddr> {
        self.stream.local_addr().ok().map(|address| address.ip())
    }

    fn handshake(&self) -> Option<Duration> {
        info::handshake(&self.stream)
    }

    #[cfg(target_os = "linux")]
    fn acknowledge_at_once(&self) {
        // Without it all is as ever, only later.
        drop(SockRef::from(&self.stream).set_tcp_quickack(true));
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(past_soft_errors(|| Pin::new(&mut self.stream).poll_read(cx, buffer)))?;
        match self.broken.take_if(|_| buffer.filled().len() == before) {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        past_soft_errors(|| Pin::new(&mut self.stream).poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        past_soft_errors(|| Pin::new(&mut self.stream).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "tcp_tests.rs"]
mod tests;
