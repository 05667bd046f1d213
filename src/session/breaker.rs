//! A store whose outage costs little: calls fail at once while it is known to be down.

use std::time::{Duration, Instant};

use super::Health;
use super::circuit::Circuit;
use super::listing::{Counted, Cursor, Listed, Listing};
use super::store::{Change, CommitOutcome, Key, Store, StoreError, Values};
use super::user_index::UserIndex;

/// The longest that a call waits for its turn.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A circuit breaker around a [`Store`] of your own; those of this crate have one for each of their
/// servers.
///
/// It opens for an outage: after a call that found the store unavailable, where no later one was
/// answered, or where as many calls as may be under way are all slow, and nothing was answered for
/// a while. Then calls fail at once, but for one each second that tries whether the store is back.
/// No more than so many calls are under way at once, so that the other threads of a pool can go on.
///
/// ```
/// use waxseal::session::{Breaker, Health, Key, MemoryStore, Store};
/// use waxseal::seal::Id;
///
/// // Of eight threads, four may wait.
/// let store = Breaker::new(MemoryStore::default(), 4);
/// assert_eq!(store.find(&Key::of(Id::random()))?, None);
/// assert_eq!(store.health(), Health::Up);
/// # Ok::<(), waxseal::session::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Breaker<S> {
    store: S,
    circuit: Circuit,
}

impl<S> Breaker<S> {
    /// A breaker around `store` that lets `most` calls wait for it at once, one at least.
    #[must_use]
    pub fn new(store: S, most: usize) -> Breaker<S> {
        Breaker { store, circuit: Circuit::new("store", most) }
    }

    fn run<T>(&self, call: impl FnOnce(&S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.circuit.run(Instant::now() + PATIENCE, || call(&self.store))
    }
}

impl<S: Store> Store for Breaker<S> {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        self.run(|store| store.find(key))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        self.run(|store| store.commit(key, change, lifetime))
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.run(|store| store.delete(key))
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        self.store.users().is_some().then_some(self)
    }

    fn listing(&self) -> Option<&dyn Listing> {
        self.store.listing().is_some().then_some(self)
    }

    fn takes(&self, key: &Key) -> bool {
        self.store.takes(key)
    }

    fn health(&self) -> Health {
        if self.circuit.is_open() { Health::Down } else { self.store.health() }
    }
}

impl<S: Store> UserIndex for Breaker<S> {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        self.run(|store| match store.users() {
            Some(users) => users.find_by_user(user, names, limit),
            None => Ok(Vec::new()),
        })
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        self.run(|store| match store.users() {
            Some(users) => users.delete_by_user(user),
            None => Ok(()),
        })
    }
}

impl<S: Store> Breaker<S> {
    fn run_listing<T>(
        &self,
        call: impl FnOnce(&dyn Listing) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run(|store| match store.listing() {
            Some(listing) => call(listing),
            None => Err(StoreError::Rejected("the store cannot list its records".into())),
        })
    }
}

impl<S: Store> Listing for Breaker<S> {
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError> {
        self.run_listing(|listing| listing.list_some(user, after, limit, names))
    }

    fn count_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Counted, StoreError> {
        self.run_listing(|listing| listing.count_some(user, after))
    }

    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError> {
        self.run_listing(|listing| listing.delete_some(after))
    }
}
