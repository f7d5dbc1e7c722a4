//! Whether something stands in front of a server, and what speaks for it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Service;

/// Whether something stands between us and the server, as far as it shows. A transparent proxy leaves no trace, so that
/// none observed never means that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fronting {
    /// Nothing speaks for it.
    NotObserved,
    /// Something does, weakly.
    Possible,
    /// The server is reached by another address or port than it knows: forwarding, or NAT.
    Nat,
    /// It is the best explanation.
    Likely,
    /// Nothing else explains it.
    Confirmed,
}

impl Fronting {
    /// Every verdict, the least first.
    pub const ALL: [Self; 5] = [Self::NotObserved, Self::Possible, Self::Nat, Self::Likely, Self::Confirmed];

    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotObserved => "not_observed",
            Self::Possible => "possible",
            Self::Nat => "nat",
            Self::Likely => "likely",
            Self::Confirmed => "confirmed",
        }
    }

    /// The verdict of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }
}

impl fmt::Display for Fronting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much one piece of evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Next to nothing alone.
    Weak,
    /// It supports what else speaks for it.
    Moderate,
    /// Hard to explain otherwise.
    Strong,
    /// It settles the matter.
    Decisive,
}

impl Grade {
    /// Every grade, the least first.
    pub const ALL: [Self; 4] = [Self::Weak, Self::Moderate, Self::Strong, Self::Decisive];

    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Moderate => "moderate",
            Self::Strong => "strong",
            Self::Decisive => "decisive",
        }
    }

    /// The grade of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.as_str() == name)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident $name:literal,)*) => {
        /// What kind of evidence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EvidenceCode {
            $($(#[$doc])* $code,)*
        }

        impl EvidenceCode {
            /// Every code.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$code),*];

            /// The name used in rows.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    /// An error right after the greeting, to a command that was never ours: a PROXY header to who expects none.
    UnsolicitedError "unsolicited_error",
    /// A server that waits for a PROXY header, and says so or hangs up when none comes.
    ProxyHeaderExpected "proxy_header_expected",
    /// The server says that we come from an address that is not ours.
    ForeignClientAddress "foreign_client_address",
    /// The server names another port or address of its own than the one that was dialled.
    OtherPortNamed "other_port_named",
    /// A greeting of asterisks, words made of X: mail inspection on the way.
    MaskedGreeting "masked_greeting",
    /// The words of nginx's mail proxy.
    NginxMail "nginx_mail",
    /// Postfix's postscreen: a teaser, a pause, the greeting.
    Postscreen "postscreen",
    /// The greeting names a gateway or a proxy.
    NamedFront "named_front",
    /// Accepted, then closed without a byte.
    AcceptThenClose "accept_then_close",
    /// Repeated connections meet different servers.
    SamplesDisagree "samples_disagree",
    /// Greeting, EHLO, PTR and certificate give different names.
    IdentityMismatch "identity_mismatch",
    /// TLS is taken off before the server.
    TlsEndsElsewhere "tls_ends_elsewhere",
    /// The same bytes on ports of different services, or on every address of a network.
    SameEverywhere "same_everywhere",
    /// A port on which nothing should listen accepts as well.
    AcceptsEverything "accepts_everything",
    /// A byte at a time, or a greeting without end.
    Tarpit "tarpit",
}

impl EvidenceCode {
    /// What stands before the usual address in the excerpt of evidence that only other rows give.
    pub const UNLIKE_MOST: &'static str = "most servers see ";

    /// What an excerpt begins with where several endpoints share what was seen.
    pub const SHARED: &'static str = "as on ";

    /// The code of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// How much evidence of this code says, as far as its excerpt and the service tell, where a row has no grade.
    ///
    /// ```
    /// use hailer::Service;
    /// use hailer::observation::{EvidenceCode, Grade};
    ///
    /// assert_eq!(EvidenceCode::AcceptThenClose.grade(Service::Smtp, None), Grade::Moderate);
    /// assert_eq!(EvidenceCode::AcceptThenClose.grade(Service::Smtp, Some("as on 12 endpoints")), Grade::Strong);
    /// ```
    pub fn grade(self, service: Service, excerpt: Option<&str>) -> Grade {
        let says = |words: &str| excerpt.is_some_and(|excerpt| excerpt.contains(words));
        match self {
            // Only other rows say so, and they do not know from where a machine of several addresses connected.
            Self::ForeignClientAddress if says(Self::UNLIKE_MOST) => Grade::Strong,
            Self::UnsolicitedError | Self::ForeignClientAddress | Self::OtherPortNamed | Self::MaskedGreeting => {
                Grade::Decisive
            }
            // Exim's own words; others that hang up may do so for other reasons.
            Self::ProxyHeaderExpected if says("Proxy negotiation failed") => Grade::Decisive,
            Self::TlsEndsElsewhere if service.is_ftp() => Grade::Weak,
            Self::ProxyHeaderExpected
            | Self::NginxMail
            | Self::Postscreen
            | Self::NamedFront
            | Self::SamplesDisagree
            | Self::TlsEndsElsewhere
            | Self::AcceptsEverything
            | Self::Tarpit => Grade::Strong,
            Self::AcceptThenClose if says(Self::SHARED) => Grade::Strong,
            Self::AcceptThenClose | Self::SameEverywhere => Grade::Moderate,
            Self::IdentityMismatch => Grade::Weak,
        }
    }

    /// The same where it is so at every service: what a row need not say.
    ///
    /// ```
    /// use hailer::observation::{EvidenceCode, Grade};
    ///
    /// assert_eq!(EvidenceCode::Postscreen.usual_grade(None), Some(Grade::Strong));
    /// assert_eq!(EvidenceCode::TlsEndsElsewhere.usual_grade(None), None);
    /// ```
    pub fn usual_grade(self, excerpt: Option<&str>) -> Option<Grade> {
        let [first, others @ ..] = Service::ALL.map(|service| self.grade(service, excerpt));
        others.iter().all(|grade| *grade == first).then_some(first)
    }
}

impl fmt::Display for EvidenceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One fact that speaks for a proxy or middlebox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What kind.
    pub code: EvidenceCode,
    /// How much it says, here.
    pub grade: Grade,
    /// What was seen of it, a line at most.
    pub excerpt: Option<String>,
    /// When, counted from the start of the connect.
    pub at: Option<Duration>,
    /// Who stands there, where this gives it away: `nginx`, `postscreen`, `cisco_asa`.
    pub front: Option<Arc<str>>,
}

/// How a peer ended a connection before we did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// FIN.
    Fin,
    /// RST.
    Reset,
}

impl End {
    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
        }
    }
}

/// When a peer ended a connection before we did, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub how: End,
    /// When, counted from the start of the connect.
    pub at: Duration,
}

/// A port on which nothing should listen, and whether it took a connection all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoy {
    /// The port.
    pub port: u16,
    /// Whether it did.
    pub accepted: bool,
}

/// One of the servers that repeated connections met. What changes from one connection to the next of the same server (dates,
/// ids, counters) makes no variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// How many of the connections met it.
    pub count: u32,
    /// The reply code of its greeting.
    pub code: Option<u16>,
    /// Its greeting, as it came the first time.
    pub banner: Vec<u8>,
    /// SHA-256 of that with dates, ids and counters masked.
    pub banner_hash: Option<[u8; 32]>,
    /// The host name that it gives itself.
    pub hostname: Option<String>,
    /// The product.
    pub software: Option<Arc<str>>,
    /// Its version.
    pub version: Option<String>,
    /// What it offers.
    pub capabilities: Vec<String>,
    /// The SHA-256 of its certificate.
    pub cert_sha256: Option<[u8; 32]>,
}

/// From where we are seen, as far as that is known: what a server says of our address is held against it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vantage {
    /// The addresses that the user says are ours.
    pub ours: Vec<IpAddr>,
    /// The address that most servers so far have seen us at.
    pub usual: Option<IpAddr>,
}
