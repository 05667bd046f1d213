//! How sessions are to be: names, lifetimes, attributes.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use cookie::SameSite;

use super::Secure;
use crate::seal::Lifetimes;

/// Settings of [`Sessions`](super::Sessions). The defaults are safe; a field says where a change
/// adds a risk.
///
/// ```
/// use std::time::Duration;
/// use waxseal::seal::{Keyring, Lifetimes};
/// use waxseal::session::{Sessions, Settings};
///
/// let hour = Duration::from_secs(3600);
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let settings = Settings::default()
///     .with_name("cart")
///     .with_lifetimes(Lifetimes { idle: hour, absolute: 12 * hour });
/// let sessions = Sessions::sealed(keyring).with_settings(settings)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The cookie's name, without the prefix that it gets over HTTPS. Default: `waxseal`.
    pub name: String,
    /// How long a session lives. Default: 7 days idle, 30 days in all.
    pub lifetimes: Lifetimes,
    /// Sessions that began before this are revoked, everywhere and across restarts. Default: none.
    pub not_before: Option<SystemTime>,
    /// Which requests from other sites carry the cookie. `None` lets every site's requests carry
    /// it, needs [`Secure::Always`], and leaves the cross-site check as the only protection.
    /// Default: `Lax`.
    pub same_site: SameSite,
    /// The cookie goes to this host and all below it. Whoever controls one of these can then plant
    /// and read it. Default: only the host that set it.
    pub domain: Option<String>,
    /// The cookie goes to this path and all below it alone; its name by HTTPS then has the prefix `__Secure-`, since
    /// `__Host-` is for the whole host. It parts sites from each other, and protects none: another path's page
    /// can read it. Default: `/`.
    pub path: String,
    /// When the cookie is `Secure`. Default: where the visitor came by HTTPS.
    pub secure: Secure,
    /// A jar of its own under each top-level site that embeds this one; needs [`Secure::Always`].
    /// Default: no.
    pub partitioned: bool,
    /// Many visitors sign in as the same user, as in a demonstration. Their sign-outs are then nobody's:
    /// a user who has too many would pay for it with sessions of others. Default: no.
    pub shared_users: bool,
    /// Sessions are opened, though the sign-outs of other processes are not known yet: a copied cookie
    /// of a session that was signed out may open, at a start while the store of sign-outs is away.
    /// Default: no, such visits fail until the store was reached once.
    pub open_before_learnt: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: "waxseal".to_owned(),
            lifetimes: Lifetimes::default(),
            not_before: None,
            same_site: SameSite::Lax,
            domain: None,
            path: "/".to_owned(),
            secure: Secure::Auto,
            partitioned: false,
            shared_users: false,
            open_before_learnt: false,
        }
    }
}

impl Settings {
    /// The same with another [`name`](Settings::name).
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Settings {
        Settings { name: name.into(), ..self }
    }

    /// The same with other [`lifetimes`](Settings::lifetimes).
    #[must_use]
    pub fn with_lifetimes(self, lifetimes: Lifetimes) -> Settings {
        Settings { lifetimes, ..self }
    }

    /// The same, with all sessions over that began [before this](Settings::not_before).
    #[must_use]
    pub fn with_not_before(self, not_before: SystemTime) -> Settings {
        Settings { not_before: Some(not_before), ..self }
    }

    /// The same with another [`same_site`](Settings::same_site).
    #[must_use]
    pub fn with_same_site(self, same_site: SameSite) -> Settings {
        Settings { same_site, ..self }
    }

    /// The same, for this [`domain`](Settings::domain) and all hosts below it.
    #[must_use]
    pub fn with_domain(self, domain: impl Into<String>) -> Settings {
        Settings { domain: Some(domain.into()), ..self }
    }

    /// The same, for this [`path`](Settings::path) and all below it alone.
    #[must_use]
    pub fn with_path(self, path: impl Into<String>) -> Settings {
        Settings { path: path.into(), ..self }
    }

    /// The same with another [`secure`](Settings::secure).
    #[must_use]
    pub fn with_secure(self, secure: Secure) -> Settings {
        Settings { secure, ..self }
    }

    /// The same with another [`partitioned`](Settings::partitioned).
    #[must_use]
    pub fn with_partitioned(self, partitioned: bool) -> Settings {
        Settings { partitioned, ..self }
    }

    /// The same with another [`shared_users`](Settings::shared_users).
    #[must_use]
    pub fn with_shared_users(self, shared_users: bool) -> Settings {
        Settings { shared_users, ..self }
    }

    /// The same with another [`open_before_learnt`](Settings::open_before_learnt).
    #[must_use]
    pub fn with_open_before_learnt(self, open_before_learnt: bool) -> Settings {
        Settings { open_before_learnt, ..self }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], the first that is found.
    ///
    /// ```
    /// use waxseal::session::{SameSite, Settings, SettingsError};
    ///
    /// let settings = Settings::default().with_same_site(SameSite::None);
    /// assert_eq!(settings.check(), Err(SettingsError::SameSiteNoneNeedsSecure));
    /// ```
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.name.is_empty() || !self.name.bytes().all(is_token_byte) {
            return Err(SettingsError::Name);
        }
        if self.name.starts_with("__") {
            return Err(SettingsError::Prefix);
        }
        if self.domain.as_deref().is_some_and(|domain| !is_domain(domain)) {
            return Err(SettingsError::Domain);
        }
        if !is_path(&self.path) {
            return Err(SettingsError::Path);
        }
        let second = Duration::from_secs(1);
        if self.lifetimes.idle < second || self.lifetimes.absolute < second {
            return Err(SettingsError::Lifetime);
        }
        if self.same_site == SameSite::None && self.secure != Secure::Always {
            return Err(SettingsError::SameSiteNoneNeedsSecure);
        }
        if self.partitioned && self.secure != Secure::Always {
            return Err(SettingsError::PartitionedNeedsSecure);
        }
        Ok(())
    }
}

/// A byte of a token (RFC 9110, section 5.6.2), of which cookie names are made.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A host name: labels of letters, digits and inner hyphens (RFC 1123, section 2.1), no leading dot. Two
/// labels at least: browsers refuse a cookie for `com`.
fn is_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// A path as an attribute of a cookie takes it (RFC 6265, section 4.1.1): visible ASCII without `;`, and from the
/// root on, or browsers would take another.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b';')
}

/// Why [`Settings`] cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// The name is empty or has a character that cookie names may not have.
    Name,
    /// The name begins with `__`, as only the prefixes that browsers know do.
    Prefix,
    /// The domain is no host name, or has one label alone.
    Domain,
    /// The path does not begin with `/`, or has a character that a cookie's attribute may not have.
    Path,
    /// A lifetime is shorter than a second.
    Lifetime,
    /// Browsers drop a cookie with `SameSite=None` that is not always `Secure`.
    SameSiteNoneNeedsSecure,
    /// Browsers drop a `Partitioned` cookie that is not always `Secure`.
    PartitionedNeedsSecure,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SettingsError::Name => {
                "a cookie's name is made of letters, digits and !#$%&'*+-.^_`|~ alone"
            }
            SettingsError::Prefix => {
                "names that begin with __ are the browsers' own; the prefixes are added where they are right"
            }
            SettingsError::Domain => {
                "a cookie's domain is a host name of two labels or more, without a leading dot"
            }
            SettingsError::Path => "a cookie's path begins with / and is visible ASCII without ;",
            SettingsError::Lifetime => "a session lives for a second at least",
            SettingsError::SameSiteNoneNeedsSecure => {
                "browsers drop a SameSite=None cookie unless it is always Secure"
            }
            SettingsError::PartitionedNeedsSecure => {
                "browsers drop a Partitioned cookie unless it is always Secure"
            }
        })
    }
}

impl Error for SettingsError {}
