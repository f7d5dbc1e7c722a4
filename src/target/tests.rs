use super::assembly::Assembly;
use super::interned::Interned;
use super::record::{Mark, Place, encode};
use super::scratch::Limits;
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
            let Endpoint { host, port, service } = targets.endpoint(index).unwrap().unwrap();
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
    assert_eq!(targets.endpoint(targets.len()).unwrap(), None);
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
    let size = |word| targets(&[word], "21", Family::Any).unwrap().table().count();
    for network in ["10.0.0.0/8", "16.0.0.0/4", "2001:db8::/65"] {
        assert_eq!(size(network), size("10.0.0.1"), "{network}");
    }
    assert_eq!(size("0.0.0.0/0"), 13, "reserved networks are cut out");
}

#[test]
fn the_bound_is_two_to_the_63() {
    assert_eq!(targets(&["2001:db8::/65"], "21", Family::Any).unwrap().len(), 1 << 63);
    assert!(matches!(targets(&["2001:db8::/65"], "21,25", Family::Any), Err(TargetsError::TooMany(_))));
    let refused = targets(&["2001:db8::/64"], "21", Family::Any).unwrap_err().to_string();
    assert!(refused.contains("18446744073709551616 endpoints"), "{refused}");
    let refused = targets(&["::/0"], "21,25", Family::Any).unwrap_err().to_string();
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
fn public_space_is_counted() {
    let public = |words: &[&str]| targets(words, "21,25", Family::Any).unwrap().public_addresses();
    assert_eq!(public(&["10.0.0.0/8"]), 0);
    assert_eq!(public(&["10.0.0.0/8", "8.8.8.0/24", "8.8.8.0/25:26"]), 256);
    assert_eq!(public(&["mail.example.com", "mx:example.com", "mail.example.com:26"]), 2);
    assert!(targets(&["0.0.0.0/0"], "21", Family::Any).unwrap().public_addresses() > 0);
    assert_eq!(targets(&["127.0.0.1", "::1"], "21", Family::Any).unwrap().public_addresses(), 0);
}

#[test]
fn endpoints_are_shown_as_targets() {
    let words = ["10.0.0.1:21=ftp", "[2001:db8::1]:25=smtp", "host.example:2525=smtp", "mx:example.com:25=smtp"];
    let targets = targets(&words, "465", Family::Any).unwrap();
    let shown: Vec<_> = (0..targets.len()).map(|index| targets.endpoint(index).unwrap().unwrap().to_string()).collect();
    assert_eq!(shown, words);
}

/// A builder to which some words are added and others excluded.
fn builder(words: &[&str], exclusions: &[&str]) -> TargetsBuilder {
    let mut builder = Targets::builder();
    for word in words {
        builder.add(word).unwrap();
    }
    for word in exclusions {
        builder.exclude(word).unwrap();
    }
    builder
}

fn without(words: &[&str], exclusions: &[&str]) -> Result<Targets, TargetsError> {
    builder(words, exclusions).build(&Ports::parse("25").unwrap(), Family::Any)
}

#[test]
fn exclusion_beats_inclusion() {
    let words = ["10.0.0.0/30", "10.0.0.2:26", "::5", "a.example", "a.example:26", "b.example", "mx:a.example"];
    let targets = without(&words, &["10.0.0.1-10.0.0.2", "10.0.0.77", "::/64", "A.example."]).unwrap();
    assert_eq!(all(&targets), ["10.0.0.0 25 smtp", "10.0.0.3 25 smtp", "b.example 25 smtp", "mx:a.example 25 smtp"]);
    assert_eq!(targets.excluded(), 2 + 1 + 1, "of what was named, and names once");
    let targets = without(&words, &["mx:a.example"]).unwrap();
    assert_eq!((targets.len(), targets.excluded()), (4 + 1 + 1 + 2 + 1, 1));
    // Nobody would be asked at that port.
    assert_eq!(without(&["10.0.0.0/30", "10.0.0.1:25=ftp"], &["10.0.0.1"]).unwrap().len(), 3);
    let error = without(&["10.0.0.0/30", "a.example"], &["10.0.0.0/8", "a.example"]).unwrap_err().to_string();
    assert_eq!(error, "nothing is left to probe: all 5 addresses and names among the targets are excluded");
}

#[test]
fn bad_exclusions_are_refused_in_words() {
    assert_eq!(Targets::builder().exclude("10.0.0.0/8:25").unwrap_err(), TargetError::ExcludedPorts);
    assert_eq!(Targets::builder().exclude("10.0.0.300").unwrap_err(), TargetError::NotAnAddress);
    let error = Targets::builder().exclude_list("no.txt", &b"10.0.0.1\n # all\n ::1 b.example:25"[..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no.txt:3:6: 'b.example:25': an exclusion has no ports: what is excluded is excluded at every port; write it \
         without them"
    );
}

#[test]
fn reserved_networks_are_cut_out_of_wider_targets() {
    let told = |words: &[&str]| {
        let targets = without(words, &[]).unwrap();
        targets.not_probed().iter().map(|part| format!("{} {}", part.network, part.addresses)).collect::<Vec<_>>()
    };
    assert_eq!(told(&["127.0.0.0/8", "10.2.3.0/24", "192.0.2.7"]), [""; 0]);
    assert_eq!(told(&["96.0.0.0/3"]), ["100.64.0.0/10 4194304", "127.0.0.0/8 16777216"]);
    assert_eq!(told(&["96.0.0.0/3", "64.0.0.0/2", "127.0.0.0/8"]), ["100.64.0.0/10 4194304"], "counted once");
    assert_eq!(
        told(&["240.0.0.0/8", "224.0.0.0/3"]),
        ["224.0.0.0/4 268435456", "240.0.0.0/4 251658239", "255.255.255.255/32 1"]
    );
    let error = without(&["239.1.2.0/24", "ff02::1"], &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "nothing is left to probe: 224.0.0.0/4 is never probed (multicast, RFC 1112 §4); ff00::/8 is never probed \
         (multicast, RFC 4291 §2.7)"
    );
    assert!(matches!(without(&["239.1.2.3"], &["224.0.0.0/4"]), Err(TargetsError::Excluded(1))));
}

#[test]
fn names_lead_to_what_is_vouched_for() {
    let mut builder = Targets::builder();
    builder.add("mail.example").unwrap().exclude("10.0.0.9").unwrap();
    for ip in ["10.0.0.5", "::ffff:10.0.0.6", "10.0.0.9", "224.0.0.1"] {
        builder.vouch(ip.parse().unwrap());
    }
    let targets = builder.build(&Ports::default(), Family::Any).unwrap();
    assert_eq!(targets.len(), 5, "the name alone is a target");
    let table =
        [("10.0.0.5", true), ("10.0.0.6", true), ("10.0.0.7", false), ("10.0.0.9", false), ("224.0.0.1", false)];
    for (ip, expected) in table {
        assert_eq!(targets.admits(ip.parse().unwrap()).is_ok(), expected, "{ip}");
    }
}

#[test]
fn names_lead_only_where_they_may() {
    let targets =
        without(&["localhost", "127.0.0.0/30", "192.168.7.0/24:26", "::1", "0.0.0.0/0"], &["127.0.0.2", "8.8.8.8"]);
    let targets = targets.unwrap();
    let admitted = |ip: &str| targets.admits(ip.parse().unwrap()).map_err(|reason| reason.to_string());
    for ip in ["127.0.0.0", "127.0.0.1", "127.0.0.3", "::ffff:127.0.0.1", "192.168.7.255", "::1", "9.9.9.9", "2a00::1"]
    {
        assert_eq!(admitted(ip), Ok(()), "{ip}");
    }
    let table = [
        ("127.0.0.2", "127.0.0.2 is excluded"),
        ("::ffff:8.8.8.8", "8.8.8.8 is excluded"),
        ("224.0.0.1", "224.0.0.1 is in 224.0.0.0/4, which is never probed (multicast, RFC 1112 §4)"),
        (
            "127.0.0.4",
            "127.0.0.4 is in 127.0.0.0/8 (loopback, RFC 1122 §3.2.1.3): to probe it where a name leads there, name \
             127.0.0.4 or 127.0.0.0/8 as a target too",
        ),
    ];
    for (ip, reason) in table {
        assert_eq!(admitted(ip), Err(reason.to_owned()));
    }
    for ip in ["10.0.0.1", "192.168.8.0", "192.168.6.255", "fe80::1", "::", "0.0.0.0"] {
        assert!(admitted(ip).is_err(), "{ip}");
    }
    // What was named in another place than among the targets.
    let tolerated = |ip: &str| targets.tolerates(ip.parse().unwrap());
    for (ip, may) in
        [("10.0.0.1", true), ("127.0.0.4", true), ("127.0.0.2", false), ("::ffff:8.8.8.8", false), ("::", false)]
    {
        assert_eq!(tolerated(ip).is_ok(), may, "{ip}");
    }
}

#[test]
fn the_digest_is_of_the_set_and_not_of_the_words() {
    let digest = |words: &[&str], exclusions: &[&str], family| {
        builder(words, exclusions).build(&Ports::parse("25").unwrap(), family).unwrap().digest()
    };
    let words = ["10.0.0.0/24", "10.0.0.7:26", "a.example", "mx:a.example", "::1"];
    let one = digest(&words, &["10.0.0.9", "b.example"], Family::Any);
    let same: [(&[&str], &[&str]); 4] = [
        (&["::1", "mx:a.example", "10.0.0.7:26", "10.0.0.0/24", "a.example"], &["b.example", "10.0.0.9"]),
        (
            &["[::1]:25", "MX:a.example", "10.0.0.7:25,26", "10.0.0.0-10.0.0.255", "A.Example."],
            &["B.example", "10.0.0.9/32"],
        ),
        (
            &["::1", "mx:a.example", "10.0.0.7:26", "10.0.0.0/25", "10.0.0.128/25", "10.0.0.64/26", "a.example"],
            &["b.example", "10.0.0.9"],
        ),
        (
            &["::1", "mx:a.example", "10.0.0.7:26=smtp", "10.0.0.0/24", "b.example", "a.example"],
            &["b.example", "10.0.0.9"],
        ),
    ];
    for (words, exclusions) in same {
        assert_eq!(digest(words, exclusions, Family::Any), one, "{words:?}");
    }
    let others: [(&[&str], &[&str]); 8] = [
        (&words[1..], &["10.0.0.9", "b.example"]),
        (&["10.0.0.0/24", "10.0.0.7:587", "a.example", "mx:a.example", "::1"], &["10.0.0.9", "b.example"]),
        (&["10.0.0.0/24", "10.0.0.7:26=ftp", "a.example", "mx:a.example", "::1"], &["10.0.0.9", "b.example"]),
        (&["10.0.0.0/24", "10.0.0.8:26", "a.example", "mx:a.example", "::1"], &["10.0.0.9", "b.example"]),
        (&["10.0.0.0/24", "10.0.0.7:26", "c.example", "mx:a.example", "::1"], &["10.0.0.9", "b.example"]),
        (&["10.0.0.0/24", "10.0.0.7:26", "a.example", "mx:c.example", "::1"], &["10.0.0.9", "b.example"]),
        (&words, &["10.0.0.9", "b.example", "192.0.2.1"]),
        (&words, &["10.0.0.9", "mx:b.example"]),
    ];
    let mut digests: Vec<_> = others.iter().map(|(words, exclusions)| digest(words, exclusions, Family::Any)).collect();
    digests.extend([one, digest(&words, &["10.0.0.9", "b.example"], Family::V4)]);
    digests.extend([digest(&words[..1], &[], Family::Any), digest(&words[..1], &[], Family::V4)]);
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count, "each differs from each");
}

#[test]
fn a_disk_that_fails_is_told() {
    let nowhere = Limits { folder: "/nowhere/at/all".into(), sorting: 0, table: 0 };
    let mut builder = TargetsBuilder::with_limits(nowhere);
    builder.add("10.0.0.1").unwrap().add("10.0.0.3").unwrap();
    let error = builder.build(&Ports::default(), Family::Any).unwrap_err().to_string();
    assert!(error.starts_with("so many targets need a temporary file in ") && error.contains("TMPDIR"), "{error}");
}

#[test]
fn a_table_that_cannot_be_read_is_no_end() {
    let mut builder = TargetsBuilder::with_limits(Limits { sorting: 0, table: 0, ..Limits::default() });
    builder.add("10.0.0.1").unwrap().add("a.example").unwrap();
    let targets = builder.build(&Ports::parse("25").unwrap(), Family::Any).unwrap();
    assert_eq!((all(&targets).len(), targets.failure()), (2, None));
    targets.table().break_disk();
    assert!(targets.endpoint(0).is_err());
    assert!(targets.failure().unwrap().starts_with("cannot read the targets from their temporary file"));
    let reason = targets.admits("10.0.0.1".parse().unwrap()).unwrap_err();
    assert!(reason.starts_with("it cannot be told whether 10.0.0.1"), "{reason}");
}

#[test]
fn a_record_that_nobody_wrote_is_an_error() {
    let default = Ports::default();
    for (first, last, mark) in [(1, 0, Mark::Default), (0, 1, Mark::Ports(1))] {
        let (mut assembly, mut record) =
            (Assembly::new(Interned::default(), &default, Family::Any, &Limits::default()), vec![]);
        encode(Place::Range { ipv6: false, first, last }, mark, &mut record);
        assert!(matches!(assembly.add(&record), Err(TargetsError::Storage(_))));
        assert!(matches!(assembly.add(&record[1..]), Err(TargetsError::Storage(_))));
    }
}

mod model;

/// What is excluded by name is not probed as somebody's mail exchange either.
#[test]
fn exchanges_are_excluded_by_name() {
    let mut builder = Targets::builder();
    builder.add("mx:example.com").unwrap();
    for word in ["mx.example.net", "a.example.net", "mx:mx.example.org"] {
        builder.exclude(word).unwrap();
    }
    let targets = builder.build(&Ports::default(), Family::Any).unwrap();
    let refused = targets.admits_exchange("mx.example.net").unwrap_err();
    assert_eq!(&*refused, "the exchange mx.example.net is excluded");
    assert!(targets.admits_exchange("a.example.net").is_err());
    assert_eq!(targets.admits_exchange("mx.example.org"), Ok(()), "that is the domain's exchanges, not the host");
}

/// `intranet` and `intranet.` may lead to different hosts, and are one name all the same.
#[test]
fn the_dot_of_the_root_makes_no_other_exclusion() {
    let words = ["intranet", "intranet.", "mx:intranet", "mx:intranet.", "intranet-2", "intranet.example", "b.example"];
    for name in ["intranet", "intranet.", "Intranet."] {
        let targets = without(&words, &[name]).unwrap();
        let left = ["intranet-2", "intranet.example", "b.example", "mx:intranet", "mx:intranet."];
        assert_eq!(targets.excluded(), 2, "{name}");
        let mut found: Vec<_> =
            (0..targets.len()).map(|i| targets.endpoint(i).unwrap().unwrap().host.to_string()).collect();
        found.sort_unstable_by_key(|host| left.iter().position(|name| name == host));
        assert_eq!(found, left, "{name}");
        assert!(targets.admits_exchange("intranet").is_err() && targets.admits_exchange("intranet.").is_err());
        assert_eq!(targets.digest(), without(&words, &["intranet"]).unwrap().digest(), "{name}");
        let targets = without(&words, &[&format!("mx:{name}")]).unwrap();
        assert_eq!((targets.len(), targets.excluded()), (5, 2), "{name}");
        assert_eq!(targets.admits_exchange("intranet"), Ok(()), "that is the domain's exchanges, not the host");
    }
    let targets = without(&words, &["intranet.example"]).unwrap();
    assert_eq!((targets.len(), targets.excluded()), (6, 1));
    assert!(targets.admits_exchange("intranet.example.").is_err());
    assert_eq!(targets.admits_exchange("intranet"), Ok(()));
}

#[test]
fn what_is_excluded_or_reserved_is_so_behind_nat64() {
    let words = ["64:ff9b::808:800/126", "8.8.8.0/30", "64:ff9b::7f00:1", "a.example"];
    let targets = without(&words, &["8.8.8.1-8.8.8.2", "10.0.0.0/8", "64:ff9b::909:909"]).unwrap();
    let expected = ["8.8.8.0", "8.8.8.3", "64:ff9b::808:800", "64:ff9b::808:803", "64:ff9b::7f00:1", "a.example"];
    let mut hosts: Vec<_> = all(&targets);
    hosts.sort_by_key(|host| expected.iter().position(|name| host.starts_with(&format!("{name} "))));
    assert_eq!(hosts, expected.map(|host| format!("{host} 25 smtp")));
    assert_eq!(targets.excluded(), 2 + 2);

    let admitted = |ip: &str| targets.admits(ip.parse().unwrap()).map_err(|reason| reason.to_string());
    for ip in ["64:ff9b::808:800", "64:ff9b::808:804", "64:ff9b::7f00:1", "9.9.9.9", "64:ff9b::1:808:801"] {
        assert_eq!(admitted(ip), Ok(()), "{ip}");
    }
    let table = [
        ("64:ff9b::808:801", "64:ff9b::808:801 is excluded: it is 8.8.8.1 behind NAT64"),
        ("64:ff9b::909:909", "64:ff9b::909:909 is excluded"),
        (
            "64:ff9b::e000:1",
            "64:ff9b::e000:1 is in 64:ff9b::e000:0/100, which is never probed (224.0.0.0/4 behind NAT64: multicast, \
             RFC 1112 §4)",
        ),
        (
            "64:ff9b::7f00:2",
            "64:ff9b::7f00:2 is in 64:ff9b::7f00:0/104 (127.0.0.0/8 behind NAT64: loopback, RFC 1122 §3.2.1.3): to probe \
             it where a name leads there, name 64:ff9b::7f00:2 or 64:ff9b::7f00:0/104 as a target too",
        ),
    ];
    for (ip, reason) in table {
        assert_eq!(admitted(ip), Err(reason.to_owned()));
    }
    let tolerated = |ip: &str| targets.tolerates(ip.parse().unwrap());
    assert_eq!(tolerated("64:ff9b::a00:1"), Err("it is excluded: it is 10.0.0.1 behind NAT64".into()));
    assert_eq!(tolerated("64:ff9b::c0a8:1"), Ok(()));
    assert!(tolerated("64:ff9b::e000:1").is_err());

    // Private at home is not private behind a translator: it is to be named there.
    let targets = without(&["192.168.0.0/24"], &[]).unwrap();
    assert_eq!(targets.admits("192.168.0.1".parse().unwrap()), Ok(()));
    assert!(targets.admits("64:ff9b::c0a8:1".parse().unwrap()).is_err());

    let targets = without(&["64:ff9b::/96"], &["1.0.0.0/8", "64:ff9b::200:0/104"]).unwrap();
    let v4 = without(&["0.0.0.0/0"], &["1.0.0.0-2.255.255.255"]).unwrap();
    assert_eq!((targets.len(), targets.excluded()), (v4.len(), 1 << 25));
    assert_eq!(targets.public_addresses(), v4.public_addresses());
    let left_out = |targets: &Targets| targets.not_probed().iter().map(|part| part.addresses).collect::<Vec<_>>();
    assert_eq!(left_out(&targets), left_out(&v4));
    let error = without(&["64:ff9b::808:800/120"], &["8.0.0.0/8"]).unwrap_err().to_string();
    assert_eq!(error, "nothing is left to probe: all 256 addresses and names among the targets are excluded");
    let only_v6 = builder(&["64:ff9b::808:800/127", "8.8.8.0"], &["8.8.8.0"]).build(&Ports::default(), Family::V6);
    assert_eq!(only_v6.unwrap().excluded(), 1);
}
