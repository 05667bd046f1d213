//! The sessions of one user: listed, and ended before their time.

use std::cmp::Reverse;

use super::super::clock::unix_seconds;
use super::super::store::{Key, StoreError};
use super::super::user_index::{NOTES, UserIndex, UserSession};
use super::{Sessions, Storage};

/// Sessions of one user that are told of.
const MAX_LISTED: usize = 50;

impl Sessions {
    /// The living sessions of `user`, those that were last seen first, 50 at most. `None` where
    /// nobody can tell: they are in their cookies, or in a store without an index of users.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached.
    ///
    /// ```
    /// use waxseal::seal::Keyring;
    /// use waxseal::session::{Key, MemoryStore, Scheme, Sessions};
    ///
    /// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// let mut session = sessions.load("", Scheme::Http)?;
    /// session.sign_in(&sessions.fingerprint("foo", b"hash of foo's password"));
    /// sessions.save(&mut session)?;
    ///
    /// let all = sessions.of_user("foo")?.expect("this store has an index");
    /// assert_eq!(all[0].key, Key::of(session.id()));
    /// assert!(!sessions.revoke(&all[0].key, "bar")?, "it is none of bar's");
    /// assert!(sessions.revoke(&all[0].key, "foo")?);
    /// assert_eq!(sessions.of_user("foo")?, Some(vec![]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_user(&self, user: &str) -> Result<Option<Vec<UserSession>>, StoreError> {
        let Some(users) = self.users() else { return Ok(None) };
        let found = users.find_by_user(user, &NOTES, MAX_LISTED)?;
        // In the second in which all were ended others began, and a key does not tell which they are.
        let ended = self.revoked.marks(user).everywhere.map_or(0, |(last, _)| last);
        let lives = |session: &UserSession| {
            let begun = unix_seconds(session.begun);
            begun >= ended && !self.is_too_early(begun)
        };
        let mut living: Vec<_> =
            found.into_iter().filter_map(UserSession::of).filter(lives).collect();
        living.sort_by_key(|session| (Reverse(session.last_seen), Reverse(session.begun)));
        Ok(Some(living))
    }

    /// Ends the session of this key, where it is one of `user`'s; whether it was. Sessions that are
    /// sealed into their cookies have no keys, and none is found.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached.
    pub fn revoke(&self, key: &Key, user: &str) -> Result<bool, StoreError> {
        match &self.storage {
            Storage::Cookie => Ok(false),
            Storage::Store(stored) => stored.delete_if_of(key, user),
        }
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        match &self.storage {
            Storage::Cookie => None,
            Storage::Store(stored) => stored.users(),
        }
    }
}
