//! How long a connection is waited for: as long as was asked for, or as the answers so far show to be enough.
//!
//! What answers late would never be seen by who waits for less. So one endpoint in a hundred, drawn by its address, keeps the
//! full time; what answers there beyond the learnt time counts for the hundred that it stands for, and makes that grow again.
//! The order being a shuffled one, the answers of every network are among the first, so that one time does for all.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::permutation::mix;

/// The next SYN comes after a second (RFC 6298 §2), and up to 80 ms later by the kernel's coarse timers (Linux at 100 Hz):
/// with so much beyond twice what an answer takes, each connection has at least two.
const MARGIN: Duration = Duration::from_millis(1100);

/// Below this a thousandth part is less than one answer.
const ENOUGH: u64 = 1000;

/// How often it is reckoned anew.
const EVERY: u64 = 64;

/// One endpoint in so many keeps the full time.
const ONE_IN: u64 = 100;

/// How long a connection may take.
#[derive(Debug)]
pub(crate) struct Patience {
    full: Duration,
    learning: Option<Learning>,
}

/// What one connection is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) length: Duration,
    /// Whether it has the full time while others have less, and how much they have.
    sampled: Option<Duration>,
}

#[derive(Debug)]
struct Learning {
    /// The time that was learnt, in microseconds; the full one at first.
    micros: AtomicU64,
    known: Mutex<Known>,
}

/// What the answers have shown.
#[derive(Debug, Default)]
struct Known {
    /// Of every kind.
    all: Histogram,
    /// Those that were connections. They are what a scan is for, and may be few, and farther away than what refuses.
    accepted: Histogram,
    answers: u64,
    sampled: u64,
    late: u64,
}

/// What a scan learnt of how long answers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learnt {
    /// How many answers it is learnt from.
    pub answers: u64,
    /// Within what time 99.9 % of them came.
    pub most: Duration,
    /// How long a connection is waited for.
    pub timeout: Duration,
    /// How many answers came from endpoints that kept the full time while others had less.
    pub sampled: u64,
    /// How many of these came after the others' time.
    pub late: u64,
}

impl Learnt {
    /// How many endpoints answered too late, by what those that kept the full time say.
    pub fn missed(&self) -> u64 {
        self.late.saturating_mul(ONE_IN - 1)
    }
}

/// `connect timeout: 1.21 s, as 99.9 % of 2048 answers came within 0.057 s; …`
impl fmt::Display for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answers, most, timeout, sampled, late } = self;
        let (most, timeout) = (most.as_secs_f64(), timeout.as_secs_f64());
        write!(f, "connect timeout: {timeout:.2} s, as 99.9 % of {answers} answers came within {most:.3} s; ")?;
        write!(f, "{late} of {sampled} that had the full time came later")?;
        match self.missed() {
            0 => Ok(()),
            missed => write!(f, ": about {missed} others may have been missed"),
        }
    }
}

impl Patience {
    /// As long as this for each; where it learns until enough is known, and never longer.
    pub(crate) fn new(full: Duration, learns: bool) -> Self {
        let learning = learns.then(|| Learning { micros: micros(full).into(), known: Mutex::default() });
        Self { full, learning }
    }

    pub(crate) fn learns(&self) -> bool {
        self.learning.is_some()
    }

    /// What a connection to there is given; the full time where it `is_known` that something is there.
    pub(crate) fn allow(&self, to: SocketAddr, is_known: bool) -> Allowance {
        let full = Allowance { length: self.full, sampled: None };
        let Some(learning) = self.learning.as_ref().filter(|_| !is_known) else { return full };
        let learnt = Duration::from_micros(learning.micros.load(Ordering::Relaxed));
        if learnt >= self.full {
            full
        } else if mix(number(to)).is_multiple_of(ONE_IN) {
            Allowance { length: self.full, sampled: Some(learnt) }
        } else {
            Allowance { length: learnt, sampled: None }
        }
    }

    /// An answer came after so long, which was a connection or a refusal.
    pub(crate) fn learn(&self, allowance: Allowance, after: Duration, accepted: bool) {
        let Some(learning) = &self.learning else { return };
        let mut known = learning.known();
        known.learn(allowance, after, accepted);
        if known.is_to_be_reckoned() {
            let timeout = known.timeout(self.full);
            learning.micros.store(micros(timeout), Ordering::Relaxed);
        }
    }

    /// What was learnt, where that is asked for and enough is known.
    pub(crate) fn learnt(&self) -> Option<Learnt> {
        let known = self.learning.as_ref()?.known();
        let Known { answers, sampled, late, .. } = *known;
        let learnt = Learnt { answers, most: known.most(), timeout: known.timeout(self.full), sampled, late };
        (answers >= ENOUGH).then_some(learnt)
    }
}

impl Learning {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn learn(&mut self, allowance: Allowance, after: Duration, accepted: bool) {
        let is_late = allowance.sampled.is_some_and(|learnt| after > learnt);
        // It alone was there to be seen, of all those that it stands for.
        let weight = if is_late { ONE_IN } else { 1 };
        self.all.add(after, weight);
        if accepted {
            self.accepted.add(after, weight);
        }
        self.answers += 1;
        self.sampled += u64::from(allowance.sampled.is_some());
        self.late += u64::from(is_late);
    }

    fn is_to_be_reckoned(&self) -> bool {
        self.answers >= ENOUGH && self.answers.is_multiple_of(EVERY)
    }

    /// Within what time 99.9 % of the answers come, and of those that are connections: all, where these are few.
    fn most(&self) -> Duration {
        self.all.most().max(self.accepted.most())
    }

    fn timeout(&self, full: Duration) -> Duration {
        full.min(self.most().saturating_mul(2).saturating_add(MARGIN))
    }
}

/// Steps of an eighth of an octave: no time is taken for more than an eighth longer than it was.
const STEPS: u32 = 8;

/// From 2^7 µs (whatever is less counts as that) to beyond the hour that a connection can be given.
const BUCKETS: usize = 26 * 8;

/// From so many on, half of all is forgotten: what was long ago says less of now.
const FORGETS_AT: u64 = 1 << 17;

/// How often which time was seen.
#[derive(Debug)]
struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0 }
    }
}

impl Histogram {
    fn add(&mut self, time: Duration, weight: u64) {
        if let Some(count) = self.counts.get_mut(bucket(time)) {
            *count += weight;
            self.total += weight;
        }
        if self.total >= FORGETS_AT {
            self.counts.iter_mut().for_each(|count| *count = count.div_ceil(2));
            self.total = self.counts.iter().sum();
        }
    }

    /// What no more than a thousandth part exceeds; zero where nothing was seen.
    fn most(&self) -> Duration {
        let mut beyond = self.total / 1000;
        for (place, count) in self.counts.iter().enumerate().rev() {
            match beyond.checked_sub(*count) {
                Some(left) => beyond = left,
                None => return end_of(place),
            }
        }
        Duration::ZERO
    }
}

/// Which bucket a time falls into.
fn bucket(time: Duration) -> usize {
    let micros = micros(time).max(1 << 7);
    let octave = micros.ilog2();
    let step = (micros >> (octave - 3)) & u64::from(STEPS - 1);
    let place = u64::from((octave - 7) * STEPS) + step;
    usize::try_from(place).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// What every time in a bucket is below.
fn end_of(place: usize) -> Duration {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let (octave, step) = (place / STEPS + 7, place % STEPS);
    Duration::from_micros((u64::from(STEPS + step + 1)) << (octave - 3))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A number of its own for each endpoint.
fn number(to: SocketAddr) -> u64 {
    let ip = match to.ip() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => {
            let [high, low] = [ip.to_bits() >> 64, ip.to_bits()].map(|half| u64::try_from(half & u128::from(u64::MAX)));
            mix(high.unwrap_or_default()) ^ low.unwrap_or_default()
        }
    };
    mix(ip) ^ u64::from(to.port())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: Duration = Duration::from_secs(4);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn endpoint(number: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(number.into()), 25)
    }

    /// Endpoints answer after so long, as far as they are waited for; how many are not.
    fn sweep(patience: &Patience, endpoints: std::ops::Range<u32>, after: impl Fn(u32) -> Duration) -> usize {
        let missed = endpoints.filter(|number| {
            let allowance = patience.allow(endpoint(*number), false);
            let answers = after(*number) <= allowance.length;
            if answers {
                patience.learn(allowance, after(*number), true);
            }
            !answers
        });
        missed.count()
    }

    #[test]
    fn time_is_taken_for_at_most_an_eighth_more() {
        for micros in (0..35).flat_map(|octave| [0, 1, 5, 100].map(|more| (1u64 << octave) + more)) {
            let time = Duration::from_micros(micros);
            let end = end_of(bucket(time));
            let most = time.max(Duration::from_micros(128)) * 9 / 8;
            // Two hours are beyond what can be asked for.
            assert!(time < end && end <= most || time > Duration::from_secs(7200), "{time:?}: {end:?}");
        }
    }

    #[test]
    fn a_rule_of_thumb_is_learnt_from_a_thousand() {
        let table = [
            (ms(1), ms(1100), ms(1103)),
            (ms(50), ms(1200), ms(1225)),
            (ms(900), ms(2900), ms(3150)),
            (ms(3000), FULL, FULL),
        ];
        for (after, least, most) in table {
            let patience = Patience::new(FULL, true);
            assert_eq!(sweep(&patience, 0..999, |_| after), 0);
            assert_eq!((patience.allow(endpoint(1), false).length, patience.learnt()), (FULL, None));
            sweep(&patience, 1000..1100, |_| after);
            let found = patience.allow(endpoint(1), false).length;
            assert!((least..=most).contains(&found), "{after:?}: {found:?}");
            assert_eq!(patience.allow(endpoint(1), true).length, FULL, "what is known to be there keeps its time");
            assert_eq!(patience.learnt().unwrap().timeout, found);
        }
        let fixed = Patience::new(FULL, false);
        sweep(&fixed, 0..2000, |_| ms(1));
        assert_eq!((fixed.allow(endpoint(1), false).length, fixed.learnt()), (FULL, None));
    }

    #[test]
    fn one_in_a_hundred_keeps_the_full_time() {
        let patience = Patience::new(FULL, true);
        sweep(&patience, 0..2000, |_| ms(1));
        let v6 = |number: u32| SocketAddr::new(IpAddr::V6((0x2001_0db8 << 96 | u128::from(number)).into()), 25);
        let v4_ports = |number: u32| SocketAddr::new([10, 0, 0, 1].into(), u16::try_from(number % 65_536).unwrap());
        let kinds: [&dyn Fn(u32) -> SocketAddr; 3] = [&endpoint, &v6, &v4_ports];
        for kind in kinds {
            let full = (0..60_000).filter(|number| patience.allow(kind(*number), false).length == FULL).count();
            // Six hundred are expected, with a standard deviation of 24; which they are does not change.
            assert!((480..720).contains(&full), "{full}");
        }
    }

    #[test]
    fn what_answers_late_makes_the_time_grow_again() {
        let patience = Patience::new(FULL, true);
        sweep(&patience, 0..5000, |_| ms(10));
        assert!(patience.allow(endpoint(1), false).length < ms(1150));
        // From now on one in a hundred takes two seconds.
        let far = |number: u32| if number.is_multiple_of(97) { ms(2000) } else { ms(10) };
        let missed = sweep(&patience, 5000..100_000, far);
        assert_eq!(patience.allow(endpoint(1), false).length, FULL);
        assert!((1..200).contains(&missed), "of a thousand: {missed}");
        let learnt = patience.learnt().unwrap();
        assert!(learnt.late > 0 && learnt.missed() > 0 && learnt.sampled > learnt.late, "{learnt:?}");
        assert!(learnt.to_string().contains("others may have been missed"), "{learnt}");
    }

    /// Refusals from nearby do not outvote servers that are far away, however few these are.
    #[test]
    fn few_connections_count_as_much_as_many_refusals() {
        let patience = Patience::new(FULL, true);
        let full = patience.allow(endpoint(1), true);
        (0..10_000).for_each(|_| patience.learn(full, ms(1), false));
        assert!(patience.allow(endpoint(1), false).length < ms(1150));
        patience.learn(full, ms(1200), true);
        (0..64).for_each(|_| patience.learn(full, ms(1), false));
        assert!(patience.allow(endpoint(1), false).length >= ms(3500));
    }

    #[test]
    fn a_network_that_has_got_faster_is_believed_in_the_end() {
        let patience = Patience::new(FULL, true);
        sweep(&patience, 0..100_000, |_| ms(1000));
        assert!(patience.allow(endpoint(1), false).length > ms(3000));
        sweep(&patience, 0..3_000_000, |_| ms(1));
        assert!(patience.allow(endpoint(1), false).length < ms(1150));
    }

    proptest! {
        /// No more than a thousandth of what was seen exceeds what is said, and it is not said too high.
        #[test]
        fn the_percentile_holds(times in prop::collection::vec(0u64..5_000_000, 1..3000)) {
            let mut histogram = Histogram::default();
            for time in &times {
                histogram.add(Duration::from_micros(*time), 1);
            }
            let most = histogram.most();
            let beyond = times.iter().filter(|time| Duration::from_micros(**time) >= most).count();
            prop_assert!(beyond <= times.len() / 1000);
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let exact = Duration::from_micros(sorted[times.len() - 1 - times.len() / 1000]);
            prop_assert!(most <= exact.max(Duration::from_micros(128)) * 9 / 8);
        }
    }
}
