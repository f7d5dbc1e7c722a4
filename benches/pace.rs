//! The rate asked for against the rate measured, over real sockets: who measures is the listener, which notes when each
//! connection came. `cargo bench --bench pace`, or with rates of your own behind `--`.
//!
//! Each rate is held for ten seconds, or for twenty connections if that is longer. Everything is on 127.0.0.0/8.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::net::{Ipv4Addr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use futures::StreamExt;
use hailer::{Config, Family, Limit, Ports, Rate, Scan, Targets};

const RATES: [f64; 9] = [1.0, 10.0, 100.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0];

const SECONDS: f64 = 10.0;

fn main() {
    let asked: Vec<f64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let rates = if asked.is_empty() { RATES.to_vec() } else { asked };
    println!(
        "{:>10} {:>12} {:>8} {:>22} {:>14}",
        "asked/s", "measured/s", "off by", "most within 100 ms", "of its share"
    );
    for rate in rates {
        let arrivals = arrivals(rate);
        let span = (arrivals[arrivals.len() - 1] - arrivals[0]).as_secs_f64();
        let measured = count(arrivals.len() - 1) / span;
        let most = most_within(&arrivals, 0.1);
        let off = (measured / rate - 1.0) * 100.0;
        let share = count(most) / (rate * 0.1).max(1.0);
        println!("{rate:>10} {measured:>12.2} {off:>7.2}% {most:>22} {share:>13.2}x");
    }
}

/// When each connection of a scan came.
fn arrivals(rate: f64) -> Vec<Instant> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port to listen on");
    // The queue of std's listeners is short for 20,000 a second and a thread that is not scheduled at once.
    socket2::SockRef::from(&listener).listen(4096).expect("a longer queue");
    let address = listener.local_addr().expect("its address");
    let endpoints = (rate * SECONDS).max(20.0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut arrivals = Vec::new();
            for stream in listener.incoming() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                arrivals.push(Instant::now());
                drop(stream);
            }
            arrivals
        });
        sweep(rate, endpoints, address.port());
        done.store(true, Ordering::Relaxed);
        // One more connection, so that the listener looks up.
        drop(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())));
        counting.join().expect("the listener")
    })
}

fn sweep(rate: f64, endpoints: f64, port: u16) {
    let mut targets = Targets::builder();
    // Whole numbers, far below 2^24.
    let last = Ipv4Addr::from(
        u32::from(Ipv4Addr::new(127, 60, 0, 0)) + format!("{:.0}", endpoints - 1.0).parse::<u32>().expect("a number"),
    );
    targets.add(&format!("127.60.0.0-{last}:{port}=ftp")).expect("a range");
    let targets = targets.build(&Ports::default(), Family::Any).expect("targets");
    let config = Config {
        rate: Rate::per_second(rate).map(Limit::Rate),
        concurrency: NonZeroUsize::new(1024),
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        Scan::builder().targets(targets).config(config).build().expect("a scan").run().for_each(|_| async {}).await;
    });
}

fn most_within(arrivals: &[Instant], seconds: f64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in arrivals.iter().enumerate() {
        while (*at - arrivals[first]).as_secs_f64() > seconds {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "counts of some hundred thousand")]
fn count(number: usize) -> f64 {
    number as f64
}
