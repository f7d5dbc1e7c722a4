//! The first sheet of a workbook of rows.

use std::time::SystemTime;

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::About;
use super::front::{BLUE, Block, Front, Wide, kinds, sorted};
use super::sheet::severity_format;
use super::software;
use crate::handbook::Handbook;
use crate::inventory::{Figures, FindingCount};
use crate::observation::{Outcome, Severity};
use crate::output::{Timestamp, first_few};

/// What the workbook is called.
pub(super) const TITLE: &str = "FTP and mail servers";

/// So many ports have a column each.
const MOST_PORTS: usize = 6;

/// So many findings are listed.
const MOST_FINDINGS: usize = 100;

/// The sheet; `now` is the time that expiry is seen from.
pub(super) fn sheet(figures: &Figures, about: &About, now: Option<SystemTime>) -> Result<Worksheet, XlsxError> {
    let mut front = Front::new(TITLE)?;
    heading(&mut front, figures, about, now)?;
    tiles(&mut front, figures, now)?;
    blocks(&mut front, figures)?;
    let (ports, outcomes) = by_port(figures);
    let series: Vec<_> =
        outcomes.into_iter().map(|(outcome, counts)| (outcome.as_str(), outcome_colour(outcome), counts)).collect();
    front.stacked("Outcomes by port", &ports, &series)?;
    findings(&mut front, figures)?;
    Ok(front.sheet)
}

fn heading(front: &mut Front, figures: &Figures, about: &About, now: Option<SystemTime>) -> Result<(), XlsxError> {
    let shown = |time| Timestamp::seconds(time).map(|time| time.to_string().replace('T', " ").replace('Z', ""));
    let span = figures.span().and_then(|(first, last)| Some((shown(first)?, shown(last)?)));
    let span = span.map(|(first, last)| format!("Seen from {first} to {last}. "));
    front.line(&format!("{}All times in this workbook are UTC.", span.unwrap_or_default()))?;
    if !about.sources.is_empty() {
        front.line(&format!("Rows of {}", first_few(&about.sources)))?;
    }
    if let Some(now) = now.and_then(shown).filter(|_| figures.certificate_statuses().total() > 0) {
        front.line(&format!(
            "Whether certificates are expired is told as of {now}, their status as it was when they were seen."
        ))?;
    }
    let left_out = [
        (figures.software_left_out(), "rows name software beyond that which is told apart"),
        (figures.findings_left_out(), "findings are of further kinds than are told apart"),
    ];
    let left_out = left_out.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}."));
    for words in about.notes.iter().cloned().chain(left_out) {
        front.note(&words)?;
    }
    front.gap();
    Ok(())
}

fn tiles(front: &mut Front, figures: &Figures, now: Option<SystemTime>) -> Result<(), XlsxError> {
    let hosts = figures.hosts();
    let greeted = figures.outcomes().iter().find(|(outcome, _)| *outcome == Outcome::Greeted).map_or(0, |it| it.1);
    let high = figures.severities().into_iter().zip(Severity::ALL).find(|(_, it)| *it == Severity::High);
    let expiry = now.map(|now| figures.expiry(now)).unwrap_or_default();
    front.tiles(&[
        ((0, 0), "endpoints", figures.rows()),
        ((1, 2), if hosts.is_exact { "hosts" } else { "hosts, about" }, hosts.count),
        ((3, 5), "greeted", greeted),
        ((6, 8), "endpoints with a finding", figures.severities().iter().sum()),
        ((10, 10), "endpoints with a high finding", high.map_or(0, |it| it.0)),
        ((11, 13), "endpoints with an expired certificate", expiry.expired),
        ((14, 18), "endpoints with one that expires within 30 days", expiry.month),
    ])
}

fn blocks(front: &mut Front, figures: &Figures) -> Result<(), XlsxError> {
    let severities = Severity::ALL.into_iter().rev().map(|severity| {
        let counts = figures.findings();
        let of = |it: &FindingCount<'_>| it.by_severity.into_iter().zip(Severity::ALL).find(|(_, it)| *it == severity);
        let count = counts.iter().filter_map(of).fold(0u64, |sum, (count, _)| sum.saturating_add(count));
        (severity.as_str().to_owned(), count)
    });
    let outcomes = figures.outcomes().into_iter().filter(|(_, count)| *count > 0);
    let outcomes = sorted(outcomes.map(|(outcome, count)| (outcome.to_string(), count)).collect());
    let fronting = figures.fronting().into_iter().filter(|(_, count)| *count > 0);
    let fronting = fronting.map(|(verdict, count)| (verdict.to_string(), count)).collect();
    front.blocks(
        &Block::new("Findings by severity", severities.collect()).coloured(&SEVERITIES),
        &Block::new("Software", software::counts(figures)),
    )?;
    front.blocks(&Block::new("Outcomes", outcomes), &Block::new("Is something in front?", fronting))?;
    front.blocks(
        &Block::new("TLS version agreed on", kinds(figures.tls_versions())),
        &Block::new("Certificate status", kinds(figures.certificate_statuses())),
    )
}

/// The colours of severities in charts, the worst first.
pub(super) const SEVERITIES: [u32; Severity::ALL.len()] = [0xc6_28_28, 0xef_8e_19, 0xe3_c5_1c, BLUE];

/// Each kind of finding with each severity that it has somewhere, what it is and what to do.
fn findings(front: &mut Front, figures: &Figures) -> Result<(), XlsxError> {
    let all = figures.findings();
    if all.is_empty() {
        return Ok(());
    }
    let mut graded: Vec<_> = all.iter().flat_map(graded).collect();
    graded.sort_by(|one, other| (other.1, other.2).cmp(&(one.1, one.2)).then(one.0.cmp(other.0)));
    let lines = graded.iter().take(MOST_FINDINGS).map(|(id, severity, count)| {
        let known = Handbook::builtin().finding(id);
        Wide {
            name: (*id).to_owned(),
            second: (severity.as_str().to_owned(), severity_format(*severity)),
            count: Some(*count),
            what: known.map_or("not known to this version", |known| known.sentence.as_str()).to_owned(),
            more: known.map_or(String::new(), |known| known.remedy.replace('\n', " ")),
        }
    });
    let lines: Vec<_> = lines.collect();
    front.wide(["Finding", "severity", "count", "what it is", "what to do"], &lines)?;
    match graded.len().saturating_sub(MOST_FINDINGS) {
        0 => Ok(()),
        more => front.note(&format!("and {more} more: see the sheet Findings")),
    }
}

/// How many have a finding with which severity.
fn graded<'a>(finding: &FindingCount<'a>) -> impl Iterator<Item = (&'a str, Severity, u64)> + use<'a> {
    let id = finding.id;
    let counts = Severity::ALL.into_iter().zip(finding.by_severity).filter(|(_, count)| *count > 0);
    counts.map(move |(severity, count)| (id, severity, count))
}

/// The commonest ports by number, all others together, and all; and how many endpoints of each ended how.
fn by_port(figures: &Figures) -> (Vec<String>, Vec<(Outcome, Vec<u64>)>) {
    let mut all: Vec<_> =
        figures.census().ports().map(|(port, counts)| (port, counts.map(|(_, count)| count))).collect();
    all.sort_by_key(|(port, counts)| (std::cmp::Reverse(counts.iter().sum::<u64>()), *port));
    let others = all.split_off(all.len().min(MOST_PORTS));
    all.sort_unstable_by_key(|(port, _)| *port);
    let mut names: Vec<_> = all.iter().map(|(port, _)| port.to_string()).collect();
    let mut columns: Vec<_> = all.into_iter().map(|(_, counts)| counts).collect();
    if !others.is_empty() {
        names.push("others".to_owned());
        let sum = |place: usize| others.iter().filter_map(|(_, counts)| counts.get(place)).sum();
        columns.push(std::array::from_fn(sum));
    }
    let of = |place: usize| columns.iter().filter_map(|counts| counts.get(place).copied()).collect();
    (names, Outcome::ALL.into_iter().enumerate().map(|(place, outcome)| (outcome, of(place))).collect())
}

const fn outcome_colour(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Greeted => 0x2e_7d_4f,
        Outcome::OtherProtocol => 0x8e_6b_bf,
        Outcome::TlsFailed => 0xc6_28_28,
        Outcome::Reset => 0xef_8e_19,
        Outcome::Closed => 0xe3_c5_1c,
        Outcome::Silent => 0x9e_9e_9e,
        Outcome::Refused => 0x60_7d_8b,
        Outcome::Unreachable => 0x79_55_48,
        Outcome::Timeout => 0xbd_bd_bd,
        Outcome::LocalError => 0x00_00_00,
        Outcome::Unresolved => 0x4d_d0_e1,
    }
}
