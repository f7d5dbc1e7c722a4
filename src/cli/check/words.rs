//! The handbook's words for findings and reply codes, with command lines filled in for the host that is checked.

use std::net::IpAddr;

use hailer::handbook::{Check, Handbook};
use hailer::{Observation, Service};

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

/// What the words in capitals of a command line stand for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) ip: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) name: Option<&'a str>,
    pub(super) service: Option<Service>,
}

impl<'a> Place<'a> {
    pub(super) fn of(row: &'a Observation) -> Self {
        Self { ip: row.ip, port: Some(row.port), name: row.name.as_deref(), service: Some(row.service) }
    }
}

/// The words for a finding, with what this software calls things.
pub(super) fn finding(id: &str, software: Option<&str>, place: Place<'_>) -> Words {
    let Some(text) = Handbook::builtin().finding(id) else {
        return Words { sentence: id.to_owned(), remedy: String::new(), verify: Vec::new() };
    };
    let verify = text.verify.iter().map(|check| Check { run: filled(&check.run, place), ..check.clone() });
    Words { sentence: text.sentence.clone(), remedy: text.remedy(software), verify: verify.collect() }
}

/// What a reply code means, and what to do, if the handbook knows it.
pub(super) fn reply(code: u16, is_ftp: bool) -> Option<(&'static str, &'static str)> {
    let reply = Handbook::builtin().reply(code)?;
    let meaning = if is_ftp { &reply.ftp } else { &reply.smtp };
    meaning.as_ref().map(|meaning| (meaning.means.as_str(), meaning.advice.as_str()))
}

/// A command line for this place. What is not known stays as it is.
fn filled(line: &str, Place { ip, port, name, service }: Place<'_>) -> String {
    let mut line = match service {
        Some(service) if service.is_implicit_tls() => line.replace(" -starttls smtp", ""),
        Some(service) if service.is_ftp() => line.replace("-starttls smtp", "-starttls ftp"),
        Some(_) | None => line.to_owned(),
    };
    if ip.is_some() && name.is_none() {
        line = line.replace(" -servername NAME", "");
    }
    let mut out = String::new();
    let mut rest = line.as_str();
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
        let at = |ip: &str| Place { ip: ip.parse().ok(), port: Some(25), name: Some("mx.example"), service: None };
        let table = [
            ("openssl s_client -connect HOST:PORT", "192.0.2.5", "openssl s_client -connect 192.0.2.5:25"),
            ("openssl s_client -connect HOST:PORT", "2001:db8::1", "openssl s_client -connect [2001:db8::1]:25"),
            ("nc -v HOST PORT", "2001:db8::1", "nc -v 2001:db8::1 25"),
            ("dig DOMAIN MX", "192.0.2.5", "dig mx.example MX"),
            ("curl ftp://USER@HOST/", "192.0.2.5", "curl ftp://USER@192.0.2.5/"),
            ("echo MYHOST PORTS", "192.0.2.5", "echo MYHOST PORTS"),
        ];
        for (line, ip, expected) in table {
            assert_eq!(filled(line, at(ip)), expected);
        }
        let tls = "openssl s_client -starttls smtp -servername NAME";
        let of = |service| Place { service: Some(service), ..at("192.0.2.5") };
        assert_eq!(filled(tls, of(Service::Ftp)), "openssl s_client -starttls ftp -servername mx.example");
        assert_eq!(filled(tls, Place { name: None, ..of(Service::Smtps) }), "openssl s_client");
        assert_eq!(filled("nc HOST PORT NAME", Place::default()), "nc HOST PORT NAME");
    }
}
