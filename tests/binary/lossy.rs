//! Networks that lose packets: what comes late or never must not make a row wrong.
//!
//! Rules of nftables drop packets where they come in, on both sides: TCP would notice what its own side does not send.
//! Loss is random and cannot be seeded, so no test depends on which packets are lost.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::network::Network;
use super::peers::{Peer, Step, polite, say};
use super::program::{differences, skip};

/// A peer and what its row must say once it was greeted; null stands for a missing key.
struct Live {
    peer: Peer,
    service: &'static str,
    greeted: Value,
}

/// So many peers for each amount of loss.
const PEERS: u8 = 40;

/// A peer at 10.99.`net`.`host`. Its greeting comes in three parts, none of them a line, and names its place.
fn live(network: &Network, net: u8, host: u8) -> Live {
    let place = format!("{host}.{net}.example");
    let (service, code, software, greeting) = match host % 4 {
        0 => ("ftp", 220, "ProFTPD".into(), format!("220 ProFTPD 1.3.8 Server (Debian) [{place}]\r\n")),
        1 => ("smtp", 220, "Postfix".into(), format!("220 {place} ESMTP Postfix (Debian/GNU)\r\n")),
        2 => ("smtp", 554, Value::Null, format!("554-{place} says no\r\n554 and says it in two lines\r\n")),
        _ => ("ftp", 220, Value::Null, format!("120 soon at {place}\r\n220-one line\r\n220 and another\r\n")),
    };
    let mut steps: Vec<Step> = greeting.as_bytes().chunks(greeting.len().div_ceil(3)).map(say).collect();
    steps.extend(polite("").into_iter().skip(1));
    let greeted = json!({"outcome": "greeted", "code": code, "banner": greeting.replace("\r\n", r"\r\n"),
        "software": software, "detail": null, "protocol": null, "truncated": null, "attempts": 1});
    Live { peer: network.serve(&format!("10.99.{net}.{host}:2525"), steps), service, greeted }
}

/// What is wrong with a row of a live peer behind a network that only loses packets.
fn wrong(row: &Value, live: &Live) -> Vec<String> {
    let banner = row["banner"].as_str().unwrap_or_default();
    let whole = live.greeted["banner"].as_str().unwrap();
    let is_part = whole.starts_with(banner);
    let expected = match row["outcome"].as_str() {
        // A preliminary reply that nothing followed in time is a greeting of its own, and is whole.
        Some("greeted") if row["code"] == 120 => {
            let first_line = whole.split_inclusive(r"\r\n").next().filter(|line| line.starts_with("120 "));
            json!({"code": 120, "banner": first_line, "detail": null, "protocol": null, "attempts": 1})
        }
        Some("greeted") => live.greeted.clone(),
        // No more than a part of the greeting came in time.
        Some("silent") if is_part => json!({"code": null, "protocol": null, "attempts": 1}),
        Some("timeout") => json!({"code": null, "banner": null, "detail": null, "connect_ms": null, "attempts": 1}),
        _ => return vec![format!("neither greeted, nor silent, nor a timeout: {row}")],
    };
    differences(row, &expected)
}

/// The row of each peer, in their order; there are no others.
fn rows_of(network: &Network, peers: &[Live], options: &[&str]) -> Vec<Value> {
    let words = peers.iter().map(|live| live.peer.target(live.service));
    let words: Vec<_> = words.chain(options.iter().map(|word| (*word).to_owned())).collect();
    let mut rows = network.scan(&words);
    assert_eq!(rows.len(), peers.len(), "one row for each: {rows:?}");
    let address = |row: &Value| row["ip"].as_str().unwrap().parse::<IpAddr>().unwrap();
    let place = |row: &Value| peers.iter().position(|live| live.peer.address.ip() == address(row)).unwrap();
    rows.sort_by_key(place);
    let own = peers.iter().map(|live| live.peer.address.ip());
    assert!(rows.iter().map(address).eq(own), "each has a row: {rows:?}");
    rows
}

/// A line that drops such packets to or from 10.99.`net`.0/24.
fn drops(net: u8, direction: &str, which: &str) -> String {
    format!("nft add rule inet t c ip {direction} 10.99.{net}.0/24 {which} drop\n")
}

const FILTER: &str = "nft add table inet t\nnft add chain inet t c '{ type filter hook input priority 0; }'\n";
const ROUTE: &str = "ip route add 10.99.0.0/16 via 10.99.0.2\n";
/// The server answers for all of these.
const ADDRESSES: &str = "ip route add local 10.99.0.0/16 dev lo\n";

#[test]
fn a_greeting_comes_whole_or_not_at_all() {
    let loses = |percent: u8, direction| drops(percent, direction, &format!("numgen random mod 100 '<' {percent}"));
    let client = [FILTER, ROUTE, &loses(5, "saddr"), &loses(20, "saddr")].concat();
    let server = [FILTER, ADDRESSES, &loses(5, "daddr"), &loses(20, "daddr")].concat();
    let network = match Network::new("loss", &client, &server) {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let peers: Vec<_> = [5, 20].into_iter().flat_map(|net| (1..=PEERS).map(move |host| (net, host))).collect();
    let peers: Vec<_> = peers.into_iter().map(|(net, host)| live(&network, net, host)).collect();
    // The default of four seconds for a connection. What is left bounds the test: ten seconds at most.
    let rows = rows_of(&network, &peers, &["--greeting-timeout=5"]);

    let mut faults: Vec<_> = rows.iter().zip(&peers).flat_map(|(row, live)| wrong(row, live)).collect();
    let twice = peers.iter().filter(|live| live.peer.connections() > 1);
    faults.extend(twice.map(|live| format!("more than one connection to {}", live.peer.address)));
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let found = |rows: &[Value]| rows.iter().filter(|row| row["outcome"] == "greeted").count();
    let (few_lost, many_lost) = rows.split_at(PEERS.into());
    // At 5 %, a connection fails if three SYNs (at 0, 1 and 3 s) or their answers are lost: 0.0975³ < 0.001. A greeting
    // fails if the packet that ends the handshake is lost and what repeats it (SYN-ACKs after 1 and 3 s) is lost or too
    // late: 0.05 × 0.0975 < 0.005. Say 0.01 for both; for seven or more of forty, C(40, 7) × 0.01⁷ < 10⁻⁶.
    assert!(found(few_lost) >= 34, "{} of {PEERS} at 5 % loss", found(few_lost));
    // At 20 % by the same count 0.36³ + 0.2 × 0.36 < 0.12, and one in ten was seen to fail. Say 0.2; for 25 or more,
    // C(40, 25) × 0.2²⁵ < 10⁻⁶.
    assert!(found(many_lost) >= 16, "{} of {PEERS} at 20 % loss", found(many_lost));
    // Forty handshakes at 20 % without one packet lost: 0.64⁴⁰ < 10⁻⁷. After a loss TCP tries again no sooner than this.
    let is_late = |row: &Value| row["connect_ms"].as_f64().is_none_or(|millis| millis >= 900.0);
    assert!(many_lost.iter().any(is_late), "nothing was lost: {many_lost:?}");
}

#[test]
fn what_gets_lost_altogether_tells_how_far_we_came() {
    let (there, back, long) = (101, 102, 103);
    // A handshake passes, but nothing that is longer: as behind a tunnel that loses what does not fit into it.
    let client = [FILTER, ROUTE, &drops(back, "saddr", ""), &drops(long, "saddr", "meta length '>' 80")].concat();
    let server = [FILTER, ADDRESSES, &drops(there, "daddr", "")].concat();
    let network = match Network::new("dark", &client, &server) {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let passes = 100;
    let places = [there, back, long, passes].into_iter().flat_map(|net| [(net, 1), (net, 2)]);
    let peers: Vec<_> = places
        .map(|(net, host)| {
            if net != long {
                return live(&network, net, host);
            }
            let greeting = format!("220 {}\r\n", "x".repeat(100));
            let silent = json!({"outcome": "silent", "code": null, "banner": null, "detail": null, "attempts": 1});
            let peer = network.serve(&format!("10.99.{net}.{host}:2525"), polite(greeting));
            Live { peer, service: "smtp", greeted: silent }
        })
        .collect();
    // Long enough for a second SYN.
    let rows = rows_of(&network, &peers, &["--connect-timeout=1500ms", "--greeting-timeout=1500ms"]);

    let dark = json!({"outcome": "timeout", "code": null, "banner": null, "detail": null, "connect_ms": null,
        "attempts": 1});
    let mut faults = Vec::new();
    for (row, live) in rows.iter().zip(&peers) {
        let IpAddr::V4(ip) = live.peer.address.ip() else { unreachable!("all of these are IPv4") };
        let is_dark = [there, back].contains(&ip.octets()[2]);
        faults.extend(differences(row, if is_dark { &dark } else { &live.greeted }));
        let connections = usize::from(!is_dark);
        if live.peer.connections() != connections {
            faults.push(format!("{ip} should have seen {connections} connections"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
