//! One target as the user writes it: an address, a CIDR, a range or a host name, with ports of its own if need be.
//!
//! Grammar: `HOST[:PORTS]`, where HOST is `10.0.0.5`, `10.0.0.0/16`, `10.0.0.1-10.0.3.9`, `2001:db8::1`,
//! `2001:db8::/120`, `[2001:db8::1]`, or a name; IPv6 with ports needs its brackets. Host bits of a CIDR are ignored, as
//! everywhere in the field. Names are LDH names (RFC 1123 §2.1, plus `_`), or internationalised ones, which are brought
//! into their `xn--` form (UTS 46); nothing is resolved here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use ipnet::IpNet;

use super::ports::{Ports, PortsError};

/// What one word names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) host: HostSpec,
    /// Ports of its own; without them the scan's are used.
    pub(crate) ports: Option<Ports>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostSpec {
    /// Addresses from the first to the last, both included, of one family.
    Range(IpAddr, IpAddr),
    Name(String),
    /// The mail exchanges of a domain.
    Mx(String),
}

/// What is wrong with a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It looks like an address and is none.
    #[error("it looks like an address and is none: write 10.0.0.5, 10.0.0.0/16, 10.0.0.1-10.0.3.9 or 2001:db8::/120")]
    NotAnAddress,
    /// The prefix length is not one.
    #[error("'/{0}' is not a prefix length: write /0 to /32 for IPv4, /0 to /128 for IPv6")]
    Prefix(String),
    /// A range runs backwards.
    #[error("the range ends before it begins")]
    Backwards,
    /// A range from one family to the other.
    #[error("the range begins in one address family and ends in the other")]
    MixedFamilies,
    /// A bracket is missing or in the wrong place.
    #[error("the brackets are not in order: write [2001:db8::1]:25")]
    Brackets,
    /// An IPv6 zone.
    #[error("zones are not understood: write the address without '%…' and give --interface")]
    Zone,
    /// Not a host name.
    #[error(
        "it is neither an address nor a host name: names have letters, digits, '-' and '_' between dots, at most 63 in a label and 253 in all"
    )]
    Name,
    /// A name that is not ASCII, and none that IDNA has.
    #[error(
        "it is not an internationalised name: it has a character, or an order of characters, that no name may have (UTS 46)"
    )]
    Idn,
    /// Its ports.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// Ports of something to be excluded.
    #[error("an exclusion has no ports: what is excluded is excluded at every port; write it without them")]
    ExcludedPorts,
}

pub(crate) fn parse(word: &str) -> Result<Parsed, TargetError> {
    if let Some((scheme, domain)) = word.split_at_checked(3)
        && scheme.eq_ignore_ascii_case("mx:")
    {
        let (domain, ports) = split_ports(domain)?;
        let ports = ports.map(Ports::parse).transpose()?;
        return Ok(Parsed { host: HostSpec::Mx(parse_name(&domain)?), ports });
    }
    let (host, ports) = split_ports(word)?;
    let ports = ports.map(Ports::parse).transpose()?;
    Ok(Parsed { host: canonical(parse_host(&host)?), ports })
}

/// `::ffff:10.0.0.1` is 10.0.0.1 (RFC 4291 §2.5.5.2): one endpoint, and IPv4 on the wire.
fn canonical(host: HostSpec) -> HostSpec {
    match host {
        HostSpec::Range(first, last) if first.to_canonical().is_ipv4() && last.to_canonical().is_ipv4() => {
            HostSpec::Range(first.to_canonical(), last.to_canonical())
        }
        other => other,
    }
}

/// Takes the ports off the end. A word that is an IPv6 address, network or range as it stands has none.
fn split_ports(word: &str) -> Result<(String, Option<&str>), TargetError> {
    if let Some(rest) = word.strip_prefix('[') {
        let (inner, tail) = rest.split_once(']').ok_or(TargetError::Brackets)?;
        if !inner.contains(':') {
            return Err(TargetError::Brackets);
        }
        // `[2001:db8::]/120:25` is as good as `[2001:db8::/120]:25`.
        let (prefix, ports) = match tail.split_once(':') {
            Some((prefix, ports)) => (prefix, Some(ports)),
            None => (tail, None),
        };
        if !(prefix.is_empty() || prefix.starts_with('/')) {
            return Err(TargetError::Brackets);
        }
        return Ok((format!("{inner}{prefix}"), ports));
    }
    let colons = word.bytes().filter(|byte| *byte == b':').count();
    match word.rsplit_once(':') {
        Some((host, ports)) if colons == 1 => Ok((host.to_owned(), Some(ports))),
        _ => Ok((word.to_owned(), None)),
    }
}

fn parse_host(host: &str) -> Result<HostSpec, TargetError> {
    if host.contains('%') {
        return Err(TargetError::Zone);
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(HostSpec::Range(ip, ip));
    }
    if let Some((address, prefix)) = host.split_once('/') {
        let ip: IpAddr = address.parse().map_err(|_| TargetError::NotAnAddress)?;
        let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let net = prefix.parse().ok().filter(|_| digits).and_then(|length| IpNet::new(ip, length).ok());
        let net = net.ok_or_else(|| TargetError::Prefix(prefix.to_owned()))?;
        // Not the usable hosts but all: a network's first and last address may well be a host, as on a /31.
        return Ok(HostSpec::Range(net.network(), net.broadcast()));
    }
    if let Some((first, last)) = host.split_once('-')
        && let Ok(first) = first.trim().parse::<IpAddr>()
    {
        let last = last.trim().parse::<IpAddr>().map_err(|_| TargetError::NotAnAddress)?;
        return match (first, last) {
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Err(TargetError::MixedFamilies),
            _ if last < first => Err(TargetError::Backwards),
            _ => Ok(HostSpec::Range(first, last)),
        };
    }
    parse_name(host).map(HostSpec::Name)
}

/// A name is compared and shown in lower case, in ASCII, and without the root's dot. Only a name of one label keeps that
/// dot: it is what tells `intranet.` from an `intranet` that is looked for in the search domains.
pub(crate) fn parse_name(name: &str) -> Result<String, TargetError> {
    if name.contains(':') {
        return Err(TargetError::NotAnAddress);
    }
    let ascii = to_ascii(name)?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let last_is_number =
        name.rsplit('.').next().is_some_and(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()));
    if last_is_number {
        // No top-level domain is a number: `10.0.0.300`, `10.0.0` and `192.168.1.` are slips of the pen.
        return Err(TargetError::NotAnAddress);
    }
    let good_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(good_label) {
        return Err(TargetError::Name);
    }
    Ok(if name.contains('.') { name.to_owned() } else { ascii })
}

/// The form of a name that DNS has. What is ASCII already may be a name that UTS 46 would refuse: it may exist all the same.
fn to_ascii(name: &str) -> Result<String, TargetError> {
    if name.is_ascii() {
        return Ok(name.to_ascii_lowercase());
    }
    // The label that comes out begins with `xn--`, whatever hyphens went in; lengths are looked at with those of every name.
    let ascii =
        Uts46::new().to_ascii(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::CheckFirstLast, DnsLength::Ignore);
    ascii.map(Into::into).map_err(|_| TargetError::Idn)
}

/// An address as a number within its family.
pub(crate) fn to_number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// The address of a number within a family.
pub(super) fn to_address(number: u128, ipv6: bool) -> IpAddr {
    if ipv6 {
        return Ipv6Addr::from(number).into();
    }
    // Numbers of IPv4 ranges come from `to_number` and lie between two such.
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> HostSpec {
        HostSpec::Range(first.parse().unwrap(), last.parse().unwrap())
    }

    #[test]
    fn every_form_is_read() {
        let table = [
            ("10.0.0.5", range("10.0.0.5", "10.0.0.5"), None),
            ("10.0.0.0/16", range("10.0.0.0", "10.0.255.255"), None),
            ("10.0.0.77/30", range("10.0.0.76", "10.0.0.79"), None),
            ("10.0.0.1-10.0.3.9", range("10.0.0.1", "10.0.3.9"), None),
            ("0.0.0.0/0", range("0.0.0.0", "255.255.255.255"), None),
            ("2001:db8::1", range("2001:db8::1", "2001:db8::1"), None),
            ("2001:db8::/120", range("2001:db8::", "2001:db8::ff"), None),
            ("2001:db8::1-2001:db8::9", range("2001:db8::1", "2001:db8::9"), None),
            ("[2001:db8::1]", range("2001:db8::1", "2001:db8::1"), None),
            ("[2001:db8::1]:25", range("2001:db8::1", "2001:db8::1"), Some("25")),
            ("[2001:db8::/120]:25", range("2001:db8::", "2001:db8::ff"), Some("25")),
            ("[2001:db8::]/120:25", range("2001:db8::", "2001:db8::ff"), Some("25")),
            ("::ffff:10.0.0.1", range("10.0.0.1", "10.0.0.1"), None),
            ("[::ffff:10.0.0.0/120]:21", range("10.0.0.0", "10.0.0.255"), Some("21")),
            ("10.0.0.0/24:21", range("10.0.0.0", "10.0.0.255"), Some("21")),
            ("10.0.0.5:21,2525=smtp", range("10.0.0.5", "10.0.0.5"), Some("21,2525=smtp")),
            ("host:2525=smtp", HostSpec::Name("host".into()), Some("2525=smtp")),
            ("Mail-1.Example.COM.", HostSpec::Name("mail-1.example.com".into()), None),
            ("MX:Example.com", HostSpec::Mx("example.com".into()), None),
            ("mx:example.com:25", HostSpec::Mx("example.com".into()), Some("25")),
            ("_smtp.a_b.example", HostSpec::Name("_smtp.a_b.example".into()), None),
            ("10-0-0-5.example", HostSpec::Name("10-0-0-5.example".into()), None),
            ("intranet", HostSpec::Name("intranet".into()), None),
            ("Intranet.:25", HostSpec::Name("intranet.".into()), Some("25")),
            ("bücher.example", HostSpec::Name("xn--bcher-kva.example".into()), None),
            ("BÜCHER.Example.", HostSpec::Name("xn--bcher-kva.example".into()), None),
            ("xn--bcher-kva.example", HostSpec::Name("xn--bcher-kva.example".into()), None),
            ("mx:Bu\u{308}cher.example:25", HostSpec::Mx("xn--bcher-kva.example".into()), Some("25")),
            ("straße.example", HostSpec::Name("xn--strae-oqa.example".into()), None),
            ("例え。テスト", HostSpec::Name("xn--r8jz45g.xn--zckzah".into()), None),
            ("_smtp.bücher.example", HostSpec::Name("_smtp.xn--bcher-kva.example".into()), None),
            ("r3---a.bücher.example", HostSpec::Name("r3---a.xn--bcher-kva.example".into()), None),
            // Not a name that IDNA has, but one that a zone can have.
            ("xn--a.example", HostSpec::Name("xn--a.example".into()), None),
        ];
        for (word, host, ports) in table {
            let ports = ports.map(|ports| Ports::parse(ports).unwrap());
            assert_eq!(parse(word), Ok(Parsed { host, ports }), "{word}");
        }
    }

    #[test]
    fn slips_are_told_apart() {
        let table = [
            ("10.0.0.300", TargetError::NotAnAddress),
            ("10.0.0", TargetError::NotAnAddress),
            ("10", TargetError::NotAnAddress),
            ("10.0.0.0/33", TargetError::Prefix("33".into())),
            ("10.0.0.0/", TargetError::Prefix(String::new())),
            ("10.0.0.0/+8", TargetError::Prefix("+8".into())),
            ("host/24", TargetError::NotAnAddress),
            ("2001:db8::/129", TargetError::Prefix("129".into())),
            ("2001:db8::g", TargetError::NotAnAddress),
            ("10.0.0.9-10.0.0.1", TargetError::Backwards),
            ("10.0.0.1-2001:db8::1", TargetError::MixedFamilies),
            ("10.0.0.1-20", TargetError::NotAnAddress),
            ("[2001:db8::1", TargetError::Brackets),
            ("[10.0.0.1]:25", TargetError::Brackets),
            ("[2001:db8::1]25", TargetError::Brackets),
            ("fe80::1%eth0", TargetError::Zone),
            ("a..b", TargetError::Name),
            ("-a.example", TargetError::Name),
            ("a b", TargetError::Name),
            ("", TargetError::Name),
            (".", TargetError::Name),
            ("b\u{fffd}cher.example", TargetError::Idn),
            ("mx:\u{308}bucher.example", TargetError::Idn),
            ("a\u{200b}.\u{200b}.example", TargetError::Name),
            ("bü cher.example", TargetError::Name),
            ("-bücher.example", TargetError::Idn),
            ("host／24", TargetError::Name),
            ("１０.0.0.1", TargetError::NotAnAddress),
            ("mx:10.0.0.1", TargetError::NotAnAddress),
            ("host:", TargetError::Ports(PortsError::Empty)),
            ("host:ssh", TargetError::Ports(PortsError::NotAPort("ssh".into()))),
            ("http://host/", TargetError::Ports(PortsError::NotAPort("//host/".into()))),
        ];
        for (word, expected) in table {
            assert_eq!(parse(word), Err(expected), "{word}");
        }
    }
}
