//! Signatures: what a wordlist says, checked and compiled.
//!
//! A wordlist that loads is valid, so matching has no errors. Whether its examples hold is a separate question, answered
//! by [`Classifier::check`](super::Classifier::check).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::cpe::Template;
use super::hostname;
use super::pattern::{Fault, Pattern};
use super::text::Text;
use crate::observation::Software;

/// Longer than any version, device or system that means something; longer ones are a pattern run wild over hostile text.
const MAX_FIELD: usize = 128;

/// Why a wordlist cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct LoadError {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1: characters, as editors count them.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
}

impl LoadError {
    /// An error at a byte of a file's content.
    pub(crate) fn at(file: &str, content: &str, at: usize, problem: impl fmt::Display) -> Self {
        let before = content.get(..at).unwrap_or(content);
        let (line, start) = (before.matches('\n').count(), before.rfind('\n').map_or(0, |end| end + 1));
        let column = 1 + before[start..].chars().count();
        Self { file: file.to_owned(), line: 1 + line, column, problem: problem.to_string() }
    }
}

/// Where a signature's words are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said {
    /// In the greeting.
    #[default]
    Greeting,
    /// In the answer to EHLO (RFC 5321 §4.1.1.1).
    Ehlo,
    /// In the answer to FEAT (RFC 2389 §3).
    Feat,
    /// In the answer to SYST (RFC 959 §4.1.3).
    Syst,
}

/// One pattern and what it names.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) id: String,
    /// What the pattern is matched against.
    pub(super) said: Said,
    /// Signatures of other software that fit the same words and say less: this one wins, and is as sure as ever.
    pub(super) over: Vec<String>,
    /// Where it stands.
    pub(super) file: Arc<str>,
    /// Other software inside this one or behind it, which may answer as well: no contradiction.
    pub(super) runs: Vec<String>,
    pub(super) line: usize,
    pub(super) confidence: u8,
    pub(super) pattern: Pattern,
    pub(super) examples: Vec<Example>,
    pub(super) software: Arc<str>,
    pub(super) vendor: Option<Arc<str>>,
    cpe: Option<Template>,
    os: Option<String>,
    device: Option<String>,
    os_by_version: BTreeMap<String, String>,
}

/// A whole greeting, or a whole reply, as sent, and what it must yield.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    #[serde(alias = "reply")]
    pub(super) greeting: String,
    pub(super) version: Option<String>,
    pub(super) host: Option<String>,
    pub(super) os: Option<String>,
    pub(super) device: Option<String>,
}

/// What a signature made of one text.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) software: Software,
    /// The host name, where the pattern has a group for it and it can be one.
    pub(super) host: Option<String>,
}

impl Signature {
    /// Reads the fields from where the pattern matches.
    pub(super) fn read(&self, text: &Text<'_>, found: &Range<usize>) -> Match {
        let whole = text.as_str().as_bytes();
        let field = |range: Range<usize>| {
            let usable = (1..=MAX_FIELD).contains(&range.len()) && !text.may_be_cut_at(range.end);
            usable.then(|| String::from_utf8_lossy(&whole[range]))
        };
        let [version, host, device, os] = self.pattern.groups_in(whole, found).map(|group| group.and_then(field));
        // The full stop of a sentence is no part of the version that ends it.
        let version = version.map(|version| version.trim_end_matches(['.', ',', '-']).to_owned());
        let os = os.map(Cow::into_owned).or_else(|| self.os_of(version.as_deref())).or_else(|| self.os.clone());
        let software = Software {
            name: Arc::clone(&self.software),
            vendor: self.vendor.clone(),
            device: device.map(Cow::into_owned).or_else(|| self.device.clone()),
            os,
            cpe: self.cpe.as_ref().map(|cpe| cpe.fill(version.as_deref())),
            confidence: self.confidence,
            version,
        };
        let host = host.and_then(|host| hostname::accept(&host).map(str::to_owned));
        Match { software, host }
    }

    /// Whether it is said to win over the other.
    pub(super) fn is_over(&self, other: &Self) -> bool {
        self.over.contains(&other.id)
    }

    /// Whether both may be true of one server: they name the same software, or one that runs the other.
    pub(super) fn is_kin(&self, other: &Self) -> bool {
        self.software == other.software || self.is_made_of(other) || other.is_made_of(self)
    }

    /// Whether it names a product that runs the other's software.
    pub(super) fn is_made_of(&self, other: &Self) -> bool {
        self.runs.iter().any(|software| **software == *other.software)
    }

    /// The system that a version belongs to: the entry for the most of its leading components.
    fn os_of(&self, version: Option<&str>) -> Option<String> {
        let mut prefix = version?;
        loop {
            if let Some(os) = self.os_by_version.get(prefix) {
                return Some(os.clone());
            }
            prefix = prefix.rsplit_once('.')?.0;
        }
    }
}

/// When patterns are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compile {
    /// When they are loaded, so that what cannot be compiled is told.
    Now,
    /// When they are first tried: a test has compiled them.
    WhenTried,
}

/// The signatures of one file, in its order.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Whether they stand in the place of all that are compiled in, not beside them.
    pub(super) replace: bool,
    pub(super) signatures: Vec<Signature>,
}

/// Reads the signatures of one wordlist; `file` is how errors call it. All that is wrong is told, as far as the file can
/// be read at all.
pub(super) fn load(file: &str, content: &str, compile: Compile) -> Result<Loaded, Vec<LoadError>> {
    let source = Source::new(file, content);
    let wordlist: Wordlist = toml::from_str(content)
        .map_err(|error| vec![source.error(error.span().map_or(0, |span| span.start), error.message())])?;
    let name: Arc<str> = file.into();
    let (mut signatures, mut errors, mut ids) = (Vec::new(), Vec::new(), HashMap::new());
    for entry in wordlist.signature {
        let at = entry.id.span().start;
        if let Some(first) = ids.insert(entry.id.get_ref().clone(), at) {
            let (id, line) = (entry.id.get_ref(), source.line(first));
            errors.push(source.error(at, format_args!("the id `{id}` is taken in line {line}: give this one another")));
        }
        match entry.compile(&name, &source, compile) {
            Ok(signature) => signatures.push(signature),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Loaded { replace: wordlist.replace, signatures }) } else { Err(errors) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wordlist {
    #[serde(default)]
    replace: bool,
    #[serde(default)]
    signature: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    software: Spanned<String>,
    vendor: Option<String>,
    cpe: Option<Spanned<String>>,
    confidence: Spanned<u8>,
    pattern: Spanned<String>,
    os: Option<Spanned<String>>,
    device: Option<Spanned<String>>,
    #[serde(default)]
    os_by_version: BTreeMap<String, String>,
    #[serde(default)]
    said: Said,
    #[serde(default)]
    over: Vec<String>,
    #[serde(default)]
    runs: Vec<String>,
    #[serde(default)]
    example: Vec<Example>,
}

impl Entry {
    fn compile(self, file: &Arc<str>, source: &Source<'_>, compile: Compile) -> Result<Signature, LoadError> {
        let at = self.id.span().start;
        if self.id.get_ref().is_empty() || self.software.get_ref().is_empty() {
            return Err(source.error(at, "a signature wants an id and a software that are not empty"));
        }
        if !(1..=100).contains(self.confidence.get_ref()) {
            return Err(source.error(self.confidence.span().start, "the confidence is not within 1 to 100"));
        }
        if self.example.is_empty() {
            return Err(source.error(at, "a signature wants at least one [[signature.example]]"));
        }
        let pattern =
            Pattern::read(self.pattern.get_ref()).map_err(|fault| in_pattern(&self.pattern, source, &fault))?;
        if compile == Compile::Now {
            pattern.compile().map_err(|fault| in_pattern(&self.pattern, source, &fault))?;
        }
        for (group, fixed) in [("os", &self.os), ("device", &self.device)] {
            if let (true, Some(fixed)) = (pattern.has_group(group), fixed) {
                let problem = format_args!("`{group}` is both fixed and a group of the pattern");
                return Err(source.error(fixed.span().start, problem));
            }
        }
        if !self.os_by_version.is_empty() && !pattern.has_group("version") {
            return Err(source.error(at, "`os_by_version` wants a pattern with a group `version`"));
        }
        let cpe = self
            .cpe
            .map(|cpe| Template::parse(cpe.get_ref()).map_err(|problem| source.error(cpe.span().start, problem)));
        Ok(Signature {
            file: Arc::clone(file),
            line: source.line(at),
            id: self.id.into_inner(),
            said: self.said,
            over: self.over,
            runs: self.runs,
            software: self.software.into_inner().into(),
            vendor: self.vendor.map(Into::into),
            cpe: cpe.transpose()?,
            confidence: self.confidence.into_inner(),
            pattern,
            os: self.os.map(Spanned::into_inner),
            device: self.device.map(Spanned::into_inner),
            os_by_version: self.os_by_version,
            examples: self.example,
        })
    }
}

/// A fault of a pattern as one of the file. In a literal string, which patterns are written in, what stands in the file is the
/// pattern.
fn in_pattern(pattern: &Spanned<String>, source: &Source<'_>, fault: &Fault) -> LoadError {
    let (at, text) = (pattern.span().start, pattern.get_ref());
    let quoted = source.content.get(at..).and_then(|rest| rest.find(text.as_str())).filter(|quote| *quote <= 4);
    source.error(quoted.map_or(at, |quote| at + quote + fault.at), &fault.problem)
}

/// A wordlist's text, for telling where an error is.
struct Source<'a> {
    file: &'a str,
    content: &'a str,
    /// Where lines end.
    ends: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(file: &'a str, content: &'a str) -> Self {
        let ends = content.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(place, _)| place).collect();
        Self { file, content, ends }
    }

    fn line(&self, at: usize) -> usize {
        1 + self.ends.partition_point(|end| *end < at)
    }

    fn error(&self, at: usize, problem: impl fmt::Display) -> LoadError {
        LoadError::at(self.file, self.content, at, problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"
[[signature]]
id = "thing"
software = "Thing"
confidence = 90
pattern = 'Thing (?P<version>[\d.]+)'
cpe = "cpe:2.3:a:thing:thing:{version}:*:*:*:*:*:*:*"
[[signature.example]]
greeting = "220 Thing 1.2\r\n"
version = "1.2"
"#;

    #[test]
    fn a_sound_entry_loads() {
        let signatures = load("list.toml", SOUND, Compile::Now).unwrap().signatures;
        assert_eq!((signatures[0].id.as_str(), signatures[0].line), ("thing", 3));
    }

    #[test]
    fn errors_say_where_and_what() {
        let twice = format!("{SOUND}{SOUND}");
        for (content, told) in [
            ("signature = 3", "list.toml:1:13: invalid type"),
            (&SOUND.replace("id =", "idd ="), "list.toml:3:1: unknown field `idd`"),
            (&twice, "list.toml:13:6: the id `thing` is taken in line 3: give this one another"),
            (&SOUND.replace("90", "0"), "list.toml:5:14: the confidence is not within 1 to 100"),
            (&SOUND.replace("90", "900"), "list.toml:5:14: invalid value"),
            (&SOUND.replace("'Thing (", "'Thing (("), "list.toml:6:18: the pattern cannot be read: unclosed group"),
            (&SOUND.replace("'Thing (", "'\\xd6 \\p{L} ("), "list.toml:6:17: the pattern cannot be read: "),
            (&SOUND.replace("'Thing ", "'x{99999}{99}"), "list.toml:6:12: the pattern cannot be compiled: "),
            (&SOUND.replace("<version>", "<release>"), "list.toml:6:21: the group `release` feeds no field: those"),
            (&SOUND.replace("'Thing (?P<version>[\\d.]+)'", "'.*'"), "list.toml:6:12: the pattern matches everything"),
            (&SOUND.replace("cpe:2.3:a:", "cpe:/a:"), "list.toml:7:7: a CPE begins with"),
            (&SOUND.replace("<version>", "<os>").replace("cpe =", "os = 'x'\ncpe ="), "list.toml:7:6: `os` is both"),
            (SOUND.split("[[signature.example]]").next().unwrap(), "list.toml:3:6: a signature wants at least one"),
        ] {
            let error = load("list.toml", content, Compile::Now).unwrap_err()[0].to_string();
            assert!(error.starts_with(told), "{error:?} does not start with {told:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let twice = format!("{SOUND}{SOUND}").replace("'Thing", "'(Thing");
        let errors = load("list.toml", &twice, Compile::Now).unwrap_err();
        let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [6, 13, 16]);
    }

    #[test]
    fn a_field_run_wild_is_dropped() {
        let signatures = load("list.toml", SOUND, Compile::Now).unwrap().signatures;
        let greeting = format!("220 Thing {}\r\n", "1".repeat(60_000));
        let (signature, text) = (&signatures[0], Text::read(greeting.as_bytes()));
        let found = signature.pattern.find(text.as_str().as_bytes()).unwrap();
        assert_eq!(signature.read(&text, &found).software.version, None);
    }
}
