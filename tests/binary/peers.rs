//! Peers that follow a script: what is said, heard and done on one connection after the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

use super::program::Watched;

/// One thing that a peer does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Say(Vec<u8>),
    /// Says something again and again, for so long.
    Chatter(&'static [u8], Duration),
    /// Hears a line.
    HearLine,
    /// Hears until these words have come.
    Hear(&'static [u8]),
    /// Hears a TLS record.
    HearRecord,
    /// Hears everything up to the end.
    HearEnd,
    /// Sends FIN.
    Finish,
    /// Sends RST.
    Reset,
    /// Does nothing until the gate is opened.
    Hold(Gate),
}

pub(crate) fn say(words: impl AsRef<[u8]>) -> Step {
    Step::Say(words.as_ref().to_vec())
}

/// As servers do it: a greeting, an answer to QUIT, FIN, and the other's FIN.
pub(crate) fn polite(greeting: impl AsRef<[u8]>) -> Vec<Step> {
    vec![say(greeting), Step::HearLine, say("221 bye\r\n"), Step::Finish, Step::HearEnd]
}

/// Holds peers until it is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Watched<bool>>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.change(|open| *open = true);
    }

    pub(crate) fn pass(&self) {
        drop(self.0.once("a gate to open", |open| *open));
    }
}

/// What a peer saw on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) from: SocketAddr,
    pub(crate) heard: Vec<u8>,
    pub(crate) end: End,
}

/// How a connection ended for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer left before it saw an end.
    Left,
    /// FIN came.
    Fin,
    /// It broke, by RST mostly.
    Broken(ErrorKind),
}

/// A server with a script.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    connections: Arc<Watched<usize>>,
    /// Each with the place of its connection.
    reports: Arc<Watched<Vec<(usize, Report)>>>,
}

impl Peer {
    /// A peer that does the same on every connection, at an address of its own.
    pub(crate) fn new(steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::behind(listen(), move || steps.clone())
    }

    /// A peer behind a given socket, whose steps are chosen anew for each connection.
    pub(crate) fn behind(listener: TcpListener, steps: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::serve(listener, move |mut stream| {
            let socket = stream.try_clone().unwrap();
            follow(&steps(), &mut stream, &socket)
        })
    }

    /// The same inside TLS.
    pub(crate) fn secure(steps: impl Into<Vec<Step>>) -> Self {
        Self::secure_behind(listen(), steps)
    }

    /// The same inside TLS, behind a given socket.
    pub(crate) fn secure_behind(listener: TcpListener, steps: impl Into<Vec<Step>>) -> Self {
        Self::serve_secure(listener, steps.into(), tls_config().0)
    }

    /// The same with its certificate, as PEM.
    pub(crate) fn secure_with_certificate(steps: impl Into<Vec<Step>>) -> (Self, String) {
        let (config, certificate) = tls_config();
        (Self::serve_secure(listen(), steps.into(), config), certificate)
    }

    fn serve_secure(listener: TcpListener, steps: Vec<Step>, config: Arc<ServerConfig>) -> Self {
        Self::serve(listener, move |stream| {
            let socket = stream.try_clone().unwrap();
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            follow(&steps, &mut StreamOwned::new(session, stream), &socket)
        })
    }

    /// Serves each connection on a thread of its own.
    pub(crate) fn serve(listener: TcpListener, serve: impl Fn(TcpStream) -> Report + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (connections, reports) = (Arc::<Watched<usize>>::default(), Arc::<Watched<Vec<_>>>::default());
        let (counted, reported, serve) = (Arc::clone(&connections), Arc::clone(&reports), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut place = 0;
                counted.change(|count| {
                    *count += 1;
                    place = *count;
                });
                let (serve, reported) = (Arc::clone(&serve), Arc::clone(&reported));
                thread::spawn(move || {
                    let report = serve(stream);
                    reported.change(|reports| reports.push((place, report)));
                });
            }
        });
        Self { address, connections, reports }
    }

    /// The peer as the command line names it.
    pub(crate) fn target(&self, service: &str) -> String {
        format!("{}={service}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.now()
    }

    pub(crate) fn until_connected(&self) {
        self.until_connections(1);
    }

    /// Waits for so many connections, counting those that are over.
    pub(crate) fn until_connections(&self, number: usize) {
        drop(self.connections.once(&format!("{number} connections"), |count| *count >= number));
    }

    /// What was seen on the first connection, once that is over.
    pub(crate) fn report(&self) -> Report {
        self.reports(1)[0].clone()
    }

    /// What was seen on so many connections, once they are over, in the order in which they were begun.
    pub(crate) fn reports(&self, number: usize) -> Vec<Report> {
        let over = self.reports.once(&format!("{number} connections to be over"), |reports| reports.len() >= number);
        let mut reports = over.clone();
        reports.sort_by_key(|(place, _)| *place);
        reports.into_iter().map(|(_, report)| report).collect()
    }
}

/// A socket that listens at an address that no other test uses: a limit for each host would not slow them down.
pub(crate) fn listen() -> TcpListener {
    listen_on(0)
}

/// The same on a port of one's choice.
pub(crate) fn listen_on(port: u16) -> TcpListener {
    TcpListener::bind((own_address(), port)).unwrap()
}

/// An address that no other test uses.
pub(crate) fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

/// Does what the script says, as long as the connection stands.
fn follow(steps: &[Step], stream: &mut (impl Read + Write), socket: &TcpStream) -> Report {
    let mut report = Report { from: socket.peer_addr().unwrap(), heard: Vec::new(), end: End::Left };
    for step in steps {
        if let Err(end) = take(step, stream, socket, &mut report.heard) {
            report.end = end;
            break;
        }
    }
    report
}

fn take(step: &Step, stream: &mut (impl Read + Write), socket: &TcpStream, heard: &mut Vec<u8>) -> Result<(), End> {
    let mut say = |words: &[u8]| stream.write_all(words).and_then(|()| stream.flush());
    match step {
        Step::Say(words) => say(words).map_err(broken),
        Step::Chatter(words, time) => {
            let begun = Instant::now();
            while begun.elapsed() < *time {
                say(words).map_err(broken)?;
                thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }
        Step::HearLine => hear(stream, heard, |heard| heard.ends_with(b"\n")),
        Step::Hear(words) => hear(stream, heard, |heard| heard.windows(words.len()).any(|window| window == *words)),
        Step::HearRecord => hear(stream, heard, |heard| match heard {
            [_, _, _, high, low, body @ ..] => body.len() >= usize::from(u16::from_be_bytes([*high, *low])),
            _ => false,
        }),
        Step::HearEnd => hear(stream, heard, |_| false),
        Step::Finish => socket.shutdown(std::net::Shutdown::Write).map_err(broken),
        Step::Reset => SockRef::from(socket).set_linger(Some(Duration::ZERO)).map_err(broken),
        Step::Hold(gate) => {
            gate.pass();
            Ok(())
        }
    }
}

pub(crate) fn hear(stream: &mut impl Read, heard: &mut Vec<u8>, enough: impl Fn(&[u8]) -> bool) -> Result<(), End> {
    let mut chunk = [0; 4096];
    while !enough(heard) {
        match stream.read(&mut chunk).map_err(broken)? {
            0 => return Err(End::Fin),
            count => heard.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn broken(error: std::io::Error) -> End {
    End::Broken(error.kind())
}

/// Names that stand in the certificate of [`Peer::secure`].
pub(crate) const NAMES: [&str; 2] = ["mail.example", "mx.example"];

/// With a certificate of its own, which is shown as PEM.
pub(crate) fn tls_config() -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned)).unwrap();
    params.distinguished_name.push(DnType::CommonName, NAMES[0]);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let pem = certificate.pem();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate)], key)
        .unwrap();
    (Arc::new(config), pem)
}

/// An address that answers SYN with RST; nobody else gets the port as long as this is kept.
#[derive(Debug)]
pub(crate) struct ClosedPort {
    pub(crate) address: SocketAddr,
    _socket: Socket,
}

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((own_address(), 0)).into()).unwrap();
        Self { address: socket.local_addr().unwrap().as_socket().unwrap(), _socket: socket }
    }
}

/// An address that answers SYN with nothing: its queue of connections is full, and nobody takes them.
#[derive(Debug)]
pub(crate) struct DarkPort {
    pub(crate) address: SocketAddr,
    _socket: Socket,
    _first_in_queue: TcpStream,
}

impl DarkPort {
    pub(crate) fn new() -> Self {
        let ClosedPort { address, _socket: socket } = ClosedPort::new();
        // Linux takes one connection more than asked for.
        socket.listen(0).unwrap();
        let first = TcpStream::connect(address).unwrap();
        Self { address, _socket: socket, _first_in_queue: first }
    }
}
