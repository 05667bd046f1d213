//! The sessions of one user: listed, and ended before their time.

use std::cmp::Reverse;

use super::super::clock::unix_seconds;
use super::super::session::Session;
use super::super::store::{Key, StoreError};
use super::super::user_index::{USERNAME, UserIndex, UserSession};
use super::{Sessions, Storage};
use crate::seal::CLOCK_SKEW;

/// Sessions of one user that are told of.
const MAX_LISTED: usize = 50;

impl Sessions {
    /// Ends all sessions of `user` that began before now, this one included.
    ///
    /// Where there is a store with an index of users, they are deleted there, for all processes.
    /// Else it is remembered in the memory of this process, until it restarts (for 100,000 users at
    /// most, then the one longest ago is dropped, with a warning); other processes do not learn of
    /// it. A new password reaches further: see [`Session::confirm`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store did not do its part.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Outcome, Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// session.sign_in(&sessions.fingerprint("foo", b"hash of foo's password"));
    /// let cookie = sessions.save(&mut session)?.unwrap();
    /// sessions.revoke_user("foo")?;
    /// let session = sessions.load(&cookie.stripped().to_string(), Scheme::Http)?;
    /// assert_eq!(session.outcome(), Outcome::Revoked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revoke_user(&self, user: &str) -> Result<(), StoreError> {
        let now = unix_seconds(self.clock.now());
        let is_done = match &self.storage {
            Storage::Cookie(_) => false,
            Storage::Store(stored) => stored.delete_by_user(user)?,
        };
        // A session that was being saved at this moment was not in the index yet.
        let end = if is_done { now.saturating_add(CLOCK_SKEW) } else { self.end_of(now) };
        self.revoked_users.insert(user, end, now);
        Ok(())
    }

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
        let found = users.find_by_user(user, &UserSession::NAMES, MAX_LISTED)?;
        let lives = |session: &UserSession| !self.is_over(unix_seconds(session.begun), user);
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
            Storage::Cookie(_) => Ok(false),
            Storage::Store(stored) => stored.delete_if_of(key, user),
        }
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        match &self.storage {
            Storage::Cookie(_) => None,
            Storage::Store(stored) => stored.users(),
        }
    }

    /// Whether a session of `user` that began at `created` is over, whatever a store has of it.
    fn is_over(&self, created: u64, user: &str) -> bool {
        self.is_too_early(created) || self.is_user_revoked(user, created)
    }

    /// Whether all sessions of `user` were ended in the second `created`, or later.
    pub(super) fn is_user_revoked(&self, user: &str, created: u64) -> bool {
        self.revoked_users.when(user).is_some_and(|when| created <= when)
    }

    /// When a new session begins. Times are whole seconds: in the very second in which all sessions
    /// of its user were ended, it begins with the next.
    pub(super) fn first_second(&self, session: &Session) -> u64 {
        let revoked = session.get(USERNAME).and_then(|user| self.revoked_users.when(user));
        revoked.map_or(session.created, |when| session.created.max(when + 1))
    }
}
