//! Which signatures can match a text at all: one pass over it for the words that they require.
//!
//! Nearly every pattern has a word without which it cannot match. Every three bytes of the text are looked up among
//! those by which the words are known, three of each; only where they are found is a word compared. It costs the length
//! of the text, however many signatures there are, and leaves the few whose own patterns are worth trying. It rules out,
//! and no more: a word is looked for anywhere and in any case. A signature that requires no word is tried on every text,
//! which [`check`](super::check) takes for a mistake.
//!
//! An Aho–Corasick automaton finds the same words at three times the cost, and takes a hundred times as long to make.

use std::collections::HashMap;

/// Of how many bytes a key is; no word is shorter.
const KEY: usize = 3;

/// What keys hash to: as many values as a few for each word, and a table of them that stays in the processor's cache.
const HASHES: usize = 4096;

/// The words that signatures require, which are known by their places in a list.
#[derive(Debug)]
pub(super) struct Prefilter {
    /// Whether a word's key hashes to this.
    is_known: Vec<bool>,
    /// Where in `words` those begin whose key hashes to this; they end where the next begin.
    starts: Vec<usize>,
    words: Vec<Word>,
    /// Those that no word rules out.
    always: Places,
}

#[derive(Debug)]
struct Word {
    bytes: Box<[u8]>,
    /// Where in it its key stands.
    key_at: usize,
    /// The signatures that require it, or one of it and others.
    wanted_by: Vec<usize>,
}

impl Prefilter {
    /// For signatures that require these words, in lower case: one of a set each, or nothing.
    pub(super) fn new<'a>(required: impl Iterator<Item = Option<Vec<&'a [u8]>>>) -> Self {
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        let mut words: Vec<Word> = Vec::new();
        let mut always = Places(Vec::new());
        for (place, required) in required.enumerate() {
            always.make_room_for(place);
            let Some(required) = required.filter(|required| required.iter().all(|word| word.len() >= KEY)) else {
                always.insert(place);
                continue;
            };
            for word in required {
                let index = *known.entry(word).or_insert(words.len());
                if index == words.len() {
                    words.push(Word { bytes: word.into(), key_at: 0, wanted_by: Vec::new() });
                }
                words[index].wanted_by.push(place);
            }
        }
        Self::of(words, always)
    }

    /// Knows each word by those of its bytes that the fewest words share.
    fn of(mut words: Vec<Word>, always: Places) -> Self {
        let mut shared = vec![0usize; HASHES];
        for word in &words {
            word.bytes.windows(KEY).for_each(|key| shared[hash(key)] += 1);
        }
        for word in &mut words {
            let keys = word.bytes.windows(KEY).enumerate();
            word.key_at = keys.min_by_key(|(_, key)| shared[hash(key)]).map_or(0, |(at, _)| at);
        }
        words.sort_by_cached_key(Word::hash);
        let mut is_known = vec![false; HASHES];
        let mut starts = vec![0; HASHES + 1];
        for word in &words {
            is_known[word.hash()] = true;
            starts[word.hash() + 1] += 1;
        }
        for hash in 0..HASHES {
            starts[hash + 1] += starts[hash];
        }
        Self { is_known, starts, words, always }
    }

    /// The places of the signatures that may match.
    pub(super) fn candidates(&self, text: &[u8]) -> Places {
        let mut places = self.always.clone();
        for (at, key) in text.windows(KEY).enumerate() {
            let hash = hash(key);
            if self.is_known[hash] {
                let words = &self.words[self.starts[hash]..self.starts[hash + 1]];
                let found = words.iter().filter(|word| word.is_at(text, at));
                found.flat_map(|word| &word.wanted_by).for_each(|place| places.insert(*place));
            }
        }
        places
    }
}

impl Word {
    fn hash(&self) -> usize {
        hash(&self.bytes[self.key_at..])
    }

    /// Whether the text has the word where its key would stand there.
    fn is_at(&self, text: &[u8], key_at: usize) -> bool {
        let start = key_at.checked_sub(self.key_at);
        let there = start.and_then(|start| text.get(start..start + self.bytes.len()));
        there.is_some_and(|there| there.eq_ignore_ascii_case(&self.bytes))
    }
}

/// Of the first bytes, in any case.
fn hash(key: &[u8]) -> usize {
    // Bit 5 alone tells a letter's cases apart; other bytes that only it tells apart hash the same.
    let fold = |at: usize| u32::from(key[at] | 0x20);
    let folded = fold(0) | fold(1) << 8 | fold(2) << 16;
    let spread = folded.wrapping_mul(0x9e37_79b1) >> 20;
    usize::try_from(spread).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn candidates_are_those_whose_words_are_there() {
        let mut required = vec![Some(vec!["postfix"]), None, Some(vec!["post", "exim"]), Some(vec!["postfix", "fix"])];
        required.extend(std::iter::repeat_n(Some(vec!["zzz"]), 200));
        required.push(Some(vec!["stf"]));
        let bytes = |words: &Vec<&'static str>| words.iter().map(|word| word.as_bytes()).collect();
        let prefilter = Prefilter::new(required.iter().map(|words| words.as_ref().map(bytes)));
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

    proptest! {
        #[test]
        fn no_word_is_missed(
            words in proptest::collection::vec(proptest::collection::vec(0u8.., 1..6), 1..8),
            text in proptest::collection::vec(0u8.., 0..40),
            (which, at) in (0usize..8, 0usize..40),
        ) {
            let words: Vec<_> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
            let mut text = text;
            let word = &words[which % words.len()];
            text.splice(at.min(text.len())..at.min(text.len()), word.to_ascii_uppercase());
            let prefilter = Prefilter::new(words.iter().map(|word| Some(vec![word.as_slice()])));
            let found: Vec<_> = prefilter.candidates(&text).in_order().collect();
            let is_there = |word: &Vec<u8>| word.len() < KEY || text.windows(word.len()).any(|it| it.eq_ignore_ascii_case(word));
            let expected: Vec<_> = (0..words.len()).filter(|place| is_there(&words[*place])).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
