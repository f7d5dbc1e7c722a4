//! What must hold of targets whatever the user or a file says.

use std::collections::HashSet;
use std::net::IpAddr;

use super::list;
use super::parse::{HostSpec, Parsed, parse};
use super::{Endpoint, Family, Host, Ports, Targets};
use crate::fuzzing::Input;

/// Sets up to this size are looked at endpoint by endpoint.
const MAX_LISTED: u64 = 5000;

/// A list of targets, and behind a record separator one of exclusions: what is read and printed again is read the same,
/// and a set counts what it holds.
pub(crate) fn target(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (targets, excluded) = (words(input.part()), words(input.part()));
    let forth = set(&targets, &excluded);
    let back = set(&reversed(&targets), &reversed(&excluded));
    assert_eq!(
        forth.as_ref().map(Targets::digest),
        back.as_ref().map(Targets::digest),
        "the order of words is not heard"
    );
    let printed: Vec<_> = targets.iter().map(|word| reread(word)).collect();
    let Some(set) = forth else { return };
    assert_eq!(self::set(&printed, &excluded).map(|set| set.digest()), Some(set.digest()), "{printed:?}");
    count(&set);
    for word in &excluded {
        if let Ok(Parsed { host: HostSpec::Range(first, last), ports: _ }) = parse(word) {
            assert!(set.admits(first).is_err() && set.admits(last).is_err(), "{word} is excluded");
        }
    }
}

/// The words of a list that are targets, up to the first that is none, which has to be told with its place.
fn words(list: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let read = list::read("list", list, |word| {
        parse(word)?;
        words.push(word.to_owned());
        Ok(())
    });
    if let Err(error) = read {
        let told = error.to_string();
        let mut place = told.strip_prefix("list:").unwrap_or_default().splitn(3, ':');
        let mut number = || place.next().and_then(|number| number.parse().ok()).unwrap_or(0usize);
        assert!(number() > 0 && number() > 0, "{told}");
    }
    words
}

fn reversed(words: &[String]) -> Vec<String> {
    words.iter().rev().cloned().collect()
}

/// What they come to; none where that is nothing, too much, or contradicts itself.
fn set(targets: &[String], excluded: &[String]) -> Option<Targets> {
    let mut builder = Targets::builder();
    for word in targets {
        builder.add(word).expect("it was read before");
    }
    for word in excluded {
        // Where it has ports it is none.
        let _ = builder.exclude(word);
    }
    builder.build(&Ports::default(), Family::Any).ok()
}

/// A word as it is understood, which is understood the same.
fn reread(word: &str) -> String {
    let parsed = parse(word).expect("it was read before");
    let printed = print(&parsed);
    assert_eq!(parse(&printed).as_ref(), Ok(&parsed), "{word:?} as {printed:?}");
    printed
}

fn print(Parsed { host, ports }: &Parsed) -> String {
    let host = match host {
        HostSpec::Range(first, last) => print_range(*first, *last),
        HostSpec::Name(name) => name.clone(),
        HostSpec::Mx(domain) => format!("mx:{domain}"),
    };
    let list = |ports: &Ports| ports.iter().map(|(port, service)| format!("{port}={service}")).collect::<Vec<_>>();
    let ports = ports.as_ref().map(|ports| format!(":{}", list(ports).join(","))).unwrap_or_default();
    format!("{host}{ports}")
}

fn print_range(first: IpAddr, last: IpAddr) -> String {
    if first.is_ipv6() { format!("[{first}-{last}]") } else { format!("{first}-{last}") }
}

/// Every index below the length is an endpoint, each another, and none beyond is.
fn count(set: &Targets) {
    let len = set.len();
    let at = |index| set.endpoint(index).expect("it is in memory");
    assert!(!set.is_empty() && at(len).is_none() && at(u64::MAX).is_none());
    if len > MAX_LISTED {
        for index in [0, len / 2, len - 1] {
            admitted(set, &at(index).expect("it is below the length"));
        }
        return;
    }
    let mut found = HashSet::new();
    for index in 0..len {
        let endpoint = at(index).expect("it is below the length");
        admitted(set, &endpoint);
        let shown = parse(&endpoint.to_string()).map(|shown| print(&shown));
        let host = address(&endpoint.host).map_or_else(|| endpoint.host.to_string(), |ip| print_range(ip, ip));
        assert_eq!(
            shown,
            Ok(format!("{host}:{}={}", endpoint.port, endpoint.service)),
            "what is shown can be given back"
        );
        assert!(found.insert((endpoint.host, endpoint.port)), "each is there once");
    }
}

/// What is asked may be asked, at a port that somebody wanted.
fn admitted(set: &Targets, endpoint: &Endpoint) {
    assert!(set.ports().position(endpoint.port).is_some() || set.ports().is_empty(), "{endpoint:?}");
    if let Some(ip) = address(&endpoint.host) {
        assert_eq!(set.admits(ip), Ok(()), "{endpoint:?}");
    }
}

fn address(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Address(ip) => Some(*ip),
        Host::Name(_) | Host::Mx(_) => None,
    }
}
