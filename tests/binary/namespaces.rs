//! What a network says besides RST: ICMP of every kind, silence, no neighbour. And where we connect from.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::network::Network;
use super::peers::polite;
use super::program::{differences, skip, succeeds};

fn assert_rows(rows: &[Value], expected: &[(String, Value)]) {
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    let mut wrong = Vec::new();
    for (target, expected) in expected {
        let of_row = |row: &&Value| {
            let ip = row["ip"].as_str().unwrap().parse().unwrap();
            let port = row["port"].as_u64().unwrap().try_into().unwrap();
            *target == format!("{}=smtp", SocketAddr::new(ip, port))
        };
        match rows.iter().find(of_row) {
            Some(row) => wrong.extend(differences(row, expected)),
            None => wrong.push(format!("no row of {target}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How nft names what it answers with, and how a row does.
const ICMP: [(&str, &str); 7] = [
    ("net-unreachable", "ICMP 3/0 net unreachable"),
    ("host-unreachable", "ICMP 3/1 host unreachable"),
    ("prot-unreachable", "ICMP 3/2 protocol unreachable"),
    ("port-unreachable", "ICMP 3/3 port unreachable"),
    ("net-prohibited", "ICMP 3/9 net administratively prohibited"),
    ("host-prohibited", "ICMP 3/10 host administratively prohibited"),
    ("admin-prohibited", "ICMP 3/13 communication administratively prohibited"),
];
const ICMPV6: [(&str, &str); 6] = [
    ("no-route", "ICMPv6 1/0 no route"),
    ("admin-prohibited", "ICMPv6 1/1 administratively prohibited"),
    ("addr-unreachable", "ICMPv6 1/3 address unreachable"),
    ("port-unreachable", "ICMPv6 1/4 port unreachable"),
    ("policy-fail", "ICMPv6 1/5 source address failed policy"),
    ("reject-route", "ICMPv6 1/6 route rejected"),
];

#[test]
fn what_the_network_says_is_told_apart() {
    let mut expected = Vec::new();
    let mut row = |target: String, outcome: &str, detail: Option<String>| {
        expected.push((target + "=smtp", json!({"outcome": outcome, "detail": detail, "code": null, "attempts": 1})));
    };
    // Errors are not rationed here; usually a peer gets six at once and then one a second.
    let mut server = "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.ip_forward=1\n\
         ip route add prohibit 10.99.1.1\nip route add unreachable 10.99.1.2\n\
         nft add table inet t\nnft add chain inet t c '{ type filter hook input priority 0; }'\n"
        .to_owned();
    let mut rule = |rule: &str| writeln!(server, "nft add rule inet t c {rule}").unwrap();
    for (port, (icmp, words)) in (3000..).zip(ICMP) {
        rule(&format!("ip daddr 10.99.0.2 tcp dport {port} reject with icmp type {icmp}"));
        row(format!("10.99.0.2:{port}"), "unreachable", Some(format!("{words} from 10.99.0.2")));
    }
    for (port, (icmp, words)) in (3000..).zip(ICMPV6) {
        rule(&format!("ip6 daddr fd99::2 tcp dport {port} reject with icmpv6 type {icmp}"));
        row(format!("[fd99::2]:{port}"), "unreachable", Some(format!("{words} from fd99::2")));
    }
    rule("tcp dport 4000 reject with tcp reset");
    rule("tcp dport 4001 drop");
    for ip in ["10.99.0.2", "[fd99::2]"] {
        row(format!("{ip}:4000"), "refused", None);
        row(format!("{ip}:4001"), "timeout", None);
        row(format!("{ip}:4002"), "refused", None);
    }
    let words = "ICMP 3/13 communication administratively prohibited from 10.99.0.2";
    row("10.99.1.1:25".into(), "unreachable", Some(words.into()));
    row("10.99.1.2:25".into(), "unreachable", Some("ICMP 3/1 host unreachable from 10.99.0.2".into()));
    // Nobody answers for these: the kernel gives up after three seconds, before the four that we wait.
    row("10.99.0.77:25".into(), "unreachable", Some("ICMP 3/1 host unreachable from this machine".into()));
    row("[fd99::77]:25".into(), "unreachable", Some("ICMPv6 1/3 address unreachable from this machine".into()));

    let network = match Network::new("icmp", "ip route add 10.99.1.0/24 via 10.99.0.2", &server) {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let targets: Vec<_> = expected.iter().map(|(target, _)| target.clone()).collect();
    assert_rows(&network.scan(&targets), &expected);
}

#[test]
fn without_a_route_it_is_our_own_limit() {
    let network = match Network::new("route", "", "") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let expected = ["10.98.0.1:25=smtp", "[fd98::1]:25=smtp"].map(|target| {
        let detail = "ENETUNREACH: Network is unreachable";
        (target.to_owned(), json!({"outcome": "local_error", "detail": detail, "attempts": 3}))
    });
    assert_rows(&network.scan(&expected.each_ref().map(|(target, _)| target.clone())), &expected);
}

#[test]
fn source_and_interface_are_what_the_server_sees() {
    // The server has one address that both cables lead to, the first by preference.
    let client = "ip address add 10.99.0.3/24 dev near\nip address add fd99::3/64 dev near nodad\n\
         ip route add 10.99.9.9 dev near metric 1\n";
    let network = match Network::new("source", client, "ip address add 10.99.9.9/32 dev lo\n") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let Network { client: c, server: s } = &network;
    let second_cable = format!(
        "ip -n {c} link add near2 type veth peer name far2 netns {s}\n\
         ip -n {c} address add 10.99.2.1/24 dev near2\nip -n {s} address add 10.99.2.2/24 dev far2\n\
         ip -n {c} link set near2 up\nip -n {s} link set far2 up\nip -n {c} route add 10.99.9.9 dev near2 metric 2\n"
    );
    succeeds(Command::new("sh").args(["-ec", &second_cable])).unwrap();

    let table = [
        ("10.99.9.9:2525", "", "10.99.0.1"),
        ("10.99.9.9:2526", "--source 10.99.0.3", "10.99.0.3"),
        ("10.99.9.9:2527", "--interface near2", "10.99.2.1"),
        ("[fd99::2]:2525", "--source 10.99.0.3 --source fd99::3", "fd99::3"),
        ("[fd99::2]:2526", "--interface near --source fd99::1", "fd99::1"),
    ];
    for (address, options, source) in table {
        let peer = network.serve(address, polite("220 ready\r\n"));
        let words: Vec<_> =
            [peer.target("smtp")].into_iter().chain(options.split_whitespace().map(str::to_owned)).collect();
        let rows = network.scan(&words);
        assert_eq!(rows[0]["outcome"], "greeted", "{options}: {}", rows[0]);
        assert_eq!(peer.report().from.ip().to_string(), source, "{options}");
    }
}
