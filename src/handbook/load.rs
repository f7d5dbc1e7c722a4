//! Reading the handbook's wordlists, and refusing entries that would be of no help.
//!
//! What loads has no empty text, nothing twice, and a way to check each entry by hand with tools that everybody has.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::{Check, DigitText, EvidenceText, FindingText, Handbook, LoadError, Meaning, PortText, Reply};

/// What a check may be made with.
const TOOLS: [&str; 7] = ["curl", "dig", "nc", "openssl", "python3", "swaks", "telnet"];

pub(super) fn load([replies, findings, evidence]: [(&str, &str); 3]) -> Result<Handbook, LoadError> {
    let source = Source { file: replies.0, content: replies.1 };
    let file: RepliesFile = source.parse()?;
    let (first, second) = (source.digits(file.first, 1..=5)?, source.digits(file.second, 0..=5)?);
    let replies = source.entries(file.reply, |entry| entry.code.span().start, ReplyEntry::check)?;
    let ports = source.entries(file.port, |entry| entry.port.span().start, PortEntry::check)?;
    let source = Source { file: findings.0, content: findings.1 };
    let file: FindingsFile = source.parse()?;
    let findings = source.texts(file.finding, |finding| &finding.id, check_finding)?;
    let source = Source { file: evidence.0, content: evidence.1 };
    let file: EvidenceFile = source.parse()?;
    let evidence = source.texts(file.evidence, |evidence| &evidence.id, check_evidence)?;
    Ok(Handbook { first, second, replies, ports, findings, evidence })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepliesFile {
    first: Vec<DigitEntry>,
    second: Vec<DigitEntry>,
    reply: Vec<ReplyEntry>,
    port: Vec<PortEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DigitEntry {
    digit: Spanned<u16>,
    ftp: String,
    smtp: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyEntry {
    code: Spanned<u16>,
    ftp: Option<Meaning>,
    smtp: Option<Meaning>,
}

impl ReplyEntry {
    fn check(self) -> Result<(u16, Reply), String> {
        let Self { code, ftp, smtp } = self;
        let code = code.into_inner();
        if !(1..=5).contains(&(code / 100)) || code / 10 % 10 > 5 {
            return Err(format!("{code} is no reply code: the first digit is 1 to 5, the second 0 to 5"));
        }
        if ftp.is_none() && smtp.is_none() {
            return Err(format!("neither FTP nor SMTP knows {code}"));
        }
        for meaning in [&ftp, &smtp].into_iter().flatten() {
            check_meaning(meaning)?;
        }
        Ok((code, Reply { code, ftp, smtp }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortEntry {
    port: Spanned<u16>,
    name: String,
    means: String,
    seen: String,
    #[serde(rename = "do")]
    advice: String,
    verify: Vec<Check>,
    rfc: String,
}

impl PortEntry {
    fn check(self) -> Result<(u16, PortText), String> {
        let Self { port, name, means, seen, advice, verify, rfc } = self;
        let port = port.into_inner();
        let meaning = Meaning { means, seen, advice, verify, rfc };
        check_text("name", &name)?;
        check_meaning(&meaning)?;
        if port == 0 { Err("0 is no port".to_owned()) } else { Ok((port, PortText { port, name, meaning })) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingsFile {
    finding: Vec<Spanned<FindingText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceFile {
    evidence: Vec<Spanned<EvidenceText>>,
}

fn check_meaning(meaning: &Meaning) -> Result<(), String> {
    let Meaning { means, seen, advice, verify, rfc } = meaning;
    check_texts([("means", means), ("seen", seen), ("do", advice), ("rfc", rfc)])?;
    check_verify(verify)
}

fn check_finding(finding: &FindingText) -> Result<(), String> {
    let FindingText { id, severity: _, sentence, why, remedy, remedy_for, verify, rfc } = finding;
    check_id(id)?;
    check_texts([("sentence", sentence), ("why", why), ("remedy", remedy), ("rfc", rfc)])?;
    check_sentence(sentence)?;
    for (product, words) in remedy_for {
        check_texts([("remedy_for", product), (product, words)])?;
    }
    check_verify(verify)
}

fn check_evidence(evidence: &EvidenceText) -> Result<(), String> {
    let EvidenceText { id, sentence, means, otherwise, advice, verify, source } = evidence;
    check_id(id)?;
    check_texts([
        ("sentence", sentence),
        ("means", means),
        ("otherwise", otherwise),
        ("do", advice),
        ("source", source),
    ])?;
    check_sentence(sentence)?;
    check_verify(verify)
}

fn check_id(id: &str) -> Result<(), String> {
    let is_id = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if id.is_empty() || !is_id {
        return Err(format!("`{id}` is no id: write small letters, digits and _"));
    }
    Ok(())
}

fn check_sentence(sentence: &str) -> Result<(), String> {
    if !sentence.ends_with('.') || sentence.contains(". ") {
        return Err("`sentence` is not one sentence".to_owned());
    }
    Ok(())
}

fn check_verify(verify: &[Check]) -> Result<(), String> {
    if verify.is_empty() {
        return Err("`verify` names no way to check it by hand".to_owned());
    }
    for Check { run, typed, look } in verify {
        check_texts([("run", run), ("look", look)])?;
        typed.iter().try_for_each(|line| check_text("type", line))?;
        if !run.split(' ').any(|word| TOOLS.contains(&word)) {
            return Err(format!("`{run}` uses none of {}", TOOLS.join(", ")));
        }
    }
    Ok(())
}

fn check_texts<const N: usize>(texts: [(&str, &String); N]) -> Result<(), String> {
    texts.into_iter().try_for_each(|(key, text)| check_text(key, text))
}

/// Words in one line: how it is broken into lines is for whoever shows it.
fn check_text(key: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("`{key}` is empty"));
    }
    if text.trim() != text || text.contains("  ") || text.chars().any(char::is_control) {
        return Err(format!("`{key}` has blanks at its ends or in a row, or a line end"));
    }
    Ok(())
}

/// A wordlist's text, for telling where an error is.
struct Source<'a> {
    file: &'a str,
    content: &'a str,
}

impl Source<'_> {
    fn parse<T: DeserializeOwned>(&self) -> Result<T, LoadError> {
        toml::from_str(self.content)
            .map_err(|error| self.error(error.span().map_or(0, |span| span.start), error.message()))
    }

    /// Checks entries that have ids, each of which is there once.
    fn texts<T>(
        &self,
        entries: Vec<Spanned<T>>,
        id: impl Fn(&T) -> &String,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> Result<Vec<T>, LoadError> {
        let mut ids = HashSet::new();
        for entry in &entries {
            let at = entry.span().start;
            check(entry.get_ref()).map_err(|problem| self.error(at, problem))?;
            if !ids.insert(id(entry.get_ref())) {
                return Err(self.error(at, format_args!("`{}` is there twice", id(entry.get_ref()))));
            }
        }
        Ok(entries.into_iter().map(Spanned::into_inner).collect())
    }

    /// Checks entries and puts them in order, each number once.
    fn entries<E, T>(
        &self,
        entries: Vec<E>,
        at: impl Fn(&E) -> usize,
        check: impl Fn(E) -> Result<(u16, T), String>,
    ) -> Result<BTreeMap<u16, T>, LoadError> {
        let mut sorted = BTreeMap::new();
        for entry in entries {
            let at = at(&entry);
            let (number, entry) = check(entry).map_err(|problem| self.error(at, problem))?;
            if sorted.insert(number, entry).is_some() {
                return Err(self.error(at, format_args!("{number} is there twice")));
            }
        }
        Ok(sorted)
    }

    /// What digits say, each at its place; those of a wordlist without any are known to nobody.
    fn digits(
        &self,
        entries: Vec<DigitEntry>,
        range: std::ops::RangeInclusive<u16>,
    ) -> Result<BTreeMap<u16, DigitText>, LoadError> {
        let check = |entry: DigitEntry| {
            let DigitEntry { digit, ftp, smtp } = entry;
            let digit = digit.into_inner();
            check_texts([("ftp", &ftp), ("smtp", &smtp)])?;
            if range.contains(&digit) {
                Ok((digit, DigitText { ftp, smtp }))
            } else {
                Err(format!("the digit {digit} is not within {range:?}"))
            }
        };
        self.entries(entries, |entry| entry.digit.span().start, check)
    }

    fn error(&self, at: usize, problem: impl fmt::Display) -> LoadError {
        LoadError::at(self.file, self.content, at, problem)
    }
}
