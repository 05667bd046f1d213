//! `SESSION_STORE`, `SESSION_REVOCATIONS` and the addresses of stores: where sessions are kept, and through
//! which store processes share their sign-outs.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use waxseal::session::{Prefix, Revocations, Store, StoreSettings};

use super::Reader;

const SESSION_STORE: &str = "SESSION_STORE";
const SESSION_REVOCATIONS: &str = "SESSION_REVOCATIONS";
const STORE_CONNECTIONS: &str = "STORE_CONNECTIONS";
const SESSIONS_PER_USER: &str = "SESSIONS_PER_USER";

const NAMES: [&str; 5] = ["cookie", "redis", "memcached", "postgres", "sqlite"];
const SHARING_NAMES: [&str; 3] = ["redis", "postgres", "sqlite"];
const CONNECTIONS: RangeInclusive<usize> = 1..=128;
const PER_USER: RangeInclusive<usize> = 1..=10_000;

/// A store that was chosen, by an address that can be used; it is not connected to yet.
pub struct ChosenStore {
    /// The operator's name for it.
    pub name: &'static str,
    /// The store itself.
    pub store: Arc<dyn Store>,
}

impl fmt::Debug for ChosenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChosenStore").field(&self.name).finish()
    }
}

/// A store of sign-outs that was chosen, by an address that can be used; it is not connected to yet.
#[derive(Clone)]
pub struct ChosenRevocations {
    /// The operator's name for it.
    pub name: &'static str,
    /// The store itself.
    pub revocations: Arc<dyn Revocations>,
}

impl fmt::Debug for ChosenRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChosenRevocations").field(&self.name).finish()
    }
}

impl Reader {
    /// The store, of which half of the workers may wait at most; none is the cookie. In the
    /// demonstration everybody is the same user, who may have any number of sessions.
    pub(super) fn store(&mut self, workers: usize, is_demo: bool) -> Option<ChosenStore> {
        let remedy = "Give cookie, redis, memcached, postgres or sqlite.";
        let known = |text: &str| NAMES.into_iter().find(|name| *name == text);
        let name = self.read(SESSION_STORE, remedy, known);
        let connections = self.connections(workers);
        let defaults = StoreSettings::default();
        let most = self.number(SESSIONS_PER_USER, defaults.sessions_per_user, PER_USER);
        let sessions_per_user = if is_demo { usize::MAX } else { most };
        let settings = StoreSettings::default()
            .with_prefix(self.prefix())
            .with_connections(connections)
            .with_sessions_per_user(sessions_per_user);
        match name? {
            "redis" => self.redis(&settings),
            "memcached" => self.memcached(&settings),
            "postgres" => self.postgres(&settings),
            "sqlite" => self.sqlite(&settings),
            _ => None,
        }
    }

    /// The store for a command that looks into it: a file that is not there is a mistake, and is not made.
    pub(super) fn store_that_is_there(&mut self) -> Option<ChosenStore> {
        if self.text(SESSION_STORE).as_deref() == Some("sqlite")
            && self.text("SQLITE_PATH").is_some_and(|path| !Path::new(&path).exists())
        {
            let remedy = "Give the path that the server has, and run this on its machine.";
            self.fault("SQLITE_PATH", "names a file that is not there", remedy);
            return None;
        }
        self.store(1, true)
    }

    /// The store through which sign-outs are shared; none where they are not.
    pub(super) fn revocations(&mut self, workers: usize) -> Option<ChosenRevocations> {
        let remedy = "Give redis, postgres or sqlite, or leave it out.";
        let known = |text: &str| SHARING_NAMES.into_iter().find(|name| *name == text);
        let name = self.read(SESSION_REVOCATIONS, remedy, known)?;
        if let Some(store) = self.text(SESSION_STORE).filter(|store| store != "cookie") {
            let found = format!("is {name}, and SESSION_STORE is {store}");
            let remedy = "Leave it out: a store ends sessions for all processes by itself.";
            self.fault(SESSION_REVOCATIONS, found, remedy);
            return None;
        }
        let connections = self.connections(workers);
        let settings =
            StoreSettings::default().with_prefix(self.prefix()).with_connections(connections);
        match name {
            "redis" => self.redis_revocations(&settings),
            "postgres" => self.postgres_revocations(&settings),
            _ => self.sqlite_revocations(&settings),
        }
    }

    fn connections(&mut self, workers: usize) -> usize {
        let half = (workers / 2).max(1);
        self.number(STORE_CONNECTIONS, half, CONNECTIONS).min(half)
    }

    fn prefix(&mut self) -> Prefix {
        let remedy = "Give up to 32 letters, digits and the characters _ - . : alone.";
        self.read("STORE_PREFIX", remedy, |text| text.parse().ok()).unwrap_or_default()
    }

    #[cfg(feature = "redis")]
    fn redis(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        let (url, tls) = self.redis_address(SESSION_STORE)?;
        let store = waxseal::session::RedisStore::open_with(&url, tls, settings);
        self.chosen("redis", "REDIS_URL", store)
    }

    #[cfg(feature = "redis")]
    fn redis_revocations(&mut self, settings: &StoreSettings) -> Option<ChosenRevocations> {
        let (url, tls) = self.redis_address(SESSION_REVOCATIONS)?;
        let opened = waxseal::session::RedisRevocations::open_with(&url, tls, settings);
        let revocations = Arc::new(self.opened("REDIS_URL", opened)?);
        Some(ChosenRevocations { name: "redis", revocations })
    }

    #[cfg(feature = "redis")]
    fn redis_address(&mut self, chooser: &str) -> Option<(String, waxseal::session::Tls)> {
        use waxseal::session::Tls;
        let insecure = self.switch("REDIS_TLS_INSECURE", false);
        let tls = if insecure { Tls::Unverified } else { Tls::Verified };
        let url = self.address(chooser, "redis", "REDIS_URL", "redis://localhost:6379")?;
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
        Some((url, tls))
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
        let url = self.address(
            SESSION_STORE,
            "memcached",
            "MEMCACHED_URL",
            "memcached://localhost:11211",
        )?;
        self.chosen("memcached", "MEMCACHED_URL", MemcachedStore::open_with(&url, settings))
    }

    #[cfg(feature = "postgres")]
    fn postgres(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        let url = self.postgres_address(SESSION_STORE)?;
        let store = waxseal::session::PostgresStore::open_with(&url, settings);
        self.chosen("postgres", "DATABASE_URL", store)
    }

    #[cfg(feature = "postgres")]
    fn postgres_revocations(&mut self, settings: &StoreSettings) -> Option<ChosenRevocations> {
        let url = self.postgres_address(SESSION_REVOCATIONS)?;
        let opened = waxseal::session::PostgresRevocations::open_with(&url, settings);
        let revocations = Arc::new(self.opened("DATABASE_URL", opened)?);
        Some(ChosenRevocations { name: "postgres", revocations })
    }

    #[cfg(feature = "postgres")]
    fn postgres_address(&mut self, chooser: &str) -> Option<String> {
        let example = "postgres://user@localhost/database";
        let url = self.address(chooser, "postgres", "DATABASE_URL", example)?;
        let says_how = url.contains("sslmode=") || self.text("PGSSLMODE").is_some();
        if !says_how && leads_elsewhere(&url) {
            self.warnings.push(
                "DATABASE_URL leads to another machine and says nothing of sslmode: the connection may \
                 be in the clear; add ?sslmode=require, or verify-full with sslrootcert"
                    .into(),
            );
        }
        Some(url)
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(&mut self, settings: &StoreSettings) -> Option<ChosenStore> {
        let path = self.sqlite_path(SESSION_STORE)?;
        let store = waxseal::session::SqliteStore::open_with(&path, settings);
        self.chosen("sqlite", "SQLITE_PATH", store)
    }

    #[cfg(feature = "sqlite")]
    fn sqlite_revocations(&mut self, settings: &StoreSettings) -> Option<ChosenRevocations> {
        let path = self.sqlite_path(SESSION_REVOCATIONS)?;
        let opened = waxseal::session::SqliteRevocations::open_with(&path, settings);
        let revocations = Arc::new(self.opened("SQLITE_PATH", opened)?);
        Some(ChosenRevocations { name: "sqlite", revocations })
    }

    #[cfg(feature = "sqlite")]
    fn sqlite_path(&mut self, chooser: &str) -> Option<String> {
        let path =
            self.address(chooser, "sqlite", "SQLITE_PATH", "/var/lib/waxseal/sessions.db")?;
        if self.text("DYNO").is_some() {
            self.warnings.push(
                "SQLITE_PATH is on the disk of a dyno, which is lost every day and shared with no \
                 other: use another store"
                    .into(),
            );
        }
        Some(path)
    }

    #[cfg(not(feature = "redis"))]
    fn redis(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in(SESSION_STORE, "redis")
    }

    #[cfg(not(feature = "redis"))]
    fn redis_revocations(&mut self, _: &StoreSettings) -> Option<ChosenRevocations> {
        self.not_built_in(SESSION_REVOCATIONS, "redis")
    }

    #[cfg(not(feature = "memcached"))]
    fn memcached(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in(SESSION_STORE, "memcached")
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in(SESSION_STORE, "postgres")
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres_revocations(&mut self, _: &StoreSettings) -> Option<ChosenRevocations> {
        self.not_built_in(SESSION_REVOCATIONS, "postgres")
    }

    #[cfg(not(feature = "sqlite"))]
    fn sqlite(&mut self, _: &StoreSettings) -> Option<ChosenStore> {
        self.not_built_in(SESSION_STORE, "sqlite")
    }

    #[cfg(not(feature = "sqlite"))]
    fn sqlite_revocations(&mut self, _: &StoreSettings) -> Option<ChosenRevocations> {
        self.not_built_in(SESSION_REVOCATIONS, "sqlite")
    }

    #[cfg(not(all(
        feature = "redis",
        feature = "memcached",
        feature = "postgres",
        feature = "sqlite"
    )))]
    fn not_built_in<T>(&mut self, variable: &str, name: &str) -> Option<T> {
        let remedy = format!("Build it with `cargo build --release --features {name}`.");
        let found = format!("is {name}, which this waxseal was built without");
        self.fault(variable, found, remedy);
        None
    }

    /// The address in `variable`, which the store `name` cannot do without, that `chooser` names.
    #[cfg(any(feature = "redis", feature = "memcached", feature = "postgres", feature = "sqlite"))]
    fn address(
        &mut self,
        chooser: &str,
        name: &str,
        variable: &str,
        example: &str,
    ) -> Option<String> {
        let address = self.text(variable);
        if address.is_none() {
            let found = format!("is not set, and {chooser} is {name}");
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
        let store = Arc::new(self.opened(variable, opened)?);
        Some(ChosenStore { name, store })
    }

    #[cfg(any(feature = "redis", feature = "memcached", feature = "postgres", feature = "sqlite"))]
    fn opened<T>(&mut self, variable: &str, opened: Result<T, impl fmt::Display>) -> Option<T> {
        let remedy = "Correct it, or copy it anew from where the store was set up.";
        opened
            .map_err(|error| self.fault(variable, format!("cannot be used: {error}"), remedy))
            .ok()
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
