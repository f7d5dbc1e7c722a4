//! Sessions with a server made of the same parts, which can say what OpenSSL's would not: 3DES, broken records, a wrong
//! proof, and every cut.

use proptest::prelude::*;
use rustls::CipherSuite;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::client::Progress;
use super::error::Error;
use super::record::{Content, MAX_PLAIN};
use super::server::{Flight, Halfway, Server, every_session, records};
use super::session::{Connection, Heard};
use super::version::Version;
use super::{Session, tls};

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
