//! Where nothing answers: how many endpoints a second go through, and how many SYNs are sent for each.
//!
//! The range is an integral multiple of what is in flight, so that all of it goes in waves, each as long as the deadline:
//! a sweep of four waves would take four deadlines if all else took no time.
//!
//! Limits: loopback of a namespace whose output counts the SYNs, and whose input drops them; the start of the program is in the rate.

use std::error::Error;
use std::time::Duration;

use crate::field::LOWEST;
use crate::goal::{Bound, Goal};
use crate::measure::{Cost, measure};
use crate::range::Range;
use crate::report::Runs;
use crate::scenarios::{Bench, Sweep, to_the_end};
use crate::world;
use crate::yardstick::{self, Counts, Leave};

/// Half-way between the second SYN, after 1 s, and the third, which Linux sends after 2 s or 3 s.
const DEADLINE: Duration = Duration::from_millis(1500);

const IN_FLIGHT: u32 = 4096;

/// Four waves.
const PREFIX: u8 = 18;

impl Bench<'_> {
    pub(crate) fn dark(&mut self) -> Result<(), Box<dyn Error>> {
        let command = "--scenario dark";
        if !self.may_open(u64::from(IN_FLIGHT) + crate::SPARE_FILES, "dark", command) {
            return Ok(());
        }
        let Some(world) = self.world(world::Job::Dark, "dark", command) else { return Ok(()) };
        let range = Range::new(PREFIX);
        let len = range.len();
        let output = self.folder.join("dark.ndjson");
        let sweep = Sweep {
            target: range.cidr(),
            port: LOWEST,
            service: "ftp",
            leave: Leave::Close,
            concurrency: IN_FLIGHT,
            threads: self.options.threads,
            more: vec!["--connect-timeout".into(), format!("{}ms", DEADLINE.as_millis()).into()],
        };
        let job = yardstick::Job {
            range,
            port: LOWEST,
            concurrency: IN_FLIGHT,
            leave: Leave::Close,
            deadline: Some(DEADLINE),
        };
        let expected = Counts { late: len, ..Counts::default() };

        let mut runs = Runs { scenario: "dark".to_owned(), endpoints: len, hailer: Vec::new(), floor: Vec::new() };
        let (mut syns, mut ratios) = (world.syns()?, Vec::new());
        let mut sent = || -> Result<f64, Box<dyn Error>> {
            let before = std::mem::replace(&mut syns, world.syns()?);
            Ok(f64::from(syns - before) / f64::from(len))
        };
        for pair in 1..=self.options.pairs {
            let scan = self.scan(sweep.clone(), &output);
            runs.hailer.push(to_the_end(world.near(|| measure(&scan))?)?);
            let by_hailer = sent()?;
            runs.floor.push(self.yardstick(job, expected, |job| world.near(|| measure(job)))?);
            let by_floor = sent()?;
            ratios.push(by_hailer / by_floor);
            crate::progress(&format!(
                "dark: pair {pair} of {}: {by_hailer:.3} and {by_floor:.3} SYNs an endpoint",
                self.options.pairs
            ));
        }
        let ideal = f64::from(IN_FLIGHT) / DEADLINE.as_secs_f64();
        let rates =
            |costs: &[Cost]| costs.iter().map(|cost| f64::from(len) / cost.wall.as_secs_f64() / ideal).collect();
        let table = [
            ("dark: endpoints a second, by concurrency ÷ deadline", Bound::WithinOfOne(0.03), rates(&runs.hailer)),
            ("dark: the same of the floor", Bound::None, rates(&runs.floor)),
            ("dark: SYNs an endpoint, by the floor's", Bound::WithinOfOne(0.01), ratios),
            ("dark: CPU per endpoint, by the floor's", Bound::None, runs.ratios(Cost::cpu).collect()),
        ];
        self.goals.extend(table.map(|(what, bound, figures)| Goal {
            what: what.to_owned(),
            bound,
            figures,
            decimals: 3,
            command: command.to_owned(),
        }));
        self.runs.push(runs);
        Ok(())
    }
}
