//! Sessions in Memcached.
//!
//! A record is one item, whole: what requests at once change is changed by comparing and swapping,
//! again and again until nobody came between.

mod address;
mod connection;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::connection::{Connection, Found, Login, Replaced};
use super::address::AddressError;
use super::pool::{Failure, PATIENCE, Pool};
use super::store::{
    Change, Changes, CommitOutcome, Key, Store, StoreError, Values, apply, delete_damaged,
};
use super::{Health, Prefix, StoreSettings, record};

/// How many items are remembered from a look to the commit: as many as there may be requests at
/// once, within reason.
const MOST_REMEMBERED: usize = 32;
/// The largest that is remembered.
const LARGEST_REMEMBERED: usize = 64 << 10;

/// A [`Store`] in Memcached, spoken to in its binary protocol: one item for each session, under
/// `waxseal:` and its [`Key`], before which stands what [`StoreSettings::prefix`] says.
///
/// A session is loaded in one round trip, and committed in one where it was loaded through this
/// store a moment ago and nobody changed it since, else in a few. Connections are kept from one to
/// the next.
///
/// - Memcached is a cache: where memory runs out, and when it is started again, sessions end.
/// - There is no index of users; [`users`](Store::users) is `None`, and nothing bounds how many
///   sessions a user has.
/// - An item has a limit, of 1 MiB where the server was not told another; beyond is
///   [`StoreError::TooLarge`].
/// - With several servers, each session is on one of them, by its key: another list of servers, or
///   another order, ends most of them. Where one is down, its sessions cannot be loaded until it is
///   back; those on the others are, and new ones begin there.
///
/// ```no_run
/// use waxseal::seal::Keyring;
/// use waxseal::session::{MemcachedStore, Sessions};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let store = MemcachedStore::open("memcached://user:password@memcached.example:11211")?;
/// let sessions = Sessions::stored(keyring, store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemcachedStore {
    servers: Vec<Arc<Pool<Connection>>>,
    prefix: Prefix,
    /// What was found last, the oldest first, for the commits that follow.
    remembered: Mutex<VecDeque<(Key, Found)>>,
}

impl MemcachedStore {
    /// A store in the server, or servers, at `address`:
    /// `memcached://[user:password@]host[:port][,host[:port]…]`. User and password, where there are
    /// any, are percent-encoded and sent by SASL, in the clear.
    ///
    /// Does not connect yet: a server that is down now may be up when it is needed.
    ///
    /// # Errors
    ///
    /// With what is wrong with `address`.
    pub fn open(address: &str) -> Result<MemcachedStore, AddressError> {
        MemcachedStore::open_with(address, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`MemcachedStore::open`].
    pub fn open_with(
        address: &str,
        settings: &StoreSettings,
    ) -> Result<MemcachedStore, AddressError> {
        let (servers, login) = address::parse(address)?;
        Ok(MemcachedStore::of(servers, login, settings))
    }

    /// A store in `servers`, `host[:port][,host[:port]…]`, by SASL with `user` and `password` as
    /// they are: what an add-on has in three variables.
    ///
    /// ```no_run
    /// # use std::env::var;
    /// use waxseal::session::{MemcachedStore, StoreSettings};
    ///
    /// let store = MemcachedStore::open_as(
    ///     &var("MEMCACHIER_SERVERS")?,
    ///     &var("MEMCACHIER_USERNAME")?,
    ///     &var("MEMCACHIER_PASSWORD")?,
    ///     &StoreSettings::default(),
    /// )?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// With what is wrong with them.
    pub fn open_as(
        servers: &str,
        user: &str,
        password: &str,
        settings: &StoreSettings,
    ) -> Result<MemcachedStore, AddressError> {
        let login = address::login(user, password)?;
        Ok(MemcachedStore::of(address::servers(servers)?, Some(login), settings))
    }

    fn of(servers: Vec<String>, login: Option<Login>, settings: &StoreSettings) -> MemcachedStore {
        let pool = |server: String| {
            let login = login.clone();
            let name = format!("memcached {server}");
            let open = move || Connection::open(&server, login.as_ref());
            Arc::new(Pool::new(name, settings.connections, open))
        };
        MemcachedStore {
            servers: servers.into_iter().map(pool).collect(),
            prefix: settings.prefix.clone(),
            remembered: Mutex::default(),
        }
    }

    /// The server that has this key.
    fn server(&self, key: &Key) -> &Arc<Pool<Connection>> {
        // A key is a hash already. There is one server at least: a list with commas has a part.
        let [first, second, ..] = *key.as_bytes();
        &self.servers[usize::from(u16::from_be_bytes([first, second])) % self.servers.len()]
    }

    /// What `call` gives over a connection to the server that has this key.
    fn run<T>(
        &self,
        key: &Key,
        call: impl Fn(&mut Connection, &str) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let name = format!("{}waxseal:{key}", self.prefix);
        self.server(key).run(|connection, patience| {
            connection.wait_for(patience)?;
            call(connection, &name)
        })
    }

    fn update(
        &self,
        key: &Key,
        changes: &Changes,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        let known = self.forget(key);
        let swapped = known.map(|found| self.swap(key, &found, changes, lifetime)).transpose()?;
        if swapped == Some(Replaced::Done) {
            return Ok(CommitOutcome::Done);
        }
        // Each failure is another's success.
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let Some(found) = self.run(key, Connection::get)? else {
                return Ok(CommitOutcome::Gone);
            };
            match self.swap(key, &found, changes, lifetime)? {
                Replaced::Done => return Ok(CommitOutcome::Done),
                Replaced::Gone => return Ok(CommitOutcome::Gone),
                Replaced::Changed => {}
            }
        }
        Err(StoreError::Rejected("too many changes at once".into()))
    }

    /// Puts `found` with `changes` in the place of `found`.
    fn swap(
        &self,
        key: &Key,
        found: &Found,
        changes: &Changes,
        lifetime: Duration,
    ) -> Result<Replaced, StoreError> {
        let Some(mut values) = record::read(&found.item) else {
            delete_damaged(self, key);
            return Ok(Replaced::Gone);
        };
        apply(changes, &mut values);
        let item = record::write(&values);
        self.run(key, |connection, name| connection.replace(name, &item, lifetime, found.token))
    }

    fn remember(&self, key: &Key, found: Found) {
        if found.item.len() > LARGEST_REMEMBERED {
            return;
        }
        let mut remembered = self.remembered();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back((*key, found));
    }

    /// What is remembered of `key`, if anything, and is no more.
    fn forget(&self, key: &Key) -> Option<Found> {
        let mut remembered = self.remembered();
        let at = remembered.iter().rposition(|(known, _)| known == key)?;
        remembered.remove(at).map(|(_, found)| found)
    }

    /// No code panics while it holds the lock.
    fn remembered(&self) -> MutexGuard<'_, VecDeque<(Key, Found)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemcachedStore {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        let Some(found) = self.run(key, Connection::get)? else { return Ok(None) };
        let Some(values) = record::read(&found.item) else { return Ok(delete_damaged(self, key)) };
        self.remember(key, found);
        Ok(Some(values))
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        match change {
            Change::New(values) => {
                let item = record::write(values);
                self.run(key, |connection, name| connection.set(name, &item, lifetime))?;
                Ok(CommitOutcome::Done)
            }
            Change::Update(changes) => self.update(key, changes, lifetime),
        }
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.forget(key);
        self.run(key, Connection::delete)
    }

    fn takes(&self, key: &Key) -> bool {
        let server = self.server(key);
        server.probe();
        !server.is_down()
    }

    fn health(&self) -> Health {
        match self.servers.iter().filter(|server| server.is_down()).count() {
            0 => Health::Up,
            down if down < self.servers.len() => Health::Partly,
            _ => Health::Down,
        }
    }
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore").finish_non_exhaustive()
    }
}
