//! Sorts more records than memory holds: full buffers are sorted and written as runs, which are merged at the end.
//!
//! All runs are in one temporary file, read at their own places, so that any number of them needs one open file. The
//! buffer is bounded by its bytes; a record may come out more than once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use super::scratch::{Appender, Bytes, Limits, damaged};

/// What all runs together may buffer while they are merged, unless there are so many that each has the least.
const MERGE_BUFFER: usize = 4 << 20;

/// The least and the most that one run buffers.
const RUN_BUFFER: (usize, usize) = (4 << 10, 64 << 10);

/// Records being gathered, of targets here and of rows in the inventory.
pub(crate) struct Sorter {
    bound: usize,
    /// The records one after the other, and where each begins and ends.
    arena: Vec<u8>,
    order: Vec<(u32, u32)>,
    file: Appender,
    /// Where each run ends in the file.
    runs: Vec<u64>,
}

impl Sorter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let file = Appender::new(limits.folder.clone(), 0);
        Self { bound: limits.sorting, arena: Vec::new(), order: Vec::new(), file, runs: Vec::new() }
    }

    pub(crate) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        let held = self.arena.len() + self.order.len() * size_of::<(u32, u32)>();
        if held + record.len() > self.bound {
            self.spill()?;
        }
        let start = u32::try_from(self.arena.len()).map_err(io::Error::other)?;
        self.arena.extend(record);
        self.order.push((start, length));
        Ok(())
    }

    /// All records in ascending order.
    pub(crate) fn merge(mut self) -> io::Result<Merge> {
        let mut sources = Vec::new();
        if self.runs.is_empty() {
            self.sort();
            let Self { arena, order, .. } = self;
            sources.push(Source::Memory { arena, order: order.into_iter() });
        } else {
            self.spill()?;
            let Self { file, runs, arena, order, .. } = self;
            drop((arena, order));
            let (least, most) = RUN_BUFFER;
            let buffer = (MERGE_BUFFER / runs.len()).clamp(least, most);
            let file = Arc::new(file.finish()?);
            let starts = std::iter::once(0).chain(runs.iter().copied());
            sources.extend(starts.zip(&runs).map(|(at, end)| {
                Source::File(BufReader::with_capacity(buffer, Slice { file: Arc::clone(&file), at, end: *end }))
            }));
        }
        let mut runs = BinaryHeap::with_capacity(sources.len());
        for source in sources {
            let mut run = Run { head: Vec::new(), source };
            if run.advance()? {
                runs.push(run);
            }
        }
        Ok(Merge { runs })
    }

    fn sort(&mut self) {
        let arena = &self.arena;
        self.order.sort_unstable_by(|a, b| record(arena, *a).cmp(record(arena, *b)));
        self.order.dedup_by(|a, b| record(arena, *a) == record(arena, *b));
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.order.is_empty() {
            return Ok(());
        }
        self.sort();
        for place in self.order.drain(..) {
            self.file.append(&place.1.to_be_bytes())?;
            self.file.append(record(&self.arena, place))?;
        }
        self.arena.clear();
        self.runs.push(self.file.len());
        Ok(())
    }
}

/// A record in the arena; places come from `push`, and lie in it.
fn record(arena: &[u8], (start, length): (u32, u32)) -> &[u8] {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    &arena[start..start + usize::try_from(length).unwrap_or(usize::MAX)]
}

/// Records in ascending order.
pub(crate) struct Merge {
    runs: BinaryHeap<Run>,
}

impl Merge {
    /// Puts the next record in the place of what the buffer held; whether there was one.
    pub(crate) fn next(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        let Some(mut first) = self.runs.peek_mut() else { return Ok(false) };
        std::mem::swap(record, &mut first.head);
        if !first.advance()? {
            PeekMut::pop(first);
        }
        Ok(true)
    }
}

struct Run {
    head: Vec<u8>,
    source: Source,
}

impl Run {
    /// Takes the next record as the head; whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        self.head.clear();
        match &mut self.source {
            Source::Memory { arena, order } => {
                let Some(place) = order.next() else { return Ok(false) };
                self.head.extend(record(arena, place));
            }
            Source::File(run) => {
                if run.fill_buf()?.is_empty() {
                    return Ok(false);
                }
                let mut length = [0; 4];
                run.read_exact(&mut length)?;
                self.head.resize(usize::try_from(u32::from_be_bytes(length)).map_err(|_| damaged())?, 0);
                run.read_exact(&mut self.head)?;
            }
        }
        Ok(true)
    }
}

/// The run with the least head is the greatest: the heap of the standard library hands out the greatest.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        other.head.cmp(&self.head)
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Run {}

enum Source {
    Memory { arena: Vec<u8>, order: std::vec::IntoIter<(u32, u32)> },
    File(BufReader<Slice>),
}

/// One run of the file.
struct Slice {
    file: Arc<Bytes>,
    at: u64,
    end: u64,
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        self.file.read(self.at, &mut buffer[..length])?;
        self.at += u64::try_from(length).map_err(|_| damaged())?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(records: &[Vec<u8>], sorting: usize) -> Vec<Vec<u8>> {
        let mut sorter = Sorter::new(&Limits { sorting, ..Limits::default() });
        for record in records {
            sorter.push(record).unwrap();
        }
        let mut merge = sorter.merge().unwrap();
        let (mut all, mut record) = (Vec::new(), Vec::new());
        while merge.next(&mut record).unwrap() {
            all.push(record.clone());
        }
        all
    }

    proptest! {
        #[test]
        fn all_come_out_in_order(
            records in prop::collection::vec(prop::collection::vec(0u8..4, 0..4), 0..60),
            sorting in prop::sample::select(vec![0, 20, 100, 1 << 20]),
        ) {
            let mut found = sorted(&records, sorting);
            prop_assert!(found.is_sorted());
            found.dedup();
            let mut expected = records;
            expected.sort();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let limits = Limits { folder: "/nowhere/at/all".into(), sorting: 0, ..Limits::default() };
        let mut sorter = Sorter::new(&limits);
        sorter.push(b"a").unwrap();
        assert_eq!(sorter.push(b"b").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_run_that_was_cut_is_an_error() {
        let mut sorter = Sorter::new(&Limits { sorting: 0, ..Limits::default() });
        for record in [b"a", b"b", b"c"] {
            sorter.push(record).unwrap();
        }
        sorter.runs.push(sorter.file.len() + 100);
        assert!(sorter.merge().is_err());
    }
}
