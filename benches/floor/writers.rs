//! Rows to nowhere, in each format: how many one core writes in a second that it has for itself. The bench `micro` has
//! more kinds of them.

use std::io;
use std::time::Duration;

use hailer::output::{Format, RowSink, RowWriter};
use nix::time::{ClockId, clock_gettime};

use crate::goal::{Bound, Goal};
use crate::sample;
use crate::scenarios::Bench;

/// So many between two looks at the clock.
const BATCH: u32 = 10_000;

const LENGTH: Duration = Duration::from_millis(500);

impl Bench<'_> {
    pub(crate) fn writers(&mut self) {
        for (name, format) in [("CSV", Format::Csv), ("NDJSON", Format::Ndjson)] {
            self.goals.push(Goal {
                what: format!("million rows a second and core: {name}"),
                bound: Bound::AtLeast(1.0),
                figures: (0..self.options.pairs).map(|_| rate(format) / 1e6).collect(),
                decimals: 2,
                command: "--scenario writers".to_owned(),
            });
        }
    }
}

/// Rows a second.
fn rate(format: Format) -> f64 {
    let row = sample::plain();
    let mut sink = RowSink::over(format, "nowhere", io::sink());
    let (begun, mut rows) = (worked(), 0.0);
    while worked().saturating_sub(begun) < LENGTH {
        for _ in 0..BATCH {
            sink.write(std::hint::black_box(&row)).unwrap_or_else(|error| unreachable!("nowhere takes all: {error}"));
        }
        sink.flush().unwrap_or_else(|error| unreachable!("nowhere takes all: {error}"));
        rows += f64::from(BATCH);
    }
    rows / worked().saturating_sub(begun).as_secs_f64()
}

/// How long this thread has had a core.
fn worked() -> Duration {
    let clock = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    clock.unwrap_or_else(|error| unreachable!("every thread has this clock: {error}")).into()
}
