//! One wordlist, ready to match: one pass over the text picks the candidates, and a rule picks the winner.
//!
//! The regex crate matches in time linear in the text, whatever the pattern, so hostile text costs its length and no
//! more.

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::signature::{CASE_INSENSITIVE, LoadError, MULTI_LINE, Match, Said, Signature, UNICODE, load};
use super::text::Text;

/// The signatures of one wordlist, the surest first.
#[derive(Debug)]
pub(super) struct List {
    signatures: Vec<Signature>,
    patterns: RegexSet,
}

impl List {
    /// Loads a wordlist; `file` is how errors call it.
    pub(super) fn load(file: &str, content: &str) -> Result<Self, LoadError> {
        match load(file, content) {
            Ok(loaded) => Self::of(file, loaded.signatures),
            Err(mut errors) => Err(errors.swap_remove(0)),
        }
    }

    /// A wordlist of these signatures; `file` is how errors call it that are of no one of them.
    pub(super) fn of(file: &str, mut signatures: Vec<Signature>) -> Result<Self, LoadError> {
        signatures.retain(|signature| signature.said == Said::Greeting);
        signatures.sort_by_key(|signature| std::cmp::Reverse(signature.confidence));
        let patterns = RegexSetBuilder::new(signatures.iter().map(|signature| signature.pattern.as_str()))
            .case_insensitive(CASE_INSENSITIVE)
            .multi_line(MULTI_LINE)
            .unicode(UNICODE)
            .build()
            .map_err(|error| LoadError::at(file, "", 0, error))?;
        Ok(Self { signatures, patterns })
    }

    /// Every signature.
    pub(super) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The signature that names the text best: the highest confidence wins, then the longest match, then the order of
    /// the file.
    pub(super) fn best(&self, text: &Text<'_>) -> Option<(&Signature, Match)> {
        let mut best: Option<(&Signature, Match)> = None;
        for index in &self.patterns.matches(text.as_str().as_bytes()) {
            let signature = &self.signatures[index];
            if best.as_ref().is_some_and(|(best, _)| best.confidence > signature.confidence) {
                break;
            }
            let Some(found) = signature.apply(text) else { continue };
            let is_under = best.as_ref().is_some_and(|(best, _)| best.over.contains(&signature.id));
            if !is_under && best.as_ref().is_none_or(|(_, best)| found.len > best.len) {
                best = Some((signature, found));
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(signatures: &[(&str, u8, &str)]) -> List {
        let entries: Vec<String> = signatures
            .iter()
            .map(|(id, confidence, pattern)| {
                format!(
                    "[[signature]]\nid = '{id}'\nsoftware = '{id}'\nconfidence = {confidence}\npattern = '{pattern}'\n\
                     [[signature.example]]\ngreeting = ''\n"
                )
            })
            .collect();
        List::load("list.toml", &entries.concat()).unwrap()
    }

    #[test]
    fn the_surer_then_the_longer_then_the_earlier_wins() {
        for (signatures, winner) in [
            ([("a", 50, "thing"), ("b", 60, "hi")], "b"),
            ([("a", 50, "thing"), ("b", 50, "a thing")], "b"),
            ([("a", 50, "a thing"), ("b", 50, "thing")], "a"),
            ([("a", 50, "thing"), ("b", 50, "a.thi")], "a"),
            ([("a", 50, "nothing"), ("b", 1, "thing")], "b"),
        ] {
            let list = list(&signatures);
            let (signature, _) = list.best(&Text::read(b"220 a thing\r\n")).unwrap();
            assert_eq!(signature.id, winner, "{signatures:?}");
        }
    }
}
