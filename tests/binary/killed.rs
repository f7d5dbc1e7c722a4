//! Scans that are killed with SIGKILL at any moment, again and again, and resumed until they are done: every row must be
//! there once and whole, and every endpoint must have been seen by who listens.
//!
//! `HAILER_KILL_RUNS` is how many scans, and `HAILER_KILL_SEED` what they are drawn from; what fails says its own.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::Signal::SIGKILL;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::program::{Ended, Running, rows_in, scan};

/// As many as run side by side: most of a scan is waiting for its own rate.
const LANES: u64 = 10;

/// Connections a second of each scan, so that it outlasts some of its journals.
const RATE: u64 = 400;

/// Endpoints under way at once.
const SLOTS: u64 = 32;

/// How many endpoints a killed scan may probe again: what was under way, and what was begun since the last journal,
/// which is written once a second, and is given two more where disk and processors are busy.
const AGAIN: u64 = SLOTS + 3 * RATE;

type Endpoint = (Ipv4Addr, u16);

/// Listens at every address of 127.0.0.0/8, greets, and counts who came to which address.
struct Counting {
    ports: Vec<u16>,
    seen: Arc<Mutex<BTreeMap<Endpoint, u64>>>,
    /// How many came in all.
    count: watch::Receiver<u64>,
}

impl Counting {
    fn start(runtime: &tokio::runtime::Handle) -> Self {
        let seen = Arc::<Mutex<BTreeMap<Endpoint, u64>>>::default();
        let (counted, count) = watch::channel(0);
        let counted = Arc::new(counted);
        let ports = (0..2)
            .map(|_| {
                let (seen, counted) = (Arc::clone(&seen), Arc::clone(&counted));
                let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
                let port = listener.local_addr().unwrap().port();
                runtime.spawn(async move {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        let std::net::IpAddr::V4(ip) = stream.local_addr().unwrap().ip() else { continue };
                        *seen.lock().unwrap().entry((ip, port)).or_default() += 1;
                        counted.send_modify(|count| *count += 1);
                        tokio::spawn(greet(stream));
                    }
                });
                port
            })
            .collect();
        Self { ports, seen, count }
    }
}

/// Whoever is killed hangs up without a word, which is no fault of this side.
async fn greet(mut stream: TcpStream) {
    let mut said = [0; 64];
    if stream.write_all(b"220 counting.example ESMTP Postfix\r\n").await.is_ok()
        && stream.read(&mut said).await.is_ok_and(|count| count > 0)
    {
        drop(stream.write_all(b"221 Bye\r\n").await);
    }
}

/// What is drawn from a number, each time another.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 += 1;
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish() % bound
    }
}

/// One scan, in all of its shards.
#[derive(Debug)]
struct Sweep {
    targets: Vec<String>,
    exclusions: Vec<String>,
    seed: Option<u64>,
    shards: u64,
    ports: Vec<u16>,
    expected: BTreeSet<Endpoint>,
}

impl Sweep {
    /// Networks, ranges and hosts that overlap, less others, in a network of its own.
    fn draw(draw: &mut Draw, own: u8, ports: &[u16]) -> Self {
        let mut hosts = BTreeSet::new();
        let span = |draw: &mut Draw, most_bits: u32| -> (String, Vec<u16>) {
            let (a, b) = (draw.below(1024), draw.below(1024));
            let address = |host| address(own, u16::try_from(host).unwrap());
            let bits = u32::try_from(draw.below(u64::from(most_bits))).unwrap();
            let (first, last, word) = match draw.below(3) {
                0 => (a, a, address(a).to_string()),
                1 => {
                    let first = a >> bits << bits;
                    (first, first + (1 << bits) - 1, format!("{}/{}", address(a), 32 - bits))
                }
                _ => {
                    let (first, last) = (a.min(b), a.max(b).min(a.min(b) + (1 << bits)));
                    (first, last, format!("{}-{}", address(first), address(last)))
                }
            };
            (word, (first..=last).map(|host| u16::try_from(host).unwrap()).collect())
        };
        let (mut targets, mut exclusions) = (Vec::new(), Vec::new());
        for _ in 0..=draw.below(5) {
            let (word, named) = span(draw, 10);
            targets.push(word);
            hosts.extend(named);
        }
        // One network that nothing takes away, so that something is left.
        targets.push(format!("127.{own}.4.0/23"));
        hosts.extend(1024..1536);
        for _ in 0..draw.below(4) {
            let (word, named) = span(draw, 8);
            exclusions.push(word);
            hosts.retain(|host| !named.contains(host));
        }
        let expected =
            hosts.iter().flat_map(|host| ports.iter().map(move |port| (address(own, *host), *port))).collect();
        let seed = (draw.below(2) == 0).then(|| draw.below(u64::MAX));
        Self { targets, exclusions, seed, shards: 1 + draw.below(3), ports: ports.to_vec(), expected }
    }

    fn words(&self, shard: u64) -> Vec<String> {
        let ports: Vec<_> = self.ports.iter().map(|port| format!("{port}=smtp")).collect();
        let mut words = self.targets.clone();
        words.extend(["-p".to_owned(), ports.join(","), "-o".into(), file(shard), "-o".into(), csv_file(shard)]);
        words.extend(self.exclusions.iter().flat_map(|word| ["-x".to_owned(), word.clone()]));
        words.extend(self.seed.into_iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
        words.extend(["--shard".to_owned(), format!("{}/{}", shard + 1, self.shards)]);
        // What is asked for is shared by the shards, which here come one after the other.
        words.extend(["--rate".to_owned(), (RATE * self.shards).to_string()]);
        words.extend(["--concurrency".to_owned(), SLOTS.to_string()]);
        words
    }
}

fn address(own: u8, host: u16) -> Ipv4Addr {
    let [high, low] = host.to_be_bytes();
    Ipv4Addr::new(127, own, high, low)
}

fn file(shard: u64) -> String {
    format!("rows-{shard}.ndjson")
}

fn csv_file(shard: u64) -> String {
    format!("rows-{shard}.csv")
}

fn endpoint(row: &Value) -> Endpoint {
    let port = u16::try_from(row["port"].as_u64().unwrap()).unwrap();
    (row["ip"].as_str().unwrap().parse().unwrap(), port)
}

/// Runs all shards of a sweep, each killed some times; how often that was.
fn run_killed(sweep: &Sweep, draw: &mut Draw, counting: &Counting, folder: &Path) -> u64 {
    let mut kills = 0;
    for shard in 0..sweep.shards {
        let mut words = sweep.words(shard);
        let most = 1 + draw.below(4);
        for again in 0.. {
            let mut running = Running::start(scan(&words).current_dir(folder));
            if again < most {
                // Killed by what others see of it, and by no clock.
                let after = *counting.count.borrow() + draw.below(LANES * RATE * 3 / 2);
                while *counting.count.borrow() < after && running.is_running() {
                    thread::yield_now();
                    thread::park_timeout(std::time::Duration::from_millis(1));
                }
                if running.is_running() {
                    running.signal(SIGKILL);
                    kills += 1;
                }
            }
            let Ended { code, stderr, .. } = running.end();
            match code {
                Some(0) => break,
                None => {}
                Some(code) => panic!("exit code {code} after {again} kills: {stderr}"),
            }
            let [journal, manifest] =
                ["hailer", "manifest.json"].map(|ending| folder.join(format!("{}.{ending}", file(shard))));
            // Killed when it was done and had only to leave.
            if manifest.exists() && !journal.exists() {
                break;
            }
            // Killed before it had begun: there is nothing to go on from, and nothing was sent.
            if journal.exists() {
                words = vec!["--resume".to_owned(), file(shard)];
            } else if !words.iter().any(|word| word == "--overwrite") {
                words.push("--overwrite".to_owned());
            }
        }
    }
    kills
}

/// Holds the rows of a sweep, and what was seen of it, against what was asked for; how many connections were repeats.
fn check(sweep: &Sweep, kills: u64, counting: &Counting, folder: &Path) -> u64 {
    let mut found = Vec::new();
    for shard in 0..sweep.shards {
        let rows = rows_in(&folder.join(file(shard)));
        assert!(rows.iter().all(|row| row["outcome"] == "greeted" && row["software"] == "Postfix"));
        let mut csv = csv::Reader::from_path(folder.join(csv_file(shard))).unwrap();
        let from_csv: Vec<_> =
            csv.records().map(|record| record.unwrap()).map(|row| (row[2].to_owned(), row[3].to_owned())).collect();
        let from_json: Vec<_> =
            rows.iter().map(|row| (row["ip"].as_str().unwrap().to_owned(), row["port"].to_string())).collect();
        assert_eq!(from_csv, from_json, "both files hold the same rows");
        found.extend(rows.iter().map(endpoint));
        assert!(!folder.join(format!("{}.hailer", file(shard))).exists(), "the journal goes with the end");
        let manifest = std::fs::read_to_string(folder.join(format!("{}.manifest.json", file(shard)))).unwrap();
        serde_json::from_str::<Value>(&manifest).unwrap();
    }
    let count = found.len();
    let once: BTreeSet<_> = found.into_iter().collect();
    let lost: Vec<_> = sweep.expected.difference(&once).collect();
    let extra: Vec<_> = once.difference(&sweep.expected).collect();
    assert!(lost.is_empty() && extra.is_empty(), "lost {lost:?}, and found what was not asked for {extra:?}");
    assert_eq!(count, once.len(), "rows are repeated");
    let seen = counting.seen.lock().unwrap();
    let unseen: Vec<_> = sweep.expected.iter().filter(|endpoint| !seen.contains_key(endpoint)).collect();
    assert!(unseen.is_empty(), "never connected to: {unseen:?}");
    let own = sweep.expected.first().unwrap().0.octets()[1];
    let connections: u64 = seen.iter().filter(|((ip, _), _)| ip.octets()[1] == own).map(|(_, count)| count).sum();
    let endpoints = u64::try_from(sweep.expected.len()).unwrap();
    assert!(
        connections <= endpoints + kills * AGAIN,
        "{connections} connections, {kills} kills, {endpoints} endpoints"
    );
    connections - endpoints
}

#[test]
fn rows_outlast_being_killed() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let runs = number("HAILER_KILL_RUNS", 20);
    let seed = number("HAILER_KILL_SEED", u64::from(std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let counting = Counting::start(runtime.handle());
    let [next, kills, repeats] = [const { AtomicU64::new(0) }; 3];
    thread::scope(|scope| {
        for _ in 0..LANES.min(runs) {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if run >= runs {
                        return;
                    }
                    let own = u8::try_from(100 + run % 150).unwrap();
                    let mut draw = Draw(seed.wrapping_add(run << 32));
                    let sweep = Sweep::draw(&mut draw, own, &counting.ports);
                    let folder = tempfile::tempdir().unwrap();
                    let what = format!("run {run} of HAILER_KILL_SEED={seed}: {sweep:?}");
                    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        let killed = run_killed(&sweep, &mut draw, &counting, folder.path());
                        (killed, check(&sweep, killed, &counting, folder.path()))
                    }));
                    match done {
                        Ok((killed, repeated)) => {
                            kills.fetch_add(killed, Ordering::Relaxed);
                            repeats.fetch_add(repeated, Ordering::Relaxed);
                        }
                        Err(panic) => {
                            eprintln!("{}", what.chars().take(2000).collect::<String>());
                            std::panic::resume_unwind(panic);
                        }
                    }
                }
            });
        }
    });
    let (kills, repeats) = (kills.into_inner(), repeats.into_inner());
    let each = repeats / kills.max(1);
    println!("{runs} scans, killed {kills} times, resumed until done: {each} endpoints probed again for each kill");
    assert!(kills > 0, "none was killed in {runs} runs");
}
