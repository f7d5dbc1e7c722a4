//! One row as it was read: every cell, with accessors for what is judged by.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::classify::fronting::{Glimpse, Words};
use crate::observation::{EvidenceCode, Fronting, Grade, Outcome, Service};
use crate::output::escape::{inert, split_list};
use crate::output::{Column, Kind};
use crate::schedule::Tallied;

/// What a cell is the value of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A column of the schema.
    Column(Column),
    /// A key that NDJSON has beside the columns, or a column of somebody else's.
    Other(Arc<str>),
}

impl Key {
    /// What has that name.
    pub fn named(name: &str) -> Self {
        Column::named(name).map_or_else(|| Self::Other(name.into()), Self::Column)
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Column(column) => column.as_str(),
            Self::Other(name) => name,
        }
    }
}

/// What stands in a cell; no cell is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// A cell of CSV without quotes and guard, or a string of NDJSON.
    Text(String),
    /// Any other value of NDJSON, as it stood there.
    Json(String),
}

/// A piece of evidence as a row tells it; its words are in escaped form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its code, which may be one of another version.
    pub code: String,
    /// How much it says, which may be told in the words of another version; absent where its row has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// What was seen of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// When, in milliseconds since the start of the connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<Number>,
}

impl Told {
    /// As CSV has it: `code@ms: excerpt`, and `code(grade)@ms: excerpt` where the grade is not the usual one.
    fn parse(item: &str) -> Self {
        let (head, excerpt) =
            item.split_once(": ").map_or((item, None), |(head, words)| (head, Some(words.to_owned())));
        let (head, ms) = head.split_once('@').map_or((head, None), |(head, ms)| (head, ms.parse().ok()));
        let told = head.strip_suffix(')').and_then(|head| head.split_once('('));
        let (code, grade) = told.map_or((head, None), |(code, grade)| (code, Some(grade.to_owned())));
        let mut told = Self { code: code.to_owned(), grade, excerpt, ms };
        if told.grade.is_none() {
            told.grade = told.usual_grade().map(str::to_owned);
        }
        told
    }

    /// What goes without saying in CSV.
    fn usual_grade(&self) -> Option<&'static str> {
        let code = EvidenceCode::named(&self.code)?;
        code.usual_grade(self.excerpt.as_deref()).map(Grade::as_str)
    }

    /// How much it says; where its row does not tell, as far as the code does, if this version has it.
    pub(super) fn grade(&self, service: Service) -> Option<Grade> {
        let told = self.grade.as_deref().and_then(Grade::named);
        told.or_else(|| Some(EvidenceCode::named(&self.code)?.grade(service, self.excerpt.as_deref())))
    }

    fn shown(&self) -> String {
        let at = self.ms.as_ref().map(|ms| format!("@{ms}")).unwrap_or_default();
        let words = self.excerpt.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        let grade = self.grade.as_deref().filter(|grade| self.usual_grade() != Some(*grade));
        let grade = grade.map(|grade| format!("({grade})")).unwrap_or_default();
        format!("{}{grade}{at}{words}", self.code)
    }
}

/// A row as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// In the order in which they were read.
    cells: Vec<(Key, Cell)>,
    /// Where among them each column is, so that none is looked for.
    places: Box<Places>,
}

/// The places of columns, by their number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Places([Option<usize>; Column::ALL.len()]);

impl Default for Places {
    fn default() -> Self {
        Self([None; Column::ALL.len()])
    }
}

/// Columns that some rows had.
#[derive(Debug)]
pub(super) struct Columns([bool; Column::ALL.len()]);

impl Default for Columns {
    fn default() -> Self {
        Self([false; Column::ALL.len()])
    }
}

impl Columns {
    pub(super) fn add(&mut self, row: &Row) {
        for (known, place) in self.0.iter_mut().zip(row.places.0) {
            *known |= place.is_some();
        }
    }

    pub(super) fn know(&mut self, column: Column) {
        self.0[column.number()] = true;
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.0[column.number()]
    }
}

impl Row {
    pub(super) fn push(&mut self, key: Key, cell: Cell) {
        if let Key::Column(column) = &key {
            // Of two the first counts.
            self.places.0[column.number()].get_or_insert(self.cells.len());
        }
        self.cells.push((key, cell));
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (&Key, &Cell)> {
        self.cells.iter().map(|(key, cell)| (key, cell))
    }

    /// What stands under that key.
    pub(super) fn at(&self, key: &Key) -> Option<&Cell> {
        match key {
            Key::Column(column) => self.cell(*column),
            Key::Other(name) => self.others().find(|(other, _)| *other == &**name).map(|(_, cell)| cell),
        }
    }

    /// What stands in a column, as CSV has it but without quotes and guard. What is empty, also a list of others', is absent:
    /// CSV cannot tell them apart.
    pub fn text(&self, column: Column) -> Option<Cow<'_, str>> {
        self.cell(column).map(as_text).filter(|text| !text.is_empty())
    }

    /// The same of a column that the schema does not have.
    pub fn other(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, cell) = self.others().find(|(other, _)| *other == name)?;
        Some(as_text(cell)).filter(|text| !text.is_empty())
    }

    /// The names of what it has beside the columns of the schema.
    pub fn other_names(&self) -> impl Iterator<Item = &str> {
        self.others().map(|(name, _)| name)
    }

    /// The items of a list, in the form that a text has.
    pub fn list(&self, column: Column) -> Vec<String> {
        match self.cell(column) {
            Some(Cell::Text(text)) => split_list(text).into_iter().map(plain_item).collect(),
            Some(Cell::Json(json)) => serde_json::from_str(json).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// What stands in columns that the schema does not have, as NDJSON has it: where a row says so by itself it is a list, an
    /// object, a number or a flag, and what is text is text, whatever it looks like.
    pub(crate) fn other_values(&self) -> impl Iterator<Item = (&str, Value)> {
        self.others().map(|(name, cell)| match cell {
            Cell::Text(text) => (name, Value::from(text.as_str())),
            Cell::Json(json) => (name, serde_json::from_str(json).unwrap_or_else(|_| json.as_str().into())),
        })
    }

    /// What stands in columns that the schema does not have.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &Cell)> {
        self.cells.iter().filter_map(|(key, cell)| match key {
            Key::Other(name) => Some((&**name, cell)),
            Key::Column(_) => None,
        })
    }

    /// The address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.parsed(Column::Ip)
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        self.parsed(Column::Port)
    }

    /// Where its endpoint is: `192.0.2.1:25`, `[2001:db8::1]:25`, and by its name where it has no address. It can be shown
    /// on a terminal whoever wrote it.
    pub fn endpoint(&self) -> Option<String> {
        let port = self.port()?;
        match self.ip() {
            Some(ip) => Some(SocketAddr::new(ip, port).to_string()),
            None => Some(format!("{}:{port}", inert(self.text(Column::Name)?))),
        }
    }

    /// Whether it was read from NDJSON, which has keys that CSV has no columns for.
    pub(super) fn is_of_json(&self) -> bool {
        matches!(self.cell(Column::Port), Some(Cell::Json(_)))
    }

    /// Whether it was reached by a name.
    pub(super) fn has_name(&self) -> bool {
        self.cell(Column::Name).is_some()
    }

    /// The service that was expected.
    pub fn service(&self) -> Option<Service> {
        Service::named(&self.text(Column::Service)?)
    }

    /// How far the probe got.
    pub fn outcome(&self) -> Option<Outcome> {
        Outcome::named(&self.text(Column::Outcome)?)
    }

    /// Whether something stands in front, as far as this row tells.
    pub fn fronting(&self) -> Option<Fronting> {
        Fronting::named(&self.text(Column::Fronting)?)
    }

    /// What speaks for that.
    pub fn evidence(&self) -> Vec<Told> {
        match self.cell(Column::Evidence) {
            Some(Cell::Text(text)) => split_list(text).into_iter().map(|item| Told::parse(&plain_item(item))).collect(),
            Some(Cell::Json(json)) => serde_json::from_str(json).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// Says something else of what stands in front.
    pub(super) fn set_fronting(&mut self, fronting: Fronting, evidence: &[Told]) {
        self.set(Column::Fronting, Cell::Text(fronting.to_string()));
        // What was read as text or numbers is written so again.
        self.set(Column::Evidence, Cell::Json(serde_json::to_string(evidence).unwrap_or_default()));
    }

    /// As much of it as a sweep looks at; none where there is no address.
    pub fn glimpse(&self) -> Option<Glimpse<'_>> {
        let (service, outcome) = (self.service()?, self.outcome()?);
        let evidence = self.evidence();
        let told = |code: EvidenceCode| evidence.iter().find(|told| told.code == code.as_str());
        let connect = self.text(Column::ConnectMs).and_then(|ms| millis(&ms)).unwrap_or_default();
        let closed = told(EvidenceCode::AcceptThenClose).and_then(|told| millis(&told.ms.as_ref()?.to_string()));
        let greeting = match self.cell(Column::Banner) {
            Some(Cell::Text(text)) => text,
            Some(Cell::Json(_)) | None => "",
        };
        Some(Glimpse {
            ip: self.ip()?,
            port: self.port()?,
            service,
            outcome,
            banner_hash: self.banner_hash().filter(|_| Glimpse::is_welcome(outcome, self.parsed(Column::Code))),
            greeting: Words::Escaped(greeting),
            closed_after: closed.map(|at| at.saturating_sub(connect)),
            seen_as: self.other("client_address").and_then(|text| text.parse().ok()),
            decoy_accepted: told(EvidenceCode::AcceptsEverything).is_some(),
        })
    }

    /// Has what it tells counted, by names that a terminal can show whoever wrote them.
    pub(super) fn tallied<T>(&self, count: impl FnOnce(Tallied<'_>) -> T) -> Option<T> {
        let shown = |column| self.text(column).map(inert);
        let (software, front) = (shown(Column::Software), shown(Column::Front));
        let (outcome, fronting) = (self.outcome()?, self.fronting());
        let severity = self.severity();
        Some(count(Tallied { outcome, software: software.as_deref(), fronting, front: front.as_deref(), severity }))
    }

    /// The first column that does not hold what it should, and that.
    pub(super) fn mistake(&self) -> Option<(Column, &'static str)> {
        let wrong = |column, is_right: bool, what| (!is_right).then_some((column, what));
        let has_ip = self.ip().is_some() || self.text(Column::Ip).is_none();
        wrong(Column::Ip, has_ip, "an address")
            .or_else(|| wrong(Column::Port, self.port().is_some(), "a port"))
            .or_else(|| wrong(Column::Service, self.service().is_some(), "a service"))
            .or_else(|| wrong(Column::Outcome, self.outcome().is_some(), "an outcome"))
    }

    fn cell(&self, column: Column) -> Option<&Cell> {
        self.cells.get(self.places.0[column.number()]?).map(|(_, cell)| cell)
    }

    fn parsed<T: std::str::FromStr>(&self, column: Column) -> Option<T> {
        self.text(column)?.parse().ok()
    }

    fn banner_hash(&self) -> Option<[u8; 32]> {
        let text = self.text(Column::BannerHash)?;
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        bytes.collect::<Option<Vec<_>>>()?.try_into().ok()
    }

    /// Puts a cell where it belongs among the columns.
    fn set(&mut self, column: Column, cell: Cell) {
        if let Some((_, known)) = self.places.0[column.number()].and_then(|place| self.cells.get_mut(place)) {
            *known = cell;
            return;
        }
        let is_before = |key: &Key| matches!(key, Key::Column(other) if other.number() < column.number());
        let place = self.cells.iter().rposition(|(key, _)| is_before(key)).map_or(0, |place| place + 1);
        self.cells.insert(place, (Key::Column(column), cell));
        for behind in self.places.0.iter_mut().flatten().filter(|behind| **behind >= place) {
            *behind += 1;
        }
        self.places.0[column.number()] = Some(place);
    }
}

/// A cell as CSV has it.
pub(super) fn as_text(cell: &Cell) -> Cow<'_, str> {
    let json = match cell {
        Cell::Text(text) => return Cow::Borrowed(text),
        Cell::Json(json) => json,
    };
    let item = |value: &Value| match value {
        Value::String(text) => Some(text.replace(';', r"\;")),
        Value::Object(_) => {
            let told: Told = serde_json::from_value(value.clone()).ok()?;
            Some(told.shown().replace(';', r"\;"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    match serde_json::from_str(json) {
        Ok(Value::Array(values)) => match values.iter().map(item).collect::<Option<Vec<_>>>() {
            Some(items) => Cow::Owned(items.join("; ")),
            None => Cow::Borrowed(json),
        },
        Ok(_) | Err(_) => Cow::Borrowed(json),
    }
}

/// A cell of a column as NDJSON has it.
pub(super) fn as_json<'a>(key: &Key, cell: &'a Cell) -> Cow<'a, str> {
    let text = match cell {
        Cell::Text(text) => text,
        Cell::Json(json) => return Cow::Borrowed(json),
    };
    let string = |text: &str| Value::from(text).to_string();
    let kind = match key {
        Key::Column(column) => column.kind(),
        Key::Other(_) => Kind::Text,
    };
    let is_raw = |text: &str| serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text);
    match kind {
        Kind::Number if text.starts_with(|first: char| first.is_ascii_digit()) && is_raw(text) => Cow::Borrowed(text),
        Kind::Flag if text == "true" => Cow::Borrowed(text),
        Kind::Text | Kind::Number | Kind::Flag => Cow::Owned(string(text)),
        Kind::List => {
            let items: Vec<_> = split_list(text).into_iter().map(|item| string(&plain_item(item))).collect();
            Cow::Owned(format!("[{}]", items.join(",")))
        }
        Kind::Evidence => {
            let told: Vec<_> = split_list(text).into_iter().map(|item| Told::parse(&plain_item(item))).collect();
            Cow::Owned(serde_json::to_string(&told).unwrap_or_default())
        }
    }
}

/// An item of a list of CSV, in the form that a text has: `\;` is a semicolon, other escapes stay.
fn plain_item(item: &str) -> String {
    let mut plain = String::with_capacity(item.len());
    let mut characters = item.chars();
    while let Some(character) = characters.next() {
        match (character, characters.as_str().chars().next()) {
            ('\\', Some(';')) => {}
            ('\\', Some(next)) => {
                plain.push(character);
                plain.push(next);
                characters.next();
            }
            (character, _) => plain.push(character),
        }
    }
    plain
}

fn millis(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse::<f64>().ok()? / 1e3).ok()
}
