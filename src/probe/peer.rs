//! One connection, in clear or inside TLS, and everything that the peer says on it.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::legacy::Session;
use super::log::Log;
use super::network::Stream;
use super::tls::Sniffer;
use crate::observation::{End, Ending, Event, Observation, Received};

/// How much is read at once. It lives on the stack for the length of one poll: a waiting peer costs no buffer.
const CHUNK: usize = 4096;

/// How much is taken of what lies unread when we close; a peer that sends faster than we read has no end.
const MAX_DRAINED: usize = 1024 * 1024;

/// The bytes of one connection, whether they pass through TLS or not.
pub(super) enum Link<S> {
    Plain(S),
    Tls(Box<TlsStream<Sniffer<S>>>),
    Legacy(Box<Session<S>>),
}

/// A connection and what has come over it.
pub(super) struct Peer<S> {
    link: Link<S>,
    /// Whether the last read took all that lay there.
    emptied: bool,
    talk: Talk,
}

/// What has been said so far, which outlives a connection that goes on inside TLS.
pub(super) struct Talk {
    /// The start of the connect, from which arrivals are counted.
    begun: Instant,
    /// When the peer could first speak.
    ready: Instant,
    received: Received,
    /// How much came, also of what was dropped.
    heard: usize,
    /// What came after the last reply that was taken.
    early: Vec<u8>,
    /// Whether FIN came or the connection broke.
    ended: bool,
    /// How the peer ended it, where that was before us.
    ending: Option<Ending>,
    /// Whether our own FIN was sent.
    finished: bool,
    /// When QUIT was said.
    quit_at: Option<Duration>,
    log: Log,
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
    pub(super) fn new(link: Link<S>, begun: Instant, ready: Instant, log: Log) -> Self {
        let talk = Talk {
            begun,
            ready,
            received: Received::default(),
            heard: 0,
            early: Vec::new(),
            ended: false,
            ending: None,
            finished: false,
            quit_at: None,
            log,
        };
        Self { link, emptied: false, talk }
    }

    /// Goes on with a talk over another link.
    pub(super) fn resume(link: Link<S>, talk: Talk) -> Self {
        Self { link, emptied: false, talk }
    }

    /// Waits for bytes and hands them to `take`.
    pub(super) fn hear<T>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> T + Unpin,
    ) -> impl Future<Output = Heard<T>> + Unpin {
        poll_fn(move |cx| {
            let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
            let mut buffer = ReadBuf::uninit(&mut chunk);
            match ready!(self.link.poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => Poll::Ready(self.end()),
                Ok(()) => {
                    self.emptied = buffer.remaining() > 0;
                    self.talk.keep(buffer.filled());
                    Poll::Ready(Heard::Bytes(take(buffer.filled())))
                }
                // TLS that ends without close_notify: common, and no news (RFC 8446 §6.1 asks for it in vain).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(self.end()),
                Err(error) => {
                    self.talk.end(is_reset(&error).then_some(End::Reset));
                    self.talk.log.note(|| Event::Broken(super::tls::break_reason(&error)));
                    Poll::Ready(Heard::Broken(error))
                }
            }
        })
    }

    fn end<T>(&mut self) -> Heard<T> {
        self.talk.end(Some(End::Fin));
        self.talk.log.note(|| Event::Ended);
        Heard::End
    }

    /// Hears what has come by now, without waiting. Where nothing has, the runtime mostly knows without asking the system.
    pub(super) fn hear_now(&mut self, mut take: impl FnMut(&[u8]) + Unpin) {
        for _ in 0..MAX_DRAINED / CHUNK {
            let Some(Heard::Bytes(())) = self.hear(&mut take).now_or_never() else { return };
        }
    }

    /// Keeps bytes as if they had just been heard.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.talk.keep(bytes);
    }

    pub(super) fn ready(&self) -> Instant {
        self.talk.ready
    }

    pub(super) fn heard(&self) -> usize {
        self.talk.heard
    }

    pub(super) fn received(&self) -> &Received {
        &self.talk.received
    }

    /// What came after the last reply that was taken.
    pub(super) fn early(&self) -> &[u8] {
        &self.talk.early
    }

    /// Sets aside what came after a reply; gives back what was there before.
    pub(super) fn set_early(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.talk.early, bytes)
    }

    /// Whether there is nobody left to talk to.
    pub(super) fn has_ended(&self) -> bool {
        self.talk.ended
    }

    /// Our own address on this connection.
    pub(super) fn local_ip(&self) -> Option<IpAddr> {
        match &self.link {
            Link::Plain(stream) => stream.local_ip(),
            Link::Tls(stream) => stream.get_ref().0.stream().local_ip(),
            Link::Legacy(session) => session.stream().local_ip(),
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.link, Link::Plain(_))
    }

    pub(super) fn log(&self) -> &Log {
        &self.talk.log
    }

    /// Says something. If it cannot be said the connection is gone, which the next wait will tell.
    pub(super) async fn say(&mut self, words: &[u8]) {
        self.talk.log.note(|| Event::Said(words.to_vec()));
        drop(match &mut self.link {
            Link::Plain(stream) => stream.write_all(words).await,
            Link::Tls(stream) => match stream.write_all(words).await {
                Ok(()) => stream.flush().await,
                error => error,
            },
            Link::Legacy(session) => match session.write_all(words).await {
                Ok(()) => session.flush().await,
                error => error,
            },
        });
    }

    /// Says QUIT, and keeps when.
    pub(super) async fn say_quit(&mut self) {
        self.talk.quit_at = Some(self.talk.begun.elapsed());
        self.say(b"QUIT\r\n").await;
    }

    /// Sends FIN, after `close_notify` inside TLS, and goes on listening.
    pub(super) async fn finish(&mut self) {
        self.talk.finished = true;
        // If this fails the connection is gone, which the next read will tell.
        drop(match &mut self.link {
            Link::Plain(stream) => stream.shutdown().await,
            Link::Tls(stream) => stream.shutdown().await,
            Link::Legacy(session) => session.shutdown().await,
        });
    }

    /// Takes what has come by now without waiting, so that closing sends FIN and not RST (RFC 1122 §4.2.2.13).
    pub(super) fn drain(&mut self) {
        if self.emptied && self.is_plain() {
            // Which was a moment ago.
            return;
        }
        // Inside TLS what is whole records is heard as ever; what is less than one is only taken.
        self.hear_now(|_| ());
        let mut chunk = [0; CHUNK];
        for _ in 0..MAX_DRAINED / CHUNK {
            let count = match &mut self.link {
                Link::Plain(stream) => {
                    let count = stream.take_now(&mut chunk);
                    self.talk.keep(&chunk[..count]);
                    count
                }
                Link::Tls(stream) => stream.get_mut().0.stream_mut().take_now(&mut chunk),
                Link::Legacy(session) => session.stream_mut().take_now(&mut chunk),
            };
            if count < CHUNK {
                return;
            }
        }
    }

    pub(super) fn into_parts(self) -> (Link<S>, Talk) {
        (self.link, self.talk)
    }
}

impl Talk {
    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.log.note(|| Event::Heard(bytes.to_vec()));
        self.received.push(bytes, self.begun.elapsed());
        self.heard = self.heard.saturating_add(bytes.len());
    }

    /// What follows our own FIN is no news, nor is what follows an end.
    fn end(&mut self, how: Option<End>) {
        if !self.finished && !self.ended {
            self.ending = how.map(|how| Ending { how, at: self.begun.elapsed() });
        }
        self.ended = true;
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Writes down everything that the peer said, when we said QUIT, and when the peer ended it before us.
    pub(super) fn tell(self, observation: &mut Observation) {
        observation.received = self.received;
        observation.quit_at = self.quit_at;
        observation.ending = self.ending;
    }
}

/// Whether an error is that the peer broke off, or that the system noticed it had.
pub(super) fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionReset | BrokenPipe | ConnectionAborted)
}

impl<S: Stream> Link<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
            Self::Legacy(session) => Pin::new(&mut **session).poll_read(cx, buffer),
        }
    }

    /// Sends FIN, after `close_notify` inside TLS (RFC 8446 §6.1), as far as the socket takes it at once.
    pub(super) fn close(mut self) {
        // If it cannot be said the connection is gone, and there is nobody to tell.
        match &mut self {
            Self::Plain(_) => {}
            Self::Tls(stream) => drop(stream.shutdown().now_or_never()),
            Self::Legacy(session) => drop(session.shutdown().now_or_never()),
        }
    }

    /// Listens without keeping anything until the peer has said FIN or broken off.
    pub(super) async fn until_end(&mut self) {
        poll_fn(|cx| {
            loop {
                let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
                let mut buffer = ReadBuf::uninit(&mut chunk);
                match ready!(self.poll_read(cx, &mut buffer)) {
                    Ok(()) if !buffer.filled().is_empty() => {}
                    _ => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
}
