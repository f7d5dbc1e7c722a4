//! Findings: what an auditor should look at in one row.
//!
//! **Every rule is a pure function of the [`Observation`]**, one a finding, and judges only what was observed: what was
//! not asked, or not answered, gives no finding, and none found is no proof that nothing is wrong. What a finding means
//! and how it is mended stands in the handbook under its id. [`RULES`] is the whole list.
//!
//! Most rows give no finding, so a rule first looks at what rules it out, and allocates nothing before it has found
//! something.

mod certificate;
mod chain;
mod claim;
mod clear;
mod clock;
mod data_address;
mod disclosure;
pub(super) mod inside;
mod presence;
#[cfg(test)]
mod tests;
mod tls;

use Severity::{High, Info, Low, Medium};

use crate::observation::{Finding, Observation, Severity};

/// What is wrong with an endpoint, the worst first, then by id; each id once.
///
/// ```
/// use hailer::classify::findings;
/// use hailer::observation::Severity;
/// use hailer::{Observation, Outcome, Service};
/// use std::time::SystemTime;
///
/// let row = Observation::new(SystemTime::now(), "192.0.2.1".parse().ok(), 25, Service::Smtp, Outcome::Silent);
/// let found = findings::judge(&row);
/// assert_eq!((found[0].id, found[0].severity), ("open_but_silent", Severity::Low));
/// ```
pub fn judge(row: &Observation) -> Vec<Finding> {
    let mut findings: Vec<_> = RULES.iter().filter_map(|rule| rule.judge(row)).collect();
    findings.sort_unstable_by(|a, b| b.severity.cmp(&a.severity).then(a.id.cmp(b.id)));
    findings
}

/// What is looked for under one id.
#[derive(Debug)]
pub struct Rule {
    /// The id, as in `wordlists/findings.toml`.
    pub id: &'static str,
    /// How much it matters, where nothing that was seen makes it matter more or less.
    pub severity: Severity,
    look: fn(&Observation) -> Option<Seen>,
}

impl Rule {
    const fn new(id: &'static str, severity: Severity, look: fn(&Observation) -> Option<Seen>) -> Self {
        Self { id, severity, look }
    }

    fn judge(&self, row: &Observation) -> Option<Finding> {
        let Seen { severity, detail } = (self.look)(row)?;
        Some(Finding { id: self.id, severity: severity.unwrap_or(self.severity), detail })
    }
}

/// Every rule, by id.
pub static RULES: [Rule; 32] = [
    Rule::new("anonymous_ftp", Medium, data_address::anonymous_ftp),
    Rule::new("banner_contradicted", Low, claim::banner_contradicted),
    Rule::new("cert_bad_signature", High, certificate::bad_signature),
    Rule::new("cert_expired", High, certificate::expired),
    Rule::new("cert_expires_soon", Low, certificate::expires_soon),
    Rule::new("cert_malformed", Medium, certificate::malformed),
    Rule::new("cert_name_mismatch", Medium, certificate::name_mismatch),
    Rule::new("cert_not_yet_valid", High, certificate::not_yet_valid),
    Rule::new("cert_self_signed", Medium, certificate::self_signed),
    Rule::new("cert_untrusted", Medium, certificate::untrusted),
    Rule::new("cleartext_auth", High, clear::cleartext_auth),
    Rule::new("clock_skew", Low, clock::skew),
    Rule::new("epsv_broken", Low, data_address::epsv_broken),
    Rule::new("inside_address_disclosed", Low, disclosure::inside_address),
    Rule::new("legacy_tls", Medium, tls::legacy_tls),
    Rule::new("no_auth_tls", Medium, clear::no_auth_tls),
    Rule::new("no_starttls", Medium, clear::no_starttls),
    Rule::new("not_ready", Info, presence::not_ready),
    Rule::new("open_but_silent", Low, presence::open_but_silent),
    Rule::new("pasv_broken", Medium, data_address::pasv_broken),
    Rule::new("pasv_other_host", Medium, data_address::pasv_other_host),
    Rule::new("pasv_private_address", Medium, data_address::pasv_private_address),
    Rule::new("plain_on_tls_port", High, tls::plain_on_tls_port),
    Rule::new("rejects_us", Info, presence::rejects_us),
    Rule::new("starttls_broken", Medium, clear::starttls_broken),
    Rule::new("starttls_injection", High, clear::starttls_injection),
    Rule::new("tls_broken", High, tls::tls_broken),
    Rule::new("tls_on_plain_port", Low, tls::tls_on_plain_port),
    Rule::new("version_disclosed", Info, disclosure::version),
    Rule::new("weak_cipher", Medium, tls::weak_cipher),
    Rule::new("weak_key", High, certificate::weak_key),
    Rule::new("weak_signature", Medium, certificate::weak_signature),
];

/// What a rule saw.
#[derive(Debug, Default)]
struct Seen {
    /// Where it is not the rule's own.
    severity: Option<Severity>,
    detail: Option<String>,
}

impl Seen {
    /// Nothing that the id does not say.
    const fn it() -> Self {
        Self { severity: None, detail: None }
    }

    fn that(detail: impl Into<String>) -> Self {
        Self { severity: None, detail: Some(detail.into()) }
    }

    fn at(self, severity: Severity) -> Self {
        Self { severity: Some(severity), ..self }
    }
}

/// What a detail shows of a text that a peer wrote, in characters: a line of a terminal.
const EXCERPT: usize = 80;

/// The beginning of a peer's text.
fn excerpt(text: &str) -> &str {
    text.char_indices().nth(EXCERPT).map_or(text, |(end, _)| &text[..end])
}
