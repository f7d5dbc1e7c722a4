//! Which findings are new, gone, or worse. One that only one of two scans could come to is neither.

use super::change::{FieldChange, What};
use super::common::Alike;
use super::sighting::{Item, Sighting};
use crate::observation::{Outcome, Severity};
use crate::output::Column;

/// Those that are not on both sides, or not as bad. Of rows at other depths only what each depth comes to.
pub(super) fn compare(old: &Sighting, new: &Sighting, alike: Alike) -> Vec<FieldChange> {
    let (before, after, is_depth_alike) = (findings(old), findings(new), alike.depth);
    let could_tell = |id: &str, it: &Sighting, other: &Sighting| match id {
        "cert_untrusted" if !alike.roots => false,
        "version_disclosed" if !alike.wordlists => false,
        id => (is_depth_alike || needs_no_depth(id, it, other)) && could_tell(id, it, other),
    };
    let mut changes = Vec::new();
    for (id, severity) in &after {
        let known = before.iter().find(|(other, _)| other == id);
        match known {
            None if could_tell(id, old, new) => changes.push(told(id, [None, Some(*severity)], What::NewFinding)),
            Some((_, was)) if was < severity && has_grades(old, new) && is_depth_alike => {
                changes.push(told(id, [Some(*was), Some(*severity)], What::WorseFinding));
            }
            Some((_, was)) if was > severity && has_grades(old, new) && is_depth_alike => {
                changes.push(told(id, [Some(*was), Some(*severity)], What::MilderFinding));
            }
            Some(_) | None => {}
        }
    }
    for (id, severity) in &before {
        if !after.iter().any(|(other, _)| other == id) && could_tell(id, new, old) {
            changes.push(told(id, [Some(*severity), None], What::GoneFinding));
        }
    }
    changes
}

/// How it is told: by its id, and how bad it is where that is what differs.
fn told(id: &str, [from, to]: [Option<Severity>; 2], what: What) -> FieldChange {
    let with_severity = matches!(what, What::WorseFinding | What::MilderFinding);
    let text = |severity: Severity| if with_severity { format!("{id} ({severity})") } else { id.to_owned() };
    let severity = match what.trend() {
        Some(super::change::Trend::Worse) => to.unwrap_or(Severity::Info),
        Some(super::change::Trend::Better) | None => Severity::Info,
    };
    FieldChange { field: Column::Findings.as_str().into(), from: from.map(text), to: to.map(text), what, severity }
}

fn findings(it: &Sighting) -> Vec<(&str, Severity)> {
    let graded = it.extra(Item::Grades).into_iter().filter_map(|grade| grade.rsplit_once('='));
    graded.filter_map(|(id, grade)| Some((id, Severity::named(grade)?))).collect()
}

/// Whether both rows say how bad each finding is; CSV does not.
fn has_grades(old: &Sighting, new: &Sighting) -> bool {
    [old, new].iter().all(|it| it.get(Item::Graded).is_some())
}

/// Whether as much was asked on both sides.
pub(super) fn asked_alike(old: &Sighting, new: &Sighting) -> bool {
    [Column::Tls, Column::Capabilities, Column::Pasv]
        .iter()
        .all(|column| old.get(*column).is_some() == new.get(*column).is_some())
}

/// Whether a finding shows at every depth: it needs the greeting alone, or the handshake that comes before it.
fn needs_no_depth(id: &str, it: &Sighting, other: &Sighting) -> bool {
    let is_implicit = || [it, other].iter().all(|row| row.get(Column::Tls) == Some("implicit"));
    match id {
        "not_ready" | "rejects_us" | "open_but_silent" | "plain_on_tls_port" | "tls_on_plain_port" | "tls_broken" => {
            true
        }
        "weak_key" | "weak_signature" => is_implicit(),
        id => id.starts_with("cert_") && is_implicit(),
    }
}

/// Whether a row would have such a finding if there were one, as far as it shows what was asked.
pub(super) fn could_be_told(id: &str, row: &Sighting) -> bool {
    could_tell(id, row, row)
}

/// Whether a finding of `other` would have been told of `it`, too, if it were there.
fn could_tell(id: &str, it: &Sighting, other: &Sighting) -> bool {
    let asked = |column: Column| it.get(column).is_some();
    let greets = it.outcome() == Some(Outcome::Greeted);
    match id {
        "legacy_tls" | "weak_cipher" => asked(Column::Tls) && asked_alike(it, other),
        "cert_name_mismatch" => asked(Column::Tls) && it.identity.name.is_some() == other.identity.name.is_some(),
        "plain_on_tls_port" | "tls_broken" | "starttls_injection" | "starttls_broken" | "weak_key"
        | "weak_signature" => asked(Column::Tls),
        "cleartext_auth" | "no_starttls" | "no_auth_tls" | "banner_contradicted" => asked(Column::Capabilities),
        "anonymous_ftp" | "pasv_private_address" | "pasv_other_host" | "pasv_broken" | "epsv_broken" => {
            asked(Column::Pasv)
        }
        "version_disclosed" | "clock_skew" | "inside_address_disclosed" | "not_ready" | "rejects_us" => greets,
        id if id.starts_with("cert_") => asked(Column::Tls),
        _ => true,
    }
}
