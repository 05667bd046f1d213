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

/// Few enough that the statement takes milliseconds. A record that a request holds is passed over.
const BATCH: usize = 1000;
const DELETE: &str = "DELETE FROM \"waxseal_sessions\" WHERE key = ANY (ARRAY(\
    SELECT key FROM \"waxseal_sessions\" WHERE expires <= now() \
    ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED))";

/// Over a connection of its own, which is closed after it.
pub(super) fn sweep(opener: &Opener, stopped: &Stopped) -> Result<(), Cause> {
    let mut connection = opener.open()?;
    let delete = opener.table().sql(DELETE);
    while delete_some(&mut connection, &delete)? == BATCH && stopped.goes_on() {}
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
