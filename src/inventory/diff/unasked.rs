//! What a line says of a server that was not asked for it: an empty cell of a row means that nobody knows, never no.

use super::common::depth_shown;
use super::findings::could_be_told;
use super::sighting::Sighting;
use crate::config::Depth;
use crate::observation::{Outcome, Service, Severity};
use crate::output::Column;
use crate::output::escape::split_list;

/// Whether a row cannot tell what a line says of a column; `all` where everything was asked that `--depth` can ask. What other
/// than a greeting came was asked as far as it goes.
pub(super) fn is_unasked(column: Column, expected: &str, row: &Sighting, all: bool) -> bool {
    let has = |column| row.get(column).is_some();
    if row.outcome() == Some(Outcome::Silent) && !is_behind_tls(row) {
        // Whether it waits for TLS is asked of who says nothing, too.
        let is_failure = column == Column::TlsError || column == Column::Tls && expected.eq_ignore_ascii_case("failed");
        return is_failure && !has(Column::Tls);
    }
    if row.outcome() != Some(Outcome::Greeted) {
        return false;
    }
    match column {
        Column::Findings => !untold(expected, row).is_empty(),
        Column::Severity => !all && is_less_told(expected, row),
        column if has(column) => false,
        Column::Ptr | Column::Pasv => true,
        Column::Capabilities | Column::Auth => !has(Column::Capabilities) && depth_shown(row) == Depth::Greeting,
        Column::Tls => !is_behind_tls(row),
        Column::TlsVersion
        | Column::TlsCipher
        | Column::TlsGroup
        | Column::TlsError
        | Column::CertSubject
        | Column::CertIssuer
        | Column::CertNames
        | Column::CertNotBefore
        | Column::CertNotAfter
        | Column::CertStatus
        | Column::CertKey
        | Column::CertSignature
        | Column::CertSha256 => !has(Column::Tls) && !is_behind_tls(row),
        _ => false,
    }
}

/// A list of findings without those that nobody looked for.
pub(super) fn told(expected: &str, row: &Sighting) -> String {
    let untold = untold(expected, row);
    let told = split_list(expected).into_iter().filter(|id| !untold.contains(id));
    told.collect::<Vec<_>>().join("; ")
}

fn untold<'a>(expected: &'a str, row: &Sighting) -> Vec<&'a str> {
    let found = split_list(row.get(Column::Findings).unwrap_or_default());
    let is_untold = |id: &&str| {
        let id = id.trim().to_ascii_lowercase();
        !found.contains(&id.as_str()) && !could_be_told(&id, row)
    };
    split_list(expected).into_iter().filter(is_untold).collect()
}

/// Whether a row may be milder for want of questions.
fn is_less_told(expected: &str, row: &Sighting) -> bool {
    let severity = |text: &str| Severity::named(&text.trim().to_ascii_lowercase());
    severity(expected) > row.get(Column::Severity).and_then(severity) && depth_shown(row) < Depth::Tls
}

fn is_behind_tls(row: &Sighting) -> bool {
    row.get(Column::Service).and_then(Service::named).is_some_and(Service::is_implicit_tls)
}
