//! What the answers to EHLO, FEAT and SYST add to the greeting, and what they contradict.

use super::*;
use crate::observation::{Asked, Dialogue, Offers, Reply};

const FTP: &str = r#"
[[signature]]
id = "thing"
software = "Thing"
confidence = 95
pattern = 'Thing(?: (?P<version>\d[\d.]*))?'
cpe = "cpe:2.3:a:thing:thing:{version}:*:*:*:*:*:*:*"
[[signature.example]]
greeting = "220 Thing 1.2\r\n"
version = "1.2"

[[signature]]
id = "thing-feat"
software = "Thing"
said = "feat"
confidence = 90
pattern = '^XTHING (?P<version>\d[\d.]*)(?: on (?P<os>\w+))?'
cpe = "cpe:2.3:a:thing:thing:{version}:*:*:*:*:*:*:*"
[[signature.example]]
reply = "211-Features:\r\n XTHING 1.2\r\n211 End\r\n"
version = "1.2"

[[signature]]
id = "unsure"
software = "Unsure"
said = "feat"
confidence = 60
pattern = '^UNSURE'
[[signature.example]]
reply = "211-Features:\r\n UNSURE\r\n211 End\r\n"

[[signature]]
id = "other-syst"
software = "Other"
said = "syst"
confidence = 98
pattern = 'other'
[[signature.example]]
reply = "215 Other\r\n"

[[signature]]
id = "box"
software = "Box"
said = "syst"
runs = ["Thing"]
confidence = 85
pattern = 'box'
device = "Box 1"
[[signature.example]]
reply = "215 Box\r\n"
device = "Box 1"
"#;

const MAIL: &str = r#"
[[signature]]
id = "post"
software = "Post"
confidence = 95
pattern = 'ESMTP Post'
[[signature.example]]
greeting = "220 mail.example.com ESMTP Post\r\n"
host = "mail.example.com"

[[signature]]
id = "exit-ehlo"
software = "Exit"
said = "ehlo"
confidence = 95
pattern = 'Hi \S+ \['
[[signature.example]]
reply = "250-mail.example.com Hi client.example [192.0.2.1]\r\n250 HELP\r\n"
"#;

fn classifier() -> Classifier {
    let fronts = "signature = []";
    Classifier::new([("ftp.toml", FTP), ("smtp.toml", MAIL), ("fronts.toml", fronts)]).unwrap()
}

fn reply(text: &str) -> Reply {
    Reply { code: text[..3].parse().unwrap(), bytes: text.as_bytes().to_vec() }
}

/// A row of a greeting and the answer to a command, classified.
fn answered(greeting: &str, command: &str, answer: &str) -> Observation {
    let service = if matches!(command, "FEAT" | "SYST") { Service::Ftp } else { Service::Smtp };
    let mut dialogue = Dialogue::default();
    let offers = |asked| Some(Offers::new(asked, reply(answer)));
    match command {
        "EHLO" => dialogue.offers = offers(Asked::Ehlo),
        "HELO" => dialogue.offers = offers(Asked::Helo),
        "EHLO in TLS" => dialogue.offers_inside = offers(Asked::Ehlo),
        "FEAT" => dialogue.offers = offers(Asked::Feat),
        "SYST" => dialogue.system = Some(reply(answer)),
        other => panic!("{other}"),
    }
    let mut row = Observation::new(SystemTime::UNIX_EPOCH, None, 1, service, Outcome::Greeted);
    row.received.push(greeting.as_bytes(), Duration::ZERO);
    row.greeting_len = greeting.len();
    row.dialogue = Some(Box::new(dialogue));
    classifier().classify(&mut row);
    row
}

/// `Thing 1.2 95`, without a version where there is none.
fn named(row: &Observation) -> String {
    row.software.as_ref().map_or_else(String::new, |it| {
        let version = it.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
        format!("{}{version} {}", it.name, it.confidence)
    })
}

#[test]
fn the_lists_hold() {
    assert_eq!(classifier().check(), []);
}

#[test]
fn an_answer_names_what_the_greeting_does_not() {
    for (command, answer, expected) in [
        ("FEAT", "211-Features:\r\n XTHING 1.2\r\n211 End\r\n", "Thing 1.2 90"),
        ("SYST", "215 OTHER\r\n", "Other 98"),
        ("EHLO", "250-m Hi c [192.0.2.1]\r\n250 HELP\r\n", "Exit 95"),
        ("EHLO in TLS", "250-m Hi c [192.0.2.1]\r\n250 HELP\r\n", "Exit 95"),
        ("HELO", "250 m Hi c [192.0.2.1]\r\n", "Exit 95"),
        ("FEAT", "500 what\r\n", ""),
    ] {
        let row = answered("220 ready\r\n", command, answer);
        assert_eq!((named(&row), &row.contradiction), (expected.to_owned(), &None), "{command} {answer}");
    }
}

#[test]
fn an_answer_of_the_same_fills_in() {
    let feat = "211-Features:\r\n XTHING 1.2 on Unix\r\n211 End\r\n";
    for (greeting, expected, cpe) in [
        ("220 Thing\r\n", "Thing 1.2 95", "cpe:2.3:a:thing:thing:1.2:*:*:*:*:*:*:*"),
        ("220 Thing 1.1\r\n", "Thing 1.1 95", "cpe:2.3:a:thing:thing:1.1:*:*:*:*:*:*:*"),
    ] {
        let row = answered(greeting, "FEAT", feat);
        let software = row.software.as_deref().unwrap();
        assert_eq!((named(&row).as_str(), software.cpe.as_deref()), (expected, Some(cpe)));
        assert_eq!(software.os.as_deref(), Some("Unix"));
    }
}

#[test]
fn an_answer_of_another_contradicts() {
    for (greeting, command, answer, expected, finding) in [
        ("220 Thing 1\r\n", "SYST", "215 Other\r\n", "Other 50", "greeting: Thing; SYST: Other"),
        ("220 m ESMTP Post\r\n", "EHLO", "250 m Hi c [::1]\r\n", "Post 50", "greeting: Post; EHLO: Exit"),
        // One of them is a guess.
        ("220 Thing 1\r\n", "FEAT", "211-Features:\r\n UNSURE\r\n211 End\r\n", "Thing 1 95", ""),
        // At the other family's port a greeting is less sure, and was before.
        ("220 Thing 1\r\n", "EHLO", "250 m Hi c [::1]\r\n", "Exit 50", "greeting: Thing; EHLO: Exit"),
        ("220 Thing 1\r\n", "SYST", "215 Box\r\n", "Box 85", ""),
    ] {
        let row = answered(greeting, command, answer);
        assert_eq!(named(&row), expected, "{greeting} {answer}");
        let told = row.findings.iter().find(|finding| finding.id == "banner_contradicted");
        assert_eq!(told.and_then(|finding| finding.detail.as_deref()).unwrap_or_default(), finding);
    }
}
