//! One thread and two over the same work.
//!
//! Limits: the work is closed ports on loopback, where the client's own system calls do all there is to do. Where peers on
//! the same machine have their half to do, two cores are full with one thread.

use std::error::Error;

use crate::field::{ClosedPort, LOWEST};
use crate::goal::{Bound, Goal};
use crate::measure::measure;
use crate::scenarios::{Bench, Sweep, to_the_end};
use crate::yardstick::Leave;

/// Half a million endpoints: some seconds, beside which the start is short.
const TARGET: &str = "127.16.0.0/13";

impl Bench<'_> {
    pub(crate) fn threads(&mut self) -> Result<(), Box<dyn Error>> {
        let closed = ClosedPort::reserve(LOWEST)?;
        let output = self.folder.join("threads.ndjson");
        let sweep = Sweep {
            target: TARGET.to_owned(),
            port: closed.number,
            service: "ftp",
            leave: Leave::Close,
            concurrency: self.options.concurrency,
            threads: 1,
            more: Vec::new(),
        };
        let (mut walls, mut cpus) = (Vec::new(), Vec::new());
        for pair in 1..=self.options.pairs {
            let one = to_the_end(measure(&self.scan(sweep.clone(), &output))?)?;
            let two = to_the_end(measure(&self.scan(Sweep { threads: 2, ..sweep.clone() }, &output))?)?;
            walls.push(two.wall.as_secs_f64() / one.wall.as_secs_f64());
            cpus.push(two.cpu().as_secs_f64() / one.cpu().as_secs_f64());
            crate::progress(&format!("threads: pair {pair} of {}", self.options.pairs));
        }
        let table = [
            ("refused, two threads: wall by one thread's", Bound::AtMost(0.7), walls),
            ("refused, two threads: CPU by one thread's", Bound::None, cpus),
        ];
        self.goals.extend(table.map(|(what, bound, figures)| Goal {
            what: what.to_owned(),
            bound,
            figures,
            decimals: 2,
            command: "--scenario threads".to_owned(),
        }));
        Ok(())
    }
}
