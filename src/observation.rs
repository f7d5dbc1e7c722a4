//! What the stages hand on: an [`Observation`] is all that is known of one endpoint, and becomes one row.
//!
//! The probe fills in what it saw, classification adds what that means, an output writes it down. Nothing here does
//! anything; what befell an endpoint is data, never an error.

mod certificate;
mod dialogue;
mod finding;
mod fronting;
mod received;
mod tls;
mod transcript;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::certificate::{Certificate, CertificateStatus, CertificateVerdict, Key, KeyKind};
pub use self::dialogue::{Anonymous, Asked, Dialogue, Offers, Reply};
pub use self::finding::{Finding, Severity};
pub use self::fronting::{Decoy, End, Ending, Evidence, EvidenceCode, Fronting, Grade, Vantage, Variant};
pub use self::received::{Arrival, Received};
pub use self::tls::{Legacy, TlsFacts, TlsUse};
pub use self::transcript::{Event, Moment, Transcript};

/// The service that is expected at a port, which decides who speaks first and whether TLS comes before everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// FTP, RFC 959, usually port 21.
    Ftp,
    /// FTP inside TLS from the first byte, usually port 990.
    Ftps,
    /// SMTP between servers, RFC 5321, usually port 25.
    Smtp,
    /// Message submission, RFC 6409, usually port 587.
    Submission,
    /// Message submission inside TLS from the first byte, RFC 8314, usually port 465.
    Smtps,
}

impl Service {
    /// Every service, in the order in which they are listed to people.
    pub const ALL: [Self; 5] = [Self::Ftp, Self::Ftps, Self::Smtp, Self::Submission, Self::Smtps];

    /// The name used on the command line and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftps => "ftps",
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Smtps => "smtps",
        }
    }

    /// The service of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }

    /// Whether TLS comes before the greeting.
    pub const fn is_implicit_tls(self) -> bool {
        matches!(self, Self::Ftps | Self::Smtps)
    }

    /// Whether this is FTP, in clear or inside TLS; otherwise it is mail.
    pub const fn is_ftp(self) -> bool {
        matches!(self, Self::Ftp | Self::Ftps)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a probe got. The variants stand in their order of precedence: the first that fits wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A complete FTP or SMTP reply came, whatever its code, also in plain text on a TLS port, also when the connection
    /// then broke.
    Greeted,
    /// Bytes came that are neither FTP nor SMTP; they are kept, and named where they can be.
    OtherProtocol,
    /// The TLS handshake was refused, broke or stalled.
    TlsFailed,
    /// RST after the connection stood, also when `connect()` itself reports it.
    Reset,
    /// FIN before a complete reply; partial bytes are kept.
    Closed,
    /// Still open at the deadline without a complete reply; partial bytes are kept.
    Silent,
    /// RST in answer to our SYN: nothing listens there.
    Refused,
    /// An ICMP error, or no neighbour of that address.
    Unreachable,
    /// Nothing came back before the connect deadline.
    Timeout,
    /// Our own limit, never a verdict on the target: the endpoint counts as not done.
    LocalError,
    /// A name without an address.
    Unresolved,
}

impl Outcome {
    /// Every outcome in order of precedence.
    pub const ALL: [Self; 11] = [
        Self::Greeted,
        Self::OtherProtocol,
        Self::TlsFailed,
        Self::Reset,
        Self::Closed,
        Self::Silent,
        Self::Refused,
        Self::Unreachable,
        Self::Timeout,
        Self::LocalError,
        Self::Unresolved,
    ];

    /// Whether a connection stood.
    pub const fn is_connected(self) -> bool {
        match self {
            Self::Greeted | Self::OtherProtocol | Self::TlsFailed | Self::Reset | Self::Closed | Self::Silent => true,
            Self::Refused | Self::Unreachable | Self::Timeout | Self::LocalError | Self::Unresolved => false,
        }
    }

    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeted => "greeted",
            Self::OtherProtocol => "other_protocol",
            Self::TlsFailed => "tls_failed",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::LocalError => "local_error",
            Self::Unresolved => "unresolved",
        }
    }

    /// The outcome of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }

    /// Whether a row is written for it without being asked: the connection stood, or the endpoint was not done.
    pub const fn is_row(self) -> bool {
        !matches!(self, Self::Refused | Self::Unreachable | Self::Timeout)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What else spoke where FTP or SMTP was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the protocol of that name")]
pub enum Protocol {
    Ssh,
    Http,
    Tls,
    Imap,
    Pop3,
    Nntp,
    Telnet,
    Mysql,
}

impl Protocol {
    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Nntp => "nntp",
            Self::Telnet => "telnet",
            Self::Mysql => "mysql",
        }
    }
}

/// Why another try may come to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Lost packets would explain it: nothing came back, or an error that TCP takes for a passing one (RFC 1122 §4.2.3.9).
    Lost,
    /// We hung up before its time, to make room for others. No row says so: it is tried again.
    CutShort,
}

/// All that is known of one endpoint: one row.
#[derive(Debug, Clone)]
pub struct Observation {
    /// When the connection was begun.
    pub time: SystemTime,
    /// The name that the endpoint was reached by, where the user gave one.
    pub name: Option<Arc<str>>,
    /// The address; absent only where a name has none.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The service that was expected there.
    pub service: Service,
    /// How far the probe got.
    pub outcome: Outcome,
    /// What the outcome leaves open: ICMP type and code, the system's error, a TLS alert.
    pub detail: Option<Cow<'static, str>>,
    /// What spoke, where it was neither FTP nor SMTP and could be named.
    pub protocol: Option<Protocol>,
    /// From the SYN to the connection.
    pub connect: Option<Duration>,
    /// From the ClientHello to the end of the handshake.
    pub tls_handshake: Option<Duration>,
    /// From the moment when the server could first speak (connection or end of handshake) to the end of the greeting.
    pub greeting_after: Option<Duration>,
    /// The reply code of the greeting.
    pub code: Option<u16>,
    /// Everything that the peer said, in clear or inside TLS.
    pub received: Received,
    /// How much of [`Observation::received`] is the greeting; the rest came after it and is evidence.
    pub greeting_len: usize,
    /// When QUIT was said, counted from the start of the connect: what came before it was asked for by nobody.
    pub quit_at: Option<Duration>,
    /// When the peer ended the connection, where it did so before us and before it answered our QUIT. A handshake that a
    /// peer cuts short tells of it in [`TlsFacts::error`].
    pub ending: Option<Ending>,
    /// What was learnt about TLS, where it was asked for.
    pub tls: Option<Box<TlsFacts>>,
    /// What the server said when it was asked what it can do, where it was.
    pub dialogue: Option<Box<Dialogue>>,
    /// What was said on both sides, where that was asked for.
    pub transcript: Option<Box<Transcript>>,
    /// The host name that the server gives itself.
    pub hostname: Option<String>,
    /// What else it announces.
    pub announced: Announced,
    /// What answered, where it could be named.
    pub software: Option<Box<Software>>,
    /// Where an answer names other software, as surely.
    pub contradiction: Option<Box<Contradiction>>,
    /// SHA-256 of the greeting with dates, ids and counters masked.
    pub banner_hash: Option<[u8; 32]>,
    /// Whether something stands in front; absent where no connection stood.
    pub fronting: Option<Fronting>,
    /// What speaks for that, the strongest first.
    pub evidence: Vec<Evidence>,
    /// The address that the server says we come from.
    pub seen_as: Option<IpAddr>,
    /// A port on which nothing should listen, where that was tried.
    pub decoy: Option<Decoy>,
    /// The servers that repeated connections met, the commonest first; empty where it was connected to once.
    pub variants: Vec<Variant>,
    /// What an auditor should look at, the worst first.
    pub findings: Vec<Finding>,
    /// The names that DNS gives the address, where that was asked.
    pub ptr: Vec<String>,
    /// How many connections were tried; zero where none was.
    pub attempts: u32,
    /// Why another try may come to more, where it may.
    pub again: Option<Again>,
    /// How many further tries were made because packets may have been lost.
    pub retries: u32,
}

impl Observation {
    /// An observation of which nothing is known but where and how it ended.
    ///
    /// ```
    /// use hailer::{Observation, Outcome, Service};
    /// use std::time::SystemTime;
    ///
    /// let row = Observation::new(SystemTime::UNIX_EPOCH, "192.0.2.1".parse().ok(), 21, Service::Ftp, Outcome::Refused);
    /// assert!(row.greeting().is_empty());
    /// ```
    pub fn new(time: SystemTime, ip: Option<IpAddr>, port: u16, service: Service, outcome: Outcome) -> Self {
        Self {
            time,
            name: None,
            ip,
            port,
            service,
            outcome,
            detail: None,
            protocol: None,
            connect: None,
            tls_handshake: None,
            greeting_after: None,
            code: None,
            received: Received::default(),
            greeting_len: 0,
            quit_at: None,
            ending: None,
            tls: None,
            dialogue: None,
            transcript: None,
            hostname: None,
            announced: Announced::default(),
            software: None,
            contradiction: None,
            banner_hash: None,
            fronting: None,
            evidence: Vec::new(),
            seen_as: None,
            decoy: None,
            variants: Vec::new(),
            findings: Vec::new(),
            ptr: Vec::new(),
            attempts: 0,
            again: None,
            retries: 0,
        }
    }

    /// The bytes of the greeting: the first complete reply, or what came of it.
    pub fn greeting(&self) -> &[u8] {
        self.received.bytes().get(..self.greeting_len).unwrap_or_default()
    }

    /// How the peer ended the connection, where that is news: before a word of farewell of ours.
    pub fn hung_up(&self) -> Option<Ending> {
        self.ending.filter(|_| self.quit_at.is_none())
    }

    /// Who stands in front, where the evidence gives it away.
    pub fn front(&self) -> Option<&str> {
        self.evidence.iter().find_map(|evidence| evidence.front.as_deref())
    }
}

/// What a greeting announces besides names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// The date, where it is one that everybody understands.
    pub date: Option<SystemTime>,
    /// Where in the greeting its time of day stands.
    pub date_at: usize,
    /// The address that the server gives itself.
    pub address: Option<IpAddr>,
}

/// What answered, as a signature names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Software {
    /// The product.
    pub name: Arc<str>,
    /// Its version, as text: `4.90` stays `4.90`.
    pub version: Option<String>,
    /// Who makes it.
    pub vendor: Option<Arc<str>>,
    /// The device or device family that it runs on, where the greeting tells.
    pub device: Option<String>,
    /// The operating system, where the greeting tells.
    pub os: Option<String>,
    /// CPE 2.3, with the version filled in.
    pub cpe: Option<String>,
    /// How sure this is, 0 to 100.
    pub confidence: u8,
}

/// Two names for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The software that the greeting names.
    pub greeting: Arc<str>,
    /// The command whose answer names another: EHLO, HELO, FEAT or SYST.
    pub asked: &'static str,
    /// The software that the answer names.
    pub answer: Arc<str>,
}
