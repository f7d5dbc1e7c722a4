//! The sheet of certificates: each once, however many endpoints show it, those that expire first on top.
//!
//! So many are kept as a bound on memory allows. Where there are more, those that expire last are left out: whatever was
//! left out expires after all that are kept, which only ever expire earlier, so that the counts of those are exact.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use rust_xlsxwriter::Color;

use super::book::Book;
use super::cell::{Value, date};
use super::endpoints::look;
use super::sheet::{Head, Layout, Limits, Look};
use crate::inventory::Row;
use crate::output::Column;

/// What is shown of a certificate, behind what is counted.
const SHOWN: [Column; 7] = [
    Column::CertSubject,
    Column::CertIssuer,
    Column::CertNames,
    Column::CertNotBefore,
    Column::CertKey,
    Column::CertSignature,
    Column::CertSha256,
];

/// How many certificates are kept, and how many bytes of their text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) certificates: usize,
    pub(super) bytes: usize,
}

impl Bounds {
    /// Some hundred megabytes at most.
    pub(super) const REPORT: Self = Self { certificates: 100_000, bytes: 48 << 20 };
}

/// How long before its end a certificate is coloured, in days.
const SOON: f64 = 30.0;

/// By the end of validity as it is written, which sorts as time does; those without one come last.
type Key = (Option<Arc<str>>, Arc<str>);

/// Certificates, as far as they are kept.
#[derive(Debug)]
pub(super) struct Certificates {
    bounds: Bounds,
    /// The end of validity as a place in the order.
    kept: BTreeMap<(bool, Key), Certificate>,
    /// Where each digest is among them: another row may say another time.
    places: HashMap<Arc<str>, (bool, Key)>,
    bytes: usize,
    /// The first that was left out; none after it is taken.
    end: Option<(bool, Key)>,
    /// How many endpoints show one that was left out.
    left_out: u64,
}

#[derive(Debug)]
struct Certificate {
    /// What is made of it, at one endpoint or another.
    statuses: Vec<String>,
    endpoints: u64,
    example: String,
    shown: [Option<Box<str>>; SHOWN.len()],
    bytes: usize,
}

impl Certificates {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, kept: BTreeMap::new(), places: HashMap::new(), bytes: 0, end: None, left_out: 0 }
    }

    /// That of one row, if it shows one.
    pub(super) fn take(&mut self, row: &Row) {
        let Some(sha256) = row.text(Column::CertSha256) else { return };
        let status = row.text(Column::CertStatus);
        if let Some(known) = self.places.get(&*sha256).and_then(|place| self.kept.get_mut(place)) {
            known.endpoints = known.endpoints.saturating_add(1);
            self.bytes += known.add_status(status.as_deref());
            return self.shrink();
        }
        let sha256: Arc<str> = (&*sha256).into();
        let not_after = row.text(Column::CertNotAfter).map(|text| Arc::<str>::from(&*text));
        let place = (not_after.is_none(), (not_after, Arc::clone(&sha256)));
        if self.end.as_ref().is_some_and(|end| place >= *end) {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let mut certificate = Certificate::of(row);
        // What others write may be of any length.
        certificate.bytes += sha256.len() + place.1.0.as_ref().map_or(0, |text| text.len());
        certificate.add_status(status.as_deref());
        self.bytes += certificate.bytes;
        self.places.insert(sha256, place.clone());
        self.kept.insert(place, certificate);
        self.shrink();
    }

    /// Keeps no more than is allowed.
    fn shrink(&mut self) {
        while self.kept.len() > self.bounds.certificates || self.bytes > self.bounds.bytes {
            let Some((place, certificate)) = self.kept.pop_last() else { return };
            self.places.remove(&place.1.1);
            self.bytes = self.bytes.saturating_sub(certificate.bytes);
            self.left_out = self.left_out.saturating_add(certificate.endpoints);
            self.end = Some(place);
        }
    }

    /// What of them is not on the sheet, in words.
    pub(super) fn left_out(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            let (kept, rows) = (self.kept.len(), self.left_out);
            format!("Of all certificates here are the {kept} that expire first. {rows} endpoints show others.")
        })
    }

    /// Writes the sheet, as long as it is to go on; `now` is the time that expiry is seen from, in days.
    pub(super) fn write(
        self,
        book: &mut Book,
        (now, limits): (Option<f64>, Limits),
        go_on: &dyn Fn() -> io::Result<()>,
    ) -> io::Result<()> {
        let note = self.left_out();
        let mut sheets = book.begin(layout(now, limits))?;
        for ((_, (not_after, _)), certificate) in self.kept {
            go_on()?;
            let cells = certificate.cells(not_after.as_deref());
            book.write(&mut sheets, cells.into_iter())?;
        }
        book.end(sheets, note.as_deref())
    }
}

fn layout(now: Option<f64>, limits: Limits) -> Layout {
    let expiry = now.map_or(Look::Date, |now| Look::Expiry(now, now + SOON));
    let mut heads = vec![
        Head::new(Column::CertNotAfter.as_str(), 19.5, expiry),
        Head::new(Column::CertStatus.as_str(), 16.0, Look::Plain),
        Head::new("endpoints", 11.0, Look::Count),
        Head::new("for example", 24.0, Look::Plain),
    ];
    heads.extend(SHOWN.map(|column| {
        let (width, look) = look(column);
        Head::new(column.as_str(), width, look)
    }));
    Layout { name: "Certificates", tab: Color::RGB(0x2e_7d_4f), heads, frozen: 1, limits }
}

impl Certificate {
    fn of(row: &Row) -> Self {
        /// What the places in both maps take, about.
        const AROUND: usize = 400;
        let shown: [Option<Box<str>>; SHOWN.len()] = SHOWN.map(|column| row.text(column).map(|text| Box::from(&*text)));
        let example = row.endpoint().unwrap_or_default();
        let bytes = AROUND + example.len() + shown.iter().flatten().map(|text| text.len()).sum::<usize>();
        Self { statuses: Vec::new(), endpoints: 1, example, shown, bytes }
    }

    /// One more status, unless it is known; how many bytes that takes. We have a handful of them, others may write more.
    fn add_status(&mut self, status: Option<&str>) -> usize {
        const MOST: usize = 16;
        let Some(status) =
            status.filter(|status| self.statuses.len() < MOST && !self.statuses.iter().any(|it| it == status))
        else {
            return 0;
        };
        self.statuses.push(status.to_owned());
        self.bytes += status.len();
        status.len()
    }

    fn cells(mut self, not_after: Option<&str>) -> Vec<Option<Value<'static>>> {
        self.statuses.sort_unstable();
        let text = |text: &str| Value::text(text.to_owned());
        let time = |cell: &str| date(cell).map_or_else(|| text(cell), Value::Date);
        let statuses = (!self.statuses.is_empty()).then(|| text(&self.statuses.join("; ")));
        let mut cells =
            vec![not_after.map(time), statuses, Some(Value::count(self.endpoints)), Some(text(&self.example))];
        cells.extend(self.shown.iter().zip(SHOWN).map(|(cell, column)| {
            let cell = cell.as_deref()?;
            Some(if column == Column::CertNotBefore { time(cell) } else { text(cell) })
        }));
        cells
    }
}
