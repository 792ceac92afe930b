//! A bounded memory of what was true a moment ago.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Keeps the most recent entries, never more than its capacity: when the newer half is full, the older half goes.
pub(crate) struct Recent<K, V> {
    half: usize,
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// `capacity` is at least two.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), newer: HashMap::new(), older: HashMap::new() }
    }

    /// Looks it up, and keeps it a while longer if it is there.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((key, value)) = self.older.remove_entry(key) {
            self.insert(key, value);
        }
        self.newer.get(key)
    }

    /// Remembers it, in place of what stood there.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.older.remove(&key);
        if self.newer.len() >= self.half && !self.newer.contains_key(&key) {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(key, value);
    }

    /// How many entries it holds.
    pub(crate) fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_holds_more_than_its_capacity() {
        let mut recent = Recent::new(8);
        for key in 0..100 {
            recent.insert(key, key);
            assert!(recent.len() <= 8);
            assert_eq!(recent.get(&key), Some(&key));
        }
    }

    #[test]
    fn keeps_what_is_asked_for() {
        let mut recent = Recent::new(8);
        recent.insert(1000, 1);
        for key in 0..100 {
            recent.insert(key, key);
            assert_eq!(recent.get(&1000), Some(&1), "after {key}");
        }
        assert_eq!(recent.get(&0), None);
    }

    #[test]
    fn replaces_what_stood_there() {
        let mut recent = Recent::new(4);
        (0..3).for_each(|key| recent.insert(key, 1));
        recent.insert(0, 2);
        assert_eq!(recent.get(&0), Some(&2));
        assert_eq!(recent.len(), 3);
    }
}
