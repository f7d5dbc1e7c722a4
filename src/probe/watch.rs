//! An eye on this machine, as long as a scan runs: whether it slept, whether we ran, and whether what was reached before has
//! a route still. What was under way when one of these failed tells nothing, and is probed again.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Prober;
use super::network::Network;
use super::pulse::BEAT;
use crate::notice::Notice;

/// A machine that was asleep for less has lost nothing that TCP does not bring back.
const NAP: Duration = Duration::from_millis(500);

/// How often we look whether there is a route still, or again.
const LOOK_FOR_ROUTE: Duration = Duration::from_secs(1);

/// How long a route is waited for where there is another: an address of ours that was lost with its link may never come
/// back. Where there is none, nothing is lost by waiting.
const PATIENCE_FOR_ROUTE: Duration = Duration::from_secs(600);

/// What befell this machine up to some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lapses {
    slept: Duration,
    stood_still: Duration,
    /// Odd while a route is lost.
    turns: u64,
}

/// What may have kept us from hearing a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// This machine slept.
    Slept,
    /// We did not run for so long.
    StoodStill(Duration),
    /// There was no way to anywhere for a while.
    CutOff,
}

impl<N: Network> Prober<N> {
    /// What befell this machine so far.
    pub(crate) fn lapses(&self) -> Lapses {
        let slept = self.network.slept();
        let stood_still = self.uplink.pulse.missed(Instant::now(), || self.network.worked());
        Lapses { slept, stood_still, turns: self.uplink.turns() }
    }

    /// What befell it since then, the worst first.
    pub(crate) fn lapse_since(&self, then: Lapses) -> Option<Lapse> {
        let now = self.lapses();
        let still = now.stood_still.saturating_sub(then.stood_still);
        if now.slept.saturating_sub(then.slept) > NAP {
            Some(Lapse::Slept)
        } else if still > Duration::ZERO {
            Some(Lapse::StoodStill(still))
        } else if now.turns != then.turns || !then.turns.is_multiple_of(2) {
            Some(Lapse::CutOff)
        } else {
            None
        }
    }

    /// Sees whether we run and what was reached before has a route still, for as long as it is let.
    pub(crate) async fn watch(&self) {
        let look = async {
            loop {
                sleep(LOOK_FOR_ROUTE).await;
                // A request to stop ends this as well.
                self.has_way().await;
            }
        };
        let beat = async {
            loop {
                self.uplink.pulse.beat(Instant::now(), self.network.worked());
                sleep(BEAT).await;
            }
        };
        tokio::join!(look, beat);
    }

    /// Watches no longer whether we run.
    pub(crate) fn watch_no_more(&self) {
        self.uplink.pulse.end(Instant::now(), self.network.worked());
    }

    /// Waits until there is a way again to what was reached before; none where a request to stop comes first.
    pub(crate) async fn has_way(&self) -> Option<()> {
        match self.uplink.lost(None, &self.network) {
            Some(lost) => self.wait_for_route(None, lost).await,
            None => Some(()),
        }
    }

    /// Waits until what was reached before has a route again, during which nothing is begun; none where a request to stop
    /// comes first.
    pub(super) async fn wait_for_route(&self, like: Option<IpAddr>, lost: IpAddr) -> Option<()> {
        let (pause, first) = self.agenda.pause();
        if first {
            self.agenda.tell(Notice::NoRoute { to: lost });
        }
        let (until, given_up) = (Instant::now() + PATIENCE_FOR_ROUTE, self.uplink.given_up());
        // Neighbours are asked for once a second (RFC 4861 §10; ARP likewise), and may not have been found again at once: what is
        // begun too early would fail for them.
        let mut has_settled = false;
        while !has_settled {
            let is_lost = self.uplink.lost(like, &self.network).is_some();
            if is_lost && Instant::now() >= until && self.uplink.give_up(&self.network) {
                self.agenda.tell(Notice::NoRouteLeft { to: lost });
                continue;
            }
            tokio::select! {
                () = sleep(LOOK_FOR_ROUTE) => {}
                () = self.agenda.stop().asked() => return None,
            }
            has_settled = !is_lost && self.uplink.lost(like, &self.network).is_none();
        }
        if pause.end() && self.uplink.given_up() == given_up {
            self.agenda.tell(Notice::RouteAgain);
        }
        Some(())
    }
}
