//! The rate asked for against the rate measured, over real sockets. Up to 10,000 a second who measures is a listener, which
//! notes when each connection came. Beyond that it would take this machine's other half: there the ports are closed, and
//! what is measured is when each row says that its connection was begun. `cargo bench --bench pace`, or with rates of your
//! own behind `--`.
//!
//! Each rate is held for ten seconds, or for twenty connections if that is longer. Everything is on 127.0.0.0/8.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::num::NonZeroUsize;
use std::thread;
use std::time::SystemTime;

use futures::StreamExt;
use hailer::{Config, Family, Limit, Observation, Ports, Rate, Scan, Targets};

const RATES: [f64; 9] = [1.0, 10.0, 100.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0];

const SECONDS: f64 = 10.0;

/// The highest rate at which a listener is heard.
const MOST_HEARD: f64 = 10_000.0;

fn main() {
    let asked: Vec<f64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let rates = if asked.is_empty() { RATES.to_vec() } else { asked };
    println!(
        "{:>10} {:>12} {:>8} {:>22} {:>14}",
        "asked/s", "measured/s", "off by", "most within 100 ms", "of its share"
    );
    for rate in rates {
        let arrivals = if rate > MOST_HEARD { begun(rate) } else { heard(rate) };
        let span = between(arrivals[0], arrivals[arrivals.len() - 1]);
        let measured = count(arrivals.len() - 1) / span;
        let most = most_within(&arrivals, 0.1);
        let off = (measured / rate - 1.0) * 100.0;
        let share = count(most) / (rate * 0.1).max(1.0);
        println!("{rate:>10} {measured:>12.2} {off:>7.2}% {most:>22} {share:>13.2}x");
    }
}

/// When each connection of a scan was begun, at ports that refuse it.
fn begun(rate: f64) -> Vec<SystemTime> {
    let closed = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    let port = closed.local_addr().expect("its address").port();
    drop(closed);
    let mut times: Vec<_> = sweep(rate, port).into_iter().map(|row| row.time).collect();
    times.sort_unstable();
    times
}

/// When each connection of a scan came.
fn heard(rate: f64) -> Vec<SystemTime> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port to listen on");
    // The queue of std's listeners is short for 20,000 a second and a thread that is not scheduled at once.
    socket2::SockRef::from(&listener).listen(4096).expect("a longer queue");
    let address = listener.local_addr().expect("its address");
    thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut arrivals = Vec::new();
            // An error is what becomes of accept() when it is not wanted any longer.
            while let Ok((stream, _)) = listener.accept() {
                arrivals.push(SystemTime::now());
                drop(stream);
            }
            arrivals
        });
        sweep(rate, address.port());
        socket2::SockRef::from(&listener).shutdown(Shutdown::Both).expect("an end to listening");
        counting.join().expect("the listener")
    })
}

fn sweep(rate: f64, port: u16) -> Vec<Observation> {
    // Whole numbers, far below 2^24.
    let more: u32 = format!("{:.0}", (rate * SECONDS).max(20.0) - 1.0).parse().expect("a number");
    let last = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 60, 0, 0)) + more);
    let mut targets = Targets::builder();
    targets.add(&format!("127.60.0.0-{last}:{port}=ftp")).expect("a range");
    let targets = targets.build(&Ports::default(), Family::Any).expect("targets");
    let config = Config {
        rate: Rate::per_second(rate).map(Limit::Rate),
        concurrency: NonZeroUsize::new(1024),
        all: true,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let scan = Scan::builder().targets(targets).config(config).build().expect("a scan");
    runtime.block_on(async { scan.run().map(|row| *row).collect().await })
}

fn most_within(arrivals: &[SystemTime], seconds: f64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in arrivals.iter().enumerate() {
        while between(arrivals[first], *at) > seconds {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

fn between(first: SystemTime, last: SystemTime) -> f64 {
    last.duration_since(first).unwrap_or_default().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "counts of some hundred thousand")]
fn count(number: usize) -> f64 {
    number as f64
}
