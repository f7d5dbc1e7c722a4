//! One endpoint: connect, TLS where the service begins with it, the greeting, and a polite farewell.
//!
//! [`Prober::probe`] is the way of an endpoint. Grammar and naming (`reply`, `greeting`, `passive`, `protocol`,
//! `certificate`) are plain functions over bytes; the network is behind a trait, so that tests need neither sockets nor real
//! time. What befalls an endpoint ends up in its [`Observation`], never as an error.
//!
//! ```text
//! dial ─► (secure) ─► greeting ─► (dialogue ─► (secure) ─► dialogue inside) ─► farewell ─► (a hello of the past)
//! ```

mod certificate;
mod deadline;
mod dial;
mod dialogue;
mod farewell;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod greeting;
#[cfg(test)]
mod hand_made;
#[cfg(test)]
mod hostile_tests;
mod icmp;
mod identity;
mod info;
mod legacy;
mod log;
mod neighbours;
mod network;
mod passive;
mod peer;
mod probed;
mod protocol;
mod pulse;
mod reply;
#[cfg(test)]
pub(crate) mod scripted;
mod secure;
mod tcp;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod uplink;
mod wait;
mod watch;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

pub use self::certificate::Roots;
pub(crate) use self::certificate::{Anchors, Certificates};
pub(crate) use self::dial::Turn;
pub(crate) use self::farewell::Parting;
pub use self::identity::is_ehlo_name;
pub(crate) use self::identity::machine_name;
pub(crate) use self::neighbours::Neighbours;
pub(crate) use self::network::{Interface, Network, System};
pub(crate) use self::probed::{Probed, tell_via};

use self::network::{SOON, Stream};
pub(crate) use self::tls::TlsClient;
pub(crate) use self::uplink::Uplink;
pub(crate) use self::watch::{Lapse, Lapses};

use self::deadline::{Elapsed, by};
use self::dial::{Dialled, NoConnection, Purpose};
use self::greeting::{GreetingReader, State};
use self::log::Log;
use self::peer::{Heard, Link, Peer, is_reset};
use self::probed::Nothing;
use self::secure::is_to_be_asked_for_old_tls;
use self::wait::{GoOn, Wait};
use crate::config::{Depth, Leave};
use crate::observation::{Again, End, Ending, Event, Observation, Outcome, Protocol, Service, TlsUse};
use crate::schedule::{Agenda, Seat};
use crate::target::Place;

/// A peer that says more than this without ending its greeting is not listened to any longer.
const MAX_HEARD: usize = 1024 * 1024;

/// How long we listen on for the rest of a first line that is neither FTP nor SMTP.
const FOREIGN_REST: Duration = Duration::from_secs(1);

/// How long a probe waits, and how it leaves.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) tls_timeout: Duration,
    pub(crate) mail_greeting_timeout: Duration,
    pub(crate) ftp_greeting_timeout: Duration,
    pub(crate) leave: Leave,
    pub(crate) ask: Ask,
    /// Who we say we are, where that is not our address.
    pub(crate) ehlo_name: Option<String>,
    pub(crate) transcript: bool,
}

/// How much is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask {
    pub(crate) depth: Depth,
    /// Whether FTP servers are visited as an anonymous guest.
    pub(crate) anonymous: bool,
}

/// One probe under way.
struct Visit<'a> {
    place: &'a Place,
    ask: Ask,
    log: Log,
    turn: Turn,
    /// Leave to be silent for long, once it was needed.
    seat: OnceLock<Seat>,
}

impl<'a> Visit<'a> {
    fn new(place: &'a Place, ask: Ask, log: Log, turn: Turn) -> Self {
        Self { place, ask, log, turn, seat: OnceLock::new() }
    }

    /// What its first connection is for, where so long is waited for a greeting.
    fn purpose(&self, patience: Duration) -> Purpose {
        let is_secure = self.place.service.is_implicit_tls();
        Purpose {
            may_be_secured: is_secure || self.ask.depth > Depth::Greeting,
            // Who waits for less has to know when it stands.
            listens: !is_secure && !self.log.is_wanted() && patience >= SOON,
            turn: self.turn,
        }
    }

    /// What there is to be told of a first connection.
    fn observation(&self, time: SystemTime, attempts: u32, connect: Option<Duration>) -> Box<Observation> {
        let Place { name, ip, port, service, .. } = self.place;
        let mut observation = Box::new(Observation::new(time, Some(*ip), *port, *service, Outcome::Silent));
        observation.name.clone_from(name);
        (observation.attempts, observation.connect) = (attempts, connect);
        observation
    }

    /// What a probe without a connection comes to.
    fn without<S>(&self, time: SystemTime, begun: Instant, attempts: u32, reason: NoConnection) -> Probed<S> {
        if reason.outcome != Outcome::Reset && !self.log.is_wanted() {
            return Probed::Nothing(Nothing { time, attempts, reason });
        }
        // It had stood, or somebody wants to read of it.
        let mut observation = self.observation(time, attempts, None);
        if reason.outcome == Outcome::Reset {
            observation.ending = Some(Ending { how: End::Reset, at: begun.elapsed() });
        }
        (observation.outcome, observation.again) = (reason.outcome, reason.again);
        observation.detail = reason.detail.map(Into::into);
        self.probed(observation, None)
    }

    /// What the probe came to.
    fn probed<S>(&self, mut observation: Box<Observation>, parting: Option<Parting<S>>) -> Probed<S> {
        tell_via(self.place, &mut observation);
        observation.transcript = self.log.take_transcript();
        Probed::Row(observation, parting)
    }
}

/// What was told, and a connection that may have to be seen out.
type Conversed<S> = (Box<Observation>, Option<Parting<S>>);

/// Probes endpoints, any number at once.
#[derive(Debug)]
pub(crate) struct Prober<N> {
    pub(crate) network: N,
    pub(crate) tls: TlsClient,
    pub(crate) neighbours: Neighbours,
    pub(crate) settings: Settings,
    pub(crate) uplink: Uplink,
    /// Whose pace holds for every connection, and whose stop for every beginning.
    pub(crate) agenda: Arc<Agenda>,
}

/// How listening for a greeting ended.
enum Ended {
    /// We have to make room for others.
    NoSeat,
    Reply {
        code: u16,
        len: usize,
    },
    Foreign,
    Fin,
    Broken(std::io::Error),
    Deadline,
    TooMuch,
}

impl<N: Network> Prober<N> {
    /// What answers at one endpoint; none if it was not begun. The row is final when this returns; the connection may
    /// still have to be seen out, which is [`Parting::see_out`]'s.
    pub(crate) async fn probe(&self, place: &Place, turn: Turn) -> Option<Probed<N::Stream>> {
        let log = Log::new(self.settings.transcript);
        self.visit(&Visit::new(place, self.settings.ask, log, turn)).await
    }

    /// The same once more, on a connection for which the rate is asked, to see whether the same server answers: no guest,
    /// no hello of the past, no transcript.
    pub(crate) async fn sample(&self, place: &Place) -> Option<Probed<N::Stream>> {
        let ask = Ask { anonymous: false, ..self.settings.ask };
        self.visit(&Visit::new(place, ask, Log::default(), Turn::Further)).await
    }

    /// What answers where nothing is asked for but the greeting.
    pub(crate) async fn hail(&self, place: &Place) -> Option<Probed<N::Stream>> {
        self.visit(&Visit::new(place, Ask::default(), Log::default(), Turn::Known)).await
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice, in each of thousands of slots")]
    fn visit(&self, visit: &Visit<'_>) -> impl Future<Output = Option<Probed<N::Stream>>> + Send {
        async move {
            let purpose = visit.purpose(self.patience(visit.place.service));
            let Dialled { time, begun, took, attempts, result } =
                self.dial(visit.place.address(), purpose, &visit.log).await?;
            let stream = match result.map_err(move |reason| visit.without(time, begun, attempts, reason)) {
                Ok(stream) => stream,
                Err(probed) => return Some(probed),
            };
            let (observation, parting) = if visit.place.service.is_implicit_tls() {
                // What holds a session is large beside what waits for one.
                let observation = visit.observation(time, attempts, Some(took));
                Box::pin(self.converse_inside(stream, begun, visit, observation)).await
            } else {
                let peer = Peer::new(Link::Plain(stream), begun, begun + took, visit.log.clone());
                self.converse(peer, visit, move || visit.observation(time, attempts, Some(took))).await
            };
            // What had to make room is asked when its turn comes again.
            let is_final = visit.turn.is_of_the_order() && observation.again.is_none();
            let is_whole = is_final && visit.ask.depth == Depth::Tls;
            if is_whole && is_to_be_asked_for_old_tls(&observation) {
                return Some(Box::pin(self.go_into_the_past(visit, observation, parting)).await);
            }
            Some(visit.probed(observation, parting))
        }
    }

    /// A talk that begins with TLS.
    async fn converse_inside(
        &self,
        stream: N::Stream,
        begun: Instant,
        visit: &Visit<'_>,
        mut observation: Box<Observation>,
    ) -> Conversed<N::Stream> {
        // Its own box, which goes with the handshake.
        let secured = Box::pin(self.begin_with_tls(stream, begun, visit, &mut observation));
        let secured = self.wait(visit, Instant::now(), self.settings.tls_timeout).over(secured).await;
        match secured {
            Some(Some(peer)) => self.converse(peer, visit, move || observation).await,
            Some(None) => (observation, None),
            None => {
                observation.again = Some(Again::CutShort);
                (observation, None)
            }
        }
    }

    /// Waits for the greeting, writes down how that ended, asks what there is to be asked, and takes leave. There is no row
    /// before there is something to be told.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice, in each of thousands of slots")]
    fn converse<'a>(
        &'a self,
        mut peer: Peer<N::Stream>,
        visit: &'a Visit<'_>,
        begin: impl FnOnce() -> Box<Observation> + Send + 'a,
    ) -> impl Future<Output = Conversed<N::Stream>> + Send + 'a {
        async move {
            let mut observation = {
                let mut wait = self.wait(visit, peer.ready(), self.patience(visit.place.service));
                let ended = listen(&mut peer, &mut wait).await;
                let mut observation = begin();
                write_down(ended, wait.begun, &mut peer, &mut observation);
                observation
            };
            if observation.again.is_some() {
                return (observation, None);
            }
            if visit.ask.depth > Depth::Greeting || visit.ask.anonymous {
                peer = match Box::pin(self.go_deeper(peer, visit, &mut observation)).await {
                    Ok(peer) => peer,
                    // It went with the handshake.
                    Err(talk) => {
                        talk.tell(&mut observation);
                        return (observation, None);
                    }
                };
            }
            let over = peer.has_ended()
                || matches!(observation.outcome, Outcome::Closed | Outcome::Reset | Outcome::TlsFailed);
            let parting = if over { None } else { self.take_leave(&mut peer, &observation).await };
            let (link, talk) = peer.into_parts();
            if parting.is_none() {
                talk.log().note(|| Event::Closed);
            }
            talk.tell(&mut observation);
            if let Some(deadline) = parting {
                return (observation, Some(Parting::new(link, deadline)));
            }
            link.close();
            (observation, None)
        }
    }

    /// Asks, once the connection is gone, what else would be spoken.
    async fn go_into_the_past(
        &self,
        visit: &Visit<'_>,
        mut observation: Box<Observation>,
        parting: Option<Parting<N::Stream>>,
    ) -> Probed<N::Stream> {
        if let Some(parting) = parting {
            parting.see_out().await;
        }
        self.ask_for_old_tls(visit, &mut observation).await;
        visit.probed(observation, None)
    }

    /// Waits for the greeting and writes down how that ended.
    async fn hear_greeting(&self, peer: &mut Peer<N::Stream>, wait: &mut Wait<'_>, observation: &mut Observation) {
        let ended = listen(peer, wait).await;
        write_down(ended, wait.begun, peer, observation);
    }

    /// How long a server may take to say something.
    fn patience(&self, service: Service) -> Duration {
        if service.is_ftp() { self.settings.ftp_greeting_timeout } else { self.settings.mail_greeting_timeout }
    }
}

/// Writes down how listening for a greeting ended.
fn write_down<S: Stream>(ended: Ended, begun: Instant, peer: &mut Peer<S>, observation: &mut Observation) {
    match ended {
        Ended::Reply { code, len } if !protocol::is_news(code, peer.received().bytes()) => {
            observation.outcome = Outcome::Greeted;
            observation.code = Some(code);
            observation.greeting_len = len.min(peer.received().bytes().len());
            observation.greeting_after = Some(begun.elapsed());
            let early = peer.received().bytes()[observation.greeting_len..].to_vec();
            peer.set_early(early);
        }
        Ended::Reply { .. } => {
            observation.outcome = Outcome::OtherProtocol;
            observation.protocol = Some(Protocol::Nntp);
        }
        Ended::Foreign => {
            observation.outcome = Outcome::OtherProtocol;
            observation.protocol = protocol::name(peer.received().bytes());
        }
        Ended::Fin => observation.outcome = Outcome::Closed,
        Ended::Deadline => observation.outcome = Outcome::Silent,
        Ended::NoSeat => observation.again = Some(Again::CutShort),
        Ended::TooMuch => {
            observation.outcome = Outcome::Silent;
            observation.detail = Some("no end of the greeting after 1 MiB".into());
        }
        Ended::Broken(error) => broken(&error, observation),
    }
    if observation.outcome != Outcome::Greeted {
        observation.greeting_len = peer.received().bytes().len();
    }
}

/// Listens until the greeting is complete or cannot become so; then for the rest of a line that is none.
async fn listen<S: Stream>(peer: &mut Peer<S>, wait: &mut Wait<'_>) -> Ended {
    let mut greeting = GreetingReader::default();
    // What was said in place of a handshake.
    let mut state = greeting.read(peer.received().bytes());
    let end = loop {
        match state {
            State::Waiting if peer.heard() > MAX_HEARD => break Ended::TooMuch,
            State::Waiting => {}
            State::Complete { code, len } => return Ended::Reply { code, len },
            State::Foreign => {
                Box::pin(hear_rest(peer, wait.end)).await;
                return Ended::Foreign;
            }
        }
        let heard = by(wait.until, peer.hear(|bytes| greeting.read(bytes))).await;
        state = match heard {
            Ok(Heard::Bytes(state)) => state,
            Ok(Heard::End) => break Ended::Fin,
            Ok(Heard::Broken(error)) => break Ended::Broken(error),
            Err(Elapsed) => match wait.go_on() {
                GoOn::Yes => State::Waiting,
                GoOn::NoSeat => return Ended::NoSeat,
                GoOn::NoTime => {
                    peer.log().note(|| Event::GaveUp);
                    break Ended::Deadline;
                }
            },
        };
    };
    // A preliminary reply is a complete one, whatever befell what should have followed it.
    greeting.preliminary().map_or(end, |(code, len)| Ended::Reply { code, len })
}

/// Listens for the rest of the first line, or for a second.
async fn hear_rest<S: Stream>(peer: &mut Peer<S>, deadline: Instant) {
    let deadline = deadline.min(Instant::now() + FOREIGN_REST);
    let enough = |peer: &Peer<S>| peer.received().bytes().contains(&b'\n') || peer.heard() > MAX_HEARD;
    while !enough(peer) {
        match by(deadline, peer.hear(|_| ())).await {
            Ok(Heard::Bytes(())) => {}
            Ok(Heard::End | Heard::Broken(_)) | Err(Elapsed) => return,
        }
    }
}

/// What a connection that broke before the greeting was complete is called.
fn broken(error: &std::io::Error, observation: &mut Observation) {
    if is_reset(error) {
        observation.outcome = Outcome::Reset;
        return;
    }
    let reason = tls::reason(error);
    match observation.tls.as_deref_mut().filter(|facts| facts.tls == TlsUse::Implicit) {
        // A client certificate is asked for by TLS 1.3 only after our side of the handshake is done (RFC 8446 §4.4.2.4).
        Some(facts) => {
            facts.tls = if tls::received_alert(error).is_some() { TlsUse::Refused } else { TlsUse::Failed };
            facts.error = Some(reason.clone());
            facts.alert = tls::received_alert(error).map(u8::from);
            observation.outcome = Outcome::TlsFailed;
        }
        None => observation.outcome = Outcome::Closed,
    }
    observation.detail = Some(reason);
}
