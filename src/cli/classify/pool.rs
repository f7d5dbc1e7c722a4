//! Threads that name greetings, each a batch at a time; what they wrote is handed on in the order of the batches.

use std::io::{self, StdoutLock, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, available_parallelism};

use hailer::output::escape::inert;

use super::super::{Failure, tell};
use super::framing::Batch;
use super::tally::Tally;
use super::work::{Done, Work};

/// More would wait for the one that reads.
const MAX_THREADS: usize = 16;

/// The threads, and where their rows go.
#[derive(Debug)]
pub(super) struct Pool {
    /// A batch is given to one after the other, so that the oldest result is always known to be whose.
    lanes: Vec<Lane>,
    given: usize,
    taken: usize,
    stdout: StdoutLock<'static>,
    tally: Tally,
    /// Why nothing more is written.
    over: Option<Over>,
}

#[derive(Debug)]
struct Lane {
    batches: SyncSender<Batch>,
    done: Receiver<Done>,
}

#[derive(Debug)]
enum Over {
    NotWritten(io::Error),
    /// A thread is gone, which is a defect.
    Lost,
}

impl Pool {
    /// As many threads as the machine runs at once. They end with the pool.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, work: &'scope Work) -> io::Result<Self> {
        let count = available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let start = |_| {
            let (batches, given) = sync_channel::<Batch>(1);
            let (finished, done) = sync_channel(1);
            let lane = move || {
                let mut worker = work.begin();
                while let Ok(batch) = given.recv() {
                    if finished.send(worker.classify(&batch)).is_err() {
                        return;
                    }
                }
            };
            Builder::new().spawn_scoped(scope, lane).map(|_| Lane { batches, done })
        };
        let lanes = (0..count).map(start).collect::<io::Result<_>>()?;
        Ok(Self { lanes, given: 0, taken: 0, stdout: io::stdout().lock(), tally: Tally::default(), over: None })
    }

    /// Whether nothing more is written, so that nothing more need be read.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Gives a batch to the next thread, once that is free.
    pub(super) fn give(&mut self, batch: Batch) {
        if batch.is_empty() || self.is_over() {
            return;
        }
        if self.given - self.taken == self.lanes.len() {
            self.take();
        }
        let lane = &self.lanes[self.given % self.lanes.len()];
        match lane.batches.send(batch) {
            Ok(()) => self.given += 1,
            Err(_) => self.over = Some(Over::Lost),
        }
    }

    /// Writes all that was given.
    pub(super) fn drain(&mut self) {
        while self.taken < self.given && !self.is_over() {
            self.take();
        }
        if let (Err(error), None) = (self.stdout.flush(), &self.over) {
            self.over = Some(Over::NotWritten(error));
        }
    }

    /// Writes all, and says what came of it; nothing, where whoever read it went away.
    pub(super) fn end(mut self) -> Result<Option<Tally>, Failure> {
        self.drain();
        match self.over {
            None => Ok(Some(self.tally)),
            Some(Over::NotWritten(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
            Some(Over::NotWritten(error)) => Err(Failure::failed(format!("cannot write to stdout: {error}"))),
            Some(Over::Lost) => Err(Failure::failed("a thread ended before its time: this is a defect")),
        }
    }

    /// Writes the oldest batch that is not written yet.
    fn take(&mut self) {
        if self.is_over() {
            return;
        }
        let Ok(done) = self.lanes[self.taken % self.lanes.len()].done.recv() else {
            self.over = Some(Over::Lost);
            return;
        };
        self.taken += 1;
        for (line, problem) in &done.problems {
            let words = format!("{}:{line}: {problem}", done.source.name);
            tell(format_args!("hailer: {}", inert(words.into())));
        }
        self.tally.add(done.tally);
        if let Err(error) = self.stdout.write_all(done.rows.as_bytes()) {
            self.over = Some(Over::NotWritten(error));
        }
    }
}
