//! Sessions with a server made of the same parts, which can say what OpenSSL's would not: 3DES, broken records, a wrong
//! proof, and every cut. That the parts are right is proved by `openssl_tests`.

use proptest::prelude::*;
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use rustls::CipherSuite;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::client::{Client, Depth, Progress};
use super::error::Error;
use super::message::{self, Joiner, put_message};
use super::protection::Protection;
use super::record::{Content, Deframer, MAX_PLAIN, Record, put_record};
use super::schedule::{Prf, Side};
use super::session::{Connection, Heard};
use super::suite::{Exchange, Parameters, SPOKEN, is_new};
use super::tests::Flight;
use super::version::Version;
use super::{Hello, Session, tls};

/// A handshake up to where the server has to change to its keys.
struct Halfway {
    client: Client,
    version: Version,
    reader: Protection,
    writer: Protection,
    /// What the server proves.
    proof: Vec<u8>,
}

impl Halfway {
    fn new(version: Version, suite: CipherSuite) -> Self {
        Self::with(Flight::new(version, suite))
    }

    fn with(flight: Flight) -> Self {
        let (version, suite) = (flight.version, flight.suite);
        let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        let share = [&[3, 0, 29, 32], own.compute_public_key().unwrap().as_ref()].concat();
        let flight = Flight { key_exchange: Some(share), ..flight }.messages();

        let mut client = Client::new(Hello::Everything, None, Depth::Session).unwrap();
        let hello = records(&client.take_output()).remove(0).body;
        let mut bytes = Vec::new();
        put_record(&mut bytes, Content::Handshake, version, &flight);
        assert!(matches!(client.read(&bytes), Ok(Progress::More)));

        let [messages, change, finished] = records(&client.take_output()).try_into().unwrap();
        assert_eq!((change.content, change.body), (Content::ChangeCipherSpec, vec![1]));
        let mut joiner = Joiner::default();
        joiner.push(&messages.body);
        let mut said = joiner.next().unwrap().unwrap();
        if said.kind() == message::CERTIFICATE {
            assert_eq!(said.body(), [0, 0, 0], "we have none");
            said = joiner.next().unwrap().unwrap();
        }
        assert_eq!(said.kind(), message::CLIENT_KEY_EXCHANGE);
        assert!(joiner.is_empty());
        let theirs = UnparsedPublicKey::new(&X25519, said.body()[1..].to_vec());
        let premaster = agreement::agree_ephemeral(own, &theirs, <[u8]>::to_vec).unwrap();

        let parameters = Parameters::of(suite).unwrap();
        let prf = Prf::of(version, parameters.hash);
        // After its header and the version.
        let client_random = &hello[6..38];
        let server_random = [7; 32];
        let master = prf.master_secret(&premaster, client_random, &server_random);
        let (clients, servers) = prf.keys(&master, client_random, &server_random, parameters);
        let mut reader = Protection::new(version, parameters, clients).unwrap();
        let writer = Protection::new(version, parameters, servers).unwrap();

        let mut transcript = [hello, flight, messages.body].concat();
        let finished = reader.open(finished).unwrap();
        let proof = prf.verify_data(Side::Client, &master, &transcript);
        assert_eq!(finished, [&[message::FINISHED, 0, 0, 12], proof.as_slice()].concat());
        transcript.extend(finished);
        let proof = prf.verify_data(Side::Server, &master, &transcript);
        Self { client, version, reader, writer, proof }
    }

    /// One record under the server's keys.
    fn sealed(&mut self, content: Content, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.seal(&mut out, content, plain).unwrap();
        out
    }

    /// The server's change to its keys, and its proof.
    fn end(&mut self) -> Vec<u8> {
        let mut finished = Vec::new();
        put_message(&mut finished, message::FINISHED, &self.proof.clone());
        let finished = self.sealed(Content::Handshake, &finished);
        [self.change(), finished].concat()
    }

    fn change(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_record(&mut out, Content::ChangeCipherSpec, self.version, &[1]);
        out
    }

    /// A session, and the server's side of it.
    fn established(mut self) -> (Connection, Server) {
        let end = self.end();
        match self.client.read(&end) {
            Ok(Progress::Established(connection)) => (*connection, Server { reader: self.reader, writer: self.writer }),
            other => panic!("{other:?}"),
        }
    }
}

/// The server's side of a session.
struct Server {
    reader: Protection,
    writer: Protection,
}

impl Server {
    fn says(&mut self, content: Content, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.writer.seal(&mut out, content, plain).unwrap();
        out
    }

    fn hears(&mut self, bytes: &[u8]) -> Vec<(Content, Vec<u8>)> {
        records(bytes).into_iter().map(|record| (record.content, self.reader.open(record).unwrap())).collect()
    }
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut deframer = Deframer::default();
    deframer.push(bytes);
    let records = std::iter::from_fn(|| deframer.next().unwrap()).collect();
    assert_eq!(deframer.held(), 0);
    records
}

/// Every version with every suite that the server can play.
fn every_session() -> impl Iterator<Item = (Version, CipherSuite)> {
    let suites = || {
        let ephemeral = |suite: &CipherSuite| Parameters::of(*suite).unwrap().exchange == Exchange::Ecdhe;
        SPOKEN.iter().copied().filter(ephemeral)
    };
    [Version::Tls10, Version::Tls11, Version::Tls12]
        .into_iter()
        .flat_map(move |version| suites().map(move |suite| (version, suite)))
        .filter(|(version, suite)| *version == Version::Tls12 || !is_new(*suite))
}

const SUITE: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA;

#[test]
fn sessions_hold_in_every_version_and_suite() {
    let long = vec![7; MAX_PLAIN];
    for (version, suite) in every_session() {
        let flight = Flight { wants_certificate: true, ..Flight::new(version, suite) };
        let (mut connection, mut server) = Halfway::with(flight).established();
        for said in [b"220 hello\r\n".as_slice(), b"", b"x", &long] {
            connection.deframer.push(&server.says(Content::ApplicationData, said));
            let expected = if said.is_empty() { Heard::Nothing } else { Heard::Bytes(said.to_vec()) };
            assert_eq!(connection.hear(), Ok(expected), "{version:?} {suite:?}");

            let mut out = Vec::new();
            connection.writer.seal(&mut out, Content::ApplicationData, said).unwrap();
            assert_eq!(server.hears(&out), [(Content::ApplicationData, said.to_vec())], "{version:?} {suite:?}");
        }
    }
}

#[test]
fn the_end_and_the_greeting_may_be_cut_anywhere() {
    for (version, suite) in
        [(Version::Tls10, SUITE), (Version::Tls12, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)]
    {
        let mut cut = 0;
        loop {
            let mut halfway = Halfway::new(version, suite);
            let mut bytes = halfway.end();
            bytes.extend(halfway.sealed(Content::ApplicationData, b"220 hello\r\n"));
            if cut > bytes.len() {
                break;
            }
            let mut established = None;
            for part in [&bytes[..cut], &bytes[cut..]] {
                match &mut established {
                    None => match halfway.client.read(part).unwrap() {
                        Progress::More => {}
                        Progress::Established(connection) => established = Some(connection),
                        Progress::Clear => panic!("cut at {cut}"),
                    },
                    Some(connection) => connection.deframer.push(part),
                }
            }
            assert_eq!(established.unwrap().hear(), Ok(Heard::Bytes(b"220 hello\r\n".to_vec())), "cut at {cut}");
            cut += 7;
        }
    }
}

#[test]
fn a_wrong_end_is_told() {
    type Spoil = fn(&mut Halfway) -> Vec<u8>;
    let table: [(Spoil, Error, u8); 8] = [
        (
            |halfway| {
                halfway.proof[0] ^= 1;
                halfway.end()
            },
            Error::Finished,
            51,
        ),
        (
            |halfway| {
                halfway.proof.push(0);
                halfway.end()
            },
            Error::Finished,
            51,
        ),
        (
            |halfway| {
                let mut end = halfway.end();
                *end.last_mut().unwrap() ^= 1;
                end
            },
            Error::Undecryptable,
            20,
        ),
        (|halfway| [halfway.change(), halfway.change()].concat(), Error::Undecryptable, 20),
        (
            |_| vec![22, 3, 1, 0, 16, 20, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Error::Unexpected("Finished"),
            10,
        ),
        (|_| vec![22, 3, 1, 0, 1, 20, 20, 3, 1, 0, 1, 1], Error::Unexpected("ChangeCipherSpec"), 10),
        (
            |halfway| [halfway.change(), halfway.sealed(Content::ApplicationData, b"220")].concat(),
            Error::Unexpected("application data"),
            10,
        ),
        (
            |halfway| [halfway.change(), halfway.sealed(Content::Handshake, &[11, 0, 0, 0])].concat(),
            Error::Unexpected("message before Finished"),
            10,
        ),
    ];
    for (spoil, error, alert) in table {
        let mut halfway = Halfway::new(Version::Tls10, SUITE);
        let bytes = spoil(&mut halfway);
        assert_eq!(halfway.client.read(&bytes).map(drop), Err(error));
        let out = halfway.client.take_output();
        let heard: Vec<_> = records(&out).into_iter().map(|record| halfway.reader.open(record).unwrap()).collect();
        assert_eq!(heard, [[2, alert]], "{error}");
    }
}

#[test]
fn an_alert_may_end_the_handshake_under_keys_or_in_clear() {
    for under_keys in [false, true] {
        let mut halfway = Halfway::new(Version::Tls12, SUITE);
        let bytes = if under_keys {
            [halfway.change(), halfway.sealed(Content::Alert, &[2, 48])].concat()
        } else {
            vec![21, 3, 3, 0, 2, 2, 48]
        };
        assert_eq!(halfway.client.read(&bytes).map(drop), Err(Error::Alert(48)));
        assert_eq!(halfway.client.take_output(), b"", "there is nobody to tell");
        assert_eq!(halfway.client.into_facts().alert, Some(48));
    }
}

#[test]
fn a_session_hears_what_is_not_for_the_reader() {
    let table: [(Content, &[u8], Result<Heard, Error>); 9] = [
        (Content::Handshake, &[0, 0, 0, 0], Ok(Heard::Nothing)),
        (Content::Handshake, &[4, 0, 0], Ok(Heard::Nothing)),
        (Content::Alert, &[1, 0], Ok(Heard::End)),
        (Content::Alert, &[2, 0], Ok(Heard::End)),
        (Content::Alert, &[1, 100], Ok(Heard::Nothing)),
        (Content::Alert, &[2, 80], Err(Error::Alert(80))),
        (Content::Alert, &[1, 90, 1, 0], Ok(Heard::End)),
        (Content::Alert, &[2], Ok(Heard::Nothing)),
        (Content::ChangeCipherSpec, &[1], Err(Error::Unexpected("ChangeCipherSpec"))),
    ];
    for (content, plain, expected) in table {
        let (mut connection, mut server) = Halfway::new(Version::Tls11, SUITE).established();
        connection.deframer.push(&server.says(content, plain));
        assert_eq!(connection.hear(), expected, "{content:?} {plain:?}");
    }
}

#[tokio::test]
async fn a_session_is_a_stream() {
    let (connection, mut server) = Halfway::new(Version::Tls10, SUITE).established();
    // Hardly anything fits, so that every record is sent and read in many parts.
    let (ours, mut theirs) = duplex(7);
    let mut session = Session::new(ours, connection);
    let greeting = server.says(Content::ApplicationData, b"220 hello\r\n");
    let farewell =
        [server.says(Content::ApplicationData, b"221 bye\r\n"), server.says(Content::Alert, &[1, 0])].concat();

    let client = async {
        let mut said = [0; 11];
        session.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"220 hello\r\n");
        session.write_all(b"QUIT\r\n").await.unwrap();
        session.flush().await.unwrap();
        let mut rest = Vec::new();
        session.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"221 bye\r\n");
        session.shutdown().await.unwrap();
        session.shutdown().await.unwrap();
        assert!(session.write(b"NOOP\r\n").await.is_err(), "we said that we are done");
    };
    let peer = async {
        theirs.write_all(&greeting).await.unwrap();
        // A header, and what it announces: six bytes and a MAC, in blocks of sixteen.
        let mut quit = [0; 5 + 32];
        theirs.read_exact(&mut quit).await.unwrap();
        assert_eq!(server.hears(&quit), [(Content::ApplicationData, b"QUIT\r\n".to_vec())]);
        theirs.write_all(&farewell).await.unwrap();
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).await.unwrap();
        assert_eq!(server.hears(&rest), [(Content::Alert, vec![1, 0])]);
    };
    futures::join!(client, peer);
}

#[tokio::test]
async fn a_stream_that_breaks_says_why() {
    type Spoil = fn(&mut Server) -> Vec<u8>;
    let table: [(Spoil, &str); 4] = [
        (|_| Vec::new(), "closed during the handshake"),
        (|server| server.says(Content::Alert, &[2, 80]), "alert 80 internal_error"),
        (|_| b"220 hello\r\n".to_vec(), "malformed record"),
        (|_| [vec![23, 3, 3, 0, 48], vec![0; 48]].concat(), "a record that does not decrypt"),
    ];
    for (spoil, reason) in table {
        let (connection, mut server) = Halfway::new(Version::Tls12, SUITE).established();
        let (ours, mut theirs) = duplex(1 << 16);
        let mut session = Session::new(ours, connection);
        theirs.write_all(&server.says(Content::ApplicationData, b"220 ")).await.unwrap();
        theirs.write_all(&spoil(&mut server)).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut said = Vec::new();
        let error = session.read_to_end(&mut said).await.unwrap_err();
        assert_eq!((said.as_slice(), tls::reason(&error).as_ref()), (b"220 ".as_slice(), reason));
    }
}

proptest! {
    #[test]
    fn no_mutation_under_keys_makes_it_panic(
        session in prop::sample::select(every_session().collect::<Vec<_>>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let (version, suite) = session;
        let mut halfway = Halfway::new(version, suite);
        let mut bytes = halfway.end();
        bytes.extend(halfway.sealed(Content::ApplicationData, b"220 hello\r\n"));
        bytes.extend(halfway.sealed(Content::Alert, &[1, 0]));
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let cut = cut.index(bytes.len());
        let mut established: Option<Box<Connection>> = None;
        for part in [&bytes[..cut], &bytes[cut..]] {
            match &mut established {
                None => match halfway.client.read(part) {
                    Ok(Progress::Established(connection)) => established = Some(connection),
                    Ok(Progress::More) => {}
                    Ok(Progress::Clear) => prop_assert!(false, "keys were exchanged"),
                    Err(_) => return Ok(()),
                },
                Some(connection) => connection.deframer.push(part),
            }
        }
        // What is believed is what was said.
        while let Some(Ok(heard)) = established.as_mut().map(|connection| connection.hear()) {
            match heard {
                Heard::Bytes(bytes) => prop_assert_eq!(bytes, b"220 hello\r\n"),
                Heard::Nothing | Heard::End => break,
            }
        }
    }
}
