//! What a scan came to, for people: by outcome, port, software, what stands in front and how bad it is, in tables with bars
//! where a terminal shows them.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use hailer::classify::fronting::{Overview, Watched};
use hailer::manifest::Canaries;
use hailer::observation::{Fronting, Severity};
use hailer::output::style::{DIM, PLAIN, of_fronting, of_outcome, of_severity};
use hailer::{Outcome, Slowed, Stats, Tally};
use indicatif::HumanCount;
use unicode_width::UnicodeWidthStr;

use super::look::Tone;
use super::page::wrap;
use super::progress::per_second;

/// More ports than this make no table; then only the totals are shown.
const MAX_COLUMNS: usize = 10;

/// The commonest software is shown, so many kinds of it.
const MAX_SOFTWARE: usize = 20;

/// The networks that were slowed down most are named, so many of them.
const MAX_SLOWED: usize = 4;

/// The largest middleboxes are told, so many of them.
const MAX_MIDDLEBOXES: usize = 10;

/// What is not among the commonest.
const OTHERS: &str = "(other)";

/// A count is that wide, up to the billions.
const COUNT: usize = 11;

/// How many endpoints of one port ended how.
pub(super) type Counts = [(Outcome, u64); Outcome::ALL.len()];

/// What a scan came to.
pub(super) struct Summary<'a> {
    pub(super) stats: &'a Stats,
    /// What was written by all runs.
    pub(super) tally: &'a Tally,
    /// How long this run took.
    pub(super) elapsed: Duration,
    /// How many endpoints earlier runs did.
    pub(super) done_before: u64,
    /// How it looks.
    pub(super) tone: Tone,
}

impl Summary<'_> {
    /// As lines.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write_all(&mut text);
        text
    }

    fn write_all(&self, text: &mut String) -> std::fmt::Result {
        let Self { stats, tally, elapsed, done_before, tone } = *self;
        let of_this_run = stats.done().saturating_sub(done_before);
        write!(text, "{} of {} endpoints", HumanCount(stats.done()), HumanCount(stats.total()))?;
        if done_before > 0 {
            write!(text, ", {} of them in this run,", HumanCount(of_this_run))?;
        }
        writeln!(
            text,
            " in {:.1} s ({}/s), {} {}",
            elapsed.as_secs_f64(),
            HumanCount(per_second(of_this_run, elapsed)),
            HumanCount(tally.rows),
            if tally.rows == 1 { "row" } else { "rows" },
        )?;
        outcomes(text, tone, &stats.ports().collect::<Vec<_>>())?;
        software(text, tone, tally)?;
        fronting(text, tone, tally)?;
        findings(text, tone, tally)?;
        middleboxes(text, &stats.overview())?;
        if done_before > 0 {
            writeln!(text, "middleboxes are told of this run alone; `hailer report FILE` tells of all rows")?;
        }
        let (retried, answered) = stats.retried();
        if retried > 0 {
            let noun = if retried == 1 { "endpoint" } else { "endpoints" };
            writeln!(
                text,
                "tried again: {} {noun}, {} of which answered then",
                HumanCount(retried),
                HumanCount(answered)
            )?;
        }
        if let Some(learnt) = stats.learnt() {
            writeln!(text, "{learnt}")?;
        }
        slowed(text, stats)?;
        if let Some(canaries) = Canaries::new(stats.canaries()) {
            writeln!(text, "{canaries}")?;
        }
        let not_done = stats.missed();
        if not_done > 0 {
            writeln!(
                text,
                "{} not done: this machine could not try them (see 'detail' in the rows with outcome local_error)",
                HumanCount(not_done)
            )?;
        }
        Ok(())
    }
}

fn slowed(text: &mut String, stats: &Stats) -> std::fmt::Result {
    let Slowed { networks, slowest } = stats.slowed();
    if networks == 0 {
        return Ok(());
    }
    let noun = if networks == 1 { "network" } else { "networks" };
    write!(text, "slowed down in {} {noun} that asked for it:", HumanCount(networks))?;
    for (place, (network, rate)) in slowest.iter().take(MAX_SLOWED).enumerate() {
        write!(text, "{} {network} to {rate}", if place == 0 { "" } else { "," })?;
    }
    let named = u64::try_from(slowest.len().min(MAX_SLOWED)).unwrap_or(u64::MAX);
    writeln!(text, "{}", if networks > named { " and others" } else { "" })
}

pub(super) fn outcomes(text: &mut String, tone: Tone, ports: &[(u16, Counts)]) -> std::fmt::Result {
    /// As wide as an outcome, with what stands before it, and a count.
    const TOTAL: usize = 2 + 14 + 1 + COUNT;
    const EACH: usize = 1 + 9;

    let ports: Vec<_> = ports.iter().filter(|(_, counts)| counts.iter().any(|(_, count)| *count > 0)).collect();
    let has_room = ports.len() <= MAX_COLUMNS && tone.has_room(TOTAL + EACH * ports.len());
    let columns: &[_] = if has_room { &ports } else { &[] };
    if ports.is_empty() {
        return Ok(());
    }
    let totals = Outcome::ALL.into_iter().enumerate().map(|(place, outcome)| {
        (place, outcome, ports.iter().map(|(_, counts)| counts[place].1).fold(0, u64::saturating_add))
    });
    let totals: Vec<_> = totals.filter(|(.., total)| *total > 0).collect();
    let most = totals.iter().map(|(.., total)| *total).max().unwrap_or_default();
    let bar = tone.bar_behind(TOTAL + EACH * columns.len());
    let room = bar.map_or(0, |width| width + 2);
    let mut head = format!("  {:<14} {:>COUNT$}{:room$}", "outcome", "all ports", "");
    for (port, _) in columns {
        write!(head, " {port:>9}")?;
    }
    writeln!(text, "{}", tone.paint(head.trim_end(), DIM))?;
    for (place, outcome, total) in totals {
        let style = of_outcome(outcome);
        let mut line = format!("  {} {:>COUNT$}", tone.paint(&format!("{outcome:<14}"), style), told(total));
        if let Some(width) = bar {
            write!(line, "  {}", tone.paint(&format!("{:<width$}", tone.bar(total, most, width)), style))?;
        }
        for (_, counts) in columns {
            write!(line, " {:>9}", told(counts[place].1))?;
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

pub(super) fn software(text: &mut String, tone: Tone, tally: &Tally) -> std::fmt::Result {
    let mut counts: Vec<_> = tally.software.iter().map(|(name, count)| (&**name, *count)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    if counts.is_empty() && tally.unnamed == 0 {
        return Ok(());
    }
    let more: u64 = counts.iter().skip(MAX_SOFTWARE).fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    let others = [(OTHERS, more), ("(unnamed)", tally.unnamed)].into_iter().filter(|(_, count)| *count > 0);
    let lines = counts.iter().copied().take(MAX_SOFTWARE).map(|(name, count)| (name, count, PLAIN));
    let lines: Vec<_> = lines.chain(others.map(|(name, count)| (name, count, DIM))).collect();
    table(text, tone, "software", &lines)
}

/// How bad the worst finding of each endpoint is.
pub(super) fn findings(text: &mut String, tone: Tone, tally: &Tally) -> std::fmt::Result {
    let count = |severity: Severity| tally.severities.get(severity.as_str()).copied().unwrap_or_default();
    let lines = Severity::ALL.into_iter().rev().map(|it| (it.as_str(), count(it), of_severity(it)));
    let lines: Vec<_> = lines.filter(|(_, count, _)| *count > 0).collect();
    if lines.is_empty() { Ok(()) } else { table(text, tone, "worst finding", &lines) }
}

/// How many endpoints there are of what, each with a bar beside it where there is room.
fn table(text: &mut String, tone: Tone, head: &str, lines: &[(&str, u64, Style)]) -> std::fmt::Result {
    /// As wide as most names of products, and as the longest.
    const NAME: std::ops::RangeInclusive<usize> = 26..=40;
    /// On a terminal that has no room for more.
    const LEAST: usize = 8;

    let longest = lines.iter().map(|line| line.0.width()).max().unwrap_or_default();
    let room = tone.width().saturating_sub(2 + 1 + COUNT).max(LEAST);
    let column = longest.clamp(*NAME.start(), *NAME.end());
    let column = if tone.has_room(2 + column + 1 + COUNT) { column } else { column.min(room) };
    // The rest is no product, and would dwarf those that are.
    let has_bar = |name: &str| name != OTHERS;
    let most = lines.iter().filter(|line| has_bar(line.0)).map(|line| line.1).max().unwrap_or_default();
    let bar = tone.bar_behind(2 + column + 1 + COUNT);
    let head = tone.fitted(head, column);
    writeln!(text, "{}", tone.paint(&format!("  {head:<column$} {:>COUNT$}", "endpoints"), DIM))?;
    for (name, count, style) in lines {
        let bar = bar.filter(|_| has_bar(name)).map(|width| tone.bar(*count, most, width)).unwrap_or_default();
        let name = tone.fitted(name, column);
        let blanks = " ".repeat(column.saturating_sub(name.width()));
        let gap = if bar.is_empty() { "" } else { "  " };
        let (name, bar) = (tone.paint(&name, *style), tone.paint(&bar, *style));
        writeln!(text, "  {name}{blanks} {:>COUNT$}{gap}{bar}", told(*count))?;
    }
    Ok(())
}

fn told(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Nothing observed is not that nothing is there: a transparent proxy leaves no trace.
pub(super) fn fronting(text: &mut String, tone: Tone, tally: &Tally) -> std::fmt::Result {
    let count = |verdict: Fronting| tally.fronting.get(verdict.as_str()).copied().unwrap_or_default();
    let verdicts = Fronting::ALL.into_iter().rev();
    if verdicts.clone().all(|verdict| verdict == Fronting::NotObserved || count(verdict) == 0) {
        return Ok(());
    }
    let words = |verdict| match verdict {
        Fronting::Confirmed => "confirmed",
        Fronting::Likely => "likely",
        Fronting::Nat => "forwarding or NAT",
        Fronting::Possible => "possible",
        Fronting::NotObserved => "nothing observed",
    };
    let lines = verdicts.map(|verdict| (words(verdict), count(verdict), of_fronting(verdict)));
    let lines: Vec<_> = lines.filter(|(_, count, _)| *count > 0).collect();
    table(text, tone, "in front of a server", &lines)?;
    let mut fronts: Vec<_> = tally.fronts.iter().map(|(name, count)| (&**name, *count)).collect();
    fronts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    if fronts.is_empty() {
        return Ok(());
    }
    let named = fronts.iter().take(MAX_SOFTWARE).map(|(name, count)| format!("{name} {}", HumanCount(*count)));
    let named = named.collect::<Vec<_>>().join(", ");
    let words = match fronts.len().saturating_sub(MAX_SOFTWARE) {
        0 => format!("of them: {named}"),
        more => format!("of them: {named} and {more} others"),
    };
    for line in wrap(&words, "  ", "    ", tone.width()) {
        writeln!(text, "{line}")?;
    }
    Ok(())
}

/// What answers in the place of servers.
pub(super) fn middleboxes(text: &mut String, overview: &Overview) -> std::fmt::Result {
    let all = overview.middleboxes();
    for middlebox in all.iter().take(MAX_MIDDLEBOXES) {
        writeln!(text, "{middlebox}")?;
    }
    let untold = u64::try_from(all.len().saturating_sub(MAX_MIDDLEBOXES)).unwrap_or(u64::MAX);
    let more = untold.saturating_add(overview.left_out());
    if more > 0 {
        writeln!(text, "and {} more such hosts or networks", HumanCount(more))?;
    }
    if overview.seen_elsewhere() > 0 {
        let (count, verb) = (overview.seen_elsewhere(), if overview.seen_elsewhere() == 1 { "sees" } else { "see" });
        let noun = if count == 1 { "server" } else { "servers" };
        writeln!(text, "{} {noun} {verb} us at another address than most do", HumanCount(count))?;
    }
    let watched = overview.watched();
    if !watched.is_all() {
        let Watched { hosts, of_hosts, networks, of_networks } = watched;
        let [hosts, of_hosts, networks, of_networks] = [hosts, of_hosts, networks, of_networks].map(HumanCount);
        writeln!(
            text,
            "watched for middleboxes: {hosts} of about {of_hosts} hosts that answered, {networks} of about {of_networks} networks"
        )?;
    }
    Ok(())
}
