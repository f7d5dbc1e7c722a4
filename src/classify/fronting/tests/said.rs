//! Rules over what is said: errors, addresses, names.

use super::*;
use crate::classify::text::Text;
use EvidenceCode::{
    ForeignClientAddress, IdentityMismatch, MaskedGreeting, NamedFront, NginxMail, OtherPortNamed, ProxyHeaderExpected,
    TlsEndsElsewhere, UnsolicitedError,
};

const POSTFIX: &str = "220 mx.example ESMTP Postfix\r\n";

#[test]
fn errors_that_answer_nothing() {
    let hung_up = |mut row: Observation| {
        row.quit_at = None;
        row
    };
    assert_each(
        UnsolicitedError,
        [
            (heard(Ftp, &[(10, "220 (vsFTPd 3.0.3)\r\n530 Please login\r\n"), (20, "221 Bye.\r\n")]), Some(Decisive)),
            (heard(Ftp, &[(10, "220 (vsFTPd 3.0.3)\r\n"), (20, "530 Please login\r\n221 Bye.\r\n")]), Some(Decisive)),
            (heard(Smtp, &[(10, &format!("{POSTFIX}500 5.5.2 Error: command not recognized\r\n"))]), Some(Decisive)),
            (heard(Smtp, &[(10, POSTFIX), (11, "500 what\r\n")]), None),
            (hung_up(heard(Smtp, &[(10, POSTFIX), (11, "500 unrecognized command\r\n")])), Some(Decisive)),
            // Lists of refused clients say so, too.
            (heard(Ftp, &[(10, "220 ready\r\n530 Sorry, your address is not allowed here.\r\n")]), Some(Weak)),
            (hung_up(heard(Smtp, &[(10, POSTFIX), (11, "554 5.7.1 blocked using zen.example\r\n")])), Some(Weak)),
            (heard(Smtp, &[(10, "220 mx ready\r\n421 PROXY not allowed from 192.0.2.1\r\n")]), Some(Decisive)),
            (inside_tls(heard(Ftps, &[(10, "220 ready\r\n530 Please login\r\n")]), &[]), Some(Decisive)),
            // Our ClientHello, the answer to QUIT, and goodbyes.
            (heard(Smtps, &[(10, POSTFIX), (11, "500 5.5.2 Error: bad syntax\r\n221 2.0.0 Bye\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n221 Goodbye.\r\n")]), Some(Strong)),
            (heard(Ftp, &[(10, "220 ready\r\n"), (20, "221 Goodbye.\r\n")]), None),
            (hung_up(heard(Ftp, &[(10, "220 ready\r\n"), (20, "221 Goodbye.\r\n")])), None),
            (heard(Ftp, &[(10, "220 ready\r\n"), (20, "500 What?\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n"), (20, "500 What?\r\n421 Idle\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n"), (20, "530 no such"), (21, " command\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n421 Timeout.\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n500 Idle too long\r\n"), (20, "221 Goodbye.\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n500 OOPS: child died\r\n")]), None),
            (heard(Ftp, &[(10, "220 ready\r\n220 and again\r\n"), (20, "221 Goodbye.\r\n")]), None),
            (heard(Smtp, &[(10, "220-a\r\n530 is what strangers get\r\n220 b\r\n"), (20, "221 Bye\r\n")]), None),
            (heard(Smtp, &[(10, "554 no mail here\r\n503 still none\r\n"), (20, "221 Bye\r\n")]), None),
            (heard(Smtp, &[(10, "421 busy\r\n500 gone\r\n")]), None),
        ],
    );
}

#[test]
fn errors_that_answer_nothing_while_there_is_talk() {
    const EHLO: &str = "250-mx.example\r\n250 SIZE\r\n";
    let talked = |service, words: &str, dialogue: Dialogue| {
        let mut row = heard(service, &[(10, words), (40, "221 Bye\r\n")]);
        row.dialogue = Some(Box::new(dialogue));
        row
    };
    let granted = |asked, words: &str| Some(offers(asked, words));
    let early = Dialogue {
        offers: granted(Asked::Ehlo, EHLO),
        unasked: b"500 5.5.2 Error\r\n".to_vec(),
        ..Dialogue::default()
    };
    let shifted = Dialogue {
        offers: granted(Asked::Feat, "530 Please login\r\n"),
        unasked: b"211 End\r\n".to_vec(),
        ..Dialogue::default()
    };
    let late = Dialogue { offers: granted(Asked::Ehlo, EHLO), ..Dialogue::default() };
    let helo = Dialogue { offers: granted(Asked::Helo, "250 mx.example\r\n"), ..Dialogue::default() };
    let refused = Dialogue { offers: granted(Asked::Feat, "500 What?\r\n"), ..Dialogue::default() };
    let broken = Dialogue {
        broken_off: Some("closed in answer to EHLO".into()),
        unasked: b"500 5.5.2 Error\r\n500 5.5.2 Error\r\n221 2.0.0 Bye\r\n".to_vec(),
        ..Dialogue::default()
    };
    let goodbye = Dialogue {
        broken_off: Some("closed in answer to FEAT".into()),
        unasked: b"221 Goodbye.\r\n".to_vec(),
        ..Dialogue::default()
    };
    let again = Dialogue { unasked: b"220 ready\r\n".to_vec(), ..refused.clone() };
    assert_each(
        UnsolicitedError,
        [
            (talked(Smtp, &format!("{POSTFIX}500 5.5.2 Error\r\n{EHLO}"), early), Some(Decisive)),
            (talked(Ftp, "220 ready\r\n530 Please login\r\n211 End\r\n", shifted), Some(Decisive)),
            (talked(Smtp, &format!("{POSTFIX}500 what\r\n{EHLO}250 mx.example\r\n"), late.clone()), Some(Decisive)),
            (talked(Smtp, &format!("{POSTFIX}500 5.5.2 Error\r\n221 2.0.0 Bye\r\n"), broken), Some(Decisive)),
            (talked(Ftp, "220 ready\r\n221 Goodbye.\r\n", goodbye), Some(Strong)),
            // EHLO is not known, or HELO has many lines; FEAT is not known, and the server greets twice.
            (talked(Smtp, &format!("{POSTFIX}502 what\r\n250 mx.example\r\n"), helo), None),
            (talked(Smtp, &format!("{POSTFIX}502 what\r\n{EHLO}"), late.clone()), None),
            (talked(Smtp, &format!("{POSTFIX}{EHLO}"), late), None),
            (talked(Ftp, "220 ready\r\n500 What?\r\n", refused), None),
            (talked(Ftp, "220 ready\r\n220 ready\r\n500 What?\r\n", again), None),
        ],
    );
}

#[test]
fn answers_that_come_twice_and_refusals_are_no_errors_to_others() {
    let granted = |asked, words: &str| Some(offers(asked, words));
    // CR and LF are a line end each, or FEAT is answered by two who know of each other nothing.
    let twice = Dialogue {
        offers: granted(Asked::Feat, "500 'FEAT': command not understood.\r\n"),
        unasked: b"500 Unknown command.\r\n".to_vec(),
        ..Dialogue::default()
    };
    let again_and_again = Dialogue {
        offers: granted(Asked::Feat, "500 Unknown command.\r\n"),
        unasked: b"500 Unknown command.\r\n215 UNIX\r\n".to_vec(),
        ..Dialogue::default()
    };
    let two_answers = Dialogue {
        offers: granted(Asked::Feat, "211 End\r\n"),
        unasked: b"500 FEAT: unknown\r\n".to_vec(),
        ..Dialogue::default()
    };
    let deaf = Dialogue {
        offers: granted(Asked::Ehlo, "500 5.5.2 Syntax error, command unrecognized\r\n"),
        unasked: b"500 5.5.1 what\r\n".to_vec(),
        ..Dialogue::default()
    };
    let closed = Dialogue {
        broken_off: Some("closed in answer to FEAT".into()),
        unasked: b"530 Sorry, not from here\r\n".to_vec(),
        ..Dialogue::default()
    };
    let in_parts = |service, pieces: &[(u64, &str)], dialogue: Dialogue| {
        let mut row = heard(service, pieces);
        row.dialogue = Some(Box::new(dialogue));
        row
    };
    assert_each(
        UnsolicitedError,
        [
            (in_parts(Ftp, &[(10, "220 ready\r\n530 Sorry, not from here\r\n")], closed), Some(Weak)),
            (
                in_parts(
                    Ftp,
                    &[(10, "220 ready\r\n"), (20, "500 'FEAT': command not understood.\r\n500 Unknown command.\r\n")],
                    twice,
                ),
                None,
            ),
            (
                in_parts(
                    Ftp,
                    &[(10, "220 ready\r\n"), (20, "500 Unknown command.\r\n500 Unknown command.\r\n215 UNIX\r\n")],
                    again_and_again,
                ),
                None,
            ),
            (in_parts(Ftp, &[(10, "220 ready\r\n"), (20, "211 End\r\n500 FEAT: unknown\r\n")], two_answers), None),
            (
                in_parts(
                    Smtp,
                    &[
                        (10, POSTFIX),
                        (20, "500 5.5.1 what\r\n500 5.5.2 Syntax error, command unrecognized\r\n"),
                        (30, "221 Bye\r\n"),
                    ],
                    deaf,
                ),
                None,
            ),
        ],
    );
}

#[test]
fn servers_that_wait_for_a_header() {
    let exim = "220 mx.example ESMTP Exim 4.96 Thu, 02 Jan 2025 10:11:12 +0000\r\n";
    let (smtpd, screen) = ("421 4.3.0 mx.example Server local error\r\n", "421 4.3.2 No system resources\r\n");
    let bye = (9000, "221 closing\r\n");
    let mut talked =
        heard(Smtp, &[(3003, exim), (3010, "503 Command refused, required Proxy negotiation failed\r\n"), bye]);
    talked.quit_at = Some(ms(3011));
    talked.dialogue = Some(Box::new(Dialogue {
        offers: Some(offers(Asked::Helo, "503 Command refused\r\n")),
        ..Dialogue::default()
    }));
    let mut at_ease = talked.clone();
    at_ease.received = crate::observation::Received::default();
    at_ease.received.push(exim.as_bytes(), ms(3003));
    let mut far_off = heard(Smtp, &[(5900, smtpd)]);
    far_off.greeting_after = Some(ms(5030));
    assert_each(
        ProxyHeaderExpected,
        [
            (heard(Smtp, &[(5002, smtpd)]), Some(Strong)),
            (heard(Smtp, &[(5002, screen)]), Some(Strong)),
            (heard(Smtp, &[(4300, screen)]), Some(Strong)),
            (far_off, Some(Strong)),
            (heard(Submission, &[(30_001, "421 PROXY timed out\r\n")]), Some(Strong)),
            (heard(Submission, &[(30_001, "421 PROXY timeout\r\n")]), Some(Strong)),
            (heard(Smtp, &[(3003, exim), bye]), Some(Weak)),
            (talked, Some(Decisive)),
            // In trouble, at any other time; slow for a reason of its own.
            (heard(Smtp, &[(20, smtpd)]), None),
            (heard(Smtp, &[(9000, screen)]), None),
            (heard(Smtp, &[(5002, "421 4.7.0 mx.example Error: too many connections\r\n")]), None),
            (heard(Smtp, &[(2000, exim), bye]), None),
            (heard(Smtp, &[(5000, exim), bye]), None),
            (heard(Smtp, &[(3003, POSTFIX), bye]), None),
            (at_ease, None),
        ],
    );
}

#[test]
fn the_address_that_a_server_sees_us_at() {
    let greeting = "220 mx.example ESMTP";
    let ehlo = |line: &str| asked(Smtp, greeting, Asked::Ehlo, &format!("250-{line}\n250 SIZE"));
    for (row, expected) in [
        (ehlo("mx.example Hello client.example [192.0.2.1]"), Some("192.0.2.1")),
        (ehlo("mx.example Hello [10.0.0.9] [192.0.2.1]"), Some("192.0.2.1")),
        (ehlo("mx.example Hello [192.0.2.1]"), Some("192.0.2.1")),
        (ehlo("mx.example at your service, [192.0.2.1]"), Some("192.0.2.1")),
        (ehlo("mx.example Hello client.example [192.0.2.1], pleased to meet you"), Some("192.0.2.1")),
        (ehlo("mx.example Hello client.example [IPv6:2001:db8::1], pleased to meet you"), Some("2001:db8::1")),
        (ehlo("mx.example Hello client.example [::ffff:192.0.2.1]"), Some("192.0.2.1")),
        (ehlo("[198.51.100.7]"), None),
        (ehlo("[198.51.100.7] Hello client.example"), None),
        (ehlo("mx.example"), None),
        (ehlo("mx.example Hello [unknown]"), None),
        (asked(Smtp, greeting, Asked::Helo, "250 mx.example Hello client [192.0.2.1]"), Some("192.0.2.1")),
        (asked(Smtp, greeting, Asked::Ehlo, "550 mx.example no [192.0.2.1]"), None),
        (asked(Ftp, "220 ready", Asked::Feat, "211-Hello client [192.0.2.1]\n211 End"), None),
        (heard(Smtp, &[(1, "220 mx Sendmail; logging access from: a(OK)-a [192.0.2.1]\r\n")]), Some("192.0.2.1")),
        (heard(Smtp, &[(1, "220 mx.example [192.0.2.1] ESMTP\r\n")]), None),
        (ehlo("mx.example Hello [192.0.2.1]]] [[x] [unknown] ]["), Some("192.0.2.1")),
        (ehlo("mx.example Hello [192.0.2.1"), None),
        // No line is so long; each bracket opens what a search to the end would go through.
        (ehlo(&format!("mx.example Hello {}[192.0.2.1]", "x".repeat(512))), None),
        (ehlo(&format!("mx.example Hello [192.0.2.1] {}", "[".repeat(4096))), Some("192.0.2.1")),
    ] {
        let words = row.received.bytes().escape_ascii().to_string();
        assert_eq!(classified(row, &Vantage::default()).seen_as, expected.map(ip), "{words}");
    }
}

#[test]
fn foreign_client_addresses() {
    let vantage = |ours: &[&str], usual: Option<&str>| Vantage {
        ours: ours.iter().map(|it| ip(it)).collect(),
        usual: usual.map(ip),
    };
    let at_home = |usual| vantage(&[], usual);
    for (seen, own, vantage, is_foreign) in [
        ("203.0.113.5", Some("10.0.0.9"), vantage(&["192.0.2.1"], None), true),
        ("192.0.2.1", Some("10.0.0.9"), vantage(&["192.0.2.1"], Some("203.0.113.5")), false),
        ("10.0.0.9", Some("10.0.0.9"), vantage(&["192.0.2.1"], None), false),
        ("203.0.113.5", Some("10.0.0.9"), at_home(Some("192.0.2.1")), true),
        ("203.0.113.5", None, at_home(Some("192.0.2.1")), true),
        ("10.9.9.9", Some("10.0.0.9"), at_home(Some("192.0.2.1")), true),
        ("192.0.2.1", Some("10.0.0.9"), at_home(Some("192.0.2.1")), false),
        ("10.0.0.9", Some("10.0.0.9"), at_home(Some("192.0.2.1")), false),
        ("203.0.113.5", Some("192.0.2.1"), at_home(None), true),
        ("127.0.31.99", Some("127.0.0.1"), at_home(Some("127.0.0.1")), true),
        // Behind our own NAT, in another family, or nothing to hold it against.
        ("203.0.113.5", Some("10.0.0.9"), at_home(None), false),
        ("127.0.31.99", Some("127.0.0.1"), at_home(None), false),
        ("203.0.113.5", None, at_home(None), false),
        ("10.0.0.9", None, at_home(Some("192.0.2.1")), false),
        ("2001:db8::5", Some("2001:db8::5"), at_home(Some("192.0.2.1")), false),
        ("2001:db8::5", Some("fd00::9"), at_home(Some("192.0.2.1")), false),
        ("2001:db8::5", Some("fd00::9"), vantage(&["192.0.2.1"], None), false),
        ("2001:db8::6", Some("fd00::9"), vantage(&["192.0.2.1", "2001:db8::5"], None), true),
    ] {
        let line = format!("mx.example Hello client.example [{seen}]");
        let mut row = asked(Smtp, "220 mx.example ESMTP", Asked::Ehlo, &format!("250-{line}\n250 SIZE"));
        row.dialogue.as_mut().unwrap().our_address = own.map(ip);
        let row = classified(row, &vantage);
        // Nobody but the user knows for sure what is ours.
        let grade = if vantage.ours.is_empty() { Strong } else { Decisive };
        let expected = is_foreign.then_some((ForeignClientAddress, grade, Some(ms(20)), Some(&*line)));
        let found = row.evidence.first().map(|it| (it.code, it.grade, it.at, it.excerpt.as_deref()));
        assert_eq!(found, expected, "{seen}, {own:?}, {vantage:?}");
    }
}

#[test]
fn other_ports_and_addresses() {
    let at = |dialled: &str, row: Observation| Observation { ip: Some(ip(dialled)), ..row };
    let ftp = |line: &str| heard(Ftp, &[(10, &format!("220 {line}\r\n"))]);
    let pasv = |address: &str| {
        let mut row = ftp("ready");
        let addresses = vec![format!("{address}:40001").parse().unwrap()];
        let guest = crate::observation::Anonymous { addresses, ..crate::observation::Anonymous::default() };
        row.dialogue = Some(Box::new(Dialogue { anonymous: Some(guest), ..Dialogue::default() }));
        row
    };
    let mail = |literal: &str| heard(Smtp, &[(10, &format!("220 {literal} ESMTP\r\n"))]);
    assert_each(
        OtherPortNamed,
        [
            (ftp("Local time is now 10:11. Server port: 2121."), Some(Decisive)),
            (ftp("ProFTPD Server (x) [10.0.0.5]"), Some(Decisive)),
            (ftp("ProFTPD Server (x) [::ffff:10.0.0.5]"), Some(Decisive)),
            (at("127.0.31.4", ftp("ProFTPD Server (x) [127.0.2.1]")), Some(Decisive)),
            (at("2001:db8::7", ftp("ProFTPD Server (x) [2001:db8::8]")), Some(Decisive)),
            (pasv("10.0.0.5"), Some(Decisive)),
            (mail("[10.0.0.5]"), Some(Decisive)),
            (ftp("Local time is now 10:11. Server port: 21."), None),
            (ftp("Local time is now 10:11. Server port: 0."), None),
            (ftp("ProFTPD Server (x) [198.51.100.7]"), None),
            (ftp("ProFTPD Server (x) [::ffff:198.51.100.7]"), None),
            (ftp("ProFTPD Server (x) [127.0.1.1]"), None),
            (ftp("ProFTPD Server (x) [127.0.2.9]"), None),
            (ftp("ProFTPD Server (x) [0.0.0.0]"), None),
            (ftp("ProFTPD Server (x) [::]"), None),
            (ftp("ProFTPD Server (x) [files]"), None),
            (at("127.0.31.4", ftp("ProFTPD Server (x) [127.0.1.1]")), None),
            (at("2001:db8::7", ftp("ProFTPD Server (x) [10.0.0.5]")), None),
            (ftp("Welcome [10.0.0.9], glad you came"), None),
            (pasv("198.51.100.7"), None),
            (pasv("0.0.0.0"), None),
            (pasv("127.0.0.1"), None),
            (mail("[198.51.100.7]"), None),
            (mail("mx.example"), None),
        ],
    );
}

#[test]
fn masked_greetings() {
    let ehlo = |lines: &str| asked(Smtp, "220 mx.example ESMTP", Asked::Ehlo, lines);
    assert_each(
        MaskedGreeting,
        [
            (heard(Smtp, &[(1, "220 ****************************0*2*0*****\r\n")]), Some(Decisive)),
            (heard(Smtp, &[(1, "220 ***** ********* *** ****\r\n")]), Some(Decisive)),
            (ehlo("250-mx.example\n250-SIZE\n250 XXXXXXXA"), Some(Decisive)),
            (ehlo("250-mx.example\n250-XXXXXXXX\n250 SIZE"), Some(Decisive)),
            (heard(Smtp, &[(1, "220 ***\r\n")]), None),
            (heard(Smtp, &[(1, "220-*****************************\r\n220 mx.example ESMTP\r\n")]), None),
            (heard(Smtp, &[(1, "220 20022022002200220022\r\n")]), None),
            (heard(Ftp, &[(1, "220 *****************************\r\n")]), None),
            (ehlo("250-mx.example\n250-XCLIENT NAME\n250 XVERP"), None),
            (ehlo("250-mx.example\n250 XXX"), None),
            (ehlo("250-mx.example\n250 XXXXXXX"), None),
        ],
    );
}

#[test]
fn nginx_as_a_mail_proxy() {
    const READY: &str = "220 mx.example ESMTP ready";
    let ehlo = |greeting, lines: &str| asked(Submission, greeting, Asked::Ehlo, lines);
    let upgraded = |words: &str| {
        let mut row = ehlo(READY, "250-mx.example\n250 STARTTLS");
        row.dialogue.as_mut().unwrap().upgrade = Some(reply(words));
        row
    };
    let mut other_bye = ehlo(READY, "250-mx.example\n250-AUTH PLAIN\n250 STARTTLS");
    other_bye.received.push(b"221 So long\r\n", ms(40));
    let mut alone = heard(Smtp, &[(1, "220 mx.example ESMTP ready\r\n"), (2, "221 2.0.0 Bye\r\n")]);
    alone.greeting_after = Some(ms(1));
    assert_each(
        NginxMail,
        [
            (alone, Some(Weak)),
            (ehlo(READY, "250-mx.example\n250-PIPELINING\n250-AUTH PLAIN LOGIN\n250 STARTTLS"), Some(Strong)),
            (upgraded("220 2.0.0 Start TLS\r\n"), Some(Strong)),
            (ehlo(READY, "250-mx.example\n250 AUTH PLAIN LOGIN"), Some(Moderate)),
            (heard(Smtp, &[(1, "220 mx.example ESMTP Ready\r\n")]), None),
            (heard(Smtp, &[(1, "220 my mail host ESMTP ready\r\n")]), None),
            (heard(Smtp, &[(1, "220-mx.example ESMTP ready\r\n220 go on\r\n")]), None),
            (ehlo("220 mx.example ESMTP Postfix", "250-mx.example\n250-AUTH PLAIN\n250 STARTTLS"), None),
            (ehlo(READY, "250-mx.example Hello client.example\n250-AUTH PLAIN\n250 STARTTLS"), None),
            (ehlo(READY, "250-mx.example\n250-STARTTLS\n250 SIZE"), None),
            (ehlo(READY, "250-mx.example\n250-STARTTLS\n250 AUTH PLAIN"), Some(Moderate)),
            (upgraded("220 Go ahead\r\n"), None),
            (other_bye, None),
        ],
    );
}

#[test]
fn fronts_give_their_names() {
    let row = classified(
        heard(Smtp, &[(7, "220-Welcome\r\n220 mx.example stunnel for mx.example\r\n")]),
        &Vantage::default(),
    );
    assert_eq!(told(&row), ["strong named_front: 220 mx.example stunnel for mx.example"]);
    assert_eq!((row.front(), row.evidence[0].at), (Some("stunnel"), Some(ms(7))));
    assert_each(
        NamedFront,
        [
            (heard(Smtp, &[(7, POSTFIX)]), None),
            (heard(Smtp, &[(7, "220 mx.example ESMTP Barracuda Email Security Gateway\r\n")]), Some(Strong)),
            // Another product speaks, and speaks of it; or it does so in the front's own place.
            (heard(Ftp, &[(7, "220 (vsFTPd 3.0.3) behind Barracuda Email Security Gateway\r\n")]), Some(Moderate)),
            (
                heard(Smtp, &[(7, "220 mx0a.pphosted.com ESMTP Exim 4.96 Thu, 02 Jan 2025 10:11:12 +0000\r\n")]),
                Some(Strong),
            ),
            (heard(Ftp, &[(7, "220 ProFTPD Server (stunnel) [198.51.100.7]\r\n")]), None),
            (asked(Smtp, "220 ready", Asked::Ehlo, "250-mx.example Barracuda says hello\n250 SIZE"), None),
        ],
    );
    // Every example names its own; a server that speaks for itself is no front.
    let fronts = &Classifier::builtin().fronts;
    for signature in fronts.signatures() {
        for example in &signature.examples {
            let (found, _) = fronts.best(&Text::read(example.greeting.as_bytes())).expect(&example.greeting);
            assert_eq!(found.id, signature.id, "{}", example.greeting);
        }
    }
    let direct =
        ["Postfix", "Exim", "Sendmail", "OpenSMTPD", "Haraka", "vsftpd", "ProFTPD", "Pure-FTPd", "FileZilla Server"];
    for list in [&Classifier::builtin().ftp, &Classifier::builtin().mail] {
        for example in list.signatures().flat_map(|signature| &signature.examples) {
            let text = Text::read(example.greeting.as_bytes());
            let software = list.best(&text).map(|(_, found)| found.software.name).unwrap_or_default();
            let front = fronts.best(&text).map(|(front, _)| front.id.as_str());
            assert!(front.is_none() || !direct.contains(&&*software), "{} is {front:?}", example.greeting);
        }
    }
}

#[test]
fn names_that_do_not_belong_together() {
    let ehlo = |line: &str| asked(Smtp, "220 mx.example.com ESMTP", Asked::Ehlo, &format!("250-{line}\n250 SIZE"));
    let certified = |names: &[&str]| inside_tls(ehlo("mx.example.com"), names);
    let by_ptr = |name: &str| Observation { ptr: vec![name.to_owned()], ..ehlo("mx.example.com") };
    assert_each(
        IdentityMismatch,
        [
            (ehlo("exch01.other.example"), Some(Weak)),
            (certified(&["edge.other.example"]), Some(Weak)),
            (certified(&["edge.other.example", "*.third.example"]), Some(Weak)),
            (by_ptr("static-7.isp.example"), Some(Weak)),
            (ehlo("mx2.example.com"), None),
            (ehlo("MX.EXAMPLE.COM"), None),
            (ehlo("exch01"), None),
            (ehlo("exch01.corp.local"), None),
            (ehlo("localhost.localdomain"), None),
            (ehlo("[198.51.100.7]"), None),
            (certified(&["edge.other.example", "*.example.com"]), None),
            (certified(&["localhost"]), None),
            (certified(&["198.51.100.7", "root@other.example"]), None),
            (certified(&[]), None),
            (by_ptr("mail.example.com."), None),
            (asked(Ftp, "220 ready", Asked::Feat, "211-Features:\n MDTM\n211 End"), None),
        ],
    );
    let row = classified(inside_tls(ehlo("mail.a.example"), &["b.b.example"]), &Vantage::default());
    let told = "mx.example.com in the greeting, mail.a.example in EHLO, b.b.example by certificate";
    assert_eq!(row.evidence[0].excerpt.as_deref(), Some(told));
}

#[test]
fn tls_that_ends_elsewhere() {
    let mail = |lines: &str, names: &[&str]| {
        inside_tls(
            asked(Smtps, "220 mx.example.com ESMTP", Asked::Ehlo, &format!("250-mx.example.com\n{lines}")),
            names,
        )
    };
    let ftp = |lines: &str| inside_tls(asked(Ftps, "220 ready", Asked::Feat, lines), &["files.example.com"]);
    let both = classified(mail("250-SIZE\n250 STARTTLS", &["edge.other.example"]), &Vantage::default());
    assert_eq!(
        told(&both),
        [
            "strong tls_ends_elsewhere: starttls inside tls",
            "weak identity_mismatch: mx.example.com in the greeting, edge.other.example by certificate"
        ]
    );
    assert_eq!(both.fronting, Some(Fronting::Likely));
    let in_clear = asked(Smtp, "220 mx.example.com ESMTP", Asked::Ehlo, "250-mx.example.com\n250 STARTTLS");
    assert_each(
        TlsEndsElsewhere,
        [
            (mail("250-SIZE\n250 STARTTLS", &["mx.example.com"]), Some(Moderate)),
            (mail("250-SIZE\n250 STARTTLS", &[]), Some(Moderate)),
            (ftp("211-Features:\n MDTM\n SIZE\n211 End"), Some(Moderate)),
            (mail("250-SIZE\n250 DSN", &["mx.example.com"]), None),
            (mail("250-STARTTLS\n250 XVERP=Courier", &["mx.example.com"]), None),
            (in_clear, None),
            (ftp("211-Features:\n AUTH TLS\n PBSZ\n PROT\n211 End"), None),
            (ftp("211-Features:\n PBSZ\n PROT\n211 End"), None),
            (ftp("211 no features"), None),
            (ftp("530 Please login"), None),
            (asked(Ftp, "220 ready", Asked::Feat, "211-Features:\n MDTM\n211 End"), None),
        ],
    );
}
