//! One connection, in clear or inside TLS, and everything that the peer says on it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::network::Stream;
use super::tls::Sniffer;
use crate::observation::Received;

/// How much is read at once. It lives on the stack for the length of one poll: a waiting peer costs no buffer.
const CHUNK: usize = 4096;

/// How much is taken of what lies unread when we close; a peer that sends faster than we read has no end.
const MAX_DRAINED: usize = 1024 * 1024;

/// The bytes of one connection, whether they pass through TLS or not.
pub(super) enum Link<S> {
    Plain(S),
    Tls(Box<TlsStream<Sniffer<S>>>),
}

/// A connection and what has come over it.
pub(super) struct Peer<S> {
    link: Link<S>,
    /// The start of the connect, from which arrivals are counted.
    begun: Instant,
    /// When the peer could first speak.
    ready: Instant,
    received: Received,
    /// How much came, also of what was dropped.
    heard: usize,
}

/// What one wait for the peer came to.
pub(super) enum Heard<T> {
    /// Bytes, and what the caller made of them.
    Bytes(T),
    /// FIN, or its TLS counterpart.
    End,
    /// The connection broke.
    Broken(io::Error),
}

impl<S: Stream> Peer<S> {
    pub(super) fn new(link: Link<S>, begun: Instant, ready: Instant) -> Self {
        Self { link, begun, ready, received: Received::default(), heard: 0 }
    }

    /// Waits for bytes and hands them to `take`.
    pub(super) async fn hear<T>(&mut self, mut take: impl FnMut(&[u8]) -> T) -> Heard<T> {
        poll_fn(|cx| {
            let mut chunk = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            match ready!(self.link.poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => Poll::Ready(Heard::End),
                Ok(()) => {
                    self.keep(buffer.filled());
                    Poll::Ready(Heard::Bytes(take(buffer.filled())))
                }
                // TLS that ends without close_notify: common, and no news (RFC 8446 §6.1 asks for it in vain).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Heard::End),
                Err(error) => Poll::Ready(Heard::Broken(error)),
            }
        })
        .await
    }

    /// Keeps bytes as if they had just been heard.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.received.push(bytes, self.begun.elapsed());
        self.heard = self.heard.saturating_add(bytes.len());
    }

    pub(super) fn ready(&self) -> Instant {
        self.ready
    }

    pub(super) fn heard(&self) -> usize {
        self.heard
    }

    pub(super) fn received(&self) -> &Received {
        &self.received
    }

    /// Says something. If it cannot be said the connection is gone, which the next wait will tell.
    pub(super) async fn say(&mut self, words: &[u8]) {
        drop(match &mut self.link {
            Link::Plain(stream) => stream.write_all(words).await,
            Link::Tls(stream) => match stream.write_all(words).await {
                Ok(()) => stream.flush().await,
                error => error,
            },
        });
    }

    /// Sends FIN, after `close_notify` inside TLS, and goes on listening.
    pub(super) async fn finish(&mut self) {
        // If this fails the connection is gone, which the next read will tell.
        drop(match &mut self.link {
            Link::Plain(stream) => stream.shutdown().await,
            Link::Tls(stream) => stream.shutdown().await,
        });
    }

    /// Takes what has come by now without waiting, so that closing sends FIN and not RST (RFC 1122 §4.2.2.13).
    pub(super) fn drain(&mut self) {
        if matches!(self.link, Link::Tls(_)) {
            // What is whole records is heard as ever; what is less than one is only taken.
            for _ in 0..MAX_DRAINED / CHUNK {
                let Some(Heard::Bytes(())) = self.hear(|_| ()).now_or_never() else { break };
            }
        }
        let mut chunk = [0; CHUNK];
        for _ in 0..MAX_DRAINED / CHUNK {
            let count = match &mut self.link {
                Link::Plain(stream) => {
                    let count = stream.take_now(&mut chunk);
                    self.keep(&chunk[..count]);
                    count
                }
                Link::Tls(stream) => stream.get_mut().0.stream_mut().take_now(&mut chunk),
            };
            if count < CHUNK {
                return;
            }
        }
    }

    pub(super) fn into_parts(self) -> (Link<S>, Received) {
        (self.link, self.received)
    }
}

impl<S: Stream> Link<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }

    /// Sends FIN, after `close_notify` inside TLS (RFC 8446 §6.1), as far as the socket takes it at once.
    pub(super) fn close(mut self) {
        if let Self::Tls(stream) = &mut self {
            // If it cannot be said the connection is gone, and there is nobody to tell.
            drop(stream.shutdown().now_or_never());
        }
    }

    /// Listens without keeping anything until the peer has said FIN or broken off.
    pub(super) async fn until_end(&mut self) {
        poll_fn(|cx| {
            loop {
                let mut chunk = [0; CHUNK];
                let mut buffer = ReadBuf::new(&mut chunk);
                match ready!(self.poll_read(cx, &mut buffer)) {
                    Ok(()) if !buffer.filled().is_empty() => {}
                    _ => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
}
