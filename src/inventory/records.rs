//! Records of CSV, each with its line and how it ends.
//!
//! The parser ends a record at a CR, so that an LF behind it, as blank lines, counts to the next one; and it takes the end
//! of a file for that of a record.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use crate::output::Delimiter;

/// No record is as long as that: a greeting has 64 KiB, and a transcript some of them.
pub(super) const MAX_RECORD: u64 = 16 << 20;

const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// Records of a source.
#[derive(Debug)]
pub(super) struct Records<R> {
    reader: csv::Reader<Source<R>>,
}

/// A record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// The line that it begins on.
    pub(super) line: u64,
    /// The byte where it begins, or a line end before it.
    pub(super) byte: u64,
    pub(super) end: End,
}

/// How a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As it should, with its line.
    Line,
    /// With the file.
    File,
    /// With the file, and within quotation marks.
    Quoted,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R, delimiter: Delimiter) -> Self {
        let source = Source {
            inner: source,
            delimiter: delimiter.as_byte(),
            bytes: Vec::new(),
            start: 0,
            within: Within::Start,
            has_ended: false,
            allowance: 0,
        };
        let mut reader = ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(delimiter.as_byte());
        Self { reader: reader.from_reader(source) }
    }

    /// The next record, and where it is; nothing at the end. Blank lines are none.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> csv::Result<Option<At>> {
        self.reader.get_mut().allowance = MAX_RECORD;
        let byte = self.reader.position().byte();
        if !self.reader.read_byte_record(record)? {
            return Ok(None);
        }
        let (next, next_byte) = (self.reader.position().line(), self.reader.position().byte());
        let source = self.reader.get_ref();
        // That is found out only in search of the end of a record.
        let end = match (source.has_ended, source.within) {
            (false, _) => End::Line,
            (true, Within::Quotes) => End::Quoted,
            (true, Within::Start | Within::Cell | Within::Mark) => End::File,
        };
        let last = source.place(next_byte).checked_sub(1).and_then(|at| source.bytes.get(at)).copied();
        let of_its_own = how_many(b'\n', record.as_slice());
        let behind = usize::from(end == End::Line && last == Some(b'\n'));
        let lines = u64::try_from(of_its_own + behind).unwrap_or(u64::MAX);
        Ok(Some(At { line: next.saturating_sub(lines), byte, end }))
    }

    /// The line of what is read next, where no blank ones come before it.
    pub(super) fn next_line(&self) -> u64 {
        let position = self.reader.position();
        position.line() + u64::from(self.reader.get_ref().is_amid_crlf(position.byte()))
    }
}

/// What CSV is read from: it knows what ends a record, and that one has to end.
#[derive(Debug)]
struct Source<R> {
    inner: R,
    delimiter: u8,
    /// What was read last, which is all that the parser may not have seen yet.
    bytes: Vec<u8>,
    /// Where that begins.
    start: u64,
    /// Where the end of that is.
    within: Within,
    has_ended: bool,
    allowance: u64,
}

/// Where a byte is, as the parser has it: a quotation mark opens where a cell begins, and is a character elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Start,
    Cell,
    Quotes,
    /// Behind a mark in quotes, which closes them or is the first of two.
    Mark,
}

impl Within {
    const fn after(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::Quotes, b'"') => Self::Mark,
            (Self::Quotes, _) | (Self::Start | Self::Mark, b'"') => Self::Quotes,
            (_, b'\r' | b'\n') => Self::Start,
            (_, byte) if byte == delimiter => Self::Start,
            _ => Self::Cell,
        }
    }
}

impl<R> Source<R> {
    /// Follows what was read.
    fn follow(&mut self) {
        for (at, byte) in (self.start..).zip(&self.bytes) {
            // The parser passes over a byte order mark.
            if at > 2 || !BYTE_ORDER_MARK.contains(byte) {
                self.within = self.within.after(*byte, self.delimiter);
            }
        }
    }

    fn is_amid_crlf(&self, byte: u64) -> bool {
        let at = self.place(byte);
        let before = at.checked_sub(1).and_then(|at| self.bytes.get(at));
        before == Some(&b'\r') && self.bytes.get(at).is_none_or(|next| *next == b'\n')
    }

    fn place(&self, byte: u64) -> usize {
        usize::try_from(byte.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len())
    }
}

fn how_many(wanted: u8, bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(*byte == wanted)).sum()
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        if count == 0 {
            self.has_ended = true;
            return Ok(0);
        }
        let length = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        self.start += length(self.bytes.len());
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes.get(..count).unwrap_or_default());
        self.follow();
        self.allowance = self.allowance.checked_sub(length(count)).ok_or_else(|| {
            io::Error::other(format!("a row is longer than {MAX_RECORD} bytes: a quotation mark may be missing"))
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let count = bytes.len().min(1);
            Read::read(&mut self.0, &mut bytes[..count])
        }
    }

    fn records(source: impl Read) -> Vec<(u64, End, usize)> {
        let (mut records, mut record) = (Records::new(source, Delimiter::Comma), ByteRecord::new());
        let next = || records.read(&mut record).unwrap().map(|at| (at.line, at.end, record.len()));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn records_have_the_lines_that_editors_count() {
        use End::{File, Line, Quoted};
        for (text, expected) in [
            ("a,b\nc,d\n", vec![(1, Line, 2), (2, Line, 2)]),
            ("a,b\r\nc,d\r\ne\r\n", vec![(1, Line, 2), (2, Line, 2), (3, Line, 1)]),
            ("a,b\r\nc,d\ne,f\r\ng", vec![(1, Line, 2), (2, Line, 2), (3, Line, 2), (4, File, 1)]),
            ("a\n\n\r\n\nb\r\n\r\nc\n", vec![(1, Line, 1), (5, Line, 1), (7, Line, 1)]),
            ("\n\r\na\n", vec![(3, Line, 1)]),
            ("a,\"x\ny\r\nz\"\r\nb\n", vec![(1, Line, 2), (4, Line, 1)]),
            ("a,b\nc,\"d", vec![(1, Line, 2), (2, Quoted, 2)]),
            ("a,b\nc,\"d\n", vec![(1, Line, 2), (2, Quoted, 2)]),
            ("a,b\nc,\"d\"\"e\"", vec![(1, Line, 2), (2, File, 2)]),
            ("a,b\nc,\"d\"\"", vec![(1, Line, 2), (2, Quoted, 2)]),
            ("\"a\",\"b\"\n\"c\",d\"", vec![(1, Line, 2), (2, File, 2)]),
            ("a,b\nc,3.5\" disk", vec![(1, Line, 2), (2, File, 2)]),
            ("a,b\nc,\"d\"e\"", vec![(1, Line, 2), (2, File, 2)]),
            ("\u{feff}\"a\",b\nc,\"d", vec![(1, Line, 2), (2, Quoted, 2)]),
            ("a\n\n", vec![(1, Line, 1)]),
            ("", vec![]),
        ] {
            assert_eq!(records(text.as_bytes()), expected, "{text:?}");
            assert_eq!(records(Dribble(text.as_bytes())), expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn long_files_are_counted_all_the_same() {
        for end in ["\n", "\r\n"] {
            let text = format!("\"x\",{}{end}", "y".repeat(97)).repeat(1000);
            let lines: Vec<_> = records(text.as_bytes()).into_iter().map(|(line, ..)| line).collect();
            assert_eq!(lines, (1..=1000).collect::<Vec<_>>());
        }
    }
}
