//! A deadline that we may come late to.

use std::pin::Pin;

use futures::FutureExt;
use tokio::task::yield_now;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// What comes by the deadline, or has come by the time we look. The runtime may tell of a deadline before it has looked at
/// the sockets: after SIGCONT it does, and what came while we were stopped lies there unread.
///
/// It is pinned by the caller: a future that is handed over takes its room twice, in each of the many that wait.
pub(super) async fn by<F: Future>(deadline: Instant, mut what: Pin<&mut F>) -> Result<F::Output, Elapsed> {
    match timeout_at(deadline, what.as_mut()).await {
        Ok(output) => Ok(output),
        Err(elapsed) => {
            // It comes back once the sockets have been looked at.
            yield_now().await;
            what.now_or_never().ok_or(elapsed)
        }
    }
}
