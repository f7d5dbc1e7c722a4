//! What is tried again, on a scripted network: every time here is the clock's own.

use super::*;

const DARK: Script =
    Script { connect: Connect::Dark, connect_after: 0.0, tls: None, steps: Vec::new(), then: Vec::new() };

fn dark_at_first(times: usize) -> Script {
    let then: Vec<_> = (1..=5).map(|place| if place < times { DARK } else { greets_after(0.0) }).collect();
    Script { then, ..DARK }
}

fn silent() -> Script {
    Script { steps: vec![Step::Hold], ..Script::default() }
}

fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn what_nothing_came_back_from_is_tried_again() {
    // How often in vain, what is allowed, what becomes of it, after how many connections, when: four seconds each and two
    // seconds in between.
    let table = [
        (1, 0, Outcome::Timeout, 1, 4.0),
        (1, 2, Outcome::Greeted, 2, 6.0),
        (2, 2, Outcome::Greeted, 3, 12.0),
        (3, 2, Outcome::Timeout, 3, 16.0),
    ];
    for (lost, retries, outcome, attempts, at) in table {
        let network = Scripted::everywhere(dark_at_first(lost));
        let begun = Instant::now();
        let mut rows = Setting { retries, all: true, ..Setting::default() }.scan(&network);
        let row = rows.next().await.unwrap();
        assert_eq!(
            (row.outcome, row.attempts, network.dialled().len()),
            (outcome, attempts, lost.min(2) + 1 - usize::from(retries == 0))
        );
        assert!((seconds(begun) - at).abs() < 0.05, "{lost} lost: {} and not {at}", seconds(begun));
        assert!(rows.next().await.is_none(), "a row is written once");
        let stats = rows.stats();
        let retried = u64::from(retries > 0);
        assert_eq!(stats.retried(), (retried, retried * u64::from(outcome == Outcome::Greeted)));
        assert_eq!((stats.outcome(Outcome::Timeout), stats.done()), (u64::from(outcome == Outcome::Timeout), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_loss_explains_is_tried_again() {
    let closes = Script { steps: vec![Step::Fin], ..Script::default() };
    let table = [
        (answers(Connect::Refused), 1),
        (answers(Connect::Reset), 1),
        (closes, 1),
        (silent(), 1),
        (greets_after(1.0), 1),
        // A rule forbids it.
        (answers(Connect::Unreachable), 1),
        (answers(Connect::NoNeighbour), 3),
        (DARK, 3),
    ];
    for (script, dialled) in table {
        let network = Scripted::everywhere(script.clone());
        let rows = Setting { retries: 2, all: true, ..Setting::default() }.scan(&network).count().await;
        assert_eq!((rows, network.dialled().len()), (1, dialled), "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_leaves_what_is_to_be_tried_again_undone() {
    for at in [2.0, 5.0] {
        let network = Scripted::everywhere(DARK);
        let mut rows = Setting { words: "10.0.0.0/30", retries: 1, all: true, ..Setting::default() }.scan(&network);
        sleep(Duration::from_secs_f64(at)).await;
        rows.stopper().stop();
        assert_eq!(rows.by_ref().count().await, 0, "stopped at {at}");
        assert_eq!((rows.stats().done(), rows.stats().in_flight(), network.dialled().len()), (0, 0, 4));
        let from = rows.checkpoint();
        let network = Scripted::everywhere(greets_after(0.0));
        let setting = Setting { words: "10.0.0.0/30", retries: 1, all: true, from, ..Setting::default() };
        assert_eq!(setting.scan(&network).count().await, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_holds_for_further_tries() {
    let network = Scripted::everywhere(DARK);
    let pace = Pace { rate: Rate::per_second(2.0), ..Pace::default() };
    let begun = Instant::now();
    let setting = Setting { words: "10.0.0.0/27", slots: 64, retries: 2, pace, ..Setting::default() };
    assert_eq!(setting.scan(&network).count().await, 0);
    assert_eq!(network.dialled().len(), 96);
    assert!(seconds(begun) >= 95.0 / 2.0, "{}", seconds(begun));
}

/// What was drawn between two tries is what the slots can do in that time, half of it further tries.
#[tokio::test(start_paused = true)]
async fn further_tries_come_within_a_window_of_the_order() {
    let network = Scripted::everywhere(DARK);
    let slots = 64;
    Setting { words: "10.0.0.0/22", slots, retries: 1, ..Setting::default() }.scan(&network).count().await;
    let dialled = network.dialled();
    assert_eq!(dialled.len(), 2048);
    let mut first = HashMap::new();
    for (place, to) in dialled.iter().enumerate() {
        let begun = *first.entry(to).or_insert(place);
        assert!(place - begun <= slots * 3, "{to} was tried again only after {} others", place - begun);
    }
}

/// However often a scan is broken off, and wherever: each row once, and those of dark endpoints only after their tries.
#[tokio::test(start_paused = true)]
async fn rows_of_further_tries_are_exactly_once() {
    let live = (0..32).map(|host| (SocketAddr::from(([10, 0, 0, 2 * host], 21)), greets_after(0.5))).collect();
    let network = Scripted::with_peers(live, DARK);
    for stride in [1, 2, 5, 17, 63] {
        let (mut from, mut found) = (Checkpoint::default(), Vec::new());
        loop {
            let setting = Setting { words: "10.0.0.0/26", slots: 5, retries: 1, all: true, from, ..Setting::default() };
            let mut rows = setting.scan(&network);
            let taken: Vec<_> = rows.by_ref().take(stride).collect().await;
            found.extend(taken.iter().map(|row| (row.ip.unwrap(), row.attempts)));
            from = rows.checkpoint();
            if taken.len() < stride {
                assert_eq!(rows.stats().retried().1, 0);
                break;
            }
        }
        found.sort();
        let expected = (0..64).map(|host| (IpAddr::from([10, 0, 0, host]), u32::from(host % 2) + 1));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{stride} rows a run");
    }
}

/// As fast as slots and deadline allow: 256 endpoints in four seconds.
#[tokio::test(start_paused = true)]
async fn dark_space_takes_its_time_and_no_more() {
    let network = Scripted::everywhere(DARK);
    let begun = Instant::now();
    Setting { words: "10.0.0.0/19", slots: 256, ..Setting::default() }.scan(&network).count().await;
    let ideal = 8192.0 / 256.0 * 4.0;
    assert!((seconds(begun) / ideal - 1.0).abs() < 0.03, "{} s, {ideal} at best", seconds(begun));
}

#[tokio::test(start_paused = true)]
async fn dark_endpoints_are_waited_for_as_long_as_answers_take() {
    let near = Script { connect_after: 0.05, ..greets_after(0.0) };
    let live =
        (0..2048u32).map(|number| (SocketAddr::new(IpAddr::V4((0x0a00_0000 + 2 * number).into()), 21), near.clone()));
    let network = Scripted::with_peers(live.collect(), DARK);
    let mut took = Vec::new();
    for learns in [false, true] {
        let begun = Instant::now();
        let patience = Patience::new(Config::default().connect_timeout, learns);
        let mut rows = Setting { words: "10.0.0.0/20", slots: 64, patience, ..Setting::default() }.scan(&network);
        assert_eq!(rows.by_ref().count().await, 2048);
        took.push(seconds(begun));
        let learnt = rows.stats().learnt();
        assert_eq!(learnt.is_some(), learns);
        if let Some(learnt) = learnt {
            assert_eq!((learnt.answers, learnt.late, learnt.missed()), (2048, 0, 0));
            assert!((1.2..1.23).contains(&learnt.timeout.as_secs_f64()), "{learnt}");
        }
    }
    // 2,048 of four seconds each, and half of them of 1.2, in 64 slots.
    assert!(took[0] > 125.0 && took[1] < 95.0, "{took:?}");
}

/// Of 16,384 endpoints 1,024 greet, half of these after ten seconds.
#[tokio::test(start_paused = true)]
async fn thousands_that_are_silent_do_not_hold_up_who_greets() {
    let words = "10.0.0.0/18:25";
    let place = |number: u32| SocketAddr::new(IpAddr::V4((0x0a00_0000 + number).into()), 25);
    let greets = |number: u32| greets_after(if number.is_multiple_of(32) { 10.0 } else { 0.5 });
    let live = (0..16_384).step_by(16).map(|number| (place(number), greets(number))).collect();
    let network = Scripted::with_peers(live, silent());
    let begun = Instant::now();
    let mut rows = Setting { words, slots: 512, ..Setting::default() }.scan(&network);
    let (mut seen, mut quick, mut last_quick, mut greeted) = (std::collections::HashSet::new(), 0, 0.0, 0);
    while let Some(row) = rows.next().await {
        assert!(seen.insert(row.ip), "twice: {row:?}");
        assert!((1..=2).contains(&row.attempts), "put back once at most: {}", row.attempts);
        greeted += u32::from(row.outcome == Outcome::Greeted);
        if row.outcome == Outcome::Greeted && row.greeting_after < Some(Duration::from_secs(1)) {
            assert_eq!(row.attempts, 1);
            (quick, last_quick) = (quick + 1, seconds(begun));
        }
    }
    assert_eq!((seen.len(), greeted, quick), (16_384, 1024, 512));
    // If each held its slot for its thirty seconds, the last would have its turn after this.
    let without = 15_360.0 * 30.0 / 512.0;
    // 128 slots at least are left, for two seconds each.
    let bound = 16_384.0 * 2.0 / 128.0 + 10.0;
    assert!(last_quick < bound && bound < without / 3.0, "{last_quick} s");
    // Silence takes its whole time; what was spent on it before is not much.
    let whole = seconds(begun);
    assert!((without..without * 1.1).contains(&whole), "{whole} s, {without} at least");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_fresh_waits_nobody_has_to_leave() {
    let network = Scripted::everywhere(silent());
    let begun = Instant::now();
    let rows: Vec<_> = scan(&network, "10.0.0.0/24", 256).collect().await;
    assert!(rows.len() == 256 && rows.iter().all(|row| row.attempts == 1));
    assert!((seconds(begun) - 15.0).abs() < 0.05, "{}", seconds(begun));
}

/// Fifty-two at once, of sixty-four: what waits, waits for its pace.
#[tokio::test(start_paused = true)]
async fn where_a_slot_is_free_nobody_has_to_leave() {
    let network = Scripted::everywhere(silent());
    let pace = Pace { rate: Rate::per_second(3.5), ..Pace::default() };
    let rows: Vec<_> =
        Setting { words: "10.0.0.0/24", slots: 64, pace, ..Setting::default() }.scan(&network).collect().await;
    assert!(rows.len() == 256 && rows.iter().all(|row| row.attempts == 1));
    assert!(network.most_open() > 48, "{}", network.most_open());
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_leaves_who_had_to_make_room_undone() {
    let network = Scripted::everywhere(silent());
    let mut rows = scan(&network, "10.0.0.0/26", 8);
    sleep(Duration::from_secs(5)).await;
    rows.stopper().stop();
    let dialled = network.dialled().len();
    let kept: Vec<_> = rows.by_ref().map(|row| row.ip.unwrap()).collect().await;
    assert!(kept.len() == 8 && dialled > 8, "{} of {dialled}: what is under way may stay", kept.len());
    let from = rows.checkpoint();
    let setting = Setting { words: "10.0.0.0/26", from, ..Setting::default() };
    let mut all: Vec<_> =
        setting.scan(&network).map(|row| row.ip.unwrap()).chain(futures::stream::iter(kept)).collect().await;
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 64);
}

/// TLS that never answers is silence as well.
#[tokio::test(start_paused = true)]
async fn handshakes_that_stall_hold_up_nobody() {
    let live = (0..4).map(|host| (SocketAddr::from(([10, 0, 1, host], 21)), greets_after(0.1))).collect();
    let network = Scripted::with_peers(live, silent());
    let mut rows = Setting { words: "10.0.0.0/24:990 10.0.1.0/30", slots: 16, ..Setting::default() }.scan(&network);
    let begun = Instant::now();
    let (mut last, mut all) = (0.0, 0);
    while let Some(row) = rows.next().await {
        all += 1;
        if row.outcome == Outcome::Greeted {
            last = seconds(begun);
        } else {
            assert_eq!(row.outcome, Outcome::TlsFailed);
        }
    }
    assert_eq!(all, 260);
    // Sixteen slots for ten seconds each would take 160; four slots for two seconds each take 128, but all sixteen begin.
    assert!(last < 145.0 && seconds(begun) < 200.0, "{last} {}", seconds(begun));
}

/// A connection stood, so there is a row, whatever becomes of the second.
#[tokio::test(start_paused = true)]
async fn who_made_room_and_takes_no_second_connection_has_its_row() {
    // Of the first eight, three quarters may be silent while others wait; who is refused waits for nothing.
    let table = [(answers(Connect::Refused), Outcome::Refused, 1), (DARK, Outcome::Timeout, 2)];
    for (later, outcome, made_room) in table {
        let network = Scripted::everywhere(silent());
        let mut rows = Setting { words: "10.0.0.0/27", slots: 8, ..Setting::default() }.scan(&network);
        sleep(Duration::from_secs(1)).await;
        for host in 0..32 {
            network.set_peer(([10, 0, 0, host], 21).into(), later.clone());
        }
        let (mut once, mut twice) = (0, 0);
        while let Some(row) = rows.next().await {
            if row.attempts == 1 {
                assert_eq!((row.outcome, row.detail), (Outcome::Silent, None));
                once += 1;
            } else {
                let detail = "took a connection that had to make room, and then no other";
                assert_eq!((row.outcome, row.attempts, row.detail.as_deref()), (outcome, 2, Some(detail)));
                twice += 1;
            }
        }
        assert_eq!((once, twice, rows.stats().done()), (8 - made_room, made_room, 32));
        assert_eq!(rows.stats().outcome(outcome), 24 + made_room);
    }
}
