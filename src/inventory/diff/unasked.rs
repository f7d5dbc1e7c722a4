//! What a line says of a server that was not asked for it: an empty cell of a row means that nobody knows, never no.

use super::common::depth_shown;
use super::findings::could_be_told;
use super::sighting::Sighting;
use crate::config::Depth;
use crate::observation::{Outcome, Service, Severity};
use crate::output::Column;
use crate::output::escape::split_list;

/// What was asked of a row that a line is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    row: &'a Sighting,
    /// Everything that `--depth` can ask: what is not there is not there.
    all: bool,
    /// Whether the line has TLS begin in clear, and the server, asked for no more than its greeting, speaks in clear where TLS
    /// begins at once otherwise.
    begins_in_clear: bool,
}

impl<'a> Asked<'a> {
    /// Of a row, `all` where manifests say so, by a line that says this of TLS.
    pub(super) fn new(row: &'a Sighting, all: bool, tls: Option<&str>) -> Self {
        let is_upgraded = tls.is_some_and(|tls| ["starttls", "auth_tls"].iter().any(|it| tls.eq_ignore_ascii_case(it)));
        let is_in_clear = row.get(Column::Tls) == Some("not_offered") && is_for_tls(row);
        let begins_in_clear = is_upgraded && is_in_clear && row.get(Column::Capabilities).is_none();
        Self { row, all, begins_in_clear }
    }

    /// Whether the row cannot tell what the line says of a column. What other than a greeting came was asked as far as it
    /// goes.
    pub(super) fn lacks(self, column: Column, expected: &str) -> bool {
        let Self { row, all, begins_in_clear } = self;
        let has = |column| row.get(column).is_some();
        if row.outcome() == Some(Outcome::Silent) && !is_for_tls(row) {
            // Whether it waits for TLS is asked of who says nothing, too.
            let is_failure =
                column == Column::TlsError || column == Column::Tls && expected.eq_ignore_ascii_case("failed");
            return is_failure && !has(Column::Tls) && !all;
        }
        if row.outcome() != Some(Outcome::Greeted) {
            return false;
        }
        let no_tls = !all && (begins_in_clear || !has(Column::Tls) && !is_for_tls(row));
        match column {
            Column::Findings => !self.untold(expected).is_empty(),
            Column::Severity => !all && is_less_told(expected, row),
            Column::Tls => no_tls,
            column if has(column) => false,
            // Other options ask for these.
            Column::Ptr | Column::Pasv => true,
            Column::Capabilities | Column::Auth => {
                !all && !has(Column::Capabilities) && depth_shown(row) == Depth::Greeting
            }
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
            | Column::CertSha256 => no_tls,
            _ => false,
        }
    }

    /// A list of findings without those that nobody looked for.
    pub(super) fn told(self, expected: &str) -> String {
        let untold = self.untold(expected);
        let told = split_list(expected).into_iter().filter(|id| !untold.contains(id));
        told.collect::<Vec<_>>().join("; ")
    }

    fn untold<'b>(&self, expected: &'b str) -> Vec<&'b str> {
        let found = split_list(self.row.get(Column::Findings).unwrap_or_default());
        let is_untold = |id: &&str| {
            let id = id.trim().to_ascii_lowercase();
            let needs_login = id == "anonymous_ftp" || id == "epsv_broken" || id.starts_with("pasv_");
            let needs_tls = id.starts_with("cert_") || id.starts_with("weak_") || id == "legacy_tls";
            let was_asked = could_be_told(&id, self.row) && !(self.begins_in_clear && needs_tls);
            !found.contains(&id.as_str()) && !was_asked && (!self.all || needs_login)
        };
        split_list(expected).into_iter().filter(is_untold).collect()
    }
}

/// Whether a row may be milder for want of questions.
fn is_less_told(expected: &str, row: &Sighting) -> bool {
    let severity = |text: &str| Severity::named(&text.trim().to_ascii_lowercase());
    severity(expected) > row.get(Column::Severity).and_then(severity) && depth_shown(row) < Depth::Tls
}

/// Whether TLS begins at once on such a port.
fn is_for_tls(row: &Sighting) -> bool {
    row.get(Column::Service).and_then(Service::named).is_some_and(Service::is_implicit_tls)
}
