//! What becomes of an endpoint that was probed: nothing, another try, or a row that is finished and handed on.
//!
//! Nearly all of a range is refused or dark and has no row, and of nearly all rows nothing more is to be asked: for both a
//! slot waits for nothing, and makes no room for what it would wait for.

use tokio::time::Instant;

use super::again::{Fate, tell_of_the_first};
use super::row::{is_pushback, later};
use super::{BUSY, Rows, Run, Unwanted};
use crate::classify::fronting::Glimpse;
use crate::observation::{Again, Observation, Outcome, Vantage};
use crate::probe::{Network, Parting, Probed};
use crate::schedule::{Done, Named, Task, Ticket, Underway, Work};

/// What a slot still has to do about its endpoint.
pub(super) enum Left<N: Network> {
    Row(Told<N>),
    Name(Underway, Named),
}

/// A row that is not finished yet, and a connection that may have to be seen out.
pub(super) struct Told<N: Network> {
    underway: Underway,
    task: Task,
    row: Box<Observation>,
    parting: Option<Parting<N::Stream>>,
    /// Whether it was probed just now.
    is_new: bool,
}

impl<N: Network> Run<N> {
    /// What work comes to; none where there is no row, or not yet.
    pub(super) fn come_to(&self, work: Work, probed: Option<Probed<N::Stream>>) -> Option<Left<N>> {
        let (underway, mut task) = match work {
            Work::Probe(underway, task) => (underway, task),
            Work::Resolve(underway, named) => return Some(Left::Name(underway, named)),
        };
        let Some(probed) = probed else {
            // A request to stop came before its turn. It stays undone, unless there is a row of before.
            let row = task.earlier.take()?;
            return Some(Left::Row(Told { underway, task, row, parting: None, is_new: false }));
        };
        let Fate::Final(task) = self.try_again(probed.again(), probed.attempts(), task) else { return None };
        let is_nothing = matches!(probed, Probed::Nothing(_)) && task.earlier.is_none() && !task.put_back;
        if is_nothing && !self.is_wanted(probed.outcome()) {
            self.agenda().stats().sweep().pass(task.place.ip, task.place.port);
            underway.finish(Done::without_row(&task, probed.outcome(), probed.again()));
            return None;
        }
        Some(Left::Row(self.tell(underway, task, probed)))
    }

    /// Makes a row of what a probe came to, and of what is known of before.
    fn tell(&self, underway: Underway, mut task: Task, probed: Probed<N::Stream>) -> Told<N> {
        let (mut row, parting) = probed.into_row(&task.place);
        row.retries = task.retries;
        row.attempts += task.attempts;
        if task.put_back && !row.outcome.is_row() {
            tell_of_the_first(&mut row);
        }
        let is_known = task.earlier.is_some() || task.put_back;
        if is_pushback(&row) || is_known && row.outcome == Outcome::Refused {
            self.agenda().pushed_back(task.place.ip);
        } else if row.outcome == Outcome::Greeted {
            self.agenda().went_well(task.place.ip);
        }
        if let Some(earlier) = task.earlier.take() {
            row = later(earlier, row);
        }
        Told { underway, task, row, parting, is_new: true }
    }

    /// Finishes and hands on a row for which nothing has to be waited; gives back what else there is.
    pub(super) fn at_once(&self, left: Left<N>, rows: &Rows) -> Option<Left<N>> {
        let Left::Row(told) = &left else { return Some(left) };
        let waits = told.parting.is_some() || self.is_to_be_left_alone(told) || self.is_worth_more(told);
        match (rows.try_reserve(), left) {
            (Ok(room), Left::Row(told)) if !waits => {
                let ticket = told.task.ticket;
                if let Some(row) = self.finished(ticket, told.row) {
                    room.send((ticket, row));
                }
                None
            }
            (Ok(_) | Err(_), left) => Some(left),
        }
    }

    /// Does what is left to be done.
    pub(super) async fn conclude(&self, left: Left<N>, rows: &Rows) -> Result<(), Unwanted> {
        let told = match left {
            Left::Row(told) => told,
            Left::Name(underway, named) => return Box::pin(self.resolve(underway, named, rows)).await,
        };
        if self.is_to_be_left_alone(&told) {
            self.leave_alone(told).await;
            return Ok(());
        }
        let looks_further = self.is_worth_more(&told);
        let Told { underway, task, mut row, mut parting, .. } = told;
        if looks_further {
            Box::pin(self.look_further(&task.place, &mut row, parting.take())).await;
        }
        // The peer's second runs on while a slow consumer makes us wait.
        let handed_on = self.hand_on(task.ticket, row, rows);
        let handed_on = match parting {
            Some(parting) => tokio::join!(handed_on, parting.see_out()).0,
            None => handed_on.await,
        };
        drop(underway);
        handed_on
    }

    /// Whether a server is busy and is to be tried again later.
    fn is_to_be_left_alone(&self, told: &Told<N>) -> bool {
        let is_busy = told.row.outcome == Outcome::Greeted && matches!(told.row.code, Some(120 | 421));
        is_busy && told.task.busy < self.settings.retry_busy && !self.agenda().stop().is_asked()
    }

    /// Whether there is more to be seen of it than one probe shows. Of what comes after a request to stop there is not.
    fn is_worth_more(&self, told: &Told<N>) -> bool {
        told.is_new && self.settings.further.is_worth_it(&told.row)
    }

    /// Puts a server that is busy where it waits to be tried again.
    async fn leave_alone(&self, told: Told<N>) {
        let Told { underway, task, row, parting, .. } = told;
        if let Some(parting) = parting {
            parting.see_out().await;
        }
        let Task { ticket, place, busy, retries, put_back, .. } = task;
        let not_before = Instant::now() + BUSY * 2u32.saturating_pow(busy);
        let task = Task { earlier: Some(row), busy: busy + 1, retries, put_back, ..Task::fresh(ticket, place) };
        self.agenda().put(task, Some(not_before.into_std()));
        // Not before: there must be no moment in which the scan seems over.
        drop(underway);
    }

    /// Finishes a row, and hands it on where it is wanted.
    pub(super) async fn hand_on(&self, ticket: Ticket, row: Box<Observation>, rows: &Rows) -> Result<(), Unwanted> {
        match self.finished(ticket, row) {
            Some(row) => rows.send((ticket, row)).await.map_err(|_| Unwanted),
            None => Ok(()),
        }
    }

    /// Finishes a row; none where it is not wanted, which counts as done.
    fn finished(&self, ticket: Ticket, mut row: Box<Observation>) -> Option<Box<Observation>> {
        if !self.is_wanted(row.outcome) && row.again != Some(Again::CutShort) {
            self.learn(&row);
            self.agenda().finish(Done::of(ticket, &row));
            return None;
        }
        let vantage = self.vantage(&row);
        self.settings.classifier.classify_from(&mut row, &vantage);
        self.learn(&row);
        Some(row)
    }

    /// From where others see us, for rows in which that may be said: by a mail server, to EHLO or as it greets.
    fn vantage(&self, row: &Observation) -> Vantage {
        let may_tell = !row.service.is_ftp() && row.outcome == Outcome::Greeted;
        let Some(ip) = row.ip.filter(|_| may_tell) else { return Vantage::default() };
        let usual = self.agenda().stats().sweep().usual(ip);
        Vantage { ours: self.settings.our_addresses.clone(), usual }
    }

    /// Puts a row beside all the others.
    fn learn(&self, row: &Observation) {
        if let Some(glimpse) = Glimpse::of(row) {
            self.agenda().stats().sweep().learn(&glimpse);
        }
    }
}
