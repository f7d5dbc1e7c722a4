//! Replaces a small file as a whole: whoever reads it, also after a kill or a loss of power, finds what it held before or
//! what it holds now, and never a part.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
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
    replaced.and_then(|()| sync_folder(path)).map_err(|cause| {
        let advice = match cause.kind() {
            _ if is_out_of_files(&cause) => "raise the limit (ulimit -n)",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room for it",
            ErrorKind::NotFound => "create its directory first",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "choose a folder that you may write to",
            _ => "see whether its disk is sound",
        };
        io::Error::new(cause.kind(), format!("cannot write {}: {cause}; {advice}", path.display()))
    })
}

/// Sees onto the disk that there is a file of this name, or that there is none any more.
///
/// # Errors
/// Where its folder cannot be opened, or the disk does not take it.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match opened(|| File::open(folder))?.sync_all() {
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
        let name = if number == 0 { ".tmp".to_owned() } else { format!(".{number}.tmp") };
        let name = beside(path, &name);
        match File::options().read(true).write(true).create_new(true).mode(0o644).open(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok(NamedTempFile::from_parts(opened?, TempPath::try_from_path(name)?)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = opened(|| temporary(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
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
    }
}
