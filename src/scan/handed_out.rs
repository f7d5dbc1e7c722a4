//! The rows of a running scan, as they are handed out.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::notice::Notice;
use crate::observation::Observation;
use crate::schedule::{Agenda, Checkpoint, Done, Pause, Stop, Ticket};
use crate::stats::Stats;
use crate::target::AnswerBook;

/// Rows that are handed out before they count as done. What asks for a checkpoint, or for a row that is not there yet, has
/// all of them counted.
const SETTLED_AT_ONCE: usize = 256;

/// The rows of a running scan. Dropping it stops the scan.
#[derive(Debug)]
pub struct Observations {
    pub(super) rows: mpsc::Receiver<(Ticket, Box<Observation>)>,
    pub(super) slots: JoinSet<()>,
    pub(super) agenda: Arc<Agenda>,
    /// What was handed out and does not count as done yet.
    pub(super) handed_out: Vec<Done>,
    pub(super) notices: Option<mpsc::Receiver<Notice>>,
    /// Ends when it is known whether every canary answers.
    pub(super) hailing: mpsc::Receiver<Infallible>,
    /// Goes after the slots: what nobody began must not begin as it ends.
    pub(super) standing_by: Option<Pause>,
}

/// What names led to, where that is kept for another run.
#[derive(Debug, Clone)]
pub struct NamesLog(pub(super) Arc<AnswerBook>);

impl NamesLog {
    /// Sees every answer so far onto the disk. It may take long, and keeps nobody else waiting.
    ///
    /// # Errors
    /// What the system says, and which file it is.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Observations {
    /// Waits until every canary has answered once; false where one does not, or the scan is to stop.
    pub async fn hailed(&mut self) -> bool {
        while self.hailing.recv().await.is_some() {}
        !self.agenda.stop().is_asked()
    }

    /// Begins what stands by ([`crate::Scan::stand_by`]).
    pub fn begin(&mut self) {
        self.standing_by = None;
    }

    /// What the scan has done so far.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(self.agenda.stats())
    }

    /// What asks the scan to begin nothing new.
    pub fn stopper(&self) -> Stop {
        self.agenda.stop().clone()
    }

    /// What befalls the scan as a whole, for whoever asks first.
    pub fn notices(&mut self) -> Option<mpsc::Receiver<Notice>> {
        self.notices.take()
    }

    /// Why the scan had to end before its time, if it had to.
    pub fn failure(&self) -> Option<&str> {
        self.agenda.targets().failure()
    }

    /// Where another run goes on if this one ends now: every row that the stream has handed out is done, and none that it
    /// has not.
    pub fn checkpoint(&mut self) -> Checkpoint {
        self.settle();
        self.agenda.checkpoint()
    }

    /// Has what was handed out counted as done: some at a time, because slots need the same lock.
    fn settle(&mut self) {
        if !self.handed_out.is_empty() {
            self.agenda.finish_all(self.handed_out.drain(..));
        }
    }
}

impl Stream for Observations {
    type Item = Box<Observation>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Box<Observation>>> {
        match self.rows.poll_recv(cx) {
            Poll::Ready(Some((ticket, row))) => {
                self.handed_out.push(Done::of(ticket, &row));
                if self.handed_out.len() >= SETTLED_AT_ONCE {
                    self.settle();
                }
                return Poll::Ready(Some(row));
            }
            Poll::Ready(None) => self.settle(),
            Poll::Pending => {
                self.settle();
                return Poll::Pending;
            }
        }
        // All slots have ended; one that panicked has lost a row, which must not pass for the end of the scan.
        while let Some(ended) = ready!(self.slots.poll_join_next(cx)) {
            if let Some(panic) = ended.err().filter(tokio::task::JoinError::is_panic) {
                std::panic::resume_unwind(panic.into_panic());
            }
        }
        Poll::Ready(None)
    }
}
