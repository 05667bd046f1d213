//! A connection as the store needs it, and the table that it is for.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryResult, RunQueryDsl, sql_query};
use log::warn;

use super::super::pool::Cause;
use super::PostgresStore;

/// A statement that takes longer is given up by the server too, so that nothing piles up there. A
/// little less than we wait for it. The isolation is the one that an update counts on.
const SETTINGS: &str = "SET statement_timeout = '800ms'; \
    SET default_transaction_isolation = 'read committed'";

/// Several processes may find the table missing at once, and CREATE TABLE IF NOT EXISTS fails where
/// another one is being made: one makes it, the others wait a moment.
const ALONE: &str = "SET LOCAL lock_timeout = '500ms'; \
    SELECT pg_advisory_xact_lock(6734557895273406465);";

/// Whether libpq's lookups find all that [`PostgresStore::SCHEMA`] makes.
const IS_WHOLE: &str = "SELECT 1 WHERE to_regclass('waxseal_sessions') IS NOT NULL \
    AND to_regclass('waxseal_sessions_username') IS NOT NULL \
    AND to_regclass('waxseal_sessions_expires') IS NOT NULL";
const HAS_TABLE: &str = "SELECT 1 WHERE to_regclass('waxseal_sessions') IS NOT NULL";
const IS_UTF8: &str = "SELECT 1 WHERE current_setting('server_encoding') = 'UTF8'";

/// How connections are opened.
pub(super) struct Opener {
    address: String,
    /// Somebody saw to it that the table is there.
    is_ready: AtomicBool,
}

impl Opener {
    pub(super) fn new(address: String) -> Opener {
        Opener { address, is_ready: AtomicBool::new(false) }
    }

    /// A connection. The first one makes the table, where it is missing.
    pub(super) fn open(&self) -> Result<PgConnection, Cause> {
        let mut connection = PgConnection::establish(&self.address)?;
        if !self.is_ready.load(Ordering::Relaxed) {
            prepare_database(&mut connection)?;
            self.is_ready.store(true, Ordering::Relaxed);
        }
        // After the table: to index one that is large may take long.
        connection.batch_execute(SETTINGS)?;
        Ok(connection)
    }
}

fn prepare_database(connection: &mut PgConnection) -> Result<(), Cause> {
    if !says(connection, IS_UTF8)? {
        return Err(
            "the database must have the encoding UTF8, or it could not keep all text".into()
        );
    }
    if says(connection, IS_WHOLE)? {
        return Ok(());
    }
    let created = connection.transaction(|connection| {
        connection.batch_execute(ALONE)?;
        connection.batch_execute(PostgresStore::SCHEMA)
    });
    let Err(error) = created else { return Ok(()) };
    if !says(connection, HAS_TABLE)? {
        let remedy = "let somebody who may create it run the SQL of PostgresStore::SCHEMA";
        return Err(format!("the table waxseal_sessions is missing: {error}; {remedy}").into());
    }
    let error = error.to_string();
    warn!(error = error.as_str(); "the table waxseal_sessions lacks an index: it will be slow");
    Ok(())
}

/// Whether the query finds a row.
pub(super) fn says(connection: &mut PgConnection, query: &str) -> QueryResult<bool> {
    Ok(sql_query(query).execute(connection)? > 0)
}
