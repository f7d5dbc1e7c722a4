//! The manifest: what a finished scan was and what came of it, for whoever has to prove it later.

mod middlebox;
pub mod scope;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::config::scan_digest;
use crate::output::hex;
use crate::output::replace;
use crate::schedule::{Learnt, Shard, ShardError, Slowed};
use crate::stats::Stats;

pub use self::middlebox::{Middlebox, Middleboxes, Share};
pub use self::scope::Scope;
pub use self::settings::Settings;

/// What a finished scan was and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The way in which this is written.
    #[serde(rename = "hailer_manifest")]
    pub version: u32,
    /// The version of the schema of its rows: [`crate::output::schema::SCHEMA_VERSION`]; 0 from before there was one.
    #[serde(default)]
    pub schema_version: u32,
    /// The program.
    pub hailer: String,
    /// The command line, over all runs.
    pub command_line: Vec<String>,
    /// Whom to ask about the scan.
    pub contact: Option<String>,
    /// When the first run began (RFC 3339).
    pub began: String,
    /// When the last one ended.
    pub ended: String,
    /// How much time all runs took.
    pub seconds: f64,
    /// What the order is derived from.
    pub seed: u64,
    /// Which part of the targets, as `3/16`.
    pub shard: String,
    /// [`crate::Scan::digest`], in hexadecimal digits.
    pub configuration_digest: String,
    /// [`crate::Targets::digest`], in hexadecimal digits.
    pub targets_digest: String,
    /// The settings of the last run.
    pub configuration: Settings,
    /// What was asked, by all shards together; earlier versions did not tell.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// The columns and keys that its rows have, where they were chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The parts that were joined, where this is of a whole that was joined of parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
    /// How many endpoints there were.
    pub endpoints: Endpoints,
    /// How many probes ended how.
    pub outcomes: BTreeMap<String, u64>,
    /// The same for each port.
    pub ports: BTreeMap<u16, BTreeMap<String, u64>>,
    /// What came of the canaries, where there were some.
    pub canaries: Option<Canaries>,
    /// What came of trying again where packets may have been lost, if that was done.
    #[serde(default)]
    pub retried: Option<RetriedEndpoints>,
    /// What the last run learnt of how long answers take, if it was to.
    #[serde(default)]
    pub connect_timeout: Option<ConnectTimeout>,
    /// The networks that told the last run to go easier.
    pub slowed: SlowedDown,
    /// How many rows came to which verdict on what stands in front of a server, over all runs.
    #[serde(default)]
    pub fronting: BTreeMap<String, u64>,
    /// How many rows named what stands there.
    #[serde(default)]
    pub fronts: BTreeMap<String, u64>,
    /// What answered in the last run in the place of servers.
    #[serde(default)]
    pub middleboxes: Middleboxes,
    /// The files that the rows are in.
    pub outputs: Vec<Output>,
}

/// How many endpoints there were, of the shard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Endpoints {
    /// In all; one that is reached by a name counts once.
    pub total: u64,
    /// Of which something is known.
    pub done: u64,
    /// That this machine could not try: those with a row whose outcome is `local_error`.
    pub not_done: u64,
    /// What part of all is done: 1 where nothing is missing.
    pub coverage: f64,
}

/// How many endpoints were tried again because packets may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedEndpoints {
    /// In all.
    pub endpoints: u64,
    /// Those of them that answered in the end.
    pub answered: u64,
}

/// [`Learnt`], as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ConnectTimeout {
    /// How long connections were waited for in the end.
    pub ms: f64,
    /// From how many answers that was learnt.
    pub answers: u64,
    /// Within what time 99.9 % of them came.
    pub most_ms: f64,
    /// How many answers came from endpoints that kept the full time.
    pub sampled: u64,
    /// How many of these came too late for all others.
    pub late: u64,
    /// About how many endpoints answered too late, by what those say.
    pub missed: u64,
}

/// How many probes of canaries, which are known to answer, were lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Canaries {
    /// How often they were hailed.
    pub hailed: u64,
    /// How often in vain.
    pub failed: u64,
    /// What that says about the path to them. It says nothing about other paths.
    pub loss_on_the_canary_path: Interval,
}

/// A proportion, and between which bounds it lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// What was seen.
    pub rate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// [`Slowed`], as text and numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowedDown {
    /// How many networks.
    pub networks: u64,
    /// Those that came down furthest, with the least rate each had.
    pub slowest: Vec<(String, String)>,
}

/// A file with rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Where it was written, absolute.
    pub path: PathBuf,
    /// [`crate::output::Format::as_str`].
    pub format: String,
    /// How many rows are in it.
    pub rows: u64,
    /// How long it is.
    pub bytes: u64,
    /// The SHA-256 of all of it, in hexadecimal digits.
    pub sha256: String,
}

/// What a whole was joined of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Each part, in the order of the shards.
    pub parts: Vec<Part>,
    /// The shards that are not in it, as `3/16`.
    pub missing: Vec<String>,
    /// The command line of a scan that made a part.
    #[serde(default)]
    pub command_line: Vec<String>,
}

/// A part of a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which shard it is.
    pub shard: String,
    /// When its scan began.
    pub began: String,
    /// When its scan ended.
    pub ended: String,
    /// The file that its rows were read from.
    pub output: Output,
}

impl Manifest {
    /// To be raised whenever a manifest says something else.
    pub const VERSION: u32 = 1;

    /// Reads one.
    ///
    /// # Errors
    /// Where it cannot be read, or is none that this version knows.
    pub fn read(path: &Path) -> io::Result<Self> {
        let invalid = |words: String| io::Error::new(io::ErrorKind::InvalidData, words);
        let manifest: Self =
            serde_json::from_slice(&std::fs::read(path)?).map_err(|cause| invalid(cause.to_string()))?;
        if manifest.version > Self::VERSION {
            let (found, known) = (manifest.version, Self::VERSION);
            return Err(invalid(format!("it is of version {found}, and this hailer knows up to {known}")));
        }
        Ok(manifest)
    }

    /// The command line of a scan: its own, or where it is of a whole, that of a part.
    pub fn scan_command_line(&self) -> &[String] {
        self.joined.as_ref().map_or(&self.command_line, |joined| &joined.command_line)
    }

    /// The shards that it tells of: one of a scan, any number of what was joined in part.
    ///
    /// # Errors
    /// Where what stands there is no shard.
    pub fn shards(&self) -> Result<Vec<Shard>, ShardError> {
        self.shard.split(',').map(str::parse).collect()
    }

    /// What its configuration digest has to be: of a single shard that of its scan, of several that of the whole. None where
    /// its digest of targets, or what stands for its shards, is none.
    pub fn proper_digest(&self) -> Option<String> {
        let shards = self.shards().ok()?;
        let shard = if let [shard] = *shards { shard } else { Shard::WHOLE };
        let targets = unhex(&self.targets_digest)?;
        Some(hex(&scan_digest(&targets, self.seed, shard, self.configuration.all)))
    }

    /// Writes it in the place of the one before, whole or not at all, and sees it onto the disk.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut content = serde_json::to_vec_pretty(self)?;
        content.push(b'\n');
        replace(path, &content)
    }
}

impl Endpoints {
    /// What the counts of a scan say.
    pub fn new(stats: &Stats) -> Self {
        let (total, not_done) = (stats.total(), stats.missed());
        Self::of(total, stats.done().saturating_sub(not_done), not_done)
    }

    /// So many.
    pub(crate) fn of(total: u64, done: u64, not_done: u64) -> Self {
        Self { total, done, not_done, coverage: share(done, total) }
    }
}

impl RetriedEndpoints {
    /// What the counts say; nothing where there were none.
    pub fn new((endpoints, answered): (u64, u64)) -> Option<Self> {
        (endpoints > 0).then_some(Self { endpoints, answered })
    }
}

impl From<Learnt> for ConnectTimeout {
    fn from(learnt: Learnt) -> Self {
        let Learnt { answers, most, timeout, sampled, late } = learnt;
        let [ms, most_ms] = [timeout, most].map(|time| time.as_secs_f64() * 1e3);
        Self { ms, answers, most_ms, sampled, late, missed: learnt.missed() }
    }
}

impl Canaries {
    /// What came of so many hails; nothing where there were none.
    pub fn new((hailed, failed): (u64, u64)) -> Option<Self> {
        Some(Self { hailed, failed, loss_on_the_canary_path: Interval::wilson(failed, hailed)? })
    }
}

impl fmt::Display for Canaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hailed, failed, loss_on_the_canary_path: Interval { rate, low, high } } = self;
        let [rate, low, high] = [rate, low, high].map(|share| share * 100.0);
        write!(
            f,
            "{failed} of {hailed} hails of canaries failed: {rate:.1} % loss on the canary's path (95 %: {low:.1} to {high:.1} %)"
        )
    }
}

impl Interval {
    /// The 97.5th percentile of the normal distribution: 95 % lie within as much to either side.
    const Z: f64 = 1.959_964;

    /// Wilson's score interval (J. Am. Stat. Assoc. 22, 1927) of `count` in `of`: unlike the usual one it says something
    /// where nothing, or everything, was seen. None of nothing.
    ///
    /// ```
    /// use hailer::manifest::Interval;
    ///
    /// let none_of_ten = Interval::wilson(0, 10).unwrap();
    /// assert!(none_of_ten.low == 0.0 && (none_of_ten.high - 0.2775).abs() < 1e-4);
    /// ```
    pub fn wilson(count: u64, of: u64) -> Option<Self> {
        // More hails than 2^32 are not made, and would narrow the interval no further.
        let number = |count| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
        let (count, of) = (number(count.min(of)), number(of));
        if of == 0.0 {
            return None;
        }
        let (rate, z2) = (count / of, Self::Z * Self::Z);
        let middle = rate + z2 / (2.0 * of);
        let half = Self::Z * (rate * (1.0 - rate) / of + z2 / (4.0 * of * of)).sqrt();
        let bound = |bound: f64| (bound / (1.0 + z2 / of)).clamp(0.0, 1.0);
        // At the ends rounding would leave a trace of what is nothing, or all.
        let low = if count == 0.0 { 0.0 } else { bound(middle - half) };
        let high = if count < of { bound(middle + half) } else { 1.0 };
        Some(Self { rate, low, high })
    }
}

impl From<Slowed> for SlowedDown {
    fn from(Slowed { networks, slowest }: Slowed) -> Self {
        let slowest = slowest.iter().map(|(network, rate)| (network.to_string(), rate.to_string())).collect();
        Self { networks, slowest }
    }
}

impl Output {
    /// Reads a file back, to be sure of what is in it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path, format: &str, rows: u64) -> io::Result<Self> {
        let cannot_read =
            |cause: io::Error| io::Error::new(cause.kind(), format!("cannot read {} back: {cause}", path.display()));
        let mut file = File::open(path).map_err(cannot_read)?;
        // By ring, which needs less time for it where the processor has no instruction: rows behind TLS are long.
        let (mut hash, mut bytes, mut chunk) = (digest::Context::new(&digest::SHA256), 0u64, vec![0; 1 << 16]);
        loop {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    hash.update(&chunk[..count]);
                    bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot_read(error)),
            }
        }
        let sha256 = hex(hash.finish().as_ref());
        Ok(Self { path: path.to_owned(), format: format.to_owned(), rows, bytes, sha256 })
    }
}

/// The counts of a scan by outcome, over all and by port; only what there was.
pub fn counts(stats: &Stats) -> (BTreeMap<String, u64>, BTreeMap<u16, BTreeMap<String, u64>>) {
    let counted = |counts: &mut dyn Iterator<Item = (Outcome, u64)>| -> BTreeMap<_, _> {
        counts.filter(|(_, count)| *count > 0).map(|(outcome, count)| (outcome.to_string(), count)).collect()
    };
    let overall = counted(&mut Outcome::ALL.into_iter().map(|outcome| (outcome, stats.outcome(outcome))));
    let ports = stats.ports().map(|(port, counts)| (port, counted(&mut counts.into_iter())));
    (overall, ports.filter(|(_, counts)| !counts.is_empty()).collect())
}

/// Thirty-two bytes from their hexadecimal digits.
fn unhex(digits: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<Vec<_>>>()?.try_into().ok().filter(|_| rest.is_empty())
}

/// What part of the whole that is, to a millionth and rounded down: 1 means all.
fn share(part: u64, whole: u64) -> f64 {
    let millionths = (u128::from(part) * 1_000_000).checked_div(u128::from(whole)).unwrap_or(1_000_000);
    u32::try_from(millionths).map_or(1.0, |millionths| f64::from(millionths) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values of the score interval without continuity correction.
    #[test]
    fn wilson_intervals() {
        let table = [
            ((0, 10), (0.0, 0.0, 0.277_533)),
            ((10, 10), (1.0, 0.722_467, 1.0)),
            ((5, 100), (0.05, 0.021_543, 0.111_751)),
            ((1, 10), (0.1, 0.017_876, 0.404_150)),
            ((50, 100), (0.5, 0.403_832, 0.596_168)),
            ((0, 1), (0.0, 0.0, 0.793_450)),
            ((81, 263), (0.307_985, 0.255_289, 0.366_210)),
        ];
        for ((count, of), (rate, low, high)) in table {
            let found = Interval::wilson(count, of).unwrap();
            for (found, expected) in [(found.rate, rate), (found.low, low), (found.high, high)] {
                assert!((found - expected).abs() < 5e-6, "{count}/{of}: {found} should be {expected}");
            }
        }
        assert_eq!(Interval::wilson(0, 0), None);
    }

    #[test]
    fn shares_are_one_only_of_all() {
        assert!(share(999_999_999, 1_000_000_000) < 1.0);
        for (part, whole, expected) in [(1, 2, 0.5), (7, 7, 1.0), (0, 9, 0.0), (0, 0, 1.0)] {
            assert!((share(part, whole) - expected).abs() < 1e-9, "{part}/{whole}");
        }
    }

    #[test]
    fn canaries_in_words() {
        let words = Canaries::new((100, 5)).unwrap().to_string();
        assert_eq!(words, "5 of 100 hails of canaries failed: 5.0 % loss on the canary's path (95 %: 2.2 to 11.2 %)");
        assert_eq!(Canaries::new((0, 0)), None);
    }

    #[test]
    fn an_output_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "abc").unwrap();
        let output = Output::read(&path, "csv", 1).unwrap();
        // FIPS 180-2, appendix B.1.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((output.bytes, output.sha256.as_str()), (3, sha256));
        assert!(Output::read(folder.path(), "csv", 1).is_err());
    }
}
