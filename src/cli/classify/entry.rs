//! One greeting, read from what stands in the input: its bytes, and what is known of it besides.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use hailer::inventory::Spoken;
use hailer::output::escape::{unescape, unguard};
use hailer::output::{Column, Delimiter};
use hailer::{Outcome, Ports, Service};
use serde::Deserialize;

use super::framing::Kind;
use super::lines::MAX_LINE;

/// Rows have some fifty.
const MAX_COLUMNS: usize = 1024;

/// A greeting and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) greeting: Vec<u8>,
    pub(super) service: Option<Service>,
    pub(super) port: Option<u16>,
    pub(super) outcome: Outcome,
    pub(super) ip: Option<String>,
    pub(super) name: Option<String>,
}

impl Entry {
    /// The service that is expected, where the input tells.
    pub(super) fn expected(&self) -> Option<Service> {
        self.service.or_else(|| {
            let ports = Ports::parse(&self.port?.to_string()).ok()?;
            ports.iter().next().map(|(_, service)| service)
        })
    }
}

/// Reads greetings; what it needs for that is kept from one to the next.
#[derive(Debug)]
pub(super) struct EntryReader {
    csv: Reader,
    delimiter: Delimiter,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl EntryReader {
    pub(super) fn new() -> Self {
        let delimiter = Delimiter::default();
        Self { csv: csv(delimiter), delimiter, cells: Vec::new(), ends: vec![0; MAX_COLUMNS] }
    }

    /// Reads one; none where a row has no greeting, or why it cannot be read.
    pub(super) fn read(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        columns: Option<&Columns>,
    ) -> Result<Option<Entry>, String> {
        match kind {
            Kind::Line => Ok(Some(text(line(bytes)))),
            Kind::Lines => Ok(Some(text(bytes.to_owned()))),
            Kind::Object => object(bytes),
            Kind::Csv => {
                let Some(columns) = columns else { return Ok(None) };
                let count = self.record(bytes, columns.spoken.delimiter);
                let count = count.ok_or("a quote is not closed, or there are too many columns")?;
                let cell = |at: usize| {
                    let start = if at == 0 { 0 } else { self.ends[at - 1] };
                    self.cells.get(start..*self.ends.get(at).filter(|_| at < count)?)
                };
                columns.read(cell)
            }
            Kind::TooLong => Err(format!("longer than {} MiB", MAX_LINE >> 20)),
        }
    }

    /// Takes a line of CSV apart; how many cells it has, unless it is no whole record.
    fn record(&mut self, line: &[u8], delimiter: Delimiter) -> Option<usize> {
        if self.delimiter == delimiter {
            self.csv.reset();
        } else {
            (self.csv, self.delimiter) = (csv(delimiter), delimiter);
        }
        self.cells.resize(self.cells.len().max(line.len() + 1), 0);
        let (read, used, written, count) = self.csv.read_record(line, &mut self.cells, &mut self.ends);
        let (last, more) = match read {
            ReadRecordResult::InputEmpty => {
                let (cells, ends) = (&mut self.cells[written..], &mut self.ends[count..]);
                let (last, _, _, more) = self.csv.read_record(b"\n", cells, ends);
                (last, more)
            }
            ReadRecordResult::Record if used == line.len() => (read, 0),
            ReadRecordResult::Record
            | ReadRecordResult::OutputFull
            | ReadRecordResult::OutputEndsFull
            | ReadRecordResult::End => return None,
        };
        matches!(last, ReadRecordResult::Record).then_some(count + more)
    }
}

/// Where in a CSV the cells are that matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    spoken: Spoken,
    banner: usize,
    service: Option<usize>,
    port: Option<usize>,
    outcome: Option<usize>,
    ip: Option<usize>,
    name: Option<usize>,
}

impl Columns {
    /// Those of a header, if it is one of a CSV with greetings.
    pub(super) fn of(header: &[u8]) -> Option<Self> {
        let mut reader = EntryReader::new();
        let spoken = Spoken::of(header, &[Column::Banner]);
        let count = reader.record(header, spoken.delimiter)?;
        let starts = std::iter::once(0).chain(reader.ends.iter().copied());
        let names: Vec<_> =
            starts.zip(&reader.ends).take(count).filter_map(|(start, end)| reader.cells.get(start..*end)).collect();
        let at = |name: &str| names.iter().position(|found| *found == name.as_bytes());
        Some(Self {
            spoken,
            banner: at("banner")?,
            service: at("service"),
            port: at("port"),
            outcome: at("outcome"),
            ip: at("ip"),
            name: at("name"),
        })
    }

    fn read<'a>(&self, cell: impl Fn(usize) -> Option<&'a [u8]>) -> Result<Option<Entry>, String> {
        let banner = cell(self.banner).ok_or("there is no cell in the column banner")?;
        let word = |at: Option<usize>| {
            let cell = at.and_then(&cell).filter(|cell| !cell.is_empty())?;
            Some(String::from_utf8_lossy(cell))
        };
        let port = word(self.port).map(|port| port.parse().map_err(|_| format!("'{port}' is no port"))).transpose()?;
        let facts = Facts { service: word(self.service), port, outcome: word(self.outcome) };
        let greeting = match std::str::from_utf8(banner) {
            Ok(banner) => escaped(self.plain(banner)),
            Err(_) => banner.to_owned(),
        };
        let plain = |at| word(at).map(|word| self.plain(&word).to_owned());
        facts.entry(greeting, plain(self.ip), plain(self.name))
    }

    /// A cell without the guard that it may have.
    fn plain<'a>(&self, cell: &'a str) -> &'a str {
        if self.spoken.is_guarded { unguard(cell) } else { cell }
    }
}

/// An object of NDJSON; what else is in it is not looked at.
#[derive(Debug, Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    banner: Option<Cow<'a, str>>,
    #[serde(borrow)]
    banner_b64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    service: Option<Cow<'a, str>>,
    port: Option<u16>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
    ip: Option<String>,
    name: Option<String>,
}

fn object(bytes: &[u8]) -> Result<Option<Entry>, String> {
    let object: Object<'_> =
        serde_json::from_slice(bytes).map_err(|error| format!("not an object as expected: {error}"))?;
    let greeting = match (object.banner_b64, object.banner) {
        (Some(text), _) => STANDARD.decode(&*text).map_err(|error| format!("banner_b64 is no Base64: {error}"))?,
        (None, Some(text)) => escaped(&text),
        // A row of an endpoint that said nothing.
        (None, None) if object.outcome.is_some() => return Ok(None),
        (None, None) => return Err("neither banner nor banner_b64 is in the object".to_owned()),
    };
    let facts = Facts { service: object.service, port: object.port, outcome: object.outcome };
    facts.entry(greeting, object.ip, object.name)
}

/// What a row says of an endpoint, as words.
struct Facts<'a> {
    service: Option<Cow<'a, str>>,
    port: Option<u16>,
    outcome: Option<Cow<'a, str>>,
}

impl Facts<'_> {
    fn entry(self, greeting: Vec<u8>, ip: Option<String>, name: Option<String>) -> Result<Option<Entry>, String> {
        let service = |word: Cow<'_, str>| {
            let service = Service::ALL.into_iter().find(|service| service.as_str() == word);
            service.ok_or_else(|| format!("'{word}' is none of {}", Service::ALL.map(Service::as_str).join(", ")))
        };
        let service = self.service.map(service).transpose()?;
        // Words of other programs say nothing of how the greeting ended.
        let outcome = self.outcome.and_then(|word| Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word));
        let outcome = outcome.unwrap_or(Outcome::Greeted);
        let greeting = if outcome == Outcome::Greeted { ended(greeting) } else { greeting };
        let is_empty = greeting.trim_ascii().is_empty();
        Ok((!is_empty).then_some(Entry { greeting, service, port: self.port, outcome, ip, name }))
    }
}

fn text(greeting: Vec<u8>) -> Entry {
    Entry { greeting: ended(greeting), service: None, port: None, outcome: Outcome::Greeted, ip: None, name: None }
}

/// A line of text as bytes.
fn line(bytes: &[u8]) -> Vec<u8> {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.to_owned(), escaped)
}

/// What an escaped text stands for; a text with other backslashes was never escaped.
fn escaped(text: &str) -> Vec<u8> {
    unescape(text).unwrap_or_else(|| text.as_bytes().to_owned())
}

/// A greeting with the line end that whoever kept it took off.
fn ended(mut greeting: Vec<u8>) -> Vec<u8> {
    if !greeting.is_empty() && !greeting.contains(&b'\n') {
        greeting.extend_from_slice(b"\r\n");
    }
    greeting
}

fn csv(delimiter: Delimiter) -> Reader {
    ReaderBuilder::new().delimiter(delimiter.as_byte()).terminator(Terminator::Any(b'\n')).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &str) -> Result<Option<Entry>, String> {
        EntryReader::new().read(kind, text.as_bytes(), None)
    }

    fn greeting(kind: Kind, text: &str) -> Vec<u8> {
        read(kind, text).unwrap().unwrap().greeting
    }

    #[test]
    fn a_line_is_escaped_or_plain() {
        for (text, expected) in [
            (r"220 a\r\n", &b"220 a\r\n"[..]),
            ("220 a", b"220 a\r\n"),
            (r"220-a\n220 b\n", b"220-a\n220 b\n"),
            // It broke off.
            (r"220-a\r\n220 b", b"220-a\r\n220 b"),
            (r"220 \xfc \\", b"220 \xfc \\\r\n"),
            (r"220 C:\ftp\data", b"220 C:\\ftp\\data\r\n"),
        ] {
            assert_eq!(greeting(Kind::Line, text), expected, "{text}");
        }
        assert_eq!(greeting(Kind::Lines, "220-C:\\new\r\n220 b\r\n"), b"220-C:\\new\r\n220 b\r\n");
        let entry = EntryReader::new().read(Kind::Line, b"220 \xfc\\n", None).unwrap().unwrap();
        assert_eq!(entry.greeting, b"220 \xfc\\n\r\n", "what is not UTF-8 was never escaped");
    }

    #[test]
    fn an_object_is_a_row_or_less() {
        for (text, expected) in [
            (r#"{"banner":"220 a\\r\\n"}"#, &b"220 a\r\n"[..]),
            (r#"{"banner":"220 a\r\n"}"#, b"220 a\r\n"),
            (r#"{"x":[1,{"banner":2}],"banner":"220 a"}"#, b"220 a\r\n"),
            (r#"{"banner":"220 \\xff","banner_b64":"MjIwIP8NCg=="}"#, b"220 \xff\r\n"),
            (r#"{"banner":"220 a","outcome":"greeted"}"#, b"220 a\r\n"),
            (r#"{"banner":"220 a","outcome":"silent"}"#, b"220 a"),
            (r#"{"banner":"220 a","outcome":"success","port":null}"#, b"220 a\r\n"),
        ] {
            assert_eq!(greeting(Kind::Object, text), expected, "{text}");
        }
        let text = r#"{"ip":"192.0.2.1","name":"a.example","port":2525,"banner":"220 a","service":"submission"}"#;
        let entry = read(Kind::Object, text).unwrap().unwrap();
        let expected = (Some(Service::Submission), Some(2525), Some("192.0.2.1"), Some("a.example"));
        assert_eq!((entry.service, entry.port, entry.ip.as_deref(), entry.name.as_deref()), expected);
        for text in [r#"{"outcome":"refused"}"#, r#"{"banner":""}"#, r#"{"banner":"\\r\\n","outcome":"closed"}"#] {
            assert_eq!(read(Kind::Object, text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_is_no_row_is_told() {
        for (text, told) in [
            ("{", "not an object as expected: EOF while parsing"),
            ("220 a", "not an object as expected: invalid type: integer `220`"),
            ("[]", "not an object as expected: "),
            ("{}", "neither banner nor banner_b64 is in the object"),
            (r#"{"banner":7}"#, "not an object as expected: invalid type: integer `7`"),
            (r#"{"banner":"a","port":65536}"#, "not an object as expected: invalid value: integer `65536`"),
            (r#"{"banner_b64":"?"}"#, "banner_b64 is no Base64: "),
            (r#"{"banner":"a","service":"imap"}"#, "'imap' is none of ftp, ftps, smtp, submission, smtps"),
        ] {
            let words = read(Kind::Object, text).unwrap_err();
            assert!(words.starts_with(told), "{text}: {words}");
        }
        assert_eq!(read(Kind::TooLong, "").unwrap_err(), "longer than 1 MiB");
    }

    #[test]
    fn a_port_says_what_is_expected() {
        for (object, expected) in [
            (r#"{"banner":"a","port":21}"#, Some(Service::Ftp)),
            (r#"{"banner":"a","port":465}"#, Some(Service::Smtps)),
            (r#"{"banner":"a","port":4711}"#, None),
            (r#"{"banner":"a","port":21,"service":"smtp"}"#, Some(Service::Smtp)),
        ] {
            assert_eq!(read(Kind::Object, object).unwrap().unwrap().expected(), expected, "{object}");
        }
    }

    #[test]
    fn csv_is_read_by_its_header() {
        let columns = Columns::of(b"ip,\"port\",outcome,banner,name").unwrap();
        let mut reader = EntryReader::new();
        let mut csv = |line: &str| reader.read(Kind::Csv, line.as_bytes(), Some(&columns));
        let entry = csv(r#"192.0.2.1,25,greeted,"220 a, ""b""\r\n",'=x"#).unwrap().unwrap();
        assert_eq!(entry.greeting, b"220 a, \"b\"\r\n");
        assert_eq!((entry.port, entry.ip.as_deref(), entry.name.as_deref()), (Some(25), Some("192.0.2.1"), Some("=x")));
        assert_eq!(csv("192.0.2.1,25,greeted,'-x\\r\\n,").unwrap().unwrap().greeting, b"-x\r\n");
        assert_eq!(csv("192.0.2.1,25,refused,,"), Ok(None));
        assert_eq!(csv(",,,220 a").unwrap().unwrap().greeting, b"220 a\r\n");
        for (line, told) in [
            ("192.0.2.1,25", "there is no cell in the column banner"),
            ("192.0.2.1,x,greeted,220 a", "'x' is no port"),
            ("192.0.2.1,25,greeted,\"220 a", "a quote is not closed"),
            (&",".repeat(MAX_COLUMNS + 1), "a quote is not closed, or there are too many columns"),
        ] {
            let words = csv(line).unwrap_err();
            assert!(words.starts_with(told), "{line}: {words}");
        }
        for (header, line) in [
            ("ip;banner", "192.0.2.1;'-x\\r\\n"),
            ("\"ip\",banner", "192.0.2.1,-x\\r\\n"),
            ("\"ip\"\tbanner", "192.0.2.1\t-x\\r\\n"),
        ] {
            let columns = Columns::of(header.as_bytes()).unwrap();
            let entry = reader.read(Kind::Csv, line.as_bytes(), Some(&columns)).unwrap().unwrap();
            assert_eq!(entry.greeting, b"-x\r\n", "{header}");
        }
        for header in ["220 a,b", "ip,port", "\"banner", ""] {
            assert_eq!(Columns::of(header.as_bytes()), None, "{header}");
        }
    }
}
