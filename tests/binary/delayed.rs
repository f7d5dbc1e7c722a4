//! Peers that are far away: every packet takes its time, and some overtake others.
//!
//! Bounds are what no packet can beat, twice the least delay; nothing here is measured against a clock from above.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::network::Network;
use super::peers::{End, Peer, Step, polite, say};
use super::program::{differences, skip};
use super::relay::{Delay, Segment, Side};

/// 200 ms ± 50 ms each way.
const FAR: Delay = Delay { least: Duration::from_millis(150), jitter: Duration::from_millis(100), seed: 1 };

/// The client finds the server's addresses over there.
const ROUTE: &str = "ip route add 10.99.1.0/24 dev near\n";
const ADDRESSES: &str = "ip route add local 10.99.1.0/24 dev lo\n";

/// How [`polite`] peers answer QUIT.
const ANSWER: &[u8] = b"221 bye\r\n";

/// A greeting of many packets, within the 64 KiB that a row keeps.
fn long_greeting() -> String {
    let lines = (0..600).map(|number| format!("220-line {number} of a greeting that takes its time\r\n"));
    lines.chain(["220 ready\r\n".to_owned()]).collect()
}

/// What nobody can beat: there and back.
fn is_round_trip(millis: &Value, delay: Delay) -> bool {
    millis.as_f64().is_some_and(|millis| Duration::from_secs_f64(millis / 1_000.0) >= delay.least * 2)
}

/// Scans peers of every kind over there: each greets, does what `farewell` says, and has heard `heard` in the end.
/// The segments that were sent, where it can run.
fn assert_greeted_and_left(name: &str, options: &str, farewell: &[Step], heard: &str) -> Option<Vec<Segment>> {
    let (network, relay) = match Network::far_apart(name, FAR, ROUTE, ADDRESSES) {
        Ok(far) => far,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    let long = long_greeting();
    let table = [
        ("10.99.1.1:2525", "smtp", "220 mail.example ESMTP Postfix\r\n"),
        ("10.99.1.2:2525", "ftp", &long),
        ("10.99.1.3:2525", "smtps", "220 mail.example ESMTP Postfix\r\n"),
        ("10.99.1.4:2525", "ftps", &long),
        ("10.99.1.5:2525", "ftp", "530 not from there\r\n"),
        ("[fd99::2]:2525", "submission", "220-one\r\n220 two\r\n"),
    ];
    let peers = table.map(|(address, service, greeting)| {
        let steps = [&[say(greeting)], farewell].concat();
        if service.ends_with('s') {
            Peer::secure_behind(network.listen(address), steps)
        } else {
            network.serve(address, steps)
        }
    });
    let words = peers.iter().zip(table).map(|(peer, (_, service, _))| peer.target(service));
    let rows = network.scan(&words.chain(options.split_whitespace().map(str::to_owned)).collect::<Vec<_>>());

    assert_eq!(rows.len(), peers.len());
    let mut wrong = Vec::new();
    for (peer, (address, service, greeting)) in peers.iter().zip(table) {
        let ip = peer.address.ip().to_string();
        let row = rows.iter().find(|row| row["ip"] == ip.as_str()).unwrap();
        let code = greeting[..3].parse::<u16>().unwrap();
        let expected = json!({"outcome": "greeted", "code": code, "banner": greeting.replace("\r\n", r"\r\n"),
            "detail": null, "truncated": null, "attempts": 1});
        wrong.extend(differences(row, &expected));
        let stages = if service.ends_with('s') {
            &["connect_ms", "tls_ms", "greeting_ms"][..]
        } else {
            &["connect_ms", "greeting_ms"]
        };
        let early = stages.iter().filter(|stage| !is_round_trip(&row[**stage], FAR));
        wrong.extend(early.map(|stage| format!("{stage} is less than there and back: {row}")));
        let report = peer.report();
        if (report.end, report.heard.as_slice(), peer.connections()) != (End::Fin, heard.as_bytes(), 1) {
            wrong.push(format!("{address}: {report:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let seen = relay.end();
    let resets = seen.segments.iter().enumerate().filter(|(_, segment)| segment.reset);
    // Once both have sent FIN, kernels answer a last ACK that was overtaken with RST.
    let untimely: Vec<_> = resets.filter(|(place, reset)| !is_over(&seen.segments[..*place], reset.server)).collect();
    assert!(untimely.is_empty(), "{untimely:?}");
    // Dozens of packets set out at once for each long greeting.
    assert!(seen.overtaken > 0, "nothing was out of order");
    Some(seen.segments)
}

/// Whether both sides have sent FIN.
fn is_over(segments: &[Segment], server: IpAddr) -> bool {
    let has_finished = |side| segments.iter().any(|other| other.fin && other.from == side && other.server == server);
    has_finished(Side::Client) && has_finished(Side::Server)
}

#[test]
fn quit_is_said_and_its_answer_awaited() {
    let farewell = &polite("")[1..];
    let Some(segments) = assert_greeted_and_left("quit", "--leave quit", farewell, "QUIT\r\n") else { return };
    let answers = segments.iter().filter(|segment| segment.payload == ANSWER);
    let servers: BTreeSet<_> = answers.map(|answer| answer.server).collect();
    assert_eq!(servers.len(), 4, "all but those inside TLS");
    for server in servers {
        let first = |what: &dyn Fn(&Segment) -> bool| {
            segments.iter().position(|segment| segment.server == server && what(segment)).unwrap()
        };
        let answer = first(&|segment| segment.payload == ANSWER);
        let fin = first(&|segment| segment.fin && segment.from == Side::Client);
        assert!(answer < fin, "FIN came before the answer of {server}");
    }
}

#[test]
fn close_is_fin_alone() {
    drop(assert_greeted_and_left("close", "--leave close", &[Step::HearEnd], ""));
}

#[test]
fn patience_that_ends_before_an_answer_can_come() {
    let (network, relay) = match Network::far_apart("patience", FAR, ROUTE, ADDRESSES) {
        Ok(far) => far,
        Err(why) => return skip(&why),
    };
    let peer = network.serve("10.99.1.1:2525", polite("220 ready\r\n"));
    let table = [
        ("--connect-timeout=200ms", json!({"outcome": "timeout", "connect_ms": null, "banner": null, "attempts": 1})),
        ("--greeting-timeout=200ms", json!({"outcome": "silent", "code": null, "banner": null, "attempts": 1})),
    ];
    for (option, expected) in table {
        let rows = network.scan(&[peer.target("smtp"), option.to_owned()]);
        assert_eq!(rows.len(), 1);
        assert_eq!(differences(&rows[0], &expected), [""; 0], "{option}");
    }
    drop(relay.end());
}

/// As by satellite, twice: a SYN is repeated after a second, before its answer can come.
#[test]
fn farther_than_the_first_repetition() {
    let delay = Delay { least: Duration::from_millis(600), ..FAR };
    let (network, relay) = match Network::far_apart("farther", delay, ROUTE, ADDRESSES) {
        Ok(far) => far,
        Err(why) => return skip(&why),
    };
    let peer = network.serve("10.99.1.1:2525", polite("220 mail.example ESMTP Postfix\r\n"));
    let rows = network.scan(&[peer.target("smtp")]);
    assert_eq!(rows.len(), 1);
    let expected = json!({"outcome": "greeted", "code": 220, "software": "Postfix", "detail": null, "attempts": 1});
    assert_eq!(differences(&rows[0], &expected), [""; 0]);
    assert!(is_round_trip(&rows[0]["connect_ms"], delay), "{}", rows[0]);
    assert_eq!(peer.report().heard, b"QUIT\r\n");
    assert_eq!(peer.connections(), 1);
    drop(relay.end());
}
