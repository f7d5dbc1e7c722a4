//! The library that writes workbooks panics where a temporary file takes no more (a full disk, a limit on files). That
//! befalls users and is no defect: here it becomes an error like others.
//!
//! That needs panics which unwind: where a program is built to abort, it ends there. What shows a panic is the hook of
//! the process, which is the program's alone to set; it can ask [`will_be_caught`].

use std::any::Any;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe};

use rust_xlsxwriter::XlsxError;

/// Does what the library does, whose panics are errors. After one, what it worked on is good for nothing but being
/// dropped.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, XlsxError>) -> io::Result<T> {
    let was_within = IS_WITHIN.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    IS_WITHIN.set(was_within);
    match done {
        Ok(done) => done.map_err(cause),
        Err(payload) => {
            let words = format!("a temporary file takes no more: {}", words(&*payload));
            Err(io::Error::new(ErrorKind::StorageFull, words))
        }
    }
}

thread_local! {
    /// Whether this thread does what the library does.
    static IS_WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would become an error, so that a hook has nothing to show of it.
pub fn will_be_caught() -> bool {
    // A thread that is ending has no such value any more, and catches nothing.
    IS_WITHIN.try_with(Cell::get).unwrap_or(false)
}

/// The system's own error, where there is one: its kind decides what is advised.
fn cause(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) | XlsxError::TempFileError(_, error) => error,
        XlsxError::ZipError(error) => error.into(),
        error => io::Error::other(error),
    }
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let words = payload.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_errors() {
        fn full() -> io::Result<()> {
            Err(ErrorKind::StorageFull.into())
        }
        let error = caught(|| {
            assert!(will_be_caught());
            full().expect("cannot write");
            Ok(())
        });
        let words = error.unwrap_err().to_string();
        assert!(words.starts_with("a temporary file takes no more: cannot write: "), "{words}");
        assert!(!will_be_caught());
        assert_eq!(caught(|| Ok(7)).unwrap(), 7);
        let error = caught::<()>(|| Err(XlsxError::IoError(ErrorKind::StorageFull.into())));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
