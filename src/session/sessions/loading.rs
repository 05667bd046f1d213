//! Which cookie is the session.

use std::fmt;

use log::debug;

use super::super::clock::unix_seconds;
use super::super::session::{Loaded, Session};
use super::super::store::{StoreError, Values};
use super::super::user_index::USERNAME;
use super::super::{Outcome, Scheme, payload};
use super::{Sessions, Storage};
use crate::seal::{Header, Opened, Refusal, Version};

/// Cookies of one name that are looked at: a stray one planted beside the visitor's own must not
/// sign anyone out, and a thousand of them must not cost anything.
const MAX_CANDIDATES: usize = 4;

impl Sessions {
    /// The session of the first cookie that opens, or a new one.
    pub(super) fn first_that_opens(
        &self,
        cookie_header: &str,
        scheme: Scheme,
    ) -> Result<Session, StoreError> {
        let now = unix_seconds(self.clock.now());
        let name = self.cookies.name(scheme);
        let mut refused: Option<NotOpened> = None;
        for value in values_of(cookie_header, name).take(MAX_CANDIDATES) {
            match self.open(name, value, now) {
                Ok(opened) => match self.find(&opened)? {
                    Some((loaded, values)) => {
                        return Ok(Session::opened(loaded, values, scheme, now));
                    }
                    None => refused = refused.or(Some(NotOpened::Revoked)),
                },
                Err(refusal) => refused = refused.or(Some(NotOpened::Sealed(refusal))),
            }
        }
        let outcome = refused.map_or(Outcome::New, |refused| {
            debug!(cookie = name, reason:% = refused; "cookie refused");
            refused.outcome()
        });
        Ok(Session::new(outcome, scheme, now))
    }

    fn open(&self, name: &str, value: &str, now: u64) -> Result<Opened, Refusal> {
        let version = match self.storage {
            Storage::Cookie(_) => Version::Values,
            Storage::Store(_) => Version::Stored,
        };
        self.keyring.open(name, value, version, self.settings.lifetimes, now)
    }

    /// The session behind a cookie that opened; none where it was revoked.
    fn find(&self, opened: &Opened) -> Result<Option<(Loaded, Values)>, StoreError> {
        let Header { id, created, sealed, .. } = opened.header;
        if self.is_too_early(created) {
            return Ok(None);
        }
        let values = match &self.storage {
            Storage::Cookie(revoked) if revoked.contains(id) => None,
            Storage::Cookie(_) => Some(payload::decode(opened.payload())),
            Storage::Store(stored) => stored.find(id)?,
        };
        let is_revoked = |values: &Values| {
            values.get(USERNAME).is_some_and(|user| self.is_user_revoked(user, created))
        };
        let values = values.filter(|values| !is_revoked(values));
        let loaded = Loaded { id, created, sealed, key: opened.key, values: None };
        Ok(values.map(|values| (loaded, values)))
    }
}

/// The values of all cookies called `name`; what is no cookie is passed over.
///
/// Around name and value, spaces and tabs are trimmed as browsers do it, and no other space:
/// [`Cookie::parse`] trims all of Unicode's, so that `\u{2000}__Host-…`, which has no prefix to a
/// browser and may be set by any subdomain, would count as the prefixed name.
fn values_of<'h>(cookie_header: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    let trim = |text: &'h str| text.trim_matches([' ', '\t']);
    cookie_header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .filter(move |&(found, _)| trim(found) == name)
        .map(move |(_, value)| trim(value))
}

/// Why a cookie is not the session.
enum NotOpened {
    Sealed(Refusal),
    Revoked,
}

impl NotOpened {
    fn outcome(&self) -> Outcome {
        match self {
            NotOpened::Revoked => Outcome::Revoked,
            NotOpened::Sealed(Refusal::Forged | Refusal::Undecryptable) => Outcome::Forged,
            NotOpened::Sealed(Refusal::Idle | Refusal::TooOld) => Outcome::Expired,
            NotOpened::Sealed(_) => Outcome::Malformed,
        }
    }
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotOpened::Sealed(refusal) => refusal.fmt(f),
            NotOpened::Revoked => f.write_str("its session was ended before"),
        }
    }
}
