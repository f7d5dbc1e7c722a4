//! Endpoints that are connected to again, and ports beside them.

use super::*;
use crate::observation::{Decoy, Variant};
use crate::probe::scripted::TlsPeer;

fn says(words: &str) -> Script {
    Script { steps: vec![Step::Send(words.into()), Step::Hold], ..Script::default() }
}

/// The first on the first connection, the second on the next, and so on.
fn in_turn(mut scripts: Vec<Script>) -> Script {
    let then = scripts.split_off(1);
    Script { then, ..scripts.remove(0) }
}

fn sampled(samples: u32) -> Setting<'static> {
    Setting { samples, ..Setting::default() }
}

async fn row_of(setting: Setting<'_>, network: &Scripted) -> Box<Observation> {
    let mut rows: Vec<_> = setting.scan(network).collect().await;
    assert_eq!(rows.len(), 1, "samples have no rows of their own");
    rows.remove(0)
}

fn counts(row: &Observation) -> Vec<(u32, String)> {
    let told = |variant: &Variant| (variant.count, String::from_utf8_lossy(&variant.banner).trim_end().to_owned());
    row.variants.iter().map(told).collect()
}

fn found(pairs: &[(u32, &str)]) -> Vec<(u32, String)> {
    pairs.iter().map(|(count, banner)| (*count, (*banner).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pool_shows_its_members() {
    let (a, b) = (says("220 ProFTPD 1.3.8 Server (a)\r\n"), says("220 (vsFTPd 3.0.5)\r\n"));
    let network = Scripted::everywhere(in_turn(vec![a.clone(), b.clone(), b.clone(), a, b]));
    let begun = Instant::now();
    let row = row_of(sampled(5), &network).await;
    assert_eq!(counts(&row), found(&[(3, "220 (vsFTPd 3.0.5)"), (2, "220 ProFTPD 1.3.8 Server (a)")]));
    let software: Vec<_> = row.variants.iter().map(|variant| variant.software.as_deref().unwrap()).collect();
    assert_eq!(software, ["vsftpd", "ProFTPD"]);
    assert_eq!(row.software.as_ref().map(|software| &*software.name), Some("ProFTPD"), "the row is the first one's");
    assert_eq!((row.attempts, network.dialled().len(), network.most_open()), (5, 5, 1));
    assert_eq!(begun.elapsed().as_secs(), 4, "a second between two");
}

#[tokio::test(start_paused = true)]
async fn what_changes_with_the_time_is_the_same_server() {
    let at = |second| says(&format!("220 mx.example ESMTP Exim 4.98 Thu, 02 Jan 2025 10:11:{second} +0000\r\n"));
    let network = Scripted::everywhere(in_turn(vec![at(12), at(13), at(14)]));
    let row = row_of(sampled(3), &network).await;
    assert_eq!(row.variants.iter().map(|variant| variant.count).collect::<Vec<_>>(), [3]);
    let row = row_of(sampled(1), &network).await;
    assert!(row.variants.is_empty(), "one connection shows nothing");
}

#[tokio::test(start_paused = true)]
async fn a_dead_member_is_a_variant_and_a_refusal_is_none() {
    let closes = Script { steps: vec![Step::Fin], ..Script::default() };
    let greets = says("220 hi\r\n");
    let scripts = vec![closes, greets.clone(), answers(Connect::Refused), answers(Connect::Dark), greets];
    let network = Scripted::everywhere(in_turn(scripts));
    let setting = sampled(5);
    let mut rows = setting.scan(&network);
    let row = rows.next().await.unwrap();
    assert_eq!((row.outcome, row.attempts), (Outcome::Closed, 5));
    assert_eq!(counts(&row), found(&[(2, "220 hi"), (1, "")]));
    assert_eq!(rows.stats().slowed().networks, 1, "refused though it answered before");
}

#[tokio::test(start_paused = true)]
async fn who_has_enough_of_us_is_left_alone() {
    let (greets, busy) = (says("220 hi\r\n"), says("421 too many connections\r\n"));
    let network = Scripted::everywhere(in_turn(vec![greets.clone(), busy.clone(), greets]));
    let mut rows = sampled(9).scan(&network);
    let row = rows.next().await.unwrap();
    assert_eq!(counts(&row), found(&[(1, "220 hi"), (1, "421 too many connections")]));
    assert_eq!((network.dialled().len(), rows.stats().slowed().networks), (2, 1));

    let network = Scripted::everywhere(busy);
    let row = row_of(Setting { decoy: Some(9), ..sampled(9) }, &network).await;
    assert_eq!((network.dialled().len(), row.variants.len(), row.decoy), (1, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_what_was_met_by_then() {
    let network = Scripted::everywhere(greets_after(0.0));
    let mut rows = sampled(100).scan(&network);
    sleep(Duration::from_millis(2500)).await;
    rows.stopper().stop();
    let begun = Instant::now();
    let row = rows.next().await.unwrap();
    assert_eq!((counts(&row), begun.elapsed()), (found(&[(3, "220 hi")]), Duration::ZERO));
    assert!(rows.next().await.is_none());
    assert_eq!(rows.stats().done(), 1);

    // Nor does it wait long for who is slow just then.
    let network = Scripted::everywhere(in_turn(vec![greets_after(0.0), greets_after(14.0)]));
    let mut rows = Setting { decoy: Some(9), ..sampled(3) }.scan(&network);
    sleep(Duration::from_secs(2)).await;
    rows.stopper().stop();
    let begun = Instant::now();
    let row = rows.next().await.unwrap();
    assert_eq!((counts(&row), begun.elapsed().as_secs()), (found(&[(1, "220 hi")]), 5));
    assert_eq!(row.decoy, Some(Decoy { port: 9, accepted: true }), "which came before");
}

#[tokio::test(start_paused = true)]
async fn samples_keep_to_the_pace_and_to_the_host() {
    let network = Scripted::everywhere(greets_after(0.0));
    let pace = Pace { rate: Rate::per_second(0.5), ..Pace::default() };
    let begun = Instant::now();
    row_of(Setting { pace, ..sampled(4) }, &network).await;
    assert_eq!(begun.elapsed().as_secs(), 6, "one in two seconds");

    let network = Scripted::everywhere(greets_after(0.5));
    let begun = Instant::now();
    let rows = Setting { words: "10.0.0.1:21,25 10.0.0.2:21", ..sampled(3) }.scan(&network).count().await;
    assert_eq!((rows, network.dialled().len(), network.most_open()), (3, 9, 2), "one at a time to each host");
    assert_eq!(begun.elapsed().as_secs(), 7, "three of half a second and two of a second, twice");
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_and_certificates_make_variants() {
    let offers = |what: &str| Script {
        steps: vec![
            Step::Send("220 mail.example ESMTP\r\n".into()),
            Step::Hear,
            Step::Send(format!("250-mail.example\r\n250 {what}\r\n")),
            Step::Hold,
        ],
        ..Script::default()
    };
    let network = Scripted::everywhere(in_turn(vec![offers("SIZE 1"), offers("SIZE 2"), offers("SIZE 1")]));
    let setting = Setting { words: "10.0.0.1:25", depth: Depth::Features, ..sampled(3) };
    let row = row_of(setting, &network).await;
    let offered: Vec<_> = row.variants.iter().map(|variant| (variant.count, variant.capabilities.concat())).collect();
    assert_eq!(offered, [(2, "SIZE 1".to_owned()), (1, "SIZE 2".to_owned())]);

    // A scripted peer has another certificate each time.
    let network = Scripted::everywhere(Script { tls: Some(TlsPeer::SelfSigned), ..offers("SIZE 1") });
    let setting = Setting { words: "10.0.0.1:465", depth: Depth::Tls, ..sampled(3) };
    let row = row_of(setting, &network).await;
    assert_eq!(row.variants.iter().map(|variant| variant.count).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(row.variants.iter().all(|variant| variant.cert_sha256.is_some()));
    assert!(row.tls.unwrap().legacy.is_some());
    assert_eq!(network.dialled().len(), 4, "one connection more, once, to ask for TLS of the past");
}

#[tokio::test(start_paused = true)]
async fn a_decoy_is_tried_beside_what_greets() {
    let endpoint: SocketAddr = "10.0.0.1:21".parse().unwrap();
    let beside = SocketAddr::new(endpoint.ip(), 9);
    let table = [
        (greets_after(0.0), Some(true)),
        (greets_after(60.0), Some(true)),
        (answers(Connect::Reset), Some(true)),
        (answers(Connect::Refused), Some(false)),
        (answers(Connect::Unreachable), Some(false)),
        (answers(Connect::Dark), Some(false)),
        (answers(Connect::NoRoute), None),
    ];
    for (script, accepted) in table {
        let shown = format!("{script:?}");
        let peers = HashMap::from([(endpoint, greets_after(0.0)), (beside, script)]);
        let network = Scripted::with_peers(peers, answers(Connect::Refused));
        let row = row_of(Setting { words: "10.0.0.0/30", decoy: Some(9), ..Setting::default() }, &network).await;
        assert_eq!(row.decoy, accepted.map(|accepted| Decoy { port: 9, accepted }), "{shown}");
        assert_eq!(row.attempts, 1, "{shown}");
        let dialled = network.dialled().into_iter().filter(|to| to.port() == 9);
        assert!(dialled.into_iter().all(|to| to == beside), "only where something greets: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decoy_is_tried_once_for_each_host() {
    for (script, expected) in [(answers(Connect::Refused), Some(false)), (greets_after(0.0), Some(true))] {
        let endpoint = |host, port| (SocketAddr::from(([10, 0, 0, host], port)), greets_after(0.0));
        let peers = HashMap::from([endpoint(1, 21), endpoint(1, 25), endpoint(1, 587), endpoint(2, 21)]);
        let network = Scripted::with_peers(peers, script);
        let words = "10.0.0.1:21,25,587 10.0.0.2:21";
        let rows: Vec<_> = Setting { words, decoy: Some(9), ..Setting::default() }.scan(&network).collect().await;
        let told: Vec<_> = rows.iter().map(|row| row.decoy.map(|decoy| decoy.accepted)).collect();
        assert_eq!(told, [expected; 4], "each row tells of it");
        let mut dialled: Vec<_> = network.dialled().into_iter().filter(|to| to.port() == 9).collect();
        dialled.sort();
        assert_eq!(dialled, [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| SocketAddr::from((ip, 9))));
    }
}

/// What comes of it is evidence, which a row is judged by when it is whole.
#[tokio::test(start_paused = true)]
async fn a_decoy_and_samples_go_together() {
    let network = Scripted::everywhere(greets_after(0.0));
    let row = row_of(Setting { decoy: Some(9), ..sampled(2) }, &network).await;
    assert_eq!((row.decoy, counts(&row)), (Some(Decoy { port: 9, accepted: true }), found(&[(2, "220 hi")])));
    assert_eq!((network.dialled().len(), network.most_open()), (3, 1));
}
