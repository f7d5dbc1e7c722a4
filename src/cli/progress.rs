//! How far a scan has come: a bar on a terminal, a line every ten seconds elsewhere.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use hailer::{Outcome, Stats};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar is drawn.
const DRAW: Duration = Duration::from_millis(200);

/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

/// Shows progress on stderr, once it [begins](Progress::begin).
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    manner: Manner,
    started: Instant,
    /// What earlier runs did.
    done_before: u64,
    /// What was done when, to tell the rate of late from.
    before: (Instant, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Quiet,
    Bar,
    Lines,
}

impl Progress {
    pub(super) fn new(total: u64, done_before: u64, quiet: bool) -> Self {
        let manner = match (quiet, io::stderr().is_terminal()) {
            (true, _) => Manner::Quiet,
            (false, true) => Manner::Bar,
            (false, false) => Manner::Lines,
        };
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        // The template is fixed and proved by a test; should it ever not be one, indicatif's own does.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_message("starting");
        bar.set_position(done_before);
        // What was done before says nothing about how fast it goes on.
        bar.reset_eta();
        let now = Instant::now();
        Self { bar, manner, started: now, done_before, before: (now, done_before) }
    }

    /// Shows the bar. What was said before stands above it.
    pub(super) fn begin(&self) {
        if self.manner == Manner::Bar {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.tick();
        }
    }

    /// The bar, for whoever writes to the same terminal.
    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Whether nothing is to be said.
    pub(super) fn is_quiet(&self) -> bool {
        self.manner == Manner::Quiet
    }

    /// How long to wait before [`Progress::show`] is due again.
    pub(super) fn interval(&self) -> Duration {
        match self.manner {
            Manner::Bar => DRAW,
            Manner::Lines | Manner::Quiet => LINE,
        }
    }

    /// Draws the bar; elsewhere, what to write on a line of its own.
    pub(super) fn show(&mut self, stats: &Stats) -> Option<String> {
        let done = stats.done();
        self.bar.set_position(done);
        let greeted = HumanCount(stats.outcome(Outcome::Greeted));
        let in_flight = HumanCount(stats.in_flight());
        match self.manner {
            Manner::Quiet => None,
            // What is still made of the rows is told by whoever makes it.
            Manner::Lines if done >= stats.total() => None,
            Manner::Bar => {
                let of_this_run = done.saturating_sub(self.done_before);
                let rate = HumanCount(per_second(of_this_run, self.started.elapsed()));
                self.bar.set_message(format!("{rate}/s, {in_flight} in flight, {greeted} greeted"));
                None
            }
            Manner::Lines => {
                let now = Instant::now();
                let (then, done_then) = std::mem::replace(&mut self.before, (now, done));
                let rate = per_second(done.saturating_sub(done_then), now - then);
                let mut line = format!(
                    "{}/{} done, {}/s, {in_flight} in flight, {greeted} greeted",
                    HumanCount(done),
                    HumanCount(stats.total()),
                    HumanCount(rate),
                );
                if let Some(left) = self.time_left(done, stats.total(), now) {
                    // Writing to a String does not fail.
                    let _ = write!(line, ", ETA {:#}", HumanDuration(left));
                }
                Some(line)
            }
        }
    }

    fn time_left(&self, done: u64, total: u64, now: Instant) -> Option<Duration> {
        let before = self.done_before;
        time_left(done.saturating_sub(before), total.saturating_sub(before), now - self.started)
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

const TEMPLATE: &str = "{bar:24} {human_pos}/{human_len} {msg}, ETA {eta}";

/// How many a second, rounded down.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// How long the rest takes if it goes on as it has so far.
fn time_left(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    let left = u128::from(total.saturating_sub(done));
    let millis = (elapsed.as_millis() * left).checked_div(u128::from(done))?;
    Some(Duration::from_millis(u64::try_from(millis).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn rates_and_times() {
        assert_eq!(per_second(500, Duration::from_millis(250)), 2000);
        assert_eq!(per_second(5, Duration::ZERO), 5_000_000);
        assert_eq!(time_left(0, 10, Duration::from_secs(1)), None);
        assert_eq!(time_left(5, 20, Duration::from_secs(10)), Some(Duration::from_secs(30)));
        assert_eq!(time_left(u64::MAX, u64::MAX, Duration::from_secs(1)), Some(Duration::ZERO));
    }
}
