use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

/// The n-th host of the h-th network.
pub(super) fn host(network: u32, host: u8) -> IpAddr {
    Ipv4Addr::from_bits((10 << 24) + (network << 8) + u32::from(host)).into()
}

pub(super) fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

pub(super) fn per_host(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

/// How a caller wakes who is told to come again.
#[derive(Debug, Clone, Copy)]
enum Wakes {
    /// At the very time.
    Exactly,
    /// At the next whole millisecond.
    EachMillisecond,
    /// At the next whole millisecond, or up to four later.
    Late,
}

impl Wakes {
    fn wake(self, begun: Instant, at: Instant, round: u64) -> Instant {
        let millis = u64::try_from((at - begun).as_nanos().div_ceil(1_000_000)).unwrap();
        match self {
            Self::Exactly => at,
            Self::EachMillisecond => begun + Duration::from_millis(millis),
            Self::Late => begun + Duration::from_millis(millis + round * 7 % 5),
        }
    }
}

/// Starts as much as may be until a time, to hosts that are released at once.
fn starts(pacer: &mut Pacer<()>, wakes: Wakes, begun: Instant, end: Instant) -> Vec<Instant> {
    let (mut now, mut starts) = (begun, Vec::new());
    for round in 0.. {
        loop {
            let number = u32::try_from(starts.len()).unwrap();
            while pacer.has_room() {
                pacer.put(host(number % 65_536, 1), (), None);
            }
            match pacer.take(now) {
                Next::Start(ip, ()) => {
                    pacer.release(ip, now);
                    starts.push(now);
                }
                Next::Wait { at, more } => {
                    assert!(!more);
                    now = wakes.wake(begun, at.unwrap(), round);
                    break;
                }
            }
        }
        if now >= end {
            break;
        }
    }
    starts
}

#[test]
fn the_rate_asked_for_is_the_rate_there_is() {
    println!("{:>10} {:>12} {:>16} {:>12}", "asked", "Exactly", "EachMillisecond", "Late");
    for asked in [1.0, 2.5, 10.0, 333.0, 1_000.0, 7_777.0, 30_000.0, 100_000.0] {
        let measured = [Wakes::Exactly, Wakes::EachMillisecond, Wakes::Late].map(|wakes| {
            let begun = Instant::now();
            let mut pacer = Pacer::new(Pace { rate: Some(rate(asked)), ..Pace::default() }, 4, begun);
            // At least 300 starts, and at least 5 s.
            let time = Duration::from_secs_f64((300.0 / asked).max(5.0));
            let starts = starts(&mut pacer, wakes, begun, begun + time);
            // From the first to the last there is one pause less than starts.
            let pauses = f64::from(u32::try_from(starts.len() - 1).unwrap());
            let measured = pauses / (*starts.last().unwrap() - begun).as_secs_f64();
            assert!((measured / asked - 1.0).abs() < 0.02, "{asked} {wakes:?}: {measured}");
            measured
        });
        let [exactly, each_millisecond, late] = measured;
        println!("{asked:>10} {exactly:>12.3} {each_millisecond:>16.3} {late:>12.3}");
    }
}

#[test]
fn no_burst_follows_a_gap() {
    for asked in [1.0, 15.0, 100.0, 10_000.0, 1_000_000.0] {
        let begun = Instant::now();
        let mut pacer = Pacer::new(Pace { rate: Some(rate(asked)), ..Pace::default() }, 4, begun);
        starts(&mut pacer, Wakes::Exactly, begun, begun + 20 * MILLISECOND);
        let later = begun + 3600 * SECOND;
        let at_once = starts(&mut pacer, Wakes::Exactly, later, later).len();
        let made_up = f64::from(u32::try_from(at_once).unwrap());
        assert!(made_up >= 1.0 && made_up <= asked * 0.05 + 1.0, "{asked}/s: {made_up}");
    }
}

#[test]
fn without_a_rate_only_the_host_counts() {
    let now = Instant::now();
    let mut pacer = Pacer::new(Pace { per_host: per_host(2), ..Pace::default() }, 8, now);
    for item in 0..4 {
        pacer.put(host(1, 1), item, None);
    }
    pacer.put(host(1, 2), 4, None);
    let started = |pacer: &mut Pacer<i32>| match pacer.take(now) {
        Next::Start(_, item) => Some(item),
        Next::Wait { at, more } => {
            assert_eq!((at, more), (None, true));
            None
        }
    };
    assert_eq!([(); 4].map(|()| started(&mut pacer)), [Some(0), Some(1), Some(4), None]);
    pacer.put(host(1, 3), 5, None);
    pacer.release(host(1, 1), now);
    assert!(!pacer.try_start(host(1, 1), now), "another waits");
    assert_eq!([(); 3].map(|()| started(&mut pacer)), [Some(2), Some(5), None]);
    assert_eq!(pacer.waiting(), 1);
}

#[test]
fn what_waits_goes_before_what_comes() {
    let now = Instant::now();
    let mut pacer = Pacer::new(Pace { rate: Some(rate(1.0)), ..Pace::default() }, 8, now);
    assert!(pacer.try_start(host(1, 1), now));
    assert!(!pacer.try_start(host(2, 1), now), "the rate");
    pacer.put(host(2, 1), 'a', None);
    let next = now + SECOND;
    assert_eq!(pacer.take(now), Next::Wait { at: Some(next), more: false });
    assert!(!pacer.try_start(host(3, 1), next), "another's turn");
    assert_eq!(pacer.take(next), Next::Start(host(2, 1), 'a'));
    // Nothing waits, but something else could be put in then.
    assert_eq!(pacer.take(next), Next::Wait { at: Some(next + SECOND), more: false });
}

#[test]
fn what_is_to_start_later_waits_until_then() {
    let now = Instant::now();
    let mut pacer = Pacer::new(Pace::default(), 1, now);
    for (item, after) in [('b', 2), ('a', 1)] {
        pacer.put(host(1, after), item, Some(now + u32::from(after) * SECOND));
    }
    assert!(!pacer.has_room());
    assert_eq!(pacer.take(now), Next::Wait { at: Some(now + SECOND), more: true });
    assert!(pacer.try_start(host(1, 9), now), "it keeps none from its turn");
    assert_eq!(pacer.take(now + 3 * SECOND), Next::Start(host(1, 1), 'a'));
    assert_eq!(pacer.take(now + 3 * SECOND), Next::Start(host(1, 2), 'b'));
}

#[test]
fn one_network_with_many_does_not_hold_up_the_rest() {
    let begun = Instant::now();
    let pace = Pace { rate: Some(rate(100.0)), per_prefix: Some(rate(50.0)), ..Pace::default() };
    let mut pacer = Pacer::new(pace, 1000, begun);
    (0..250).for_each(|n| pacer.put(host(1, n), (), None));
    (2..12).for_each(|network| pacer.put(host(network, 1), (), None));
    let starts = (0..11).map(|tick| match pacer.take(begun + tick * 10 * MILLISECOND) {
        Next::Start(ip, ()) => Host::from(ip).prefix(),
        Next::Wait { .. } => panic!("nothing may start"),
    });
    let expected = (1..12).map(|network| Host::from(host(network, 0)).prefix());
    assert!(starts.eq(expected), "each network once before any a second time");
    assert!(matches!(pacer.take(begun + 110 * MILLISECOND), Next::Start(ip, ()) if ip == host(1, 1)));
}

#[test]
fn an_address_is_the_same_host_however_it_is_written() {
    let now = Instant::now();
    let mut pacer = Pacer::<()>::new(Pace { per_prefix: Some(rate(0.1)), ..Pace::default() }, 1, now);
    let plain = Ipv4Addr::new(192, 0, 2, 1);
    assert!(pacer.try_start(plain.into(), now));
    assert!(!pacer.try_start(plain.to_ipv6_mapped().into(), now + 20 * SECOND));
    assert!(!pacer.try_start(Ipv4Addr::new(192, 0, 2, 255).into(), now), "the same /24");
    assert!(pacer.try_start(Ipv4Addr::new(192, 0, 3, 1).into(), now));
    let [one, same, other] =
        ["2001:db8:1:2::1", "2001:db8:1:ffff::2", "2001:db8:2::1"].map(|ip| ip.parse::<Ipv6Addr>().unwrap().into());
    assert!(pacer.try_start(one, now));
    assert!(!pacer.try_start(same, now), "the same /48");
    assert!(pacer.try_start(other, now));
    assert!(pacer.try_start("::1".parse().unwrap(), now));
    pacer.release(plain.to_ipv6_mapped().into(), now);
    assert!(pacer.try_start(plain.into(), now + 20 * SECOND));
}

#[test]
fn one_more_to_a_host_already_held_is_counted() {
    let now = Instant::now();
    let pace = Pace { rate: Some(rate(10.0)), per_prefix: Some(rate(2.0)), ..Pace::default() };
    let mut pacer = Pacer::new(pace, 1, now);
    assert!(pacer.try_start(host(1, 1), now));
    assert_eq!(pacer.again(host(1, 1), now), now + 500 * MILLISECOND);
    pacer.put(host(1, 2), (), None);
    assert!(!pacer.try_start(host(2, 1), now + 199 * MILLISECOND), "the rate over all");
    assert_eq!(pacer.take(now + 999 * MILLISECOND), Next::Wait { at: Some(now + SECOND), more: true });
    assert_eq!(pacer.take(now + SECOND), Next::Start(host(1, 2), ()));
}

#[test]
fn a_network_that_pushes_back_is_left_in_peace() {
    let mut now = Instant::now();
    let mut pacer = Pacer::new(Pace::default(), 1000, now);
    assert_eq!(pacer.slowed(), Slowed { networks: 0, slowest: Vec::new() });
    for network in 0..20 {
        (0..=network).for_each(|_| pacer.pushed_back(host(network, 1), now));
    }
    let slowed = pacer.slowed();
    assert_eq!((slowed.networks, slowed.slowest.len()), (20, 8));
    let slowest: Vec<_> = slowed.slowest.iter().map(|(network, rate)| format!("{network} {rate}")).collect();
    assert_eq!(slowest[0], "10.0.19.0/24 6/min");
    assert_eq!(slowest[7], "10.0.12.0/24 7.3/min");
    (0..100).for_each(|n| pacer.put(host(19, n), (), None));
    assert!(pacer.try_start(host(20, 1), now), "no other is kept from anything");
    let mut started = Vec::new();
    while started.len() < 3 {
        match pacer.take(now) {
            Next::Start(..) => started.push(now),
            Next::Wait { at, more } => {
                assert!(more);
                now = at.unwrap();
            }
        }
    }
    assert!(started.windows(2).all(|pair| (pair[1] - pair[0]).as_secs_f64() > 9.9), "{started:?}");
}

#[test]
fn a_share_of_the_pace_leaves_the_host_alone() {
    let pace = Pace { rate: Some(rate(1000.0)), per_prefix: Some(rate(10.0)), per_host: per_host(3) };
    let share = pace.divided_by(per_host(4));
    assert_eq!(share, Pace { rate: Some(rate(250.0)), per_prefix: Some(rate(2.5)), per_host: per_host(3) });
}

#[test]
fn who_is_put_first_comes_before_others_of_its_network() {
    let now = Instant::now();
    let pace = Pace { per_prefix: Some(rate(1.0)), ..Pace::default() };
    let mut pacer = Pacer::new(pace, 1000, now);
    (0..3).for_each(|item| pacer.put(host(1, item), item, None));
    pacer.put(host(1, 9), 9, Some(now + SECOND / 2));
    pacer.put_first(host(1, 7), 7);
    assert_eq!((pacer.waiting(), pacer.lined_up()), (5, 4));
    for (second, (last, item)) in (0..).zip([(7, 7), (0, 0), (1, 1), (2, 2), (9, 9)]) {
        assert_eq!(pacer.take(now + second * SECOND), Next::Start(host(1, last), item));
    }
    assert_eq!(pacer.lined_up(), 0);
}

#[test]
fn a_stop_takes_out_all_that_waits() {
    let now = Instant::now();
    let mut pacer = Pacer::new(Pace::default(), 1000, now);
    assert!(pacer.try_start(host(1, 1), now));
    (0..3).for_each(|item| pacer.put(host(1, 1), item, None));
    pacer.put(host(2, 1), 3, None);
    pacer.put(host(2, 2), 4, Some(now + SECOND));
    assert_eq!(pacer.take(now), Next::Start(host(2, 1), 3));
    let mut left: Vec<_> = pacer.drain_waiting().into_iter().map(|(_, item)| item).collect();
    left.sort_unstable();
    assert_eq!((left, pacer.waiting()), (vec![0, 1, 2, 4], 0));
    pacer.release(host(1, 1), now);
    assert_eq!(pacer.take(now + SECOND), Next::Wait { at: None, more: true });
}

#[test]
fn hosts_and_networks_are_forgotten() {
    let begun = Instant::now();
    let pace = Pace { rate: Some(rate(1000.0)), per_prefix: Some(rate(1.0)), ..Pace::default() };
    let mut pacer = Pacer::new(pace, 100, begun);
    let mut most = 0;
    for n in 0..65_536 {
        let now = begun + n * MILLISECOND;
        pacer.put(host(n, 1), (), None);
        assert!(matches!(pacer.take(now), Next::Start(..)));
        pacer.release(host(n, 1), now);
        most = most.max(pacer.networks.kept());
    }
    // A second's worth is in use at any time.
    assert!((1000..2100).contains(&most), "{most}");
    assert!(pacer.held.is_empty() && pacer.lanes.is_empty() && pacer.turns.is_empty() && pacer.aside.is_empty());
}

#[test]
fn the_common_way_takes_no_memory() {
    // Fewer than half of what a map of 2,048 buckets takes, which then makes room by tidying up, and not by growing.
    const HELD: u32 = 800;
    let now = Instant::now();
    let mut pacer = Pacer::<()>::new(Pace::default(), 4096, now);
    let mut sweep = || {
        for n in 0..20_000 {
            assert!(pacer.try_start(host(n, 1), now));
            pacer.went_well(host(n, 1), now);
            if let Some(done) = n.checked_sub(HELD) {
                pacer.release(host(done, 1), now);
            }
        }
        (20_000 - HELD..20_000).for_each(|n| pacer.release(host(n, 1), now));
    };
    sweep();
    assert_eq!(allocation_counter::measure(sweep).count_total, 0);
}
