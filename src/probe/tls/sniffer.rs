//! A connection that looks at the first byte before TLS does, and ends where a peer does not.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::MAX_SESSION;
use crate::probe::legacy::MAX_HANDSHAKE;
use crate::probe::protocol;

/// The peer's first bytes are no TLS.
#[derive(Debug)]
struct PlainText;

impl fmt::Display for PlainText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain text in answer to a ClientHello")
    }
}

impl Error for PlainText {}

/// The peer said more than is listened to.
#[derive(Debug)]
struct TooLong(Bound);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, limit) = match self.0 {
            Bound::Handshake => ("handshake", MAX_HANDSHAKE),
            Bound::Session => ("session", MAX_SESSION),
        };
        write!(f, "a {what} of more than {limit} bytes")
    }
}

impl Error for TooLong {}

/// What it is that must have an end.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Handshake,
    Session,
}

/// A connection that looks at the first byte before TLS does, and keeps what is plain text. TLS itself bounds no more than a
/// message: a peer whose records say nothing could go on for ever.
#[derive(Debug)]
pub(in crate::probe) struct Sniffer<S> {
    pub(super) stream: S,
    /// Whether anything came.
    pub(super) seen: bool,
    /// What came, where that is no TLS.
    pub(super) plain: Vec<u8>,
    bound: Bound,
    /// How much more is taken.
    room: usize,
}

impl<S> Sniffer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, seen: false, plain: Vec::new(), bound: Bound::Handshake, room: MAX_HANDSHAKE }
    }

    /// The handshake is done.
    pub(super) fn expect_session(&mut self) {
        (self.bound, self.room) = (Bound::Session, MAX_SESSION);
    }

    pub(in crate::probe) fn stream(&self) -> &S {
        &self.stream
    }

    pub(in crate::probe) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sniffer<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if !self.seen
            && let Some(first) = buffer.filled().get(before)
        {
            self.seen = true;
            if !protocol::may_be_tls(*first) {
                self.plain = buffer.filled()[before..].to_vec();
                buffer.set_filled(before);
                return Poll::Ready(Err(io::Error::other(PlainText)));
            }
        }
        let Some(room) = self.room.checked_sub(buffer.filled().len() - before) else {
            buffer.set_filled(before);
            return Poll::Ready(Err(io::Error::other(TooLong(self.bound))));
        };
        self.room = room;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sniffer<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
