//! Rows to their outputs, on a thread of its own: a disk or a pipe that stalls must not stop a clock.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use hailer::output::{Format, RowFile, RowSink, RowWriter};
use hailer::{Observation, Observations, Outcome};
use indicatif::ProgressBar;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::Failure;
use super::plan::Output;

/// How often waiting rows are looked at, so that none waits much longer than its second.
const LOOK: Duration = Duration::from_millis(250);

/// Rows taken at once.
const BATCH: usize = 512;

/// After each batch the writer rests as long: a wake-up for every row would cost more than the row.
const REST: Duration = Duration::from_millis(5);

/// When endpoints under way are waited for no longer, how long rows that are finished may take to be handed on.
const HANDING_ON: Duration = Duration::from_millis(50);

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    /// How many rows of those that greeted named none.
    pub(super) unnamed: u64,
    /// How many rows named which software.
    pub(super) software: BTreeMap<Arc<str>, u64>,
}

/// How writing ended.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) tally: Tally,
    pub(super) result: io::Result<()>,
}

/// All outputs of a scan.
pub(super) struct Outputs(Vec<Box<dyn RowWriter>>);

impl Outputs {
    /// Opens them all; lines for people are written around the progress bar.
    pub(super) fn open(outputs: &[Output], overwrite: bool, bar: &ProgressBar) -> Result<Self, Failure> {
        let open = |output: &Output| -> Result<Box<dyn RowWriter>, Failure> {
            Ok(match output {
                Output::File(path, format) => {
                    Box::new(RowFile::create(path, *format, overwrite).map_err(Failure::failed)?)
                }
                Output::Stdout(format) if *format == Format::Text || io::stdout().is_terminal() => {
                    Box::new(RowSink::over(*format, "stdout", AroundBar(bar.clone())))
                }
                Output::Stdout(format) => Box::new(RowSink::over(*format, "stdout", io::stdout())),
            })
        };
        outputs.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Adds others that are shown every row.
    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = Box<dyn RowWriter>>) {
        self.0.extend(more);
    }

    fn write(&mut self, row: &Observation) -> io::Result<()> {
        self.each(|output| output.write(row))
    }

    fn flush_if_due(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.each(|output| output.flush_if_due(now))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.each(|output| output.flush())
    }

    /// Has its turn with every output, also after one has failed; the first error is told.
    fn each(&mut self, turn: impl FnMut(&mut Box<dyn RowWriter>) -> io::Result<()>) -> io::Result<()> {
        self.0.iter_mut().map(turn).fold(Ok(()), Result::and)
    }
}

/// Writes to a terminal that also shows a progress bar.
struct AroundBar(ProgressBar);

impl Write for AroundBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.suspend(|| io::stdout().flush())
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
    pub(super) fn start(rows: Observations, mut outputs: Outputs, runtime: Handle) -> io::Result<Self> {
        let abandon = Arc::new(Notify::new());
        let (tell, ended) = oneshot::channel();
        let abandoned = Arc::clone(&abandon);
        thread::Builder::new().name("writer".into()).spawn(move || {
            let mut tally = Tally::default();
            let recorded = record(rows, &mut outputs, &runtime, &abandoned, &mut tally);
            let flushed = outputs.flush();
            // Closing a file that is full tries once more. The program ends when it hears from us, and must not cut that short
            // between a torn row and its removal.
            drop(outputs);
            // If nobody listens any longer the program is ending.
            drop(tell.send(Written { tally, result: recorded.and(flushed) }));
        })?;
        Ok(Self { ended, abandon })
    }

    /// Waits no longer for endpoints under way; rows that are there are still written.
    pub(super) fn abandon(&self) {
        self.abandon.notify_one();
    }
}

fn record(
    rows: Observations,
    outputs: &mut Outputs,
    runtime: &Handle,
    abandoned: &Notify,
    tally: &mut Tally,
) -> io::Result<()> {
    let mut batches = rows.ready_chunks(BATCH);
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
                write_all(&batch, outputs, tally)?;
                outputs.flush_if_due()?;
                if !batch.is_empty() {
                    thread::sleep(REST);
                }
            }
            Next::End => return Ok(()),
            Next::Abandoned => {
                // Slots whose rows found no room hand them on as room is made, which takes them a turn.
                while let Ok(Some(batch)) = runtime.block_on(async { timeout(HANDING_ON, batches.next()).await }) {
                    write_all(&batch, outputs, tally)?;
                }
                return Ok(());
            }
        }
    }
}

enum Next {
    Batch(Vec<Observation>),
    End,
    Abandoned,
}

fn write_all(rows: &[Observation], outputs: &mut Outputs, tally: &mut Tally) -> io::Result<()> {
    for row in rows {
        outputs.write(row)?;
        tally.rows += 1;
        match &row.software {
            Some(software) => *tally.software.entry(Arc::clone(&software.name)).or_default() += 1,
            None => tally.unnamed += u64::from(row.outcome == Outcome::Greeted),
        }
    }
    Ok(())
}
