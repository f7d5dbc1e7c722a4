//! The words that a pattern requires: what a text must hold for it to match at all.
//!
//! A pattern is read here and not compiled. The build script reads those of the wordlists that are compiled in, so that a
//! start has nothing left to read; those of a user's own are read when they are loaded.

use regex_syntax::hir::{Class, Hir, HirKind};
use regex_syntax::{Error, ParserBuilder};

/// `^` and `$` stand at the ends of every line.
pub(super) const MULTI_LINE: bool = true;
/// `\d`, `\w` and `\b` are ASCII's, as product names are; this keeps the automata small.
pub(super) const UNICODE: bool = false;

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

/// Reads a pattern. Case is left out of it: `(?i)p` is a class of two letters, and who looks for words knows of case.
pub(super) fn read(pattern: &str) -> Result<Hir, Box<Error>> {
    ParserBuilder::new().multi_line(MULTI_LINE).unicode(UNICODE).utf8(false).build().parse(pattern).map_err(Box::new)
}

/// The words of which one at least stands in every text that the pattern matches, in lower case.
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

    fn words(pattern: &str) -> Option<Vec<Vec<u8>>> {
        required(&read(pattern).unwrap())
    }

    #[test]
    fn a_pattern_requires_its_longest_rare_word() {
        for (pattern, expected) in [
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
            let required = words(pattern).unwrap_or_else(|| panic!("{pattern} requires nothing"));
            let mut required: Vec<_> = required.iter().map(|word| String::from_utf8_lossy(word)).collect();
            required.sort_unstable_by_key(|word| expected.iter().position(|it| it == word));
            assert_eq!(required, expected, "{pattern}");
        }
    }

    #[test]
    fn some_patterns_require_nothing() {
        for pattern in [r"\d+\.\d+", "ab", "(?:foo)?", "(?:foo|b)", "foo|", "[a-z]+", "^", "(?:abc){0,3}"] {
            assert_eq!(words(pattern), None, "{pattern}");
        }
    }
}
