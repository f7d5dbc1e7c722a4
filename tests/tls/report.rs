//! What came of each configuration, for machines (mistakes) and for people (a table).

use std::fmt::Write as _;

use serde_json::Value;

use super::configuration::Configuration;
use super::dialogue::Dialogue;
use super::keys::Keys;

/// Everything in the row that is not as the table says, one a line.
pub(crate) fn mistakes(configuration: &Configuration, row: &Value, keys: &Keys) -> Vec<String> {
    let expected = &configuration.expected;
    let dialogue = Dialogue::of(configuration);
    let mut mistakes = Vec::new();
    let mut hold = |column: &str, found: Option<String>, wanted: Option<&str>| {
        if found.as_deref() != wanted {
            mistakes.push(format!("{}: {column} is {found:?} and not {wanted:?}\n", configuration.about));
        }
    };
    hold("outcome", text(row, "outcome"), Some(&expected.outcome));
    for (column, wanted) in &expected.columns {
        hold(column, text(row, column), wanted.as_deref());
    }
    // What is told of a certificate must be told of the one that was served.
    let key = configuration.key.as_deref().filter(|_| expected.column("cert_status").is_some());
    hold("cert_sha256", text(row, "cert_sha256"), key.map(|key| keys.fingerprint(key)));
    let greeting = dialogue.greeting().replace('\r', "\\r").replace('\n', "\\n");
    // Without a session there is still what was said before it.
    let is_greeted = expected.outcome == "greeted" || !dialogue.is_implicit;
    hold("banner", text(row, "banner").filter(|_| is_greeted), is_greeted.then_some(&*greeting));
    hold("tls_legacy", legacy(row), expected.legacy.as_deref());
    let inside = format!("tls:{}", dialogue.secret());
    let offers_inside = row["capabilities"].as_array().is_some_and(|list| list.iter().any(|item| *item == *inside));
    let upgraded = matches!(expected.column("tls"), Some("starttls" | "auth_tls"));
    hold("capabilities inside", offers_inside.then(String::new), upgraded.then_some(""));
    if !mistakes.is_empty() {
        mistakes.push(format!("    {row}\n"));
    }
    mistakes
}

/// The matrix: what was configured, and what was read.
pub(crate) fn report(configurations: &[Configuration], rows: &[Value]) -> String {
    let mut table = "| configuration | version | suite | group | certificate | greeting | what else |\n".to_owned();
    table += "|---|---|---|---|---|---|---|\n";
    let (mut read, mut named) = (0, 0);
    for (configuration, row) in configurations.iter().zip(rows) {
        let cell = |column: &str| text(row, column).unwrap_or_default();
        let has_session = text(row, "tls_error").is_none() && text(row, "tls_version").is_some();
        if has_session {
            read += 1;
        } else if text(row, "tls_version").is_some() {
            named += 1;
        }
        let greeting = match (cell("outcome").as_str(), has_session) {
            ("greeted", true) => "read".to_owned(),
            ("greeted", false) => "read in clear".to_owned(),
            (outcome, _) => outcome.to_owned(),
        };
        let certificate = [cell("cert_key"), cell("cert_status")].join(" ");
        let more = [text(row, "tls_error"), legacy(row).map(|legacy| format!("also asked for 1.1: {legacy}"))];
        let more = more.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let cells = [
            configuration.about.clone(),
            cell("tls_version"),
            cell("tls_cipher"),
            cell("tls_group"),
            certificate.trim().to_owned(),
            greeting,
            more,
        ];
        writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
    }
    let total = rows.len();
    writeln!(
        table,
        "\n{read} of {total} were read inside TLS, {named} more named by version and suite; the rest say why not."
    )
    .unwrap();
    table
}

/// A column as text.
fn text(row: &Value, column: &str) -> Option<String> {
    row[column].as_str().map(str::to_owned)
}

/// What came of asking for TLS 1.1 and older: `TLSv1.1 SUITE`, or `refused: WHY`.
fn legacy(row: &Value) -> Option<String> {
    let legacy = row["tls_legacy"].as_object()?;
    let word = |key: &str| legacy.get(key).and_then(Value::as_str);
    match word("refused") {
        Some(why) => Some(format!("refused: {why}")),
        None => Some(format!("{} {}", word("version").unwrap_or("?"), word("cipher").unwrap_or("?"))),
    }
}
