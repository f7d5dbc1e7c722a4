//! Peers that break the protocol. None knows any cryptography: they say in clear what is said in clear, and then break off.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::configuration::{Configuration, Server};
use super::dialogue::{Answer, Dialogue};
use super::keys::Keys;
use super::openssl::{read_line, read_record};

/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`, which hellos new and old offer.
const SUITE: [u8; 2] = [0xC0, 0x2F];

/// The versions that a modern hello offers, 1.3 and 1.2 (RFC 8446 §4.2.1).
const SUPPORTED: [u8; 9] = [0, 43, 0, 5, 4, 3, 4, 3, 3];

/// How much is said by those that do not stop: more than any reader should take.
const ENDLESS: usize = 32 * 1024 * 1024;

/// Serves until the test ends, and tells at which ports.
pub(crate) fn serve(configurations: &[Configuration], keys: &Keys, ports: &mut HashMap<usize, u16>) {
    for configuration in configurations {
        let Server::Scripted(name) = &configuration.server else { continue };
        let script = Script::named(name, configuration.key.as_ref().map(|key| keys.der(key)));
        let dialogue = Dialogue::of(configuration);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ports.insert(configuration.id, listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for peer in listener.incoming().map_while(Result::ok) {
                let (script, dialogue) = (script.clone(), dialogue.clone());
                thread::spawn(move || {
                    // A connection that breaks is for the program to tell of.
                    drop(script.play(peer, &dialogue));
                });
            }
        });
    }
}

/// What a peer does.
#[derive(Debug, Clone)]
enum Script {
    /// Greets at once, and is no TLS at all.
    Plain,
    /// The same, and closes whatever is said.
    PlainOnce,
    /// This to every hello.
    ToAll(Reply),
    /// Refuses who offers TLS 1.3, and does this to others.
    ToOld(Reply),
}

/// What a peer does once it has the hello.
#[derive(Debug, Clone)]
enum Reply {
    /// Nothing, until the other leaves.
    Stall,
    Close,
    Reset,
    /// Says this, and closes.
    Say(Vec<u8>),
    /// Says this again and again, and closes.
    Repeat(Vec<u8>),
    /// Says this, and nothing more until the other leaves.
    Hold(Vec<u8>),
    /// Says this, waits for an answer, says that, and closes.
    Part(Vec<u8>, Vec<u8>),
}

impl Script {
    fn named(name: &str, certificate: Option<Vec<u8>>) -> Self {
        match name {
            "plain" => Self::Plain,
            "plain, then close" => Self::PlainOnce,
            _ => match name.strip_prefix("old: ") {
                Some(name) => Self::ToOld(Reply::named(name, certificate)),
                None => Self::ToAll(Reply::named(name, certificate)),
            },
        }
    }

    fn play(&self, mut peer: TcpStream, dialogue: &Dialogue) -> io::Result<()> {
        match self {
            Self::Plain => converse(peer, dialogue),
            Self::PlainOnce => {
                peer.write_all(dialogue.greeting().as_bytes())?;
                peer.shutdown(Shutdown::Write)?;
                io::copy(&mut peer, &mut io::sink()).map(drop)
            }
            Self::ToAll(reply) => {
                read_record(&mut peer)?;
                reply.play(peer)
            }
            Self::ToOld(reply) => {
                let hello = read_record(&mut peer)?;
                if hello.windows(SUPPORTED.len()).any(|window| window == SUPPORTED) {
                    return peer.write_all(&alert(70));
                }
                reply.play(peer)
            }
        }
    }
}

impl Reply {
    fn named(name: &str, certificate: Option<Vec<u8>>) -> Self {
        let chain = certificate.map_or_else(Vec::new, |der| [length(3, der.len()), der].concat());
        let flight = |chain: &[u8]| {
            let chain = handshake(11, &[length(3, chain.len()), chain.to_vec()].concat());
            record(&[server_hello([3, 3], SUITE), chain, server_key(), handshake(14, &[])].concat())
        };
        match name.rsplit_once(' ') {
            Some(("alert", number)) => return Self::Say(alert(number.parse().unwrap())),
            Some(("flight, then alert", number)) => {
                return Self::Part(flight(&chain), alert(number.parse().unwrap()));
            }
            _ => {}
        }
        match name {
            "stall" => Self::Stall,
            "close" => Self::Close,
            "reset" => Self::Reset,
            "http" => Self::Say(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec()),
            // An error without a number: no cipher (SSL 2.0).
            "ssl2 error" => Self::Say(vec![0x80, 3, 0, 0, 1]),
            "flight, then stall" => Self::Hold(flight(&chain)),
            "no certificate" => Self::Part(flight(&[]), Vec::new()),
            "hello, then close" => Self::Say(record(&server_hello([3, 3], SUITE))),
            "hello, then stall" => Self::Hold(record(&server_hello([3, 3], SUITE))),
            "hello of 1.9" => Self::Say(record(&server_hello([3, 10], SUITE))),
            "suite not offered" => Self::Say(record(&server_hello([3, 3], [0, 0]))),
            "record too long" => Self::Hold([vec![22, 3, 3, 0xFF, 0xFF], vec![0; 0xFFFF]].concat()),
            "message too long" => {
                let mut begun = server_hello([3, 3], SUITE);
                begun.extend([11, 0xFF, 0xFF, 0xFF]);
                Self::Repeat([record(&begun), record(&[0; 0x4000])].concat())
            }
            "empty records" => Self::Repeat([22, 3, 3, 0, 0].repeat(1000)),
            "endless warnings" => Self::Repeat([21, 3, 3, 0, 2, 1, 90].repeat(1000)),
            "garbage" => Self::Say([&[22, 3, 1, 0, 40][..], &[0xEE; 40]].concat()),
            _ => panic!("no script is called {name}"),
        }
    }

    fn play(&self, mut peer: TcpStream) -> io::Result<()> {
        match self {
            Self::Stall => {}
            Self::Close => peer.shutdown(Shutdown::Write)?,
            Self::Reset => return SockRef::from(&peer).set_linger(Some(Duration::ZERO)),
            Self::Say(words) => {
                peer.write_all(words)?;
                peer.shutdown(Shutdown::Write)?;
            }
            Self::Repeat(words) => {
                for _ in 0..ENDLESS / words.len() {
                    peer.write_all(words)?;
                }
            }
            Self::Hold(words) => peer.write_all(words)?,
            Self::Part(first, last) => {
                peer.write_all(first)?;
                read_record(&mut peer)?;
                peer.write_all(last)?;
                peer.shutdown(Shutdown::Write)?;
            }
        }
        // What is left unread at a close makes it a reset.
        io::copy(&mut peer, &mut io::sink()).map(drop)
    }
}

/// A server that expects no TLS; whoever begins with it is left alone.
fn converse(mut peer: TcpStream, dialogue: &Dialogue) -> io::Result<()> {
    peer.write_all(dialogue.greeting().as_bytes())?;
    let mut first = [0];
    peer.peek(&mut first)?;
    if first == [22] {
        return io::copy(&mut peer, &mut io::sink()).map(drop);
    }
    loop {
        match dialogue.answer(&read_line(&mut peer)?, true) {
            Answer::Words(words) => peer.write_all(words.as_bytes())?,
            Answer::Upgrade(_) | Answer::End => return peer.write_all(b"221 bye\r\n"),
        }
    }
}

/// A fatal alert.
fn alert(number: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, number]
}

fn record(messages: &[u8]) -> Vec<u8> {
    [vec![22, 3, 3], length(2, messages.len()), messages.to_vec()].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], length(3, body.len()), body.to_vec()].concat()
}

/// Without extensions.
fn server_hello(version: [u8; 2], suite: [u8; 2]) -> Vec<u8> {
    handshake(2, &[&version[..], &[7; 32], &[0], &suite, &[0]].concat())
}

/// A share over X25519, signed with nothing: RSA with SHA-256 over zeros.
fn server_key() -> Vec<u8> {
    handshake(12, &[&[3, 0, 29, 32][..], &[9; 32], &[4, 1, 1, 0], &[0; 256]].concat())
}

/// A length in so many bytes.
fn length(size: usize, length: usize) -> Vec<u8> {
    length.to_be_bytes()[size_of::<usize>() - size..].to_vec()
}
