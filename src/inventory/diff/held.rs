//! What is there, held against what should be.

use std::io;

use super::change::{Change, FieldChange, Kind, What};
use super::coverage::Coverage;
use super::expect::{Expectations, Fate, Line};
use super::join::change;
use super::lasting::{hash_of_cell, lasting_verdict, without_port};
use super::lines::Index;
use super::sighting::{Keep, Origin, Sighting};
use super::stream::Stream;
use super::unasked::Asked;
use super::why::{Told, Why, weighed};
use super::{Changes, Choice, Gathered, Summary};
use crate::config::Depth;
use crate::inventory::key::{EXCHANGES, Identity, exchange_of};
use crate::inventory::limits;
use crate::inventory::row::Row;
use crate::observation::{Outcome, Severity};
use crate::output::escape::split_list;
use crate::output::{Column, Kind as ColumnKind};
use crate::target::sort::Sorter;

/// What is there, being held against what should be.
pub struct Expecting {
    sorter: Sorter,
    choice: Choice,
    rows: u64,
    untimed: u64,
    record: Vec<u8>,
}

impl Expectations {
    /// Begins to take rows.
    pub fn begin(choice: Choice) -> Expecting {
        Expecting { sorter: Sorter::new(&limits()), choice, rows: 0, untimed: 0, record: Vec::new() }
    }
}

impl std::fmt::Debug for Expecting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expecting").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Expecting {
    /// Takes a row of what is there.
    ///
    /// # Errors
    /// Where the temporary file cannot be made or written.
    pub fn take(&mut self, row: &Row) -> io::Result<()> {
        self.take_in(row, None)
    }

    /// Takes a row of the file before which so many come, as coverage was told of them.
    ///
    /// # Errors
    /// As of [`Self::take`].
    pub fn take_of(&mut self, file: usize, row: &Row) -> io::Result<()> {
        self.take_in(row, Some(file))
    }

    fn take_in(&mut self, row: &Row, file: Option<usize>) -> io::Result<()> {
        self.record.clear();
        let sighting = Sighting::of(row, Origin { file, number: self.rows }, Keep::All);
        sighting.push(&mut self.record);
        self.untimed += u64::from(sighting.is_untimed(row));
        self.rows += 1;
        self.sorter.push(&self.record)
    }

    /// All that is not as it should be.
    ///
    /// # Errors
    /// Where the temporary file cannot be written or read.
    pub fn finish(self, expected: Expectations, coverage: &Coverage) -> io::Result<Changes> {
        let lines = expected.lines;
        let rows = [u64::try_from(lines.len()).unwrap_or(u64::MAX), self.rows];
        let summary = Summary { rows, untimed: [0, self.untimed], ..Summary::default() };
        let gathered = Gathered::new(self.choice, summary);
        let depths = coverage.depths();
        let asked_all = !depths.is_empty() && depths.iter().all(|depth| *depth == Depth::Tls.as_str());
        let mut holding = Holding { coverage, asked_all, index: Index::of(&lines), lines, gathered };
        let mut stream = Stream::new(self.sorter, coverage)?;
        let (mut rest, mut record) = (Sorter::new(&limits()), self.record);
        while stream.identity().is_some() {
            let sighting = stream.sighting()?;
            stream.advance()?;
            if !holding.take(&sighting)? {
                record.clear();
                sighting.push(&mut record);
                rest.push(&record)?;
            }
        }
        let summary = &mut holding.gathered.summary;
        summary.superseded[1] = stream.superseded;
        summary.outdated[1].clone_from(stream.outdated());
        // They went through once.
        let nothing = Coverage::default();
        let mut rest = Stream::new(rest, &nothing)?;
        while rest.identity().is_some() {
            holding.take_rest(&rest.sighting()?)?;
            rest.advance()?;
        }
        holding.end()
    }
}

/// Lines that rows are being held against.
struct Holding<'a> {
    coverage: &'a Coverage,
    /// Whether everything was asked.
    asked_all: bool,
    index: Index,
    lines: Vec<Line>,
    gathered: Gathered,
}

impl Holding<'_> {
    /// Takes a row in; not if something stands there that no line is of.
    fn take(&mut self, row: &Sighting) -> io::Result<bool> {
        let own = self.index.own(&self.lines, &row.identity);
        if !row.stands() {
            let mut further = || self.index.further(&self.lines, &row.identity).unwrap_or_default();
            let lines = if own.is_empty() { further() } else { own };
            for at in lines {
                let line = &mut self.lines[at];
                line.miss(row, weighed(self.coverage, &line.identity(), row));
            }
            return Ok(true);
        }
        for at in self.index.answering(&row.identity) {
            let line = &mut self.lines[at];
            // Nothing was to answer there, by whatever name.
            if line.is_closed() && !own.contains(&at) { self.meet(at, row)? } else { line.answer() }
        }
        own.iter().try_for_each(|at| self.meet(*at, row))?;
        Ok(!own.is_empty())
    }

    /// Something stands where a line is of.
    fn meet(&mut self, at: usize, row: &Sighting) -> io::Result<()> {
        let line = &mut self.lines[at];
        let asked = Asked::new(row, self.asked_all, line.cell(Column::Tls).as_deref());
        for (column, expected) in &line.cells {
            if asked.lacks(*column, expected) {
                *self.gathered.summary.unasked.entry(column.as_str()).or_default() += 1;
            }
        }
        line.meet(row, self.asked_all, &mut self.gathered)
    }

    /// Takes in what is of no line, once all others are: it may be that of a line whose own row is not there, by another name
    /// or at another address.
    fn take_rest(&mut self, row: &Sighting) -> io::Result<()> {
        let lines = match self.index.further(&self.lines, &row.identity) {
            // Of a line whose own row is there, or says why it is not, an address alone says nothing more.
            Some(mut lines) if row.identity.name.is_none() => {
                lines.retain(|at| self.lines[*at].fate == Fate::Answers);
                lines
            }
            Some(lines) if !lines.is_empty() => lines,
            Some(_) | None => return self.gathered.push(change(Kind::Unexpected, row, severity(row))),
        };
        lines.into_iter().try_for_each(|at| self.meet(at, row))
    }

    /// What has come of each line.
    fn end(self) -> io::Result<Changes> {
        let mut gathered = self.gathered;
        for line in self.lines {
            match line.fate {
                Fate::Open => {
                    let told = Told::of(self.coverage.verdict(&line.identity()));
                    if line.is_explained_by(told.why) {
                        gathered.summary.unchanged += 1;
                    } else {
                        let fields = line.otherwise_refused();
                        gathered.push(absent(&line, told, fields))?;
                    }
                }
                Fate::Absent(why, ref words, ref fields) => {
                    gathered.push(absent(&line, Told { why, words: words.clone() }, fields.clone()))?;
                }
                Fate::Answers | Fate::AsItShould => gathered.summary.unchanged += 1,
                Fate::Otherwise => {}
            }
        }
        gathered.finish()
    }
}

fn severity(sighting: &Sighting) -> Severity {
    let own = sighting.get(Column::Severity);
    let own = own.and_then(Severity::named);
    own.unwrap_or(Severity::Info).max(Severity::Low)
}

/// What stands nowhere, and what is known of why; where nothing should stand, in what that is not as it should be.
fn absent(line: &Line, Told { why, words }: Told, fields: Vec<FieldChange>) -> Change {
    let is_closed = line.is_closed() && (why == Why::Known || line.is_explained_by(why));
    let (kind, severity) = match why {
        Why::Known | Why::Unheard if is_closed => (Kind::Differs, Severity::Low),
        Why::Known => (Kind::Missing, Severity::Medium),
        Why::Unheard => (Kind::NotAnswered, Severity::Low),
        Why::NotProbed | Why::Unknown => (Kind::NotScanned, Severity::Info),
    };
    let fields = if kind == Kind::Differs { fields } else { Vec::new() };
    Change {
        kind,
        severity,
        trend: None,
        name: line.name.clone(),
        ip: line.ip,
        port: line.port,
        service: line.cell(Column::Service),
        outcome: None,
        software: line.cell(Column::Software),
        version: line.cell(Column::Version),
        detail: Some(format!("line {}: {words}", line.number)),
        fields,
    }
}

impl Line {
    /// A row says that nothing stands there, and why.
    fn miss(&mut self, row: &Sighting, told: Told) {
        let fields = if self.is_closed() { self.differences(row, true) } else { Vec::new() };
        let is_as_said = self.is_closed() && fields.is_empty();
        let is_of_its_name = self.name.is_some() && row.identity.name == self.name;
        self.fate = match std::mem::replace(&mut self.fate, Fate::Open) {
            Fate::Open if is_as_said => Fate::AsItShould,
            Fate::Open => Fate::Absent(told.why, told.words, fields),
            // The name leads there no more, whatever else answers.
            Fate::Answers if is_of_its_name => Fate::Absent(told.why, told.words, fields),
            // What proves least.
            Fate::Absent(why, ..) if told.why < why => Fate::Absent(told.why, told.words, fields),
            fate => fate,
        };
    }

    /// Something stands at its address that does not say by which name.
    fn answer(&mut self) {
        if matches!(self.fate, Fate::Open | Fate::Absent(..)) {
            self.fate = Fate::Answers;
        }
    }

    /// This stands there; it is held against it.
    fn meet(&mut self, row: &Sighting, asked_all: bool, gathered: &mut Gathered) -> io::Result<()> {
        let fields = self.differences(row, asked_all);
        if fields.is_empty() {
            if self.fate != Fate::Otherwise {
                self.fate = Fate::AsItShould;
            }
            return Ok(());
        }
        self.fate = Fate::Otherwise;
        let detail = Some(format!("line {}", self.number));
        gathered.push(Change { detail, fields, ..change(Kind::Differs, row, Severity::Low) })
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { ip: self.ip, port: self.port, name: self.name.clone(), domain: self.domain() }
    }

    /// The domain whose mail exchange it is.
    pub(super) fn domain(&self) -> Option<String> {
        let own = self.name.as_deref().and_then(|name| name.strip_prefix(EXCHANGES));
        let detail = self.cells.iter().find(|(column, _)| *column == Column::Detail);
        own.or_else(|| exchange_of(&detail?.1)).map(str::to_owned)
    }

    fn cell(&self, column: Column) -> Option<String> {
        self.cells.iter().find(|(other, _)| *other == column).map(|(_, text)| text.clone())
    }

    /// How far a probe should get, where that is said.
    fn outcome(&self) -> Option<Outcome> {
        Outcome::named(&self.cell(Column::Outcome)?)
    }

    /// Whether nothing should answer there.
    fn is_closed(&self) -> bool {
        self.outcome().is_some_and(|outcome| !outcome.is_connected())
    }

    /// Whether that no row is there is what the line says.
    fn is_explained_by(&self, why: Why) -> bool {
        match self.outcome() {
            Some(Outcome::Refused) => why == Why::Known,
            Some(Outcome::Timeout | Outcome::Unreachable) => why == Why::Unheard,
            Some(
                Outcome::Greeted
                | Outcome::OtherProtocol
                | Outcome::TlsFailed
                | Outcome::Reset
                | Outcome::Closed
                | Outcome::Silent
                | Outcome::LocalError
                | Outcome::Unresolved,
            )
            | None => false,
        }
    }

    /// In what a refusal that no row tells of differs from what the line says, which is that nothing answers for another reason.
    fn otherwise_refused(&self) -> Vec<FieldChange> {
        let outcome = self.outcome().filter(|outcome| *outcome != Outcome::Refused);
        outcome
            .map(|outcome| differing(Column::Outcome, outcome.as_str(), Some(Outcome::Refused.as_str())))
            .into_iter()
            .collect()
    }

    /// In what a row differs from what the line says, as far as it was asked.
    fn differences(&self, row: &Sighting, asked_all: bool) -> Vec<FieldChange> {
        let mut fields = Vec::new();
        let mut tell = |column: Column, from: &str, to: Option<&str>| fields.push(differing(column, from, to));
        // A sweep of addresses knows no names.
        if let (Some(name), Some(found)) = (self.name.as_deref(), row.identity.name.as_deref())
            && name != found
        {
            tell(Column::Name, name, Some(found));
        }
        if let Some(ip) = self.ip.filter(|ip| row.identity.ip != Some(*ip)) {
            let found = row.identity.ip.map(|ip| ip.to_string());
            tell(Column::Ip, &ip.to_string(), found.as_deref());
        }
        let asked = Asked::new(row, asked_all, self.cell(Column::Tls).as_deref());
        for (column, expected) in &self.cells {
            let found = row.get(*column);
            let expected = match column {
                Column::Findings => &asked.told(expected),
                column if asked.lacks(*column, expected) => continue,
                _ => expected,
            };
            if !is_same(*column, expected, found.unwrap_or_default()) {
                tell(*column, expected, found);
            }
        }
        fields
    }
}

fn differing(column: Column, from: &str, to: Option<&str>) -> FieldChange {
    let (from, to) = (Some(from.to_owned()), to.map(str::to_owned));
    FieldChange { field: column.as_str().to_owned(), from, to, what: What::Other, severity: Severity::Low }
}

const UNHEARD: [&str; 2] = [Outcome::Timeout.as_str(), Outcome::Unreachable.as_str()];

/// How long `2027-03-01` is.
const DAY: usize = 10;

/// Whether that is what was meant: in any case of letters, lists in any order, and without what is another each time.
fn is_same(column: Column, expected: &str, found: &str) -> bool {
    let is_text = || expected.eq_ignore_ascii_case(found.trim());
    match column.kind() {
        ColumnKind::List | ColumnKind::Evidence => {
            let sorted = |text: &str| {
                let item = |item: &str| if column == Column::Pasv { without_port(item) } else { item.to_owned() };
                let mut items: Vec<_> =
                    split_list(text).iter().map(|it| item(it.trim()).to_ascii_lowercase()).collect();
                items.sort_unstable();
                items.dedup();
                items
            };
            sorted(expected) == sorted(found)
        }
        // Nothing came back, one way or the other.
        ColumnKind::Text if column == Column::Outcome => {
            is_text() || [expected, found].iter().all(|word| UNHEARD.contains(word))
        }
        ColumnKind::Text if column.is_time() => {
            is_text() || expected.len() == DAY && found.get(..DAY) == Some(expected)
        }
        ColumnKind::Text if column == Column::Banner => is_text() || hash_of_cell(expected) == hash_of_cell(found),
        ColumnKind::Text if column == Column::Fronting => {
            is_text() || lasting_verdict(found).is_some_and(|found| lasting_verdict(expected) == Some(found))
        }
        ColumnKind::Text | ColumnKind::Number | ColumnKind::Flag => is_text(),
    }
}
