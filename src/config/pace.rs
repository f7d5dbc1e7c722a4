//! How fast a scan may go: limits, the profiles that stand for some, and what canaries may take of it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::Config;
use crate::observation::Service;
use crate::schedule::{Pace, Rate};

/// A limit on connections in a time, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// As fast as it goes.
    None,
    /// So many a second.
    Rate(Rate),
}

impl Limit {
    fn rate(self) -> Option<Rate> {
        match self {
            Self::None => None,
            Self::Rate(rate) => Some(rate),
        }
    }
}

/// How much a network is to be spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For networks of others: 1,000 connections a second, 10 into each /24 or /48.
    Courteous,
    /// For one's own networks: 500 a second into each /24 or /48.
    Own,
    /// For networks at hand: no rate.
    Lan,
}

impl Profile {
    /// Every profile, from the gentlest on.
    pub const ALL: [Self; 3] = [Self::Courteous, Self::Own, Self::Lan];

    /// The name used on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Courteous => "courteous",
            Self::Own => "own",
            Self::Lan => "lan",
        }
    }

    /// The rate over all, and the one into each network.
    fn limits(self) -> [Option<Rate>; 2] {
        match self {
            Self::Courteous => [Rate::per_second(1000.0), Rate::per_second(10.0)],
            Self::Own => [None, Rate::per_second(500.0)],
            Self::Lan => [None, None],
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An endpoint that is known to answer, by which the path is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Canary {
    /// Where it is.
    pub address: SocketAddr,
    /// What it speaks.
    pub service: Service,
}

/// How fast the scan may go as a whole, all of its shards together.
pub(super) fn pace(config: &Config, public: bool) -> Pace {
    let profile = config.profile.unwrap_or(if public { Profile::Courteous } else { Profile::Lan });
    let [rate, per_prefix] = profile.limits();
    Pace {
        rate: config.rate.map_or(rate, Limit::rate),
        per_prefix: config.per_prefix.map_or(per_prefix, Limit::rate),
        per_host: config.per_host,
    }
}

/// How often each canary is hailed: as asked for, but so seldom that all of them take no more than a tenth of the pace.
pub(super) fn canary_interval(config: &Config, share: Pace) -> Duration {
    let slowest = share.rate.into_iter().chain(share.per_prefix).map(Rate::interval).max().unwrap_or_default();
    let canaries = u32::try_from(config.canaries.len()).unwrap_or(u32::MAX);
    config.canary_interval.max(slowest.saturating_mul(canaries).saturating_mul(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is hailed counts as well, and must leave the targets their share.
    #[test]
    fn canaries_take_a_tenth_of_the_pace_at_most() {
        let interval = |rate, canaries| {
            let canary = Canary { address: ([127, 0, 0, 1], 21).into(), service: Service::Ftp };
            let config = Config { canaries: vec![canary; canaries], ..Config::default() };
            canary_interval(&config, Pace { rate: Rate::per_second(rate), ..Pace::default() }).as_secs()
        };
        assert_eq!((interval(1000.0, 3), interval(0.2, 2), interval(1.0, 1)), (10, 100, 10));
    }
}
