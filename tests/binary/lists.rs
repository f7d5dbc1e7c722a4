//! `--list`: what would be probed, in the order in which it would be, and nothing is touched for it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;

use ipnet::IpNet;

use super::names::Dns;
use super::peers::{Peer, listen, polite};
use super::program::{Running, Watched, run, scan};

#[test]
fn connections_are_made_in_the_order_of_the_list() {
    let order = Arc::<Watched<Vec<SocketAddr>>>::default();
    let peers = [(); 12].map(|()| {
        let listener = listen();
        let (order, address) = (Arc::clone(&order), listener.local_addr().unwrap());
        Peer::behind(listener, move || {
            order.change(|order| order.push(address));
            polite("220 ready\r\n")
        })
    });
    let targets: Vec<_> = peers.iter().map(|peer| peer.target("smtp")).collect();
    for options in ["--concurrency=1", "--concurrency=1 --seed=7", "--concurrency=1 --shard=2/3"] {
        let words = || targets.iter().map(String::as_str).chain(options.split(' '));
        let listed = run(scan(words()).arg("--list"));
        assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""), "{options}");
        assert_eq!(order.now().len(), 0, "a list connects to nothing");
        assert_eq!(run(scan(words()).arg("-q")).rows().len(), listed.stdout.lines().count());
        let mut connected = Vec::new();
        order.change(|order| connected = std::mem::take(order));
        let connected: Vec<_> = connected.iter().map(|address| format!("{address}=smtp")).collect();
        assert_eq!(connected, listed.stdout.lines().collect::<Vec<_>>(), "{options}");
    }
}

#[test]
fn nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.txt"), "mail.example:25 # the office's\nmx:example:25\n").unwrap();
    let (dns, canary) = (Dns::new("* ANY SERVFAIL"), Peer::new(polite("220 tweet\r\n")));
    let words = ["@list.txt", "127.0.0.1:1=ftp", "--list", "-o", "rows.ndjson", "-o", "rows.csv", "--canary"];
    let words = words.map(str::to_owned).into_iter().chain([canary.target("smtp"), dns.option()]);
    let ended = run(scan(words).current_dir(folder.path()));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let mut listed: Vec<_> = ended.stdout.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, ["127.0.0.1:1=ftp", "mail.example:25=smtp", "mx:example:25=smtp"]);
    assert_eq!((dns.names().len(), canary.connections()), (0, 0));
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["list.txt"]);
}

/// Whoever reads only the beginning waits for no more than that.
#[test]
fn all_of_ipv4_is_listed_without_what_is_reserved() {
    let reserved: toml::Table = include_str!("../../wordlists/reserved.toml").parse().unwrap();
    let networks = reserved.values().flat_map(|networks| networks.as_table().unwrap().keys());
    let networks: Vec<IpNet> = networks.map(|network| network.parse().unwrap()).collect();
    let (reader, writer) = std::io::pipe().unwrap();
    let running = Running::start_onto(&mut scan(["0.0.0.0/0:25", "--list"]), Stdio::from(writer));
    for line in BufReader::new(reader).lines().take(20_000) {
        let line = line.unwrap();
        let address: SocketAddr = line.strip_suffix("=smtp").unwrap().parse().unwrap();
        let holds = |network: &&IpNet| network.contains(&address.ip());
        assert_eq!((address.port(), networks.iter().find(holds)), (25, None), "{line}");
    }
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
