//! What hailer wrote, held against what there was: every endpoint of the range once, each `greeted`.
//!
//! Limits: reads the two fields it needs; the rest of a row is the tests' concern.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;

use crate::range::Range;

#[derive(Debug, Deserialize)]
struct Row {
    ip: Ipv4Addr,
    outcome: String,
}

/// Says what is wrong with the rows of a file; `None` when every address of the range stands there once, with the
/// expected outcome, and nothing else does.
pub(crate) fn complaint(path: &Path, range: Range, expected: &str) -> Result<Option<String>, Box<dyn Error>> {
    let mut seen = vec![false; usize::try_from(range.len())?];
    let (mut rows, mut twice, mut strangers) = (0_u32, 0_u32, 0_u32);
    let mut outcomes = BTreeMap::<String, u32>::new();
    let file = File::open(path).map_err(|error| format!("hailer's rows: {error}"))?;
    for line in BufReader::new(file).lines() {
        let line = line?;
        let row: Row = serde_json::from_str(&line).map_err(|error| format!("{error} in the row {line}"))?;
        rows += 1;
        match range.position(row.ip).map(usize::try_from).transpose()? {
            None => strangers += 1,
            Some(index) if seen[index] => twice += 1,
            Some(index) => seen[index] = true,
        }
        *outcomes.entry(row.outcome).or_default() += 1;
    }
    let missing = seen.iter().filter(|seen| !**seen).count();
    let other = outcomes.iter().filter(|(outcome, _)| *outcome != expected).map(|(_, count)| count).sum::<u32>();
    if missing == 0 && twice == 0 && strangers == 0 && other == 0 {
        return Ok(None);
    }
    Ok(Some(format!(
        "{rows} rows for {} endpoints: {missing} missing, {twice} more than once, {strangers} from elsewhere; outcomes \
         {outcomes:?}, expected {expected}",
        range.len()
    )))
}
