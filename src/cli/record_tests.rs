//! Kills and losses of power at every instant: real scans of this machine, recorded on a disk that loses what it was not
//! told to keep.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard};

use hailer::output::hex;
use hailer::output::{Format, Marked, RowSink, Target};
use hailer::{Config, Family, Journal, Limit, Ports, Rate, Recorded, Scan, Targets};
use tokio::runtime::Runtime;

use super::super::keeper::{Disk, keep};
use super::*;

const FORMATS: [Format; 2] = [Format::Csv, Format::Ndjson];

/// Nothing listens on port 1, so that every row comes at once; some milliseconds of them.
const TARGETS: &str = "127.0.0.0/25:1=ftp";
const ENDPOINTS: usize = 128;
const RATE: f64 = 8000.0;

/// More steps than a whole scan takes, so that some trials begin with one that nothing befalls.
const STEPS: u64 = 250;

/// How a run ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The program is gone, and what it wrote stays.
    Kill,
    /// So is what was not seen onto the disk, or some of it.
    PowerCut,
}

/// The disk, as all who write to it share it.
#[derive(Debug, Clone)]
struct Fake(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: [File; 2],
    journal: Kept,
    /// Whether it does what it is told when it is told to sync.
    is_honest: bool,
    /// What is done until the blow; then nothing is any more.
    steps: u64,
    random: Random,
}

#[derive(Debug, Default)]
struct File {
    seen: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Debug, Default)]
struct Kept {
    seen: Option<Vec<u8>>,
    synced: Option<Vec<u8>>,
}

/// Numbers that look random (Steele, Lea, Flood 2014: `SplitMix`).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn toss(&mut self) -> bool {
        self.below(2) == 0
    }
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| io::Error::other("the power is gone"))?;
        Ok(())
    }

    /// What is there when the machine is up again.
    fn survive(&mut self, blow: Blow) {
        if blow == Blow::Kill {
            return;
        }
        for file in &mut self.files {
            if self.random.toss() {
                file.seen.clone_from(&file.synced);
            } else {
                // Some of what was not synced, and a block that was never filled.
                let least = file.seen.len().min(file.synced.len());
                file.seen.truncate(least + self.random.below(file.seen.len() - least + 1));
                file.seen.extend(vec![0; self.random.below(2) * self.random.below(600)]);
            }
            file.synced.clone_from(&file.seen);
        }
        if self.random.toss() {
            self.journal.seen.clone_from(&self.journal.synced);
        }
        self.journal.synced.clone_from(&self.journal.seen);
    }
}

impl Fake {
    fn new(seed: u64, is_honest: bool) -> Self {
        let (files, journal) = Default::default();
        Self(Arc::new(Mutex::new(State { files, journal, is_honest, steps: 0, random: Random(seed) })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Disk for Fake {
    fn sync(&mut self, _: &Mark) -> io::Result<()> {
        for file in 0..FORMATS.len() {
            let mut state = self.state();
            state.step()?;
            if state.is_honest {
                let file = &mut state.files[file];
                file.synced.clone_from(&file.seen);
            }
        }
        Ok(())
    }

    fn write(&mut self, journal: &Journal) -> io::Result<()> {
        // Under another name, and that synced.
        self.state().step()?;
        self.state().step()?;
        let mut state = self.state();
        state.step()?;
        state.journal.seen = Some(journal.content()?);
        drop(state);
        let mut state = self.state();
        state.step()?;
        state.journal.synced = state.journal.seen.clone();
        Ok(())
    }
}

/// One of the two outputs.
struct Output(Fake, usize);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        state.step()?;
        let len = bytes.len().min(1 + state.random.below(900));
        state.files[self.1].seen.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Output {
    fn cut(&mut self, len: u64) -> io::Result<bool> {
        let mut state = self.0.state();
        state.step()?;
        state.files[self.1].seen.truncate(usize::try_from(len).unwrap());
        Ok(true)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scan(from: Checkpoint) -> Scan {
    let mut targets = Targets::builder();
    targets.add(TARGETS).unwrap();
    let config = Config {
        all: true,
        seed: Some(7),
        rate: Rate::per_second(RATE).map(Limit::Rate),
        concurrency: NonZeroUsize::new(16),
        ..Config::default()
    };
    let targets = targets.build(&Ports::default(), Family::Any).unwrap();
    Scan::builder().targets(targets).config(config).resume(from).build().unwrap()
}

fn first_journal(scan: &Scan) -> Journal {
    Journal {
        version: Journal::VERSION,
        hailer: String::new(),
        began: String::new(),
        digest: hex(&scan.digest()),
        seed: 7,
        shard: "1/1".into(),
        all: true,
        layout: String::new(),
        command: BTreeMap::new(),
        wordlists: Vec::new(),
        depths: Vec::new(),
        takes_over: false,
        outputs: FORMATS
            .map(|format| Recorded { path: "/".into(), format: format.as_str().into(), replaces: None })
            .into(),
        mark: Mark { lengths: vec![0; FORMATS.len()], ..Mark::default() },
    }
}

/// One run, from what the disk holds.
///
/// # Errors
/// Where that is not as the journal says.
fn run(disk: &Fake, runtime: &Runtime) -> Result<Written, String> {
    let left = disk.state().journal.seen.clone();
    let left = left.map(|content| Journal::parse(&content).map_err(|error| error.to_string())).transpose()?;
    let scan = scan(left.as_ref().map(|journal| journal.mark.checkpoint.clone()).unwrap_or_default());
    let mut journal = left.unwrap_or_else(|| first_journal(&scan));
    let marks = journal.mark.lengths.clone();
    let mut files: Vec<Box<dyn Marked>> = Vec::new();
    for (file, (format, mark)) in FORMATS.into_iter().zip(marks).enumerate() {
        let len = usize::try_from(mark).unwrap();
        let seen = &mut disk.state().files[file].seen;
        if seen.len() < len || len > 0 && seen[len - 1] != b'\n' {
            return Err(format!("{format:?} holds {} bytes, and its mark is {len}", seen.len()));
        }
        seen.truncate(len);
        files.push(Box::new(RowSink::onto(format, "rows", Output(disk.clone(), file), mark)));
    }
    let outputs = Outputs::new(files, Vec::new());
    let before = journal.mark.clone();
    let begun = keep(&mut disk.clone(), &mut journal, before.clone());
    let begun = begun.and_then(|()| Keeper::start(disk.clone(), journal));
    let keeper = match begun {
        Ok(keeper) => keeper,
        Err(error) => return Ok(Written { tally: Tally::default(), elapsed: Duration::ZERO, result: Err(error) }),
    };
    let mut record = Record::new(outputs, Some(keeper), &before);
    record.mark_every = Duration::ZERO;
    let _context = runtime.enter();
    Ok(record_all(scan.run(), record, runtime.handle(), &Notify::new()))
}

/// Whether every endpoint has one row in each output.
fn check(disk: &Fake) -> Result<(), String> {
    for (file, format) in disk.state().files.iter().zip(FORMATS) {
        let text = std::str::from_utf8(&file.seen).map_err(|error| error.to_string())?;
        let mut rows = BTreeMap::<_, u32>::new();
        for line in text.lines().skip(usize::from(format == Format::Csv)) {
            let address = line.split([',', '"']).find(|word| word.starts_with("127.0.0."));
            *rows.entry(address.ok_or_else(|| format!("torn: {line}"))?.to_owned()).or_default() += 1;
        }
        if rows.len() != ENDPOINTS || rows.values().any(|count| *count != 1) {
            return Err(format!("{format:?} has rows of {} endpoints: {rows:?}", rows.len()));
        }
    }
    Ok(())
}

/// A scan that is struck again and again, until it is done.
fn trial(seed: u64, is_honest: bool, runtime: &Runtime) -> Result<(), String> {
    let disk = Fake::new(seed, is_honest);
    let mut random = Random(!seed);
    // After some blows it is left in peace; a scan could not be done in fewer steps than the first mark takes.
    for blows in 0.. {
        let blow = if random.toss() { Blow::Kill } else { Blow::PowerCut };
        let steps = u64::try_from(random.below(usize::try_from(STEPS).unwrap())).unwrap();
        disk.state().steps = if blows < 6 { steps } else { u64::MAX };
        let written = run(&disk, runtime)?;
        if written.result.is_ok() {
            assert_eq!(usize::try_from(written.tally.rows).unwrap(), ENDPOINTS, "the count over all runs");
            return check(&disk);
        }
        disk.state().survive(blow);
    }
    unreachable!("left in peace, it is done")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn rows_are_exactly_once_after_kills_and_power_cuts() {
    let runtime = runtime();
    for seed in 0..150 {
        trial(seed, true, &runtime).unwrap_or_else(|words| panic!("seed {seed}: {words}"));
    }
}

/// That the test above would see it.
#[test]
fn a_disk_that_only_says_that_it_syncs_loses_rows() {
    let runtime = runtime();
    let lost = (0..40).find_map(|seed| trial(seed, false, &runtime).err());
    assert!(lost.is_some());
}
