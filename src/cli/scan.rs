//! `hailer scan`.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use hailer::output::RowWriter;
use hailer::output::escape::escape;
use hailer::{Mark, NamesLog, Notice, Observations, Shard, Stats, Tally};
use indicatif::HumanCount;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::{sleep, timeout};

use super::args::ScanArgs;
use super::display::{Display, Speaker};
use super::keeper::Keeper;
use super::kept::Kept;
use super::look::Tone;
use super::outputs::Outputs;
use super::plan::Plan;
use super::progress::Progress;
use super::record::{Record, Recorder, Written};
use super::signals::Signals;
use super::summary::Summary;
use super::{Ended, Failure, list, reports, tell};

/// What the runtime takes, and what a file of rows does, with its lock and what is kept beside it.
const OPEN_FILES: usize = 6;
const OPEN_FILES_OF_OUTPUT: usize = 5;

/// After a request to stop, how long endpoints under way may take.
const DRAIN: Duration = Duration::from_secs(10);

/// After a second request, how long an output that takes nothing is waited for; after the first, a terminal.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) fn run(args: ScanArgs) -> Result<Ended, Failure> {
    if args.list {
        return list::run(&args);
    }
    raise_open_file_limit();
    let files = args.output.iter().filter(|path| *path != Path::new("-")).count();
    has_open_files(files).map_err(|error| cannot_start(&error))?;
    sweep(Plan::new(args)?, None)
}

/// Does what is planned; a witness is shown every row as well.
pub(super) fn sweep(mut plan: Plan, witness: Option<Box<dyn RowWriter>>) -> Result<Ended, Failure> {
    let runtime = runtime(&plan)?;
    // Before anything is begun that nobody would end.
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen().map_err(|error| cannot_start(&error))?
    };
    let from = plan.kept.as_ref().map(|kept| kept.journal.mark.clone()).unwrap_or_default();
    let done_before = from.checkpoint.done();
    let progress = Progress::new(plan.scan.endpoints(), done_before, plan.quiet);
    let opened = Outputs::open(&mut plan.destination, &plan.layouts, progress.bar());
    let (mut outputs, handles) = opened.inspect_err(|_| plan.destination.take_back())?;
    // What a witness is there for cannot be repeated.
    let goes_on = witness.is_none();
    outputs.extend(witness);
    let announcement = (!plan.quiet).then(|| announcement(&plan, &from));
    // What is left of the plan holds the locks on the outputs.
    let Plan { scan, mut kept, destination, .. } = plan;
    let started = Instant::now();
    let ended = runtime.block_on(async {
        let opened = Opened { outputs, handles, names: scan.names_log() };
        let mut rows = scan.stand_by();
        let stats = rows.stats();
        let begun = begin(&mut rows, opened, &mut kept, &mut signals).await;
        announcement.filter(|_| matches!(begun, Ok(Some(_)))).into_iter().for_each(tell);
        let display = Display::start(progress, rows.stats()).map_err(|error| cannot_start(&error))?;
        let mut notices = tokio::spawn(pass_on(rows.notices(), display.speaker()));
        let recorded = match begun {
            Ok(Some((outputs, keeper))) => {
                supervise(rows, Record::new(outputs, keeper, &from), &display, &mut signals).await.map(Some)
            }
            Ok(None) => {
                // Hails that are under way.
                drop(timeout(LAST_WORDS, rows.count()).await);
                Ok(None)
            }
            Err(failure) => {
                drop(rows);
                Err(failure)
            }
        };
        // What befell the scan is told before what it came to. Nothing more can come, once its slots are gone.
        if timeout(LAST_WORDS, &mut notices).await.is_err() {
            notices.abort();
        }
        let recorded = match recorded {
            Ok(Some(recorded)) => conclude(kept.as_ref(), &stats, recorded, (&display, &mut signals)).await.map(Some),
            Ok(None) if stats.is_canary_dead() => Err(Failure::failed(
                "a canary does not answer: see that it is up, and the path to it; nothing was begun",
            )),
            Ok(None) => {
                display.say("stopped: nothing was begun".to_owned());
                Ok(None)
            }
            Err(failure) => Err(failure),
        };
        if let Ok(Some((_, tally))) = &recorded {
            let summary =
                Summary { stats: &stats, tally, elapsed: started.elapsed(), done_before, tone: Tone::of_stderr() };
            display.say(summary.render().trim_end().to_owned());
        }
        let ended = recorded.map(|recorded| recorded.map_or(Ended::Stopped, |(ended, _)| ended));
        let left = kept.as_ref().filter(|kept| goes_on && kept.has_journal);
        if let Some(kept) = left.filter(|_| !matches!(ended, Ok(Ended::Done))) {
            display.say(kept.go_on());
        }
        // Also where it came while the last row was written, and everything is done.
        let is_to_end = signals.came() || !matches!(ended, Ok(Ended::Done));
        tokio::select! {
            () = display.finish() => {}
            // Whoever stopped the terminal may want to read on, or may want to leave.
            () = signals.next() => {}
            () = sleep(LAST_WORDS), if is_to_end => {}
        }
        if kept.is_some_and(|kept| !kept.has_journal) {
            destination.take_back();
        }
        ended
    });
    // Dropping it would wait for names that are still being looked up, for as long as the system's resolver likes.
    runtime.shutdown_background();
    ended
}

/// The outputs, in which all is still as it was.
struct Opened {
    outputs: Outputs,
    /// Of those that are files.
    handles: Vec<File>,
    names: Option<NamesLog>,
}

/// Has the canaries answer, the outputs taken over, and then the scan begun; none where it is not to begin.
async fn begin(
    rows: &mut Observations,
    opened: Opened,
    kept: &mut Option<Kept>,
    signals: &mut Signals,
) -> Result<Option<(Outputs, Option<Keeper>)>, Failure> {
    let is_hailed = tokio::select! {
        biased;
        is_hailed = rows.hailed() => is_hailed,
        () = signals.next() => false,
    };
    if !is_hailed {
        rows.stopper().stop();
        return Ok(None);
    }
    let Opened { mut outputs, handles, names } = opened;
    let Some(mut keeping) = kept.take() else {
        rows.begin();
        return Ok(Some((outputs, None)));
    };
    // A disk that takes its time stops no clock.
    let taking_over = tokio::task::spawn_blocking(move || {
        let disk = keeping.begin(&mut outputs, handles, names);
        (keeping, outputs, disk)
    });
    let taken = taking_over.await;
    let (keeping, outputs, disk) =
        taken.map_err(|_| Failure::failed("what takes the outputs over ended before its time: this is a defect"))?;
    let journal = kept.insert(keeping).journal.clone();
    let keeper = Keeper::start(disk?, journal).map_err(|error| cannot_start(&error))?;
    rows.begin();
    Ok(Some((outputs, Some(keeper))))
}

/// Says what befalls the scan as a whole.
async fn pass_on(notices: Option<mpsc::Receiver<Notice>>, speaker: Speaker) {
    let Some(mut notices) = notices else { return };
    while let Some(notice) = notices.recv().await {
        speaker.say(notice.to_string());
    }
}

/// What the end means; a scan that is done leaves what is made of all rows, and its manifest.
async fn conclude(
    kept: Option<&Kept>,
    stats: &Stats,
    (ended, written): (Ended, Written),
    (display, signals): (&Display, &mut Signals),
) -> Result<(Ended, Tally), Failure> {
    let Written { tally, elapsed, result } = written;
    result.map_err(Failure::failed)?;
    let Some(kept) = kept.filter(|_| ended == Ended::Done) else { return Ok((ended, tally)) };
    let now = SystemTime::now();
    for made in kept.reports() {
        display.say(format!("writing {}", escape(made.path.as_os_str().as_bytes())));
        if reports::make(made, kept, now, signals).await? == Ended::Stopped {
            return Ok((Ended::Stopped, tally));
        }
    }
    kept.end(stats, &tally, elapsed).map_err(Failure::failed)?;
    Ok((ended, tally))
}

/// Drives the scan to its end, or to the end that a signal asks for.
async fn supervise(
    rows: Observations,
    record: Record,
    display: &Display,
    signals: &mut Signals,
) -> Result<(Ended, Written), Failure> {
    let (stats, stop) = (rows.stats(), rows.stopper());
    let mut recorder =
        Recorder::start(rows, record, tokio::runtime::Handle::current()).map_err(|error| cannot_start(&error))?;
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
        ended = drain(&mut recorder, display) => recorded(ended, asked_to_stop()),
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
async fn drain(recorder: &mut Recorder, display: &Display) -> Result<Written, RecvError> {
    if let Ok(ended) = timeout(DRAIN, &mut recorder.ended).await {
        return ended;
    }
    recorder.abandon();
    if let Ok(ended) = timeout(LAST_WORDS, &mut recorder.ended).await {
        return ended;
    }
    display.say("an output takes nothing: waiting for it; once more to lose what it has not taken".to_owned());
    (&mut recorder.ended).await
}

/// What came of it, as the writer tells.
fn recorded(ended: Result<Written, RecvError>, as_asked: Ended) -> Result<(Ended, Written), Failure> {
    let written = ended.map_err(|_| Failure::failed("the writer ended before its time: this is a defect"))?;
    Ok((as_asked, written))
}

/// What people are told as it begins.
fn announcement(plan: &Plan, from: &Mark) -> String {
    let Plan { scan, destination, kept, remarks, .. } = plan;
    let endpoints = scan.endpoints();
    let noun = if endpoints == 1 { "endpoint" } else { "endpoints" };
    let shard = scan.shard();
    let shard = if shard == Shard::WHOLE { String::new() } else { format!(" of shard {shard}") };
    let slots = u64::try_from(scan.concurrency().get()).unwrap_or(u64::MAX).min(endpoints);
    let (pace, seed) = (scan.pace(), scan.seed());
    let pace = if shard.is_empty() { pace.to_owned() } else { format!("{pace}, all shards together") };
    let mut lines = remarks.clone();
    lines.push(format!("{} {noun}{shard}, {slots} at once, {pace}, seed {seed}", HumanCount(endpoints)));
    if kept.as_ref().is_some_and(|kept| kept.is_resumed) {
        let (done, rows) = (HumanCount(from.checkpoint.done()), HumanCount(from.tally.rows));
        lines.push(format!("going on: {done} done and {rows} rows written before"));
    }
    let streams = destination.streams().join(", ");
    if !streams.is_empty() {
        lines.push(match kept {
            Some(_) => format!("{streams} cannot be gone on with: another run writes only its own rows there"),
            None => format!("{streams} cannot be gone on with: give a file (-o FILE) to be able to --resume"),
        });
    }
    lines.join("\n")
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

/// Whether there are as many open files as a scan needs at least, before any is made that would be left behind.
fn has_open_files(outputs: usize) -> std::io::Result<()> {
    let opened: std::io::Result<Vec<_>> =
        (0..OPEN_FILES + OPEN_FILES_OF_OUTPUT * outputs).map(|_| File::open("/dev/null")).collect();
    opened.map(drop)
}

/// What the machine did not give us to begin with: files, signals, a thread.
pub(super) fn cannot_start(error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot start: {error}; see what is allowed (`ulimit -n`, `ulimit -a`)"))
}
