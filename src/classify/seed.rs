//! The signatures that are compiled in, as long as nobody needs more of them than what decides whether they are tried.
//!
//! The build script (`build.rs` beside this file) has made the table, and a test there holds it against the wordlists.

use std::ops::Range;

use super::WORDLISTS;
use super::signature::{Compile, Said, Signature, load};

/// What is known of a signature without reading it.
#[derive(Debug)]
pub(super) struct Seed {
    /// Where it stands in its file.
    place: Range<usize>,
    /// In which line that begins, from 1.
    line: usize,
    /// What its pattern is matched against.
    pub(super) said: Said,
    pub(super) confidence: u8,
    /// Words of which the text has one at least where the pattern matches, in lower case.
    pub(super) words: Option<&'static [&'static [u8]]>,
}

/// Those of each of [`WORDLISTS`], in the order of the file.
#[expect(clippy::unreadable_literal, reason = "the build script writes for the compiler")]
pub(super) static SEEDS: [&[Seed]; 3] = include!(concat!(env!("OUT_DIR"), "/seeds.rs"));

impl Seed {
    /// Reads it from its file, one of [`WORDLISTS`], which errors call by this name.
    pub(super) fn read(&self, file: &str, wordlist: usize) -> Option<Signature> {
        let (_, content) = WORDLISTS.get(wordlist)?;
        let loaded = load(file, content.get(self.place.clone())?, Compile::WhenTried).ok()?;
        let mut signature = loaded.signatures.into_iter().next()?;
        signature.line += self.line - 1;
        Some(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Classifier;
    use super::super::load::digest;
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_wordlists() {
        assert_eq!(*Classifier::builtin().digest(), digest(WORDLISTS.map(|(_, content)| vec![content])));
    }

    #[test]
    fn the_table_says_what_the_wordlists_say() {
        for (wordlist, (file, content)) in WORDLISTS.iter().enumerate() {
            let signatures = load(file, content, Compile::WhenTried).unwrap().signatures;
            let seeds = SEEDS[wordlist];
            assert_eq!(seeds.len(), signatures.len(), "{file}");
            for (seed, signature) in seeds.iter().zip(signatures) {
                let words = signature.pattern.required.as_deref();
                let same = words.map(|words| words.iter().map(Vec::as_slice).collect::<Vec<_>>());
                assert_eq!(seed.words.map(<[_]>::to_vec), same, "{}", signature.id);
                assert_eq!((seed.said, seed.confidence), (signature.said, signature.confidence), "{}", signature.id);
                assert_eq!(format!("{:?}", seed.read(file, wordlist).unwrap()), format!("{signature:?}"));
                assert_eq!(signature.pattern.compile(), Ok(()), "{}", signature.id);
            }
        }
    }
}
