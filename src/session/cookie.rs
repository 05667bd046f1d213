//! The cookie's name and attributes, by how the visitor came.

use cookie::time::Duration;
use cookie::{Cookie, SameSite};

use super::Settings;

/// How the visitor came.
///
/// ```
/// use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
///
/// let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
/// let name = |scheme| -> Result<String, Box<dyn std::error::Error>> {
///     let mut session = sessions.load("", scheme)?;
///     session.insert("visits", 1)?;
///     Ok(sessions.save(&mut session)?.into_cookie().unwrap().name().to_owned())
/// };
/// assert_eq!(name(Scheme::Http)?, "waxseal");
/// assert_eq!(name(Scheme::Https)?, "__Host-waxseal");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS, here or at a trusted proxy.
    Https,
}

/// When cookies carry `Secure`, and with it the prefix of their name.
///
/// ```
/// use waxseal::session::{SameSite, Secure, Settings};
///
/// // For a site that is shown inside pages of other sites.
/// let embedded = Settings::default().with_secure(Secure::Always).with_same_site(SameSite::None);
/// assert!(embedded.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secure {
    /// Where the visitor came by HTTPS.
    #[default]
    Auto,
    /// Always: behind a proxy that does not tell the scheme. Over plain HTTP browsers then drop
    /// the cookie.
    Always,
    /// Never: the session can be read off the wire and planted. For tests on a private network.
    Never,
}

/// The most removals for one host, which may have many labels.
const MOST_LEFTOVERS: usize = 8;

/// Makes and names cookies.
pub(super) struct CookieMaker {
    bare_name: String,
    secure_name: String,
    domain: Option<String>,
    path: String,
    same_site: SameSite,
    secure: Secure,
    partitioned: bool,
}

impl CookieMaker {
    /// `settings` have been checked.
    pub(super) fn new(settings: &Settings) -> CookieMaker {
        let is_for_host = settings.domain.is_none() && settings.path == "/";
        let prefix = if is_for_host { "__Host-" } else { "__Secure-" };
        CookieMaker {
            bare_name: settings.name.clone(),
            secure_name: format!("{prefix}{}", settings.name),
            domain: settings.domain.clone(),
            path: settings.path.clone(),
            same_site: settings.same_site,
            secure: settings.secure,
            partitioned: settings.partitioned,
        }
    }

    fn is_secure(&self, scheme: Scheme) -> bool {
        match self.secure {
            Secure::Auto => scheme == Scheme::Https,
            Secure::Always => true,
            Secure::Never => false,
        }
    }

    /// The one name that is read and written for visitors who came this way.
    pub(super) fn name(&self, scheme: Scheme) -> &str {
        if self.is_secure(scheme) { &self.secure_name } else { &self.bare_name }
    }

    /// A cookie that lives for `max_age` seconds, or until the browser is closed.
    pub(super) fn make(
        &self,
        scheme: Scheme,
        value: String,
        max_age: Option<u64>,
    ) -> Cookie<'static> {
        let mut cookie = Cookie::new(self.name(scheme).to_owned(), value);
        cookie.set_path(self.path.clone());
        cookie.set_http_only(true);
        cookie.set_same_site(self.same_site);
        if let Some(seconds) = max_age {
            cookie.set_max_age(Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)));
        }
        if self.is_secure(scheme) {
            cookie.set_secure(true);
        }
        if self.partitioned {
            cookie.set_partitioned(true);
        }
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }

    /// An empty, expired cookie with the same name, path and domain: the browser forgets its own.
    pub(super) fn removal(&self, scheme: Scheme) -> Cookie<'static> {
        let mut cookie = self.make(scheme, String::new(), Some(0));
        cookie.make_removal();
        cookie
    }

    /// Removals of what browsers keep under the same name for `host` beside the cookie itself: the one for this
    /// host alone, and those for each domain from the host up to the cookie's. None where the cookie is for
    /// its host alone, or where `host` is not below its domain.
    pub(super) fn leftovers(&self, scheme: Scheme, host: &str) -> Vec<Cookie<'static>> {
        let Some(domain) = &self.domain else { return Vec::new() };
        let is_port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
        let host = host.rsplit_once(':').filter(is_port).map_or(host, |(host, _)| host);
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let Some(below) = host.strip_suffix(&domain.to_ascii_lowercase()) else {
            return Vec::new();
        };
        if !below.is_empty() && !below.ends_with('.') {
            return Vec::new();
        }
        let mut removals = vec![self.removal_of(scheme, None)];
        let mut rest = host.as_str();
        while rest.len() > domain.len() && removals.len() < MOST_LEFTOVERS {
            removals.push(self.removal_of(scheme, Some(rest)));
            rest = rest.split_once('.').map_or("", |(_, rest)| rest);
        }
        removals
    }

    fn removal_of(&self, scheme: Scheme, domain: Option<&str>) -> Cookie<'static> {
        let mut cookie = self.removal(scheme);
        match domain {
            Some(domain) => cookie.set_domain(domain.to_owned()),
            None => cookie.unset_domain(),
        }
        cookie
    }
}
