//! What a row can hold in NDJSON: the columns, and beside some of them what no cell can hold.
//!
//! [`Field::all`] is the order in which NDJSON has them; CSV has the columns among them. Which of them are written, and in
//! which order, a [`Layout`](super::Layout) says.

use std::sync::LazyLock;

use super::row::Column;

macro_rules! extras {
    ($($extra:ident $name:literal behind $column:ident,)*) => {
        /// A key that NDJSON has beside the columns.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the key of that name")]
        pub enum Extra {
            $($extra,)*
        }

        impl Extra {
            /// All of them, in the order of a row.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$extra),*];

            /// The key.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$extra => $name,)*
                }
            }

            /// The column that it stands behind, where everything is written.
            pub const fn behind(self) -> Column {
                match self {
                    $(Self::$extra => Column::$column,)*
                }
            }

            /// The key as it stands in a JSON object.
            pub(super) const fn json_key(self) -> &'static str {
                match self {
                    $(Self::$extra => concat!("\"", $name, "\":"),)*
                }
            }
        }
    };
}

extras! {
    Ended "ended" behind GreetingMs,
    EndedMs "ended_ms" behind GreetingMs,
    BannerB64 "banner_b64" behind Banner,
    AnnouncedAddress "announced_address" behind Hostname,
    AnnouncedDate "announced_date" behind Hostname,
    ClientAddress "client_address" behind Evidence,
    Variants "variants" behind Evidence,
    TlsAlert "tls_alert" behind TlsError,
    TlsAsksForCertificate "tls_asks_for_certificate" behind TlsError,
    TlsIncomplete "tls_incomplete" behind TlsError,
    TlsLegacy "tls_legacy" behind TlsError,
    Chain "chain" behind CertSha256,
    Features "features" behind Capabilities,
    FeaturesTls "features_tls" behind Capabilities,
    Syst "syst" behind Capabilities,
    Upgrade "upgrade" behind Capabilities,
    Injected "injected" behind Capabilities,
    Unasked "unasked" behind Capabilities,
    BrokenOff "broken_off" behind Capabilities,
    FindingsDetail "findings_detail" behind Findings,
    Transcript "transcript" behind Attempts,
}

/// Something that a row can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// What every format has.
    Column(Column),
    /// What NDJSON has.
    Extra(Extra),
}

impl Field {
    /// All of them, in the order of a row.
    ///
    /// ```
    /// use hailer::output::{Column, Extra, Field};
    ///
    /// assert_eq!(Field::all().first(), Some(&Field::Column(Column::Time)));
    /// assert_eq!(Field::all().last(), Some(&Field::Extra(Extra::Transcript)));
    /// ```
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Field>> = LazyLock::new(|| {
            let behind = |column| Extra::ALL.into_iter().filter(move |extra| extra.behind() == column);
            let with = |column| std::iter::once(Field::Column(column)).chain(behind(column).map(Field::Extra));
            Column::ALL.into_iter().flat_map(with).collect()
        });
        &ALL
    }

    /// What has that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|field| field.as_str() == name)
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Column(column) => column.as_str(),
            Self::Extra(extra) => extra.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_there_once() {
        let names: std::collections::BTreeSet<_> = Field::all().iter().map(|field| field.as_str()).collect();
        assert_eq!(names.len(), Column::ALL.len() + Extra::ALL.len());
        assert_eq!(Field::all().len(), names.len());
        for field in Field::all() {
            assert_eq!(Field::named(field.as_str()), Some(*field));
        }
    }
}
