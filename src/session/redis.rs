//! Sessions in Redis.
//!
//! A record is a hash, each value a field of its own: what requests at once change is changed by the
//! server, name by name. Everything that must not be torn apart is one script, sent in one call.

use std::fmt;
use std::time::SystemTime;

use ::redis::{
    Client, Connection, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, Script,
    ServerErrorKind, parse_redis_url,
};

use super::address::AddressError;
use super::clock::unix_milliseconds;
use super::pool::{Cause, Failure, PATIENCE, Pool};
use super::store::{Change, Committed, Key, Store, StoreError, Values};
use super::user_index::UserIndex;

/// What a value's field begins with, before its name.
const VALUE: char = '=';
/// A field that every record has: a hash without fields is none. No value has it.
const RECORD: &str = ".";
/// Later than any expiry, and what the score of a sorted set still tells from its neighbours.
const LATEST: u64 = (1 << 53) - 1;

/// A [`Store`] in Redis, tested with its version 7.0: one hash for each session, under
/// `waxseal:session:` and its [`Key`], and for each user a sorted set of keys, under `waxseal:user:`
/// and the user's name.
///
/// The server expires the records. A session is loaded and committed in one round trip each;
/// connections are kept from one to the next.
///
/// - The server should be set to `maxmemory-policy noeviction`, or `volatile-ttl`, which ends the
///   sessions that are nearest their end when memory runs out. Others end any, and may take a
///   user's set before its sessions: what a [`UserIndex`] tells is then incomplete.
/// - Not for Redis Cluster: the scripts work out the keys that they touch.
/// - A commit of more than 16 MiB is [`StoreError::TooLarge`].
/// - A user has 10,000 sessions at most; beyond, the one nearest its end goes.
/// - All [`Sessions`](super::Sessions) of one database share the index: a user's name means the same
///   user in all of them. Others take another database.
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
    pool: Pool<Connection>,
    commit: Script,
    delete: Script,
    find_by_user: Script,
    delete_by_user: Script,
}

/// Whether the certificate of a server is verified, where its address asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// It must be for the address's host, and signed by an authority that this machine trusts (the
    /// variable `SSL_CERT_FILE` names other authorities).
    Verified,
    /// Any will do: the connection is encrypted, but nobody knows to whom. For servers whose
    /// certificate is signed by none but itself, as that of Heroku's add-on.
    Unverified,
}

macro_rules! script {
    ($name:literal) => {
        Script::new(concat!(include_str!("redis/index.lua"), include_str!($name)))
    };
}

impl RedisStore {
    /// A store in the server at `address`: `redis://[user:password@]host[:port][/database]`, or
    /// `rediss://…` for TLS. What an address gives a meaning to is percent-encoded in user and
    /// password.
    ///
    /// Does not connect yet: a server that is down now may be up when it is needed.
    ///
    /// # Errors
    ///
    /// With what is wrong with `address`.
    pub fn open(address: &str, tls: Tls) -> Result<RedisStore, AddressError> {
        let client = client(address, tls)?;
        let open = move || -> Result<Connection, Cause> {
            let connection = client.get_connection_with_timeout(PATIENCE)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.set_write_timeout(Some(PATIENCE))?;
            Ok(connection)
        };
        Ok(RedisStore {
            pool: Pool::new(open),
            commit: script!("redis/commit.lua"),
            delete: script!("redis/delete.lua"),
            find_by_user: script!("redis/find_by_user.lua"),
            delete_by_user: script!("redis/delete_by_user.lua"),
        })
    }

    fn run<T>(
        &self,
        call: impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.pool.run(|connection| call(connection).map_err(failure))
    }
}

fn client(address: &str, tls: Tls) -> Result<Client, AddressError> {
    let url = parse_redis_url(address).ok_or(AddressError::new(
        "is not redis://[user:password@]host[:port][/database], or the same with rediss://",
    ))?;
    if url.fragment().is_some() {
        return Err(AddressError::new("has a `#`; in a password it is written `%23`"));
    }
    // The crate's own message is dropped: it may repeat a part of the address.
    let unclear = |_| AddressError::new("has a host, user, password or database that is none");
    let mut info = url.into_connection_info().map_err(unclear)?;
    if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
        // Fails where the program has installed another, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let insecure = tls == Tls::Unverified;
        let (host, port) = (host.clone(), *port);
        info = info.set_addr(ConnectionAddr::TcpTls { host, port, insecure, tls_params: None });
    }
    // Telling the server the library's name would be one more round trip a connection.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Client::open(info.set_redis_settings(settings)).map_err(unclear)
}

fn failure(error: RedisError) -> Failure {
    match error.kind() {
        // A server that has just started, or is a replica now: the name in the address may lead to
        // another by the next connection, and no other that was kept is of use.
        ErrorKind::Server(
            ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly,
        ) => Failure::Closed(error.into()),
        ErrorKind::Server(_) | ErrorKind::Extension => {
            Failure::Refused(StoreError::Rejected(error.into()))
        }
        _ if error.is_connection_dropped() => Failure::Closed(error.into()),
        _ if error.is_timeout() => Failure::Broken("no answer in time".into()),
        _ => Failure::Broken(error.into()),
    }
}

fn record(key: &Key) -> String {
    format!("waxseal:session:{key}")
}

fn field(name: &str) -> String {
    format!("{VALUE}{name}")
}

impl Store for RedisStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let fields: Vec<(String, String)> =
            self.run(|connection| ::redis::cmd("HGETALL").arg(record(key)).query(connection))?;
        let is_record = !fields.is_empty();
        let values = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field.strip_prefix(VALUE)?.to_owned(), value)));
        Ok(is_record.then(|| values.collect()))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        expires: SystemTime,
    ) -> Result<Committed, StoreError> {
        let (kind, changes): (_, Vec<_>) = match change {
            Change::New(values) => {
                ("new", values.iter().map(|(name, value)| (name, Some(value))).collect())
            }
            Change::Update(changes) => {
                ("update", changes.iter().map(|(name, value)| (name, value.as_ref())).collect())
            }
        };
        change.check_size()?;
        let mut call = self.commit.key(record(key));
        call.arg(key.to_string()).arg(unix_milliseconds(expires).min(LATEST)).arg(kind);
        for (name, value) in changes {
            match value {
                Some(value) => call.arg("set").arg(field(name)).arg(value),
                None => call.arg("remove").arg(field(name)).arg(""),
            };
        }
        let is_there: bool = self.run(|connection| call.invoke(connection))?;
        Ok(if is_there { Committed::Done } else { Committed::Gone })
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let mut call = self.delete.key(record(key));
        call.arg(key.to_string());
        self.run(|connection| call.invoke(connection))
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        Some(self)
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
        call.arg(limit).arg(RECORD);
        for name in names {
            call.arg(field(name));
        }
        type Found = Vec<(String, Vec<Option<String>>)>;
        let found: Found = self.run(|connection| call.invoke(connection))?;
        let told = |fields: Vec<Option<String>>| {
            let values = names.iter().zip(fields.into_iter().skip(1));
            values.filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect()
        };
        let found = found.into_iter().map(|(key, fields)| Ok((key.parse()?, told(fields))));
        let strange = |error: super::ParseKeyError| StoreError::Rejected(error.into());
        found.collect::<Result<_, _>>().map_err(strange)
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        let call = self.delete_by_user.arg(user);
        self.run(|connection| call.invoke(connection))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
