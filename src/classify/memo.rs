//! Greetings that were read before. One host greets alike on each of its ports, and whole networks of devices, and every
//! middlebox, in the very same words: what these mean is found once.
//!
//! It is exact: the same bytes, under the same expectation. It is bounded: so many greetings, none of them long, and one
//! that never comes again is not kept.

use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

use super::Family;
use crate::observation::{Announced, Observation, Software};

/// Greetings that are kept at most: more than come again and again in a scan, in a megabyte or two.
const PLACES: usize = 1024;

/// Who says more than this seldom says it twice.
const LONGEST: usize = 512;

/// What a greeting says, all of it that follows from its bytes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) hostname: Option<String>,
    pub(super) announced: Announced,
    pub(super) software: Option<Software>,
    pub(super) banner_hash: [u8; 32],
}

impl Meaning {
    /// Writes it down.
    pub(super) fn tell(self, observation: &mut Observation) {
        observation.hostname = self.hostname;
        observation.announced = self.announced;
        observation.software = self.software.map(Box::new);
        observation.banner_hash = Some(self.banner_hash);
    }
}

/// What greetings said that came of late.
#[derive(Debug, Default)]
pub(super) struct Memo {
    hasher: RandomState,
    /// None before the first came.
    places: Mutex<Vec<Place>>,
}

/// Where a greeting belongs by its hash, with others.
#[derive(Debug, Clone, Default)]
struct Place {
    /// The hash of the last that was not kept. Another like it is.
    came: Option<u64>,
    kept: Option<Box<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    expected: Family,
    greeting: Box<[u8]>,
    meaning: Meaning,
}

impl Memo {
    /// What a greeting means, by `read` where that is not known.
    pub(super) fn meaning(&self, expected: Family, greeting: &[u8], read: impl FnOnce() -> Meaning) -> Meaning {
        if greeting.len() > LONGEST {
            return read();
        }
        let hash = self.hasher.hash_one((expected, greeting));
        if let Some(known) = self.at(hash, |place| place.known(expected, greeting)) {
            return known;
        }
        // Not under the lock: it takes a hundred times as long.
        let meaning = read();
        self.at(hash, |place| {
            if place.came.replace(hash) == Some(hash) {
                let (greeting, meaning) = (greeting.into(), meaning.clone());
                place.kept = Some(Box::new(Kept { expected, greeting, meaning }));
            }
        });
        meaning
    }

    fn at<T>(&self, hash: u64, look: impl FnOnce(&mut Place) -> T) -> T {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.is_empty() {
            places.resize(PLACES, Place::default());
        }
        let most = u64::try_from(places.len()).unwrap_or(1);
        let index = usize::try_from(hash % most).unwrap_or_default();
        look(&mut places[index])
    }
}

impl Place {
    fn known(&self, expected: Family, greeting: &[u8]) -> Option<Meaning> {
        let kept = self.kept.as_deref()?;
        (kept.expected == expected && *kept.greeting == *greeting).then(|| kept.meaning.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn meaning(hostname: &str) -> Meaning {
        let (announced, hostname) = (Announced::default(), Some(hostname.to_owned()));
        Meaning { hostname, announced, software: None, banner_hash: [7; 32] }
    }

    #[test]
    fn a_greeting_is_read_twice_and_then_known() {
        let (memo, read) = (Memo::default(), Cell::new(0));
        let ask = |expected, greeting: &[u8]| {
            memo.meaning(expected, greeting, || {
                read.set(read.get() + 1);
                meaning(&format!("{expected:?} {}", greeting.escape_ascii()))
            })
        };
        for times in [1, 2, 2, 2] {
            assert_eq!(ask(Family::Mail, b"220 a"), meaning("Mail 220 a"));
            assert_eq!(read.get(), times);
        }
        assert_eq!(ask(Family::Ftp, b"220 a"), meaning("Ftp 220 a"), "another expectation is another question");
        assert_eq!(ask(Family::Mail, b"220 b"), meaning("Mail 220 b"));
        assert_eq!(read.get(), 4);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let memo = Memo::default();
        let long = vec![b'x'; LONGEST + 1];
        for number in 0..20 * PLACES {
            for _ in 0..3 {
                let name = number.to_string();
                assert_eq!(memo.meaning(Family::Ftp, name.as_bytes(), || meaning(&name)), meaning(&name));
            }
        }
        for name in ["first", "second", "third"] {
            assert_eq!(memo.meaning(Family::Ftp, &long, || meaning(name)), meaning(name), "what is long is not kept");
        }
        assert_eq!(memo.places.lock().unwrap().len(), PLACES);
    }
}
