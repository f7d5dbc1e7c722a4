//! Against servers on loopback addresses: no question leaves the machine.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hickory_resolver::system_conf::parse_resolv_conf;

use super::super::Host;
use super::super::answers::AnswerBook;
use super::super::dns_server::DnsServer;
use super::super::names::{Found, Names};
use super::*;

const ZONE: &str = "\
both.example A 127.0.0.2
both.example A 127.0.0.1
both.example AAAA ::1
four.example A 127.0.0.1
six.example AAAA ::1
mapped.example AAAA ::ffff:127.0.0.9
neither.example MX 10 four.example
alias.example CNAME alias2.example
alias2.example CNAME both.example
bare.example CNAME both.example ALONE
dangling.example CNAME gone.example
round.example CNAME about.example ALONE
about.example CNAME round.example ALONE
empty-alias.example CNAME neither.example
servfail.example ANY SERVFAIL
refused.example ANY REFUSED
silent.example ANY SILENCE
large.example A TRUNCATED
large.example A 127.0.0.1
large.example A 127.0.0.2
_under_score.example A 127.0.0.1
xn--bcher-kva.example A 127.0.0.1
half.example A 127.0.0.1
half.example AAAA SERVFAIL
other-half.example AAAA SERVFAIL
other-half.example MX 10 four.example";

/// `none: REASON`, or the addresses.
fn addresses(words: &str) -> Result<Vec<IpAddr>, NoAddress> {
    match words.strip_prefix("none: ") {
        Some(reason) => Err(NoAddress::None(reason.into())),
        None => Ok(words.split(' ').map(|ip| ip.parse().unwrap()).collect()),
    }
}

fn unknown(reason: &str) -> NoAddress {
    NoAddress::Unknown(reason.into())
}

/// Servers that are given up soon. A test whose server is to answer leaves them their time.
fn impatient(servers: &[SocketAddr]) -> Resolver {
    let mut options = ResolverOpts::default();
    options.timeout = Duration::from_secs(1);
    let dns = Dns::new(&with_servers(servers), options).unwrap();
    Setup { hosts: Hosts::default(), dns: Ok(dns) }.into()
}

/// As a system is set up whose files are these, but for the servers' addresses.
fn system(resolv_conf: &str, hosts: &str, server: &DnsServer) -> Resolver {
    let (config, options) = parse_resolv_conf(format!("nameserver 127.0.0.1\n{resolv_conf}\n")).unwrap();
    let (domain, search, _) = config.into_parts();
    let (.., servers) = with_servers(&[server.address]).into_parts();
    let dns = Dns::new(&ResolverConfig::from_parts(domain, search, servers), options).unwrap();
    let mut lines = Hosts::default();
    lines.read_hosts_conf(hosts.as_bytes()).unwrap();
    Setup { hosts: lines, dns: Ok(dns) }.into()
}

#[tokio::test]
async fn answers_are_told_apart() {
    let server = DnsServer::start(ZONE).await;
    let resolver = Resolver::new(&[server.address]).unwrap();
    let (no_name, no_data) = (addresses("none: no such name"), addresses("none: the name has no address"));
    let servfail = Err(unknown("the resolver answered SERVFAIL"));
    let table = [
        ("both.example", Family::Any, addresses("127.0.0.1 127.0.0.2 ::1")),
        ("BOTH.Example.", Family::Any, addresses("127.0.0.1 127.0.0.2 ::1")),
        ("four.example", Family::V6, addresses("127.0.0.1")),
        ("six.example", Family::Any, addresses("::1")),
        ("mapped.example", Family::Any, addresses("127.0.0.9")),
        ("alias.example", Family::Any, addresses("127.0.0.1 127.0.0.2 ::1")),
        ("bare.example", Family::Any, addresses("127.0.0.1 127.0.0.2 ::1")),
        ("_under_score.example", Family::Any, addresses("127.0.0.1")),
        ("xn--bcher-kva.example", Family::Any, addresses("127.0.0.1")),
        ("gone.example", Family::Any, no_name.clone()),
        ("dangling.example", Family::Any, no_name.clone()),
        ("neither.example", Family::Any, no_data.clone()),
        ("empty-alias.example", Family::Any, no_data.clone()),
        ("round.example", Family::Any, no_data.clone()),
        ("servfail.example", Family::Any, servfail.clone()),
        ("refused.example", Family::Any, Err(unknown("the resolver answered REFUSED"))),
        ("half.example", Family::Any, addresses("127.0.0.1")),
        ("half.example", Family::V4, addresses("127.0.0.1")),
        ("half.example", Family::V6, servfail.clone()),
        ("other-half.example", Family::Any, servfail),
        ("other-half.example", Family::V4, no_data),
        ("nosuch.invalid", Family::Any, no_name),
        ("localhost", Family::Any, addresses("127.0.0.1 ::1")),
        ("localhost.", Family::Any, addresses("127.0.0.1 ::1")),
    ];
    for (name, wanted, expected) in table {
        assert_eq!(resolver.addresses(name, wanted).await, expected, "{name}, {wanted:?}");
    }
    assert!(!server.asked().iter().any(|asked| asked.starts_with("localhost") || asked.contains(".invalid")));
}

#[tokio::test]
async fn what_does_not_fit_is_fetched_over_tcp() {
    let server = DnsServer::start(ZONE).await;
    let resolver = Resolver::new(&[server.address]).unwrap();
    assert_eq!(resolver.addresses("large.example", Family::Any).await, addresses("127.0.0.1 127.0.0.2"));
    assert_eq!(server.asked(), ["large.example. A tcp", "large.example. A udp", "large.example. AAAA udp"]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_told() {
    let server = DnsServer::start(ZONE).await;
    let silent = impatient(&[server.address]).addresses("silent.example", Family::Any).await;
    assert_eq!(silent, Err(unknown("the resolver does not answer")));
}

#[tokio::test]
async fn where_one_server_fails_the_next_is_asked() {
    let good = DnsServer::start(ZONE).await;
    for fault in ["REFUSED", "SERVFAIL", "SILENCE"] {
        let bad = DnsServer::start(&format!("* ANY {fault}")).await;
        let resolver = impatient(&[bad.address, good.address]);
        assert_eq!(resolver.addresses("four.example", Family::Any).await, addresses("127.0.0.1"), "{fault}");
        for _ in 0..3 {
            assert_eq!(
                resolver.addresses("gone.example", Family::Any).await,
                addresses("none: no such name"),
                "{fault}"
            );
        }
        assert!(bad.asked().iter().all(|asked| asked.starts_with("four.example.")), "who answered last is asked first");
    }
}

#[tokio::test]
async fn search_domains_are_for_names_without_a_dot() {
    let server = DnsServer::start(
        "printer.corp.example A 127.0.0.1\n\
         printer A 127.0.0.3\n\
         nodata.lab.example MX 1 a.example\n\
         broken.corp.example ANY SERVFAIL\n\
         broken.lab.example A 127.0.0.1\n\
         mail.gone.example.corp.example A 127.0.0.9\n\
         a.b.corp.example A 127.0.0.4",
    )
    .await;
    let resolver = system("search corp.example lab.example", "", &server);
    let table = [
        ("printer", addresses("127.0.0.1")),
        ("printer.", addresses("127.0.0.3")),
        ("nodata", addresses("none: the name has no address")),
        ("broken", Err(unknown("the resolver answered SERVFAIL"))),
        ("gone", addresses("none: no such name")),
        ("mail.gone.example", addresses("none: no such name")),
    ];
    for (name, expected) in table {
        assert_eq!(resolver.addresses(name, Family::V4).await, expected, "{name}");
    }
    assert_eq!(
        resolver.exchanges("nodata").await,
        Err(NoAddress::None("no such name".into())),
        "no search for domains"
    );
    let in_full = async |name| resolver.by_kind(name).await.name;
    for (name, expected) in [
        ("printer", Some("printer.corp.example.")),
        ("printer.", Some("printer.")),
        ("nodata", Some("nodata.lab.example.")),
        ("broken", Some("broken.corp.example.")),
        ("gone", None),
    ] {
        assert_eq!(in_full(name).await.as_deref(), expected, "{name}");
    }
    let resolver = system("search corp.example\noptions ndots:2", "", &server);
    assert_eq!(resolver.addresses("a.b", Family::V4).await, addresses("127.0.0.4"));
}

#[tokio::test]
async fn the_hosts_file_comes_first() {
    let server = DnsServer::start(ZONE).await;
    let hosts = "127.0.0.7 Both.example other\n::1 six.example # comment\n127.0.0.8 other\n";
    let resolver = system("", hosts, &server);
    assert_eq!(resolver.addresses("both.example", Family::Any).await, addresses("127.0.0.7"));
    assert_eq!(resolver.addresses("other", Family::Any).await, addresses("127.0.0.7 127.0.0.8"));
    assert_eq!(resolver.addresses("six.example", Family::V4).await, addresses("::1"), "which is the other family");
    let told = resolver.by_kind("other").await;
    assert_eq!((told.name, told.aaaa), (None, Err(Miss::NoData)), "there is nothing to ask DNS about");
    assert_eq!(server.asked(), [""; 0]);
    assert_eq!(resolver.addresses("four.example", Family::Any).await, addresses("127.0.0.1"));
}

#[test]
fn servers_are_checked_and_need_no_runtime_yet() {
    assert!(Resolver::new(&["127.0.0.1:53".parse().unwrap(), "[::1]:5353".parse().unwrap()]).is_ok());
    let refused = Resolver::new(&[]).unwrap_err().to_string();
    assert!(refused.contains("no server"), "{refused}");
    for server in ["127.0.0.1:0", "0.0.0.0:53", "[::]:53"] {
        let refused = Resolver::new(&[server.parse().unwrap()]).unwrap_err().to_string();
        assert!(refused.starts_with(server), "{refused}");
    }
}

#[tokio::test]
async fn exchanges_are_what_the_domain_says() {
    let server = DnsServer::start(
        "corp.example MX 20 MX2.example\n\
         corp.example MX 10 mx1.example\n\
         alias.example CNAME corp.example\n\
         null.example MX 0 .\n\
         nomx.example A 127.0.0.1\n\
         broken.example ANY REFUSED",
    )
    .await;
    let resolver = Resolver::new(&[server.address]).unwrap();
    let corp: &[_] = &[(10, "mx1.example."), (20, "MX2.example.")];
    for (domain, expected) in [("corp.example", corp), ("alias.example", corp), ("null.example", &[(0, ".")])] {
        let mut exchanges = resolver.exchanges(domain).await.unwrap();
        exchanges.sort_by_key(|exchange| exchange.preference);
        let told: Vec<_> = exchanges.iter().map(|exchange| (exchange.preference, &*exchange.name)).collect();
        assert_eq!(told, expected, "{domain}");
    }
    assert_eq!(resolver.exchanges("nomx.example").await, Ok(vec![]));
    assert_eq!(resolver.exchanges("gone.example").await, Err(NoAddress::None("no such name".into())));
    assert_eq!(resolver.exchanges("broken.example").await, Err(unknown("the resolver answered REFUSED")));
}

/// From the `mx:` of a domain to the addresses of its exchanges, each the way it really goes.
#[tokio::test]
async fn a_domain_leads_to_its_exchanges() {
    let server = DnsServer::start(
        "corp.example MX 20 two.example\n\
         corp.example MX 10 one.example\n\
         corp.example MX 10 alias.example\n\
         corp.example MX 30 one.example\n\
         corp.example MX 40 gone.example\n\
         corp.example MX 50 six.example\n\
         corp.example MX 60 10.0.0.1\n\
         one.example A 127.0.0.1\n\
         one.example AAAA ::1\n\
         alias.example CNAME two.example\n\
         two.example A 127.0.0.1\n\
         two.example A 127.0.0.2\n\
         six.example AAAA ::1",
    )
    .await;
    let resolver = Arc::new(Resolver::new(&[server.address]).unwrap());
    let names = Names::new(Family::V4, resolver, Arc::new(AnswerBook::temporary()));
    let answer = names.answer(0, &Host::Mx("corp.example".into())).await.unwrap();
    let told = answer.iter().map(|Found { exchange, address }| {
        let Exchange { name, preference } = exchange.clone().unwrap();
        match address {
            Ok(ip) => format!("{preference} {name} {ip}"),
            Err(NoAddress::None(reason)) => format!("{preference} {name}: {reason}"),
            Err(NoAddress::Unknown(reason)) => panic!("{name}: {reason}"),
        }
    });
    let expected = [
        "10 alias.example 127.0.0.1",
        "10 alias.example 127.0.0.2",
        "10 one.example 127.0.0.1",
        "20 two.example 127.0.0.1",
        "20 two.example 127.0.0.2",
        "40 gone.example: no such name",
        "50 six.example: the name has addresses of the other family only",
        "60 10.0.0.1: the mail exchange is an address: an MX must name a host (RFC 5321 §5.1)",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// More names than a resolver's connection takes questions: none is lost, over UDP or over TCP.
#[tokio::test]
async fn many_names_at_once() {
    let zone: Vec<_> = (0..400u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let truncated = if number % 2 == 0 { format!("h{number}.example A TRUNCATED\n") } else { String::new() };
            format!("{truncated}h{number}.example A 127.1.{high}.{low}")
        })
        .collect();
    let server = DnsServer::start(&zone.join("\n")).await;
    let resolver = Arc::new(Resolver::new(&[server.address]).unwrap());
    let names = Names::new(Family::V4, resolver, Arc::new(AnswerBook::temporary()));
    let begun = Instant::now();
    let answers = join_all((0..400u16).map(async |number| {
        let host = Host::Name(format!("h{number}.example").into());
        (number, names.answer(number.into(), &host).await)
    }));
    for (number, answer) in answers.await {
        let [high, low] = number.to_be_bytes();
        let expected = [Found { exchange: None, address: Ok([127, 1, high, low].into()) }];
        assert_eq!(answer.as_deref(), Ok(&expected[..]), "{number}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "nothing waits for a deadline: {:?}", begun.elapsed());
}
