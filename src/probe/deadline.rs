//! A deadline that we may come late to.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until};

/// Nothing came by the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elapsed;

/// What comes by the deadline, or has come by the time we look. The runtime may tell of a deadline before it has looked at
/// the sockets: after SIGCONT it does, and what came while we were stopped lies there unread.
pub(super) fn by<F: Future + Unpin>(deadline: Instant, what: F) -> By<F> {
    By { what, clock: Clock::Stands { deadline } }
}

pin_project! {
    /// What [`by`] comes to. Each of thousands of slots has room for one.
    pub(super) struct By<F> {
        what: F,
        #[pin]
        clock: Clock,
    }
}

pin_project! {
    #[project = ClockView]
    enum Clock {
        // Most that is waited for is there already, and needs no timer.
        Stands { deadline: Instant },
        Runs { #[pin] sleep: Sleep },
        // The deadline is over; this comes back once the sockets have been looked at.
        Looks { looked: Pin<Box<dyn Future<Output = ()> + Send>> },
    }
}

impl<F: Future + Unpin> Future for By<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = Pin::new(this.what).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        loop {
            let next = match this.clock.as_mut().project() {
                ClockView::Stands { deadline } => Clock::Runs { sleep: sleep_until(*deadline) },
                ClockView::Runs { sleep } => {
                    ready!(sleep.poll(cx));
                    Clock::Looks { looked: Box::pin(yield_now()) }
                }
                ClockView::Looks { looked } => {
                    ready!(looked.as_mut().poll(cx));
                    return Poll::Ready(Err(Elapsed));
                }
            };
            this.clock.set(next);
        }
    }
}
