//! The handbook that is compiled in, and what a wordlist must not say.

use super::*;
use crate::observation::EvidenceCode;

/// What an operator may rely on finding.
const CODES: [u16; 30] = [
    120, 125, 150, 200, 220, 221, 226, 227, 229, 230, 234, 250, 331, 334, 354, 421, 425, 426, 450, 451, 500, 501, 502,
    503, 521, 530, 534, 535, 550, 554,
];

const PORTS: [u16; 12] = [20, 21, 25, 110, 143, 465, 587, 989, 990, 993, 995, 2525];

const FINDINGS: [(&str, Severity); 35] = [
    ("cleartext_auth", Severity::High),
    ("no_starttls", Severity::Medium),
    ("no_auth_tls", Severity::Medium),
    ("starttls_broken", Severity::Medium),
    ("starttls_injection", Severity::High),
    ("tls_broken", Severity::High),
    ("legacy_tls", Severity::Medium),
    ("weak_cipher", Severity::Medium),
    ("weak_key", Severity::High),
    ("weak_signature", Severity::Medium),
    ("cert_expired", Severity::High),
    ("cert_expires_soon", Severity::Low),
    ("cert_not_yet_valid", Severity::High),
    ("cert_name_mismatch", Severity::Medium),
    ("cert_self_signed", Severity::Medium),
    ("cert_untrusted", Severity::Medium),
    ("cert_malformed", Severity::Medium),
    ("cert_bad_signature", Severity::High),
    ("pasv_private_address", Severity::Medium),
    ("pasv_other_host", Severity::Medium),
    ("pasv_broken", Severity::Medium),
    ("epsv_broken", Severity::Low),
    ("anonymous_ftp", Severity::Medium),
    ("version_disclosed", Severity::Info),
    ("inside_address_disclosed", Severity::Low),
    ("banner_contradicted", Severity::Low),
    ("unexpected_name", Severity::High),
    ("clock_skew", Severity::Low),
    ("tls_on_plain_port", Severity::Low),
    ("plain_on_tls_port", Severity::High),
    ("not_ready", Severity::Info),
    ("rejects_us", Severity::Info),
    ("open_but_silent", Severity::Low),
    ("no_answer", Severity::High),
    ("mx_silent", Severity::High),
];

const REPLIES: &str = r#"
[[first]]
digit = 2
ftp = "done"
smtp = "done"
[[second]]
digit = 2
ftp = "connections"
smtp = "connections"
[[reply]]
code = 220
[reply.ftp]
means = "Ready."
seen = "First."
do = "Nothing."
verify = [{ run = "telnet HOST PORT", look = "220" }]
rfc = "RFC 959"
[[port]]
port = 21
name = "ftp"
means = "FTP."
seen = "Often."
do = "Nothing."
verify = [{ run = "telnet HOST 21", type = ["QUIT"], look = "220" }]
rfc = "RFC 959"
"#;

const WORDS: &str = r#"
[[finding]]
id = "odd"
severity = "low"
sentence = "It is odd."
why = "It should not be."
remedy = "Mend it."
verify = [{ run = "printf x | nc HOST PORT", look = "x" }]
rfc = "RFC 959"
[finding.remedy_for]
"Exampled" = "odd = no"
"#;

const EVIDENCE: &str = r#"
[[evidence]]
id = "odd"
sentence = "It is odd."
means = "Something."
otherwise = "No."
do = "Nothing."
verify = [{ run = "nc HOST PORT", look = "x" }]
source = "RFC 959"
"#;

fn load(replies: &str, findings: &str) -> Result<Handbook, LoadError> {
    Handbook::new([("replies.toml", replies), ("findings.toml", findings), ("evidence.toml", "evidence = []")])
}

#[test]
fn what_is_compiled_in_is_whole() {
    let handbook = Handbook::builtin();
    for code in CODES {
        assert!(handbook.reply(code).is_some(), "{code}");
    }
    for port in PORTS {
        assert!(handbook.port(port).is_some(), "{port}");
    }
    let findings: Vec<_> = handbook.findings().map(|finding| (finding.id.as_str(), finding.severity)).collect();
    assert_eq!(findings, FINDINGS);
    for code in handbook.replies().map(|reply| reply.code) {
        assert!(handbook.general(code).is_some(), "{code}");
    }
}

#[test]
fn every_kind_of_evidence_has_its_words() {
    let told: Vec<_> = Handbook::builtin().all_evidence().map(|evidence| evidence.id.as_str()).collect();
    assert_eq!(told, EvidenceCode::ALL.map(EvidenceCode::as_str));
}

#[test]
fn each_protocol_has_the_codes_of_its_rfc() {
    // RFC 959 §4.2.2 and RFC 5321 §4.2.3, in numeric order.
    let ftp = [
        110, 120, 125, 150, 200, 202, 211, 212, 213, 214, 215, 220, 221, 225, 226, 227, 230, 250, 257, 331, 332, 350,
        421, 425, 426, 450, 451, 452, 500, 501, 502, 503, 504, 530, 532, 550, 551, 552, 553,
    ];
    let smtp = [
        211, 214, 220, 221, 250, 251, 252, 354, 421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 550, 551, 552, 553,
        554, 555,
    ];
    let handbook = Handbook::builtin();
    for code in ftp {
        assert!(handbook.reply(code).is_some_and(|reply| reply.ftp.is_some()), "FTP {code}");
    }
    for code in smtp {
        assert!(handbook.reply(code).is_some_and(|reply| reply.smtp.is_some()), "SMTP {code}");
    }
    // SMTP has no codes that begin with 1 (RFC 5321 §4.2.1).
    assert!(handbook.replies().all(|reply| reply.code >= 200 || reply.smtp.is_none()));
}

#[test]
fn products_are_those_that_signatures_name() {
    let wordlists = [include_str!("../../wordlists/ftp.toml"), include_str!("../../wordlists/smtp.toml")];
    for finding in Handbook::builtin().findings() {
        for product in finding.remedy_for.keys() {
            let line = format!("software = \"{product}\"");
            assert!(wordlists.iter().any(|list| list.lines().any(|it| it == line)), "{}: {product}", finding.id);
        }
    }
}

/// `see no_auth_tls` and `the finding no_auth_tls` lead somewhere.
#[test]
fn texts_refer_to_what_is_there() {
    let handbook = Handbook::builtin();
    let meanings = handbook.replies().flat_map(|reply| [&reply.ftp, &reply.smtp]).flatten();
    let mut referred = 0;
    for meaning in meanings.chain(handbook.ports().map(|port| &port.meaning)) {
        for text in [&meaning.means, &meaning.seen, &meaning.advice] {
            let words: Vec<&str> =
                text.split(' ').map(|word| word.trim_end_matches(['.', ',', ':', ';', ')'])).collect();
            for pair in words.windows(2).filter(|pair| ["see", "finding"].contains(&pair[0]) && pair[1].contains('_')) {
                assert!(handbook.finding(pair[1]).is_some(), "{} in {text:?}", pair[1]);
                referred += 1;
            }
        }
    }
    assert!(referred > 15, "{referred}");
}

#[test]
fn digits_and_neighbours() {
    let handbook = Handbook::builtin();
    for code in [0, 20, 99, 600, 631, 999, 260, 199, u16::MAX] {
        assert_eq!(handbook.general(code), None, "{code}");
    }
    assert_eq!(handbook.general(559).unwrap().ftp.second, "the file system: files, folders, space");
    assert_eq!(handbook.near(422), [421, 425, 426]);
    assert_eq!(handbook.near(343), [334, 350]);
    assert_eq!(handbook.near(100), [110]);
    assert_eq!(handbook.near(599), [556]);
}

#[test]
fn remedies_are_for_everybody_and_for_a_product() {
    let handbook = load(REPLIES, WORDS).unwrap();
    let finding = handbook.finding("odd").unwrap();
    for (software, remedy) in [
        (None, "Mend it."),
        (Some("Othered"), "Mend it."),
        (Some("Exampled"), "Mend it.\nExampled: odd = no"),
        (Some("exampled"), "Mend it.\nExampled: odd = no"),
    ] {
        assert_eq!(finding.remedy(software), remedy, "{software:?}");
    }
}

#[test]
fn severities_are_in_order() {
    let names = [Severity::Info, Severity::Low, Severity::Medium, Severity::High];
    assert!(names.is_sorted());
    for severity in names {
        assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
    }
}

/// An entry is named by its line.
fn without_column(error: &LoadError) -> String {
    format!("{}:{}: {}", error.file, error.line, error.problem)
}

#[test]
fn errors_say_where_and_what() {
    let (reply, port) = (REPLIES.find("[[reply]]").unwrap(), REPLIES.find("[[port]]").unwrap());
    let twice = [&REPLIES[..port], &REPLIES[reply..]].concat();
    for (from, to, told) in [
        ("code = 220", "code = 620", "replies.toml:11: 620 is no reply code"),
        ("code = 220", "code = 260", "replies.toml:11: 260 is no reply code"),
        ("code = 220", "code = -1", "replies.toml:11: invalid value"),
        ("means = \"Ready.\"", "means = \"\"", "replies.toml:11: `means` is empty"),
        ("means = \"Ready.\"", "means = \"So  so.\"", "replies.toml:11: `means` has blanks"),
        ("means = \"Ready.\"", "means = \"\"\"So\nso.\"\"\"", "replies.toml:11: `means` has blanks"),
        ("means = \"Ready.\"", "mean = \"Ready.\"", "replies.toml:13: unknown field `mean`"),
        ("\"telnet HOST PORT\"", "\"nmap HOST\"", "replies.toml:11: `nmap HOST` uses none of curl, dig, nc,"),
        ("[{ run = \"telnet HOST PORT\", look = \"220\" }]", "[]", "replies.toml:11: `verify` names no way"),
        ("port = 21", "port = 0", "replies.toml:19: 0 is no port"),
        ("type = [\"QUIT\"]", "type = [\"\"]", "replies.toml:19: `type` is empty"),
        ("digit = 2", "digit = 7", "replies.toml:3: the digit 7 is not within 1..=5"),
        (REPLIES, &twice, "replies.toml:19: 220 is there twice"),
    ] {
        assert!(REPLIES.contains(from), "{from}");
        let error = without_column(&load(&REPLIES.replacen(from, to, 1), WORDS).unwrap_err());
        assert!(error.starts_with(told), "{error:?} does not start with {told:?}");
    }
    for (from, to, told) in [
        ("\"odd\"", "\"Odd one\"", "findings.toml:2: `Odd one` is no id"),
        ("\"low\"", "\"lowly\"", "findings.toml:4: unknown variant `lowly`"),
        ("It is odd.", "It is odd. Is it?", "findings.toml:2: `sentence` is not one sentence"),
        ("odd = no", "", "findings.toml:2: `Exampled` is empty"),
        (WORDS, &WORDS.repeat(2), "findings.toml:13: `odd` is there twice"),
    ] {
        let error = without_column(&load(REPLIES, &WORDS.replacen(from, to, 1)).unwrap_err());
        assert!(error.starts_with(told), "{error:?} does not start with {told:?}");
    }
    for (from, to, told) in [
        ("otherwise = \"No.\"", "otherwise = \"\"", "evidence.toml:2: `otherwise` is empty"),
        ("It is odd.", "It is odd", "evidence.toml:2: `sentence` is not one sentence"),
        (EVIDENCE, &EVIDENCE.repeat(2), "evidence.toml:11: `odd` is there twice"),
    ] {
        let evidence = EVIDENCE.replacen(from, to, 1);
        let lists = [("replies.toml", REPLIES), ("findings.toml", WORDS), ("evidence.toml", evidence.as_str())];
        let error = without_column(&Handbook::new(lists).unwrap_err());
        assert!(error.starts_with(told), "{error:?} does not start with {told:?}");
    }
}
