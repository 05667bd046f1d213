//! Deletes expired records, from a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use log::warn;

use super::pool::Cause;

/// From the start to the first sweep.
const BEGINNING: Duration = Duration::from_secs(1);
/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(300);
/// Between two statements of one sweep, for the requests.
const BREATH: Duration = Duration::from_millis(20);

/// The thread ends once this is dropped.
pub(super) struct Reaper {
    _stop: Sender<()>,
}

/// Tells a sweep whether to go on.
pub(super) struct Stopped(Receiver<()>);

impl Reaper {
    /// Calls `sweep` every few minutes. It deletes some expired records at a time, and asks in between
    /// [whether to go on](Stopped::goes_on).
    pub(super) fn start(
        sweep: impl Fn(&Stopped) -> Result<(), Cause> + Send + 'static,
    ) -> io::Result<Reaper> {
        let (stop, stopped) = channel();
        let stopped = Stopped(stopped);
        let thread = thread::Builder::new().name("store reaper".to_owned());
        thread.spawn(move || {
            let mut pause = BEGINNING;
            while stopped.goes_on_after(pause) {
                if let Err(error) = sweep(&stopped) {
                    let error = error.to_string();
                    warn!(error = error.as_str(); "expired sessions stay in the store for now");
                }
                pause = PAUSE;
            }
        })?;
        Ok(Reaper { _stop: stop })
    }
}

impl Stopped {
    /// Whether to go on, after a moment for the requests.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on_after(BREATH)
    }

    fn goes_on_after(&self, pause: Duration) -> bool {
        self.0.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_thread_ends_with_the_store_and_not_with_a_failure() {
        let sweeps = Arc::new(());
        let counted = Arc::clone(&sweeps);
        let reaper = Reaper::start(move |_| {
            let _ = &counted;
            Err("as a test".into())
        });
        let reaper = reaper.unwrap();
        thread::sleep(2 * BEGINNING);
        assert_eq!(Arc::strong_count(&sweeps), 2, "a failure does not end it");
        let began = Instant::now();
        drop(reaper);
        while Arc::strong_count(&sweeps) > 1 {
            assert!(began.elapsed() < Duration::from_secs(10));
            thread::sleep(Duration::from_millis(1));
        }
    }
}
