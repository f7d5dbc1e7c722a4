//! Few open files, few ports: slower, and right.

use std::net::Shutdown;
use std::process::Command;

use serde_json::Value;

use crate::network::Network;
use crate::peers::{Peer, hear, polite};
use crate::program::{Ended, Running, rows_in, run, scan, skip, through_shell};

/// `hailer` with so many open files.
fn limited(limit: u32, command: &Command) -> Command {
    through_shell(&[], &format!("ulimit -n {limit}"), command)
}

fn assert_all(rows: &[Value], count: usize, outcome: &str) {
    let mut places: Vec<_> = rows.iter().map(|row| format!("{}:{}", row["ip"], row["port"])).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!((rows.len(), places.len()), (count, count));
    let others: Vec<_> = rows.iter().filter(|row| row["outcome"] != outcome).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn a_sweep_with_few_open_files_is_slow_and_right() {
    // The last ones are fewer than it would like to keep for itself.
    for (limit, slots) in [(128, 64), (64, 32), (40, 20), (24, 12)] {
        let folder = tempfile::tempdir().unwrap();
        let outputs = ["-o", "rows.ndjson", "-o", "rows.csv", "-o", "-"];
        let command = scan(["127.0.0.0/21:1=smtp", "--all"].iter().chain(&outputs));
        let ended = run(limited(limit, &command).current_dir(folder.path()));
        assert_all(&ended.rows(), 2048, "refused");
        assert_all(&rows_in(&folder.path().join("rows.ndjson")), 2048, "refused");
        assert!(ended.stderr.contains(&format!(", {slots} at once, ")), "{limit}: {}", ended.stderr);
    }
}

#[test]
fn too_few_open_files_are_told_before_anything_is_begun() {
    for limit in [13, 12, 10, 8, 6, 5] {
        let folder = tempfile::tempdir().unwrap();
        let command = scan(["127.0.0.0/24:1=smtp", "--all", "-o", "rows.ndjson"]);
        let Ended { code, stderr, .. } = run(limited(limit, &command).current_dir(folder.path()));
        let is_told = stderr.starts_with("hailer: cannot start: ") && stderr.contains("ulimit -n");
        assert!(code == Some(1) && is_told, "{limit}: {code:?} {stderr}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{limit}");
    }
}

/// All ports towards one endpoint are kept for a minute. It is waited for; whoever else is scanned is no slower for it.
#[test]
fn ports_that_are_kept_after_their_connections_are_waited_for() {
    let client = "sysctl -qw net.ipv4.ip_local_port_range='40000 40099'\n\
         ip route add 10.99.4.0/22 via 10.99.0.2\n";
    let network = match Network::new("time-wait", client, "ip route add local 10.99.4.0/22 dev lo\n") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let peer = network.serve("10.99.0.2:2525", polite("220 ready\r\n"));
    let others = network.serve("0.0.0.0:2526", polite("220 ready\r\n"));
    // We hang up first, and our side keeps the port.
    for _ in 0..100 {
        let mut connection = network.connect(peer.address);
        let mut heard = Vec::new();
        let _ = hear(&mut connection, &mut heard, |heard| heard.ends_with(b"\n"));
        connection.shutdown(Shutdown::Write).unwrap();
        let _ = hear(&mut connection, &mut heard, |_| false);
    }
    drop(peer.reports(100));
    let targets = [&*peer.target("smtp"), "10.99.4.0/22:2526=smtp", "--all", "--concurrency", "64"];
    let running = Running::start(&mut network.command(targets));
    running.says("\nno port is free towards 10.99.0.2:2525: ");
    drop(others.reports(1024));
    assert_eq!(peer.connections(), 100, "there was no port for another");
    // Instead of the minute.
    network.change("sysctl -qw net.ipv4.tcp_tw_reuse=1");
    let ended = running.end();
    assert!(!ended.stderr.contains("this machine ran out"), "{}", ended.stderr);
    assert_all(&ended.rows(), 1025, "greeted");
}

/// A port leads to any number of peers at a time.
#[test]
fn a_hundred_ports_are_enough_for_any_number_of_addresses() {
    let client = "sysctl -qw net.ipv4.ip_local_port_range='40000 40099'\n\
         ip route add 10.99.16.0/22 via 10.99.0.2\n";
    let network = match Network::new("few-ports", client, "ip route add local 10.99.16.0/22 dev lo\n") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let _peer: Peer = network.serve("0.0.0.0:2525", polite("220 ready\r\n"));
    for options in [&[][..], &["--source", "10.99.0.1"]] {
        let targets = ["10.99.16.0/22:2525=smtp", "--all", "--concurrency", "256"];
        let ended = run(&mut network.command(targets.iter().chain(options).copied()));
        assert_all(&ended.rows(), 1024, "greeted");
    }
}
