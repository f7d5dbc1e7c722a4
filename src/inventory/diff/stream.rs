//! Rows as they come out of sorting: one side's, of each endpoint the last that says anything; and both sides' by a key of theirs.

use std::io;

use super::coverage::Coverage;
use super::later::{Outdated, Sieve};
use super::sighting::{RANK, Sighting};
use super::{MOST_ALIKE, Side};
use crate::inventory::key::take_array;
use crate::target::scratch::damaged;
use crate::target::sort::{Merge, Sorter};

/// Bytes of an address and a port, with which each record begins.
pub(super) const PLACE: usize = 1 + 16 + 2;

/// The rows of one side in order, of each endpoint the latest.
pub(super) struct Stream<'a> {
    rows: Sieve<'a>,
    /// The row; empty at the end.
    current: Vec<u8>,
    next: Vec<u8>,
    has_next: bool,
    pub(super) superseded: u64,
}

impl<'a> Stream<'a> {
    /// The rows of a side that is covered so.
    pub(super) fn new(sorter: Sorter, coverage: &'a Coverage) -> io::Result<Self> {
        let rows = Sieve::new(sorter, coverage)?;
        let mut stream = Self { rows, current: Vec::new(), next: Vec::new(), has_next: false, superseded: 0 };
        stream.has_next = stream.rows.next(&mut stream.next)?;
        stream.advance()?;
        Ok(stream)
    }

    /// What the row is of, as bytes in the order of the rows.
    pub(super) fn identity(&self) -> Option<&[u8]> {
        identity(&self.current)
    }

    /// All that the row says but for when.
    pub(super) fn content(&self) -> Option<&[u8]> {
        self.current.get(identity(&self.current)?.len() + RANK..)
    }

    pub(super) fn sighting(&self) -> io::Result<Sighting> {
        Sighting::take(&self.current).ok_or_else(damaged)
    }

    pub(super) fn advance(&mut self) -> io::Result<()> {
        self.current.clear();
        while self.has_next {
            if !self.current.is_empty() {
                if identity(&self.current) != identity(&self.next) {
                    return Ok(());
                }
                // They come in the order of their ranks.
                self.superseded += 1;
            }
            std::mem::swap(&mut self.current, &mut self.next);
            self.has_next = self.rows.next(&mut self.next)?;
        }
        Ok(())
    }

    /// What later scans of the side say of those that have passed.
    pub(super) fn outdated(&self) -> &Outdated {
        &self.rows.outdated
    }
}

/// The bytes of a record that say what it is of.
fn identity(record: &[u8]) -> Option<&[u8]> {
    let name = text_len(record.get(PLACE..)?)?;
    let domain = text_len(record.get(PLACE + name..)?)?;
    record.get(..PLACE + name + domain)
}

/// How long a text is with its length.
fn text_len(mut from: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(take_array(&mut from)?)).ok()?;
    length.checked_add(size_of::<u32>())
}

/// Rows of both sides that have the same key.
pub(super) struct Groups {
    merge: Merge,
    record: Vec<u8>,
    has_record: bool,
}

impl Groups {
    pub(super) fn new(sorter: Sorter) -> io::Result<Self> {
        let mut groups = Self { merge: sorter.merge()?, record: Vec::new(), has_record: false };
        groups.has_record = groups.merge.next(&mut groups.record)?;
        Ok(groups)
    }

    /// The next rows; of more than [`MOST_ALIKE`] of one side, the others are a group of their own.
    pub(super) fn next(&mut self) -> io::Result<Option<[Vec<Sighting>; 2]>> {
        if !self.has_record {
            return Ok(None);
        }
        let key = self.key()?.to_owned();
        let [mut old, mut new] = [Vec::new(), Vec::new()];
        while self.has_record && self.key()? == key {
            let (side, sighting) = self.row(key.len())?;
            let rows = if side == Side::Old { &mut old } else { &mut new };
            if rows.len() >= MOST_ALIKE {
                break;
            }
            rows.push(sighting);
            self.has_record = self.merge.next(&mut self.record)?;
        }
        Ok(Some([old, new]))
    }

    fn key(&self) -> io::Result<&[u8]> {
        let length = text_len(&self.record).ok_or_else(damaged)?;
        self.record.get(..length).ok_or_else(damaged)
    }

    fn row(&self, key: usize) -> io::Result<(Side, Sighting)> {
        let (side, rest) = self.record.get(key..).and_then(<[u8]>::split_first).ok_or_else(damaged)?;
        let sighting = Sighting::take(rest).ok_or_else(damaged)?;
        Ok((if *side == 0 { Side::Old } else { Side::New }, sighting))
    }
}
