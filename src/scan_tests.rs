use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, advance, sleep};

#[path = "scan/again_tests.rs"]
mod again;
#[path = "scan/canary_tests.rs"]
mod canary;
#[path = "scan/cost_tests.rs"]
mod cost;
#[path = "scan/further_tests.rs"]
mod further;
#[path = "scan/machine_tests.rs"]
mod machine;

use super::*;
use crate::config::{Config, Depth, Leave};
use crate::observation::{EvidenceCode, Service};
use crate::probe::Neighbours;
use crate::probe::scripted::{Connect, Script, Scripted, Step};
use crate::probe::tests::prober;
use crate::schedule::{Checkpoint, Order, Pace, Patience, Rate, Setup};
use crate::target::{AnswerBook, Family, Ports, Targets};

/// A scan of `words` over a scripted network.
fn scan(network: &Scripted, words: &str, slots: usize) -> Observations {
    Setting { words, slots, ..Setting::default() }.scan(network)
}

/// What a test may want otherwise.
struct Setting<'a> {
    words: &'a str,
    slots: usize,
    all: bool,
    retries: u32,
    retry_busy: u32,
    patience: Patience,
    pace: Pace,
    canaries: Vec<Canary>,
    neighbours: Vec<ipnet::IpNet>,
    from: Checkpoint,
    depth: Depth,
    samples: u32,
    decoy: Option<u16>,
    our_addresses: Vec<IpAddr>,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        Self {
            words: "10.0.0.1",
            slots: 8,
            all: false,
            retries: 0,
            retry_busy: 0,
            patience: Patience::new(Config::default().connect_timeout, false),
            pace: Pace::default(),
            canaries: Vec::new(),
            neighbours: Vec::new(),
            from: Checkpoint::default(),
            depth: Depth::Greeting,
            samples: 1,
            decoy: None,
            our_addresses: Vec::new(),
        }
    }
}

impl Setting<'_> {
    fn scan(self, network: &Scripted) -> Observations {
        let (run, notices) = self.run(network);
        run.start(notices)
    }

    fn run(self, network: &Scripted) -> (Run<Scripted>, mpsc::Receiver<Notice>) {
        let mut builder = Targets::builder();
        for word in self.words.split(' ') {
            builder.add(word).unwrap();
        }
        let targets = builder.build(&Ports::parse("21").unwrap(), Family::Any).unwrap();
        let names = Names::new(Family::Any, Arc::new(network.clone()), Arc::new(AnswerBook::temporary()));
        let (agenda, notices) = Agenda::new(Setup {
            order: Order::new(targets.len(), 7, Shard::WHOLE),
            targets,
            pace: self.pace,
            slots: self.slots,
            retries: self.retry_busy > 0 || self.retries > 0,
            patience: self.patience,
            from: self.from,
        });
        let neighbours = Neighbours::new(self.neighbours);
        let mut prober = Prober { neighbours, agenda, ..prober(network.clone(), Leave::Close) };
        prober.settings.ask.depth = self.depth;
        let settings = Settings {
            concurrency: NonZeroUsize::new(self.slots).unwrap(),
            all: self.all,
            retries: self.retries,
            retry_busy: self.retry_busy,
            canaries: self.canaries,
            canary_interval: Duration::from_secs(10),
            classifier: Arc::clone(Classifier::builtin()),
            further: Further {
                samples: NonZeroU32::new(self.samples).unwrap(),
                sample_interval: Duration::from_secs(1),
                decoy: self.decoy,
            },
            our_addresses: self.our_addresses,
        };
        (Run::new(prober, names, settings), notices)
    }
}

fn greets_after(seconds: f64) -> Script {
    Script { steps: vec![Step::Wait(seconds), Step::Send("220 hi\r\n".into()), Step::Hold], ..Script::default() }
}

fn answers(connect: Connect) -> Script {
    Script { connect, ..Script::default() }
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_has_its_row() {
    let network = Scripted::everywhere(greets_after(0.1));
    let rows: Vec<_> = scan(&network, "10.0.0.0/23", 100).collect().await;
    let mut addresses: Vec<_> = rows.iter().map(|row| row.ip.unwrap()).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!((rows.len(), addresses.len()), (512, 512));
    assert!(rows.iter().all(|row| row.outcome == Outcome::Greeted));
}

#[tokio::test(start_paused = true)]
async fn slots_bound_what_is_under_way() {
    let network = Scripted::everywhere(greets_after(1.0));
    let begun = Instant::now();
    let rows = scan(&network, "10.0.0.0/24", 16).count().await;
    assert_eq!((rows, network.most_open()), (256, 16));
    assert!(begun.elapsed() >= Duration::from_secs(16), "16 rounds of a second");
}

#[tokio::test(start_paused = true)]
async fn only_rows_that_say_something_unless_all_are_asked_for() {
    let live: SocketAddr = "10.0.0.7:21".parse().unwrap();
    let network = Scripted::with_peers(HashMap::from([(live, greets_after(0.0))]), answers(Connect::Refused));
    let mut scan = scan(&network, "10.0.0.0/28", 4);
    let row = scan.next().await.unwrap();
    assert_eq!(row.ip, Some(live.ip()));
    assert!(scan.next().await.is_none());
    let stats = scan.stats();
    assert_eq!((stats.done(), stats.in_flight()), (16, 0));
    assert_eq!((stats.outcome(Outcome::Greeted), stats.outcome(Outcome::Refused)), (1, 15));

    let all = Setting { words: "10.0.0.0/28", all: true, ..Setting::default() };
    assert_eq!(all.scan(&network).count().await, 16);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_answers_as_one_is_told() {
    let alike = |count: u8| {
        let peers = (0..count).map(|host| (SocketAddr::from(([10, 0, 0, host], 21)), greets_after(0.1)));
        Scripted::with_peers(peers.collect(), answers(Connect::Refused))
    };
    for (answering, told) in [(250, vec![250]), (200, vec![])] {
        let mut scan = scan(&alike(answering), "10.0.0.0/24", 16);
        let stats = scan.stats();
        while scan.next().await.is_some() {}
        let overview = stats.overview();
        let addresses: Vec<_> = overview.middleboxes().iter().map(|it| it.addresses).collect();
        assert_eq!(addresses, told, "{answering}");
    }
}

/// A greeting alone may say where a server sees us.
#[tokio::test(start_paused = true)]
async fn our_addresses_are_compared_at_every_depth() {
    let greeting = "220 mx.example ESMTP Sendmail 8.17.1; logging access from: client.example [198.51.100.9]\r\n";
    let network =
        Scripted::everywhere(Script { steps: vec![Step::Send(greeting.into()), Step::Hold], ..Script::default() });
    for (ours, is_foreign) in
        [(vec!["203.0.113.5"], true), (vec!["203.0.113.5", "198.51.100.9"], false), (vec![], false)]
    {
        let our_addresses = ours.iter().map(|ip| ip.parse().unwrap()).collect();
        let setting = Setting { words: "10.0.0.1:25", our_addresses, ..Setting::default() };
        let row = setting.scan(&network).next().await.unwrap();
        let found = row.evidence.iter().any(|evidence| evidence.code == EvidenceCode::ForeignClientAddress);
        assert_eq!((row.seen_as, found), (Some([198, 51, 100, 9].into()), is_foreign), "{ours:?}");
    }
}

/// The rows of endpoints under way are read at their own time, however long the consumer sleeps.
#[tokio::test(start_paused = true)]
async fn a_stalled_consumer_delays_starts_and_never_clocks() {
    let network = Scripted::everywhere(greets_after(1.5));
    let endpoints = 4096;
    let slots = 64;
    let mut scan = scan(&network, "10.0.0.0/20", slots);
    sleep(Duration::from_secs(3600)).await;
    // What is in transit, and a row in the hands of each slot: then nothing more is begun.
    let begun = network.dialled().len();
    assert_eq!(begun, ROWS_IN_TRANSIT + slots);
    assert!(begun < endpoints);
    let mut rows = 0;
    while let Some(row) = scan.next().await {
        let heard = row.greeting_after.unwrap();
        assert!(heard.abs_diff(Duration::from_millis(1500)) < Duration::from_millis(3), "{heard:?}");
        rows += 1;
    }
    assert_eq!(rows, endpoints);
}

#[tokio::test(start_paused = true)]
async fn endpoints_decided_at_once_leave_others_their_turn() {
    let network = Scripted::everywhere(answers(Connect::Refused));
    let scan = scan(&network, "10.0.0.0/16", 1);
    tokio::task::yield_now().await;
    let done = scan.stats().done();
    assert!((1..65_536).contains(&done), "one turn of the slot is not the whole scan: {done}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_stops_everything() {
    let network = Scripted::everywhere(greets_after(1.0));
    let mut scan = scan(&network, "10.0.0.0/16", 8);
    scan.next().await.unwrap();
    drop(scan);
    tokio::task::yield_now().await;
    let dialled = network.dialled().len();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(network.dialled().len(), dialled);
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_begins_nothing_new() {
    let network = Scripted::everywhere(greets_after(1.0));
    let mut scan = scan(&network, "10.0.0.0/16", 8);
    scan.next().await.unwrap();
    scan.stopper().stop();
    let dialled = network.dialled().len();
    let rest = scan.by_ref().count().await;
    assert_eq!(network.dialled().len(), dialled);
    assert_eq!(rest + 1, dialled, "what was under way came to its end");
    assert_eq!(scan.stats().in_flight(), 0);
}

/// Endpoints that wait for a place among the unresolved neighbours are not begun either, and not done.
#[tokio::test(start_paused = true)]
async fn a_request_to_stop_reaches_those_who_wait_their_turn() {
    let network = Scripted::everywhere(answers(Connect::Dark));
    let neighbours = vec!["10.0.0.0/8".parse().unwrap()];
    let mut scan = Setting { words: "10.0.0.0/22", slots: 1024, neighbours, ..Setting::default() }.scan(&network);
    sleep(Duration::from_secs(1)).await;
    let dialled = network.dialled().len();
    assert!(dialled < 1024, "some wait");
    scan.stopper().stop();
    assert_eq!(scan.by_ref().count().await, 0);
    assert_eq!(network.dialled().len(), dialled);
    assert_eq!(scan.stats().done(), u64::try_from(dialled).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_begins_no_further_address_of_a_name() {
    let network = Scripted::with_names(&[("mail.example", &["25.0.0.1", "25.0.0.2"])], greets_after(1.0));
    let mut scan = scan(&network, "mail.example", 1);
    sleep(Duration::from_millis(500)).await;
    scan.stopper().stop();
    assert_eq!(scan.by_ref().count().await, 1, "the address under way came to its end");
    assert_eq!((network.dialled().len(), scan.stats().done()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_name_leads_to_no_private_network_that_was_not_named() {
    let names: [(&str, &[&str]); 1] = [("mail.example", &["25.0.0.1", "10.0.0.1", "127.0.0.1"])];
    let network = Scripted::with_names(&names, greets_after(0.0));
    let rows: Vec<_> = scan(&network, "mail.example 10.0.0.0/30", 4).collect().await;
    let named: Vec<_> = rows.iter().filter(|row| row.name.is_some()).collect();
    let mut found: Vec<_> = named.iter().map(|row| (row.ip.unwrap().to_string(), row.outcome)).collect();
    found.sort();
    let expected = [("10.0.0.1", Outcome::Greeted), ("127.0.0.1", Outcome::Unresolved), ("25.0.0.1", Outcome::Greeted)];
    assert_eq!(found, expected.map(|(ip, outcome)| (ip.to_owned(), outcome)));
    let skipped = named.iter().find(|row| row.outcome == Outcome::Unresolved).unwrap();
    assert!(skipped.detail.as_deref().unwrap().contains("127.0.0.0/8 (loopback"), "{:?}", skipped.detail);
    assert!(!network.dialled().iter().any(|to| to.ip().is_loopback()));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_probed_at_each_of_its_addresses() {
    let network = Scripted::with_names(&[("mail.example", &["25.0.0.1", "25.0.0.2"])], greets_after(0.0));
    let rows: Vec<_> = scan(&network, "mail.example gone.example", 2).collect().await;
    let mut found: Vec<_> =
        rows.iter().map(|row| (row.name.as_deref().unwrap().to_owned(), row.ip, row.outcome)).collect();
    found.sort();
    let ip = |ip: &str| ip.parse::<IpAddr>().ok();
    assert_eq!(
        found,
        [
            ("gone.example".to_owned(), None, Outcome::Unresolved),
            ("mail.example".to_owned(), ip("25.0.0.1"), Outcome::Greeted),
            ("mail.example".to_owned(), ip("25.0.0.2"), Outcome::Greeted),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_is_the_same_order() {
    let order = || async {
        let network = Scripted::everywhere(answers(Connect::Refused));
        scan(&network, "10.0.0.0/24", 1).count().await;
        network.dialled()
    };
    let (first, second) = (order().await, order().await);
    assert_eq!(first, second);
    assert!(!first.is_sorted(), "the order is a mixed one");
}

#[tokio::test(start_paused = true)]
async fn one_connection_at_a_time_to_a_host() {
    let network = Scripted::everywhere(greets_after(1.0));
    let begun = Instant::now();
    assert_eq!(
        Setting { words: "10.0.0.1:21,25,465=ftp,587,990=ftp", ..Setting::default() }.scan(&network).count().await,
        5
    );
    assert_eq!((network.most_open(), begun.elapsed().as_secs()), (1, 5));

    let network = Scripted::everywhere(greets_after(1.0));
    let pace = Pace { per_host: NonZeroU32::new(2).unwrap(), ..Pace::default() };
    Setting { words: "10.0.0.1:21,25,465=ftp,587,990=ftp", pace, ..Setting::default() }.scan(&network).count().await;
    assert_eq!(network.most_open(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_the_one_asked_for() {
    for rate in [1.0, 30.0, 1000.0] {
        let network = Scripted::everywhere(answers(Connect::Refused));
        let pace = Pace { rate: Rate::per_second(rate), ..Pace::default() };
        let begun = Instant::now();
        Setting { words: "10.0.0.0/21", slots: 64, pace, ..Setting::default() }.scan(&network).count().await;
        let measured = 2047.0 / begun.elapsed().as_secs_f64();
        assert!((measured / rate - 1.0).abs() < 0.02, "{rate}/s asked, {measured}/s measured");
    }
}

/// One /24 is gone easy on; the other does not wait for it.
#[tokio::test(start_paused = true)]
async fn a_network_has_a_rate_of_its_own() {
    let network = Scripted::everywhere(answers(Connect::Refused));
    let pace = Pace { per_prefix: Rate::per_second(10.0), ..Pace::default() };
    let begun = Instant::now();
    Setting { words: "10.0.0.0/24 10.0.7.0/24 10.0.9.0/27", pace, ..Setting::default() }.scan(&network).count().await;
    let seconds = begun.elapsed().as_secs_f64();
    assert!((25.0..=26.0).contains(&seconds), "256 at 10/s each, side by side: {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn who_is_busy_is_tried_again_later() {
    let busy = |code| Script { steps: vec![Step::Send(format!("{code} later\r\n")), Step::Fin], ..Script::default() };
    let peer: SocketAddr = "10.0.0.1:21".parse().unwrap();
    let scan = |network: &Scripted, retry_busy| Setting { retry_busy, ..Setting::default() }.scan(network);

    let network = Scripted::everywhere(busy(421));
    let begun = Instant::now();
    let mut rows = scan(&network, 3);
    sleep(Duration::from_secs(90)).await;
    network.set_peer(peer, greets_after(0.0));
    let row = rows.next().await.unwrap();
    assert_eq!((row.code, row.attempts, begun.elapsed().as_secs()), (Some(220), 3, 180), "after one minute and two");
    assert!(rows.next().await.is_none());

    // What was gathered outlasts a try that came to less.
    let network = Scripted::everywhere(busy(120));
    let mut rows = scan(&network, 1);
    sleep(Duration::from_secs(1)).await;
    network.set_peer(peer, answers(Connect::Refused));
    let row = rows.next().await.unwrap();
    assert_eq!((row.outcome, row.code, row.attempts), (Outcome::Greeted, Some(120), 2));
    assert_eq!(rows.stats().slowed().networks, 1, "refused though it answered before");

    // And a request to stop.
    let network = Scripted::everywhere(busy(421));
    let mut rows = scan(&network, 1);
    sleep(Duration::from_secs(5)).await;
    rows.stopper().stop();
    assert_eq!(rows.next().await.unwrap().code, Some(421));
    assert!(rows.next().await.is_none());
    assert_eq!(rows.stats().done(), 1);
}

/// A resolver that never answers holds up names, and nothing else.
#[tokio::test(start_paused = true)]
async fn names_that_cannot_be_found_hold_up_no_addresses() {
    let network = Scripted::everywhere(greets_after(1.0));
    let names: Vec<_> = (0..1000).map(|number| format!("unheard-of-{number}.example")).collect();
    let words = format!("10.0.0.0/24 {}", names.join(" "));
    let mut rows = Setting { words: &words, slots: 128, ..Setting::default() }.scan(&network);
    let begun = Instant::now();
    let found: Vec<_> = rows.by_ref().take(256).collect().await;
    assert!(found.iter().all(|row| row.outcome == Outcome::Greeted));
    assert!(begun.elapsed() < Duration::from_secs(30), "before any name is given up");
    assert_eq!(rows.take(5).map(|row| row.outcome).collect::<Vec<_>>().await, [Outcome::LocalError; 5]);
}

/// Silence is no sign that a network bears more; a greeting is.
#[tokio::test(start_paused = true)]
async fn only_what_answers_speeds_a_network_up_again() {
    let time = |otherwise| async move {
        let busy = Script { steps: vec![Step::Send("421 too many\r\n".into()), Step::Fin], ..Script::default() };
        let peers = (0..8).map(|host| (SocketAddr::new([10, 0, 0, host].into(), 21), busy.clone())).collect();
        let network = Scripted::with_peers(peers, otherwise);
        let pace = Pace { per_prefix: Rate::per_second(100.0), ..Pace::default() };
        let begun = Instant::now();
        Setting { words: "10.0.0.0/24", slots: 256, pace, all: true, ..Setting::default() }
            .scan(&network)
            .count()
            .await;
        begun.elapsed()
    };
    let (silent, greeted) = (time(answers(Connect::Refused)).await, time(greets_after(0.0)).await);
    assert!(greeted < Duration::from_secs(5), "{greeted:?}");
    assert!(silent > greeted * 4, "{silent:?} against {greeted:?}");
}

/// However often a scan is broken off, and wherever: each row once, those of the addresses of a name too.
#[tokio::test(start_paused = true)]
async fn rows_are_exactly_once_over_any_number_of_runs() {
    let mut expected: Vec<_> = (0..64).map(|host| format!("10.0.0.{host} -")).collect();
    expected.extend(["10.0.0.1 a.example", "10.0.0.2 a.example", "10.0.0.2 b.example"].map(str::to_owned));
    expected.sort();
    for stride in 1..40 {
        let names: [(&str, &[&str]); 2] = [("a.example", &["10.0.0.1", "10.0.0.2"]), ("b.example", &["10.0.0.2"])];
        let network = Scripted::with_names(&names, greets_after(0.5));
        let (mut from, mut found, mut runs) = (Checkpoint::default(), Vec::new(), 0);
        loop {
            let words = "10.0.0.0/26 a.example b.example";
            let setting = Setting { words, slots: 5, from: from.clone(), ..Setting::default() };
            let mut rows = setting.scan(&network);
            let taken: Vec<_> = rows.by_ref().take(stride).collect().await;
            let describe = |row: &Observation| format!("{} {}", row.ip.unwrap(), row.name.as_deref().unwrap_or("-"));
            found.extend(taken.iter().map(|row| describe(row)));
            // What a slot has under way, or in transit, is lost with the run.
            from = serde_json::from_str(&serde_json::to_string(&rows.checkpoint()).unwrap()).unwrap();
            runs += 1;
            if taken.len() < stride {
                break;
            }
        }
        found.sort();
        assert_eq!(found, expected, "{stride} rows a run");
        assert_eq!(runs, 67 / stride + 1);
        assert!(network.dialled().len() <= 67 + runs * 5 * 3, "probed again is what was under way");
        assert_eq!(from.low_water_mark(), 66);
    }
}

/// A defect in a probe must not pass for the end of the scan, and costs no row but its own.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_slot_comes_out_of_the_stream() {
    for canaries in [Vec::new(), vec![Canary { address: "10.9.9.9:21".parse().unwrap(), service: Service::Ftp }]] {
        let network = Scripted::everywhere(greets_after(1.0));
        network.set_peer("10.0.0.1:21".parse().unwrap(), answers(Connect::Panics));
        let mut rows = Setting { words: "10.0.0.0/28", slots: 2, canaries, ..Setting::default() }.scan(&network);
        let mut came = 0;
        let count = async {
            while rows.next().await.is_some() {
                came += 1;
            }
        };
        assert!(std::panic::AssertUnwindSafe(count).catch_unwind().await.is_err());
        assert_eq!(came, 15);
    }
}
