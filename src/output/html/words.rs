//! Figures, severities and times, for people.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::charts::thousands;
use super::escape::Text;
use crate::observation::Severity;
use crate::output::Timestamp;

/// A figure that a reader sees first.
pub(super) fn card(out: &mut String, class: &str, label: &str, number: u64, words: &str) {
    let class = if class.is_empty() { "card".to_owned() } else { format!("card {class}") };
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "<div class=\"{class}\"><dt>{label}</dt><dd><strong>{}</strong> <span>{}</span></dd></div>",
        thousands(number),
        Text(words)
    );
}

/// A severity that is told apart without its colour, too.
pub(super) struct Badge(pub(super) Severity);

impl std::fmt::Display for Badge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<span class=\"badge {}\">{}</span>", class(self.0), self.0)
    }
}

pub(super) const fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "sev-high",
        Severity::Medium => "sev-medium",
        Severity::Low => "sev-low",
        Severity::Info => "sev-info",
    }
}

pub(super) const fn noun(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// From one moment to another, for people: `2026-11-21 03:11 to 03:40 UTC`.
pub(super) fn span(first: SystemTime, last: SystemTime) -> String {
    let (first, last) = (moment(first), moment(last));
    match (first.get(..16), last.get(..16)) {
        (Some(from), Some(to)) if from == to => first,
        (Some(from), Some(_)) if from.get(..10) == last.get(..10) => {
            format!("{from} to {}", last.get(11..).unwrap_or_default())
        }
        (Some(from), Some(_)) => format!("{from} to {last}"),
        (None, _) | (_, None) => String::new(),
    }
}

/// A moment, for people: `2026-11-21 03:11 UTC`.
pub(super) fn moment(at: SystemTime) -> String {
    let text = Timestamp::seconds(at).map(|at| at.to_string()).unwrap_or_default();
    let minute: String = text.chars().take(16).collect();
    format!("{} UTC", minute.replace('T', " "))
}

/// A day, for people: `2026-11-21`.
pub(super) fn date(at: SystemTime) -> String {
    Timestamp::seconds(at).map(|at| at.to_string().chars().take(10).collect()).unwrap_or_default()
}
