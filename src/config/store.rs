//! `SESSION_STORE` and the addresses of stores: where sessions are kept.

use std::fmt;
use std::sync::Arc;

use waxseal::session::Store;

use super::Reader;

const SESSION_STORE: &str = "SESSION_STORE";

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
    /// The store; none is the cookie.
    pub(super) fn store(&mut self) -> Option<ChosenStore> {
        let remedy = "Give cookie, redis, memcached or postgres.";
        let known = |text: &str| {
            ["cookie", "redis", "memcached", "postgres"].into_iter().find(|name| *name == text)
        };
        match self.read(SESSION_STORE, remedy, known)? {
            "redis" => self.redis(),
            "memcached" => self.memcached(),
            "postgres" => self.postgres(),
            _ => None,
        }
    }

    #[cfg(feature = "redis")]
    fn redis(&mut self) -> Option<ChosenStore> {
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
        let store = RedisStore::open(&url, tls);
        self.chosen("redis", "REDIS_URL", store)
    }

    #[cfg(feature = "memcached")]
    fn memcached(&mut self) -> Option<ChosenStore> {
        use waxseal::session::MemcachedStore;
        let names = ["MEMCACHIER_SERVERS", "MEMCACHIER_USERNAME", "MEMCACHIER_PASSWORD"];
        if self.text("MEMCACHED_URL").is_none()
            && let [Some(servers), Some(username), Some(password)] =
                names.map(|name| self.text(name))
        {
            let store = MemcachedStore::open_as(&servers, &username, &password);
            return self.chosen("memcached", names[0], store);
        }
        let url = self.address("memcached", "MEMCACHED_URL", "memcached://localhost:11211")?;
        self.chosen("memcached", "MEMCACHED_URL", MemcachedStore::open(&url))
    }

    #[cfg(feature = "postgres")]
    fn postgres(&mut self) -> Option<ChosenStore> {
        use waxseal::session::PostgresStore;
        let url = self.address("postgres", "DATABASE_URL", "postgres://user@localhost/database")?;
        self.chosen("postgres", "DATABASE_URL", PostgresStore::open(&url))
    }

    #[cfg(not(feature = "redis"))]
    fn redis(&mut self) -> Option<ChosenStore> {
        self.not_built_in("redis")
    }

    #[cfg(not(feature = "memcached"))]
    fn memcached(&mut self) -> Option<ChosenStore> {
        self.not_built_in("memcached")
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(&mut self) -> Option<ChosenStore> {
        self.not_built_in("postgres")
    }

    #[cfg(not(all(feature = "redis", feature = "memcached", feature = "postgres")))]
    fn not_built_in(&mut self, name: &str) -> Option<ChosenStore> {
        let remedy = format!("Build it with `cargo build --release --features {name}`.");
        let found = format!("is {name}, which this waxseal was built without");
        self.fault(SESSION_STORE, found, remedy);
        None
    }

    /// The address in `variable`, which the store `name` cannot do without.
    #[cfg(any(feature = "redis", feature = "memcached", feature = "postgres"))]
    fn address(&mut self, name: &str, variable: &str, example: &str) -> Option<String> {
        let address = self.text(variable);
        if address.is_none() {
            let found = format!("is not set, and SESSION_STORE is {name}");
            self.fault(variable, found, format!("Set it to the server's address: {example}."));
        }
        address
    }

    /// The store that was opened by the address in `variable`, whose errors never show a password.
    #[cfg(any(feature = "redis", feature = "memcached", feature = "postgres"))]
    fn chosen<S: Store + 'static>(
        &mut self,
        name: &'static str,
        variable: &str,
        opened: Result<S, impl fmt::Display>,
    ) -> Option<ChosenStore> {
        match opened {
            Ok(store) => Some(ChosenStore { name, store: Arc::new(store) }),
            Err(error) => {
                let remedy = "Copy it anew from where the server was set up.";
                self.fault(variable, format!("cannot be used: {error}"), remedy);
                None
            }
        }
    }
}
