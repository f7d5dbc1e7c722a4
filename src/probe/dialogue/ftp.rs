//! FTP after the greeting: FEAT and SYST, AUTH TLS (RFC 4217), FEAT again inside, and the visit of an anonymous guest.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{BrokenOff, SECURITY_ACCEPTED, ask, broken_off, is_let_in};
use crate::config::Depth;
use crate::observation::{Anonymous, Asked, Dialogue, Observation, Offers, Reply};
use crate::probe::network::{Network, Stream};
use crate::probe::peer::{Link, Peer, Talk};
use crate::probe::secure::Door;
use crate::probe::{Prober, Visit, passive};

/// The server does not know the mechanism (RFC 2228 §5.1).
const NO_SUCH_MECHANISM: u16 = 504;

/// How often a guest asks for a data address: twice shows whether it changes and from which range the ports are.
const DATA_ADDRESSES: usize = 2;

/// The password of an anonymous guest is an e-mail address (RFC 1635); this one is nobody's (RFC 2606 §3).
const GUEST: &str = "hailer@example.com";

impl<N: Network> Prober<N> {
    /// Asks what the server can do, in clear and then inside TLS, and what it tells a guest.
    pub(super) async fn talk_ftp(
        &self,
        mut peer: Peer<N::Stream>,
        visit: &Visit<'_>,
        observation: &mut Observation,
        dialogue: &mut Dialogue,
    ) -> Result<Peer<N::Stream>, Talk> {
        let patience = self.patience(visit.place.service);
        if visit.ask.depth > Depth::Greeting
            && let Err(why) = ask_features(&mut peer, patience, dialogue).await
        {
            return Ok(broken_off(peer, why, dialogue));
        }
        if visit.ask.depth == Depth::Tls && peer.is_plain() {
            let door = match ask_auth(&mut peer, patience, dialogue).await {
                Ok((mechanism, reply)) => {
                    dialogue.mechanism = Some(mechanism);
                    let is_in = is_let_in(&mut peer, reply, SECURITY_ACCEPTED, observation, dialogue);
                    is_in.then_some(Door::Auth(mechanism))
                }
                Err(why) => return Ok(broken_off(peer, why, dialogue)),
            };
            if let Some(door) = door {
                peer = match self.upgrade(peer, door, visit, observation).await {
                    Ok(peer) if !peer.is_plain() => peer,
                    mut lost => {
                        if visit.ask.anonymous {
                            if let Ok(peer) = &mut lost {
                                peer.finish().await;
                            }
                            Box::pin(self.visit_anew(visit, observation, dialogue)).await;
                        }
                        return lost;
                    }
                };
                match ask(&mut peer, "FEAT", patience, dialogue).await {
                    Ok(reply) => dialogue.offers_inside = Some(Offers::new(Asked::Feat, reply)),
                    Err(why) => return Ok(broken_off(peer, why, dialogue)),
                }
            }
        }
        if visit.ask.anonymous {
            let mut guest = Anonymous::default();
            let result = self.be_a_guest(&mut peer, visit, &mut guest, dialogue).await;
            dialogue.anonymous = Some(guest);
            if let Err(why) = result {
                return Ok(broken_off(peer, why, dialogue));
            }
        }
        Ok(peer)
    }

    /// The visit of a guest on a connection of its own, in clear, where TLS took the first one with it.
    async fn visit_anew(&self, visit: &Visit<'_>, observation: &mut Observation, dialogue: &mut Dialogue) {
        let Ok((stream, _)) = self.reach(Door::Open, visit, observation).await else { return };
        let mut peer = Peer::new(Link::Plain(stream), Instant::now(), Instant::now(), visit.log.clone());
        if self.walk_to(Door::Open, &mut peer, visit).await.is_ok() {
            let mut guest = Anonymous::default();
            // How far it came is in what was found.
            drop(self.be_a_guest(&mut peer, visit, &mut guest, dialogue).await);
            dialogue.anonymous = Some(guest);
        }
        self.part(&mut peer, visit).await;
    }

    /// Logs in as anonymous and asks where data connections would go. Nothing is transferred.
    async fn be_a_guest(
        &self,
        peer: &mut Peer<N::Stream>,
        visit: &Visit<'_>,
        guest: &mut Anonymous,
        dialogue: &mut Dialogue,
    ) -> Result<(), BrokenOff> {
        let (patience, log) = (self.patience(visit.place.service), peer.log().clone());
        guest.login = ask(peer, "USER anonymous", patience, dialogue).await?;
        if guest.login.code == 331 {
            guest.login = ask(peer, &format!("PASS {GUEST}"), patience, dialogue).await?;
        }
        if !guest.is_in() {
            return Ok(());
        }
        if visit.place.ip.is_ipv4() {
            for _ in 0..DATA_ADDRESSES {
                let reply = ask(peer, "PASV", patience, dialogue).await?;
                let address = passive::address(&reply.bytes).filter(|_| reply.code == 227);
                guest.passive = Some(reply);
                let Some(address) = address else { break };
                guest.addresses.push(address);
            }
            if let Some(last) = guest.addresses.last() {
                // On the host that was dialled, and never on one that the peer names.
                guest.passive_opens = self.opens(SocketAddr::new(visit.place.ip, last.port()), &log).await;
            }
        }
        let reply = ask(peer, "EPSV", patience, dialogue).await?;
        guest.extended_port = passive::port(&reply.bytes).filter(|_| reply.code == 229);
        guest.extended = Some(reply);
        if let Some(port) = guest.extended_port {
            guest.extended_opens = self.opens(SocketAddr::new(visit.place.ip, port), &log).await;
        }
        Ok(())
    }
}

/// FEAT and SYST, each of which many servers keep until after login.
async fn ask_features<S: Stream>(
    peer: &mut Peer<S>,
    patience: Duration,
    dialogue: &mut Dialogue,
) -> Result<(), BrokenOff> {
    dialogue.offers = Some(Offers::new(Asked::Feat, ask(peer, "FEAT", patience, dialogue).await?));
    dialogue.system = Some(ask(peer, "SYST", patience, dialogue).await?);
    Ok(())
}

/// AUTH TLS, or AUTH SSL where the server is older than RFC 4217 and knows only that.
async fn ask_auth<S: Stream>(
    peer: &mut Peer<S>,
    patience: Duration,
    dialogue: &mut Dialogue,
) -> Result<(&'static str, Reply), BrokenOff> {
    let reply = ask(peer, "AUTH TLS", patience, dialogue).await?;
    if reply.code != NO_SUCH_MECHANISM {
        return Ok(("TLS", reply));
    }
    Ok(("SSL", ask(peer, "AUTH SSL", patience, dialogue).await?))
}
