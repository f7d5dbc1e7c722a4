//! A program that is stopped, as by ^Z, for longer than its deadlines: what came meanwhile is heard, and what our own absence
//! has spoilt is probed again.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal::{SIGCONT, SIGINT, SIGSTOP};
use serde_json::{Value, json};

use crate::limits::until_still;
use crate::peers::{ClosedPort, Gate, Peer, Step, listen, polite, say};
use crate::program::{Running, differences, rows_in, scan};

/// How long the program stands still; `HAILER_STANDSTILL` gives it other seconds. More than the deadlines below.
fn standstill() -> Duration {
    let given = std::env::var("HAILER_STANDSTILL").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(given.unwrap_or(4))
}

const DEADLINES: [&str; 4] = ["--greeting-timeout", "2", "--connect-timeout", "2"];

/// Stops the program, does something, and lets it go on once all its deadlines are over.
fn while_stopped(running: &Running, act: impl FnOnce()) {
    running.signal(SIGSTOP);
    assert!(until_still(running.id()));
    act();
    thread::sleep(standstill());
    running.signal(SIGCONT);
}

fn of_peer(rows: &[Value], port: u16) -> &Value {
    rows.iter().find(|row| row["port"] == port).unwrap_or_else(|| panic!("no row of port {port}"))
}

#[test]
fn whoever_greets_while_we_are_stopped_is_heard_in_time() {
    for threads in ["1", "2"] {
        let gate = Gate::default();
        let peers: Vec<_> =
            (0..24).map(|_| Peer::new([vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat())).collect();
        let secure: Vec<_> =
            (0..4).map(|_| Peer::secure([vec![Step::Hold(gate.clone())], polite("220 inside\r\n")].concat())).collect();
        let closed = ClosedPort::new();
        let targets =
            peers.iter().map(|peer| peer.target("smtp")).chain(secure.iter().map(|peer| peer.target("smtps")));
        let targets = targets.chain([format!("{}=smtp", closed.address)]);
        let words = ["--all", "--threads", threads].into_iter().chain(DEADLINES).map(str::to_owned);
        let running = Running::start(&mut scan(targets.chain(words)));
        for peer in peers.iter().chain(&secure) {
            peer.until_connected();
        }
        while_stopped(&running, || gate.open());
        let ended = running.end();
        let rows = ended.rows();
        assert_eq!(rows.len(), peers.len() + secure.len() + 1, "{}", ended.stderr);
        for peer in peers.iter().chain(&secure) {
            let row = of_peer(&rows, peer.address.port());
            assert_eq!(differences(row, &json!({"outcome": "greeted", "code": 220, "attempts": 2})), [""; 0]);
            // The second connection tells the time that the server takes, not ours.
            assert!(row["greeting_ms"].as_f64().unwrap() < 2000.0, "{row}");
            assert_eq!(peer.connections(), 2);
        }
        assert_eq!(of_peer(&rows, closed.address.port())["outcome"], "refused");
        assert_eq!(ended.stderr.matches("stood still for ").count(), 1, "{}", ended.stderr);
    }
}

/// It is the first connection that counts where the second is denied.
#[test]
fn what_was_said_while_we_were_stopped_is_read_before_the_deadline_is_told() {
    let gate = Gate::default();
    let peers: Vec<_> = (0..24)
        .map(|_| {
            let (gate, first) = (gate.clone(), std::sync::atomic::AtomicBool::new(true));
            Peer::behind(listen(), move || {
                if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                    [vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat()
                } else {
                    vec![Step::HearEnd]
                }
            })
        })
        .collect();
    let words = peers.iter().map(|peer| peer.target("smtp")).chain(DEADLINES.map(str::to_owned));
    let running = Running::start(&mut scan(words));
    for peer in &peers {
        peer.until_connected();
    }
    while_stopped(&running, || gate.open());
    let ended = running.end();
    let rows = ended.rows();
    for peer in &peers {
        let expected = json!({"outcome": "greeted", "code": 220, "attempts": 2});
        assert_eq!(differences(of_peer(&rows, peer.address.port()), &expected), [""; 0], "{}", ended.stderr);
    }
}

#[test]
fn who_says_nothing_before_and_after_is_silent() {
    let silent = Peer::new([say("220-a teaser\r\n"), Step::HearEnd]);
    let running = Running::start(&mut scan([silent.target("smtp")].into_iter().chain(DEADLINES.map(str::to_owned))));
    silent.until_connected();
    while_stopped(&running, || ());
    let rows = running.end().rows();
    assert_eq!(differences(&rows[0], &json!({"outcome": "silent", "attempts": 2})), [""; 0]);
}

/// A request to stop that comes together with the end of the standstill leaves no false row behind.
#[test]
fn what_a_standstill_has_spoilt_stays_undone_where_the_scan_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    // The connection ends while we are stopped: by then it is over for good.
    let gate = Gate::default();
    let peer = Peer::new([Step::Hold(gate.clone()), Step::Finish]);
    let words = [peer.target("smtp")].into_iter().chain(DEADLINES.map(str::to_owned));
    let running = Running::start(scan(words).args(["-o", "rows.ndjson"]).current_dir(folder.path()));
    peer.until_connected();
    while_stopped(&running, || {
        gate.open();
        running.signal(SIGINT);
    });
    let ended = running.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")), [Value::Null; 0]);
    assert!(ended.stderr.contains("\n0 of 1 endpoints"), "{}", ended.stderr);
}
