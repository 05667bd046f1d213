//! Sessions in Redis.
//!
//! A record is a hash, each value a field of its own: what requests at once change is changed by the
//! server, name by name. Everything that must not be torn apart is one script, sent in one call.

mod address;
mod connection;
mod listing;
mod revocations;
mod sentinel;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Connection, RedisError, Script};

use self::connection::{Link, failure};
use self::listing::Scans;
use super::address::AddressError;
use super::clock::milliseconds;
use super::pool::Pool;
use super::store::{Change, CommitOutcome, Key, Store, StoreError, Values, delete_damaged};
use super::user_index::UserIndex;
use super::{Health, Listing, Prefix, StoreSettings};
pub use revocations::RedisRevocations;

/// What a value's field begins with, before its name.
const VALUE: char = '=';
/// A field that every record has: a hash without fields is none. No value has it.
const RECORD: &str = ".";
/// How many of a user's records one script deletes.
const DELETED_AT_ONCE: usize = 1000;

/// A [`Store`] in Redis, tested with its version 7.0: one hash for each session, under
/// `waxseal:session:` and its [`Key`], and for each user a sorted set of keys, under `waxseal:user:`
/// and the user's name; before both stands what [`StoreSettings::prefix`] says.
///
/// The server expires the records, by its own clock. A session is loaded and committed in one round trip each;
/// connections are kept from one to the next.
///
/// - The server should be set to `maxmemory-policy noeviction`, or `volatile-ttl`, which ends the
///   sessions that are nearest their end when memory runs out. Others end any, and may take a
///   user's set before its sessions: what a [`UserIndex`] tells is then incomplete.
/// - Redis Sentinel is asked for the master where the address says so. A change is then done once all
///   replicas have it, so that a failover loses none; where the master has no replica at all, and
///   Sentinel still names it, it is alone.
/// - Not for Redis Cluster, which is refused when connecting: the scripts work out the keys that they
///   touch.
/// - A commit of more than 16 MiB is [`StoreError::TooLarge`].
/// - Its [`Listing`] goes by `SCAN`: a record is met twice where the server resizes its table of keys
///   meanwhile, and what else is in the database is looked at too.
/// - All [`Sessions`](super::Sessions) of one database and prefix share the index: a user's name means
///   the same user in all of them. Others take another prefix.
///
/// ```no_run
/// use waxseal::seal::Keyring;
/// use waxseal::session::{RedisStore, Sessions, Tls};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let store = RedisStore::open("rediss://:password@redis.example:6380", Tls::Verified)?;
/// let sessions = Sessions::stored(keyring, store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisStore {
    pool: Pool<Link>,
    prefix: Prefix,
    commit: Script,
    delete: Script,
    find_by_user: Script,
    delete_by_user: Script,
    scans: Scans,
}

/// Whether the certificate of a server is verified, where its address asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// It must be for the address's host, and signed by an authority that this machine trusts (the
    /// variable `SSL_CERT_FILE` names other authorities).
    Verified,
    /// Any will do: the connection is encrypted, but nobody knows to whom. For servers whose
    /// certificate is signed by none but itself, as that of Heroku's add-on.
    Unverified,
}

/// A script of a site's, of these parts, which use what stands in `index.lua`.
fn script(settings: &StoreSettings, parts: &[&str]) -> Script {
    let (prefix, most) = (&settings.prefix, settings.sessions_per_user.max(1));
    let names = format!("local PREFIX, MOST = '{prefix}', {most}\n");
    Script::new(&[&names, include_str!("redis/index.lua"), &parts.concat()].concat())
}

impl RedisStore {
    /// A store in the server at `address`: `redis://[user:password@]host[:port][/database]`, or
    /// `rediss://…` for TLS; or where Sentinel says that the master called `name` is:
    /// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/name[/database]`, with the hosts of
    /// the Sentinels, and the user and password of the servers. What an address gives a meaning to is
    /// percent-encoded in user and password.
    ///
    /// Does not connect yet: a server that is down now may be up when it is needed.
    ///
    /// # Errors
    ///
    /// With what is wrong with `address`.
    pub fn open(address: &str, tls: Tls) -> Result<RedisStore, AddressError> {
        RedisStore::open_with(address, tls, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`RedisStore::open`].
    pub fn open_with(
        address: &str,
        tls: Tls,
        settings: &StoreSettings,
    ) -> Result<RedisStore, AddressError> {
        let endpoint = Arc::new(address::parse(address, tls)?);
        Ok(RedisStore {
            pool: Pool::new("redis", settings.connections, move || Link::open(&endpoint)),
            prefix: settings.prefix.clone(),
            commit: script(settings, &[include_str!("redis/commit.lua")]),
            delete: script(settings, &[include_str!("redis/delete.lua")]),
            find_by_user: script(settings, &[include_str!("redis/find_by_user.lua")]),
            delete_by_user: script(settings, &[include_str!("redis/delete_by_user.lua")]),
            scans: Scans::new(settings),
        })
    }

    fn read<T>(
        &self,
        call: impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.pool.run(|link, patience| call(link.within(patience)?).map_err(failure))
    }

    fn write<T>(
        &self,
        call: impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.pool.run(|link, patience| {
            let done = call(link.within(patience)?).map_err(failure)?;
            link.confirm()?;
            Ok(done)
        })
    }

    fn record(&self, key: &Key) -> String {
        format!("{}waxseal:session:{key}", self.prefix)
    }
}

fn field(name: &str) -> String {
    format!("{VALUE}{name}")
}

impl Store for RedisStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let found = self.pool.run(|link, patience| {
            let fields: Result<Vec<_>, _> =
                ::redis::cmd("HGETALL").arg(self.record(key)).query(link.within(patience)?);
            match fields {
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
                Err(error) => Err(failure(error)),
                Ok(fields) if fields.is_empty() => link.check_master().map(|()| Some(fields)),
                Ok(fields) => Ok(Some(fields)),
            }
        })?;
        match found.and_then(values) {
            Some(values) if values.is_empty() => Ok(None),
            Some(values) => Ok(Some(values.into_iter().flatten().collect())),
            None => Ok(delete_damaged(self, key)),
        }
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        let (kind, changes): (_, Vec<_>) = match change {
            Change::New(values) => {
                ("new", values.iter().map(|(name, value)| (name, Some(value))).collect())
            }
            Change::Update(changes) => {
                ("update", changes.iter().map(|(name, value)| (name, value.as_ref())).collect())
            }
        };
        change.check_size()?;
        let mut call = self.commit.key(self.record(key));
        call.arg(key.to_string()).arg(milliseconds(lifetime)).arg(kind);
        for (name, value) in changes {
            match value {
                Some(value) => call.arg("set").arg(field(name)).arg(value),
                None => call.arg("remove").arg(field(name)).arg(""),
            };
        }
        let is_there: bool = self.write(|connection| call.invoke(connection))?;
        Ok(if is_there { CommitOutcome::Done } else { CommitOutcome::Gone })
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let mut call = self.delete.key(self.record(key));
        call.arg(key.to_string());
        self.write(|connection| call.invoke(connection))
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

impl UserIndex for RedisStore {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        let mut call = self.find_by_user.arg(user);
        call.arg(i64::try_from(limit).unwrap_or(i64::MAX)).arg(RECORD);
        for name in names {
            call.arg(field(name));
        }
        type Found = Vec<(String, Vec<Option<Vec<u8>>>)>;
        let found: Found = self.read(|connection| call.invoke(connection))?;
        // A damaged record is left to the visitor who comes with it.
        let told = |fields: Vec<Option<Vec<u8>>>| {
            let values = names.iter().zip(fields.into_iter().skip(1));
            let text = |(name, value): (&&str, Option<Vec<u8>>)| {
                Some(((*name).to_owned(), String::from_utf8(value?).ok()?))
            };
            values.filter_map(text).collect()
        };
        let record = |(key, fields): (String, _)| Some((key.parse().ok()?, told(fields)));
        Ok(found.into_iter().filter_map(record).collect())
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        let mut call = self.delete_by_user.arg(user);
        call.arg(DELETED_AT_ONCE);
        while self.write(|connection| call.invoke::<usize>(connection))? > 0 {}
        Ok(())
    }
}

/// The values of a record's fields, none for the one that every record has; nothing where they are
/// no text.
fn values(fields: Vec<(Vec<u8>, Vec<u8>)>) -> Option<Vec<Option<(String, String)>>> {
    let text = |bytes| String::from_utf8(bytes).ok();
    let value = |(field, value)| {
        let (field, value) = (text(field)?, text(value)?);
        Some(field.strip_prefix(VALUE).map(|name| (name.to_owned(), value)))
    };
    fields.into_iter().map(value).collect()
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
