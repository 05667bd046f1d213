//! Which cookie is the session.

use std::fmt;

use log::debug;

use super::super::clock::unix_seconds;
use super::super::lifetime::Noted;
use super::super::loaded::{BrowserCookie, Loaded, Other};
use super::super::store::{StoreError, Values};
use super::super::{Outcome, Scheme, payload};
use super::super::{Session, user_of};
use super::{Sessions, Storage};
use crate::seal::{Authentic, Header, Opened, Refusal, Version};

/// Cookies of one name that are looked at: a thousand of them must not cost anything.
const MAX_LOOKED_AT: usize = 16;
/// Cookies of one name that count, of those that a key of ours made. The others are strays, which a
/// host below the same domain can plant: they must not sign anyone out.
const MAX_CANDIDATES: usize = 4;

/// The cookies of one name that came with a request.
#[derive(Default)]
struct Candidates<'k> {
    /// The one that was sealed last of those that a key of ours made.
    newest: Option<Authentic<'k>>,
    /// The others of them.
    others: Vec<Authentic<'k>>,
    /// Why the first of the rest is none of them.
    refusal: Option<Refusal>,
    /// Cookies that no key authenticates.
    forged: u64,
    /// None of the rest may be another process's that this one cannot judge.
    all_dead: bool,
}

impl Sessions {
    /// The session of the cookie that was sealed last, or a new one. What that cookie says decides,
    /// whatever older ones say: where it was signed out, nobody is signed in.
    pub(super) fn newest(
        &self,
        cookie_header: &str,
        scheme: Scheme,
    ) -> Result<Session, StoreError> {
        let now = unix_seconds(self.clock.now());
        let name = self.cookies.name(scheme);
        let Candidates { newest, others, refusal, forged, all_dead } =
            self.candidates(cookie_header, name);
        self.counts.add_forged(forged);
        let others = others.into_iter().map(|other| self.other(other, now)).collect();
        let holds_cookie = newest.is_some() || refusal.is_some();
        let not_opened = match newest {
            None => refusal.map(NotOpened::Sealed),
            Some(newest) => match newest.open(self.version(), self.settings.lifetimes, now) {
                Ok(opened) => match self.check_learnt().and_then(|()| self.find(&opened, now))? {
                    Ok((loaded, values)) => {
                        return Ok(Session::opened(loaded, values, others, scheme, now));
                    }
                    Err(reason) => Some(reason),
                },
                Err(refusal) => Some(NotOpened::Sealed(refusal)),
            },
        };
        let outcome = not_opened.as_ref().map_or(Outcome::New, |reason| {
            debug!(cookie = name, reason:% = reason; "cookie refused");
            reason.outcome()
        });
        let is_dead = all_dead && not_opened.is_some_and(|reason| reason.is_final());
        let cookie = BrowserCookie { is_held: holds_cookie, is_to_go: is_dead };
        Ok(Session::new(outcome, cookie, others, scheme, now))
    }

    fn candidates(&self, cookie_header: &str, name: &str) -> Candidates<'_> {
        let mut found = Candidates { all_dead: true, ..Candidates::default() };
        let mut values = values_of(cookie_header, name);
        for value in values.by_ref().take(MAX_LOOKED_AT) {
            match self.keyring.authenticate(name, value) {
                Ok(authentic) => found.add(authentic),
                Err(refusal) => found.refuse(name, refusal),
            }
            if found.others.len() + 1 == MAX_CANDIDATES {
                break;
            }
        }
        // One that was not looked at may be the visitor's: a removal could hit it.
        found.all_dead &= values.next().is_none();
        found
    }

    /// An older cookie, with the user who signed in by it: its sign-out takes room of that user's share.
    fn other(&self, authentic: Authentic<'_>, now: u64) -> Other {
        let header = authentic.header().clone();
        let opened = match self.storage {
            Storage::Cookie => authentic.open(self.version(), self.settings.lifetimes, now).ok(),
            Storage::Store(_) => None,
        };
        let values = opened.map(|opened| payload::decode(opened.payload()));
        let user = values.and_then(|values| user_of(&values).map(str::to_owned));
        Other { header, user }
    }

    pub(super) fn version(&self) -> Version {
        match self.storage {
            Storage::Cookie => Version::Values,
            Storage::Store(_) => Version::Stored,
        }
    }

    /// The session behind a cookie that opened, or why there is none.
    fn find(
        &self,
        opened: &Opened,
        now: u64,
    ) -> Result<Result<(Loaded, Values), NotOpened>, StoreError> {
        let Header { id, created, sealed, lifetime: sealed_lifetime, .. } = opened.header;
        if self.is_too_early(created) {
            return Ok(Err(NotOpened::Revoked));
        }
        let found = match &self.storage {
            Storage::Cookie => {
                let noted = Noted { lifetime: sealed_lifetime, since: 0 };
                Some((payload::decode(opened.payload()), noted))
            }
            Storage::Store(stored) => stored.find(id, sealed_lifetime)?,
        };
        let Some((values, Noted { lifetime, since })) =
            found.filter(|(values, _)| !self.has_ended(id, values, created))
        else {
            return Ok(Err(NotOpened::Revoked));
        };
        let is_seal_outdated = lifetime != sealed_lifetime;
        if is_seal_outdated {
            // Requests were under way with this cookie when the session got a shorter idle time: it was
            // visited then.
            let sealed = sealed.max(since.min(now));
            let header = Header { lifetime, sealed, ..opened.header.clone() };
            if let Err(refusal) = self.settings.lifetimes.check(&header, now) {
                return Ok(Err(NotOpened::Sealed(refusal)));
            }
        }
        let key = opened.key;
        let loaded = Loaded { id, created, sealed, lifetime, is_seal_outdated, key, values: None };
        Ok(Ok((loaded, values)))
    }
}

/// The values of all cookies called `name`; what is no cookie is passed over.
///
/// Around name and value, spaces and tabs are trimmed as browsers do it, and no other space:
/// [`Cookie::parse`] trims all of Unicode's, so that `\u{2000}__Host-…`, which has no prefix to a
/// browser and may be set by any subdomain, would count as the prefixed name. A value may stand in
/// one pair of quotes (RFC 6265, section 4.1.1).
fn values_of<'h>(cookie_header: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    let trim = |text: &'h str| text.trim_matches([' ', '\t']);
    let unquote = |text: &'h str| {
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        inner.unwrap_or(text)
    };
    cookie_header
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .filter(move |&(found, _)| trim(found) == name)
        .map(move |(_, value)| unquote(trim(value)))
}

impl<'k> Candidates<'k> {
    /// Of two that were sealed in the same second, the one whose session began later is the newer,
    /// and else the one that stands later: browsers send the older first (RFC 6265, section 5.4).
    fn add(&mut self, authentic: Authentic<'k>) {
        let age =
            |authentic: &Authentic<'_>| (authentic.header().sealed, authentic.header().created);
        match &self.newest {
            Some(newest) if age(newest) > age(&authentic) => {
                self.others.push(authentic);
            }
            _ => self.others.extend(self.newest.replace(authentic)),
        }
    }

    fn refuse(&mut self, name: &str, refusal: Refusal) {
        if refusal == Refusal::Forged {
            self.forged += 1;
            debug!(cookie = name; "no key authenticates a cookie");
        }
        self.all_dead &= is_final(refusal);
        self.refusal = self.refusal.or(Some(refusal));
    }
}

/// Whether no process with any keys could open the value, now or later.
fn is_final(refusal: Refusal) -> bool {
    match refusal {
        Refusal::UnknownVersion(_)
        | Refusal::Forged
        | Refusal::OtherVersion(_)
        | Refusal::Future
        | Refusal::Undecryptable => false,
        Refusal::TooLong(_)
        | Refusal::NotBase64url
        | Refusal::TooShort
        | Refusal::CreatedAfterSealed
        | Refusal::Idle
        | Refusal::TooOld
        | Refusal::Payload => true,
    }
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

impl NotOpened {
    /// Whether the cookie is to be cleared at once. One that was revoked is not: while this request
    /// was under way another may have given the browser its successor, which goes by the same name.
    fn is_final(&self) -> bool {
        match self {
            NotOpened::Revoked => false,
            NotOpened::Sealed(refusal) => is_final(*refusal),
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
