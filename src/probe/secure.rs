//! How an endpoint is brought inside TLS: by a modern client, without the server's name where the server does not know it,
//! and by an older client where it will not speak with a modern one. Each further try takes a connection of its own, which
//! goes the same way up to the door.

use std::net::SocketAddr;
use std::time::SystemTime;

use tokio::time::Instant;

use super::Prober;
use super::dial::{Dialled, NoConnection, Turn};
use super::legacy;
use super::log::Log;
use super::network::Network;
use super::peer::{Link, Peer};
use super::tls::{Handshake, Hello, Refusal, Server};
use crate::config::Depth;
use crate::observation::{Event, Legacy, Observation, Outcome, TlsFacts, TlsUse};
use crate::target::Place;

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
struct Begun {
    time: SystemTime,
    at: Instant,
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
        place: &Place,
        observation: &mut Observation,
        log: &Log,
    ) -> Option<Peer<N::Stream>> {
        let started = Instant::now();
        let (secured, again) = self.secure(stream, Door::Open, place, observation, log).await;
        // With another connection the row is about that one.
        let begun = again.map_or(begun, |again| {
            observation.time = again.time;
            again.at
        });
        match secured {
            Secured::Inside(link) => Some(Peer::new(link, begun, Instant::now(), log.clone())),
            Secured::Plain(stream, bytes) => {
                // It did not wait for us to fail at TLS.
                let mut peer = Peer::new(Link::Plain(stream), begun, started, log.clone());
                peer.keep(&bytes);
                if self.settings.depth == Depth::Greeting {
                    return Some(peer);
                }
                // What we asked next would stand on the same line as our hello: to talk takes a connection without one.
                let Some((stream, anew)) = self.reach(Door::Open, place, observation, log).await else {
                    return Some(peer);
                };
                peer.into_parts().0.close();
                (observation.time, observation.connect) = (anew.time, Some(anew.at.elapsed()));
                Some(Peer::new(Link::Plain(stream), anew.at, Instant::now(), log.clone()))
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
        place: &Place,
        observation: &mut Observation,
        log: &Log,
    ) -> (Secured<N::Stream>, Option<Begun>) {
        let mut server =
            Server { ip: place.ip, name: place.name.as_deref(), sni: place.name.is_some(), tls: door.leads_to() };
        let (mut hello, mut again) = (Hello::Modern, None);
        observation.tls = None;
        loop {
            let started = Instant::now();
            log.note(|| Event::Hello(hello.as_str()));
            let (refusal, by_alert) = match self.shake_hands(stream, hello, server).await {
                Handshake::Done(link, facts) => {
                    log.note(|| Event::Secured(facts.summary()));
                    observation.tls_handshake = Some(started.elapsed());
                    observation.tls = Some(facts);
                    return (Secured::Inside(link), again);
                }
                Handshake::Plain(stream, bytes) => {
                    let mut facts = TlsFacts::new(TlsUse::NotOffered);
                    facts.error = Some("plain text in answer to a ClientHello".into());
                    log.note(|| Event::NotSecured("plain text in answer".into()));
                    observation.tls = Some(Box::new(facts));
                    return (Secured::Plain(stream, bytes), again);
                }
                Handshake::Failed { facts, refusal } => {
                    log.note(|| Event::NotSecured(facts.error.clone().unwrap_or_default()));
                    let by_alert = facts.alert.is_some();
                    learn(&mut observation.tls, facts);
                    (refusal, by_alert)
                }
            };
            match (refusal, hello.older(by_alert)) {
                (Refusal::UnknownName, _) if server.sni => server.sni = false,
                (Refusal::TooModern, Some(older)) => hello = older,
                (Refusal::UnknownName | Refusal::TooModern | Refusal::Other, _) => break,
            }
            let Some((anew, begun)) = self.reach(door, place, observation, log).await else { break };
            stream = anew;
            again = Some(begun);
            if door == Door::Open {
                observation.connect = Some(begun.at.elapsed());
            }
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
        place: &Place,
        observation: &mut Observation,
    ) -> Result<Peer<N::Stream>, super::peer::Talk> {
        let log = peer.log().clone();
        let (link, talk) = peer.into_parts();
        let stream = match link {
            Link::Plain(stream) => stream,
            link @ (Link::Tls(_) | Link::Legacy(_)) => return Ok(Peer::resume(link, talk)),
        };
        match self.secure(stream, door, place, observation, &log).await.0 {
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
    async fn reach(
        &self,
        door: Door,
        place: &Place,
        observation: &mut Observation,
        log: &Log,
    ) -> Option<(N::Stream, Begun)> {
        let dialled = self.dial(SocketAddr::new(place.ip, place.port), true, Turn::Further, log).await?;
        observation.attempts += dialled.attempts;
        let Dialled { time, begun, result, .. } = dialled;
        let stream = match result {
            Ok(stream) => stream,
            Err(NoConnection { outcome, .. }) => {
                if outcome == Outcome::Refused {
                    // It took the first connection.
                    self.agenda.pushed_back(place.ip);
                }
                return None;
            }
        };
        let begun = Begun { time, at: begun };
        if door == Door::Open {
            return Some((stream, begun));
        }
        let mut peer = Peer::new(Link::Plain(stream), begun.at, Instant::now(), log.clone());
        self.walk_to(door, &mut peer, place).await?;
        match peer.into_parts().0 {
            Link::Plain(stream) => Some((stream, begun)),
            Link::Tls(_) | Link::Legacy(_) => None,
        }
    }

    /// Asks on a connection of its own whether a server that speaks modern TLS would also speak that of the past.
    pub(super) async fn ask_for_old_tls(&self, place: &Place, observation: &mut Observation, log: &Log) {
        let Some(door) = Door::of(observation) else { return };
        let mut name = place.name.as_deref();
        let legacy = loop {
            let Some((stream, _)) = self.reach(door, place, observation, log).await else { return };
            log.note(|| Event::Hello(Hello::Older(legacy::Hello::Old).as_str()));
            let deadline = Instant::now() + self.settings.tls_timeout;
            match self.tls.ask_for_old(stream, name, deadline).await {
                Some(legacy) => break legacy,
                None => name = None,
            }
            log.note(|| Event::Closed);
        };
        log.note(|| match &legacy {
            Legacy::Accepted { version, cipher } => {
                let words = [*version, cipher.as_deref()];
                Event::WouldSpeak(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
            Legacy::Refused(how) => Event::NotSecured(how.clone()),
        });
        log.note(|| Event::Closed);
        if let Some(facts) = observation.tls.as_deref_mut() {
            facts.legacy = Some(legacy);
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
    if known.chain.is_empty() {
        (known.chain, known.verdict) = (facts.chain, facts.verdict);
    }
}
