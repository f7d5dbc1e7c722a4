//! A connection that looks at the first byte before TLS does, has the peer's answers acknowledged at once, and ends where a
//! peer does not.
//!
//! A server of TLS 1.3 sends tickets after the handshake. One that holds small packets back until the last was acknowledged
//! (RFC 9293 §3.7.4) would answer us only after we have done so, which takes 40 ms where we have nothing to say meanwhile.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::MAX_SESSION;
use crate::probe::legacy::MAX_HANDSHAKE;
use crate::probe::network::Stream;
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

impl<S: Stream> AsyncWrite for Sniffer<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // To speak ends it each time. A server's first words need it not: we answer them.
        if self.seen {
            self.stream.acknowledge_at_once();
        }
        Poll::Ready(Ok(()))
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::IpAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, Sink, sink};

    use super::*;

    /// A peer that says one byte, and counts how often it is to be acknowledged at once.
    #[derive(Debug)]
    struct Counted {
        read: Option<u8>,
        write: Sink,
        acknowledged: Cell<u32>,
    }

    impl AsyncRead for Counted {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            buffer.put_slice(self.read.take().as_slice());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.write).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.write).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.write).poll_shutdown(cx)
        }
    }

    impl Stream for Counted {
        fn take_now(&mut self, _: &mut [u8]) -> usize {
            0
        }

        fn local_ip(&self) -> Option<IpAddr> {
            None
        }

        fn acknowledge_at_once(&self) {
            self.acknowledged.set(self.acknowledged.get() + 1);
        }
    }

    #[tokio::test]
    async fn answers_are_acknowledged_at_once_after_each_of_our_words() {
        const HANDSHAKE: u8 = 22;
        let mut stream = Sniffer::new(Counted { read: Some(HANDSHAKE), write: sink(), acknowledged: Cell::new(0) });
        for (words, acknowledged) in [("hello", 0), ("finished", 1), ("EHLO", 2)] {
            stream.write_all(words.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            assert_eq!(stream.stream().acknowledged.get(), acknowledged, "{words}");
            // The ServerHello; from then on nothing more.
            assert!(stream.read(&mut [0]).await.unwrap() <= 1);
        }
    }
}
