//! A writer that fails or writes short at every place: what is left is whole rows, and none is lost.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::super::Format;
use super::*;
use crate::observation::{Outcome, Service};

/// A file in memory on a disk with so much room, written in steps of so many bytes.
#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<Contents>>);

#[derive(Debug)]
struct Contents {
    bytes: Vec<u8>,
    room: usize,
    step: usize,
    can_be_cut: bool,
}

impl Disk {
    fn new(room: usize, step: usize, can_be_cut: bool) -> Self {
        Self(Arc::new(Mutex::new(Contents { bytes: Vec::new(), room, step, can_be_cut })))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    fn make_room(&self, room: usize) {
        self.0.lock().unwrap().room = room;
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut contents = self.0.lock().unwrap();
        let len = bytes.len().min(contents.step).min(contents.room.saturating_sub(contents.bytes.len()));
        if len == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        contents.bytes.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Disk {
    fn cut(&mut self, len: u64) -> io::Result<bool> {
        let mut contents = self.0.lock().unwrap();
        if contents.can_be_cut {
            contents.bytes.truncate(usize::try_from(len).unwrap());
        }
        Ok(contents.can_be_cut)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn observation(port: u16) -> Observation {
    let mut row = Observation::new(SystemTime::UNIX_EPOCH, "::1".parse().ok(), port, Service::Ftp, Outcome::Greeted);
    row.received.push("220 Grüße\r\n".as_bytes(), Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    row
}

/// What all rows look like.
fn whole(format: Format, rows: u16) -> Vec<u8> {
    let mut encoder = Encoder::new(format);
    let mut out = String::new();
    encoder.header(&mut out);
    for port in 0..rows {
        encoder.row(&observation(port), &mut out);
    }
    out.into_bytes()
}

/// The whole rows within the first `room` bytes.
fn rows_within(bytes: &[u8], room: usize) -> &[u8] {
    let room = room.min(bytes.len());
    &bytes[..bytes[..room].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)]
}

#[test]
fn a_full_disk_keeps_every_whole_row_and_the_rest_follows_when_there_is_room() {
    for format in [Format::Csv, Format::Ndjson, Format::Text] {
        let expected = whole(format, 3);
        for room in 0..expected.len() {
            for step in [1, 7, usize::MAX] {
                let disk = Disk::new(room, step, true);
                let mut sink = RowSink::new(format, "rows".into(), disk.clone());
                let mut failed = false;
                for port in 0..3 {
                    sink.write(&observation(port)).unwrap();
                    failed |= sink.flush().is_err();
                    assert_eq!(disk.bytes().len(), usize::try_from(sink.complete()).unwrap());
                    assert_eq!(disk.bytes(), rows_within(&expected, disk.bytes().len()), "room {room}, step {step}");
                }
                assert!(failed);
                assert_eq!(disk.bytes(), rows_within(&expected, room), "room {room}, step {step}");
                disk.make_room(usize::MAX);
                sink.flush().unwrap();
                assert_eq!(disk.bytes(), expected, "room {room}, step {step}");
            }
        }
    }
}

#[test]
fn what_cannot_be_cut_goes_on_in_the_middle_of_the_row() {
    let expected = whole(Format::Csv, 2);
    for room in 0..expected.len() {
        let disk = Disk::new(room, 5, false);
        let mut sink = RowSink::new(Format::Csv, "pipe".into(), disk.clone());
        sink.write(&observation(0)).unwrap();
        sink.write(&observation(1)).unwrap();
        let error = sink.flush().unwrap_err();
        assert_eq!(disk.bytes(), expected[..room]);
        let is_torn = rows_within(&expected, room).len() < room;
        assert_eq!(error.to_string().contains("torn"), is_torn, "{error}");
        disk.make_room(room + 3);
        assert_eq!(sink.flush().is_err(), room + 3 < expected.len());
        disk.make_room(usize::MAX);
        sink.flush().unwrap();
        assert_eq!(disk.bytes(), expected, "room {room}");
    }
}

#[test]
fn a_row_that_was_refused_was_not_taken() {
    let disk = Disk::new(0, usize::MAX, true);
    let mut sink = RowSink::new(Format::Csv, "rows".into(), disk.clone());
    let mut taken = 0;
    while sink.write(&observation(taken)).is_ok() {
        taken += 1;
    }
    assert!(sink.write(&observation(taken)).is_err(), "what waits is bounded");
    disk.make_room(usize::MAX);
    sink.write(&observation(taken)).unwrap();
    drop(sink);
    assert_eq!(disk.bytes(), whole(Format::Csv, taken + 1));
}

#[test]
fn a_row_waits_no_longer_than_a_second() {
    let start = Instant::now();
    let after = |millis| start + Duration::from_millis(millis);
    let disk = Disk::new(usize::MAX, usize::MAX, true);
    let mut sink = RowSink::new(Format::Ndjson, "rows".into(), disk.clone());
    sink.flush_if_due(after(0)).unwrap();
    sink.flush_if_due(after(5_000)).unwrap();
    sink.write(&observation(0)).unwrap();
    sink.flush_if_due(after(5_999)).unwrap();
    assert!(disk.bytes().is_empty());
    sink.flush_if_due(after(6_000)).unwrap();
    assert_eq!(disk.bytes(), whole(Format::Ndjson, 1));
    sink.write(&observation(1)).unwrap();
    sink.flush_if_due(after(6_500)).unwrap();
    assert_eq!(disk.bytes(), whole(Format::Ndjson, 1));
    sink.flush_if_due(after(7_000)).unwrap();
    assert_eq!(disk.bytes(), whole(Format::Ndjson, 2));
}

#[test]
fn an_existing_file_is_overwritten_only_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, "precious").unwrap();
    let error = RowFile::create(&path, Format::Csv, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("rows.csv"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let mut rows = RowFile::create(&path, Format::Csv, true).unwrap();
    rows.write(&observation(0)).unwrap();
    rows.sync().unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole(Format::Csv, 1));
}

#[test]
fn a_file_is_resumed_where_its_whole_rows_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    let complete = len_u64(whole(Format::Csv, 1).len());
    for left in [whole(Format::Csv, 1), whole(Format::Csv, 2)] {
        fs::write(&path, &left).unwrap();
        let mut rows = RowFile::resume(&path, Format::Csv, complete).unwrap();
        rows.write(&observation(1)).unwrap();
        drop(rows);
        assert_eq!(fs::read(&path).unwrap(), whole(Format::Csv, 2));
    }
    for wrong in [complete - 1, complete + 1_000] {
        assert!(RowFile::resume(&path, Format::Csv, wrong).is_err());
    }
    assert_eq!(fs::read(&path).unwrap(), whole(Format::Csv, 2));
    let rows = RowFile::resume(&path, Format::Csv, 0).unwrap();
    drop(rows);
    assert_eq!(fs::read(&path).unwrap(), whole(Format::Csv, 0));
}

#[test]
#[cfg(target_os = "linux")]
fn devices_need_no_leave_and_a_full_one_is_told() {
    let mut rows = RowFile::create("/dev/full".as_ref(), Format::Csv, false).unwrap();
    rows.write(&observation(0)).unwrap();
    let error = rows.flush().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(error.to_string().contains("cannot write /dev/full"), "{error}");
    assert!(RowFile::create("/dev".as_ref(), Format::Csv, false).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn a_real_file_is_cut_back_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    let mut rows = RowFile::create(&path, Format::Csv, false).unwrap();
    rows.write(&observation(0)).unwrap();
    rows.write(&observation(1)).unwrap();
    // As if the disk had filled up in the middle of the second row.
    let torn = whole(Format::Csv, 1).len() + 10;
    rows.target.write_all(&whole(Format::Csv, 2)[..torn]).unwrap();
    rows.keep_whole_rows(torn);
    assert_eq!(fs::read(&path).unwrap(), whole(Format::Csv, 1));
    rows.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole(Format::Csv, 2));
}
