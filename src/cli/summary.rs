//! What a scan came to, for people: by outcome, port and software.

use std::fmt::Write as _;
use std::time::Duration;

use hailer::classify::fronting::{Overview, Watched};
use hailer::manifest::Canaries;
use hailer::observation::Fronting;
use hailer::{Outcome, Slowed, Stats, Tally};
use indicatif::HumanCount;

use super::progress::per_second;

/// More ports than this make no table; then only the totals are shown.
const MAX_COLUMNS: usize = 10;

/// The commonest software is shown, so many kinds of it.
const MAX_SOFTWARE: usize = 20;

/// The networks that were slowed down most are named, so many of them.
const MAX_SLOWED: usize = 4;

/// The largest middleboxes are told, so many of them.
const MAX_MIDDLEBOXES: usize = 10;

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
        let Self { stats, tally, elapsed, done_before } = *self;
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
        outcomes(text, &stats.ports().collect::<Vec<_>>())?;
        software(text, tally)?;
        fronting(text, tally)?;
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

pub(super) fn outcomes(text: &mut String, ports: &[(u16, Counts)]) -> std::fmt::Result {
    let ports: Vec<_> = ports.iter().filter(|(_, counts)| counts.iter().any(|(_, count)| *count > 0)).collect();
    let columns: &[_] = if ports.len() <= MAX_COLUMNS { &ports } else { &[] };
    if ports.is_empty() {
        return Ok(());
    }
    write!(text, "  {:<14} {:>11}", "outcome", "all ports")?;
    for (port, _) in columns {
        write!(text, " {port:>9}")?;
    }
    writeln!(text)?;
    for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
        let total: u64 = ports.iter().map(|(_, counts)| counts[place].1).sum();
        if total == 0 {
            continue;
        }
        write!(text, "  {outcome:<14} {:>11}", HumanCount(total).to_string())?;
        for (_, counts) in columns {
            write!(text, " {:>9}", HumanCount(counts[place].1).to_string())?;
        }
        writeln!(text)?;
    }
    Ok(())
}

pub(super) fn software(text: &mut String, tally: &Tally) -> std::fmt::Result {
    let mut counts: Vec<_> = tally.software.iter().map(|(name, count)| (&**name, *count)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    if counts.is_empty() && tally.unnamed == 0 {
        return Ok(());
    }
    writeln!(text, "  {:<26} {:>11}", "software", "endpoints")?;
    for (name, count) in counts.iter().take(MAX_SOFTWARE) {
        writeln!(text, "  {name:<26} {:>11}", HumanCount(*count).to_string())?;
    }
    let more: u64 = counts.iter().skip(MAX_SOFTWARE).fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    for (name, count) in [("(other)", more), ("(unnamed)", tally.unnamed)] {
        if count > 0 {
            writeln!(text, "  {name:<26} {:>11}", HumanCount(count).to_string())?;
        }
    }
    Ok(())
}

/// Nothing observed is not that nothing is there: a transparent proxy leaves no trace.
pub(super) fn fronting(text: &mut String, tally: &Tally) -> std::fmt::Result {
    let count = |verdict: Fronting| tally.fronting.get(verdict.as_str()).copied().unwrap_or_default();
    let verdicts = Fronting::ALL.into_iter().rev();
    if verdicts.clone().all(|verdict| verdict == Fronting::NotObserved || count(verdict) == 0) {
        return Ok(());
    }
    writeln!(text, "  {:<26} {:>11}", "in front of a server", "endpoints")?;
    for verdict in verdicts.filter(|verdict| count(*verdict) > 0) {
        let words = match verdict {
            Fronting::Confirmed => "confirmed",
            Fronting::Likely => "likely",
            Fronting::Nat => "forwarding or NAT",
            Fronting::Possible => "possible",
            Fronting::NotObserved => "nothing observed",
        };
        writeln!(text, "  {words:<26} {:>11}", HumanCount(count(verdict)).to_string())?;
    }
    let mut fronts: Vec<_> = tally.fronts.iter().map(|(name, count)| (&**name, *count)).collect();
    fronts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    for (place, (name, count)) in fronts.iter().take(MAX_SOFTWARE).enumerate() {
        write!(text, "{} {name} {}", if place == 0 { "  of them:" } else { "," }, HumanCount(*count))?;
    }
    match (fronts.len(), fronts.len().saturating_sub(MAX_SOFTWARE)) {
        (0, _) => Ok(()),
        (_, 0) => writeln!(text),
        (_, more) => writeln!(text, " and {more} others"),
    }
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
