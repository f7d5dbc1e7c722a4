//! What a page says of all differences: headline figures, charts, the worst, and what was compared. None of it needs a
//! script.

use std::fmt::Write as _;

use crate::inventory::Kinds;
use crate::inventory::diff::{About, Change, Kind, Outline, Trend, What};
use crate::observation::Severity;
use crate::output::html::charts::{self, Bar, Stacked, thousands};
use crate::output::html::escape::{Fragment, Text, shortened};
use crate::output::html::words::{Badge, card, class};

/// So many of the commonest are in a chart.
const MAX_BARS: usize = 10;

/// So many characters tell what differs at one of the worst.
const MAX_TOLD: usize = 300;

/// So many files are listed on each page.
const MAX_SOURCES: usize = 1000;

// Writing to a String does not fail.

/// The figures that a reader sees first.
pub(super) fn headline(out: &mut String, outline: &Outline) {
    let of = |kind| outline.summary.kinds.get(&kind).copied().unwrap_or_default();
    let trend = |trend| outline.trends.get(&trend).copied().unwrap_or_default();
    let [high, medium] = [Severity::High, Severity::Medium].map(|severity| outline.of_severity(severity));
    let [old, new] = outline.summary.rows;
    let [before, now] = outline.about.sides();
    out.push_str("<section id=\"overview\" aria-labelledby=\"overview-title\"><h2 id=\"overview-title\" class=\"hidden\">Overview</h2><dl class=\"cards\">\n");
    let rows = format!("of {} rows {before} and {} {now}", thousands(old), thousands(new));
    card(out, "", "endpoints differ", outline.summary.total(), &rows);
    let class = if high > 0 { "bad" } else { "good" };
    card(out, class, "of high severity", high, &format!("and {} of medium", thousands(medium)));
    let worse = trend(Trend::Worse);
    let better = format!("and {} for the better", thousands(trend(Trend::Better)));
    card(out, if worse > 0 { "warn" } else { "good" }, "for the worse", worse, &better);
    let kinds = if outline.about.is_of_expectations {
        [Kind::Missing, Kind::Unexpected]
    } else {
        [Kind::Appeared, Kind::Vanished]
    };
    for kind in kinds {
        card(out, "", kind.as_str(), of(kind), kind.about(outline.about.is_of_expectations));
    }
    let same = if outline.about.is_of_expectations { "as they should be" } else { "unchanged" };
    card(out, "", same, outline.summary.unchanged, "in all that is compared");
    out.push_str("</dl>\n");
}

/// The charts, and the end of the overview.
pub(super) fn charts(out: &mut String, outline: &Outline) {
    out.push_str("<div class=\"charts\">\n");
    let parts = Severity::ALL.map(|severity| {
        let bar = Bar::new(severity.as_str(), outline.of_severity(severity), class(severity));
        bar.leading_to("severity", severity.as_str())
    });
    charts::ring(out, "Severity", "", &parts.into_iter().rev().collect::<Vec<_>>());
    kinds(out, outline);
    bars(out, "Fields that differ", "", "field", &outline.fields);
    meanings(out, outline);
    bars(out, "Findings, new or worse", "", "finding", &outline.new_findings);
    bars(out, "Findings, gone or milder", "", "finding", &outline.gone_findings);
    let about = "Endpoints that were not scanned on one side, or not heard of.";
    bars(out, "Not known, and why", about, "detail", &outline.reasons);
    out.push_str("</div></section>\n");
}

fn kinds(out: &mut String, outline: &Outline) {
    let parts = Severity::ALL.map(|severity| (severity.as_str(), class(severity)));
    let parts: Vec<_> = parts.into_iter().rev().collect();
    let counts = |kind| {
        let of = |severity| outline.summary.severities.get(&(kind, severity)).copied().unwrap_or_default();
        Severity::ALL.into_iter().rev().map(of).collect()
    };
    let rows: Vec<_> = outline.kinds().map(|(kind, _)| (kind.as_str().to_owned(), counts(kind))).collect();
    if !rows.is_empty() {
        let (title, heads) = ("Kinds by severity", ["Kind", "Severities"]);
        charts::stacked(out, &Stacked { title, note: "", heads, facet: "kind", parts: &parts, rows: &rows });
    }
}

fn bars(out: &mut String, title: &str, note: &str, facet: &str, kinds: &Kinds) {
    let commonest = kinds.commonest();
    let labels: Vec<_> = commonest.iter().map(|(name, _)| name.replace('_', " ")).collect();
    let named = commonest.iter().zip(&labels).take(MAX_BARS);
    let mut bars: Vec<_> =
        named.map(|((name, count), label)| Bar::new(label, *count, "c0").leading_to(facet, name)).collect();
    let rest = commonest.iter().skip(MAX_BARS).fold(kinds.left_out(), |sum, (_, count)| sum.saturating_add(*count));
    if rest > 0 {
        bars.push(Bar::new("others", rest, ""));
    }
    if !bars.is_empty() {
        charts::bars(out, title, note, kinds.total(), &bars);
    }
}

fn meanings(out: &mut String, outline: &Outline) {
    let mut all: Vec<_> = outline.meanings.iter().map(|(what, count)| (*what, *count)).collect();
    all.sort_by_key(|(what, count)| (std::cmp::Reverse(*count), *what));
    let total = all.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
    let colour = |what: What| match what.trend() {
        Some(Trend::Worse) => "sev-high",
        Some(Trend::Better) => "ok",
        None => "c1",
    };
    let labels: Vec<_> = all.iter().map(|(what, _)| what.as_str().replace('_', " ")).collect();
    let bars: Vec<_> = all
        .iter()
        .zip(&labels)
        .map(|((what, count), label)| Bar::new(label, *count, colour(*what)).leading_to("what", what.as_str()))
        .collect();
    if !bars.is_empty() {
        charts::bars(out, "What it means", "Red is for the worse, green for the better.", total, &bars);
    }
}

/// What has to be looked at first.
pub(super) fn worst(out: &mut String, outline: &Outline) {
    out.push_str("<section id=\"worst\" aria-labelledby=\"worst-title\"><h2 id=\"worst-title\">The worst</h2>\n");
    let all: Vec<_> = outline.worst().collect();
    if all.is_empty() {
        out.push_str("<p>Nothing differs.</p></section>\n");
        return;
    }
    open_table(out, "The worst", &["Severity", "Kind", "Endpoint", "Name", "Software", "What differs"]);
    for change in &all {
        let Change { severity, kind, name, software, version, ip, .. } = change;
        let shown = |text: Option<&str>| Text(&shortened(text.unwrap_or_default(), MAX_TOLD)).to_string();
        let software: Vec<_> = [software, version].into_iter().filter_map(|text| text.as_deref()).collect();
        let host = ip.map(|ip| ip.to_string()).or_else(|| name.clone()).unwrap_or_else(|| "?".to_owned());
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"when\">{}</td><td><a href=\"#host={}\">{}</a></td><td class=\"name\">{}</td><td class=\"name\">{}</td><td class=\"what\">{}</td></tr>",
            Badge(*severity),
            Text(&kind.as_str().replace('_', " ")),
            Fragment(&host),
            Text(&change.endpoint()),
            shown(name.as_deref()),
            shown(Some(&software.join(" "))),
            shown(Some(&change.told())),
        );
    }
    out.push_str("</tbody></table></div>\n");
    let more = outline.summary.total().saturating_sub(u64::try_from(all.len()).unwrap_or(u64::MAX));
    if more > 0 {
        let _ = writeln!(out, "<p class=\"look\">{} more differ.</p>", thousands(more));
    }
    out.push_str("</section>\n");
}

/// The files, when their scans ran, and what is not known of them.
pub(super) fn compared(out: &mut String, about: &About) {
    out.push_str("<section id=\"compared\" aria-labelledby=\"compared-title\"><h2 id=\"compared-title\">What was compared</h2>\n");
    open_table(out, "What was compared", &["", "File", "Endpoints", "When its scan ran, and how", "What is not known"]);
    for source in about.sources.iter().take(MAX_SOURCES) {
        let shown = |text: &Option<String>| Text(text.as_deref().unwrap_or_default()).to_string();
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"name\">{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"what\">{}</td></tr>",
            about.side(source.side),
            Text(&source.name),
            source.endpoints.map(thousands).unwrap_or_default(),
            shown(&source.scan),
            shown(&source.lack),
        );
    }
    out.push_str("</tbody></table></div>\n");
    let more = about.sources.len().saturating_sub(MAX_SOURCES);
    if more > 0 {
        let _ = writeln!(out, "<p class=\"look\">{more} more files.</p>");
    }
    out.push_str("</section>\n");
}

fn open_table(out: &mut String, title: &str, heads: &[&str]) {
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table class=\"list\"><thead><tr>"
    );
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
}
