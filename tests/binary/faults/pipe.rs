//! Readers that do not keep up: they delay what is begun, and falsify nothing.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::peers::{End, Peer, Report, hear, listen};
use crate::program::{Running, rows, scan, skip, succeeds};

/// How long the reader does not read.
const STALL: Duration = Duration::from_secs(8);

/// When the slow peers greet: within the stall, where they were begun before it.
const GREETS_AFTER: Duration = Duration::from_secs(2);

/// Endpoints that have their row at once: more than a pipe, the writer and the channel before it hold together.
const QUICK: usize = 8192;
/// So many that some are begun before nothing more is: about a third of all are, by chance.
const SLOW: usize = 32;

/// Greets late, and is done when it has heard a line.
pub(super) fn slow_peer() -> Peer {
    Peer::serve(listen(), |mut stream| {
        let from = stream.peer_addr().unwrap();
        thread::sleep(GREETS_AFTER);
        let mut heard = Vec::new();
        let polite = std::io::Write::write_all(&mut stream, b"220 ready\r\n").map_err(crate::peers::broken);
        let quit = |heard: &[u8]| heard.ends_with(b"\n");
        let end = polite.and_then(|()| hear(&mut stream, &mut heard, quit)).err().unwrap_or(End::Left);
        Report { from, heard, end }
    })
}

/// A scan of both kinds, whose reader is late; what it has read in the end.
fn read_late(start: impl FnOnce(&mut Command) -> (Running, Box<dyn Read + Send>)) -> Vec<Value> {
    let peers: Vec<_> = (0..SLOW).map(|_| slow_peer()).collect();
    let words = ["127.0.0.0/19:1=smtp", "--all", "--concurrency", "64", "--seed", "3"].map(str::to_owned);
    let words = peers.iter().map(|peer| peer.target("smtp")).chain(words);
    let (running, mut reader) = start(&mut scan(words));
    thread::sleep(STALL);
    let connected: Vec<_> = peers.iter().filter(|peer| peer.connections() > 0).collect();
    assert!(!connected.is_empty(), "all of them would have to be among the last");
    // Whoever was connected to is heard, though nobody reads: had the reader stopped a clock, no QUIT would come.
    for peer in connected {
        assert_eq!(peer.report().heard, b"QUIT\r\n");
    }
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    rows(&text)
}

/// Every endpoint has its row, once, and the slow ones are heard.
pub(super) fn assert_true(rows: &[Value], quick: usize, slow: usize) {
    let mut places: Vec<_> = rows.iter().map(|row| format!("{}:{}", row["ip"], row["port"])).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!((rows.len(), places.len()), (quick + slow, quick + slow));
    assert_eq!(rows.iter().filter(|row| row["outcome"] == "greeted").count(), slow);
}

#[test]
fn a_pipe_that_nobody_reads_for_a_while_falsifies_nothing() {
    let rows = read_late(|command| {
        let (reader, writer) = std::io::pipe().unwrap();
        (Running::start_onto(command, Stdio::from(writer)), Box::new(reader))
    });
    assert_true(&rows, QUICK, SLOW);
}

#[test]
fn a_fifo_that_nobody_reads_for_a_while_falsifies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("rows.ndjson");
    if let Err(why) = succeeds(Command::new("mkfifo").arg(&fifo)) {
        return skip(&why);
    }
    let rows = read_late(|command| {
        let running = Running::start(command.arg("-o").arg(&fifo));
        // Opening it waits for the program to do so as well.
        (running, Box::new(std::fs::File::open(&fifo).unwrap()))
    });
    assert_true(&rows, QUICK, SLOW);
}

/// A reader that takes little at a time, for as long as there is something.
#[test]
fn a_slow_reader_gets_every_row() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let words = ["127.0.0.0/22:1=smtp", "--all", "-q"];
    let running = Running::start_onto(&mut scan(words), Stdio::from(writer));
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    while let count @ 1.. = reader.read(&mut chunk).unwrap() {
        text.extend_from_slice(&chunk[..count]);
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(running.end().code, Some(0));
    assert_eq!(rows(std::str::from_utf8(&text).unwrap()).len(), 1024);
}
