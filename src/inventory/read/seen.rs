//! What rows of NDJSON had, which has no header: where they lack what a scan writes in such rows, columns were chosen.

use crate::inventory::row::{Columns, Row};
use crate::observation::Outcome;
use crate::output::Column;

/// What any row had, and should have had.
#[derive(Debug, Default)]
pub(super) struct Seen {
    columns: Columns,
    due: Columns,
}

impl Seen {
    pub(super) fn see(&mut self, row: &Row) {
        self.columns.add(row);
        for (when, columns) in DUE {
            if when(row) {
                for column in columns {
                    self.due.know(*column);
                }
            }
        }
    }

    /// Whether there is such a column: a scan may leave any out that it has nothing for, unless columns were chosen.
    pub(super) fn has(&self, column: Column) -> bool {
        self.columns.has(column) || !self.is_of_some()
    }

    /// Whether columns were chosen.
    fn is_of_some(&self) -> bool {
        Column::ALL.into_iter().any(|column| self.due.has(column) && !self.columns.has(column))
    }
}

type When = fn(&Row) -> bool;

/// What every row has that is written with all columns, by what else it says.
const DUE: [(When, &[Column]); 7] = [
    (|row| has(row, Column::Port), &[Column::Time]),
    (|row| row.outcome().is_some_and(Outcome::is_connected), &[Column::Fronting, Column::Attempts]),
    (|row| row.outcome() == Some(Outcome::Greeted), &[Column::Code, Column::Banner, Column::BannerHash]),
    (|row| has(row, Column::Software), &[Column::Confidence]),
    (|row| has(row, Column::Severity), &[Column::Findings]),
    (|row| has(row, Column::Findings), &[Column::Severity]),
    (|row| row.text(Column::Tls).is_some_and(|tls| SECURED.contains(&&*tls)), &[Column::TlsVersion]),
];

/// What `tls` says where a handshake was done.
const SECURED: [&str; 3] = ["implicit", "starttls", "auth_tls"];

fn has(row: &Row, column: Column) -> bool {
    row.text(column).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::inventory::Rows;

    /// Of rows that have these keys alone.
    fn is_of_some(rows: &[Value], keys: Option<&[&str]>) -> bool {
        let text = |row: &Value| {
            let mut row = row.clone();
            row.as_object_mut().unwrap().retain(|key, _| keys.is_none_or(|keys| keys.contains(&key.as_str())));
            row.to_string() + "\n"
        };
        let text: String = rows.iter().map(text).collect();
        let mut rows = Rows::new("rows", text.as_bytes()).unwrap();
        assert!(rows.by_ref().all(|row| row.is_ok()));
        // This release never fills it.
        !rows.has(Column::Ptr)
    }

    #[test]
    fn columns_were_chosen_where_rows_lack_what_a_scan_writes() {
        let greeted = json!({
            "time": "2026-11-21T03:11:00.000000Z", "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "greeted",
            "code": 220, "banner": r"220 m ESMTP Postfix\r\n", "software": "Postfix", "confidence": 90,
            "fronting": "not_observed", "tls": "starttls", "tls_version": "TLSv1.3", "severity": "info",
            "findings": ["version_disclosed"], "banner_hash": "aa".repeat(32), "attempts": 1,
        });
        let mut plain = greeted.clone();
        let optional = ["software", "confidence", "tls", "tls_version", "severity", "findings"];
        plain.as_object_mut().unwrap().retain(|key, _| !optional.contains(&key.as_str()));
        let refused = json!({"time": "2026-11-21T03:11:00.000000Z", "ip": "192.0.2.1", "port": 25, "service": "smtp", "outcome": "refused"});
        for rows in [
            &[greeted.clone()][..],
            &[plain.clone()],
            std::slice::from_ref(&refused),
            &[refused.clone(), greeted.clone()],
        ] {
            assert!(!is_of_some(rows, None), "{rows:?}");
        }
        let most = ["time", "ip", "port", "service", "outcome", "code", "banner"];
        for more in [
            &[][..],
            &["software", "tls", "fronting", "banner_hash"],
            &["fronting", "banner_hash"],
            &["attempts", "banner_hash"],
            &["attempts", "fronting"],
            &["attempts", "fronting", "banner_hash", "software"],
            &["attempts", "fronting", "banner_hash", "tls"],
            &["attempts", "fronting", "banner_hash", "severity"],
            &["attempts", "fronting", "banner_hash", "findings"],
        ] {
            assert!(is_of_some(std::slice::from_ref(&greeted), Some(&[&most[..], more].concat())), "{more:?}");
        }
        // One row that has it proves that it was not left out.
        assert!(!is_of_some(&[plain, greeted], None));
    }
}
