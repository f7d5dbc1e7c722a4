//! The journal of a scan: what lets a stopped scan go on without losing or repeating a row.
//!
//! It is a small JSON file beside the first output. It says what was asked for, how far the order has been taken
//! ([`Checkpoint`]: the low-water mark and what above it is unfinished), and how long each output was at that very
//! moment. What an output holds beyond its mark was not yet safe, and is cut off by the run that goes on. Lengths and
//! checkpoint are worth nothing apart, which is why they travel as one [`Mark`].

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ledger::Checkpoint;
use crate::observation::{Fronting, Observation, Severity};
use crate::output::hex;
use crate::output::replace;
use crate::{Config, Outcome};

/// What an unfinished scan is, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The way in which this is written, and rows are: [`Journal::VERSION`].
    #[serde(rename = "hailer_journal")]
    pub version: u32,
    /// The program that wrote it.
    pub hailer: String,
    /// When the scan began, however many runs ago (RFC 3339).
    pub began: String,
    /// [`crate::Scan::digest`] in hexadecimal digits.
    pub digest: String,
    /// What the order is derived from.
    pub seed: u64,
    /// Which part of the targets, as `3/16`.
    pub shard: String,
    /// Whether every endpoint has its row.
    pub all: bool,
    /// How rows are laid out where it is not as usual: the profile of CSV, what stands between its cells, which columns
    /// there are. Earlier versions knew no other layout.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub layout: String,
    /// The command line: the values of each option that was given, by its name. Paths are absolute.
    pub command: BTreeMap<String, Vec<String>>,
    /// [`crate::classify::Classifier::digest`] of what rows were named by, in hexadecimal digits: those of all runs, each
    /// once, the last run's last. Earlier versions did not keep them.
    #[serde(default)]
    pub wordlists: Vec<String>,
    /// How much servers were asked ([`crate::config::Depth::as_str`]): in all runs, each once, the last run's last. Earlier versions
    /// did not keep it.
    #[serde(default)]
    pub depths: Vec<String>,
    /// Whether the outputs, and what lies beside them, are still those of scans before, and are to go before anything is
    /// sent. Earlier versions had them gone before there was a journal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub takes_over: bool,
    /// The regular files that rows go to.
    pub outputs: Vec<Recorded>,
    /// How far it is.
    pub mark: Mark,
}

/// A file that rows go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// [`crate::output::Format::as_str`].
    pub format: String,
    /// What is made of all rows takes the place of these and of no other file: of what was there when the scan began, and of
    /// what the scan put there itself. Earlier versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Vec<Stamp>>,
}

/// By what a file is known again to which nobody has written since, also on a disk that is another device by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    bytes: u64,
    /// Since 1970, in seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    /// That of a file.
    pub fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

/// How far a scan was at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How long each output was, in the order of [`Journal::outputs`].
    pub lengths: Vec<u64>,
    /// How much time all runs have taken so far.
    pub elapsed: Duration,
    /// What has been written by all runs.
    pub tally: Tally,
    /// What is done.
    pub checkpoint: Checkpoint,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many rows.
    pub rows: u64,
    /// How many rows of those that greeted named no software.
    pub unnamed: u64,
    /// How many rows named which software.
    pub software: BTreeMap<Arc<str>, u64>,
    /// How many rows came to which verdict on what stands in front; earlier versions did not count them.
    #[serde(default)]
    pub fronting: BTreeMap<Arc<str>, u64>,
    /// How many rows named what stands in front.
    #[serde(default)]
    pub fronts: BTreeMap<Arc<str>, u64>,
    /// How many rows have a worst finding of which severity; earlier versions did not count them.
    #[serde(default)]
    pub severities: BTreeMap<Arc<str>, u64>,
}

/// What is counted of one row.
#[derive(Debug, Clone, Copy)]
pub struct Tallied<'a> {
    /// How far the probe got.
    pub outcome: Outcome,
    /// What answered.
    pub software: Option<&'a str>,
    /// Whether something stands in front.
    pub fronting: Option<Fronting>,
    /// What that is.
    pub front: Option<&'a str>,
    /// How bad the worst finding is.
    pub severity: Option<Severity>,
}

impl Tally {
    /// The name under which rows are counted that name more than are told apart.
    pub const OTHERS: &str = "(others)";

    /// So many names are told apart. The wordlists have some hundreds; rows that are read back may say anything.
    const MAX_NAMES: usize = 4096;

    /// One more row.
    pub fn count(&mut self, row: &Observation) {
        let software = row.software.as_ref().map(|software| &*software.name);
        let severity = row.findings.iter().map(|finding| finding.severity).max();
        let (outcome, fronting, front) = (row.outcome, row.fronting, row.front());
        self.add(Tallied { outcome, software, fronting, front, severity });
    }

    /// The same of a row that is known by its cells.
    pub fn add(&mut self, row: Tallied<'_>) {
        match row.software {
            Some(name) => increment(&mut self.software, name),
            None if row.outcome == Outcome::Greeted => self.unnamed = self.unnamed.saturating_add(1),
            None => {}
        }
        if let Some(fronting) = row.fronting {
            increment(&mut self.fronting, fronting.as_str());
        }
        if let Some(front) = row.front {
            increment(&mut self.fronts, front);
        }
        if let Some(severity) = row.severity {
            increment(&mut self.severities, severity.as_str());
        }
        self.rows = self.rows.saturating_add(1);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn increment(counts: &mut BTreeMap<Arc<str>, u64>, name: &str) {
    let is_full = counts.len() >= Tally::MAX_NAMES;
    if let Some(count) = counts.get_mut(name) {
        // It may go on from what a file said.
        *count = count.saturating_add(1);
    } else if is_full {
        let others = counts.entry(Tally::OTHERS.into()).or_default();
        *others = others.saturating_add(1);
    } else {
        counts.insert(name.into(), 1);
    }
}

/// Why a file is no journal to go on from.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read.
    #[error("{0}")]
    Io(io::Error),
    /// It ends before it should.
    #[error("it is torn: it ends in the middle")]
    Torn,
    /// It is something else.
    #[error("it is not a journal of hailer: {0}")]
    NotAJournal(String),
    /// It is written in a way that this program does not know.
    #[error("it is of version {0}, and this hailer knows version {known}: go on with the one that began", known = Journal::VERSION)]
    Version(u64),
}

impl Journal {
    /// To be raised whenever a journal says something else, a position of the order becomes another endpoint, or a row
    /// has other columns: no file may hold rows of two kinds.
    pub const VERSION: u32 = 1;

    /// Reads a journal.
    ///
    /// # Errors
    /// Where it is none that can be gone on from.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        Self::parse(&std::fs::read(path).map_err(JournalError::Io)?)
    }

    /// Reads a journal's content.
    ///
    /// # Errors
    /// Where it is none that can be gone on from.
    pub fn parse(content: &[u8]) -> Result<Self, JournalError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            hailer_journal: u64,
        }
        let refuse = |error: serde_json::Error| {
            if error.is_eof() { JournalError::Torn } else { JournalError::NotAJournal(error.to_string()) }
        };
        let Head { hailer_journal } = serde_json::from_slice(content).map_err(refuse)?;
        if hailer_journal != u64::from(Self::VERSION) {
            return Err(JournalError::Version(hailer_journal));
        }
        let journal: Self = serde_json::from_slice(content).map_err(refuse)?;
        if journal.outputs.is_empty() || journal.outputs.len() != journal.mark.lengths.len() {
            return Err(JournalError::NotAJournal("it does not say how long each output was".into()));
        }
        Ok(journal)
    }

    /// What the file holds.
    ///
    /// # Errors
    /// Where a path is not UTF-8.
    pub fn content(&self) -> io::Result<Vec<u8>> {
        let mut content = serde_json::to_vec(self)?;
        content.push(b'\n');
        Ok(content)
    }

    /// Writes it in the place of the one before, whole or not at all, and sees it onto the disk.
    ///
    /// # Errors
    /// Where it cannot be; the one before is there still.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        replace(path, &self.content()?)
    }

    /// What of its settings cannot be as `config` has it; none where nothing stands against it.
    pub fn contradiction(&self, config: &Config) -> Option<String> {
        let changed = |what: &str, then: &str, now: &str| Some(format!("its {what} is {then} and cannot become {now}"));
        if let Some(seed) = config.seed.filter(|seed| *seed != self.seed) {
            changed("seed", &self.seed.to_string(), &seed.to_string())
        } else if config.shard.to_string() != self.shard {
            changed("shard", &self.shard, &config.shard.to_string())
        } else if config.all != self.all {
            Some(if config.all { "it began without --all" } else { "it began with --all" }.into())
        } else {
            None
        }
    }

    /// Whether it is that of the scan with this digest.
    pub fn is_of(&self, digest: &[u8; 32]) -> bool {
        hex(digest) == self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        Journal {
            version: Journal::VERSION,
            hailer: "0.1.0".into(),
            began: "2025-07-27T07:06:40Z".into(),
            digest: hex(&[7; 32]),
            seed: u64::MAX,
            shard: "3/16".into(),
            all: false,
            layout: String::new(),
            command: BTreeMap::from([("targets".into(), vec!["10.0.0.0/16".into(), "@/nets.txt".into()])]),
            wordlists: vec![hex(&[8; 32])],
            depths: vec!["tls".to_owned()],
            takes_over: false,
            outputs: vec![Recorded { path: "/rows.csv".into(), format: "csv".into(), replaces: None }],
            mark: Mark { lengths: vec![417], elapsed: Duration::from_millis(1500), ..Mark::default() },
        }
    }

    fn refusal(content: &[u8]) -> String {
        Journal::parse(content).expect_err("it should be refused").to_string()
    }

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv.hailer");
        journal().write(&path).unwrap();
        assert_eq!(Journal::read(&path).unwrap(), journal());
        assert!(matches!(Journal::read(&folder.path().join("nosuch")), Err(JournalError::Io(_))));
    }

    #[test]
    fn what_is_no_journal_is_refused_in_words() {
        let content = journal().content().unwrap();
        for end in 0..content.len() - 2 {
            assert!(refusal(&content[..end]).starts_with("it is torn"), "{end}");
        }
        for other in ["{}", "time,name,ip\n", "[1]", "{\"hailer_journal\":1}", "{\"hailer_journal\":\"x\"}"] {
            assert!(refusal(other.as_bytes()).starts_with("it is not a journal of hailer"), "{other}");
        }
        let next = Journal { version: 2, ..journal() }.content().unwrap();
        assert!(refusal(&next).starts_with("it is of version 2, and this hailer knows version 1"));
        assert!(refusal(b"{\"hailer_journal\":9,\"new\":{}}").starts_with("it is of version 9"));
        let mut unmarked = journal();
        unmarked.mark.lengths.clear();
        assert!(refusal(&unmarked.content().unwrap()).contains("how long each output was"));
    }

    #[test]
    fn a_tally_of_before_fronting_was_counted_is_gone_on_from() {
        let mut content: serde_json::Value = serde_json::from_slice(&journal().content().unwrap()).unwrap();
        let tally = content["mark"]["tally"].as_object_mut().unwrap();
        for key in ["fronting", "fronts", "severities"] {
            assert!(tally.remove(key).is_some());
        }
        let mut tally = Journal::parse(content.to_string().as_bytes()).unwrap().mark.tally;
        let fronting = Some(Fronting::Likely);
        for front in [Some("nginx"), None] {
            tally.add(Tallied {
                outcome: Outcome::Greeted,
                software: None,
                fronting,
                front,
                severity: Some(Severity::Low),
            });
        }
        assert_eq!((tally.fronting["likely"], tally.fronts["nginx"], tally.unnamed, tally.rows), (2, 1, 2, 2));
        assert_eq!(tally.severities["low"], 2);
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut tally = Tally::default();
        for number in 0..2 * Tally::MAX_NAMES {
            let name = number.to_string();
            tally.add(Tallied {
                outcome: Outcome::Greeted,
                software: Some(&name),
                fronting: None,
                front: Some(&name),
                severity: None,
            });
        }
        let others = u64::try_from(Tally::MAX_NAMES).unwrap();
        for counts in [&tally.software, &tally.fronts] {
            assert_eq!((counts.len(), counts[Tally::OTHERS]), (Tally::MAX_NAMES + 1, others));
        }
    }

    #[test]
    fn what_cannot_change_is_named() {
        let config = |seed, shard: &str, all| Config { seed, shard: shard.parse().unwrap(), all, ..Config::default() };
        let table = [
            (config(None, "3/16", false), None),
            (config(Some(u64::MAX), "3/16", false), None),
            (config(Some(8), "3/16", false), Some("its seed is 18446744073709551615 and cannot become 8")),
            (config(None, "1/1", false), Some("its shard is 3/16 and cannot become 1/1")),
            (config(None, "3/16", true), Some("it began without --all")),
        ];
        for (config, expected) in table {
            assert_eq!(journal().contradiction(&config).as_deref(), expected);
        }
        assert!(journal().is_of(&[7; 32]) && !journal().is_of(&[8; 32]));
    }
}
