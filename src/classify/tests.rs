//! The classifier as the engine uses it: rows in, rows out.

mod answers;
mod framing;

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::observation::Service;

fn classified(service: Service, outcome: Outcome, greeting: &[u8]) -> Observation {
    let mut row = Observation::new(SystemTime::UNIX_EPOCH, None, 1, service, outcome);
    row.received.push(greeting, Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    Classifier::builtin().classify(&mut row);
    row
}

fn told(row: &Observation) -> Option<(&str, Option<&str>)> {
    row.software.as_deref().map(|software| (&*software.name, software.version.as_deref()))
}

#[test]
fn every_signature_is_proved_by_its_examples() {
    let mistakes: Vec<String> = Classifier::builtin().check().iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn a_mistake_says_where_and_what() {
    let list = "[[signature]]\nid = 'a'\nsoftware = 'A'\nconfidence = 9\npattern = 'ready|a (?P<version>\\d)'\n\
                [[signature.example]]\ngreeting = '220 a 1'\nversion = '2'\n";
    let empty = "signature = []";
    let mistakes = Classifier::new([("ftp.toml", list), ("smtp.toml", empty), ("fronts.toml", empty)]).unwrap().check();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("ftp.toml:2: a: names \"220 ready\\r\\n\""), "{told:?}");
    assert_eq!(told.last().unwrap(), "ftp.toml:2: a: version is None, not Some(\"2\"), for \"220 a 1\"");
}

#[test]
fn mistakes_between_signatures_are_told() {
    let entry = |id: &str, software: &str, more: &str, pattern: &str| {
        format!(
            "[[signature]]\nid = '{id}'\nsoftware = '{software}'\nconfidence = 90\n{more}\npattern = '{pattern}'\n\
             [[signature.example]]\ngreeting = '220 a thing'\n"
        )
    };
    let fits = "fits as well: say which is more specific with `over`, for \"220 a thing\"";
    for (first, second, expected) in [
        (("A", "", "a thing"), ("B", "", "nothing"), vec!["list:10: b: `a` wins, for \"220 a thing\"".to_owned()]),
        (
            ("A", "", "a thing"),
            ("A", "", "a thing|nothing"),
            vec!["list:10: b: `a` wins, for \"220 a thing\"".to_owned()],
        ),
        (
            ("A", "", "a thing"),
            ("B", "", "thing"),
            vec![format!("list:2: a: `b` (list:10) {fits}"), "list:10: b: `a` wins, for \"220 a thing\"".to_owned()],
        ),
        (
            ("A", "over = ['c']", "a thing"),
            ("A", "", "none"),
            vec!["list:2: a: `over` names `c`, which is not there".to_owned()],
        ),
    ] {
        let list = [entry("a", first.0, first.1, first.2), entry("b", second.0, second.1, second.2)].concat();
        let empty = "signature = []";
        for lists in [[("list", &*list), ("x", empty), ("x", empty)], [("x", empty), ("x", empty), ("list", &*list)]] {
            let told: Vec<String> = Classifier::new(lists).unwrap().check().iter().map(ToString::to_string).collect();
            for expected in &expected {
                assert!(told.contains(expected), "{expected} is not in {told:#?}");
            }
        }
    }
}

#[test]
fn a_name_in_another_place_names_nothing() {
    for (service, greeting) in [
        (Service::Smtp, "220 postfix.example.com ESMTP\r\n"),
        (Service::Smtp, "220 exim.example.com ESMTP Service\r\n"),
        (Service::Smtp, "220 exim-4.9.example.com ESMTP\r\n"),
        (Service::Smtp, "220 mail.example.com ESMTP via postfix.example.net\r\n"),
        (Service::Smtp, "220 sendmail.example.com ESMTP\r\n"),
        (Service::Smtp, "220 mail.example.com ESMTP not-postfix\r\n"),
        (Service::Smtp, "220 mail.example.com ESMTP Ready\r\n"),
        (Service::Smtp, "220 mail.example.com ESMTP ready at Thu, 2 Jan 2025 10:11:12 +0100\r\n"),
        (Service::Smtp, "220-mail.example.com ESMTP ready\r\n220 go on\r\n"),
        (Service::Smtp, "220 mail.example.com Microsoft SMTP\r\n"),
        (Service::Ftp, "220 Welcome to blah FTP service.\r\n"),
        (Service::Ftp, "220 vsftpd.example.com FTP server ready.\r\n"),
        (Service::Ftp, "220 proftpd.example.com FTP server ready.\r\n"),
        (Service::Ftp, "220 Use FileZilla to connect\r\n"),
    ] {
        assert_eq!(told(&classified(service, Outcome::Greeted, greeting.as_bytes())), None, "{greeting:?}");
    }
}

#[test]
fn the_other_family_is_tried_with_less_confidence() {
    let greeting = b"220 mail.example.com ESMTP Postfix\r\n";
    let usual = classified(Service::Smtp, Outcome::Greeted, greeting);
    let odd = classified(Service::Ftp, Outcome::Greeted, greeting);
    assert_eq!(told(&odd), told(&usual));
    assert_eq!(odd.hostname.as_deref(), Some("mail.example.com"));
    let confidence = |row: &Observation| row.software.as_ref().unwrap().confidence;
    assert_eq!(confidence(&odd), confidence(&usual) - OTHER_FAMILY_PENALTY);

    let odd = classified(Service::Smtp, Outcome::Greeted, b"220 ProFTPD Server (x) [ftp.example.com]\r\n");
    assert_eq!((told(&odd), odd.hostname.as_deref()), (Some(("ProFTPD", None)), Some("ftp.example.com")));
}

#[test]
fn a_greeting_that_broke_off_is_read_as_far_as_it_came() {
    for (greeting, name, version, host) in [
        ("220-mail.example.com ESMTP Postfix\r\n", "Postfix", None, Some("mail.example.com")),
        ("220 mail.example.com ESMTP Exim 4.9", "Exim", None, Some("mail.example.com")),
        ("220 mail.example.com ESMTP Exim 4.98.2 Thu, 0", "Exim", Some("4.98.2"), Some("mail.example.com")),
    ] {
        let row = classified(Service::Smtp, Outcome::Silent, greeting.as_bytes());
        assert_eq!((told(&row), row.hostname.as_deref()), (Some((name, version)), host), "{greeting:?}");
        assert!(row.banner_hash.is_some());
    }
}

#[test]
fn nothing_is_made_of_nothing_or_of_another_protocol() {
    for row in [
        classified(Service::Ftp, Outcome::Silent, b""),
        classified(Service::Smtp, Outcome::OtherProtocol, b"SSH-2.0-OpenSSH_9.9 Postfix\r\n"),
    ] {
        assert!(row.software.is_none() && row.hostname.is_none() && row.banner_hash.is_none());
    }
}

#[test]
fn the_cpe_carries_the_version() {
    for (greeting, cpe) in [
        ("220 (vsFTPd 2.0.8+ (ext.1))\r\n", "cpe:2.3:a:vsftpd_project:vsftpd:2.0.8\\+:*:*:*:*:*:*:*"),
        ("220 ProFTPD Server (x) [192.0.2.1]\r\n", "cpe:2.3:a:proftpd:proftpd:*:*:*:*:*:*:*:*"),
    ] {
        let row = classified(Service::Ftp, Outcome::Greeted, greeting.as_bytes());
        assert_eq!(row.software.unwrap().cpe.as_deref(), Some(cpe));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_classified(bytes in proptest::collection::vec(any::<u8>(), 0..400), ftp: bool) {
        let service = if ftp { Service::Ftp } else { Service::Smtp };
        let row = classified(service, Outcome::Greeted, &bytes);
        prop_assert_eq!(row.banner_hash.is_some(), !bytes.is_empty());
    }

    /// Text that goes a long way into the patterns.
    #[test]
    fn almost_greetings_are_classified(
        words in proptest::collection::vec(
            prop_oneof![
                Just("220 "), Just("220-"), Just("\r\n"), Just("\n"), Just(" "), Just("Postfix"), Just("ESMTP "),
                Just("Exim 4"), Just(".9"), Just("vsFTPd "), Just("(3.0"), Just("ProFTPD Server ("), Just(") ["),
                Just("Thu, 2 Jan "), Just("2025 "), Just("10:11:12"), Just("::"), Just("Sendmail 8.1/"), Just("ü"),
                Just("user number 1 of"), Just("mail.example.com "), Just("Microsoft ESMTP MAIL Service"), Just("\0"),
            ],
            0..80,
        ),
        cut in 0..10_usize,
    ) {
        let bytes = words.concat().into_bytes();
        let end = bytes.len().saturating_sub(cut);
        classified(Service::Smtp, Outcome::Closed, &bytes[..end]);
    }
}
