//! A store whose outage costs little: calls fail at once while it is known to be down.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use log::{error, info};

use super::store::{Change, Committed, Key, Store, StoreError, Values};
use super::user_index::UserIndex;

/// The pause between two probes of a store that is down.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// A call that has been running for so long is waited for; nobody joins the wait. Opening a connection
/// takes less.
const SLOW: Duration = Duration::from_millis(250);

/// A circuit breaker around a [`Store`].
///
/// After a call that found the store unavailable, others fail at once, but for one each second that
/// tries whether it is back. And no more than so many calls are under way at once: others wait until
/// one has ended, but for a quarter of a second at most, and where one under way is slower than that they
/// fail at once, so that the other threads of a pool can go on.
///
/// ```
/// use waxseal::session::{Breaker, Key, MemoryStore, Store};
/// use waxseal::seal::Id;
///
/// // Of eight threads, four may wait.
/// let store = Breaker::new(MemoryStore::default(), 4);
/// assert_eq!(store.find(&Key::of(Id::random()))?, None);
/// assert!(!store.is_open());
/// # Ok::<(), waxseal::session::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Breaker<S> {
    store: S,
    /// Calls at once.
    most: usize,
    state: Mutex<State>,
    /// A call has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When each call under way began, the oldest first.
    running: Vec<Instant>,
    /// While the store is down: when the next call is let through.
    probe_at: Option<Instant>,
}

impl<S> Breaker<S> {
    /// A breaker around `store` that lets `most` calls wait for it at once, one at least.
    #[must_use]
    pub fn new(store: S, most: usize) -> Breaker<S> {
        Breaker { store, most: most.max(1), state: Mutex::default(), ended: Condvar::new() }
    }

    /// Whether calls fail at once, because the last one that was let through found the store down.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state().probe_at.is_some()
    }

    fn run<T>(&self, call: impl FnOnce(&S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut running = self.begin()?;
        let done = call(&self.store);
        match &done {
            Err(StoreError::Unavailable(cause)) => running.found = Found::Down(cause.to_string()),
            _ => running.found = Found::Up,
        }
        done
    }

    /// Leave to call, if need be once another call has ended.
    fn begin(&self) -> Result<Running<'_, S>, StoreError> {
        let mut state = self.state();
        let came = Instant::now();
        while state.running.len() >= self.most && state.probe_at.is_none() {
            let oldest = state.running.first().copied().unwrap_or(came);
            let patience = SLOW.saturating_sub(oldest.elapsed());
            if patience.is_zero() || came.elapsed() >= SLOW {
                return Err(StoreError::Unavailable("it is slow to answer others".into()));
            }
            let woken = self.ended.wait_timeout(state, patience);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let began = Instant::now();
        let is_probe = state.probe_at.is_some();
        if state.probe_at.is_some_and(|probe_at| began < probe_at) {
            return Err(StoreError::Unavailable("it was down a moment ago".into()));
        }
        if is_probe {
            state.probe_at = Some(began + PROBE_PAUSE);
        }
        state.running.push(began);
        Ok(Running { breaker: self, began, is_probe, found: Found::Nothing })
    }

    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way, until dropped, by a panic too.
struct Running<'b, S> {
    breaker: &'b Breaker<S>,
    began: Instant,
    is_probe: bool,
    found: Found,
}

/// How a call found the store.
enum Found {
    Nothing,
    Up,
    Down(String),
}

impl State {
    fn end(&mut self, began: Instant) {
        if let Some(at) = self.running.iter().position(|running| *running == began) {
            self.running.remove(at);
        }
    }
}

impl<S> Drop for Running<'_, S> {
    fn drop(&mut self) {
        let mut state = self.breaker.state();
        state.end(self.began);
        let was_up = state.probe_at.is_none();
        match &self.found {
            Found::Down(_) => state.probe_at = Some(Instant::now() + PROBE_PAUSE),
            // Of a store that is down, a call from before tells nothing.
            Found::Up if self.is_probe => state.probe_at = None,
            Found::Up | Found::Nothing => {}
        }
        let is_up = state.probe_at.is_none();
        drop(state);
        self.breaker.ended.notify_all();
        match &self.found {
            Found::Down(cause) if was_up => {
                error!(error = cause.as_str(); "the session store is down")
            }
            Found::Up if is_up && !was_up => info!("the session store is back"),
            _ => {}
        }
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
        expires: SystemTime,
    ) -> Result<Committed, StoreError> {
        self.run(|store| store.commit(key, change, expires))
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.run(|store| store.delete(key))
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        self.store.users().is_some().then_some(self)
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

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::seal::Id;

    /// Up or down, and slow, as told.
    #[derive(Default)]
    struct Server {
        is_down: AtomicBool,
        millis: AtomicUsize,
        calls: AtomicUsize,
    }

    impl Store for Server {
        fn find(&self, _: &Key) -> Result<Option<Values>, StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(self.millis.load(Ordering::SeqCst) as u64));
            match self.is_down.load(Ordering::SeqCst) {
                true => Err(StoreError::Unavailable("down".into())),
                false => Ok(None),
            }
        }

        fn commit(&self, _: &Key, _: &Change, _: SystemTime) -> Result<Committed, StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            Err(StoreError::TooLarge { size: 2, limit: 1 })
        }

        fn delete(&self, _: &Key) -> Result<(), StoreError> {
            panic!("as a test")
        }
    }

    impl Breaker<Server> {
        fn find_any(&self) -> Result<Option<Values>, String> {
            self.find(&Key::of(Id([0; 16]))).map_err(|error| error.to_string())
        }

        fn calls(&self) -> usize {
            self.store.calls.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn while_the_store_is_down_one_call_a_second_gets_through() {
        let breaker = Breaker::new(Server::default(), 4);
        breaker.store.is_down.store(true, Ordering::SeqCst);
        assert_eq!(breaker.find_any(), Err("the session store failed: down".to_owned()));
        assert!(breaker.is_open());
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2500) {
            assert!(breaker.find_any().is_err());
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(breaker.calls(), 3, "the first, and two probes");
        breaker.store.is_down.store(false, Ordering::SeqCst);
        let began = Instant::now();
        while breaker.find_any().is_err() {
            assert!(began.elapsed() < Duration::from_secs(5));
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!breaker.is_open());
        assert_eq!(breaker.calls(), 4);
    }

    #[test]
    fn what_the_store_refuses_is_no_outage_and_a_panic_takes_no_place() {
        let breaker = Breaker::new(Server::default(), 1);
        let key = Key::of(Id([0; 16]));
        for _ in 0..3 {
            let change = Change::New(Values::new());
            let refused = breaker.commit(&key, &change, SystemTime::now());
            assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
            let panicked = std::panic::AssertUnwindSafe(|| breaker.delete(&key));
            assert!(std::panic::catch_unwind(panicked).is_err());
        }
        assert_eq!(breaker.find_any(), Ok(None));
    }

    #[test]
    fn no_more_than_so_many_wait_for_a_slow_store() {
        let breaker = Breaker::new(Server::default(), 2);
        breaker.store.millis.store(1000, Ordering::SeqCst);
        let together = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    together.wait();
                    assert_eq!(breaker.find_any(), Ok(None));
                });
            }
            together.wait();
            while breaker.calls() < 2 {
                thread::yield_now();
            }
            let began = Instant::now();
            for _ in 0..10 {
                assert!(breaker.find_any().unwrap_err().contains("slow"));
            }
            assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        });
        assert_eq!(breaker.calls(), 2);
    }

    #[test]
    fn of_a_quick_store_everybody_gets_an_answer() {
        let breaker = Breaker::new(Server::default(), 1);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| assert_eq!(breaker.find_any(), Ok(None))));
            }
        });
    }
}
