//! Whether something stands in front of a server: evidence, and the verdict that it comes to.
//!
//! **Every rule is a pure function of the [`Observation`]** and of where we are seen from; what no rule finds is
//! `not_observed`, which never means that there is nothing: a transparent proxy leaves no trace. What shows only over
//! many rows is [`Sweep`]'s.
//!
//! Most rows give no evidence, so a rule first looks at what rules it out. Times are those of HAProxy 2.6, nginx 1.22,
//! Postfix 3.7 and Exim 4.96, as measured in `tests/lab`.

mod addresses;
mod greeting;
mod names;
mod pool;
mod proxy_header;
mod replies;
mod sweep;
#[cfg(test)]
mod tests;
mod timing;

use std::sync::Arc;
use std::time::Duration;

pub use self::sweep::{Bounds, Glimpse, Middlebox, Overview, Sweep, Watched, What, Words};

pub(super) use self::addresses::seen_as;
pub(super) use self::greeting::is_overwritten;
pub(crate) use self::sweep::Sample;

use super::list::List;
use super::text::decode;
use crate::observation::{Evidence, EvidenceCode, Fronting, Grade, Observation, Vantage};

/// What speaks for something in front, the strongest first; each code once.
pub(super) fn judge(row: &Observation, fronts: &List, vantage: &Vantage) -> Vec<Evidence> {
    let look = Look { row, fronts, vantage };
    let mut found: Vec<_> = RULES.iter().filter_map(|rule| rule.judge(&look)).collect();
    found.sort_by_key(|evidence| std::cmp::Reverse(evidence.grade));
    found
}

/// What evidence comes to: confirmed by one decisive piece or two strong ones of different kinds, likely by a strong one
/// or two moderate, possible by anything less. A server that names another address or port than the one dialled is
/// behind NAT or forwarding, and that alone is no more.
///
/// ```
/// use hailer::classify::fronting::verdict;
/// use hailer::observation::Fronting;
///
/// assert_eq!(verdict(&[]), Fronting::NotObserved);
/// ```
pub fn verdict(evidence: &[Evidence]) -> Fronting {
    if evidence.is_empty() {
        return Fronting::NotObserved;
    }
    let is_nat = |code| code == EvidenceCode::OtherPortNamed;
    let strongest = |code| evidence.iter().filter(|it| it.code == code).map(|it| it.grade).max();
    let kinds = EvidenceCode::ALL.into_iter().filter(|code| !is_nat(*code)).filter_map(strongest);
    let (mut decisive, mut strong, mut moderate, mut weak) = (0, 0, 0, 0);
    for grade in kinds {
        match grade {
            Grade::Decisive => decisive += 1,
            Grade::Strong => strong += 1,
            Grade::Moderate => moderate += 1,
            Grade::Weak => weak += 1,
        }
    }
    if decisive > 0 || strong > 1 {
        Fronting::Confirmed
    } else if strong > 0 || moderate > 1 {
        Fronting::Likely
    } else if evidence.iter().any(|it| is_nat(it.code)) {
        Fronting::Nat
    } else if moderate > 0 || weak > 0 {
        Fronting::Possible
    } else {
        Fronting::NotObserved
    }
}

/// What is looked for under one code.
struct Rule {
    code: EvidenceCode,
    look: fn(&Look<'_>) -> Option<Seen>,
}

impl Rule {
    const fn new(code: EvidenceCode, look: fn(&Look<'_>) -> Option<Seen>) -> Self {
        Self { code, look }
    }

    fn judge(&self, look: &Look<'_>) -> Option<Evidence> {
        let Seen { grade, excerpt, at, front } = (self.look)(look)?;
        Some(Evidence { code: self.code, grade, excerpt, at, front })
    }
}

/// Every rule for one row. `same_everywhere` shows only over many.
static RULES: [Rule; 14] = [
    Rule::new(EvidenceCode::UnsolicitedError, proxy_header::unsolicited_error),
    Rule::new(EvidenceCode::ProxyHeaderExpected, proxy_header::proxy_header_expected),
    Rule::new(EvidenceCode::ForeignClientAddress, addresses::foreign_client_address),
    Rule::new(EvidenceCode::OtherPortNamed, addresses::other_port_named),
    Rule::new(EvidenceCode::MaskedGreeting, greeting::masked_greeting),
    Rule::new(EvidenceCode::NginxMail, greeting::nginx_mail),
    Rule::new(EvidenceCode::Postscreen, timing::postscreen),
    Rule::new(EvidenceCode::NamedFront, greeting::named_front),
    Rule::new(EvidenceCode::AcceptThenClose, timing::accept_then_close),
    Rule::new(EvidenceCode::SamplesDisagree, pool::samples_disagree),
    Rule::new(EvidenceCode::IdentityMismatch, names::identity_mismatch),
    Rule::new(EvidenceCode::TlsEndsElsewhere, names::tls_ends_elsewhere),
    Rule::new(EvidenceCode::AcceptsEverything, pool::accepts_everything),
    Rule::new(EvidenceCode::Tarpit, timing::tarpit),
];

/// What a rule may look at.
struct Look<'a> {
    row: &'a Observation,
    /// Gateways and proxies that name themselves.
    fronts: &'a List,
    vantage: &'a Vantage,
}

/// What a rule saw.
#[derive(Debug)]
struct Seen {
    grade: Grade,
    excerpt: Option<String>,
    at: Option<Duration>,
    front: Option<Arc<str>>,
}

impl Seen {
    /// Something in a peer's words, of which the first line is shown.
    fn said(grade: Grade, words: &[u8], at: Option<Duration>) -> Self {
        Self::told(grade, excerpt(&decode(words)), at)
    }

    /// Something that is told in words of ours.
    fn told(grade: Grade, words: impl Into<String>, at: Option<Duration>) -> Self {
        Self { grade, excerpt: Some(words.into()), at, front: None }
    }

    fn of(self, front: &str) -> Self {
        Self { front: Some(front.into()), ..self }
    }
}

/// How much is shown of what a peer said, in characters.
const EXCERPT: usize = 120;

/// The first line of a text, as far as it is shown.
fn excerpt(text: &str) -> &str {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    line.char_indices().nth(EXCERPT).map_or(line, |(end, _)| &line[..end])
}

/// When the greeting was complete, or what came of it.
fn greeted_at(row: &Observation) -> Option<Duration> {
    replies::arrived(&row.received, row.greeting_len.checked_sub(1)?)
}
