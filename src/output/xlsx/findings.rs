//! The sheet of findings: one row for each finding of each endpoint, the worst first.

use std::io;
use std::path::Path;

use rust_xlsxwriter::Color;

use super::book::Book;
use super::cell::{Value, number};
use super::sheet::{Head, Layout, Limits, Look};
use super::waiting::Waiting;
use crate::handbook::Handbook;
use crate::inventory::{Found, Row};
use crate::observation::Severity;
use crate::output::Column;

/// What of its endpoint a finding is shown with.
const ENDPOINT: [Column; 8] = [
    Column::Ip,
    Column::Port,
    Column::Name,
    Column::Service,
    Column::Hostname,
    Column::Software,
    Column::Version,
    Column::Time,
];

/// Findings that wait.
#[derive(Debug)]
pub(super) struct Findings(Waiting<Line>);

/// What waits of one: its id, what was seen, and the endpoint's columns.
type Line = (String, Option<String>, [Option<String>; ENDPOINT.len()]);

impl Findings {
    pub(super) fn new(folder: &Path) -> Self {
        Self(Waiting::new(folder))
    }

    /// Those of one row.
    pub(super) fn take(&mut self, row: &Row) -> io::Result<()> {
        for Found { id, severity, detail } in row.findings() {
            let line: Line = (id, detail, ENDPOINT.map(|column| row.text(column).map(Into::into)));
            self.0.take(severity, &line)?;
        }
        Ok(())
    }

    /// Writes the sheet, as long as it is to go on.
    pub(super) fn write(self, book: &mut Book, limits: Limits, go_on: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let mut sheets = book.begin(layout(limits))?;
        self.0.each(|severity, line| {
            go_on()?;
            book.write(&mut sheets, cells(severity, &line).into_iter())
        })?;
        book.end(sheets, None)
    }
}

fn layout(limits: Limits) -> Layout {
    let head = |name, width, look| Head::new(name, width, look);
    let endpoint = ENDPOINT.map(|column| {
        let (width, look) = super::endpoints::look(column);
        head(column.as_str(), width, look)
    });
    let mut heads = vec![head("severity", 10.0, Look::Severity), head("finding", 24.0, Look::Plain)];
    heads.extend(endpoint);
    heads.extend([
        head("what it is", 70.0, Look::Plain),
        head("what was seen", 40.0, Look::Plain),
        head("what to do", 90.0, Look::Plain),
    ]);
    Layout { name: "Findings", tab: Color::RGB(0xb0_2a_2a), heads, frozen: 4, limits }
}

fn cells(severity: Severity, (id, detail, endpoint): &Line) -> Vec<Option<Value<'static>>> {
    let text = |text: &str| Value::text(text.to_owned());
    let known = Handbook::builtin().finding(id);
    let software = endpoint.iter().zip(ENDPOINT).find(|(_, column)| *column == Column::Software);
    let software = software.and_then(|(cell, _)| cell.as_deref());
    let mut cells = vec![Some(text(severity.as_str())), Some(text(id))];
    cells.extend(endpoint.iter().zip(ENDPOINT).map(|(cell, column)| {
        let cell = cell.as_deref()?;
        let typed = match super::endpoints::look(column).1 {
            Look::Number => number(cell).map(Value::Number),
            Look::Date => super::cell::date(cell).map(Value::Date),
            Look::Plain | Look::Count | Look::Severity | Look::Expiry(..) => None,
        };
        Some(typed.unwrap_or_else(|| text(cell)))
    }));
    // A cell is one line, as all are.
    let remedy = known.map(|known| text(&known.remedy(software).replace('\n', " ")));
    cells.extend([known.map(|known| text(&known.sentence)), detail.as_deref().map(text), remedy]);
    cells
}
