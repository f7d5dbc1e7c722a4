//! What was learnt of certificates, in bounded memory, found by their very bytes: to compare them costs a fraction of
//! what a digest would.
//!
//! Two generations: when the young one is full it becomes the old one, and what was old is forgotten. What is asked for
//! again becomes young again, so that the certificates which many hosts show stay.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

/// Values under keys.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    young: Generation<K, V>,
    old: Generation<K, V>,
    /// The most that one generation weighs.
    room: usize,
}

#[derive(Debug)]
struct Generation<K, V> {
    entries: HashMap<K, (V, usize)>,
    weight: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A cache that holds keys and values of that weight in all.
    pub(super) fn new(room: usize) -> Self {
        Self { young: Generation::new(), old: Generation::new(), room: room / 2 }
    }

    pub(super) fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some((value, _)) = self.young.entries.get(key) {
            return Some(value.clone());
        }
        let (key, (value, weight)) = self.old.remove(key)?;
        self.insert(key, value.clone(), weight);
        Some(value)
    }

    /// Keeps a value in place of the one before, unless it is too heavy for all there is to be lost for it.
    pub(super) fn insert(&mut self, key: K, value: V, weight: usize) {
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

impl<K: Hash + Eq, V> Generation<K, V> {
    fn new() -> Self {
        Self { entries: HashMap::new(), weight: 0 }
    }

    fn remove<Q>(&mut self, key: &Q) -> Option<(K, (V, usize))>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let removed = self.entries.remove_entry(key);
        self.weight -= removed.as_ref().map_or(0, |(_, (_, weight))| *weight);
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
