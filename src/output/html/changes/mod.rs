//! The page of differences.

mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::MAX_ROWS;
use super::charts::thousands;
use super::escape::{Json, shortened};
use super::frame::{self, Look, Masthead, Table, script, style};
use super::kept::Kept;
use super::words::noun;
use crate::inventory::diff::{About, Change, ChangeWriter, FieldChange, Kind, Outline, Side, Summary, Trend};

pub(super) const LOOK: Look =
    Look { title: "", style: style!("assets/changes.css"), script: script!("assets/changes.js") };

const TABLE: Table = Table {
    id: "changes",
    title: "All that differs",
    search: "Search address, name, software, field …",
    none: "Nothing has all of that.",
};

/// So many characters of a text are on a page.
const MOST_TEXT: usize = 1000;

/// What a row of the table is made of.
const COLUMNS: [&str; 12] = [
    "kind", "severity", "trend", "name", "ip", "port", "service", "outcome", "software", "version", "detail", "fields",
];

/// A page that takes differences.
///
/// ```
/// use hailer::inventory::diff::{About, Change, ChangeWriter, Summary};
/// use hailer::output::html::ChangesPage;
///
/// let change: Change = serde_json::from_str(r#"{"kind":"appeared","severity":"info","ip":"192.0.2.1","port":25}"#)?;
/// let mut html = Vec::new();
/// let mut page = Box::new(ChangesPage::new(About::default(), &mut html)?);
/// page.begin(&Summary::default())?;
/// page.change(&change)?;
/// page.end()?;
/// assert!(html.starts_with(b"<!doctype html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChangesPage<W> {
    outline: Outline,
    kept: Kept,
    to: W,
}

impl<W: Write> ChangesPage<W> {
    /// One that goes to this writer.
    ///
    /// # Errors
    /// Where there is no room for a temporary file.
    pub fn new(about: About, to: W) -> io::Result<Self> {
        Self::holding(MAX_ROWS, about, to)
    }

    fn holding(most: u64, about: About, to: W) -> io::Result<Self> {
        Ok(Self { outline: Outline::new(about, Summary::default()), kept: Kept::new(most)?, to })
    }
}

impl<W: Write> ChangeWriter for ChangesPage<W> {
    fn begin(&mut self, summary: &Summary) -> io::Result<()> {
        self.outline.summary = summary.clone();
        Ok(())
    }

    fn change(&mut self, change: &Change) -> io::Result<()> {
        self.outline.add(change);
        let weight = usize::from(change.trend == Some(Trend::Worse));
        self.kept.add((Some(change.severity), weight), || row(change))
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        let Self { outline, kept, mut to } = *self;
        let look = Look { title: outline.about.title(), ..LOOK };
        let mut html = String::new();
        frame::push_head(&mut html, &look);
        push_masthead(&mut html, &look, &outline, &kept);
        sections::headline(&mut html, &outline);
        sections::charts(&mut html, &outline);
        sections::worst(&mut html, &outline);
        sections::compared(&mut html, &outline.about);
        frame::push_table(&mut html, &TABLE);
        frame::push_foot(&mut html, Some(SystemTime::now()), &meta(&outline.about, &kept));
        to.write_all(html.as_bytes())?;
        kept.write(&mut to)?;
        html.clear();
        frame::push_end(&mut html, &look);
        to.write_all(html.as_bytes())?;
        to.flush()
    }
}

fn push_masthead(html: &mut String, look: &Look, outline: &Outline, kept: &Kept) {
    let total = outline.summary.total();
    let names = |side| {
        let of = outline.about.sources.iter().filter(|source| source.side == side).map(|source| source.name.as_str());
        of.collect::<Vec<_>>().join(", ")
    };
    let [old, new] = outline.about.sides();
    let verb = noun(total, "endpoint differs", "endpoints differ");
    let about = format!("{} {verb}; {old}: {}; {new}: {}", thousands(total), names(Side::Old), names(Side::New));
    let limited = (!kept.is_all()).then(|| {
        format!(
            "Figures and charts are of all {} that differ. The table has the {} that matter most, as more would be too much for a browser; -o FILE.xlsx, .csv and .ndjson have all.",
            thousands(total),
            thousands(kept.len())
        )
    });
    let parts =
        [("overview", "Overview"), ("worst", "The worst"), ("compared", "What was compared"), (TABLE.id, TABLE.title)];
    frame::push_masthead(html, look, &Masthead { about: &about, notes: &outline.about.notes, limited, parts: &parts });
}

/// What the script must know besides rows.
fn meta(about: &About, kept: &Kept) -> Value {
    let kinds: BTreeMap<_, _> =
        Kind::ALL.iter().map(|kind| (kind.as_str(), kind.about(about.is_of_expectations))).collect();
    json!({ "columns": COLUMNS, "rows": kept.len(), "kinds": kinds, "sides": about.sides() })
}

/// A difference as the script reads it: a JSON array in the order of the columns, where an absent cell is an empty text.
fn row(change: &Change) -> String {
    let Change { kind, severity, trend, name, ip, port, service, outcome, software, version, detail, fields } = change;
    let short = |text: &Option<String>| text.as_deref().map(|text| shortened(text, MOST_TEXT)).unwrap_or_default();
    let word = |trend: Option<Trend>| trend.map_or("", Trend::as_str);
    let field = |it: &FieldChange| {
        json!([it.field, short(&it.from), short(&it.to), it.what.as_str(), it.severity.as_str(), word(it.what.trend())])
    };
    let fields: Vec<_> = fields.iter().map(field).collect();
    let cells: [Value; COLUMNS.len()] = [
        kind.as_str().into(),
        severity.as_str().into(),
        word(*trend).into(),
        short(name).into(),
        ip.map(|ip| ip.to_string()).unwrap_or_default().into(),
        (*port).into(),
        short(service).into(),
        short(outcome).into(),
        short(software).into(),
        short(version).into(),
        short(detail).into(),
        fields.into(),
    ];
    Json(&Value::from(cells.to_vec()).to_string()).to_string()
}
