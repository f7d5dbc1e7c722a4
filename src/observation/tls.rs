//! What was learnt about TLS at one endpoint.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Certificate, CertificateStatus, CertificateVerdict};

/// Whether and how an endpoint speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsUse {
    /// TLS from the first byte, and the handshake was completed.
    Implicit,
    /// TLS after STARTTLS (RFC 3207), and the handshake was completed.
    Starttls,
    /// TLS after AUTH TLS (RFC 4217), and the handshake was completed.
    AuthTls,
    /// Our `ClientHello` was answered in plain text, or the server does not offer what begins TLS.
    NotOffered,
    /// The peer answered our `ClientHello` with an alert or closed, or refused the command that begins TLS.
    Refused,
    /// The handshake broke or stalled.
    Failed,
}

impl TlsUse {
    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Implicit => "implicit",
            Self::Starttls => "starttls",
            Self::AuthTls => "auth_tls",
            Self::NotOffered => "not_offered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What was learnt about TLS at one endpoint, also where the handshake failed.
#[derive(Debug, Clone)]
pub struct TlsFacts {
    /// How TLS is used there.
    pub tls: TlsUse,
    /// The protocol version, as `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite by its IANA name, as `TLS_AES_128_GCM_SHA256`.
    pub cipher: Option<String>,
    /// The key exchange group, as `X25519`.
    pub group: Option<String>,
    /// Why the handshake did not end, in a few words.
    pub error: Option<Cow<'static, str>>,
    /// The alert that the peer ended it with (RFC 8446 §6).
    pub alert: Option<u8>,
    /// Whether the server asked for a certificate of ours.
    pub asks_for_certificate: bool,
    /// Whether other hellos were due, and no connection could be had for them.
    pub incomplete: bool,
    /// What was negotiated when nothing newer than TLS 1.1 was offered, with weak suites among the rest; asked at depth
    /// [`Depth::Tls`](crate::Depth::Tls) alone.
    pub legacy: Option<Legacy>,
    /// The certificates as sent, the server's own first; shared by all endpoints that show them.
    pub chain: Arc<[Arc<Certificate>]>,
    /// How many more were sent than are kept.
    pub chain_left_out: usize,
    /// Whether the chain is trusted and fits, and whatever speaks against it; none where there is no certificate.
    pub verdict: Option<CertificateVerdict>,
}

impl TlsFacts {
    /// Facts of a TLS use of which nothing else is known.
    pub fn new(tls: TlsUse) -> Self {
        Self {
            tls,
            version: None,
            cipher: None,
            group: None,
            error: None,
            alert: None,
            asks_for_certificate: false,
            incomplete: false,
            legacy: None,
            chain: Arc::default(),
            chain_left_out: 0,
            verdict: None,
        }
    }

    /// Version, suite and group, for people.
    pub fn summary(&self) -> String {
        let parts = [self.version, self.cipher.as_deref(), self.group.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Whether the chain is trusted and fits, and if not, the first reason.
    pub fn status(&self) -> Option<CertificateStatus> {
        self.verdict.map(CertificateVerdict::status)
    }
}

/// What an old hello came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Legacy {
    /// The server would speak it.
    Accepted {
        /// The protocol version, as `TLSv1.0`.
        version: Option<&'static str>,
        /// The cipher suite by its IANA name.
        cipher: Option<String>,
        /// The group of the key exchange, as `DH 1024`.
        group: Option<String>,
    },
    /// It would not, and how it said so.
    Refused(Cow<'static, str>),
    /// It could not be found out, and why.
    Unknown(Cow<'static, str>),
}
