//! How an endpoint is brought inside TLS: by a modern client, without the server's name where the server does not know it,
//! and by an older client where it will not speak with a modern one. Each further try takes a connection of its own, which
//! goes the same way up to the door.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout, timeout_at};

use super::dial::{Dialled, Purpose, Turn};
use super::dialogue::BrokenOff;
use super::legacy;
use super::network::Network;
use super::peer::{Link, Peer};
use super::tls::{Handshake, Hello, Refusal, Server};
use super::{Prober, Visit};
use crate::config::Depth;
use crate::observation::{Event, Legacy, Observation, Outcome, TlsFacts, TlsUse};

/// How long all further connections of one question may take together; each has deadlines of its own.
const FURTHER: Duration = Duration::from_secs(60);

/// What stands before the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Nothing: TLS comes first.
    Open,
    /// STARTTLS (RFC 3207).
    Starttls,
    /// AUTH with this mechanism (RFC 4217 §4).
    Auth(&'static str),
}

impl Door {
    /// What TLS behind it is called.
    pub(super) const fn leads_to(self) -> TlsUse {
        match self {
            Self::Open => TlsUse::Implicit,
            Self::Starttls => TlsUse::Starttls,
            Self::Auth(_) => TlsUse::AuthTls,
        }
    }

    /// The door that was gone through.
    fn of(observation: &Observation) -> Option<Self> {
        match observation.tls.as_deref()?.tls {
            TlsUse::Implicit => Some(Self::Open),
            TlsUse::Starttls => Some(Self::Starttls),
            TlsUse::AuthTls => observation.dialogue.as_deref()?.mechanism.map(Self::Auth),
            TlsUse::NotOffered | TlsUse::Refused | TlsUse::Failed => None,
        }
    }
}

/// What came of all tries.
pub(super) enum Secured<S> {
    /// A session.
    Inside(Link<S>),
    /// The peer speaks plain text: the connection, and what it said.
    Plain(S, Vec<u8>),
    /// None, and the connection is gone.
    Failed,
}

/// When the connection was begun that a row is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    time: SystemTime,
    at: Instant,
    /// How long it took.
    connect: Duration,
}

/// Whether it is worth asking a server what else it would speak: it negotiated something better than what would be asked.
pub(super) fn is_to_be_asked_for_old_tls(observation: &Observation) -> bool {
    let version = observation.tls.as_deref().and_then(|facts| facts.version);
    matches!(version, Some("TLSv1.2" | "TLSv1.3")) && Door::of(observation).is_some()
}

impl<N: Network> Prober<N> {
    /// A connection inside TLS, or in clear where the peer speaks plain text; none where the handshake failed.
    pub(super) async fn begin_with_tls(
        &self,
        stream: N::Stream,
        begun: Instant,
        visit: &Visit<'_>,
        observation: &mut Observation,
    ) -> Option<Peer<N::Stream>> {
        let started = Instant::now();
        let (secured, again) = self.secure(stream, Door::Open, visit, observation).await;
        // With another connection the row is about that one.
        let begun = again.map_or(begun, |again| {
            (observation.time, observation.connect) = (again.time, Some(again.connect));
            again.at
        });
        match secured {
            Secured::Inside(link) => Some(Peer::new(link, begun, Instant::now(), visit.log.clone())),
            Secured::Plain(stream, bytes) => {
                // It did not wait for us to fail at TLS.
                let mut peer = Peer::new(Link::Plain(stream), begun, started, visit.log.clone());
                peer.keep(&bytes);
                if visit.ask.depth == Depth::Greeting {
                    return Some(peer);
                }
                // What we asked next would stand on the same line as our hello: to talk takes a connection without one.
                peer.finish().await;
                let Ok((stream, anew)) = Box::pin(self.reach(Door::Open, visit, observation)).await else {
                    return Some(peer);
                };
                (observation.time, observation.connect) = (anew.time, Some(anew.connect));
                Some(Peer::new(Link::Plain(stream), anew.at, Instant::now(), visit.log.clone()))
            }
            Secured::Failed => {
                observation.outcome = Outcome::TlsFailed;
                observation.detail = observation.tls.as_deref().and_then(|facts| facts.error.clone());
                None
            }
        }
    }

    /// Tries what there is to be tried. What was learnt is in the observation, whatever came of it.
    async fn secure(
        &self,
        mut stream: N::Stream,
        door: Door,
        visit: &Visit<'_>,
        observation: &mut Observation,
    ) -> (Secured<N::Stream>, Option<Begun>) {
        let (ip, name) = (visit.place.ip, visit.place.name.as_deref());
        let mut server = Server { ip, name, sni: name.is_some(), tls: door.leads_to() };
        let (mut hello, mut again) = (Hello::Modern, None);
        let until = Instant::now() + FURTHER;
        observation.tls = None;
        loop {
            let started = Instant::now();
            visit.log.note(|| Event::Hello(hello.as_str()));
            let (refusal, by_alert) = match self.shake_hands(stream, hello, server).await {
                Handshake::Done(link, facts) => {
                    visit.log.note(|| Event::Secured(facts.summary()));
                    observation.tls_handshake = Some(started.elapsed());
                    observation.tls = Some(facts);
                    return (Secured::Inside(link), again);
                }
                Handshake::Plain(stream, bytes) => {
                    // Who has just agreed to TLS offers it, and breaks it.
                    let is_offered = door != Door::Open;
                    let mut facts = TlsFacts::new(if is_offered { TlsUse::Failed } else { TlsUse::NotOffered });
                    facts.error = Some("plain text in answer to a ClientHello".into());
                    visit.log.note(|| Event::NotSecured("plain text in answer".into()));
                    observation.tls = Some(Box::new(facts));
                    return (Secured::Plain(stream, bytes), again);
                }
                Handshake::Failed { facts, refusal } => {
                    visit.log.note(|| Event::NotSecured(facts.error.clone().unwrap_or_default()));
                    let by_alert = facts.alert.is_some();
                    learn(&mut observation.tls, facts);
                    (refusal, by_alert)
                }
            };
            // Who hangs up where TLS is but a guess need not be asked again.
            let is_guess = door == Door::Open && !visit.place.service.is_implicit_tls();
            let refusal = if is_guess && !by_alert { Refusal::Other } else { refusal };
            match (refusal, hello.older(by_alert)) {
                (Refusal::UnknownName, _) if server.sni => server.sni = false,
                (Refusal::TooModern, Some(older)) => hello = older,
                (Refusal::UnknownName | Refusal::TooModern | Refusal::Other, _) => break,
            }
            // Most need no other connection, and do without its state.
            let reached = Box::pin(self.reach(door, visit, observation));
            let Ok(Ok((anew, begun))) = timeout_at(until, reached).await else {
                if let Some(facts) = &mut observation.tls {
                    facts.incomplete = true;
                }
                break;
            };
            stream = anew;
            again = Some(begun);
        }
        (Secured::Failed, again)
    }

    async fn shake_hands(&self, stream: N::Stream, hello: Hello, server: Server<'_>) -> Handshake<N::Stream> {
        let deadline = Instant::now() + self.settings.tls_timeout;
        self.tls.handshake(stream, hello, server, deadline).await
    }

    /// Brings a talk inside TLS, where the peer has just agreed to that. Without a session the connection is gone, unless
    /// the peer went on in clear.
    pub(super) async fn upgrade(
        &self,
        peer: Peer<N::Stream>,
        door: Door,
        visit: &Visit<'_>,
        observation: &mut Observation,
    ) -> Result<Peer<N::Stream>, super::peer::Talk> {
        let (link, talk) = peer.into_parts();
        let stream = match link {
            Link::Plain(stream) => stream,
            link @ (Link::Tls(_) | Link::Legacy(_)) => return Ok(Peer::resume(link, talk)),
        };
        match self.secure(stream, door, visit, observation).await.0 {
            Secured::Inside(link) => Ok(Peer::resume(link, talk)),
            Secured::Plain(stream, bytes) => {
                let mut peer = Peer::resume(Link::Plain(stream), talk);
                peer.keep(&bytes);
                Ok(peer)
            }
            Secured::Failed => Err(talk),
        }
    }

    /// Another connection, up to where a `ClientHello` is due.
    ///
    /// # Errors
    /// Why there is none, or why it does not lead there.
    pub(super) async fn reach(
        &self,
        door: Door,
        visit: &Visit<'_>,
        observation: &mut Observation,
    ) -> Result<(N::Stream, Begun), BrokenOff> {
        let purpose = Purpose { may_be_secured: true, listens: false, turn: Turn::Further };
        let dialled = self.dial(visit.place.address(), purpose, &visit.log).await;
        let dialled = dialled.ok_or("the scan was stopped")?;
        observation.attempts += dialled.attempts;
        let Dialled { time, begun, took, result, .. } = dialled;
        let stream = match result {
            Ok(stream) => stream,
            Err(failure) => {
                if failure.outcome == Outcome::Refused {
                    // It took the first connection.
                    self.agenda.pushed_back(visit.place.ip);
                }
                return Err(failure.to_string().into());
            }
        };
        let begun = Begun { time, at: begun, connect: took };
        if door == Door::Open {
            return Ok((stream, begun));
        }
        let mut peer = Peer::new(Link::Plain(stream), begun.at, Instant::now(), visit.log.clone());
        if let Err(why) = self.walk_to(door, &mut peer, visit).await {
            self.part(&mut peer, visit).await;
            return Err(why);
        }
        match peer.into_parts().0 {
            Link::Plain(stream) => Ok((stream, begun)),
            Link::Tls(_) | Link::Legacy(_) => Err("inside TLS already".into()),
        }
    }

    /// Leaves a connection that led nowhere.
    pub(super) async fn part(&self, peer: &mut Peer<N::Stream>, visit: &Visit<'_>) {
        if peer.received().bytes().starts_with(b"421") {
            self.agenda.pushed_back(visit.place.ip);
        }
        if !peer.has_ended() {
            peer.say(b"QUIT\r\n").await;
            peer.finish().await;
        }
        visit.log.note(|| Event::Closed);
    }

    /// Asks on a connection of its own whether a server that speaks modern TLS would also speak that of the past.
    pub(super) async fn ask_for_old_tls(&self, visit: &Visit<'_>, observation: &mut Observation) {
        let Some(door) = Door::of(observation) else { return };
        let asked = timeout(FURTHER, self.ask_behind(door, visit, observation)).await;
        let legacy = asked.unwrap_or_else(|_| Legacy::Unknown("no end of it in time".into()));
        visit.log.note(|| match &legacy {
            Legacy::Accepted { version, cipher, group } => {
                let words = [*version, cipher.as_deref(), group.as_deref()];
                Event::WouldSpeak(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
            Legacy::Refused(how) | Legacy::Unknown(how) => Event::NotSecured(how.clone()),
        });
        visit.log.note(|| Event::Closed);
        if let Some(facts) = observation.tls.as_deref_mut() {
            facts.legacy = Some(legacy);
        }
    }

    /// One such question, with the server's name, and without it where the server does not know it.
    async fn ask_behind(&self, door: Door, visit: &Visit<'_>, observation: &mut Observation) -> Legacy {
        let mut name = visit.place.name.as_deref();
        loop {
            let stream = match self.reach(door, visit, observation).await {
                Ok((stream, _)) => stream,
                Err(why) => return Legacy::Unknown(why),
            };
            visit.log.note(|| Event::Hello(Hello::Older(legacy::Hello::Old).as_str()));
            let deadline = Instant::now() + self.settings.tls_timeout;
            match self.tls.ask_for_old(stream, name, deadline).await {
                Some(legacy) => return legacy,
                None => name = None,
            }
            visit.log.note(|| Event::Closed);
        }
    }
}

/// Adds what another try has shown to what the first has.
fn learn(known: &mut Option<Box<TlsFacts>>, facts: Box<TlsFacts>) {
    let Some(known) = known else {
        *known = Some(facts);
        return;
    };
    if facts.version.is_some() && known.version.is_none() {
        let before = known.error.take().unwrap_or_default();
        known.error = Some(facts.error.as_ref().map_or(before.clone(), |error| format!("{before}; {error}").into()));
        (known.version, known.cipher, known.group) = (facts.version, facts.cipher, facts.group);
    }
    known.asks_for_certificate |= facts.asks_for_certificate;
    known.alert = known.alert.or(facts.alert);
    if known.chain.is_empty() {
        (known.chain, known.chain_left_out, known.verdict) = (facts.chain, facts.chain_left_out, facts.verdict);
    }
}
