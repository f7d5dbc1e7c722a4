//! Names the server that sent a greeting, which is read from stdin: for trying out a signature without a server.
//!
//! ```text
//! printf '220 (vsFTPd 3.0.5)\r\n' | cargo run --example classify -- ftp
//! printf '220 mail.example.com ESMTP Postfix\r\n' | cargo run --example classify -- smtp
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use hailer::classify::Classifier;
use hailer::output::{Format, RowSink, RowWriter};
use hailer::{Observation, Outcome, Service};

fn main() -> Result<(), Box<dyn Error>> {
    let word = std::env::args().nth(1).unwrap_or_else(|| "smtp".to_owned());
    let service = Service::ALL.into_iter().find(|service| service.as_str() == word);
    let service = service.ok_or_else(|| format!("'{word}' is not a service"))?;

    let mut greeting = Vec::new();
    io::stdin().read_to_end(&mut greeting)?;
    let mut row = Observation::new(SystemTime::now(), None, 0, service, Outcome::Greeted);
    row.received.push(&greeting, Duration::ZERO);
    row.greeting_len = row.received.bytes().len();

    Classifier::builtin().classify(&mut row);
    if row.software.is_none() {
        println!("no signature names it");
    }
    let mut rows = RowSink::over(Format::Ndjson, "stdout", io::stdout());
    rows.write(&row)?;
    rows.flush()?;
    Ok(())
}
