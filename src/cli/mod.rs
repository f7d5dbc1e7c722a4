//! The command line: arguments → plan → [`hailer::Config`] → a run, and what people see of it.
//!
//! Only here is anything printed. Results go to stdout or to files, words for people to stderr.

mod args;
mod beside;
mod check;
mod classify;
mod completions;
mod demo;
mod dialogues;
mod diff;
mod display;
mod explain;
mod fleet;
mod fresh;
mod given;
mod keeper;
mod kept;
mod layout;
mod list;
mod look;
mod man;
mod merge;
mod outputs;
mod page;
mod plan;
mod progress;
mod provenance;
mod record;
mod report;
mod reports;
mod resume;
mod same;
mod scan;
mod schema;
mod signals;
mod spool;
mod summary;
mod values;
mod wordlists;
mod written;

use std::fmt;
use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;

use hailer::Error;
use hailer::output::escape::inert;
use hailer::output::xlsx::will_be_caught;

use self::args::{Args, Command};

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Done.
    Done,
    /// Stopped early on request.
    Stopped,
    /// Done, and something must be mended.
    Findings,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done => Self::SUCCESS,
            Ended::Stopped => Self::from(3),
            Ended::Findings => Self::from(5),
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// What was asked cannot be done as it was asked; nothing was sent.
    Usage(String),
    /// What was asked is not done without leave; nothing was sent.
    Policy(String),
    /// Something went wrong on the way.
    Failed(String),
}

impl Failure {
    fn usage(error: impl fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }

    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotAuthorised { .. } => Self::Policy(error.to_string()),
            Error::NamesLog(error) => Self::failed(error),
            error => Self::usage(error),
        }
    }
}

/// The whole program.
pub(crate) fn run() -> ExitCode {
    hush_caught_panics();
    signals::let_long_files_fail();
    let result = match Args::read().command {
        Command::Scan(args) => scan::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Fleet(args) => fleet::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Wordlists(args) => wordlists::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    let (words, code) = match result {
        Ok(ended) => return ended.into(),
        Err(Failure::Usage(words)) => (words, 2),
        Err(Failure::Policy(words)) => (words, 4),
        Err(Failure::Failed(words)) => (words, 1),
    };
    // They quote what was read: a list of targets may come from anywhere.
    tell(format_args!("hailer: {}", inert(words.into())));
    ExitCode::from(code)
}

/// Sees to it that nothing is shown of panics which become errors; all others are as before.
fn hush_caught_panics() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !will_be_caught() {
            shown(info);
        }
    }));
}

/// Writes what a command is there for to stdout. Whoever has read enough may go.
fn print(text: &[u8]) -> Result<Ended, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(Ended::Done),
    }
}

/// Says something to people. Not by `eprintln!`, which panics where stderr is gone (a closed terminal, a pipe that nobody
/// reads any longer): that is no reason to lose rows.
fn tell(words: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{words}");
}
