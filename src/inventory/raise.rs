//! What only other rows say of a row, put into it.

use std::net::IpAddr;

use super::row::{Row, Told};
use crate::classify::fronting::{Overview, verdict};
use crate::observation::{Evidence, EvidenceCode, Fronting, Service};
use crate::output::escape::escape;

/// Adds the evidence that all rows together give, and raises the verdict by it; whether there was any. A verdict is never
/// lowered: what it was based on may be more than its row tells.
pub fn raise(row: &mut Row, overview: &Overview, ours: &[IpAddr]) -> bool {
    let Some(glimpse) = row.glimpse() else { return false };
    let service = glimpse.service;
    let mut told = row.evidence();
    let before = told.clone();
    if let Some(shared) = glimpse.closed_after.and_then(|after| overview.closings_shared(after)) {
        let closed = told.iter_mut().find(|told| told.code == EvidenceCode::AcceptThenClose.as_str());
        if let Some(closed) = closed {
            closed.excerpt = Some(format!("{}{shared} endpoints at that time", EvidenceCode::SHARED));
            let grade = EvidenceCode::AcceptThenClose.grade(service, closed.excerpt.as_deref());
            closed.grade = Some(grade.as_str().to_owned());
        }
    }
    for evidence in overview.evidence(&glimpse, ours) {
        if !told.iter().any(|told| told.code == evidence.code.as_str()) {
            let excerpt = evidence.excerpt.map(|words| escape(words.as_bytes()));
            let grade = Some(evidence.grade.as_str().to_owned());
            told.push(Told { code: evidence.code.to_string(), grade, excerpt, ms: None });
        }
    }
    if told == before {
        return false;
    }
    told.sort_by_key(|told| std::cmp::Reverse(graded(told, service).map(|evidence| evidence.grade)));
    let evidence: Vec<_> = told.iter().filter_map(|told| graded(told, service)).collect();
    let raised = verdict(&evidence).max(row.fronting().unwrap_or(Fronting::NotObserved));
    row.set_fronting(raised, &told);
    true
}

/// Evidence as a verdict takes it; none where another version gave it.
fn graded(told: &Told, service: Service) -> Option<Evidence> {
    let code = EvidenceCode::named(&told.code)?;
    let grade = told.grade(service)?;
    Some(Evidence { code, grade, excerpt: None, at: None, front: None })
}
