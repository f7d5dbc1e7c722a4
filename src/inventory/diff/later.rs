//! Rows of one side that a later scan of it proves to be of the past: it asked the same address, which refused, and refusals
//! have no row.
//!
//! That takes two scans of one side of which one ended before the other began, as their manifests tell: shards of one scan, and
//! the parts of what was joined, ask none of each other's endpoints, and a scan that was resumed began with its first run. A
//! name may lead elsewhere by then, so that a scan which asked by name proves nothing here.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use super::MOST_ALIKE;
use super::coverage::Coverage;
use super::sighting::Sighting;
use super::stream::PLACE;
use crate::target::scratch::damaged;
use crate::target::sort::{Merge, Sorter};

/// Rows of one side that a later scan of it asked again, and has no row of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Those of endpoints that refused by then: they are left out.
    pub refused: u64,
    /// Those of which that is not proved: they count.
    pub doubtful: u64,
    /// Of which endpoint one of the doubtful is, as `192.0.2.1:25`.
    pub example: Option<String>,
}

impl Outdated {
    fn count(&mut self, since: Since, row: &Sighting) {
        match since {
            Since::Refused => self.refused += 1,
            Since::Doubtful if row.stands() => {
                self.doubtful += 1;
                let at = || row.identity.ip.map(|ip| SocketAddr::new(ip, row.identity.port).to_string());
                self.example = self.example.take().or_else(at);
            }
            Since::Doubtful | Since::Nothing => {}
        }
    }
}

/// What a later scan of the same side says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    /// Nothing.
    Nothing,
    /// It asked the same and has no row of it, which may have several reasons.
    Doubtful,
    /// The endpoint refused.
    Refused,
}

/// The rows of one side in their order, less those of the past.
pub(super) struct Sieve<'a> {
    merge: Merge,
    /// None where no scan is later than another.
    coverage: Option<&'a Coverage>,
    /// What is left of the rows of one address and port.
    ready: VecDeque<Vec<u8>>,
    /// The first row of the next; empty at the end.
    ahead: Vec<u8>,
    /// An address and port of which there are too many rows to look at them together: all are left.
    crowded: Vec<u8>,
    pub(super) outdated: Outdated,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(sorter: Sorter, coverage: &'a Coverage) -> io::Result<Self> {
        let coverage = Some(coverage).filter(|coverage| coverage.has_later_scans());
        let (ready, ahead, crowded) = (VecDeque::new(), Vec::new(), Vec::new());
        let mut sieve = Self { merge: sorter.merge()?, coverage, ready, ahead, crowded, outdated: Outdated::default() };
        if coverage.is_some() {
            sieve.look_ahead()?;
        }
        Ok(sieve)
    }

    /// The next row, if there is one.
    pub(super) fn next(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        let Some(coverage) = self.coverage else { return self.merge.next(record) };
        loop {
            if let Some(row) = self.ready.pop_front() {
                *record = row;
                return Ok(true);
            }
            if self.ahead.is_empty() {
                return Ok(false);
            }
            self.gather(coverage)?;
        }
    }

    fn look_ahead(&mut self) -> io::Result<()> {
        if !self.merge.next(&mut self.ahead)? {
            self.ahead.clear();
        }
        Ok(())
    }

    /// Takes the rows of the next address and port, less those of the past.
    fn gather(&mut self, coverage: &Coverage) -> io::Result<()> {
        let place = self.ahead.get(..PLACE).ok_or_else(damaged)?.to_owned();
        while self.ready.len() < MOST_ALIKE && self.ahead.starts_with(&place) {
            self.ready.push_back(std::mem::take(&mut self.ahead));
            self.look_ahead()?;
        }
        if self.ahead.starts_with(&place) {
            self.crowded = place;
            return Ok(());
        }
        if self.crowded == place {
            return Ok(());
        }
        let rows: Option<Vec<_>> = self.ready.iter().map(|record| Sighting::take(record)).collect();
        let rows = rows.ok_or_else(damaged)?;
        let files: Vec<_> = rows.iter().filter_map(Sighting::file).collect();
        for (row, record) in rows.iter().zip(std::mem::take(&mut self.ready)) {
            let since = coverage.since(row, &files);
            self.outdated.count(since, row);
            if since != Since::Refused {
                self.ready.push_back(record);
            }
        }
        Ok(())
    }
}
