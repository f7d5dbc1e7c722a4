//! Greetings that look like real ones: the examples in the wordlists, with hosts, addresses, dates and versions varied.
//!
//! An example says what it must yield; what a varied one must yield follows from what was varied, never from asking the
//! classifier. Dates are as invented as the rest: with them taken from the clock, two runs would not be alike.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::LazyLock;

use serde::Deserialize;
use time::{Date, Time};

use super::draw::Draw;
use super::truth::Product;

/// A version's part is varied up to so many digits; longer ones are dates and builds.
const MAX_DIGITS: usize = 4;

/// Domains end in `.example`, which nobody can own (RFC 2606 §2).
const TOWNS: [&str; 24] = [
    "aarhus", "bergen", "bilbao", "brno", "coimbra", "cork", "dijon", "gdansk", "ghent", "graz", "kaunas", "kosice",
    "leeds", "linz", "malmo", "namur", "oslo", "parma", "porto", "riga", "split", "tampere", "tartu", "uppsala",
];

/// One example of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// A whole greeting as sent.
    text: String,
    hostname: Option<String>,
    product: Product,
    /// How many of the version's parts must stay as they are, because the system is told from them.
    fixed_parts: usize,
}

impl Sample {
    /// Whether it is an example of that signature.
    pub(super) fn is(&self, signature: &str) -> bool {
        self.product.signature == signature
    }
}

/// What a server says when it greets, and what a row must make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) text: Vec<u8>,
    pub(super) hostname: Option<String>,
    pub(super) product: Option<Product>,
}

impl Greeting {
    /// A greeting that names no product.
    pub(super) fn unnamed(text: impl Into<Vec<u8>>, hostname: Option<String>) -> Self {
        Self { text: text.into(), hostname, product: None }
    }

    /// Its reply code, which its last line has, be it after a preliminary one.
    pub(super) fn code(&self) -> Option<u16> {
        let last = self.text.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
        str::from_utf8(last.get(..3)?).ok()?.parse().ok()
    }
}

/// The examples of one wordlist: those that are complete replies, and those that break off.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) complete: Vec<Sample>,
    pub(super) ready: Vec<Sample>,
    pub(super) partial: Vec<Sample>,
}

/// Every FTP greeting.
pub(super) static FTP: LazyLock<Samples> = LazyLock::new(|| Samples::read(include_str!("../../wordlists/ftp.toml")));

/// Every mail greeting.
pub(super) static MAIL: LazyLock<Samples> = LazyLock::new(|| Samples::read(include_str!("../../wordlists/smtp.toml")));

impl Samples {
    /// Whether servers of that sample's product are among them.
    pub(super) fn know(&self, other: &Sample) -> bool {
        self.complete.iter().any(|sample| sample.product.name == other.product.name)
    }

    fn read(wordlist: &str) -> Self {
        let wordlist: Wordlist = toml::from_str(wordlist)
            .unwrap_or_else(|error| unreachable!("the wordlists are compiled in, and tests load them: {error}"));
        let (complete, partial): (Vec<_>, _) = wordlist
            .signature
            .into_iter()
            .filter(Entry::is_of_greetings)
            .flat_map(Entry::samples)
            .partition(|sample| is_complete(&sample.text));
        let ready = complete.iter().filter(|sample| sample.text.starts_with("220")).cloned().collect();
        Self { complete, ready, partial }
    }
}

/// Whether the last line ends the reply: no `-` after its code.
fn is_complete(text: &str) -> bool {
    text.ends_with('\n') && text.lines().last().is_some_and(|last| last.as_bytes().get(3) != Some(&b'-'))
}

#[derive(Deserialize)]
struct Wordlist {
    signature: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    software: String,
    vendor: Option<String>,
    said: Option<String>,
    #[serde(default)]
    os_by_version: BTreeMap<String, String>,
    example: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    #[serde(alias = "reply")]
    greeting: String,
    version: Option<String>,
    host: Option<String>,
    os: Option<String>,
    device: Option<String>,
}

impl Entry {
    /// Whether its examples are greetings, not answers to a command.
    fn is_of_greetings(&self) -> bool {
        self.said.is_none()
    }

    fn samples(self) -> impl Iterator<Item = Sample> {
        // The longest key is as many parts as tell the system.
        let fixed_parts = self.os_by_version.keys().map(|key| key.split('.').count()).max().unwrap_or(0);
        let Self { id, software, vendor, example, .. } = self;
        example.into_iter().map(move |example| Sample {
            text: example.greeting,
            hostname: example.host,
            product: Product {
                signature: id.clone(),
                name: software.clone(),
                vendor: vendor.clone(),
                version: example.version,
                device: example.device,
                os: example.os,
            },
            fixed_parts,
        })
    }
}

/// What a greeting tells of its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) domain: String,
    address: SocketAddrV4,
    date: Date,
    time: Time,
}

impl Setting {
    /// The surroundings of a server at that address.
    pub(super) fn new(address: SocketAddrV4, draw: &mut Draw) -> Self {
        let town = draw.pick(&TOWNS);
        let domain = format!("{town}{}.example", draw.below(900) + 100);
        // Within 2023 to 2026; what does not exist is the first of January.
        let year = i32::try_from(2023 + draw.below(4)).unwrap_or(2025);
        let day = u16::try_from(1 + draw.below(365)).unwrap_or(1);
        let date = Date::from_ordinal_date(year, day).unwrap_or(Date::MIN);
        let part = |draw: &mut Draw, count| u8::try_from(draw.below(count)).unwrap_or(0);
        let time = Time::from_hms(part(draw, 24), part(draw, 60), part(draw, 60)).unwrap_or(Time::MIDNIGHT);
        Self { domain, address, date, time }
    }

    /// A sample as it is said here.
    pub(super) fn vary(&self, sample: &Sample, draw: &mut Draw) -> Greeting {
        let mut product = sample.product.clone();
        let mut text = sample.text.clone();
        if let Some(version) = &mut product.version
            && let Some(varied) = vary_version(version, sample.fixed_parts, draw)
        {
            text = text.replace(version.as_str(), &varied);
            *version = varied;
        }
        Greeting {
            text: self.place(&text).into_bytes(),
            hostname: sample.hostname.as_deref().map(|host| host.replace("example.com", &self.domain)),
            product: Some(product),
        }
    }

    /// A text with the wordlists' own hosts, addresses and dates replaced by those of here.
    pub(super) fn place(&self, text: &str) -> String {
        let Self { domain, address, date, time } = self;
        let (weekday, month) = (date.weekday().to_string(), date.month().to_string());
        let (weekday, month) = (&weekday[..3], &month[..3]);
        let (day, year, hour, minute) = (date.day(), date.year(), time.hour(), time.minute());
        let clock = format!("{hour:02}:{minute:02}");
        text.replace("example.com", domain)
            .replace("192.0.2.10", &address.ip().to_string())
            .replace("192.0.2.9", "127.0.0.1")
            .replace("Server port: 21.", &format!("Server port: {}.", address.port()))
            .replace("Thu, 02 Jan 2025", &format!("{weekday}, {day:02} {month} {year}"))
            .replace("Thu, 2 Jan 2025", &format!("{weekday}, {day} {month} {year}"))
            .replace("10:11:12", &format!("{clock}:{:02}", time.second()))
            .replace("now 10:11.", &format!("now {clock}."))
    }
}

/// A version with another number in its last place, where that is a plain one of several and tells nothing else.
fn vary_version(version: &str, fixed_parts: usize, draw: &mut Draw) -> Option<String> {
    let (before, last) = version.rsplit_once('.')?;
    let is_plain = (1..=MAX_DIGITS).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || before.split('.').count() < fixed_parts {
        return None;
    }
    // As many digits as before, and no zero in front of others.
    let lowest = if last.len() == 1 { 0 } else { 10_u32.pow(u32::try_from(last.len() - 1).ok()?) };
    let highest = 10_u32.pow(u32::try_from(last.len()).ok()?);
    Some(format!("{before}.{}", lowest + draw.below(highest - lowest)))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::classify::Classifier;
    use crate::observation::{Observation, Outcome, Service};

    #[test]
    fn every_example_is_read() {
        let count = |wordlist: &str| wordlist.matches("\ngreeting = ").count();
        for (samples, wordlist) in
            [(&FTP, include_str!("../../wordlists/ftp.toml")), (&MAIL, include_str!("../../wordlists/smtp.toml"))]
        {
            assert_eq!(samples.complete.len() + samples.partial.len(), count(wordlist));
            assert!(!samples.ready.is_empty() && !samples.partial.is_empty());
            assert!(samples.complete.iter().all(|sample| sample.text.as_bytes()[..3].iter().all(u8::is_ascii_digit)));
        }
    }

    #[test]
    fn versions_vary_only_in_their_last_number() {
        let table = [
            ("4.98.2", 0, Some("4.98.")),
            ("15.4", 0, Some("15.")),
            ("10.0.17763.1697", 3, Some("10.0.17763.")),
            ("5.0", 2, None),
            ("20100324", 0, None),
            ("8.12.11.20060308", 0, None),
            ("3.0.5-ubuntu1", 0, None),
            ("6.00LS", 0, None),
        ];
        let mut draw = Draw::of(1, "versions");
        for (version, fixed, start) in table {
            let varied = vary_version(version, fixed, &mut draw);
            assert_eq!(varied.is_some(), start.is_some(), "{version}");
            if let (Some(varied), Some(start)) = (varied, start) {
                assert!(varied.starts_with(start) && varied.len() == version.len(), "{version}: {varied}");
            }
        }
    }

    #[test]
    fn a_greeting_is_said_as_from_its_place() {
        let mut draw = Draw::of(1, "place");
        let setting = Setting::new("127.77.0.9:21000".parse().unwrap(), &mut draw);
        let said = setting.place("220 mail.example.com [192.0.2.10] Thu, 02 Jan 2025 10:11:12 Server port: 21.\r\n");
        assert!(said.contains("[127.77.0.9]") && said.contains(".example ") && said.contains("port: 21000."), "{said}");
        assert!(!said.contains("example.com") && !said.contains("Thu, 02 Jan 2025 10:11:12"), "{said}");
    }

    /// What the fleet's truth says of names is what a row says, for every greeting of FTP that may be met on a mail port.
    #[test]
    fn the_names_of_ftp_servers_on_mail_ports() {
        let at = "127.77.0.9:25000".parse().unwrap();
        let misplaced: Vec<_> = FTP.ready.iter().filter(|sample| !MAIL.know(sample)).collect();
        assert!(misplaced.len() > 100 && misplaced.len() < FTP.ready.len());
        for sample in misplaced {
            let mut draw = Draw::of(1, "names");
            let greeting = Setting::new(at, &mut draw).vary(sample, &mut draw);
            let mut row = Observation::new(SystemTime::UNIX_EPOCH, None, 25, Service::Smtp, Outcome::Greeted);
            row.code = Some(220);
            row.greeting_len = greeting.text.len();
            row.received.push(&greeting.text, Duration::ZERO);
            Classifier::builtin().classify(&mut row);
            let software = row.software.map(|software| software.name.to_string());
            let expected = Some(sample.product.name.clone());
            assert_eq!((row.hostname, software), (greeting.hostname, expected), "{}", sample.text);
        }
    }
}
