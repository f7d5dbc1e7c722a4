//! **The one function that dials.** Every connection of a scan is begun here, whatever it is for, so that what holds for
//! one holds for all: the deadline, the bound on unresolved neighbours, and pauses where our own limits are met.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout_at};

use super::Prober;
use super::network::{self, Failure, Network};
use crate::observation::Outcome;

/// How long we wait for sockets, ports or memory to come free before trying again: four seconds in all.
const PAUSES_FOR_EXHAUSTION: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_millis(2700)];

/// How long we wait where something stands in the way that seldom passes, such as a missing route: three tries.
const PAUSES_FOR_THE_REST: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// What dialling came to.
pub(super) struct Dialled<S> {
    /// When the last try was begun, on the calendar and on the clock.
    pub(super) time: SystemTime,
    pub(super) begun: Instant,
    /// How many tries it took.
    pub(super) attempts: u32,
    pub(super) result: Result<S, NoConnection>,
}

/// Why there is no connection, in a row's terms.
pub(super) struct NoConnection {
    pub(super) outcome: Outcome,
    pub(super) detail: Option<String>,
}

impl<N: Network> Prober<N> {
    /// None where a request to stop came before its turn.
    pub(super) async fn dial(&self, to: SocketAddr, nodelay: bool) -> Option<Dialled<N::Stream>> {
        if self.neighbours.is_broadcast(to.ip()) {
            // The system would refuse as if there were no route; but this was tried as far as it ever can be.
            let detail = Some("a broadcast address, which no connection can be made to".to_owned());
            let result = Err(NoConnection { outcome: Outcome::Unreachable, detail });
            return Some(Dialled { time: SystemTime::now(), begun: Instant::now(), attempts: 0, result });
        }
        let mut attempts = 0;
        loop {
            let permit = self.neighbours.permit(to.ip()).await;
            if attempts == 0 && self.stop.is_asked() {
                return None;
            }
            let (time, begun) = (SystemTime::now(), Instant::now());
            let tried = timeout_at(begun + self.settings.connect_timeout, self.network.connect(to, nodelay)).await;
            drop(permit);
            attempts += 1;
            if let Ok(Err(Failure::Local(error))) = &tried
                && let Some(pause) = pause(error, attempts)
            {
                sleep(pause).await;
                continue;
            }
            let result = match tried {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(failure)) => Err(no_connection(failure)),
                Err(_) => Err(NoConnection { outcome: Outcome::Timeout, detail: None }),
            };
            return Some(Dialled { time, begun, attempts, result });
        }
    }
}

/// How long to wait after so many tries, if another is due.
fn pause(error: &std::io::Error, attempts: u32) -> Option<Duration> {
    let done = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let pauses: &[Duration] = if network::is_exhaustion(error) { &PAUSES_FOR_EXHAUSTION } else { &PAUSES_FOR_THE_REST };
    pauses.get(done).copied()
}

fn no_connection(failure: Failure) -> NoConnection {
    let (outcome, detail) = match failure {
        Failure::Refused => (Outcome::Refused, None),
        Failure::Reset => (Outcome::Reset, None),
        Failure::Timeout => (Outcome::Timeout, None),
        Failure::Unreachable(Some(icmp), _) => (Outcome::Unreachable, Some(icmp.to_string())),
        Failure::Unreachable(None, error) => (Outcome::Unreachable, Some(network::describe(&error))),
        Failure::Local(error) => (Outcome::LocalError, Some(network::describe(&error))),
    };
    NoConnection { outcome, detail }
}
