//! The address that servers see us at, while rows still come.
//!
//! Hosts inside and outside of somebody's network may be reached from different addresses of ours, and so are those of
//! the two families, so that each of these kinds is counted by itself.

use std::net::IpAddr;

use crate::classify::findings::inside::is_inside;

/// So many addresses are counted at once.
const COUNTERS: usize = 64;
/// Fewer hosts say nothing about the usual.
pub(super) const FEWEST_HOSTS: u64 = 3;

/// How hosts are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    V4,
    V4Inside,
    V6,
    V6Inside,
}

impl Reach {
    pub(super) const ALL: [Self; 4] = [Self::V4, Self::V4Inside, Self::V6, Self::V6Inside];

    pub(super) fn of(host: IpAddr) -> Self {
        match (host.to_canonical().is_ipv4(), is_inside(host)) {
            (true, false) => Self::V4,
            (true, true) => Self::V4Inside,
            (false, false) => Self::V6,
            (false, true) => Self::V6Inside,
        }
    }
}

/// What hosts said so far.
#[derive(Debug, Default)]
pub(super) struct Sightings([Counters; 4]);

impl Sightings {
    /// A host that has not said it before sees us there.
    pub(super) fn learn(&mut self, host: IpAddr, seen_as: IpAddr) {
        let reach = Reach::of(host);
        for (counters, _) in self.0.iter_mut().zip(Reach::ALL).filter(|(_, of)| *of == reach) {
            counters.count(seen_as);
        }
    }

    /// Where more than half of the hosts that are reached like this one see us.
    pub(super) fn usual(&self, host: IpAddr) -> Option<IpAddr> {
        let reach = Reach::of(host);
        self.0.iter().zip(Reach::ALL).find(|(_, of)| *of == reach).and_then(|(counters, _)| counters.majority())
    }
}

/// J. Misra and D. Gries, *Finding repeated elements* (1982): what is more than half of all is among the counters, and
/// none of them is too high.
#[derive(Debug, Default)]
struct Counters {
    of: u64,
    counts: Vec<(IpAddr, u64)>,
}

impl Counters {
    fn count(&mut self, seen_as: IpAddr) {
        self.of = self.of.saturating_add(1);
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == seen_as) {
            *count = count.saturating_add(1);
        } else if self.counts.len() < COUNTERS {
            self.counts.push((seen_as, 1));
        } else {
            self.counts.retain_mut(|(_, count)| {
                *count -= 1;
                *count > 0
            });
        }
    }

    fn majority(&self) -> Option<IpAddr> {
        let (seen_as, count) = self.counts.iter().max_by_key(|(_, count)| *count)?;
        is_usual(*count, self.of).then_some(*seen_as)
    }
}

/// Whether what so many say of so many is the usual.
pub(super) fn is_usual(count: u64, of: u64) -> bool {
    of >= FEWEST_HOSTS && count.saturating_mul(2) > of
}
