//! What a scan makes of all its rows when they are there. It is put where nothing was when the scan began, or in the place of
//! what was there then: what has come meanwhile is nobody's to replace.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use hailer::{Journal, Stamp};

use super::demo::shown;
use super::fresh::{Fresh, cannot_write};
use super::kept::{Kept, MadeOfAll};
use super::signals::Signals;
use super::{Ended, Failure, report};

/// Makes one, as of that time, unless a signal asks not to.
pub(super) async fn make(
    made: MadeOfAll,
    kept: &Kept,
    now: SystemTime,
    signals: &mut Signals,
) -> Result<Ended, Failure> {
    let is_to_stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_to_stop);
    let (ours, sources, journal) = (kept.our_addresses(), vec![kept.source()], kept.beside.journal());
    let mut making = tokio::task::spawn_blocking(move || {
        let is_to_stop: &(dyn Fn() -> bool + Sync) = &|| asked.load(Ordering::Relaxed);
        let how = report::How { without_middleboxes: false, our_addresses: &ours, sources, now, is_to_stop };
        let place = Place::new(&made, &journal)?;
        // Before the time that it takes.
        place.is_taken()?;
        let files = report::make(&made.rows, made.report, &made.path, &how)?;
        files.into_iter().try_for_each(|file| place.put(file))
    });
    let result = tokio::select! {
        result = &mut making => result,
        () = signals.next() => {
            is_to_stop.store(true, Ordering::Relaxed);
            tokio::select! {
                result = &mut making => result,
                // What it has written so far has no name, and goes with this process.
                () = signals.next() => return Ok(Ended::Stopped),
            }
        }
    };
    let result =
        result.map_err(|_| Failure::failed("what makes the report ended before its time: this is a defect"))?;
    // It may have been done in time.
    if result.is_err() && is_to_stop.load(Ordering::Relaxed) {
        Ok(Ended::Stopped)
    } else {
        result.map(|()| Ended::Done)
    }
}

/// What is there, where that is a file.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    path.symlink_metadata().ok().filter(Metadata::is_file).map(|metadata| Stamp::of(&metadata))
}

/// Where a report goes.
struct Place<'a> {
    made: &'a MadeOfAll,
    /// Where it is kept what may go, for a run that is killed as it puts the report there.
    journal: PathBuf,
    replaces: Vec<Stamp>,
}

impl<'a> Place<'a> {
    fn new(made: &'a MadeOfAll, journal: &Path) -> Result<Self, Failure> {
        let kept = Journal::read(journal).map_err(|error| cannot_read(journal, &error))?;
        let output = kept.outputs.into_iter().find(|output| output.path == made.path);
        let replaces = output.and_then(|output| output.replaces).unwrap_or_default();
        Ok(Self { made, journal: journal.to_owned(), replaces })
    }

    /// Whether something is there that is to go.
    fn is_taken(&self) -> Result<bool, Failure> {
        let path = &self.made.path;
        let is_there = path.symlink_metadata().is_ok();
        if !is_there || stamp(path).is_some_and(|stamp| self.replaces.contains(&stamp)) {
            return Ok(is_there);
        }
        let (stem, ending) = (path.with_extension(""), path.extension().unwrap_or_default());
        let mut other = stem.into_os_string();
        other.push("-new.");
        other.push(ending);
        let words = format!(
            "something has come there meanwhile, or what was there was written to, and is not replaced: move it away and \
             go on (--resume), or make another: hailer report {} -o {}",
            shown(self.made.rows.as_os_str()),
            shown(&other)
        );
        Err(cannot_write(path, &io::Error::other(words)))
    }

    /// Puts the report there. Before that the journal knows it: a scan that is killed as it ends makes it again.
    fn put(&self, file: Fresh) -> Result<(), Failure> {
        if let Some(metadata) = file.synced().map_err(|error| file.failed(&error))? {
            let mut kept = Journal::read(&self.journal).map_err(|error| cannot_read(&self.journal, &error))?;
            for output in kept.outputs.iter_mut().filter(|output| output.path == self.made.path) {
                let known = stamp(&self.made.path).filter(|stamp| self.replaces.contains(stamp));
                output.replaces = Some(known.into_iter().chain([Stamp::of(&metadata)]).collect());
            }
            kept.write(&self.journal).map_err(Failure::failed)?;
        }
        let is_taken = self.is_taken()?;
        file.replacing(is_taken).put()
    }
}

fn cannot_read(journal: &Path, error: &hailer::JournalError) -> Failure {
    Failure::failed(format!("cannot read {}: {error}", journal.display()))
}
