//! A connection as the store needs it, and the table that it is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{Connection, PgConnection, QueryResult, RunQueryDsl, sql_query};
use log::warn;

use super::super::pool::{Cause, Failure, Pool};
use super::super::remote::Remote;
use super::super::store::StoreError;
use super::address::Address;
use super::statement::{Row, Statement, Value};
use super::table::Table;

/// Several processes may find the table missing at once, and CREATE TABLE IF NOT EXISTS fails where
/// another one is being made: one makes it, the others wait a moment. To index a table that is large
/// takes long.
const ALONE: &str = "SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = 0; \
    SELECT pg_advisory_xact_lock(6734557895273406465);";

const IS_UTF8: &str = "SELECT 1 WHERE current_setting('server_encoding') = 'UTF8'";

/// How poolers say that they take no options for a connection that they lend to many: PgBouncer, and
/// those of cloud providers.
const NO_OPTIONS: [&str; 2] = ["startup parameter", "command-line options"];

/// After so long, an error is that the server, or a lock in it, took too long.
const SLOW: Duration = Duration::from_millis(1300);

/// How connections are opened.
pub(super) struct Opener {
    address: Address,
    table: Table,
    /// Somebody saw to it that the table is there.
    is_ready: AtomicBool,
    /// A pooler has refused the options.
    is_pooled: AtomicBool,
    /// How many threads have a connection, those too that nobody waits for.
    threads: Arc<AtomicUsize>,
    most_threads: usize,
}

/// A connection that is counted as long as it lives.
pub(super) struct Counted {
    pub(super) connection: PgConnection,
    threads: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Opener {
    /// For `connections` at once. As many again may be stuck.
    pub(super) fn new(address: Address, table: Table, connections: usize) -> Opener {
        let [is_ready, is_pooled] = [const { AtomicBool::new(false) }; 2];
        let (threads, most_threads) = (Arc::default(), 2 * connections.max(1));
        Opener { address, table, is_ready, is_pooled, threads, most_threads }
    }

    /// A connection. The first one makes the table, where it is missing.
    pub(super) fn open(&self) -> Result<PgConnection, Cause> {
        let mut connection = self.connect()?;
        // No statement has a name: a pooler lends each another of the server's connections.
        connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        if !self.is_ready.load(Ordering::Relaxed) {
            self.prepare_database(&mut connection)?;
            if let Some(sql) = self.table.on_start() {
                connection.batch_execute(&sql)?;
            }
            self.is_ready.store(true, Ordering::Relaxed);
        }
        Ok(connection)
    }

    /// A connection on a thread of its own.
    pub(super) fn open_remote(&self) -> Result<Remote<Counted>, Cause> {
        // Over a pooler, nothing ends a statement that waits for a lock.
        if self.threads.load(Ordering::Relaxed) >= self.most_threads {
            return Err("earlier statements are under way still".into());
        }
        let connection = self.open()?;
        let threads = Arc::clone(&self.threads);
        threads.fetch_add(1, Ordering::Relaxed);
        Ok(Remote::new(Counted { connection, threads })?)
    }

    /// With the options in the address where they are taken: nothing is set in a connection later on,
    /// which a pooler would lend to others as it is.
    fn connect(&self) -> Result<PgConnection, Cause> {
        if !self.is_pooled.load(Ordering::Relaxed) {
            match PgConnection::establish(&self.address.with_options) {
                Ok(connection) => return Ok(connection),
                Err(error) if !is_of_pooler(&error.to_string()) => return Err(error.into()),
                Err(_) => self.is_pooled.store(true, Ordering::Relaxed),
            }
        }
        Ok(PgConnection::establish(&self.address.plain)?)
    }

    /// Runs `call`; once more where it failed because the table was dropped, or the database was made
    /// anew, and the table could be made again.
    pub(super) fn run<T>(
        &self,
        connection: &mut PgConnection,
        call: impl Fn(&mut PgConnection) -> QueryResult<T>,
    ) -> QueryResult<T> {
        let error = match call(connection) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        // The error does not tell in a way that can be read in every language.
        let has_table = says(connection, &self.table.is_there());
        if !matches!(has_table, Ok(false)) || self.prepare_database(connection).is_err() {
            return Err(error);
        }
        warn!(table = self.table.name(); "a table was gone, and is made again");
        call(connection)
    }

    fn prepare_database(&self, connection: &mut PgConnection) -> Result<(), Cause> {
        if !says(connection, IS_UTF8)? {
            return Err(
                "the database must have the encoding UTF8, or it could not keep all text".into()
            );
        }
        if says(connection, &self.table.is_whole())? {
            return Ok(());
        }
        let created = connection.transaction(|connection| {
            connection.batch_execute(ALONE)?;
            connection.batch_execute(&self.table.schema())
        });
        let Err(error) = created else { return Ok(()) };
        if !says(connection, &self.table.is_there())? {
            let remedy = "let somebody who may create it run the SQL of PostgresStore::SCHEMA, or of \
                PostgresRevocations::SCHEMA";
            let name = self.table.name();
            return Err(format!("the table {name} is missing: {error}; {remedy}").into());
        }
        let (table, error) = (self.table.name(), error.to_string());
        warn!(table, error = error.as_str(); "a table lacks an index: it will be slow");
        Ok(())
    }
}

fn is_of_pooler(error: &str) -> bool {
    NO_OPTIONS.iter().any(|text| error.contains(text))
}

/// Whether the query finds a row.
pub(super) fn says(connection: &mut PgConnection, query: &str) -> QueryResult<bool> {
    Ok(sql_query(query).execute(connection)? > 0)
}

/// Runs statements over the connections of a pool.
pub(super) struct Statements<'p> {
    pub(super) pool: &'p Pool<Remote<Counted>>,
    pub(super) opener: &'p Arc<Opener>,
}

impl Statements<'_> {
    /// The rows that a statement finds.
    pub(super) fn rows(&self, sql: &Arc<str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.run(sql, values, |statement, connection| statement.load(connection))
    }

    /// How many rows a statement wrote.
    pub(super) fn execute(&self, sql: &Arc<str>, values: Vec<Value>) -> Result<usize, StoreError> {
        self.run(sql, values, |statement, connection| statement.execute(connection))
    }

    fn run<T: Send + 'static>(
        &self,
        sql: &Arc<str>,
        values: Vec<Value>,
        call: fn(&Statement, &mut PgConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        let statement = Arc::new(Statement { sql: Arc::clone(sql), values });
        self.pool.run(|remote, patience| {
            let (statement, opener) = (Arc::clone(&statement), Arc::clone(self.opener));
            let began = Instant::now();
            let done = remote.call(patience, move |counted| {
                opener.run(&mut counted.connection, |connection| call(&statement, connection))
            })?;
            done.map_err(|error| failure(error, began.elapsed()))
        })
    }
}

/// The meaning, for the call and the connection, of an error that came after so long.
fn failure(error: DieselError, after: Duration) -> Failure {
    use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
    let cause: Cause = error.to_string().into();
    match error {
        DieselError::DatabaseError(ClosedConnection | UnableToSendCommand, _) => {
            Failure::Closed(cause)
        }
        // No primary any more: another connection may lead to the one that is.
        DieselError::DatabaseError(ReadOnlyTransaction, _) => {
            Failure::Elsewhere(StoreError::Rejected(cause))
        }
        // Diesel does not tell the code of the error, and its text may be in any language.
        _ if after >= SLOW => Failure::Refused(StoreError::Unavailable(cause)),
        _ => Failure::Refused(StoreError::Rejected(cause)),
    }
}
