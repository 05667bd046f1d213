//! Revocations in this process's memory: for tests, and as the worked example of [`Revocations`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::{Learned, Position, Revocation, Revocations};
use crate::session::{Clock, StoreError, SystemClock};

/// Most revocations of one page.
const PAGE: usize = 5000;

/// A [`Revocations`] that forgets everything when the process ends: sessions of this process alone can
/// share it.
///
/// ```
/// use std::sync::Arc;
/// use waxseal::seal::Keyring;
/// use waxseal::session::{MemoryRevocations, Sessions};
///
/// let shared = Arc::new(MemoryRevocations::default());
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::sealed(keyring).with_revocations(Arc::clone(&shared))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryRevocations {
    log: Mutex<Log>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Log {
    /// Numbered in the order in which they came.
    by_number: BTreeMap<u64, Revocation>,
    numbers: HashMap<Revocation, u64>,
    next: u64,
}

impl MemoryRevocations {
    /// An empty store that drops what is over by `clock`.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> MemoryRevocations {
        MemoryRevocations { log: Mutex::default(), clock }
    }

    /// No code panics while it holds the lock.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryRevocations {
    fn default() -> MemoryRevocations {
        MemoryRevocations::with_clock(Arc::new(SystemClock))
    }
}

impl Revocations for MemoryRevocations {
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        let mut log = self.log();
        log.drop_over(self.clock.now());
        revocations.iter().for_each(|revocation| log.add(*revocation));
        Ok(())
    }

    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        let mut log = self.log();
        revocations.iter().for_each(|revocation| log.remove(revocation));
        Ok(())
    }

    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
        let mut log = self.log();
        log.drop_over(self.clock.now());
        let Some(first) = after.map_or(Some(0), |Position(number)| number.parse().ok()) else {
            return Ok(Learned::Lost);
        };
        let mut found = log.by_number.range(first..);
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        let next = page.last().map_or(first, |(number, _)| **number + 1);
        Ok(Learned::Page {
            revocations: page.into_iter().map(|(_, revocation)| *revocation).collect(),
            position: Position(next.to_string()),
            is_last: found.next().is_none(),
        })
    }
}

impl Log {
    fn add(&mut self, revocation: Revocation) {
        if !self.numbers.contains_key(&revocation) {
            self.numbers.insert(revocation, self.next);
            self.by_number.insert(self.next, revocation);
            self.next += 1;
        }
    }

    fn remove(&mut self, revocation: &Revocation) {
        if let Some(number) = self.numbers.remove(revocation) {
            self.by_number.remove(&number);
        }
    }

    fn drop_over(&mut self, now: SystemTime) {
        self.by_number.retain(|_, revocation| revocation.until() >= now);
        self.numbers.retain(|revocation, _| revocation.until() >= now);
    }
}

impl fmt::Debug for MemoryRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocations").field("len", &self.log().numbers.len()).finish()
    }
}
