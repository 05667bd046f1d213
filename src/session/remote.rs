//! A connection on a thread of its own, for a library whose calls may never return.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::pool::Failure;

/// A connection of the kind `C`, used by its own thread alone. A call waits for no longer than it
/// says; the thread may be stuck for longer. Once this is dropped it ends, with the connection, as
/// soon as the call under way returns.
pub(super) struct Remote<C> {
    tasks: Sender<Task<C>>,
}

type Task<C> = Box<dyn FnOnce(&mut C) + Send>;

impl<C: Send + 'static> Remote<C> {
    /// Gives `connection` to a new thread.
    pub(super) fn new(mut connection: C) -> io::Result<Remote<C>> {
        let (tasks, received) = channel::<Task<C>>();
        let run = move || received.into_iter().for_each(|task| task(&mut connection));
        thread::Builder::new().name("store remote".to_owned()).spawn(run)?;
        Ok(Remote { tasks })
    }

    /// Runs `task`, and waits for it for this time.
    pub(super) fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        task: impl FnOnce(&mut C) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, receiver) = sync_channel(1);
        let task = move |connection: &mut C| {
            // If nobody waits any more, the answer is for nobody.
            let _ = sender.send(task(connection));
        };
        // Where the thread is no more, nothing comes back either.
        let _ = self.tasks.send(Box::new(task));
        receiver.recv_timeout(patience).map_err(|error| {
            Failure::Broken(match error {
                RecvTimeoutError::Timeout => "no answer in time".into(),
                RecvTimeoutError::Disconnected => "the connection's thread panicked".into(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::SyncSender;
    use std::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    /// Tells when it is dropped.
    struct Connection {
        calls: usize,
        ended: SyncSender<()>,
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            let _ = self.ended.send(());
        }
    }

    #[test]
    fn calls_run_one_after_the_other_on_one_thread() {
        let (ended, is_ended) = sync_channel(1);
        let remote = Remote::new(Connection { calls: 0, ended }).unwrap();
        let call = || {
            remote.call(PATIENCE, |connection| {
                connection.calls += 1;
                (connection.calls, thread::current().id())
            })
        };
        let (first, second) = (call().unwrap(), call().unwrap());
        assert_eq!((first.0, second.0), (1, 2));
        assert_eq!(first.1, second.1);
        assert_ne!(first.1, thread::current().id());
        drop(remote);
        is_ended.recv_timeout(Duration::from_secs(10)).expect("the connection ends with it");
    }

    #[test]
    fn a_stuck_call_holds_up_nobody_and_ends_its_thread_when_it_returns() {
        let (ended, is_ended) = sync_channel(1);
        let (release, released) = channel::<()>();
        let remote = Remote::new(Connection { calls: 0, ended }).unwrap();
        let began = Instant::now();
        let stuck = remote.call(PATIENCE, move |_| released.recv());
        assert!(matches!(stuck, Err(Failure::Broken(_))));
        assert!(began.elapsed() < PATIENCE + Duration::from_secs(2));
        drop(remote);
        assert!(is_ended.try_recv().is_err(), "it is still stuck");
        drop(release);
        is_ended.recv_timeout(Duration::from_secs(10)).expect("its thread ends");
    }

    #[test]
    fn a_panic_is_a_broken_connection() {
        let (ended, _is_ended) = sync_channel(1);
        let remote = Remote::new(Connection { calls: 0, ended }).unwrap();
        for _ in 0..2 {
            let panicked = remote.call(PATIENCE, |_| panic!("as a test"));
            assert!(matches!(panicked, Err::<(), _>(Failure::Broken(_))));
        }
    }
}
