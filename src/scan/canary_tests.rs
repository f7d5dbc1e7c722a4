//! Endpoints that are known to answer, and what a scan does while they do not.

use super::*;

fn canary(address: &str) -> Canary {
    Canary { address: address.parse().unwrap(), service: Service::Ftp }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_falls_silent_stops_the_scan_until_it_answers() {
    let network = Scripted::everywhere(greets_after(1.0));
    let address = "10.9.9.9:21";
    let mut rows =
        Setting { words: "10.0.0.0/24", canaries: vec![canary(address)], ..Setting::default() }.scan(&network);
    let mut notices = rows.notices().unwrap();
    sleep(Duration::from_secs(5)).await;
    network.set_peer(address.parse().unwrap(), answers(Connect::Refused));
    sleep(Duration::from_secs(60)).await;
    let begun = network.dialled().iter().filter(|to| to.to_string() != address).count();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(network.dialled().iter().filter(|to| to.to_string() != address).count(), begun, "nothing is begun");
    network.set_peer(address.parse().unwrap(), greets_after(0.0));
    assert_eq!(rows.by_ref().count().await, 256, "a canary has no row");
    assert!(matches!(notices.try_recv(), Ok(Notice::CanarySilent { .. })));
    assert!(matches!(notices.try_recv(), Ok(Notice::CanaryAnswers)));
    let (hailed, failed) = rows.stats().canaries();
    assert!(
        failed == 1 && hailed > 2,
        "{hailed} hailed, {failed} failed: what comes of it while all waits is not counted"
    );
}

/// A host that is always busy with targets has room for its canary all the same.
#[tokio::test(start_paused = true)]
async fn a_canary_among_the_targets_has_its_turn() {
    let network = Scripted::everywhere(greets_after(1.0));
    let words = "10.0.0.1:1000-1199=ftp";
    let mut rows = Setting { words, canaries: vec![canary("10.0.0.1:21")], ..Setting::default() }.scan(&network);
    assert_eq!(rows.by_ref().count().await, 200);
    let (hailed, failed) = rows.stats().canaries();
    assert!(hailed > 15 && failed == 0, "every ten or eleven seconds of two hundred: {hailed}");
    assert_eq!(network.most_open(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_its_canary_a_scan_begins_nothing() {
    let network = Scripted::everywhere(answers(Connect::Refused));
    let canaries = vec![canary("10.9.9.9:21")];
    let mut rows = Setting { words: "10.0.0.0/24", canaries, ..Setting::default() }.scan(&network);
    assert_eq!(rows.by_ref().count().await, 0);
    assert_eq!(network.dialled().len(), 2, "the canary, twice");
    assert!(rows.stats().is_canary_dead());
}
