//! A session that stands: records under keys, and a stream over them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::CHUNK;
use super::client::WARNING;
use super::error::Error;
use super::message::Alerts;
use super::protection::Protection;
use super::record::{Content, Deframer, MAX_PLAIN};
use crate::probe::tls::MAX_SESSION;

/// The two directions of a session.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) deframer: Deframer,
    pub(super) reader: Protection,
    pub(super) writer: Protection,
    alerts: Alerts,
}

/// What came over a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing whole.
    Nothing,
    Bytes(Vec<u8>),
    /// `close_notify`.
    End,
}

impl Connection {
    /// What came behind the handshake is in the deframer.
    pub(super) fn new(deframer: Deframer, reader: Protection, writer: Protection) -> Self {
        Self { deframer, reader, writer, alerts: Alerts::default() }
    }

    /// What is to be had of what has come.
    pub(super) fn hear(&mut self) -> Result<Heard, Error> {
        while let Some(record) = self.deframer.next()? {
            let content = record.content;
            let plain = self.reader.open(record)?;
            match content {
                // Empty records are how some guard the next one (OpenSSL, TLS 1.0).
                Content::ApplicationData if plain.is_empty() => {}
                Content::ApplicationData => return Ok(Heard::Bytes(plain)),
                Content::Alert => {
                    for [level, alert] in self.alerts.push(&plain) {
                        if alert == u8::from(AlertDescription::CloseNotify) {
                            return Ok(Heard::End);
                        }
                        if level != WARNING {
                            return Err(Error::Alert(alert));
                        }
                    }
                }
                // A wish to negotiate again: we need not hear it (RFC 5246 §7.4.1.1).
                Content::Handshake => {}
                Content::ChangeCipherSpec => return Err(Error::Unexpected("ChangeCipherSpec")),
            }
        }
        Ok(Heard::Nothing)
    }
}

/// A stream inside a session.
#[derive(Debug)]
pub(in crate::probe) struct Session<S> {
    stream: S,
    connection: Connection,
    /// What came and was not read yet, from `read` on.
    heard: Vec<u8>,
    read: usize,
    ended: bool,
    /// What has to be sent.
    output: Vec<u8>,
    /// Whether we have said that we are done.
    closed: bool,
    /// How much more is taken, in records of whatever kind.
    room: usize,
}

impl<S> Session<S> {
    pub(super) fn new(stream: S, connection: Connection) -> Self {
        Self {
            stream,
            connection,
            heard: Vec::new(),
            read: 0,
            ended: false,
            output: Vec::new(),
            closed: false,
            room: MAX_SESSION,
        }
    }

    pub(in crate::probe) fn stream(&self) -> &S {
        &self.stream
    }

    pub(in crate::probe) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Hands over what was heard; whether there was anything.
    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.heard.get(self.read..).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.read += count;
        if self.read >= self.heard.len() {
            // A waiting peer costs no buffer.
            (self.heard, self.read) = (Vec::new(), 0);
        }
        count > 0
    }
}

impl<S: AsyncWrite + Unpin> Session<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Session<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.hand_over(buffer) || this.ended {
                return Poll::Ready(Ok(()));
            }
            match this.connection.hear()? {
                Heard::Bytes(bytes) => this.heard = bytes,
                Heard::End => this.ended = true,
                Heard::Nothing => {
                    let mut chunk = [0; CHUNK];
                    let mut taken = ReadBuf::new(&mut chunk);
                    ready!(Pin::new(&mut this.stream).poll_read(cx, &mut taken))?;
                    if taken.filled().is_empty() {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    let room = this.room.checked_sub(taken.filled().len());
                    this.room = room.ok_or(Error::TooLong { what: "a session", limit: MAX_SESSION })?;
                    this.connection.deframer.push(taken.filled());
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Session<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_send(cx))?;
        if this.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = &bytes[..bytes.len().min(MAX_PLAIN)];
        if !taken.is_empty() {
            this.connection.writer.seal(&mut this.output, Content::ApplicationData, taken)?;
        }
        // They are ours now: what cannot be sent at once is sent before the next bytes are taken.
        match this.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.closed {
            this.closed = true;
            let alert = [1, u8::from(AlertDescription::CloseNotify)];
            this.connection.writer.seal(&mut this.output, Content::Alert, &alert)?;
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
