//! Rows to their outputs, on a thread of its own: a disk or a pipe that stalls must not stop a clock.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::ReadyChunks;
use hailer::{Checkpoint, Mark, Observation, Observations, Tally};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::keeper::Keeper;
use super::outputs::Outputs;

/// How often waiting rows are looked at, so that none waits much longer than its second.
const LOOK: Duration = Duration::from_millis(250);

/// Rows taken at once.
const BATCH: usize = 512;

/// After each batch the writer rests as long: a wake-up for every row would cost more than the row.
const REST: Duration = Duration::from_millis(5);

/// When endpoints under way are waited for no longer, how long rows that are finished may take to be handed on.
const HANDING_ON: Duration = Duration::from_millis(50);

/// And how long all of them, while more become finished.
const HANDING_ON_IN_ALL: Duration = Duration::from_millis(500);

/// How often it is kept how far the scan is: what a kill or a loss of power costs is probed again.
const MARK: Duration = Duration::from_secs(1);

/// How writing ended.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) tally: Tally,
    /// How much time all runs have taken.
    pub(super) elapsed: Duration,
    pub(super) result: io::Result<()>,
}

/// Where rows are recorded, and how far that is.
pub(super) struct Record {
    outputs: Outputs,
    keeper: Option<Keeper>,
    tally: Tally,
    /// How much time earlier runs took.
    before: Duration,
    began: Instant,
    marked: Instant,
    mark_every: Duration,
}

impl Record {
    /// Going on from a mark, which is kept already if there is a keeper.
    pub(super) fn new(outputs: Outputs, keeper: Option<Keeper>, from: &Mark) -> Self {
        let now = Instant::now();
        let (tally, before) = (from.tally.clone(), from.elapsed);
        Self { outputs, keeper, tally, before, began: now, marked: now, mark_every: MARK }
    }

    fn elapsed(&self) -> Duration {
        self.before.saturating_add(self.began.elapsed())
    }

    fn take(&mut self, rows: &[Box<Observation>]) -> io::Result<()> {
        for row in rows {
            self.outputs.write(row)?;
            self.tally.count(row);
        }
        self.outputs.flush_if_due()
    }

    /// How far it is now. The outputs hold every row that the stream has handed out, and the checkpoint is taken before it
    /// hands out another.
    fn mark(&mut self, checkpoint: impl FnOnce() -> Checkpoint) -> io::Result<Mark> {
        let lengths = self.outputs.mark()?;
        Ok(Mark { lengths, elapsed: self.elapsed(), tally: self.tally.clone(), checkpoint: checkpoint() })
    }

    fn mark_if_due(&mut self, checkpoint: impl FnOnce() -> Checkpoint) -> io::Result<()> {
        let now = Instant::now();
        if self.keeper.is_none() || now.saturating_duration_since(self.marked) < self.mark_every {
            return Ok(());
        }
        self.marked = now;
        let mark = self.mark(checkpoint)?;
        self.keeper.as_mut().map_or(Ok(()), |keeper| keeper.offer(mark))
    }

    /// Writes out what waits, and has it kept how far that is. After a failure nothing is: what is lost lies behind the
    /// last mark, where it is probed again.
    fn finish(mut self, recorded: io::Result<()>, checkpoint: impl FnOnce() -> Checkpoint) -> Written {
        let flushed = self.outputs.flush();
        let last = recorded.and(flushed).and_then(|()| self.mark(checkpoint));
        let elapsed = self.elapsed();
        // Closing a file that is full tries once more. The program ends when it hears from us, and must not cut that short
        // between a torn row and its removal.
        let Self { outputs, keeper, tally, .. } = self;
        drop(outputs);
        let (result, mark) = match last {
            Ok(mark) => (Ok(()), Some(mark)),
            Err(error) => (Err(error), None),
        };
        let kept = keeper.map_or(Ok(()), |keeper| keeper.finish(mark));
        Written { tally, elapsed, result: result.and(kept) }
    }
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Recorder {
    /// Comes when all is written, or nothing more can be.
    pub(super) ended: oneshot::Receiver<Written>,
    abandon: Arc<Notify>,
}

impl Recorder {
    /// Writes every row of `rows` to every output until there are no more, or one output fails, which ends the scan.
    pub(super) fn start(rows: Observations, record: Record, runtime: Handle) -> io::Result<Self> {
        let abandon = Arc::new(Notify::new());
        let (tell, ended) = oneshot::channel();
        let abandoned = Arc::clone(&abandon);
        thread::Builder::new().name("writer".into()).spawn(move || {
            let written = record_all(rows, record, &runtime, &abandoned);
            // If nobody listens any longer the program is ending.
            drop(tell.send(written));
        })?;
        Ok(Self { ended, abandon })
    }

    /// Waits no longer for endpoints under way; rows that are there are still written.
    pub(super) fn abandon(&self) {
        self.abandon.notify_one();
    }
}

fn record_all(rows: Observations, mut record: Record, runtime: &Handle, abandoned: &Notify) -> Written {
    // A chunk holds nothing back: what it has taken out of the stream is what it hands on.
    let mut batches = rows.ready_chunks(BATCH);
    let recorded = record_batches(&mut batches, &mut record, runtime, abandoned);
    // A scan that had to end is not done, and its last mark stands.
    let failure = batches.get_ref().failure().map(|words| io::Error::other(words.to_owned()));
    let recorded = recorded.and(failure.map_or(Ok(()), Err));
    record.finish(recorded, || batches.get_mut().checkpoint())
}

fn record_batches(
    batches: &mut ReadyChunks<Observations>,
    record: &mut Record,
    runtime: &Handle,
    abandoned: &Notify,
) -> io::Result<()> {
    loop {
        let next = runtime.block_on(async {
            tokio::select! {
                biased;
                () = abandoned.notified() => Next::Abandoned,
                batch = batches.next() => batch.map_or(Next::End, Next::Batch),
                () = tokio::time::sleep(LOOK) => Next::Batch(Vec::new()),
            }
        });
        match next {
            Next::Batch(batch) => {
                record.take(&batch)?;
                record.mark_if_due(|| batches.get_mut().checkpoint())?;
                if !batch.is_empty() {
                    thread::sleep(REST);
                }
            }
            Next::End => return Ok(()),
            Next::Abandoned => {
                // Slots whose rows found no room hand them on as room is made, which takes them a turn.
                let until = Instant::now() + HANDING_ON_IN_ALL;
                while Instant::now() < until
                    && let Ok(Some(batch)) = runtime.block_on(async { timeout(HANDING_ON, batches.next()).await })
                {
                    record.take(&batch)?;
                }
                return Ok(());
            }
        }
    }
}

enum Next {
    #[expect(clippy::vec_box, reason = "rows come in boxes, and are not moved out of them")]
    Batch(Vec<Box<Observation>>),
    End,
    Abandoned,
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
