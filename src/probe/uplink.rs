//! Whether this machine can still reach what it reached before. A route that was never there is a matter of one target;
//! one that is gone is ours, and no verdict may come of it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::network::Network;

/// How many addresses are remembered: enough for a few uplinks.
const REMEMBERED: usize = 8;

/// How often one is added.
const REMEMBER_EVERY: Duration = Duration::from_millis(100);

/// Addresses that were reached of late.
#[derive(Debug, Default)]
pub(crate) struct Uplink(Mutex<Reached>);

#[derive(Debug, Default)]
struct Reached {
    addresses: VecDeque<IpAddr>,
    at: Option<Instant>,
}

impl Uplink {
    /// An answer came from there, or might have.
    pub(super) fn reached(&self, ip: IpAddr) {
        let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if reached.at.is_some_and(|at| now - at < REMEMBER_EVERY) {
            return;
        }
        reached.at = Some(now);
        if !reached.addresses.contains(&ip) {
            reached.addresses.truncate(REMEMBERED - 1);
            reached.addresses.push_front(ip);
        }
    }

    /// An address of the family of `like` that was reached before, and to which there is no route any more.
    pub(super) fn lost(&self, like: IpAddr, network: &impl Network) -> Option<IpAddr> {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == like.is_ipv4();
        reached.addresses.iter().filter(same_family).find(|ip| !network.has_route(**ip)).copied()
    }
}
