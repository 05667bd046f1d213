//! Sign-outs in SQLite.

use std::fmt;
use std::io;
use std::path::Path;

use rusqlite::params;

use super::super::reaper::Reaper;
use super::super::revocations::random_name;
use super::super::store::StoreError;
use super::super::{Learned, Position, Prefix, Revocation, Revocations, StoreSettings};
use super::connection::{Connections, Opener, bytes, delete_expired};

/// How every name in the SQL of this module begins, in its quotes.
const NAME: &str = "\"waxseal_revocations";

/// A number is never used again. Times are milliseconds since 1970.
const SCHEMA: &str = r#"
CREATE TABLE IF NOT EXISTS "waxseal_revocations" (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    revocation BLOB NOT NULL UNIQUE,
    expires INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS "waxseal_revocations_expires" ON "waxseal_revocations" (expires);
CREATE TABLE IF NOT EXISTS "waxseal_revocations_set" (one INTEGER PRIMARY KEY, name TEXT NOT NULL);
"#;

const NAME_SET: &str =
    r#"INSERT OR IGNORE INTO "waxseal_revocations_set" (one, name) VALUES (1, ?)"#;

/// The name of the set, and the last number that was given.
const SET: &str = r#"SELECT name, coalesce((SELECT seq FROM sqlite_sequence
    WHERE name = trim('"waxseal_revocations"', '"')), 0)
    FROM "waxseal_revocations_set""#;

const PUBLISH: &str =
    r#"INSERT OR IGNORE INTO "waxseal_revocations" (revocation, expires) VALUES (?, ?)"#;

const WITHDRAW: &str = r#"DELETE FROM "waxseal_revocations" WHERE revocation = ?"#;

const LEARN: &str = r#"SELECT number, revocation, expires > ? FROM "waxseal_revocations"
    WHERE number > ? ORDER BY number LIMIT 5000"#;
const PAGE: usize = 5000;

/// Few enough that others wait for milliseconds.
const SWEEP: &str = r#"DELETE FROM "waxseal_revocations" WHERE number IN (
    SELECT number FROM "waxseal_revocations" WHERE expires <= ? ORDER BY expires LIMIT 1000)"#;

/// [`Revocations`] in a file, by SQLite, which is built in: for the processes of one machine.
///
/// They are in the table `waxseal_revocations`, before whose name stands what
/// [`StoreSettings::prefix`] says, and are on the disk when they are confirmed. What
/// [`SqliteStore`](super::SqliteStore) says of the file is true here too.
///
/// ```
/// use waxseal::seal::Keyring;
/// use waxseal::session::{Sessions, SqliteRevocations};
///
/// # let directory = std::env::temp_dir().join(format!("waxseal-doc-out-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("signed-out.db");
/// let store = SqliteRevocations::open(&path)?;
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::sealed(keyring).with_revocations(store)?;
/// # drop(sessions);
/// # let _ = std::fs::remove_dir_all(directory);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteRevocations {
    connections: Connections,
    sql: Sql,
    _reaper: Reaper,
}

/// The statements, with the names of one site's tables.
struct Sql {
    name_set: String,
    set: String,
    publish: String,
    withdraw: String,
    learn: String,
}

impl SqliteRevocations {
    /// The sign-outs in the file at `path`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or made, or is no database.
    pub fn open(path: impl AsRef<Path>) -> io::Result<SqliteRevocations> {
        SqliteRevocations::open_with(path, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`SqliteRevocations::open`].
    pub fn open_with(
        path: impl AsRef<Path>,
        settings: &StoreSettings,
    ) -> io::Result<SqliteRevocations> {
        let opener = Opener::new(path.as_ref(), &named(SCHEMA, &settings.prefix));
        // Not by and by, as with a server, which may come later: a file is there or can be made.
        drop(opener.open().map_err(io::Error::other)?);
        let (for_reaper, delete) = (opener.clone(), named(SWEEP, &settings.prefix));
        let reaper = Reaper::start(move |stopped| {
            let mut link = for_reaper.open()?;
            while delete_expired(&mut link, &delete)? && stopped.goes_on() {}
            Ok(())
        })?;
        let connections = Connections::new("sqlite of sign-outs", settings.connections + 1, opener);
        let named = |sql| named(sql, &settings.prefix);
        let sql = Sql {
            name_set: named(NAME_SET),
            set: named(SET),
            publish: named(PUBLISH),
            withdraw: named(WITHDRAW),
            learn: named(LEARN),
        };
        Ok(SqliteRevocations { connections, sql, _reaper: reaper })
    }

    /// Gives a new file its name, by which a position is known to be of it.
    fn name_set(&self) -> Result<(), StoreError> {
        self.connections.write(|transaction| {
            transaction.prepare_cached(&self.sql.name_set)?.execute([random_name()]).map(drop)
        })
    }

    /// The page after `after`; nothing where the file has no name yet.
    fn page(&self, after: Option<&Position>) -> Result<Option<Learned>, StoreError> {
        self.connections.run(|connection| {
            // In one transaction, both are of the same moment.
            let transaction = connection.transaction()?;
            let mut set = transaction.prepare_cached(&self.sql.set)?;
            let mut set = set.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let Some((name, last)): Option<(String, i64)> = set.next().transpose()? else {
                return Ok(None);
            };
            let Some(first) = number(after, &name).filter(|number| *number <= last) else {
                return Ok(Some(Learned::Lost));
            };
            let mut learn = transaction.prepare_cached(&self.sql.learn)?;
            let asked = params![super::connection::now(), first];
            let rows =
                learn.query_map(asked, |row| Ok((row.get(0)?, bytes(row, 1)?, row.get(2)?)))?;
            let rows: Vec<(i64, Vec<u8>, bool)> = rows.collect::<Result<_, _>>()?;
            let last = rows.last().map_or(first, |(number, _, _)| *number);
            let living = rows.iter().filter(|(_, _, lives)| *lives);
            Ok(Some(Learned::Page {
                revocations: living.filter_map(|(_, row, _)| Revocation::from_bytes(row)).collect(),
                position: Position(format!("{name} {last}")),
                is_last: rows.len() < PAGE,
            }))
        })
    }
}

impl Revocations for SqliteRevocations {
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.connections.write(|transaction| {
            let mut publish = transaction.prepare_cached(&self.sql.publish)?;
            for revocation in revocations {
                let expires = revocation.until_seconds().saturating_mul(1000);
                let expires = i64::try_from(expires).unwrap_or(i64::MAX);
                publish.execute(params![&revocation.as_bytes()[..], expires])?;
            }
            Ok(())
        })
    }

    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.connections.write(|transaction| {
            let mut withdraw = transaction.prepare_cached(&self.sql.withdraw)?;
            revocations
                .iter()
                .try_for_each(|revocation| withdraw.execute([&revocation.as_bytes()[..]]).map(drop))
        })
    }

    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
        if let Some(page) = self.page(after)? {
            return Ok(page);
        }
        self.name_set()?;
        let page = self.page(after)?;
        page.ok_or_else(|| StoreError::Rejected("the file of sign-outs cannot be named".into()))
    }
}

/// The number in a position of the set with this name; that of the beginning where there is none.
fn number(after: Option<&Position>, name: &str) -> Option<i64> {
    let Some(Position(text)) = after else { return Some(0) };
    let (of, number) = text.split_once(' ')?;
    number.parse().ok().filter(|_| of == name)
}

/// `sql` with the names of one site's tables and indexes.
fn named(sql: &str, prefix: &Prefix) -> String {
    sql.replace(NAME, &format!("\"{prefix}{}", &NAME[1..]))
}

impl fmt::Debug for SqliteRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteRevocations").finish_non_exhaustive()
    }
}
