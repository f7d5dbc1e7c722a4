//! A case as a page for people: DNS, one port after the other, and what stands in the end.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hailer::observation::{Finding, Severity};
use hailer::output::Column;
use hailer::output::escape::escape;
use hailer::{Host, Miss, Observation, Outcome, Pointer};

use super::case::{Case, Found, Standing};
use super::dns::Dns;
use super::names::{Answered, listed};
use super::page::Page;
use super::timeline::{self, Told, shown};
use super::verdict::verdict;
use super::words::{self, Place, Words};

/// More places of one finding are not listed.
const MAX_PLACES: usize = 6;

/// Writes it all.
pub(super) fn tell(case: &Case, page: &mut Page) {
    page.heading(&format!("{}  DNS", case.host));
    tell_dns(case, page);
    let (mut explained, mut told) = (BTreeSet::new(), Told::new());
    for row in case.rows.iter().filter(|row| row.outcome != Outcome::Unresolved || row.ip.is_some()) {
        let (name, at) = (row.name.as_deref().unwrap_or_default(), place(row));
        page.heading(format!("{} {}  {at}  {}", row.port, row.service, escape(name.as_bytes())).trim_end());
        timeline::tell(row, &mut told, page);
        page.blank();
        page.paragraph("  verdict  ", &verdict(row));
        if let Some(words) = case.expected.as_deref().and_then(|name| expectation(row, name)) {
            page.paragraph("  name     ", &words);
        }
        for finding in &row.findings {
            let software = row.software.as_deref().map(|software| &*software.name);
            let words = words::finding(finding.id, software, Place::of(row));
            tell_finding(finding, &words, explained.insert(finding.id), page);
        }
    }
    page.heading(&format!("{}  in brief", case.host));
    case.rows.iter().for_each(|row| page.line(&brief(row)));
    for finding in &case.findings {
        tell_finding(finding, &words::finding(finding.id, None, case.place()), explained.insert(finding.id), page);
    }
    page.blank();
    page.paragraph("  ", &summary(case));
    if let Some(first) = case.found().first().filter(|found| found.finding.severity > Severity::Info) {
        let words = format!("{}{} {}", first.words.sentence, places(first), one_line(&first.words.remedy));
        page.paragraph("  First: ", &words);
    }
}

/// The end in a sentence or two.
pub(super) fn summary(case: &Case) -> String {
    let mut sentences = Vec::new();
    match case.standing() {
        Standing::Nothing(words) | Standing::Forbidden(words) => sentences.push(words + "."),
        Standing::Well | Standing::High => {
            let answers = case.rows.iter().filter(|row| row.outcome == Outcome::Greeted).count();
            sentences.push(format!("{answers} of {} ports answer.", case.rows.len()));
        }
    }
    let found = case.found();
    let count = |severity| found.iter().filter(|found| found.finding.severity == severity).count();
    let counts = Severity::ALL.iter().rev().map(|severity| (count(*severity), severity));
    let counts: Vec<_> = counts.filter(|(count, _)| *count > 0).map(|(count, of)| format!("{count} {of}")).collect();
    sentences.push(match found.len() {
        0 => "No findings.".to_owned(),
        1 => format!("1 finding: {}.", counts.join(", ")),
        number => format!("{number} findings: {}.", counts.join(", ")),
    });
    if let (Some(name), Some(is_expected)) = (&case.expected, case.is_expected()) {
        sentences
            .push(format!("{name} {}", if is_expected { "answers." } else { "is not what answers, or not alone." }));
    }
    sentences.join(" ")
}

fn tell_dns(case: &Case, page: &mut Page) {
    let Dns { name, a, aaaa, alias, mx, ptr } = &case.dns;
    if let Some(alias) = alias {
        page.paragraph("  alias  ", &format!("of {}", escape(alias.as_bytes())));
    }
    for (label, answer) in [("  A      ", a), ("  AAAA   ", aaaa)] {
        if let Some(answer) = answer {
            page.paragraph(label, &records(answer, ToString::to_string));
        }
    }
    if case.dns.leads_nowhere() {
        let name = name.as_deref().unwrap_or_default();
        page.paragraph("         ", "Nothing can be connected to. See that the name is written right, then ask:");
        page.line(&format!("           dig {name} A; dig {name} AAAA; dig +trace {name}"));
        if !case.dns.exchanges().is_empty() {
            page.paragraph("         ", &format!("Its mail exchanges in depth: hailer check mx:{name}"));
        }
    }
    match mx {
        None => {}
        Some(Err(miss)) => page.paragraph("  MX     ", &escape(miss.to_string().as_bytes())),
        Some(Ok(list)) => {
            for exchange in list {
                let mut answers: Vec<_> = case.answers_of(&exchange.name).map(mail).collect();
                let unasked = exchange.flaw.as_deref().or(exchange.passed_over.as_deref());
                answers.extend(unasked.map(|why| escape(why.as_bytes())));
                let answers = if answers.is_empty() { "not asked".to_owned() } else { answers.join("; ") };
                let name = escape(exchange.name.as_bytes());
                page.paragraph("  MX     ", &format!("{} {name}: {answers}", exchange.preference));
            }
        }
    }
    for (ip, answer) in ptr {
        page.paragraph("  PTR    ", &format!("{ip}: {}", records(answer, pointer)));
    }
    if matches!(case.host, Host::Address(_)) && ptr.is_empty() {
        page.paragraph("  PTR    ", "not asked");
    }
}

fn records<T>(answer: &Result<Vec<T>, Miss>, show: impl Fn(&T) -> String) -> String {
    match answer {
        Ok(list) => list.iter().map(show).collect::<Vec<_>>().join(", "),
        Err(miss) => escape(miss.to_string().as_bytes()),
    }
}

fn pointer(Pointer { name, leads_back }: &Pointer) -> String {
    let back = match leads_back {
        Some(true) => "leads back",
        Some(false) => "does not lead back: mail servers may refuse its mail",
        None => "not followed",
    };
    format!("{} ({back})", escape(name.as_bytes()))
}

/// How a mail exchange answers.
fn mail(row: &Observation) -> String {
    let ip = row.ip.map(|ip| format!("{ip} ")).unwrap_or_default();
    let detail = row.detail.as_deref().map(|detail| format!(" ({})", escape(detail.as_bytes()))).unwrap_or_default();
    match (row.outcome, row.code) {
        (Outcome::Greeted, Some(220)) => format!("{ip}answers SMTP"),
        (Outcome::Greeted, Some(code)) => format!("{ip}answers {code}"),
        (outcome, _) => format!("{ip}{outcome}{detail}"),
    }
}

/// Whether this port is the expected server's.
fn expectation(row: &Observation, expected: &str) -> Option<String> {
    match Answered::of(row, expected) {
        Answered::Yes(by, name) if name.eq_ignore_ascii_case(expected) => {
            Some(format!("{expected}: yes, {by} says so."))
        }
        Answered::Yes(by, name) => Some(format!("{expected}: yes, {by} is for {}.", escape(name.as_bytes()))),
        Answered::Other(names) => Some(format!("{expected}: no, but {}.", escape(listed(&names).as_bytes()))),
        Answered::Nameless => Some(format!("{expected}: cannot be told, it shows no name.")),
        Answered::Nobody => None,
    }
}

fn tell_finding(finding: &Finding, words: &Words, in_full: bool, page: &mut Page) {
    let detail =
        finding.detail.as_deref().map(|detail| format!(" [{}]", escape(detail.as_bytes()))).unwrap_or_default();
    let label = format!("  {:<8} ", finding.severity);
    if !in_full {
        page.paragraph(&label, &format!("{}:{detail} as above.", finding.id));
        return;
    }
    page.paragraph(&label, &format!("{}: {}{detail}", finding.id, one_line(&words.sentence)));
    for line in words.remedy.lines() {
        page.paragraph("           ", line);
    }
    for check in &words.verify {
        page.line(&format!("           $ {}", check.run));
        check.typed.iter().for_each(|line| page.line(&format!("             {line}")));
        page.paragraph("             ", &format!("look for {}", one_line(&check.look)));
    }
}

/// A port in one line.
fn brief(row: &Observation) -> String {
    let code = row.code.map(|code| code.to_string()).unwrap_or_default();
    let cell = |column: Column| shown(column.cell(row)).unwrap_or_default();
    let what = match &row.software {
        Some(_) => format!("{} {}", cell(Column::Software), cell(Column::Version)),
        None => cell(Column::Hostname),
    };
    let tls = format!("{} {}", cell(Column::Tls), cell(Column::TlsVersion));
    let worst = row.findings.iter().map(|finding| finding.severity).max();
    let worst = worst.map(|severity| severity.to_string()).unwrap_or_default();
    let at = place(row);
    format!(
        "  {at:<21}  {:<10}  {:<14}  {code:>3}  {:<16}  {worst:<6}  {}",
        row.service,
        row.outcome,
        tls.trim_end(),
        what.trim_end()
    )
}

/// Where an endpoint is.
fn place(row: &Observation) -> String {
    row.ip.map_or_else(|| format!("port {}", row.port), |ip| SocketAddr::new(ip, row.port).to_string())
}

/// Where a finding is, behind its sentence.
fn places(found: &Found<'_>) -> String {
    if found.places.is_empty() {
        return String::new();
    }
    let shown =
        found.places.iter().take(MAX_PLACES).map(|(ip, port): &(IpAddr, u16)| SocketAddr::new(*ip, *port).to_string());
    let more = if found.places.len() > MAX_PLACES { ", …" } else { "" };
    format!(" ({}{more})", shown.collect::<Vec<_>>().join(", "))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
