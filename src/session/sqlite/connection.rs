//! A connection to the file, and what its errors mean.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior, params};

use super::super::Health;
use super::super::pool::{Cause, Failure, PATIENCE, Pool};
use super::super::store::StoreError;
use super::turn::Turns;

/// Readers go on while one writes; and what is committed is on the disk, also where power fails: a
/// sign-out that was lost would be a session that is back.
const SETTINGS: &str = "PRAGMA journal_mode = wal; PRAGMA synchronous = full;";

/// How connections are opened.
#[derive(Clone)]
pub(super) struct Opener {
    path: PathBuf,
    schema: String,
}

/// A connection, and the file that it was opened for.
pub(super) struct Link {
    connection: Connection,
    path: PathBuf,
    file: Option<File>,
    schema: String,
}

/// A file as the system knows it: by its device and number.
type File = (u64, u64);

impl Opener {
    /// For the file at `path`, in which `schema` makes the table.
    pub(super) fn new(path: &Path, schema: &str) -> Opener {
        Opener { path: path.to_owned(), schema: schema.to_owned() }
    }

    pub(super) fn open(&self) -> Result<Link, Cause> {
        let is_new = !self.path.exists();
        // One connection is never used by two threads at once: SQLite need not see to it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        if is_new {
            // For its owner alone to read, before anything is in it; SQLite gives its other files the
            // same rights. By its name: to open and close it here would end the locks of all
            // connections in this process.
            fs::set_permissions(&self.path, Permissions::from_mode(0o600))?;
        }
        connection.busy_timeout(PATIENCE)?;
        prepare(&connection, SETTINGS)?;
        prepare(&connection, &self.schema)?;
        let (path, schema) = (self.path.clone(), self.schema.clone());
        Ok(Link { connection, file: file(&path), path, schema })
    }
}

impl Link {
    /// Runs `call`, which waits for others for so long. A new connection is needed where somebody has
    /// removed the file, or put another in its place; a table that was dropped is made again.
    pub(super) fn run<T>(
        &mut self,
        patience: Duration,
        call: &impl Fn(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        if file(&self.path) != self.file {
            return Err(Failure::Closed("the file was replaced".into()));
        }
        self.connection.busy_timeout(patience).map_err(failure)?;
        match call(&mut self.connection) {
            Err(error) if is_of_table(&error) => {
                self.connection.execute_batch(&self.schema).map_err(failure)?;
                call(&mut self.connection).map_err(failure)
            }
            done => done.map_err(failure),
        }
    }
}

/// Runs `sql`, again and again while another process does the same to a new file: SQLite does not wait
/// for that by itself.
fn prepare(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match connection.execute_batch(sql) {
            Err(error) if is_busy(&error) && began.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Deletes some expired records; whether there were any.
pub(super) fn delete_expired(link: &mut Link, delete: &str) -> Result<bool, Cause> {
    Ok(link.connection.execute(delete, params![now()])? > 0)
}

/// The bytes in a column of a row. A value of another kind is damaged, and read as none.
pub(super) fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(row.get_ref(column)?.as_blob().unwrap_or_default().to_vec())
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn file(path: &Path) -> Option<File> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn is_of_table(error: &rusqlite::Error) -> bool {
    error.to_string().contains("no such table")
}

fn failure(error: rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        _ if is_busy(&error) => Failure::Refused(StoreError::Unavailable(error.into())),
        // It may be put in order by hand, and is looked at anew.
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::SystemIoFailure,
        ) => Failure::Broken(error.into()),
        // The disk is full, or the file may not be written.
        _ => Failure::Refused(StoreError::Rejected(error.into())),
    }
}

/// The connections of one table, whose writers take turns.
pub(super) struct Connections {
    pool: Pool<Link>,
    turns: Turns,
}

impl Connections {
    /// So many at most; the log calls the file `name`.
    pub(super) fn new(name: &str, most: usize, opener: Opener) -> Connections {
        Connections { pool: Pool::new(name, most, move || opener.open()), turns: Turns::default() }
    }

    pub(super) fn health(&self) -> Health {
        self.pool.health()
    }

    pub(super) fn run<T>(
        &self,
        call: impl Fn(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.pool.run(|link, patience| link.run(patience, &call))
    }

    /// The same in a transaction that writes: it has the lock from its beginning.
    pub(super) fn write<T>(
        &self,
        call: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Some(_turn) = self.turns.take(PATIENCE) else {
            return Err(StoreError::Unavailable("others wrote for too long".into()));
        };
        self.run(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = call(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }
}
