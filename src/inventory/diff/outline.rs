//! What a reader wants to know of a comparison before any difference: what was compared, what came of it, and the worst.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::change::{Change, FieldChange, Kind, Trend, What};
use super::{Side, Summary};
use crate::inventory::Kinds;
use crate::manifest::Manifest;
use crate::observation::Severity;
use crate::output::escape::inert;

/// So many differences are kept as the worst.
const MOST_WORST: usize = 25;

/// What was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Whether the old side is what should be there.
    pub is_of_expectations: bool,
    /// The files of both sides.
    pub sources: Vec<Source>,
    /// What else has to be known.
    pub notes: Vec<String>,
}

impl About {
    /// What a file of the differences is called.
    pub const fn title(&self) -> &'static str {
        if self.is_of_expectations { "What should be there, and what is" } else { "What changed" }
    }

    /// What the two sides are called in it.
    pub const fn sides(&self) -> [&'static str; 2] {
        if self.is_of_expectations { ["expected", "found"] } else { ["before", "now"] }
    }

    /// What that side is called.
    pub const fn side(&self, side: Side) -> &'static str {
        let [old, new] = self.sides();
        match side {
            Side::Old => old,
            Side::New => new,
        }
    }
}

/// A file that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Of which side it is.
    pub side: Side,
    /// What it is called.
    pub name: String,
    /// How many endpoints its scan had, where its manifest says so.
    pub endpoints: Option<u64>,
    /// When its scan ran, and what it asked.
    pub scan: Option<String>,
    /// Why it is not known what was probed, where that matters.
    pub lack: Option<String>,
}

impl Source {
    /// One of which no more is known.
    pub fn new(side: Side, name: &str) -> Self {
        Self { side, name: inert(name.into()).into_owned(), endpoints: None, scan: None, lack: None }
    }

    /// With what the manifest of its scan says.
    #[must_use]
    pub fn scanned(self, manifest: &Manifest) -> Self {
        let Manifest { began, ended, configuration, shard, .. } = manifest;
        let [began, ended] = [began, ended].map(|time| time.chars().take(19).collect::<String>().replace('T', " "));
        let shard = if shard == "1/1" { String::new() } else { format!(", shard {shard}") };
        let words = format!("{began} to {ended} UTC, --depth {}{shard}", configuration.depth);
        Self { endpoints: Some(manifest.endpoints.total), scan: Some(inert(words.into()).into_owned()), ..self }
    }

    /// With why it is not known what was probed.
    #[must_use]
    pub fn lacking(self, why: &str) -> Self {
        Self { lack: Some(inert(why.into()).into_owned()), ..self }
    }
}

/// What came of a comparison, in memory that does not grow with it.
#[derive(Debug, Default)]
pub struct Outline {
    /// What was compared.
    pub about: About,
    /// How many differences of which kind there are.
    pub summary: Summary,
    /// How often each field differs.
    pub fields: Kinds,
    /// How often differences mean what, where they mean more than they say.
    pub meanings: BTreeMap<What, u64>,
    /// Findings that are new or worse.
    pub new_findings: Kinds,
    /// Findings that are gone or milder.
    pub gone_findings: Kinds,
    /// Why endpoints count as not scanned or not answered on one side.
    pub reasons: Kinds,
    /// How many differences are for the worse, and how many for the better.
    pub trends: BTreeMap<Trend, u64>,
    /// The worst first; of two alike the one that came first.
    worst: Vec<(Weight, Change)>,
}

/// How much there is to look at.
type Weight = (Reverse<Severity>, bool);

impl Outline {
    /// Before the first difference.
    pub fn new(about: About, summary: Summary) -> Self {
        Self { about, summary, ..Self::default() }
    }

    /// Counts a difference.
    pub fn add(&mut self, change: &Change) {
        for FieldChange { field, from, to, what, .. } in &change.fields {
            self.fields.add(field);
            if *what != What::Other {
                *self.meanings.entry(*what).or_default() += 1;
            }
            // What is told of the severity stands behind the id.
            let id = |text: &Option<String>| text.as_deref().and_then(|text| text.split(' ').next()).map(str::to_owned);
            match what {
                What::NewFinding | What::WorseFinding => id(to).iter().for_each(|id| self.new_findings.add(id)),
                What::GoneFinding | What::MilderFinding => id(from).iter().for_each(|id| self.gone_findings.add(id)),
                What::Other
                | What::Upgrade
                | What::Downgrade
                | What::OtherSoftware
                | What::TlsWorse
                | What::TlsBetter
                | What::Renewed
                | What::OtherCertificate
                | What::GreetsNoMore
                | What::GreetsAgain
                | What::Renamed
                | What::Moved => {}
            }
        }
        if let (Kind::NotAnswered | Kind::NotScanned | Kind::NewlyScanned, Some(why)) = (change.kind, &change.detail) {
            self.reasons.add(why);
        }
        if let Some(trend) = change.trend {
            *self.trends.entry(trend).or_default() += 1;
        }
        let weight = (Reverse(change.severity), change.trend != Some(Trend::Worse));
        let place = self.worst.partition_point(|(other, _)| *other <= weight);
        if place < MOST_WORST {
            self.worst.insert(place, (weight, change.clone()));
            self.worst.truncate(MOST_WORST);
        }
    }

    /// The worst first.
    pub fn worst(&self) -> impl Iterator<Item = &Change> {
        self.worst.iter().map(|(_, change)| change)
    }

    /// How many there are of each kind that there is, in the order in which they are told.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u64)> {
        self.summary.kinds.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many differences matter so much.
    pub fn of_severity(&self, wanted: Severity) -> u64 {
        let counts = self.summary.severities.iter().filter(|((_, severity), _)| *severity == wanted);
        counts.map(|(_, count)| *count).sum()
    }
}
