//! Whether something stands in front of a server: evidence, and the verdict that it comes to.
//!
//! **Every rule is a pure function of the [`Observation`]** and of where we are seen from; what no rule finds is
//! `not_observed`, which never means that there is nothing: a transparent proxy leaves no trace. What shows only over
//! many rows is [`Sweep`]'s.

mod sweep;

pub use self::sweep::{Bounds, Glimpse, Middlebox, Overview, Sweep, Watched, What, Words};

use super::list::List;
use crate::observation::{Evidence, EvidenceCode, Fronting, Grade, Observation, Outcome, Vantage};

/// Whether a connection stood, so that there is something to judge.
pub(super) fn is_to_be_judged(row: &Observation) -> bool {
    match row.outcome {
        Outcome::Greeted
        | Outcome::OtherProtocol
        | Outcome::TlsFailed
        | Outcome::Reset
        | Outcome::Closed
        | Outcome::Silent => true,
        Outcome::Refused | Outcome::Unreachable | Outcome::Timeout | Outcome::LocalError | Outcome::Unresolved => false,
    }
}

/// What speaks for something in front, the strongest first; each code once.
pub(super) fn judge(row: &Observation, fronts: &List, vantage: &Vantage) -> Vec<Evidence> {
    let _ = (row, fronts, vantage);
    Vec::new()
}

/// What evidence comes to: confirmed by one decisive piece or two strong ones, likely by a strong one or two moderate,
/// possible by anything less.
///
/// ```
/// use hailer::classify::fronting::verdict;
/// use hailer::observation::Fronting;
///
/// assert_eq!(verdict(&[]), Fronting::NotObserved);
/// ```
pub fn verdict(evidence: &[Evidence]) -> Fronting {
    let is_nat = |evidence: &&Evidence| evidence.code == EvidenceCode::OtherPortNamed;
    let count = |grade| evidence.iter().filter(|evidence| evidence.grade == grade && !is_nat(evidence)).count();
    let (decisive, strong, moderate, weak) =
        (count(Grade::Decisive), count(Grade::Strong), count(Grade::Moderate), count(Grade::Weak));
    if decisive > 0 || strong > 1 {
        Fronting::Confirmed
    } else if strong > 0 || moderate > 1 {
        Fronting::Likely
    } else if evidence.iter().any(|evidence| is_nat(&evidence)) {
        Fronting::Nat
    } else if moderate > 0 || weak > 0 {
        Fronting::Possible
    } else {
        Fronting::NotObserved
    }
}
