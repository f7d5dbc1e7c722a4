//! The bare loop: the least that a client of the same library does for a TLS grab.
//!
//! One thread, as many tasks as there are connections in flight, one configuration for all. For each endpoint: connect,
//! shake hands with every certificate accepted and the signature checked, keep the chain, read the greeting, leave as
//! hailer does. Nothing is parsed, judged, timed or written.
//!
//! Limits: no deadline; any error ends it.

use std::error::Error;
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::Leave;
use crate::range::Range;

/// What one run of the loop does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) range: Range,
    pub(crate) port: u16,
    /// Connections in flight.
    pub(crate) concurrency: u32,
    pub(crate) leave: Leave,
}

/// Sweeps the range once.
pub(crate) fn run(job: &str) -> Result<(), Box<dyn Error>> {
    let job: Job = serde_json::from_str(job)?;
    let (connector, next) = (TlsConnector::from(Arc::new(config()?)), Arc::new(AtomicU32::new(0)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks: JoinSet<io::Result<()>> = JoinSet::new();
        for _ in 0..job.concurrency {
            let (connector, next) = (connector.clone(), Arc::clone(&next));
            tasks.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= job.range.len() {
                        return Ok(());
                    }
                    grab(&job, &connector, SocketAddrV4::new(job.range.scattered(index), job.port)).await?;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}

async fn grab(job: &Job, connector: &TlsConnector, address: SocketAddrV4) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::IpAddress(std::net::IpAddr::V4(*address.ip()).into());
    let mut stream = connector.connect(name, stream).await?;
    let chain: Vec<_> = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let (mut buffer, mut length) = ([0; 4096], 0);
    while !buffer[..length].ends_with(b"\n") {
        let more = stream.read(&mut buffer[length..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        length += more;
    }
    if job.leave == Leave::Quit {
        stream.write_all(b"QUIT\r\n").await?;
        stream.flush().await?;
        while stream.read(&mut buffer).await? > 0 {}
    }
    stream.shutdown().await?;
    std::hint::black_box(chain);
    Ok(())
}

fn config() -> Result<ClientConfig, rustls::Error> {
    let provider = ring::default_provider();
    let verifier = Arc::new(Anything(provider.signature_verification_algorithms));
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts every certificate, of whose key the server proves that it holds it.
#[derive(Debug)]
struct Anything(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
