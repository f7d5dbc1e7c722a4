//! The mail exchanges of a domain as they are to be followed: in order, each once, and no further than makes sense.
//!
//! Whoever owns a domain writes what is in it. The names need not be host names, and there may be thousands of them.

use std::collections::HashSet;
use std::net::IpAddr;

use super::names::{Exchange, NoAddress};
use super::parse::parse_name;

/// More exchanges than this are told and not followed. Domains that mean it have up to a dozen.
const MAX_EXCHANGES: usize = 64;

/// The exchanges in order of preference, then of name, each with what keeps it from being followed.
///
/// The same exchange twice counts once, with the better preference.
pub(super) fn in_order(exchanges: Vec<Exchange>) -> Result<Vec<(Exchange, Option<NoAddress>)>, NoAddress> {
    let plain = |Exchange { name, preference }| Exchange { name: plain(&name).into(), preference };
    let mut exchanges: Vec<_> = exchanges.into_iter().map(plain).collect();
    exchanges.sort_by(|a, b| (a.preference, &a.name).cmp(&(b.preference, &b.name)));
    let mut seen = HashSet::new();
    exchanges.retain(|exchange| seen.insert(exchange.name.clone()));
    match exchanges.as_slice() {
        [] => return Err(NoAddress::None("no MX: the domain names no mail exchange".into())),
        [Exchange { name, preference: 0 }] if &**name == "." => {
            return Err(NoAddress::None("null MX: the domain accepts no mail (RFC 7505)".into()));
        }
        _ => {}
    }
    let followed = exchanges.into_iter().enumerate().map(|(number, exchange)| {
        let flaw = match number {
            0..MAX_EXCHANGES => flaw(&exchange.name).map(|flaw| NoAddress::None(flaw.into())),
            _ => Some(NoAddress::Unknown("not looked up: the domain has more than 64 mail exchanges".into())),
        };
        (exchange, flaw)
    });
    Ok(followed.collect())
}

/// Names differ neither by case nor by the dot of the root.
fn plain(name: &str) -> String {
    match name.strip_suffix('.') {
        Some(labels) if !labels.is_empty() => labels.to_ascii_lowercase(),
        Some(_) | None => name.to_ascii_lowercase(),
    }
}

/// Why no host can have this name.
fn flaw(name: &str) -> Option<&'static str> {
    // The dots of an address within one label are escaped (RFC 1035 §5.1).
    let bare: String = name.chars().filter(|char| !matches!(char, '\\' | '[' | ']')).collect();
    if name == "." {
        Some("the mail exchange is '.', which only a null MX with preference 0 may be (RFC 7505)")
    } else if bare.parse::<IpAddr>().is_ok() {
        Some("the mail exchange is an address: an MX must name a host (RFC 5321 §5.1)")
    } else if parse_name(name).is_err() {
        Some("the mail exchange is not a host name")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(list: &[(u16, &str)]) -> Result<Vec<(u16, String, bool)>, NoAddress> {
        let exchanges =
            list.iter().map(|(preference, name)| Exchange { name: (*name).into(), preference: *preference });
        let told = in_order(exchanges.collect())?;
        Ok(told.into_iter().map(|(at, flaw)| (at.preference, at.name.to_string(), flaw.is_none())).collect())
    }

    fn reason(list: &[(u16, &str)]) -> String {
        match sorted(list).unwrap_err() {
            NoAddress::None(reason) => reason.to_string(),
            NoAddress::Unknown(reason) => panic!("{reason} is known"),
        }
    }

    #[test]
    fn preference_then_name_and_each_once() {
        let list = [(20, "b.example"), (10, "z.example."), (20, "A.example"), (10, "y.example"), (30, "Y.Example.")];
        let expected = [(10, "y.example"), (10, "z.example"), (20, "a.example"), (20, "b.example")];
        let expected: Vec<_> = expected.map(|(preference, name)| (preference, name.to_owned(), true)).into();
        assert_eq!(sorted(&list), Ok(expected));
    }

    #[test]
    fn a_domain_without_mail_is_told() {
        assert!(reason(&[]).starts_with("no MX: "));
        assert_eq!(reason(&[(0, ".")]), "null MX: the domain accepts no mail (RFC 7505)");
        assert_eq!(reason(&[(0, "."), (0, ".")]), reason(&[(0, ".")]));
    }

    #[test]
    fn what_is_no_host_is_not_followed() {
        let table = [
            (".", "is '.'"),
            ("10.0.0.1", "is an address"),
            (r"10\.0\.0\.1", "is an address"),
            (r"\[10.0.0.1\]", "is an address"),
            ("10.0.0.300", "is not a host name"),
            (r"mail\032host.example", "is not a host name"),
            (r"\000.example", "is not a host name"),
            ("-.example", "is not a host name"),
        ];
        for (name, expected) in table {
            let told = in_order(vec![Exchange { name: name.into(), preference: 5 }]).unwrap();
            let [(_, Some(NoAddress::None(flaw)))] = told.as_slice() else { panic!("{name}: {told:?}") };
            assert!(flaw.starts_with("the mail exchange ") && flaw.contains(expected), "{name}: {flaw}");
        }
        assert_eq!(sorted(&[(0, "."), (5, "a.example")]).unwrap()[1], (5, "a.example".to_owned(), true));
    }

    #[test]
    fn thousands_are_not_followed() {
        let names: Vec<_> = (0..1000).map(|number| format!("mx{number:03}.example")).collect();
        let list: Vec<_> = names.iter().map(|name| (10, name.as_str())).collect();
        let told = sorted(&list).unwrap();
        assert_eq!((told.len(), told.iter().filter(|(.., followed)| *followed).count()), (1000, MAX_EXCHANGES));
    }
}
