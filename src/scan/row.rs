//! What rows say of a scan's course: who had enough of us, what a second try is worth, and names that lead nowhere.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::observation::{Observation, Outcome, Service};
use crate::target::NoAddress;

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
