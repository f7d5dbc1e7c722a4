//! Replaces a small file as a whole: whoever reads it, also after a kill or a loss of power, finds what it held before or
//! what it holds now, and never a part.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use tempfile::{NamedTempFile, TempPath};

/// Where no file can be opened, how often we look whether one can again.
const LOOK: Duration = Duration::from_millis(100);

/// How often at most. Connections of ours give theirs back within a minute.
const LOOKS: usize = 600;

/// How many names are tried for a temporary file: each kill in the middle of writing leaves one.
const MAX_TAKEN: u16 = 10_000;

/// Puts `content` in the place of what the file held; a file that is not there yet is made.
///
/// It is written under a name that nothing has beside it (`.tmp`), seen onto the disk, renamed, and the folder seen onto
/// the disk. Where this machine has no open file to spare, one is waited for.
///
/// # Errors
/// Says which file, and what to do; the file holds what it held before then.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let replaced = write(path, content);
    replaced.and_then(|()| sync_folder(path)).map_err(|cause| cannot_write(path, &cause))
}

/// The same error, which says which file could not be written, and what to do.
pub fn cannot_write(path: &Path, cause: &io::Error) -> io::Error {
    let advice = match cause.kind() {
        _ if is_out_of_files(cause) => "; raise the limit (ulimit -n)",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room for it",
        ErrorKind::FileTooLarge => "; raise the limit on the length of files (ulimit -f)",
        ErrorKind::NotFound => "; create its directory first",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "; choose a folder that you may write to",
        ErrorKind::IsADirectory => "; name a file in it",
        // As containers have files of the machine around them.
        ErrorKind::ResourceBusy => "; where it is a mount point it cannot be replaced: name a file in a folder",
        // Who made it knows what is wrong.
        _ if cause.raw_os_error().is_none() => "",
        _ => "; see whether its disk is sound",
    };
    io::Error::new(cause.kind(), format!("cannot write {}: {cause}{advice}", path.display()))
}

/// Sees onto the disk that there is a file of this name, or that there is none any more.
///
/// # Errors
/// Where its folder cannot be opened, or the disk does not take it.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match opened(|| File::open(folder(path)))?.sync_all() {
        // Some file systems keep nothing of a folder that could be lost, and say that they cannot do it.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// The path with more at its end.
pub fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// A new file beside `path`, under a name that nothing has yet: whatever is there is somebody else's, also a link. It goes
/// when it is dropped, unless it is renamed before.
///
/// # Errors
/// Where it cannot be made.
pub fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    for number in 0..MAX_TAKEN {
        let name = beside(path, &temporary_ending(number));
        match File::options().read(true).write(true).create_new(true).mode(0o644).open(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok(NamedTempFile::from_parts(opened?, TempPath::try_from_path(name)?)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// A new file that takes the place of what `path` held once it is whole. Until then it has no name, so that nothing of it
/// is left where the program is killed; but on file systems that know no such files it has that of a [`temporary`] one.
///
/// Where there is a file already, the new one has its owner and group as far as this program may give files away, and its
/// mode. Where it may not, the group that it has instead may do no more with it than anybody.
///
/// ```
/// use std::io::Write;
///
/// use hailer::output::Draft;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("rows.csv");
/// let draft = Draft::new(&path)?;
/// draft.as_file().write_all(b"ip,port\n")?;
/// assert!(!path.exists());
/// draft.put()?;
/// assert_eq!(std::fs::read(&path)?, b"ip,port\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    file: File,
    name: Option<TempPath>,
}

impl Draft {
    /// One for that place.
    ///
    /// # Errors
    /// Where none can be made in its folder.
    pub fn new(path: &Path) -> io::Result<Self> {
        let (file, name) = match unnamed(path)? {
            Some(file) => (file, None),
            None => temporary(path).map(|file| {
                let (file, name) = file.into_parts();
                (file, Some(name))
            })?,
        };
        if let Some(known) = path.metadata().ok().filter(Metadata::is_file) {
            give(&file, &known)?;
        }
        Ok(Self { path: path.to_owned(), file, name })
    }

    /// What it is written to.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Sees onto the disk what was written, and gives it its name, whatever had that before.
    ///
    /// # Errors
    /// Where the disk does not take it; what was there stays.
    pub fn put(self) -> io::Result<()> {
        let Self { path, file, name } = self;
        file.sync_all()?;
        let name = match name {
            Some(name) => name,
            None => link(&file, &path)?,
        };
        name.persist(path)?;
        Ok(())
    }

    /// The same where nothing was to be replaced: what has come there meanwhile stays.
    ///
    /// # Errors
    /// There as well, and where the disk does not take it.
    pub fn put_new(self) -> io::Result<()> {
        let Self { path, file, name } = self;
        file.sync_all()?;
        let put = match name {
            Some(name) => name.persist_noclobber(path).map_err(|error| error.error),
            None => link_at(&file, &path).map_err(io::Error::from),
        };
        put.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                let words =
                    "something has come there meanwhile, and is not replaced; see what it is, or name another file";
                io::Error::new(error.kind(), words)
            }
            _ => error,
        })
    }
}

/// Gives a file to whom another belongs, as far as that is allowed, before those may do with it what its mode says.
fn give(file: &File, to: &Metadata) -> io::Result<()> {
    let of = |uid| fchown(file, uid, Some(to.gid()));
    let has_group = of(Some(to.uid())).or_else(|_| of(None)).is_ok();
    let mode = to.mode() & 0o777;
    // Another group than that gets what everybody has.
    let mode = if has_group { mode } else { mode & !0o070 | (mode & 0o007) << 3 };
    file.set_permissions(Permissions::from_mode(mode))
}

/// A file without a name that can get one in the folder of `path`, where there can be such.
#[cfg(target_os = "linux")]
fn unnamed(path: &Path) -> io::Result<Option<File>> {
    let flag = nix::fcntl::OFlag::O_TMPFILE.bits();
    let opened = File::options().read(true).write(true).mode(0o644).custom_flags(flag).open(folder(path));
    match opened {
        // Without /proc none gets a name any more.
        Ok(file) => Ok(Some(file).filter(|file| own(file).exists())),
        Err(error) if is_out_of_files(&error) => Err(error),
        // What else is wrong shows when one with a name is made.
        Err(_) => Ok(None),
    }
}

/// Gives a file without a name one beside `path`, that nothing has yet: a link replaces nothing.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<TempPath> {
    for number in 0..MAX_TAKEN {
        let name = beside(path, &temporary_ending(number));
        match link_at(file, &name) {
            Err(Errno::EEXIST) => {}
            linked => {
                linked?;
                return TempPath::try_from_path(name);
            }
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Gives a file without a name this one, where nothing has it yet.
#[cfg(target_os = "linux")]
fn link_at(file: &File, name: &Path) -> nix::Result<()> {
    use nix::fcntl::{AT_FDCWD, AtFlags};

    nix::unistd::linkat(AT_FDCWD, &own(file), AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW)
}

/// An open file's path, whether it has a name or not.
#[cfg(target_os = "linux")]
fn own(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;

    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn link_at(_: &File, _: &Path) -> nix::Result<()> {
    Err(Errno::ENOTSUP)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, path: &Path) -> io::Result<TempPath> {
    temporary(path).map(tempfile::NamedTempFile::into_temp_path)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary_ending(number: u16) -> String {
    if number == 0 { ".tmp".to_owned() } else { format!(".{number}.tmp") }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = opened(|| Draft::new(path))?;
    draft.as_file().write_all(content)?;
    draft.put()
}

/// A file, as soon as one can be opened.
fn opened<T>(open: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..LOOKS {
        match open() {
            Err(error) if is_out_of_files(&error) => thread::sleep(LOOK),
            opened => return opened,
        }
    }
    open()
}

/// Whether this program, or this machine, has as many open files as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv.hailer");
        for content in ["one", "a longer one", ""] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Nothing of it is there before it is whole, and who may read what was there may read it then, and nobody else.
    #[test]
    fn a_draft_has_no_name_until_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
        for (before, content) in [(None, "one"), (Some(0o600), "two"), (Some(0o640), "three")] {
            if let Some(mode) = before {
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            let draft = Draft::new(&path).unwrap();
            draft.as_file().write_all(content.as_bytes()).unwrap();
            // Not every file system has files without a name.
            if draft.name.is_none() {
                let names = fs::read_dir(folder.path()).unwrap().count();
                assert_eq!(names, usize::from(before.is_some()), "as a kill would leave it");
            }
            draft.put().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(mode(), before.unwrap_or(mode()));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    /// Of whom a file was it is afterwards; only root may give files away, and to anybody else there is nothing to see here.
    #[test]
    fn a_draft_belongs_to_whom_the_file_belonged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.xlsx");
        fs::write(&path, "before").unwrap();
        drop(std::os::unix::fs::chown(&path, Some(4711), Some(4712)));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let about = || path.metadata().map(|it| (it.uid(), it.gid(), it.mode() & 0o777)).unwrap();
        let before = about();
        let draft = Draft::new(&path).unwrap();
        draft.as_file().write_all(b"after").unwrap();
        draft.put().unwrap();
        assert_eq!((about(), fs::read(&path).unwrap().as_slice()), (before, b"after".as_slice()));
    }

    /// Whether the draft has a name before or not.
    #[test]
    fn what_has_come_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        let named = |path: &Path| {
            let (file, name) = temporary(path).unwrap().into_parts();
            Draft { path: path.to_owned(), file, name: Some(name) }
        };
        let unnamed = |path: &Path| Draft::new(path).unwrap();
        let drafts: [&dyn Fn(&Path) -> Draft; 2] = [&unnamed, &named];
        for draft in drafts {
            let late = draft(&path);
            late.as_file().write_all(b"late").unwrap();
            fs::write(&path, "precious").unwrap();
            let error = late.put_new().unwrap_err();
            assert!(error.to_string().starts_with("something has come there meanwhile"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            fs::remove_file(&path).unwrap();
            let new = draft(&path);
            new.as_file().write_all(b"new").unwrap();
            new.put_new().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn what_others_keep_beside_it_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let [path, theirs, link, linked] =
            ["journal", "journal.tmp", "journal.1.tmp", "linked"].map(|name| folder.path().join(name));
        fs::write(&theirs, "theirs").unwrap();
        fs::write(&linked, "theirs too").unwrap();
        std::os::unix::fs::symlink(&linked, &link).unwrap();
        replace(&path, b"ours").unwrap();
        let held = [&path, &theirs, &link, &linked].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(held, ["ours", "theirs", "theirs too", "theirs too"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn what_cannot_be_replaced_keeps_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        // Nothing can be renamed to a folder that holds something.
        fs::create_dir_all(path.join("by a folder")).unwrap();
        let error = replace(&path, b"content").unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = replace(&folder.path().join("nosuch/journal"), b"").unwrap_err();
        assert!(error.to_string().ends_with("create its directory first"), "{error}");
        let error = cannot_write(&path, &io::Error::from(Errno::EBUSY));
        assert!(error.to_string().ends_with("it cannot be replaced: name a file in a folder"), "{error}");
    }
}
