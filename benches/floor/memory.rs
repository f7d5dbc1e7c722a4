//! What endpoints in flight take: the peak of all memory, and how it grows with their number.
//!
//! Peers greet late, so that all that may be in flight is, for a while, at the same place: connected and waiting for a
//! greeting, waiting for a `ServerHello`, or inside TLS and waiting for a greeting.
//!
//! Limits: resident memory of the process; what the kernel keeps for a socket is not in it.

use std::error::Error;
use std::time::Duration;

use crate::field::{ClosedPort, LOWEST};
use crate::goal::{Bound, Goal};
use crate::grab;
use crate::measure::{self, measure};
use crate::peers::{self, Peers};
use crate::range::Range;
use crate::scenarios::{Bench, Sweep, to_the_end};
use crate::yardstick::Leave;

/// Long enough for 15,000 connections to be made, or 2,048 handshakes; shorter than any of hailer's deadlines.
const LATE: Duration = Duration::from_secs(5);

/// Runs of each; memory differs little between them.
const RUNS: u32 = 3;

/// Processes of peers.
const SERVERS: u32 = 4;

/// No process needs more files than this: a fourth of the listeners, and all of the clients.
const FILES: u64 = 20_000;

/// So many in flight, from a range that is as long or a little longer.
#[derive(Debug, Clone, Copy)]
struct Load {
    in_flight: u32,
    prefix: u8,
}

const PLAIN: [Load; 2] = [Load { in_flight: 1_000, prefix: 22 }, Load { in_flight: 15_000, prefix: 18 }];
const TLS: [Load; 2] = [Load { in_flight: 256, prefix: 24 }, Load { in_flight: 2_048, prefix: 21 }];

/// Where endpoints wait.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Greeting,
    ServerHello,
    GreetingInTls,
}

impl Bench<'_> {
    pub(crate) fn memory(&mut self) -> Result<(), Box<dyn Error>> {
        if !self.may_open(FILES, "memory", "--scenario memory") {
            return Ok(());
        }
        let (mut all, mut plain, mut hello, mut inside) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for run in 1..=self.options.pairs.min(RUNS) {
            let [few, many] = self.peaks(Stage::Greeting, PLAIN)?;
            all.push(many / 1024.0);
            plain.push(slope([few, many], PLAIN));
            hello.push(slope(self.peaks(Stage::ServerHello, TLS)?, TLS));
            inside.push(slope(self.peaks(Stage::GreetingInTls, TLS)?, TLS));
            crate::progress(&format!("memory: run {run} of {}", self.options.pairs.min(RUNS)));
        }
        let table = [
            ("memory: MiB in all at 15,000 plain endpoints", Bound::AtMost(64.0), all),
            ("memory: KiB per plain endpoint, from 1,000 to 15,000", Bound::AtMost(2.0), plain),
            ("memory: KiB per endpoint in a handshake, from 256 to 2,048", Bound::AtMost(16.0), hello),
            ("memory: KiB per endpoint inside TLS, from 256 to 2,048", Bound::AtMost(16.0), inside),
        ];
        self.goals.extend(table.map(|(what, bound, figures)| Goal {
            what: what.to_owned(),
            bound,
            figures,
            decimals: 2,
            command: "--scenario memory".to_owned(),
        }));
        Ok(())
    }

    /// The peaks in KiB.
    fn peaks(&mut self, stage: Stage, loads: [Load; 2]) -> Result<[f64; 2], Box<dyn Error>> {
        let [few, many] = loads;
        Ok([self.peak(stage, few)?, self.peak(stage, many)?])
    }

    fn peak(&mut self, stage: Stage, load: Load) -> Result<f64, Box<dyn Error>> {
        let range = Range::new(load.prefix);
        match stage {
            Stage::Greeting | Stage::ServerHello => {
                let port = ClosedPort::reserve(LOWEST)?.number;
                let greeting = self.options.greeting.clone();
                let job = peers::Job { range, port, greeting, late: LATE, share: 0, of: SERVERS };
                let _peers = Peers::start(&job)?;
                let service = if matches!(stage, Stage::Greeting) { "ftp" } else { "ftps" };
                self.peak_at(load, port, service)
            }
            Stage::GreetingInTls => {
                let version = grab::peers::Version::Tls13;
                let peers =
                    grab::peers::Peers::start(&grab::peers::Job { range, version, chain_each: false, late: LATE })?;
                self.peak_at(load, peers.port(), "smtps")
            }
        }
    }

    fn peak_at(&mut self, load: Load, port: u16, service: &'static str) -> Result<f64, Box<dyn Error>> {
        let range = Range::new(load.prefix);
        let sweep = Sweep {
            target: range.cidr(),
            port,
            service,
            leave: Leave::Close,
            concurrency: load.in_flight,
            threads: self.options.threads,
            more: Vec::new(),
        };
        let output = self.folder.join("memory.ndjson");
        let job = measure::Job { sample: true, ..self.scan(sweep, &output) };
        let cost = to_the_end(measure(&job)?)?;
        let files = cost.samples.iter().map(|sample| sample.files).max().unwrap_or_default();
        if files < load.in_flight {
            self.complain(format!("memory: {files} open files, expected {} connections at once", load.in_flight));
        }
        if let Some(complaint) = crate::rows::complaint(&output, range, "greeted")? {
            self.complain(complaint);
        }
        Ok(f64::from(cost.peak_kib))
    }
}

fn slope([few, many]: [f64; 2], loads: [Load; 2]) -> f64 {
    (many - few) / f64::from(loads[1].in_flight - loads[0].in_flight)
}
