//! A batch of greetings named: what one thread does.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hailer::classify::Classifier;
use hailer::output::escape::escape;
use hailer::output::{Column, push_members};
use hailer::{Observation, Service};

use super::entry::{Entry, EntryReader};
use super::framing::{Batch, Source};
use super::tally::Tally;

/// What is told of every greeting, in the order of a row.
const TOLD: [Column; 13] = [
    Column::Banner,
    Column::Hostname,
    Column::Software,
    Column::Version,
    Column::Vendor,
    Column::Device,
    Column::Os,
    Column::Cpe,
    Column::Confidence,
    Column::Fronting,
    Column::Front,
    Column::Evidence,
    Column::BannerHash,
];

/// What is to be done, the same for every thread.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) classifier: Arc<Classifier>,
    /// Which service greeted, where the input does not say.
    pub(super) service: Option<Service>,
    pub(super) only_unnamed: bool,
}

/// What came of a batch.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) source: Arc<Source>,
    /// Lines of NDJSON.
    pub(super) rows: String,
    /// Lines that could not be read, and why.
    pub(super) problems: Vec<(u64, String)>,
    pub(super) tally: Tally,
}

/// Does it, with what is kept from batch to batch.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    work: &'a Work,
    reader: EntryReader,
    scratch: String,
}

impl Work {
    pub(super) fn begin(&self) -> Worker<'_> {
        Worker { work: self, reader: EntryReader::new(), scratch: String::new() }
    }

    /// What a greeting is the greeting of. Where nobody says which service it is, its words do; where they do not, the
    /// name that is surer counts.
    fn classify(&self, entry: &Entry) -> Observation {
        let name = |service| {
            let mut row = observation(entry, service);
            self.classifier.classify(&mut row);
            // There was no clock.
            row.evidence.iter_mut().for_each(|evidence| evidence.at = None);
            row
        };
        if let Some(service) = entry.expected().or(self.service) {
            return name(service);
        }
        let says = |word: &str| contains(&entry.greeting, word.as_bytes());
        match (says("smtp"), says("ftp")) {
            (true, false) => name(Service::Smtp),
            (false, true) => name(Service::Ftp),
            (true, true) | (false, false) => {
                let mail = name(Service::Smtp);
                // Both families were asked, each as the less likely one at worst.
                if mail.software.is_none() {
                    return mail;
                }
                let ftp = name(Service::Ftp);
                let confidence = |row: &Observation| row.software.as_ref().map(|software| software.confidence);
                if confidence(&ftp) > confidence(&mail) { ftp } else { mail }
            }
        }
    }
}

impl Worker<'_> {
    pub(super) fn classify(&mut self, batch: &Batch) -> Done {
        let source = Arc::clone(&batch.source);
        let mut done = Done { source, rows: String::new(), problems: Vec::new(), tally: Tally::default() };
        for (kind, line, bytes) in batch.pieces() {
            match self.reader.read(kind, bytes, batch.columns.as_deref()) {
                Ok(Some(entry)) => {
                    let row = self.work.classify(&entry);
                    let is_named = row.software.is_some() || row.front().is_some();
                    done.tally.count(&row, is_named);
                    if !(self.work.only_unnamed && is_named) {
                        self.write(line, &entry, &row, &mut done);
                    }
                }
                Ok(None) => done.tally.without_greeting += 1,
                Err(problem) => {
                    done.tally.unread += 1;
                    done.problems.push((line, problem));
                }
            }
        }
        done
    }

    fn write(&mut self, line: u64, entry: &Entry, row: &Observation, done: &mut Done) {
        let (out, scratch) = (&mut done.rows, &mut self.scratch);
        // Writing to a String does not fail.
        let _ = write!(out, "{{\"line\":{line}{}", done.source.member);
        push_members(row, &[Column::Name, Column::Ip], out, scratch);
        if let (Some(ip), None) = (&entry.ip, row.ip) {
            // A name, or an address with a zone: handed on as it came.
            let _ = write!(out, ",\"ip\":{}", serde_json::Value::from(escape(ip.as_bytes())));
        }
        let came = [(Column::Port, entry.port.is_some()), (Column::Service, entry.service.is_some())];
        for (column, _) in came.iter().filter(|(_, came)| *came) {
            push_members(row, &[*column], out, scratch);
        }
        push_members(row, &TOLD, out, scratch);
        out.push_str("}\n");
    }
}

/// A row as a scan has it that heard this.
fn observation(entry: &Entry, service: Service) -> Observation {
    let ip: Option<IpAddr> = entry.ip.as_ref().and_then(|ip| ip.parse().ok());
    let port = entry.port.unwrap_or_default();
    let mut row = Observation::new(SystemTime::UNIX_EPOCH, ip, port, service, entry.outcome);
    row.name = entry.name.as_deref().map(Into::into);
    row.received.push(&entry.greeting, Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    row.code = entry.greeting.get(..3).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    row
}

/// Whether a word is in the text, in small letters or capitals.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::framing::{Format, Framer};
    use super::*;

    fn done(work: &Work, text: &str) -> Done {
        let source = Arc::new(Source::new(Path::new("rows.txt"), true));
        let (mut framer, mut batch) = (Framer::new(Format::Guess), Batch::new(&source));
        for line in text.lines() {
            framer.take(line.as_bytes(), &mut batch);
        }
        framer.end(&mut batch);
        work.begin().classify(&batch)
    }

    fn work(service: Option<Service>, only_unnamed: bool) -> Work {
        Work { classifier: Arc::clone(Classifier::builtin()), service, only_unnamed }
    }

    fn rows(done: &Done) -> Vec<Value> {
        done.rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn rows_have_what_came_and_what_is_made_of_it() {
        let text = r#"{"ip":"192.0.2.1","port":25,"banner":"220 mail.example.com ESMTP Exim 4.98.2 ready\\r\\n"}
{"ip":"fe80::1%\u001b","name":"a\"b","service":"ftp","banner":"220 ready"}"#;
        let rows = rows(&done(&work(None, false), text));
        let keys: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
        for key in ["line", "file", "ip", "port", "banner", "hostname", "software", "version", "cpe", "banner_hash"] {
            assert!(keys.contains(&key), "{key} is not among {keys:?}");
        }
        assert_eq!((&rows[0]["version"], &rows[0]["fronting"]), (&json!("4.98.2"), &json!("not_observed")));
        assert!(rows[0].get("service").is_none(), "nobody said it");
        let told: Vec<_> = ["line", "file", "ip", "name", "service"].iter().map(|key| &rows[1][key]).collect();
        assert_eq!(told, [&json!(2), &json!("rows.txt"), &json!("fe80::1%\\x1b"), &json!("a\"b"), &json!("ftp")]);
        assert_eq!((&rows[1]["banner"], rows[1].get("software")), (&json!("220 ready\\r\\n"), None));
    }

    #[test]
    fn evidence_has_no_times() {
        let rows = rows(&done(&work(Some(Service::Smtp), false), "220 ********************2**0***"));
        assert_eq!(rows[0]["evidence"][0]["code"], "masked_greeting");
        assert_eq!(rows[0]["evidence"][0].get("ms"), None);
    }

    #[test]
    fn the_words_say_which_service_it_is() {
        let confidence = |service, text: &str| rows(&done(&work(service, false), text))[0]["confidence"].clone();
        for (text, service) in [
            ("220 mail.example.com ESMTP Postfix", Service::Smtp),
            ("220 (vsFTPd 3.0.5)", Service::Ftp),
            ("220 ProFTPD Server (smtp.example.com) [192.0.2.1]", Service::Ftp),
            ("220 ftp.example.com ESMTP Postfix", Service::Smtp),
        ] {
            assert_eq!(confidence(None, text), confidence(Some(service), text), "{text}");
        }
        // Where it is said, it is as a scan would have it.
        let (said, odd) = (Some(Service::Smtp), Some(Service::Ftp));
        let text = "220 mail.example.com ESMTP Postfix";
        assert_ne!(confidence(said, text), confidence(odd, text));
        let object = format!("{{\"banner\":\"{text}\",\"port\":25}}");
        assert_eq!(confidence(odd, &object), confidence(said, text), "the input knows better");
    }

    #[test]
    fn everything_is_counted() {
        let text =
            "220 (vsFTPd 3.0.5)\n220 ready\n{\n220-mail.example.com ESMTP\n220 Postfix\n{\"outcome\":\"silent\"}";
        let done = done(&work(None, true), text);
        assert_eq!(done.problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3]);
        let tally = &done.tally;
        assert_eq!((tally.named, tally.unnamed, tally.without_greeting, tally.unread), (1, 2, 1, 1));
        let lines: Vec<_> = rows(&done).iter().map(|row| row["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [2, 4]);
    }
}
