//! Keeps the journal, on a thread of its own: the outputs are seen onto the disk, and then how far they were is.
//!
//! A disk that takes its time stops no row and no clock: while one mark is being kept, the next waits, and those after
//! it are passed over.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use hailer::{Journal, Mark, NamesLog};

/// The disk, as far as a journal needs it.
pub(super) trait Disk: Send {
    /// Sees onto the disk what the outputs hold up to a mark, and what else the journal relies on.
    fn sync(&mut self, mark: &Mark) -> io::Result<()>;

    /// Puts the journal in the place of the one before, whole or not at all, and sees it onto the disk.
    fn write(&mut self, journal: &Journal) -> io::Result<()>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) outputs: Vec<(PathBuf, File)>,
    /// What names led to, which another run is to use as well.
    pub(super) names: Option<NamesLog>,
    pub(super) journal: PathBuf,
}

impl Disk for Files {
    fn sync(&mut self, mark: &Mark) -> io::Result<()> {
        let journal = self.journal.display();
        self.names.as_ref().map_or(Ok(()), NamesLog::sync)?;
        self.outputs.iter().try_for_each(|(_, file)| file.sync_data()).map_err(|cause| {
            io::Error::new(cause.kind(), format!("cannot keep {journal}: an output does not reach its disk: {cause}"))
        })?;
        let mut lengths = mark.lengths.iter();
        self.outputs.iter().try_for_each(|(path, file)| is_there(path, file, lengths.next().copied().unwrap_or(0)))
    }

    fn write(&mut self, journal: &Journal) -> io::Result<()> {
        journal.write(&self.journal)
    }
}

/// Whether a file still has its name and everything that was written to it: rows that go where nobody finds them are lost,
/// and it is better said at once than at the end.
fn is_there(path: &Path, file: &File, length: u64) -> io::Result<()> {
    let refuse = |words: &str| {
        let advice = "put it back and go on (--resume), or begin anew (--overwrite)";
        Err(io::Error::other(format!("cannot write {}: {words}; {advice}", path.display())))
    };
    let open = file.metadata()?;
    match path.metadata() {
        Ok(named) if (named.dev(), named.ino()) != (open.dev(), open.ino()) => {
            refuse("another file was put in its place while rows were written to it")
        }
        Ok(_) if open.len() < length => refuse("it was cut short while rows were written to it"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            refuse("it was removed or renamed while rows were written to it")
        }
        // What cannot be asked may be well.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Keeps one mark. The order is everything: a mark that outlasts the rows before it would lose them.
pub(super) fn keep(disk: &mut impl Disk, journal: &mut Journal, mark: Mark) -> io::Result<()> {
    disk.sync(&mark)?;
    journal.mark = mark;
    disk.write(journal)
}

/// The thread that keeps marks.
#[derive(Debug)]
pub(super) struct Keeper {
    marks: SyncSender<Mark>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Keeper {
    /// The journal is the one that is kept already.
    pub(super) fn start(mut disk: impl Disk + 'static, mut journal: Journal) -> io::Result<Self> {
        let (marks, coming) = sync_channel(1);
        let keep_all = move || coming.into_iter().try_for_each(|mark| keep(&mut disk, &mut journal, mark));
        let thread = thread::Builder::new().name("keeper".into()).spawn(keep_all)?;
        Ok(Self { marks, thread: Some(thread) })
    }

    /// Has a mark kept, if there is time for it.
    ///
    /// # Errors
    /// Where an earlier one could not be.
    pub(super) fn offer(&mut self, mark: Mark) -> io::Result<()> {
        match self.marks.try_send(mark) {
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Disconnected(_)) => join(self.thread.take()),
        }
    }

    /// Has the last mark kept, however long it takes; without one, waits for those before it.
    ///
    /// # Errors
    /// Where one could not be.
    pub(super) fn finish(self, last: Option<Mark>) -> io::Result<()> {
        let Self { marks, thread } = self;
        // Where nobody takes it, the thread says why.
        if let Some(last) = last {
            drop(marks.send(last));
        }
        drop(marks);
        join(thread)
    }
}

fn join(thread: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    let ended = thread.map_or(Ok(Ok(())), JoinHandle::join);
    ended.unwrap_or_else(|_| Err(io::Error::other("the journal's keeper ended before its time: this is a defect")))
}
