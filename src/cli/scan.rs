//! `hailer scan`.

use std::time::{Duration, Instant};

use hailer::Observations;
use hailer::output::RowWriter;
use indicatif::HumanCount;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot::error::RecvError;
use tokio::time::{sleep, timeout};

use super::args::ScanArgs;
use super::display::Display;
use super::plan::Plan;
use super::progress::Progress;
use super::record::{Outputs, Recorder, Written};
use super::signals::Signals;
use super::{Ended, Failure, summary, tell};

/// After a request to stop, how long endpoints under way may take.
const DRAIN: Duration = Duration::from_secs(10);

/// After a second request, how long an output that takes nothing is waited for; after the first, a terminal.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) fn run(args: ScanArgs) -> Result<Ended, Failure> {
    raise_open_file_limit();
    sweep(Plan::new(args)?, None)
}

/// Does what is planned; a witness is shown every row as well.
pub(super) fn sweep(plan: Plan, witness: Option<Box<dyn RowWriter>>) -> Result<Ended, Failure> {
    let runtime = runtime(&plan)?;
    let progress = Progress::new(plan.scan.endpoints(), plan.quiet);
    let mut outputs = Outputs::open(&plan.outputs, plan.overwrite, progress.bar())?;
    outputs.extend(witness);
    if !plan.quiet {
        announce(&plan);
    }
    let started = Instant::now();
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| cannot_start(&error))?;
        let rows = plan.scan.run();
        let stats = rows.stats();
        let display = Display::start(progress, rows.stats()).map_err(|error| cannot_start(&error))?;
        let recorded = supervise(rows, outputs, &display, &mut signals).await;
        if let Ok((_, written)) = &recorded {
            display.say(summary::render(&stats, &written.tally, started.elapsed()).trim_end().to_owned());
        }
        let in_haste = !matches!(recorded, Ok((Ended::Done, _)));
        tokio::select! {
            () = display.finish() => {}
            // Whoever stopped the terminal may want to read on, or may want to leave.
            () = signals.next() => {}
            () = sleep(LAST_WORDS), if in_haste => {}
        }
        let (ended, written) = recorded?;
        written.result.map_err(Failure::failed).map(|()| ended)
    });
    // Dropping it would wait for names that are still being looked up, for as long as the system's resolver likes.
    runtime.shutdown_background();
    ended
}

/// Drives the scan to its end, or to the end that a signal asks for.
async fn supervise(
    rows: Observations,
    outputs: Outputs,
    display: &Display,
    signals: &mut Signals,
) -> Result<(Ended, Written), Failure> {
    let (stats, stop) = (rows.stats(), rows.stopper());
    let mut recorder =
        Recorder::start(rows, outputs, tokio::runtime::Handle::current()).map_err(|error| cannot_start(&error))?;
    let asked_to_stop = tokio::select! {
        biased;
        ended = &mut recorder.ended => return recorded(ended, Ended::Done),
        () = signals.next() => {
            stop.stop();
            let (in_flight, most) = (stats.in_flight(), DRAIN.as_secs());
            display.say(format!("stopping: {in_flight} under way, at most {most} s; once more to stop at once"));
            // What was under way may have been the rest.
            || if stats.done() < stats.total() { Ended::Stopped } else { Ended::Done }
        }
    };
    tokio::select! {
        ended = drain(&mut recorder) => recorded(ended, asked_to_stop()),
        () = signals.next() => {
            recorder.abandon();
            match timeout(LAST_WORDS, &mut recorder.ended).await {
                Ok(ended) => recorded(ended, asked_to_stop()),
                Err(_) => Err(Failure::failed("an output takes nothing: the rows that it has not taken are lost")),
            }
        }
    }
}

/// Waits for endpoints under way, not for ever, and for the writer.
async fn drain(recorder: &mut Recorder) -> Result<Written, RecvError> {
    if let Ok(ended) = timeout(DRAIN, &mut recorder.ended).await {
        return ended;
    }
    recorder.abandon();
    (&mut recorder.ended).await
}

/// What came of it, as the writer tells.
fn recorded(ended: Result<Written, RecvError>, as_asked: Ended) -> Result<(Ended, Written), Failure> {
    let written = ended.map_err(|_| Failure::failed("the writer ended before its time: this is a defect"))?;
    Ok((as_asked, written))
}

fn announce(plan: &Plan) {
    if plan.left_out > 0 {
        tell(format_args!("left out, being of the other address family: {} of the targets", plan.left_out));
    }
    let endpoints = plan.scan.endpoints();
    let noun = if endpoints == 1 { "endpoint" } else { "endpoints" };
    let slots = u64::try_from(plan.scan.concurrency().get()).unwrap_or(u64::MAX).min(endpoints);
    tell(format_args!("{} {noun}, {slots} at once, seed {}", HumanCount(endpoints), plan.scan.seed()));
}

fn runtime(plan: &Plan) -> Result<Runtime, Failure> {
    // One thread needs no stealing and no locks between threads.
    let mut builder = if plan.threads == 1 {
        Builder::new_current_thread()
    } else {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(plan.threads.into());
        builder
    };
    builder.enable_all().build().map_err(|error| cannot_start(&error))
}

/// Takes as many open files as the machine's owner allows; where that fails, what is allowed already must do.
pub(super) fn raise_open_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // macOS names no hard limit at all, and grants no more than its OPEN_MAX.
        let wished = [hard, hard.min(10_240)].into_iter().filter(|limit| *limit > soft);
        wished.map(|limit| setrlimit(Resource::RLIMIT_NOFILE, limit, hard)).find(Result::is_ok);
    }
}

/// What the machine did not give us to begin with: files, signals, a thread.
fn cannot_start(error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot start: {error}; see what `ulimit -a` allows"))
}
