//! Replaces a small file as a whole: whoever reads it, also after a kill or a loss of power, finds what it held before or
//! what it holds now, and never a part.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

/// Where no file can be opened, how often we look whether one can again.
const LOOK: Duration = Duration::from_millis(100);

/// How often at most. Connections of ours give theirs back within a minute.
const LOOKS: usize = 600;

/// Puts `content` in the place of what the file held; a file that is not there yet is made.
///
/// It is written under another name beside it (`.tmp`), seen onto the disk, renamed, and the folder seen onto the disk.
/// Where this machine has no open file to spare, one is waited for.
///
/// # Errors
/// Says which file, and what to do; the file holds what it held before then.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = beside(path, ".tmp");
    let replaced = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        // What cannot be removed is written anew the next time.
        drop(fs::remove_file(&temporary));
    }
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

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = opened(|| File::create(path))?;
    file.write_all(content)?;
    file.sync_all()
}

/// A file, as soon as one can be opened.
fn opened(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
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
