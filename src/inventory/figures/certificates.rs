//! Certificates by their expiry: each once, however many endpoints show it.
//!
//! Those are kept that expire around the time that they are seen from: the next ones, and those that expired last. One that
//! was left out is further from that time than all that are kept on its side, which only ever come nearer, so that
//! whatever is kept was kept from its first row on and its count is exact.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::kinds::counted_as;
use super::{Row, moment};
use crate::output::Column;

/// So many are kept on either side, some kilobyte each.
pub(super) const MAX_CERTIFICATES: usize = 2048;

/// So many of the endpoints that show one are named.
const MAX_NAMED: usize = 4;

const DAY: Duration = Duration::from_secs(86_400);

/// Later days count as this one, so that there are not too many: some hundred and thirty years after 1970.
const LAST_DAY: u64 = 47_500;

/// Where [`Expiry`] draws its lines, in days from the time that it is seen from.
const LINES: [u32; 3] = [0, 30, 90];

/// Certificates, counted.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// About when they are looked at; where nobody said that, the first row's time.
    around: Option<SystemTime>,
    /// How many rows show one that expires at which second after 1970; where that is far from every line, on which day.
    ends: BTreeMap<u64, u64>,
    expired: Kept,
    valid: Kept,
}

/// Those on one side of that time, which are kept.
#[derive(Debug, Default)]
struct Kept {
    by_end: BTreeMap<(SystemTime, Arc<str>), Certificate>,
    /// When they expire, by their digest: another row may say another time.
    known: HashMap<Arc<str>, SystemTime>,
    left_out: u64,
}

/// How many rows show certificates that are valid for how long yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expiry {
    /// No longer, to the second.
    pub expired: u64,
    /// For 30 days at most.
    pub month: u64,
    /// For more than 30 days and 90 at most.
    pub quarter: u64,
    /// For more.
    pub later: u64,
}

/// A certificate, as the first row that shows it tells of it. Its words can be shown on a terminal whoever wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of it.
    pub sha256: Arc<str>,
    /// Whose it is.
    pub subject: Option<String>,
    /// Who says so.
    pub issuer: Option<String>,
    /// Its names, joined as in CSV.
    pub names: Option<String>,
    /// Its key: `RSA 2048`.
    pub key: Option<String>,
    /// What it is signed by.
    pub signature: Option<String>,
    /// Start of validity.
    pub not_before: Option<SystemTime>,
    /// End of validity.
    pub not_after: SystemTime,
    /// Whether it is valid there, or why not.
    pub status: Option<String>,
    /// How many rows show it.
    pub count: u64,
    /// The first few of these, as `192.0.2.1:25`.
    pub at: Vec<String>,
}

impl Certificates {
    pub(super) fn around(now: SystemTime) -> Self {
        Self { around: Some(now), ..Self::default() }
    }

    pub(super) fn count(&mut self, row: &Row) {
        if self.around.is_none() {
            self.around = row.text(Column::Time).and_then(|text| moment(&text));
        }
        let Some(not_after) = row.text(Column::CertNotAfter).and_then(|text| moment(&text)) else { return };
        let ends = self.ends.entry(self.resolved(not_after)).or_default();
        *ends = ends.saturating_add(1);
        let Some(sha256) = shown(row, Column::CertSha256).map(Arc::<str>::from) else { return };
        let known = self.expired.known.get(&sha256).or_else(|| self.valid.known.get(&sha256));
        let not_after = known.copied().unwrap_or(not_after);
        let has_expired = self.around.is_some_and(|around| not_after < around);
        let kept = if has_expired { &mut self.expired } else { &mut self.valid };
        if kept.count_known(&(not_after, Arc::clone(&sha256)), row) {
            return;
        }
        // The one that is the furthest from now.
        let last = if has_expired { kept.by_end.first_key_value() } else { kept.by_end.last_key_value() };
        if let Some(last) = last.map(|(last, _)| last.clone()).filter(|_| kept.by_end.len() >= MAX_CERTIFICATES) {
            let is_further = if has_expired {
                (not_after, &sha256) < (last.0, &last.1)
            } else {
                (not_after, &sha256) > (last.0, &last.1)
            };
            if is_further {
                kept.left_out = kept.left_out.saturating_add(1);
                return;
            }
            kept.leave_out(&last);
        }
        kept.insert(sha256, not_after, row);
    }

    /// How many rows show one that is valid for how long yet.
    pub(super) fn expiry(&self, now: SystemTime) -> Expiry {
        let now = seconds(now);
        let [_, month, quarter] = LINES.map(|days| now + u64::from(days) * DAY.as_secs());
        let mut expiry = Expiry::default();
        for (end, count) in &self.ends {
            let place = match *end {
                end if end < now => &mut expiry.expired,
                end if end <= month => &mut expiry.month,
                end if end <= quarter => &mut expiry.quarter,
                _ => &mut expiry.later,
            };
            *place = place.saturating_add(*count);
        }
        expiry
    }

    /// Those that are kept, by the end of their validity.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Certificate> {
        self.expired.by_end.values().chain(self.valid.by_end.values())
    }

    /// How many rows show one that expired before those that are kept, and how many one that expires after them.
    pub(super) fn left_out(&self) -> (u64, u64) {
        (self.expired.left_out, self.valid.left_out)
    }

    /// A second where it matters which one it is, and else the beginning of its day, so that there are not too many.
    fn resolved(&self, not_after: SystemTime) -> u64 {
        let end = seconds(not_after);
        let around = self.around.map(seconds);
        let is_near = |days: u32| {
            around.is_some_and(|around| end.abs_diff(around + u64::from(days) * DAY.as_secs()) <= DAY.as_secs())
        };
        if LINES.into_iter().any(is_near) { end } else { (end / DAY.as_secs()).min(LAST_DAY) * DAY.as_secs() }
    }
}

impl Kept {
    /// Counts one more row that shows a certificate which is kept; whether it is.
    fn count_known(&mut self, place: &(SystemTime, Arc<str>), row: &Row) -> bool {
        let Some(known) = self.by_end.get_mut(place) else { return false };
        known.count = known.count.saturating_add(1);
        if known.at.len() < MAX_NAMED {
            known.at.extend(row.endpoint());
        }
        true
    }

    fn leave_out(&mut self, place: &(SystemTime, Arc<str>)) {
        let count = self.by_end.remove(place).map_or(0, |certificate| certificate.count);
        self.known.remove(&place.1);
        self.left_out = self.left_out.saturating_add(count);
    }

    fn insert(&mut self, sha256: Arc<str>, not_after: SystemTime, row: &Row) {
        let certificate = Certificate {
            sha256: Arc::clone(&sha256),
            subject: shown(row, Column::CertSubject),
            issuer: shown(row, Column::CertIssuer),
            names: shown(row, Column::CertNames),
            key: shown(row, Column::CertKey),
            signature: shown(row, Column::CertSignature),
            not_before: row.text(Column::CertNotBefore).and_then(|text| moment(&text)),
            not_after,
            status: shown(row, Column::CertStatus),
            count: 1,
            at: row.endpoint().into_iter().collect(),
        };
        self.known.insert(Arc::clone(&sha256), not_after);
        self.by_end.insert((not_after, sha256), certificate);
    }
}

/// Seconds after 1970.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn shown(row: &Row, column: Column) -> Option<String> {
    row.text(column).map(|text| counted_as(&text).into_owned())
}
