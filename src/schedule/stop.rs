//! The request to begin nothing new.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Asks a scan to begin nothing new. Endpoints under way come to their end, and then the stream ends.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    asked: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Begin nothing new.
    pub fn stop(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.told.notify_waiters();
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Waits for the request.
    pub(crate) async fn asked(&self) {
        let mut told = pin!(self.0.told.notified());
        // Whoever asks from here on is heard.
        told.as_mut().enable();
        if !self.is_asked() {
            told.await;
        }
    }
}
