//! Charts as tables of labels and numbers with a bar in each row, so that whoever cannot see the bars, or has no script,
//! has the same facts; and a ring for what a page begins with. Inline SVG without a style of its own.

use std::fmt::Write as _;

use super::escape::{Fragment, Text};

/// A bar, its number, and where its name leads.
#[derive(Debug)]
pub(super) struct Bar<'a> {
    pub(super) label: &'a str,
    pub(super) count: u64,
    /// What colours it; empty where it is no kind of its own, but the rest, which has no bar: it would dwarf the others.
    pub(super) class: &'a str,
    /// The rows that are meant, as a facet of the table and its value.
    pub(super) facet: Option<(&'a str, &'a str)>,
}

impl<'a> Bar<'a> {
    pub(super) const fn new(label: &'a str, count: u64, class: &'a str) -> Self {
        Self { label, count, class, facet: None }
    }

    pub(super) const fn leading_to(self, facet: &'a str, value: &'a str) -> Self {
        Self { facet: Some((facet, value)), ..self }
    }
}

/// Bars, as long as their share of the longest; percentages are of `total`.
pub(super) fn bars(out: &mut String, title: &str, note: &str, total: u64, bars: &[Bar<'_>]) {
    let longest = bars.iter().filter(|bar| !bar.class.is_empty()).map(|bar| bar.count).max().unwrap_or_default();
    open(out, title, note);
    out.push_str("<table class=\"bars\"><thead class=\"hidden\"><tr><th scope=\"col\">What</th><td></td><th scope=\"col\">Endpoints</th><th scope=\"col\">Share</th></tr></thead><tbody>\n");
    for bar in bars {
        out.push_str(if bar.class.is_empty() { "<tr class=\"rest\">" } else { "<tr>" });
        out.push_str("<th scope=\"row\">");
        push_label(out, bar);
        out.push_str("</th><td class=\"bar\">");
        if !bar.class.is_empty() {
            // A sliver can be seen, too.
            let width = share(bar.count, longest).max(u64::from(bar.count > 0) * 4);
            // Writing to a String does not fail.
            let _ = write!(
                out,
                "<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{width}\" height=\"10\" class=\"{}\"/></svg>",
                bar.class
            );
        }
        let _ = writeln!(
            out,
            "</td><td class=\"n\">{}</td><td class=\"share\">{}</td></tr>",
            thousands(bar.count),
            percent(bar.count, total)
        );
    }
    out.push_str("</tbody></table></figure>\n");
}

/// Parts of a whole for each label, side by side in one bar; what each part is says a legend, how many a table.
#[derive(Debug)]
pub(super) struct Stacked<'a> {
    pub(super) title: &'a str,
    pub(super) note: &'a str,
    /// What labels are, and what parts.
    pub(super) heads: [&'a str; 2],
    /// The facet of the table that labels lead to.
    pub(super) facet: &'a str,
    /// Each with what colours it.
    pub(super) parts: &'a [(&'a str, &'a str)],
    pub(super) rows: &'a [(String, Vec<u64>)],
}

pub(super) fn stacked(out: &mut String, chart: &Stacked<'_>) {
    let Stacked { title, note, heads: [of_labels, of_parts], facet, parts, rows } = chart;
    let sum = |counts: &[u64]| counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
    open(out, title, note);
    out.push_str("<ul class=\"legend\">");
    for (name, class) in *parts {
        let _ = write!(
            out,
            "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect width=\"10\" height=\"10\" rx=\"2\" class=\"{class}\"/></svg>{}</li>",
            Text(name)
        );
    }
    let _ = writeln!(
        out,
        "</ul><table class=\"bars stacked\"><thead class=\"hidden\"><tr><th scope=\"col\">{of_labels}</th><th scope=\"col\">{of_parts}</th><th scope=\"col\">Endpoints</th></tr></thead><tbody>"
    );
    for (label, counts) in *rows {
        let total = sum(counts);
        let told: Vec<_> = parts
            .iter()
            .zip(counts)
            .filter(|(_, count)| **count > 0)
            .map(|((name, _), count)| format!("{} {name}", thousands(*count)))
            .collect();
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><a href=\"#{facet}={}\">{}</a></th><td class=\"bar\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
            Fragment(label),
            Text(label),
            Text(&told.join(", ")),
        );
        let mut before = 0u64;
        for ((name, class), count) in parts.iter().zip(counts).filter(|(_, count)| **count > 0) {
            let (from, to) = (share(before, total), share(before.saturating_add(*count), total));
            let _ = write!(
                out,
                "<rect x=\"{from}\" width=\"{}\" height=\"10\" class=\"{class}\"><title>{} {}</title></rect>",
                to.saturating_sub(from),
                thousands(*count),
                Text(name)
            );
            before = before.saturating_add(*count);
        }
        let _ = writeln!(out, "</svg></td><td class=\"n\">{}</td></tr>", thousands(total));
    }
    let _ = write!(
        out,
        "</tbody></table>\n<details><summary>As numbers</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}, as numbers\"><table class=\"numbers\"><thead><tr><th scope=\"col\">{of_labels}</th>",
        Text(title)
    );
    for (name, _) in *parts {
        let _ = write!(out, "<th scope=\"col\">{}</th>", Text(name));
    }
    out.push_str("<th scope=\"col\">all</th></tr></thead><tbody>\n");
    for (label, counts) in *rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", Text(label));
        for count in counts.iter().copied().chain([sum(counts)]) {
            let _ = write!(out, "<td class=\"n\">{}</td>", thousands(count));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div></details></figure>\n");
}

/// A ring of parts, and a list that says what they are.
pub(super) fn ring(out: &mut String, title: &str, note: &str, parts: &[Bar<'_>]) {
    let total = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.count));
    let told: Vec<_> = parts.iter().map(|part| format!("{} {}", thousands(part.count), part.label)).collect();
    open(out, title, note);
    let _ = write!(
        out,
        "<div class=\"ring\"><svg viewBox=\"0 0 42 42\" role=\"img\" aria-label=\"{}\"><circle cx=\"21\" cy=\"21\" r=\"16\" class=\"track\"/>",
        Text(&told.join(", "))
    );
    let mut before = 0u64;
    for part in parts.iter().filter(|part| part.count > 0) {
        let (from, to) = (share(before, total), share(before.saturating_add(part.count), total));
        // A sliver can be seen, too.
        let length = to.saturating_sub(from).max(4);
        let _ = write!(
            out,
            "<circle cx=\"21\" cy=\"21\" r=\"16\" pathLength=\"1000\" stroke-dasharray=\"{length} 1000\" stroke-dashoffset=\"-{from}\" transform=\"rotate(-90 21 21)\" class=\"{}\"><title>{} {}</title></circle>",
            part.class,
            thousands(part.count),
            Text(part.label)
        );
        before = before.saturating_add(part.count);
    }
    let _ = write!(
        out,
        "</svg><table class=\"key\"><thead class=\"hidden\"><tr><th scope=\"col\">What</th><th scope=\"col\">Endpoints</th><th scope=\"col\">Share</th></tr></thead><tbody>"
    );
    for part in parts {
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect width=\"10\" height=\"10\" rx=\"2\" class=\"{}\"/></svg>",
            part.class
        );
        push_label(out, part);
        let _ = write!(
            out,
            "</th><td class=\"n\">{}</td><td class=\"share\">{}</td></tr>",
            thousands(part.count),
            percent(part.count, total)
        );
    }
    out.push_str("</tbody></table></div></figure>\n");
}

fn open(out: &mut String, title: &str, note: &str) {
    let _ = write!(out, "<figure class=\"chart\"><figcaption><h3>{}</h3>", Text(title));
    if !note.is_empty() {
        let _ = write!(out, "<p>{}</p>", Text(note));
    }
    out.push_str("</figcaption>");
}

fn push_label(out: &mut String, bar: &Bar<'_>) {
    let label = Text(bar.label);
    let _ = match bar.facet {
        Some((facet, value)) => write!(out, "<a href=\"#{facet}={}\">{label}</a>", Fragment(value)),
        None => write!(out, "{label}"),
    };
}

/// Of a thousand parts, how many.
fn share(part: u64, of: u64) -> u64 {
    let thousandths = u128::from(part) * 1000 / u128::from(of.max(1));
    u64::try_from(thousandths).unwrap_or(1000).min(1000)
}

/// A share, for people.
pub(super) fn percent(part: u64, of: u64) -> String {
    match share(part, of) {
        0 if part > 0 => "<0.1 %".to_owned(),
        1000 => "100 %".to_owned(),
        thousandths => format!("{}.{} %", thousandths / 10, thousandths % 10),
    }
}

/// A number, its digits in groups of three.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        grouped.push_str(if place > 0 && (digits.len() - place).is_multiple_of(3) { "," } else { "" });
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_for_people() {
        let grouped = [0, 999, 1000, 50_000, 1_234_567].map(thousands);
        assert_eq!(grouped, ["0", "999", "1,000", "50,000", "1,234,567"]);
        let shares = [(0, 0), (0, 5), (1, 3), (1, 100_000), (5, 5)].map(|(part, of)| percent(part, of));
        assert_eq!(shares, ["0.0 %", "0.0 %", "33.3 %", "<0.1 %", "100 %"]);
    }

    #[test]
    fn labels_are_inert_and_lead_to_rows() {
        let mut out = String::new();
        let hostile = "<b>&\"x\"";
        bars(&mut out, hostile, hostile, 4, &[Bar::new(hostile, 1, "c0").leading_to("software", hostile)]);
        ring(&mut out, "t", "", &[Bar::new(hostile, 1, "c0")]);
        let (parts, rows) = ([(hostile, "c1")], [(hostile.to_owned(), vec![3])]);
        let chart = Stacked { title: hostile, note: "", heads: ["a", "b"], facet: "port", parts: &parts, rows: &rows };
        stacked(&mut out, &chart);
        assert!(!out.contains("<b>") && !out.contains("\"x\""), "{out}");
        assert!(out.contains("<a href=\"#software=%3Cb%3E%26%22x%22\">&lt;b&gt;&amp;&quot;x&quot;</a>"), "{out}");
        assert!(out.contains("<rect width=\"1000\" height=\"10\" class=\"c0\"/>") && out.contains("25.0 %"), "{out}");
    }
}
