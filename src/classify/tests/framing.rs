//! However a reply is framed, its words name the same.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::classify::signature::Said;
use crate::classify::text::code;

#[test]
fn framing_and_letters_do_not_matter() {
    for (service, greeting, name, version) in [
        (Service::Ftp, &b"220 (vsFTPd 3.0.5)\n"[..], "vsftpd", Some("3.0.5")),
        (Service::Ftp, b"220 (VSFTPD 3.0.5)   \t\r\n", "vsftpd", Some("3.0.5")),
        (Service::Ftps, b"(vsFTPd 3.0.5)\r\n", "vsftpd", Some("3.0.5")),
        (
            Service::Ftp,
            b"220-b\xfccher\r\n220 proftpd 1.3.8 server (B\xfccher) [192.0.2.1]\r\n",
            "ProFTPD",
            Some("1.3.8"),
        ),
        (Service::Ftp, b"220-one\n220-two\n220 FileZilla Server 1.9.4\n", "FileZilla Server", Some("1.9.4")),
        (Service::Ftp, b"220-\r\n  FileZilla Server 1.9.4\r\n220 \r\n", "FileZilla Server", Some("1.9.4")),
        (Service::Ftp, b"220-one\r220-two\r220 FileZilla Server 1.9.4\r", "FileZilla Server", Some("1.9.4")),
        (Service::Ftp, b"120 wait\r\n220-FileZilla Server 1.9.4\r\n220 go\r\n", "FileZilla Server", Some("1.9.4")),
        (Service::Ftp, b"220 \x00\x01(vsFTPd 3.0.5)\x00\r\n", "vsftpd", Some("3.0.5")),
        (Service::Ftp, b"220 (vsFTPd 3.0.5)\x00", "vsftpd", Some("3.0.5")),
        (Service::Ftp, b"\xff\xfb\x01\xff\xfb\x03220 (vsFTPd 3.0.5)\r\n", "vsftpd", Some("3.0.5")),
        (Service::Ftp, b"\r\n220 220 (vsFTPd 3.0.5)\r\n", "vsftpd", Some("3.0.5")),
        (Service::Smtp, b"220 mail.example.com esmtp postfix\r\n", "Postfix", None),
        (Service::Smtp, b"220-mail.example.com ESMTP Postfix\r\n", "Postfix", None),
        (Service::Submission, b"220\tmail.example.com ESMTP Exim 4.98.2 \xe4\r\n", "Exim", Some("4.98.2")),
        (Service::Smtps, b"421 mail.example.com ESMTP Sendmail 8.18.1/8.18.1; busy\r\n", "Sendmail", Some("8.18.1")),
    ] {
        let row = classified(service, Outcome::Greeted, greeting);
        assert_eq!(told(&row), Some((name, version)), "{}", greeting.escape_ascii());
    }
}

/// Every greeting that the wordlists give as an example and that is framed as it should be.
fn examples() -> Vec<(Service, String)> {
    let classifier = Classifier::builtin();
    let lists = [(Service::Ftp, &classifier.ftp), (Service::Smtp, &classifier.mail)];
    let all = lists.into_iter().flat_map(|(service, list)| {
        // Where a pattern asks for its letters as they are, they do matter.
        let signatures = list
            .signatures()
            .filter(|signature| signature.said == Said::Greeting && !signature.pattern.as_str().contains("(?-i"));
        signatures.flat_map(|signature| &signature.examples).map(move |example| (service, example.greeting.clone()))
    });
    // A line that looks like a reply's is no text.
    all.filter(|(_, greeting)| Text::read(greeting.as_bytes()).as_str().lines().all(|line| code(line).is_none()))
        .collect()
}

/// The text framed anew: the reply code or none, what follows a line, what ends it.
fn framed(text: &str, code: &str, trailing: &str, end: &str) -> String {
    let count = text.split('\n').count();
    let lines = text.split('\n').enumerate().map(|(index, line)| {
        let separator = if index + 1 < count { "-" } else { " " };
        let code = if code.is_empty() { String::new() } else { format!("{code}{separator}") };
        format!("{code}{line}{trailing}{end}")
    });
    lines.collect()
}

/// What may come before a reply: telnet's options, a byte order mark, blanks, a preliminary reply.
const BEFORE: [&[u8]; 7] =
    [b"", b"\xff\xfb\x01", b"\xff\xfd\x22\xff\xf1", b"\xef\xbb\xbf", b"\r\n", b" ", b"120 soon\r\n"];

/// RFC 959 §5.4: `120`, then `220`.
#[test]
fn what_a_preliminary_reply_says_changes_no_name() {
    let classifier = Classifier::builtin();
    let greetings = classifier.ftp.signatures().filter(|signature| signature.said == Said::Greeting);
    let mut count = 0;
    for example in greetings.flat_map(|signature| &signature.examples) {
        let late = format!("120 Service ready in 1 minute.\r\n{}", example.greeting);
        let name = |greeting: &str| classifier.name(Service::Ftp, greeting.as_bytes());
        assert_eq!(name(&late), name(&example.greeting), "{}", example.greeting);
        count += 1;
    }
    assert!(count > 100);
}

proptest! {
    #[test]
    fn framing_never_changes_the_name(
        example: Index,
        code in select(&["220", "421", "554", "120", ""][..]),
        trailing in select(&["", " ", " \t", "\0", "\0 \0"][..]),
        end in select(&["\r\n", "\n", "\r", "\r\r\n"][..]),
        before in select(&BEFORE[..]),
        case in 0..3_u8,
        is_latin: bool,
    ) {
        let examples = examples();
        let (service, greeting) = example.get(&examples);
        let text = framed(Text::read(greeting.as_bytes()).as_str(), code, trailing, end);
        let text = match case { 0 => text, 1 => text.to_ascii_uppercase(), _ => text.to_ascii_lowercase() };
        let latin = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<_>>>();
        let bytes = latin.filter(|_| is_latin).unwrap_or_else(|| text.clone().into_bytes());
        let named = |greeting: &[u8]| {
            let software = Classifier::builtin().name(*service, greeting);
            let lower = |text: String| text.to_ascii_lowercase();
            software.map(|it| (it.name, it.confidence, it.version.map(lower), it.os.map(lower), it.device.map(lower)))
        };
        let bytes = [before, &bytes].concat();
        prop_assert_eq!(named(&bytes), named(greeting.as_bytes()), "{}", bytes.escape_ascii());
    }
}
