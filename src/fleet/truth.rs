//! What is true of an endpoint of the fleet, and in what a row differs from it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::kind::Kind;
use crate::observation::{
    CertificateStatus, Fronting, Observation, Outcome, Protocol, Received, Service, TlsFacts, TlsUse,
};
use crate::output::escape::escape;

/// What is true of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Where it is.
    pub address: SocketAddr,
    /// The service that is expected there.
    pub service: Service,
    /// What it is.
    pub kind: Kind,
    /// What a row must say; two where two servers take turns, and either will do.
    pub answers: Vec<Answer>,
}

/// What a right row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How far a probe gets.
    pub outcome: Outcome,
    /// What speaks, where it is neither FTP nor SMTP and can be told.
    pub protocol: Option<Protocol>,
    /// The reply code of the greeting.
    pub code: Option<u16>,
    /// The greeting, or what comes of it, as far as it is kept.
    pub banner: Vec<u8>,
    /// What comes after the greeting unasked.
    pub unasked: Vec<u8>,
    /// Whether more is said than is kept.
    pub truncated: bool,
    /// The host name that the server gives itself.
    pub hostname: Option<String>,
    /// The product that the greeting names.
    pub product: Option<Product>,
    /// Whether something stands in front, where one row of its kind is sure to show it; of others nothing is said.
    pub fronting: Option<Fronting>,
    /// How TLS is used, where it comes first or is asked for.
    pub tls: Option<TlsUse>,
    /// The TLS version that the server chooses.
    pub tls_version: Option<&'static str>,
    /// The names in its certificate.
    pub cert_names: Vec<String>,
    /// What is wrong with its certificate: the fleet's authority is nobody's root, so something always is.
    pub cert_status: Option<CertificateStatus>,
    /// What the server says that it can do, where it is asked.
    pub capabilities: Vec<String>,
    /// The mechanisms of AUTH among that.
    pub auth: Vec<String>,
}

/// A product as its greeting names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// The signature whose example the greeting was made from.
    pub signature: String,
    /// Its name.
    #[serde(rename = "software")]
    pub name: String,
    /// Who makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The device it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The system it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
}

/// One thing that a row says wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The column.
    pub column: &'static str,
    /// What should stand there; empty for nothing.
    pub expected: String,
    /// What stands there.
    pub got: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected '{}', got '{}'", self.column, self.expected, self.got)
    }
}

impl Answer {
    /// An answer of which nothing is known but the outcome.
    pub(super) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            protocol: None,
            code: None,
            banner: Vec::new(),
            unasked: Vec::new(),
            truncated: false,
            hostname: None,
            product: None,
            fronting: None,
            tls: None,
            tls_version: None,
            cert_names: Vec::new(),
            cert_status: None,
            capabilities: Vec::new(),
            auth: Vec::new(),
        }
    }

    /// Keeps of a banner as much as a row does.
    pub(super) fn set_banner(&mut self, mut banner: Vec<u8>) {
        self.truncated = banner.len() > Received::LIMIT;
        banner.truncate(Received::LIMIT);
        self.banner = banner;
    }

    fn mistakes(&self, row: &Observation) -> Vec<Mistake> {
        let tls = row.tls.as_deref();
        let found = row.software.as_deref();
        let product = self.product.as_ref();
        let names = tls.and_then(|facts| facts.chain.first()).map_or(&[][..], |own| &own.names);
        let dialogue = row.dialogue.as_deref();
        let capabilities = dialogue.map_or(&[][..], |dialogue| &dialogue.capabilities);
        let auth = dialogue.map_or(&[][..], |dialogue| &dialogue.auth);
        let after = row.received.bytes().get(row.greeting_len..).unwrap_or_default();
        let unasked = &after[..after.len().min(self.unasked.len())];
        let columns = [
            ("outcome", self.outcome.to_string(), row.outcome.to_string()),
            ("protocol", word(self.protocol.map(Protocol::as_str)), word(row.protocol.map(Protocol::as_str))),
            ("code", word(self.code), word(row.code)),
            ("banner", escape(&self.banner), escape(row.greeting())),
            ("after the banner", escape(&self.unasked), escape(unasked)),
            ("truncated", self.truncated.to_string(), row.received.is_truncated().to_string()),
            ("hostname", word(self.hostname.as_deref()), word(row.hostname.as_deref())),
            ("software", word(product.map(|it| &*it.name)), word(found.map(|it| &*it.name))),
            (
                "vendor",
                word(product.and_then(|it| it.vendor.as_deref())),
                word(found.and_then(|it| it.vendor.as_deref())),
            ),
            (
                "version",
                word(product.and_then(|it| it.version.as_deref())),
                word(found.and_then(|it| it.version.as_deref())),
            ),
            (
                "device",
                word(product.and_then(|it| it.device.as_deref())),
                word(found.and_then(|it| it.device.as_deref())),
            ),
            ("os", word(product.and_then(|it| it.os.as_deref())), word(found.and_then(|it| it.os.as_deref()))),
            ("fronting", word(self.fronting), word(row.fronting.filter(|_| self.fronting.is_some()))),
            ("tls", word(self.tls.map(TlsUse::as_str)), word(tls.map(|facts| facts.tls.as_str()))),
            ("tls_version", word(self.tls_version), word(tls.and_then(|facts| facts.version))),
            ("cert_names", word(Some(self.cert_names.join("; "))), word(Some(names.join("; ")))),
            (
                "cert_status",
                word(self.cert_status.map(CertificateStatus::as_str)),
                word(tls.and_then(TlsFacts::status).map(CertificateStatus::as_str)),
            ),
            ("capabilities", word(Some(self.capabilities.join("; "))), word(Some(capabilities.join("; ")))),
            ("auth", word(Some(self.auth.join("; "))), word(Some(auth.join("; ")))),
        ];
        let wrong = columns.into_iter().filter(|(_, expected, got)| expected != got);
        wrong.map(|(column, expected, got)| Mistake { column, expected, got }).collect()
    }
}

/// What servers say may stand in it, so it is escaped like a banner.
fn word(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(String::new, |value| escape(value.to_string().as_bytes()))
}

impl Truth {
    /// What a row of this endpoint says wrongly; nothing, where it is right.
    pub fn mistakes(&self, row: &Observation) -> Vec<Mistake> {
        let place = [
            ("ip", self.address.ip().to_string(), word(row.ip)),
            ("port", self.address.port().to_string(), row.port.to_string()),
            ("service", self.service.to_string(), row.service.to_string()),
        ];
        let wrong = place.into_iter().filter(|(_, expected, got)| expected != got);
        let mut mistakes: Vec<_> = wrong.map(|(column, expected, got)| Mistake { column, expected, got }).collect();
        let closest = self.answers.iter().map(|answer| answer.mistakes(row)).min_by_key(Vec::len);
        mistakes.extend(closest.unwrap_or_default());
        mistakes
    }

    /// The truth as one line of JSON, under the names that the columns of a row have; `or` is the second answer where
    /// two servers take turns.
    pub fn to_json(&self) -> String {
        let mut answers = self.answers.iter().map(AnswerLine::of);
        let line = Line {
            ip: self.address.ip(),
            port: self.address.port(),
            service: self.service.as_str(),
            kind: self.kind.as_str(),
            answer: answers.next(),
            or: answers.next(),
        };
        // Names, numbers and text always have a JSON form.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    ip: IpAddr,
    port: u16,
    service: &'a str,
    kind: &'a str,
    #[serde(flatten)]
    answer: Option<AnswerLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    or: Option<AnswerLine<'a>>,
}

#[derive(Serialize)]
struct AnswerLine<'a> {
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unasked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(flatten)]
    product: Option<&'a Product>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fronting: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_version: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cert_names: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_status: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    capabilities: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    auth: &'a [String],
}

impl<'a> AnswerLine<'a> {
    fn of(answer: &'a Answer) -> Self {
        let text = |bytes: &[u8]| (!bytes.is_empty()).then(|| escape(bytes));
        Self {
            outcome: answer.outcome.as_str(),
            protocol: answer.protocol.map(Protocol::as_str),
            code: answer.code,
            banner: text(&answer.banner),
            unasked: text(&answer.unasked),
            truncated: answer.truncated.then_some(true),
            hostname: answer.hostname.as_deref(),
            product: answer.product.as_ref(),
            fronting: answer.fronting.map(Fronting::as_str),
            tls: answer.tls.map(TlsUse::as_str),
            tls_version: answer.tls_version,
            cert_names: &answer.cert_names,
            cert_status: answer.cert_status.map(CertificateStatus::as_str),
            capabilities: &answer.capabilities,
            auth: &answer.auth,
        }
    }
}
