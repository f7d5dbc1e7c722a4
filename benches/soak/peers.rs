//! The peers: what an address and a port do follows from the address alone, so that millions of them are one listener each
//! port.
//!
//! The listeners take whatever comes to the loopback device. Everything runs on a thread of its own.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hailer::Service;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::ONE_IN;

/// Where everyone is hostile, but for a few.
pub(crate) const HOSTILE: &str = "127.64.0.0/10";
const HOSTILE_BASE: u32 = 0x7F40_0000;

/// Where everyone is silent, but for a few.
pub(crate) const TARPITS: u32 = 0x7F20_0000;

/// More than a scan waits for anything.
const PATIENCE: Duration = Duration::from_secs(300);

const BACKLOG: i32 = 4096;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Hostile,
    Tarpits,
}

/// Endpoints of the hostile part, one bit each.
#[derive(Debug, Default, Clone)]
pub(crate) struct Endpoints(HashMap<u32, u64>);

impl Endpoints {
    /// Whether it was not there yet.
    pub(crate) fn insert(&mut self, ip: Ipv4Addr, service: usize) -> bool {
        let number = u64::from(ip.to_bits()) * 8 + u64::try_from(service).unwrap_or(7);
        let (word, bit) = (u32::try_from(number / 64).unwrap_or(u32::MAX), 1 << (number % 64));
        let bits = self.0.entry(word).or_default();
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }

    /// How many of them are not among others.
    pub(crate) fn without(&self, others: &Self) -> u32 {
        self.0.iter().map(|(word, bits)| (bits & !others.0.get(word).copied().unwrap_or(0)).count_ones()).sum()
    }
}

/// One thing that a peer does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Say(&'static [u8]),
    /// Says it over and over.
    Flood(&'static [u8]),
    /// A byte each second.
    Drip(&'static [u8]),
    /// Hears something.
    Hear,
    /// Goes inside TLS.
    Secure,
    /// Answers as a server should, up to QUIT, and goes inside TLS where that is asked for.
    Serve,
    /// FIN, and listens.
    Finish,
    Reset,
    /// Listens until the other leaves.
    Hold,
}

use Step::{Drip, Finish, Flood, Hear, Hold, Reset, Say, Secure, Serve};

const GREETING: Step = Say(b"220 mail.example ESMTP ready\r\n");
const OFFERS: Step = Say(b"250-mail.example\r\n250 STARTTLS\r\n");
const WARNING: &[u8] = b"\x15\x03\x03\0\x02\x01\x5a";

/// What peers do on ports where plain text comes first; FTP is asked other questions, and answered the same.
const CLEAR: [(&str, &[Step]); 23] = [
    ("polite", &[GREETING, Serve]),
    ("silent", &[Hold]),
    ("a byte a second", &[Drip(b"220 and on, and on, and on, and on, and on, and on"), Hold]),
    ("endless 220-", &[Flood(b"220-and on, and on, and on\r\n")]),
    ("no end of the line", &[Say(b"220 "), Flood(&[b'A'; 4096])]),
    ("NULs", &[Flood(&[0; 4096])]),
    ("escapes", &[Say(b"220-\x1b]0;owned\x07\x1b[2J\r\n\x1b[31m\x9b2J\r\n220 \x1b[0m\r\n"), Serve]),
    ("reset at once", &[Reset]),
    ("closed at once", &[]),
    ("half-closed at once", &[Finish]),
    ("reset within the greeting", &[Say(b"220-mail."), Reset]),
    ("greeting, reset", &[GREETING, Reset]),
    ("greeting, silence", &[GREETING, Hold]),
    ("greeting, reset at a question", &[GREETING, Hear, Reset]),
    ("endless answer", &[GREETING, Hear, Flood(b"250-AND ON AND ON\r\n211-AND ON\r\n")]),
    ("answers to nothing", &[GREETING, Hear, Flood(b"215 no\r\n")]),
    ("STARTTLS, silence", &[GREETING, Hear, OFFERS, Hear, Say(b"220 go\r\n"), Hold]),
    ("STARTTLS, reset", &[GREETING, Hear, OFFERS, Hear, Say(b"220 go\r\n"), Hear, Reset]),
    ("STARTTLS, plain text", &[GREETING, Hear, OFFERS, Hear, Say(b"220 go\r\n500 no\r\n"), Hold]),
    ("STARTTLS, warnings", &[GREETING, Hear, OFFERS, Hear, Say(b"220 go\r\n"), Hear, Flood(WARNING)]),
    ("STARTTLS, then silence", &[GREETING, Hear, OFFERS, Hear, Say(b"220 go\r\n"), Secure, Hold]),
    ("STARTTLS, then endless words", &[GREETING, Hear, OFFERS, Hear, Say(b"220 go\r\n"), Secure, Flood(b"250-ON\r\n")]),
    ("another protocol", &[Say(b"SSH-2.0-x\r\n"), Hold]),
];

/// What peers do where TLS comes first.
const INSIDE: [(&str, &[Step]); 15] = [
    ("TLS: polite", &[Secure, GREETING, Serve]),
    ("TLS: silent", &[Hold]),
    ("TLS: reset", &[Hear, Reset]),
    ("TLS: closed", &[Hear, Finish]),
    ("TLS: alert", &[Hear, Say(b"\x15\x03\x03\0\x02\x02\x28"), Finish]),
    ("TLS: warnings", &[Hear, Flood(WARNING)]),
    ("TLS: empty records", &[Hear, Flood(b"\x16\x03\x03\0\0")]),
    ("TLS: a hello without end", &[Hear, Say(b"\x16\x03\x03\x40\0\x02\0\xff\xff\x03\x03"), Drip(&[7; 60])]),
    ("TLS: garbage", &[Hear, Say(b"\x16\x03\x01\0\x08garbage!"), Hold]),
    ("TLS: plain text", &[GREETING, Hold]),
    ("TLS: endless plain text", &[Flood(b"220-and on, and on\r\n")]),
    ("TLS: silent inside", &[Secure, Hold]),
    ("TLS: reset inside", &[Secure, Reset]),
    ("TLS: endless inside", &[Secure, Flood(b"220-and on, and on, and on\r\n")]),
    ("TLS: NULs inside", &[Secure, Flood(&[0; 4096])]),
];

const SERVICES: [Service; 5] = [Service::Ftp, Service::Smtp, Service::Smtps, Service::Submission, Service::Ftps];

/// What the peer at an address and a port is, by the place of the port.
fn deed_of(ip: Ipv4Addr, service: usize) -> (&'static str, &'static [Step]) {
    if part_of(ip) == Part::Tarpits {
        let is_live = (ip.to_bits() - TARPITS).is_multiple_of(ONE_IN);
        return if is_live { ("among tarpits", &[GREETING, Serve]) } else { ("tarpit", &[Hold]) };
    }
    let table: &[_] = if SERVICES[service].is_implicit_tls() { &INSIDE } else { &CLEAR };
    // Spread over addresses that follow one another.
    let place = usize::try_from(ip.to_bits().wrapping_mul(0x9E37_79B1) >> 8).unwrap_or_default();
    table[place % table.len()]
}

pub(crate) fn name_of(ip: Ipv4Addr, service: usize) -> &'static str {
    deed_of(ip, service).0
}

fn part_of(ip: Ipv4Addr) -> Part {
    if ip.to_bits() >= HOSTILE_BASE { Part::Hostile } else { Part::Tarpits }
}

/// All of them.
pub(crate) struct Peers {
    ports: Vec<u16>,
    shared: Arc<Shared>,
}

struct Shared {
    visited: Mutex<Endpoints>,
    tls: TlsAcceptor,
}

impl Peers {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let shared = Arc::new(Shared { visited: Mutex::default(), tls: acceptor()? });
        let listeners = SERVICES.iter().map(|_| listen()).collect::<io::Result<Vec<_>>>()?;
        let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<io::Result<_>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("peers".into()).spawn(move || {
            runtime.block_on(async {
                for (service, listener) in listeners.into_iter().enumerate() {
                    tokio::spawn(serve(listener, service, Arc::clone(&of_thread)));
                }
                std::future::pending::<()>().await;
            });
        })?;
        Ok(Self { ports, shared })
    }

    /// As `-p` takes them.
    pub(crate) fn ports(&self) -> String {
        let words = self.ports.iter().zip(SERVICES).map(|(port, service)| format!("{port}={service}"));
        words.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn service_ports(&self) -> Vec<u16> {
        self.ports.clone()
    }

    /// Who was connected to.
    pub(crate) fn visited(&self) -> MutexGuard<'_, Endpoints> {
        self.shared.visited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen() -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind_device(Some(b"lo"))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn acceptor() -> Result<TlsAcceptor, Box<dyn Error>> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec!["mail.example".to_owned()])?.self_signed(&key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: std::net::TcpListener, service: usize, shared: Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // However it ends, it has ended.
            let _ = timeout(PATIENCE, play(stream, service, &shared)).await;
        });
    }
}

async fn play(stream: TcpStream, service: usize, shared: &Shared) -> io::Result<()> {
    let SocketAddr::V4(own) = stream.local_addr()? else { return Ok(()) };
    let steps = deed_of(*own.ip(), service).1;
    if part_of(*own.ip()) == Part::Hostile {
        shared.visited.lock().unwrap_or_else(PoisonError::into_inner).insert(*own.ip(), service);
    }
    let Some(at) = steps.iter().position(|step| matches!(step, Secure)) else {
        return follow(steps, stream, shared).await.map(drop);
    };
    match follow(&steps[..at], stream, shared).await? {
        Some(stream) => {
            let session = shared.tls.accept(stream).await?;
            follow_inside(&steps[at + 1..], session).await
        }
        None => Ok(()),
    }
}

/// In clear; the connection where it goes on.
async fn follow(steps: &[Step], mut stream: TcpStream, shared: &Shared) -> io::Result<Option<TcpStream>> {
    for step in steps {
        match step {
            Reset => {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                return Ok(None);
            }
            Serve => {
                if answer(&mut stream, true).await? {
                    let mut session = Box::new(shared.tls.accept(stream).await?);
                    answer(&mut session, false).await?;
                    session.shutdown().await?;
                }
                return Ok(None);
            }
            step => one(*step, &mut stream).await?,
        }
    }
    Ok(Some(stream))
}

async fn follow_inside(steps: &[Step], mut session: tokio_rustls::server::TlsStream<TcpStream>) -> io::Result<()> {
    for step in steps {
        match step {
            Reset => return SockRef::from(session.get_ref().0).set_linger(Some(Duration::ZERO)),
            Serve => {
                answer(&mut session, false).await?;
                return session.shutdown().await;
            }
            step => one(*step, &mut session).await?,
        }
    }
    Ok(())
}

async fn one<S: AsyncRead + AsyncWrite + Unpin>(step: Step, stream: &mut S) -> io::Result<()> {
    match step {
        Say(words) => say(stream, words).await,
        Flood(words) => {
            let words = words.repeat(4096_usize.div_ceil(words.len()));
            loop {
                say(stream, &words).await?;
            }
        }
        Drip(words) => {
            for byte in words {
                say(stream, &[*byte]).await?;
                sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        Hear => stream.read(&mut [0; 4096]).await.map(drop),
        Finish => {
            stream.shutdown().await?;
            listen_on(stream).await
        }
        Hold => listen_on(stream).await,
        Reset | Secure | Serve => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Answers as a server should; whether a handshake comes next.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, may_be_secured: bool) -> io::Result<bool> {
    let mut heard = [0; 512];
    loop {
        let count = stream.read(&mut heard).await?;
        let line = heard.get(..count).unwrap_or_default();
        let said = |verb: &str| line.starts_with(verb.as_bytes());
        if line.is_empty() {
            return Ok(false);
        } else if said("QUIT") {
            say(stream, b"221 bye\r\n").await?;
            return Ok(false);
        } else if said("EHLO") {
            let offers: &[u8] = if may_be_secured {
                b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
            } else {
                b"250 mail.example\r\n"
            };
            say(stream, offers).await?;
        } else if said("STARTTLS") && may_be_secured {
            say(stream, b"220 go\r\n").await?;
            return Ok(true);
        } else if said("AUTH") && may_be_secured {
            say(stream, b"234 go\r\n").await?;
            return Ok(true);
        } else if said("FEAT") {
            say(stream, b"211-can\r\n UTF8\r\n211 End\r\n").await?;
        } else if said("SYST") {
            say(stream, b"215 UNIX Type: L8\r\n").await?;
        } else {
            say(stream, b"530 no\r\n").await?;
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.flush().await
}

async fn listen_on<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut heard = [0; 4096];
    while stream.read(&mut heard).await? > 0 {}
    Ok(())
}
