//! A row as the page's script reads it: a JSON array with the cells in the order of the columns, then what the row has
//! beside them, absent cells at its end left out.
//!
//! An absent cell is an empty text. Of lists that are too long the first items are there, of findings the worst, and behind them
//! how many more there are. Of a finding the array has id, severity and what was seen; of evidence code, grade,
//! words and milliseconds. Cells that are too long end in `…`: whoever needs them whole has the rows. What is text in the row
//! is text here: the script takes nothing in it for a value.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use crate::inventory::{Found, Row, counted_as};
use crate::output::html::escape::{Json, shortened};
use crate::output::{Column, Kind};

/// What a page leaves to the rows: whole dialogues, and what has its own place here.
const LEFT_OUT: [&str; 9] =
    ["banner_b64", "chain", "features", "features_tls", "findings_detail", "syst", "transcript", "upgrade", "variants"];

/// How much of a cell is told, and of a list.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Characters of a text.
    text: usize,
    /// Characters of a banner.
    banner: usize,
    /// Items of a list.
    items: usize,
}

const USUAL: Bounds = Bounds { text: 400, banner: 2000, items: 48 };

/// For rows that are longer than any server's would be.
const TIGHT: Bounds = Bounds { text: 80, banner: 400, items: 8 };

/// A row that takes more bytes is told in less.
const MAX_ROW: usize = 16 << 10;

/// The row with these findings, on one line.
pub(super) fn row(row: &Row, findings: &[Found]) -> String {
    let whole = encoded(row, findings, USUAL);
    if whole.len() <= MAX_ROW { whole } else { encoded(row, findings, TIGHT) }
}

fn encoded(row: &Row, findings: &[Found], bounds: Bounds) -> String {
    let cell = |column| match column {
        Column::Findings => told(findings, bounds),
        column => cell(row, column, bounds),
    };
    let mut cells: Vec<_> = Column::ALL.into_iter().map(cell).collect();
    let told: Vec<_> = row.other_values().filter(|(name, _)| !LEFT_OUT.contains(name)).collect();
    let short = told.iter().take(bounds.items);
    let mut others: Map<_, _> =
        short.map(|(name, value)| (shortened(name, bounds.text), other(value, bounds))).collect();
    others.extend(more(told.len(), bounds).map(|words| ("…".to_owned(), words.into())));
    cells.push(if others.is_empty() { "".into() } else { Value::Object(others) });
    while cells.last().is_some_and(|cell| cell.as_str() == Some("")) {
        cells.pop();
    }
    Json(&Value::Array(cells).to_string()).to_string()
}

fn told(findings: &[Found], bounds: Bounds) -> Value {
    let short = |text: &str| shortened(text, bounds.text);
    let detail = |finding: &Found| finding.detail.as_deref().map(short).unwrap_or_default();
    let mut worst: Vec<_> = findings.iter().collect();
    worst.sort_by_key(|finding| Reverse(finding.severity));
    let told = worst.iter().take(bounds.items);
    let mut told: Vec<_> = told.map(|it| json!([counted_as(&it.id), it.severity.as_str(), detail(it)])).collect();
    told.extend(more(findings.len(), bounds).map(|words| json!([words, "", ""])));
    listed(told)
}

/// What stands at the end of so many where not all are told.
fn more(all: usize, bounds: Bounds) -> Option<String> {
    let more = all.saturating_sub(bounds.items);
    (more > 0).then(|| format!("… {more} more"))
}

fn listed(items: Vec<Value>) -> Value {
    if items.is_empty() { "".into() } else { Value::Array(items) }
}

/// What stands in a column of somebody else's. A list or an object that is too long is a text that is cut.
fn other(value: &Value, bounds: Bounds) -> Value {
    let json = value.to_string();
    if value.is_string() || json.chars().nth(bounds.text).is_none() {
        return inert_within(value, bounds);
    }
    shortened(&json, bounds.text).into()
}

/// The same value, whose texts can be shown. Numbers are as they were written, since scripts have no exact ones.
fn inert_within(value: &Value, bounds: Bounds) -> Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(_) => value.clone(),
        Value::Number(number) => number.to_string().into(),
        Value::String(text) => shortened(text, bounds.text).into(),
        Value::Array(items) => items.iter().map(|item| inert_within(item, bounds)).collect(),
        Value::Object(all) => {
            let told = all.iter().map(|(name, inner)| (shortened(name, bounds.text), inert_within(inner, bounds)));
            Value::Object(told.collect())
        }
    }
}

fn cell(row: &Row, column: Column, bounds: Bounds) -> Value {
    let short = |text: &str| shortened(text, bounds.text);
    match (column, column.kind()) {
        (_, Kind::Evidence) => {
            let all = row.evidence();
            let more = more(all.len(), bounds).map(|words| json!([words, "", "", ""]));
            let told = all.into_iter().take(bounds.items);
            let text = |words: Option<String>| words.as_deref().map(short).unwrap_or_default();
            let ms = |ms: Option<serde_json::Number>| ms.map_or_else(|| "".into(), Value::Number);
            let told = told.map(|it| json!([short(&it.code), text(it.grade), text(it.excerpt), ms(it.ms)]));
            listed(told.chain(more).collect())
        }
        (_, Kind::List) => {
            let all = row.list(column);
            let told = all.iter().take(bounds.items).map(|item| Value::from(short(item)));
            listed(told.chain(more(all.len(), bounds).map(Value::from)).collect())
        }
        (_, Kind::Number) => row.text(column).map_or_else(
            || "".into(),
            |text| text.parse::<serde_json::Number>().map_or_else(|_| short(&text).into(), Value::Number),
        ),
        (_, Kind::Flag) => row
            .text(column)
            .map_or_else(|| "".into(), |text| if text == "true" { true.into() } else { short(&text).into() }),
        (Column::Banner, Kind::Text) => {
            row.text(column).map(|text| shortened(&text, bounds.banner)).unwrap_or_default().into()
        }
        // As charts lead to them.
        (Column::Software | Column::Tls | Column::TlsVersion | Column::CertStatus, Kind::Text) => {
            row.text(column).as_deref().map(counted_as).unwrap_or_default().into()
        }
        (_, Kind::Text) => row.text(column).as_deref().map(short).unwrap_or_default().into(),
    }
}
