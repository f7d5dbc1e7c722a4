use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn targets(words: &[&str], ports: &str, family: Family) -> Result<Targets, TargetsError> {
    let mut builder = Targets::builder();
    for word in words {
        builder.add(word).unwrap();
    }
    builder.build(&Ports::parse(ports).unwrap(), family)
}

fn all(targets: &Targets) -> Vec<String> {
    (0..targets.len())
        .map(|index| {
            let Endpoint { host, port, service } = targets.endpoint(index).unwrap();
            format!("{host} {port} {service}")
        })
        .collect()
}

#[test]
fn endpoints_are_numbered_through() {
    let targets =
        targets(&["::1", "b.example:2525", "10.0.0.1-10.0.0.2", "10.0.0.2:26"], "21,25", Family::Any).unwrap();
    let expected = [
        "10.0.0.1 21 ftp",
        "10.0.0.1 25 smtp",
        "10.0.0.2 21 ftp",
        "10.0.0.2 25 smtp",
        "10.0.0.2 26 smtp",
        "::1 21 ftp",
        "::1 25 smtp",
        "b.example 2525 smtp",
    ];
    assert_eq!(all(&targets), expected);
    assert_eq!(targets.endpoint(targets.len()), None);
    assert_eq!(targets.ports().iter().map(|(port, _)| port).collect::<Vec<_>>(), [21, 25, 26, 2525]);
}

#[test]
fn duplicates_count_once() {
    let words = ["10.0.0.0/30", "10.0.0.1", "10.0.0.0-10.0.0.2", "a.example", "A.example.", "a.example:25"];
    let targets = targets(&words, "25", Family::Any).unwrap();
    assert_eq!(targets.len(), 4 + 1);
}

#[test]
fn families_are_left_out_and_counted() {
    let words = ["10.0.0.0/31", "::1", "::2", "a.example"];
    let only_v4 = targets(&words, "25", Family::V4).unwrap();
    assert_eq!((only_v4.len(), only_v4.left_out()), (3, 2));
    assert!(matches!(targets(&["::1"], "25", Family::V4), Err(TargetsError::WrongFamily(1))));
    assert!(matches!(targets(&[], "25", Family::Any), Err(TargetsError::Empty)));
}

#[test]
fn a_network_costs_no_more_than_a_host() {
    let size = |word| targets(&[word], "21", Family::Any).unwrap().blocks.len();
    for network in ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/65"] {
        assert_eq!(size(network), size("10.0.0.1"), "{network}");
    }
}

#[test]
fn the_bound_is_two_to_the_63() {
    assert_eq!(targets(&["2001:db8::/65"], "21", Family::Any).unwrap().len(), 1 << 63);
    assert!(matches!(targets(&["2001:db8::/65"], "21,25", Family::Any), Err(TargetsError::TooMany(_))));
    let refused = targets(&["2001:db8::/64"], "21", Family::Any).unwrap_err().to_string();
    assert!(refused.contains("18446744073709551616 endpoints"), "{refused}");
    let refused = targets(&["::/0"], "21", Family::Any).unwrap_err().to_string();
    assert!(refused.contains("more than 2^128"), "{refused}");
}

#[test]
fn conflicts_name_the_host() {
    let error = targets(&["10.0.0.0/24", "10.0.0.7:25=ftp"], "25", Family::Any).unwrap_err();
    assert_eq!(error.to_string(), "10.0.0.7: port 25 is asked for both as ftp and as smtp: keep one");
    let error = targets(&["a.example:25", "a.example:25=ftp"], "25", Family::Any).unwrap_err();
    assert!(error.to_string().starts_with("a.example: port 25"), "{error}");
}

#[test]
fn public_space_is_told() {
    let public = |word| targets(&[word], "21,25", Family::Any).unwrap().may_be_public();
    assert!(!public("10.0.0.0/8"));
    assert!(public("0.0.0.0/0"));
    assert!(public("mail.example.com"));
}

proptest! {
    /// `endpoint` is a bijection from 0..len to the endpoints named.
    #[test]
    fn every_endpoint_has_one_number(nets in prop::collection::vec((0u8..4, 24u8..33), 1..6)) {
        let words: Vec<_> = nets.iter().map(|(octet, prefix)| format!("10.0.{octet}.{}/{prefix}", octet * 50)).collect();
        let targets = targets(&words.iter().map(String::as_str).collect::<Vec<_>>(), "21,25", Family::Any).unwrap();
        let listed = all(&targets);
        let set: BTreeSet<_> = listed.iter().collect();
        prop_assert_eq!(set.len(), listed.len());
        let hosts: BTreeSet<_> = words.iter().flat_map(|word| word.parse::<ipnet::Ipv4Net>().unwrap().trunc().network_range()).collect();
        prop_assert_eq!(hosts.len() * 2, listed.len());
    }
}

trait NetworkRange {
    fn network_range(&self) -> Vec<std::net::Ipv4Addr>;
}

impl NetworkRange for ipnet::Ipv4Net {
    fn network_range(&self) -> Vec<std::net::Ipv4Addr> {
        (u32::from(self.network())..=u32::from(self.broadcast())).map(Into::into).collect()
    }
}
