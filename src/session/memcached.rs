//! Sessions in Memcached.
//!
//! A record is one item, whole: what requests at once change is changed by comparing and swapping,
//! again and again until nobody came between.

mod address;
mod connection;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use form_urlencoded::Serializer;

use self::connection::{Connection, Found, Login, Replaced};
use super::address::AddressError;
use super::clock::unix_milliseconds;
use super::pool::{Failure, PATIENCE, Pool};
use super::store::{Change, Committed, Key, Store, StoreError, Values};

/// Expiries up to here, 30 days, the server would take for so many seconds from now.
const LAST_RELATIVE: u64 = 30 * 24 * 3600;
/// How many items are remembered from a look to the commit: as many as there may be requests at
/// once, within reason.
const MOST_REMEMBERED: usize = 32;
/// The largest that is remembered.
const LARGEST_REMEMBERED: usize = 64 << 10;

type Changes = BTreeMap<String, Option<String>>;

/// A [`Store`] in Memcached, spoken to in its binary protocol: one item for each session, under
/// `waxseal:` and its [`Key`].
///
/// A session is loaded in one round trip, and committed in one where it was loaded through this
/// store a moment ago and nobody changed it since, else in a few. Connections are kept from one to
/// the next.
///
/// - Memcached is a cache: where memory runs out, and when it is started again, sessions end.
/// - There is no index of users; [`users`](Store::users) is `None`.
/// - An item has a limit, of 1 MiB where the server was not told another; beyond is
///   [`StoreError::TooLarge`].
/// - With several servers, each session is on one of them, by its key: another list of servers, or
///   another order, ends most of them.
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
    servers: Vec<Pool<Connection>>,
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
        let (servers, login) = address::parse(address)?;
        Ok(MemcachedStore::of(servers, login))
    }

    /// A store in `servers`, `host[:port][,host[:port]…]`, by SASL with `user` and `password` as
    /// they are: what an add-on has in three variables.
    ///
    /// ```no_run
    /// # use std::env::var;
    /// use waxseal::session::MemcachedStore;
    ///
    /// let store = MemcachedStore::open_as(
    ///     &var("MEMCACHIER_SERVERS")?,
    ///     &var("MEMCACHIER_USERNAME")?,
    ///     &var("MEMCACHIER_PASSWORD")?,
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
    ) -> Result<MemcachedStore, AddressError> {
        let login = address::login(user, password)?;
        Ok(MemcachedStore::of(address::servers(servers)?, Some(login)))
    }

    fn of(servers: Vec<String>, login: Option<Login>) -> MemcachedStore {
        let pool = |server: String| {
            let login = login.clone();
            Pool::new(move || Connection::open(&server, login.as_ref()))
        };
        MemcachedStore {
            servers: servers.into_iter().map(pool).collect(),
            remembered: Mutex::default(),
        }
    }

    /// What `call` gives over a connection to the server that has this key.
    fn run<T>(
        &self,
        key: &Key,
        call: impl Fn(&mut Connection, &str) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        // A key is a hash already. There is one server at least: a list with commas has a part.
        let [first, second, ..] = *key.as_bytes();
        let at = usize::from(u16::from_be_bytes([first, second])) % self.servers.len();
        let name = format!("waxseal:{key}");
        self.servers[at].run(|connection| call(connection, &name))
    }

    fn update(
        &self,
        key: &Key,
        changes: &Changes,
        expires: SystemTime,
    ) -> Result<Committed, StoreError> {
        if let Some(found) = self.forget(key)
            && self.swap(key, &found, changes, expires)? == Replaced::Done
        {
            return Ok(Committed::Done);
        }
        // Each failure is another's success.
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let Some(found) = self.run(key, Connection::get)? else { return Ok(Committed::Gone) };
            match self.swap(key, &found, changes, expires)? {
                Replaced::Done => return Ok(Committed::Done),
                Replaced::Gone => return Ok(Committed::Gone),
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
        expires: SystemTime,
    ) -> Result<Replaced, StoreError> {
        let Some(mut values) = living(&found.item)? else { return Ok(Replaced::Gone) };
        for (name, value) in changes {
            match value {
                Some(value) => values.insert(name.clone(), value.clone()),
                None => values.remove(name),
            };
        }
        let (item, at) = (item(&values, expires), seconds(expires));
        self.run(key, |connection, name| connection.replace(name, &item, at, found.token))
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
        let values = living(&found.item)?;
        if values.is_some() {
            self.remember(key, found);
        }
        Ok(values)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        expires: SystemTime,
    ) -> Result<Committed, StoreError> {
        match change {
            Change::New(values) => {
                let (item, at) = (item(values, expires), seconds(expires));
                self.run(key, |connection, name| connection.set(name, &item, at))?;
                Ok(Committed::Done)
            }
            Change::Update(changes) => self.update(key, changes, expires),
        }
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.forget(key);
        self.run(key, Connection::delete)
    }
}

/// An item: the expiry in unix milliseconds, a line's end, and the values in
/// `application/x-www-form-urlencoded`. The server's own clock stands still for up to a second.
fn item(values: &Values, expires: SystemTime) -> Vec<u8> {
    let item = format!("{}\n", unix_milliseconds(expires));
    let end = item.len();
    let mut item = Serializer::for_suffix(item, end);
    item.extend_pairs(values);
    item.finish().into_bytes()
}

/// The values of an item that has not expired.
fn living(item: &[u8]) -> Result<Option<Values>, StoreError> {
    let strange = || StoreError::Rejected("the item is no session".into());
    let end = item.iter().position(|byte| *byte == b'\n').ok_or_else(strange)?;
    let expires = str::from_utf8(&item[..end]).ok().and_then(|digits| digits.parse().ok());
    let expires: u64 = expires.ok_or_else(strange)?;
    let values = form_urlencoded::parse(&item[end + 1..]).into_owned();
    Ok((expires > unix_milliseconds(SystemTime::now())).then(|| values.collect()))
}

/// The expiry for the server: unix seconds, rounded up. One in the past is no relative one, so that
/// the item expires at once.
fn seconds(expires: SystemTime) -> u32 {
    let seconds = unix_milliseconds(expires).div_ceil(1000);
    u32::try_from(seconds.max(LAST_RELATIVE + 1)).unwrap_or(u32::MAX)
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore").finish_non_exhaustive()
    }
}
