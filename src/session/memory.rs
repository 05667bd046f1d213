//! Sessions in this process's memory: for tests, and as the worked example of [`Store`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::clock::after;
use super::listing::{Counted, Cursor, Listed, ListedRecord, Listing};
use super::store::{Change, CommitOutcome, Key, Store, StoreError, Values, apply};
use super::user_index::{LAST_SEEN, USERNAME, UserIndex};
use super::user_of;
use super::{Clock, StoreSettings, SystemClock};

/// Records below which looking for expired ones is not worth a sweep.
const SMALLEST_SWEEP: usize = 1024;
/// Records that are counted or deleted under one lock.
const STEP: usize = 1000;

/// A [`Store`] that forgets everything when the process ends.
///
/// ```
/// use waxseal::seal::Keyring;
/// use waxseal::session::{MemoryStore, Scheme, Sessions};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::stored(keyring, MemoryStore::default());
/// let mut session = sessions.load("", Scheme::Http)?;
/// session.insert("note", "x".repeat(100_000))?; // more than a cookie could carry
/// let cookie = sessions.save(&mut session)?.into_cookie().unwrap();
/// assert!(cookie.value().len() < 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryStore {
    records: Mutex<Records>,
    sessions_per_user: usize,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Records {
    by_key: BTreeMap<Key, Record>,
    /// The keys of each user's records.
    by_user: HashMap<String, BTreeSet<Key>>,
    /// Expired records are swept when there are this many, which is twice what the last sweep
    /// left: the cost a commit is constant, and so many are the most that are ever kept.
    sweep_at: usize,
}

struct Record {
    values: Values,
    expires: SystemTime,
}

impl MemoryStore {
    /// An empty store that expires its records by `clock`.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> MemoryStore {
        let StoreSettings { sessions_per_user, .. } = StoreSettings::default();
        MemoryStore { records: Mutex::default(), sessions_per_user, clock }
    }

    /// The same store, in which a user has so many sessions at most, one at least; 100 by default.
    #[must_use]
    pub fn with_sessions_per_user(self, most: usize) -> MemoryStore {
        MemoryStore { sessions_per_user: most.max(1), ..self }
    }

    /// No code panics while it holds the lock, and each change under it is whole.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::with_clock(Arc::new(SystemClock))
    }
}

impl Store for MemoryStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let now = self.clock.now();
        let records = self.records();
        let living = records.by_key.get(key).filter(|record| record.expires > now);
        Ok(living.map(|record| record.values.clone()))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        let now = self.clock.now();
        let expires = after(now, lifetime);
        let mut records = self.records();
        match change {
            Change::New(values) => {
                records.sweep(now);
                records.put(key, Record { values: values.clone(), expires });
                records.limit(user_of(values), key, self.sessions_per_user - 1);
            }
            Change::Update(changes) => {
                let Some(mut record) = records.take(key).filter(|record| record.expires > now)
                else {
                    return Ok(CommitOutcome::Gone);
                };
                apply(changes, &mut record.values);
                record.expires = expires;
                let is_moved = changes.contains_key(USERNAME);
                let user = user_of(&record.values).filter(|_| is_moved).map(str::to_owned);
                records.put(key, record);
                records.limit(user.as_deref(), key, self.sessions_per_user - 1);
            }
        }
        Ok(CommitOutcome::Done)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.records().take(key);
        Ok(())
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        Some(self)
    }

    fn listing(&self) -> Option<&dyn Listing> {
        Some(self)
    }
}

impl UserIndex for MemoryStore {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        let now = self.clock.now();
        let records = self.records();
        let keys = records.by_user.get(user).into_iter().flatten();
        let mut living: Vec<(&Key, &Record)> = keys
            .filter_map(|key| Some((key, records.by_key.get(key)?)))
            .filter(|(_, record)| record.expires > now)
            .collect();
        living.sort_by_key(|(_, record)| Reverse(record.expires));
        let told = |record: &Record| {
            let told = |name: &&str| Some(((*name).to_owned(), record.values.get(*name)?.clone()));
            names.iter().filter_map(told).collect()
        };
        Ok(living.into_iter().take(limit).map(|(key, record)| (*key, told(record))).collect())
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        let mut records = self.records();
        for key in records.by_user.remove(user).unwrap_or_default() {
            records.by_key.remove(&key);
        }
        Ok(())
    }
}

/// By their keys.
impl Listing for MemoryStore {
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError> {
        let now = self.clock.now();
        let records = self.records();
        let mut keys = records.keys(user, after)?;
        let met: Vec<Key> = keys.by_ref().take(limit).collect();
        let next = keys.next().and_then(|_| met.last().map(Cursor::after));
        let listed = |key: Key| {
            let record = records.by_key.get(&key)?;
            let lifetime =
                record.expires.duration_since(now).ok().filter(|left| !left.is_zero())?;
            let told = |name: &&str| Some(((*name).to_owned(), record.values.get(*name)?.clone()));
            let values = names.iter().filter_map(told).collect();
            Some(ListedRecord { key, values, lifetime })
        };
        Ok(Listed { records: met.into_iter().filter_map(listed).collect(), next })
    }

    fn count_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Counted, StoreError> {
        let Listed { records, next } = self.list_some(user, after, STEP, &[])?;
        Ok(Counted { records: records.len() as u64, next })
    }

    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError> {
        let now = self.clock.now();
        let mut records = self.records();
        let keys: Vec<Key> = records.keys(None, after)?.take(STEP).collect();
        let taken = keys.iter().filter_map(|key| records.take(key));
        let lived = taken.filter(|record| record.expires > now).count() as u64;
        Ok(Counted { records: lived, next: keys.last().map(Cursor::after) })
    }
}

impl Record {
    fn user(&self) -> Option<&str> {
        user_of(&self.values)
    }

    fn last_seen(&self) -> u64 {
        self.values.get(LAST_SEEN).and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
    }
}

impl Records {
    fn put(&mut self, key: &Key, record: Record) {
        self.take(key);
        if let Some(user) = record.user() {
            self.by_user.entry(user.to_owned()).or_default().insert(*key);
        }
        self.by_key.insert(*key, record);
    }

    /// The keys of all records, or of a user's, that come after `after`.
    fn keys(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Box<dyn Iterator<Item = Key> + '_>, StoreError> {
        let after = after.map(|after| after.as_str().parse::<Key>()).transpose();
        let after = after.map_err(|_| StoreError::UnknownCursor)?;
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        Ok(match user {
            None => Box::new(self.by_key.range(range).map(|(key, _)| *key)),
            Some(user) => {
                let theirs = self.by_user.get(user);
                Box::new(theirs.into_iter().flat_map(move |keys| keys.range(range).copied()))
            }
        })
    }

    fn take(&mut self, key: &Key) -> Option<Record> {
        let record = self.by_key.remove(key)?;
        let Some(user) = record.user() else { return Some(record) };
        if let Some(keys) = self.by_user.get_mut(user) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_user.remove(user);
            }
        }
        Some(record)
    }

    /// Leaves `user`, if there is one, beside the record under `new` the `others` that were seen last.
    fn limit(&mut self, user: Option<&str>, new: &Key, others: usize) {
        let Some(keys) = user.and_then(|user| self.by_user.get(user)) else { return };
        if keys.len() <= others + 1 {
            return;
        }
        let use_of =
            |key: &Key| self.by_key.get(key).map(|record| (record.last_seen(), record.expires));
        let mut keys: Vec<Key> = keys.iter().copied().filter(|key| key != new).collect();
        keys.sort_by_key(|key| Reverse(use_of(key)));
        for key in keys.split_off(others) {
            self.take(&key);
        }
    }

    fn sweep(&mut self, now: SystemTime) {
        if self.by_key.len() >= self.sweep_at.max(SMALLEST_SWEEP) {
            let over = self.by_key.iter().filter(|(_, record)| record.expires <= now);
            for key in over.map(|(key, _)| *key).collect::<Vec<_>>() {
                self.take(&key);
            }
            self.sweep_at = self.by_key.len() * 2;
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.records().by_key.len();
        f.debug_struct("MemoryStore").field("records", &records).finish_non_exhaustive()
    }
}
