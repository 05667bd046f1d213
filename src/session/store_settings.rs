//! The settings that stores with a server, or a file, have in common.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// Settings of a store. The defaults suit one site with eight workers.
///
/// ```
/// use waxseal::session::StoreSettings;
///
/// let settings = StoreSettings::default().with_prefix("shop:".parse()?);
/// assert_eq!(settings.sessions_per_user, 100);
/// # Ok::<(), waxseal::session::PrefixError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreSettings {
    /// The beginning of the names of keys, or of the table. Default: nothing.
    pub prefix: Prefix,
    /// How many connections there are to each server at most, and so how many calls are under way at
    /// once; one at least. In a server with a fixed pool of threads, half of these: the others can
    /// then go on while the store is down. Default: 4.
    pub connections: usize,
    /// How many sessions a user has at most, in a store with an index of users; one at least. At the
    /// next sign-in the one that was longest unused ends. Default: 100.
    pub sessions_per_user: usize,
}

impl Default for StoreSettings {
    fn default() -> StoreSettings {
        StoreSettings { prefix: Prefix::default(), connections: 4, sessions_per_user: 100 }
    }
}

impl StoreSettings {
    /// The same with another [`prefix`](StoreSettings::prefix).
    #[must_use]
    pub fn with_prefix(self, prefix: Prefix) -> StoreSettings {
        StoreSettings { prefix, ..self }
    }

    /// The same with so many [`connections`](StoreSettings::connections).
    #[must_use]
    pub fn with_connections(self, connections: usize) -> StoreSettings {
        StoreSettings { connections, ..self }
    }

    /// The same with so many [`sessions_per_user`](StoreSettings::sessions_per_user).
    #[must_use]
    pub fn with_sessions_per_user(self, sessions_per_user: usize) -> StoreSettings {
        StoreSettings { sessions_per_user, ..self }
    }
}

/// The beginning of all names in a store, so that several sites can share one: up to 32 letters, digits
/// and `_ - . :`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The longest that an identifier of PostgreSQL has room for, beside our own names.
    const LONGEST: usize = 32;

    /// It, as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        match text.len() <= Prefix::LONGEST && text.bytes().all(is_allowed) {
            true => Ok(Prefix(text.to_owned())),
            false => Err(PrefixError),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A prefix is up to 32 letters, digits and `_ - . :`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrefixError;

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prefix is up to 32 letters, digits and the characters _ - . :")
    }
}

impl Error for PrefixError {}
