//! Canaries: endpoints that are known to answer, hailed before a scan, every so often during it, and after. While one
//! does not answer nothing is begun, because what does not answer then may be the path and not the target.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

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
    /// Has every canary watched by a task of its own. Nothing is begun before each has answered once.
    pub(super) fn watch_canaries(self: &Arc<Self>, tasks: &mut JoinSet<()>, rows: &Rows) {
        for canary in self.settings.canaries.iter().copied() {
            // Taken before any slot can ask for work.
            let (pause, _) = self.agenda().pause();
            let run = Arc::clone(self);
            // A scan whose rows nobody wants any longer needs no canary.
            let unwanted = rows.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = run.watch(canary, pause) => {}
                    () = unwanted.closed() => {}
                }
            });
        }
    }

    async fn watch(&self, canary: Canary, pause: Pause) {
        if let Err(outcome) = self.hail_twice(canary).await {
            // It never was a canary, or there is no path: no row may come of that.
            self.agenda().tell(Notice::CanaryDead { canary: canary.address, outcome });
            self.agenda().stats().note_canary_dead();
            self.agenda().stop().stop();
            return;
        }
        drop(pause);
        while !self.over_within(self.settings.canary_interval).await {
            if let Err(outcome) = self.hail_twice(canary).await {
                let (pause, _) = self.agenda().pause();
                self.agenda().tell(Notice::CanarySilent { canary: canary.address, outcome });
                while self.hail(canary).await.is_err() {
                    if self.over_within(AGAIN).await {
                        return;
                    }
                }
                if pause.end() {
                    self.agenda().tell(Notice::CanaryAnswers);
                }
            }
        }
        // Once more after the last endpoint; what comes of it is counted.
        drop(self.hail(canary).await);
    }

    /// Whether the scan is over before this time has passed.
    async fn over_within(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.agenda().over() => true,
            () = sleep(time) => false,
        }
    }

    /// A lost packet is no lost path: what does not answer is asked a second time.
    async fn hail_twice(&self, canary: Canary) -> Result<(), String> {
        if self.hail(canary).await.is_ok() {
            return Ok(());
        }
        sleep(AGAIN).await;
        self.hail(canary).await
    }

    /// One hail; what came of it if it was not a greeting.
    async fn hail(&self, canary: Canary) -> Result<(), String> {
        let Canary { address, service } = canary;
        let place = Place { name: None, via: None, ip: address.ip(), port: address.port(), service };
        let held = self.agenda().hold(address.ip()).await;
        sleep_until(self.agenda().again(address.ip()).into()).await;
        // None where a stop came first.
        let Some((row, parting)) = self.prober.probe(&place).await else { return Ok(()) };
        if let Some(parting) = parting {
            parting.see_out().await;
        }
        drop(held);
        let answered = row.outcome == Outcome::Greeted;
        self.agenda().stats().note_canary(answered);
        if answered { Ok(()) } else { Err(words(&row)) }
    }
}

fn words(row: &Observation) -> String {
    match &row.detail {
        Some(detail) => format!("{}: {detail}", row.outcome),
        None => row.outcome.to_string(),
    }
}
