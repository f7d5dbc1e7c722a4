//! `hailer explain`: what reply codes, ports, findings and evidence mean, from the handbook. Nothing is sent and no file is read.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::ops::RangeInclusive;

use clap::Args;
use hailer::handbook::{Check, Digits, EvidenceText, FindingText, General, Handbook, Meaning, PortText, Reply};
use serde::Serialize;
use terminal_size::{Width, terminal_size_of};

use super::page::{Item, Line, Page, Section, wrap};
use super::{Ended, Failure};

/// Longer lines are hard to read; and what there is where stdout is no terminal.
const PAGE_WIDTH: usize = 100;

/// Pages side by side want so much each, and gain by more up to here.
const COLUMN: RangeInclusive<usize> = 45..=78;

/// On narrower terminals lines are as long as here.
const LEAST_WIDTH: usize = 40;

/// A finding may be any port's, and its commands are written for one.
const STARTTLS: &str = "-starttls smtp is for 25 and 587: say -starttls ftp for 21, and leave it out for 465 and 990";

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Reply codes (421), ports (port:25), findings and evidence by their id; codes side by side if there is room [default: --list]
    #[arg(value_name = "WHAT")]
    what: Vec<String>,

    /// List every code, port, finding and kind of evidence, a line each
    #[arg(long, conflicts_with = "what")]
    list: bool,

    /// For programs: a JSON array with an object for each
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Ended, Failure> {
    let handbook = Handbook::builtin();
    let is_list = args.list || args.what.is_empty();
    let entries = if is_list {
        everything(handbook)
    } else {
        let entries = args.what.iter().map(|word| look_up(handbook, word));
        entries.collect::<Result<_, _>>().map_err(Failure::usage)?
    };
    let lines = match (args.json, is_list) {
        (true, _) => vec![serde_json::to_string_pretty(&entries).map_err(Failure::failed)?],
        (false, true) => listing(&entries, width().min(PAGE_WIDTH)),
        (false, false) => explained(&entries, width()),
    };
    match print(&lines) {
        // Whoever has read enough may go.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(Ended::Done),
    }
}

fn print(lines: &[String]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn width() -> usize {
    let stdout = io::stdout();
    let size = if stdout.is_terminal() { terminal_size_of(stdout) } else { None };
    size.map_or(PAGE_WIDTH, |(Width(width), _)| usize::from(width).max(LEAST_WIDTH))
}

/// What can be explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Reply(&'a Reply),
    /// A code that is not in the handbook, by its digits.
    Unlisted {
        #[serde(flatten)]
        general: General<'a>,
        near: Vec<u16>,
    },
    Port(&'a PortText),
    Finding(&'a FindingText),
    Evidence(&'a EvidenceText),
}

fn everything(handbook: &Handbook) -> Vec<Entry<'_>> {
    let replies = handbook.replies().map(Entry::Reply);
    let findings = handbook.findings().map(Entry::Finding);
    let evidence = handbook.all_evidence().map(Entry::Evidence);
    replies.chain(handbook.ports().map(Entry::Port)).chain(findings).chain(evidence).collect()
}

fn look_up<'a>(handbook: &'a Handbook, word: &str) -> Result<Entry<'a>, String> {
    let plain = word.trim().to_ascii_lowercase();
    if let Some(port) = plain.strip_prefix("port:") {
        let known = port.parse().ok().and_then(|port| handbook.port(port));
        let numbers = || joined(handbook.ports().map(|it| it.port));
        return known.map(Entry::Port).ok_or_else(|| format!("'{word}': the ports explained here are {}", numbers()));
    }
    if plain.len() == 3 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return code(handbook, &plain);
    }
    if plain.split('.').count() == 3 && plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(enhanced(handbook, &plain));
    }
    if plain.bytes().all(|byte| byte.is_ascii_digit()) && !plain.is_empty() {
        return Err(format!("'{word}' is no reply code, which has three digits; a port is written port:{plain}"));
    }
    let id = plain.replace('-', "_");
    let finding = handbook.finding(&id).map(Entry::Finding);
    finding.or_else(|| handbook.evidence(&id).map(Entry::Evidence)).ok_or_else(|| {
        let ids = handbook.findings().map(|it| &it.id).chain(handbook.all_evidence().map(|it| &it.id));
        let nearest = ids.min_by_key(|it| strsim::damerau_levenshtein(it, &id));
        let nearest = nearest.map(|it| format!("did you mean '{it}'? ")).unwrap_or_default();
        format!("'{word}' is no reply code, port, finding or evidence: {nearest}`hailer explain --list` names them all")
    })
}

fn code<'a>(handbook: &'a Handbook, word: &str) -> Result<Entry<'a>, String> {
    let number: u16 = word.parse().map_err(|_| format!("'{word}' is no number"))?;
    let unlisted = || Some(Entry::Unlisted { general: handbook.general(number)?, near: handbook.near(number) });
    handbook
        .reply(number)
        .map(Entry::Reply)
        .or_else(unlisted)
        .ok_or_else(|| format!("'{word}' is no reply code: the first digit is 1 to 5, the second 0 to 5"))
}

/// Enhanced status codes have no entries of their own, and stand in those of the codes that they come with.
fn enhanced(handbook: &Handbook, word: &str) -> String {
    let tells = |reply: &&Reply| {
        let texts = reply.smtp.iter().flat_map(|it| [&it.means, &it.seen, &it.advice]);
        let mut words = texts.flat_map(|text| text.split(|c: char| !c.is_ascii_digit() && c != '.'));
        words.any(|it| it.trim_end_matches('.') == word)
    };
    let codes = joined(handbook.replies().filter(tells).map(|reply| reply.code));
    let hint = if codes.is_empty() { "give the three digits before it".to_owned() } else { format!("see {codes}") };
    format!("'{word}' is an enhanced status code (RFC 3463), which comes with a reply code: {hint}")
}

fn joined(numbers: impl Iterator<Item = u16>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
}

/// The pages of all that was asked.
fn explained(entries: &[Entry<'_>], width: usize) -> Vec<String> {
    let pages: Vec<Page> = entries.iter().map(Entry::page).collect();
    let column = Page::column(pages.len(), width);
    if pages.len() > 1 && entries.iter().all(Entry::is_code) && column >= *COLUMN.start() {
        return Page::render_beside(&pages, column.min(*COLUMN.end()));
    }
    let pages: Vec<_> = pages.iter().map(|page| page.render(width.min(PAGE_WIDTH))).collect();
    pages.join(&String::new())
}

impl Entry<'_> {
    fn is_code(&self) -> bool {
        match self {
            Self::Reply(_) | Self::Unlisted { .. } => true,
            Self::Port(_) | Self::Finding(_) | Self::Evidence(_) => false,
        }
    }

    fn page(&self) -> Page {
        match self {
            Self::Reply(Reply { code, ftp, smtp }) => {
                let sections = [("FTP", ftp), ("SMTP", smtp)].map(|(title, meaning)| match meaning {
                    Some(meaning) => section(title, meaning),
                    None => Section { title, lead: format!("{title} has no such code."), items: vec![] },
                });
                Page { heading: code.to_string(), sections: sections.into() }
            }
            Self::Unlisted { general: General { code, ftp, smtp }, near } => {
                let sections = [("FTP", ftp), ("SMTP", smtp)].map(|(title, digits)| by_digits(title, *digits));
                let near = joined(near.iter().copied());
                Page { heading: format!("{code} (not in the handbook; near it are {near})"), sections: sections.into() }
            }
            Self::Port(PortText { port, name, meaning }) => {
                Page { heading: format!("port {port}: {name}"), sections: vec![section("", meaning)] }
            }
            Self::Finding(finding) => finding_page(finding),
            Self::Evidence(EvidenceText { id, sentence, means, otherwise, advice, verify, source }) => {
                let items = vec![
                    text("Means", means),
                    text("Or else", otherwise),
                    text("Do", advice),
                    checks(verify),
                    text("Source", source),
                ];
                let sections = vec![Section { title: "", lead: sentence.clone(), items }];
                Page { heading: format!("{id} (evidence)"), sections }
            }
        }
    }
}

fn section(title: &'static str, meaning: &Meaning) -> Section {
    let Meaning { means, seen, advice, verify, rfc } = meaning;
    let items = vec![text("Seen when", seen), text("Do", advice), checks(verify), text("Source", rfc)];
    Section { title, lead: means.clone(), items }
}

fn by_digits(title: &'static str, digits: Digits<'_>) -> Section {
    let Digits { first, second } = digits;
    Section { title, lead: first.to_owned(), items: vec![text("It is about", second)] }
}

fn finding_page(finding: &FindingText) -> Page {
    let FindingText { id, severity, sentence, why, remedy, remedy_for, verify, rfc } = finding;
    let mut remedies = text("Do", remedy);
    remedies.lines.extend(remedy_for.iter().map(|(product, words)| Line::Text(format!("{product}: {words}"))));
    let mut verify = checks(verify);
    if finding.verify.iter().any(|check| check.run.contains("-starttls smtp")) {
        verify.lines.push(Line::Text(STARTTLS.to_owned()));
    }
    let items = vec![text("Why", why), remedies, verify, text("Source", rfc)];
    let sections = vec![Section { title: "", lead: sentence.clone(), items }];
    Page { heading: format!("{id} ({severity})"), sections }
}

fn text(label: &'static str, text: &str) -> Item {
    Item { label, lines: vec![Line::Text(text.to_owned())] }
}

fn checks(checks: &[Check]) -> Item {
    let lines = checks.iter().flat_map(|Check { run, typed, look }| {
        let typed = typed.iter().map(|line| Line::Typed(line.clone()));
        std::iter::once(Line::Command(run.clone())).chain(typed).chain([Line::Text(look.clone())])
    });
    Item { label: "Check by hand", lines: lines.collect() }
}

/// A line for each, as long as words allow.
fn listing(entries: &[Entry<'_>], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |head: fmt::Arguments<'_>, words: &str| {
        let head = head.to_string();
        lines.extend(wrap(words, &head, &" ".repeat(head.chars().count()), width));
    };
    for entry in entries {
        match entry {
            Entry::Reply(Reply { code, ftp, smtp }) => {
                for (protocol, meaning) in [("FTP", ftp), ("SMTP", smtp)] {
                    if let Some(meaning) = meaning {
                        say(format_args!("{code:<8}  {protocol:<4}  "), first_sentence(&meaning.means));
                    }
                }
            }
            Entry::Unlisted { .. } => {}
            Entry::Port(PortText { port, name: _, meaning }) => {
                say(format_args!("{:<14}  ", format!("port:{port}")), first_sentence(&meaning.means));
            }
            Entry::Finding(FindingText { id, severity, sentence, .. }) => {
                say(format_args!("{id:<24}  {severity:<6}  "), sentence);
            }
            Entry::Evidence(EvidenceText { id, sentence, .. }) => {
                say(format_args!("{id:<24}  front   "), sentence);
            }
        }
    }
    lines
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(word: &str) -> String {
        look_up(Handbook::builtin(), word).unwrap_err()
    }

    #[test]
    fn words_lead_to_entries() {
        let handbook = Handbook::builtin();
        for word in ["421", " 421 "] {
            assert_eq!(look_up(handbook, word), Ok(Entry::Reply(handbook.reply(421).unwrap())), "{word:?}");
        }
        for word in ["port:20", "PORT:20"] {
            assert_eq!(look_up(handbook, word), Ok(Entry::Port(handbook.port(20).unwrap())), "{word}");
        }
        for word in ["cert_expired", "cert-expired", "Cert_Expired"] {
            assert_eq!(
                look_up(handbook, word),
                Ok(Entry::Finding(handbook.finding("cert_expired").unwrap())),
                "{word}"
            );
        }
        let Ok(Entry::Unlisted { general, near }) = look_up(handbook, "429") else { panic!("429 has an entry") };
        assert_eq!((general.code, near), (429, vec![421, 425, 426]));
    }

    #[test]
    fn what_is_not_there_leads_to_what_is() {
        for (word, told) in [
            ("631", "'631' is no reply code: the first digit is 1 to 5, the second 0 to 5"),
            ("299", "'299' is no reply code: "),
            ("25", "'25' is no reply code, which has three digits; a port is written port:25"),
            ("port:4711", "'port:4711': the ports explained here are 20, 21, 25, "),
            ("port:", "'port:': the ports explained here are "),
            ("port:65557", "'port:65557': the ports explained here are "),
            ("5.7.8", "'5.7.8' is an enhanced status code (RFC 3463), which comes with a reply code: see 535"),
            ("5.9.9", "'5.9.9' is an enhanced status code (RFC 3463), which comes with a reply code: give the three"),
            ("cert_expird", "'cert_expird' is no reply code, port, finding or evidence: did you mean 'cert_expired'? "),
            ("starttls", "'starttls' is no reply code, port, finding or evidence: did you mean 'no_starttls'? "),
            ("", "'' is no reply code, port, finding or evidence: "),
        ] {
            assert!(error(word).starts_with(told), "{word}: {}", error(word));
        }
    }

    #[test]
    fn codes_stand_side_by_side_where_there_is_room() {
        let first = |words: &[&str], width| {
            let entries: Vec<_> = words.iter().map(|word| look_up(Handbook::builtin(), word).unwrap()).collect();
            let lines = explained(&entries, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
            lines[0].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        for (words, width) in
            [(&["220", "221"][..], 94), (&["220", "221", "250"], 143), (&["220", "221", "250", "354"], 192)]
        {
            assert_eq!(first(words, width), words, "{width}");
            assert_eq!(first(words, width - 1), ["220"], "{width}");
        }
        assert_eq!(first(&["220", "port:20"], 200), ["220"]);
    }

    #[test]
    fn commands_of_findings_say_what_they_are_for() {
        let told = |word| {
            let lines = explained(&[look_up(Handbook::builtin(), word).unwrap()], 100).join(" ");
            lines.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert!(told("weak_key").contains(STARTTLS) && !told("not_ready").contains(STARTTLS));
    }

    /// But for command lines without a blank, and what is typed.
    #[test]
    fn pages_keep_to_their_width() {
        let entries = everything(Handbook::builtin());
        for width in [PAGE_WIDTH, WIDTH_OF_A_SMALL_TERMINAL] {
            let lines = entries.iter().flat_map(|entry| entry.page().render(width)).chain(listing(&entries, width));
            let long: Vec<_> = lines.filter(|line| line.chars().count() > width).collect();
            assert!(long.is_empty(), "{width}: {long:#?}");
        }
    }

    const WIDTH_OF_A_SMALL_TERMINAL: usize = 80;
}
