//! The words for findings and reply codes: the one place that knows where they come from.

use std::net::IpAddr;

/// What is said of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) sentence: String,
    pub(super) remedy: String,
    /// Command lines that show it.
    pub(super) verify: Vec<String>,
}

/// What only a check finds, since it looks at more than one endpoint.
pub(super) const NO_ANSWER: &str = "no_answer";
pub(super) const MX_SILENT: &str = "mx_silent";
pub(super) const UNEXPECTED_NAME: &str = "unexpected_name";

/// The words for a finding, with what this software calls things; `place` is where it was found.
pub(super) fn finding(id: &str, _software: Option<&str>, place: Option<(IpAddr, u16)>) -> Words {
    let (sentence, remedy, verify) = match id {
        NO_ANSWER => (
            "No FTP or mail server answered at any port that was tried.",
            "See that the service runs (`systemctl status`), on which addresses it listens (`ss -ltn`), and which firewall \
             stands between. Try once from the machine itself, and once from another network.",
            "nc -v HOST PORT",
        ),
        MX_SILENT => (
            "Mail for the domain is sent to hosts that do not answer SMTP on port 25.",
            "Start the mail server there and open port 25, or let the MX record name the host that does answer. Many \
             providers block port 25 on the way out: try from another network before you change anything.",
            "dig +short MX DOMAIN",
        ),
        UNEXPECTED_NAME => (
            "Another name answers than the expected one.",
            "See where the address leads: a load balancer, a proxy or an old DNS record may send you to another host. If \
             this is the right server, set the name that it gives itself.",
            "openssl s_client -connect HOST:PORT -brief",
        ),
        _ => (id, "", ""),
    };
    let verify = Some(verify).filter(|line| !line.is_empty()).map(|line| filled(line, place));
    Words { sentence: sentence.into(), remedy: remedy.into(), verify: verify.into_iter().collect() }
}

/// What a reply code means as a greeting, and what to do, if that is known.
pub(super) fn reply(_code: u16, _is_ftp: bool) -> Option<(String, String)> {
    None
}

/// A command line for this host and port.
fn filled(line: &str, place: Option<(IpAddr, u16)>) -> String {
    let Some((ip, port)) = place else { return line.to_owned() };
    let host = match ip {
        IpAddr::V6(ip) if line.contains("HOST:PORT") => format!("[{ip}]"),
        IpAddr::V4(_) | IpAddr::V6(_) => ip.to_string(),
    };
    line.replace("HOST", &host).replace("PORT", &port.to_string())
}
