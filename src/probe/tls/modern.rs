//! TLS 1.2 and 1.3, by rustls with ring.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ProtocolVersion};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::recorder::Recorder;
use super::{
    Handshake, Refusal, STALLED, Server, Sniffer, TlsClient, is_hang_up, reason, received_alert, rustls_error,
};
use crate::observation::{TlsFacts, TlsUse};
use crate::probe::certificate::Certificates;
use crate::probe::deadline::by;
use crate::probe::network::Stream;
use crate::probe::peer::Link;

/// What all handshakes have in common.
pub(super) fn config(provider: &Arc<CryptoProvider>, certificates: &Arc<Certificates>) -> ClientConfig {
    let verifier = Arc::new(Recorder::new(Arc::clone(provider), Arc::clone(certificates)));
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|error| unreachable!("ring has suites for both versions: {error}"))
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

impl TlsClient {
    pub(super) async fn modern<S: Stream>(&self, stream: S, server: Server<'_>, deadline: Instant) -> Handshake<S> {
        let (name, tls) = (server.name, server.tls);
        let recorder = Arc::new(Recorder::new(Arc::clone(&self.provider), Arc::clone(&self.certificates)));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::<Recorder>::clone(&recorder));
        config.client_auth_cert_resolver = Arc::<Recorder>::clone(&recorder);
        let sni = name.filter(|_| server.sni).and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let server = sni.unwrap_or_else(|| ServerName::IpAddress(server.ip.into()));
        let connect = TlsConnector::from(Arc::new(config)).connect(server, Sniffer::new(stream)).into_fallible();
        match by(deadline, pin!(connect)).await {
            Ok(Ok(mut stream)) => {
                stream.get_mut().0.expect_session();
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
                facts.error = Some(STALLED.into());
                Handshake::Failed { facts: Box::new(facts), refusal: Refusal::Other }
            }
        }
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
    if alert.is_some() && facts.asks_for_certificate {
        // TLS 1.2 says so during the handshake (RFC 5246 §7.4.6).
        facts.error = Some(format!("{}: it demands a client certificate", reason(error)).into());
        return Handshake::Failed { facts: Box::new(facts), refusal: Refusal::Other };
    }
    let refusal = match (alert, rustls_error(error)) {
        (Some(AlertDescription::UnrecognisedName), _) => Refusal::UnknownName,
        (Some(alert), _) if TOO_MODERN.contains(&u8::from(alert)) => Refusal::TooModern,
        (None, Some(rustls::Error::PeerIncompatible(_))) => Refusal::TooModern,
        (None, None) if !peer_spoke && is_hang_up(error) => Refusal::TooModern,
        _ => Refusal::Other,
    };
    Handshake::Failed { facts: Box::new(facts), refusal }
}

/// What servers of the past say to a modern hello: `handshake_failure`, `illegal_parameter`, `protocol_version`,
/// `insufficient_security`, `internal_error` (RFC 8446 §6.2).
const TOO_MODERN: [u8; 5] = [40, 47, 70, 71, 80];
