//! Lines of a file or a stream. One that is too long is passed over, so that memory is bounded whatever comes.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Sixteen times what is kept of a greeting, which in NDJSON takes up to seven times its length.
pub(super) const MAX_LINE: usize = 1024 * 1024;

/// How much is read at a time.
const BUFFER: usize = 256 * 1024;

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It was kept, without its end.
    Whole,
    /// It is longer than [`MAX_LINE`], and was not.
    TooLong,
}

/// The lines of a stream. What follows the last line's end is a line too, unless it is nothing.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, stream) }
    }

    /// Reads a line into `line`, in place of what is there.
    pub(super) fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Line>> {
        line.clear();
        let mut read = None;
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                return Ok(read);
            }
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            if read == Some(Line::TooLong) || line.len() + part.len() > MAX_LINE {
                line.clear();
                read = Some(Line::TooLong);
            } else {
                line.extend_from_slice(part);
                read = Some(Line::Whole);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(read);
            }
        }
    }
}

impl<R: Read + AsFd> Lines<R> {
    /// Whether reading a line begins without waiting for somebody to write one.
    pub(super) fn is_here(&self) -> bool {
        self.reader.buffer().contains(&b'\n') || {
            let mut asked = [PollFd::new(self.reader.get_ref().as_fd(), PollFlags::POLLIN)];
            // Where that cannot be told it may wait.
            poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_one_by_one() {
        let long = "x".repeat(MAX_LINE);
        let text = format!("one\n\ntwo\r\n{long}\n{long}y\nthree");
        let mut lines = Lines::new(text.as_bytes());
        let mut line = Vec::new();
        for (read, content) in [
            (Line::Whole, "one"),
            (Line::Whole, ""),
            (Line::Whole, "two\r"),
            (Line::Whole, &long),
            (Line::TooLong, ""),
            (Line::Whole, "three"),
        ] {
            assert_eq!(lines.read(&mut line).unwrap(), Some(read));
            assert_eq!(line, content.as_bytes());
        }
        assert_eq!(lines.read(&mut line).unwrap(), None);
    }
}
