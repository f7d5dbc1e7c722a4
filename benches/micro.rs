//! What the parts cost that every endpoint passes: the bare loop over connections, the order, the reply grammar, how many
//! greetings a second one core names, how many rows it judges and writes, in each format, how many starts it decides on, and
//! how many chains of certificates it judges. Run with `cargo bench --bench micro`.

// They are not public, and plain enough to be compiled once more for the bench.
#[path = "../src/probe/certificate/mod.rs"]
#[expect(dead_code, unreachable_pub, unused_imports, reason = "a bench needs little of it")]
mod certificate;
#[path = "../src/classify/hash.rs"]
#[expect(dead_code, reason = "a bench needs little of it")]
mod hash;
#[path = "micro/naming.rs"]
mod naming;
#[path = "../src/schedule/order.rs"]
#[expect(dead_code, unreachable_pub, reason = "a bench needs little of it")]
mod order;
#[path = "../src/schedule/pacer/mod.rs"]
#[expect(dead_code, unreachable_pub, unused_imports, reason = "a bench needs little of it")]
mod pacer;
#[path = "../src/schedule/permutation.rs"]
#[expect(dead_code, reason = "a bench needs little of it")]
mod permutation;
#[path = "micro/probing.rs"]
mod probing;
#[path = "floor/range.rs"]
#[expect(dead_code, reason = "a bench needs little of it")]
mod range;
#[path = "../src/probe/reply.rs"]
#[expect(dead_code, reason = "a bench needs little of it")]
mod reply;
#[path = "micro/sample.rs"]
mod sample;
#[path = "../src/classify/text.rs"]
#[expect(dead_code, unused_imports, reason = "a bench needs little of it")]
mod text;
#[path = "floor/yardstick.rs"]
mod yardstick;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use hailer::classify::findings;
use hailer::classify::fronting::{Bounds, Glimpse, Sweep, Words};
use hailer::observation;
use hailer::output::{Format, RowSink, RowWriter};
use hailer::{Observation, Outcome, Service};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;

use self::certificate::{Anchors, Certificates};
use self::order::{Order, Shard};
use self::pacer::{Pace, Pacer, Rate};
use self::sample::{in_tls, plain};

fn main() {
    divan::main();
}

const FORMATS: [Format; 3] = [Format::Csv, Format::Ndjson, Format::Text];
/// So many rows in each round, that the clock costs nothing beside them.
const ROWS: u32 = 1_000;

/// What a scan of greetings writes most: a mail server in clear text, named.
#[divan::bench(args = FORMATS)]
fn greeted(bencher: Bencher, format: Format) {
    write_rows(bencher, format, &plain());
}

/// The same behind TLS with a chain of two certificates.
#[divan::bench(args = FORMATS)]
fn greeted_in_tls(bencher: Bencher, format: Format) {
    write_rows(bencher, format, &in_tls());
}

/// Every byte of 4 KiB has to be escaped.
#[divan::bench(args = FORMATS)]
fn hostile(bencher: Bencher, format: Format) {
    let mut row = plain();
    row.received.push(&[0x1b; 4096], Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    write_rows(bencher, format, &row);
}

/// What rows are judged: one in which nothing is found, and one with a chain to look through.
const JUDGED: [&str; 2] = ["greeted", "greeted_in_tls"];

/// All rules over one row.
#[divan::bench(args = JUDGED)]
fn judge_a_row(bencher: Bencher, kind: &str) {
    let row = if kind == "greeted" { plain() } else { in_tls() };
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for _ in 0..ROWS {
            divan::black_box(findings::judge(divan::black_box(&row)));
        }
    });
}

/// Endpoints that a sweep learns of: with a row, on which two locks of a scan are not counted, and without.
const LEARNT: [&str; 2] = ["greeted", "refused"];

/// What each endpoint costs a sweep that watches as much as it may: all of a /10, whatever order it comes in.
#[divan::bench(args = LEARNT)]
fn learn_of_an_endpoint(bencher: Bencher, kind: &str) {
    let outcome = if kind == "greeted" { Outcome::Greeted } else { Outcome::Refused };
    let mut sweep = Sweep::new(Bounds::SCAN);
    let mut number = 0u32;
    let mut learn = move || {
        number = number.wrapping_add(0x9e37_79b1);
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        sweep.learn(&Glimpse {
            ip: Ipv4Addr::from_bits(10 << 24 | number >> 10).into(),
            port: 25,
            service: Service::Smtp,
            outcome,
            banner_hash: Some(hash),
            greeting: Words::Bytes(b"220 mail.example.com ESMTP Postfix\r\n"),
            closed_after: None,
            seen_as: None,
            decoy_accepted: false,
        });
    };
    for _ in 0..1 << 20 {
        learn();
    }
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for _ in 0..ROWS {
            learn();
        }
    });
}

/// How fast a scan may be, as far as it makes a difference to what is kept.
const PACES: [&str; 3] = ["none", "rate", "per_prefix"];
/// So many connections stand at a time.
const STANDING: usize = 4096;

/// A start that is let through at once, and the release of the oldest, over random addresses.
#[divan::bench(args = PACES)]
fn start_and_release(bencher: Bencher, limit: &str) {
    // Never the limit that is met: what is measured is the counting.
    let fast = Rate::per_second(1e7);
    let pace = match limit {
        "rate" => Pace { rate: fast, ..Pace::default() },
        "per_prefix" => Pace { per_prefix: fast, ..Pace::default() },
        _ => Pace::default(),
    };
    let mut now = Instant::now();
    let mut pacer = Pacer::<()>::new(pace, STANDING, now);
    let addresses = addresses();
    for ip in &addresses[..STANDING] {
        now += Duration::from_micros(1);
        assert!(pacer.try_start(*ip, now));
    }
    let mut pairs = (0..addresses.len()).cycle();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(move || {
        for done in pairs.by_ref().take(1_000) {
            now += Duration::from_micros(1);
            pacer.release(addresses[done], now);
            let next = addresses[(done + STANDING) % addresses.len()];
            assert!(pacer.try_start(divan::black_box(next), now));
            pacer.went_well(next, now);
        }
    });
}

/// The same where each has to wait for its turn.
#[divan::bench]
fn put_take_and_release(bencher: Bencher) {
    let now = Instant::now();
    let mut pacer = Pacer::new(Pace::default(), STANDING, now);
    let addresses = addresses();
    addresses[..STANDING].iter().for_each(|ip| pacer.put(*ip, (), None));
    let mut next = addresses.iter().cycle().skip(STANDING);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(move || {
        for ip in next.by_ref().take(1_000) {
            pacer.put(*ip, (), None);
            let pacer::Next::Start(ip, ()) = pacer.take(now) else { unreachable!("all are due") };
            pacer.release(ip, now);
        }
    });
}

/// The next endpoint of an IPv4 scan of five ports, in one shard of sixteen.
#[divan::bench]
fn order(bencher: Bencher) {
    let shard = "3/16".parse::<Shard>().expect("a shard");
    let order = Order::new(5 << 32, 42, shard);
    let mut position = 0;
    bencher.counter(ItemsCount::new(ROWS)).bench_local(move || {
        for _ in 0..ROWS {
            divan::black_box(order.at(divan::black_box(position)));
            position += 1;
        }
    });
}

/// A trusted chain of two that nobody showed before: read, and both signatures verified.
#[divan::bench]
fn judge_a_new_chain(bencher: Bencher) {
    let (chain, root) = chain();
    bencher.with_inputs(|| trusting(&root)).bench_refs(|certificates| judge(certificates, &chain));
}

/// The same that another host showed before.
#[divan::bench]
fn judge_a_known_chain(bencher: Bencher) {
    let (chain, root) = chain();
    let certificates = trusting(&root);
    judge(&certificates, &chain);
    bencher.bench_local(|| judge(&certificates, &chain));
}

fn judge(certificates: &Certificates, chain: &[CertificateDer<'static>]) {
    let (_, verdict) = certificates.judge(divan::black_box(chain), Some("mail.example"), false);
    assert!(verdict.is_some_and(|verdict| verdict.trusted && verdict.name_matches == Some(true)));
}

fn trusting(root: &CertificateDer<'static>) -> Certificates {
    Certificates::new(Anchors::of(std::slice::from_ref(root)).expect("a root"))
}

/// A server's certificate with its intermediate, and their root; all with ECDSA keys.
fn chain() -> (Vec<CertificateDer<'static>>, CertificateDer<'static>) {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let key = || KeyPair::generate().expect("a key");
    let (of_root, of_root_key, of_intermediate, of_intermediate_key) =
        (authority("a root"), key(), authority("an intermediate"), key());
    let root = of_root.self_signed(&of_root_key).expect("a root").der().clone();
    let issuer = Issuer::new(of_root, of_root_key);
    let intermediate = of_intermediate.signed_by(&of_intermediate_key, &issuer).expect("an intermediate").der().clone();
    let issuer = Issuer::new(of_intermediate, of_intermediate_key);
    let own = CertificateParams::new(["mail.example".to_owned(), "smtp.example".to_owned()]).expect("names");
    let own = own.signed_by(&key(), &issuer).expect("a certificate").der().clone();
    (vec![own, intermediate], root)
}

/// A million different addresses in random order.
fn addresses() -> Vec<IpAddr> {
    let order = Order::new(1 << 20, 42, Shard::WHOLE);
    let bits = (0..order.len()).filter_map(|position| u32::try_from(order.at(position)?).ok());
    bits.map(|bits| Ipv4Addr::from_bits((10 << 24) + bits).into()).collect()
}

fn write_rows(bencher: Bencher, format: Format, row: &Observation) {
    let mut sink = RowSink::over(format, "nowhere", io::sink());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for _ in 0..ROWS {
            sink.write(divan::black_box(row))?;
        }
        sink.flush()
    });
}
