//! Which signatures can match a text at all: one pass over it for the words that they require.
//!
//! Nearly every pattern has a word without which it cannot match. An Aho–Corasick automaton over all of them costs the
//! length of the text, however many signatures there are, and leaves the few whose own patterns are worth trying. It
//! rules out, and no more: a word is looked for anywhere and in any case. A signature that requires no word is tried on
//! every text, which [`check`](super::check) takes for a mistake.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, BuildError};
use regex_syntax::hir::{Class, Hir, HirKind};

/// A shorter word is in half of all greetings.
const MIN_WORD: usize = 3;

/// With more alternatives than these one of them is in too many texts.
const MAX_WORDS: usize = 24;

/// Words of so many greetings that they rule out little; another is taken where there is one.
const COMMON: [&str; 17] = [
    "esmtp",
    "smtp",
    "mail",
    "ftp",
    "ftpd",
    "server",
    "service",
    "ready",
    "welcome",
    "version",
    "for",
    "the",
    "new",
    "user",
    "com",
    "microsoft",
    "linux",
];

/// The automaton over the required words of signatures, which are known by their places in a list.
#[derive(Debug)]
pub(super) struct Prefilter {
    automaton: AhoCorasick,
    /// For each word the signatures that require it, or one of it and others.
    wanted_by: Vec<Vec<usize>>,
    /// Those that no word rules out.
    always: Places,
}

impl Prefilter {
    /// The automaton for signatures that require these words: one of a set each, or nothing.
    pub(super) fn new<'a>(required: impl Iterator<Item = Option<&'a [Vec<u8>]>>) -> Result<Self, BuildError> {
        let mut words: HashMap<&[u8], usize> = HashMap::new();
        let mut wanted_by: Vec<Vec<usize>> = Vec::new();
        let mut always = Places(Vec::new());
        for (place, required) in required.enumerate() {
            always.make_room_for(place);
            let Some(required) = required else {
                always.insert(place);
                continue;
            };
            for word in required {
                let index = *words.entry(word).or_insert(wanted_by.len());
                if index == wanted_by.len() {
                    wanted_by.push(Vec::new());
                }
                wanted_by[index].push(place);
            }
        }
        let mut in_order: Vec<(&[u8], usize)> = words.into_iter().collect();
        in_order.sort_unstable_by_key(|(_, index)| *index);
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(in_order.iter().map(|(word, _)| word))?;
        Ok(Self { automaton, wanted_by, always })
    }

    /// The places of the signatures that may match.
    pub(super) fn candidates(&self, text: &[u8]) -> Places {
        let mut places = self.always.clone();
        for found in self.automaton.find_overlapping_iter(text) {
            for place in &self.wanted_by[found.pattern().as_usize()] {
                places.insert(*place);
            }
        }
        places
    }
}

/// A set of places, one bit each.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<u64>);

impl Places {
    /// The only one, where there is one alone.
    pub(super) fn only(&self) -> Option<usize> {
        let mut some = self.0.iter().enumerate().filter(|(_, bits)| **bits != 0);
        let (index, bits) = some.next().filter(|(_, bits)| bits.is_power_of_two())?;
        let place = usize::try_from(bits.trailing_zeros()).ok()?;
        some.next().is_none().then_some(index * 64 + place)
    }

    fn make_room_for(&mut self, place: usize) {
        self.0.resize(place / 64 + 1, 0);
    }

    fn insert(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// All of them, the first first.
    pub(super) fn in_order(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(index, mut bits)| {
            std::iter::from_fn(move || {
                let lowest = usize::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
                bits &= bits - 1;
                Some(index * 64 + lowest)
            })
        })
    }
}

/// The words of which one at least stands in every text that the pattern matches, in lower case. The pattern is read as if
/// case mattered, for the automaton knows of case by itself.
pub(super) fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => None,
        HirKind::Literal(_) => best_in_row(std::slice::from_ref(hir)),
        HirKind::Concat(parts) => best_in_row(parts),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) => (repetition.min > 0).then(|| required(&repetition.sub))?,
        HirKind::Alternation(alternatives) => {
            let words = alternatives.iter().map(required).collect::<Option<Vec<_>>>()?.concat();
            (words.len() <= MAX_WORDS).then_some(words)
        }
    }
}

/// What stands side by side is one word.
fn best_in_row(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut offer = |words: Vec<Vec<u8>>| {
        let is_long = words.iter().all(|word| word.len() >= MIN_WORD);
        if is_long && best.as_ref().is_none_or(|best| worth(best) < worth(&words)) {
            best = Some(words);
        }
    };
    let mut word = Vec::new();
    for part in parts {
        match part.kind() {
            HirKind::Literal(literal) => word.extend(literal.0.to_ascii_lowercase()),
            HirKind::Look(_) => {}
            HirKind::Class(class) if let Some(letter) = one_letter(class) => word.push(letter),
            HirKind::Empty
            | HirKind::Class(_)
            | HirKind::Repetition(_)
            | HirKind::Capture(_)
            | HirKind::Concat(_)
            | HirKind::Alternation(_) => {
                offer(vec![std::mem::take(&mut word)]);
                required(part).into_iter().for_each(&mut offer);
            }
        }
    }
    offer(vec![word]);
    best
}

/// The letter of which a class has both cases, or one.
fn one_letter(class: &Class) -> Option<u8> {
    let literal = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class()?,
    };
    let mut letters = literal.ranges().iter().flat_map(|range| range.start()..=range.end());
    let letter = letters.next()?.to_ascii_lowercase();
    letters.all(|other| other.to_ascii_lowercase() == letter).then_some(letter)
}

/// How much the least of the words rules out: what is left of it without common words, then its length.
fn worth(words: &[Vec<u8>]) -> Option<(usize, usize)> {
    let of = |word: &Vec<u8>| {
        let parts = word.split(|byte| !byte.is_ascii_alphanumeric());
        let rare = parts.filter(|part| !COMMON.iter().any(|common| common.as_bytes() == *part));
        (rare.map(<[u8]>::len).sum::<usize>(), word.len())
    };
    words.iter().map(of).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str) -> Option<Vec<Vec<u8>>> {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap();
        required(&hir)
    }

    #[test]
    fn a_pattern_requires_its_longest_rare_word() {
        for (pattern, words) in [
            ("Postfix", &["postfix"][..]),
            (r"\bESMTP\b.*\bExim (?P<version>\d)", &["exim "]),
            ("Welcome to Serv-U", &["welcome to serv-u"]),
            (r"Microsoft ESMTP.*xyz", &["xyz"]),
            ("(?:Postfix|Exim) ready", &["postfix", "exim"]),
            ("(?:foo|quux)+", &["foo", "quux"]),
            ("(?i)postfix", &["postfix"]),
            ("[Pp]ost[Ff]ix", &["postfix"]),
            (r"post\bfix", &["postfix"]),
            ("(?P<device>Printer|Scanner)", &["printer", "scanner"]),
            ("(?:Thing)?(?:ab)*other", &["other"]),
            ("foobar|foobaz", &["foobar", "foobaz"]),
            ("x(?:yz)", &["xyz"]),
        ] {
            let required = read(pattern).unwrap_or_else(|| panic!("{pattern} requires nothing"));
            let mut required: Vec<_> = required.iter().map(|word| String::from_utf8_lossy(word)).collect();
            required.sort_unstable_by_key(|word| words.iter().position(|expected| expected == word));
            assert_eq!(required, words, "{pattern}");
        }
    }

    #[test]
    fn some_patterns_require_nothing() {
        for pattern in [r"\d+\.\d+", "ab", "(?:foo)?", "(?:foo|b)", "foo|", "[a-z]+", "^", "(?:abc){0,3}"] {
            assert_eq!(read(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn candidates_are_those_whose_words_are_there() {
        let words = |words: &[&str]| Some(words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        let mut required = vec![words(&["postfix"]), None, words(&["post", "exim"]), words(&["postfix", "fix"])];
        required.extend(std::iter::repeat_n(words(&["zzz"]), 200));
        required.push(words(&["stf"]));
        let prefilter = Prefilter::new(required.iter().map(Option::as_deref)).unwrap();
        for (text, places) in [
            ("", &[1][..]),
            ("ESMTP POSTFIX", &[0, 1, 2, 3, 204]),
            ("exim postal", &[1, 2]),
            ("prefix", &[1, 3]),
            ("postfix postfix", &[0, 1, 2, 3, 204]),
        ] {
            let only = if let [only] = places { Some(*only) } else { None };
            assert_eq!(prefilter.candidates(text.as_bytes()).only(), only, "{text}");
            assert_eq!(prefilter.candidates(text.as_bytes()).in_order().collect::<Vec<_>>(), places, "{text}");
        }
    }
}
