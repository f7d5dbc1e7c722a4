//! A deadline that we may come late to.

use std::pin::pin;

use futures::FutureExt;
use tokio::task::yield_now;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// What comes by the deadline, or has come by the time we look. The runtime may tell of a deadline before it has looked at
/// the sockets: after SIGCONT it does, and what came while we were stopped lies there unread.
pub(super) async fn by<F: Future>(deadline: Instant, what: F) -> Result<F::Output, Elapsed> {
    let mut what = pin!(what);
    match timeout_at(deadline, what.as_mut()).await {
        Ok(output) => Ok(output),
        Err(elapsed) => {
            // It comes back once the sockets have been looked at.
            yield_now().await;
            what.now_or_never().ok_or(elapsed)
        }
    }
}
