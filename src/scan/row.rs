//! What rows say of a scan's course: who had enough of us, what a second try is worth, and names that lead nowhere.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::observation::{Observation, Outcome, Service};
use crate::probe::{Lapse, tell_via};
use crate::target::{NoAddress, Place};

/// Whether it is the peer's or the network's answer, rather than the lack of one.
pub(super) fn is_answer(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Greeted | Outcome::OtherProtocol | Outcome::Refused | Outcome::Unresolved => true,
        Outcome::TlsFailed
        | Outcome::Reset
        | Outcome::Closed
        | Outcome::Silent
        | Outcome::Unreachable
        | Outcome::Timeout
        | Outcome::LocalError => false,
    }
}

/// Whether an outcome says nothing of the peer, because of what befell us while it was probed.
pub(super) fn is_spoilt(outcome: Outcome, lapse: Lapse) -> bool {
    match lapse {
        Lapse::CutOff => !is_answer(outcome),
        // What a peer said is true, but not when it did, and our long silence may have had it give up.
        Lapse::Slept => !matches!(outcome, Outcome::Refused | Outcome::Unresolved),
        // The system has seen to our connections meanwhile.
        Lapse::StoodStill(_) => !matches!(outcome, Outcome::Refused | Outcome::Unreachable | Outcome::Unresolved),
    }
}

/// The same where it was probed again already. A machine that is short of time gets shorter by each try, and an answer is
/// one; so is the lack of one from a peer that need not have waited for us.
pub(super) fn is_spoilt_again(outcome: Outcome, lapse: Lapse) -> bool {
    match lapse {
        Lapse::Slept | Lapse::CutOff => !is_answer(outcome),
        Lapse::StoodStill(_) => matches!(outcome, Outcome::TlsFailed | Outcome::Reset | Outcome::Closed),
    }
}

/// What came of probing again: its own row, unless only the first has an answer, or one that does not send us away.
pub(super) fn better(first: Box<Observation>, again: Box<Observation>) -> Box<Observation> {
    let attempts = first.attempts + again.attempts;
    let is_worse =
        is_answer(first.outcome) && (!is_answer(again.outcome) || is_pushback(&again) && !is_pushback(&first));
    let mut row = if is_worse { first } else { again };
    row.attempts = attempts;
    row
}

/// A row where something kept us from hearing the peer each time.
pub(super) fn unheard(row: Box<Observation>, place: &Place, lapse: Lapse) -> Box<Observation> {
    let why = match lapse {
        Lapse::Slept => "this machine slept",
        Lapse::StoodStill(_) => "this program stood still, stopped or short of processor time,",
        Lapse::CutOff => "this machine had lost its route",
    };
    let detail = format!("{why} each time that it was probed; it seemed {}", row.outcome);
    let mut unheard = Box::new(Observation::new(row.time, row.ip, row.port, row.service, Outcome::LocalError));
    unheard.name = row.name;
    unheard.detail = Some(detail.into());
    unheard.attempts = row.attempts;
    tell_via(place, &mut unheard);
    unheard
}

/// Whether a server tells us that we, or all together, are too many for it: 421 (RFC 959 §4.2, RFC 5321 §3.8), or words
/// to that effect under another code.
pub(super) fn is_pushback(row: &Observation) -> bool {
    const WORDS: [&[u8]; 3] = [b"too many conn", b"too many concurrent", b"maximum number of c"];
    let greeting = row.greeting();
    row.outcome == Outcome::Greeted
        && (row.code == Some(421)
            || row.code.is_some_and(|code| code >= 400)
                && WORDS
                    .iter()
                    .any(|words| greeting.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words))))
}

/// What came of a second try: its own row if it was greeted, or else the first one's, which was.
pub(super) fn later(earlier: Box<Observation>, mut row: Box<Observation>) -> Box<Observation> {
    let attempts = earlier.attempts + row.attempts;
    if row.outcome != Outcome::Greeted {
        row = earlier;
    }
    row.attempts = attempts;
    row
}

/// A name that leads nowhere, or nowhere that may be probed.
pub(super) struct Nowhere {
    pub(super) name: Arc<str>,
    pub(super) via: Option<Arc<str>>,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) service: Service,
}

impl Nowhere {
    pub(super) fn row(self, reason: NoAddress) -> Box<Observation> {
        let (outcome, reason) = match reason {
            NoAddress::None(reason) => (Outcome::Unresolved, reason),
            NoAddress::Unknown(reason) => (Outcome::LocalError, reason),
        };
        let mut row = Observation::new(SystemTime::now(), self.ip, self.port, self.service, outcome);
        row.name = Some(self.name);
        row.detail = Some(Cow::Owned(self.via.map_or_else(|| reason.to_string(), |via| format!("{via}; {reason}"))));
        Box::new(row)
    }
}
