//! `hailer scan --list`: what would be probed, in order. Nothing is touched: no file but the lists of targets, no network.

use std::io::{self, BufWriter, ErrorKind, Write};

use hailer::listing;

use super::args::ScanArgs;
use super::plan::{settings, targets};
use super::{Ended, Failure};

pub(super) fn run(args: &ScanArgs) -> Result<Ended, Failure> {
    let config = settings(args)?;
    let targets = targets(args, None)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for endpoint in listing(&targets, config.seed, config.shard) {
        let endpoint = endpoint
            .map_err(|error| Failure::failed(format!("cannot read the targets from their temporary file: {error}")))?;
        if let Err(error) = writeln!(out, "{endpoint}") {
            return failed(&error);
        }
    }
    out.flush().map_or_else(|error| failed(&error), |()| Ok(Ended::Done))
}

/// Whoever has read enough may go.
fn failed(error: &io::Error) -> Result<Ended, Failure> {
    if error.kind() == ErrorKind::BrokenPipe {
        return Ok(Ended::Done);
    }
    Err(Failure::failed(format!("cannot write the list to stdout: {error}")))
}
