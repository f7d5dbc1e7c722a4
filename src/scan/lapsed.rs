//! Endpoints that are probed again because of what befell this machine: it slept, the program was stopped, or the way was lost.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use super::row::{better, is_answer, is_pushback, is_spoilt_again, unheard};
use crate::notice::Notice;
use crate::probe::{Lapse, Lapses, Network, Probed, Turn};
use crate::target::Place;

/// How often an endpoint is probed again where each time something kept us from hearing it.
const AGAIN: usize = 2;

/// How often people are told that they are.
const TELL_EVERY: Duration = Duration::from_secs(5);

impl<N: Network> Run<N> {
    /// Probes again where something kept us from hearing the peer, or from telling when it spoke. Where a request to stop
    /// comes first, an answer is one, and what had none stays undone.
    pub(super) async fn probe_again(
        &self,
        place: &Place,
        first: Probed<N::Stream>,
        mut lapse: Lapse,
    ) -> Option<Probed<N::Stream>> {
        let (mut row, mut parting) = first.into_row(place);
        for _ in 0..AGAIN {
            self.tell_once(lapse);
            if let Some(parting) = parting.take() {
                parting.see_out().await;
            }
            let (again, before) = self.once_more(place).await;
            let Some(again) = again else {
                return is_answer(row.outcome).then_some(Probed::Row(row, None));
            };
            let (again, again_parting) = again.into_row(place);
            if is_pushback(&again) {
                self.agenda().pushed_back(place.ip);
            }
            (row, parting) = (better(row, again), again_parting);
            match self.prober.lapse_since(before) {
                Some(then) if is_spoilt_again(row.outcome, then) => lapse = then,
                Some(_) | None => return Some(Probed::Row(row, parting)),
            }
        }
        Some(Probed::Row(unheard(row, place, lapse), parting))
    }

    /// Probes at the next turn, if a request to stop does not come first; and what had befallen this machine before.
    async fn once_more(&self, place: &Place) -> (Option<Probed<N::Stream>>, Lapses) {
        let turn = match self.prober.has_way().await {
            Some(()) => self.agenda().again(place.ip).await,
            None => None,
        };
        let before = self.prober.lapses();
        let again = match turn {
            Some(()) => self.prober.probe(place, Turn::First).await,
            None => None,
        };
        (again, before)
    }

    /// Everything that was under way comes here; people are told once.
    fn tell_once(&self, lapse: Lapse) {
        let notice = match lapse {
            Lapse::Slept => Notice::Slept,
            Lapse::StoodStill(length) => Notice::StoodStill { length },
            // That was told when it began.
            Lapse::CutOff => return,
        };
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if told_at.is_none_or(|at| now - at >= TELL_EVERY) {
            *told_at = Some(now);
            self.agenda().tell(notice);
        }
    }
}
