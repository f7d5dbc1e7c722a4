//! The one schema: which columns a row has, in which order, and what of an [`Observation`] stands in each.
//!
//! Every format follows [`Column::ALL`]; a new column is one line here and one arm in [`Column::cell`]. Columns that no
//! stage fills yet are empty, which means *not asked*.

use std::sync::Arc;

use crate::observation::{
    Certificate, CertificateStatus, Dialogue, Fronting, Observation, Protocol, Severity, Software, TlsFacts,
};

use super::cell::{Cell, Timestamp};

macro_rules! columns {
    ($($column:ident $name:literal,)*) => {
        /// A column of a row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the column of that name")]
        pub enum Column {
            $($column,)*
        }

        impl Column {
            /// Every column in the order of a row.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$column),*];

            /// The name that the column has in every format.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$column => $name,)*
                }
            }

            /// Its place in [`Column::ALL`].
            #[expect(clippy::as_conversions, reason = "a column without fields is its number")]
            pub(crate) const fn number(self) -> usize {
                self as usize
            }

            /// The column of that name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|column| column.as_str() == name)
            }

            /// The name as a key of a JSON object, in one piece because every row has many.
            pub(super) const fn json_key(self) -> &'static str {
                match self {
                    $(Self::$column => concat!("\"", $name, "\":"),)*
                }
            }
        }
    };
}

columns! {
    Time "time",
    Name "name",
    Ip "ip",
    Port "port",
    Service "service",
    Outcome "outcome",
    Detail "detail",
    Protocol "protocol",
    ConnectMs "connect_ms",
    TlsMs "tls_ms",
    GreetingMs "greeting_ms",
    Code "code",
    Banner "banner",
    Hostname "hostname",
    Software "software",
    Version "version",
    Vendor "vendor",
    Device "device",
    Os "os",
    Cpe "cpe",
    Confidence "confidence",
    Fronting "fronting",
    Front "front",
    Evidence "evidence",
    Tls "tls",
    TlsVersion "tls_version",
    TlsCipher "tls_cipher",
    TlsGroup "tls_group",
    TlsError "tls_error",
    CertSubject "cert_subject",
    CertIssuer "cert_issuer",
    CertNames "cert_names",
    CertNotBefore "cert_not_before",
    CertNotAfter "cert_not_after",
    CertKey "cert_key",
    CertSignature "cert_signature",
    CertStatus "cert_status",
    CertSha256 "cert_sha256",
    Capabilities "capabilities",
    Auth "auth",
    Pasv "pasv",
    Ptr "ptr",
    Severity "severity",
    Findings "findings",
    BannerHash "banner_hash",
    Truncated "truncated",
    Attempts "attempts",
}

/// What kind of value stands in a column, whatever the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A text, a word, a time, an address or a digest.
    Text,
    /// A number.
    Number,
    /// True, or nothing.
    Flag,
    /// Texts.
    List,
    /// Evidence.
    Evidence,
}

impl Column {
    /// What kind of value stands here.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Time
            | Self::Name
            | Self::Ip
            | Self::Service
            | Self::Outcome
            | Self::Detail
            | Self::Protocol
            | Self::Banner
            | Self::Hostname
            | Self::Software
            | Self::Version
            | Self::Vendor
            | Self::Device
            | Self::Os
            | Self::Cpe
            | Self::Fronting
            | Self::Front
            | Self::Tls
            | Self::TlsVersion
            | Self::TlsCipher
            | Self::TlsGroup
            | Self::TlsError
            | Self::CertSubject
            | Self::CertIssuer
            | Self::CertNotBefore
            | Self::CertNotAfter
            | Self::CertKey
            | Self::CertSignature
            | Self::CertStatus
            | Self::CertSha256
            | Self::Severity
            | Self::BannerHash => Kind::Text,
            Self::Port
            | Self::ConnectMs
            | Self::TlsMs
            | Self::GreetingMs
            | Self::Code
            | Self::Confidence
            | Self::Attempts => Kind::Number,
            Self::Truncated => Kind::Flag,
            Self::CertNames | Self::Capabilities | Self::Auth | Self::Pasv | Self::Ptr | Self::Findings => Kind::List,
            Self::Evidence => Kind::Evidence,
        }
    }

    /// Whether it holds points in time.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::CertNotBefore | Self::CertNotAfter)
    }

    /// Whether it holds numbers.
    pub(crate) fn is_number(self) -> bool {
        self.kind() == Kind::Number
    }

    /// What stands in this column of the observation's row.
    ///
    /// ```
    /// use hailer::output::{Cell, Column};
    /// use hailer::{Observation, Outcome, Service};
    /// use std::time::SystemTime;
    ///
    /// let row = Observation::new(SystemTime::now(), "192.0.2.1".parse().ok(), 21, Service::Ftp, Outcome::Silent);
    /// assert_eq!(Column::Port.cell(&row), Cell::Integer(21));
    /// assert_eq!(Column::Banner.cell(&row), Cell::Empty);
    /// ```
    pub fn cell(self, row: &Observation) -> Cell<'_> {
        match self {
            Self::Time => Cell::time(Timestamp::micros(row.time)),
            Self::Name => Cell::text(row.name.as_deref()),
            Self::Ip => row.ip.map_or(Cell::Empty, Cell::Ip),
            Self::Port => Cell::Integer(row.port.into()),
            Self::Service => Cell::Word(row.service.as_str()),
            Self::Outcome => Cell::Word(row.outcome.as_str()),
            Self::Detail => Cell::text(row.detail.as_deref()),
            Self::Protocol => Cell::word(row.protocol.map(Protocol::as_str)),
            Self::ConnectMs => Cell::millis(row.connect),
            Self::TlsMs => Cell::millis(row.tls_handshake),
            Self::GreetingMs => Cell::millis(row.greeting_after),
            Self::Code => Cell::integer(row.code),
            Self::Banner => Cell::bytes(row.greeting()),
            Self::Hostname => Cell::text(row.hostname.as_deref()),
            Self::Software => Cell::text(row.software.as_deref().map(|software| &*software.name)),
            Self::Version => software(row, |software| software.version.as_deref()),
            Self::Vendor => software(row, |software| software.vendor.as_deref()),
            Self::Device => software(row, |software| software.device.as_deref()),
            Self::Os => software(row, |software| software.os.as_deref()),
            Self::Cpe => software(row, |software| software.cpe.as_deref()),
            Self::Confidence => Cell::integer(row.software.as_deref().map(|software| software.confidence)),
            Self::Tls => Cell::word(row.tls.as_deref().map(|facts| facts.tls.as_str())),
            Self::TlsVersion => Cell::word(row.tls.as_deref().and_then(|facts| facts.version)),
            Self::TlsCipher => tls(row, |facts| facts.cipher.as_deref()),
            Self::TlsGroup => tls(row, |facts| facts.group.as_deref()),
            Self::TlsError => tls(row, |facts| facts.error.as_deref()),
            Self::CertSubject => first_certificate(row, CertificatePart::Subject),
            Self::CertIssuer => first_certificate(row, CertificatePart::Issuer),
            Self::CertNames => first_certificate(row, CertificatePart::Names),
            Self::CertNotBefore => first_certificate(row, CertificatePart::NotBefore),
            Self::CertNotAfter => first_certificate(row, CertificatePart::NotAfter),
            Self::CertKey => first_certificate(row, CertificatePart::Key),
            Self::CertSignature => first_certificate(row, CertificatePart::Signature),
            Self::CertStatus => {
                Cell::word(row.tls.as_deref().and_then(TlsFacts::status).map(CertificateStatus::as_str))
            }
            Self::CertSha256 => first_certificate(row, CertificatePart::Sha256),
            Self::BannerHash => row.banner_hash.as_ref().map_or(Cell::Empty, Cell::Hash),
            Self::Truncated => {
                let names_left_out = chain(row).first().is_some_and(|certificate| certificate.names_left_out > 0);
                let chain_left_out = row.tls.as_deref().is_some_and(|facts| facts.chain_left_out > 0);
                let is_truncated = row.received.is_truncated() || names_left_out || chain_left_out;
                if is_truncated { Cell::Flag } else { Cell::Empty }
            }
            Self::Attempts => Cell::integer((row.attempts > 0).then_some(row.attempts)),
            Self::Capabilities => dialogue(row, |dialogue| &dialogue.capabilities),
            Self::Auth => dialogue(row, |dialogue| &dialogue.auth),
            Self::Pasv => dialogue(row, |dialogue| &dialogue.pasv),
            Self::Ptr => Cell::list(&row.ptr),
            Self::Severity => {
                Cell::word(row.findings.iter().map(|finding| finding.severity).max().map(Severity::as_str))
            }
            Self::Findings => Cell::findings(&row.findings),
            Self::Fronting => Cell::word(row.fronting.map(Fronting::as_str)),
            Self::Front => Cell::text(row.front()),
            Self::Evidence => Cell::evidence(&row.evidence),
        }
    }
}

/// What a row tells of a certificate: of the first one in columns of its own, of each in NDJSON's `chain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificatePart {
    Subject,
    Issuer,
    Names,
    NamesLeftOut,
    NotBefore,
    NotAfter,
    Key,
    Signature,
    Sha256,
}

impl CertificatePart {
    pub(super) const ALL: [Self; 9] = [
        Self::Subject,
        Self::Issuer,
        Self::Names,
        Self::NamesLeftOut,
        Self::NotBefore,
        Self::NotAfter,
        Self::Key,
        Self::Signature,
        Self::Sha256,
    ];

    /// The key that the part has in `chain`.
    pub(super) const fn json_key(self) -> &'static str {
        match self {
            Self::Subject => "\"subject\":",
            Self::Issuer => "\"issuer\":",
            Self::Names => "\"names\":",
            Self::NamesLeftOut => "\"names_left_out\":",
            Self::NotBefore => "\"not_before\":",
            Self::NotAfter => "\"not_after\":",
            Self::Key => "\"key\":",
            Self::Signature => "\"signature\":",
            Self::Sha256 => "\"sha256\":",
        }
    }

    pub(super) fn cell(self, certificate: &Certificate) -> Cell<'_> {
        match self {
            Self::Subject => Cell::text(certificate.subject.as_deref()),
            Self::Issuer => Cell::text(certificate.issuer.as_deref()),
            Self::Names => Cell::list(&certificate.names),
            Self::NamesLeftOut => Cell::integer((certificate.names_left_out > 0).then_some(certificate.names_left_out)),
            Self::NotBefore => Cell::time(certificate.not_before.and_then(Timestamp::seconds)),
            Self::NotAfter => Cell::time(certificate.not_after.and_then(Timestamp::seconds)),
            Self::Key => Cell::text(certificate.key.as_ref().map(|key| &*key.text)),
            Self::Signature => Cell::text(certificate.signature.as_deref()),
            Self::Sha256 => Cell::Hash(&certificate.sha256),
        }
    }
}

/// The certificates of a row, the server's own first.
pub(super) fn chain(row: &Observation) -> &[Arc<Certificate>] {
    row.tls.as_deref().map_or(&[], |facts| &facts.chain)
}

fn first_certificate(row: &Observation, part: CertificatePart) -> Cell<'_> {
    chain(row).first().map_or(Cell::Empty, |certificate| part.cell(certificate))
}

fn dialogue(row: &Observation, list: fn(&Dialogue) -> &Vec<String>) -> Cell<'_> {
    row.dialogue.as_deref().map_or(Cell::Empty, |dialogue| Cell::list(list(dialogue)))
}

fn software(row: &Observation, text: fn(&Software) -> Option<&str>) -> Cell<'_> {
    Cell::text(row.software.as_deref().and_then(text))
}

fn tls(row: &Observation, text: fn(&TlsFacts) -> Option<&str>) -> Cell<'_> {
    Cell::text(row.tls.as_deref().and_then(text))
}
