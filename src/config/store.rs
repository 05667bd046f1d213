//! `SESSION_STORE` and the addresses of stores: where sessions are kept.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use waxseal::session::{Prefix, Store, StoreSettings};

use super::Reader;

const SESSION_STORE: &str = "SESSION_STORE";
const STORE_CONNECTIONS: &str = "STORE_CONNECTIONS";
const SESSIONS_PER_USER: &str = "SESSIONS_PER_USER";

const NAMES: [&str; 5] = ["cookie", "redis", "memcached", "postgres", "sqlite"];
const CONNECTIONS: RangeInclusive<usize> = 1..=128;
const PER_USER: RangeInclusive<usize> = 1..=10_000;

/// A store that was chosen, by an address that can be used; it is not connected to yet.
pub struct ChosenStore {
    /// What the operator calls it.
    pub name: &'static str,
    /// The store itself.
    pub store: Arc<dyn Store>,
}

impl fmt::Debug for ChosenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChosenStore").field(&self.name).finish()
    }
}

impl Reader {
    /// The store, of which half of the workers may wait at most; none is the cookie. In the
    /// demonstration everybody is the same user, who may have any number of sessions.
    pub(super) fn store(&mut self, workers: usize, is_demo: bool) -> Option<ChosenStore> {
        let remedy = "Give cookie, redis, memcached, postgres or sqlite.";
        let known = |text: &str| NAMES.into_iter().find(|name| *name == text);
        let name = self.read(SESSION_STORE, remedy, known);
        let half = (workers / 2).max(1);
        let connections = self.number(STORE_CONNECTIONS, half, CONNECTIONS).min(half);
        let defaults = StoreSettings::default();
        let most = self.number(SESSIONS_PER_USER, defaults.sessions_per_user, PER_USER);
        let sessions_per_user = if is_demo { usize::MAX } else { most };
        let settings = StoreSettings { prefix: self.prefix(), connections, sessions_per_user };
        match name? {
            "redis" => self.redis(&settings),
            "memcached" => self.memcached(&settings),
            "postgres" => self.postgres(&settings),
            "sqlite" => self.sqlite(&settings),
            _ => None,
        }
    }

    fn prefix(&mut self) -> Prefix {
        let remedy = "Give up to 32 letters, digits and the characters _ - . : alone.";
        self.read("STORE_PREFIX", remedy, |text| text.parse().ok()).unwrap_or_default()
    }

    #[cfg(feature = "redis")]
    fn redis(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        use waxseal::session::{RedisStore, Tls};
        let insecure = self.switch("REDIS_TLS_INSECURE", false);
        let tls = if insecure { Tls::Unverified } else { Tls::Verified };
        let url = self.address("redis", "REDIS_URL", "redis://localhost:6379")?;
        if insecure {
            self.warnings.push(
                "REDIS_TLS_INSECURE: any server that answers at REDIS_URL is taken for Redis"
                    .into(),
            );
        }
        if !url.starts_with("rediss") && leads_elsewhere(&url) {
            self.warnings.push(
                "REDIS_URL leads to another machine, and sessions go there in the clear: where the \
                 network is not your own, use rediss://"
                    .into(),
            );
        }
        let store = RedisStore::open_with(&url, tls, settings);
        self.chosen("redis", "REDIS_URL", store)
    }

    #[cfg(feature = "memcached")]
    fn memcached(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        use waxseal::session::MemcachedStore;
        let names = ["MEMCACHIER_SERVERS", "MEMCACHIER_USERNAME", "MEMCACHIER_PASSWORD"];
        if self.text("MEMCACHED_URL").is_none()
            && let [Some(servers), Some(username), Some(password)] =
                names.map(|name| self.text(name))
        {
            let store = MemcachedStore::open_as(&servers, &username, &password, settings);
            return self.chosen("memcached", names[0], store);
        }
        let url = self.address("memcached", "MEMCACHED_URL", "memcached://localhost:11211")?;
        self.chosen("memcached", "MEMCACHED_URL", MemcachedStore::open_with(&url, settings))
    }

    #[cfg(feature = "postgres")]
    fn postgres(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        use waxseal::session::PostgresStore;
        let url = self.address("postgres", "DATABASE_URL", "postgres://user@localhost/database")?;
        let says_how = url.contains("sslmode=") || self.text("PGSSLMODE").is_some();
        if !says_how && leads_elsewhere(&url) {
            self.warnings.push(
                "DATABASE_URL leads to another machine and says nothing of sslmode: the connection may \
                 be in the clear; add ?sslmode=require, or verify-full with sslrootcert"
                    .into(),
            );
        }
        self.chosen("postgres", "DATABASE_URL", PostgresStore::open_with(&url, settings))
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        use waxseal::session::SqliteStore;
        let path = self.address("sqlite", "SQLITE_PATH", "/var/lib/waxseal/sessions.db")?;
        if self.text("DYNO").is_some() {
            self.warnings.push(
                "SQLITE_PATH is on the disk of a dyno, which is lost every day and shared with no \
                 other: use another store"
                    .into(),
            );
        }
        self.chosen("sqlite", "SQLITE_PATH", SqliteStore::open_with(&path, settings))
    }

    #[cfg(not(feature = "redis"))]
    fn redis(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in("redis")
    }

    #[cfg(not(feature = "memcached"))]
    fn memcached(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in("memcached")
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in("postgres")
    }

    #[cfg(not(feature = "sqlite"))]
    fn sqlite(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in("sqlite")
    }

    #[cfg(not(all(
        feature = "redis",
        feature = "memcached",
        feature = "postgres",
        feature = "sqlite"
    )))]
    fn not_built_in(&mut self, name: &str) -> Option<ChosenStore> {
        let remedy = format!("Build it with `cargo build --release --features {name}`.");
        let found = format!("is {name}, which this waxseal was built without");
        self.fault(SESSION_STORE, found, remedy);
        None
    }

    /// The address in `variable`, which the store `name` cannot do without.
    #[cfg(any(feature = "redis", feature = "memcached", feature = "postgres", feature = "sqlite"))]
    fn address(&mut self, name: &str, variable: &str, example: &str) -> Option<String> {
        let address = self.text(variable);
        if address.is_none() {
            let found = format!("is not set, and SESSION_STORE is {name}");
            self.fault(variable, found, format!("Set it to where the store is: {example}."));
        }
        address
    }

    /// The store that was opened by the address in `variable`, whose errors never show a password.
    #[cfg(any(feature = "redis", feature = "memcached", feature = "postgres", feature = "sqlite"))]
    fn chosen<S: Store + 'static>(
        &mut self,
        name: &'static str,
        variable: &str,
        opened: Result<S, impl fmt::Display>,
    ) -> Option<ChosenStore> {
        match opened {
            Ok(store) => Some(ChosenStore { name, store: Arc::new(store) }),
            Err(error) => {
                let remedy = "Correct it, or copy it anew from where the store was set up.";
                self.fault(variable, format!("cannot be used: {error}"), remedy);
                None
            }
        }
    }
}

/// Whether one of the hosts in a URL is another machine, as far as its text tells.
#[cfg(any(feature = "redis", feature = "postgres"))]
fn leads_elsewhere(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let hosts = place.split('/').next().unwrap_or_default();
    let in_query = query.split('&').filter_map(|pair| pair.strip_prefix("host="));
    hosts.split(',').chain(in_query.flat_map(|hosts| hosts.split(','))).any(is_elsewhere)
}

/// Whether a host, with or without a port, is none of this machine: no loopback, and no socket.
#[cfg(any(feature = "redis", feature = "postgres"))]
fn is_elsewhere(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_socket = name.starts_with('/') || name.to_ascii_lowercase().starts_with("%2f");
    let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    !(name.is_empty() || is_socket || is_loopback || name.eq_ignore_ascii_case("localhost"))
}
