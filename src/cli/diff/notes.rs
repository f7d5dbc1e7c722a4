//! What has to be known of two results before their differences: which rows do not count, and what else explains a difference.

use hailer::inventory::diff::{Coverage, Outdated, Shorter, Summary};
use indicatif::HumanCount;

/// Which rows of a side do not count, or do without proof.
pub(super) fn left_out(side: &str, at: usize, summary: &Summary) -> Vec<String> {
    let (superseded, untimed) = (summary.superseded[at], summary.untimed[at]);
    let Outdated { refused, doubtful, example } = &summary.outdated[at];
    let mut words = Vec::new();
    if superseded > 0 {
        let count = HumanCount(superseded);
        let which = "a later row, or one further on where times do not tell";
        words.push(format!("{side}: {count} rows are of endpoints that have {which}, and are left out"));
    }
    // Of one row each it does not matter.
    if superseded > 0 && untimed > 0 {
        let count = HumanCount(untimed);
        words.push(format!(
            "{side}: {count} rows have a time that cannot be read, and count as older than all others: write it as \
             2026-11-21T03:00:00Z"
        ));
    }
    if *refused > 0 {
        let count = HumanCount(*refused);
        words.push(format!("{side}: {count} rows are of endpoints that refused a later scan, and are left out"));
    }
    if let Some(example) = example {
        let count = HumanCount(*doubtful);
        words.push(format!(
            "{side}: {count} rows count of endpoints that a later scan asked as well and has no row of, as {example}: that \
             does not prove that they refused"
        ));
    }
    words
}

/// What should be in columns that rows were not asked for.
pub(super) fn unasked(summary: &Summary) -> Option<String> {
    let columns = summary.unasked.iter().map(|(column, count)| format!("{column} ({})", HumanCount(*count)));
    let columns = columns.collect::<Vec<_>>().join(", ");
    (!columns.is_empty()).then(|| format!("not compared where it was not asked: {columns}"))
}

/// Where differences may come of one side's having waited less long.
pub(super) fn shorter(old: &Coverage, new: &Coverage) -> Vec<String> {
    let told = |[side, other_side]: [&str; 2], all: Vec<Shorter>| {
        let words = all.into_iter().map(move |Shorter { wait, waited, other }| {
            let (what, outcome) = (wait.as_str(), wait.outcome());
            format!(
                "{side} waited {waited:?} for {what}, {other_side} {other:?}: what takes longer is {outcome} in {side}, and \
                 told as a difference"
            )
        });
        words.collect::<Vec<_>>()
    };
    [told(["OLD", "NEW"], old.shorter_than(new)), told(["NEW", "OLD"], new.shorter_than(old))].concat()
}
