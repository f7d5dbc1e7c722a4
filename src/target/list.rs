//! Targets from a file or a stream: words between blanks, `#` to the end of the line is a comment.

use std::fmt;
use std::io::{self, BufRead};

use super::parse::TargetError;

/// A line longer than this is not a list of targets; it bounds what a binary file can make us hold.
const MAX_LINE: u64 = 64 * 1024;

/// What is wrong with a list, and where.
#[derive(Debug)]
pub struct ListError {
    source_name: String,
    line: u64,
    column: usize,
    kind: ListErrorKind,
}

/// What is wrong with a list.
#[derive(Debug)]
pub enum ListErrorKind {
    /// A word is not a target.
    Target(String, TargetError),
    /// A list within a list.
    Nested(String),
    /// A line that is not text.
    NotText,
    /// A line that has no end within reason.
    LongLine,
    /// It could not be read.
    Io(io::Error),
}

impl ListError {
    /// What is wrong.
    pub fn kind(&self) -> &ListErrorKind {
        &self.kind
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source_name, line, column, kind } = self;
        match kind {
            ListErrorKind::Target(word, error) => write!(f, "{source_name}:{line}:{column}: '{word}': {error}"),
            ListErrorKind::Nested(word) => {
                write!(
                    f,
                    "{source_name}:{line}:{column}: '{word}': a list cannot name another list: give both on the command line"
                )
            }
            ListErrorKind::NotText => {
                write!(f, "{source_name}:{line}:{column}: not UTF-8: a list of targets is a text file")
            }
            ListErrorKind::LongLine => {
                write!(
                    f,
                    "{source_name}:{line}:{column}: a line of more than {MAX_LINE} bytes: is this a list of targets?"
                )
            }
            ListErrorKind::Io(error) => write!(f, "{source_name}: {error}"),
        }
    }
}

impl std::error::Error for ListError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ListErrorKind::Target(_, error) => Some(error),
            ListErrorKind::Io(error) => Some(error),
            ListErrorKind::Nested(_) | ListErrorKind::NotText | ListErrorKind::LongLine => None,
        }
    }
}

pub(super) fn read(
    source_name: &str,
    mut list: impl BufRead,
    mut add: impl FnMut(&str) -> Result<(), TargetError>,
) -> Result<(), ListError> {
    let mut bytes = Vec::new();
    let mut line = 0;
    let fail = |line, column, kind| Err(ListError { source_name: source_name.to_owned(), line, column, kind });
    loop {
        bytes.clear();
        line += 1;
        match io::Read::take(&mut list, MAX_LINE + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) if u64::try_from(length).is_ok_and(|length| length > MAX_LINE) => {
                return fail(line, 1, ListErrorKind::LongLine);
            }
            Ok(_) => {}
            Err(error) => return fail(line, 1, ListErrorKind::Io(error)),
        }
        let text = match str::from_utf8(&bytes) {
            // A byte order mark is what some editors begin a file with.
            Ok(text) if line == 1 => text.strip_prefix('\u{feff}').unwrap_or(text),
            Ok(text) => text,
            Err(error) => return fail(line, error.valid_up_to() + 1, ListErrorKind::NotText),
        };
        let content = text.split('#').next().unwrap_or_default();
        for word in content.split_whitespace() {
            // `split_whitespace` hands out slices of the line, so that the distance is the column.
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            let column = text[..start].chars().count() + 1;
            if word.starts_with('@') || word == "-" {
                return fail(line, column, ListErrorKind::Nested(word.to_owned()));
            }
            if let Err(error) = add(word) {
                return fail(line, column, ListErrorKind::Target(word.to_owned(), error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[u8]) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        let read = read("nets.txt", list, |word| {
            words.push(word.to_owned());
            super::super::parse::parse(word).map(drop)
        });
        read.map(|()| words).map_err(|error| error.to_string())
    }

    #[test]
    fn words_blanks_and_comments() {
        let list = "\u{feff}10.0.0.1\r\n\n# office\n 10.0.0.0/24:21\thost.example # the old one\n::1";
        assert_eq!(words(list.as_bytes()).unwrap(), ["10.0.0.1", "10.0.0.0/24:21", "host.example", "::1"]);
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let table: &[(&[u8], &str)] = &[
            (b"10.0.0.1\n  10.0.0.0/33\n", "nets.txt:2:3: '10.0.0.0/33': '/33' is not a prefix length"),
            (b"a.example @more.txt", "nets.txt:1:11: '@more.txt': a list cannot name another list"),
            (b"\xffELF", "nets.txt:1:1: not UTF-8"),
        ];
        for (list, expected) in table {
            let error = words(list).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let list = vec![b'a'; 1 << 20];
        assert!(words(&list).unwrap_err().starts_with("nets.txt:1:1: a line of more than 65536 bytes"));
    }
}
