//! The page of rows.

mod certificates;
mod data;
mod sections;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::MAX_ROWS;
use super::charts::thousands;
use super::frame::{self, Look, Masthead, Table, script, style};
use super::kept::Kept;
use super::words::{noun, span};
use crate::classify::fronting::Overview;
use crate::handbook::Handbook;
use crate::inventory::{Figures, Row, counted_as};
use crate::output::{Column, first_few};

pub(super) const LOOK: Look = Look {
    title: "FTP and mail servers",
    style: style!("assets/endpoints.css"),
    script: script!("assets/endpoints.js", "assets/host.js"),
};

const TABLE: Table = Table {
    id: "endpoints",
    title: "Endpoints",
    search: "Search address, name, software, banner …",
    none: "No endpoint has all of that.",
};

/// So many endpoints of each finding are named without a script.
const MAX_NAMED: usize = 12;

/// So many findings have them.
const MAX_FINDINGS: usize = 256;

/// What a page says of itself.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Where its rows came from.
    pub sources: Vec<String>,
    /// When it is written: what certificates are held against. Absent in tests of what needs none.
    pub now: Option<SystemTime>,
    /// What a reader has to know about them.
    pub notes: Vec<String>,
}

/// A page that takes rows.
///
/// ```
/// use hailer::classify::fronting::Overview;
/// use hailer::inventory::Rows;
/// use hailer::output::html::{Head, Page};
///
/// let csv = "ip,port,service,outcome,software\n192.0.2.1,25,smtp,greeted,<script>alert(1)</script>\n";
/// let mut page = Page::new()?;
/// for row in Rows::new("rows.csv", csv.as_bytes())? {
///     page.row(&row?)?;
/// }
/// let mut html = Vec::new();
/// page.write(&Head::default(), &Overview::default(), &mut html)?;
/// let html = String::from_utf8(html)?;
/// assert!(html.starts_with("<!doctype html>") && !html.contains("<script>alert"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Page {
    figures: Figures,
    kept: Kept,
    /// Some endpoints of each finding.
    named: BTreeMap<String, Vec<String>>,
}

impl Page {
    /// A page without rows.
    ///
    /// # Errors
    /// Where there is no room for a temporary file.
    pub fn new() -> io::Result<Self> {
        Self::holding(MAX_ROWS)
    }

    pub(super) fn holding(most: u64) -> io::Result<Self> {
        Ok(Self { figures: Figures::default(), kept: Kept::new(most)?, named: BTreeMap::new() })
    }

    /// The same, for a reader who looks at it at about that time: what certificates are told apart by. Before its first row.
    #[must_use]
    pub fn seen_from(self, now: SystemTime) -> Self {
        Self { figures: Figures::around(now), ..self }
    }

    /// One more row.
    ///
    /// # Errors
    /// Where there is no room to keep it.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.figures.count(row);
        let findings = row.findings();
        for finding in &findings {
            let id = counted_as(&finding.id);
            let known = self.named.get(&*id).map(Vec::len);
            if known.is_some_and(|count| count < MAX_NAMED) || known.is_none() && self.named.len() < MAX_FINDINGS {
                self.named.entry(id.into_owned()).or_default().extend(row.endpoint());
            }
        }
        let worst = findings.iter().map(|finding| finding.severity).max();
        self.kept.add((worst.max(row.severity()), findings.len()), || data::row(row, &findings))
    }

    /// Writes the page.
    ///
    /// # Errors
    /// Where it cannot be written, or rows that were kept cannot be read.
    pub fn write(self, head: &Head, overview: &Overview, out: &mut impl Write) -> io::Result<()> {
        let Self { figures, kept, named } = self;
        let now = head.now.or(figures.span().map(|(_, last)| last)).map_or(SystemTime::UNIX_EPOCH, to_the_second);
        let mut html = String::new();
        frame::push_head(&mut html, &LOOK);
        push_masthead(&mut html, head, &figures, &kept);
        sections::headline(&mut html, &figures, now);
        sections::overview(&mut html, &figures, now);
        sections::findings(&mut html, &figures, |id| named.get(id).cloned().unwrap_or_default());
        certificates::section(&mut html, &figures, now);
        sections::middleboxes(&mut html, overview);
        frame::push_table(&mut html, &TABLE);
        frame::push_foot(&mut html, head.now, &meta(&figures, &kept, now));
        out.write_all(html.as_bytes())?;
        kept.write(out)?;
        html.clear();
        frame::push_end(&mut html, &LOOK);
        out.write_all(html.as_bytes())
    }
}

fn push_masthead(html: &mut String, head: &Head, figures: &Figures, kept: &Kept) {
    let rows = figures.rows();
    let span = figures.span().map(|(first, last)| format!(", probed {}", span(first, last))).unwrap_or_default();
    let from = if head.sources.is_empty() { String::new() } else { format!(", from {}", first_few(&head.sources)) };
    let limited = (!kept.is_all()).then(|| {
        format!(
            "Figures, charts and findings are of all {} endpoints. The table has the {} with the worst findings, as more would be too much for a browser; all are in the rows that this page was made from.",
            thousands(rows),
            thousands(kept.len())
        )
    });
    let mut parts = vec![("overview", "Overview"), ("findings", "Findings")];
    parts.extend(figures.certificates().next().is_some().then_some(("certificates", "Certificates")));
    parts.push((TABLE.id, TABLE.title));
    let about = format!("{} {}{span}{from}", thousands(rows), noun(rows, "endpoint", "endpoints"));
    frame::push_masthead(html, &LOOK, &Masthead { about: &about, notes: &head.notes, limited, parts: &parts });
}

/// As the script has it, so that both say the same.
fn to_the_second(at: SystemTime) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// What the script must know besides rows.
fn meta(figures: &Figures, kept: &Kept, now: SystemTime) -> Value {
    let handbook = Handbook::builtin();
    let software = figures.software();
    let found = figures.findings();
    let findings: BTreeMap<_, _> = found
        .iter()
        .filter_map(|finding| handbook.finding(finding.id))
        .map(|text| {
            let is_there = |name: &str| software.iter().any(|product| product.name.eq_ignore_ascii_case(name));
            let remedies: BTreeMap<_, _> = text.remedy_for.iter().filter(|(name, _)| is_there(name)).collect();
            let told = json!({
                "sentence": text.sentence, "why": text.why, "remedy": text.remedy, "remedy_for": remedies,
                "verify": text.verify, "rfc": text.rfc,
            });
            (text.id.as_str(), told)
        })
        .collect();
    let evidence: BTreeMap<_, _> = handbook
        .all_evidence()
        .map(|text| (text.id.as_str(), json!({ "sentence": text.sentence, "means": text.means, "otherwise": text.otherwise, "do": text.advice })))
        .collect();
    let columns: Vec<_> = Column::ALL.iter().map(|column| column.as_str()).chain(["others"]).collect();
    let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    json!({ "columns": columns, "rows": kept.len(), "now": now, "findings": findings, "evidence": evidence })
}
