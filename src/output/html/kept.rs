//! The rows that a page holds, in bounded memory: all of them as long as they are few, in a temporary file without a name;
//! otherwise those with the worst findings.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use crate::observation::Severity;

/// With more bytes of rows a browser takes too long over a page.
const MAX_BYTES: u64 = 128 << 20;

/// So many are kept of more: some two megabytes.
pub(super) const MAX_WORST: usize = 2000;

/// So many are in one script element: what is read at once, so that the page does not stand still meanwhile.
const CHUNK: usize = 1000;

#[derive(Debug)]
pub(super) struct Kept {
    /// With more rows than these, only the worst are kept.
    most: u64,
    /// None where there are too many.
    all: Option<BufWriter<File>>,
    count: u64,
    bytes: u64,
    /// The least first.
    worst: BinaryHeap<Reverse<Ranked>>,
}

/// A row, by how much there is to mend; of two alike the first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    severity: Option<Severity>,
    weight: usize,
    number: Reverse<u64>,
    json: String,
}

impl Kept {
    pub(super) fn new(most: u64) -> io::Result<Self> {
        let all = tempfile::tempfile().map_err(|error| told(&error))?;
        Ok(Self { most, all: Some(BufWriter::new(all)), count: 0, bytes: 0, worst: BinaryHeap::new() })
    }

    /// One more, with how bad it is and, of those that are as bad, how much there is to mend.
    pub(super) fn add(
        &mut self,
        (severity, weight): (Option<Severity>, usize),
        json: impl FnOnce() -> String,
    ) -> io::Result<()> {
        self.count = self.count.saturating_add(1);
        let mut ranked = Ranked { severity, weight, number: Reverse(self.count), json: String::new() };
        let is_full = self.worst.len() >= MAX_WORST;
        let is_among = !is_full || self.worst.peek().is_some_and(|Reverse(least)| ranked > *least);
        if !is_among && self.all.is_none() {
            return Ok(());
        }
        let mut json = json();
        json.push('\n');
        if let Some(all) = &mut self.all {
            self.bytes = self.bytes.saturating_add(u64::try_from(json.len()).unwrap_or(u64::MAX));
            if self.count > self.most || self.bytes > MAX_BYTES {
                self.all = None;
            } else {
                all.write_all(json.as_bytes()).map_err(|error| told(&error))?;
            }
        }
        if is_among {
            ranked.json = json;
            self.worst.push(Reverse(ranked));
            if self.worst.len() > MAX_WORST {
                self.worst.pop();
            }
        }
        Ok(())
    }

    /// Whether all rows are kept.
    pub(super) fn is_all(&self) -> bool {
        self.all.is_some()
    }

    /// How many are.
    pub(super) fn len(&self) -> u64 {
        if self.is_all() { self.count } else { u64::try_from(self.worst.len()).unwrap_or(u64::MAX) }
    }

    /// Writes them as script elements that hold arrays of rows.
    pub(super) fn write(self, out: &mut impl Write) -> io::Result<()> {
        if let Some(all) = self.all {
            let mut file = all.into_inner().map_err(|error| told(error.error()))?;
            file.rewind().map_err(|error| told(&error))?;
            write_chunks(BufReader::new(file).lines(), out)
        } else {
            let worst = self.worst.into_sorted_vec().into_iter();
            write_chunks(worst.map(|Reverse(ranked)| Ok(ranked.json.trim_end().to_owned())), out)
        }
    }
}

fn write_chunks(rows: impl Iterator<Item = io::Result<String>>, out: &mut impl Write) -> io::Result<()> {
    let mut is_open = false;
    for (number, row) in rows.enumerate() {
        let row = row.map_err(|error| told(&error))?;
        if number.is_multiple_of(CHUNK) {
            out.write_all(if is_open { b"\n]</script>\n".as_slice() } else { b"" })?;
            out.write_all(b"<script type=\"application/json\" class=\"rows\">[\n")?;
            is_open = true;
        } else {
            out.write_all(b",\n")?;
        }
        out.write_all(row.as_bytes())?;
    }
    if is_open { out.write_all(b"\n]</script>\n") } else { Ok(()) }
}

fn told(cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("rows cannot be kept for the page: {cause}; TMPDIR says where they are kept"))
}
