//! A link that goes down under a scan: what was under way then is probed again, and nothing is begun while it is down.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::network::Network;
use crate::peers::{Gate, Peer, Step, polite};
use crate::program::{Running, skip, succeeds};

/// Longer than the deadlines below.
const OUTAGE: Duration = Duration::from_secs(5);

/// Peers at so many addresses of 10.99.4.0/24 or `fd99:4::/64`, which the server answers for.
const PEERS: usize = 16;

const CLIENT: &str = "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.near.rp_filter=0\n\
     ip route add 10.99.4.0/24 via 10.99.0.2\n\
     ip route add fd99:4::/64 via fd99::2\n";
const SERVER: &str = "ip route add local 10.99.4.0/24 dev lo\nip route add local fd99:4::/64 dev lo\n";

/// One end of the cable: the client's, or the server's.
#[derive(Debug, Clone, Copy)]
enum Side {
    Near,
    Far,
}

/// Takes the link away while peers are silent, for longer than we wait, and has them greet when it is back. The peers at
/// `hosts` that are under way then must not be called silent, nor what is begun meanwhile dark.
fn link_is_lost(name: &str, side: Side, hosts: &str, take: &str, give_back: &str) {
    let network = match Network::new(name, CLIENT, SERVER) {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let namespace = match side {
        Side::Near => &network.client,
        Side::Far => &network.server,
    };
    let change = |line: &str| {
        succeeds(Command::new("ip").args(["netns", "exec", namespace, "sh", "-ec", line])).unwrap();
    };
    let gate = Gate::default();
    let any = if hosts.contains('[') { "[::]:2525" } else { "0.0.0.0:2525" };
    let held = gate.clone();
    let peer =
        Peer::behind(network.listen(any), move || [vec![Step::Hold(held.clone())], polite("220 ready\r\n")].concat());
    let quick = network.serve("10.99.0.2:2526", polite("220 ready\r\n"));
    let deadlines = "--greeting-timeout 3 --connect-timeout 2 --concurrency 8 --per-host 8 --all";
    let targets = format!("{hosts} {}", quick.target("smtp"));
    let running = Running::start(&mut network.command(targets.split(' ').chain(deadlines.split(' '))));
    peer.until_connections(7);
    change(take);
    running.says("\npaused: there is no route to ");
    thread::sleep(OUTAGE);
    gate.open();
    change(give_back);
    running.says("\ngoing on: there is a route again\n");
    let ended = running.end();
    let rows = ended.rows();
    assert_eq!(rows.len(), targets.split(' ').count(), "{}", ended.stderr);
    let others: Vec<_> = rows.iter().filter(|row| row["outcome"] != "greeted").collect();
    assert!(others.is_empty(), "{others:?}\n{}", ended.stderr);
}

fn hosts(format: impl Fn(usize) -> String) -> String {
    (1..=PEERS).map(format).collect::<Vec<_>>().join(" ")
}

fn hosts_v4() -> String {
    hosts(|host| format!("10.99.4.{host}:2525=smtp"))
}

#[test]
fn a_link_that_goes_down_spoils_no_verdict() {
    let back = "ip link set near up; ip route add 10.99.4.0/24 via 10.99.0.2";
    link_is_lost("fault-down", Side::Near, &hosts_v4(), "ip link set near down", back);
}

#[test]
fn a_cable_that_is_pulled_at_the_other_end_spoils_no_verdict() {
    link_is_lost("fault-carrier", Side::Far, &hosts_v4(), "ip link set far down", "ip link set far up");
}

/// IPv6 loses its addresses with the link.
#[test]
fn addresses_that_go_with_the_link_spoil_no_verdict() {
    let hosts = hosts(|host| format!("[fd99:4::{host:x}]:2525=smtp"));
    let back = "ip link set near up; ip address add fd99::1/64 dev near nodad; ip route add fd99:4::/64 via fd99::2";
    link_is_lost("fault-v6", Side::Near, &hosts, "ip link set near down", back);
}
