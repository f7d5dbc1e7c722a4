//! One wordlist, ready to match: one pass over the text picks the candidates, and a rule picks the winner.
//!
//! Of the signatures that match, the surest wins, then the one that matches more of the text, then the earlier in the
//! file; unless another is said to be `over` it. Where other software is as good as sure, the winner is a guess, and its
//! confidence says so.
//!
//! The regex crate matches in time linear in the text, whatever the pattern; text and candidates are bounded, so that
//! hostile text costs no more than any other of its length.

use std::ops::Range;
use std::sync::OnceLock;

use super::prefilter::{Places, Prefilter};
use super::seed::{SEEDS, Seed};
use super::signature::{Compile, LoadError, Match, Said, Signature, load};
use super::text::Text;

/// So many candidates are tried, the surest first. A greeting has a handful; one with the words of more is made to cost.
const MAX_CANDIDATES: usize = 64;

/// Of two that match, the less sure by more than this is no rival.
pub(super) const RIVAL_WITHIN: u8 = 10;

/// What a rival takes from the winner's confidence: even words that are one product's own (95) sink below 80.
pub(super) const RIVAL_PENALTY: u8 = 20;

/// The signatures of one wordlist, the surest first.
#[derive(Debug)]
pub(super) struct List {
    entries: Vec<Entry>,
    greetings: Heard,
    ehlo: Heard,
    feat: Heard,
    syst: Heard,
}

/// A signature, read or still to be.
#[derive(Debug)]
struct Entry {
    said: Said,
    confidence: u8,
    /// None in it where it cannot be read, and then it matches nothing.
    read: OnceLock<Option<Box<Signature>>>,
    /// Of one that is compiled in: what to read, in which of the wordlists, and how errors call that.
    seed: Option<(&'static Seed, usize, &'static str)>,
}

/// The signatures for what is said in one place.
#[derive(Debug)]
struct Heard {
    /// Which of the list's, the surest first.
    members: Vec<usize>,
    prefilter: Prefilter,
}

/// What names a text.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The signature that won.
    pub(super) signature: &'a Signature,
    /// Where it matches.
    pub(super) place: Range<usize>,
    /// One of other software that is as good as sure, and neither is said to be over the other.
    pub(super) rival: Option<&'a Signature>,
}

impl List {
    /// Loads a wordlist; `file` is how errors call it.
    pub(super) fn load(file: &str, content: &str) -> Result<Self, LoadError> {
        match load(file, content, Compile::Now) {
            Ok(loaded) => Ok(Self::of(loaded.signatures)),
            Err(mut errors) => Err(errors.swap_remove(0)),
        }
    }

    /// A wordlist of these signatures.
    pub(super) fn of(signatures: Vec<Signature>) -> Self {
        let entries = signatures.into_iter().map(|signature| Entry {
            said: signature.said,
            confidence: signature.confidence,
            read: OnceLock::from(Some(Box::new(signature))),
            seed: None,
        });
        Self::with(entries.collect())
    }

    /// One of the wordlists that are compiled in, by its number; each of its signatures is read when it is first tried.
    pub(super) fn compiled_in(file: &'static str, wordlist: usize) -> Self {
        let entries = SEEDS[wordlist].iter().map(|seed| Entry {
            said: seed.said,
            confidence: seed.confidence,
            read: OnceLock::new(),
            seed: Some((seed, wordlist, file)),
        });
        Self::with(entries.collect())
    }

    fn with(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.confidence));
        let heard = |said| Heard::new(said, &entries);
        Self {
            greetings: heard(Said::Greeting),
            ehlo: heard(Said::Ehlo),
            feat: heard(Said::Feat),
            syst: heard(Said::Syst),
            entries,
        }
    }

    /// Every signature.
    pub(super) fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.entries.iter().filter_map(Entry::signature)
    }

    /// The signature that names a greeting best, and what it makes of it.
    pub(super) fn best(&self, text: &Text<'_>) -> Option<(&Signature, Match)> {
        self.best_said(Said::Greeting, text)
    }

    /// The same for what is said in some place.
    pub(super) fn best_said(&self, said: Said, text: &Text<'_>) -> Option<(&Signature, Match)> {
        let heard = self.heard(said);
        let candidates = heard.prefilter.candidates(text.as_str().as_bytes());
        // Of most texts one signature is tried, which then has no rivals.
        if let Some(only) = candidates.only() {
            let signature = self.entries[heard.members[only]].signature()?;
            let found = signature.pattern.find(text.as_str().as_bytes())?;
            return Some((signature, signature.read(text, &found)));
        }
        let found = self.pick(heard, candidates, text)?;
        let mut made = found.signature.read(text, &found.place);
        if found.rival.is_some() {
            made.software.confidence = made.software.confidence.saturating_sub(RIVAL_PENALTY).max(1);
        }
        Some((found.signature, made))
    }

    /// The signature that wins, and what speaks against it.
    pub(super) fn find(&self, said: Said, text: &Text<'_>) -> Option<Found<'_>> {
        let heard = self.heard(said);
        self.pick(heard, heard.prefilter.candidates(text.as_str().as_bytes()), text)
    }

    fn pick(&self, heard: &Heard, candidates: Places, text: &Text<'_>) -> Option<Found<'_>> {
        let hits = self.hits(heard, candidates, text);
        let surest = best_of(hits.iter())?;
        let mut winner = surest;
        // Each step is one up; where signatures are over each other, which the check tells, the steps end all the same.
        for _ in 0..hits.len() {
            let Some(over) = best_of(hits.iter().filter(|hit| hit.signature.is_over(winner.signature))) else { break };
            winner = over;
        }
        let rival = hits.iter().map(|hit| hit.signature).find(|other| {
            let is_settled = winner.signature.is_kin(other)
                || hits.iter().any(|hit| hit.signature.is_kin(winner.signature) && hit.signature.is_over(other));
            !is_settled && other.confidence.saturating_add(RIVAL_WITHIN) >= surest.signature.confidence
        });
        Some(Found { signature: winner.signature, place: winner.place.clone(), rival })
    }

    /// Those that match, the surest first, without those too unsure to matter.
    fn hits(&self, heard: &Heard, candidates: Places, text: &Text<'_>) -> Vec<Hit<'_>> {
        let text = text.as_str().as_bytes();
        let mut hits: Vec<Hit<'_>> = Vec::new();
        for place in candidates.in_order().take(MAX_CANDIDATES) {
            let entry = &self.entries[heard.members[place]];
            let Some(signature) = entry.signature() else { continue };
            let matters = hits.first().is_none_or(|surest| {
                signature.confidence.saturating_add(RIVAL_WITHIN) >= surest.signature.confidence
                    || hits.iter().any(|hit| signature.is_over(hit.signature))
            });
            if matters && let Some(place) = signature.pattern.find(text) {
                hits.push(Hit { signature, place });
            }
        }
        hits
    }

    fn heard(&self, said: Said) -> &Heard {
        match said {
            Said::Greeting => &self.greetings,
            Said::Ehlo => &self.ehlo,
            Said::Feat => &self.feat,
            Said::Syst => &self.syst,
        }
    }
}

impl Entry {
    fn signature(&self) -> Option<&Signature> {
        let read = || self.seed.and_then(|(seed, wordlist, file)| seed.read(file, wordlist)).map(Box::new);
        self.read.get_or_init(read).as_deref()
    }

    /// What its pattern requires.
    fn words(&self) -> Option<Vec<&[u8]>> {
        match self.seed {
            Some((seed, ..)) => seed.words.map(<[_]>::to_vec),
            None => self.signature()?.pattern.required.as_ref().map(|words| words.iter().map(Vec::as_slice).collect()),
        }
    }
}

impl Heard {
    fn new(said: Said, entries: &[Entry]) -> Self {
        let members: Vec<usize> =
            entries.iter().enumerate().filter(|(_, it)| it.said == said).map(|(place, _)| place).collect();
        let prefilter = Prefilter::new(members.iter().map(|place| entries[*place].words()));
        Self { members, prefilter }
    }
}

/// A signature that matches, and where.
#[derive(Debug)]
struct Hit<'a> {
    signature: &'a Signature,
    place: Range<usize>,
}

/// The surest, then the longest, then the earliest in the file.
fn best_of<'h, 'a: 'h>(hits: impl Iterator<Item = &'h Hit<'a>>) -> Option<&'h Hit<'a>> {
    let better = |best: &'h Hit<'a>, hit: &'h Hit<'a>| {
        let is_better = (hit.signature.confidence, hit.place.len()) > (best.signature.confidence, best.place.len());
        if is_better { hit } else { best }
    };
    hits.reduce(better)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures of software called as they are: id, confidence, pattern, and what else is to be said.
    fn list(signatures: &[(&str, u8, &str, &str)]) -> List {
        let entries: Vec<String> = signatures
            .iter()
            .map(|(id, confidence, pattern, more)| {
                let software = id.trim_end_matches(char::is_numeric);
                format!(
                    "[[signature]]\nid = '{id}'\nsoftware = '{software}'\nconfidence = {confidence}\n\
                     pattern = '{pattern}'\n{more}\n[[signature.example]]\ngreeting = ''\n"
                )
            })
            .collect();
        List::load("list.toml", &entries.concat()).unwrap()
    }

    /// Who wins, at what confidence.
    fn winner(list: &List) -> Option<(&str, u8)> {
        let (signature, made) = list.best(&Text::read(b"220 a thing\r\n"))?;
        Some((&signature.id, made.software.confidence))
    }

    #[test]
    fn the_surer_then_the_longer_then_the_earlier_wins() {
        for (signatures, expected) in [
            ([("a", 50, "thing", ""), ("b", 61, "thi", "")], "b"),
            ([("a1", 50, "thing", ""), ("a2", 50, "a thing", "")], "a2"),
            ([("a1", 50, "a thing", ""), ("a2", 50, "thing", "")], "a1"),
            ([("a1", 50, "thing", ""), ("a2", 50, "a.thi", "")], "a1"),
            ([("a", 50, "nothing", ""), ("b", 1, "thing", "")], "b"),
        ] {
            let list = list(&signatures);
            assert_eq!(winner(&list).map(|(id, _)| id), Some(expected), "{signatures:?}");
        }
    }

    #[test]
    fn a_guess_between_two_is_less_sure() {
        for (signatures, expected) in [
            ([("a", 90, "thing", ""), ("b", 80, "thi", "")], ("a", 70)),
            ([("a", 90, "thing", ""), ("b", 79, "thi", "")], ("a", 90)),
            ([("a", 9, "thing", ""), ("b", 8, "thi", "")], ("a", 1)),
            ([("a1", 90, "thing", ""), ("a2", 90, "thi", "")], ("a1", 90)),
            ([("a", 90, "thing", "over = ['b']"), ("b", 90, "a thi", "")], ("a", 90)),
            ([("a", 40, "thing", "over = ['b']"), ("b", 90, "a thi", "")], ("a", 40)),
            ([("a", 40, "thong", "over = ['b']"), ("b", 90, "a thi", "")], ("b", 90)),
            ([("a", 90, "thing", "runs = ['b']"), ("b", 90, "thi", "")], ("a", 90)),
            ([("a", 90, "thing", "over = ['b']"), ("b", 90, "thi", "over = ['a']")], ("a", 90)),
        ] {
            let list = list(&signatures);
            assert_eq!(winner(&list), Some(expected), "{signatures:?}");
        }
        let third = list(&[("a", 60, "thing", "over = ['b']"), ("b", 95, "thi", ""), ("c", 90, "a th", "")]);
        assert_eq!(winner(&third), Some(("a", 40)));
        let kin = list(&[("a1", 90, "a thing", ""), ("a2", 60, "thing", "over = ['b']"), ("b", 85, "thi", "")]);
        assert_eq!(winner(&kin), Some(("a1", 90)));
    }

    #[test]
    fn each_place_has_its_own() {
        let list =
            list(&[("a", 90, "thing", "said = 'ehlo'"), ("b", 50, "thing", ""), ("c", 70, "thing", "said = 'feat'")]);
        let text = Text::read(b"250 a thing\r\n");
        let named = |said| list.best_said(said, &text).map(|(signature, _)| signature.id.as_str());
        let all = [Said::Greeting, Said::Ehlo, Said::Feat, Said::Syst];
        assert_eq!(all.map(named), [Some("b"), Some("a"), Some("c"), None]);
    }

    #[test]
    fn a_text_of_every_word_is_tried_on_so_many() {
        let ids: Vec<String> = (0..100).map(|n| format!("{n:03}x")).collect();
        let patterns: Vec<String> = ids.iter().map(|id| format!("thing.*{id}")).collect();
        let signatures: Vec<_> = ids.iter().zip(&patterns).map(|(id, pattern)| (&**id, 50, &**pattern, "")).collect();
        let list = list(&signatures);
        let greeting = |id: &str| format!("220 {} thing {id}\r\n", ids.join(" "));
        assert!(list.best(&Text::read(greeting(&ids[MAX_CANDIDATES - 1]).as_bytes())).is_some());
        assert!(list.best(&Text::read(greeting(&ids[MAX_CANDIDATES]).as_bytes())).is_none());
    }
}
