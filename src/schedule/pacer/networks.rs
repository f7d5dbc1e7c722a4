//! The pace of each network: the rate asked for, slowed down where the network pushes back.
//!
//! Slowing down follows what TCP does about congestion: each push back halves the rate, each good answer adds a twentieth
//! of what it was at first. A few refusals among many good answers leave it near there, a network that refuses nearly
//! everything soon sees one connection in ten seconds. A minute without a push back doubles it as well, or a network that
//! nothing answers in would never recover.
//!
//! A network at rest is forgotten. Each start looks at two, so that what is kept follows what is in use.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::address::Prefix;
use super::rate::{Beat, CATCH_UP};
use super::slowed::{Record, Slowed};
use super::{Pace, Rate};

/// What slowing down starts from where no rate is set: a thousand a second, more than one network commonly gets.
const NOMINAL: Duration = Duration::from_millis(1);
/// As slow as it gets, unless asked for less.
const SLOWEST: Duration = Duration::from_secs(10);
/// As long without a push back doubles the rate.
const RECOVERY: Duration = Duration::from_secs(60);

/// A rate's share of what it was at first: so fine that a step is whole and the slowest is not nothing.
const WHOLE: u32 = 20 * STEP;
/// What a good answer adds.
const STEP: u32 = 1 << 27;

#[derive(Debug)]
pub(super) struct Networks {
    /// Whether a network is held to `base` that has never pushed back.
    limited: bool,
    /// Between two starts into one network that is not slowed down.
    base: Duration,
    /// The share that none goes below.
    least: u32,
    gaits: HashMap<Prefix, Gait, RandomState>,
    /// Each key of `gaits` once, in the order in which they are asked whether they can be forgotten.
    round: VecDeque<Prefix>,
    record: Record,
}

/// How one network is gone about.
#[derive(Debug)]
struct Gait {
    beat: Beat,
    /// Of [`WHOLE`].
    share: u32,
    /// When it last pushed back, or was last doubled.
    since: Instant,
}

impl Networks {
    pub(super) fn new(pace: Pace) -> Self {
        let nominal = NOMINAL.max(pace.rate.map_or(Duration::ZERO, Rate::interval));
        let base = pace.per_prefix.map_or(nominal, Rate::interval);
        // Where less than the slowest was asked for, that stays.
        let least = u128::from(WHOLE) * base.min(SLOWEST).as_nanos() / SLOWEST.as_nanos();
        Self {
            limited: pace.per_prefix.is_some(),
            base,
            least: u32::try_from(least).unwrap_or(WHOLE).max(1),
            gaits: HashMap::default(),
            round: VecDeque::new(),
            record: Record::default(),
        }
    }

    /// When the next start into a network is due; none where it may be at any time.
    pub(super) fn due(&self, prefix: Prefix) -> Option<Instant> {
        let gait = self.gaits.get(&prefix)?;
        (self.limited || gait.share < WHOLE).then_some(gait.beat.due())
    }

    /// Counts one more start; when it may be, at the earliest now.
    pub(super) fn charge(&mut self, prefix: Prefix, now: Instant) -> Instant {
        if !self.limited && self.gaits.is_empty() {
            return now;
        }
        self.forget(now);
        let (limited, base) = (self.limited, self.base);
        if limited {
            self.insert(prefix, now);
        }
        let Some(gait) = self.gaits.get_mut(&prefix) else { return now };
        gait.recover(now);
        if !limited && gait.share == WHOLE {
            return now;
        }
        let interval = gait.interval(base);
        gait.beat.charge(now, interval, credit(interval))
    }

    /// A network said that we ask too much of it.
    pub(super) fn pushed_back(&mut self, prefix: Prefix, now: Instant) {
        self.insert(prefix, now);
        let (base, least) = (self.base, self.least);
        let Some(gait) = self.gaits.get_mut(&prefix) else { return };
        gait.recover(now);
        let slow_before = gait.share < WHOLE;
        gait.share = (gait.share / 2).max(least);
        gait.since = now;
        let interval = gait.interval(base);
        gait.beat.hold(now + interval);
        if gait.share < WHOLE {
            self.record.slowed(prefix, interval, slow_before);
        }
    }

    /// A network answered as it should.
    pub(super) fn went_well(&mut self, prefix: Prefix, now: Instant) {
        if let Some(gait) = self.gaits.get_mut(&prefix) {
            gait.recover(now);
            gait.share = (gait.share + STEP).min(WHOLE);
        }
    }

    pub(super) fn slowed(&self) -> Slowed {
        self.record.read()
    }

    fn insert(&mut self, prefix: Prefix, now: Instant) {
        let round = &mut self.round;
        self.gaits.entry(prefix).or_insert_with(|| {
            round.push_back(prefix);
            Gait { beat: Beat::new(now), share: WHOLE, since: now }
        });
    }

    /// Looks at two: with one it would never get ahead of a start that brings a new one each time.
    fn forget(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some(prefix) = self.round.pop_front() else { return };
            let Some(gait) = self.gaits.get_mut(&prefix) else { continue };
            gait.recover(now);
            if gait.share == WHOLE && gait.beat.is_at_rest(now, credit(self.base)) {
                self.gaits.remove(&prefix);
            } else {
                self.round.push_back(prefix);
            }
        }
    }
}

impl Gait {
    fn recover(&mut self, now: Instant) {
        while self.share < WHOLE && now.saturating_duration_since(self.since) >= RECOVERY {
            self.share = self.share.saturating_mul(2).min(WHOLE);
            self.since += RECOVERY;
        }
    }

    fn interval(&self, base: Duration) -> Duration {
        if self.share == WHOLE { base } else { base.mul_f64(f64::from(WHOLE) / f64::from(self.share)) }
    }
}

/// What a network may make up for: one start, and of slow ones not even that, lest two come together.
fn credit(interval: Duration) -> Duration {
    interval.min(CATCH_UP)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::num::NonZeroU32;

    use super::super::address::Host;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    impl Networks {
        /// How many networks are remembered.
        pub(in super::super) fn kept(&self) -> usize {
            assert_eq!(self.gaits.len(), self.round.len());
            self.gaits.len()
        }

        /// What a network's rate has come down to, in parts of 1.
        fn share(&self, prefix: Prefix) -> f64 {
            self.gaits.get(&prefix).map_or(1.0, |gait| f64::from(gait.share) / f64::from(WHOLE))
        }
    }

    fn prefix(network: u32) -> Prefix {
        Host::from(IpAddr::from(Ipv4Addr::from_bits(network << 8))).prefix()
    }

    fn networks(rate: Option<f64>, per_prefix: Option<f64>) -> Networks {
        let [rate, per_prefix] = [rate, per_prefix].map(|rate| rate.and_then(Rate::per_second));
        Networks::new(Pace { rate, per_prefix, per_host: NonZeroU32::MIN })
    }

    /// Answers in turn, one in `every` a push back, each counted as it starts; the share at the end.
    fn after_answers(every: u32) -> f64 {
        let mut networks = networks(None, Some(100.0));
        let now = Instant::now();
        for n in 0..500 {
            if n % every == every - 1 {
                networks.pushed_back(prefix(1), now);
            } else {
                networks.went_well(prefix(1), now);
            }
        }
        networks.share(prefix(1))
    }

    #[test]
    fn a_few_push_backs_change_little_and_nothing_else_collapses() {
        assert!(after_answers(50) > 0.49);
        assert!((0.05..0.1).contains(&after_answers(2)), "{}", after_answers(2));
        // One in ten seconds, of a hundred a second.
        assert!((after_answers(1) - 0.001).abs() < 1e-6);
    }

    #[test]
    fn each_push_back_halves_and_each_good_answer_adds_a_twentieth() {
        let (mut networks, now) = (networks(None, Some(100.0)), Instant::now());
        let mut shares = Vec::new();
        for _ in 0..2 {
            networks.pushed_back(prefix(1), now);
            shares.push(networks.share(prefix(1)));
        }
        for _ in 0..16 {
            networks.went_well(prefix(1), now);
            shares.push(networks.share(prefix(1)));
        }
        let expected = [0.5, 0.25].into_iter().chain((6..=20).map(|parts| f64::from(parts) / 20.0)).chain([1.0]);
        assert!(shares.iter().zip(expected).all(|(share, expected)| (share - expected).abs() < 1e-6), "{shares:?}");
    }

    #[test]
    fn the_first_start_after_a_push_back_waits_for_the_slower_beat() {
        let (mut networks, now) = (networks(None, None), Instant::now());
        assert_eq!(networks.charge(prefix(1), now), now);
        assert_eq!(networks.due(prefix(1)), None);
        networks.pushed_back(prefix(1), now);
        assert_eq!(networks.due(prefix(1)), Some(now + Duration::from_millis(2)));
        assert_eq!(networks.charge(prefix(1), now), now + Duration::from_millis(2));
        assert_eq!(networks.due(prefix(1)), Some(now + Duration::from_millis(4)));
        (0..10).for_each(|_| networks.went_well(prefix(1), now));
        assert_eq!(networks.due(prefix(1)), None);
        // The next start, wherever it is, forgets it.
        networks.charge(prefix(2), now + SECOND);
        assert_eq!(networks.kept(), 0);
    }

    #[test]
    fn what_is_slow_by_request_is_not_sped_up() {
        for (rate, per_prefix) in [(None, Some(0.01)), (Some(0.01), None)] {
            let (mut networks, now) = (networks(rate, per_prefix), Instant::now());
            networks.pushed_back(prefix(1), now);
            assert!((networks.share(prefix(1)) - 1.0).abs() < 1e-9);
            assert_eq!(networks.slowed().networks, 0);
        }
        // Nor does it take ten push backs before a slow scan is slowed at all.
        let (mut networks, now) = (networks(Some(10.0), None), Instant::now());
        networks.pushed_back(prefix(1), now);
        assert_eq!(networks.due(prefix(1)), Some(now + SECOND / 5));
    }

    #[test]
    fn time_alone_doubles_it() {
        let (mut networks, now) = (networks(None, Some(100.0)), Instant::now());
        (0..4).for_each(|_| networks.pushed_back(prefix(1), now));
        for (after, share) in [(59, 1.0 / 16.0), (60, 1.0 / 8.0), (119, 1.0 / 8.0), (200, 0.5), (100_000, 1.0)] {
            networks.charge(prefix(1), now + after * SECOND);
            assert!((networks.share(prefix(1)) - share).abs() < 1e-6, "after {after} s");
        }
    }
}
