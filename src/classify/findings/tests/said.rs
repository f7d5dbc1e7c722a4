//! What servers say of themselves and of the time, and that no bytes do harm.

use proptest::prelude::*;

use super::secured::{but, certificate, session};
use super::*;

/// What the disclosure rule finds in a greeting that was read as the engine reads it, without its id.
fn disclosed(row: &mut Observation) -> String {
    Classifier::builtin().classify(row);
    let found = row.findings.iter().find(|finding| finding.id == "inside_address_disclosed");
    found.and_then(|finding| finding.detail.clone()).unwrap_or_default()
}

#[test]
fn versions() {
    let mut row = greeted(Ftp, "220 (vsFTPd 3.0.5)\r\n");
    Classifier::builtin().classify(&mut row);
    assert_eq!(row.findings.iter().map(tell).collect::<Vec<_>>(), ["info version_disclosed: vsftpd 3.0.5"]);
    let mut row = greeted(Smtp, "220 mail.example.com ESMTP Postfix\r\n");
    Classifier::builtin().classify(&mut row);
    assert_eq!(row.findings, []);
}

#[test]
fn inside_addresses_in_greetings() {
    for (service, greeting, expected) in [
        (Ftp, "220 ProFTPD Server (x) [10.0.0.5]\r\n", "10.0.0.5 in the greeting"),
        (Ftp, "220 ProFTPD Server (x) [::ffff:192.168.1.2]\r\n", "192.168.1.2 in the greeting"),
        (Ftp, "220 ready (127.0.0.1:21)\r\n", "127.0.0.1 in the greeting"),
        (Ftp, "220 10.1.2.3 FTP server ready\r\n", "10.1.2.3 in the greeting"),
        (Ftp, "220-Welcome\r\n220-Server at 172.31.0.1.\r\n220 go\r\n", "172.31.0.1 in the greeting"),
        (Ftp, "220 IP address: 100.64.0.1\r\n", "100.64.0.1 in the greeting"),
        (Ftp, "220 [10.0.0.1] [10.0.0.1] [10.0.0.2]\r\n", "10.0.0.1 in the greeting, 10.0.0.2 in the greeting"),
        (Smtp, "220 [IPv6:fd00::25] ESMTP\r\n", "fd00::25 in the greeting"),
        (Smtp, "220 [169.254.1.1] ESMTP\r\n", "169.254.1.1 in the greeting"),
        (Smtp, "220 EXCH01.corp.local Microsoft ESMTP MAIL Service ready\r\n", "EXCH01.corp.local in the greeting"),
        (Smtp, "220 nas.home.arpa ESMTP\r\n", "nas.home.arpa in the greeting"),
        // Public, documentation's, or nobody's.
        (Ftp, "220 ProFTPD Server (x) [198.51.100.7]\r\n", ""),
        (Ftp, "220 [172.32.0.1] [100.128.0.1] [0.0.0.0] [::] [11.0.0.1]\r\n", ""),
        // No addresses: versions, dates, times, parts of others.
        (Smtp, "220 web01.example.com Microsoft ESMTP MAIL Service, Version: 10.0.17763.1697 ready\r\n", ""),
        (Smtp, "220 web01.example.com Microsoft ESMTP MAIL Service, Version: 10.0.14.39 ready\r\n", ""),
        (Smtp, "220 mail.example.com ESMTP IceWarp 10.4.5.0; Thu\r\n", ""),
        (Ftp, "220 Some Server v10.0.0.2 ready\r\n", ""),
        (Ftp, "220 Some Server 10.0.0.2 ready\r\n", ""),
        (Ftp, "220 Some Server (Version 10.0.0.2) ready\r\n", ""),
        (Ftp, "220 Some Server version (10.0.0.2) ready\r\n", ""),
        (Ftp, "220 [10.0.0.2.7] [10.0.0.2-beta] [x10.0.0.2] [10.0.0.256] [10.11.12]\r\n", ""),
        (Smtp, "220 mail.example.com ESMTP 10:11:12 [10:11:12]\r\n", ""),
        // About us.
        (Ftp, "220-Hello 10.0.0.9\r\n220 You come from [10.0.0.9]\r\n", ""),
        (
            Smtp,
            "220 mail.example.com ESMTP Sendmail 8.17.1/8.17.1; logging access from: scan.local(OK)-scan.local [10.0.0.9]\r\n",
            "",
        ),
        // Names that tell no network.
        (Smtp, "220 localhost.localdomain ESMTP Postfix\r\n", ""),
        (Smtp, "220 EXCH01 Microsoft ESMTP MAIL Service ready\r\n", ""),
        (Smtp, "220 local.example.com ESMTP\r\n", ""),
        (Smtp, "220 mail.notlocal ESMTP\r\n", ""),
    ] {
        assert_eq!(disclosed(&mut greeted(service, greeting)), expected, "{greeting:?}");
    }
}

#[test]
fn inside_addresses_in_answers() {
    let answers = |lines| asked(Smtp, Asked::Ehlo, lines);
    let system = Dialogue { system: Some(reply("215 UNIX at 10.0.0.5")), ..Dialogue::default() };
    let login = Anonymous { login: reply("230 This is [10.0.0.5]"), ..Anonymous::default() };
    for (mut row, expected) in [
        (answers("250-exch01.corp.lan Hello [10.0.0.9]\n250 SIZE"), "exch01.corp.lan in EHLO"),
        (answers("250-[10.0.0.5] Hello [10.0.0.9]\n250 SIZE"), "10.0.0.5 in EHLO"),
        (answers("250-mail.example.com [10.0.0.9] at your service\n250 SIZE"), ""),
        (answers("550 [10.0.0.5] no"), ""),
        (ftp("211-On 10.0.0.5\n AUTH TLS\n211 End", ""), "10.0.0.5 in FEAT"),
        (talked(Ftp, system), "10.0.0.5 in SYST"),
        (talked(Ftp, Dialogue { anonymous: Some(login), ..Dialogue::default() }), "10.0.0.5 in the login"),
    ] {
        assert_eq!(disclosed(&mut row), expected);
    }
}

#[test]
fn from_inside_nothing_is_disclosed() {
    for ip in ["10.0.0.5", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.5"] {
        let mut row = greeted(Ftp, "220 ProFTPD Server (x) [10.0.0.7]\r\n");
        row.ip = ip.parse().ok();
        assert_eq!(disclosed(&mut row), "", "{ip}");
    }
}

#[test]
fn clocks() {
    for (greeting, expected) in [
        ("220 mail.example ESMTP Exim Thu, 02 Jan 2025 10:11:12 +0000", ""),
        ("220 mail.example ESMTP Exim Thu, 02 Jan 2025 10:06:12 +0000", ""),
        ("220 mail.example ESMTP Exim Thu, 02 Jan 2025 10:06:11 +0000", "5 min behind"),
        ("220 mail.example ESMTP; Thu, 2 Jan 2025 10:18:59 GMT; (No UCE)", "7 min ahead"),
        ("220 mail.example ESMTP ready at Thu,  2 Jan 2025 11:11:12 +0100 (CET)", ""),
        ("220 mail.example ESMTP ready at Thu, 2 Jan 2025 05:11:12 -0500 (EST)", ""),
        ("220 mail.example ready at  Do, 2 Jan 2025 13:11:12 +0100", "2 h 0 min ahead"),
        ("220 mail.example ready at Wed,1 Jan 2020 00:00:00 UTC", "1828 days behind"),
        ("220-10:11:12 up\r\n220 Thu, 2 Jan 2025 12:11:12 +0000", "2 h 0 min ahead"),
        // Without a zone that means one thing everywhere, or no date as in mail.
        ("220 mail.example ready at Thu, 2 Jan 2025 13:11:12", ""),
        ("220 mail.example ready at Thu, 2 Jan 2025 13:11:12 CST", ""),
        ("220 mail.example ready at 2025-01-02 13:11:12 +0000", ""),
        ("220 (Version wu-2.6.2(1) Mon Dec 3 15:26:19 UTC 2001) ready", ""),
        ("220 Local time is now 13:11:12 +0000", ""),
        ("220 32 Jan 2025 13:11:12 +0000", ""),
        ("220 2 Jan 2025 25:61:61 +0000", ""),
        ("220 2 Jan 2025 13:11:12 +9999", ""),
    ] {
        let found = told(&greeted(Smtp, &format!("{greeting}\r\n")));
        let expected: Vec<_> =
            [expected].iter().filter(|it| !it.is_empty()).map(|it| format!("low clock_skew: {it}")).collect();
        assert_eq!(found, expected, "{greeting}");
    }
}

/// A greeting may come long after the start: what counts is when it came.
#[test]
fn a_late_greeting_is_no_skew() {
    let greeting = b"220 mail.example ESMTP Thu, 2 Jan 2025 10:18:12 +0000\r\n";
    for (after, expected) in [(Duration::ZERO, 1), (Duration::from_secs(7 * 60), 0)] {
        let mut row = ended(Smtp, Outcome::Greeted);
        row.received.push(&greeting[..4], Duration::ZERO);
        row.received.push(&greeting[4..], after);
        row.greeting_len = greeting.len();
        row.announced = announced::read(row.greeting(), None);
        assert_eq!(told(&row).len(), expected);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in hostile(), service in 0..5_usize, code: u16, tls: Option<bool>) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let service = Service::ALL[service];
        let mut row = greeted(service, "");
        row.received.push(&bytes, Duration::ZERO);
        (row.greeting_len, row.code) = (bytes.len(), Some(code));
        let any = || Reply { code, bytes: bytes.clone() };
        let offers = |asked| Some(Offers::new(asked, any()));
        row.dialogue = Some(Box::new(Dialogue {
            offers: offers(if service.is_ftp() { Asked::Feat } else { Asked::Ehlo }),
            offers_inside: offers(Asked::Ehlo),
            system: Some(any()),
            upgrade: Some(any()),
            injected: bytes.clone(),
            unasked: bytes.clone(),
            anonymous: Some(Anonymous {
                login: Reply { code: 230, bytes: bytes.clone() },
                extended: Some(any()),
                ..Anonymous::default()
            }),
            ..Dialogue::default()
        }));
        let mut facts = session("TLSv1.2", &text, &text);
        facts.tls = tls.map_or(TlsUse::Failed, |tls| if tls { TlsUse::Implicit } else { TlsUse::NotOffered });
        facts.error = Some(text.clone().into());
        facts.verdict = Some(but(|it| it.name_matches = Some(false)));
        let shown = Certificate {
            subject: Some(text.clone()),
            issuer: Some(text.clone()),
            names: vec![text.clone(); 4],
            key: Some(Key { kind: KeyKind::Rsa, bits: Some(1), text: text.clone().into() }),
            signature: Some(text.clone()),
            ..certificate()
        };
        facts.chain = [Arc::new(shown)].into();
        row.tls = Some(Box::new(facts));
        Classifier::builtin().classify(&mut row);
        prop_assert!(row.findings.is_sorted_by(|a, b| (b.severity, a.id) < (a.severity, b.id)));
        prop_assert!(row.findings.iter().all(|finding| RULES.iter().any(|rule| rule.id == finding.id)));
    }
}

/// Any bytes, and words that go a long way into the rules.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "220 ",
        "250-",
        "\r\n",
        "\n",
        " ",
        "[",
        "]",
        "(",
        "10.0.0.5",
        "fd00::1",
        "IPv6:",
        "::ffff:",
        "Version ",
        ":",
        "Thu, ",
        "2 Jan ",
        "2025 ",
        "10:11:12 ",
        "+0100",
        "STARTTLS",
        "AUTH PLAIN",
        "XXXXXXXX",
        "ü",
        "from ",
        ".local",
        "DH 1024",
        "P-",
        "\0",
    ];
    let words = proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..40);
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), words.prop_map(|words| words.concat().into_bytes()),]
}
