//! A client's side of a handshake, from SSL 3.0 to TLS 1.2: bytes in, bytes and facts out.

use std::io;

use rustls::AlertDescription;

use super::Facts;
use super::agree::{Agreed, Obstacle, agree};
use super::error::Error;
use super::hello::Hello;
use super::message::{self, Alerts, Joiner, Message, ServerHello, put_message};
use super::protection::Protection;
use super::record::{Content, Deframer, Record, put_record};
use super::schedule::{Prf, Side};
use super::session::Connection;
use super::share::Share;
use super::suite::{self, Parameters, Said};
use super::version::Version;

/// A server that says more than this without ending its handshake is not listened to: a chain and some long messages.
pub(in crate::probe) const MAX_HEARD: usize = 512 * 1024;

pub(super) const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// To the end of what is said in clear.
    Ask,
    /// To a session.
    Session,
}

/// What bytes came to.
#[derive(Debug)]
pub(super) enum Progress {
    /// More have to come.
    More,
    /// All that is said in clear has been said, and there will be no session.
    Clear,
    /// A session stands.
    Established(Box<Connection>),
}

/// One handshake.
#[derive(Debug)]
pub(super) struct Client {
    hello: Hello,
    depth: Depth,
    facts: Facts,
    deframer: Deframer,
    joiner: Joiner,
    alerts: Alerts,
    heard: usize,
    random: [u8; 32],
    /// All messages of both sides.
    transcript: Vec<u8>,
    state: State,
    /// What our records say they are.
    version: Version,
    output: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// Our hello is out.
    Asked,
    /// The server has chosen, and goes on to `ServerHelloDone`.
    Chosen(Box<Chosen>),
    /// Our half is done.
    Answered(Box<Answered>),
    /// The server's half fits.
    Established(Box<Answered>),
    Over,
}

/// What the server chose and gave.
#[derive(Debug)]
struct Chosen {
    version: Version,
    hello: ServerHello,
    share: Option<Share>,
}

/// What is left to check, and with what.
#[derive(Debug)]
struct Answered {
    prf: Prf,
    master: Vec<u8>,
    writer: Protection,
    reader: Protection,
    /// Whether the server writes under its keys.
    changed: bool,
}

impl Client {
    pub(super) fn new(hello: Hello, server_name: Option<&str>, depth: Depth) -> Result<Self, Error> {
        let random = super::random()?;
        let message = hello.message(&random, server_name);
        let mut output = Vec::new();
        put_record(&mut output, Content::Handshake, hello.record_version(), &message);
        Ok(Self {
            hello,
            depth,
            facts: Facts::default(),
            deframer: Deframer::default(),
            joiner: Joiner::default(),
            alerts: Alerts::default(),
            heard: 0,
            random,
            transcript: message,
            state: State::Asked,
            version: hello.record_version(),
            output,
        })
    }

    /// What has to be sent.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// How much of what came is held.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held(&self) -> usize {
        self.deframer.held() + self.joiner.held()
    }

    /// What has been learnt.
    pub(super) fn into_facts(self) -> Facts {
        self.facts
    }

    /// Takes what came. After an error or an end it must not be called again.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        let progress = self.take(bytes);
        if let Err(error) = &progress {
            if let Some(alert) = error.alert() {
                self.put_alert(FATAL, alert)?;
            }
            self.state = State::Over;
        }
        progress
    }

    /// What it means that the peer hangs up now: some say why with a mere warning.
    pub(super) fn hang_up(&self) -> io::Error {
        match self.facts.alert {
            Some(alert) if self.facts.version.is_none() => Error::Alert(alert).into(),
            _ => io::ErrorKind::UnexpectedEof.into(),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        self.heard = self.heard.saturating_add(bytes.len());
        if self.heard > MAX_HEARD {
            return Err(Error::TooLong { what: "a handshake", limit: MAX_HEARD });
        }
        self.deframer.push(bytes);
        while let Some(record) = self.deframer.next()? {
            self.record(record)?;
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(Progress::Clear),
                State::Established(session) => {
                    let deframer = std::mem::take(&mut self.deframer);
                    let Answered { reader, writer, .. } = *session;
                    return Ok(Progress::Established(Box::new(Connection::new(deframer, reader, writer))));
                }
                state @ (State::Asked | State::Chosen(_) | State::Answered(_)) => self.state = state,
            }
        }
        Ok(Progress::More)
    }

    fn record(&mut self, record: Record) -> Result<(), Error> {
        let content = record.content;
        let body = match &mut self.state {
            State::Answered(answered) if answered.changed => answered.reader.open(record)?,
            State::Answered(_) | State::Asked | State::Chosen(_) | State::Established(_) | State::Over => record.body,
        };
        match content {
            Content::Handshake => {
                self.joiner.push(&body);
                while let Some(message) = self.joiner.next()? {
                    self.message(&message)?;
                }
                Ok(())
            }
            Content::Alert => {
                let alerts = self.alerts.push(&body);
                alerts.into_iter().try_for_each(|alert| self.alert(alert))
            }
            Content::ChangeCipherSpec => self.change(),
            Content::ApplicationData => Err(Error::Unexpected("application data")),
        }
    }

    /// What follows is under the server's keys.
    fn change(&mut self) -> Result<(), Error> {
        match &mut self.state {
            State::Answered(answered) if !answered.changed && self.joiner.is_empty() => {
                answered.changed = true;
                Ok(())
            }
            State::Answered(_) | State::Asked | State::Chosen(_) | State::Established(_) | State::Over => {
                Err(Error::Unexpected("ChangeCipherSpec"))
            }
        }
    }

    /// Warnings are passed over: servers that do not know the name say so and go on (RFC 6066 §3).
    fn alert(&mut self, [level, alert]: [u8; 2]) -> Result<(), Error> {
        self.facts.alert = Some(alert);
        if level == WARNING && alert != u8::from(AlertDescription::CloseNotify) {
            return Ok(());
        }
        Err(Error::Alert(alert))
    }

    fn message(&mut self, message: &Message) -> Result<(), Error> {
        if message.kind() == message::HELLO_REQUEST {
            // We are at it.
            return Ok(());
        }
        if message.kind() == message::FINISHED {
            return self.finished(message.body());
        }
        self.transcript.extend_from_slice(message.bytes());
        match (&mut self.state, message.kind()) {
            (State::Asked, message::SERVER_HELLO) => self.hello(message.body()),
            (State::Asked, _) => Err(Error::Unexpected("message before ServerHello")),
            (State::Chosen(_), message::CERTIFICATE) => {
                let (chain, whole) = message::read_chain(message.body());
                self.facts.chain = chain;
                if whole { Ok(()) } else { Err(Error::Malformed("Certificate")) }
            }
            (State::Chosen(chosen), message::SERVER_KEY_EXCHANGE) => {
                let share = Share::read(Said::with(chosen.hello.suite), message.body())
                    .ok_or(Error::Malformed("ServerKeyExchange"))?;
                self.facts.group = share.group();
                chosen.share = Some(share);
                Ok(())
            }
            (State::Chosen(_), message::CERTIFICATE_REQUEST) => {
                self.facts.wants_client_certificate = true;
                Ok(())
            }
            (State::Chosen(_), message::SERVER_HELLO_DONE) => self.done(),
            // Neither was asked for, and neither does harm.
            (State::Chosen(_), message::CERTIFICATE_STATUS) => Ok(()),
            (State::Answered(answered), message::NEW_SESSION_TICKET) if !answered.changed => Ok(()),
            (State::Chosen(_), _) => Err(Error::Unexpected("message before ServerHelloDone")),
            (State::Answered(_), _) => Err(Error::Unexpected("message before Finished")),
            (State::Established(_) | State::Over, _) => Err(Error::Unexpected("message after the end")),
        }
    }

    fn hello(&mut self, body: &[u8]) -> Result<(), Error> {
        let hello = ServerHello::read(body).ok_or(Error::Malformed("ServerHello"))?;
        self.facts.cipher = Some(suite::name(hello.suite));
        let version = Version::from_number(hello.version).ok_or(Error::Unexpected("version"))?;
        self.facts.version = Some(version.as_str());
        self.version = version;
        self.state = State::Chosen(Box::new(Chosen { version, hello, share: None }));
        Ok(())
    }

    /// All has been said in clear: our half, or a polite end.
    fn done(&mut self) -> Result<(), Error> {
        let State::Chosen(chosen) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Error::Unexpected("ServerHelloDone"));
        };
        if self.depth == Depth::Session {
            match self.prepare(&chosen) {
                Ok((answered, said)) => return self.answer(answered, &said),
                Err(obstacle) => self.facts.error = Some(obstacle),
            }
        }
        self.put_alert(WARNING, AlertDescription::UserCanceled)?;
        self.put_alert(WARNING, AlertDescription::CloseNotify)
    }

    /// The keys of a session and our `ClientKeyExchange`, or why there can be no session.
    fn prepare(&self, chosen: &Chosen) -> Result<(Answered, Vec<u8>), Obstacle> {
        let Chosen { version, hello, share } = chosen;
        let offered = self.hello.suites().contains(&hello.suite) && *version <= self.hello.version();
        if !offered || hello.compression != 0 || (suite::is_new(hello.suite) && *version < Version::Tls12) {
            return Err("no session with what was not offered".into());
        }
        if *version == Version::Ssl3 {
            return Err("no session with SSLv3".into());
        }
        let unspoken = || format!("no session with {}", suite::name(hello.suite));
        let suite = Parameters::of(hello.suite).ok_or_else(unspoken)?;
        let Agreed { said, premaster } =
            agree(suite.exchange, share.as_ref(), &self.facts.chain, self.hello.version())?;
        let prf = Prf::of(*version, suite.hash);
        let master = prf.master_secret(&premaster, &self.random, &hello.random);
        let (ours, theirs) = prf.keys(&master, &self.random, &hello.random, suite);
        let writer = Protection::new(*version, suite, ours).ok_or_else(unspoken)?;
        let reader = Protection::new(*version, suite, theirs).ok_or_else(unspoken)?;
        Ok((Answered { prf, master, writer, reader, changed: false }, said))
    }

    /// Our half: what was asked for, the change to our keys, and what proves that we saw the same handshake.
    fn answer(&mut self, mut answered: Answered, said: &[u8]) -> Result<(), Error> {
        let mut messages = Vec::new();
        if self.facts.wants_client_certificate {
            // We have none.
            put_message(&mut messages, message::CERTIFICATE, &[0, 0, 0]);
        }
        put_message(&mut messages, message::CLIENT_KEY_EXCHANGE, said);
        self.transcript.extend_from_slice(&messages);
        put_record(&mut self.output, Content::Handshake, self.version, &messages);
        put_record(&mut self.output, Content::ChangeCipherSpec, self.version, &[1]);
        let proof = answered.prf.verify_data(Side::Client, &answered.master, &self.transcript);
        let mut finished = Vec::new();
        put_message(&mut finished, message::FINISHED, &proof);
        answered.writer.seal(&mut self.output, Content::Handshake, &finished)?;
        self.transcript.extend_from_slice(&finished);
        self.state = State::Answered(Box::new(answered));
        Ok(())
    }

    /// The server's proof.
    fn finished(&mut self, proof: &[u8]) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Answered(answered) if answered.changed => {
                let fits = answered.prf.verify_data(Side::Server, &answered.master, &self.transcript) == proof;
                self.state = if fits { State::Established(answered) } else { State::Answered(answered) };
                if fits { Ok(()) } else { Err(Error::Finished) }
            }
            state @ (State::Answered(_) | State::Asked | State::Chosen(_) | State::Established(_) | State::Over) => {
                self.state = state;
                Err(Error::Unexpected("Finished"))
            }
        }
    }

    fn put_alert(&mut self, level: u8, alert: AlertDescription) -> Result<(), Error> {
        let alert = [level, u8::from(alert)];
        match &mut self.state {
            State::Answered(session) | State::Established(session) => {
                session.writer.seal(&mut self.output, Content::Alert, &alert)
            }
            State::Asked | State::Chosen(_) | State::Over => {
                put_record(&mut self.output, Content::Alert, self.version, &alert);
                Ok(())
            }
        }
    }
}
