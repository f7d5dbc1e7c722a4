//! Hailer and the yardstick in turn over the same endpoints.
//!
//! Limits: the second sweep over a /16 fills the kernel's table of connections in `TIME_WAIT` (131,072 as a rule); from
//! then on a close costs both a little less, so the first pair may differ from the others.

use std::error::Error;
use std::fs;
use std::time::Duration;

use crate::field::{Field, Over};
use crate::goal::{Bound, Goal};
use crate::measure::{self, Cost, measure};
use crate::report::{self, Runs};
use crate::scenarios::{Bench, Scenario, Sweep, ending, to_the_end};
use crate::yardstick::{self, Counts, Leave};

/// What hailer's exit code says about a scan that was stopped and can go on.
const STOPPED: i32 = 3;

/// What CPU time may be of the yardstick's.
const REFUSED: Bound = Bound::AtMost(1.15);
const GREETING: Bound = Bound::AtMost(1.25);

/// A scenario in its place.
struct Course<'a> {
    field: &'a Field,
    port: u16,
    leave: Leave,
    greets: bool,
}

impl Bench<'_> {
    /// Runs the pairs of a scenario.
    pub(crate) fn pairs(&mut self, scenario: Scenario, field: &Field) -> Result<(), Box<dyn Error>> {
        let name = scenario.name();
        let way = match field.over {
            Over::Loopback => "",
            Over::Veth => " --over veth",
        };
        let greets = scenario != Scenario::Refused;
        let course = Course {
            field,
            port: if greets { field.open } else { field.closed.number },
            leave: if scenario == Scenario::GreetingQuit { Leave::Quit } else { Leave::Close },
            greets,
        };
        let mut runs = Runs {
            scenario: format!("{name}{}", if way.is_empty() { "" } else { " far" }),
            endpoints: field.range.len(),
            hailer: Vec::new(),
            floor: Vec::new(),
        };

        // Unmeasured: the first sweep fills the kernel's caches, and proves the peers before hailer is judged by them.
        self.floor(&course)?;
        if !greets && !self.options.floor_only {
            self.refusals(&course)?;
        }
        for pair in 1..=self.options.pairs {
            if !self.options.floor_only {
                runs.hailer.push(self.sweep(&course)?);
            }
            runs.floor.push(self.floor(&course)?);
            crate::progress(&format!("{name}{way}: pair {pair} of {}", self.options.pairs));
        }
        let figures = runs.ratios(Cost::cpu).collect();
        let bound = if greets { GREETING } else { REFUSED };
        let what = format!("CPU per endpoint, by the floor's: {}", runs.scenario);
        self.goals.push(Goal { what, bound, figures, decimals: 2, command: format!("--scenario {name}{way}") });
        self.runs.push(runs);
        Ok(())
    }

    /// Sweeps 127.0.0.0/8 for a while, and says what there is to say about it.
    pub(crate) fn refused_eight(&mut self, field: &Field) -> Result<(), Box<dyn Error>> {
        if self.options.floor_only || field.over == Over::Veth {
            return Ok(());
        }
        let output = self.folder.join("refused-8.ndjson");
        let sweep = Sweep { target: "127.0.0.0/8".to_owned(), ..self.over(field, field.closed.number, Leave::Close) };
        let limit = Duration::from_secs(self.options.seconds);
        let cost = measure(&measure::Job { limit, sample: true, ..self.scan(sweep, &output) })?;
        if cost.code != Some(STOPPED) {
            self.complain(format!("refused-8: hailer ended with {}, expected exit code {STOPPED}", ending(&cost)));
        }
        crate::progress(&format!(
            "refused-8: 127.0.0.0/8, SIGTERM after {} s: {}, {:.1} s CPU in {:.1} s\n{}",
            self.options.seconds,
            ending(&cost),
            cost.cpu().as_secs_f64(),
            cost.wall.as_secs_f64(),
            report::memory(&cost.samples)
        ));
        Ok(())
    }

    fn floor(&mut self, course: &Course<'_>) -> Result<Cost, Box<dyn Error>> {
        let &Course { field, port, leave, greets } = course;
        let len = field.range.len();
        let job =
            yardstick::Job { range: field.range, port, concurrency: self.options.concurrency, leave, deadline: None };
        let expected = if greets {
            Counts { greeted: len, ..Counts::default() }
        } else {
            Counts { refused: len, ..Counts::default() }
        };
        self.yardstick(job, expected, |job| field.measure(job))
    }

    fn sweep(&mut self, course: &Course<'_>) -> Result<Cost, Box<dyn Error>> {
        let &Course { field, port, leave, greets } = course;
        let output = self.folder.join("rows.ndjson");
        let cost = to_the_end(field.measure(&self.scan(self.over(field, port, leave), &output))?)?;
        if greets {
            if let Some(complaint) = crate::rows::complaint(&output, field.range, "greeted")? {
                self.complain(complaint);
            }
        } else if fs::metadata(&output).map_err(|error| format!("hailer's rows: {error}"))?.len() > 0 {
            self.complain("hailer wrote rows where every endpoint refuses".to_owned());
        }
        Ok(cost)
    }

    /// Unmeasured: with `--all`, every refusal has its row, which is what proves that hailer went everywhere.
    fn refusals(&mut self, course: &Course<'_>) -> Result<(), Box<dyn Error>> {
        let output = self.folder.join("refusals.ndjson");
        let mut sweep = self.over(course.field, course.port, Leave::Close);
        sweep.more.push("--all".into());
        to_the_end(course.field.measure(&self.scan(sweep, &output))?)?;
        if let Some(complaint) = crate::rows::complaint(&output, course.field.range, "refused")? {
            self.complain(complaint);
        }
        Ok(())
    }

    fn over(&self, field: &Field, port: u16, leave: Leave) -> Sweep {
        Sweep {
            target: field.range.cidr(),
            port,
            service: "ftp",
            leave,
            concurrency: self.options.concurrency,
            threads: self.options.threads,
            more: Vec::new(),
        }
    }
}
