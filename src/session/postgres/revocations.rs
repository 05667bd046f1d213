//! Sign-outs in PostgreSQL.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::super::pool::Pool;
use super::super::reaper::Reaper;
use super::super::remote::Remote;
use super::super::revocations::{from_hex, hex};
use super::super::store::StoreError;
use super::super::{Learned, Position, Revocation, Revocations, StoreSettings};
use super::connection::{Counted, Opener, Statements};
use super::statement::{Row, Value};
use super::table::{REVOCATIONS, Table};
use super::{address, sweep};

/// In one order, so that two processes that tell the same never wait for each other.
const PUBLISH: &str = "INSERT INTO \"waxseal_revocations\" (revocation, expires) \
    SELECT decode(revocation, 'hex'), to_timestamp(expires) \
    FROM unnest($, $) AS new (revocation, expires) ORDER BY revocation \
    ON CONFLICT (revocation) DO NOTHING";

const WITHDRAW: &str = "DELETE FROM \"waxseal_revocations\" WHERE revocation = ANY (ARRAY(\
    SELECT decode(revocation, 'hex') FROM unnest($) AS old (revocation)))";

/// The first row is the set (the table, its file, and the run of the server) and the first transaction
/// that is under way: what comes in later has its number or a higher one, however late it is
/// committed.
const LEARN: &str = "SELECT '', concat('\"waxseal_revocations\"'::regclass::oid, '.', \
        pg_relation_filenode('\"waxseal_revocations\"'), '.', \
        extract(epoch FROM pg_postmaster_start_time()), ' ', \
        txid_snapshot_xmin(txid_current_snapshot())) \
    UNION ALL (SELECT encode(revocation, 'hex'), transaction::text FROM \"waxseal_revocations\" \
    WHERE (transaction, revocation) > ($, decode($, 'hex')) AND expires > now() \
    ORDER BY transaction, revocation LIMIT 5000)";
const PAGE: usize = 5000;

const SWEEP: &str = "DELETE FROM \"waxseal_revocations\" WHERE revocation = ANY (ARRAY(\
    SELECT revocation FROM \"waxseal_revocations\" WHERE expires <= now() \
    ORDER BY expires LIMIT 1000 FOR UPDATE SKIP LOCKED))";

/// The last second of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// [`Revocations`] in PostgreSQL 10 or later: one table, which is created where it is missing
/// ([`PostgresRevocations::SCHEMA`]), with what [`StoreSettings::prefix`] says before its name. What is over
/// is deleted every five minutes.
///
/// A committed sign-out is durable unless `synchronous_commit` is off. Each process looks for what is new
/// five times a second, with one statement over one connection, through PgBouncer too.
///
/// ```no_run
/// use waxseal::seal::Keyring;
/// use waxseal::session::{PostgresRevocations, Sessions};
///
/// let store = PostgresRevocations::open("postgres://user:password@host/database?sslmode=require")?;
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let sessions = Sessions::sealed(keyring).with_revocations(store)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PostgresRevocations {
    /// Connections for telling: a sign-out waits for one of them.
    telling: Pool<Remote<Counted>>,
    /// A connection of its own, so that no number of sign-outs keeps it from learning.
    learning: Pool<Remote<Counted>>,
    opener: Arc<Opener>,
    publish: Arc<str>,
    withdraw: Arc<str>,
    learn: Arc<str>,
    _reaper: Reaper,
}

/// A position: where the next round begins, and where this one is.
struct At<'p> {
    set: &'p str,
    next: i64,
    transaction: i64,
    /// In hexadecimal digits.
    revocation: &'p str,
}

impl PostgresRevocations {
    /// The table and its indexes, for a database where Waxseal may not create them:
    ///
    /// ```sql
    #[doc = include_str!("revocations.sql")]
    /// ```
    ///
    /// The role then needs SELECT, INSERT, UPDATE and DELETE on the table.
    pub const SCHEMA: &str = include_str!("revocations.sql");

    /// The sign-outs in the database at `url`, as [`PostgresStore::open`](super::PostgresStore::open) takes it.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open`](super::PostgresStore::open).
    pub fn open(url: &str) -> io::Result<PostgresRevocations> {
        PostgresRevocations::open_with(url, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open`](super::PostgresStore::open).
    pub fn open_with(url: &str, settings: &StoreSettings) -> io::Result<PostgresRevocations> {
        let address = address::checked(url)?;
        let table = Table::new(&REVOCATIONS, settings.prefix.clone());
        let [publish, withdraw, learn, swept] =
            [PUBLISH, WITHDRAW, LEARN, SWEEP].map(|sql| table.sql(sql));
        let opener = Arc::new(Opener::new(address, table, settings.connections + 1));
        let for_reaper = Arc::clone(&opener);
        let reaper = Reaper::start(move |stopped| sweep::sweep(&for_reaper, &swept, stopped))?;
        let pool = |most| {
            let opener = Arc::clone(&opener);
            Pool::new("postgres of sign-outs", most, move || opener.open_remote())
        };
        let (telling, learning) = (pool(settings.connections), pool(1));
        Ok(PostgresRevocations {
            telling,
            learning,
            opener,
            publish,
            withdraw,
            learn,
            _reaper: reaper,
        })
    }

    fn tell(&self, sql: &Arc<str>, values: Vec<Value>) -> Result<(), StoreError> {
        Statements { pool: &self.telling, opener: &self.opener }.execute(sql, values).map(drop)
    }
}

impl Revocations for PostgresRevocations {
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        let seconds = |revocation: &Revocation| revocation.until_seconds().min(LATEST) as i64;
        let expires = Value::Numbers(revocations.iter().map(seconds).collect());
        self.tell(&self.publish, vec![digits(revocations), expires])
    }

    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.tell(&self.withdraw, vec![digits(revocations)])
    }

    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
        let after = match after {
            None => None,
            Some(Position(text)) => match At::of(text) {
                Some(at) => Some(at),
                None => return Ok(Learned::Lost),
            },
        };
        let (transaction, last) =
            after.as_ref().map_or((0, ""), |at| (at.transaction, at.revocation));
        let asked = vec![Value::Number(transaction), Value::Text(last.to_owned())];
        let statements = Statements { pool: &self.learning, opener: &self.opener };
        let rows = statements.rows(&self.learn, asked)?;
        page(rows, after.as_ref()).ok_or_else(|| {
            StoreError::Rejected("PostgreSQL answered something else than was asked".into())
        })
    }
}

/// The page that the rows are; nothing where they make no sense.
fn page(rows: Vec<Row>, after: Option<&At<'_>>) -> Option<Learned> {
    let (set, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(digits, _)| digits.is_empty());
    let (_, set) = set.into_iter().next()?;
    let (set, first) = set.split_once(' ')?;
    if after.is_some_and(|at| at.set != set) {
        return Some(Learned::Lost);
    }
    let is_last = rows.len() < PAGE;
    // A round ends where the next begins: with what was under way when this one began.
    let next = match after {
        Some(at) if !at.revocation.is_empty() => at.next,
        _ => first.parse().ok()?,
    };
    let number = |(digits, transaction): &Row| Some((transaction.parse().ok()?, digits.clone()));
    let furthest: (i64, String) = rows.iter().filter_map(number).max().unwrap_or_default();
    let position = match is_last {
        true => At { set, next, transaction: next, revocation: "" }.text(),
        false => At { set, next, transaction: furthest.0, revocation: &furthest.1 }.text(),
    };
    let revocations = rows.iter().filter_map(|(digits, _)| from_hex(digits)).collect();
    Some(Learned::Page { revocations, position: Position(position), is_last })
}

impl At<'_> {
    fn of(text: &str) -> Option<At<'_>> {
        let mut parts = text.split(' ');
        let mut part = || parts.next();
        let (set, next, transaction) = (part()?, part()?.parse().ok()?, part()?.parse().ok()?);
        Some(At { set, next, transaction, revocation: part()? })
    }

    fn text(&self) -> String {
        let At { set, next, transaction, revocation } = self;
        format!("{set} {next} {transaction} {revocation}")
    }
}

fn digits(revocations: &[Revocation]) -> Value {
    Value::Texts(revocations.iter().map(hex).collect())
}

impl fmt::Debug for PostgresRevocations {
    /// Nothing of the address, which holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresRevocations").finish_non_exhaustive()
    }
}
