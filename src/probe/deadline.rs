//! A deadline that we may come late to.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::task::coop::{Unconstrained, unconstrained};
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
        // Whoever is heard without a pause uses up what a task may do at a time, and must not keep the time from being seen.
        Runs { #[pin] sleep: Unconstrained<Sleep> },
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
                ClockView::Stands { deadline } => Clock::Runs { sleep: unconstrained(sleep_until(*deadline)) },
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::task::coop::poll_proceed;

    use super::*;

    /// As a loop over a peer that never stops talking.
    fn has_always_more(cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(turn) = poll_proceed(cx) {
            turn.made_progress();
        }
        Poll::Pending
    }

    #[tokio::test]
    async fn who_talks_without_a_pause_meets_the_deadline() {
        let talk = tokio::spawn(by(Instant::now() + Duration::from_millis(20), poll_fn(has_always_more)));
        assert_eq!(talk.await.unwrap(), Err(Elapsed));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_at_the_deadline_has_come() {
        let begun = Instant::now();
        let late = poll_fn(|_| if begun.elapsed() < Duration::from_secs(1) { Poll::Pending } else { Poll::Ready(7) });
        assert_eq!(by(begun + Duration::from_secs(1), late).await, Ok(7));
        assert_eq!(by(Instant::now(), poll_fn(|_| Poll::<()>::Pending)).await, Err(Elapsed));
    }
}
