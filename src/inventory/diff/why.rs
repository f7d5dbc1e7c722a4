//! Why something stands on one side and not on the other: as rows tell, or as what was covered proves.

use std::net::IpAddr;

use super::coverage::{Coverage, Verdict};
use super::sighting::Sighting;
use crate::inventory::key::Identity;
use crate::observation::Outcome;
use crate::output::Column;
use crate::target::OTHER_FAMILY;

/// Why what stands on one side does not on the other, of which these are the coverage, and rows where there are some; nothing
/// where it does.
pub(super) fn why(coverage: &Coverage, it: &Sighting, rows: &[Sighting]) -> Option<Told> {
    // Of several addresses that a name leads to, the one that proves least.
    let weakest = rows.iter().min_by_key(|row| told(row, it.identity.ip).why);
    if let Some(row) = weakest {
        return Some(weighed(coverage, &it.identity, row));
    }
    if !it.is_met() {
        return Some(Told::of(coverage.verdict(&it.identity)));
    }
    // Its address answers there, too: it is the name alone that does not lead there, or was not asked; of a mail exchange the
    // domain, which leads to the name.
    let name = it.identity.name.clone()?;
    let (name, what) = if it.identity.domain.is_none() { (Some(name), "name") } else { (None, "domain") };
    let verdict = coverage.verdict(&Identity { ip: None, name, ..it.identity.clone() });
    Some(match Told::of(verdict) {
        Told { why: why @ (Why::NotProbed | Why::Unknown), words } => {
            Told::new(why, format!("its address answers, and as to its {what}, {words}"))
        }
        told => told,
    })
}

/// Why something does not stand; what proves least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    NotProbed,
    Unknown,
    Unheard,
    Known,
}

pub(super) struct Told {
    pub(super) why: Why,
    pub(super) words: String,
}

impl Told {
    fn new(why: Why, words: impl Into<String>) -> Self {
        Self { why, words: words.into() }
    }

    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Refused => Self::new(Why::Known, "refused"),
            Verdict::NameRefused => {
                Self::new(Why::Known, "its name leads elsewhere, or to where connections are refused")
            }
            Verdict::Unheard => Self::new(Why::Unheard, "refused, or nothing came back: only a scan with --all tells"),
            Verdict::NotProbed(words) => Self::new(Why::NotProbed, words),
            Verdict::Unknown(words) => Self::new(Why::Unknown, words),
        }
    }
}

/// What a row says of why nothing stands there, and coverage of what the row was asked for.
pub(super) fn weighed(coverage: &Coverage, of: &Identity, row: &Sighting) -> Told {
    match coverage.verdict(of) {
        // It may have been asked for other addresses alone.
        verdict @ Verdict::NotProbed(_) if row.identity.ip.is_none() => Told::of(verdict),
        Verdict::Refused | Verdict::NameRefused | Verdict::Unheard | Verdict::NotProbed(_) | Verdict::Unknown(_) => {
            told(row, of.ip)
        }
    }
}

/// What a row says of why nothing stands; `ip` is where something stood.
fn told(row: &Sighting, ip: Option<IpAddr>) -> Told {
    let detail = row.get(Column::Detail);
    let outcome = row.outcome().unwrap_or(Outcome::LocalError);
    let words = detail.map_or_else(|| outcome.to_string(), |detail| format!("{outcome}: {detail}"));
    let elsewhere = row.identity.ip.filter(|_| ip.is_some() && row.identity.ip != ip && outcome != Outcome::Unresolved);
    let words = elsewhere.map_or_else(|| words.clone(), |ip| format!("its name leads to {ip}: {words}"));
    let why = match outcome {
        // It was not asked for those that it has.
        Outcome::Unresolved if detail.is_some_and(|detail| detail.ends_with(OTHER_FAMILY)) => Why::NotProbed,
        Outcome::Unresolved if row.identity.ip.is_none() => Why::Known,
        Outcome::Timeout | Outcome::Unreachable => Why::Unheard,
        // The name leads where it may not be probed; or this machine could not.
        Outcome::Unresolved | Outcome::LocalError => Why::NotProbed,
        // But for the first no such row comes here.
        Outcome::Refused
        | Outcome::Greeted
        | Outcome::OtherProtocol
        | Outcome::TlsFailed
        | Outcome::Reset
        | Outcome::Closed
        | Outcome::Silent => Why::Known,
    };
    Told { why, words }
}
