//! The goals, each with what was measured and whether that meets it: one table, one line a goal.
//!
//! Limits: nothing fails because a goal is not met; it is printed.

use std::fmt::{self, Write as _};

use crate::spread::Spread;

/// What a figure has to keep to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// No farther than this from one.
    WithinOfOne(f64),
    /// Measured for its own sake.
    None,
}

impl Bound {
    fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(value <= most),
            Self::AtLeast(least) => Some(value >= least),
            Self::WithinOfOne(by) => Some((value - 1.0).abs() <= by),
            Self::None => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::WithinOfOne(by) => format!("1 ± {by}"),
            Self::None => "–".to_owned(),
        };
        f.pad(&text)
    }
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    /// Run by run; nothing where it could not be measured.
    pub(crate) figures: Vec<f64>,
    pub(crate) decimals: usize,
    /// What measures this alone, behind `cargo bench --bench floor --` and the words that all lines have in common.
    pub(crate) command: String,
}

/// The table, with its head.
pub(crate) fn table(goals: &[Goal]) -> String {
    let mut text = format!("{:<64} {:<9} {:<26} {:<8} {}\n", "goal", "bound", "median (min–max)", "", "again");
    for goal in goals {
        let spread = Spread::of(goal.figures.iter().copied());
        let measured = spread.map_or_else(|| "–".to_owned(), |spread| spread.text(goal.decimals));
        let verdict = match spread.map(|spread| goal.bound.is_met(spread.median)) {
            None => "SKIPPED",
            Some(None) => "",
            Some(Some(true)) => "met",
            Some(Some(false)) => "NOT MET",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<64} {:<9} {measured:<26} {verdict:<8} {}", goal.what, goal.bound, goal.command);
    }
    text
}
