//! A map that forgets: each entry when its time is over, the one nearest its end when it is full.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// Most entries that are kept.
pub(super) const CAPACITY: usize = 100_000;

/// A map of [`CAPACITY`] entries at most, each with the unix second at which it is forgotten.
pub(super) struct Expiring<K, V> {
    entries: RwLock<Entries<K, V>>,
    /// Whether there ever was one: until then, no reader takes the lock.
    any: AtomicBool,
}

struct Entries<K, V> {
    by_key: HashMap<K, (V, u64)>,
    by_end: BTreeSet<(u64, K)>,
}

impl<K: Copy + Eq + Hash + Ord, V: Copy> Expiring<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<V> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.by_key.get(key).map(|&(value, _)| value)
    }

    /// Keeps `value` until `end`. Both times in unix seconds. Whether another entry had to go.
    pub(super) fn insert(&self, key: K, value: V, end: u64, now: u64) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.forget_before(now);
        if let Some((_, old_end)) = entries.by_key.insert(key, (value, end)) {
            entries.by_end.remove(&(old_end, key));
        }
        entries.by_end.insert((end, key));
        let is_full = entries.by_key.len() > CAPACITY;
        if is_full {
            entries.forget_first();
        }
        self.any.store(true, Ordering::Release);
        is_full
    }
}

impl<K: Copy + Eq + Hash + Ord, V> Entries<K, V> {
    fn forget_before(&mut self, now: u64) {
        while self.by_end.first().is_some_and(|&(end, _)| end < now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.by_end.pop_first() {
            self.by_key.remove(&key);
        }
    }
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Expiring<K, V> {
        let entries = Entries { by_key: HashMap::new(), by_end: BTreeSet::new() };
        Expiring { entries: RwLock::new(entries), any: AtomicBool::new(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_until_its_end() {
        let map = Expiring::default();
        map.insert(1, 'a', 100, 0);
        map.insert(2, 'b', 200, 100);
        assert_eq!([1, 2, 3].map(|key| map.get(&key)), [Some('a'), Some('b'), None]);
        map.insert(3, 'c', 300, 101);
        assert_eq!([1, 2, 3].map(|key| map.get(&key)), [None, Some('b'), Some('c')]);
    }

    #[test]
    fn an_entry_inserted_again_is_kept_once_with_its_new_end() {
        let map = Expiring::default();
        map.insert(1, 'a', 100, 0);
        map.insert(1, 'b', 200, 0);
        assert_eq!(map.entries.read().unwrap().by_end.len(), 1);
        map.insert(2, 'c', 300, 150);
        assert_eq!(map.get(&1), Some('b'));
    }

    #[test]
    fn when_full_the_one_nearest_its_end_goes() {
        let map = Expiring::default();
        for key in 0..100_000 {
            assert!(!map.insert(key, (), 1_000_000 - key, 0));
        }
        assert!(map.insert(100_000, (), 1_000_000, 0));
        assert_eq!(map.entries.read().unwrap().by_key.len(), CAPACITY);
        assert_eq!(map.get(&99_999), None, "it ended first");
        assert!(map.get(&0).is_some() && map.get(&100_000).is_some());
    }
}
