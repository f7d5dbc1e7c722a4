//! What a scan keeps beside its first output: the journal as long as it is not done, the manifest when it is. Beside an
//! output that is made of all rows, it keeps those until that is done.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hailer::manifest::{Canaries, Endpoints, Manifest, Middleboxes, Output, RetriedEndpoints, Scope, Settings, counts};
use hailer::output::escape::escape;
use hailer::output::schema::SCHEMA_VERSION;
use hailer::output::{Report, Timestamp, replace, sync_folder};
use hailer::{Journal, NamesLog, Stats, Tally};
use nix::unistd::{AccessFlags, access};

use super::Failure;
use super::beside::{Beside, elsewhere, keep_from_others, place, pointed_to, report_of, rows_of};
use super::keeper::{Files, keep};
use super::outputs::Outputs;
use super::spool::Spool;

/// What is kept of one scan.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) beside: Beside,
    pub(super) journal: Journal,
    pub(super) is_resumed: bool,
    /// Whether there is one that this scan can be gone on from.
    pub(super) has_journal: bool,
    /// Targets that came from stdin in this run.
    pub(super) spool: Option<Spool>,
    pub(super) facts: Facts,
}

/// An output that is made of all rows.
#[derive(Debug)]
pub(super) struct MadeOfAll {
    pub(super) report: Report,
    pub(super) rows: PathBuf,
    pub(super) path: PathBuf,
}

/// What the manifest tells, beside what the journal knows.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) command_line: Vec<String>,
    pub(super) contact: Option<String>,
    pub(super) targets_digest: String,
    pub(super) settings: Settings,
    pub(super) scope: Scope,
    /// Those that were chosen.
    pub(super) columns: Vec<String>,
}

impl Kept {
    /// Takes the outputs over and keeps how far the scan is, before anything is sent, to an output or to the network. Whatever
    /// ends it half-way, either what was there before is there still, or a journal from which this scan goes on.
    pub(super) fn begin(
        &mut self,
        outputs: &mut Outputs,
        handles: Vec<File>,
        names: Option<NamesLog>,
    ) -> Result<Files, Failure> {
        let paths = self.journal.outputs.iter().map(rows_of);
        let mut disk = Files { outputs: paths.zip(handles).collect(), names, journal: self.beside.journal() };
        let mark = self.journal.mark.clone();
        let begun = self.take_over(outputs).and_then(|()| keep(&mut disk, &mut self.journal, mark));
        begun.and_then(|()| self.keep_from_others()).map(|()| disk).map_err(Failure::failed)
    }

    /// The command that goes on with the scan, and before that where rows are that nobody named.
    pub(super) fn go_on(&self) -> String {
        let output = self.beside.output().as_os_str();
        let shown = |path: &Path| escape(path.as_os_str().as_bytes());
        let kept = |report: &MadeOfAll| format!("the rows so far are in {}, as NDJSON\n", shown(&report.rows));
        let kept: String = self.reports().iter().map(kept).collect();
        format!("{kept}go on with: hailer scan --resume {}", super::demo::shown(output))
    }

    /// The outputs that are made of all rows, once they are there.
    pub(super) fn reports(&self) -> Vec<MadeOfAll> {
        let outputs = self.journal.outputs.iter();
        let made = |output| Some((report_of(output)?, output));
        outputs
            .filter_map(made)
            .map(|(report, output)| MadeOfAll { report, rows: rows_of(output), path: output.path.clone() })
            .collect()
    }

    /// Addresses that are ours.
    pub(super) fn our_addresses(&self) -> Vec<IpAddr> {
        self.facts.settings.our_addresses.iter().filter_map(|address| address.parse().ok()).collect()
    }

    /// What a reader of its rows is told that they come from.
    pub(super) fn source(&self) -> String {
        let manifest = self.beside.manifest();
        let manifest = manifest.file_name().unwrap_or_default().to_string_lossy();
        format!("a scan that began {}, of which {manifest} tells more", self.journal.began)
    }

    /// Tells what a scan came to that is done, and keeps no longer what would let it go on.
    pub(super) fn end(&self, stats: &Stats, tally: &Tally, elapsed: Duration) -> io::Result<()> {
        let path = self.beside.manifest();
        self.manifest(stats, tally, elapsed)?.write(&path)?;
        keep_from_others(&path, self.beside.output())?;
        // In this order: without a journal nothing else is looked at.
        let rows = self.reports().into_iter().map(|report| report.rows);
        let beside = [self.beside.journal(), self.beside.stdin(), self.beside.names()];
        for path in beside.into_iter().chain(rows).chain(self.pointers()) {
            remove(&path)?;
        }
        sync_folder(self.beside.output())
    }

    /// Has what earlier scans left make room. With its journal this scan has begun: before that nothing is touched, and
    /// behind it, what is there still goes when it is gone on with.
    fn take_over(&mut self, outputs: &mut Outputs) -> io::Result<()> {
        let of_before = if self.journal.takes_over { self.of_before() } else { Vec::new() };
        of_before.iter().try_for_each(|path| check_removable(path))?;
        if let Some(spool) = &mut self.spool {
            spool.keep()?;
        }
        self.sync_folders()?;
        if self.journal.takes_over {
            self.journal.write(&self.beside.journal())?;
            self.has_journal = true;
            self.keep_from_others()?;
            of_before.iter().try_for_each(|path| remove(path))?;
            // None of it comes back once the journal does not know it any more.
            self.sync_folders()?;
            self.journal.takes_over = false;
        }
        self.point();
        outputs.begin()
    }

    /// What earlier scans left beside the outputs. No journal is to speak of a file that another scan has written to since;
    /// this one's own is replaced. A report that is there stays until the new one takes its place.
    fn of_before(&self) -> Vec<PathBuf> {
        let others = self.journal.outputs.iter().skip(1).map(|output| Beside::new(output.path.clone()));
        let others = others.flat_map(|other| [other.journal(), other.manifest(), other.stdin(), other.names()]);
        // Those that are needed are written anew.
        let pointers = self.journal.outputs.iter().map(|output| Beside::new(place(&output.path)).pointer());
        let takes_stdin = self.journal.command.get("targets").is_some_and(|targets| targets.iter().any(|it| it == "-"));
        let stdin = (!takes_stdin).then(|| self.beside.stdin());
        others.chain(pointers).chain([self.beside.manifest(), self.beside.names()]).chain(stdin).collect()
    }

    /// Leaves word in other folders of where the journal is.
    fn point(&self) {
        let Some(first) = self.journal.outputs.first() else { return };
        for place in elsewhere(&self.journal.outputs) {
            let pointer = Beside::new(place.clone()).pointer();
            let written = replace(&pointer, format!("{}\n", first.path.display()).as_bytes());
            // Where it cannot be, as in a folder that is not ours, the output is all that is there to see.
            let _ = written.and_then(|()| keep_from_others(&pointer, &place));
        }
    }

    /// Those that are this scan's.
    fn pointers(&self) -> Vec<PathBuf> {
        let first = self.journal.outputs.first().map(|first| first.path.clone());
        let ours = elsewhere(&self.journal.outputs).into_iter().filter(|place| pointed_to(place) == first);
        ours.map(|place| Beside::new(place).pointer()).collect()
    }

    fn sync_folders(&self) -> io::Result<()> {
        self.journal.outputs.iter().try_for_each(|output| sync_folder(&output.path))
    }

    fn keep_from_others(&self) -> io::Result<()> {
        let paths = [self.beside.journal(), self.beside.names(), self.beside.stdin()];
        paths.iter().try_for_each(|path| keep_from_others(path, self.beside.output()))
    }

    fn manifest(&self, stats: &Stats, tally: &Tally, elapsed: Duration) -> io::Result<Manifest> {
        let Facts { command_line, contact, targets_digest, settings, scope, columns } = &self.facts;
        let Journal { hailer, began, digest, seed, shard, outputs, .. } = &self.journal;
        let (outcomes, ports) = counts(stats);
        let outputs = outputs.iter().map(|output| Output::read(&output.path, &output.format, tally.rows));
        Ok(Manifest {
            version: Manifest::VERSION,
            schema_version: SCHEMA_VERSION,
            hailer: hailer.clone(),
            command_line: command_line.clone(),
            contact: contact.clone(),
            began: began.clone(),
            ended: now(),
            seconds: elapsed.as_secs_f64(),
            seed: *seed,
            shard: shard.clone(),
            configuration_digest: digest.clone(),
            targets_digest: targets_digest.clone(),
            configuration: settings.clone(),
            scope: Some(scope.clone()),
            columns: columns.clone(),
            joined: None,
            endpoints: Endpoints::new(stats),
            outcomes,
            ports,
            canaries: Canaries::new(stats.canaries()),
            retried: RetriedEndpoints::new(stats.retried()),
            connect_timeout: stats.learnt().map(Into::into),
            slowed: stats.slowed().into(),
            fronting: named(&tally.fronting),
            fronts: named(&tally.fronts),
            middleboxes: Middleboxes::from(&stats.overview()),
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }
}

fn named(counts: &BTreeMap<Arc<str>, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

/// The time, as journals and manifests have it.
pub(super) fn now() -> String {
    Timestamp::seconds(SystemTime::now()).map(|now| now.to_string()).unwrap_or_default()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cannot_remove(path, &cause)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether it could be removed, or is not there.
fn check_removable(path: &Path) -> io::Result<()> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
    if metadata.is_dir() {
        return Err(cannot_remove(path, &ErrorKind::IsADirectory.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|cause| cannot_remove(path, &cause.into()))
}

fn cannot_remove(path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot remove {}: {cause}", path.display()))
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
