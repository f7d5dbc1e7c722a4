//! What an auditor should look at.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be mended when at it.
    Low,
    /// To be mended.
    Medium,
    /// To be mended now.
    High,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Low, Self::Medium, Self::High];

    /// The name used in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The severity of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that an auditor should look at. What it means and how it is mended stands in the handbook under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// As in `wordlists/findings.toml`.
    pub id: &'static str,
    /// How much it matters here.
    pub severity: Severity,
    /// What was seen: `TLSv1.0 with TLS_RSA_WITH_3DES_EDE_CBC_SHA`.
    pub detail: Option<String>,
}
