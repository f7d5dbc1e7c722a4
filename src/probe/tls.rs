//! The TLS handshake, as an observer makes it: accept everything, record everything, enforce nothing.
//!
//! **It protects nothing.** Whoever answers is believed, because the question is what answers. rustls with ring does the
//! work, for TLS 1.2 and 1.3; older versions are not offered here. Bytes that are no TLS record are seen before
//! rustls sees them, so that plain text on a TLS port is kept whole.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, DigitallySignedStruct, ProtocolVersion, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::{Certificates, has_checkable_key};
use super::network::Stream;
use super::peer::Link;
use super::protocol;
use crate::observation::{Legacy, TlsFacts, TlsUse};

/// What all handshakes of a scan share.
#[derive(Debug, Clone)]
pub(crate) struct TlsClient {
    config: ClientConfig,
    provider: Arc<CryptoProvider>,
    certificates: Arc<Certificates>,
}

/// Whom to shake hands with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) ip: IpAddr,
    /// The name that the certificate should be for.
    pub(super) name: Option<&'a str>,
    /// Whether the name is said in the hello; addresses never are (RFC 6066 §3).
    pub(super) sni: bool,
    /// What a session with it is called.
    pub(super) tls: TlsUse,
}

/// What is said first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hello {
    /// TLS 1.2 and 1.3.
    Modern,
}

impl Hello {
    /// What it offers, for people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Modern => "TLS 1.2 and 1.3",
        }
    }

    /// What to say where it is refused for being too modern.
    pub(super) const fn older(self) -> Option<Self> {
        match self {
            Self::Modern => None,
        }
    }
}

/// Why there is no session, as far as that decides what is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The peer knows no such name and may answer without one (alert 112, RFC 6066 §3).
    UnknownName,
    /// An older client may be answered.
    TooModern,
    /// Anything else.
    Other,
}

/// What came of a handshake.
pub(super) enum Handshake<S> {
    /// A session, and what was learnt.
    Done(Link<S>, Box<TlsFacts>),
    /// The peer speaks plain text: the connection, and what it said.
    Plain(S, Vec<u8>),
    /// No session.
    Failed { facts: Box<TlsFacts>, refusal: Refusal },
}

impl TlsClient {
    pub(crate) fn new(certificates: Arc<Certificates>) -> Self {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Recorder::new(Arc::clone(&provider), Arc::clone(&certificates)));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| unreachable!("ring has suites for both versions: {error}"))
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self { config, provider, certificates }
    }

    /// Shakes hands by the deadline.
    pub(super) async fn handshake<S: Stream>(
        &self,
        stream: S,
        hello: Hello,
        server: Server<'_>,
        deadline: Instant,
    ) -> Handshake<S> {
        match hello {
            Hello::Modern => self.modern(stream, server, deadline).await,
        }
    }

    async fn modern<S: Stream>(&self, stream: S, server: Server<'_>, deadline: Instant) -> Handshake<S> {
        let (name, tls) = (server.name, server.tls);
        let recorder = Arc::new(Recorder::new(Arc::clone(&self.provider), Arc::clone(&self.certificates)));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::<Recorder>::clone(&recorder));
        let sni = name.filter(|_| server.sni).and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let server = sni.unwrap_or_else(|| ServerName::IpAddress(server.ip.into()));
        let connect = TlsConnector::from(Arc::new(config)).connect(server, Sniffer::new(stream)).into_fallible();
        match timeout_at(deadline, connect).await {
            Ok(Ok(stream)) => {
                let facts = established(&stream, &recorder, name, tls);
                Handshake::Done(Link::Tls(Box::new(stream)), Box::new(facts))
            }
            Ok(Err((error, sniffer))) => {
                if sniffer.plain.is_empty() {
                    failed(&error, sniffer.seen, &recorder, name)
                } else {
                    Handshake::Plain(sniffer.stream, sniffer.plain)
                }
            }
            Err(_) => {
                let mut facts = recorder.facts(TlsUse::Failed, name);
                facts.error = Some("stalled: no end of the handshake before the deadline".into());
                Handshake::Failed { facts: Box::new(facts), refusal: Refusal::Other }
            }
        }
    }

    /// Whether TLS 1.1 and older would be spoken, and with which suite; the connection ends with that.
    pub(super) async fn ask_for_old<S: Stream>(&self, stream: S, name: Option<&str>, deadline: Instant) -> Legacy {
        drop((stream, name, deadline));
        Legacy::Refused("not asked".into())
    }
}

fn established<S>(stream: &TlsStream<Sniffer<S>>, recorder: &Recorder, name: Option<&str>, tls: TlsUse) -> TlsFacts {
    let (_, session) = stream.get_ref();
    let mut facts = recorder.facts(tls, name);
    facts.version = session.protocol_version().and_then(|version| match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    });
    facts.cipher = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str().map(|name| name.replacen("TLS13_", "TLS_", 1)));
    facts.group = session.negotiated_key_exchange_group().and_then(|group| group.name().as_str().map(str::to_owned));
    facts
}

fn failed<S>(error: &io::Error, peer_spoke: bool, recorder: &Recorder, name: Option<&str>) -> Handshake<S> {
    let alert = received_alert(error);
    let refused = alert.is_some() || (!peer_spoke && is_hang_up(error));
    let mut facts = recorder.facts(if refused { TlsUse::Refused } else { TlsUse::Failed }, name);
    facts.error = Some(reason(error));
    facts.alert = alert.map(u8::from);
    let refusal = match (alert, rustls_error(error)) {
        (Some(AlertDescription::UnrecognisedName), _) => Refusal::UnknownName,
        (Some(alert), _) if IS_TOO_MODERN.contains(&u8::from(alert)) => Refusal::TooModern,
        (None, Some(rustls::Error::PeerIncompatible(_))) => Refusal::TooModern,
        (None, None) if !peer_spoke && is_hang_up(error) => Refusal::TooModern,
        _ => Refusal::Other,
    };
    Handshake::Failed { facts: Box::new(facts), refusal }
}

/// What servers of the past say to a modern hello: `handshake_failure`, `illegal_parameter`, `protocol_version`,
/// `insufficient_security`, `internal_error` (RFC 8446 §6.2).
const IS_TOO_MODERN: [u8; 5] = [40, 47, 70, 71, 80];

/// The alert that the peer ended the session with.
pub(super) fn received_alert(error: &io::Error) -> Option<AlertDescription> {
    match rustls_error(error)? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Why a session ended, in a few words.
pub(super) fn reason(error: &io::Error) -> Cow<'static, str> {
    match rustls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("alert {} {}", u8::from(*alert), alert_name(*alert)).into()
        }
        Some(error) => error.to_string().into(),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => "closed during the handshake".into(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                "reset during the handshake".into()
            }
            _ => super::network::describe(error).into(),
        },
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted)
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// An alert as IANA's registry "TLS Alerts" writes it: `handshake_failure`.
fn alert_name(alert: AlertDescription) -> String {
    // The one word that the library spells otherwise.
    if alert == AlertDescription::UnrecognisedName {
        return "unrecognized_name".to_owned();
    }
    let mut name = String::new();
    for (index, character) in format!("{alert:?}").chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// Accepts every certificate and writes down what it saw.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    certificates: Arc<Certificates>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default, Clone)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    bad_signature: bool,
}

impl Recorder {
    fn new(provider: Arc<CryptoProvider>, certificates: Arc<Certificates>) -> Self {
        Self { provider, certificates, seen: Mutex::default() }
    }

    fn facts(&self, tls: TlsUse, name: Option<&str>) -> TlsFacts {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut facts = TlsFacts::new(tls);
        (facts.chain, facts.verdict) = self.certificates.judge(&seen.chain, name, seen.bad_signature);
        facts
    }

    /// A signature that was checked and does not fit is a fact; one that cannot be checked (a key or a certificate of a
    /// kind that the library does not know) is not held against the server.
    fn record(
        &self,
        certificate: &CertificateDer<'_>,
        result: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> HandshakeSignatureValid {
        result.unwrap_or_else(|error| {
            let bad = matches!(error, rustls::Error::InvalidCertificate(CertificateError::BadSignature))
                && has_checkable_key(certificate);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).bad_signature |= bad;
            HandshakeSignatureValid::assertion()
        })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).chain = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        Ok(self.record(certificate, verify_tls12_signature(message, certificate, signature, algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        Ok(self.record(certificate, verify_tls13_signature(message, certificate, signature, algorithms)))
    }

    /// Every scheme there is, so that no server need refuse us for want of one.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}

/// The peer's first bytes are no TLS.
#[derive(Debug)]
struct PlainText;

impl fmt::Display for PlainText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain text in answer to a ClientHello")
    }
}

impl Error for PlainText {}

/// A connection that looks at the first byte before TLS does, and keeps what is plain text.
#[derive(Debug)]
pub(super) struct Sniffer<S> {
    stream: S,
    seen: bool,
    plain: Vec<u8>,
}

impl<S> Sniffer<S> {
    fn new(stream: S) -> Self {
        Self { stream, seen: false, plain: Vec::new() }
    }

    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    pub(super) fn stream_mut(&mut self) -> &mut S {
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
