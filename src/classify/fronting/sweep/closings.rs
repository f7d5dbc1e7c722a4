//! When hosts that accept close without a byte. A proxy whose servers are gone gives up after its own timeout, and so do
//! all that are configured alike: at 1, 3, 4 seconds sharp. What lets go for other reasons does so at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::address::Host;

/// What is closed at once, or nearly, may have been for many reasons.
const LEAST: Duration = Duration::from_millis(400);
/// Nobody is waited for so long.
const MOST: Duration = Duration::from_secs(120);
/// Times are told apart by this.
const BIN: Duration = Duration::from_millis(20);
/// So many bins to either side count as the same time, and so many as its neighbourhood.
const SAME: u16 = 1;
const AROUND: u16 = 10;
/// So many hosts share a time, at least.
const FEWEST_HOSTS: usize = 3;
/// A time is sharp that has so many times what its neighbourhood has.
const SHARP: u64 = 3;
/// So many hosts of a bin are told apart: those with the lowest addresses.
const KNOWN_HOSTS: usize = 8;

/// Servers close so, too, behind lists of clients (`tcp_wrappers`), once DNS has not answered: resolvers ask again after 5 s,
/// and give up after 10 s.
const OF_RESOLVERS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];
/// So far from that at most.
const NEAR: Duration = Duration::from_millis(100);

/// How many closed when.
#[derive(Debug, Clone, Default)]
pub(super) struct Closings(BTreeMap<u16, Bin>);

#[derive(Debug, Clone, Default)]
struct Bin {
    count: u64,
    /// In their order.
    hosts: Vec<Host>,
}

impl Closings {
    /// A host closed so long after the connection stood.
    pub(super) fn learn(&mut self, host: Host, after: Duration) {
        let Some(bin) = bin(after) else { return };
        let bin = self.0.entry(bin).or_default();
        bin.count = bin.count.saturating_add(1);
        if let Err(place) = bin.hosts.binary_search(&host) {
            bin.hosts.insert(place, host);
            bin.hosts.truncate(KNOWN_HOSTS);
        }
    }

    /// How many endpoints closed at the same time, where it is sharp and several hosts share it and nothing else explains
    /// it.
    pub(super) fn shared(&self, after: Duration) -> Option<u64> {
        let middle = bin(after).filter(|_| OF_RESOLVERS.iter().all(|time| time.abs_diff(after) > NEAR))?;
        let bins = |width: u16| self.0.range(middle.saturating_sub(width)..=middle.saturating_add(width));
        let mut hosts: Vec<_> = bins(SAME).flat_map(|(_, bin)| bin.hosts.iter().copied()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let count = |width| bins(width).map(|(_, bin)| bin.count).sum::<u64>();
        let same = count(SAME);
        let others = count(AROUND) - same;
        // Against what the neighbourhood has in as much time.
        let windows = u64::from((AROUND - SAME) * 2 / (SAME * 2 + 1));
        (hosts.len() >= FEWEST_HOSTS && same * windows >= SHARP * others).then_some(same)
    }
}

fn bin(after: Duration) -> Option<u16> {
    let bin = after.as_millis() / BIN.as_millis();
    u16::try_from(bin).ok().filter(|_| (LEAST..MOST).contains(&after))
}
