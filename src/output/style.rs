//! In which style words are shown to people: the same for the same word, in rows and in what sums them up.

use anstyle::{AnsiColor, Style};

use crate::observation::{Fronting, Outcome, Severity};

/// As everything else.
pub const PLAIN: Style = Style::new();
/// What is looked for first.
pub const BOLD: Style = Style::new().bold();
/// What is looked for last.
pub const DIM: Style = Style::new().dimmed();

/// How far a probe got.
pub const fn of_outcome(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Greeted => colour(AnsiColor::Green),
        Outcome::OtherProtocol => colour(AnsiColor::Cyan),
        Outcome::TlsFailed => colour(AnsiColor::Red),
        Outcome::Reset | Outcome::Closed | Outcome::Silent => colour(AnsiColor::Yellow),
        Outcome::Refused | Outcome::Unreachable | Outcome::Timeout | Outcome::Unresolved => DIM,
        Outcome::LocalError => colour(AnsiColor::Magenta),
    }
}

/// How bad something is.
pub const fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::High => colour(AnsiColor::Red).bold(),
        Severity::Medium => colour(AnsiColor::Yellow),
        Severity::Low => colour(AnsiColor::Blue),
        Severity::Info => DIM,
    }
}

/// Whether something stands in front.
pub const fn of_fronting(fronting: Fronting) -> Style {
    match fronting {
        Fronting::Confirmed | Fronting::Likely => colour(AnsiColor::Magenta),
        Fronting::Nat | Fronting::Possible | Fronting::NotObserved => DIM,
    }
}

const fn colour(colour: AnsiColor) -> Style {
    colour.on_default()
}
