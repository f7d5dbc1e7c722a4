//! Differences as files for programs: NDJSON with one endpoint a line, CSV with one field a line. Workbooks and pages, which
//! are [`ChangeWriter`]s as well, are in [`crate::output`].
//!
//! What peers say is in escaped form already, as rows have it; CSV cells are guarded as those of rows are.

use std::io::{self, Write};

use super::Summary;
use super::change::{Change, FieldChange};
use crate::output::Dialect;
use crate::output::csv::push_escaped_cell;

/// Somewhere that differences go.
pub trait ChangeWriter {
    /// Before the first: how much there will be.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn begin(&mut self, summary: &Summary) -> io::Result<()>;

    /// The next difference.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn change(&mut self, change: &Change) -> io::Result<()>;

    /// After the last.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn end(self: Box<Self>) -> io::Result<()>;
}

/// One JSON object an endpoint.
#[derive(Debug)]
pub struct Ndjson<W>(pub W);

impl<W: Write> ChangeWriter for Ndjson<W> {
    fn begin(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }

    fn change(&mut self, change: &Change) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, change)?;
        self.0.write_all(b"\n")
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

/// One line for each field that differs, and one for each endpoint without such.
#[derive(Debug)]
pub struct Csv<W> {
    writer: W,
    line: String,
    scratch: String,
}

/// The columns of [`Csv`].
const COLUMNS: [&str; 17] = [
    "kind",
    "severity",
    "trend",
    "name",
    "ip",
    "port",
    "service",
    "outcome",
    "software",
    "version",
    "detail",
    "field",
    "from",
    "to",
    "what",
    "field_severity",
    "field_trend",
];

impl<W: Write> Csv<W> {
    /// To this writer.
    pub fn new(writer: W) -> Self {
        Self { writer, line: String::new(), scratch: String::new() }
    }

    fn line(&mut self, cells: &[&str; COLUMNS.len()]) -> io::Result<()> {
        self.line.clear();
        for (at, cell) in cells.iter().enumerate() {
            self.line.push_str(if at > 0 { "," } else { "" });
            push_escaped_cell(cell, Dialect::default(), &mut self.line, &mut self.scratch);
        }
        self.line.push('\n');
        self.writer.write_all(self.line.as_bytes())
    }

    fn field(&mut self, change: &Change, field: Option<&FieldChange>) -> io::Result<()> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let ip = change.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let port = change.port.to_string();
        let [name, service, outcome] = [&change.name, &change.service, &change.outcome].map(text);
        let [software, version, detail] = [&change.software, &change.version, &change.detail].map(text);
        let trend = change.trend.map_or("", super::Trend::as_str);
        let [from, to] = field.map_or_else(Default::default, |field| [text(&field.from), text(&field.to)]);
        let (name_of_field, what, weight, field_trend) = field.map_or(("", "", "", ""), |field| {
            let trend = field.what.trend().map_or("", super::Trend::as_str);
            (field.field.as_str(), field.what.as_str(), field.severity.as_str(), trend)
        });
        self.line(&[
            change.kind.as_str(),
            change.severity.as_str(),
            trend,
            &name,
            &ip,
            &port,
            &service,
            &outcome,
            &software,
            &version,
            &detail,
            name_of_field,
            &from,
            &to,
            what,
            weight,
            field_trend,
        ])
    }
}

impl<W: Write> ChangeWriter for Csv<W> {
    fn begin(&mut self, _: &Summary) -> io::Result<()> {
        self.line(&COLUMNS)
    }

    fn change(&mut self, change: &Change) -> io::Result<()> {
        if change.fields.is_empty() {
            return self.field(change, None);
        }
        change.fields.iter().try_for_each(|field| self.field(change, Some(field)))
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}
