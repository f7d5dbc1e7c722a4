//! TLS grabs among the goals; what they are is [`grab`](crate::grab)'s.

use std::error::Error;

use crate::goal::{Bound, Goal};
use crate::grab::{self, Plan, Scenario};
use crate::scenarios::Bench;

/// 16,384 endpoints, so that the start is a few hundredths at most; what that costs is a line of its own.
const PREFIX: u8 = 18;
const IN_FLIGHT: u32 = 256;

impl Bench<'_> {
    pub(crate) fn tls(&mut self) -> Result<(), Box<dyn Error>> {
        let plan = Plan {
            prefix: self.options.prefix.max(PREFIX),
            pairs: self.options.pairs,
            concurrency: self.options.concurrency.min(IN_FLIGHT),
            hailer: self.options.hailer.clone(),
            arguments: self.options.hailer_arg.clone(),
        };
        for scenario in [Scenario::Tls13, Scenario::Tls12] {
            let pairs = grab::pairs(&plan, scenario, self.folder)?;
            // In it the peers, on the same machine, have their part.
            let walls =
                pairs.hailer.iter().zip(&pairs.bare).map(|(hailer, bare)| hailer.wall.div_duration_f64(bare.wall));
            let table =
                [("CPU", Bound::AtMost(1.15), pairs.ratios().collect()), ("wall", Bound::None, walls.collect())];
            self.goals.extend(table.map(|(figure, bound, figures)| Goal {
                what: format!("{figure} per TLS grab, by a bare loop's: {}", scenario.name()),
                bound,
                figures,
                decimals: 2,
                command: "--scenario tls".to_owned(),
            }));
        }
        Ok(())
    }
}
