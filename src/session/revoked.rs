//! What was signed out before its time: the ids of sealed sessions, and users with all of theirs.

use log::warn;
use sha2::{Digest, Sha256};

use super::expiring::{CAPACITY, Expiring};
use crate::seal::Id;

/// Revoked ids, each until no cookie that carries it can open any more: 8 MB at most.
#[derive(Default)]
pub(super) struct RevokedIds(Expiring<Id, ()>);

impl RevokedIds {
    pub(super) fn contains(&self, id: Id) -> bool {
        self.0.get(&id).is_some()
    }

    /// Keeps `id` until `end`. Both times in unix seconds.
    pub(super) fn insert(&self, id: Id, end: u64, now: u64) {
        if self.0.insert(id, (), end, now) {
            warn!(capacity = CAPACITY; "the list of signed-out sessions is full; the oldest is dropped");
        }
    }
}

/// When each user was last signed out everywhere, by the SHA-256 of the name, which takes the same
/// room for every name: 12 MB at most.
#[derive(Default)]
pub(super) struct RevokedUsers(Expiring<[u8; 32], u64>);

impl RevokedUsers {
    /// The unix second at which the user was signed out everywhere.
    pub(super) fn when(&self, user: &str) -> Option<u64> {
        self.0.get(&key(user))
    }

    /// Signs the user out everywhere `now`, and remembers it until `end`, in unix seconds.
    pub(super) fn insert(&self, user: &str, end: u64, now: u64) {
        if self.0.insert(key(user), now, end, now) {
            warn!(capacity = CAPACITY; "the list of signed-out users is full; the oldest is dropped");
        }
    }
}

fn key(user: &str) -> [u8; 32] {
    Sha256::digest(user).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries are dropped when others are inserted, and none before its end.
    #[test]
    fn a_user_s_mark_is_kept_to_its_last_second() {
        let users = RevokedUsers::default();
        users.insert("foo", 100, 10);
        users.insert("bar", 200, 100);
        assert_eq!((users.when("foo"), users.when("bar")), (Some(10), Some(100)));
        users.insert("baz", 200, 101);
        assert_eq!((users.when("foo"), users.when("bar")), (None, Some(100)));
    }

    #[test]
    fn an_id_is_kept_to_its_last_second() {
        let ids = RevokedIds::default();
        let [one, other, third] = [1, 2, 3].map(|byte| Id([byte; 16]));
        ids.insert(one, 100, 10);
        ids.insert(other, 200, 100);
        assert!(ids.contains(one) && ids.contains(other));
        ids.insert(third, 200, 101);
        assert!(!ids.contains(one) && ids.contains(other));
    }
}
