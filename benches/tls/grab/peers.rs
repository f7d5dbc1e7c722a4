//! Peers that greet inside TLS, each address of the range by itself: one thread, one listener for all of them, bound to
//! the loopback interface.
//!
//! The process says its port with a line on its standard output, and ends when its standard input does: dropping
//! [`Peers`] ends it, and so does the death of the bench, however it dies.
//!
//! Limits: one greeting, no dialogue but QUIT, and no deadline for a client.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::version::{TLS12, TLS13};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::PEERS;
use crate::range::Range;

/// How many certificates a peer shows: its own, and the one that signed it.
pub(crate) const CHAIN: usize = 2;

const GREETING: &[u8] = b"220 mail.example.com ESMTP Postfix (Debian/GNU)\r\n";

const FAREWELL: &[u8] = b"221 2.0.0 Bye\r\n";

/// Connections that wait to be accepted. The kernel cuts it to its own bound.
const BACKLOG: i32 = 4096;

/// The version that the peers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Version {
    /// As rows have it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// What the peers are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) range: Range,
    pub(crate) version: Version,
    /// A chain for each address; otherwise all show one.
    pub(crate) chain_each: bool,
    /// How long after the handshake they greet.
    pub(crate) late: Duration,
}

/// The running process; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Peers {
    child: Child,
    port: u16,
}

impl Peers {
    /// Returns when every address greets.
    pub(crate) fn start(job: &Job) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([PEERS, &serde_json::to_string(job)?]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut peers = Self { child: command.spawn()?, port: 0 };
        let mut line = String::new();
        if let Some(pipe) = peers.child.stdout.take() {
            BufReader::new(pipe).read_line(&mut line)?;
        }
        peers.port = line.trim().parse().map_err(|_| "the peers ended before they listened")?;
        Ok(peers)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nothing is left to do about a process that cannot be waited for.
        let _ = self.child.wait();
    }
}

/// The process of peers itself: serves until standard input ends.
pub(crate) fn serve(job: &str) -> Result<(), Box<dyn Error>> {
    let job: Job = serde_json::from_str(job)?;
    let configs = configs(&job)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listen()?.into())?;
        println!("{}", listener.local_addr()?.port());
        let life = tokio::task::spawn_blocking(|| io::stdin().read(&mut [0]));
        tokio::select! {
            ended = life => drop(ended??),
            error = accept(&listener, &job, &configs) => return Err(error),
        }
        Ok(())
    })
}

/// A listener on every address of the loopback interface, and no other's.
fn listen() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind_device(Some(b"lo"))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

async fn accept(listener: &TcpListener, job: &Job, configs: &[Arc<ServerConfig>]) -> Box<dyn Error> {
    loop {
        let (stream, local) = match listener.accept().await.and_then(|(it, _)| Ok((it.local_addr()?, it))) {
            Ok((local, stream)) => (stream, local),
            Err(error) => return error.into(),
        };
        let position = match local {
            SocketAddr::V4(local) => job.range.position(*local.ip()).and_then(|index| usize::try_from(index).ok()),
            SocketAddr::V6(_) => None,
        };
        let config = Arc::clone(&configs[position.unwrap_or_default() % configs.len()]);
        let late = job.late;
        tokio::spawn(async move {
            // A client that is gone already is nobody's concern.
            let _ = greet(stream, config, late).await;
        });
    }
}

async fn greet(stream: TcpStream, config: Arc<ServerConfig>, late: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = TlsAcceptor::from(config).accept(stream).await?;
    if !late.is_zero() {
        tokio::time::sleep(late).await;
    }
    stream.write_all(GREETING).await?;
    stream.flush().await?;
    let mut buffer = [0; 512];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if buffer[..length].starts_with(b"QUIT") {
            stream.write_all(FAREWELL).await?;
            stream.shutdown().await?;
        }
    }
}

/// One for each chain. All have the same key, which no client can tell from its cost.
fn configs(job: &Job) -> Result<Vec<Arc<ServerConfig>>, Box<dyn Error>> {
    let mut authority = CertificateParams::new([])?;
    authority.distinguished_name.push(DnType::CommonName, "The authority of a bench");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let version = match job.version {
        Version::Tls12 => &TLS12,
        Version::Tls13 => &TLS13,
    };
    let provider = Arc::new(ring::default_provider());
    let count = if job.chain_each { job.range.len() } else { 1 };
    (0..count)
        .map(|index| {
            let name = format!("mail{index}.example.com");
            let mut own = CertificateParams::new([name.clone()])?;
            own.distinguished_name.push(DnType::CommonName, name);
            let own = own.signed_by(&key, &authority)?;
            let chain = vec![own.der().clone(), authority.der().clone()];
            let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
            let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&[version])?
                .with_no_client_auth()
                .with_single_cert(chain, secret.into())?;
            Ok(Arc::new(config))
        })
        .collect()
}
