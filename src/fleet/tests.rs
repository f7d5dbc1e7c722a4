//! The fleet held against itself, and the scanner against the fleet.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use futures::StreamExt;

use super::*;
use crate::observation::{CertificateStatus, Observation, Outcome, Protocol, TlsUse};
use crate::{Family, Ports, Scan, Targets};

/// A fleet that no other test has: several test programs may run at once.
fn config(test: u8, hosts: u32) -> Config {
    let pid = std::process::id();
    let block = u8::try_from(pid % 100).unwrap();
    let first = Ipv4Addr::new(127, 100 + block, test, u8::try_from(pid / 100 % 64).unwrap() + 1);
    Config { hosts, first, pause: Duration::from_millis(300), ..Config::default() }
}

fn default_roster(seed: u64) -> Roster {
    Roster::new(Config { seed, ..Config::default() }).unwrap()
}

#[test]
fn truths_follow_from_the_seed() {
    let truths = |seed| default_roster(seed).truths().take(500).collect::<Vec<_>>();
    assert_eq!(truths(1), truths(1));
    assert_ne!(truths(1), truths(2));
    let roster = default_roster(1);
    assert!(roster.truths().take(500).all(|truth| roster.truth(truth.address) == Some(truth)));
}

#[test]
fn everything_occurs() {
    for seed in 1..4 {
        let truths: Vec<_> = default_roster(seed).truths().collect();
        let answers = || truths.iter().flat_map(|truth| &truth.answers);
        let kinds: BTreeSet<_> = truths.iter().map(|truth| truth.kind).collect();
        for kind in Kind::ALL {
            assert!(kinds.contains(&kind) || kind == Kind::Dark && cfg!(not(target_os = "linux")), "{seed}: {kind}");
        }
        let wordlists = [include_str!("../../wordlists/ftp.toml"), include_str!("../../wordlists/smtp.toml")];
        let entries = wordlists.iter().flat_map(|list| list.split("[[signature]]\n"));
        let greeted = entries.filter(|entry| !entry.contains("\nsaid = "));
        let signatures: BTreeSet<_> = greeted.filter_map(|entry| entry.lines().next()?.strip_prefix("id = ")).collect();
        let met: BTreeSet<_> =
            answers().filter_map(|answer| Some(format!("\"{}\"", answer.product.as_ref()?.signature))).collect();
        assert!(signatures.len() > 50);
        assert!(met.iter().all(|id| signatures.contains(id.as_str())), "{seed}");
        // Each server draws one example among hundreds, so a few signatures are left out.
        assert!(met.len() * 10 >= signatures.len() * 8, "{seed}: {} of {}", met.len(), signatures.len());
        let statuses: BTreeSet<_> =
            answers().filter_map(|answer| answer.cert_status).map(CertificateStatus::as_str).collect();
        assert_eq!(statuses.into_iter().collect::<Vec<_>>(), ["expired", "not_yet_valid", "self_signed", "untrusted"]);
        let protocols: BTreeSet<_> = answers().filter_map(|answer| answer.protocol).collect();
        assert_eq!(protocols.len(), 8, "{protocols:?}");
        assert!(protocols.contains(&Protocol::Tls));
        let dark = truths.iter().filter(|truth| truth.kind == Kind::Dark).count();
        assert!(dark < 40, "each costs a connect timeout: {dark}");
    }
}

#[test]
fn truths_are_lines_of_json() {
    for truth in default_roster(1).truths().take(1000) {
        let line = truth.to_json();
        let value: serde_json::Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(value["outcome"], truth.answers[0].outcome.as_str());
        assert_eq!(value["software"].as_str(), truth.answers[0].product.as_ref().map(|product| &*product.name));
        assert_eq!(value["or"].is_object(), truth.kind == Kind::RoundRobin, "{line}");
        assert!(!line.contains('\n'));
    }
}

#[test]
fn files_are_counted_and_their_limit_is_told() {
    let roster = default_roster(1);
    assert!((4000..5000).contains(&roster.files()));
    let fitting = hosts_within(20_000);
    assert!(Roster::new(Config { hosts: fitting, ..Config::default() }).unwrap().files() <= 20_000 - RESERVED_FILES);
    let error = Error::Files { hosts: 5000, needed: 21_000, limit: 20_000, fitting };
    assert!(error.to_string().contains("at most 3936 hosts"), "{error}");
}

/// The rows of a sweep over a whole fleet, by the library.
fn sweep(roster: &Roster) -> Vec<Observation> {
    let mut targets = Targets::builder();
    targets.add(&roster.target()).unwrap();
    let targets = targets.build(&Ports::parse(&roster.ports()).unwrap(), Family::Any).unwrap();
    let config = crate::Config {
        all: true,
        connect_timeout: Duration::from_secs(2),
        tls_timeout: Duration::from_secs(6),
        mail_greeting_timeout: Duration::from_secs(6),
        ftp_greeting_timeout: Duration::from_secs(6),
        concurrency: std::num::NonZeroUsize::new(200),
        depth: roster.config.depth,
        ..crate::Config::default()
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        Scan::builder().targets(targets).config(config).build().unwrap().run().map(|row| *row).collect().await
    })
}

fn every_row_is_true(config: Config) {
    let fleet = Roster::new(config).unwrap().start().unwrap();
    let rows = sweep(fleet.roster());
    let mut truths: HashMap<_, _> = fleet.roster().truths().map(|truth| (truth.address, truth)).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let address = SocketAddr::new(row.ip.unwrap(), row.port);
        let truth = truths.remove(&address).expect("one row for each endpoint");
        let mistakes = truth.mistakes(row);
        wrong.extend(mistakes.iter().map(|mistake| format!("{address} {}: {mistake}", truth.kind)));
    }
    assert!(truths.is_empty(), "missed: {truths:?}");
    assert!(wrong.is_empty(), "{config:?}\n{}", wrong.join("\n"));
}

#[test]
#[cfg(target_os = "linux")]
fn every_row_of_a_sweep_is_true() {
    every_row_is_true(config(1, 150));
}

#[test]
#[cfg(target_os = "linux")]
fn every_row_that_tells_features_is_true() {
    every_row_is_true(Config { depth: Depth::Features, ..config(6, 100) });
}

#[test]
#[cfg(target_os = "linux")]
fn every_row_of_a_sweep_in_depth_is_true() {
    every_row_is_true(Config { depth: Depth::Tls, ..config(7, 150) });
}

#[test]
fn everything_is_answered_to_those_who_ask() {
    for seed in 1..4 {
        let roster = Roster::new(Config { seed, depth: Depth::Tls, ..Config::default() }).unwrap();
        let answers: Vec<_> = roster.truths().flat_map(|truth| truth.answers).collect();
        let uses: BTreeSet<_> = answers.iter().filter_map(|answer| answer.tls).map(TlsUse::as_str).collect();
        let all = ["auth_tls", "failed", "implicit", "not_offered", "refused", "starttls"];
        assert_eq!(uses.into_iter().collect::<Vec<_>>(), all);
        let capabilities: BTreeSet<_> = answers.iter().flat_map(|answer| &answer.capabilities).collect();
        let told = ["STARTTLS", "tls:AUTH PLAIN LOGIN", "tls:PROT", "HELO: nothing offered", "FEAT refused: 530"];
        for item in told {
            assert!(capabilities.contains(&item.to_owned()), "{seed}: {item}");
        }
    }
}

/// As on a system that has no other loopback address.
#[test]
fn every_row_is_true_on_one_address_as_well() {
    let spread = Spread::Ports;
    let first = if cfg!(target_os = "linux") { config(2, 1).first } else { Ipv4Addr::LOCALHOST };
    every_row_is_true(Config { first, spread, ..config(2, 40) });
}

#[test]
fn a_row_that_is_wrong_is_told_by_column() {
    let roster = default_roster(1);
    let truth = roster.truths().find(|truth| truth.kind == Kind::Server).unwrap();
    let mut row = Observation::new(
        std::time::SystemTime::UNIX_EPOCH,
        Some(truth.address.ip()),
        truth.address.port(),
        truth.service,
        Outcome::Silent,
    );
    row.hostname = Some("elsewhere.example".into());
    let columns: Vec<_> = truth.mistakes(&row).into_iter().map(|mistake| mistake.column).collect();
    for column in ["outcome", "code", "banner", "hostname", "software"] {
        assert!(columns.contains(&column), "{column}: {columns:?}");
    }
    assert!(!columns.contains(&"ip") && !columns.contains(&"port"), "{columns:?}");
}

/// A server in clear of that kind.
fn find(roster: &Roster, kind: Kind) -> Option<Truth> {
    roster.truths().find(|truth| truth.kind == kind && !truth.service.is_implicit_tls())
}

/// A fleet with servers of all these kinds.
fn fleet_with(config: Config, kinds: &[Kind]) -> Fleet {
    let mut rosters = (1..).map(|seed| Roster::new(Config { seed, ..config }).unwrap());
    let has_all = |roster: &Roster| kinds.iter().all(|kind| find(roster, *kind).is_some());
    rosters.find(has_all).unwrap().start().unwrap()
}

fn one_of(fleet: &Fleet, kind: Kind) -> (TcpStream, Truth) {
    let truth = find(fleet.roster(), kind).unwrap();
    (TcpStream::connect(truth.address).unwrap(), truth)
}

#[test]
#[cfg(target_os = "linux")]
fn servers_complain_take_leave_and_end_with_the_fleet() {
    let fleet = fleet_with(config(3, 60), &[Kind::Unnamed, Kind::Silent]);
    let (mut client, truth) = one_of(&fleet, Kind::Unnamed);
    client.write_all(b"NOOP\r\nQUIT\r\n").unwrap();
    let mut said = Vec::new();
    client.read_to_end(&mut said).unwrap();
    let rest = said.strip_prefix(&truth.answers[0].banner[..]).unwrap();
    let codes: Vec<_> = rest.split(|byte| *byte == b'\n').filter_map(|line| line.first()).collect();
    assert_eq!(codes, [&b'5', &b'2'], "{}", String::from_utf8_lossy(&said));

    let (mut client, truth) = one_of(&fleet, Kind::Silent);
    drop(fleet);
    assert_eq!(client.read(&mut [0; 9]).unwrap_or(0), 0, "the connection ended with the fleet");
    assert!(TcpStream::connect(truth.address).is_err(), "nobody listens any longer");
}

#[test]
#[cfg(target_os = "linux")]
fn two_servers_take_turns() {
    let fleet = fleet_with(config(4, 150), &[Kind::RoundRobin]);
    let (_, truth) = one_of(&fleet, Kind::RoundRobin);
    let greeting = || {
        let mut client = TcpStream::connect(truth.address).unwrap();
        client.write_all(b"QUIT\r\n").unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        said
    };
    let turns = [greeting(), greeting(), greeting()];
    assert_eq!(turns[0], turns[2]);
    let banners: Vec<_> = truth.answers.iter().map(|answer| &answer.banner).collect();
    for banner in banners {
        assert!(turns.iter().any(|said| said.starts_with(banner)));
    }
}

/// Every listener of the one before is closed, or this could not listen.
#[test]
#[cfg(target_os = "linux")]
fn a_fleet_can_follow_another() {
    let config = config(5, 30);
    for _ in 0..3 {
        drop(Roster::new(config).unwrap().start().unwrap());
    }
    let first = Roster::new(config).unwrap().start().unwrap();
    let error = Roster::new(config).unwrap().start().unwrap_err().to_string();
    assert!(error.starts_with("cannot listen on 127."), "{error}");
    drop(first);
}
