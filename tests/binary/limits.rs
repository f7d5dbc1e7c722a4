//! This machine's own limits: a route, ports, open files and neighbours that are not there for a while. A scan says so,
//! waits or does less at once, and no verdict on a target comes of it.

use std::fs;
use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
use serde_json::{Value, json};

use super::network::Network;
use super::peers::{Gate, Peer, Step, listen, polite};
use super::program::{Ended, Running, Watched, differences, rows_in, run, scan, skip, succeeds};

/// Every endpoint has one row, and each was greeted.
fn assert_all_greeted(ended: &Ended, count: usize) {
    let rows = ended.rows();
    let mut places: Vec<_> = rows.iter().map(|row| format!("{}:{}", row["ip"], row["port"])).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!((places.len(), rows.len()), (count, count), "{}", ended.stderr);
    let others: Vec<_> = rows.iter().filter(|row| row["outcome"] != "greeted").collect();
    assert!(others.is_empty(), "{others:?}\n{}", ended.stderr);
}

/// Which connection this is, counted from one.
fn place(count: &Watched<usize>) -> usize {
    let mut place = 0;
    count.change(|count| {
        *count += 1;
        place = *count;
    });
    place
}

/// The server answers for all addresses of 10.99.0.128/25, which is attached, and of 10.99.4.0/24, which is not.
const ANY_ADDRESS: &str = "ip route add local 10.99.0.128/25 dev lo\nip route add local 10.99.4.0/24 dev lo\n";

/// The way is taken away in the middle of a scan, and comes back once the program waits for it.
fn way_is_lost(name: &str, targets: &str, count: usize, take: &str, give_back: &str) {
    let client = "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.near.rp_filter=0\n\
         ip route add 10.99.4.0/24 via 10.99.0.2\n";
    let network = match Network::new(name, client, ANY_ADDRESS) {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let peer = network.serve("0.0.0.0:2525", polite("220 ready\r\n"));
    // Some seconds' worth. What is under way when the cable is cut has time until it is mended.
    let words = [targets, "--all", "--rate", "50", "--connect-timeout", "60", "--greeting-timeout", "60"];
    let running = Running::start(&mut network.command(words));
    peer.until_connections(5);
    network.change(take);
    running.says("\npaused: there is no route to 10.99.");
    network.change(give_back);
    running.says("\ngoing on: there is a route again\n");
    let ended = running.end();
    assert_all_greeted(&ended, count);
    assert_eq!(ended.stderr.matches("paused: ").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_route_that_is_taken_away_is_waited_for() {
    let route = "route del 10.99.4.0/24";
    let back = "ip route add 10.99.4.0/24 via 10.99.0.2";
    way_is_lost("route-lost", "10.99.4.0/24:2525=smtp", 256, &format!("ip {route}"), back);
}

#[test]
fn a_link_that_goes_down_is_waited_for() {
    // Without the broadcast address, to which there is never a connection.
    let targets = "10.99.0.128-10.99.0.254:2525=smtp";
    way_is_lost("link-lost", targets, 127, "ip link set near down", "ip link set near up");
}

#[test]
fn ports_that_others_hold_are_waited_for() {
    let client = "sysctl -qw net.ipv4.ip_local_port_range='40000 40007'\n";
    let network = match Network::new("ports", client, "") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    // All eight ports lead to one endpoint, whose side hangs up first: then no port is kept for a minute.
    let (gate, count) = (Gate::default(), Arc::<Watched<usize>>::default());
    let (held, counted) = (gate.clone(), Arc::clone(&count));
    let peer = Peer::behind(network.listen("10.99.0.2:2525"), move || {
        let is_early = place(&counted) <= 8;
        if is_early { vec![Step::Hold(held.clone()), Step::Finish, Step::HearEnd] } else { polite("220 ready\r\n") }
    });
    let mut connections: Vec<_> = (0..8).map(|_| network.connect(peer.address)).collect();
    drop(count.once("all ports to be taken", |count| *count == 8));
    let others: Vec<_> = (2526..2542).map(|port| format!("10.99.0.2:{port}")).collect();
    let others: Vec<_> = others.iter().map(|address| network.serve(address, polite("220 ready\r\n"))).collect();

    let words = ["10.99.0.2:2525-2541=smtp", "--all", "--per-host", "8", "--concurrency", "8"];
    let running = Running::start(&mut network.command(words));
    running.says("\nno port is free towards 10.99.0.2:2525: ");
    for other in &others {
        other.report();
    }
    assert_eq!(peer.connections(), 8, "there was no port for a ninth");
    gate.open();
    for connection in &mut connections {
        assert_eq!(connection.read(&mut [0]).unwrap(), 0);
    }
    drop(connections);
    let ended = running.end();
    assert_all_greeted(&ended, 17);
    let is_late = |row: &Value| row["attempts"].as_u64() > Some(1);
    let late: Vec<_> = ended.rows().into_iter().filter(is_late).map(|row| row["port"].clone()).collect();
    assert_eq!(late, [2525], "the others are no worse off");
}

#[test]
fn open_files_that_are_taken_away_are_done_without() {
    // Of 64 peers sixteen hold their connection up to the first gate, and all others up to the second.
    let gates = [Gate::default(), Gate::default()];
    let reached = Arc::<Watched<usize>>::default();
    let peers: Vec<_> = (0..64)
        .map(|_| {
            let (gates, reached) = (gates.clone(), Arc::clone(&reached));
            Peer::behind(listen(), move || {
                let gate = &gates[usize::from(place(&reached) > 16)];
                [vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat()
            })
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let words = ["--all", "--concurrency", "16", "-o", "-", "-o", "rows.ndjson"].map(str::to_owned);
    let words = peers.iter().map(|peer| peer.target("smtp")).chain(words);
    let running = Running::start(scan(words).current_dir(folder.path()));
    drop(reached.once("sixteen connections", |reached| *reached == 16));
    // Four connections fit from now on.
    let (id, open) = (running.id(), fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap().count());
    let limit = format!("--nofile={0}:{0}", open - 12);
    if let Err(why) = succeeds(Command::new("prlimit").args(["--pid", &id.to_string(), &limit])) {
        return skip(&why);
    }
    gates[0].open();
    // At the third try, more than a second later, the journal was to be written anew, for which there is no file either.
    running.says_times(3, "\nthis machine ran out (EMFILE: Too many open files): ");
    gates[1].open();
    let ended = running.end();
    assert_all_greeted(&ended, 64);
    assert!(peers.iter().all(|peer| peer.connections() == 1));
    assert_eq!(rows_in(&folder.path().join("rows.ndjson")).len(), 64);
}

#[test]
fn what_there_is_no_way_to_is_told_and_counted() {
    let network = match Network::new("no-way", "ip -6 address flush dev near", "") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let peer = network.serve("10.99.0.2:2525", polite("220 ready\r\n"));
    let folder = tempfile::tempdir().unwrap();
    let there = peer.target("smtp");
    let words = [&*there, "[fd99::2]:25", "[2001:db8::1]:25=smtp", "-o", "rows.ndjson"];
    let ended = run(network.command(words).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut rows = rows_in(&folder.path().join("rows.ndjson"));
    rows.sort_by_key(|row| row["ip"].to_string());
    let lost = |ip: &str| {
        let detail = "ENETUNREACH: Network is unreachable";
        json!({"ip": ip, "outcome": "local_error", "detail": detail, "attempts": 3})
    };
    let expected =
        [json!({"ip": "10.99.0.2", "outcome": "greeted", "attempts": 1}), lost("2001:db8::1"), lost("fd99::2")];
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(differences(row, expected), [""; 0]);
    }
    let told = "\n2 not done: this machine could not try them (see 'detail' in the rows with outcome local_error)\n";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let manifest = fs::read(folder.path().join("rows.ndjson.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let expected = json!({"total": 3, "done": 1, "not_done": 2, "coverage": 0.333_333});
    assert_eq!(manifest["endpoints"], expected);
}

#[test]
fn a_large_network_at_hand_fills_no_neighbour_table() {
    // A neighbour that is not there is given up after half a second, so that this does not take minutes.
    let client = "ip address add 10.98.0.1/16 dev near\n\
         sysctl -qw net.ipv4.neigh.near.mcast_solicit=1 net.ipv4.neigh.near.retrans_time_ms=500\n";
    let network = match Network::new("neighbours", client, "") {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    // While the program stands still nothing new is asked for.
    let words = ["10.98.4.0/22:25", "--all", "-q", "--concurrency", "900"];
    let mut running = Running::start(&mut network.command(words));
    let mut most = 0;
    while running.is_running() {
        running.signal(SIGSTOP);
        if until_still(running.id()) {
            let neighbours = ["-n", &network.client, "neigh", "show", "dev", "near", "nud", "incomplete"];
            let listed = Command::new("ip").args(neighbours).output().unwrap().stdout;
            most = most.max(String::from_utf8(listed).unwrap().lines().count());
        }
        running.signal(SIGCONT);
        thread::sleep(Duration::from_millis(5));
    }
    let rows = running.end().rows();
    assert!((200..=256).contains(&most), "{most} at once");
    assert_eq!(rows.len(), 1024);
    // The kernel rations what it tells us: of many neighbours that it gives up at one time, some are given up in silence.
    let is_ours = |row: &&Value| row["outcome"] != "unreachable" && row["outcome"] != "timeout";
    let others: Vec<_> = rows.iter().filter(is_ours).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// Waits until a process that was stopped stands still; false where it has ended.
pub(crate) fn until_still(id: u32) -> bool {
    loop {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // The name before the state may have blanks in it.
        match stat.rsplit(") ").next().and_then(|rest| rest.chars().next()) {
            Some('T') => return true,
            Some('Z') => return false,
            _ => thread::yield_now(),
        }
    }
}
