//! What befalls this machine: limits of our own, lost links, sleep, standing still.

use super::*;

/// More slots than descriptors: fewer are used, and no endpoint is lost to it.
#[tokio::test(start_paused = true)]
async fn a_machine_that_runs_out_is_used_less() {
    let network = Scripted::everywhere(greets_after(0.5));
    network.set_descriptors(20);
    let mut rows = Setting { words: "10.0.0.0/22", slots: 256, ..Setting::default() }.scan(&network);
    let mut notices = rows.notices().unwrap();
    let outcomes: Vec<_> = rows.by_ref().map(|row| row.outcome).collect().await;
    assert_eq!(outcomes.len(), 1024);
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Greeted));
    let told = notices.try_recv().unwrap().to_string();
    assert!(told.contains("EMFILE"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_uplink_that_is_lost_is_waited_for() {
    let network = Scripted::everywhere(greets_after(0.1));
    let mut rows = Setting { words: "10.0.0.0/24", ..Setting::default() }.scan(&network);
    let mut notices = rows.notices().unwrap();
    rows.next().await.unwrap();
    network.set_offline(true);
    sleep(Duration::from_secs(3600)).await;
    let dialled = network.dialled().len();
    assert!(dialled < 64, "nothing is begun meanwhile: {dialled}");
    network.set_offline(false);
    let outcomes: Vec<_> = rows.by_ref().map(|row| row.outcome).collect().await;
    assert_eq!(outcomes.len(), 255);
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Greeted));
    assert!(matches!(notices.try_recv(), Ok(Notice::NoRoute { .. })));
    assert!(matches!(notices.try_recv(), Ok(Notice::RouteAgain)));
}

/// What is lost for good, as an address that went with its link, does not hold up what is not.
#[tokio::test(start_paused = true)]
async fn one_of_two_uplinks_is_not_waited_for_without_end() {
    let network = Scripted::everywhere(greets_after(0.1));
    let mut rows = Setting { words: "10.0.0.0/27 2001:db8::/123", ..Setting::default() }.scan(&network);
    let mut notices = rows.notices().unwrap();
    let is_v6 = |row: &Observation| row.ip.unwrap().is_ipv6();
    let (mut v4, mut v6) = (0, 0);
    while v4 == 0 || v6 == 0 {
        let row = rows.next().await.unwrap();
        *(if is_v6(&row) { &mut v6 } else { &mut v4 }) += 1;
        assert_eq!(row.outcome, Outcome::Greeted);
        // So often an address is remembered.
        sleep(Duration::from_millis(150)).await;
    }
    network.set_offline_v6(true);
    let begun = Instant::now();
    let rest: Vec<_> = rows.by_ref().collect().await;
    assert!((Duration::from_secs(600)..Duration::from_secs(700)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(rest.len() + v4 + v6, 64);
    let others = rest.iter().filter(|row| row.outcome != Outcome::Greeted);
    let others: Vec<_> = others.map(|row| (is_v6(row), row.outcome)).collect();
    assert!(!others.is_empty() && others.iter().all(|other| *other == (true, Outcome::LocalError)), "{others:?}");
    let told: Vec<_> = std::iter::from_fn(|| notices.try_recv().ok()).collect();
    assert!(matches!(told[..], [Notice::NoRoute { .. }, Notice::NoRouteLeft { .. }]), "{told:?}");
}

/// A route that never was there is no lost uplink: three tries, and the truth.
#[tokio::test(start_paused = true)]
async fn no_route_is_written_as_ours_after_three_tries() {
    let network = Scripted::everywhere(answers(Connect::NoRoute));
    let rows: Vec<_> = scan(&network, "10.0.0.1", 1).collect().await;
    assert_eq!((rows[0].outcome, rows[0].attempts), (Outcome::LocalError, 3));
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_the_machine_slept_is_asked_again() {
    let network = Scripted::everywhere(answers(Connect::Dark));
    let mut rows = Setting { all: true, ..Setting::default() }.scan(&network);
    sleep(Duration::from_secs(2)).await;
    network.sleep(Duration::from_secs(3600));
    network.set_peer("10.0.0.1:21".parse().unwrap(), greets_after(0.0));
    let row = rows.next().await.unwrap();
    assert_eq!((row.outcome, row.attempts), (Outcome::Greeted, 2));
    assert!(matches!(rows.notices().unwrap().try_recv(), Ok(Notice::Slept)));
}

/// What sends us away is an answer all the same, where there was none before.
#[tokio::test(start_paused = true)]
async fn an_answer_that_sends_us_away_counts_for_more_than_none() {
    let network = Scripted::everywhere(answers(Connect::Dark));
    let mut rows = scan(&network, "10.0.0.1", 1);
    sleep(Duration::from_secs(2)).await;
    network.sleep(Duration::from_secs(3600));
    let busy =
        Script { steps: vec![Step::Send("421 too many connections\r\n".into()), Step::Fin], ..Script::default() };
    network.set_peer("10.0.0.1:21".parse().unwrap(), busy);
    let row = rows.next().await.unwrap();
    assert_eq!((row.outcome, row.code, row.attempts), (Outcome::Greeted, Some(421), 2));
    assert!(rows.next().await.is_none());
    assert!(!rows.stats().slowed().slowest.is_empty(), "the network is gone easier about");
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_while_we_stood_still_is_asked_again() {
    let network = Scripted::everywhere(greets_after(2.0));
    let mut rows = scan(&network, "10.0.0.1", 1);
    sleep(Duration::from_secs(1)).await;
    advance(Duration::from_secs(60)).await;
    let row = rows.next().await.unwrap();
    let heard_after = row.greeting_after.unwrap();
    assert_eq!((row.outcome, row.attempts, heard_after), (Outcome::Greeted, 2, Duration::from_secs(2)));
    let told = rows.notices().unwrap().try_recv().unwrap();
    assert!(matches!(told, Notice::StoodStill { length } if length.as_secs() >= 59), "{told:?}");
}

/// No verdict comes of a machine that is never there to listen; an answer is one, and so is the silence of a peer that need
/// not have waited for us.
#[tokio::test(start_paused = true)]
async fn what_is_never_heard_in_peace_is_not_done() {
    let closes = || Script { steps: vec![Step::Wait(3.0), Step::Fin], ..Script::default() };
    let table = [
        (false, closes(), Outcome::LocalError, 3),
        (false, answers(Connect::Dark), Outcome::Timeout, 2),
        (false, greets_after(3.0), Outcome::Greeted, 2),
        (true, closes(), Outcome::LocalError, 3),
        (true, answers(Connect::Dark), Outcome::LocalError, 3),
        (true, greets_after(3.0), Outcome::Greeted, 2),
    ];
    for (sleeps, script, outcome, attempts) in table {
        let network = Scripted::everywhere(script);
        let mut rows = Setting { all: true, ..Setting::default() }.scan(&network);
        let befall = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                if sleeps {
                    network.sleep(Duration::from_secs(10));
                } else {
                    advance(Duration::from_secs(10)).await;
                }
            }
        };
        let row = tokio::select! {
            row = rows.next() => row.unwrap(),
            () = befall => unreachable!(),
        };
        assert_eq!((row.outcome, row.attempts), (outcome, attempts), "{sleeps}: {:?}", row.detail);
    }
}
