//! The rows as they come: who has one, and what became of whom.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::time::Instant;

use serde::Deserialize;

use crate::peers::{self, Endpoints};

/// What has been read.
pub(crate) struct Rows {
    ports: Vec<u16>,
    read: Mutex<Read>,
}

struct Read {
    seen: Endpoints,
    count: u64,
    greeted: u64,
    last_greeted: Instant,
    outcomes: BTreeMap<(&'static str, String), u64>,
}

#[derive(Deserialize)]
struct Row {
    ip: Ipv4Addr,
    port: u16,
    outcome: String,
}

impl Rows {
    pub(crate) fn new(ports: Vec<u16>) -> Self {
        let read = Read {
            seen: Endpoints::default(),
            count: 0,
            greeted: 0,
            last_greeted: Instant::now(),
            outcomes: BTreeMap::new(),
        };
        Self { ports, read: Mutex::new(read) }
    }

    /// Reads to the end; what is wrong with them, or nothing.
    pub(crate) fn read(&self, lines: impl BufRead) -> String {
        let mut wrong = String::new();
        for line in lines.split(b'\n') {
            let row = line.map_err(|error| error.to_string());
            let row = row.and_then(|line| serde_json::from_slice::<Row>(&line).map_err(|error| error.to_string()));
            match row {
                Ok(row) => {
                    if !self.take(&row) {
                        wrong = format!("a second row of {}:{}", row.ip, row.port);
                    }
                }
                Err(error) => wrong = format!("a row that is none: {error}"),
            }
        }
        wrong
    }

    /// Whether it is the first of its endpoint.
    fn take(&self, row: &Row) -> bool {
        let Some(service) = self.ports.iter().position(|port| *port == row.port) else { return false };
        let Ok(mut read) = self.read.lock() else { return false };
        read.count += 1;
        if row.outcome == "greeted" {
            read.greeted += 1;
            read.last_greeted = Instant::now();
        }
        let name = peers::name_of(row.ip, service);
        *read.outcomes.entry((name, row.outcome.clone())).or_default() += 1;
        read.seen.insert(row.ip, service)
    }

    pub(crate) fn count(&self) -> u64 {
        self.read.lock().map_or(0, |read| read.count)
    }

    /// How many greeted, and when the last of them was told.
    pub(crate) fn greeted(&self) -> (u64, Instant) {
        self.read.lock().map_or((0, Instant::now()), |read| (read.greeted, read.last_greeted))
    }

    /// How many of these have no row.
    pub(crate) fn missing(&self, visited: &Endpoints) -> u32 {
        self.read.lock().map_or(u32::MAX, |read| visited.without(&read.seen))
    }

    /// A line for each kind of peer.
    pub(crate) fn table(&self) -> String {
        let Ok(read) = self.read.lock() else { return String::new() };
        let mut lines: BTreeMap<&str, String> = BTreeMap::new();
        for ((name, outcome), count) in &read.outcomes {
            let line = lines.entry(name).or_insert_with(|| format!("  {name:<34}"));
            line.extend([" ", outcome, " ", &count.to_string()]);
        }
        lines.into_values().map(|line| line + "\n").collect()
    }
}
