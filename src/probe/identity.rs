//! Who we say we are: EHLO is said with our own name or our address, never with the peer's, and never with a bare word
//! (RFC 5321 §4.1.1.1).

use std::fs;
use std::net::IpAddr;

/// The longest name that DNS can hold, as text (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// Whether EHLO may be said with such a word: a domain of at least two labels, or an address literal (RFC 5321 §4.1.3).
///
/// ```
/// assert!(hailer::is_ehlo_name("scan.example.net"));
/// assert!(hailer::is_ehlo_name("[192.0.2.5]") && hailer::is_ehlo_name("[IPv6:2001:db8::5]"));
/// assert!(!hailer::is_ehlo_name("localhost") && !hailer::is_ehlo_name("192.0.2.5"));
/// ```
pub fn is_ehlo_name(word: &str) -> bool {
    if let Some(literal) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
        return match literal.strip_prefix("IPv6:") {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => literal.parse::<std::net::Ipv4Addr>().is_ok(),
        };
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let mut labels = word.split('.');
    // An address without brackets is no domain: no top-level domain is a number.
    let is_numeric = word.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    word.len() <= MAX_NAME && word.contains('.') && !is_numeric && labels.all(is_label)
}

/// An address as EHLO says it.
pub(crate) fn address_literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// This machine's name, if it has one with a dot: its own word for itself, or what its hosts file makes of that. DNS is not
/// asked.
pub(crate) fn machine_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    if is_fit(&name) {
        return Some(name);
    }
    full_name(&name, &fs::read_to_string("/etc/hosts").ok()?)
}

/// The first fit name in a line of the hosts file that also holds `name`.
fn full_name(name: &str, hosts: &str) -> Option<String> {
    hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut names = line.split_ascii_whitespace().skip(1);
        if !names.clone().any(|word| word.eq_ignore_ascii_case(name)) {
            return None;
        }
        names.find(|word| is_fit(word)).map(str::to_owned)
    })
}

/// What other machines could know us by: not what every machine calls itself.
fn is_fit(name: &str) -> bool {
    is_ehlo_name(name)
        && !name.to_ascii_lowercase().split('.').any(|label| matches!(label, "localhost" | "localdomain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_said() {
        for word in ["a.example", "scan-1.example.net", "xn--bcher-kva.example", "[10.0.0.5]", "[IPv6:::1]"] {
            assert!(is_ehlo_name(word), "{word}");
        }
        for word in
            ["", "scan", ".", "a.", ".a", "a..b", "-a.example", "a-.example", "a b.example", "10.0.0.5", "[10.0.0]"]
        {
            assert!(!is_ehlo_name(word), "{word}");
        }
        for word in
            ["[::1]", "[IPv6:10.0.0.5]", "[mail.example]", "a.example\r\nQUIT", &format!("{}.example", "a".repeat(64))]
        {
            assert!(!is_ehlo_name(word), "{word}");
        }
    }

    #[test]
    fn literals() {
        let literal = |ip: &str| address_literal(ip.parse().unwrap());
        assert_eq!(literal("192.0.2.5"), "[192.0.2.5]");
        assert_eq!(literal("2001:db8::5"), "[IPv6:2001:db8::5]");
        assert_eq!(literal("::ffff:192.0.2.5"), "[192.0.2.5]");
        assert!(is_ehlo_name(&literal("2001:db8::5")));
    }

    #[test]
    fn the_hosts_file_knows_full_names() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.1 scan.wrong.example scan\n10.0.0.5\tscan.example.net scan # here\n";
        assert_eq!(full_name("scan", hosts).as_deref(), Some("scan.example.net"));
        assert_eq!(full_name("SCAN", hosts).as_deref(), Some("scan.example.net"));
        assert_eq!(full_name("other", hosts), None);
        assert_eq!(full_name("box", "127.0.1.1 box.localdomain box\n"), None);
        assert_eq!(full_name("box", "127.0.1.1 box\n"), None);
    }
}
