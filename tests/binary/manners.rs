//! How a host is gone about: one connection at a time unless told, and what says that it is busy is left alone.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal::{SIGINT, SIGKILL};
use serde_json::{Value, json};

use super::depth::mail;
use super::peers::{Gate, Peer, Step, listen, polite};
use super::program::{Running, Watched, differences, rows_in, run, scan};

/// One host with five ports. Each connection is held up to a gate of its own.
struct Host {
    ports: Vec<Peer>,
    gates: [Gate; 5],
    turns: Arc<Watched<Turns>>,
}

#[derive(Debug, Default)]
struct Turns {
    begun: usize,
    /// How many gates were opened.
    let_go: usize,
    /// Whether any connection was begun while another was held.
    overlapped: bool,
}

impl Host {
    fn new() -> Self {
        let (gates, turns) = (<[Gate; 5]>::default(), Arc::<Watched<Turns>>::default());
        let first = listen();
        let ip = first.local_addr().unwrap().ip();
        let others = (1..5).map(|_| TcpListener::bind((ip, 0)).unwrap());
        let ports = std::iter::once(first).chain(others).map(|listener| {
            let (gates, turns) = (gates.clone(), Arc::clone(&turns));
            Peer::behind(listener, move || {
                let mut place = 0;
                turns.change(|turns| {
                    place = turns.begun;
                    turns.begun += 1;
                    turns.overlapped |= turns.begun > turns.let_go + 1;
                });
                [vec![Step::Hold(gates[place].clone())], polite("220 ready\r\n")].concat()
            })
        });
        Self { ports: ports.collect(), gates, turns }
    }

    fn until_begun(&self, count: usize) {
        drop(self.turns.once(&format!("{count} connections"), |turns| turns.begun == count));
    }

    fn let_go(&self, place: usize) {
        self.turns.change(|turns| turns.let_go += 1);
        self.gates[place].open();
    }
}

/// The host and eight others, of which one is the last in the order: when that has been seen to, the host's ports have all
/// had their turn, or wait for it.
fn words(host: &Host, others: &[Peer]) -> Vec<String> {
    let targets = host.ports.iter().chain(others).map(|peer| peer.target("smtp"));
    let targets: Vec<_> = targets.chain(["--concurrency=16".into()]).collect();
    let ip = host.ports[0].address.ip().to_string();
    let seeded = (0..).map(|seed| [targets.clone(), vec![format!("--seed={seed}")]].concat());
    let ends_elsewhere =
        |words: &Vec<String>| !run(scan(words).arg("--list")).stdout.lines().last().unwrap().starts_with(&ip);
    seeded.take(64).find(ends_elsewhere).unwrap()
}

#[test]
fn one_connection_at_a_time_to_a_host() {
    let (host, others) = (Host::new(), [(); 8].map(|()| Peer::new(polite("220 ready\r\n"))));
    let running = Running::start(&mut scan(words(&host, &others)));
    for other in &others {
        other.report();
    }
    for place in 0..5 {
        host.until_begun(place + 1);
        host.let_go(place);
    }
    assert_eq!(running.end().rows().len(), 13);
    assert!(!host.turns.now().overlapped);
}

#[test]
fn more_at_a_time_where_that_is_asked_for() {
    let (host, others) = (Host::new(), [(); 8].map(|()| Peer::new(polite("220 ready\r\n"))));
    let mut words = words(&host, &others);
    words.push("--per-host=5".into());
    let running = Running::start(&mut scan(words));
    host.until_begun(5);
    for place in 0..5 {
        host.let_go(place);
    }
    assert_eq!(running.end().rows().len(), 13);
}

/// A scan of a peer that is busy once, while it waits for the minute to pass.
fn waiting() -> (tempfile::TempDir, Peer, Running) {
    let folder = tempfile::tempdir().unwrap();
    let count = Arc::<Watched<usize>>::default();
    let peer = Peer::behind(listen(), move || {
        count.change(|count| *count += 1);
        let is_first = *count.now() == 1;
        polite(if is_first { "421 too many connections\r\n" } else { "220 ready\r\n" })
    });
    let words = [peer.target("smtp"), "--retry-busy=1".into(), "-o".into(), "rows.ndjson".into()];
    let running = Running::start(scan(words).current_dir(folder.path()));
    peer.report();
    (folder, peer, running)
}

#[test]
fn a_stop_does_not_wait_for_who_is_busy() {
    let (folder, peer, running) = waiting();
    running.signal(SIGINT);
    let ended = running.end();
    // What it said is its row, and so nothing is left to do.
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("\nslowed down in 1 network that asked for it: 127."), "{}", ended.stderr);
    let rows = rows_in(&folder.path().join("rows.ndjson"));
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(differences(row, &json!({"outcome": "greeted", "code": 421, "attempts": 1})), [""; 0]);
    assert_eq!(peer.connections(), 1);
}

#[test]
fn who_is_busy_is_asked_again_where_a_scan_goes_on() {
    let (folder, peer, mut running) = waiting();
    assert!(running.is_running(), "it is not done");
    running.signal(SIGKILL);
    assert_eq!(running.end().code, None);
    let ended = run(scan(["--resume", "rows.ndjson"]).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let rows: Vec<Value> = rows_in(&folder.path().join("rows.ndjson"));
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(differences(row, &json!({"outcome": "greeted", "code": 220, "attempts": 1})), [""; 0]);
    assert_eq!(peer.connections(), 2);
}

/// The connections to one host, over all its ports.
struct Visits {
    epoll: Epoll,
    known: Watched<Known>,
}

#[derive(Debug, Default)]
struct Known {
    connections: Vec<TcpStream>,
    overlapped: bool,
}

impl Visits {
    fn new() -> Self {
        Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap(), known: Watched::default() }
    }

    /// Notes a connection, and whether the client had sent its FIN on all that were before. On loopback that has come if
    /// it was sent.
    fn note(&self, stream: &TcpStream) {
        self.known.change(|known| {
            let mut events = [EpollEvent::empty(); 64];
            let ended = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap();
            known.overlapped |= ended < known.connections.len();
            let stream = stream.try_clone().unwrap();
            self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLRDHUP, 0)).unwrap();
            known.connections.push(stream);
        });
    }
}

/// A scan of four ports of one host, which all greet once the gate is open.
fn scan_of_a_host(options: &str, until: impl FnOnce(&Visits, &Gate)) -> (Vec<Value>, Known) {
    let (host, gate, first) = (Arc::new(Visits::new()), Gate::default(), listen());
    let ip = first.local_addr().unwrap().ip();
    let listeners = std::iter::once(first).chain((1..4).map(|_| TcpListener::bind((ip, 0)).unwrap()));
    let peers = listeners.map(|listener| {
        let (talker, host) = (mail().held_by(&gate), Arc::clone(&host));
        Peer::serve(listener, move |stream| {
            host.note(&stream);
            talker.serve_on(stream)
        })
    });
    let peers: Vec<_> = peers.collect();
    let words = peers.iter().map(|peer| peer.target("submission"));
    let running = Running::start(scan(words).args(options.split(' ')));
    until(&host, &gate);
    let rows = running.end().rows();
    let known = std::mem::take(&mut *host.known.now());
    (rows, known)
}

#[test]
fn further_connections_to_a_host_wait_for_the_one_before() {
    let (rows, known) = scan_of_a_host("--depth tls", |_, gate| gate.open());
    assert!(rows.len() == 4 && rows.iter().all(|row| row["attempts"] == 2), "{rows:?}");
    assert_eq!(known.connections.len(), 8);
    assert!(!known.overlapped);

    let (rows, known) = scan_of_a_host("--depth tls --per-host 4", |host, gate| {
        drop(host.known.once("four connections", |known| known.connections.len() == 4));
        gate.open();
    });
    assert_eq!((rows.len(), known.connections.len()), (4, 8));
    assert!(known.overlapped, "it would be seen");
}
