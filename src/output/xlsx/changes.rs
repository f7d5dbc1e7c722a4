//! Differences as a workbook.
//!
//! | sheet | holds |
//! |---|---|
//! | `Summary` | what was compared, figures, charts, and the worst |
//! | `Endpoints` … | one row for each endpoint that differs, by kind |
//! | `Changes` … | one row for each field that differs, the worst first |

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use rust_xlsxwriter::{Color, Format, Worksheet, XlsxError};

use super::book::Book;
use super::cell::Value;
use super::front::{Block, Front, Wide, kinds, sorted};
use super::sheet::{Head, Layout, Limits, Look, Sheets, severity_format};
use super::summary::SEVERITIES;
use super::waiting::Waiting;
use crate::inventory::diff::{About, Change, ChangeWriter, FieldChange, Kind, Outline, Summary, Trend, What};
use crate::observation::Severity;

/// A workbook that takes differences.
///
/// ```
/// use hailer::inventory::diff::{About, Change, ChangeWriter, Summary};
/// use hailer::output::xlsx::ChangesBook;
///
/// let change: Change = serde_json::from_str(r#"{"kind":"appeared","severity":"info","ip":"192.0.2.1","port":25}"#)?;
/// let mut file = Vec::new();
/// let mut book = Box::new(ChangesBook::new(&std::env::temp_dir(), About::default(), &mut file)?);
/// book.begin(&Summary::default())?;
/// book.change(&change)?;
/// book.end()?;
/// assert!(file.starts_with(b"PK"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ChangesBook<W> {
    book: Book,
    limits: Limits,
    endpoints: Sheets,
    /// The rows of the other sheet: each an endpoint with one of its fields, or none.
    changes: Waiting<Change>,
    outline: Outline,
    to: W,
}

impl<W> fmt::Debug for ChangesBook<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangesBook").field("outline", &self.outline).finish_non_exhaustive()
    }
}

impl<W: Write + Send> ChangesBook<W> {
    /// One that goes to this writer. Until it ends what it takes waits in that folder, in files that have no name and go
    /// with it.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub fn new(folder: &Path, about: About, to: W) -> io::Result<Self> {
        Self::bounded(folder, about, to, Limits::EXCEL)
    }

    pub(super) fn bounded(folder: &Path, about: About, to: W, limits: Limits) -> io::Result<Self> {
        let mut book = Book::new(folder, about.title())?;
        let endpoints = book.begin(of_endpoints(limits))?;
        let outline = Outline::new(about, Summary::default());
        Ok(Self { book, limits, endpoints, changes: Waiting::new(folder), outline, to })
    }
}

impl<W: Write + Send> ChangeWriter for ChangesBook<W> {
    fn begin(&mut self, summary: &Summary) -> io::Result<()> {
        self.outline.summary = summary.clone();
        Ok(())
    }

    fn change(&mut self, change: &Change) -> io::Result<()> {
        self.outline.add(change);
        let what = change.fields.iter().map(FieldChange::told).collect::<Vec<_>>().join("; ");
        let own = [
            trend(change.trend),
            Some(Value::count(u64::try_from(change.fields.len()).unwrap_or(u64::MAX))),
            Some(what).filter(|what| !what.is_empty()).map(Value::text),
        ];
        let cells = place(change, change.severity).into_iter().chain(own).chain(server(change));
        self.book.write(&mut self.endpoints, cells)?;
        let alone = Change { fields: Vec::new(), ..change.clone() };
        if change.fields.is_empty() {
            return self.changes.take(change.severity, &alone);
        }
        change.fields.iter().try_for_each(|field| {
            self.changes.take(field.severity, &Change { fields: vec![field.clone()], ..alone.clone() })
        })
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        let Self { mut book, limits, endpoints, changes, outline, to } = *self;
        book.push(|| summary(&outline))?;
        book.end(endpoints, None)?;
        let mut sheets = book.begin(of_changes(limits, &outline.about))?;
        changes.each(|severity, change| {
            let field = change.fields.first();
            let text = |text: Option<&'_ str>| text.map(|text| Value::text(text.to_owned()));
            let own = [
                text(field.map(|field| field.field.as_str())),
                text(field.and_then(|field| field.from.as_deref())),
                text(field.and_then(|field| field.to.as_deref())),
                text(field.map(|field| field.what).filter(|what| *what != What::Other).map(What::as_str)),
                trend(field.and_then(|field| field.what.trend())),
            ];
            book.write(&mut sheets, place(&change, severity).into_iter().chain(own).chain(server(&change)))
        })?;
        book.end(sheets, None)?;
        book.save(to)
    }
}

/// How bad it is and where; both sheets begin so.
fn place(change: &Change, severity: Severity) -> [Option<Value<'_>>; PLACE.len()] {
    [
        Some(Value::text(severity.as_str())),
        Some(Value::text(change.kind.as_str())),
        change.ip.map(|ip| Value::text(ip.to_string())),
        Some(Value::Number(change.port.into())),
        change.name.as_deref().map(Value::text),
        change.service.as_deref().map(Value::text),
    ]
}

const PLACE: [(&str, f64, Look); 6] = [
    ("severity", 10.0, Look::Severity),
    ("kind", 14.0, Look::Plain),
    ("ip", 16.0, Look::Plain),
    ("port", 8.0, Look::Number),
    ("name", 26.0, Look::Plain),
    ("service", 12.5, Look::Plain),
];

/// So many of these stay in sight.
const FROZEN: u16 = 4;

/// What answers there; both sheets end so.
fn server(change: &Change) -> [Option<Value<'_>>; SERVER.len()] {
    [&change.outcome, &change.software, &change.version, &change.detail].map(|text| text.as_deref().map(Value::text))
}

const SERVER: [(&str, f64, Look); 4] = [
    ("outcome", 15.0, Look::Plain),
    ("software", 22.0, Look::Plain),
    ("version", 16.0, Look::Plain),
    ("why", 40.0, Look::Plain),
];

fn trend(trend: Option<Trend>) -> Option<Value<'static>> {
    trend.map(|trend| Value::text(trend.as_str()))
}

fn of_endpoints(limits: Limits) -> Layout {
    let own = [("trend", 9.0, Look::Plain), ("fields", 9.0, Look::Count), ("what differs", 70.0, Look::Plain)];
    layout("Endpoints", Color::RGB(0x1f_3a_5f), &own, limits)
}

fn of_changes(limits: Limits, about: &About) -> Layout {
    let [old, new] = about.sides();
    let own = [
        ("field", 16.0, Look::Plain),
        (old, 36.0, Look::Plain),
        (new, 36.0, Look::Plain),
        ("what it means", 18.0, Look::Plain),
        ("trend", 9.0, Look::Plain),
    ];
    layout("Changes", Color::RGB(0xb0_2a_2a), &own, limits)
}

fn layout(name: &'static str, tab: Color, own: &[(&str, f64, Look)], limits: Limits) -> Layout {
    let heads = PLACE.iter().chain(own).chain(&SERVER).map(|(name, width, look)| Head::new(*name, *width, *look));
    Layout { name, tab, heads: heads.collect(), frozen: FROZEN, limits }
}

/// What a reader wants to know first.
fn summary(outline: &Outline) -> Result<Worksheet, XlsxError> {
    let About { notes, is_of_expectations, .. } = &outline.about;
    let mut front = Front::new(outline.about.title())?;
    let [old, new] = outline.about.sides();
    let [rows_before, rows_now] = outline.summary.rows;
    front.line(&format!("Rows: {rows_before} {old}, {rows_now} {new}. All times in this workbook are UTC."))?;
    notes.iter().try_for_each(|note| front.note(note))?;
    front.gap();
    let trend = |trend| outline.trends.get(&trend).copied().unwrap_or_default();
    let of = |kind| outline.summary.kinds.get(&kind).copied().unwrap_or_default();
    let (same, came, gone) = if *is_of_expectations {
        ("as they should be", Kind::Unexpected, Kind::Missing)
    } else {
        ("unchanged", Kind::Appeared, Kind::Vanished)
    };
    front.tiles(&[
        ((0, 0), "endpoints that differ", outline.summary.total()),
        ((1, 2), "for the worse", trend(Trend::Worse)),
        ((3, 5), "for the better", trend(Trend::Better)),
        ((6, 8), same, outline.summary.unchanged),
        ((10, 10), "of severity high", outline.of_severity(Severity::High)),
        ((11, 13), came.as_str(), of(came)),
        ((14, 18), gone.as_str(), of(gone)),
    ])?;
    compared(&mut front, &outline.about)?;
    worst(&mut front, outline)?;
    figures(&mut front, outline)?;
    Ok(front.sheet)
}

fn compared(front: &mut Front, about: &About) -> Result<(), XlsxError> {
    let lines = about.sources.iter().map(|source| Wide {
        name: source.name.clone(),
        second: (about.side(source.side).to_owned(), Format::new()),
        count: source.endpoints,
        what: source.scan.clone().unwrap_or_default(),
        more: source.lack.clone().unwrap_or_default(),
    });
    let lines: Vec<_> = lines.collect();
    front.wide(["What was compared", "", "endpoints", "when its scan ran, and how", "what is not known"], &lines)?;
    front.gap();
    Ok(())
}

fn worst(front: &mut Front, outline: &Outline) -> Result<(), XlsxError> {
    let lines = outline.worst().map(|change| {
        let Change { severity, kind, name, software, version, .. } = change;
        let words = [Some(kind.as_str()), name.as_deref(), software.as_deref(), version.as_deref()];
        Wide {
            name: change.endpoint(),
            second: (severity.as_str().to_owned(), severity_format(*severity)),
            count: Some(u64::try_from(change.fields.len()).unwrap_or(u64::MAX)),
            what: cut(&words.into_iter().flatten().collect::<Vec<_>>().join(" ")),
            more: cut(&change.told()),
        }
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return front.note("Nothing differs.");
    }
    front.wide(["The worst", "severity", "fields", "kind, name and software", "what differs"], &lines)?;
    let more = outline.summary.total().saturating_sub(u64::try_from(lines.len()).unwrap_or(u64::MAX));
    if more > 0 {
        front.note(&format!("and {more} endpoints more: see the sheets Endpoints and Changes"))?;
    }
    front.gap();
    Ok(())
}

/// A text that a line of the summary holds; the sheets have all of it.
fn cut(text: &str) -> String {
    const MOST: usize = 400;
    text.char_indices().nth(MOST).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

fn figures(front: &mut Front, outline: &Outline) -> Result<(), XlsxError> {
    let of_kinds = outline.kinds().map(|(kind, count)| (kind.as_str().to_owned(), count));
    let severities =
        Severity::ALL.into_iter().rev().map(|severity| (severity.as_str().to_owned(), outline.of_severity(severity)));
    front.blocks(
        &Block::new("Endpoints by kind", of_kinds.collect()),
        &Block::new("Endpoints by severity", severities.collect()).coloured(&SEVERITIES),
    )?;
    let meanings = outline.meanings.iter().map(|(what, count)| (what.as_str().to_owned(), *count)).collect();
    front.blocks(
        &Block::new("Fields that differ", kinds(&outline.fields)),
        &Block::new("What that means", sorted(meanings)),
    )?;
    front.blocks(
        &Block::new("Findings, new or worse", kinds(&outline.new_findings)),
        &Block::new("Findings, gone or milder", kinds(&outline.gone_findings)),
    )?;
    if outline.reasons.total() > 0 {
        let trends = outline.trends.iter().map(|(trend, count)| (trend.as_str().to_owned(), *count));
        front.blocks(
            &Block::new("Not scanned or heard of, and why", kinds(&outline.reasons)),
            &Block::new("For the worse or the better", trends.collect()),
        )?;
    }
    let names = Severity::ALL.map(|severity| severity.as_str().to_owned());
    let series = Kind::ALL.map(|kind| {
        let count = |severity| outline.summary.severities.get(&(kind, severity)).copied().unwrap_or_default();
        (kind.as_str(), colour(kind), Severity::ALL.map(count).to_vec())
    });
    front.stacked("Kinds by severity", &names, &series)
}

const fn colour(kind: Kind) -> u32 {
    match kind {
        Kind::Missing => 0xc6_28_28,
        Kind::Unexpected => 0xef_8e_19,
        Kind::Differs => 0xe3_c5_1c,
        Kind::Appeared => 0x2e_7d_4f,
        Kind::Vanished => 0x8e_24_24,
        Kind::Changed => 0x4f_86_c6,
        Kind::Moved => 0x8e_6b_bf,
        Kind::Renewed => 0x4d_d0_e1,
        Kind::NotAnswered => 0x79_55_48,
        Kind::NotScanned => 0x9e_9e_9e,
        Kind::NewlyScanned => 0x60_7d_8b,
    }
}
