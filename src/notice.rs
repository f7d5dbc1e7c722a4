//! What befalls a scan as a whole, for people: this machine's limits and what was done about them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

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
    /// What was reached before has no route any more; nothing is begun until it has.
    NoRoute {
        /// An address that was reached before.
        to: IpAddr,
    },
    /// There is a route again.
    RouteAgain,
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
    /// This machine was asleep while endpoints were under way; those without an answer are probed again.
    Slept,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fewer { slots, reason } => write!(f, "this machine ran out ({reason}): {slots} at once for now"),
            Self::NoRoute { to } => {
                write!(f, "paused: there is no route to {to} any more, which was reached before; waiting for it")
            }
            Self::RouteAgain => f.write_str("going on: there is a route again"),
            Self::CanarySilent { canary, outcome } => {
                write!(f, "paused: the canary {canary} does not answer ({outcome}); waiting for it")
            }
            Self::CanaryDead { canary, outcome } => {
                write!(f, "the canary {canary} does not answer ({outcome}): nothing is begun")
            }
            Self::CanaryAnswers => f.write_str("going on: the canaries answer"),
            Self::Slept => f.write_str("this machine was asleep: endpoints without an answer are probed again"),
        }
    }
}
