//! What must hold of a client of the past whatever its server sends: at the record layer, in handshake messages, and in
//! records under keys that both sides have.
//!
//! The first byte is the way to talk, the second the hello or the session; what follows is said to the client. As
//! instructions those bytes are `kind, length, content` again and again, so that what is mutated is what records and
//! messages say, and not only their headers.

use super::client::{Client, Depth, MAX_HEARD, Progress};
use super::error::Error;
use super::message::put_message;
use super::record::{Content, MAX_BODY, put_record};
use super::server::{Halfway, Server, every_session, records};
use super::session::{Connection, Heard};
use super::version::Version;
use super::{Facts, Hello};
use crate::fuzzing::Input;

/// What lies in a buffer beside what is taken from it: the record's header and what was pushed last.
const SLACK: usize = 64 * 1024;

/// More is cut in one way only: every read costs a call.
const MAX_BY_BYTE: usize = 4096;

/// Every hello, to the end of what is said in clear and to a session, and sessions that stand.
pub(crate) fn legacy_tls(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (way, choice) = (input.byte(), usize::from(input.byte()));
    match way % 4 {
        0 => in_clear(choice, input.rest()),
        1 => in_clear(choice, &flight(&mut input)),
        2 => halfway(choice, &mut input),
        _ => established(choice, &mut input),
    }
}

/// However it is cut, a client learns the same, holds no more than its caps, and answers in whole records.
fn in_clear(choice: usize, bytes: &[u8]) {
    let hellos = [Hello::Everything, Hello::Old, Hello::Anonymous, Hello::Bare];
    let hello = hellos[choice % hellos.len()];
    let depth = if (choice / hellos.len()).is_multiple_of(2) { Depth::Session } else { Depth::Ask };
    let whole = talk(hello, depth, bytes.chunks(super::CHUNK));
    if bytes.len() <= MAX_BY_BYTE {
        assert_eq!(talk(hello, depth, bytes.chunks(1)), whole, "byte by byte");
    }
    let size = 2 + choice % 251;
    assert_eq!(talk(hello, depth, bytes.chunks(size)), whole, "in parts of {size}");
}

/// What a client learns of these parts, and how it ends: whether all was said in clear, or why it broke.
fn talk<'a>(hello: Hello, depth: Depth, parts: impl Iterator<Item = &'a [u8]>) -> (Facts, Result<bool, Error>) {
    let mut client = Client::new(hello, Some("mail.example"), depth).expect("random numbers");
    let mut end = Ok(false);
    for part in parts {
        let progress = client.read(part);
        assert!(client.held() <= MAX_HEARD + MAX_BODY + SLACK, "{} bytes are held", client.held());
        end = match progress {
            Ok(Progress::More) => continue,
            Ok(Progress::Clear) => Ok(true),
            Ok(Progress::Established(_)) => panic!("nobody can prove a handshake whose secret he does not know"),
            Err(error) => Err(error),
        };
        break;
    }
    records(&client.take_output());
    (client.into_facts(), end)
}

/// Messages and records with sound headers.
fn flight(input: &mut Input<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((kind, content)) = input.instruction() {
        match kind {
            // The kinds of RFC 5246 §7.4 are below 32.
            0..0x40 => {
                let mut message = Vec::new();
                put_message(&mut message, kind, content);
                for part in message.chunks(MAX_BODY) {
                    put_record(&mut out, Content::Handshake, Version::Tls12, part);
                }
            }
            // What a message is cut into, or whatever else.
            0x40..0x80 => put_record(&mut out, content_of(kind), Version::Tls10, content),
            0x80.. => out.extend_from_slice(content),
        }
    }
    out
}

/// Any record, under the server's keys or not, where the server has to change to them.
fn halfway(choice: usize, input: &mut Input<'_>) {
    let (version, suite) = session(choice);
    let mut halfway = Halfway::new(version, suite);
    let mut believed = true;
    while let Some((kind, content)) = input.instruction() {
        let bytes = match kind {
            0..0x40 => halfway.end(),
            0x40..0x60 => halfway.change(),
            0x60..0xc0 => halfway.sealed(content_of(kind), content),
            0xc0.. => content.to_vec(),
        };
        // Nothing but the proof in its place ends it well.
        believed &= kind < 0x40 || bytes.is_empty();
        match halfway.client.read(&bytes) {
            Ok(Progress::More) => {}
            Ok(Progress::Clear) => panic!("keys were exchanged"),
            Ok(Progress::Established(_)) => return,
            Err(_) => {
                assert!(!believed, "the right proof is refused");
                for record in records(&halfway.client.take_output()) {
                    halfway.reader.open(record).expect("a record under the client's keys");
                }
                return;
            }
        }
    }
}

/// What is said inside a session is heard as it was said, until something else is sent.
fn established(choice: usize, input: &mut Input<'_>) {
    let (version, suite) = session(choice);
    let (mut connection, mut server) = Halfway::new(version, suite).established();
    let mut sound = true;
    while let Some((kind, content)) = input.instruction() {
        let under_keys = kind < 0xc0;
        let bytes = if under_keys { server.says(content_of(kind), content) } else { content.to_vec() };
        sound &= under_keys || content.is_empty();
        for part in bytes.chunks(1 + usize::from(kind)) {
            connection.deframer.push(part);
            assert!(connection.deframer.held() <= MAX_BODY + SLACK);
        }
        let is_data = content_of(kind) == Content::ApplicationData && under_keys;
        match heard(&mut connection) {
            Ok((said, ended)) if sound => {
                assert_eq!(said, if is_data { content } else { &[] });
                assert!(!ended || content_of(kind) == Content::Alert);
            }
            Ok(_) => {}
            Err(error) => {
                assert!(!sound || !is_data, "{error}");
                return;
            }
        }
    }
    answered(&mut connection, &mut server);
}

/// All that is to be had of a session now, and whether that was its end.
fn heard(connection: &mut Connection) -> Result<(Vec<u8>, bool), Error> {
    let mut said = Vec::new();
    loop {
        match connection.hear()? {
            Heard::Bytes(bytes) => said.extend(bytes),
            Heard::Nothing => return Ok((said, false)),
            Heard::End => return Ok((said, true)),
        }
    }
}

/// What we say is heard by the server, whatever it sent.
fn answered(connection: &mut Connection, server: &mut Server) {
    let mut out = Vec::new();
    connection.writer.seal(&mut out, Content::ApplicationData, b"QUIT\r\n").expect("no more than a record holds");
    assert_eq!(server.hears(&out), [(Content::ApplicationData, b"QUIT\r\n".to_vec())]);
}

fn session(choice: usize) -> (Version, rustls::CipherSuite) {
    let sessions: Vec<_> = every_session().collect();
    sessions[choice % sessions.len()]
}

fn content_of(kind: u8) -> Content {
    match kind % 4 {
        0 => Content::ApplicationData,
        1 => Content::Handshake,
        2 => Content::Alert,
        _ => Content::ChangeCipherSpec,
    }
}
