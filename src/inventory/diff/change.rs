//! What differs, as every format tells it.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::observation::Severity;
use crate::output::Column;
use crate::output::escape::inert;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// The word for it, in every format.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one of that name.
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|it| it.as_str() == word)
            }
        }
    };
}

words! {
    /// How an endpoint differs, in the order in which it is told.
    Kind {
        /// It should be there, and is not.
        Missing "missing",
        /// It is there, and nobody said that it should.
        Unexpected "unexpected",
        /// It is there, and not as it should be.
        Differs "differs",
        /// It answers now, and did not before.
        Appeared "appeared",
        /// It answered before, and is known not to now.
        Vanished "vanished",
        /// It answers otherwise than before.
        Changed "changed",
        /// The name leads to another address now, where it answers.
        Moved "moved",
        /// It has a new certificate in the place of the same one, and nothing else differs.
        Renewed "renewed",
        /// It answered before; it was probed, and nothing came back, which may be loss.
        NotAnswered "not_answered",
        /// It answered before, and was not probed now, or nothing says that it was.
        NotScanned "not_scanned",
        /// It answers now, and was not probed before.
        NewlyScanned "newly_scanned",
    }
}

impl Kind {
    /// What it means, in a few words; `is_of_expectations` where it is told of what should be there.
    pub const fn about(self, is_of_expectations: bool) -> &'static str {
        match self {
            Self::NotAnswered if is_of_expectations => {
                "should be there; it was probed, and nothing came back, which may be loss"
            }
            Self::NotScanned if is_of_expectations => "should be there; nothing says that it was probed",
            Self::Missing => "should be there, and is not",
            Self::Unexpected => "is there, and is not expected",
            Self::Differs => "is not as it should be",
            Self::Appeared => "answers now, and did not before",
            Self::Vanished => "answered before, and was probed: it does not now",
            Self::Changed => "answers otherwise than before",
            Self::Moved => "the same name, at another address",
            Self::Renewed => "the certificate, and nothing else",
            Self::NotAnswered => "answered before; probed now, and nothing came back, which may be loss",
            Self::NotScanned => "answered before; nothing says that it was probed now",
            Self::NewlyScanned => "answers now; it was not probed before",
        }
    }
}

words! {
    /// What a difference of a field means.
    What {
        /// Nothing more than it says.
        Other "other",
        /// A finding that was not there.
        NewFinding "new_finding",
        /// A finding that is worse than it was.
        WorseFinding "worse_finding",
        /// A finding that is less bad than it was.
        MilderFinding "milder_finding",
        /// A finding that is not there any more.
        GoneFinding "gone_finding",
        /// A later version of the same software.
        Upgrade "upgrade",
        /// An earlier version of the same software.
        Downgrade "downgrade",
        /// Other software.
        OtherSoftware "other_software",
        /// Less protection by TLS, or a certificate that is not valid any more.
        TlsWorse "tls_worse",
        /// More protection by TLS, or a certificate that is valid now.
        TlsBetter "tls_better",
        /// A certificate in the place of the same one: same names and issuer, later expiry.
        Renewed "renewed",
        /// Another certificate.
        OtherCertificate "other_certificate",
        /// It greeted, and does not any more.
        GreetsNoMore "greets_no_more",
        /// It did not greet, and does now.
        GreetsAgain "greets_again",
        /// Another name leads there.
        Renamed "renamed",
        /// The name leads to another address.
        Moved "moved",
    }
}

words! {
    /// Whether a difference is for the better.
    Trend {
        /// It is worse than it was.
        Worse "worse",
        /// It is better than it was.
        Better "better",
    }
}

impl What {
    /// Whether it is for the better or the worse, where that can be said.
    pub const fn trend(self) -> Option<Trend> {
        match self {
            Self::NewFinding | Self::WorseFinding | Self::Downgrade | Self::TlsWorse | Self::GreetsNoMore => {
                Some(Trend::Worse)
            }
            Self::MilderFinding | Self::GoneFinding | Self::Upgrade | Self::TlsBetter | Self::GreetsAgain => {
                Some(Trend::Better)
            }
            Self::Other
            | Self::OtherSoftware
            | Self::Renewed
            | Self::OtherCertificate
            | Self::Renamed
            | Self::Moved => None,
        }
    }
}

/// How one endpoint differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// In which way.
    pub kind: Kind,
    /// How much that matters.
    pub severity: Severity,
    /// Whether it is for the better: of several differences the worst counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// The name that leads there; as it is now, or was where it is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The service expected there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How far the probe got; as it is now, or was where it is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What answers; as it is now, or was where it is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it is told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What of it is otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// How one field differs. Of lists only the items that are not on the other side are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The column, or the key that NDJSON has.
    pub field: String,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What that means.
    pub what: What,
    /// How much it matters.
    pub severity: Severity,
}

impl FieldChange {
    /// It in one line: `version 4.94 → 4.96`.
    pub fn told(&self) -> String {
        let field = &self.field;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!("{field} {from} → {to}"),
            (Some(from), None) => format!("{field} − {from}"),
            (None, Some(to)) => format!("{field} + {to}"),
            (None, None) => field.clone(),
        }
    }
}

impl Change {
    /// Where it is: `192.0.2.1:25`.
    pub fn endpoint(&self) -> String {
        let port = self.port;
        match (self.ip, &self.name) {
            (Some(ip), _) => SocketAddr::new(ip, port).to_string(),
            (None, Some(name)) => format!("{name}:{port}"),
            (None, None) => format!("?:{port}"),
        }
    }

    /// What differs, in one line.
    pub fn told(&self) -> String {
        let fields = self.fields.iter().map(FieldChange::told);
        fields.chain(self.detail.clone()).collect::<Vec<_>>().join("; ")
    }

    /// So that a terminal can show it, whoever wrote the rows.
    pub(super) fn inert(mut self) -> Self {
        let of_endpoint = [
            &mut self.name,
            &mut self.service,
            &mut self.outcome,
            &mut self.software,
            &mut self.version,
            &mut self.detail,
        ];
        let of_fields = self.fields.iter_mut().flat_map(|field| [&mut field.from, &mut field.to]);
        for text in of_endpoint.into_iter().chain(of_fields).flatten() {
            *text = inert(Cow::Borrowed(text)).into_owned();
        }
        self
    }

    /// Of endpoints that are there on both sides: what its fields say it is.
    pub(super) fn name_kind(&mut self) {
        if !matches!(self.kind, Kind::Changed | Kind::Moved | Kind::Renewed) {
            return;
        }
        let of_certificate = [Column::CertKey, Column::CertSignature].map(Column::as_str);
        let has = |what| self.fields.iter().any(|field| field.what == what);
        let is_certificate =
            |field: &FieldChange| field.what == What::Renewed || of_certificate.contains(&field.field.as_str());
        self.kind = if has(What::Moved) {
            Kind::Moved
        } else if has(What::Renewed) && self.fields.iter().all(is_certificate) {
            Kind::Renewed
        } else {
            Kind::Changed
        };
    }

    /// Counts the fields in: the worst severity, and the trend.
    pub(super) fn weigh(mut self) -> Self {
        let worst = self.fields.iter().map(|field| field.severity).max();
        self.severity = self.severity.max(worst.unwrap_or(Severity::Info));
        let trends: Vec<_> = self.fields.iter().filter_map(|field| field.what.trend()).collect();
        self.trend = if trends.contains(&Trend::Worse) { Some(Trend::Worse) } else { trends.first().copied() };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what should be there nobody says that it answered before.
    #[test]
    fn words_are_of_what_is_compared() {
        for kind in [Kind::Missing, Kind::Unexpected, Kind::Differs, Kind::NotAnswered, Kind::NotScanned] {
            assert!(!kind.about(true).contains("before"), "{kind:?}");
        }
    }

    #[test]
    fn words_are_those_of_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(Kind::named(kind.as_str()), Some(kind));
        }
        for what in What::ALL {
            assert_eq!(serde_json::to_value(what).unwrap(), what.as_str());
        }
        for trend in Trend::ALL {
            assert_eq!(serde_json::to_value(trend).unwrap(), trend.as_str());
        }
    }
}
