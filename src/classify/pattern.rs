//! A signature's pattern: read when its wordlist is, compiled when it is first tried.
//!
//! Of hundreds a scan tries a few dozen, and compiling them all takes longer than anything else at the start. What reading
//! tells (whether it is a pattern at all, its groups, the words that it requires) is known at once; that it can be compiled
//! as well is made sure of for wordlists from elsewhere, and by a test for those that are compiled in.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::prefilter;

/// As product names are written, in any case.
const CASE_INSENSITIVE: bool = true;
/// `^` and `$` stand at the ends of every line.
const MULTI_LINE: bool = true;
/// `\d`, `\w` and `\b` are ASCII's, as product names are; this keeps the automata small.
const UNICODE: bool = false;

/// The named groups that feed the fields.
pub(super) const GROUPS: [&str; 4] = ["version", "host", "device", "os"];

/// Where in a pattern each of [`GROUPS`] is.
pub(super) type Groups = [Option<usize>; GROUPS.len()];

/// A pattern, and what is known of it without compiling it.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    /// None where it has no group, which costs less to match.
    pub(super) groups: Option<Groups>,
    /// Words of which the text has one at least where the pattern matches, in lower case.
    pub(super) required: Option<Vec<Vec<u8>>>,
    /// None in it where it cannot be compiled, and then nothing matches.
    regex: OnceLock<Option<Regex>>,
}

/// What is wrong with a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// At which byte of it.
    pub(super) at: usize,
    pub(super) problem: String,
}

impl Fault {
    fn of_all(problem: String) -> Self {
        Self { at: 0, problem }
    }
}

impl Pattern {
    /// Reads a pattern.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        // Case is left out of it: `(?i)p` is a class of two letters, and who looks for required words knows of case.
        let mut parser = ParserBuilder::new().multi_line(MULTI_LINE).unicode(UNICODE).utf8(false).build();
        let hir = parser.parse(text).map_err(|error| {
            let (at, problem) = match &error {
                regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
                regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
                _ => (0, error.to_string()),
            };
            Fault { at, problem: format!("the pattern cannot be read: {problem}") }
        })?;
        let mut groups = [None; GROUPS.len()];
        if let Some(unknown) = find_groups(&hir, &mut groups) {
            let at = text.find(&format!("<{unknown}>")).unwrap_or_default();
            let known = GROUPS.join(", ");
            let problem =
                format!("the group `{unknown}` feeds no field: those are {known}; without a name it is (?:…)");
            return Err(Fault { at, problem });
        }
        if hir.properties().minimum_len() == Some(0) {
            return Err(Fault::of_all("the pattern matches everything, for it matches nothing at all".to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            groups: groups.iter().any(Option::is_some).then_some(groups),
            required: prefilter::required(&hir),
            regex: OnceLock::new(),
        })
    }

    /// Makes sure that it can be compiled.
    pub(super) fn compile(&self) -> Result<(), Fault> {
        match compiled(&self.text) {
            Ok(regex) => {
                self.regex.get_or_init(|| Some(regex));
                Ok(())
            }
            // It was read without a fault: then it is too large.
            Err(error) => Err(Fault::of_all(format!("the pattern cannot be compiled: {error}"))),
        }
    }

    /// What it is compiled to.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| compiled(&self.text).ok()).as_ref()
    }

    /// Whether it has the group.
    pub(super) fn has_group(&self, name: &str) -> bool {
        let places = self.groups.iter().flatten();
        GROUPS.iter().zip(places).any(|(group, place)| *group == name && place.is_some())
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

fn compiled(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).case_insensitive(CASE_INSENSITIVE).multi_line(MULTI_LINE).unicode(UNICODE).build()
}

/// Writes down where the groups are; gives back one that is unknown.
fn find_groups<'a>(hir: &'a Hir, groups: &mut Groups) -> Option<&'a str> {
    let (subs, is_capture) = match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => return None,
        HirKind::Repetition(repetition) => (std::slice::from_ref(&*repetition.sub), None),
        HirKind::Capture(capture) => (std::slice::from_ref(&*capture.sub), Some(capture)),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => (subs.as_slice(), None),
    };
    if let Some((name, index)) = is_capture.and_then(|capture| Some((capture.name.as_deref()?, capture.index))) {
        match GROUPS.iter().position(|group| *group == name) {
            Some(place) => groups[place] = usize::try_from(index).ok(),
            None => return Some(name),
        }
    }
    subs.iter().find_map(|sub| find_groups(sub, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_tells_what_compiling_would() {
        let pattern = Pattern::read(r"(x)Thing (?P<version>\d+)(?: on (?P<os>\w+))?").unwrap();
        assert_eq!(pattern.groups, Some([Some(2), None, None, Some(3)]));
        assert!(pattern.has_group("os") && !pattern.has_group("host"));
        let captures = pattern.regex().unwrap().captures(b"xTHING 12 on tin").unwrap();
        assert_eq!((&captures[2], &captures[3]), (&b"12"[..], &b"tin"[..]));
        assert_eq!(Pattern::read("thing").unwrap().groups, None);
    }

    #[test]
    fn faults_say_where() {
        for (pattern, at, problem) in [
            ("a((b", 2, "the pattern cannot be read: unclosed group"),
            ("a(?P<release>b)", 4, "the group `release` feeds no field"),
            ("(?:a)?", 0, "the pattern matches everything"),
        ] {
            let fault = Pattern::read(pattern).unwrap_err();
            assert_eq!(fault.at, at, "{pattern}");
            assert!(fault.problem.starts_with(problem), "{}", fault.problem);
        }
        let large = Pattern::read(r"x[ab]{1000}{1000}{1000}").unwrap();
        assert!(large.compile().unwrap_err().problem.starts_with("the pattern cannot be compiled: "));
        assert!(large.regex().is_none());
    }
}
