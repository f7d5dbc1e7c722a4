//! Sweeps the targets named as arguments and prints what greeted.
//!
//! ```text
//! cargo run --example sweep -- 127.0.0.1 10.20.0.0/28:21,2121
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::time::Duration;

use futures::StreamExt;
use hailer::output::escape::escape;
use hailer::{Config, Family, Outcome, Ports, Scan, Targets};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut targets = Targets::builder();
    for word in std::env::args().skip(1) {
        targets.add(&word)?;
    }
    let targets = targets.build(&Ports::parse("21,25,465")?, Family::Any)?;
    let config = Config { connect_timeout: Duration::from_secs(2), ..Config::default() };

    let mut rows = Scan::builder().targets(targets).config(config).build()?.run();
    let stats = rows.stats();
    while let Some(row) = rows.next().await {
        let (Outcome::Greeted, Some(ip)) = (row.outcome, row.ip) else { continue };
        match &row.software {
            Some(it) => println!("{ip} {} {} {}", row.port, it.name, it.version.as_deref().unwrap_or("-")),
            // What a peer says goes to a terminal in escaped form only.
            None => println!("{ip} {} {}", row.port, escape(row.greeting())),
        }
    }
    println!("{} of {} endpoints, {} greeted", stats.done(), stats.total(), stats.outcome(Outcome::Greeted));
    Ok(())
}
