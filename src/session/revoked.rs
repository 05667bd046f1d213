//! The ids of sealed sessions that were signed out before their time.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use log::warn;

use crate::seal::Id;

/// Most ids that are kept: about 8 MB.
const CAPACITY: usize = 100_000;

/// Revoked ids, each until no cookie that carries it can open any more.
#[derive(Default)]
pub(super) struct Revoked {
    ids: RwLock<Ids>,
    /// Whether there is any: where nobody has signed out, no request takes the lock.
    any: AtomicBool,
}

#[derive(Default)]
struct Ids {
    all: HashSet<Id>,
    /// The same ids, by the unix seconds at which they are forgotten.
    by_end: BTreeSet<(u64, Id)>,
}

impl Revoked {
    pub(super) fn contains(&self, id: Id) -> bool {
        self.any.load(Ordering::Acquire)
            && self.ids.read().unwrap_or_else(PoisonError::into_inner).all.contains(&id)
    }

    /// Keeps `id` until `end`. Both times in unix seconds.
    pub(super) fn insert(&self, id: Id, end: u64, now: u64) {
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        ids.forget_before(now);
        if ids.all.insert(id) {
            ids.by_end.insert((end, id));
        }
        if ids.all.len() > CAPACITY {
            warn!(capacity = CAPACITY; "the list of signed-out sessions is full; the oldest is dropped");
            ids.forget_first();
        }
        self.any.store(true, Ordering::Release);
    }
}

impl Ids {
    fn forget_before(&mut self, now: u64) {
        while self.by_end.first().is_some_and(|&(end, _)| end < now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.by_end.pop_first() {
            self.all.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        let mut bytes = [0; Id::LEN];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Id(bytes)
    }

    #[test]
    fn an_id_is_kept_until_its_end() {
        let revoked = Revoked::default();
        revoked.insert(id(1), 100, 0);
        revoked.insert(id(2), 200, 100);
        assert!(revoked.contains(id(1)) && revoked.contains(id(2)) && !revoked.contains(id(3)));
        revoked.insert(id(3), 300, 101);
        assert!(!revoked.contains(id(1)) && revoked.contains(id(2)));
    }

    #[test]
    fn an_id_revoked_twice_is_kept_once() {
        let revoked = Revoked::default();
        revoked.insert(id(1), 100, 0);
        revoked.insert(id(1), 100, 0);
        assert_eq!(revoked.ids.read().unwrap().by_end.len(), 1);
    }

    #[test]
    fn when_full_the_one_nearest_its_end_goes() {
        let revoked = Revoked::default();
        for number in 0..=100_000 {
            revoked.insert(id(number), 1_000_000 - u64::from(number), 0);
        }
        assert_eq!(revoked.ids.read().unwrap().all.len(), CAPACITY);
        assert!(!revoked.contains(id(100_000)), "it ended first");
        assert!(revoked.contains(id(0)) && revoked.contains(id(99_999)));
    }
}
