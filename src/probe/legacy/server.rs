//! A server made of the same parts, for tests: what it says in clear, and a session that it can be made to break. That the
//! parts are right is proved by `openssl_tests`.

use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use rustls::CipherSuite;

use super::Hello;
use super::bytes::put_vector;
use super::client::{Client, Depth, Progress};
use super::message::{self, Joiner, put_message};
use super::protection::Protection;
use super::record::{Content, Deframer, Record, put_record};
use super::schedule::{Prf, Side};
use super::session::Connection;
use super::suite::{Exchange, Parameters, SPOKEN, is_new};
use super::version::Version;

/// What a server says in clear.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) version: Version,
    pub(super) suite: CipherSuite,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) key_exchange: Option<Vec<u8>>,
    pub(super) wants_certificate: bool,
}

impl Flight {
    pub(super) fn new(version: Version, suite: CipherSuite) -> Self {
        Self { version, suite, chain: Vec::new(), key_exchange: None, wants_certificate: false }
    }

    /// The messages, one after the other.
    pub(super) fn messages(&self) -> Vec<u8> {
        let mut hello = self.version.number().to_be_bytes().to_vec();
        hello.extend([7; 32]);
        put_vector(&mut hello, 1, &[1; 32]);
        hello.extend(u16::from(self.suite).to_be_bytes());
        hello.push(0);
        let mut out = Vec::new();
        put_message(&mut out, message::SERVER_HELLO, &hello);
        let mut list = Vec::new();
        for certificate in &self.chain {
            put_vector(&mut list, 3, certificate);
        }
        let mut body = Vec::new();
        put_vector(&mut body, 3, &list);
        put_message(&mut out, message::CERTIFICATE, &body);
        if let Some(body) = &self.key_exchange {
            put_message(&mut out, message::SERVER_KEY_EXCHANGE, body);
        }
        if self.wants_certificate {
            put_message(&mut out, message::CERTIFICATE_REQUEST, &[1, 1, 0, 0]);
        }
        put_message(&mut out, message::SERVER_HELLO_DONE, &[]);
        out
    }
}

/// A handshake up to where the server has to change to its keys.
pub(super) struct Halfway {
    pub(super) client: Client,
    version: Version,
    pub(super) reader: Protection,
    pub(super) writer: Protection,
    /// What the server proves.
    pub(super) proof: Vec<u8>,
}

impl Halfway {
    pub(super) fn new(version: Version, suite: CipherSuite) -> Self {
        Self::with(Flight::new(version, suite))
    }

    pub(super) fn with(flight: Flight) -> Self {
        let (version, suite) = (flight.version, flight.suite);
        let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).expect("a key");
        let share = [&[3, 0, 29, 32], own.compute_public_key().expect("a public key").as_ref()].concat();
        let flight = Flight { key_exchange: Some(share), ..flight }.messages();

        let mut client = Client::new(Hello::Everything, None, Depth::Session).expect("random numbers");
        let hello = records(&client.take_output()).remove(0).body;
        let mut bytes = Vec::new();
        put_record(&mut bytes, Content::Handshake, version, &flight);
        assert!(matches!(client.read(&bytes), Ok(Progress::More)));

        let [messages, change, finished] = records(&client.take_output()).try_into().expect("three records");
        assert_eq!((change.content, change.body), (Content::ChangeCipherSpec, vec![1]));
        let mut joiner = Joiner::default();
        joiner.push(&messages.body);
        let mut said = joiner.next().ok().flatten().expect("a message");
        if said.kind() == message::CERTIFICATE {
            assert_eq!(said.body(), [0, 0, 0], "we have none");
            said = joiner.next().ok().flatten().expect("another message");
        }
        assert_eq!(said.kind(), message::CLIENT_KEY_EXCHANGE);
        assert!(joiner.is_empty());
        let theirs = UnparsedPublicKey::new(&X25519, said.body()[1..].to_vec());
        let premaster = agreement::agree_ephemeral(own, &theirs, <[u8]>::to_vec).expect("a secret");

        let parameters = Parameters::of(suite).expect("a suite that is spoken");
        let prf = Prf::of(version, parameters.hash);
        // After its header and the version.
        let client_random = &hello[6..38];
        let server_random = [7; 32];
        let master = prf.master_secret(&premaster, client_random, &server_random);
        let (clients, servers) = prf.keys(&master, client_random, &server_random, parameters);
        let mut reader = Protection::new(version, parameters, clients).expect("keys that fit");
        let writer = Protection::new(version, parameters, servers).expect("keys that fit");

        let mut transcript = [hello, flight, messages.body].concat();
        let finished = reader.open(finished).expect("a record under the client's keys");
        let proof = prf.verify_data(Side::Client, &master, &transcript);
        assert_eq!(finished, [&[message::FINISHED, 0, 0, 12], proof.as_slice()].concat());
        transcript.extend(finished);
        let proof = prf.verify_data(Side::Server, &master, &transcript);
        Self { client, version, reader, writer, proof }
    }

    /// One record under the server's keys.
    pub(super) fn sealed(&mut self, content: Content, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.seal(&mut out, content, plain).expect("no more than a record holds");
        out
    }

    /// The server's change to its keys, and its proof.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let mut finished = Vec::new();
        put_message(&mut finished, message::FINISHED, &self.proof.clone());
        let finished = self.sealed(Content::Handshake, &finished);
        [self.change(), finished].concat()
    }

    pub(super) fn change(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_record(&mut out, Content::ChangeCipherSpec, self.version, &[1]);
        out
    }

    /// A session, and the server's side of it.
    pub(super) fn established(mut self) -> (Connection, Server) {
        let end = self.end();
        match self.client.read(&end) {
            Ok(Progress::Established(connection)) => (*connection, Server { reader: self.reader, writer: self.writer }),
            other => panic!("{other:?}"),
        }
    }
}

/// The server's side of a session.
pub(super) struct Server {
    reader: Protection,
    writer: Protection,
}

impl Server {
    pub(super) fn says(&mut self, content: Content, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.seal(&mut out, content, plain).expect("no more than a record holds");
        out
    }

    pub(super) fn hears(&mut self, bytes: &[u8]) -> Vec<(Content, Vec<u8>)> {
        records(bytes)
            .into_iter()
            .map(|record| (record.content, self.reader.open(record).expect("a record under our keys")))
            .collect()
    }
}

/// The records in what was sent, all whole.
pub(super) fn records(bytes: &[u8]) -> Vec<Record> {
    let mut deframer = Deframer::default();
    deframer.push(bytes);
    let records = std::iter::from_fn(|| deframer.next().expect("nothing but records")).collect();
    assert_eq!(deframer.held(), 0);
    records
}

/// Every version with every suite that the server can play.
pub(super) fn every_session() -> impl Iterator<Item = (Version, CipherSuite)> {
    let suites = || {
        let ephemeral = |suite: &CipherSuite| Parameters::of(*suite).is_some_and(|it| it.exchange == Exchange::Ecdhe);
        SPOKEN.iter().copied().filter(ephemeral)
    };
    [Version::Tls10, Version::Tls11, Version::Tls12]
        .into_iter()
        .flat_map(move |version| suites().map(move |suite| (version, suite)))
        .filter(|(version, suite)| *version == Version::Tls12 || !is_new(*suite))
}
