//! The scenarios, and how hailer and the yardstick are run in each.
//!
//! Limits: a wrong count or a wrong row is a complaint, and so is a program that fails, which ends its scenario and no other;
//! no timing ever is. What cannot be run here is skipped, at once by its name and in the table of goals.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use crate::field::{Field, Over};
use crate::goal::{Bound, Goal};
use crate::measure::{self, Cost};
use crate::report::Runs;
use crate::world::{self, World};
use crate::yardstick::{self, Counts, Leave};
use crate::{Options, Role, arguments};

/// No run takes this long; one that does is stopped and complained about.
const LIMIT: Duration = Duration::from_secs(120);

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Nothing listens.
    Refused,
    /// Every endpoint greets; the connection is closed.
    Greeting,
    /// Every endpoint greets; QUIT, 221.
    GreetingQuit,
    /// Nothing listens in all of 127.0.0.0/8; stopped after a while, its memory sampled.
    #[value(name = "refused-8")]
    RefusedEight,
    /// Every endpoint greets inside TLS, against a bare loop of the same library; more of it in the bench `tls`.
    Tls,
    /// One thread and two over the same closed ports.
    Threads,
    /// What 15,000 endpoints in flight take, and 2,048 inside TLS.
    Memory,
    /// Nothing answers; takes root.
    Dark,
    /// Rows to nowhere.
    Writers,
    /// One endpoint.
    Start,
}

impl Scenario {
    /// Those that have goals.
    pub(crate) const WITH_GOALS: [Self; 9] = [
        Self::Refused,
        Self::Greeting,
        Self::GreetingQuit,
        Self::Tls,
        Self::Threads,
        Self::Memory,
        Self::Dark,
        Self::Writers,
        Self::Start,
    ];

    /// As the command line has it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// A bench at work.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) folder: &'a Path,
    /// How many files a process may open.
    files: u64,
    /// What was measured so far.
    pub(crate) runs: Vec<Runs>,
    pub(crate) goals: Vec<Goal>,
    complaints: Vec<String>,
}

/// One sweep of hailer.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    pub(crate) target: String,
    pub(crate) port: u16,
    pub(crate) service: &'static str,
    pub(crate) leave: Leave,
    pub(crate) concurrency: u32,
    pub(crate) threads: u32,
    pub(crate) more: Vec<OsString>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(options: &'a Options, folder: &'a Path, files: u64) -> Self {
        Self { options, folder, files, runs: Vec::new(), goals: Vec::new(), complaints: Vec::new() }
    }

    /// Runs all that was asked for.
    pub(crate) fn run(&mut self) {
        let is_wanted = |wanted| self.options.scenario.contains(&wanted);
        let with_peers = [Scenario::Refused, Scenario::Greeting, Scenario::GreetingQuit, Scenario::RefusedEight];
        let with_peers: Vec<_> = with_peers.into_iter().filter(|scenario| is_wanted(*scenario)).collect();
        for over in if with_peers.is_empty() { &[][..] } else { &self.options.over } {
            let ended = self.over_field(*over, &with_peers);
            self.attempted(over.name(), ended);
        }
        for scenario in &self.options.scenario {
            let ended = match scenario {
                Scenario::Refused | Scenario::Greeting | Scenario::GreetingQuit | Scenario::RefusedEight => Ok(()),
                Scenario::Tls => self.tls(),
                Scenario::Threads => self.threads(),
                Scenario::Memory => self.memory(),
                Scenario::Dark => self.dark(),
                Scenario::Writers => {
                    self.writers();
                    Ok(())
                }
                Scenario::Start => self.start(),
            };
            self.attempted(&scenario.name(), ended);
        }
    }

    /// Runs those that have peers over the same field.
    fn over_field(&mut self, over: Over, scenarios: &[Scenario]) -> Result<(), Box<dyn Error>> {
        let world = match over {
            Over::Loopback => None,
            Over::Veth => match self.world(world::Job::Far, "all --over veth", "--over veth") {
                None => return Ok(()),
                world => world,
            },
        };
        let field = Field::new(self.options, world)?;
        for scenario in scenarios {
            let ended = match scenario {
                Scenario::Refused | Scenario::Greeting | Scenario::GreetingQuit => self.pairs(*scenario, &field),
                Scenario::RefusedEight => self.refused_eight(&field),
                Scenario::Tls
                | Scenario::Threads
                | Scenario::Memory
                | Scenario::Dark
                | Scenario::Writers
                | Scenario::Start => Ok(()),
            };
            self.attempted(&scenario.name(), ended);
        }
        Ok(())
    }

    /// What has failed is a complaint, so that what others measured is not lost.
    fn attempted(&mut self, what: &str, ended: Result<(), Box<dyn Error>>) {
        if let Err(error) = ended {
            self.complain(format!("{what}: {error}"));
        }
    }

    /// What was wrong so far.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// One run of the yardstick, of which that must come.
    pub(crate) fn yardstick(
        &mut self,
        job: yardstick::Job,
        expected: Counts,
        run: impl FnOnce(&measure::Job) -> Result<Cost, Box<dyn Error>>,
    ) -> Result<Cost, Box<dyn Error>> {
        let cost = run(&measure::Job {
            program: std::env::current_exe()?.into(),
            arguments: arguments(Role::Yardstick, &job)?.into(),
            limit: LIMIT,
            sample: false,
        })?;
        if cost.code != Some(0) {
            return Err(format!("the yardstick ended with {}", ending(&cost)).into());
        }
        let counts = serde_json::from_str::<Counts>(&cost.stdout)?;
        if counts != expected {
            self.complain(format!("yardstick: {counts:?}, expected {expected:?}"));
        }
        Ok(cost)
    }

    /// A sweep as hailer's command line.
    pub(crate) fn scan(&self, sweep: Sweep, output: &Path) -> measure::Job {
        let leave = match sweep.leave {
            Leave::Close => "close",
            Leave::Quit => "quit",
        };
        let mut arguments = vec![OsString::from("scan"), sweep.target.into()];
        arguments.extend(["-p".into(), format!("{}={}", sweep.port, sweep.service).into()]);
        arguments.extend(["--leave".into(), leave.into()]);
        arguments.extend(["--concurrency".into(), sweep.concurrency.to_string().into()]);
        arguments.extend(["--threads".into(), sweep.threads.to_string().into()]);
        arguments.extend(["-q".into(), "--overwrite".into(), "-o".into(), output.into()]);
        arguments.extend(sweep.more);
        arguments.extend(self.options.hailer_arg.iter().map(OsString::from));
        measure::Job { program: self.options.hailer.clone().into(), arguments, limit: LIMIT, sample: false }
    }

    /// Namespaces; none where there can be none here.
    pub(crate) fn world(&mut self, job: world::Job, what: &str, command: &str) -> Option<World> {
        let made = world::obstacle().map_or_else(|| World::make(job).map_err(|error| error.to_string()), Err);
        made.map_err(|why| self.skip(what, command, &why)).ok()
    }

    /// Whether a process may open so many files.
    pub(crate) fn may_open(&mut self, needed: u64, what: &str, command: &str) -> bool {
        let may = needed <= self.files;
        if !may {
            self.skip(what, command, &format!("{needed} open files, of which {} are allowed", self.files));
        }
        may
    }

    /// Says so at once and in the table.
    fn skip(&mut self, what: &str, command: &str, why: &str) {
        crate::progress(&format!("SKIPPED: {command}: {why}"));
        let (what, command) = (format!("{what}: {why}"), command.to_owned());
        self.goals.push(Goal { what, bound: Bound::None, figures: Vec::new(), decimals: 0, command });
    }

    pub(crate) fn complain(&mut self, complaint: String) {
        self.complaints.push(crate::loudly(complaint));
    }
}

/// What a run of hailer cost that went to its end.
pub(crate) fn to_the_end(cost: Cost) -> Result<Cost, Box<dyn Error>> {
    if cost.code == Some(0) { Ok(cost) } else { Err(format!("hailer ended with {}", ending(&cost)).into()) }
}

pub(crate) fn ending(cost: &Cost) -> String {
    let ending = match (cost.code, cost.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    if cost.stopped { format!("{ending} after SIGTERM") } else { ending }
}
