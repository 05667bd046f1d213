//! The sessions of one user: what an index of them must do, and what it tells.

use std::time::SystemTime;

use super::clock::from_unix_seconds;
use super::store::{Change, Key, StoreError, Values};

/// The name of the value that says who is signed in, by which a [`UserIndex`] finds a record.
pub const USERNAME: &str = "username";

/// The name of the value that says with which credential somebody signed in: the mark of a
/// [`Fingerprint`](super::Fingerprint). Beside it alone [`USERNAME`] names a user.
pub const MARK: &str = "_auth";

/// The name under which a record tells when its session was last seen, in unix seconds, where the store
/// has an index: by it a [`UserIndex`] finds the one that was longest unused. No session has a value
/// of this name.
pub const LAST_SEEN: &str = "_seen";
/// The same for when it began.
const BEGUN: &str = "_begun";

/// A store's index of sessions by user: by the value [`USERNAME`] of their records, where they have a value
/// [`MARK`] too; [`user_of`](super::user_of) tells.
///
/// Both calls take time in proportion to what that user has, however many others there are. A store
/// with an index lets nobody fill it: a user has so many records at most
/// ([`StoreSettings::sessions_per_user`](super::StoreSettings)), and where a commit makes it more,
/// those go whose [`LAST_SEEN`] is the smallest. [`MemoryStore`](super::MemoryStore) is the worked
/// example.
pub trait UserIndex: Send + Sync {
    /// The living records of `user`, `limit` at most, those that expire last first: of each its key
    /// and, of its values, those called one of `names`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where it cannot be told.
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError>;

    /// Deletes all records of `user`, as [`Store::delete`](super::Store::delete) would each.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where it is not known to be done.
    fn delete_by_user(&self, user: &str) -> Result<(), StoreError>;
}

/// One of a user's sessions, as [`Sessions::of_user`](super::Sessions::of_user) tells.
///
/// ```
/// # use waxseal::{seal::Keyring, session::{MemoryStore, Scheme, Sessions}};
/// # let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// # let sessions = Sessions::stored(keyring, MemoryStore::default());
/// # let mut session = sessions.load("", Scheme::Http)?;
/// session.sign_in(&sessions.fingerprint("foo", b"hash of foo's password"));
/// let _ = sessions.save(&mut session)?;
/// for own in sessions.of_user("foo")?.unwrap_or_default() {
///     assert!(own.last_seen >= own.begun);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSession {
    /// What its record is kept under; that of a visitor's own session is `Key::of(session.id())`.
    pub key: Key,
    /// When it began.
    pub begun: SystemTime,
    /// When it was last written to, which a visit does after a quarter of the idle time.
    pub last_seen: SystemTime,
}

/// The names of the values that tell when a session began and was last seen.
pub(super) const NOTES: [&str; 2] = [BEGUN, LAST_SEEN];

/// The two times of [`NOTES`] in `values`, as far as these tell.
pub(super) fn noted(values: &Values) -> [Option<SystemTime>; 2] {
    NOTES.map(|name| values.get(name)?.parse().ok().map(from_unix_seconds))
}

impl UserSession {
    /// The session of a record; none where the record does not tell.
    pub(super) fn of((key, values): (Key, Values)) -> Option<UserSession> {
        let [begun, last_seen] = noted(&values);
        Some(UserSession { key, begun: begun?, last_seen: last_seen? })
    }
}

/// Notes beside the values when their session began, and that it was seen `now`.
pub(super) fn note(change: &mut Change, begun: u64, now: u64) {
    if matches!(change, Change::New(_)) {
        change.set(BEGUN, begun.to_string());
    }
    change.set(LAST_SEEN, now.to_string());
}

/// The values without what was noted.
pub(super) fn without_notes(mut values: Values) -> Values {
    NOTES.iter().for_each(|name| drop(values.remove(*name)));
    values
}
