//! The handbook: what reply codes, ports, findings and evidence mean to whoever runs a server, what to do, and how to check
//! it.
//!
//! The words are data, `wordlists/replies.toml`, `findings.toml` and `evidence.toml`, compiled in; here they are looked up.
//! `hailer explain` shows them and reports use the same. Nothing here looks at an endpoint: which findings one has is
//! for rules to say.
//!
//! ```
//! use hailer::handbook::Handbook;
//!
//! let handbook = Handbook::builtin();
//! let smtp = handbook.reply(421).and_then(|reply| reply.smtp.as_ref()).expect("SMTP knows 421");
//! assert!(smtp.rfc.starts_with("RFC 5321"));
//! assert!(handbook.finding("pasv_private_address").is_some_and(|it| it.remedy(Some("vsftpd")).contains("pasv_address=")));
//! ```

mod load;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use crate::classify::LoadError;
pub use crate::observation::Severity;

/// The texts, ready to be looked up.
#[derive(Debug)]
pub struct Handbook {
    first: BTreeMap<u16, DigitText>,
    second: BTreeMap<u16, DigitText>,
    replies: BTreeMap<u16, Reply>,
    ports: BTreeMap<u16, PortText>,
    /// In the order of the file, which puts together what belongs together.
    findings: Vec<FindingText>,
    /// Likewise.
    evidence: Vec<EvidenceText>,
}

impl Handbook {
    /// The handbook of the wordlists that are compiled in.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Handbook> = LazyLock::new(|| {
            Handbook::new([
                ("wordlists/replies.toml", include_str!("../../wordlists/replies.toml")),
                ("wordlists/findings.toml", include_str!("../../wordlists/findings.toml")),
                ("wordlists/evidence.toml", include_str!("../../wordlists/evidence.toml")),
            ])
            .expect("a test loads the wordlists that are compiled in")
        });
        &BUILTIN
    }

    /// A handbook of other wordlists, of replies, findings and evidence: how errors call the file, and what it says.
    ///
    /// ```
    /// use hailer::handbook::Handbook;
    ///
    /// let replies = "first = []\nsecond = []\nport = []\n[[reply]]\ncode = 421\n";
    /// let lists = [("replies.toml", replies), ("findings.toml", "finding = []"), ("evidence.toml", "evidence = []")];
    /// let error = Handbook::new(lists).unwrap_err();
    /// assert_eq!(error.to_string(), "replies.toml:5:8: neither FTP nor SMTP knows 421");
    /// ```
    ///
    /// # Errors
    /// What is wrong, and where: an entry that says nothing, is there twice, or cannot be checked by hand.
    pub fn new(wordlists: [(&str, &str); 3]) -> Result<Self, LoadError> {
        load::load(wordlists)
    }

    /// What is said of a reply code.
    pub fn reply(&self, code: u16) -> Option<&Reply> {
        self.replies.get(&code)
    }

    /// Every reply code that has an entry, ascending.
    pub fn replies(&self) -> impl Iterator<Item = &Reply> {
        self.replies.values()
    }

    /// What is said of a port.
    pub fn port(&self, port: u16) -> Option<&PortText> {
        self.ports.get(&port)
    }

    /// Every port that has an entry, ascending.
    pub fn ports(&self) -> impl Iterator<Item = &PortText> {
        self.ports.values()
    }

    /// What is said of a finding.
    pub fn finding(&self, id: &str) -> Option<&FindingText> {
        self.findings.iter().find(|finding| finding.id == id)
    }

    /// Every finding, in the order of the file.
    pub fn findings(&self) -> impl Iterator<Item = &FindingText> {
        self.findings.iter()
    }

    /// What is said of a kind of evidence, by its code.
    pub fn evidence(&self, code: &str) -> Option<&EvidenceText> {
        self.evidence.iter().find(|evidence| evidence.id == code)
    }

    /// Every kind of evidence, in the order of the file.
    pub fn all_evidence(&self) -> impl Iterator<Item = &EvidenceText> {
        self.evidence.iter()
    }

    /// What the digits of a code say, also of one that has no entry; nothing for a number that is no reply code.
    ///
    /// ```
    /// let general = hailer::handbook::Handbook::builtin().general(459).expect("4 and 5 mean something");
    /// assert!(general.smtp.first.starts_with("Refused for now") && general.smtp.second.starts_with("the mail system"));
    /// ```
    pub fn general(&self, code: u16) -> Option<General<'_>> {
        let (first, second) = (self.first.get(&(code / 100))?, self.second.get(&(code / 10 % 10))?);
        Some(General {
            code,
            ftp: Digits { first: &first.ftp, second: &second.ftp },
            smtp: Digits { first: &first.smtp, second: &second.smtp },
        })
    }

    /// The codes with entries that are nearest to one: those with the same first two digits, or else the one before and
    /// the one after it.
    pub fn near(&self, code: u16) -> Vec<u16> {
        let kin: Vec<u16> = self.replies.range(code / 10 * 10..=code / 10 * 10 + 9).map(|(code, _)| *code).collect();
        if !kin.is_empty() {
            return kin;
        }
        let before = self.replies.range(..code).next_back();
        let after = self.replies.range(code..).next();
        before.into_iter().chain(after).map(|(code, _)| *code).collect()
    }
}

/// A reply code, for each protocol that knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The code.
    pub code: u16,
    /// What it means in FTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ftp: Option<Meaning>,
    /// What it means in SMTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Meaning>,
}

/// What something means, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// What it means.
    pub means: String,
    /// When it is seen.
    pub seen: String,
    /// What to do.
    #[serde(rename = "do")]
    pub advice: String,
    /// How to check it by hand.
    pub verify: Vec<Check>,
    /// Where it is written.
    pub rfc: String,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortText {
    /// Its number.
    pub port: u16,
    /// The name of its service.
    pub name: String,
    /// What it is for.
    #[serde(flatten)]
    pub meaning: Meaning,
}

/// One way to check by hand. `HOST`, `PORT` and other words in capitals stand for what the reader fills in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The command line.
    pub run: String,
    /// What is typed into it, line by line.
    #[serde(default, rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub typed: Vec<String>,
    /// What to look for in what comes back.
    pub look: String,
}

/// A finding: what an auditor should look at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FindingText {
    /// Its id.
    pub id: String,
    /// How much it matters where the rule does not know better.
    pub severity: Severity,
    /// What it is, in one sentence.
    pub sentence: String,
    /// Why it matters.
    pub why: String,
    /// What to do, whatever the software.
    pub remedy: String,
    /// What that is for a product, by the name that signatures give it.
    #[serde(default)]
    pub remedy_for: BTreeMap<String, String>,
    /// How to check it by hand.
    pub verify: Vec<Check>,
    /// Where it is written.
    pub rfc: String,
}

impl FindingText {
    /// What to do: in general, and with this software where something is known of it.
    ///
    /// ```
    /// let finding = hailer::handbook::Handbook::builtin().finding("cleartext_auth").expect("it is in the list");
    /// assert!(finding.remedy(Some("Postfix")).ends_with("\nPostfix: smtpd_tls_auth_only = yes in main.cf."));
    /// assert_eq!(finding.remedy(Some("Exampled")), finding.remedy(None));
    /// ```
    pub fn remedy(&self, software: Option<&str>) -> String {
        let known =
            software.and_then(|name| self.remedy_for.iter().find(|(product, _)| product.eq_ignore_ascii_case(name)));
        match known {
            Some((product, words)) => format!("{}\n{product}: {words}", self.remedy),
            None => self.remedy.clone(),
        }
    }
}

/// Evidence that something stands in front of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceText {
    /// Its code, as in rows.
    pub id: String,
    /// What is seen, in one sentence.
    pub sentence: String,
    /// What that means.
    pub means: String,
    /// What else explains it.
    pub otherwise: String,
    /// What to do.
    #[serde(rename = "do")]
    pub advice: String,
    /// How to check it by hand.
    pub verify: Vec<Check>,
    /// Where it is written.
    pub source: String,
}

/// What the digits of a code say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct General<'a> {
    /// The code.
    pub code: u16,
    /// In FTP.
    pub ftp: Digits<'a>,
    /// In SMTP.
    pub smtp: Digits<'a>,
}

/// What the first digit and the second say in one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Digits<'a> {
    /// Whether it went well.
    pub first: &'a str,
    /// What it is about.
    pub second: &'a str,
}

/// What one digit says.
#[derive(Debug)]
struct DigitText {
    ftp: String,
    smtp: String,
}
