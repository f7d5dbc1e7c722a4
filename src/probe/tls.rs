//! The TLS handshake, as an observer makes it: accept everything, record everything, enforce nothing.
//!
//! **It protects nothing.** Whoever answers is believed, because the question is what answers. `modern` is rustls with ring,
//! for TLS 1.2 and 1.3; `older` asks servers of the past by way of [`legacy`](super::legacy). Bytes that are no TLS record
//! are seen before rustls sees them, so that plain text on a TLS port is kept whole.

mod modern;
mod older;
mod recorder;
mod sniffer;

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{AlertDescription, PeerIncompatible};
use tokio::time::Instant;

pub(super) use self::sniffer::Sniffer;

use super::certificate::Certificates;
use super::legacy;
use super::network::Stream;
use super::peer::Link;
use crate::observation::{TlsFacts, TlsUse};

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
    /// What is older, or weaker.
    Older(legacy::Hello),
}

impl Hello {
    /// What it offers, for people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Modern => "TLS 1.2 and 1.3",
            Self::Older(legacy::Hello::Everything) => "TLS 1.2 and older, with suites of the past",
            Self::Older(legacy::Hello::Old) => "TLS 1.1 and older",
            Self::Older(legacy::Hello::Anonymous) => "suites without authentication or encryption",
            Self::Older(legacy::Hello::Bare) => "TLS 1.0 without extensions",
        }
    }

    /// What to say where it is refused for being too modern. Only a server that answers with an alert can be short of
    /// suites; one that hangs up may choke on anything it does not know.
    pub(super) const fn older(self, by_alert: bool) -> Option<Self> {
        match self {
            Self::Modern => Some(Self::Older(legacy::Hello::Everything)),
            Self::Older(legacy::Hello::Everything) if by_alert => Some(Self::Older(legacy::Hello::Anonymous)),
            Self::Older(legacy::Hello::Everything | legacy::Hello::Anonymous) => Some(Self::Older(legacy::Hello::Bare)),
            Self::Older(legacy::Hello::Old | legacy::Hello::Bare) => None,
        }
    }
}

/// A peer is not listened to any longer whose session takes more than this on the wire, also in records that say nothing:
/// twice what a greeting may have.
pub(super) const MAX_SESSION: usize = 2 * 1024 * 1024;

/// What is said of a handshake that the deadline cut short.
const STALLED: &str = "stalled: no end of the handshake before the deadline";

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
        Self { config: modern::config(&provider, &certificates), provider, certificates }
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
            // Seldom gone: its state is not everyone's.
            Hello::Older(hello) => Box::pin(self.older(stream, hello, server, deadline)).await,
        }
    }
}

/// The alert that the peer ended the session with.
pub(super) fn received_alert(error: &io::Error) -> Option<AlertDescription> {
    match rustls_error(error)? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Why a connection broke, in a few words, in clear or inside TLS.
pub(super) fn break_reason(error: &io::Error) -> Cow<'static, str> {
    if rustls_error(error).is_none() && is_hang_up(error) { "reset".into() } else { reason(error) }
}

/// Why a session ended, in a few words.
pub(super) fn reason(error: &io::Error) -> Cow<'static, str> {
    match rustls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("alert {} {}", u8::from(*alert), alert_name(*alert)).into()
        }
        Some(rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)) => {
            "the server speaks neither TLS 1.2 nor 1.3".into()
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
    // The words that the library spells otherwise.
    match alert {
        AlertDescription::UnrecognisedName => return "unrecognized_name".to_owned(),
        AlertDescription::EncryptedClientHelloRequired => return "ech_required".to_owned(),
        _ => {}
    }
    let word = format!("{alert:?}");
    let is_lower =
        |index: Option<usize>| index.and_then(|index| word.as_bytes().get(index)).is_some_and(u8::is_ascii_lowercase);
    let mut name = String::new();
    for (index, character) in word.char_indices() {
        // A word begins: after a small letter, or before one, as in `UnknownPSKIdentity`.
        let begins = is_lower(index.checked_sub(1)) || is_lower(Some(index + 1));
        if character.is_ascii_uppercase() && index > 0 && begins {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod held_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_as_iana_does() {
        let table = [
            (AlertDescription::HandshakeFailure, "handshake_failure"),
            (AlertDescription::BadRecordMac, "bad_record_mac"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::UnknownPSKIdentity, "unknown_psk_identity"),
            (AlertDescription::UnrecognisedName, "unrecognized_name"),
            (AlertDescription::EncryptedClientHelloRequired, "ech_required"),
        ];
        for (alert, name) in table {
            assert_eq!(alert_name(alert), name);
        }
    }
}
