//! Rules at work: observations made of what peers say, and what is found in them.

mod said;
mod secured;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::classify::{Classifier, announced};
use crate::observation::{
    Anonymous, Asked, Certificate, CertificateVerdict, Dialogue, Key, KeyKind, Legacy, Offers, Outcome, Protocol,
    Reply, Service, TlsFacts, TlsUse,
};
use Service::{Ftp, Ftps, Smtp, Smtps, Submission};

/// Thu, 2 Jan 2025 10:11:12 +0000.
const TIME: u64 = 1_735_812_672;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(TIME)
}

fn ended(service: Service, outcome: Outcome) -> Observation {
    Observation::new(time(), "198.51.100.7".parse().ok(), 1, service, outcome)
}

/// A host that greeted, at once.
fn greeted(service: Service, greeting: &str) -> Observation {
    let mut row = ended(service, Outcome::Greeted);
    row.received.push(greeting.as_bytes(), Duration::ZERO);
    row.greeting_len = greeting.len();
    row.code = greeting.get(..3).and_then(|code| code.parse().ok());
    row.announced = announced::read(row.greeting(), None);
    row
}

/// The reply that these lines are: `250-mail.example\n250 SIZE`.
fn reply(lines: &str) -> Reply {
    Reply { code: lines.get(..3).and_then(|code| code.parse().ok()).unwrap(), bytes: crlf(lines) }
}

fn crlf(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

fn asked(service: Service, asked: Asked, lines: &str) -> Observation {
    let offers = Some(Offers::new(asked, reply(lines)));
    talked(service, Dialogue { offers, ..Dialogue::default() })
}

fn talked(service: Service, dialogue: Dialogue) -> Observation {
    let mut row = greeted(service, "220 ready\r\n");
    row.dialogue = Some(Box::new(dialogue));
    row
}

fn with_tls(mut row: Observation, facts: TlsFacts) -> Observation {
    row.tls = Some(Box::new(facts));
    row
}

/// Every finding as `severity id: detail`.
fn told(row: &Observation) -> Vec<String> {
    judge(row).iter().map(tell).collect()
}

fn tell(Finding { id, severity, detail }: &Finding) -> String {
    detail.as_ref().map_or_else(|| format!("{severity} {id}"), |detail| format!("{severity} {id}: {detail}"))
}

/// What is found in each of the rows: one finding or none.
#[track_caller]
fn assert_each(rows: impl IntoIterator<Item = (Observation, &'static str)>) {
    for (index, (row, expected)) in rows.into_iter().enumerate() {
        let expected: &[_] = if expected.is_empty() { &[] } else { &[expected] };
        assert_eq!(told(&row), expected, "row {index}: {row:?}");
    }
}

#[test]
fn the_handbook_knows_every_rule() {
    for Rule { id, severity, .. } in &RULES {
        let text = crate::handbook::Handbook::builtin().finding(id).unwrap_or_else(|| panic!("{id} has no text"));
        assert_eq!(text.severity, *severity, "{id}");
    }
}

#[test]
fn ids_are_in_order_and_once() {
    assert!(RULES.is_sorted_by(|a, b| a.id < b.id), "{RULES:?}");
}

#[test]
fn nothing_is_found_where_nothing_was_seen() {
    for outcome in Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Silent) {
        for service in Service::ALL {
            assert_each([(ended(service, outcome), "")]);
        }
    }
    let plain = greeted(Smtp, "220 mail.example.com ESMTP Postfix\r\n");
    assert_eq!(judge(&plain).capacity(), 0);
}

#[test]
fn the_worst_comes_first() {
    let mut row = asked(Smtp, Asked::Ehlo, "250-mail.example\n250 AUTH PLAIN");
    row.received = crate::observation::Received::default();
    let greeting = b"220 mail.example.com ESMTP Exim 4.98.2 Thu, 02 Jan 2025 09:11:12 +0000\r\n";
    row.received.push(greeting, Duration::ZERO);
    row.greeting_len = greeting.len();
    Classifier::builtin().classify(&mut row);
    assert_eq!(
        row.findings.iter().map(tell).collect::<Vec<_>>(),
        [
            "high cleartext_auth: AUTH PLAIN before TLS",
            "medium no_starttls: EHLO without STARTTLS",
            "low clock_skew: 1 h 0 min behind",
            "info version_disclosed: Exim 4.98.2",
        ]
    );
}

#[test]
fn rows_without_a_greeting_are_judged_too() {
    let mut row = ended(Ftps, Outcome::TlsFailed);
    let mut facts = TlsFacts::new(TlsUse::Refused);
    facts.error = Some("alert 40 handshake_failure".into());
    row.tls = Some(Box::new(facts));
    Classifier::builtin().classify(&mut row);
    assert_eq!(row.findings.iter().map(tell).collect::<Vec<_>>(), ["high tls_broken: alert 40 handshake_failure"]);
}

#[test]
fn presence() {
    let mut partial = ended(Smtp, Outcome::Silent);
    partial.received.push(b"220-wait", Duration::ZERO);
    assert_each([
        (ended(Smtp, Outcome::Silent), "low open_but_silent"),
        (partial, ""),
        (greeted(Smtp, "421 4.7.0 mail.example busy\r\n"), "info not_ready: 421 4.7.0 mail.example busy"),
        (greeted(Ftp, "120-\r\n120 in 5 minutes\r\n"), "info not_ready: 120 in 5 minutes"),
        (greeted(Smtp, "451 \r\n"), "info not_ready: 451"),
        (greeted(Smtp, "554 No SMTP service here\r\n"), "info rejects_us: 554 No SMTP service here"),
        (greeted(Ftp, "530 Sorry, too many\r\n"), "info rejects_us: 530 Sorry, too many"),
        (greeted(Ftp, "220 Ready\r\n"), ""),
    ]);
    let long = greeted(Smtp, &format!("554 {}\r\n", "ü".repeat(500)));
    assert_eq!(told(&long), [format!("info rejects_us: 554 {}", "ü".repeat(EXCERPT))]);
}

#[test]
fn passwords_in_clear() {
    let ehlo =
        |service, auth: &str| asked(service, Asked::Ehlo, &format!("250-mail.example\n250-STARTTLS\n250 {auth}"));
    let inside = Dialogue {
        offers: Some(Offers::new(Asked::Ehlo, reply("250-mail.example\n250 STARTTLS"))),
        offers_inside: Some(Offers::new(Asked::Ehlo, reply("250-mail.example\n250 AUTH PLAIN"))),
        ..Dialogue::default()
    };
    let plain_smtps = with_tls(ehlo(Smtps, "AUTH LOGIN"), TlsFacts::new(TlsUse::NotOffered));
    assert_eq!(told(&plain_smtps), ["high cleartext_auth: AUTH LOGIN before TLS", "high plain_on_tls_port"]);
    let only_guess = "before TLS: the password is not sent, but can be guessed at by who listens";
    let guess = format!("medium cleartext_auth: AUTH CRAM-MD5 NTLM {only_guess}");
    assert_eq!(told(&ehlo(Smtp, "AUTH NTLM GSSAPI CRAM-MD5")), [guess]);
    assert_each([
        (ehlo(Smtp, "AUTH LOGIN CRAM-MD5 PLAIN"), "high cleartext_auth: AUTH PLAIN LOGIN before TLS"),
        (ehlo(Submission, "AUTH=XOAUTH2"), "high cleartext_auth: AUTH XOAUTH2 before TLS"),
        (ehlo(Submission, "AUTH GSSAPI EXTERNAL \u{1b}[31mPLAIN?"), ""),
        (ehlo(Smtp, "AUTHENTICATE PLAIN"), ""),
        (talked(Submission, inside), ""),
        (with_tls(ehlo(Smtps, "AUTH PLAIN"), TlsFacts::new(TlsUse::Implicit)), ""),
    ]);
}

/// The port says what is expected of it; what is in clear is for the server to say.
#[test]
fn clear_text_is_where_no_tls_came_first() {
    let ehlo = |service| asked(service, Asked::Ehlo, "250-mail.example\n250 AUTH PLAIN");
    let feat = || asked(Ftp, Asked::Feat, "211-Features:\n MDTM\n211 End");
    let inside = |row| with_tls(row, TlsFacts::new(TlsUse::Implicit));
    assert_each([
        (inside(ehlo(Smtp)), "low tls_on_plain_port"),
        (inside(ehlo(Submission)), "low tls_on_plain_port"),
        (inside(feat()), "low tls_on_plain_port"),
    ]);
    for tls in [TlsUse::Starttls, TlsUse::NotOffered, TlsUse::Refused, TlsUse::Failed] {
        let found = told(&with_tls(ehlo(Smtps), TlsFacts::new(tls)));
        assert_eq!(found, ["high cleartext_auth: AUTH PLAIN before TLS", "high plain_on_tls_port"], "{tls:?}");
    }
}

#[test]
fn mail_without_starttls() {
    assert_each([
        (asked(Smtp, Asked::Ehlo, "250 mail.example"), "medium no_starttls: EHLO without STARTTLS"),
        (asked(Submission, Asked::Ehlo, "250 mail.example"), "high no_starttls: EHLO without STARTTLS"),
        (asked(Smtp, Asked::Helo, "250 mail.example"), "medium no_starttls: HELO only"),
        (
            asked(Smtp, Asked::Ehlo, "250-mail.example\n250-SIZE\n250 XXXXXXXA"),
            "medium no_starttls: EHLO without STARTTLS, and a keyword of X: masked on the way",
        ),
        (asked(Smtp, Asked::Ehlo, "250-mail.example\n250 starttls"), ""),
        (asked(Smtp, Asked::Ehlo, "503 no"), ""),
        (asked(Smtps, Asked::Ehlo, "250 mail.example"), ""),
        (talked(Smtp, Dialogue::default()), ""),
    ]);
}

/// FEAT's answer and AUTH TLS's, where they were asked for.
fn ftp(feat: &str, upgrade: &str) -> Observation {
    let offers = (!feat.is_empty()).then(|| Offers::new(Asked::Feat, reply(feat)));
    talked(Ftp, Dialogue { offers, upgrade: (!upgrade.is_empty()).then(|| reply(upgrade)), ..Dialogue::default() })
}

#[test]
fn ftp_without_auth_tls() {
    let (with, without) = ("211-Features:\n AUTH TLS;TLS-C;SSL;TLS-P;\n211 End", "211-Features:\n MDTM\n211 End");
    assert_each([
        (ftp(without, ""), "medium no_auth_tls: FEAT without AUTH TLS"),
        (ftp("211-Features:\n AUTH GSSAPI\n211 End", ""), "medium no_auth_tls: FEAT without AUTH TLS"),
        (ftp("211 none", ""), "medium no_auth_tls: FEAT without AUTH TLS"),
        (ftp(without, "234 go"), ""),
        (ftp(with, ""), ""),
        (ftp("211-Features:\n auth ssl\n211 End", ""), ""),
        (ftp("530 Please login", ""), ""),
        (ftp("", "530 Please login"), "medium no_auth_tls: AUTH TLS refused: 530 Please login"),
        (ftp("530 Please login", "534 no"), "medium no_auth_tls: AUTH TLS refused: 534 no"),
        (ftp("", "431 later"), ""),
        (ftp(with, "534 no certificate"), "medium starttls_broken: AUTH TLS offered and refused: 534 no certificate"),
        (ftp(with, "431 later"), "medium starttls_broken: AUTH TLS offered and refused: 431 later"),
    ]);
}

#[test]
fn starttls_that_does_not_work() {
    let offers = || Some(Offers::new(Asked::Ehlo, reply("250-mail.example\n250 STARTTLS")));
    let upgraded = |upgrade: &str, tls, legacy| {
        let row = talked(Smtp, Dialogue { offers: offers(), upgrade: Some(reply(upgrade)), ..Dialogue::default() });
        with_tls(row, TlsFacts { error: Some("alert 80".into()), legacy, ..TlsFacts::new(tls) })
    };
    let refused = Some(Legacy::Refused("alert 70".into()));
    let old = Some(Legacy::Accepted { version: Some("TLSv1.0"), cipher: None, group: None });
    let mut wants_certificate = upgraded("220 go", TlsUse::Refused, None);
    wants_certificate.tls.as_mut().unwrap().asks_for_certificate = true;
    let injected = |bytes: &[u8]| talked(Smtp, Dialogue { injected: bytes.to_vec(), ..Dialogue::default() });
    assert_each([
        (wants_certificate, ""),
        (
            upgraded("454 4.7.0 not now", TlsUse::Refused, None),
            "medium starttls_broken: STARTTLS offered and refused: 454 4.7.0 not now",
        ),
        (upgraded("220 go", TlsUse::Refused, refused), "medium starttls_broken: STARTTLS 220, then alert 80"),
        (upgraded("220 go", TlsUse::Failed, None), "medium starttls_broken: STARTTLS 220, then alert 80"),
        (upgraded("220 go", TlsUse::NotOffered, None), "medium starttls_broken: STARTTLS 220, then alert 80"),
        (upgraded("220 go", TlsUse::Failed, old), "medium legacy_tls: TLSv1.0"),
        (upgraded("220 go", TlsUse::Starttls, None), ""),
        (injected(b"\r\n250 ok\r\n"), "high starttls_injection: 250 ok"),
        (injected(b"\r\n \r\n"), "medium starttls_injection: blank lines"),
        (injected(b""), ""),
    ]);
}

#[test]
fn data_addresses() {
    let guest = |ip: &str, change: fn(&mut Anonymous)| {
        let mut anonymous = Anonymous { login: reply("230 welcome"), ..Anonymous::default() };
        change(&mut anonymous);
        let mut row = talked(Ftp, Dialogue { anonymous: Some(anonymous), ..Dialogue::default() });
        row.ip = ip.parse().ok();
        row
    };
    let (v4, v6) = ("198.51.100.7", "2001:db8::7");
    let at = |address: &str| vec![address.parse().unwrap()];
    let address: [fn(&mut Anonymous); 3] = [
        |it| it.addresses = ["198.51.100.7:1", "10.0.0.5:40001"].map(|it| it.parse().unwrap()).to_vec(),
        |it| it.addresses = vec!["203.0.113.9:40001".parse().unwrap()],
        |it| it.addresses = vec!["0.0.0.0:40001".parse().unwrap()],
    ];
    for (row, expected) in [
        (guest(v4, |_| {}), ""),
        (guest(v4, address[0]), "medium pasv_private_address: PASV 10.0.0.5:40001"),
        (guest("::ffff:198.51.100.7", address[0]), "medium pasv_private_address: PASV 10.0.0.5:40001"),
        (guest(v4, address[1]), "medium pasv_other_host: PASV 203.0.113.9:40001"),
        (guest(v4, address[2]), "medium pasv_private_address: PASV 0.0.0.0:40001"),
        (guest(v6, address[0]), ""),
        (guest("203.0.113.9", address[1]), ""),
        (guest(v4, |it| it.extended = Some(reply("500 what"))), "low epsv_broken: EPSV refused: 500 what"),
        (guest(v6, |it| it.extended = Some(reply("500 what"))), "medium epsv_broken: EPSV refused: 500 what"),
        (guest(v4, |it| it.extended = Some(reply("229 ok"))), "medium epsv_broken: 229 without a port"),
        (guest(v4, |it| opens(it, true)), ""),
        (guest(v4, |it| opens(it, false)), "medium epsv_broken: port 40002 does not open"),
        // Inside a public address is none that is wrong.
        (guest("10.0.0.9", address[1]), ""),
        (guest("10.0.0.9", address[2]), "medium pasv_private_address: PASV 0.0.0.0:40001"),
        (guest(v4, |it| closed(it, "198.51.100.7:7", None)), "medium pasv_broken: port 7 does not open"),
        (
            guest(v4, |it| closed(it, "198.51.100.7:7", Some(true))),
            "medium pasv_broken: port 7 does not open, though that of EPSV does",
        ),
        (
            guest(v4, |it| closed(it, "198.51.100.7:7", Some(false))),
            "medium epsv_broken: port 40002 does not open, nor does that of PASV",
        ),
        (guest(v4, |it| closed(it, "203.0.113.9:7", None)), "medium pasv_other_host: PASV 203.0.113.9:7"),
    ] {
        let mut found = told(&row);
        let place = found.iter().position(|found| found == "medium anonymous_ftp").expect("a guest was let in");
        found.remove(place);
        assert_eq!(found, if expected.is_empty() { vec![] } else { vec![expected] });
    }
    let turned_away = Anonymous { login: reply("530 no"), addresses: at("10.0.0.5:1"), ..Anonymous::default() };
    assert_each([(talked(Ftp, Dialogue { anonymous: Some(turned_away), ..Dialogue::default() }), "")]);
}

/// PASV's port is closed; EPSV's is as it says, where it was asked for.
fn closed(guest: &mut Anonymous, address: &str, extended: Option<bool>) {
    (guest.addresses, guest.passive_opens) = (vec![address.parse().unwrap()], Some(false));
    if let Some(extended) = extended {
        opens(guest, extended);
    }
}

fn opens(guest: &mut Anonymous, opens: bool) {
    guest.extended = Some(reply("229 Entering Extended Passive Mode (|||40002|)"));
    (guest.extended_port, guest.extended_opens) = (Some(40002), Some(opens));
}
