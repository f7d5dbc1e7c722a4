use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::observation::{EvidenceCode, Grade};

fn service(port: u16) -> Service {
    match port {
        21 => Service::Ftp,
        990 => Service::Ftps,
        465 => Service::Smtps,
        587 => Service::Submission,
        _ => Service::Smtp,
    }
}

fn glimpse(ip: impl Into<IpAddr>, port: u16, outcome: Outcome) -> Glimpse<'static> {
    Glimpse {
        ip: ip.into(),
        port,
        service: service(port),
        outcome,
        banner_hash: None,
        greeting: Words::Bytes(b""),
        closed_after: None,
        seen_as: None,
        decoy_accepted: false,
    }
}

fn greets(ip: impl Into<IpAddr>, port: u16, greeting: &'static str) -> Glimpse<'static> {
    let mut hash = [0; 32];
    for (place, byte) in greeting.bytes().enumerate() {
        hash[place % 8] = u8::wrapping_mul(hash[place % 8], 31) ^ byte;
    }
    let greeting = Words::Bytes(greeting.as_bytes());
    Glimpse { banner_hash: Some(hash), greeting, ..glimpse(ip, port, Outcome::Greeted) }
}

fn closes(ip: impl Into<IpAddr>, millis: u64) -> Glimpse<'static> {
    Glimpse { closed_after: Some(Duration::from_millis(millis)), ..glimpse(ip, 25, Outcome::Closed) }
}

fn sees_us(ip: impl Into<IpAddr>, seen_as: [u8; 4]) -> Glimpse<'static> {
    let ip = ip.into();
    Glimpse { seen_as: Some(seen_as.into()), ..glimpse(ip, 25, Outcome::Greeted) }
}

fn learnt<'a>(glimpses: impl IntoIterator<Item = Glimpse<'a>>) -> Sweep {
    let mut sweep = Sweep::default();
    for glimpse in glimpses {
        sweep.learn(&glimpse);
    }
    sweep
}

/// What is told of them.
fn told<'a>(glimpses: impl IntoIterator<Item = Glimpse<'a>>) -> Vec<String> {
    learnt(glimpses).overview().middleboxes().iter().map(ToString::to_string).collect()
}

/// The addresses of 192.0.2.0/24 in such a range.
fn hosts(range: std::ops::Range<u8>) -> impl Iterator<Item = [u8; 4]> + Clone {
    range.map(|host| [192, 0, 2, host])
}

/// Whether what is told of them begins so, and is nothing else.
fn assert_told<'a>(glimpses: impl IntoIterator<Item = Glimpse<'a>>, beginnings: &[&str]) {
    let told = told(glimpses);
    let fits = told.iter().zip(beginnings).all(|(told, beginning)| told.starts_with(beginning));
    assert!(told.len() == beginnings.len() && fits, "{told:#?} should be {beginnings:#?}");
}

#[test]
fn a_host_that_greets_alike_on_both_families() {
    let host = [192, 0, 2, 1];
    assert_told(
        [greets(host, 587, "220 hi"), greets(host, 21, "220 hi"), greets(host, 25, "220 mail ESMTP")],
        &["192.0.2.1: greets alike on ports 21, 587 (\"220 hi\"): a middlebox or honeypot"],
    );
    // One mail server on all of its ports, and two hosts that share a greeting but no port's family.
    assert_told([25, 465, 587].map(|port| greets(host, port, "220 mail ESMTP")), &[]);
    assert_told([greets(host, 21, "220 hi"), greets([192, 0, 2, 2], 25, "220 hi")], &[]);
}

#[test]
fn a_network_that_greets_alike() {
    let ports = [21, 25, 587];
    let all = hosts(1..255).flat_map(|ip| ports.map(|port| greets(ip, port, "220 ready\r\n")));
    let line = "192.0.2.0/24: 254 addresses greet alike on ports 21, 25, 587 (\"220 ready\"): a middlebox or honeypot \
                that answers for the whole network; its rows say nothing about servers";
    assert_eq!(told(all.clone()), [line]);

    // Another port that refuses changes nothing; some that do not answer and some that greet otherwise do little.
    let refused = hosts(0..255).map(|ip| glimpse(ip, 990, Outcome::Refused));
    assert_told(all.chain(refused), &[line]);
    let nearly = |alike: u8, odd: u8, dead: u8| {
        let alike_ones = hosts(0..alike).map(|ip| greets(ip, 25, "220 ready"));
        let odd_ones = hosts(alike..alike + odd).map(|ip| greets(ip, 25, "220 odd"));
        alike_ones
            .chain(odd_ones)
            .chain(hosts(alike + odd..alike + odd + dead).map(|ip| glimpse(ip, 25, Outcome::Timeout)))
    };
    assert_told(nearly(95, 5, 5), &["192.0.2.0/24: 95 addresses"]);
    assert_told(nearly(94, 6, 0), &[]);
    assert_told(nearly(95, 0, 6), &[]);
}

#[test]
fn farms_and_lists_are_no_middleboxes() {
    // 30 of 256 addresses with the default of their software.
    let farm = hosts(0..30).map(|ip| greets(ip, 21, "220 ProFTPD Server ready."));
    let rest = hosts(30..255).map(|ip| glimpse(ip, 21, Outcome::Refused));
    assert_told(farm.clone().chain(rest.clone()), &[]);
    assert_told(rest.chain(farm), &[]);
    // As many known servers of one kind, and nothing else probed.
    assert_told(hosts(10..40).map(|ip| greets(ip, 21, "220 (vsFTPd 3.0.3)")), &[]);
    // So few are one thing only where they say it in both families.
    let few = |count| hosts(0..count).flat_map(|ip| [21, 25].map(|port| greets(ip, port, "220 hi")));
    assert_told(few(16), &["192.0.2.0/24: 16 addresses greet alike on ports 21, 25"]);
    let lone = hosts(0..15).map(|ip| format!("{}: greets alike", IpAddr::from(ip))).collect::<Vec<_>>();
    assert_told(few(15), &lone.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn where_only_answers_are_told_nearly_all_must_be_alike() {
    for (count, expected) in [(229, 0), (230, 1)] {
        let mut sweep = learnt(hosts(0..count).map(|ip| greets(ip, 25, "220 hi")));
        sweep.hears_of_answers_only();
        assert_eq!(sweep.overview().middleboxes().len(), expected, "{count}");
    }
}

#[test]
fn an_address_counts_once() {
    let again = (0..100).flat_map(|_| hosts(0..10).map(|ip| greets(ip, 25, "220 hi")));
    assert_told(again, &[]);
}

#[test]
fn neighbouring_networks_are_told_as_one() {
    let all = (0..4u8).flat_map(|net| (0..=255u8).map(move |host| greets([10, 1, net, host], 25, "220 hi")));
    assert_told(all.clone(), &["10.1.0.0/22: 1,024 addresses greet alike on port 25 (\"220 hi\")"]);
    let other = (0..=255u8).map(|host| greets([10, 1, 4, host], 25, "220 ho"));
    assert_told(all.chain(other), &["10.1.0.0/22: 1,024", "10.1.4.0/24: 256"]);
}

#[test]
fn a_network_of_ipv6() {
    let address = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]);
    let all = (0..128).map(|host| greets(address(host), 25, "220 hi"));
    assert_told(all, &["2001:db8::/64: at least 128 addresses greet alike on port 25"]);
}

#[test]
fn hosts_that_accept_everything() {
    use Outcome::{Closed, Greeted, Refused, Reset, Silent, TlsFailed};

    let host = [192, 0, 2, 1];
    let ports = |outcomes: [Outcome; 5]| {
        [21, 25, 465, 587, 990].into_iter().zip(outcomes).map(|(port, outcome)| match outcome {
            Outcome::Greeted => greets(host, port, "220 hi"),
            outcome => glimpse(host, port, outcome),
        })
    };
    let line = "192.0.2.1: accepts on every port: a SYN proxy";
    assert_told(ports([Silent, Greeted, TlsFailed, Silent, TlsFailed]), &[line]);
    // Whoever hangs up is there, and does not want us.
    for end in [Closed, Reset] {
        assert_told(ports([end; 5]), &[]);
        assert_told(ports([Silent, Silent, Silent, Silent, end]), &[]);
        assert_told(ports([end, end, TlsFailed, end, TlsFailed]), &[]);
    }
    // One port refuses; most speak; they end in different ways; TLS alone does not tell.
    assert_told(ports([Silent, Silent, TlsFailed, Refused, TlsFailed]), &[]);
    assert_told(ports([Greeted, Greeted, Greeted, Silent, Silent]).filter(|glimpse| glimpse.port != 21), &[]);
    assert_told(ports([Silent, Greeted, TlsFailed, Closed, TlsFailed]), &[]);
    assert_told(ports([Silent, Greeted, TlsFailed, Greeted, TlsFailed]), &[]);
    assert_told(ports([Silent, Silent, Silent, Silent, Silent]).filter(|glimpse| glimpse.port < 587), &[]);
    // A port that was tried elsewhere was tried here.
    let elsewhere = glimpse([192, 0, 2, 2], 2525, Refused);
    assert_told(ports([Silent; 5]).chain([elsewhere]), &[]);

    let decoy = |ip| Glimpse { decoy_accepted: true, ..greets(ip, 25, "220 mail ESMTP") };
    assert_told([decoy(host)], &[line]);
    assert_told(hosts(0..20).map(decoy), &["192.0.2.0/24: 20 addresses accept on every port"]);
}

#[test]
fn closing_times_are_shared_where_they_are_sharp() {
    let proxies = |count: u8| (0..count).map(|host| closes([10, 0, host, 1], 3990 + 10 * u64::from(host % 3)));
    let noise = |step: u64| (0..50u8).map(move |host| closes([10, 1, host, 1], 3500 + step * u64::from(host)));
    let shared =
        |glimpses: Vec<Glimpse<'static>>, at| learnt(glimpses).overview().closings_shared(Duration::from_millis(at));
    assert_eq!(shared(proxies(6).collect(), 4000), Some(6));
    assert_eq!(shared(proxies(2).collect(), 4000), None);
    assert_eq!(shared(proxies(6).collect(), 4200), None);
    // One host on six ports is no six hosts.
    assert_eq!(shared((0..6).map(|_| closes([10, 0, 0, 1], 4000)).collect(), 4000), None);
    // Closed at any time, of which some fall together.
    assert_eq!(shared(noise(20).collect(), 4000), None);
    assert_eq!(shared(noise(20).chain(proxies(5)).collect(), 4000), None);
    assert_eq!(shared(noise(200).chain(proxies(6)).collect(), 4000), Some(6));
    // Nor is what a resolver takes to give up.
    for (at, expected) in [(5000, None), (5090, None), (10_000, None), (9910, None), (4800, Some(9)), (10_200, Some(9))]
    {
        assert_eq!(shared((0..9u8).map(|host| closes([10, 0, host, 1], at)).collect(), at), expected, "{at}");
    }
    // At once is no time.
    assert_eq!(shared((0..9u8).map(|host| closes([10, 0, host, 1], 399)).collect(), 399), None);
}

#[test]
fn the_usual_address_is_the_majoritys() {
    let usual = [198, 51, 100, 7];
    let outside = |count: u8| (0..count).map(move |host| sees_us([203, 0, 113, host], usual));
    let host = IpAddr::from([203, 0, 113, 0]);
    for (count, expected) in [(2, None), (3, Some(IpAddr::from(usual)))] {
        let sweep = learnt(outside(count));
        assert_eq!((sweep.usual(host), sweep.overview().usual(host)), (expected, expected), "{count}");
    }
    // The same host three times over.
    assert_eq!(learnt(outside(1).chain(outside(1)).chain(outside(1))).usual(host), None);

    // An office behind NAT: inside it is another address that is usual.
    let inside = (0..9u8).map(|host| sees_us([10, 0, 0, host], [10, 0, 0, 99]));
    let proxied = sees_us([203, 0, 113, 77], [10, 9, 9, 9]);
    let overview = learnt(outside(5).chain(inside).chain([proxied])).overview();
    assert_eq!((overview.usual(host), overview.seen_elsewhere()), (Some(usual.into()), 1));
    let evidence = overview.evidence(&proxied, &[]);
    assert_eq!((evidence[0].code, evidence[0].grade), (EvidenceCode::ForeignClientAddress, Grade::Strong));
    assert_eq!(evidence[0].code.grade(proxied.service, evidence[0].excerpt.as_deref()), Grade::Strong);
    assert_eq!(evidence[0].excerpt.as_deref(), Some("10.9.9.9, most servers see 198.51.100.7"));
    assert!(overview.evidence(&proxied, &[[10, 9, 9, 9].into()]).is_empty());
    assert!(overview.evidence(&sees_us([10, 0, 0, 3], [10, 0, 0, 99]), &[]).is_empty());
}

#[test]
fn rows_of_a_middlebox_are_known_by_their_words() {
    let all = hosts(0..250).flat_map(|ip| [21, 25].map(|port| greets(ip, port, "220 hi")));
    let real = greets([192, 0, 2, 252], 25, "220 mail.example.com ESMTP");
    let overview = learnt(all.chain([real])).overview();
    let alike = greets([192, 0, 2, 3], 25, "220 hi");
    assert!(overview.is_of_a_middlebox(&alike));
    assert!(overview.is_of_a_middlebox(&glimpse([192, 0, 2, 3], 465, Outcome::TlsFailed)));
    assert!(!overview.is_of_a_middlebox(&real) && overview.evidence(&real, &[]).is_empty());
    assert!(!overview.is_of_a_middlebox(&greets([192, 0, 3, 3], 25, "220 hi")));
    let evidence = overview.evidence(&alike, &[]);
    assert_eq!((evidence[0].code, evidence[0].grade), (EvidenceCode::SameEverywhere, Grade::Moderate));
    assert_eq!(evidence[0].excerpt.as_deref(), Some("as on 250 addresses of 192.0.2.0/24"));
}

#[test]
fn what_is_not_watched_is_said() {
    let bounds = Bounds { hosts: 64, networks: 4, unanswered: 4 };
    let mut sweep = Sweep::new(bounds);
    for net in 0..16 {
        for host in 0..=255 {
            sweep.learn(&greets([10, 0, net, host], 25, "220 hi"));
        }
    }
    let overview = sweep.overview();
    let watched = overview.watched();
    assert!(!watched.is_all() && watched.hosts == 64 && watched.networks == 4);
    assert!((6..60).contains(&watched.of_networks), "{watched:?}");
    assert_eq!(overview.middleboxes().iter().map(|it| it.addresses).sum::<u64>(), 4 * 256);
}

/// Some of everything, of which each endpoint comes once.
fn rows() -> impl Strategy<Value = Vec<Glimpse<'static>>> {
    let said = prop_oneof![
        6 => Just(Some("220 alike")),
        1 => Just(Some("220 other")),
        1 => Just(None),
    ];
    let endpoint = (0..3u8, 0..40u8, proptest::sample::select(vec![21, 25, 587, 990]));
    let kind = (said, 0..5u8, 0..8u64);
    proptest::collection::hash_map(endpoint, kind, 0..400).prop_map(|endpoints| {
        let glimpses = endpoints.into_iter().map(|((net, host, port), (said, kind, number))| {
            let ip = [10, 0, net, host];
            match (said, kind) {
                (Some(greeting), _) => Glimpse { decoy_accepted: number == 0, ..greets(ip, port, greeting) },
                (None, 0) => Glimpse { port, service: service(port), ..closes(ip, 990 + number * 5) },
                (None, 1) => {
                    let seen_as = [198, 51, 100, u8::try_from(number / 5).unwrap()];
                    Glimpse { port, service: service(port), ..sees_us(ip, seen_as) }
                }
                (None, 2) => glimpse(ip, port, Outcome::Silent),
                (None, _) => glimpse(ip, port, Outcome::Refused),
            }
        });
        glimpses.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn order_makes_no_difference((rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))) {
        for bounds in [Bounds::SCAN, Bounds { hosts: 16, networks: 2, unanswered: 2 }] {
            let [one, other] = [&rows, &shuffled].map(|rows| {
                let mut sweep = Sweep::new(bounds);
                for row in rows {
                    sweep.learn(row);
                }
                sweep.overview()
            });
            prop_assert_eq!(one.middleboxes(), other.middleboxes());
            prop_assert_eq!(one.watched(), other.watched());
            prop_assert_eq!(one.seen_elsewhere(), other.seen_elsewhere());
            for row in &rows {
                prop_assert_eq!(one.evidence(row, &[]), other.evidence(row, &[]));
                prop_assert_eq!(one.is_of_a_middlebox(row), other.is_of_a_middlebox(row));
            }
            let times = (0..20).map(|step| Duration::from_millis(900 + 10 * step));
            prop_assert!(times.into_iter().all(|at| one.closings_shared(at) == other.closings_shared(at)));
        }
    }

    /// The short way to the least excerpt comes to the same as the long one.
    #[test]
    fn the_least_excerpt(known in "[ -~\\\\é]{0,70}", said in proptest::collection::vec(any::<u8>(), 0..12), same: bool) {
        let words = if same { [known.as_bytes(), &said].concat() } else { said };
        let words = Words::Bytes(&words);
        let known = Words::Bytes(known.as_bytes()).excerpt().into_boxed_str();
        let expected = known.clone().min(words.excerpt().into_boxed_str());
        prop_assert_eq!(words.least(Some(known)), expected);
    }
}
