//! Servers of the past, by the legacy client.

use rustls::AlertDescription;
use tokio::time::Instant;

use super::{Handshake, Refusal, Server, TlsClient};
use crate::observation::{Legacy, TlsFacts, TlsUse};
use crate::probe::legacy::{self, Facts, Hello, Outcome};
use crate::probe::network::Stream;
use crate::probe::peer::Link;

impl TlsClient {
    pub(super) async fn older<S: Stream>(
        &self,
        stream: S,
        hello: Hello,
        server: Server<'_>,
        deadline: Instant,
    ) -> Handshake<S> {
        let said = server.name.filter(|_| server.sni);
        match legacy::handshake(stream, hello, said, deadline).await {
            Outcome::Session(session, facts) => {
                Handshake::Done(Link::Legacy(session), self.facts(facts, server.tls, server.name))
            }
            // It would go on, and we cannot.
            Outcome::Clear(facts) => {
                Handshake::Failed { facts: self.facts(facts, TlsUse::Failed, server.name), refusal: Refusal::Other }
            }
            Outcome::Plain(stream, bytes) => Handshake::Plain(stream, bytes),
            Outcome::Failed(facts) => {
                let is_mute = facts.version.is_none();
                let stalled = Instant::now() >= deadline;
                let tls = if is_mute && !stalled { TlsUse::Refused } else { TlsUse::Failed };
                let refusal = if is_mute && !stalled { Refusal::TooModern } else { Refusal::Other };
                Handshake::Failed { facts: self.facts(facts, tls, server.name), refusal }
            }
        }
    }

    /// Whether TLS 1.1 and older would be spoken, and with which suite; the connection ends with that. None where the peer
    /// knows no such name (alert 112, RFC 6066 §3) and has to be asked without one.
    pub(in crate::probe) async fn ask_for_old<S: Stream>(
        &self,
        stream: S,
        name: Option<&str>,
        deadline: Instant,
    ) -> Option<Legacy> {
        let facts = match legacy::ask(stream, Hello::Old, name, deadline).await {
            Outcome::Session(_, facts) | Outcome::Clear(facts) | Outcome::Failed(facts) => facts,
            Outcome::Plain(..) => return Some(Legacy::Unknown("plain text in answer to a ClientHello".into())),
        };
        if facts.version.is_some() {
            let Facts { version, cipher, group, .. } = facts;
            return Some(Legacy::Accepted { version, cipher: cipher.map(Into::into), group });
        }
        let is_unknown = name.is_some() && facts.alert == Some(AlertDescription::UnrecognisedName.into());
        let how = facts.error.unwrap_or_default();
        // A stall is no answer.
        let is_answer = facts.alert.is_some() || Instant::now() < deadline;
        (!is_unknown).then_some(if is_answer { Legacy::Refused(how) } else { Legacy::Unknown(how) })
    }

    fn facts(&self, facts: Facts, tls: TlsUse, name: Option<&str>) -> Box<TlsFacts> {
        let (chain, verdict) = self.certificates.judge(&facts.chain, name, false);
        let chain_left_out = facts.chain.len() - chain.len();
        Box::new(TlsFacts {
            version: facts.version,
            cipher: facts.cipher.map(Into::into),
            group: facts.group,
            error: facts.error,
            alert: facts.alert,
            asks_for_certificate: facts.wants_client_certificate,
            chain,
            chain_left_out,
            verdict,
            ..TlsFacts::new(tls)
        })
    }
}
