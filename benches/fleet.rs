//! How many connections a second the simulated fleet serves from its one thread, so that it is never what a sweep waits
//! for: `cargo bench --bench fleet`.
//!
//! Clients connect, hear the greeting, say QUIT and hear the rest, on several threads that share the machine with the
//! fleet. So the rate on the wall says little; what counts is how much of a core each connection took of the fleet's.
//!
//! Limits: Linux (`/proc`), plain text only. Nothing leaves 127.0.0.0/8.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hailer::fleet::{Config, Kind, Roster};

/// How long is measured.
const TIME: Duration = Duration::from_secs(5);

/// Enough for the fleet always to have something to do.
const CLIENTS: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    if !std::env::args().any(|word| word == "--bench") {
        println!("nothing is measured without --bench, which `cargo bench` gives");
        return Ok(());
    }
    let fleet = Roster::new(Config { hosts: 400, ..Config::default() })?.start()?;
    let polite: Vec<_> = fleet
        .roster()
        .truths()
        .filter(|truth| truth.kind == Kind::Server && !truth.service.is_implicit_tls())
        .filter(|truth| truth.answers.iter().all(|answer| answer.code == Some(220)))
        .map(|truth| truth.address)
        .collect();
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (begun, cpu_before) = (Instant::now(), cpu_of("fleet")?);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (polite, done, over) = (&polite, &done, &over);
            scope.spawn(move || {
                for address in polite.iter().cycle().skip(client * 7) {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    if visit(*address).is_ok() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        thread::sleep(TIME);
        over.store(true, Ordering::Relaxed);
    });
    let (elapsed, cpu) = (begun.elapsed(), cpu_of("fleet")?.saturating_sub(cpu_before));
    let done = done.into_inner();
    println!("{done} connections in {:.1} s by {CLIENTS} clients: {}/s", elapsed.as_secs_f64(), rate(done, elapsed));
    println!("the fleet's thread used {:.1} s of a core: {}/s from a whole one", cpu.as_secs_f64(), rate(done, cpu));
    Ok(())
}

fn rate(count: u64, time: Duration) -> u128 {
    u128::from(count) * 1_000_000 / time.as_micros().max(1)
}

fn visit(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let mut buffer = [0; 4096];
    let heard = stream.read(&mut buffer)?;
    stream.write_all(b"QUIT\r\n")?;
    while stream.read(&mut buffer)? > 0 {}
    if heard == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// How long the thread of that name has run on a core: the first field of its `schedstat`, in nanoseconds.
fn cpu_of(name: &str) -> Result<Duration, Box<dyn Error>> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim_end() == name {
            let stat = fs::read_to_string(task.join("schedstat"))?;
            let nanos = stat.split(' ').next().unwrap_or_default().parse()?;
            return Ok(Duration::from_nanos(nanos));
        }
    }
    Err(format!("no thread is called '{name}'").into())
}
