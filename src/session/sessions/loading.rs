//! Which cookie is the session.

use std::fmt;

use log::debug;

use super::super::clock::unix_seconds;
use super::super::session::{Loaded, Session};
use super::super::store::{StoreError, Values};
use super::super::user_index::USERNAME;
use super::super::{Outcome, Scheme, payload};
use super::{Place, Sessions};
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
        let mut refused: Option<Refused> = None;
        for value in values_of(cookie_header, name).take(MAX_CANDIDATES) {
            match self.open(name, value, now) {
                Ok(opened) => match self.find(&opened)? {
                    Some((loaded, values)) => {
                        return Ok(Session::opened(loaded, values, scheme, now));
                    }
                    None => refused = refused.or(Some(Refused::Revoked)),
                },
                Err(refusal) => refused = refused.or(Some(Refused::Sealed(refusal))),
            }
        }
        let outcome = refused.map_or(Outcome::New, |refused| {
            debug!(cookie = name, reason:% = refused; "cookie refused");
            refused.outcome()
        });
        Ok(Session::new(outcome, scheme, now))
    }

    fn open(&self, name: &str, value: &str, now: u64) -> Result<Opened, Refusal> {
        let version = match self.place {
            Place::Cookie(_) => Version::Values,
            Place::Store(_) => Version::Stored,
        };
        self.keyring.open(name, value, version, self.settings.lifetimes, now)
    }

    /// The session behind a cookie that opened; none where it was revoked.
    fn find(&self, opened: &Opened) -> Result<Option<(Loaded, Values)>, StoreError> {
        let Header { id, created, sealed, .. } = opened.header;
        if self.is_too_early(created) {
            return Ok(None);
        }
        let values = match &self.place {
            Place::Cookie(revoked) if revoked.contains(id) => None,
            Place::Cookie(_) => Some(payload::decode(opened.payload())),
            Place::Store(stored) => stored.find(id)?,
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
enum Refused {
    Sealed(Refusal),
    Revoked,
}

impl Refused {
    fn outcome(&self) -> Outcome {
        match self {
            Refused::Revoked => Outcome::Revoked,
            Refused::Sealed(Refusal::Forged | Refusal::Undecryptable) => Outcome::Forged,
            Refused::Sealed(Refusal::Idle | Refusal::TooOld) => Outcome::Expired,
            Refused::Sealed(_) => Outcome::Malformed,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Sealed(refusal) => refusal.fmt(f),
            Refused::Revoked => f.write_str("its session was ended before"),
        }
    }
}
