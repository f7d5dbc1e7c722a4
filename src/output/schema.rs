//! The schema of a row, for other programs: as JSON Schema, and as the types that `DuckDB` reads rows with.
//!
//! Both are generated from [`Field::all`], the one table of what a row holds. `row.schema.json` beside this file is what
//! [`json()`] gives; a test generates it anew and compares. The schema says what is: it lets other keys through, since a
//! later version may add some (see the README on what stays).

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Format;
use super::field::{Extra, Field};
use super::layout::Fields;
use super::row::Column;
use crate::observation::{EvidenceCode, Fronting, Grade, Outcome, Service, Severity};

/// The version of the schema. It is raised when a column goes, or comes to mean something else, and not when one is
/// added.
pub const SCHEMA_VERSION: u32 = 1;

/// What every row has.
const REQUIRED: [Column; 4] = [Column::Time, Column::Port, Column::Service, Column::Outcome];

/// What a value looks like.
enum Shape {
    /// Text in escaped form.
    Text,
    /// The same as an item of a list, which may be empty.
    Item,
    /// A word of the program's own; new ones may be added.
    Word,
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// RFC 3339, UTC.
    Time,
    Address,
    /// SHA-256 in hexadecimal digits.
    Hash,
    Base64,
    Integer(u32, u32),
    /// Decimal milliseconds.
    Millis,
    /// True, or absent.
    Flag,
    List(Box<Self>),
    /// Members, and whether each is always there.
    Object(Vec<(&'static str, Self, bool)>),
}

/// The JSON Schema (draft 2020-12) of a row of NDJSON with all its fields, in their order.
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(&hailer::output::schema::json()).unwrap();
/// assert_eq!(schema["properties"]["version"]["type"], "string");
/// ```
pub fn json() -> String {
    let schema = Schema {
        dialect: "https://json-schema.org/draft/2020-12/schema",
        id: format!("urn:hailer:row:{SCHEMA_VERSION}"),
        title: "A row of hailer",
        description: "One endpoint and what came of it: a line of NDJSON, with all of its keys; where --columns chose some, \
            others that are required may be absent. A missing key means not known or not asked, \
            never no. Texts that a peer can influence are escaped: \\r, \\n, \\\\ and \\xNN for what is not printable.",
        kind: "object",
        required: REQUIRED.map(Column::as_str),
        properties: Properties,
    };
    // Neither writing to memory nor these types can fail.
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text + "\n"
}

#[derive(Serialize)]
struct Schema {
    #[serde(rename = "$schema")]
    dialect: &'static str,
    #[serde(rename = "$id")]
    id: String,
    title: &'static str,
    description: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    required: [&'static str; REQUIRED.len()],
    properties: Properties,
}

/// Every field, in the order of a row.
struct Properties;

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Property {
            description: &'static str,
            #[serde(flatten)]
            told: Value,
        }
        serializer.collect_map(Field::all().iter().map(|field| {
            let (shape, description) = described(*field);
            (field.as_str(), Property { description, told: told(&shape) })
        }))
    }
}

/// The `columns` clause that `DuckDB` reads rows with, so that it need not guess: a version stays text, and what no row
/// happens to have is there all the same.
///
/// ```
/// use hailer::output::{Format, schema};
///
/// assert!(schema::duckdb(Format::Ndjson).contains("\n    \"version\": 'VARCHAR',\n"));
/// ```
pub fn duckdb(format: Format) -> String {
    let all = Fields::default();
    let names = all.list().iter().filter(|field| format != Format::Csv || matches!(field, Field::Column(_)));
    duckdb_of(format, names.map(|field| field.as_str()))
}

/// The same of columns in another order, or of only some; those of somebody else are texts.
pub fn duckdb_of<'a>(format: Format, names: impl IntoIterator<Item = &'a str>) -> String {
    let shape = |field: Field| match (field, format) {
        // In CSV lists are joined.
        (Field::Column(column), Format::Csv) if !column.is_number() && !column.is_time() => match described(field).0 {
            Shape::Flag => Shape::Flag,
            _ => Shape::Text,
        },
        (Field::Column(_) | Field::Extra(_), Format::Csv | Format::Ndjson | Format::Text) => described(field).0,
    };
    let typed = names.into_iter().map(|name| {
        let shape = Field::named(name).map_or(Shape::Text, shape);
        format!("\n    \"{}\": '{}'", name.replace('"', "\"\""), sql(&shape))
    });
    format!("{{{}\n}}", typed.collect::<Vec<_>>().join(","))
}

/// As JSON Schema has it.
fn told(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({"type": "string", "minLength": 1}),
        Shape::Item => json!({"type": "string"}),
        Shape::Word => json!({"type": "string", "pattern": "^[A-Za-z0-9_.]+$"}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Time => json!({"type": "string", "format": "date-time", "pattern": "Z$"}),
        Shape::Address => json!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
        Shape::Hash => json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
        Shape::Base64 => json!({"type": "string", "contentEncoding": "base64"}),
        Shape::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Millis => json!({"type": "number", "minimum": 0}),
        Shape::Flag => json!({"const": true}),
        Shape::List(item) => json!({"type": "array", "minItems": 1, "items": told(item)}),
        Shape::Object(members) => {
            let required: Vec<_> = members.iter().filter(|(.., always)| *always).map(|(name, ..)| *name).collect();
            let properties: Map<_, _> =
                members.iter().map(|(name, shape, _)| ((*name).to_owned(), told(shape))).collect();
            json!({"type": "object", "required": required, "properties": properties})
        }
    }
}

/// As `DuckDB` has it.
fn sql(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Item | Shape::Word | Shape::OneOf(_) | Shape::Address | Shape::Hash | Shape::Base64 => {
            "VARCHAR".into()
        }
        Shape::Time => "TIMESTAMP".into(),
        Shape::Integer(_, most) => if *most > i32::MAX.unsigned_abs() { "BIGINT" } else { "INTEGER" }.into(),
        Shape::Millis => "DOUBLE".into(),
        Shape::Flag => "BOOLEAN".into(),
        Shape::List(item) => format!("{}[]", sql(item)),
        Shape::Object(members) => {
            let members: Vec<_> = members.iter().map(|(name, shape, _)| format!("\"{name}\" {}", sql(shape))).collect();
            format!("STRUCT({})", members.join(", "))
        }
    }
}

fn list(item: Shape) -> Shape {
    Shape::List(Box::new(item))
}

fn described(field: Field) -> (Shape, &'static str) {
    match field {
        Field::Column(column) => of_column(column),
        Field::Extra(extra) => of_extra(extra),
    }
}

fn of_column(column: Column) -> (Shape, &'static str) {
    match column {
        Column::Time => (Shape::Time, "when the connection was begun"),
        Column::Name => (Shape::Text, "the name that the target was given by"),
        Column::Ip => (Shape::Address, "the address"),
        Column::Port => (Shape::Integer(1, 65_535), "the port"),
        Column::Service => (Shape::OneOf(Service::ALL.map(Service::as_str).into()), "the service expected there"),
        Column::Outcome => (Shape::OneOf(Outcome::ALL.map(Outcome::as_str).into()), "how far the probe got"),
        Column::Detail => (Shape::Text, "what the outcome leaves open"),
        Column::Protocol => (Shape::Word, "what spoke, where it was neither FTP nor SMTP"),
        Column::ConnectMs => (Shape::Millis, "from the SYN to the connection"),
        Column::TlsMs => (Shape::Millis, "from the ClientHello to the end of the handshake"),
        Column::GreetingMs => {
            (Shape::Millis, "from the connection, or the end of the handshake, to that of the greeting")
        }
        Column::Code => (Shape::Integer(0, 999), "the reply code of the greeting"),
        Column::Banner => (Shape::Text, "the whole greeting, or what came of it"),
        Column::Hostname => (Shape::Text, "the host name that the server gives itself"),
        Column::Software => (Shape::Text, "the product that answers"),
        Column::Version => (Shape::Text, "its version: text, 4.90 is not 4.9"),
        Column::Vendor => (Shape::Text, "who makes it"),
        Column::Device => (Shape::Text, "the device it runs on"),
        Column::Os => (Shape::Text, "the operating system"),
        Column::Cpe => (Shape::Text, "the product as CPE 2.3"),
        Column::Confidence => (Shape::Integer(0, 100), "how sure the name is"),
        Column::Fronting => {
            (Shape::OneOf(Fronting::ALL.map(Fronting::as_str).into()), "whether something stands in front")
        }
        Column::Front => (Shape::Text, "who stands there"),
        Column::Evidence => (evidence(), "what speaks for it, the strongest first"),
        Column::Tls => (Shape::Word, "how TLS came about, or why not"),
        Column::TlsVersion => (Shape::Word, "the version of TLS"),
        Column::TlsCipher => (Shape::Text, "the cipher suite"),
        Column::TlsGroup => (Shape::Text, "the key exchange group"),
        Column::TlsError => (Shape::Text, "why there is no TLS"),
        Column::CertSubject => (Shape::Text, "the server certificate's subject (RFC 4514)"),
        Column::CertIssuer => (Shape::Text, "its issuer"),
        Column::CertNames => (list(Shape::Item), "its alternative names, or its common name where it has none"),
        Column::CertNotBefore => (Shape::Time, "start of its validity"),
        Column::CertNotAfter => (Shape::Time, "end of its validity"),
        Column::CertKey => (Shape::Text, "its public key, as RSA 2048"),
        Column::CertSignature => (Shape::Text, "its signature algorithm"),
        Column::CertStatus => (Shape::Word, "valid, or the first reason why not"),
        Column::CertSha256 => (Shape::Hash, "SHA-256 of the certificate"),
        Column::Capabilities => (list(Shape::Item), "what EHLO or FEAT lists, and the answer to SYST"),
        Column::Auth => (list(Shape::Item), "mechanisms of AUTH"),
        Column::Pasv => (list(Shape::Item), "data addresses that a guest was told"),
        Column::Ptr => (list(Shape::Item), "the address's names in DNS"),
        Column::Severity => (Shape::OneOf(Severity::ALL.map(Severity::as_str).into()), "the worst finding's severity"),
        Column::Findings => (list(Shape::Word), "what an auditor should look at, the worst first"),
        Column::BannerHash => (Shape::Hash, "SHA-256 of the greeting with dates, ids and counters masked"),
        Column::Truncated => (Shape::Flag, "the server said more than is kept"),
        Column::Attempts => (Shape::Integer(1, u32::MAX), "connections tried"),
    }
}

fn of_extra(extra: Extra) -> (Shape, &'static str) {
    let legacy = ["version", "cipher", "group", "unknown", "refused"];
    match extra {
        Extra::Ended => (Shape::Word, "how the server ended the connection before we took leave"),
        Extra::EndedMs => (Shape::Millis, "when, from the start of the connect"),
        Extra::BannerB64 => (Shape::Base64, "the bytes of the greeting, where they are not UTF-8"),
        Extra::AnnouncedAddress => (Shape::Address, "an address that the greeting gives the server"),
        Extra::AnnouncedDate => (Shape::Time, "a date that the greeting gives"),
        Extra::ClientAddress => (Shape::Address, "the address that the server says we come from"),
        Extra::Variants => (variants(), "each of the servers that repeated connections met"),
        Extra::TlsAlert => (Shape::Integer(0, 255), "the alert that ended a handshake (RFC 8446)"),
        Extra::TlsAsksForCertificate => (Shape::Flag, "the server asked for a certificate of the client's"),
        Extra::TlsIncomplete => (Shape::Flag, "older hellos were due and no connection could be had for them"),
        Extra::TlsLegacy => {
            (Shape::Object(legacy.map(|name| (name, Shape::Text, false)).into()), "the answer to a hello of the past")
        }
        Extra::Chain => (chain(), "all certificates as sent, the server's own first"),
        Extra::Features => (features(), "the answer to EHLO or FEAT"),
        Extra::FeaturesTls => (features(), "the same inside TLS that STARTTLS or AUTH TLS began"),
        Extra::Syst => (Shape::Text, "the answer to SYST"),
        Extra::Upgrade => (Shape::Text, "the answer to STARTTLS or AUTH TLS"),
        Extra::Injected => (Shape::Text, "what came in clear before the handshake, where nothing may come"),
        Extra::Unasked => (Shape::Text, "replies that came before the command that they would answer"),
        Extra::BrokenOff => (Shape::Text, "why the dialogue ended before everything was asked"),
        Extra::FindingsDetail => (findings(), "each finding with what was seen"),
        Extra::Transcript => (transcript(), "both sides' words, and what happened"),
    }
}

fn evidence() -> Shape {
    // Rows of earlier versions, read back and written out again, have no grade.
    list(Shape::Object(vec![
        ("code", Shape::OneOf(EvidenceCode::ALL.map(EvidenceCode::as_str).into()), true),
        ("grade", Shape::OneOf(Grade::ALL.map(Grade::as_str).into()), false),
        ("excerpt", Shape::Text, false),
        ("ms", Shape::Millis, false),
    ]))
}

fn variants() -> Shape {
    list(Shape::Object(vec![
        ("count", Shape::Integer(1, u32::MAX), true),
        ("code", Shape::Integer(0, 999), false),
        ("banner", Shape::Text, false),
        ("banner_hash", Shape::Hash, false),
        ("hostname", Shape::Text, false),
        ("software", Shape::Text, false),
        ("version", Shape::Text, false),
        ("capabilities", list(Shape::Item), false),
        ("cert_sha256", Shape::Hash, false),
    ]))
}

fn chain() -> Shape {
    list(Shape::Object(vec![
        ("subject", Shape::Text, false),
        ("issuer", Shape::Text, false),
        ("names", list(Shape::Item), false),
        ("names_left_out", Shape::Integer(1, u32::MAX), false),
        ("not_before", Shape::Time, false),
        ("not_after", Shape::Time, false),
        ("key", Shape::Text, false),
        ("signature", Shape::Text, false),
        ("sha256", Shape::Hash, true),
    ]))
}

fn features() -> Shape {
    Shape::Object(vec![
        ("asked", Shape::OneOf(vec!["EHLO", "HELO", "FEAT"]), true),
        ("code", Shape::Integer(0, 999), true),
        ("keywords", list(Shape::Item), false),
    ])
}

fn findings() -> Shape {
    list(Shape::Object(vec![
        ("id", Shape::Word, true),
        ("severity", Shape::OneOf(Severity::ALL.map(Severity::as_str).into()), true),
        ("detail", Shape::Text, false),
    ]))
}

fn transcript() -> Shape {
    list(Shape::Object(vec![("ms", Shape::Millis, true), ("event", Shape::Word, true), ("text", Shape::Text, false)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("row.schema.json");

    /// `HAILER_WRITE=1 cargo test the_file_is_the_schema` writes it.
    #[test]
    fn the_file_is_the_schema() {
        if std::env::var_os("HAILER_WRITE").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/output/row.schema.json"), json()).unwrap();
        }
        assert!(FILE == json(), "row.schema.json is not what is generated: HAILER_WRITE=1 writes it");
    }

    #[test]
    fn the_schema_is_one() {
        let schema: Value = serde_json::from_str(&json()).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        assert_eq!(schema["properties"].as_object().unwrap().len(), Field::all().len());
        let places =
            Field::all().iter().map(|field| json().find(&format!("\n    \"{}\": {{", field.as_str())).unwrap());
        assert!(places.is_sorted(), "in the order of a row");
    }

    #[test]
    fn types_for_duckdb() {
        let (csv, ndjson) = (duckdb(Format::Csv), duckdb(Format::Ndjson));
        assert_eq!(csv.lines().count(), Column::ALL.len() + 2);
        assert_eq!(ndjson.lines().count(), Field::all().len() + 2);
        for (text, line) in [
            (&csv, "    \"time\": 'TIMESTAMP',"),
            (&csv, "    \"cert_names\": 'VARCHAR',"),
            (&csv, "    \"truncated\": 'BOOLEAN',"),
            (&csv, "    \"attempts\": 'BIGINT'"),
            (&ndjson, "    \"cert_names\": 'VARCHAR[]',"),
            (&ndjson, "    \"features\": 'STRUCT(\"asked\" VARCHAR, \"code\" INTEGER, \"keywords\" VARCHAR[])',"),
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
    }
}
