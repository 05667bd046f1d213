//! Sessions in PostgreSQL, over the system's libpq.

mod address;
mod connection;
mod listing;
mod revocations;
mod statement;
mod sweep;
mod table;
mod text;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::connection::{Counted, Opener, Statements};
pub use self::revocations::PostgresRevocations;
use self::statement::{Row, Value};
use self::table::{SESSIONS, Table};
use self::text::{escape, values_of};
use super::clock::milliseconds;
use super::pool::Pool;
use super::reaper::Reaper;
use super::remote::Remote;
use super::store::{Change, CommitOutcome, Key, Store, StoreError, Values, delete_damaged};
use super::user_index::{USERNAME, UserIndex};
use super::{Health, Listing, StoreSettings};

/// The values are taken apart here: what the server has to plan for each call is so as little as can be.
const FIND: &str = "SELECT encode(key, 'hex'), values::text FROM \"waxseal_sessions\" \
    WHERE key = $ AND expires > now()";

const PUT: &str = "INSERT INTO \"waxseal_sessions\" (values, expires, key) \
    VALUES (jsonb_object($, $), now() + $ * interval '1 millisecond', $) \
    ON CONFLICT (key) DO UPDATE SET values = excluded.values, expires = excluded.expires";

const UPDATE: &str = "UPDATE \"waxseal_sessions\" \
    SET values = (values - $) || jsonb_object($, $), expires = now() + $ * interval '1 millisecond' \
    WHERE key = $ AND expires > now() AND jsonb_typeof(values) = 'object'";

const DELETE: &str = "DELETE FROM \"waxseal_sessions\" WHERE key = $";

/// Of the values, those asked for alone leave the server.
const FIND_BY_USER: &str = "SELECT encode(key, 'hex'), (\
        SELECT coalesce(jsonb_object_agg(name, values->name), '{}') \
        FROM unnest($) AS name WHERE values ? name)::text \
    FROM \"waxseal_sessions\" \
    WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
        AND values->>'username' = $ AND values ? '_auth' AND expires > now() \
    ORDER BY expires DESC LIMIT $";

/// Some at a time, so that however many there are, no statement takes too long.
const DELETE_BY_USER: &str = "DELETE FROM \"waxseal_sessions\" WHERE key = ANY (ARRAY(\
    SELECT key FROM \"waxseal_sessions\" \
    WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
        AND values->>'username' = $ AND values ? '_auth' LIMIT 5000))";
const DELETED_AT_ONCE: usize = 5000;

/// Leaves a user, beside the record of this key, the so many that were seen last. Those that another
/// process is deleting are left to it.
const LIMIT_USER: &str = "DELETE FROM \"waxseal_sessions\" WHERE key = ANY (ARRAY(\
    SELECT key FROM \"waxseal_sessions\" WHERE key = ANY (ARRAY(\
        SELECT key FROM \"waxseal_sessions\" \
        WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
            AND values->>'username' = $ AND values ? '_auth' AND expires > now() AND key <> $ \
        ORDER BY CASE WHEN values->>'_seen' ~ '^[0-9]{1,18}\\Z' THEN (values->>'_seen')::bigint \
            ELSE 0 END DESC, expires DESC \
        OFFSET $)) FOR UPDATE SKIP LOCKED))";

/// Few enough that the statement takes milliseconds. A record that a request holds is passed over.
const SWEEP: &str = "DELETE FROM \"waxseal_sessions\" WHERE key = ANY (ARRAY(\
    SELECT key FROM \"waxseal_sessions\" WHERE expires <= now() \
    ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED))";

/// A [`Store`] in PostgreSQL 10 or later, over libpq 12 or later.
///
/// One row is one session, in one table, which is created where it is missing
/// ([`PostgresStore::SCHEMA`]); before its name and those of its indexes stands what
/// [`StoreSettings::prefix`] says. To load a session is one statement and one round trip, to save it is
/// another. A commit sends what changed, and the server merges it; nothing is read back and written.
///
/// Expired sessions are deleted every five minutes, by one process at a time, in a thread that ends
/// when the store is dropped, over a connection of its own. Until then nobody sees them.
///
/// A commit of more than 16 MiB is [`StoreError::TooLarge`]. All [`Sessions`](super::Sessions) of one
/// table share its index: a user's name means the same user in all of them. Others take another
/// prefix.
///
/// A call fails within two seconds where the server does not answer, though libpq would wait.
///
/// ```no_run
/// use waxseal::seal::Keyring;
/// use waxseal::session::{PostgresStore, Sessions};
///
/// let store = PostgresStore::open("postgres://user:password@host/database?sslmode=require")?;
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::stored(keyring, store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Through PgBouncer
///
/// Session pooling and transaction pooling work, with any version: no statement has a name, and nothing
/// is set in a connection. (Statement pooling does not: to make the table is a transaction.) A direct
/// connection tells the server, in its startup packet, to end a statement that takes longer than a
/// visitor waits, and to isolate transactions as updates need it; a pooler takes no such options.
/// There it is up to the role to say the first, if at all
/// (`ALTER ROLE … SET statement_timeout = '1500ms'`), and the second must be PostgreSQL's default,
/// `read committed`.
pub struct PostgresStore {
    pool: Pool<Remote<Counted>>,
    opener: Arc<Opener>,
    sessions_per_user: usize,
    sql: Sql,
    _reaper: Reaper,
}

/// The statements, with the names of the table and its indexes.
struct Sql {
    find: Arc<str>,
    put: Arc<str>,
    update: Arc<str>,
    delete: Arc<str>,
    find_by_user: Arc<str>,
    delete_by_user: Arc<str>,
    limit_user: Arc<str>,
    /// Those of [`Listing`], in the order of [`listing::statements`].
    listing: [Arc<str>; 5],
}

impl Sql {
    fn of(table: &Table) -> Sql {
        Sql {
            find: table.sql(FIND),
            put: table.sql(PUT),
            update: table.sql(UPDATE),
            delete: table.sql(DELETE),
            find_by_user: table.sql(FIND_BY_USER),
            delete_by_user: table.sql(DELETE_BY_USER),
            limit_user: table.sql(LIMIT_USER),
            listing: listing::statements().map(|sql| table.sql(&sql)),
        }
    }
}

impl PostgresStore {
    /// The table and its indexes, for a database where Waxseal may not create them:
    ///
    /// ```sql
    #[doc = include_str!("postgres/schema.sql")]
    /// ```
    ///
    /// The role of the store then needs SELECT, INSERT, UPDATE and DELETE on the table. A prefix stands
    /// before each name that is quoted. The table may be in a schema of its own: what comes first in
    /// the role's `search_path` is used.
    pub const SCHEMA: &str = include_str!("postgres/schema.sql");

    /// The store at `url`, as libpq writes it: `postgres://user:password@host:port/database`, with
    /// `?sslmode=require` and the like after it. What it does not say, libpq takes from its usual
    /// places, `PGPASSFILE` for one. Nothing is connected yet: a server that is down is an error of
    /// the calls. Of several hosts, a first one that is silent, rather than refuses, takes all the
    /// time that there is for a call.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) where `url` is not such an address, or has
    /// parameters that libpq does not know, without anything secret of what it holds; any other where
    /// no thread could be started.
    pub fn open(url: &str) -> io::Result<PostgresStore> {
        PostgresStore::open_with(url, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open`].
    pub fn open_with(url: &str, settings: &StoreSettings) -> io::Result<PostgresStore> {
        let address = address::checked(url)?;
        let StoreSettings { ref prefix, connections, sessions_per_user } = *settings;
        let table = Table::new(&SESSIONS, prefix.clone());
        let (sql, swept) = (Sql::of(&table), table.sql(SWEEP));
        let opener = Arc::new(Opener::new(address, table, connections));
        let for_reaper = Arc::clone(&opener);
        let reaper = Reaper::start(move |stopped| sweep::sweep(&for_reaper, &swept, stopped))?;
        let for_pool = Arc::clone(&opener);
        let pool = Pool::new("postgres", connections, move || for_pool.open_remote());
        Ok(PostgresStore { pool, opener, sessions_per_user, sql, _reaper: reaper })
    }

    /// The rows that a statement finds.
    fn rows(&self, sql: &Arc<str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        Statements { pool: &self.pool, opener: &self.opener }.rows(sql, values)
    }

    /// How many rows a statement wrote.
    fn execute(&self, sql: &Arc<str>, values: Vec<Value>) -> Result<usize, StoreError> {
        Statements { pool: &self.pool, opener: &self.opener }.execute(sql, values)
    }

    /// Ends what a user has beyond the limit, after a record of theirs was committed.
    fn limit(&self, user: Option<&str>, key: &Key) -> Result<(), StoreError> {
        let Some(user) = user else { return Ok(()) };
        // Without a limit there is nothing to ask.
        let Ok(others) = i64::try_from(self.sessions_per_user.saturating_sub(1)) else {
            return Ok(());
        };
        let values = vec![text(user), text(user), bytes(key), Value::Number(others)];
        self.execute(&self.sql.limit_user, values).map(drop)
    }
}

impl Store for PostgresStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let mut rows = self.rows(&self.sql.find, vec![bytes(key)])?;
        let Some((_, json)) = rows.pop() else { return Ok(None) };
        Ok(values_of(&json).or_else(|| delete_damaged(self, key)))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        change.check_size()?;
        let (record, lifetime) = (bytes(key), Value::Number(milliseconds(lifetime)));
        let written = match change {
            Change::New(values) => {
                let (names, values) = pairs(values);
                self.execute(&self.sql.put, vec![names, values, lifetime, record])?
            }
            Change::Update(changes) => {
                let removed = changes.iter().filter(|(_, value)| value.is_none());
                let removed = texts(removed.map(|(name, _)| name));
                let set = changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
                let (names, values) = pairs(set);
                let values = vec![removed, names, values, lifetime, record];
                self.execute(&self.sql.update, values)?
            }
        };
        if written == 0 {
            return Ok(CommitOutcome::Gone);
        }
        self.limit(change.get(USERNAME), key)?;
        Ok(CommitOutcome::Done)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.execute(&self.sql.delete, vec![bytes(key)]).map(drop)
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        Some(self)
    }

    fn listing(&self) -> Option<&dyn Listing> {
        Some(self)
    }

    fn health(&self) -> Health {
        self.pool.health()
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
        let asked = vec![texts(names), text(user), text(user), limit];
        let rows = self.rows(&self.sql.find_by_user, asked)?;
        // A damaged record is left to the visitor who comes with it.
        let record = |(key, json): Row| Some((key.parse().ok()?, values_of(&json)?));
        Ok(rows.into_iter().filter_map(record).collect())
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        let delete = || self.execute(&self.sql.delete_by_user, vec![text(user), text(user)]);
        while delete()? == DELETED_AT_ONCE {}
        Ok(())
    }
}

impl fmt::Debug for PostgresStore {
    /// Nothing of the address, which holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
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
