//! SMTP after the greeting: EHLO, STARTTLS (RFC 3207), and EHLO again inside.

use std::time::Duration;

use super::{BrokenOff, READY, ask, broken_off, hear_answer, is_let_in, set_aside};
use crate::config::Depth;
use crate::observation::{Asked, Dialogue, Observation, Offers, TlsFacts, TlsUse};
use crate::probe::network::{Network, Stream};
use crate::probe::peer::{Peer, Talk};
use crate::probe::secure::Door;
use crate::probe::{Prober, Visit};

/// The server is about to hang up.
const NOT_AVAILABLE: u16 = 421;

impl<N: Network> Prober<N> {
    /// Asks what the server can do, in clear and then inside TLS.
    pub(super) async fn talk_smtp(
        &self,
        mut peer: Peer<N::Stream>,
        visit: &Visit<'_>,
        observation: &mut Observation,
        dialogue: &mut Dialogue,
    ) -> Result<Peer<N::Stream>, Talk> {
        if visit.ask.depth == Depth::Greeting {
            return Ok(peer);
        }
        let name = self.our_name(&peer, visit);
        let patience = self.patience(visit.place.service);
        let offers = match say_hello(&mut peer, &name, patience, dialogue).await {
            Ok(offers) => dialogue.offers.insert(offers),
            Err(why) => return Ok(broken_off(peer, why, dialogue)),
        };
        if visit.ask.depth < Depth::Tls || !peer.is_plain() || !offers.reply.is_positive() {
            return Ok(peer);
        }
        if !offers.has("STARTTLS") {
            // On a TLS port it is known already, and how.
            observation.tls.get_or_insert_with(|| Box::new(TlsFacts::new(TlsUse::NotOffered)));
            return Ok(peer);
        }
        match ask(&mut peer, "STARTTLS", patience, dialogue).await {
            Ok(reply) => {
                if !is_let_in(&mut peer, reply, READY, observation, dialogue) {
                    return Ok(peer);
                }
            }
            Err(why) => return Ok(broken_off(peer, why, dialogue)),
        }
        peer = self.upgrade(peer, Door::Starttls, visit, observation).await?;
        if peer.is_plain() {
            return Ok(peer);
        }
        match say_hello(&mut peer, &name, patience, dialogue).await {
            Ok(offers) => dialogue.offers_inside = Some(offers),
            Err(why) => return Ok(broken_off(peer, why, dialogue)),
        }
        Ok(peer)
    }
}

/// EHLO, or HELO where that is refused (RFC 5321 §3.2).
pub(super) async fn say_hello<S: Stream>(
    peer: &mut Peer<S>,
    name: &str,
    patience: Duration,
    dialogue: &mut Dialogue,
) -> Result<Offers, BrokenOff> {
    let reply = ask(peer, &format!("EHLO {name}"), patience, dialogue).await?;
    if reply.is_positive() || reply.code == NOT_AVAILABLE {
        return Ok(Offers::new(Asked::Ehlo, reply));
    }
    if !peer.early().is_empty() {
        // What came with the refusal is the answer: the refusal was of something that we did not say.
        set_aside(&mut dialogue.unasked, &reply.bytes);
        return Ok(Offers::new(Asked::Ehlo, hear_answer(peer, "EHLO", patience, dialogue).await?));
    }
    let reply = ask(peer, &format!("HELO {name}"), patience, dialogue).await?;
    // HELO has one line; several are EHLO's, which came late because something else was answered before it.
    let is_late = reply.is_positive() && reply.lines().count() > 1;
    Ok(Offers::new(if is_late { Asked::Ehlo } else { Asked::Helo }, reply))
}
