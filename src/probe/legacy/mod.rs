//! TLS with the servers of the past: SSL 3.0 to TLS 1.2 with what rustls has given up.
//!
//! **It authenticates nothing and protects nothing.** No certificate and no signature is checked, secrets are neither
//! kept from side channels nor wiped, and what it speaks was broken long ago. It exists so that an auditor learns what
//! such a server offers and reads its greeting; nothing of worth may be sent through it.
//!
//! Two rungs: what a server says in clear (version, suite, chain, size of the group) is read whatever it chose, without
//! any cryptography; where it chose what `suite` can speak, the handshake is brought to its end and the greeting is read
//! inside. `client` is a plain function over bytes; here and in `session` it meets a connection. Nothing that a peer
//! sends may make it panic, hang beyond the deadline, or hold more than its caps.

mod agree;
mod bytes;
mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod hello;
mod message;
#[cfg(test)]
mod openssl_tests;
mod protection;
mod record;
mod schedule;
#[cfg(any(test, feature = "fuzzing"))]
mod server;
mod session;
#[cfg(test)]
mod session_tests;
mod share;
mod suite;
#[cfg(test)]
mod tests;
mod version;

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::ready;

use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

pub(crate) use self::hello::Hello;

pub(super) use self::client::MAX_HEARD as MAX_HANDSHAKE;
pub(super) use self::session::Session;

use self::client::{Client, Depth, Progress};
use self::error::Error;
use self::session::Connection;
use super::deadline::by;
use super::{protocol, tls};

/// How much is read at once. It lives on the stack for the length of one poll: a waiting peer costs no buffer.
const CHUNK: usize = 4096;

/// What a server gave away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The version it chose, as `TLSv1.0` or `SSLv3`.
    pub(super) version: Option<&'static str>,
    /// The suite it chose by its IANA name, or its number as `0xFAFA`.
    pub(super) cipher: Option<Cow<'static, str>>,
    /// The group of the key exchange, as `DH 1024`, `secp256r1`, `X25519` or, for export suites, `RSA 512`.
    pub(super) group: Option<String>,
    /// The certificates as sent, as far as they were whole.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The last alert that it sent, be it a warning.
    pub(super) alert: Option<u8>,
    /// Whether it wants to see a certificate of ours.
    pub(super) wants_client_certificate: bool,
    /// Why there is no session, in a few words; absent where none was wanted.
    pub(super) error: Option<Cow<'static, str>>,
}

/// What came of a hello.
#[derive(Debug)]
pub(super) enum Outcome<S> {
    /// A session, as yet unread.
    Session(Box<Session<S>>, Facts),
    /// Only what was said in clear: no session is possible, which `error` explains, or none was wanted.
    Clear(Facts),
    /// Plain text in answer: the connection and what came.
    Plain(S, Vec<u8>),
    /// Nothing was learnt, or it broke on the way: what was learnt till then, `error` says why.
    Failed(Facts),
}

/// How talking ended.
enum End {
    Established(Box<Connection>),
    Clear,
    Plain(Vec<u8>),
}

/// One hello on one connection, up to a session.
pub(super) async fn handshake<S>(stream: S, hello: Hello, server_name: Option<&str>, deadline: Instant) -> Outcome<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    attempt(stream, Client::new(hello, server_name, Depth::Session), deadline).await
}

/// One hello on one connection, up to the end of what is said in clear, and a polite end.
pub(super) async fn ask<S>(stream: S, hello: Hello, server_name: Option<&str>, deadline: Instant) -> Outcome<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    attempt(stream, Client::new(hello, server_name, Depth::Ask), deadline).await
}

async fn attempt<S>(mut stream: S, client: Result<Client, Error>, deadline: Instant) -> Outcome<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = match client {
        Ok(client) => client,
        Err(error) => return Outcome::Failed(Facts { error: Some(error.to_string().into()), ..Facts::default() }),
    };
    let end = by(deadline, pin!(talk(&mut stream, &mut client))).await;
    let mut facts = client.into_facts();
    match end {
        Ok(Ok(End::Established(connection))) => Outcome::Session(Box::new(Session::new(stream, *connection)), facts),
        Ok(Ok(End::Clear)) => Outcome::Clear(facts),
        Ok(Ok(End::Plain(bytes))) => Outcome::Plain(stream, bytes),
        Ok(Err(error)) => {
            facts.error = Some(tls::reason(&error));
            Outcome::Failed(facts)
        }
        Err(_) => {
            facts.error = Some("stalled: no end of the handshake before the deadline".into());
            Outcome::Failed(facts)
        }
    }
}

/// Passes bytes to and fro until the client is done.
async fn talk<S>(stream: &mut S, client: &mut Client) -> io::Result<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = true;
    loop {
        // If this fails the connection is gone, which the next read will tell, after what the server said before.
        drop(say(stream, client).await);
        let progress = poll_fn(|cx| {
            let mut chunk = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let bytes = buffer.filled();
            let Some(byte) = bytes.first() else { return Err(client.hang_up()).into() };
            if std::mem::take(&mut first) && !protocol::may_be_tls(*byte) {
                return Ok(Err(bytes.to_vec())).into();
            }
            client.read(bytes).map(Ok).map_err(io::Error::from).into()
        })
        .await;
        match progress {
            Ok(Ok(Progress::More)) => {}
            Ok(Ok(Progress::Established(connection))) => return Ok(End::Established(connection)),
            Ok(Ok(Progress::Clear)) => {
                // We leave: nobody is left to hear that it cannot be said.
                drop(say(stream, client).await);
                drop(stream.shutdown().await);
                return Ok(End::Clear);
            }
            Ok(Err(plain)) => return Ok(End::Plain(plain)),
            Err(error) => {
                drop(say(stream, client).await);
                return Err(error);
            }
        }
    }
}

/// Sends what the client has to say.
async fn say<S: AsyncWrite + Unpin>(stream: &mut S, client: &mut Client) -> io::Result<()> {
    let output = client.take_output();
    if output.is_empty() {
        return Ok(());
    }
    stream.write_all(&output).await?;
    stream.flush().await
}

/// Bytes that nobody can foretell.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}
