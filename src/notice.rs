//! What befalls a scan as a whole, for people: this machine's limits and what was done about them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Something that befell a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// This machine ran out of something, and fewer endpoints are probed at once.
    Fewer {
        /// How many from now on; more are tried again as time goes by.
        slots: usize,
        /// Of what, as the system says.
        reason: String,
    },
    /// All ports towards one endpoint are in use, or were a minute ago; it is tried again for a while.
    NoPorts {
        /// Which.
        to: SocketAddr,
    },
    /// What was reached before has no route any more; nothing is begun until it has.
    NoRoute {
        /// An address that was reached before.
        to: IpAddr,
    },
    /// There is a route again.
    RouteAgain,
    /// There still is no route to what was reached before, and it is waited for no longer.
    NoRouteLeft {
        /// An address that was reached before.
        to: IpAddr,
    },
    /// A canary does not answer; nothing is begun until it does.
    CanarySilent {
        /// Which.
        canary: SocketAddr,
        /// What came of it.
        outcome: String,
    },
    /// A canary did not answer before anything was begun; nothing will be.
    CanaryDead {
        /// Which.
        canary: SocketAddr,
        /// What came of it.
        outcome: String,
    },
    /// All canaries answer again.
    CanaryAnswers,
    /// This machine was asleep while endpoints were under way; those that were not refused are probed again.
    Slept,
    /// We did not run while endpoints were under way: those are probed again.
    StoodStill {
        /// For how long.
        length: Duration,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fewer { slots, reason } => write!(f, "this machine ran out ({reason}): {slots} at once for now"),
            Self::NoRoute { to } => {
                write!(f, "paused: there is no route to {to} any more, which was reached before; waiting for it")
            }
            Self::NoPorts { to } => {
                write!(f, "no port is free towards {to}: connections to it are tried again for a minute, others go on")
            }
            Self::NoRouteLeft { to } => {
                write!(f, "going on without a route to {to}: what there is no way to will be told as not done")
            }
            Self::RouteAgain => f.write_str("going on: there is a route again"),
            Self::CanarySilent { canary, outcome } => {
                write!(f, "paused: the canary {canary} does not answer ({outcome}); waiting for it")
            }
            Self::CanaryDead { canary, outcome } => {
                write!(f, "the canary {canary} does not answer ({outcome}): nothing is begun")
            }
            Self::CanaryAnswers => f.write_str("going on: the canaries answer"),
            Self::Slept => f.write_str("this machine was asleep: endpoints under way are probed again"),
            Self::StoodStill { length } => {
                let seconds = length.as_secs_f64();
                write!(f, "stood still for {seconds:.1} s, stopped or short of processor time: ")?;
                f.write_str("endpoints under way are probed again")
            }
        }
    }
}
