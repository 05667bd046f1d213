//! Sessions in PostgreSQL, over the system's libpq.

mod address;
mod connection;
mod reaper;
mod statement;
mod text;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use diesel::pg::data_types::PgTimestamp;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{PgConnection, QueryResult, RunQueryDsl};

use self::connection::Opener;
use self::reaper::Reaper;
use self::statement::{Row, Statement, Value};
use self::text::{escape, unescape};
use super::pool::{Cause, Failure, Pool};
use super::remote::Remote;
use super::store::{Change, Committed, Key, ParseKeyError, Store, StoreError, Values};
use super::user_index::UserIndex;

const FIND: &str = "SELECT encode(key, 'hex'), names, texts FROM waxseal_sessions, LATERAL (\
        SELECT coalesce(array_agg(name), '{}') AS names, coalesce(array_agg(text), '{}') AS texts \
        FROM jsonb_each_text(values) AS pair (name, text)) AS pairs \
    WHERE key = $ AND expires > now()";

const PUT: &str = "INSERT INTO waxseal_sessions (values, expires, key) \
    VALUES (jsonb_object($, $), $, $) \
    ON CONFLICT (key) DO UPDATE SET values = excluded.values, expires = excluded.expires";

const UPDATE: &str = "UPDATE waxseal_sessions \
    SET values = (values - $) || jsonb_object($, $), expires = $ \
    WHERE key = $ AND expires > now()";

const DELETE: &str = "DELETE FROM waxseal_sessions WHERE key = $";

/// Of the values, those asked for alone leave the server.
const FIND_BY_USER: &str = "SELECT encode(key, 'hex'), names, texts FROM (\
        SELECT key, values, expires FROM waxseal_sessions \
        WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
            AND values->>'username' = $ AND expires > now() \
        ORDER BY expires DESC LIMIT $) AS living, LATERAL (\
        SELECT coalesce(array_agg(name), '{}') AS names, \
            coalesce(array_agg(values->>name), '{}') AS texts \
        FROM unnest($) AS name WHERE values->>name IS NOT NULL) AS pairs \
    ORDER BY expires DESC";

/// Some at a time, so that however many there are, no statement takes too long.
const DELETE_BY_USER: &str = "DELETE FROM waxseal_sessions WHERE key = ANY (ARRAY(\
    SELECT key FROM waxseal_sessions \
    WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
        AND values->>'username' = $ LIMIT 5000))";
const DELETED_AT_ONCE: usize = 5000;

/// After so long, an error is that the server, or a lock in it, took too long.
const SLOW: Duration = Duration::from_millis(750);

/// From 1970 to 2000, from which PostgreSQL counts.
const EPOCH: Duration = Duration::from_secs(946_684_800);
/// The last time that we send, in microseconds: in the year 287,000.
const LATEST: i64 = 9_000_000_000_000_000_000;

/// A [`Store`] in PostgreSQL 10 or later, over libpq 12 or later.
///
/// One row is one session, in one table, which the first connection creates where it is missing
/// ([`PostgresStore::SCHEMA`]). To load a session is one statement and one round trip, to save it is
/// another. A commit sends what changed, and the server merges it; nothing is read back and written.
///
/// Expired sessions are deleted every five minutes, by one process at a time, in a thread that ends
/// when the store is dropped. Until then nobody sees them.
///
/// A commit of more than 16 MiB is [`StoreError::TooLarge`]. All [`Sessions`](super::Sessions) of one
/// table share its index: a user's name means the same user in all of them. Others take another
/// schema.
///
/// Where the server does not answer, a call fails within two seconds, though libpq would wait. Put a
/// [`Breaker`](super::Breaker) around it, so that an outage does not hold up all who ask.
///
/// ```no_run
/// use waxseal::seal::Keyring;
/// use waxseal::session::{Breaker, PostgresStore, Sessions};
///
/// let store = PostgresStore::open("postgres://user:password@host/database?sslmode=require")?;
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::stored(keyring, Breaker::new(store, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Through PgBouncer
///
/// Session pooling works as a direct connection does. Transaction pooling needs PgBouncer 1.21 or
/// later, with `max_prepared_statements` above 0, and a database or a user of Waxseal's own in it:
/// each connection has `statement_timeout` set once, which others in the same pool would inherit.
/// Statement pooling does not work.
pub struct PostgresStore {
    pool: Pool<Remote<PgConnection>>,
    _reaper: Reaper,
}

impl PostgresStore {
    /// The table and its indexes, for a database where Waxseal may not create them:
    ///
    /// ```sql
    #[doc = include_str!("postgres/schema.sql")]
    /// ```
    ///
    /// The role of the store then needs SELECT, INSERT, UPDATE and DELETE on the table. Where
    /// several programs share a database, each can have the table in a schema of its own: what
    /// comes first in the role's `search_path` is used.
    pub const SCHEMA: &str = include_str!("postgres/schema.sql");

    /// The store at `url`, as libpq writes it: `postgres://user:password@host:port/database`, with
    /// `?sslmode=require` and the like after it. What it does not say, libpq takes from its usual
    /// places, `PGPASSFILE` for one. Nothing is connected yet: a server that is down is an error of
    /// the calls. Of several hosts, a first one that is silent, rather than refuses, takes all the
    /// time that there is for a call.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) where `url` is not such an address, without
    /// anything of what it holds; any other where no thread could be started.
    pub fn open(url: &str) -> io::Result<PostgresStore> {
        let address = address::complete(url).map_err(|fault| {
            let error = format!("not an address postgres://user:password@host/database: {fault}");
            io::Error::new(io::ErrorKind::InvalidInput, error)
        })?;
        let opener = Arc::new(Opener::new(address));
        let _reaper = Reaper::start(Arc::clone(&opener))?;
        let open = move || Ok(Remote::new(opener.open()?)?);
        Ok(PostgresStore { pool: Pool::new(open), _reaper })
    }

    /// The rows that a statement finds.
    fn rows(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.run(sql, values, |statement, connection| statement.load(connection))
    }

    /// How many rows a statement wrote.
    fn execute(&self, sql: &'static str, values: Vec<Value>) -> Result<usize, StoreError> {
        self.run(sql, values, |statement, connection| statement.execute(connection))
    }

    fn run<T: Send + 'static>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        call: fn(&Statement, &mut PgConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        let statement = Arc::new(Statement { sql, values });
        self.pool.run(|remote| {
            let statement = Arc::clone(&statement);
            let began = Instant::now();
            let done = remote.call(move |connection| call(&statement, connection))?;
            done.map_err(|error| failure(error, began.elapsed()))
        })
    }
}

impl Store for PostgresStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let mut rows = self.rows(FIND, vec![bytes(key)])?;
        Ok(rows.pop().map(|(_, names, texts)| values(names, texts)))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        expires: SystemTime,
    ) -> Result<Committed, StoreError> {
        change.check_size()?;
        let (record, expires) = (bytes(key), Value::Time(timestamp(expires)));
        let written = match change {
            Change::New(values) => {
                let (names, values) = pairs(values);
                self.execute(PUT, vec![names, values, expires, record])?
            }
            Change::Update(changes) => {
                let removed = changes.iter().filter(|(_, value)| value.is_none());
                let removed = texts(removed.map(|(name, _)| name));
                let set = changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
                let (names, values) = pairs(set);
                self.execute(UPDATE, vec![removed, names, values, expires, record])?
            }
        };
        Ok(if written == 0 { Committed::Gone } else { Committed::Done })
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.execute(DELETE, vec![bytes(key)]).map(drop)
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        Some(self)
    }
}

impl UserIndex for PostgresStore {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        let limit = Value::Number(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.rows(FIND_BY_USER, vec![text(user), text(user), limit, texts(names)])?;
        let record = |(key, names, texts): Row| key.parse().map(|key| (key, values(names, texts)));
        let found: Result<_, ParseKeyError> = rows.into_iter().map(record).collect();
        found.map_err(|error| StoreError::Rejected(error.into()))
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        while self.execute(DELETE_BY_USER, vec![text(user), text(user)])? == DELETED_AT_ONCE {}
        Ok(())
    }
}

impl fmt::Debug for PostgresStore {
    /// Nothing of the address, which holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

/// What an error that came after so long means for the call and the connection.
fn failure(error: DieselError, after: Duration) -> Failure {
    use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
    let cause: Cause = error.to_string().into();
    match error {
        DieselError::DatabaseError(ClosedConnection | UnableToSendCommand, _) => {
            Failure::Closed(cause)
        }
        // No primary any more: another connection may lead to the one that is.
        DieselError::DatabaseError(ReadOnlyTransaction, _) => Failure::Closed(cause),
        // Diesel does not tell the code of the error, and its text may be in any language.
        _ if after >= SLOW => Failure::Refused(StoreError::Unavailable(cause)),
        _ => Failure::Refused(StoreError::Rejected(cause)),
    }
}

fn bytes(key: &Key) -> Value {
    Value::Bytes(*key.as_bytes())
}

fn text(text: &str) -> Value {
    Value::Text(escape(text).into_owned())
}

fn texts(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
    Value::Texts(texts.into_iter().map(|text| escape(text.as_ref()).into_owned()).collect())
}

/// The names, and the values in the same order.
fn pairs<'v>(pairs: impl IntoIterator<Item = (&'v String, &'v String)>) -> (Value, Value) {
    let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    (texts(names), texts(values))
}

fn values(names: Vec<String>, texts: Vec<String>) -> Values {
    names.into_iter().map(unescape).zip(texts.into_iter().map(unescape)).collect()
}

/// A time before the year 2000 is over as well.
fn timestamp(time: SystemTime) -> PgTimestamp {
    let since = time.duration_since(UNIX_EPOCH + EPOCH).unwrap_or_default();
    PgTimestamp(i64::try_from(since.as_micros()).unwrap_or(LATEST).min(LATEST))
}
