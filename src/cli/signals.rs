//! Ctrl-C, SIGTERM and SIGHUP, all alike; and SIGXFSZ, which would end the program without a word.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Has a write that would make a file longer than is allowed (`ulimit -f`) fail, as on a full disk, in this thread and those
/// that it starts.
pub(super) fn let_long_files_fail() {
    // Where it cannot be, all is as without it.
    let _ = SigSet::from(Number::SIGXFSZ).thread_block();
}

/// The three requests to stop.
#[derive(Debug)]
pub(super) struct Signals {
    of: [Signal; 3],
    came: bool,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let of = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = of.map(signal);
        Ok(Self { of: [interrupt?, terminate?, hangup?], came: false })
    }

    /// Whether any came that was waited for.
    pub(super) fn came(&self) -> bool {
        self.came
    }

    /// The next of them.
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.of;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        self.came = true;
    }
}
