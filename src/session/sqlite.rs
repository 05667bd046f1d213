//! Sessions in SQLite: a file of this machine, and nothing to run beside it.
//!
//! A record is one row, its values in one piece. What changes it reads it first, in a transaction that
//! nobody else's comes between.

mod connection;
mod listing;
mod revocations;
mod table;
mod turn;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use self::connection::{Connections, Opener, bytes};
pub use self::revocations::SqliteRevocations;
use self::table::Sql;
use super::clock::milliseconds;
use super::reaper::Reaper;
use super::store::{Change, CommitOutcome, Key, Store, StoreError, Values, apply, delete_damaged};
use super::user_index::{LAST_SEEN, UserIndex};
use super::user_of;
use super::{Health, Listing, StoreSettings, record};

/// A [`Store`] in a file, by SQLite, which is built in: for one machine, whose processes may share it.
///
/// Sessions survive a restart, and so do sign-outs: a commit is on the disk when it is done. One row is
/// one session, in the table `waxseal_sessions`, before whose name stands what
/// [`StoreSettings::prefix`] says. Expired ones are deleted every five minutes, in a thread that ends
/// when the store is dropped; until then nobody sees them.
///
/// - The file must be on a disk of this machine. On one that is shared over a network its locks, and
///   the memory that its processes share, do not work.
/// - Beside the file stand two more while it is used, with `-wal` and `-shm` behind their names: they
///   belong to it.
/// - One commit at a time writes, and others wait for it, for a second and a half at most.
/// - A commit of more than 16 MiB is [`StoreError::TooLarge`].
/// - Time is that of this machine's clock.
///
/// ```
/// use waxseal::seal::Keyring;
/// use waxseal::session::{Sessions, SqliteStore};
///
/// # let directory = std::env::temp_dir().join(format!("waxseal-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("sessions.db");
/// let store = SqliteStore::open(&path)?;
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::stored(keyring, store);
/// # drop(sessions);
/// # let _ = std::fs::remove_dir_all(directory);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    connections: Connections,
    sql: Sql,
    sessions_per_user: usize,
    _reaper: Reaper,
}

impl SqliteStore {
    /// A store in the file at `path`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened or made, or is no database.
    pub fn open(path: impl AsRef<Path>) -> io::Result<SqliteStore> {
        SqliteStore::open_with(path, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub fn open_with(path: impl AsRef<Path>, settings: &StoreSettings) -> io::Result<SqliteStore> {
        let sql = Sql::of(&settings.prefix);
        let opener = Opener::new(path.as_ref(), &sql.schema);
        // Not by and by, as with a server, which may come later: a file is there or can be made.
        drop(opener.open().map_err(io::Error::other)?);
        let (for_reaper, delete) = (opener.clone(), sql.delete_expired.clone());
        let reaper = Reaper::start(move |stopped| {
            let mut link = for_reaper.open()?;
            while connection::delete_expired(&mut link, &delete)? && stopped.goes_on() {}
            Ok(())
        })?;
        let connections = Connections::new("sqlite", settings.connections, opener);
        let sessions_per_user = settings.sessions_per_user.max(1);
        Ok(SqliteStore { connections, sql, sessions_per_user, _reaper: reaper })
    }

    /// Puts the row of a record in the place of the one that was there, and ends what its user has
    /// beyond the limit.
    fn put(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        key: &Key,
        values: &Values,
        lifetime: Duration,
    ) -> rusqlite::Result<()> {
        let user = user_of(values).map(str::as_bytes);
        let seen: i64 = values.get(LAST_SEEN).and_then(|seen| seen.parse().ok()).unwrap_or(0);
        let expires = connection::now().saturating_add(milliseconds(lifetime));
        let row = params![key.as_bytes(), record::write(values), user, seen, expires];
        transaction.prepare_cached(&self.sql.put)?.execute(row)?;
        // Without a limit there is nothing to ask.
        if let (Some(user), Ok(others)) = (user, i64::try_from(self.sessions_per_user - 1)) {
            let beyond = params![user, key.as_bytes(), others];
            transaction.prepare_cached(&self.sql.limit_user)?.execute(beyond)?;
        }
        Ok(())
    }
}

impl Store for SqliteStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let found: Option<Vec<u8>> = self.connections.run(|connection| {
            let mut find = connection.prepare_cached(&self.sql.find)?;
            let row = params![key.as_bytes(), connection::now()];
            find.query_row(row, |row| bytes(row, 0)).optional()
        })?;
        let Some(found) = found else { return Ok(None) };
        Ok(record::read(&found).or_else(|| delete_damaged(self, key)))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        change.check_size()?;
        self.connections.write(|transaction| {
            let updated;
            let values = match change {
                Change::New(values) => values,
                Change::Update(changes) => {
                    let mut find = transaction.prepare_cached(&self.sql.find)?;
                    let row = params![key.as_bytes(), connection::now()];
                    let found = find.query_row(row, |row| bytes(row, 0)).optional()?;
                    let Some(mut values) = found.and_then(|found| record::read(&found)) else {
                        return Ok(CommitOutcome::Gone);
                    };
                    apply(changes, &mut values);
                    updated = values;
                    &updated
                }
            };
            self.put(transaction, key, values, lifetime)?;
            Ok(CommitOutcome::Done)
        })
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.connections.write(|transaction| {
            transaction.prepare_cached(&self.sql.delete)?.execute([key.as_bytes()]).map(drop)
        })
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        Some(self)
    }

    fn listing(&self) -> Option<&dyn Listing> {
        Some(self)
    }

    fn health(&self) -> Health {
        self.connections.health()
    }
}

impl UserIndex for SqliteStore {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found: Vec<(Vec<u8>, Vec<u8>)> = self.connections.run(|connection| {
            let mut find = connection.prepare_cached(&self.sql.find_by_user)?;
            let asked = params![user.as_bytes(), connection::now(), limit];
            find.query_map(asked, |row| Ok((bytes(row, 0)?, bytes(row, 1)?)))?.collect()
        })?;
        let told = |values: Values| -> Values {
            values.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect()
        };
        // A damaged record is left to the visitor who comes with it.
        let record = |(key, found): (Vec<u8>, Vec<u8>)| {
            Some((Key::from_bytes(key.try_into().ok()?), told(record::read(&found)?)))
        };
        Ok(found.into_iter().filter_map(record).collect())
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        self.connections.write(|transaction| {
            transaction
                .prepare_cached(&self.sql.delete_by_user)?
                .execute([user.as_bytes()])
                .map(drop)
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
