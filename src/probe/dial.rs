//! **The one function that dials.** Every connection of a scan is begun here, whatever it is for, so that what holds for
//! one holds for all: the deadline, the bound on unresolved neighbours, and pauses where our own limits are met.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::Prober;
use super::log::Log;
use super::network::{self, Failure, How, Network, Stream};
use super::peer::{Link, Peer};
use crate::notice::Notice;
use crate::observation::{Again, Event, Outcome};
use crate::schedule::Allowance;

/// How long we wait for sockets, ports or memory to come free before trying again: somewhat more than the minute for
/// which a port is kept after its connection (RFC 9293 §3.6.1, TIME-WAIT; Linux takes 60 s).
const PAUSES_FOR_EXHAUSTION: [Duration; 8] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_millis(2700),
    Duration::from_secs(6),
    Duration::from_secs(12),
    Duration::from_secs(20),
    Duration::from_secs(30),
];

/// Whether one port leads to any number of peers at a time, so that none is free towards one of them only. Elsewhere each
/// connection takes one from all.
const PORTS_ARE_PER_PEER: bool = cfg!(target_os = "linux");

/// How many of these are worth it where nothing else of ours is under way.
const PAUSES_ALONE: usize = 4;

/// How long we wait where something stands in the way that seldom passes, such as a missing route: three tries.
const PAUSES_FOR_THE_REST: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// What dialling came to.
pub(super) struct Dialled<S> {
    /// When the last try was begun, on the calendar and on the clock.
    pub(super) time: SystemTime,
    pub(super) begun: Instant,
    /// How long that took: not until we came to look, where the system knows better.
    pub(super) took: Duration,
    /// How many tries it took.
    pub(super) attempts: u32,
    pub(super) result: Result<S, NoConnection>,
}

/// Why there is no connection, in a row's terms.
pub(super) struct NoConnection {
    pub(super) outcome: Outcome,
    pub(super) detail: Option<String>,
    /// Why another try may come to more, where it may.
    pub(super) again: Option<Again>,
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.outcome),
            None => self.outcome.fmt(f),
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose {
    /// Whether TLS may be spoken on it.
    pub(super) may_be_secured: bool,
    /// Whether it begins with what the peer says, and nobody wants to know when it stood.
    pub(super) listens: bool,
    pub(super) turn: Turn,
}

/// Which connection of a probe it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The one that the schedule has let through.
    First,
    /// The same once more, after it had to make room: it has a seat.
    Seated,
    /// One to what is known to answer, which the schedule has let through as well.
    Known,
    /// Another, for which the rate has to be asked.
    Further,
}

impl Turn {
    /// Whether it is about an endpoint of the order, of which nothing may be known yet.
    pub(super) const fn is_of_the_order(self) -> bool {
        match self {
            Self::First | Self::Seated => true,
            Self::Known | Self::Further => false,
        }
    }
}

impl<N: Network> Prober<N> {
    /// None where a request to stop came before its turn.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice, in each of thousands of slots")]
    pub(super) fn dial(
        &self,
        to: SocketAddr,
        purpose: Purpose,
        log: &Log,
    ) -> impl Future<Output = Option<Dialled<N::Stream>>> + Send {
        async move {
            if self.neighbours.is_broadcast(to.ip()) {
                // The system would refuse as if there were no route; but this was tried as far as it ever can be.
                let detail = Some("a broadcast address, which no connection can be made to".to_owned());
                let result = Err(NoConnection { outcome: Outcome::Unreachable, detail, again: None });
                let (time, begun) = (SystemTime::now(), Instant::now());
                return Some(Dialled { time, begun, took: Duration::ZERO, attempts: 0, result });
            }
            if purpose.turn == Turn::Further {
                Box::pin(self.agenda.again(to.ip())).await?;
            }
            let (mut attempts, mut pauses) = (0, 0);
            log.note(|| Event::Dialled(to));
            loop {
                let permit = self.neighbours.permit(to.ip()).await;
                if attempts == 0 && self.agenda.stop().is_asked() {
                    return None;
                }
                let (time, begun) = (SystemTime::now(), Instant::now());
                // The system sends SYNs as long as the socket is there, so that our deadline ends them. TCP_USER_TIMEOUT would
                // end them as well, 10 to 60 ms later, and would have to be taken back on what stands; TCP_SYNCNT does not count
                // the first four where Linux (6.5) sends them a second apart. Neither is worth its system call.
                let allowance = self.agenda.stats().patience().allow(to, purpose.turn != Turn::First);
                let how = How {
                    deadline: begun + allowance.length,
                    nodelay: purpose.may_be_secured,
                    // A permit is to be given back as soon as it stands, and what was reached first is what a lost link is told
                    // by.
                    listens: purpose.listens && permit.is_none() && self.uplink.knows_any(),
                };
                let tried = self.network.connect(to, how).await;
                drop(permit);
                let elapsed = begun.elapsed();
                let handshake = tried.as_ref().ok().and_then(Stream::handshake);
                let took = handshake.map_or(elapsed, |handshake| handshake.min(elapsed));
                self.learn(allowance, took, &tried);
                attempts += 1;
                if let Err(Failure::Local(error)) = &tried {
                    // An address of ours that is gone has no ports either.
                    let may_be_lost = !network::is_exhaustion(error) || network::is_out_of_ports(error);
                    let lost = may_be_lost.then(|| self.uplink.lost(Some(to.ip()), &self.network)).flatten();
                    if let Some(lost) = lost {
                        Box::pin(self.wait_for_route(Some(to.ip()), lost)).await?;
                        continue;
                    }
                    if network::is_out_of_ports(error) && PORTS_ARE_PER_PEER {
                        // Fewer connections to others would free none.
                        if self.uplink.is_news() {
                            self.agenda.tell(Notice::NoPorts { to });
                        }
                    } else if network::is_exhaustion(error)
                        && let Some(slots) = self.agenda.ran_out()
                    {
                        self.agenda.tell(Notice::Fewer { slots, reason: network::describe(error) });
                    }
                    // What no connection of ours holds will not come free by waiting for them.
                    let is_futile = self.agenda.is_alone() && !network::is_out_of_ports(error);
                    let most = if is_futile { PAUSES_ALONE } else { PAUSES_FOR_EXHAUSTION.len() };
                    if let Some(pause) = pause(error, pauses).filter(|_| pauses < most) {
                        pauses += 1;
                        Box::pin(sleep(pause)).await;
                        continue;
                    }
                } else if tried.is_ok() {
                    self.uplink.reached(to.ip(), &self.network);
                }
                let result = tried.map_err(no_connection);
                log.note(|| match &result {
                    Ok(_) => Event::Connected,
                    Err(failure) => Event::NotConnected(failure.to_string().into()),
                });
                return Some(Dialled { time, begun, took, attempts, result });
            }
        }
    }

    /// How long an answer took tells how long others may.
    fn learn(&self, allowance: Allowance, took: Duration, tried: &Result<N::Stream, Failure>) {
        let patience = self.agenda.stats().patience();
        if !patience.learns() {
            return;
        }
        match tried {
            Ok(_) => patience.learn(allowance, took, true),
            // What took longer came in time, and waited for us to look.
            Err(Failure::Refused | Failure::Reset) if took > allowance.length => {}
            Err(Failure::Refused | Failure::Reset) => patience.learn(allowance, took, false),
            Err(Failure::Unreachable(..) | Failure::Timeout | Failure::Local(_)) => {}
        }
    }

    /// Whether a port takes a connection, which is closed at once; none where it could not be tried.
    pub(super) async fn opens(&self, to: SocketAddr, log: &Log) -> Option<bool> {
        if to.port() == 0 {
            return Some(false);
        }
        let purpose = Purpose { may_be_secured: false, listens: false, turn: Turn::Further };
        let dialled = self.dial(to, purpose, log).await?;
        match dialled.result {
            Ok(stream) => {
                let mut peer = Peer::new(Link::Plain(stream), dialled.begun, Instant::now(), Log::default());
                peer.drain();
                log.note(|| Event::Closed);
                Some(true)
            }
            Err(NoConnection { outcome: Outcome::LocalError, .. }) => None,
            // A connection that was broken off had stood.
            Err(NoConnection { outcome, .. }) => Some(outcome == Outcome::Reset),
        }
    }

    /// The same for a port that is no part of a probe.
    pub(crate) async fn knock(&self, to: SocketAddr) -> Option<bool> {
        self.opens(to, &Log::default()).await
    }
}

/// How long to wait after so many pauses, if another is due.
fn pause(error: &std::io::Error, done: usize) -> Option<Duration> {
    let pauses: &[Duration] = if network::is_exhaustion(error) { &PAUSES_FOR_EXHAUSTION } else { &PAUSES_FOR_THE_REST };
    pauses.get(done).copied()
}

fn no_connection(failure: Failure) -> NoConnection {
    let (outcome, detail, again) = match failure {
        Failure::Refused => (Outcome::Refused, None, None),
        Failure::Reset => (Outcome::Reset, None, None),
        Failure::Timeout => (Outcome::Timeout, None, Some(Again::Lost)),
        Failure::Unreachable(Some(icmp), _) => {
            (Outcome::Unreachable, Some(icmp.to_string()), icmp.may_pass().then_some(Again::Lost))
        }
        // Where nothing tells which error it was, it may be one that passes.
        Failure::Unreachable(None, error) => (Outcome::Unreachable, Some(network::describe(&error)), Some(Again::Lost)),
        Failure::Local(error) => (Outcome::LocalError, Some(network::describe(&error)), None),
    };
    NoConnection { outcome, detail, again }
}
