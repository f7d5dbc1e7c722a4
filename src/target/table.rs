//! Spans and names in records of one width, found by the index of an endpoint or by address with few reads.
//!
//! A record says at which index its endpoints begin; where they end is where the next ones begin. In memory there is the
//! beginning of every 64th record, so that one read finds any.

use std::io;
use std::sync::Arc;

use super::Host;
use super::parse::to_address;
use super::scratch::{Appender, Bytes, Limits, damaged};

/// Records to an entry of the index: 2 KiB to a read, and an eighth of a byte in memory to a record.
const STRIDE: usize = 64;

/// Start 8, ports 4, kind 1, length of the text 1, first address or place of the text 16.
const WIDTH: usize = 30;

type Raw = [u8; WIDTH];

const V4: u8 = 0;
const V6: u8 = 1;
const NAME: u8 = 2;
const MX: u8 = 3;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The index of its first endpoint.
    pub(super) start: u64,
    /// The number of its ports.
    pub(super) ports: u32,
    pub(super) place: RowPlace,
}

/// Where the endpoints of a record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowPlace {
    /// From this address on.
    Address { ipv6: bool, first: u128 },
    /// At a name, or at the mail exchanges of a domain; its text is in the other file.
    Text { mx: bool, offset: u64, length: u8 },
}

impl Row {
    fn encode(&self) -> Raw {
        let (kind, length, number) = match self.place {
            RowPlace::Address { ipv6, first } => (if ipv6 { V6 } else { V4 }, 0, first),
            RowPlace::Text { mx, offset, length } => (if mx { MX } else { NAME }, length, u128::from(offset)),
        };
        let mut raw = [0; WIDTH];
        raw[..8].copy_from_slice(&self.start.to_be_bytes());
        raw[8..12].copy_from_slice(&self.ports.to_be_bytes());
        raw[12..14].copy_from_slice(&[kind, length]);
        raw[14..].copy_from_slice(&number.to_be_bytes());
        raw
    }

    fn decode(raw: &Raw) -> io::Result<Self> {
        let (start, rest) = raw.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (ports, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let ([kind, length], rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let number = u128::from_be_bytes(rest.try_into().map_err(|_| damaged())?);
        let text = |mx| u64::try_from(number).map(|offset| RowPlace::Text { mx, offset, length: *length });
        let place = match *kind {
            V4 => RowPlace::Address { ipv6: false, first: number },
            V6 => RowPlace::Address { ipv6: true, first: number },
            NAME => text(false).map_err(|_| damaged())?,
            MX => text(true).map_err(|_| damaged())?,
            _ => return Err(damaged()),
        };
        Ok(Self { start: u64::from_be_bytes(*start), ports: u32::from_be_bytes(*ports), place })
    }
}

fn start(raw: &Raw) -> u64 {
    let start = raw.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(start)
}

/// A table being written, in ascending order of its starts, and of its addresses: IPv4, IPv6, names.
#[derive(Debug)]
pub(super) struct TableWriter {
    records: Appender,
    texts: Appender,
    index: Vec<u64>,
    count: u64,
}

impl TableWriter {
    pub(super) fn new(limits: &Limits) -> Self {
        let appender = || Appender::new(limits.folder.clone(), limits.table);
        Self { records: appender(), texts: appender(), index: Vec::new(), count: 0 }
    }

    pub(super) fn push_range(&mut self, start: u64, ports: u32, ipv6: bool, first: u128) -> io::Result<()> {
        self.push(&Row { start, ports, place: RowPlace::Address { ipv6, first } })
    }

    pub(super) fn push_name(&mut self, start: u64, ports: u32, mx: bool, name: &str) -> io::Result<()> {
        let length = u8::try_from(name.len()).map_err(io::Error::other)?;
        let offset = self.texts.len();
        self.texts.append(name.as_bytes())?;
        self.push(&Row { start, ports, place: RowPlace::Text { mx, offset, length } })
    }

    fn push(&mut self, row: &Row) -> io::Result<()> {
        if self.count.is_multiple_of(u64::try_from(STRIDE).map_err(io::Error::other)?) {
            self.index.push(row.start);
        }
        self.count += 1;
        self.records.append(&row.encode())
    }

    pub(super) fn finish(mut self) -> io::Result<Table> {
        self.index.shrink_to_fit();
        Ok(Table { records: self.records.finish()?, texts: self.texts.finish()?, index: self.index, count: self.count })
    }
}

/// A table that was written.
#[derive(Debug)]
pub(super) struct Table {
    records: Bytes,
    texts: Bytes,
    index: Vec<u64>,
    count: u64,
}

impl Table {
    /// The record that holds an endpoint, and its number; the index must be less than the number of endpoints.
    pub(super) fn at(&self, endpoint: u64) -> io::Result<(Row, u64)> {
        let entry = self.index.partition_point(|start| *start <= endpoint).checked_sub(1).ok_or_else(damaged)?;
        let from = entry * STRIDE;
        let records = usize::try_from(self.count).map_err(|_| damaged())?.saturating_sub(from).min(STRIDE);
        match &self.records {
            Bytes::Memory(bytes) => {
                let bytes = bytes.get(from * WIDTH..(from + records) * WIDTH).ok_or_else(damaged)?;
                find(bytes, from, endpoint)
            }
            Bytes::File(_) => {
                let mut buffer = [0; STRIDE * WIDTH];
                let bytes = &mut buffer[..records * WIDTH];
                self.records.read(u64::try_from(from * WIDTH).map_err(|_| damaged())?, bytes)?;
                find(bytes, from, endpoint)
            }
        }
    }

    /// The last record that begins at an address or before it, and the index at which its endpoints end. `len` is how
    /// many endpoints there are.
    pub(super) fn before(&self, ipv6: bool, number: u128, len: u64) -> io::Result<Option<(Row, u64)>> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            let is_before = match self.record(middle)?.place {
                RowPlace::Address { ipv6: v6, first } => (v6, first) <= (ipv6, number),
                RowPlace::Text { .. } => false,
            };
            if is_before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(found) = low.checked_sub(1) else { return Ok(None) };
        let end = if low < self.count { self.record(low)?.start } else { len };
        Ok(Some((self.record(found)?, end)))
    }

    /// Where a record is, `offset` addresses from its first.
    pub(super) fn host(&self, place: RowPlace, offset: u64) -> io::Result<Host> {
        match place {
            RowPlace::Address { ipv6, first } => {
                let number = first.checked_add(u128::from(offset)).ok_or_else(damaged)?;
                Ok(Host::Address(to_address(number, ipv6)))
            }
            RowPlace::Text { mx, offset, length } => {
                let mut buffer = [0; 255];
                let text = &mut buffer[..usize::from(length)];
                self.texts.read(offset, text)?;
                let name: Arc<str> = str::from_utf8(text).map_err(|_| damaged())?.into();
                Ok(if mx { Host::Mx(name) } else { Host::Name(name) })
            }
        }
    }

    /// The record with this number.
    pub(super) fn record(&self, number: u64) -> io::Result<Row> {
        let mut raw = [0; WIDTH];
        let width = u64::try_from(WIDTH).map_err(|_| damaged())?;
        self.records.read(number * width, &mut raw)?;
        Row::decode(&raw)
    }

    /// How many records there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether some of it is in a file.
    #[cfg(test)]
    pub(super) fn is_on_disk(&self) -> bool {
        [&self.records, &self.texts].into_iter().any(|bytes| matches!(bytes, Bytes::File(_)))
    }

    /// Takes the files from under it, as a broken disk would.
    #[cfg(test)]
    pub(super) fn break_disk(&self) {
        for bytes in [&self.records, &self.texts] {
            if let Bytes::File(file) = bytes {
                file.set_len(0).unwrap();
            }
        }
    }
}

/// The last of some records that begins at an endpoint or before it; `from` is the number of the first.
fn find(records: &[u8], from: usize, endpoint: u64) -> io::Result<(Row, u64)> {
    let (records, _) = records.as_chunks::<WIDTH>();
    let after = records.partition_point(|record| start(record) <= endpoint);
    let found = after.checked_sub(1).ok_or_else(damaged)?;
    let row = Row::decode(records.get(found).ok_or_else(damaged)?)?;
    Ok((row, u64::try_from(from + found).map_err(|_| damaged())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 single addresses with a gap of one between them, two ports each; then a name and a domain.
    fn table(limit: usize) -> Table {
        let mut writer = TableWriter::new(&Limits { table: limit, ..Limits::default() });
        for i in 0..200 {
            writer.push_range(i * 2, 7, i >= 100, u128::from(i * 2)).unwrap();
        }
        writer.push_name(400, 8, false, "a.example").unwrap();
        writer.push_name(401, 8, true, "b.example").unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn memory_and_file_answer_alike() {
        for (limit, on_disk) in [(0, true), (100, true), (1 << 20, false)] {
            let table = table(limit);
            assert_eq!(table.is_on_disk(), on_disk);
            for endpoint in 0..400 {
                let (row, number) = table.at(endpoint).unwrap();
                assert_eq!((row.start, row.ports, number), (endpoint / 2 * 2, 7, endpoint / 2));
                let first = u128::from(endpoint / 2 * 2);
                assert_eq!(row.place, RowPlace::Address { ipv6: endpoint >= 200, first });
            }
            let host = |endpoint| table.host(table.at(endpoint).unwrap().0.place, 0).unwrap();
            assert_eq!(host(400), Host::Name("a.example".into()));
            assert_eq!(host(401), Host::Mx("b.example".into()));
            let before = |ipv6, number| table.before(ipv6, number, 402).unwrap().map(|(row, end)| (row.start, end));
            assert_eq!(before(false, 0), Some((0, 2)));
            assert_eq!(before(false, 9), Some((8, 10)));
            assert_eq!(before(false, 10), Some((10, 12)));
            assert_eq!(before(true, 0), Some((198, 200)), "of the other family");
            assert_eq!(before(true, u128::MAX), Some((398, 400)));
        }
    }

    #[test]
    fn a_disk_that_breaks_is_an_error() {
        let table = table(0);
        table.break_disk();
        assert_eq!(table.at(5).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(table.before(false, 5, 402).is_err());
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        let mut raw = Row { start: 1, ports: 2, place: RowPlace::Address { ipv6: false, first: 3 } }.encode();
        assert!(Row::decode(&raw).is_ok());
        raw[12] = 9;
        assert_eq!(Row::decode(&raw).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
