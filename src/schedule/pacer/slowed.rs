//! Which networks were slowed down, for the words at a scan's end.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::fast::RandomState;
use ipnet::IpNet;

use super::Rate;
use super::address::Prefix;

/// So many are named.
const NAMED: usize = 8;
/// So many are known again. They are counted beyond that, but one that recovered may then be counted twice.
const KNOWN: usize = 1 << 16;

/// The networks that were slowed down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slowed {
    /// How many.
    pub(crate) networks: u64,
    /// Those that came down furthest, with the least rate each had, the slowest first.
    pub(crate) slowest: Vec<(IpNet, Rate)>,
}

#[derive(Debug, Default)]
pub(super) struct Record {
    known: HashSet<Prefix, RandomState>,
    count: u64,
    /// The longest interval first.
    slowest: Vec<(Duration, Prefix)>,
}

impl Record {
    /// A network came down to such an interval; whether it was slow before.
    pub(super) fn slowed(&mut self, prefix: Prefix, interval: Duration, before: bool) {
        let new = if self.known.len() < KNOWN { self.known.insert(prefix) } else { !self.known.contains(&prefix) };
        if new && !before {
            self.count += 1;
        }
        let named = self.slowest.iter().position(|(_, named)| *named == prefix);
        let longest = named.map_or(interval, |at| self.slowest.swap_remove(at).0.max(interval));
        self.slowest.push((longest, prefix));
        self.slowest.sort_unstable_by(|one, other| other.cmp(one));
        self.slowest.truncate(NAMED);
    }

    pub(super) fn read(&self) -> Slowed {
        let slowest = self.slowest.iter().map(|&(interval, prefix)| (prefix.network(), Rate::of(interval))).collect();
        Slowed { networks: self.count, slowest }
    }
}
