//! All records of a store, a few at a time: for an administrator, who counts, lists and ends them.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::store::{Key, StoreError, Values};

/// The most characters that a [`Cursor`] has.
const LONGEST_CURSOR: usize = 4096;

/// The list of all records of a [`Store`](super::Store) that can tell them:
/// [`Store::listing`](super::Store::listing).
///
/// Each call takes a step: it does a bounded amount of work, however many records there are, so that
/// requests go on beside it. A step begins after the [`Cursor`] that the step before gave, and at the
/// beginning without one. A record that is there from the first step to the last is met, whatever is
/// committed and deleted in between. Each is met once; a store may meet one again only where it cannot
/// do otherwise, and says so in its documentation.
///
/// [`MemoryStore`](super::MemoryStore) is the worked example.
///
/// ```
/// use std::time::Duration;
/// use waxseal::seal::Id;
/// use waxseal::session::{Change, CommitOutcome, Key, MemoryStore, Store, Values};
///
/// let store = MemoryStore::default();
/// for _ in 0..3 {
///     let new = Change::New(Values::new());
///     let done = store.commit(&Key::of(Id::random()), &new, Duration::from_secs(60))?;
///     assert_eq!(done, CommitOutcome::Done);
/// }
/// let listing = store.listing().expect("this store can list its records");
/// let first = listing.list_some(None, None, 2, &[])?;
/// assert_eq!(first.records.len(), 2);
/// let last = listing.list_some(None, first.next.as_ref(), 2, &[])?;
/// assert_eq!((last.records.len(), last.next), (1, None));
/// # Ok::<(), waxseal::session::StoreError>(())
/// ```
pub trait Listing: Send + Sync {
    /// The next living records, `limit` at most (one at least, 1,000 at most), or those of `user`
    /// alone: of each, those of its values that are called one of `names`. There may be fewer, or
    /// none, although more follow: the end is where there is no [`next`](Listed::next).
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where it cannot be told, [`StoreError::UnknownCursor`] where `after`
    /// is no cursor of this store.
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError>;

    /// How many living records the next step meets, or how many of `user`'s.
    ///
    /// # Errors
    ///
    /// As [`Listing::list_some`].
    fn count_some(&self, user: Option<&str>, after: Option<&Cursor>)
    -> Result<Counted, StoreError>;

    /// Deletes the records that the next step meets, as [`Store::delete`](super::Store::delete) would
    /// each; how many of them lived.
    ///
    /// # Errors
    ///
    /// As [`Listing::list_some`], and [`StoreError::Rejected`] where the store takes no changes.
    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError>;
}

/// The records of one step of a [`Listing`], which has an example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The records.
    pub records: Vec<ListedRecord>,
    /// What the next step begins after; `None` at the end.
    pub next: Option<Cursor>,
}

/// One record of a [`Listing`], which has an example.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedRecord {
    /// What it is kept under.
    pub key: Key,
    /// Those of its values that were asked for.
    pub values: Values,
    /// How long it lives from now, by the store's clock.
    pub lifetime: Duration,
}

impl Listed {
    /// These records; the next step begins after `next`.
    #[must_use]
    pub fn new(records: Vec<ListedRecord>, next: Option<Cursor>) -> Listed {
        Listed { records, next }
    }
}

impl ListedRecord {
    /// A record of this key, with those of its values that were asked for.
    #[must_use]
    pub fn new(key: Key, values: Values, lifetime: Duration) -> ListedRecord {
        ListedRecord { key, values, lifetime }
    }
}

impl Counted {
    /// So many records; the next step begins after `next`.
    #[must_use]
    pub fn new(records: u64, next: Option<Cursor>) -> Counted {
        Counted { records, next }
    }
}

/// `Debug` shows the names alone: the values are the visitor's.
impl fmt::Debug for ListedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedRecord")
            .field("key", &self.key)
            .field("names", &self.values.keys())
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

/// How many records one step of a [`Listing`] met.
///
/// ```
/// use waxseal::session::{MemoryStore, Store};
///
/// let store = MemoryStore::default();
/// let counted = store.listing().unwrap().count_some(None, None)?;
/// assert_eq!((counted.records, counted.next), (0, None));
/// # Ok::<(), waxseal::session::StoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counted {
    /// How many of them lived.
    pub records: u64,
    /// What the next step begins after; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in the list of a store's records: what was listed lies before it. It stays right while
/// records come and go, also where the last one before it was deleted. Only its store can read it.
///
/// ```
/// use waxseal::session::Cursor;
///
/// let cursor: Cursor = "374708fff7719dd5".parse()?;
/// assert_eq!(cursor.to_string(), "374708fff7719dd5");
/// assert!("two words".parse::<Cursor>().is_err());
/// # Ok::<(), waxseal::session::ParseCursorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// The place after `key`, in a store that lists its records by their keys.
    ///
    /// ```
    /// use waxseal::seal::Id;
    /// use waxseal::session::{Cursor, Key};
    ///
    /// let key = Key::of(Id::random());
    /// assert_eq!(Cursor::after(&key).to_string(), key.to_string());
    /// ```
    #[must_use]
    pub fn after(key: &Key) -> Cursor {
        Cursor(key.to_string())
    }

    /// The place that a store describes by lower-case letters, digits, `-` and `.`.
    #[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
    pub(super) fn of(text: String) -> Cursor {
        Cursor(text)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the key that it stands after, where it is of a store that lists by keys.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) fn key_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let byte = |pair: &[u8]| {
            let [high, low] = pair else { return None };
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        };
        let bytes = self.0.as_bytes().chunks(2).map(byte).collect::<Option<_>>();
        bytes.ok_or(StoreError::UnknownCursor)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Cursor, ParseCursorError> {
        let is_known = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'.');
        match (1..=LONGEST_CURSOR).contains(&text.len()) && text.bytes().all(is_known) {
            true => Ok(Cursor(text.to_owned())),
            false => Err(ParseCursorError),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no [`Cursor`].
///
/// ```
/// use waxseal::session::Cursor;
///
/// let error = "".parse::<Cursor>().unwrap_err();
/// assert_eq!(error.to_string(), "this is no cursor of a list of sessions");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseCursorError;

impl fmt::Display for ParseCursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no cursor of a list of sessions")
    }
}

impl Error for ParseCursorError {}
