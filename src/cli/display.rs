//! Words for people on a thread of their own: a terminal that takes nothing (Ctrl-S, a connection that stalls) must stop
//! neither a clock nor a request to stop.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::{io, thread};

use hailer::Stats;
use tokio::sync::oneshot;

use super::progress::Progress;
use super::tell;

/// Words that wait to be said; more than a scan ever has at once.
const WAITING: usize = 16;

/// Shows progress, and says what it is given beside it.
#[derive(Debug)]
pub(super) struct Display {
    words: SyncSender<String>,
    ended: oneshot::Receiver<()>,
}

impl Display {
    pub(super) fn start(progress: Progress, stats: Arc<Stats>) -> io::Result<Self> {
        let (words, said) = sync_channel(WAITING);
        let (tell_end, ended) = oneshot::channel();
        thread::Builder::new().name("display".into()).spawn(move || {
            show(progress, &stats, &said);
            // If nobody listens any longer the program is ending.
            let _ = tell_end.send(());
        })?;
        Ok(Self { words, ended })
    }

    /// Says it when its turn comes, and never waits for that.
    pub(super) fn say(&self, words: String) {
        self.speaker().say(words);
    }

    /// For others who have something to say. Nothing is finished before they are gone.
    pub(super) fn speaker(&self) -> Speaker {
        Speaker(self.words.clone())
    }

    /// Waits until all is said and the bar is taken away.
    pub(super) async fn finish(self) {
        drop(self.words);
        // An error would be a panic of the thread, which has said so itself.
        drop(self.ended.await);
    }
}

/// Has things said.
#[derive(Debug)]
pub(super) struct Speaker(SyncSender<String>);

impl Speaker {
    /// Says it when its turn comes, and never waits for that.
    pub(super) fn say(&self, words: String) {
        // No room is left where nothing has been taken for long.
        drop(self.0.try_send(words));
    }
}

fn show(mut progress: Progress, stats: &Stats, said: &Receiver<String>) {
    progress.begin();
    loop {
        match said.recv_timeout(progress.interval()) {
            Ok(words) if progress.is_quiet() => drop(words),
            Ok(words) => progress.bar().suspend(|| tell(words)),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(line) = progress.show(stats) {
                    tell(line);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return progress.finish(),
        }
    }
}
