//! Going on with a scan that was left: its journal found, and the command line that it began with completed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hailer::{Config, Error, Journal, JournalError, Mark, Recorded, Scan, Stamp};

use super::Failure;
use super::args::ScanArgs;
use super::beside::{Beside, followed, place};
use super::given::Given;

/// A scan that was left.
#[derive(Debug)]
pub(super) struct Resumed {
    pub(super) journal: Journal,
    /// The journal, as it was named.
    path: PathBuf,
}

impl Resumed {
    /// The scan that wrote an output, which may also be named by its journal.
    pub(super) fn open(output: &Path) -> Result<Self, Failure> {
        let beside = Beside::named(&followed(output));
        let path = beside.journal();
        let refuse = |words: String| Failure::usage(format!("--resume {}: {words}", output.display()));
        let journal = Journal::read(&path).map_err(|error| match error {
            JournalError::Io(error) if error.kind() == ErrorKind::NotFound && beside.manifest().exists() => {
                refuse(format!("nothing is left to do: the scan is finished, as {} tells", beside.manifest().display()))
            }
            JournalError::Io(error) if error.kind() == ErrorKind::NotFound => refuse(format!(
                "there is no journal {}: name the first output of a scan that was stopped, or begin anew",
                path.display()
            )),
            error => refuse(format!("cannot go on from {}: {error}", path.display())),
        })?;
        let first = journal.outputs.first().map(|first| &first.path);
        match first.filter(|first| place(first) != place(beside.output())) {
            Some(first) => {
                let words =
                    format!("it was moved: its journal speaks of {}; put all of it back there", first.display());
                Err(refuse(words))
            }
            None => Ok(Self { journal, path }),
        }
    }

    /// Once its outputs are locked: whether it is still as far as it was. Until then another run may have gone on with it.
    pub(super) fn is_left_still(&self) -> Result<(), Failure> {
        match Journal::read(&self.path) {
            Ok(journal) if journal == self.journal => Ok(()),
            Ok(_) | Err(_) => Err(self.refuse("another run has gone on with it at this moment: see what came of that")),
        }
    }

    /// What is given now, and for the rest what was given at first.
    pub(super) fn complete(&self, now: ScanArgs) -> Result<ScanArgs, Failure> {
        let given = now.given.over(Given::recorded(&self.journal.command));
        let read = given.read();
        let args = read.map_err(|words| self.refuse(&format!("its command line cannot be repeated: {words}")))?;
        Ok(ScanArgs { resume: now.resume, quiet: now.quiet, verbose: now.verbose, ..args })
    }

    /// When it began, and how far it is, with the lengths in the order of these outputs.
    pub(super) fn began(self, outputs: &[Recorded]) -> (String, Mark) {
        let Journal { began, mark, outputs: then, .. } = self.journal;
        let length = |output: &Recorded| {
            let same = then.iter().zip(&mark.lengths).find(|(then, _)| place(&then.path) == place(&output.path));
            // Nothing was let through but what the journal names.
            same.map_or(0, |(_, length)| *length)
        };
        (began, Mark { lengths: outputs.iter().map(length).collect(), ..mark })
    }

    /// What a report may take the place of, where that was kept.
    pub(super) fn replaces(&self, path: &Path) -> Option<Vec<Stamp>> {
        let output = self.journal.outputs.iter().find(|output| place(&output.path) == place(path));
        output.and_then(|output| output.replaces.clone())
    }

    /// What rows were named by so far, and are from now on.
    pub(super) fn wordlists(&self, now: &str) -> Vec<String> {
        with(&self.journal.wordlists, now)
    }

    /// How much servers were asked so far, and are from now on.
    pub(super) fn depths(&self, now: &str) -> Vec<String> {
        with(&self.journal.depths, now)
    }

    /// Whether targets are to come from where they came at first.
    pub(super) fn has_targets_of_old(&self, args: &ScanArgs) -> bool {
        let now: Vec<_> = args.targets.iter().map(String::as_str).collect();
        self.journal.command.get("targets").is_some_and(|then| then.iter().eq(now))
    }

    /// Whether rows are laid out as they were; no file may hold rows of two kinds.
    pub(super) fn is_laid_out_so(&self, now: &str) -> Result<(), Failure> {
        let told =
            |layout: &str| if layout.is_empty() { "the usual columns and CSV".to_owned() } else { layout.to_owned() };
        let then = &self.journal.layout;
        if then == now {
            return Ok(());
        }
        Err(self.refuse(&format!("its rows have {}, and cannot go on with {}", told(then), told(now))))
    }

    /// The settings, of which some cannot be others than at first.
    pub(super) fn settle(&self, config: Config) -> Result<Config, Failure> {
        match self.journal.contradiction(&config) {
            Some(words) => Err(self.refuse(&words)),
            None => Ok(Config { seed: Some(self.journal.seed), ..config }),
        }
    }

    /// The scan, if it is the one that was left.
    pub(super) fn check(&self, scan: Result<Scan, Error>) -> Result<Scan, Failure> {
        match scan {
            Ok(scan) if self.journal.is_of(&scan.digest()) => Ok(scan),
            Ok(_) | Err(Error::Checkpoint) => Err(self.refuse(&self.other_targets())),
            Err(Error::DamagedCheckpoint) => {
                let words =
                    "it contradicts itself: it is damaged, or was changed; restore it, or begin anew (--overwrite)";
                Err(self.refuse(words))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn other_targets(&self) -> String {
        let values = |name: &str| self.journal.command.get(name).into_iter().flatten();
        let lists = values("targets").filter_map(|target| target.strip_prefix('@'));
        let lists: Vec<_> = lists.chain(values("exclude_file").map(String::as_str)).collect();
        let words = "the targets, ports or exclusions are others than those that it began with";
        if lists.is_empty() { words.to_owned() } else { format!("{words}: has a list changed ({})?", lists.join(", ")) }
    }

    fn refuse(&self, words: &str) -> Failure {
        Failure::usage(format!("cannot go on from {}: {words}", self.path.display()))
    }
}
/// What was, each once, and what is now.
fn with(before: &[String], now: &str) -> Vec<String> {
    before.iter().filter(|before| *before != now).cloned().chain([now.to_owned()]).collect()
}
