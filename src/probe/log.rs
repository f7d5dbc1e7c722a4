//! Both sides' words, kept where somebody asked for them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::observation::{Event, Transcript};

/// Where the connections of one probe write down what happens. Mostly nobody wants it, and it costs nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    since: Instant,
    transcript: Mutex<Transcript>,
}

impl Log {
    pub(super) fn new(is_wanted: bool) -> Self {
        let kept = || Arc::new(Kept { since: Instant::now(), transcript: Mutex::default() });
        Self(is_wanted.then(kept))
    }

    /// Whether anybody wants it.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Writes down what happens now.
    pub(super) fn note(&self, event: impl FnOnce() -> Event) {
        if let Some(kept) = &self.0 {
            let mut transcript = kept.transcript.lock().unwrap_or_else(PoisonError::into_inner);
            transcript.push(kept.since.elapsed(), event());
        }
    }

    /// Everything that was written down.
    pub(super) fn take_transcript(&self) -> Option<Box<Transcript>> {
        let kept = self.0.as_ref()?;
        let mut transcript = kept.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Box::new(std::mem::take(&mut transcript)))
    }
}
