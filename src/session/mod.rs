//! Sessions: what a site remembers of a visitor from one request to the next.
//!
//! [`Sessions`] loads a [`Session`] from a `Cookie` header and, when something is due, saves it
//! into a `Set-Cookie`. The values are sealed into the cookie itself ([`Sessions::sealed`]), or
//! kept in a [`Store`] under the SHA-256 of an id that the cookie carries ([`Sessions::stored`]).
//!
//! ```
//! use waxseal::seal::Keyring;
//! use waxseal::session::{Outcome, Scheme, Sessions};
//!
//! let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
//!
//! // A first visit: no cookie, an empty session.
//! let mut session = sessions.load("", Scheme::Https)?;
//! assert_eq!(session.outcome(), Outcome::New);
//! let credential = sessions.fingerprint("foo", b"the stored hash of foo's password");
//! session.sign_in(&credential);
//! let cookie = sessions.save(&mut session)?.into_cookie().expect("a change is due");
//! assert!(cookie.to_string().starts_with("__Host-waxseal="));
//!
//! // The next one brings the cookie back.
//! let cookies = format!("{}={}; theme=dark", cookie.name(), cookie.value());
//! let mut session = sessions.load(&cookies, Scheme::Https)?;
//! assert_eq!(session.user(), Some("foo"));
//! assert!(session.confirm(&credential), "foo still has that password");
//! assert!(sessions.save(&mut session)?.into_cookie().is_none(), "nothing changed, nothing is due");
//!
//! // Signing out: the copied cookie is dead too.
//! session.destroy();
//! assert_eq!(sessions.save(&mut session)?.into_cookie().unwrap().value(), "");
//! assert_eq!(sessions.load(&cookies, Scheme::Https)?.outcome(), Outcome::Revoked);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(any(feature = "redis", feature = "memcached"))]
mod address;
mod breaker;
mod circuit;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cookie;
mod counts;
mod flashes;
mod health;
#[cfg(feature = "json")]
mod json;
mod lifetime;
mod listing;
mod loaded;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
mod outcome;
mod payload;
#[cfg(any(
    test,
    feature = "redis",
    feature = "memcached",
    feature = "postgres",
    feature = "sqlite"
))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod reaper;
#[cfg(any(feature = "memcached", feature = "sqlite"))]
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "postgres")]
mod remote;
mod revocations;
mod save_error;
mod saved;
#[allow(clippy::module_inception)] // the folder is the subject, the file is the type
mod session;
mod sessions;
mod settings;
mod signing_in;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod store_settings;
mod user_index;
mod visit;

#[cfg(any(feature = "redis", feature = "memcached"))]
pub use address::AddressError;
pub use breaker::Breaker;
pub use clock::{Clock, ManualClock, SystemClock};
pub use cookie::{Scheme, Secure};
pub use counts::Counts;
pub use flashes::{Flash, FlashTooLong, Level};
pub use health::Health;
#[cfg(feature = "json")]
pub use json::JsonError;
pub use listing::{Counted, Cursor, Listed, ListedRecord, Listing, ParseCursorError};
#[cfg(feature = "memcached")]
pub use memcached::MemcachedStore;
pub use memory::MemoryStore;
pub use outcome::Outcome;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresRevocations, PostgresStore};
#[cfg(feature = "redis")]
pub use redis::{RedisRevocations, RedisStore, Tls};
pub use revocations::{
    Learned, MOST_AT_ONCE, MemoryRevocations, Position, Reach, Revocation, RevocationStatus,
    Revocations,
};
pub use save_error::SaveError;
pub use saved::Saved;
pub use session::{ReservedName, Session};
pub use sessions::{
    Administration, CannotList, HandleError, LARGEST_PAGE, SessionEntry, SessionPage, Sessions,
};
pub use settings::{Settings, SettingsError};
pub use signing_in::user_of;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteRevocations, SqliteStore};
pub use store::{Change, CommitOutcome, Key, ParseKeyError, Store, StoreError, Values};
pub use store_settings::{Prefix, PrefixError, StoreSettings};
pub use user_index::{LAST_SEEN, MARK, USERNAME, UserIndex, UserSession};
pub use visit::{Reply, Visit};

pub use crate::seal::{Fingerprint, SessionLifetime};
pub use ::cookie::{Cookie, SameSite};
