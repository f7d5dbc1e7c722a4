//! What a page says of all rows: headline figures, charts, findings, middleboxes. None of it needs a script.

use std::fmt::Write as _;
use std::time::SystemTime;

use crate::classify::fronting::Overview;
use crate::handbook::{Check, FindingText, Handbook};
use crate::inventory::{Figures, FindingCount, Product};
use crate::observation::{Fronting, Outcome, Severity};
use crate::output::html::charts::{self, Bar, Stacked, percent, thousands};
use crate::output::html::escape::{Fragment, Text};
use crate::output::html::words::{Badge, card, class, date, noun};

/// So many of the commonest are in a chart.
const MAX_BARS: usize = 10;

/// So many ports are in a chart.
const MAX_PORTS: usize = 16;

/// So many middleboxes are told.
const MAX_MIDDLEBOXES: usize = 25;

/// A certificate that expires within so many days is pointed out.
pub(super) const SOON: u32 = 30;

/// The figures that a reader sees first.
pub(super) fn headline(out: &mut String, figures: &Figures, now: SystemTime) {
    let (rows, hosts) = (figures.rows(), figures.hosts());
    let of_outcome = |wanted| {
        figures.outcomes().iter().filter(|(outcome, _)| *outcome == wanted).map(|(_, count)| *count).sum::<u64>()
    };
    let greeted = of_outcome(Outcome::Greeted);
    let [_, _, medium, high] = figures.severities();
    let about = if hosts.is_exact { "" } else { "about " };
    out.push_str("<section id=\"overview\" aria-labelledby=\"overview-title\"><h2 id=\"overview-title\" class=\"hidden\">Overview</h2><dl class=\"cards\">\n");
    let hosts = format!("on {about}{} {}", thousands(hosts.count), noun(hosts.count, "host", "hosts"));
    card(out, "", noun(rows, "endpoint", "endpoints"), rows, &hosts);
    card(out, "", "greeted", greeted, &format!("{} of all", percent(greeted, rows)));
    let to_mend = format!("and {} with medium ones", thousands(medium));
    card(out, if high > 0 { "bad" } else { "good" }, "with high findings", high, &to_mend);
    let tls = figures.tls();
    if tls.total() > 0 {
        let without = tls.of("not_offered");
        let class = if without > 0 { "warn" } else { "good" };
        card(out, class, "offer no TLS", without, &format!("of {} that were asked", thousands(tls.total())));
    }
    let expiry = figures.expiry(now);
    if figures.certificate_statuses().total() > 0 {
        let words = format!("as of {}, and {} within {SOON} days", date(now), thousands(expiry.month));
        card(out, if expiry.expired > 0 { "bad" } else { "good" }, "show expired certificates", expiry.expired, &words);
    }
    let fronted: u64 =
        figures.fronting().iter().filter(|(verdict, _)| *verdict >= Fronting::Likely).map(|(_, count)| *count).sum();
    let possible: u64 =
        figures.fronting().iter().filter(|(verdict, _)| *verdict == Fronting::Possible).map(|(_, count)| *count).sum();
    if figures.fronting().iter().any(|(_, count)| *count > 0) {
        card(out, "", "behind a proxy or filter", fronted, &format!("likely; {} more possibly", thousands(possible)));
    }
    out.push_str("</dl>\n");
}

/// The charts, and the end of the overview.
pub(super) fn overview(out: &mut String, figures: &Figures, now: SystemTime) {
    out.push_str("<div class=\"charts\">\n");
    worst_findings(out, figures);
    outcomes(out, figures);
    tls(out, figures);
    software(out, figures);
    expiry(out, figures, now);
    fronting(out, figures);
    out.push_str("</div></section>\n");
}

fn worst_findings(out: &mut String, figures: &Figures) {
    let severities = figures.severities();
    let mut parts: Vec<_> = Severity::ALL
        .into_iter()
        .zip(severities)
        .rev()
        .map(|(severity, count)| {
            Bar::new(severity.as_str(), count, class(severity)).leading_to("severity", severity.as_str())
        })
        .collect();
    let with_findings = severities.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
    let without = figures.rows().saturating_sub(with_findings);
    parts.push(Bar::new("no finding, or no answer", without, "sev-none").leading_to("severity", ""));
    charts::ring(out, "Worst finding of each endpoint", "", &parts);
}

fn outcomes(out: &mut String, figures: &Figures) {
    let all = figures.outcomes();
    let shown: Vec<_> = all.iter().filter(|(_, count)| *count > 0).map(|(outcome, _)| *outcome).collect();
    let parts: Vec<_> = shown.iter().map(|outcome| (words(*outcome), outcome_class(*outcome))).collect();
    let mut ports: Vec<_> = figures
        .census()
        .ports()
        .map(|(port, counts)| {
            let counts: Vec<_> =
                counts.iter().filter(|(outcome, _)| shown.contains(outcome)).map(|(_, count)| *count).collect();
            (port, counts)
        })
        .collect();
    let more = ports.len().saturating_sub(MAX_PORTS);
    if more > 0 {
        // Those with most rows, in their order.
        ports.sort_by_key(|(port, counts)| (std::cmp::Reverse(counts.iter().sum::<u64>()), *port));
        ports.truncate(MAX_PORTS);
        ports.sort_by_key(|(port, _)| *port);
    }
    let ports: Vec<_> = ports.into_iter().map(|(port, counts)| (port.to_string(), counts)).collect();
    let note = if more > 0 { format!("{more} ports with fewer endpoints are left out.") } else { String::new() };
    if !ports.is_empty() {
        let heads = ["Port", "Outcomes"];
        charts::stacked(
            out,
            &Stacked { title: "Outcomes by port", note: &note, heads, facet: "port", parts: &parts, rows: &ports },
        );
    }
}

fn software(out: &mut String, figures: &Figures) {
    let software = figures.software();
    if software.is_empty() && figures.unnamed() == 0 {
        return;
    }
    let mut bars: Vec<_> = software
        .iter()
        .take(MAX_BARS)
        .map(|product| Bar::new(product.name, product.count, "c0").leading_to("software", product.name))
        .collect();
    let rest = software
        .iter()
        .skip(MAX_BARS)
        .fold(figures.software_left_out(), |sum, product| sum.saturating_add(product.count));
    let others = format!("{} others", software.len().saturating_sub(MAX_BARS));
    if rest > 0 {
        bars.push(Bar::new(&others, rest, ""));
    }
    if figures.unnamed() > 0 {
        bars.push(Bar::new("greeted, not named", figures.unnamed(), ""));
    }
    let total = bars.iter().fold(0u64, |sum, bar| sum.saturating_add(bar.count));
    charts::bars(out, "Software", "As far as endpoints tell, also those that did not greet.", total, &bars);
}

fn tls(out: &mut String, figures: &Figures) {
    let (usage, versions) = (figures.tls(), figures.tls_versions());
    if usage.total() == 0 {
        return;
    }
    let mut bars: Vec<_> = versions
        .commonest()
        .into_iter()
        .map(|(version, count)| {
            let class = if matches!(version, "TLSv1.3" | "TLSv1.2") { "ok" } else { "sev-medium" };
            Bar::new(version, count, class).leading_to("tls_version", version)
        })
        .collect();
    bars.sort_by(|one, other| other.label.cmp(one.label));
    bars.truncate(MAX_BARS);
    for (word, label, class) in
        [("not_offered", "not offered", "sev-high"), ("refused", "refused", "muted"), ("failed", "failed", "muted")]
    {
        if usage.of(word) > 0 {
            bars.push(Bar::new(label, usage.of(word), class).leading_to("tls", word));
        }
    }
    charts::bars(out, "TLS", "The version agreed on; shares are of all that were asked for TLS.", usage.total(), &bars);
}

fn expiry(out: &mut String, figures: &Figures, now: SystemTime) {
    let statuses = figures.certificate_statuses();
    if statuses.total() == 0 {
        return;
    }
    let commonest = statuses.commonest();
    let labels: Vec<_> = commonest.iter().map(|(status, _)| status.replace('_', " ")).collect();
    let bars: Vec<_> = commonest
        .iter()
        .zip(&labels)
        .take(MAX_BARS)
        .map(|((status, count), label)| {
            let class = match *status {
                "valid" => "ok",
                "expired" | "malformed" | "bad_signature" => "sev-high",
                _ => "sev-medium",
            };
            Bar::new(label, *count, class).leading_to("cert_status", status)
        })
        .collect();
    let expiry = figures.expiry(now);
    let note = format!(
        "As they were when they were seen. As of {}, valid for {SOON} days at most: {}; for 90 at most: {}; longer: {}.",
        date(now),
        thousands(expiry.month),
        thousands(expiry.quarter),
        thousands(expiry.later)
    );
    charts::bars(out, "Certificates", &note, statuses.total(), &bars);
}

fn fronting(out: &mut String, figures: &Figures) {
    let all = figures.fronting();
    let total = all.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
    if total == 0 {
        return;
    }
    let bars: Vec<_> = all
        .into_iter()
        .rev()
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| {
            let (label, class) = match verdict {
                Fronting::Confirmed => ("confirmed", "c0"),
                Fronting::Likely => ("likely", "c0"),
                Fronting::Nat => ("forwarding or NAT", "c1"),
                Fronting::Possible => ("possible", "c1"),
                Fronting::NotObserved => ("nothing observed", "muted"),
            };
            Bar::new(label, count, class).leading_to("fronting", verdict.as_str())
        })
        .collect();
    let fronts: Vec<_> =
        figures.fronts().iter().take(6).map(|(name, count)| format!("{name} {}", thousands(*count))).collect();
    let note = if fronts.is_empty() {
        "A transparent proxy leaves no trace.".to_owned()
    } else {
        format!("Named: {}.", fronts.join(", "))
    };
    charts::bars(out, "In front of servers", &note, total, &bars);
}

/// What there is to mend, with remedies, and some of the endpoints that have it.
pub(super) fn findings(out: &mut String, figures: &Figures, endpoints: impl Fn(&str) -> Vec<String>) {
    out.push_str(
        "<section id=\"findings\" aria-labelledby=\"findings-title\"><h2 id=\"findings-title\">Findings</h2>\n",
    );
    let (found, software) = (figures.findings(), figures.software());
    if found.is_empty() {
        out.push_str("<p>No findings. A sweep at <code>--depth features</code> or <code>--depth tls</code> asks more, and finds more.</p>\n");
    }
    for finding in &found {
        let text = Handbook::builtin().finding(finding.id);
        let sentence = text.map_or("This version knows no more of it.", |text| &text.sentence);
        let _ = write!(
            out,
            "<details class=\"finding\" id=\"finding-{0}\"><summary>{1}<span class=\"what\"><strong>{2}</strong> <code>{3}</code></span><span class=\"n\">{4} <small>{5}{6}</small></span></summary><div class=\"body\">",
            Fragment(finding.id),
            Badge(finding.severity),
            Text(sentence),
            Text(finding.id),
            thousands(finding.count),
            noun(finding.count, "endpoint", "endpoints"),
            graded(finding),
        );
        if let Some(text) = text {
            remedies(out, text, &software);
        }
        at(out, finding, &endpoints(finding.id));
        out.push_str("</div></details>\n");
    }
    if figures.findings_left_out() > 0 {
        let _ =
            writeln!(out, "<p>{} findings of other kinds are not told.</p>", thousands(figures.findings_left_out()));
    }
    out.push_str("</section>\n");
}

/// How many have it with which severity, where that differs: what stands before it is the worst.
fn graded(finding: &FindingCount<'_>) -> String {
    let counts = Severity::ALL.into_iter().zip(finding.by_severity).rev().filter(|(_, count)| *count > 0);
    let told: Vec<_> = counts.map(|(severity, count)| format!("{} {severity}", thousands(count))).collect();
    if told.len() > 1 { format!(": {}", told.join(", ")) } else { String::new() }
}

fn remedies(out: &mut String, text: &FindingText, software: &[Product<'_>]) {
    let _ = write!(out, "<h3>Why</h3><p>{}</p><h3>Remedy</h3><p>{}</p>", Text(&text.why), Text(&text.remedy));
    let is_there = |name: &str| software.iter().any(|product| product.name.eq_ignore_ascii_case(name));
    let known: Vec<_> = text.remedy_for.iter().filter(|(name, _)| is_there(name)).collect();
    if !known.is_empty() {
        out.push_str("<dl class=\"remedies\">");
        for (name, words) in known {
            let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", Text(name), Text(words));
        }
        out.push_str("</dl>");
    }
    out.push_str("<h3>Check by hand</h3>");
    for Check { run, typed, look } in &text.verify {
        let _ = write!(out, "<pre>$ {}", Text(run));
        for line in typed {
            let _ = write!(out, "\n&gt; {}", Text(line));
        }
        let _ = write!(out, "</pre><p class=\"look\">Look for {}.</p>", Text(look.trim_end_matches('.')));
    }
    let _ = write!(out, "<p class=\"source\">{}</p>", Text(&text.rfc));
}

fn at(out: &mut String, finding: &FindingCount<'_>, endpoints: &[String]) {
    out.push_str("<h3>Where</h3><p class=\"where\">");
    for (place, endpoint) in endpoints.iter().enumerate() {
        let _ = write!(out, "{}<code>{}</code>", if place > 0 { " " } else { "" }, Text(endpoint));
    }
    let told = u64::try_from(endpoints.len()).unwrap_or(u64::MAX);
    let more = finding.count.saturating_sub(told);
    let _ = match more {
        0 => write!(out, "</p>"),
        more => write!(out, " and {} more</p>", thousands(more)),
    };
    let _ = write!(
        out,
        "<p class=\"scripted\"><a href=\"#findings={}\">Show these in the table</a></p>",
        Fragment(finding.id)
    );
}

/// What answers in the place of servers.
pub(super) fn middleboxes(out: &mut String, overview: &Overview) {
    let all = overview.middleboxes();
    if all.is_empty() {
        return;
    }
    out.push_str("<section id=\"middleboxes\" aria-labelledby=\"middleboxes-title\"><h2 id=\"middleboxes-title\">Middleboxes</h2>\n<ul>");
    for middlebox in all.iter().take(MAX_MIDDLEBOXES) {
        let _ = write!(out, "<li>{}</li>", Text(&middlebox.to_string()));
    }
    out.push_str("</ul>");
    let untold = u64::try_from(all.len().saturating_sub(MAX_MIDDLEBOXES)).unwrap_or(u64::MAX);
    let more = untold.saturating_add(overview.left_out());
    if more > 0 {
        let _ = write!(out, "<p>And {} more such hosts or networks.</p>", thousands(more));
    }
    out.push_str("</section>\n");
}

const fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Greeted => "greeted",
        Outcome::OtherProtocol => "other protocol",
        Outcome::TlsFailed => "TLS failed",
        Outcome::Reset => "reset",
        Outcome::Closed => "closed",
        Outcome::Silent => "silent",
        Outcome::Refused => "refused",
        Outcome::Unreachable => "unreachable",
        Outcome::Timeout => "timeout",
        Outcome::LocalError => "not done",
        Outcome::Unresolved => "unresolved",
    }
}

const fn outcome_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Greeted => "o-greeted",
        Outcome::OtherProtocol => "o-other",
        Outcome::TlsFailed => "o-tls",
        Outcome::Reset => "o-reset",
        Outcome::Closed => "o-closed",
        Outcome::Silent => "o-silent",
        Outcome::Refused => "o-refused",
        Outcome::Unreachable => "o-unreachable",
        Outcome::Timeout => "o-timeout",
        Outcome::LocalError => "o-error",
        Outcome::Unresolved => "o-unresolved",
    }
}
