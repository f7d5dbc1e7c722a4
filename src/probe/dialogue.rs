//! What is asked after the greeting: EHLO or FEAT, STARTTLS or AUTH TLS, and the same again inside.
//!
//! Only after a final `220`, one command at a time, and never a login but the anonymous one that was asked for. Nothing is
//! pipelined: EHLO and STARTTLS must each be the last of what is sent at once (RFC 2920 §3.1), and FTP offers no such thing.
//! What a server refuses is an answer like any other, and the rest is asked all the same.

mod ftp;
mod smtp;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use self::smtp::say_hello;
use super::deadline::by;
use super::identity::address_literal;
use super::network::{Network, Stream};
use super::peer::{Heard, Peer, Talk};
use super::reply::{Progress, ReplyReader};
use super::secure::Door;
use super::wait::Wait;
use super::{Prober, Visit, protocol};
use crate::config::Depth;
use crate::observation::{Dialogue, Event, Observation, Outcome, Protocol, Reply, TlsFacts, TlsUse};

/// Ready for us (RFC 959 §5.4, RFC 5321 §4.2.3).
const READY: u16 = 220;

/// The server takes AUTH (RFC 4217 §4).
const SECURITY_ACCEPTED: u16 = 234;

/// No more of one answer is listened to.
const MAX_ANSWER: usize = 256 * 1024;

/// The codes that say yes to one of the commands here.
const YES: [u16; 9] = [202, 211, 215, 220, 227, 229, 230, 234, 250];

/// Why a dialogue ends before everything was asked.
pub(super) type BrokenOff = Cow<'static, str>;

impl<N: Network> Prober<N> {
    /// Asks what there is to be asked, and goes inside TLS where that is wanted and offered. Without a peer the connection
    /// went with a failed handshake.
    pub(super) async fn go_deeper(
        &self,
        mut peer: Peer<N::Stream>,
        visit: &Visit<'_>,
        observation: &mut Observation,
    ) -> Result<Peer<N::Stream>, Talk> {
        let is_mute = observation.outcome == Outcome::Silent && peer.received().is_empty();
        if is_mute && peer.is_plain() && visit.ask.depth > Depth::Greeting {
            peer = self.try_tls_on_a_silent_port(peer, visit, observation).await?;
        }
        if observation.outcome != Outcome::Greeted || observation.code != Some(READY) {
            return Ok(peer);
        }
        let mut dialogue = Dialogue { our_address: peer.local_ip(), ..Dialogue::default() };
        let result = if visit.place.service.is_ftp() {
            self.talk_ftp(peer, visit, observation, &mut dialogue).await
        } else {
            self.talk_smtp(peer, visit, observation, &mut dialogue).await
        };
        dialogue.settle();
        observation.dialogue = Some(Box::new(dialogue));
        result
    }

    /// A server that waits for us to speak may be waiting for a `ClientHello`.
    async fn try_tls_on_a_silent_port(
        &self,
        peer: Peer<N::Stream>,
        visit: &Visit<'_>,
        observation: &mut Observation,
    ) -> Result<Peer<N::Stream>, Talk> {
        let mut peer = match self.upgrade(peer, Door::Open, visit, observation).await {
            Ok(peer) => peer,
            Err(talk) => {
                // An alert is TLS; nothing, or a hang-up, is what it was before.
                let facts = observation.tls.as_deref();
                if facts.is_some_and(|facts| facts.version.is_some() || facts.alert.is_some()) {
                    observation.outcome = Outcome::OtherProtocol;
                    observation.protocol = Some(Protocol::Tls);
                }
                return Err(talk);
            }
        };
        let mut wait = Wait::to_the_end(Instant::now(), self.patience(observation.service));
        self.hear_greeting(&mut peer, &mut wait, observation).await;
        if observation.outcome == Outcome::OtherProtocol && observation.protocol.is_none() {
            observation.protocol = protocol::name(peer.received().bytes());
        }
        Ok(peer)
    }

    /// Who we say we are: never what the peer is called, also where that is our own name.
    fn our_name(&self, peer: &Peer<N::Stream>, visit: &Visit<'_>) -> String {
        let is_theirs = |name: &&String| {
            let known = visit.place.name.as_deref().map(|name| name.trim_end_matches('.').as_bytes());
            let lines = peer.received().bytes().split(|byte| *byte == b'\n');
            // Behind the code and what stands between it and the text.
            let texts = lines.map(|line| line.get(4..).unwrap_or_default());
            let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            let words = texts.flat_map(|text| text.split(move |byte| !is_of_name(byte)));
            let words = words.map(|word| word.strip_suffix(b".").unwrap_or(word));
            words.chain(known).any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        let own = self.settings.ehlo_name.as_ref().filter(|name| !is_theirs(name)).cloned();
        own.unwrap_or_else(|| address_literal(peer.local_ip().unwrap_or(IpAddr::from([127, 0, 0, 1]))))
    }

    /// Goes the way that was gone before, up to where a `ClientHello` is due.
    ///
    /// # Errors
    /// Why it does not lead there this time.
    pub(super) async fn walk_to(
        &self,
        door: Door,
        peer: &mut Peer<N::Stream>,
        visit: &Visit<'_>,
    ) -> Result<(), BrokenOff> {
        let mut again = Observation::new(
            std::time::SystemTime::UNIX_EPOCH,
            Some(visit.place.ip),
            visit.place.port,
            visit.place.service,
            Outcome::Silent,
        );
        let mut wait = Wait::to_the_end(peer.ready(), self.patience(visit.place.service));
        self.hear_greeting(peer, &mut wait, &mut again).await;
        match again.code {
            Some(READY) => {}
            Some(code) => return Err(format!("greeted with {code}").into()),
            None => return Err(again.outcome.as_str().into()),
        }
        let (patience, mut unused) = (self.patience(visit.place.service), Dialogue::default());
        let (reply, yes) = match door {
            Door::Open => return Ok(()),
            Door::Starttls => {
                let name = self.our_name(peer, visit);
                say_hello(peer, &name, patience, &mut unused).await?;
                (ask(peer, "STARTTLS", patience, &mut unused).await?, READY)
            }
            Door::Auth(mechanism) => {
                (ask(peer, &format!("AUTH {mechanism}"), patience, &mut unused).await?, SECURITY_ACCEPTED)
            }
        };
        if reply.code == yes { Ok(()) } else { Err(format!("refused with {}", reply.code).into()) }
    }
}

/// Writes down the answer to STARTTLS or AUTH; whether a handshake follows.
fn is_let_in<S: Stream>(
    peer: &mut Peer<S>,
    reply: Reply,
    yes: u16,
    observation: &mut Observation,
    dialogue: &mut Dialogue,
) -> bool {
    let code = reply.code;
    dialogue.upgrade = Some(reply);
    if code != yes {
        let mut facts = TlsFacts::new(TlsUse::Refused);
        facts.error = Some(format!("refused with {code}").into());
        observation.tls = Some(Box::new(facts));
        return false;
    }
    // Nothing may stand between this answer and the handshake: whatever does was not said inside TLS.
    dialogue.injected = peer.set_early(Vec::new());
    true
}

fn broken_off<S>(peer: Peer<S>, why: BrokenOff, dialogue: &mut Dialogue) -> Peer<S> {
    dialogue.broken_off = Some(why);
    peer
}

/// One command and its answer. What had come before it was not asked for.
async fn ask<S: Stream>(
    peer: &mut Peer<S>,
    command: &str,
    patience: Duration,
    dialogue: &mut Dialogue,
) -> Result<Reply, BrokenOff> {
    set_aside(&mut dialogue.unasked, &peer.set_early(Vec::new()));
    peer.say(format!("{command}\r\n").as_bytes()).await;
    hear_answer(peer, command.split(' ').next().unwrap_or_default(), patience, dialogue).await
}

/// The answer to a command that was said. What cannot be one is told apart, and the next reply waited for.
async fn hear_answer<S: Stream>(
    peer: &mut Peer<S>,
    verb: &str,
    patience: Duration,
    dialogue: &mut Dialogue,
) -> Result<Reply, BrokenOff> {
    let (deadline, before) = (Instant::now() + patience, peer.heard());
    let (mut reader, mut bytes) = (ReplyReader::default(), Vec::new());
    let mut chunk = peer.set_early(Vec::new());
    loop {
        let progress = reader.read(&chunk);
        let used = if let Progress::Complete { used, .. } = progress { used } else { chunk.len() };
        bytes.extend(chunk[..used].iter().take(Reply::LIMIT.saturating_sub(bytes.len())));
        match progress {
            Progress::Complete { code, .. } if is_stray(verb, code) => {
                set_aside(&mut dialogue.unasked, &bytes);
                bytes.clear();
                chunk.drain(..used);
                continue;
            }
            Progress::Complete { code, .. } => {
                peer.set_early(chunk.split_off(used));
                return Ok(Reply { code, bytes });
            }
            Progress::Incomplete if peer.heard() - before > MAX_ANSWER => {
                return Err(format!("no end of the answer to {verb}").into());
            }
            Progress::Incomplete => {}
            Progress::NotAReply => return Err(format!("no reply in answer to {verb}").into()),
        }
        let heard = by(deadline, peer.hear(<[u8]>::to_vec)).await;
        chunk = match heard {
            Ok(Heard::Bytes(bytes)) => bytes,
            Ok(Heard::End) => return Err(format!("closed in answer to {verb}").into()),
            Ok(Heard::Broken(error)) => {
                return Err(format!("{} in answer to {verb}", super::tls::break_reason(&error)).into());
            }
            Err(_) => {
                peer.log().note(|| Event::GaveUp);
                return Err(format!("no answer to {verb} in {} s", patience.as_secs()).into());
            }
        };
    }
}

/// Keeps what was not asked for, as much as of one reply: who never stops saying such things fills no row with them.
fn set_aside(unasked: &mut Vec<u8>, bytes: &[u8]) {
    let room = Reply::LIMIT.saturating_sub(unasked.len());
    unasked.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// Whether a positive reply must belong to something else: a second greeting, or the late answer to what was asked before.
/// Each command has one code for yes.
fn is_stray(verb: &str, code: u16) -> bool {
    let yes: &[u16] = match verb {
        "EHLO" | "HELO" => &[250],
        "STARTTLS" => &[220],
        "FEAT" => &[211],
        "SYST" => &[215],
        "AUTH" => &[234],
        "USER" | "PASS" => &[230, 202],
        "PASV" => &[227],
        "EPSV" => &[229],
        _ => return false,
    };
    YES.contains(&code) && !yes.contains(&code)
}
