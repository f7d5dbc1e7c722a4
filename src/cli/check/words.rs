//! The handbook's words for findings and reply codes, with command lines filled in for the host that is checked.

use std::net::IpAddr;

use hailer::Observation;
use hailer::handbook::{Check, Handbook};
use hailer::observation::{Legacy, TlsUse};

/// What only a check finds, since it looks at more than one endpoint.
pub(super) const NO_ANSWER: &str = "no_answer";
pub(super) const MX_SILENT: &str = "mx_silent";
pub(super) const UNEXPECTED_NAME: &str = "unexpected_name";

/// What is said of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) sentence: String,
    pub(super) remedy: String,
    pub(super) verify: Vec<Check>,
}

/// What a command line is filled in for. What is not known stays as the handbook has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) ip: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) name: Option<&'a str>,
    pub(super) begins: Option<Begins>,
    /// The oldest version that it speaks, as far as known.
    pub(super) version: Option<&'static str>,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    AtOnce,
    /// By STARTTLS.
    InMail,
    /// By AUTH TLS.
    InFtp,
}

impl<'a> Place<'a> {
    pub(super) fn of(row: &'a Observation) -> Self {
        let facts = row.tls.as_deref();
        let legacy = facts.and_then(|facts| match &facts.legacy {
            Some(Legacy::Accepted { version, .. }) => *version,
            Some(Legacy::Refused(_) | Legacy::Unknown(_)) | None => None,
        });
        let version = legacy.or(facts.and_then(|facts| facts.version));
        let begins = Some(Begins::at(row));
        Self { ip: row.ip, port: Some(row.port), name: row.name.as_deref(), begins, version }
    }
}

impl Begins {
    /// As it was seen, or else as the port is for.
    fn at(row: &Observation) -> Self {
        let is_at_once = match row.tls.as_deref().map(|facts| facts.tls) {
            Some(TlsUse::Implicit) => true,
            Some(TlsUse::Starttls | TlsUse::AuthTls) => false,
            Some(TlsUse::NotOffered | TlsUse::Refused | TlsUse::Failed) | None => row.service.is_implicit_tls(),
        };
        match (is_at_once, row.service.is_ftp()) {
            (true, _) => Self::AtOnce,
            (false, true) => Self::InFtp,
            (false, false) => Self::InMail,
        }
    }

    /// What `openssl s_client` is told for it.
    const fn option(self) -> &'static str {
        match self {
            Self::AtOnce => "",
            Self::InMail => " -starttls smtp",
            Self::InFtp => " -starttls ftp",
        }
    }
}

/// The words for a finding, with what this software calls things.
pub(super) fn finding(id: &str, software: Option<&str>, place: Place<'_>) -> Words {
    let Some(text) = Handbook::builtin().finding(id) else {
        return Words { sentence: id.to_owned(), remedy: String::new(), verify: Vec::new() };
    };
    let verify = text.verify.iter().map(|Check { run, typed, look }| Check {
        run: filled(&fitted(run, place), place),
        typed: typed.iter().map(|line| filled(line, place)).collect(),
        look: look.clone(),
    });
    Words { sentence: text.sentence.clone(), remedy: text.remedy(software), verify: verify.collect() }
}

/// What a reply code means, and what to do, if the handbook knows it.
pub(super) fn reply(code: u16, is_ftp: bool) -> Option<(&'static str, &'static str)> {
    let reply = Handbook::builtin().reply(code)?;
    let meaning = if is_ftp { &reply.ftp } else { &reply.smtp };
    meaning.as_ref().map(|meaning| (meaning.means.as_str(), meaning.advice.as_str()))
}

/// A command line with the options that fit the place.
fn fitted(line: &str, Place { ip, name, begins, version, .. }: Place<'_>) -> String {
    let mut line = line.to_owned();
    if let Some(begins) = begins {
        for written in [Begins::InMail, Begins::InFtp].map(Begins::option) {
            if line.contains(written) {
                line = line.replace(written, begins.option());
                break;
            }
        }
    }
    if ip.is_some() && name.is_none() {
        line = line.replace(" -servername NAME", "").replace(" -verify_hostname NAME", "");
    }
    let asked = match version {
        Some("TLSv1.1") => "-tls1_1",
        Some("TLSv1.0") => "-tls1",
        Some("SSLv3") => "-ssl3",
        Some(_) | None => return line,
    };
    let words = line.split(' ').map(|word| if matches!(word, "-tls1_1" | "-tls1_2") { asked } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A line with the words in capitals replaced by what they stand for.
fn filled(line: &str, Place { ip, port, name, .. }: Place<'_>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_uppercase()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(from.len());
        let (word, behind) = from.split_at(end);
        let value = match word {
            "HOST" => ip.map(|ip| {
                let is_bracketed = ip.is_ipv6() && behind.starts_with(':');
                if is_bracketed { format!("[{ip}]") } else { ip.to_string() }
            }),
            "PORT" => port.map(|port| port.to_string()),
            "NAME" | "DOMAIN" => name.map(str::to_owned),
            _ => None,
        };
        out.push_str(before);
        out.push_str(value.as_deref().unwrap_or(word));
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use hailer::observation::TlsFacts;

    use super::super::hand_made::greeted;
    use super::*;

    #[test]
    fn what_only_a_check_finds_is_in_the_handbook() {
        for id in [NO_ANSWER, MX_SILENT, UNEXPECTED_NAME] {
            let words = finding(id, None, Place::default());
            assert!(!words.remedy.is_empty() && !words.verify.is_empty(), "{id}");
        }
        assert_eq!(finding("nosuch", None, Place::default()).sentence, "nosuch");
        assert!(reply(421, true).is_some() && reply(421, false) != reply(421, true) && reply(299, true).is_none());
    }

    #[test]
    fn command_lines_are_for_the_host_at_hand() {
        let at = |ip: &str| Place { ip: ip.parse().ok(), port: Some(25), name: Some("mx.example"), ..Place::default() };
        let table = [
            ("openssl s_client -connect HOST:PORT", "192.0.2.5", "openssl s_client -connect 192.0.2.5:25"),
            ("openssl s_client -connect HOST:PORT", "2001:db8::1", "openssl s_client -connect [2001:db8::1]:25"),
            ("nc -v HOST PORT", "2001:db8::1", "nc -v 2001:db8::1 25"),
            ("dig DOMAIN MX", "192.0.2.5", "dig mx.example MX"),
            ("dig _PORT._tcp.NAME TLSA", "192.0.2.5", "dig _25._tcp.mx.example TLSA"),
            ("curl ftp://USER@HOST/", "192.0.2.5", "curl ftp://USER@192.0.2.5/"),
            ("echo MYHOST PORTS", "192.0.2.5", "echo MYHOST PORTS"),
        ];
        for (line, ip, expected) in table {
            assert_eq!(filled(line, at(ip)), expected);
        }
        assert_eq!(filled("nc HOST PORT NAME", Place::default()), "nc HOST PORT NAME");
        let words = finding("starttls_injection", None, at("192.0.2.5"));
        assert!(words.verify[1].typed[1].contains(r#"create_connection(("192.0.2.5", 25))"#), "{words:?}");
    }

    #[test]
    fn options_are_for_what_was_seen() {
        let facts = |tls, version, legacy| TlsFacts { version, legacy, ..TlsFacts::new(tls) };
        let row = |port, facts| Observation { tls: Some(Box::new(facts)), ..greeted(port, "220 ready\r\n") };
        let old = |version| Some(Legacy::Accepted { version: Some(version), cipher: None, group: None });
        let line = "openssl s_client -starttls smtp -tls1_1 -servername NAME -verify_hostname NAME -brief";
        let table = [
            (row(25, facts(TlsUse::Starttls, Some("TLSv1.1"), None)), "-starttls smtp -tls1_1"),
            (row(25, facts(TlsUse::Implicit, Some("TLSv1.0"), None)), "-tls1"),
            (row(465, facts(TlsUse::Implicit, Some("TLSv1.3"), old("TLSv1.0"))), "-tls1"),
            (row(465, facts(TlsUse::Failed, Some("SSLv3"), None)), "-ssl3"),
            (row(465, facts(TlsUse::Starttls, Some("TLSv1.2"), None)), "-starttls smtp -tls1_1"),
            (row(21, facts(TlsUse::AuthTls, Some("TLSv1.3"), old("TLSv1.1"))), "-starttls ftp -tls1_1"),
            (row(990, facts(TlsUse::Implicit, Some("TLSv1.3"), old("SSLv3"))), "-ssl3"),
        ];
        for (row, expected) in table {
            assert_eq!(fitted(line, Place::of(&row)), format!("openssl s_client {expected} -brief"), "{row:?}");
        }
        assert_eq!(fitted(line, Place::default()), line);
        let named = Observation { name: Some("mx.example".into()), ..greeted(25, "220 ready\r\n") };
        assert_eq!(fitted(line, Place::of(&named)), line);
        let ftp = "openssl s_client -connect HOST:PORT -starttls ftp -brief";
        assert_eq!(fitted(ftp, Place::of(&greeted(21, "220 ready\r\n"))), ftp);
    }

    /// What to leave out or to say in its place is for whoever has no place yet.
    #[test]
    fn looks_do_not_speak_of_other_ports() {
        for finding in Handbook::builtin().findings() {
            for Check { look, .. } in &finding.verify {
                assert!(!look.contains("-starttls") && !look.contains("-tls1"), "{}: {look}", finding.id);
            }
        }
    }
}
