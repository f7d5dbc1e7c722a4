//! What it costs to name greetings: every example of the wordlists, with hosts and dates varied, and as many again that
//! reveal nothing; what it costs to classify and write a row; and greetings of 64 KiB that are made to cost.

use std::io;
use std::time::{Duration, SystemTime};

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use hailer::classify::{Classifier, WORDLISTS};
use hailer::observation::Received;
use hailer::output::{Format, RowSink, RowWriter};
use hailer::{Observation, Outcome, Service};

use super::hash;

/// What a greeting is made of where it reveals nothing.
const UNNAMED: [&str; 8] = [
    "220 HOST ESMTP\r\n",
    "220 HOST ESMTP ready at Thu, 2 Jan 2025 10:11:12 +0100\r\n",
    "220 HOST FTP server ready.\r\n",
    "220-Authorised use only. All access is logged.\r\n220-HOST\r\n220 go on\r\n",
    "220 Welcome to our FTP service.\r\n",
    "554 HOST no SMTP service here\r\n",
    "220 HOST SMTP Server ready Thu, 2 Jan 2025 10:11:12 +0100\r\n",
    "421 Too many connections, try again later\r\n",
];

/// What servers say most.
const COMMON: [(Service, &str); 6] = [
    (Service::Smtp, "220 mail.example.com ESMTP Postfix\r\n"),
    (Service::Smtp, "220 mail.example.com ESMTP Exim 4.94.2 Thu, 02 Jan 2025 10:11:12 +0000\r\n"),
    (Service::Smtp, "220 mail.example.com ESMTP\r\n"),
    (Service::Ftp, "220 (vsFTPd 3.0.3)\r\n"),
    (Service::Ftp, "220 ProFTPD 1.3.5e Server (ProFTPD Default Installation) [::ffff:192.0.2.25]\r\n"),
    (Service::Ftp, "220 Microsoft FTP Service\r\n"),
];

/// Four of each, so that no two rounds see the same bytes one after the other.
const VARIED: usize = 4;

/// The greetings, unlike each other, each with the service that it is met at.
#[divan::bench]
fn name(bencher: Bencher) {
    let (classifier, corpus) = (Classifier::builtin(), corpus());
    bencher.counter(ItemsCount::new(corpus.len())).bench_local(|| {
        for (service, greeting) in &corpus {
            divan::black_box(classifier.name(*service, divan::black_box(greeting)));
        }
    });
}

/// Those alone that reveal nothing.
#[divan::bench]
fn name_the_unnamed(bencher: Bencher) {
    let (classifier, mut corpus) = (Classifier::builtin(), corpus());
    corpus.retain(|(service, greeting)| classifier.name(*service, greeting).is_none());
    bencher.counter(ItemsCount::new(corpus.len())).bench_local(|| {
        for (service, greeting) in &corpus {
            divan::black_box(classifier.name(*service, divan::black_box(greeting)));
        }
    });
}

/// Their hashes alone.
#[divan::bench]
fn hash_a_banner(bencher: Bencher) {
    let corpus = corpus();
    divan::black_box(hash::banner_hash(b"220 a 10:11:12\r\n"));
    bencher.counter(ItemsCount::new(corpus.len())).bench_local(|| {
        for (_, greeting) in &corpus {
            divan::black_box(hash::banner_hash(divan::black_box(greeting)));
        }
    });
}

/// All that classification does with a row.
#[divan::bench]
fn classify(bencher: Bencher) {
    let classifier = Classifier::builtin();
    let mut rows: Vec<_> = corpus().iter().map(|(service, greeting)| row(*service, greeting)).collect();
    bencher.counter(ItemsCount::new(rows.len())).bench_local(move || {
        for row in &mut rows {
            classifier.classify(divan::black_box(row));
        }
    });
}

/// All that a row costs after its greeting: classified, and written as NDJSON. Those that servers say most, which are read
/// but once; what a scan does on the network is not in it.
#[divan::bench]
fn classify_and_write(bencher: Bencher) {
    let classifier = Classifier::builtin();
    let rows: Vec<_> = COMMON.iter().map(|(service, greeting)| row(*service, greeting.as_bytes())).collect();
    let mut sink = RowSink::over(Format::Ndjson, "nowhere", io::sink());
    bencher.counter(ItemsCount::new(rows.len())).bench_local(move || {
        for row in &rows {
            let mut row = divan::black_box(row.clone());
            classifier.classify(&mut row);
            sink.write(&row)?;
        }
        sink.flush()
    });
}

/// The wordlists read and compiled, as at a start with some of one's own; those that are compiled in are read when they are
/// first tried.
#[divan::bench]
fn load() -> Classifier {
    Classifier::new(WORDLISTS).expect("they load")
}

/// What 64 KiB are filled with: one line, many, words that signatures look for, all of them, what is masked in hashes,
/// and brackets where an address would stand.
const HOSTILE: [&str; 7] = ["line", "lines", "postfix", "words", "dates", "colons", "brackets"];

#[divan::bench(args = HOSTILE)]
fn name_hostile(bencher: Bencher, kind: &str) {
    let (classifier, greeting) = (Classifier::builtin(), hostile(kind));
    bencher
        .counter(BytesCount::new(greeting.len()))
        .bench_local(|| classifier.name(Service::Smtp, divan::black_box(&greeting)));
}

#[divan::bench(args = HOSTILE)]
fn classify_hostile(bencher: Bencher, kind: &str) {
    let (classifier, mut row) = (Classifier::builtin(), row(Service::Smtp, &hostile(kind)));
    bencher
        .counter(BytesCount::new(row.greeting_len))
        .bench_local(move || classifier.classify(divan::black_box(&mut row)));
}

fn hostile(kind: &str) -> Vec<u8> {
    let filling = match kind {
        "line" => "a".to_owned(),
        "lines" => "220-some words of no use\r\n".to_owned(),
        "postfix" => "postfix ".to_owned(),
        "dates" => "Thu, 2 Jan 2025 10:11:12 ".to_owned(),
        "colons" => "1:2:".to_owned(),
        "brackets" => "[".to_owned(),
        "words" => examples().iter().map(|(_, greeting)| greeting.replace(['\r', '\n'], " ")).collect(),
        _ => unreachable!("a kind of hostile greeting"),
    };
    let mut greeting = b"220-".to_vec();
    if kind == "brackets" {
        greeting.extend(b"logging access from: ");
    }
    greeting.extend(filling.bytes().cycle().take(Received::LIMIT - 2 - greeting.len()));
    greeting.extend(b"\r\n");
    greeting
}

fn row(service: Service, greeting: &[u8]) -> Observation {
    let ip = "192.0.2.25".parse().ok();
    let mut row = Observation::new(SystemTime::UNIX_EPOCH, ip, 25, service, Outcome::Greeted);
    row.received.push(greeting, Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    row.code = Some(220);
    row
}

fn corpus() -> Vec<(Service, Vec<u8>)> {
    let named = examples();
    let unnamed = (0..named.len()).zip(UNNAMED.iter().cycle());
    let unnamed = unnamed.map(|(index, text)| {
        let service = if index % 2 == 0 { Service::Smtp } else { Service::Ftp };
        (service, text.replace("HOST", "mail.example.com"))
    });
    let mixed: Vec<_> = named.iter().cloned().zip(unnamed).flat_map(|(named, unnamed)| [named, unnamed]).collect();
    let vary = |round: usize| {
        mixed.iter().map(move |(service, text)| {
            let text = text.replace("example.com", ["example.com", "a.test", "mx.example.org", "x-1.example"][round]);
            (*service, text.replace("10:11:12", ["10:11:12", "01:02:03", "23:59:59", "17:18:19"][round]).into_bytes())
        })
    };
    (0..VARIED).flat_map(vary).collect()
}

/// Every greeting that the wordlists give as an example.
fn examples() -> Vec<(Service, String)> {
    let mut examples = Vec::new();
    for ((_, content), service) in WORDLISTS.iter().zip([Service::Ftp, Service::Smtp]) {
        let list: toml::Table = content.parse().expect("a wordlist");
        for signature in list["signature"].as_array().expect("signatures") {
            for example in signature["example"].as_array().expect("examples") {
                let greeting = example.get("greeting").and_then(toml::Value::as_str);
                examples.extend(greeting.map(|greeting| (service, greeting.to_owned())));
            }
        }
    }
    examples
}
