//! Sessions in this process's memory: for tests, and as the worked example of [`Store`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::store::{Change, Committed, Key, Store, StoreError, Values};
use super::{Clock, SystemClock};

/// Records below which looking for expired ones is not worth a sweep.
const SMALLEST_SWEEP: usize = 1024;

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
/// let cookie = sessions.save(&mut session)?.unwrap();
/// assert!(cookie.value().len() < 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryStore {
    records: Mutex<Records>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Records {
    by_key: HashMap<Key, Record>,
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
        MemoryStore { records: Mutex::default(), clock }
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
        Ok(self.records().living(key, now).map(|record| record.values.clone()))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        expires: SystemTime,
    ) -> Result<Committed, StoreError> {
        let now = self.clock.now();
        let mut records = self.records();
        match change {
            Change::New(values) => {
                records.sweep(now);
                records.by_key.insert(*key, Record { values: values.clone(), expires });
            }
            Change::Update(changes) => {
                let Some(record) = records.living(key, now) else { return Ok(Committed::Gone) };
                for (name, value) in changes {
                    match value {
                        Some(value) => record.values.insert(name.clone(), value.clone()),
                        None => record.values.remove(name),
                    };
                }
                record.expires = expires;
            }
        }
        Ok(Committed::Done)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.records().by_key.remove(key);
        Ok(())
    }
}

impl Records {
    fn living(&mut self, key: &Key, now: SystemTime) -> Option<&mut Record> {
        self.by_key.get_mut(key).filter(|record| record.expires > now)
    }

    fn sweep(&mut self, now: SystemTime) {
        if self.by_key.len() >= self.sweep_at.max(SMALLEST_SWEEP) {
            self.by_key.retain(|_, record| record.expires > now);
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
