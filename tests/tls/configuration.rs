//! The table of configurations, whose own head says what each field means.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// One configuration of a server, and what a row must say of it.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Its place in the table.
    pub(crate) id: usize,
    pub(crate) about: String,
    pub(crate) server: Server,
    /// What it proves to be; a peer that breaks the protocol may have none.
    pub(crate) key: Option<String>,
    pub(crate) service: String,
    /// What it is reached by, where that is no address.
    pub(crate) name: Option<String>,
    /// It answers only who says this name.
    pub(crate) needs_name: Option<String>,
    pub(crate) shape: Shape,
    /// Whether a handshake with it has no end.
    pub(crate) stalls: bool,
    pub(crate) expected: Expected,
}

#[derive(Debug)]
pub(crate) enum Server {
    /// `openssl s_server`, with these arguments.
    OpenSsl(String),
    /// tlslite-ng, with these settings.
    Tlslite(toml::Table),
    /// A peer of `scripted`, by its name.
    Scripted(String),
}

/// How what the server says is put on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    #[default]
    AsItIs,
    /// Each byte for itself.
    Dribbled,
    /// Handshake messages in clear cut into records of seven bytes.
    Fragmented,
}

/// Columns of the row.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) outcome: String,
    /// Each must be the row's; where absent, the row's must be.
    pub(crate) columns: Vec<(&'static str, Option<String>)>,
    /// What came of asking for TLS 1.1 and older.
    pub(crate) legacy: Option<String>,
}

impl Expected {
    pub(crate) fn column(&self, name: &str) -> Option<&str> {
        self.columns.iter().find_map(|(column, text)| if *column == name { text.as_deref() } else { None })
    }
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    configuration: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    about: String,
    openssl: Option<String>,
    tlslite: Option<toml::Table>,
    script: Option<String>,
    key: Option<String>,
    #[serde(default = "smtps")]
    service: String,
    name: Option<String>,
    needs_name: Option<String>,
    #[serde(default)]
    shape: Shape,
    #[serde(default)]
    stalls: bool,
    #[serde(default = "greeted")]
    outcome: String,
    protocol: Option<String>,
    tls: String,
    tls_version: Option<String>,
    tls_cipher: Option<String>,
    tls_group: Option<String>,
    tls_error: Option<String>,
    cert_key: Option<String>,
    cert_status: Option<String>,
    legacy: Option<String>,
}

fn smtps() -> String {
    "smtps".to_owned()
}

fn greeted() -> String {
    "greeted".to_owned()
}

/// The whole table.
pub(crate) fn configurations() -> Vec<Configuration> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/configurations.toml");
    let table: Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    table.configuration.into_iter().enumerate().map(|(id, entry)| entry.numbered(id)).collect()
}

impl Entry {
    fn numbered(self, id: usize) -> Configuration {
        let server = match (self.openssl, self.tlslite, self.script) {
            (Some(arguments), None, None) => Server::OpenSsl(arguments),
            (None, Some(settings), None) => Server::Tlslite(settings),
            (None, None, Some(name)) => Server::Scripted(name),
            servers => panic!("{}: one server, and not {servers:?}", self.about),
        };
        let columns = vec![
            ("protocol", self.protocol),
            ("tls", Some(self.tls)),
            ("tls_version", self.tls_version),
            ("tls_cipher", self.tls_cipher),
            ("tls_group", self.tls_group),
            ("tls_error", self.tls_error),
            ("cert_key", self.cert_key),
            ("cert_status", self.cert_status),
        ];
        Configuration {
            id,
            about: self.about,
            server,
            key: self.key,
            service: self.service,
            name: self.name,
            needs_name: self.needs_name,
            shape: self.shape,
            stalls: self.stalls,
            expected: Expected { outcome: self.outcome, columns, legacy: self.legacy },
        }
    }
}
