//! Connections to a store's server, kept from one call to the next.

use std::error::Error;
#[cfg(feature = "memcached")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
use super::Health;
use super::StoreError;
use super::circuit::Circuit;
use super::queue::Queue;

/// The longest that a call may take, with all that it waits for: so much less than the two seconds in
/// which a visitor is told of an outage that a busy machine keeps these too.
pub(super) const PATIENCE: Duration = Duration::from_millis(1600);
/// A connection that was idle for longer is not used again: what stands between may have forgotten it
/// without a word, and a call over it would wait in vain.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// From an attempt to open one more connection that failed, because of a limit of the server's say, to
/// the next, while there are others to wait for.
const OPENING_PAUSE: Duration = Duration::from_secs(1);
/// A connection that was opened so long ago leads where a new one would.
const YOUNG: Duration = Duration::from_secs(1);

pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// Why a call over a connection failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was closed. Where it was kept from an earlier call, that may have happened
    /// long ago, and nothing is wrong with the server.
    Closed(Cause),
    /// The connection is of no use any more: no answer in time, or one that makes no sense.
    Broken(Cause),
    /// The server's own answer: the connection is as good as before.
    Refused(StoreError),
    /// The server cannot do it, and a new connection may lead to one that can: it is a replica, say.
    #[cfg_attr(
        not(any(feature = "redis", feature = "postgres")),
        allow(dead_code, reason = "of the others, no server has a stand-in")
    )]
    Elsewhere(StoreError),
}

/// Connections of the kind `C` to one server, how one more is opened, and whether it is up.
pub(super) struct Pool<C> {
    circuit: Circuit,
    most: usize,
    longest_idle: Duration,
    open: Arc<Opener<C>>,
    shared: Arc<Shared<C>>,
    #[cfg(feature = "memcached")]
    is_probed: AtomicBool,
}

type Opener<C> = dyn Fn() -> Result<C, Cause> + Send + Sync;

struct Shared<C> {
    state: Mutex<State<C>>,
    /// A connection is idle, or there is room for another, or an attempt to open one has failed.
    changed: Condvar,
}

struct State<C> {
    /// The one that was used last is the last.
    idle: Vec<Kept<C>>,
    /// How many there are, idle or in use.
    open: usize,
    /// How many are being opened.
    opening: usize,
    /// The calls that wait for one.
    waiting: Queue,
    /// How many attempts to open one have failed.
    failures: usize,
    /// Why the last of them did, and when.
    failed: Option<(String, Instant)>,
}

struct Kept<C> {
    connection: C,
    opened: Instant,
    /// When it was used last; never at first.
    used: Option<Instant>,
}

impl<C: Send + 'static> Pool<C> {
    /// No connection yet; `open` makes one, and there are `most` at once. What the log calls the
    /// server is `server`. However long `open` takes, to look up a name say, nobody waits longer than
    /// [`PATIENCE`] for it.
    pub(super) fn new(
        server: impl Into<String>,
        most: usize,
        open: impl Fn() -> Result<C, Cause> + Send + Sync + 'static,
    ) -> Pool<C> {
        Pool {
            circuit: Circuit::new(server, most),
            most: most.max(1),
            longest_idle: LONGEST_IDLE,
            open: Arc::new(open),
            shared: Arc::default(),
            #[cfg(feature = "memcached")]
            is_probed: AtomicBool::new(false),
        }
    }

    /// Whether the server is known to be down.
    pub(super) fn is_down(&self) -> bool {
        self.circuit.is_open()
    }

    /// The same, for a store of one server.
    #[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
    pub(super) fn health(&self) -> Health {
        if self.is_down() { Health::Down } else { Health::Up }
    }

    /// Tries in the background whether a server that is down is back, where that is due: so that it is
    /// noticed although nobody asks for what is there, and no visitor waits for it.
    #[cfg(feature = "memcached")]
    pub(super) fn probe(self: &Arc<Self>) {
        if !self.circuit.is_probe_due() || self.is_probed.swap(true, Ordering::Relaxed) {
            return;
        }
        let probed = Arc::clone(self);
        let probe = move || {
            let _ = probed.run(|_, _| Ok(()));
            probed.is_probed.store(false, Ordering::Relaxed);
        };
        if thread::Builder::new().name("store probe".to_owned()).spawn(probe).is_err() {
            self.is_probed.store(false, Ordering::Relaxed);
        }
    }

    /// Runs `call` over some connection, and tells it how much time is left. It is called again where a
    /// connection that was kept turns out to be closed: a server, or a box between, drops those that
    /// are idle.
    pub(super) fn run<T>(
        &self,
        call: impl Fn(&mut C, Duration) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        self.circuit.run(deadline, || self.run_until(deadline, &call))
    }

    fn run_until<T>(
        &self,
        deadline: Instant,
        call: &impl Fn(&mut C, Duration) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        loop {
            let (mut kept, lease) = self.take(deadline)?;
            let now = Instant::now();
            let is_young = now.duration_since(kept.opened) < YOUNG;
            let is_new = is_young && kept.used.is_none();
            // No socket takes a limit of nothing.
            let left = deadline.saturating_duration_since(now).max(Duration::from_millis(1));
            let done = call(&mut kept.connection, left);
            match done {
                Ok(done) => {
                    lease.keep(kept);
                    return Ok(done);
                }
                Err(Failure::Refused(error)) => {
                    lease.keep(kept);
                    return Err(error);
                }
                Err(Failure::Elsewhere(error)) if is_young => {
                    lease.keep(kept);
                    return Err(error);
                }
                // The fault of this one may be that of all that were kept.
                Err(Failure::Elsewhere(_)) => lease.forget_idle(),
                Err(Failure::Closed(_)) if !is_new => lease.forget_idle(),
                Err(Failure::Closed(cause) | Failure::Broken(cause)) => {
                    lease.forget_idle();
                    return Err(StoreError::Unavailable(cause));
                }
            }
        }
    }

    /// An idle connection, or a new one, or the next that another call gives back. Where the server
    /// allows fewer than `most`, calls wait for those that there are.
    fn take(&self, deadline: Instant) -> Result<(Kept<C>, Lease<C>), StoreError> {
        let mut state = self.shared.state();
        let (came, failures) = (Instant::now(), state.failures);
        let mut now = came;
        loop {
            state.forget_stale(self.longest_idle);
            let is_turn = now > came || state.waiting.may_be_overtaken(now);
            let kept = if is_turn { state.idle.pop() } else { None };
            if let Some(kept) = kept {
                return Ok((kept, Lease { shared: Arc::clone(&self.shared), is_kept: false }));
            }
            let has_failed = state.failures > failures && state.open + state.opening == 0;
            if let Some((cause, _)) = state.failed.as_ref().filter(|_| has_failed) {
                return Err(StoreError::Unavailable(cause.as_str().into()));
            }
            if now >= deadline {
                return Err(StoreError::Unavailable("no connection in time".into()));
            }
            if state.may_open(self.most, now) {
                state.opening += 1;
                drop(state);
                self.open_one();
                state = self.shared.state();
                continue;
            }
            state.waiting.join(came);
            let woken = self.shared.changed.wait_timeout(state, deadline - now);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting.leave(came);
            now = Instant::now();
        }
    }

    /// Opens a connection in a thread of its own, which may be stuck for longer than anybody waits.
    fn open_one(&self) {
        let opening = Opening { shared: Arc::clone(&self.shared), opened: None };
        let open = Arc::clone(&self.open);
        let thread = thread::Builder::new().name("store connect".to_owned());
        // Without a thread, the closure is dropped, and the attempt has failed.
        let _ = thread.spawn(move || opening.end(open()));
    }
}

impl<C> Shared<C> {
    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and tells those who wait.
    fn change(&self, change: impl FnOnce(&mut State<C>)) {
        let mut state = self.state();
        change(&mut state);
        let is_awaited = state.waiting.len() > 0;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
    }
}

impl<C> State<C> {
    /// Forgets all where the one that was used last has been idle for too long: the others even longer.
    fn forget_stale(&mut self, longest_idle: Duration) {
        let last_used = self.idle.last().map(|kept| kept.used.unwrap_or(kept.opened));
        if last_used.is_some_and(|used| used.elapsed() >= longest_idle) {
            self.forget_idle();
        }
    }

    fn forget_idle(&mut self) {
        self.open -= self.idle.len();
        self.idle.clear();
    }

    /// Whether one more may be opened for a call that finds none idle.
    fn may_open(&self, most: usize, now: Instant) -> bool {
        let failed_lately = || {
            self.failed
                .as_ref()
                .is_some_and(|(_, failed)| now.duration_since(*failed) < OPENING_PAUSE)
        };
        self.open + self.opening < most
            && self.opening <= self.waiting.len()
            && !(self.open > 0 && failed_lately())
    }
}

impl<C> Default for Shared<C> {
    fn default() -> Shared<C> {
        let (open, opening, failures) = (0, 0, 0);
        let (idle, waiting) = (Vec::new(), Queue::default());
        let state = State { idle, open, opening, waiting, failures, failed: None };
        Shared { state: Mutex::new(state), changed: Condvar::new() }
    }
}

/// The place of a connection in use. It is free once this is dropped, by a panic too, unless the
/// connection is kept.
struct Lease<C> {
    shared: Arc<Shared<C>>,
    is_kept: bool,
}

impl<C> Lease<C> {
    fn keep(mut self, kept: Kept<C>) {
        self.is_kept = true;
        let kept = Kept { used: Some(Instant::now()), ..kept };
        self.shared.change(|state| state.idle.push(kept));
    }

    /// Frees the place, and those of all that are idle.
    fn forget_idle(self) {
        self.shared.change(State::forget_idle);
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.shared.change(|state| state.open -= 1);
        }
    }
}

/// An attempt to open a connection, which has failed unless it ends with one.
struct Opening<C> {
    shared: Arc<Shared<C>>,
    opened: Option<Result<C, Cause>>,
}

impl<C> Opening<C> {
    fn end(mut self, opened: Result<C, Cause>) {
        self.opened = Some(opened);
    }
}

impl<C> Drop for Opening<C> {
    fn drop(&mut self) {
        let opened = self.opened.take();
        let opened = opened.unwrap_or_else(|| Err("the connection attempt panicked".into()));
        self.shared.change(|state| {
            state.opening -= 1;
            match opened {
                Ok(connection) => {
                    state.open += 1;
                    state.idle.push(Kept { connection, opened: Instant::now(), used: None });
                }
                Err(cause) => {
                    state.failures += 1;
                    state.failed = Some((cause.to_string(), Instant::now()));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const MOST: usize = 4;

    /// A pool of numbers, each greater than the one before.
    fn numbered() -> Pool<usize> {
        let next = AtomicUsize::new(1);
        Pool::new("a test", MOST, move || Ok(next.fetch_add(1, Ordering::Relaxed)))
    }

    fn ok(connection: &mut usize, _: Duration) -> Result<usize, Failure> {
        Ok(*connection)
    }

    fn refused() -> StoreError {
        StoreError::Rejected("refused".into())
    }

    fn linger(millis: u64) -> Result<(), Failure> {
        thread::sleep(Duration::from_millis(millis));
        Ok(())
    }

    /// Two connections, of which the second was used last, and is the next one.
    fn with_two() -> Pool<usize> {
        let pool = numbered();
        let both = pool.run(|one, _| Ok((*one, pool.run(ok).unwrap())));
        assert_eq!(both.unwrap(), (1, 2));
        pool
    }

    #[test]
    fn a_connection_is_used_again_unless_it_broke() {
        let pool = numbered();
        assert_eq!([(); 3].map(|()| pool.run(ok).unwrap()), [1, 1, 1]);
        assert!(pool.run(|_, _| Err::<(), _>(Failure::Refused(refused()))).is_err());
        assert_eq!(pool.run(ok).unwrap(), 1);
        let broken = pool.run(|_, _| Err::<(), _>(Failure::Broken("no answer".into())));
        assert!(matches!(broken, Err(StoreError::Unavailable(_))));
        thread::sleep(Duration::from_millis(1100)); // until the next probe
        assert_eq!(pool.run(ok).unwrap(), 2);
    }

    #[test]
    fn one_that_was_closed_while_idle_is_replaced_in_silence_and_so_are_the_others() {
        let pool = with_two();
        let closed = |connection: &mut usize, _: Duration| match *connection {
            1 | 2 => Err(Failure::Closed("closed".into())),
            connection => Ok(connection),
        };
        assert_eq!(pool.run(closed).unwrap(), 3);
        let state = pool.shared.state();
        let idle = state.idle.iter().map(|kept| kept.connection);
        assert_eq!((idle.collect::<Vec<_>>(), state.open), (vec![3], 1));
    }

    #[test]
    fn one_that_was_idle_for_long_is_not_used_again() {
        let pool = Pool { longest_idle: Duration::from_millis(20), ..numbered() };
        assert_eq!([(); 2].map(|()| pool.run(ok).unwrap()), [1, 1]);
        thread::sleep(Duration::from_millis(30));
        assert_eq!(pool.run(ok).unwrap(), 2);
    }

    /// It was opened for a call that took another in the end, and closed while nobody used it.
    #[test]
    fn one_that_was_closed_before_its_first_use_is_replaced_in_silence_too() {
        let pool = numbered();
        pool.shared.change(|state| {
            let opened = Instant::now() - YOUNG;
            state.idle.push(Kept { connection: 0, opened, used: None });
            state.open += 1;
        });
        let closed = |connection: &mut usize, _: Duration| match *connection {
            0 => Err(Failure::Closed("closed".into())),
            connection => Ok(connection),
        };
        assert_eq!(pool.run(closed).unwrap(), 1);
        let stale = Pool { longest_idle: Duration::from_millis(20), ..numbered() };
        let opened = Instant::now() - YOUNG;
        stale.shared.change(|state| {
            state.idle.push(Kept { connection: 0, opened, used: None });
            state.open += 1;
        });
        assert_eq!(stale.run(ok).unwrap(), 1);
    }

    #[test]
    fn where_a_server_cannot_another_is_looked_for_once() {
        let pool = with_two();
        let elsewhere = |_: &mut usize, _: Duration| Err::<(), _>(Failure::Elsewhere(refused()));
        assert!(matches!(pool.run(elsewhere), Err(StoreError::Rejected(_))));
        assert_eq!(pool.shared.state().open, 2, "both are young");
        thread::sleep(YOUNG);
        assert!(matches!(pool.run(elsewhere), Err(StoreError::Rejected(_))));
        assert_eq!(pool.run(ok).unwrap(), 3, "it is as good as any other");
        assert!(!pool.is_down());
    }

    #[test]
    fn one_that_is_closed_at_once_is_an_error() {
        let pool = numbered();
        let closed = |_: &mut usize, _: Duration| Err::<(), _>(Failure::Closed("closed".into()));
        assert!(matches!(pool.run(closed), Err(StoreError::Unavailable(_))));
        assert_eq!(pool.shared.state().open, 0);
        assert!(pool.is_down());
    }

    #[test]
    fn a_panic_closes_its_connection_alone() {
        let pool = numbered();
        let panicking = || pool.run(|_, _| -> Result<(), Failure> { panic!("as a test") });
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking));
        assert!(panicked.is_err());
        assert_eq!((pool.run(ok).unwrap(), pool.shared.state().open), (2, 1));
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        struct Connection(Arc<AtomicUsize>);
        impl Drop for Connection {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let (counted, largest) = (Arc::clone(&open), Arc::clone(&most));
        let pool = Pool::new("a test", MOST, move || {
            largest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Ok(Connection(Arc::clone(&counted)))
        });
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        pool.run(|_, _| linger(1)).unwrap();
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= MOST);
        drop(pool);
        assert_eq!(open.load(Ordering::SeqCst), 0);
    }

    /// The server allows two connections, and every call gets one of these in turn.
    #[test]
    fn where_no_more_can_be_opened_calls_wait_for_those_that_there_are() {
        let opened = AtomicUsize::new(0);
        let pool = Pool::new("a test", 8, move || match opened.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Ok(()),
            _ => Err("too many connections".into()),
        });
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    for _ in 0..20 {
                        pool.run(|(), _| linger(2)).unwrap();
                    }
                });
            }
        });
        assert_eq!(pool.shared.state().open, 2);
        assert!(!pool.is_down());
    }

    /// An attempt that is stuck holds up nobody for whom there is another.
    #[test]
    fn a_call_takes_what_comes_first() {
        let attempts = AtomicUsize::new(0);
        let pool = Pool::new("a test", 2, move || {
            if attempts.fetch_add(1, Ordering::SeqCst) > 0 {
                thread::sleep(Duration::from_secs(30));
            }
            Ok(())
        });
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        pool.run(|(), _| linger(5)).unwrap();
                    }
                });
            }
        });
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[test]
    fn opening_takes_no_longer_than_we_wait() {
        let pool: Pool<()> = Pool::new("a test", MOST, || {
            thread::sleep(Duration::from_secs(5));
            Ok(())
        });
        let began = Instant::now();
        assert!(pool.run(|(), _| Ok(())).is_err());
        assert!(began.elapsed() < Duration::from_secs(3));
        let failing: Pool<()> = Pool::new("a test", MOST, || Err("no such host".into()));
        let error = failing.run(|(), _| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "the session store failed: no such host");
        let panicking: Pool<()> = Pool::new("a test", MOST, || panic!("as a test"));
        let error = panicking.run(|(), _| Ok(())).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
