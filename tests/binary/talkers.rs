//! Servers that answer commands, in clear and inside TLS that STARTTLS or AUTH begins.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::peers::{End, Gate, Peer, Report, broken, hear, listen, tls_config};

/// A server: what it greets with, and what it answers to lines that begin so. To QUIT it says 221 and hangs up; what it does
/// not know it answers with 502.
#[derive(Debug, Clone)]
pub(crate) struct Talker {
    greeting: Vec<u8>,
    clear: Vec<Answer>,
    inside: Vec<Answer>,
    begins_with_tls: bool,
    gate: Option<Gate>,
    config: Arc<ServerConfig>,
}

type Answer = (&'static str, Vec<u8>);

impl Talker {
    pub(crate) fn new(greeting: impl AsRef<[u8]>) -> Self {
        Self {
            greeting: greeting.as_ref().to_vec(),
            clear: Vec::new(),
            inside: Vec::new(),
            begins_with_tls: false,
            gate: None,
            config: tls_config().0,
        }
    }

    /// What it answers in clear; leave to begin TLS (220 to STARTTLS, 234 to AUTH) is followed by a handshake.
    pub(crate) fn answers(mut self, beginning: &'static str, words: impl AsRef<[u8]>) -> Self {
        self.clear.push((beginning, words.as_ref().to_vec()));
        self
    }

    /// What it answers inside TLS.
    pub(crate) fn inside(mut self, beginning: &'static str, words: impl AsRef<[u8]>) -> Self {
        self.inside.push((beginning, words.as_ref().to_vec()));
        self
    }

    /// TLS comes first, and nothing is said in clear.
    pub(crate) fn begins_with_tls(mut self) -> Self {
        self.begins_with_tls = true;
        self
    }

    /// With another certificate.
    pub(crate) fn certified_by(mut self, config: ServerConfig) -> Self {
        self.config = Arc::new(config);
        self
    }

    /// Greets once this is open.
    pub(crate) fn held_by(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Serves at an address of its own.
    pub(crate) fn serve(self) -> Peer {
        self.serve_at(listen())
    }

    /// Serves behind a given socket.
    pub(crate) fn serve_at(self, listener: TcpListener) -> Peer {
        Peer::serve(listener, move |stream| self.serve_on(stream))
    }

    /// Serves one connection.
    pub(crate) fn serve_on(&self, stream: TcpStream) -> Report {
        let mut report = Report { from: stream.peer_addr().unwrap(), heard: Vec::new(), end: End::Left };
        if let Err(end) = self.talk(stream, &mut report.heard) {
            report.end = end;
        }
        report
    }

    fn talk(&self, mut stream: TcpStream, heard: &mut Vec<u8>) -> Result<(), End> {
        let socket = stream.try_clone().unwrap();
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        if !self.begins_with_tls {
            say(&mut stream, &self.greeting)?;
            if !answer(&mut stream, &self.clear, heard)? {
                return leave(&mut stream, &socket);
            }
        }
        let mut inside = StreamOwned::new(ServerConnection::new(Arc::clone(&self.config)).unwrap(), stream);
        if self.begins_with_tls {
            say(&mut inside, &self.greeting)?;
        }
        answer(&mut inside, &self.inside, heard)?;
        leave(&mut inside, &socket)
    }
}

/// Answers one line after the other, up to QUIT, or to where a handshake is due: whether it is.
fn answer(stream: &mut (impl Read + Write), answers: &[Answer], heard: &mut Vec<u8>) -> Result<bool, End> {
    loop {
        let line = hear_line(stream)?;
        heard.extend_from_slice(&line);
        if line.starts_with(b"QUIT") {
            return Ok(false);
        }
        let known = answers.iter().find(|(beginning, _)| line.starts_with(beginning.as_bytes()));
        let (command, words) = known.map_or(("", &b"502 5.5.2 what?\r\n"[..]), |(command, words)| (*command, words));
        say(stream, words)?;
        let leave = if command == "STARTTLS" { b"220" } else { b"234" };
        if (command == "STARTTLS" || command.starts_with("AUTH")) && words.starts_with(leave) {
            return Ok(true);
        }
    }
}

fn hear_line(stream: &mut impl Read) -> Result<Vec<u8>, End> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") {
        if stream.read(&mut byte).map_err(broken)? == 0 {
            return Err(End::Fin);
        }
        line.extend(byte);
    }
    Ok(line)
}

fn say(stream: &mut impl Write, words: &[u8]) -> Result<(), End> {
    stream.write_all(words).and_then(|()| stream.flush()).map_err(broken)
}

/// Says goodbye and listens until the other side hangs up, too.
fn leave(stream: &mut (impl Read + Write), socket: &TcpStream) -> Result<(), End> {
    say(stream, b"221 bye\r\n")?;
    socket.shutdown(Shutdown::Write).map_err(broken)?;
    hear(stream, &mut Vec::new(), |_| false)
}
