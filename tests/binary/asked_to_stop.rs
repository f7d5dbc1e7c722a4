//! Requests to stop: nothing new is begun, what is known is written, and a second request ends everything.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGTERM};
use serde_json::Value;

use super::peers::{Gate, Peer, Step, listen, polite, say};
use super::program::{Ended, Running, Watched, rows, rows_in, scan};

/// How long the program waits for endpoints under way after the first request.
const DRAIN: Duration = Duration::from_secs(10);

/// A scan of six peers, two at a time, of which the first to be reached greets and all others say nothing.
struct Stoppable {
    folder: tempfile::TempDir,
    gate: Gate,
    peers: Vec<Peer>,
    running: Running,
}

impl Stoppable {
    /// Comes back when the first row is ready and two silent peers are under way.
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (gate, reached) = (Gate::default(), Arc::<Watched<usize>>::default());
        let peers: Vec<_> = (0..6)
            .map(|_| {
                let (gate, reached) = (gate.clone(), Arc::clone(&reached));
                Peer::behind(listen(), move || {
                    let mut count = 0;
                    reached.change(|reached| {
                        *reached += 1;
                        count = *reached;
                    });
                    let silent = vec![say("220-a teaser\r\n"), Step::Hold(gate.clone())];
                    if count == 1 { polite("220 ready\r\n") } else { silent }
                })
            })
            .collect();
        let words = ["--concurrency", "2", "-o", "rows.ndjson", "-o", "rows.csv"].iter().chain(more);
        let words = peers.iter().map(|peer| peer.target("smtp")).chain(words.map(|word| (*word).to_owned()));
        let running = Running::start(scan(words).current_dir(folder.path()));
        drop(reached.once("two silent peers under way", |reached| *reached == 3));
        Self { folder, gate, peers, running }
    }

    fn connections(&self) -> usize {
        self.peers.iter().map(Peer::connections).sum()
    }
}

/// The outcomes in both files, in order; every row must be whole.
fn outcomes(folder: &Path) -> Vec<String> {
    let outcomes = |rows: Vec<Value>| rows.iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect();
    let ndjson: Vec<String> = outcomes(rows_in(&folder.join("rows.ndjson")));
    let mut csv = csv::Reader::from_path(folder.join("rows.csv")).unwrap();
    let column = csv.headers().unwrap().iter().position(|column| column == "outcome").unwrap();
    let from_csv: Vec<_> = csv.records().map(|record| record.unwrap()[column].to_owned()).collect();
    assert_eq!(from_csv, ndjson);
    ndjson
}

fn assert_stopped(ended: &Ended, summary: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains(summary), "{}", ended.stderr);
}

fn first_request(signal: Signal) {
    let scan = Stoppable::start(&[]);
    scan.running.signal(signal);
    scan.running.says("stopping: 2 under way, at most 10 s; once more to stop at once\n");
    scan.gate.open();
    let Stoppable { folder, peers, running, .. } = scan;
    assert_stopped(&running.end(), "3 of 6 endpoints");
    assert_eq!(peers.iter().map(Peer::connections).sum::<usize>(), 3, "nothing new is begun");
    assert_eq!(outcomes(folder.path()), ["greeted", "closed", "closed"]);
}

#[test]
fn interrupt() {
    first_request(SIGINT);
}

#[test]
fn terminate() {
    first_request(SIGTERM);
}

#[test]
fn hang_up() {
    first_request(SIGHUP);
}

#[test]
fn what_stays_silent_is_given_up_after_ten_seconds() {
    let scan = Stoppable::start(&[]);
    let asked = Instant::now();
    scan.running.signal(SIGTERM);
    let Stoppable { folder, peers, running, .. } = scan;
    assert_stopped(&running.end(), "1 of 6 endpoints");
    // Without a request, the greeting would have been waited for three times as long.
    assert!((DRAIN..2 * DRAIN).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    assert_eq!(peers.iter().map(Peer::connections).sum::<usize>(), 3);
    assert_eq!(outcomes(folder.path()), ["greeted"]);
}

#[test]
fn a_second_request_ends_at_once() {
    let scan = Stoppable::start(&[]);
    scan.running.signal(SIGINT);
    scan.running.says("once more to stop at once");
    assert_eq!(scan.connections(), 3);
    let asked = Instant::now();
    scan.running.signal(SIGTERM);
    let Stoppable { folder, running, .. } = scan;
    assert_stopped(&running.end(), "1 of 6 endpoints");
    assert!(asked.elapsed() < DRAIN, "{:?}", asked.elapsed());
    assert_eq!(outcomes(folder.path()), ["greeted"]);
}

#[test]
fn quiet_stops_without_a_word() {
    let scan = Stoppable::start(&["-q"]);
    scan.running.signal(SIGINT);
    scan.gate.open();
    let Stoppable { folder, running, .. } = scan;
    let ended = running.end();
    // Nothing says when the request has arrived, and so how much was begun before it.
    assert_eq!(ended.stderr, "");
    assert!(matches!((ended.code, outcomes(folder.path()).len()), (Some(3), 3..=5) | (Some(0), 6)), "{ended:?}");
}

/// A reader that does not read: after the first request it is waited for, and said to be.
#[test]
fn a_first_request_waits_for_a_stalled_reader() {
    let greeting = format!("220 {}\r\n", "long ".repeat(10_000));
    let peers = [(); 4].map(|()| Peer::new(polite(&greeting)));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = Running::start_onto(&mut scan(peers.iter().map(|peer| peer.target("smtp"))), Stdio::from(writer));
    for peer in &peers {
        peer.report();
    }
    running.signal(SIGINT);
    running.says("\nan output takes nothing: waiting for it; once more to lose what it has not taken\n");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let ended = running.end();
    assert_eq!((ended.code, rows(&text).len()), (Some(0), 4), "{}", ended.stderr);
}

/// What it has not taken after the second is lost, and said to be.
#[test]
fn a_second_request_does_not_wait_for_a_stalled_reader() {
    // More than a pipe holds.
    let greeting = format!("220 {}\r\n", "long ".repeat(10_000));
    let peers = [(); 4].map(|()| Peer::new(polite(&greeting)));
    let (_reader, writer) = std::io::pipe().unwrap();
    let running = Running::start_onto(&mut scan(peers.iter().map(|peer| peer.target("smtp"))), Stdio::from(writer));
    for peer in &peers {
        peer.report();
    }
    running.signal(SIGINT);
    running.says("stopping: ");
    running.signal(SIGINT);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.lines().last().unwrap().starts_with("hailer: an output takes nothing: "), "{}", ended.stderr);
}
