//! Both sides' words as they are exchanged (`-v`): each row's line, and below it what was said, as `hailer check` tells it.

use std::io::{self, Write};
use std::time::Instant;

use hailer::Observation;
use hailer::output::{Look, RowWriter, push_line};

use super::check::{Page, Told, tell_timeline};

/// So much is written at once.
const CHUNK: usize = 64 * 1024;

/// Where dialogues go.
#[derive(Debug)]
pub(super) struct Dialogues<W> {
    look: Look,
    target: W,
    /// Whether rows are to be seen here, or only words about them, which may get lost.
    has_rows: bool,
    waiting: String,
}

impl<W: Write + Send> Dialogues<W> {
    /// In the place of lines.
    pub(super) fn rows(look: Look, target: W) -> Self {
        Self { look, target, has_rows: true, waiting: String::new() }
    }

    /// Beside rows that go elsewhere.
    pub(super) fn words(look: Look, target: W) -> Self {
        Self { look, target, has_rows: false, waiting: String::new() }
    }
}

impl<W: Write + Send> RowWriter for Dialogues<W> {
    fn write(&mut self, row: &Observation) -> io::Result<()> {
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        push_line(row, self.look, &mut self.waiting);
        let mut page = Page::new(self.look.width);
        // Of another host's certificate nobody remembers that it was the same.
        tell_timeline(row, &mut Told::new(), &mut page);
        self.waiting.push_str(&page.into_text());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.target.write_all(self.waiting.as_bytes()).and_then(|()| self.target.flush());
        self.waiting.clear();
        // Nobody who reads the words is no reason to lose rows.
        if self.has_rows { written } else { Ok(()) }
    }

    fn flush_if_due(&mut self, _: Instant) -> io::Result<()> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use hailer::observation::{Event, Transcript};
    use hailer::{Outcome, Service};

    use super::*;

    fn row() -> Observation {
        let mut row =
            Observation::new(SystemTime::UNIX_EPOCH, "192.0.2.5".parse().ok(), 25, Service::Smtp, Outcome::Greeted);
        let mut transcript = Transcript::default();
        transcript.push(Duration::from_millis(12), Event::Connected);
        transcript.push(Duration::from_millis(20), Event::Heard(b"220 \x1b[2J ready\r\n".to_vec()));
        transcript.push(Duration::from_millis(21), Event::Said(b"QUIT\r\n".to_vec()));
        row.transcript = Some(Box::new(transcript));
        row
    }

    #[test]
    fn both_sides_stand_below_the_line() {
        let mut lines = Vec::new();
        let mut dialogues = Dialogues::rows(Look { width: 80, is_coloured: false }, &mut lines);
        dialogues.write(&row()).unwrap();
        dialogues.flush_if_due(Instant::now()).unwrap();
        drop(dialogues);
        let expected = "192.0.2.5:25           greeted\n     12 ms * connected\n     \
                        20 ms < 220 \\x1b[2J ready\n     21 ms > QUIT\n";
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
    }

    #[test]
    fn words_that_nobody_reads_lose_no_row() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (mut dialogues, is_told) in
            [(Dialogues::words(Look::default(), Gone), false), (Dialogues::rows(Look::default(), Gone), true)]
        {
            dialogues.write(&row()).unwrap();
            assert_eq!(dialogues.flush().is_err(), is_told);
        }
    }
}
