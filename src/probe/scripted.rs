//! A network whose peers follow a script, for tests without sockets and without real time.
//!
//! A script is a file in `tests/peers/`: what the peer does, and what the row must say. See `tests/README.md`.

mod peer;

use std::collections::HashMap;
use std::future::{self, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::Acceptor;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::LazyConfigAcceptor;

use self::peer::{Peer, say};
use super::hand_made::{Keys, Shake};
use super::icmp::IcmpError;
use super::network::{Failure, How, Network, Stream};
use crate::target::names::Exchange;
use crate::target::{Family, NoAddress, Resolve};

/// How much of a flood comes at once, and how soon again: without a pause a clock that is paused would stand still.
const FLOOD: usize = 8 * 1024;
const BETWEEN_FLOODS: Duration = Duration::from_millis(10);

/// What a peer does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Script {
    /// What becomes of the SYN.
    pub(crate) connect: Connect,
    /// Seconds from the SYN to its answer.
    pub(crate) connect_after: f64,
    /// The certificate of a peer that speaks TLS first; the steps are then inside TLS.
    pub(crate) tls: Option<TlsPeer>,
    pub(crate) steps: Vec<Step>,
    /// What it does on the second connection, the third, and so on; after these the same as on the first.
    pub(crate) then: Vec<Self>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Connect {
    #[default]
    Accepted,
    Refused,
    Reset,
    Unreachable,
    /// Nobody on the attached network has the address.
    NoNeighbour,
    /// Nothing ever comes back.
    Dark,
    /// No descriptor is free.
    Exhausted,
    /// No descriptor is free at the first two tries.
    ExhaustedTwice,
    NoRoute,
    /// We have a defect.
    Panics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TlsPeer {
    SelfSigned,
    Expired,
    /// Asks for a certificate that we do not have.
    WantsClientCertificate,
    /// Refuses a hello that says a name.
    KnowsNoName,
}

/// One thing that a peer does.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Send(String),
    SendBase64(String),
    /// Sends a text many times over.
    Repeat(String, usize),
    /// Sends a byte, waits so many seconds, sends the next.
    Drip(String, f64),
    Wait(f64),
    /// Waits for just these words of ours.
    Expect(String),
    /// Waits for any words of ours.
    Hear,
    /// Sends a text over and over, some KiB each hundredth of a second, until we hang up.
    Flood(String),
    /// Goes on inside TLS, with this certificate.
    Secure(TlsPeer),
    /// Shakes hands as far as this, and goes on without TLS.
    #[serde(skip)]
    Shake(Shake),
    /// Says this under the keys of that handshake: what kind of record it is, and what is in it.
    #[serde(skip)]
    Sealed(u8, Vec<u8>),
    /// The same over and over, until we hang up.
    #[serde(skip)]
    SealedFlood(u8, Vec<u8>),
    /// Sends FIN and listens until we hang up.
    Fin,
    Reset,
    /// Listens until we hang up, and does not yet hang up itself.
    Hold,
}

/// A network of scripted peers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    peers: HashMap<SocketAddr, Script>,
    otherwise: Script,
    names: HashMap<String, Vec<IpAddr>>,
    dialled: Mutex<Vec<SocketAddr>>,
    forgets: AtomicBool,
    heard: Mutex<Vec<u8>>,
    hung_up_at: Mutex<Option<Instant>>,
    offline: AtomicBool,
    offline_v6: AtomicBool,
    slept: Mutex<Duration>,
    /// How many descriptors there are; 0 for any number.
    descriptors: AtomicUsize,
    /// How an address behaves now, whatever it did at first.
    now: Mutex<HashMap<SocketAddr, Script>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Scripted {
    /// Every address behaves alike.
    pub(crate) fn everywhere(otherwise: Script) -> Self {
        Self(Arc::new(Shared { otherwise, ..Shared::default() }))
    }

    /// Names with their addresses, and every address alike.
    pub(crate) fn with_names(names: &[(&str, &[&str])], otherwise: Script) -> Self {
        let addresses = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        let names = names.iter().map(|(name, list)| ((*name).to_owned(), addresses(list))).collect();
        Self(Arc::new(Shared { otherwise, names, ..Shared::default() }))
    }

    /// Some addresses behave differently.
    pub(crate) fn with_peers(peers: HashMap<SocketAddr, Script>, otherwise: Script) -> Self {
        Self(Arc::new(Shared { peers, otherwise, ..Shared::default() }))
    }

    /// Everything that was dialled, in order.
    pub(crate) fn dialled(&self) -> Vec<SocketAddr> {
        self.0.dialled.lock().unwrap().clone()
    }

    /// Keeps no list of what is dialled, which would grow.
    pub(crate) fn forget_dialled(&self) {
        self.0.forgets.store(true, Ordering::Relaxed);
    }

    /// The most connections and attempts that were under way at once.
    pub(crate) fn most_open(&self) -> usize {
        self.0.most_open.load(Ordering::Relaxed)
    }

    /// How many are under way.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Takes every route away, or brings them back.
    pub(crate) fn set_offline(&self, offline: bool) {
        self.0.offline.store(offline, Ordering::Relaxed);
    }

    /// The same for IPv6 alone.
    pub(crate) fn set_offline_v6(&self, offline: bool) {
        self.0.offline_v6.store(offline, Ordering::Relaxed);
    }

    /// Changes what an address does from now on.
    pub(crate) fn set_peer(&self, address: SocketAddr, script: Script) {
        self.0.now.lock().unwrap().insert(address, script);
    }

    /// Lets no more than so many connections be open at once.
    pub(crate) fn set_descriptors(&self, count: usize) {
        self.0.descriptors.store(count, Ordering::Relaxed);
    }

    /// The machine was asleep for so long.
    pub(crate) fn sleep(&self, length: Duration) {
        *self.0.slept.lock().unwrap() += length;
    }

    /// Everything that we said to any peer.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.0.heard.lock().unwrap().clone()
    }

    /// When a peer last saw our FIN.
    pub(crate) fn hung_up_at(&self) -> Option<Instant> {
        *self.0.hung_up_at.lock().unwrap()
    }
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        let open = shared.open.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most_open.fetch_max(open, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Network for Scripted {
    type Stream = ScriptedStream;

    async fn connect(&self, to: SocketAddr, how: How) -> Result<ScriptedStream, Failure> {
        timeout_at(how.deadline, self.answer(to)).await.unwrap_or(Err(Failure::Timeout))
    }

    fn has_route(&self, to: IpAddr) -> bool {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        !is_set(&self.0.offline) && (to.is_ipv4() || !is_set(&self.0.offline_v6))
    }

    fn slept(&self) -> Duration {
        *self.0.slept.lock().unwrap()
    }
}

impl Scripted {
    /// What becomes of a SYN.
    async fn answer(&self, to: SocketAddr) -> Result<ScriptedStream, Failure> {
        let open = Open::new(&self.0);
        let tries = {
            let mut dialled = self.0.dialled.lock().unwrap();
            if !self.0.forgets.load(Ordering::Relaxed) {
                dialled.push(to);
            }
            // Counting is for the few scripts that change their mind; the list is long in others.
            if dialled.len() < 10 { dialled.iter().filter(|address| **address == to).count() } else { 10 }
        };
        let now = self.0.now.lock().unwrap().get(&to).cloned();
        let script = now.as_ref().unwrap_or_else(|| self.0.peers.get(&to).unwrap_or(&self.0.otherwise));
        let script = tries.checked_sub(2).and_then(|index| script.then.get(index)).unwrap_or(script);
        if script.connect_after > 0.0 {
            sleep(Duration::from_secs_f64(script.connect_after)).await;
        }
        let descriptors = self.0.descriptors.load(Ordering::Relaxed);
        if descriptors > 0 && self.0.open.load(Ordering::Relaxed) > descriptors {
            return Err(Failure::Local(io::Error::from_raw_os_error(nix::libc::EMFILE)));
        }
        if !self.has_route(to.ip()) {
            return Err(Failure::Local(io::Error::from_raw_os_error(nix::libc::ENETUNREACH)));
        }
        let exhausted = || Err(Failure::Local(io::Error::from_raw_os_error(nix::libc::EMFILE)));
        match script.connect {
            Connect::Accepted => {}
            Connect::ExhaustedTwice if tries > 2 => {}
            Connect::Refused => return Err(Failure::Refused),
            Connect::Reset => return Err(Failure::Reset),
            Connect::Unreachable | Connect::NoNeighbour => {
                let own = script.connect == Connect::NoNeighbour;
                let icmp = IcmpError { kind: 3, code: if own { 1 } else { 13 }, v6: false, from: Some(to.ip()), own };
                return Err(Failure::Unreachable(Some(icmp), io::Error::from_raw_os_error(nix::libc::EHOSTUNREACH)));
            }
            Connect::Dark => pending().await,
            Connect::Exhausted | Connect::ExhaustedTwice => return exhausted(),
            Connect::NoRoute => {
                return Err(Failure::Local(io::Error::from_raw_os_error(nix::libc::ENETUNREACH)));
            }
            Connect::Panics => panic!("a defect"),
        }
        let (ours, theirs) = duplex(256 * 1024);
        let reset = Arc::new(AtomicBool::new(false));
        let peer = Peer { shared: Arc::clone(&self.0), reset: Arc::clone(&reset) };
        let script = script.clone();
        tokio::spawn(async move { peer.play(script, theirs).await });
        Ok(ScriptedStream { pipe: ours, reset, _open: open })
    }
}

impl Resolve for Scripted {
    fn addresses<'a>(&'a self, name: &'a str, _: Family) -> BoxFuture<'a, Result<Vec<IpAddr>, NoAddress>> {
        if name.starts_with("unheard-of") {
            // The resolver never answers.
            return Box::pin(pending());
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let addresses = self.0.names.get(name).cloned().ok_or_else(|| NoAddress::None("no such name".into()));
        Box::pin(future::ready(addresses))
    }

    fn exchanges<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Exchange>, NoAddress>> {
        Box::pin(future::ready(Err(NoAddress::None("no mail exchange".into()))))
    }
}

/// A connection, in clear or inside TLS.
pub(super) type Pipe = Box<dyn Both>;

pub(super) trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

/// The session that follows a hello, if one does; a handshake that fails has been told to the client by its alert.
async fn secure(pipe: Pipe, peer: TlsPeer) -> Option<Pipe> {
    let mut hello = LazyConfigAcceptor::new(Acceptor::default(), pipe).await.ok()?;
    if peer == TlsPeer::KnowsNoName && hello.client_hello().server_name().is_some() {
        // Fatal, unrecognized_name (RFC 8446 §6).
        say(&mut hello.io, &[21, 3, 3, 0, 2, 2, 112]).await;
        return None;
    }
    Some(Box::new(hello.into_stream(server_config(peer)).await.ok()?))
}

/// Where we connect from.
pub(crate) const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));

/// Our side of a connection to a scripted peer.
#[derive(Debug)]
pub(crate) struct ScriptedStream {
    pipe: DuplexStream,
    reset: Arc<AtomicBool>,
    _open: Open,
}

impl Stream for ScriptedStream {
    fn take_now(&mut self, buffer: &mut [u8]) -> usize {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut self.pipe).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
            Poll::Ready(Ok(())) => buffer.filled().len(),
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        }
    }

    fn local_ip(&self) -> Option<IpAddr> {
        Some(OURS)
    }
}

impl AsyncRead for ScriptedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buffer))?;
        if buffer.filled().len() == before && self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ScriptedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

fn server_config(peer: TlsPeer) -> Arc<ServerConfig> {
    let mut params = rcgen::CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "mail.example");
    if peer == TlsPeer::Expired {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![params.self_signed(&key).unwrap().der().clone()];
    let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let config = match peer {
        TlsPeer::SelfSigned | TlsPeer::Expired | TlsPeer::KnowsNoName => {
            builder.with_no_client_auth().with_single_cert(chain, der)
        }
        TlsPeer::WantsClientCertificate => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(chain[0].clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap()).with_single_cert(chain, der)
        }
    };
    Arc::new(config.unwrap())
}
