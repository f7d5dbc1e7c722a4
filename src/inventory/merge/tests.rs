use proptest::prelude::*;

use super::*;
use crate::inventory::{Rows, Writer};

fn read(text: &str) -> Vec<Row> {
    Rows::new("rows", text.as_bytes()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn written(rows: impl Iterator<Item = Row>) -> Vec<String> {
    rows.map(|row| {
        let mut line = String::new();
        Writer::Ndjson.row(&row, &mut line);
        line
    })
    .collect()
}

fn joined(parts: &[Vec<Row>]) -> Result<Vec<String>, String> {
    let mut merge = Merge::default();
    for (number, rows) in (0..).zip(parts) {
        for row in rows {
            merge.take(number, row).unwrap();
        }
    }
    let whole = merge.join(&[]).unwrap();
    let rows = whole.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Ok(written(rows.into_iter()))
}

fn line(host: u8, port: u16, more: &str) -> String {
    format!(
        "{{\"time\":\"2026-11-21T03:11:00Z\"{more},\"ip\":\"192.0.2.{host}\",\"port\":{port},\"service\":\"ftp\",\"outcome\":\"silent\"}}\n"
    )
}

#[test]
fn what_all_rows_together_say_is_said_of_each() {
    let row = |host: u8, port: u16, service: &str| {
        let hash = "ab".repeat(32);
        format!(
            "{{\"ip\":\"192.0.2.{host}\",\"port\":{port},\"service\":\"{service}\",\"outcome\":\"greeted\",\"code\":220,\
             \"banner\":\"220 hi\\\\r\\\\n\",\"fronting\":\"not_observed\",\"banner_hash\":\"{hash}\"}}\n"
        )
    };
    let parts = [(21, "ftp"), (25, "smtp")]
        .map(|(port, service)| read(&(0..250).map(|host| row(host, port, service)).collect::<String>()));
    let whole = joined(&parts).unwrap();
    assert_eq!(whole.len(), 500);
    assert!(whole.iter().all(|line| line.contains("same_everywhere") && line.contains("possible")));
}

#[test]
fn one_endpoint_in_two_parts_is_refused() {
    let parts = [read(&line(1, 21, "")), read(&(line(2, 21, "") + &line(1, 21, "")))];
    assert_eq!(joined(&parts).unwrap_err(), "192.0.2.1:21 is in two parts");
    // Two names at one address are two endpoints.
    let parts = ["a", "b"].map(|name| read(&line(1, 21, &format!(",\"name\":\"{name}.example\""))));
    assert_eq!(joined(&parts).unwrap().len(), 2);
}

#[test]
fn every_cell_is_kept() {
    let more = ",\"note\":\"é \\\"x\\\"\",\"new\":{\"a\":[1, 2]},\"ptr\":[\"a; b\"]";
    let line = line(1, 21, more);
    assert_eq!(joined(&[read(&line)]).unwrap(), [line]);
}

proptest! {
    /// Of three ports, since who is silent on four is a tarpit: whatever falls to which part, the whole is the same, and in the order of the addresses.
    #[test]
    fn parts_are_the_whole(rows in prop::collection::btree_map((0u8..60, 20u16..23), 0usize..4, 0..60)) {
        let all: String = rows.keys().map(|(host, port)| line(*host, *port, "")).collect();
        let part = |number: usize| {
            let own = rows.iter().filter(|(_, part)| **part == number);
            read(&own.map(|((host, port), _)| line(*host, *port, "")).collect::<String>())
        };
        let parts: Vec<_> = (0..4).rev().map(part).collect();
        let whole = joined(&parts).unwrap();
        prop_assert_eq!(&whole, &joined(&[read(&all)]).unwrap());
        prop_assert_eq!(whole.concat(), all);
    }
}
