//! Rows as aligned lines for people at a terminal: where, what was expected, what came of it, and what answered.
//!
//! Rows are written as they come, so that the columns have fixed widths: a longer address or name moves the rest of its
//! line, any other text is cut with `…`. Widths are counted in characters; wide ones (Chinese, Japanese, Korean) move
//! their line.

use std::fmt::Write;
use std::net::IpAddr;

use crate::observation::Observation;

use super::escape::push_escaped;

/// The longest IPv4 address with the longest port.
const ADDRESS: usize = "255.255.255.255:65535".len();
const SERVICE: usize = "submission".len();
const OUTCOME: usize = "other_protocol".len();
/// Most products with their version: `Microsoft Exchange 15.2.1544`.
const SOFTWARE: usize = 28;
/// What is left of 120 columns for a banner, or for a name behind the software.
const REST: usize = 120 - (ADDRESS + SERVICE + OUTCOME + 3 + 4 * GAP.len());
const GAP: &str = "  ";

/// Appends one row.
pub(super) fn row(row: &Observation, out: &mut String, scratch: &mut String) {
    scratch.clear();
    push_address(row, scratch);
    // Writing to a string cannot fail.
    let _ = write!(out, "{scratch:ADDRESS$}{GAP}{:SERVICE$}{GAP}{:OUTCOME$}{GAP}", row.service, row.outcome);
    let _ = match row.code {
        Some(code) => write!(out, "{code:3}"),
        None => write!(out, "   "),
    };
    out.push_str(GAP);

    scratch.clear();
    if let Some(software) = &row.software {
        push_escaped(scratch, software.name.as_bytes());
        if let Some(version) = &software.version {
            scratch.push(' ');
            push_escaped(scratch, version.as_bytes());
        }
        cut(scratch, SOFTWARE);
        out.push_str(scratch);
        if let Some(hostname) = &row.hostname {
            let padding = SOFTWARE - scratch.chars().count();
            let _ = write!(out, "{:padding$}{GAP}", "");
            scratch.clear();
            push_escaped(scratch, hostname.as_bytes());
            cut(scratch, REST - SOFTWARE - GAP.len());
            out.push_str(scratch);
        }
    } else {
        push_unnamed(row, scratch);
        cut(scratch, REST);
        out.push_str(scratch);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn push_address(row: &Observation, out: &mut String) {
    let port = row.port;
    let _ = match row.ip {
        Some(IpAddr::V4(ip)) => write!(out, "{ip}:{port}"),
        Some(IpAddr::V6(ip)) => write!(out, "[{ip}]:{port}"),
        None => {
            push_escaped(out, row.name.as_deref().unwrap_or("-").as_bytes());
            write!(out, ":{port}")
        }
    };
}

/// Appends what there is to say where no software is named: the protocol, and the banner's first line or what the
/// outcome leaves open.
fn push_unnamed(row: &Observation, out: &mut String) {
    if let Some(protocol) = row.protocol {
        out.push_str(protocol.as_str());
        out.push_str(": ");
    }
    let tls_error = || row.tls.as_deref().and_then(|facts| facts.error.as_deref());
    if let Some(line) = first_line(row.greeting()) {
        push_escaped(out, line);
    } else if let Some(detail) = row.detail.as_deref().or_else(tls_error) {
        push_escaped(out, detail.as_bytes());
    }
}

/// The first line that says something, without the reply code, which has a column of its own.
fn first_line(greeting: &[u8]) -> Option<&[u8]> {
    greeting.split(|&byte| matches!(byte, b'\r' | b'\n')).find_map(|line| {
        let text = match line {
            [a, b, c, b' ' | b'-', text @ ..] if [a, b, c].into_iter().all(u8::is_ascii_digit) => text,
            _ => line,
        };
        let text = text.trim_ascii();
        (!text.is_empty()).then_some(text)
    })
}

/// Shortens a text to `width` characters.
fn cut(text: &mut String, width: usize) {
    if text.char_indices().nth(width).is_some() {
        let end = text.char_indices().nth(width - 1).map_or(0, |(at, _)| at);
        text.truncate(end);
        text.push('…');
    }
}
