//! Connections to a store's server, kept from one call to the next.

use std::error::Error;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::StoreError;

/// The longest that a call to a server may take, or the opening of a connection: less than half of
/// the two seconds in which a visitor is told of an outage.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);
/// Connections kept while nobody uses them: as many as there were at once, within reason.
const MOST_KEPT: usize = 32;
/// A connection that was idle for longer is not used again: what stands between may have forgotten it
/// without a word, and a call over it would wait in vain.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

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
}

/// Connections of the kind `C`, and how one more is opened.
pub(super) struct Pool<C> {
    /// With when each was used last, the oldest first.
    idle: Mutex<Vec<(C, Instant)>>,
    longest_idle: Duration,
    open: Arc<Opener<C>>,
}

type Opener<C> = dyn Fn() -> Result<C, Cause> + Send + Sync;

impl<C: Send + 'static> Pool<C> {
    /// No connection yet; `open` makes one. However long it takes, to look up a name say, nobody
    /// waits longer than [`PATIENCE`] for it.
    pub(super) fn new(open: impl Fn() -> Result<C, Cause> + Send + Sync + 'static) -> Pool<C> {
        Pool { idle: Mutex::default(), longest_idle: LONGEST_IDLE, open: Arc::new(open) }
    }

    /// What `call` gives over some connection. It is called again where a connection that was kept
    /// turns out to be closed: a server, or a box between, drops those that are idle.
    pub(super) fn run<T>(
        &self,
        call: impl Fn(&mut C) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        if let Some(mut kept) = self.kept() {
            match call(&mut kept) {
                // The others were idle for longer.
                Err(Failure::Closed(_)) => self.idle().clear(),
                done => return self.finish(kept, done),
            }
        }
        let mut fresh = self.open()?;
        let done = call(&mut fresh);
        self.finish(fresh, done)
    }

    fn kept(&self) -> Option<C> {
        let mut idle = self.idle();
        match idle.pop() {
            Some((kept, used)) if used.elapsed() < self.longest_idle => Some(kept),
            _ => {
                idle.clear();
                None
            }
        }
    }

    fn finish<T>(&self, connection: C, done: Result<T, Failure>) -> Result<T, StoreError> {
        match done {
            Err(Failure::Closed(cause) | Failure::Broken(cause)) => {
                // What broke this one may have broken all.
                self.idle().clear();
                Err(StoreError::Unavailable(cause))
            }
            Err(Failure::Refused(error)) => {
                self.keep(connection);
                Err(error)
            }
            Ok(done) => {
                self.keep(connection);
                Ok(done)
            }
        }
    }

    fn keep(&self, connection: C) {
        let mut idle = self.idle();
        if idle.len() < MOST_KEPT {
            idle.push((connection, Instant::now()));
        }
    }

    /// A connection that is opened in a thread of its own, which may be stuck for longer than we wait.
    fn open(&self) -> Result<C, StoreError> {
        let (sender, receiver) = sync_channel(1);
        let open = Arc::clone(&self.open);
        let opening = move || {
            // Where nobody waits any more, the connection is closed again.
            let _ = sender.send(open());
        };
        let thread = thread::Builder::new().name("store connect".to_owned());
        thread.spawn(opening).map_err(|error| StoreError::Unavailable(error.into()))?;
        let opened = receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Timeout => "no connection in time".into(),
                RecvTimeoutError::Disconnected => "the connection attempt panicked".into(),
            })
        });
        opened.map_err(StoreError::Unavailable)
    }

    /// No code panics while it holds the lock.
    fn idle(&self) -> MutexGuard<'_, Vec<(C, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A pool of numbers, each greater than the one before.
    fn numbered() -> Pool<usize> {
        let next = AtomicUsize::new(1);
        Pool::new(move || Ok(next.fetch_add(1, Ordering::Relaxed)))
    }

    fn ok(connection: &mut usize) -> Result<usize, Failure> {
        Ok(*connection)
    }

    #[test]
    fn a_connection_is_used_again_unless_it_broke() {
        let pool = numbered();
        assert_eq!([(); 3].map(|()| pool.run(ok).unwrap()), [1, 1, 1]);
        let refused = pool
            .run(|_| Err::<(), _>(Failure::Refused(StoreError::TooLarge { size: 2, limit: 1 })));
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
        assert_eq!(pool.run(ok).unwrap(), 1);
        let broken = pool.run(|_| Err::<(), _>(Failure::Broken("no answer".into())));
        assert!(matches!(broken, Err(StoreError::Unavailable(_))));
        assert_eq!(pool.run(ok).unwrap(), 2);
    }

    #[test]
    fn one_that_was_closed_while_idle_is_replaced_in_silence_and_so_are_the_others() {
        let pool = numbered();
        let first_two = pool.run(|first| Ok((*first, pool.run(ok).unwrap())));
        assert_eq!(first_two.unwrap(), (1, 2));
        let closed = |connection: &mut usize| match *connection {
            1 | 2 => Err(Failure::Closed("closed".into())),
            connection => Ok(connection),
        };
        assert_eq!(pool.run(closed).unwrap(), 3);
        assert_eq!(pool.idle().iter().map(|(kept, _)| *kept).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn one_that_was_idle_for_long_is_not_used_again() {
        let pool = Pool { longest_idle: Duration::from_millis(20), ..numbered() };
        assert_eq!([(); 2].map(|()| pool.run(ok).unwrap()), [1, 1]);
        thread::sleep(Duration::from_millis(30));
        assert_eq!(pool.run(ok).unwrap(), 2);
    }

    #[test]
    fn where_one_breaks_the_others_are_not_used_again() {
        let pool = numbered();
        let first_two = pool.run(|first| Ok((*first, pool.run(ok).unwrap())));
        assert_eq!(first_two.unwrap(), (1, 2));
        assert!(pool.run(|_| Err::<(), _>(Failure::Broken("no answer".into()))).is_err());
        assert_eq!(pool.run(ok).unwrap(), 3);
    }

    #[test]
    fn one_that_is_closed_at_once_is_an_error() {
        let pool = numbered();
        let closed = |_: &mut usize| Err::<(), _>(Failure::Closed("closed".into()));
        assert!(pool.run(closed).is_err());
        assert_eq!(pool.run(ok).unwrap(), 2);
        assert!(pool.run(closed).is_err(), "the second attempt fails too");
        assert_eq!(pool.run(ok).unwrap(), 4);
    }

    #[test]
    fn opening_takes_no_longer_than_we_wait() {
        let pool: Pool<()> = Pool::new(|| {
            thread::sleep(Duration::from_secs(5));
            Ok(())
        });
        let began = Instant::now();
        assert!(pool.run(|()| Ok(())).is_err());
        assert!(began.elapsed() < Duration::from_secs(3));
        let failing: Pool<()> = Pool::new(|| Err("no such host".into()));
        let error = failing.run(|()| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "the session store failed: no such host");
    }
}
