//! Lines to greetings: which lines belong together, and what kind each is.
//!
//! A reply of several lines goes on from `220-` to the line with the same code and a blank (RFC 5321 §4.2, RFC 959
//! §4.2). In the escaped form a whole reply is one line.

use std::path::Path;
use std::sync::Arc;

use hailer::observation::Received;
use hailer::output::escape::escape;

use super::entry::Columns;

/// How much is given to a thread at once: much beside what handing it over costs, and little to wait for.
const BATCH: usize = 128 * 1024;

/// What lines are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// What each begins with, or the file with, decides.
    Guess,
    Text,
    Ndjson,
}

/// Where greetings come from.
#[derive(Debug)]
pub(super) struct Source {
    /// How errors call it.
    pub(super) name: String,
    /// What rows say of it, where there are several: a member of an object, behind a comma.
    pub(super) member: String,
}

impl Source {
    pub(super) fn new(path: &Path, is_one_of_many: bool) -> Self {
        let name = if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() };
        let quoted = serde_json::Value::from(escape(name.as_bytes()));
        let member = if is_one_of_many { format!(",\"file\":{quoted}") } else { String::new() };
        Self { name, member }
    }
}

/// Greetings of one source, as they stand there.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) source: Arc<Source>,
    /// Of its CSV, if it is that.
    pub(super) columns: Option<Arc<Columns>>,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    kind: Kind,
    /// The number of its first line, from 1.
    line: u64,
    end: usize,
}

/// What one greeting is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Csv,
    /// A line, escaped or not.
    Line,
    /// Several lines, as they came.
    Lines,
    /// A line that was passed over.
    TooLong,
}

impl Batch {
    pub(super) fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), columns: None, bytes: Vec::new(), pieces: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH
    }

    /// Each greeting with its kind and its line.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Kind, u64, &[u8])> {
        let mut start = 0;
        self.pieces.iter().map(move |piece| {
            let bytes = &self.bytes[start..piece.end];
            start = piece.end;
            (piece.kind, piece.line, bytes)
        })
    }

    fn push(&mut self, kind: Kind, line: u64, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pieces.push(Piece { kind, line, end: self.bytes.len() });
    }
}

/// Puts the lines of one source together.
#[derive(Debug)]
pub(super) struct Framer {
    format: Format,
    columns: Option<Arc<Columns>>,
    /// Of the line that came last, from 1.
    number: u64,
    open: Option<Open>,
}

/// A reply whose last line has not come.
#[derive(Debug)]
struct Open {
    code: [u8; 3],
    line: u64,
    bytes: Vec<u8>,
}

impl Framer {
    pub(super) fn new(format: Format) -> Self {
        Self { format, columns: None, number: 0, open: None }
    }

    /// Takes a line without its LF; what it completes goes to the batch.
    pub(super) fn take(&mut self, line: &[u8], batch: &mut Batch) {
        self.number += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(open) = &mut self.open {
            open.push(line);
            if open.is_ended_by(line) || open.bytes.len() >= Received::LIMIT {
                self.end(batch);
            }
            return;
        }
        let line = if self.number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if line.trim_ascii().is_empty() {
            return;
        }
        if self.number == 1 && self.format == Format::Guess {
            self.columns = Columns::of(line).map(Arc::new);
            if self.columns.is_some() {
                return;
            }
        }
        let kind = match self.format {
            Format::Ndjson => Kind::Object,
            Format::Guess if self.columns.is_some() => Kind::Csv,
            Format::Guess if line.starts_with(b"{") => Kind::Object,
            Format::Guess | Format::Text => Kind::Line,
        };
        match opened_by(line) {
            Some(code) if kind == Kind::Line => {
                let mut open = Open { code, line: self.number, bytes: Vec::new() };
                open.push(line);
                self.open = Some(open);
            }
            Some(_) | None => {
                batch.columns.clone_from(&self.columns);
                batch.push(kind, self.number, line);
            }
        }
    }

    /// Takes note of a line that was not kept.
    pub(super) fn pass_over(&mut self, batch: &mut Batch) {
        self.end(batch);
        self.number += 1;
        batch.push(Kind::TooLong, self.number, b"");
    }

    /// Nothing more comes: a reply that has not ended is what came of it.
    pub(super) fn end(&mut self, batch: &mut Batch) {
        if let Some(open) = self.open.take() {
            batch.push(Kind::Lines, open.line, &open.bytes);
        }
    }
}

impl Open {
    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn is_ended_by(&self, line: &[u8]) -> bool {
        line.starts_with(&self.code) && matches!(line.get(3), None | Some(b' ' | b'\t'))
    }
}

/// The code of a reply that this line is not all of. One in the escaped form is.
fn opened_by(line: &[u8]) -> Option<[u8; 3]> {
    let (&[a, b, c, b'-'], rest) = line.split_first_chunk()? else { return None };
    let is_code = (b'1'..=b'5').contains(&a) && b.is_ascii_digit() && c.is_ascii_digit();
    let is_whole = rest.windows(2).any(|pair| pair == br"\n");
    (is_code && !is_whole).then_some([a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(format: Format, text: &str) -> Vec<(Kind, u64, String)> {
        let source = Arc::new(Source::new(Path::new("-"), false));
        let (mut framer, mut batch) = (Framer::new(format), Batch::new(&source));
        for line in text.split_terminator('\n') {
            framer.take(line.as_bytes(), &mut batch);
        }
        framer.end(&mut batch);
        batch.pieces().map(|(kind, line, bytes)| (kind, line, String::from_utf8_lossy(bytes).into_owned())).collect()
    }

    fn piece(kind: Kind, line: u64, text: &str) -> (Kind, u64, String) {
        (kind, line, text.to_owned())
    }

    #[test]
    fn each_line_is_a_greeting_of_its_kind() {
        let text = "\u{feff}220 a\r\n\n  \n{\"banner\":\"x\"}\n220-a\\r\\n220 b\\r\\n\nhello";
        let expected = [
            piece(Kind::Line, 1, "220 a"),
            piece(Kind::Object, 4, "{\"banner\":\"x\"}"),
            piece(Kind::Line, 5, "220-a\\r\\n220 b\\r\\n"),
            piece(Kind::Line, 6, "hello"),
        ];
        assert_eq!(framed(Format::Guess, text), expected);
        assert!(framed(Format::Text, text).iter().all(|(kind, ..)| *kind == Kind::Line));
        assert!(framed(Format::Ndjson, text).iter().all(|(kind, ..)| *kind == Kind::Object));
    }

    #[test]
    fn lines_of_one_reply_belong_together() {
        for (text, lines) in [
            ("220-a\n220-b\n220 c", "220-a\r\n220-b\r\n220 c\r\n"),
            ("220-a\r\n{ b\r\n\r\n 404 c\r\n221 d\r\n220\r\n", "220-a\r\n{ b\r\n\r\n 404 c\r\n221 d\r\n220\r\n"),
            ("220-a\n220-b", "220-a\r\n220-b\r\n"),
            ("220-C:\\ftp\n220 c", "220-C:\\ftp\r\n220 c\r\n"),
        ] {
            assert_eq!(framed(Format::Guess, text), [piece(Kind::Lines, 1, lines)], "{text:?}");
        }
        let two = [piece(Kind::Lines, 1, "220-a\r\n220 b\r\n"), piece(Kind::Line, 3, "220 c")];
        assert_eq!(framed(Format::Text, "220-a\n220 b\n220 c"), two);
        for text in ["999-a\n220 b", "22-a\n220 b", "2200-a\n220 b", "220\u{2013}a\n220 b"] {
            assert_eq!(framed(Format::Text, text).len(), 2, "{text}");
        }
    }

    #[test]
    fn a_reply_without_an_end_is_bounded() {
        let text = format!("220-a\n{}220 b\n", "x\n".repeat(Received::LIMIT));
        let framed = framed(Format::Text, &text);
        assert!(framed[0].2.len() <= Received::LIMIT + 3 && framed.len() > 2);
        assert_eq!(framed.last().unwrap().2, "220 b");
    }

    #[test]
    fn a_header_makes_the_rest_csv() {
        let text = "ip,banner\n192.0.2.1,220 a\n{\"\n";
        let expected = [piece(Kind::Csv, 2, "192.0.2.1,220 a"), piece(Kind::Csv, 3, "{\"")];
        assert_eq!(framed(Format::Guess, text), expected);
        assert_eq!(framed(Format::Text, text)[0], piece(Kind::Line, 1, "ip,banner"));
    }

    #[test]
    fn a_header_has_any_delimiter() {
        for header in ["ip;banner;port", "\u{feff}\"ip\";\"banner\"\r", "\"ip\"\tbanner", "ip|banner"] {
            let text = format!("{header}\n192.0.2.1;220 a;21\n");
            assert_eq!(framed(Format::Guess, &text), [piece(Kind::Csv, 2, "192.0.2.1;220 a;21")], "{header}");
        }
        for text in ["220 a; banner of b", "ip;port"] {
            assert_eq!(framed(Format::Guess, text), [piece(Kind::Line, 1, text)]);
        }
    }

    #[test]
    fn what_was_passed_over_ends_what_was_open() {
        let source = Arc::new(Source::new(Path::new("-"), false));
        let (mut framer, mut batch) = (Framer::new(Format::Guess), Batch::new(&source));
        framer.take(b"220-a", &mut batch);
        framer.pass_over(&mut batch);
        let kinds: Vec<_> = batch.pieces().map(|(kind, line, _)| (kind, line)).collect();
        assert_eq!(kinds, [(Kind::Lines, 1), (Kind::TooLong, 2)]);
    }
}
