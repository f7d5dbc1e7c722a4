//! A client's side of a handshake, from SSL 3.0 to TLS 1.2: bytes in, bytes and facts out.

use std::borrow::Cow;
use std::io;

use rustls::AlertDescription;

use super::Facts;
use super::error::Error;
use super::hello::Hello;
use super::message::{self, Joiner, Message, ServerHello};
use super::record::{Content, Deframer, Record, put_record};
use super::share::Share;
use super::suite::{self, Parameters, Said};
use super::version::Version;

/// A server that says more than this without ending its handshake is not listened to: a chain and some long messages.
pub(super) const MAX_HEARD: usize = 512 * 1024;

const WARNING: u8 = 1;
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
}

/// One handshake.
#[derive(Debug)]
pub(super) struct Client {
    hello: Hello,
    depth: Depth,
    facts: Facts,
    deframer: Deframer,
    joiner: Joiner,
    heard: usize,
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
    Over,
}

/// What the server chose and gave.
#[derive(Debug)]
struct Chosen {
    version: Version,
    hello: ServerHello,
    share: Option<Share>,
}

impl Client {
    pub(super) fn new(hello: Hello, server_name: Option<&str>, depth: Depth) -> Result<Self, Error> {
        let message = hello.message(&super::random()?, server_name);
        let mut output = Vec::new();
        put_record(&mut output, Content::Handshake, hello.record_version(), &message);
        Ok(Self {
            hello,
            depth,
            facts: Facts::default(),
            deframer: Deframer::default(),
            joiner: Joiner::default(),
            heard: 0,
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
    #[cfg(test)]
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
        if let Err(error) = progress {
            self.state = State::Over;
            if let Some(alert) = error.alert() {
                self.put_alert(FATAL, alert);
            }
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
            self.record(&record)?;
            if matches!(self.state, State::Over) {
                return Ok(Progress::Clear);
            }
        }
        Ok(Progress::More)
    }

    fn record(&mut self, record: &Record) -> Result<(), Error> {
        match record.content {
            Content::Handshake => {
                self.joiner.push(&record.body);
                while let Some(message) = self.joiner.next()? {
                    self.message(&message)?;
                }
                Ok(())
            }
            Content::Alert => self.alert(&record.body),
            Content::ChangeCipherSpec => Err(Error::Unexpected("ChangeCipherSpec")),
            Content::ApplicationData => Err(Error::Unexpected("application data")),
        }
    }

    /// Warnings are passed over: servers that do not know the name say so and go on (RFC 6066 §3).
    fn alert(&mut self, body: &[u8]) -> Result<(), Error> {
        let [level, alert] = *body else { return Err(Error::Malformed("alert")) };
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
        match &mut self.state {
            State::Asked => {
                if message.kind() != message::SERVER_HELLO {
                    return Err(Error::Unexpected("message before ServerHello"));
                }
                self.hello(message.body())
            }
            State::Chosen(chosen) => match message.kind() {
                message::CERTIFICATE => {
                    let (chain, whole) = message::read_chain(message.body());
                    self.facts.chain = chain;
                    if whole { Ok(()) } else { Err(Error::Malformed("Certificate")) }
                }
                message::SERVER_KEY_EXCHANGE => {
                    let share = Share::read(Said::with(chosen.hello.suite), message.body())
                        .ok_or(Error::Malformed("ServerKeyExchange"))?;
                    self.facts.group = share.group();
                    chosen.share = Some(share);
                    Ok(())
                }
                message::CERTIFICATE_REQUEST => {
                    self.facts.wants_client_certificate = true;
                    Ok(())
                }
                // Not asked for, and no harm.
                message::CERTIFICATE_STATUS => Ok(()),
                message::SERVER_HELLO_DONE => self.done(),
                _ => Err(Error::Unexpected("message before ServerHelloDone")),
            },
            State::Over => Err(Error::Unexpected("message after the end")),
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

    /// All has been said in clear.
    fn done(&mut self) -> Result<(), Error> {
        let State::Chosen(chosen) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Error::Unexpected("ServerHelloDone"));
        };
        if self.depth == Depth::Session
            && let Err(reason) = self.may_go_on(&chosen)
        {
            self.facts.error = Some(reason);
        }
        self.put_alert(WARNING, AlertDescription::UserCanceled);
        self.put_alert(WARNING, AlertDescription::CloseNotify);
        Ok(())
    }

    /// What a session would be made of, or why there can be none.
    fn may_go_on(&self, chosen: &Chosen) -> Result<Parameters, Cow<'static, str>> {
        let Chosen { version, hello, .. } = chosen;
        let offered = self.hello.suites().contains(&hello.suite) && *version <= self.hello.version();
        if !offered || hello.compression != 0 || (suite::is_new(hello.suite) && *version < Version::Tls12) {
            return Err("no session with what was not offered".into());
        }
        if *version == Version::Ssl3 {
            return Err("no session with SSLv3".into());
        }
        Parameters::of(hello.suite).ok_or_else(|| format!("no session with {}", suite::name(hello.suite)).into())
    }

    fn put_alert(&mut self, level: u8, alert: AlertDescription) {
        put_record(&mut self.output, Content::Alert, self.version, &[level, u8::from(alert)]);
    }
}
