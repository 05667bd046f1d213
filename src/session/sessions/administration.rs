//! What an administrator does with the sessions of a store: to count, list and end them.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::super::clock::after as time_after;
use super::super::listing::{Counted, Cursor, ListedRecord, Listing};
use super::super::store::{Key, StoreError};
use super::super::user_index::{self, MARK, USERNAME};
use super::super::user_of;
use super::stored::Stored;
use super::{Sessions, Storage};

/// The most sessions of a page of [`Administration::list`].
pub const LARGEST_PAGE: usize = 1000;

/// A page is filled as long as it took no longer than this: a store that keeps much beside the sessions
/// may have to look at all of it.
const PROMPT: Duration = Duration::from_secs(1);

impl Sessions {
    /// What an administrator needs: all sessions, counted, listed in pages, and ended.
    ///
    /// Who may see it is up to the program. Entries have no id that would make a cookie and no values but
    /// the user's name.
    ///
    /// # Errors
    ///
    /// [`CannotList`] where there is no list: the sessions are in their cookies, or in a store that
    /// cannot list them, as Memcached.
    ///
    /// ```
    /// use waxseal::seal::Keyring;
    /// use waxseal::session::{CannotList, MemoryStore, Outcome, Scheme, Sessions};
    ///
    /// let keyring = || Keyring::new(b"authentication key", b"0123456789abcdef");
    /// let sessions = Sessions::stored(keyring()?, MemoryStore::default());
    /// let mut session = sessions.load("", Scheme::Http)?;
    /// session.sign_in(&sessions.fingerprint("foo", b"hash of foo's password"));
    /// let cookie = sessions.save(&mut session)?.into_cookie().unwrap().stripped().to_string();
    ///
    /// let administration = sessions.administration()?;
    /// assert_eq!(administration.count()?, 1);
    /// let page = administration.list(None, 20)?;
    /// assert_eq!(page.sessions[0].user.as_deref(), Some("foo"));
    /// assert!(page.next.is_none(), "no page follows");
    /// assert!(administration.end(&page.sessions[0].key)?);
    /// assert_eq!(sessions.load(&cookie, Scheme::Http)?.outcome(), Outcome::Revoked);
    ///
    /// let sealed = Sessions::sealed(keyring()?);
    /// assert_eq!(sealed.administration().unwrap_err(), CannotList::Sealed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn administration(&self) -> Result<Administration<'_>, CannotList> {
        let Storage::Store(stored) = &self.storage else { return Err(CannotList::Sealed) };
        let listing = stored.listing().ok_or(CannotList::Store)?;
        Ok(Administration { sessions: self, stored, listing })
    }
}

/// All sessions of a store, as [`Sessions::administration`] gives them, which has an example.
///
/// Sessions begin and end while they are counted and listed: one that is there all the while is counted
/// and listed, and one that ends is no error. With Redis, a session may be met twice where the server
/// resizes its table of keys meanwhile. A session that [`Settings::not_before`](super::super::Settings)
/// ended has its record until that expires, and is listed as long.
///
/// A visitor's request never waits for longer than one step: some hundred records, or a few
/// thousand if they are counted. A million records take seconds to count or to end.
pub struct Administration<'s> {
    sessions: &'s Sessions,
    stored: &'s Stored,
    listing: &'s dyn Listing,
}

impl Administration<'_> {
    /// How many sessions there are, of people who signed in and of others.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// assert_eq!(sessions.administration()?.count()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self) -> Result<u64, StoreError> {
        total(|after| self.listing.count_some(None, after))
    }

    /// How many sessions `user` has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// assert_eq!(sessions.administration()?.count_of("foo")?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_of(&self, user: &str) -> Result<u64, StoreError> {
        total(|after| self.listing.count_some(Some(user), after))
    }

    /// A page of all sessions, in an order of the store's own: the first one, or the one that begins
    /// `after` another. It has `limit` sessions at most, one at least and [`LARGEST_PAGE`] at most.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached, or `after` is no cursor of it.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// let administration = sessions.administration()?;
    /// let mut page = administration.list(None, 100)?;
    /// loop {
    ///     page.sessions.iter().for_each(|entry| println!("{} {:?}", entry.key, entry.user));
    ///     let Some(next) = page.next else { break };
    ///     page = administration.list(Some(&next), 100)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list(&self, after: Option<&Cursor>, limit: usize) -> Result<SessionPage, StoreError> {
        self.page(None, after, limit)
    }

    /// The same of `user`'s sessions alone. For the page of a user's own sessions,
    /// [`Sessions::of_user`] has those that were last seen first.
    ///
    /// # Errors
    ///
    /// As [`Administration::list`].
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// assert!(sessions.administration()?.list_of("foo", None, 100)?.sessions.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_of(
        &self,
        user: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        self.page(Some(user), after, limit)
    }

    /// Ends the session of this key, for all processes at once; whether there was one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached, or takes no changes.
    ///
    /// ```
    /// # use waxseal::{seal::{Id, Keyring}, session::{Key, MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// assert!(!sessions.administration()?.end(&Key::of(Id::random()))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end(&self, key: &Key) -> Result<bool, StoreError> {
        self.stored.delete_key(key)
    }

    /// Ends all sessions of `user`, as [`Sessions::revoke_user`] does; how many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached, or takes no changes.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// assert_eq!(sessions.administration()?.end_user("foo")?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end_user(&self, user: &str) -> Result<u64, StoreError> {
        let ended = self.count_of(user)?;
        // The store's part is done; the rest is about this process, and always is.
        self.sessions.revoke_user(user).map(|_| ended)
    }

    /// Ends all sessions that began before now, whoever's they are; how many there were. One that begins
    /// meanwhile may go on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be reached, or takes no changes: some may have ended.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{MemoryStore, Sessions}};
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let sessions = Sessions::stored(keyring, MemoryStore::default());
    /// assert_eq!(sessions.administration()?.end_all()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end_all(&self) -> Result<u64, StoreError> {
        total(|after| self.stored.noticed(self.listing.delete_some(after)))
    }

    fn page(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        let limit = limit.clamp(1, LARGEST_PAGE);
        let [begun, seen] = user_index::NOTES;
        let names = [USERNAME, MARK, begun, seen];
        let began = Instant::now();
        let mut page = SessionPage { sessions: Vec::new(), next: after.cloned() };
        loop {
            let room = limit - page.sessions.len();
            let listed = self.listing.list_some(user, page.next.as_ref(), room, &names)?;
            let now = self.sessions.clock.now();
            page.sessions.extend(listed.records.into_iter().map(|r| SessionEntry::of(r, now)));
            page.next = listed.next;
            let is_full = page.sessions.len() >= limit || began.elapsed() >= PROMPT;
            if is_full || page.next.is_none() {
                return Ok(page);
            }
        }
    }
}

/// The sum of all steps.
fn total(step: impl Fn(Option<&Cursor>) -> Result<Counted, StoreError>) -> Result<u64, StoreError> {
    let mut counted = step(None)?;
    let mut records = counted.records;
    while let Some(next) = counted.next {
        counted = step(Some(&next))?;
        records += counted.records;
    }
    Ok(records)
}

impl fmt::Debug for Administration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Administration").finish_non_exhaustive()
    }
}

/// A page of sessions, as [`Administration::list`] gives it, which has an example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions. There may be fewer than were asked for, or none, although more follow.
    pub sessions: Vec<SessionEntry>,
    /// What the next page begins after; `None` at the end.
    pub next: Option<Cursor>,
}

/// One session, as far as its store tells of it; [`Sessions::administration`] has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEntry {
    /// What its record is kept under, by which it is [ended](Administration::end). It is no secret: nobody
    /// can make a cookie of it.
    pub key: Key,
    /// Who signed in, if anybody did.
    pub user: Option<String>,
    /// When somebody signed in, where somebody did.
    pub begun: Option<SystemTime>,
    /// When it was last written to, where somebody signed in; a visit does so after a quarter of the
    /// idle time.
    pub last_seen: Option<SystemTime>,
    /// When it ends unless its visitor comes back.
    pub expires: SystemTime,
}

impl SessionEntry {
    fn of(record: ListedRecord, now: SystemTime) -> SessionEntry {
        let ListedRecord { key, values, lifetime } = record;
        let [begun, last_seen] = user_index::noted(&values);
        let user = user_of(&values).map(str::to_owned);
        SessionEntry { key, user, begun, last_seen, expires: time_after(now, lifetime) }
    }
}

/// Why there is no list of sessions. The text says what works instead.
///
/// ```
/// use waxseal::session::CannotList;
///
/// let text = CannotList::Sealed.to_string();
/// assert!(text.starts_with("each session is in its own cookie, and nothing has a list of them"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CannotList {
    /// The sessions are sealed into their cookies.
    Sealed,
    /// The store cannot list its records.
    Store,
}

impl fmt::Display for CannotList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CannotList::Sealed => {
                "each session is in its own cookie, and nothing has a list of them; to end all, set \
                 SESSION_NOT_BEFORE (Settings::not_before) or change the keys; to end a user's, sign out \
                 everywhere (Sessions::revoke_user), which SESSION_REVOCATIONS shares between processes, or \
                 change the password"
            }
            CannotList::Store => {
                "the session store cannot list its sessions; redis, postgres and sqlite can; to end all, set \
                 SESSION_NOT_BEFORE (Settings::not_before) or change the keys; to end a user's, change the \
                 password"
            }
        })
    }
}

impl Error for CannotList {}
