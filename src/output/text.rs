//! Rows as aligned lines for people at a terminal: where, what was expected, what came of it, how bad it is, what
//! answered, and what stands in front.
//!
//! Rows are written as they come, so that the columns have fixed widths: a longer address moves the rest of its line, any
//! other text is cut with `…`, and no line is wider than the terminal. Widths are those that a terminal shows, in which
//! Chinese, Japanese and Korean take two columns. What a peer says comes in escaped form; the only escape sequences are our
//! own, for colours, and only where they are asked for.

use std::fmt::Write;
use std::net::IpAddr;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::observation::{Fronting, Observation, Severity};

use super::escape::push_escaped;
use super::layout::Look;
use super::style::{BOLD, DIM, PLAIN, of_fronting, of_outcome, of_severity};

/// The longest IPv4 address with the longest port.
const ADDRESS: usize = "255.255.255.255:65535".len();
const SERVICE: usize = "submission".len();
const OUTCOME: usize = "other_protocol".len();
const CODE: usize = 3;
const SEVERITY: usize = "medium".len();
/// Most products with their version: `Microsoft Exchange 15.2.1544`.
const SOFTWARE: usize = 28;
/// So much of it is left where a line is short of room.
const LEAST: usize = 14;
/// `likely cisco_asa`; longer ones move the host name.
const FRONT: usize = 16;
const GAP: &str = "  ";

/// Narrower terminals wrap for themselves.
const MIN_WIDTH: usize = 60;

/// From here on there is room for the service, which the port tells as well in most networks.
const WITH_SERVICE: usize = 90;

/// From here on there is room for what stands in front in a column of its own; in less it stands where the line ends.
const WITH_FRONT: usize = 140;

/// Appends one row.
pub(super) fn row(row: &Observation, look: Look, out: &mut String, scratch: &mut String) {
    let mut line = Line { out, look: Look { width: look.width.max(MIN_WIDTH), ..look }, used: 0, owed: 0 };
    scratch.clear();
    push_address(row, scratch);
    line.put(scratch, ADDRESS, PLAIN);
    if line.look.width >= WITH_SERVICE {
        line.put(row.service.as_str(), SERVICE, DIM);
    }
    line.put(row.outcome.as_str(), OUTCOME, of_outcome(row.outcome));
    scratch.clear();
    if let Some(code) = row.code {
        let _ = write!(scratch, "{code}");
    }
    line.put(scratch, CODE, PLAIN);
    let worst = row.findings.iter().map(|finding| finding.severity).max();
    line.put(worst.map_or("", Severity::as_str), SEVERITY, worst.map_or(PLAIN, of_severity));

    let mut front = String::new();
    push_front(row, &mut front);
    let of_front = row.fronting.map_or(PLAIN, of_fronting);
    // What stands in front is not to be pushed out of the line by a long banner.
    let owed = if front.is_empty() { 0 } else { front.width().min(FRONT) + GAP.len() };
    scratch.clear();
    if let Some(software) = &row.software {
        push_escaped(scratch, software.name.as_bytes());
        let name = scratch.len();
        if let Some(version) = &software.version {
            scratch.push(' ');
            push_escaped(scratch, version.as_bytes());
        }
        let column = SOFTWARE.min(line.room().saturating_sub(owed).max(LEAST));
        cut(scratch, column);
        let (name, version) = scratch.split_at_checked(name).unwrap_or((scratch.as_str(), ""));
        line.put_two((name, BOLD), (version, PLAIN), column);
        if !front.is_empty() || line.look.width >= WITH_FRONT {
            line.put(&front, FRONT, of_front);
        }
        if let Some(hostname) = &row.hostname {
            scratch.clear();
            push_escaped(scratch, hostname.as_bytes());
            line.put(scratch, 0, DIM);
        }
    } else {
        push_unnamed(row, scratch);
        cut(scratch, line.room().saturating_sub(owed).max(LEAST));
        line.put(scratch, SOFTWARE, PLAIN);
        line.put(&front, 0, of_front);
    }
    out.push('\n');
}

/// A line that is being written, and how much of its width is taken.
struct Line<'a> {
    out: &'a mut String,
    look: Look,
    used: usize,
    /// Blanks that are due before anything else comes.
    owed: usize,
}

impl Line<'_> {
    /// How much of the width is left for what comes next.
    fn room(&self) -> usize {
        self.look.width.saturating_sub(self.used + self.owed)
    }

    /// Appends a text in a column of at least that width, as far as there is room for it.
    fn put(&mut self, text: &str, width: usize, style: Style) {
        self.put_two((text, style), ("", PLAIN), width);
    }

    /// The same with two styles.
    fn put_two(&mut self, first: (&str, Style), second: (&str, Style), width: usize) {
        let mut taken = 0;
        for (text, style) in [first, second] {
            // What takes no column has no place either where the blanks before it would go too far.
            if text.is_empty() || self.room() == 0 {
                continue;
            }
            let mut shown = text.to_owned();
            cut(&mut shown, self.room());
            shown.truncate(shown.trim_end_matches(' ').len());
            if shown.is_empty() {
                continue;
            }
            let blanks = std::mem::take(&mut self.owed);
            let _ = write!(self.out, "{:blanks$}", "");
            self.used += blanks;
            let style = if self.look.is_coloured { style } else { PLAIN };
            let _ = write!(self.out, "{style}{shown}{style:#}");
            self.used += shown.width();
            taken += shown.width();
        }
        self.owed += width.saturating_sub(taken) + GAP.len();
    }
}

fn push_address(row: &Observation, out: &mut String) {
    let port = row.port;
    let _ = match row.ip {
        Some(IpAddr::V4(ip)) => write!(out, "{ip}:{port}"),
        Some(IpAddr::V6(ip)) => write!(out, "[{ip}]:{port}"),
        None => {
            push_escaped(out, row.name.as_deref().unwrap_or("-").as_bytes());
            // A name may be longer than a line.
            cut(out, MIN_WIDTH / 2);
            write!(out, ":{port}")
        }
    };
}

/// Appends what stands in front, and how sure that is; nothing where nothing was observed.
fn push_front(row: &Observation, out: &mut String) {
    let how = match row.fronting {
        None | Some(Fronting::NotObserved) => return,
        Some(Fronting::Nat) => return out.push_str("behind NAT"),
        Some(Fronting::Confirmed) => "behind ",
        Some(Fronting::Likely) => "likely ",
        Some(Fronting::Possible) => "maybe ",
    };
    out.push_str(how);
    match row.front() {
        Some(front) => push_escaped(out, front.as_bytes()),
        None => out.push_str("a proxy"),
    }
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

/// Shortens a text to so many columns of a terminal, and says so with `…`.
fn cut(text: &mut String, width: usize) {
    if text.len() <= width || text.width() <= width {
        return;
    }
    let mut taken = 0;
    let fits = |(_, character): &(usize, char)| {
        taken += character.width().unwrap_or_default();
        taken < width
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, character)| at + character.len_utf8());
    text.truncate(end);
    if width > 0 {
        text.push('…');
    }
}
