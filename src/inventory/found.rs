//! What an auditor should look at, as a row tells it.

use serde::Deserialize;

use super::row::Row;
use crate::handbook::Handbook;
use crate::observation::Severity;
use crate::output::Column;
use crate::output::escape::{inert, split_list};

/// NDJSON has it beside the ids.
const DETAIL: &str = "findings_detail";

/// A finding as a row tells it; its words can be shown on a terminal whoever wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id, which may be one of another version.
    pub id: String,
    /// How much it matters there.
    pub severity: Severity,
    /// What was seen; CSV does not tell.
    pub detail: Option<String>,
}

impl Row {
    /// The worst of its findings.
    pub fn severity(&self) -> Option<Severity> {
        Severity::named(&self.text(Column::Severity)?)
    }

    /// Its findings. CSV has only their ids and the worst severity of all: there, each counts as the handbook says, but no
    /// more than the worst does.
    ///
    /// ```
    /// use hailer::inventory::Rows;
    /// use hailer::observation::Severity;
    ///
    /// let csv = "ip,port,service,outcome,severity,findings\n192.0.2.1,25,smtp,greeted,low,no_starttls\n";
    /// let row = Rows::new("rows.csv", csv.as_bytes())?.next().expect("there is one")?;
    /// assert_eq!((row.findings()[0].id.as_str(), row.findings()[0].severity), ("no_starttls", Severity::Low));
    /// # Ok::<(), hailer::inventory::ReadError>(())
    /// ```
    pub fn findings(&self) -> Vec<Found> {
        let detailed = self.other(DETAIL).and_then(|json| serde_json::from_str::<Vec<Detailed>>(&json).ok());
        let plain = |text: &str| inert(text.into()).into_owned();
        if let Some(detailed) = detailed {
            return detailed
                .into_iter()
                .map(|Detailed { id, severity, detail }| Found {
                    severity: severity.as_deref().and_then(Severity::named).unwrap_or_else(|| usual(&id)),
                    id: plain(&id),
                    detail: detail.as_deref().map(plain),
                })
                .collect();
        }
        let Some(ids) = self.text(Column::Findings) else { return Vec::new() };
        let ids: Vec<_> = split_list(&ids).into_iter().filter(|id| !id.is_empty()).collect();
        let worst = self.severity();
        let severity = |id: &str| match worst {
            Some(worst) if ids.len() == 1 => worst,
            Some(worst) => usual(id).min(worst),
            None => usual(id),
        };
        ids.iter().map(|id| Found { id: plain(id), severity: severity(id), detail: None }).collect()
    }
}

/// As NDJSON has it.
#[derive(Deserialize)]
struct Detailed {
    id: String,
    severity: Option<String>,
    detail: Option<String>,
}

/// What it is by default; of one that this version does not know, next to nothing is said.
fn usual(id: &str) -> Severity {
    Handbook::builtin().finding(id).map_or(Severity::Info, |finding| finding.severity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Rows;

    fn found(text: &str) -> Vec<(String, Severity, Option<String>)> {
        let row = Rows::new("rows", text.as_bytes()).unwrap().next().unwrap().unwrap();
        row.findings().into_iter().map(|found| (found.id, found.severity, found.detail)).collect()
    }

    #[test]
    fn csv_tells_ids_and_the_worst() {
        let csv = |severity: &str, ids: &str| {
            found(&format!("ip,port,service,outcome,severity,findings\n192.0.2.1,25,smtp,greeted,{severity},{ids}\n"))
        };
        let pair = |(id, severity): (&str, _)| (id.to_owned(), severity, None);
        assert_eq!(csv("info", "cleartext_auth"), [pair(("cleartext_auth", Severity::Info))]);
        let both = [("cleartext_auth", Severity::Medium), ("no_starttls", Severity::Medium)].map(pair);
        assert_eq!(csv("medium", "cleartext_auth; no_starttls"), both);
        assert_eq!(csv("", "of_another_version"), [pair(("of_another_version", Severity::Info))]);
        assert_eq!(csv("", ""), []);
    }

    #[test]
    fn ndjson_tells_each_with_what_was_seen() {
        let row = r#"{"ip":"192.0.2.1","port":25,"service":"smtp","outcome":"greeted","severity":"high","findings":["a","no_starttls"],"findings_detail":"#;
        let told = found(&format!(
            "{row}{}}}\n",
            r#"[{"id":"a","severity":"low","detail":"x\u001b[2J"},{"id":"no_starttls","severity":"odd"}]"#
        ));
        let expected = [
            ("a".to_owned(), Severity::Low, Some(r"x\x1b[2J".to_owned())),
            ("no_starttls".to_owned(), Severity::Medium, None),
        ];
        assert_eq!(told, expected);
        // What is not as we write it counts for nothing; the ids are there still.
        assert_eq!(found(&format!("{row}5}}\n")).len(), 2);
    }
}
