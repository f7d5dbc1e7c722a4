//! What was learnt of certificates, under their hashes, in bounded memory.
//!
//! Two generations: when the young one is full it becomes the old one, and what was old is forgotten. What is asked for
//! again becomes young again, so that the certificates which many hosts show stay.

use foldhash::{HashMap, HashMapExt};

/// Values under SHA-256 digests.
#[derive(Debug)]
pub(super) struct Cache<V> {
    young: Generation<V>,
    old: Generation<V>,
    /// The most that one generation weighs.
    room: usize,
}

#[derive(Debug)]
struct Generation<V> {
    entries: HashMap<[u8; 32], (V, usize)>,
    weight: usize,
}

impl<V: Clone> Cache<V> {
    /// A cache that holds values of that weight in all.
    pub(super) fn new(room: usize) -> Self {
        Self { young: Generation::new(), old: Generation::new(), room: room / 2 }
    }

    pub(super) fn get(&mut self, key: &[u8; 32]) -> Option<V> {
        if let Some((value, _)) = self.young.entries.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = self.old.remove(key)?;
        self.insert(*key, value.clone(), weight);
        Some(value)
    }

    /// Keeps a value in place of the one before, unless it is too heavy for all there is to be lost for it.
    pub(super) fn insert(&mut self, key: [u8; 32], value: V, weight: usize) {
        self.young.remove(&key);
        self.old.remove(&key);
        if weight > self.room {
            return;
        }
        if self.young.weight + weight > self.room {
            self.old = std::mem::replace(&mut self.young, Generation::new());
        }
        self.young.entries.insert(key, (value, weight));
        self.young.weight += weight;
    }

    #[cfg(test)]
    fn weight(&self) -> usize {
        self.young.weight + self.old.weight
    }
}

impl<V> Generation<V> {
    fn new() -> Self {
        Self { entries: HashMap::new(), weight: 0 }
    }

    fn remove(&mut self, key: &[u8; 32]) -> Option<(V, usize)> {
        let removed = self.entries.remove(key);
        self.weight -= removed.as_ref().map_or(0, |(_, weight)| *weight);
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> [u8; 32] {
        [number; 32]
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut cache = Cache::new(100);
        for number in 0..=u8::MAX {
            cache.insert(key(number), number, usize::from(number % 20));
            assert!(cache.weight() <= 100, "after {number}: {}", cache.weight());
            assert_eq!(cache.get(&key(number)), Some(number));
        }
        assert_eq!(cache.get(&key(0)), None);
        cache.insert(key(1), 1, 51);
        assert_eq!(cache.get(&key(1)), None, "it would take the room of all others");
        assert_eq!(cache.get(&key(255)), Some(255));
    }

    #[test]
    fn what_is_asked_for_again_stays() {
        let mut cache = Cache::new(20);
        cache.insert(key(0), 0, 1);
        for number in 1..=u8::MAX {
            cache.insert(key(number), number, 1);
            assert_eq!(cache.get(&key(0)), Some(0), "after {number}");
        }
        assert_eq!(cache.get(&key(200)), None);
    }

    #[test]
    fn a_new_value_takes_the_place_of_the_old_one() {
        let mut cache = Cache::new(20);
        for round in 0..50 {
            cache.insert(key(0), round, 5);
            assert_eq!((cache.get(&key(0)), cache.weight()), (Some(round), 5));
        }
    }
}
