//! How many of thousands of live endpoints are found through a network that is far away and loses packets, and how many SYNs
//! an endpoint gets where nothing comes back.
//!
//! Loss is random and cannot be seeded: what is asked for is what luck alone does not miss in a lifetime, by the reckoning
//! beside it. The relay takes 50 ± 20 ms each way; rules of nftables drop packets where they come in, on both sides.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;

use super::network::Network;
use super::peers::DarkPort;
use super::program::{rows_in, run, scan, skip};
use super::relay::Delay;

const FAR: Delay = Delay { least: Duration::from_millis(30), jitter: Duration::from_millis(40), seed: 1 };

/// So many addresses of 10.99.16.0/20 answer, all of them.
const LIVE: usize = 4096;

const GREETING: &str = "220 mail.example ESMTP Postfix (Debian/GNU)\r\n";

const FILTER: &str = "nft add table inet t\nnft add chain inet t c '{ type filter hook input priority 0; }'\n";
const ROUTE: &str = "ip route add 10.99.16.0/20 dev near\n";
/// The server answers for all of these.
const ADDRESSES: &str = "ip route add local 10.99.16.0/20 dev lo\n";

/// Greets whoever comes, and hangs up: one thread does for thousands.
fn greet_all(listener: TcpListener) {
    // All of them may be in the queue at once: what overflows it would be lost, too.
    SockRef::from(&listener).listen(4096).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Who has gone by now did not want it.
            let _ = stream.and_then(|mut stream| stream.write_all(GREETING.as_bytes()));
        }
    });
}

/// Scans all of them with each of these options, through a network that loses so many packets each way; how many of each
/// scan's rows are not greeted, and the rows. None where it cannot run.
fn missed(name: &str, percent: u8, scans: &[&[&str]]) -> Option<Vec<(usize, Vec<Value>)>> {
    let loses = |direction| {
        format!("nft add rule inet t c ip {direction} 10.99.16.0/20 numgen random mod 100 '<' {percent} drop\n")
    };
    let client = [FILTER, ROUTE, &loses("saddr")].concat();
    // Each connection leaves a socket of the server's in TIME-WAIT, of which there may be few by default.
    let server = [FILTER, ADDRESSES, &loses("daddr"), "sysctl -qw net.core.somaxconn=4096\n"].concat();
    let (network, relay) = match Network::far_apart(name, FAR, &client, &server) {
        Ok(far) => far,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    greet_all(network.listen("0.0.0.0:2525"));
    let found = scans.iter().map(|options| {
        // At 1,000 a second some 200 packets are under way: the relay drops none for want of room.
        let words = ["10.99.16.0/20:2525=smtp", "--leave=close", "--rate=1000"];
        let words: Vec<_> = words.iter().chain(*options).map(|word| (*word).to_owned()).collect();
        let rows = network.scan(&words);
        assert_eq!(rows.len(), LIVE, "one row for each");
        let whole = GREETING.replace("\r\n", r"\r\n");
        let greeted = rows.iter().filter(|row| row["outcome"] == "greeted" && row["banner"] == whole.as_str());
        (LIVE - greeted.count(), rows)
    });
    let found = found.collect();
    drop(relay.end());
    Some(found)
}

#[test]
fn one_packet_in_a_hundred_is_lost_each_way() {
    let Some(found) = missed("recall1", 1, &[&[], &["--connect-timeout=auto"]]) else { return };
    // A SYN and its answer come through with 0.99² = 0.9801; three within four seconds fail with 0.0199³ < 10⁻⁵, four by newer
    // kernels with less. Greetings are sent again for thirty seconds. Of 4,096 fewer than 0.04 are missed on average; for
    // five, 0.04⁵ / 5! < 10⁻⁹. At least 99.9 % are found.
    assert!(found[0].0 <= LIVE / 1000, "{} of {LIVE} are missed", found[0].0);
    // One in fifty needs a second SYN and answers after a second or more, so that 99.9 % is no less, and 3.1 s at least are learnt:
    // three SYNs again.
    assert!(found[1].0 <= LIVE / 1000, "{} of {LIVE} are missed by what is learnt", found[1].0);
}

#[test]
fn the_end_tells_of_further_tries() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.ndjson");
    let dark = DarkPort::new();
    let target = format!("{}=smtp", dark.address);
    let words = [target.as_str(), "--connect-timeout=50ms", "--retries=2", "--all", "-o", path.to_str().unwrap()];
    let ended = run(&mut scan(words));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("tried again: 1 endpoint, 0 of which answered then"), "{}", ended.stderr);
    let rows = rows_in(&path);
    assert_eq!((rows.len(), &rows[0]["outcome"], &rows[0]["attempts"]), (1, &json!("timeout"), &json!(3)));
    let manifest = std::fs::read_to_string(folder.path().join("rows.ndjson.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["retried"], json!({"endpoints": 1, "answered": 0}));
    assert_eq!((&manifest["configuration"]["retries"], &manifest["connect_timeout"]), (&json!(2), &Value::Null));
}

#[test]
fn five_packets_in_a_hundred_are_lost_each_way() {
    let scans: [&[&str]; 3] = [&[], &["--retries=2"], &["--retries=2", "--connect-timeout=1500ms"]];
    let Some(found) = missed("recall5", 5, &scans) else { return };
    // 0.95² = 0.9025 come through; three SYNs fail with 0.0975³ < 0.001. A greeting fails if the end of the handshake is lost and
    // so is all that repeats it (SYN-ACKs after 1, 3, 7 and 15 s): 0.05 × 0.0975⁴ < 10⁻⁵. Four are missed on average; for more
    // than forty, 4⁴¹ / 41! < 10⁻²⁴. At least 99 % are found.
    assert!(found[0].0 <= LIVE / 100, "{} of {LIVE} are missed", found[0].0);
    // Three times three SYNs: 0.001³ and 10⁻⁵, that is 0.05 of all on average; for five, 0.05⁵ / 5! < 10⁻⁸. At least 99.9 %.
    assert!(found[1].0 <= LIVE / 1000, "{} of {LIVE} are missed with two more tries", found[1].0);
    // With two SYNs each time 0.0975² < 0.0096 are tried again, 39 of all; that none is, e⁻³⁹. Missed by all three tries are
    // 10⁻⁶, far fewer than by the handshake above.
    let (missed, rows) = &found[2];
    assert!(*missed <= LIVE / 1000, "{missed} of {LIVE} are missed with two more tries");
    let again = rows.iter().filter(|row| row["attempts"].as_u64() > Some(1)).count();
    assert!(again > 0, "none needed another try");
}

/// When Linux sends SYNs (RFC 6298 §2, §5.5): after 1, 3, 7 s and so on; from 6.5 on four times a second apart first.
fn syns_before(deadline: Duration) -> usize {
    let newer = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").unwrap_or_default();
    let linear = newer.trim().parse().unwrap_or(0);
    let (mut at, mut pause, mut count) = (Duration::ZERO, Duration::from_secs(1), 0);
    while at < deadline {
        at += pause;
        count += 1;
        if count > linear {
            pause *= 2;
        }
    }
    count
}

#[test]
fn syns_are_sent_as_long_as_they_are_waited_for() {
    let client = "ip route add 10.99.16.0/20 via 10.99.0.2\nnft add table inet t\nnft add counter inet t syns\n\
         nft add chain inet t c '{ type filter hook output priority 0; }'\n\
         nft add rule inet t c 'tcp flags & (syn | ack) == syn' counter name syns\n";
    let server = [FILTER, ADDRESSES, "nft add rule inet t c tcp dport 2525 drop\n"].concat();
    let network = match Network::new("syns", client, &server) {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let counted = || {
        let nft = ["netns", "exec", &network.client, "nft", "reset", "counter", "inet", "t", "syns"];
        let output = Command::new("ip").args(nft).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = text.split_once("packets ").unwrap();
        rest.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    // Between two SYNs, so that it matters little when whose timer is late.
    for (deadline, tries) in [(2400, 1), (400, 3)] {
        let words = [
            "10.99.16.0/24:2525=smtp".to_owned(),
            format!("--connect-timeout={deadline}ms"),
            format!("--retries={}", tries - 1),
        ];
        let rows = network.scan(&words);
        assert!(rows.len() == 256 && rows.iter().all(|row| row["outcome"] == "timeout" && row["attempts"] == tries));
        let expected = 256 * usize::try_from(tries).unwrap() * syns_before(Duration::from_millis(deadline));
        // Never fewer. More where a busy machine lets a deadline be told late, after the next SYN of some connections; one SYN
        // too many for each endpoint would be 256.
        let sent = counted();
        assert!(
            (expected..=expected + 256 / 10).contains(&sent),
            "{sent}, not {expected}: {deadline} ms, {tries} times"
        );
    }
}
