//! What a store of sessions must do.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Health, Listing, UserIndex};
use crate::seal::Id;

/// A session's values, in key order. Names that begin with `_` are Waxseal's own; each waiting
/// flash is one of them.
pub type Values = BTreeMap<String, String>;

/// Keeps the values of sessions for [`Sessions::stored`](super::Sessions::stored).
///
/// Every implementation passes the suite in `session::conformance` (Cargo feature `conformance`);
/// [`MemoryStore`](super::MemoryStore) is the worked example. A call may block; a store that cannot
/// be reached says so with an error in bounded time, and never by pretending that a session is
/// not there.
///
/// ```
/// use std::time::Duration;
/// use waxseal::session::{Change, CommitOutcome, Key, Store, StoreError, Values};
///
/// /// Another store, whose failures are printed.
/// struct Loud<S>(S);
///
/// impl<S: Store> Store for Loud<S> {
///     fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
///         self.0.find(key).inspect_err(|error| eprintln!("find: {error}"))
///     }
///
///     fn commit(
///         &self,
///         key: &Key,
///         change: &Change,
///         lifetime: Duration,
///     ) -> Result<CommitOutcome, StoreError> {
///         self.0.commit(key, change, lifetime).inspect_err(|error| eprintln!("commit: {error}"))
///     }
///
///     fn delete(&self, key: &Key) -> Result<(), StoreError> {
///         self.0.delete(key).inspect_err(|error| eprintln!("delete: {error}"))
///     }
/// }
/// ```
pub trait Store: Send + Sync {
    /// The values under `key`. `Ok(None)` where there is no record, where it was deleted, and where
    /// it has expired. A record that is damaged, so that it has no values, is none either: it is
    /// logged, and deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where it cannot be told; as everywhere, [`StoreError::Rejected`]
    /// where the store answers that it cannot.
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError>;

    /// Applies `change`, and lets the record live for `lifetime` from now, by the store's own clock:
    /// that of this machine may be another. Any length is taken, also one that the store cannot
    /// count, which is as good as its longest.
    ///
    /// An update sends what changed, never the whole map: two requests that change different names
    /// at once both keep their change. [`CommitOutcome::Gone`], and nothing is written, where an update
    /// finds no record because it was deleted or has expired: a slow request revives nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where it is not known to be done, [`StoreError::TooLarge`] where
    /// the store's limit does not allow it; then nothing was changed.
    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError>;

    /// Deletes the record under `key`. That there is none is no error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where it is not known to be done.
    fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// The store's index of sessions by user, where it has one.
    fn users(&self) -> Option<&dyn UserIndex> {
        None
    }

    /// The list of all records, for an administrator, where the store can tell them.
    fn listing(&self) -> Option<&dyn Listing> {
        None
    }

    /// Whether a new record under `key` is likely to be taken. A store of several servers says no
    /// where the one for this key is down, and the new session gets another id.
    fn takes(&self, _key: &Key) -> bool {
        true
    }

    /// How the store is, as far as it was noticed.
    fn health(&self) -> Health {
        Health::Up
    }
}

/// A shared store is a store: several [`Sessions`](super::Sessions) may keep theirs in one.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        (**self).find(key)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        (**self).commit(key, change, lifetime)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        (**self).delete(key)
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        (**self).users()
    }

    fn listing(&self) -> Option<&dyn Listing> {
        (**self).listing()
    }

    fn takes(&self, key: &Key) -> bool {
        (**self).takes(key)
    }

    fn health(&self) -> Health {
        (**self).health()
    }
}

/// What a record is kept under: the SHA-256 of a session's id, so that who reads the store cannot
/// make a cookie of it.
///
/// ```
/// use waxseal::seal::Id;
/// use waxseal::session::Key;
///
/// let key = Key::of(Id([0; 16]));
/// assert!(key.to_string().starts_with("374708fff7719dd5"));
/// assert_eq!(key.to_string().parse(), Ok(key));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of the session with this id.
    #[must_use]
    pub fn of(id: Id) -> Key {
        Key(Sha256::digest(id.0).into())
    }

    /// The key of these bytes.
    #[cfg(feature = "sqlite")]
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key that was written as [`Key`]'s `Display` writes it.
impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Key, ParseKeyError> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(ParseKeyError);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(Key(bytes))
    }
}

fn hex_digit(digit: u8) -> Result<u8, ParseKeyError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseKeyError),
    }
}

/// A key is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseKeyError;

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 64 lower-case hexadecimal digits")
    }
}

impl Error for ParseKeyError {}

impl fmt::Display for Key {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a commit sends.
///
/// ```
/// use std::time::Duration;
/// use waxseal::seal::Id;
/// use waxseal::session::{Change, CommitOutcome, Key, MemoryStore, Store, Values};
///
/// let (store, key) = (MemoryStore::default(), Key::of(Id::random()));
/// let minute = Duration::from_secs(60);
/// let update = Change::Update([("theme".to_owned(), Some("dark".to_owned()))].into());
///
/// assert_eq!(store.commit(&key, &update, minute)?, CommitOutcome::Gone); // there is no record
/// assert_eq!(store.commit(&key, &Change::New(Values::new()), minute)?, CommitOutcome::Done);
/// assert_eq!(store.commit(&key, &update, minute)?, CommitOutcome::Done);
/// assert_eq!(store.find(&key)?.unwrap()["theme"], "dark");
/// # Ok::<(), waxseal::session::StoreError>(())
/// ```
///
/// `Debug` shows the names alone: the values are the visitor's.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// A session that was not in the store before, whole.
    New(Values),
    /// What changed since [`Store::find`]: `Some` is a new value, `None` a name that is no more.
    /// Empty where only the expiry moves.
    Update(Changes),
}

/// The changes of an update: `Some` is a new value, `None` a name that is no more.
pub(super) type Changes = BTreeMap<String, Option<String>>;

/// Makes the changes of an update.
pub(super) fn apply(changes: &Changes, values: &mut Values) {
    for (name, value) in changes {
        match value {
            Some(value) => values.insert(name.clone(), value.clone()),
            None => values.remove(name),
        };
    }
}

/// The most bytes that a commit may have where a server has no limit of its own: far more than a
/// session should, and little enough to be sent in time.
#[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
const LARGEST: usize = 16 << 20;

impl Change {
    /// Refuses more than any session should have.
    #[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
    pub(super) fn check_size(&self) -> Result<(), StoreError> {
        let size: usize = match self {
            Change::New(values) => values.iter().map(|(n, value)| n.len() + value.len()).sum(),
            Change::Update(changes) => {
                let length = |value: &Option<String>| value.as_ref().map_or(0, String::len);
                changes.iter().map(|(name, value)| name.len() + length(value)).sum()
            }
        };
        match size > LARGEST {
            true => Err(StoreError::TooLarge { size, limit: LARGEST }),
            false => Ok(()),
        }
    }

    /// The value that it sets under `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        match self {
            Change::New(values) => values.get(name).map(String::as_str),
            Change::Update(changes) => changes.get(name)?.as_deref(),
        }
    }

    /// Sets the value under `name` too.
    pub(super) fn set(&mut self, name: &str, value: String) {
        match self {
            Change::New(values) => drop(values.insert(name.to_owned(), value)),
            Change::Update(changes) => drop(changes.insert(name.to_owned(), Some(value))),
        }
    }

    /// Removes the value under `name` too.
    pub(super) fn remove(&mut self, name: &str) {
        match self {
            Change::New(values) => drop(values.remove(name)),
            Change::Update(changes) => drop(changes.insert(name.to_owned(), None)),
        }
    }

    /// The update that makes `after` of `before`.
    pub(super) fn between(before: &Values, after: &Values) -> Change {
        let removed = before.keys().filter(|name| !after.contains_key(*name));
        let set = after.iter().filter(|&(name, value)| before.get(name) != Some(value));
        Change::Update(
            removed
                .map(|name| (name.clone(), None))
                .chain(set.map(|(name, value)| (name.clone(), Some(value.clone()))))
                .collect(),
        )
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::New(values) => f.debug_tuple("New").field(&values.keys()).finish(),
            Change::Update(changes) => f.debug_tuple("Update").field(&changes.keys()).finish(),
        }
    }
}

/// Deletes a record that is damaged, and is none therefore.
#[cfg(any(feature = "redis", feature = "memcached", feature = "postgres", feature = "sqlite"))]
pub(super) fn delete_damaged(store: &dyn Store, key: &Key) -> Option<Values> {
    log::warn!(key:%; "the record of a session is damaged: it is deleted, and its visitor signed out");
    // A failure is no matter: the next visit tries again.
    let _ = store.delete(key);
    None
}

/// How a commit ended. [`Change`] has an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    /// The change is in the store.
    Done,
    /// The record was deleted, or has expired, since it was found. Nothing was written.
    Gone,
}

/// Why a store did not do what it was asked.
///
/// ```
/// use waxseal::session::StoreError;
///
/// let error = StoreError::Unavailable("connection refused".into());
/// assert_eq!(error.to_string(), "the session store failed: connection refused");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time: the answer to the visitor is 503.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// It is there, and answered this call with an error of its own.
    Rejected(Box<dyn Error + Send + Sync>),
    /// The session is larger than the store allows.
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The [`Cursor`](super::Cursor) is none of this store.
    UnknownCursor,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable(cause) => write!(f, "the session store failed: {cause}"),
            StoreError::Rejected(cause) => write!(f, "the session store refused: {cause}"),
            StoreError::TooLarge { size, limit } => {
                write!(f, "the session has {size} bytes; the store takes {limit}")
            }
            StoreError::UnknownCursor => f.write_str("the cursor is none of this session store"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StoreError::Unavailable(cause) | StoreError::Rejected(cause) => Some(&**cause),
            StoreError::TooLarge { .. } | StoreError::UnknownCursor => None,
        }
    }
}
