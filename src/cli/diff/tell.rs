//! Differences for people: grouped by kind, aligned, the worst first; in colour on a terminal only.

use std::io::{self, BufWriter, Stdout, Write};

use anstream::AutoStream;
use anstyle::AnsiColor;
use hailer::inventory::diff::{Change, ChangeWriter, FieldChange, Kind, Summary, Trend, What};
use hailer::observation::Severity;
use hailer::output::style::{BOLD, DIM, of_severity};
use indicatif::HumanCount;

/// So much of a text is shown; files have all of it.
const MOST: usize = 100;

/// Room for an address of IPv4 with its port; for the name of a field; for a service.
const ENDPOINT: usize = 21;
const FIELD: usize = 14;
const SERVICE: usize = 10;

/// Lines on stdout.
pub(super) struct Lines {
    out: BufWriter<AutoStream<Stdout>>,
    summary: Summary,
    kind: Option<Kind>,
    is_of_expectations: bool,
}

impl Lines {
    pub(super) fn new(is_of_expectations: bool) -> Self {
        let out = BufWriter::new(anstream::stdout());
        Self { out, summary: Summary::default(), kind: None, is_of_expectations }
    }

    fn group(&mut self, kind: Kind) -> io::Result<()> {
        let count = self.summary.kinds.get(&kind).copied().unwrap_or_default();
        let weights = Severity::ALL.iter().rev().filter_map(|severity| {
            let count = self.summary.severities.get(&(kind, *severity))?;
            Some(format!("{} {severity}", HumanCount(*count)))
        });
        let weights = weights.collect::<Vec<_>>().join(", ");
        let words = kind.about(self.is_of_expectations);
        writeln!(self.out)?;
        writeln!(
            self.out,
            "{BOLD}{kind}{BOLD:#} {DIM}{words}{DIM:#}: {} ({weights})",
            HumanCount(count),
            kind = kind.as_str()
        )
    }

    fn field(&mut self, field: &FieldChange) -> io::Result<()> {
        let FieldChange { field: name, from, to, what, severity } = field;
        let [from, to] = [from, to].map(|text| text.as_deref().map(cut));
        let words = match what {
            What::Other => String::new(),
            what => what.as_str().replace('_', " "),
        };
        let style = match what.trend() {
            Some(Trend::Worse) => of_severity(*severity),
            Some(Trend::Better) => AnsiColor::Green.on_default(),
            None => DIM,
        };
        let texts = match (from, to) {
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (Some(from), None) => format!("- {from}"),
            (None, Some(to)) => format!("+ {to}"),
            (None, None) => String::new(),
        };
        let gap = if words.is_empty() { "" } else { "  " };
        writeln!(self.out, "          {name:FIELD$} {texts}{gap}{style}{words}{style:#}")
    }
}

impl ChangeWriter for Lines {
    fn begin(&mut self, summary: &Summary) -> io::Result<()> {
        self.summary = summary.clone();
        let [old, new] = summary.rows.map(HumanCount);
        let same = HumanCount(summary.unchanged);
        let told = summary.kinds.iter().map(|(kind, count)| format!("{} {}", HumanCount(*count), kind.as_str()));
        let told = told.collect::<Vec<_>>();
        let told = if told.is_empty() { "no difference".to_owned() } else { told.join(", ") };
        if self.is_of_expectations {
            writeln!(self.out, "{old} expected, {new} rows: {same} as they should be, {told}")
        } else {
            writeln!(self.out, "{old} rows before, {new} now: {same} unchanged, {told}")
        }
    }

    fn change(&mut self, change: &Change) -> io::Result<()> {
        if self.kind != Some(change.kind) {
            self.kind = Some(change.kind);
            self.group(change.kind)?;
        }
        let Change { severity, name, service, software, version, detail, .. } = change;
        let endpoint = cut(&change.endpoint());
        // Without an address the name is in the endpoint.
        let name = name.as_deref().filter(|_| change.ip.is_some());
        let style = of_severity(*severity);
        let service = service.as_deref().map(cut).unwrap_or_default();
        let words = [name, software.as_deref(), version.as_deref()].into_iter().flatten().map(cut);
        let words = words.collect::<Vec<_>>().join(" ");
        let detail = detail.as_deref().map(|detail| format!("  ({})", cut(detail))).unwrap_or_default();
        let line = format!("{endpoint:ENDPOINT$} {service:SERVICE$} {words}");
        let line = line.trim_end();
        writeln!(self.out, "  {style}{:6}{style:#}  {line}{DIM}{detail}{DIM:#}", severity.as_str())?;
        change.fields.iter().try_for_each(|field| self.field(field))
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// A text that fits, visibly cut where it did not.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
