//! A signature's pattern: read when its wordlist is, compiled when it is first tried.
//!
//! Of hundreds a scan tries a few dozen, and compiling them all takes longer than anything else at the start. What reading
//! tells (whether it is a pattern at all, its groups, the words that it requires) is known at once; that it can be compiled
//! as well is made sure of for wordlists from elsewhere, and by a test for those that are compiled in.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::{self, BuildError, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::words::{self, MULTI_LINE, UNICODE};

/// As product names are written, in any case.
const CASE_INSENSITIVE: bool = true;

/// A pattern whose automaton is larger is refused; one that is compiled in has some hundred KiB at most.
const MAX_AUTOMATON: usize = 10 << 20;

/// The named groups that feed the fields.
pub(super) const GROUPS: [&str; 4] = ["version", "host", "device", "os"];

/// Where in a pattern each of [`GROUPS`] is.
pub(super) type Groups = [Option<usize>; GROUPS.len()];

/// A pattern, and what is known of it without compiling it.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    /// None where it has no group, which costs less to match.
    groups: Option<Groups>,
    /// With which bytes what a group holds can begin.
    begins_group: Bytes,
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
        let hir = words::read(text).map_err(|error| {
            let (at, problem) = match &*error {
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
        let mut begins_group = Bytes::NONE;
        add_beginnings_of_groups(&hir, &mut begins_group);
        Ok(Self {
            text: text.to_owned(),
            groups: groups.iter().any(Option::is_some).then_some(groups),
            begins_group,
            required: words::required(&hir),
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
            Err(error) => {
                let problem = match error.size_limit() {
                    Some(limit) => format!("compiled it takes more than {} MiB", limit >> 20),
                    None => error.to_string(),
                };
                Err(Fault::of_all(format!("the pattern cannot be compiled: {problem}")))
            }
        }
    }

    /// Where it matches first.
    pub(super) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        Some(self.regex()?.search(&Input::new(text))?.range())
    }

    /// What its groups hold of a place where it matches. Most matches hold no version, and are not looked at any closer.
    pub(super) fn groups_in(&self, text: &[u8], found: &Range<usize>) -> [Option<Range<usize>>; GROUPS.len()] {
        let none = [const { None }; GROUPS.len()];
        let Some(groups) = self.groups.filter(|_| text[found.clone()].iter().any(|byte| self.begins_group.has(*byte)))
        else {
            return none;
        };
        let last = groups.iter().flatten().max().copied().unwrap_or_default();
        let mut slots = vec![None; 2 * (last + 1)];
        let input = Input::new(text).range(found.clone()).anchored(Anchored::Yes);
        if self.regex().and_then(|regex| regex.search_slots(&input, &mut slots)).is_none() {
            return none;
        }
        groups.map(|group| {
            let [start, end] = *slots.get(2 * group?..)?.first_chunk()?;
            Some(start?.get()..end?.get())
        })
    }

    fn regex(&self) -> Option<&Regex> {
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

fn compiled(text: &str) -> Result<Regex, Box<BuildError>> {
    let syntax = syntax::Config::new().case_insensitive(CASE_INSENSITIVE).multi_line(MULTI_LINE).unicode(UNICODE);
    let limits = meta::Config::new().nfa_size_limit(Some(MAX_AUTOMATON)).utf8_empty(false);
    meta::Builder::new().configure(limits).syntax(syntax.utf8(false)).build(text).map_err(Box::new)
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

/// Bytes, in both cases.
#[derive(Debug, Clone, Copy)]
struct Bytes([bool; 256]);

impl Bytes {
    const NONE: Self = Self([false; 256]);

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    fn add(&mut self, byte: u8) {
        for case in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
            self.0[usize::from(case)] = true;
        }
    }
}

/// Adds with which bytes what a named group holds can begin.
fn add_beginnings_of_groups(hir: &Hir, bytes: &mut Bytes) {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        HirKind::Repetition(repetition) => add_beginnings_of_groups(&repetition.sub, bytes),
        HirKind::Capture(capture) if capture.name.is_some() => {
            add_beginnings(&capture.sub, bytes);
        }
        HirKind::Capture(capture) => add_beginnings_of_groups(&capture.sub, bytes),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            for sub in subs {
                add_beginnings_of_groups(sub, bytes);
            }
        }
    }
}

/// Adds with which bytes a match can begin; gives back whether what follows can be its beginning as well.
fn add_beginnings(hir: &Hir, bytes: &mut Bytes) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            literal.0.first().into_iter().for_each(|byte| bytes.add(*byte));
            false
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().flat_map(|range| range.start()..=range.end()).for_each(|byte| bytes.add(byte));
            false
        }
        HirKind::Class(Class::Unicode(_)) => {
            (0..=u8::MAX).for_each(|byte| bytes.add(byte));
            false
        }
        HirKind::Repetition(repetition) => add_beginnings(&repetition.sub, bytes) || repetition.min == 0,
        HirKind::Capture(capture) => add_beginnings(&capture.sub, bytes),
        HirKind::Concat(subs) => subs.iter().all(|sub| add_beginnings(sub, bytes)),
        // Each adds its own, so that none may be left out.
        HirKind::Alternation(subs) => subs.iter().filter(|sub| add_beginnings(sub, bytes)).count() > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_tells_what_compiling_would() {
        let pattern = Pattern::read(r"(x)Thing (?P<version>\d+)(?: on (?P<os>\w+))?").unwrap();
        assert_eq!(pattern.groups, Some([Some(2), None, None, Some(3)]));
        assert!(pattern.has_group("os") && !pattern.has_group("host"));
        let text = b"a xTHING 12 on tin, xThing 13";
        let found = pattern.find(text).unwrap();
        assert_eq!(found, 2..18);
        assert_eq!(pattern.groups_in(text, &found), [Some(9..11), None, None, Some(15..18)]);
        assert_eq!(Pattern::read("thing").unwrap().groups, None);
    }

    #[test]
    fn a_group_is_looked_for_where_one_can_begin() {
        for (pattern, begins, others) in [
            (r"a(?P<version>\d+)", "0123456789", "abc"),
            ("a(?P<os>x?(?:yes|[n-p]o)|(?P<host>)z*w)", "xXyYnopzw", "aesb"),
            ("a(?:(?P<os>b)|(?P<device>c))+(d)", "bBcC", "ad"),
            ("a(?P<os>\\bb|$c)", "bc", "a"),
            ("a(?P<os>(?u:\u{fc}|x\\w))", "\u{c3}x", "y"),
        ] {
            let pattern = Pattern::read(pattern).unwrap();
            let has = |character: char| pattern.begins_group.has(u8::try_from(u32::from(character)).unwrap());
            assert!(begins.chars().all(has) && !others.chars().any(has), "{}", pattern.text);
        }
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
        assert!(large.find(b"xaaa").is_none());
    }
}
