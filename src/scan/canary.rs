//! Canaries: endpoints that are known to answer, hailed before a scan, every so often during it, and after. While one
//! does not answer nothing is begun, because what does not answer then may be the path and not the target.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Rows, Run};
use crate::config::Canary;
use crate::notice::Notice;
use crate::observation::{Observation, Outcome};
use crate::probe::Network;
use crate::schedule::Pause;
use crate::target::Place;

/// A canary that has not answered is hailed again after so long, and from then on as often until it does.
const AGAIN: Duration = Duration::from_secs(1);

impl<N: Network> Run<N> {
    /// Has every canary watched by a task of its own. Nothing is begun before each has answered once. What comes back ends
    /// when it is known of all whether they do.
    pub(super) fn watch_canaries(self: &Arc<Self>, tasks: &mut JoinSet<()>, rows: &Rows) -> mpsc::Receiver<Infallible> {
        let (hailing, hailed) = mpsc::channel(1);
        for canary in self.settings.canaries.iter().copied() {
            // Taken before any slot can ask for work.
            let (pause, _) = self.agenda().pause();
            let first = (pause, hailing.clone());
            let run = Arc::clone(self);
            // A scan whose rows nobody wants any longer needs no canary.
            let unwanted = rows.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = run.watch(canary, first) => {}
                    () = unwanted.closed() => {}
                }
            });
        }
        hailed
    }

    /// Holds what it is given until the canary has answered once.
    async fn watch(&self, canary: Canary, first: (Pause, mpsc::Sender<Infallible>)) {
        match self.hail_twice(canary).await {
            Hail::Answered => drop(first),
            Hail::Silent(outcome) | Hail::Untried(outcome) => {
                // It never was a canary, or there is no path: no row may come of that.
                self.agenda().tell(Notice::CanaryDead { canary: canary.address, outcome });
                self.agenda().stats().note_canary_dead();
                self.agenda().stop().stop();
                return;
            }
            Hail::Stopped => return,
        }
        while !self.over_within(self.settings.canary_interval).await {
            match self.hail_twice(canary).await {
                // A limit of our own says nothing of the path.
                Hail::Answered | Hail::Untried(_) => {}
                Hail::Silent(outcome) => self.wait_for(canary, outcome).await,
                Hail::Stopped => return,
            }
        }
        // Once more after the last endpoint; what comes of it is counted.
        let last = self.hail(canary).await;
        self.count(&last);
    }

    /// Begins nothing until the canary answers. What it does meanwhile is not counted: nothing is probed then.
    async fn wait_for(&self, canary: Canary, outcome: String) {
        let (pause, _) = self.agenda().pause();
        self.agenda().tell(Notice::CanarySilent { canary: canary.address, outcome });
        loop {
            match self.hail(canary).await {
                Hail::Answered => break,
                Hail::Silent(_) | Hail::Untried(_) if !self.over_within(AGAIN).await => {}
                Hail::Silent(_) | Hail::Untried(_) | Hail::Stopped => return,
            }
        }
        if pause.end() {
            self.agenda().tell(Notice::CanaryAnswers);
        }
    }

    /// Whether the scan is over before this time has passed.
    async fn over_within(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.agenda().over() => true,
            () = sleep(time) => false,
        }
    }

    /// One hail that is counted. A lost packet is no lost path: what does not answer is asked a second time, which is not.
    async fn hail_twice(&self, canary: Canary) -> Hail {
        let first = self.hail(canary).await;
        self.count(&first);
        match first {
            Hail::Answered | Hail::Stopped => first,
            Hail::Silent(_) | Hail::Untried(_) => {
                sleep(AGAIN).await;
                self.hail(canary).await
            }
        }
    }

    fn count(&self, hail: &Hail) {
        match hail {
            Hail::Answered => self.agenda().stats().note_canary(true),
            Hail::Silent(_) => self.agenda().stats().note_canary(false),
            Hail::Untried(_) | Hail::Stopped => {}
        }
    }

    async fn hail(&self, canary: Canary) -> Hail {
        let Canary { address, service } = canary;
        let place = Place { name: None, via: None, ip: address.ip(), port: address.port(), service };
        let Some(_held) = self.agenda().hold(address.ip()).await else { return Hail::Stopped };
        let Some(()) = self.agenda().again(address.ip()).await else { return Hail::Stopped };
        let Some(hailed) = self.prober.hail(&place).await else { return Hail::Stopped };
        let (row, parting) = hailed.into_row(&place);
        if let Some(parting) = parting {
            parting.see_out().await;
        }
        match row.outcome {
            Outcome::Greeted => Hail::Answered,
            Outcome::LocalError => Hail::Untried(words(&row)),
            Outcome::OtherProtocol
            | Outcome::TlsFailed
            | Outcome::Reset
            | Outcome::Closed
            | Outcome::Silent
            | Outcome::Refused
            | Outcome::Unreachable
            | Outcome::Timeout
            | Outcome::Unresolved => Hail::Silent(words(&row)),
        }
    }
}

/// What came of a hail.
enum Hail {
    Answered,
    /// It did not answer as it should.
    Silent(String),
    /// This machine could not try it.
    Untried(String),
    /// A request to stop came first.
    Stopped,
}

fn words(row: &Observation) -> String {
    match &row.detail {
        Some(detail) => format!("{}: {detail}", row.outcome),
        None => row.outcome.to_string(),
    }
}
