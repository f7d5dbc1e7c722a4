//! Names, through a DNS server of the test's own: which rows they become, what is never connected to, and what a scan
//! that goes on still knows of them.

use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGINT, SIGKILL, SIGTERM};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::dns_server::DnsServer;
use super::peers::{Gate, Peer, Step, listen, listen_on, polite};
use super::program::{Ended, Running, rows_in, run, scan};

/// How long the program waits for what is under way after the first request to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// A DNS server, and the runtime that it lives on.
pub(crate) struct Dns {
    server: DnsServer,
    _runtime: Runtime,
}

impl Dns {
    pub(crate) fn new(zone: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { server: runtime.block_on(DnsServer::start(zone)), _runtime: runtime }
    }

    /// As an option of the command line.
    pub(crate) fn option(&self) -> String {
        format!("--resolver={}", self.server.address)
    }

    /// Which names it was asked for, in alphabetical order and each once.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.server.asked().iter().map(|question| question.split(". ").next().unwrap().to_owned()).collect();
        names.dedup();
        names
    }

    fn until_asked_for(&self, name: &str) {
        let begun = Instant::now();
        while !self.names().iter().any(|asked| asked == name) {
            assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for a question for {name}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Peers at addresses of their own, on one port, which is that of their names.
fn peers(count: usize, steps: &[Step]) -> (Vec<Peer>, u16) {
    let first = listen();
    let port = first.local_addr().unwrap().port();
    let others = (1..count).map(|_| listen_on(port));
    let serve = |listener| {
        let steps = steps.to_owned();
        Peer::behind(listener, move || steps.clone())
    };
    (std::iter::once(first).chain(others).map(serve).collect(), port)
}

/// A target that names the address and leads to no row: nobody listens on that port.
fn named(peer: &Peer) -> String {
    format!("{}:1=ftp", peer.address.ip())
}

/// What tells the rows of names apart: name, address, outcome and detail, sorted.
fn told(rows: &[Value]) -> Vec<[String; 4]> {
    let of_row = |row: &Value| {
        ["name", "ip", "outcome", "detail"].map(|key| row.get(key).and_then(Value::as_str).unwrap_or("").to_owned())
    };
    let mut told: Vec<_> = rows.iter().map(of_row).collect();
    told.sort();
    told
}

fn greeted(name: &str, ip: IpAddr, detail: &str) -> [String; 4] {
    [name.into(), ip.to_string(), "greeted".into(), detail.into()]
}

#[test]
fn each_address_of_a_name_has_its_row() {
    let (peers, port) = peers(5, &polite("220 ready\r\n"));
    let [a, b, c, shut, astray] = [0, 1, 2, 3, 4].map(|place: usize| peers[place].address.ip());
    let dns = Dns::new(&format!(
        "two.example A {a}\ntwo.example A {b}\nfirst.example A {c}\nsecond.example A {c}\nempty.example TXT -\n\
         broken.example ANY SERVFAIL\nxn--bcher-kva.example A {b}\nother.example CNAME two.example\n\
         mail.example MX 20 second.example\nmail.example MX 10 first.example\nmail.example MX 30 gone.example\n\
         null.example MX 0 .\nbare.example A {c}\n\
         shut.example A {shut}\nshut.example A {a}\nastray.example A {astray}\nsix.example AAAA ::1"
    ));
    let names = "two.example first.example second.example other.example bücher.example empty.example gone.example \
        broken.example mx:mail.example mx:null.example mx:bare.example mx:gone.example shut.example astray.example \
        six.example";
    // All are named but the one that a name strays to.
    let addresses = peers[..4].iter().map(named);
    let words = names.split_whitespace().map(str::to_owned).chain(addresses);
    let ended = run(scan(words).arg(dns.option()).args(["-p", &format!("{port}=smtp"), "-x", &shut.to_string()]));

    let loopback = |ip: &str, network: &str| {
        format!("{ip} is in {network}: to probe it where a name leads there, name {ip} or ")
            + network.split(' ').next().unwrap()
            + " as a target too"
    };
    let no_address = [
        ("empty.example", "", "unresolved", "the name has no address".to_owned()),
        ("gone.example", "", "unresolved", "no such name".into()),
        ("gone.example", "", "unresolved", "MX 30 of mail.example; no such name".into()),
        ("broken.example", "", "local_error", "the resolver answered SERVFAIL".into()),
        ("mx:null.example", "", "unresolved", "null MX: the domain accepts no mail (RFC 7505)".into()),
        ("mx:bare.example", "", "unresolved", "no MX: the domain names no mail exchange".into()),
        ("mx:gone.example", "", "unresolved", "no such name".into()),
        ("shut.example", &shut.to_string(), "unresolved", format!("{shut} is excluded")),
        (
            "astray.example",
            &astray.to_string(),
            "unresolved",
            loopback(&astray.to_string(), "127.0.0.0/8 (loopback, RFC 1122 §3.2.1.3)"),
        ),
        ("six.example", "::1", "unresolved", loopback("::1", "::1/128 (loopback, RFC 4291 §2.5.3)")),
    ];
    let mut expected = vec![
        greeted("two.example", a, ""),
        greeted("two.example", b, ""),
        greeted("other.example", a, ""),
        greeted("other.example", b, ""),
        greeted("first.example", c, ""),
        greeted("second.example", c, ""),
        greeted("xn--bcher-kva.example", b, ""),
        greeted("first.example", c, "MX 10 of mail.example"),
        greeted("second.example", c, "MX 20 of mail.example"),
        greeted("shut.example", a, ""),
    ];
    expected.extend(no_address.map(|(name, ip, outcome, detail)| [name.into(), ip.into(), outcome.into(), detail]));
    expected.sort();
    assert_eq!(told(&ended.rows()), expected);
    let connections: Vec<_> = peers.iter().map(Peer::connections).collect();
    assert_eq!(connections, [3, 3, 4, 0, 0], "what is excluded or was not named is not connected to");
    assert!(ended.stderr.contains("\n1 not done: this machine could not try them "), "{}", ended.stderr);
}

#[test]
fn a_broken_list_is_told_before_anything_is_asked_or_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.txt"), "mail.example\n# offices\nftp.example 10.0.0.999\n").unwrap();
    let dns = Dns::new("* ANY SERVFAIL");
    let words = ["www.example", "@list.txt", "-o", "rows.ndjson", "-o", "rows.csv"];
    let ended = run(scan(words).arg(dns.option()).current_dir(folder.path()));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.starts_with("hailer: list.txt:3:13: '10.0.0.999': "), "{}", ended.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the list");
    assert_eq!(dns.names(), [""; 0]);
}

/// A scan of a name that has an address and of one that nobody answers for, stopped by these signals; then it goes on.
fn stopped_while_nobody_answers(again: bool) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let (peers, port) = peers(2, &polite("220 ready\r\n"));
    let [quick, slow] = [0, 1].map(|place: usize| peers[place].address.ip());
    let dns = Dns::new(&format!("quick.example A {quick}\nslow.example ANY SILENCE"));
    let words = ["quick.example", "slow.example", "-o", "rows.ndjson", "-p"].map(str::to_owned);
    let words = words.into_iter().chain([format!("{port}=smtp")]).chain(peers.iter().map(named));
    let running = Running::start(scan(words).arg(dns.option()).current_dir(folder.path()));
    dns.until_asked_for("slow.example");
    peers[0].report();
    let asked = Instant::now();
    running.signal(SIGINT);
    running.says("stopping: ");
    if again {
        running.signal(SIGTERM);
    }
    let ended = running.end();
    let took = asked.elapsed();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let rows = folder.path().join("rows.ndjson");
    assert_eq!(told(&rows_in(&rows)), [greeted("quick.example", quick, "")]);

    let dns = Dns::new(&format!("slow.example A {slow}"));
    let ended = run(scan(["--resume", "rows.ndjson"]).arg(dns.option()).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let expected = [greeted("quick.example", quick, ""), greeted("slow.example", slow, "")];
    assert_eq!(told(&rows_in(&rows)), expected);
    assert_eq!(dns.names(), ["slow.example"], "what is done is not asked for again");
    took
}

/// Without a request it would be waited for much longer than a test waits for anything.
#[test]
fn a_dead_resolver_does_not_hold_up_a_stop() {
    stopped_while_nobody_answers(false);
}

#[test]
fn a_dead_resolver_does_not_hold_up_a_second_request() {
    let took = stopped_while_nobody_answers(true);
    assert!(took < DRAIN, "{took:?}");
}

/// Two names with two addresses each. One address greets and the next is under way when the scan is left; which name
/// that is depends on the order. When it goes on, both names lead elsewhere.
fn left(leave: impl FnOnce(Running) -> Ended) {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let (first, port) = peers(1, &polite("220 ready\r\n"));
    let patient = [vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat();
    let held = Peer::behind(listen_on(port), move || patient.clone());
    let moved = Peer::behind(listen_on(port), || polite("220 ready\r\n"));
    let [a, b, c] = [&first[0], &held, &moved].map(|peer| peer.address.ip());
    let dns = Dns::new(&format!("x.example A {a}\nx.example A {b}\ny.example A {a}\ny.example A {b}"));
    // Names may be public, and would be gone about more gently: one name's addresses would wait, and another have its turn.
    let words = ["x.example", "y.example", "--concurrency=1", "--profile=lan", "-o", "rows.ndjson", "-p"];
    let words = words
        .map(str::to_owned)
        .into_iter()
        .chain([format!("{port}=smtp")])
        .chain([&first[0], &held, &moved].map(named));
    let running = Running::start(scan(words).arg(dns.option()).current_dir(folder.path()));
    held.until_connected();
    let [early] = &dns.names()[..] else { panic!("one slot is at one name: {:?}", dns.names()) };
    let late = if early == "x.example" { "y.example" } else { "x.example" };
    let ended = leave(running);
    assert_ne!(ended.code, Some(0), "{}", ended.stderr);
    gate.open();

    let dns = Dns::new(&format!("x.example A {c}\ny.example A {c}"));
    let ended = run(scan(["--resume", "rows.ndjson"]).arg(dns.option()).current_dir(folder.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut expected = [greeted(early, a, ""), greeted(early, b, ""), greeted(late, c, "")];
    expected.sort();
    assert_eq!(told(&rows_in(&folder.path().join("rows.ndjson"))), expected);
    assert_eq!(dns.names(), [late]);
}

#[test]
fn a_stopped_scan_goes_on_with_the_addresses_it_had() {
    left(|running| {
        running.signal(SIGINT);
        running.says("once more to stop at once");
        running.signal(SIGINT);
        running.end()
    });
}

#[test]
fn a_killed_scan_goes_on_with_the_addresses_it_had() {
    left(|running| {
        running.signal(SIGKILL);
        running.end()
    });
}
