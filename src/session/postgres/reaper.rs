//! Deletes expired records, from a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryResult, RunQueryDsl, sql_query};
use log::warn;

use super::super::pool::Cause;
use super::connection::{Opener, says};

/// From the start to the first sweep.
const BEGINNING: Duration = Duration::from_secs(1);
/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(300);
/// Between two statements of one sweep, for the requests.
const BREATH: Duration = Duration::from_millis(20);

/// Nobody waits for it, and a busy server may need longer than for a request.
const PATIENT: &str = "SET statement_timeout = '60s'";

/// One process at a time. Held until the end of the transaction, and so through a pooler too.
const IS_ALONE: &str = "SELECT 1 WHERE pg_try_advisory_xact_lock(6734557895273406466)";

/// Few enough that the statement takes milliseconds. A record that a request holds is passed over.
const BATCH: usize = 1000;
const DELETE: &str = "DELETE FROM waxseal_sessions WHERE key = ANY (ARRAY(\
    SELECT key FROM waxseal_sessions WHERE expires <= now() \
    ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED))";

/// The thread ends once this is dropped.
pub(super) struct Reaper {
    _stop: Sender<()>,
}

impl Reaper {
    pub(super) fn start(opener: Arc<Opener>) -> io::Result<Reaper> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("store reaper".to_owned());
        thread.spawn(move || run(&opener, &stopped))?;
        Ok(Reaper { _stop: stop })
    }
}

fn run(opener: &Opener, stopped: &Receiver<()>) {
    let mut pause = BEGINNING;
    while goes_on_after(pause, stopped) {
        if let Err(error) = sweep(opener, stopped) {
            let error = error.to_string();
            warn!(error = error.as_str(); "expired sessions stay in the store for now");
        }
        pause = PAUSE;
    }
}

fn goes_on_after(pause: Duration, stopped: &Receiver<()>) -> bool {
    stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
}

/// Over a connection of its own, which is closed after it.
fn sweep(opener: &Opener, stopped: &Receiver<()>) -> Result<(), Cause> {
    let mut connection = opener.open()?;
    connection.batch_execute(PATIENT)?;
    while delete_some(&mut connection)? == BATCH && goes_on_after(BREATH, stopped) {}
    Ok(())
}

/// How many were deleted: none where another process is at it.
fn delete_some(connection: &mut PgConnection) -> QueryResult<usize> {
    connection.transaction(|connection| match says(connection, IS_ALONE)? {
        true => sql_query(DELETE).execute(connection),
        false => Ok(0),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_thread_ends_with_the_store() {
        // Nobody is there.
        let opener = Arc::new(Opener::new("postgres://127.0.0.1:1/db".to_owned()));
        let reaper = Reaper::start(Arc::clone(&opener)).unwrap();
        thread::sleep(2 * BEGINNING);
        assert_eq!(Arc::strong_count(&opener), 2, "a failure does not end it");
        let began = Instant::now();
        drop(reaper);
        while Arc::strong_count(&opener) > 1 {
            assert!(began.elapsed() < Duration::from_secs(10));
            thread::sleep(Duration::from_millis(1));
        }
    }
}
