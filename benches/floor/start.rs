//! What a scan costs before its first endpoint: it is in every figure of the other scenarios, the more the fewer endpoints
//! they have.

use std::error::Error;

use crate::field::{ClosedPort, LOWEST};
use crate::goal::{Bound, Goal};
use crate::measure::measure;
use crate::scenarios::{Bench, Sweep, to_the_end};
use crate::yardstick::Leave;

impl Bench<'_> {
    pub(crate) fn start(&mut self) -> Result<(), Box<dyn Error>> {
        let closed = ClosedPort::reserve(LOWEST)?;
        let output = self.folder.join("start.ndjson");
        let sweep = Sweep {
            target: "127.1.0.1".to_owned(),
            port: closed.number,
            service: "ftp",
            leave: Leave::Close,
            concurrency: 1,
            threads: self.options.threads,
            more: Vec::new(),
        };
        let (mut cpus, mut peaks) = (Vec::new(), Vec::new());
        for _ in 0..self.options.pairs {
            let cost = to_the_end(measure(&self.scan(sweep.clone(), &output))?)?;
            cpus.push(cost.cpu().as_secs_f64() * 1e3);
            peaks.push(f64::from(cost.peak_kib) / 1024.0);
        }
        let table =
            [("start: ms CPU of a scan of one endpoint", cpus), ("start: MiB of a scan of one endpoint", peaks)];
        self.goals.extend(table.map(|(what, figures)| Goal {
            what: what.to_owned(),
            bound: Bound::None,
            figures,
            decimals: 1,
            command: "--scenario start".to_owned(),
        }));
        Ok(())
    }
}
