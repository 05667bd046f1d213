//! Deletes expired records, a few at a time.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryResult, RunQueryDsl, sql_query};

use super::super::pool::Cause;
use super::super::reaper::Stopped;
use super::connection::{Opener, says};

/// No visitor waits for it, and a busy server may need longer than for a request.
const PATIENT: &str = "SET LOCAL statement_timeout = '60s'";

/// One process at a time. Held until the end of the transaction, and so through a pooler too.
const IS_ALONE: &str = "SELECT 1 WHERE pg_try_advisory_xact_lock(6734557895273406466)";

/// So many are deleted at a time.
const BATCH: usize = 1000;

/// Runs `delete`, which deletes [`BATCH`] records at most, until none is left, over a connection of its own.
pub(super) fn sweep(opener: &Opener, delete: &str, stopped: &Stopped) -> Result<(), Cause> {
    let mut connection = opener.open()?;
    while delete_some(&mut connection, delete)? == BATCH && stopped.goes_on() {}
    Ok(())
}

/// How many were deleted: none where another process is at it.
fn delete_some(connection: &mut PgConnection, delete: &str) -> QueryResult<usize> {
    connection.transaction(|connection| {
        connection.batch_execute(PATIENT)?;
        match says(connection, IS_ALONE)? {
            true => sql_query(delete).execute(connection),
            false => Ok(0),
        }
    })
}
