//! Prints what greeted, a few endpoints at a time: each run goes on where the one before stopped.
//!
//! ```text
//! cargo run --example resume -- 127.0.0.0/28:21,25
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;

use futures::StreamExt;
use hailer::{Checkpoint, Config, Family, Ports, Scan, Targets};

/// How far the last run came. Another scan needs another file.
const CHECKPOINT: &str = "resume-example.json";

/// How many rows are enough for one run.
const ROWS: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut targets = Targets::builder();
    for word in std::env::args().skip(1) {
        targets.add(&word)?;
    }
    let targets = targets.build(&Ports::default(), Family::Any)?;
    let mut scan =
        Scan::builder().targets(targets).config(Config { concurrency: NonZeroUsize::new(4), ..Config::default() });
    if let Ok(kept) = fs::read(CHECKPOINT) {
        scan = scan.resume(serde_json::from_slice::<Checkpoint>(&kept)?);
    }
    let mut rows = scan.build()?.run();
    let (stats, stop) = (rows.stats(), rows.stopper());
    let mut count = 0;
    while let Some(row) = rows.next().await {
        println!("{:?} {} {}", row.ip, row.port, row.outcome);
        count += 1;
        if count == ROWS {
            // What is under way still comes.
            stop.stop();
        }
    }
    if let Some(why) = rows.failure() {
        return Err(why.into());
    }
    // What the stream has handed out is done, and nothing else is. Rows are to be safe before this is.
    fs::write(CHECKPOINT, serde_json::to_vec(&rows.checkpoint())?)?;
    println!("{} of {} endpoints are done", stats.done(), stats.total());
    Ok(())
}
