//! Leaving as a guest should: QUIT, their 221, their FIN, then ours; never an RST while the peer is talking.
//!
//! The row is final with the 221, the end, or a second; the connection is seen out in what is left of that second.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Prober;
use super::deadline::by;
use super::network::{Network, Stream};
use super::peer::{Heard, Link, Peer};
use super::reply::{Progress, ReplyReader};
use crate::config::Leave;
use crate::observation::{Observation, Outcome};

/// How long we wait for 221 and FIN in all.
const PATIENCE: Duration = Duration::from_secs(1);

/// Service closing (RFC 959 §4.2, RFC 5321 §4.2.3).
const CLOSING: u16 = 221;

/// Not available, closing: the peer hangs up by itself, and a QUIT would meet a closed door.
const NOT_AVAILABLE: u16 = 421;

/// A connection whose row is final and whose end is to be waited for.
pub(crate) struct Parting<S> {
    link: Link<S>,
    deadline: Instant,
}

impl<S: Stream> Parting<S> {
    pub(super) fn new(link: Link<S>, deadline: Instant) -> Self {
        Self { link, deadline }
    }

    /// Waits for the peer's FIN, as long as is left, and closes.
    pub(crate) async fn see_out(mut self) {
        // At the deadline we close whatever the peer does.
        drop(timeout_at(self.deadline, self.link.until_end()).await);
        self.link.close();
    }
}

impl<N: Network> Prober<N> {
    /// Says goodbye and hears the answer; until when the peer's FIN is to be waited for, if it has not come.
    pub(super) async fn take_leave(&self, peer: &mut Peer<N::Stream>, observation: &Observation) -> Option<Instant> {
        let deadline = Instant::now() + PATIENCE;
        match (self.settings.leave, observation.outcome) {
            // Nothing was said that could be answered: just FIN.
            (_, Outcome::Silent) if peer.received().is_empty() => None,
            (Leave::Close, _) => {
                peer.drain();
                None
            }
            (Leave::Quit, Outcome::Greeted) if observation.code != Some(NOT_AVAILABLE) => {
                let done = by(deadline, pin!(quit(peer))).await;
                match done {
                    Ok(Goodbye::Answered) => Some(deadline),
                    Ok(Goodbye::Gone) | Err(_) => None,
                }
            }
            // Speaks no FTP or SMTP, has not finished its greeting, or is about to hang up: FIN, and hear it out.
            (Leave::Quit, _) => {
                peer.hear_now(|_| ());
                if peer.has_ended() {
                    return None;
                }
                let listen = async {
                    peer.finish().await;
                    while let Heard::Bytes(()) = peer.hear(|_| ()).await {}
                };
                drop(timeout_at(deadline, listen).await);
                None
            }
        }
    }
}

enum Goodbye {
    /// 221 came.
    Answered,
    /// FIN came, or the connection broke.
    Gone,
}

/// QUIT, and everything up to its answer. What comes before the 221 was not asked for by us, and is kept as well. Who has
/// hung up already is told nothing: all that could come of it is an RST.
async fn quit<S: Stream>(peer: &mut Peer<S>) -> Goodbye {
    let mut replies = ReplyReader::default();
    let mut closing = has_closing(&mut replies, peer.early());
    peer.hear_now(|bytes| closing |= has_closing(&mut replies, bytes));
    if peer.has_ended() {
        return Goodbye::Gone;
    }
    peer.say_quit().await;
    while !closing {
        match peer.hear(|bytes| has_closing(&mut replies, bytes)).await {
            Heard::Bytes(found) => closing = found,
            Heard::End | Heard::Broken(_) => return Goodbye::Gone,
        }
    }
    Goodbye::Answered
}

/// Whether a 221 is among the replies that end in `bytes`.
fn has_closing(replies: &mut ReplyReader, mut bytes: &[u8]) -> bool {
    loop {
        match replies.read(bytes) {
            Progress::Complete { code: CLOSING, .. } => return true,
            Progress::Complete { used, .. } => bytes = &bytes[used..],
            // Garbage between replies: the FIN or the second will end this.
            Progress::Incomplete | Progress::NotAReply => return false,
        }
    }
}
