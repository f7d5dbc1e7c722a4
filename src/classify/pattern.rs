//! A signature's pattern: read when its wordlist is, compiled when it is first tried.
//!
//! Of hundreds a scan tries a few dozen, and compiling them all takes longer than anything else at the start. What reading
//! tells (whether it is a pattern at all, its groups, the words that it requires) is known at once; that it can be compiled
//! as well is made sure of for wordlists from elsewhere, and by a test for those that are compiled in.

use std::ops::Range;
use std::sync::{Mutex, OnceLock};

use regex_automata::meta::{self, BuildError, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::words::{self, MULTI_LINE, UNICODE};

/// As product names are written, in any case.
const CASE_INSENSITIVE: bool = true;

/// How far around a match a pattern sees: a character, for the end of a word.
const IN_SIGHT: usize = 4;

/// Longer words are not remembered.
const MAX_KNOWN: usize = 256;

/// A pattern whose automaton is larger is refused; one that is compiled in has some hundred KiB at most.
const MAX_AUTOMATON: usize = 10 << 20;

/// The named groups that feed the fields.
pub(super) const GROUPS: [&str; 4] = ["version", "host", "device", "os"];

/// What each of [`GROUPS`] holds.
pub(super) type Held = [Option<Range<usize>>; GROUPS.len()];

/// Where in a pattern each of [`GROUPS`] is.
pub(super) type Groups = [Option<usize>; GROUPS.len()];

/// A pattern, and what is known of it without compiling it.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    /// None where it has no group, which costs less to match.
    groups: Option<Groups>,
    /// Of these bytes what a group holds has one at least.
    in_group: Bytes,
    /// Words of which the text has one at least where the pattern matches, in lower case.
    pub(super) required: Option<Vec<Vec<u8>>>,
    /// None in it where it cannot be compiled, and then nothing matches.
    regex: OnceLock<Option<Regex>>,
    last: Mutex<Known>,
}

/// What the groups held where a pattern last matched. Thousands of servers say the same words, and to find the groups in
/// them costs more than to find the words.
#[derive(Debug, Default)]
struct Known {
    /// The words, with what a pattern can see of what is around them.
    words: Vec<u8>,
    /// Where in them the match is.
    place: Range<usize>,
    /// Counted from the match.
    groups: Held,
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
        Ok(Self {
            text: text.to_owned(),
            groups: groups.iter().any(Option::is_some).then_some(groups),
            in_group: needed_by_groups(&hir),
            required: words::required(&hir),
            regex: OnceLock::new(),
            last: Mutex::default(),
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
    pub(super) fn groups_in(&self, text: &[u8], found: &Range<usize>) -> Held {
        let Some(groups) = self.groups.filter(|_| text[found.clone()].iter().any(|byte| self.in_group.has(*byte)))
        else {
            return Held::default();
        };
        let start = found.start.saturating_sub(IN_SIGHT);
        let words = &text[start..text.len().min(found.end + IN_SIGHT)];
        let place = found.start - start..found.end - start;
        let from = |origin: usize, held: &Held| {
            held.clone().map(|range| range.map(|range| origin + range.start..origin + range.end))
        };
        if let Ok(last) = self.last.try_lock()
            && last.place == place
            && last.words == words
        {
            return from(found.start, &last.groups);
        }
        let held = self.look_for(groups, text, found);
        if words.len() <= MAX_KNOWN
            && let Ok(mut last) = self.last.try_lock()
        {
            last.words.clear();
            last.words.extend(words);
            (last.place, last.groups) = (place, held.clone());
        }
        from(found.start, &held)
    }

    /// The same, counted from where it matches.
    fn look_for(&self, groups: Groups, text: &[u8], found: &Range<usize>) -> Held {
        let last = groups.iter().flatten().max().copied().unwrap_or_default();
        let mut slots = vec![None; 2 * (last + 1)];
        let input = Input::new(text).range(found.clone()).anchored(Anchored::Yes);
        if self.regex().and_then(|regex| regex.search_slots(&input, &mut slots)).is_none() {
            return Held::default();
        }
        groups.map(|group| {
            let [start, end] = *slots.get(2 * group?..)?.first_chunk()?;
            Some(start?.get() - found.start..end?.get() - found.start)
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

/// Bytes, letters in both cases.
#[derive(Debug, Clone, Copy)]
struct Bytes([bool; 256]);

impl Bytes {
    const NONE: Self = Self([false; 256]);
    const ALL: Self = Self([true; 256]);

    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let mut of = Self::NONE;
        for byte in bytes {
            of.0[usize::from(byte.to_ascii_lowercase())] = true;
            of.0[usize::from(byte.to_ascii_uppercase())] = true;
        }
        of
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    fn or(self, other: Self) -> Self {
        Self::of((0..=u8::MAX).filter(|byte| self.has(*byte) || other.has(*byte)))
    }

    /// How much of a text there is of them, roughly: it is mostly letters.
    fn weight(&self) -> u32 {
        let weight = |byte: u8| if byte.is_ascii_alphabetic() { 10 } else { 1 };
        (0..=u8::MAX).filter(|byte| self.has(*byte)).map(weight).sum()
    }
}

/// Bytes of which what a named group holds has one at least.
fn needed_by_groups(hir: &Hir) -> Bytes {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => Bytes::NONE,
        HirKind::Repetition(repetition) => needed_by_groups(&repetition.sub),
        HirKind::Capture(capture) if capture.name.is_some() => needed(&capture.sub),
        HirKind::Capture(capture) => needed_by_groups(&capture.sub),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            subs.iter().map(needed_by_groups).fold(Bytes::NONE, Bytes::or)
        }
    }
}

/// Bytes of which every match has one at least: all, where it may be empty.
fn needed(hir: &Hir) -> Bytes {
    let rarest = |all: &mut dyn Iterator<Item = Bytes>| all.min_by_key(Bytes::weight).unwrap_or(Bytes::ALL);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => Bytes::ALL,
        HirKind::Literal(literal) => rarest(&mut literal.0.iter().map(|byte| Bytes::of(std::iter::once(*byte)))),
        HirKind::Class(Class::Bytes(class)) => {
            Bytes::of(class.ranges().iter().flat_map(|range| range.start()..=range.end()))
        }
        HirKind::Repetition(repetition) if repetition.min == 0 => Bytes::ALL,
        HirKind::Repetition(repetition) => needed(&repetition.sub),
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Concat(subs) => rarest(&mut subs.iter().map(needed)),
        HirKind::Alternation(subs) => subs.iter().map(needed).fold(Bytes::NONE, Bytes::or),
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
    fn what_is_remembered_is_what_would_be_found() {
        let pattern = Pattern::read(r"(?P<version>a+)\b|(?P<os>a+)\B").unwrap();
        let held = |text: &str| {
            let [version, _, _, os] = pattern.groups_in(text.as_bytes(), &pattern.find(text.as_bytes()).unwrap());
            [version, os].map(|range| range.map(|range| (range.start, range.end)))
        };
        for _ in 0..2 {
            assert_eq!(held("a b"), [Some((0, 1)), None]);
            assert_eq!(held("ab"), [None, Some((0, 1))]);
            assert_eq!(held("123 a b"), [Some((4, 5)), None]);
            assert_eq!(held("0123 a b"), [Some((5, 6)), None]);
            assert_eq!(held("0123 a b and more"), [Some((5, 6)), None]);
            assert_eq!(held(&"a".repeat(2 * MAX_KNOWN)), [Some((0, 2 * MAX_KNOWN)), None]);
        }
    }

    #[test]
    fn a_group_is_looked_for_where_there_can_be_one() {
        for (pattern, needed, others) in [
            (r"a(?P<version>\d+)", "0123456789", "abc."),
            (r"(?P<version>\d+\.\d[\w.]*|(?:Snapshot-)?(?:19|20)\d{6})", ".0123456789", "Snapshot-"),
            ("a(?:(?P<os>b)|(?P<device>c-?))+(d)", "bBcC", "ad-"),
            ("(?P<os>yes|[n-p]o|a(?P<host>z)*)", "yesonap", "x"),
            (r"a(?P<os>b*)", "abc.", ""),
            (r"a(?P<os>(?u:\w))", "abc.", ""),
        ] {
            let pattern = Pattern::read(pattern).unwrap();
            let has = |character: char| pattern.in_group.has(u8::try_from(u32::from(character)).unwrap());
            let is_any = needed.chars().any(has);
            assert!(is_any && !others.chars().any(has), "{}", pattern.text);
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
