//! Saving a session: what is due, the cookie, and the record in a store.

use std::time::{Duration, Instant};

use cookie::Cookie;
use log::debug;

use super::super::clock::unix_seconds;
use super::super::loaded::{BrowserCookie, Loaded};
use super::super::store::{CommitOutcome, StoreError};
use super::super::{SaveError, Saved, Session, payload};
use super::{Sessions, Storage};
use crate::seal::{Header, Lifetimes, MAX_COOKIE, STORED_PAYLOAD, Version};

/// How many ids are tried for one whose server is up: of two servers, one is down for all of them once
/// in a million times.
const MAX_IDS: usize = 20;
/// A new session is tried again, under another id, as long as its visitor has not waited for longer.
const PROMPT: Duration = Duration::from_millis(500);

impl Sessions {
    /// Saves the session, and tells what that makes due: a cookie to set, or to remove, or nothing.
    /// [`Sessions::handle`] does it by itself.
    ///
    /// Due are: a change; a cookie that can never open again, to be cleared; a session opened with a
    /// previous key, to be sealed anew; a quarter of the idle time gone. An answer that sets a
    /// cookie must not be kept by any cache.
    ///
    /// A cookie that another process may be able to open is left where it is: one from the future, of
    /// keys that this process does not have, of an unknown version or another kind of store. A sign-in
    /// replaces it, and [`Session::destroy`] clears it. Both end the other sessions whose cookies the
    /// browser sent under the same name, too.
    ///
    /// A cookie that was revoked is left where it is: it is dead, and while this request was under
    /// way another may have given the browser its successor, which goes by the same name.
    ///
    /// A session that was signed out since it was loaded is not saved: the slow request's change is
    /// dropped, the sign-out stands.
    ///
    /// A session in which nothing has changed is served as it was loaded where the store fails to extend
    /// it: without a cookie, and the next visit tries again.
    ///
    /// # Errors
    ///
    /// [`SaveError`]. Where the session is too large, nothing was changed; where the store failed, it
    /// may have done its part. Either way the session can be saved again.
    pub fn save(&self, session: &mut Session) -> Result<Saved, SaveError> {
        if session.loaded_through != self.number {
            return Err(SaveError::OtherSessions);
        }
        session.is_told = true;
        // Another process, whose clock is ahead, may have begun the session in our future; a seal
        // older than its session would not open.
        let now = unix_seconds(self.clock.now()).max(session.created);
        if !session.values.is_empty() && !self.is_due(session, now) {
            return Ok(Saved::NOTHING);
        }
        if self.is_over(session, now) {
            session.destroy();
        }
        if session.values.is_empty() {
            return self.end(session);
        }
        if session.is_new() {
            self.begin(session);
        }
        // A session may have begun in a process whose clock is ahead; it is not sealed before that.
        let sealed = now.max(session.created);
        let cookie = match self.seal_and_commit(session, sealed, now) {
            Ok(Some(cookie)) => cookie,
            Ok(None) => return Ok(Saved::NOTHING),
            Err(SaveError::Store(error)) if !session.is_new() && !session.is_changed() => {
                debug!(error:%; "a session was not extended");
                return Ok(Saved::NOTHING);
            }
            Err(error) => return Err(error),
        };
        self.revoke_renewed(session)?;
        self.revoke_others(session)?;
        session.loaded = Some(Loaded {
            id: session.id,
            created: session.created,
            sealed,
            lifetime: session.lifetime(),
            is_seal_outdated: false,
            key: 0,
            values: None,
        });
        session.new_lifetime = None;
        session.is_emptied = false;
        session.cookie = BrowserCookie { is_held: true, is_to_go: true };
        Ok(cookie.into())
    }

    /// A cookie for a session that is committed; none where it has ended meanwhile.
    fn seal_and_commit(
        &self,
        session: &mut Session,
        sealed: u64,
        now: u64,
    ) -> Result<Option<Cookie<'static>>, SaveError> {
        let began = Instant::now();
        self.choose_id(session);
        loop {
            let cookie = self.seal_what_fits(session, sealed)?;
            match self.commit(session, now) {
                Ok(CommitOutcome::Done) => return Ok(Some(cookie)),
                Ok(CommitOutcome::Gone) => return Ok(None),
                // Its server has just been found down, and there are others.
                Err(StoreError::Unavailable(_))
                    if !self.suits(session)
                        && began.elapsed() < PROMPT
                        && self.choose_id(session) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives a new session an id whose record its store is likely to take; whether there was one.
    fn choose_id(&self, session: &mut Session) -> bool {
        for _ in 0..MAX_IDS {
            if self.suits(session) {
                return true;
            }
            session.id = self.fresh_id(session);
        }
        false
    }

    /// Whether the session may have its id: it has it already, or its store is likely to take it.
    fn suits(&self, session: &Session) -> bool {
        match &self.storage {
            Storage::Store(stored) if session.is_new() => stored.takes(session.id),
            _ => true,
        }
    }

    /// Whether a session with values needs a new cookie.
    fn is_due(&self, session: &Session, now: u64) -> bool {
        let Some(loaded) = &session.loaded else { return true };
        let idle = self.lifetimes(session).idle.as_secs();
        session.is_renewed()
            || session.is_changed()
            || loaded.is_seal_outdated
            || loaded.key > 0
            || now.saturating_sub(loaded.sealed) >= idle.div_ceil(4)
    }

    /// Saves a session without values: it has no record and no cookie.
    fn end(&self, session: &mut Session) -> Result<Saved, SaveError> {
        match (&self.storage, &session.loaded) {
            (Storage::Store(stored), Some(loaded)) => stored.delete(loaded.id)?,
            _ => self.revoke_renewed(session)?,
        }
        self.revoke_others(session)?;
        if session.loaded.take().is_some() {
            // Under the old id, what is put in from here on would revive what was just deleted.
            session.renew();
            session.new_lifetime = None;
        }
        if !session.cookie.is_to_go {
            return Ok(Saved::NOTHING);
        }
        session.cookie = BrowserCookie::NONE;
        Ok(self.cookies.removal(session.scheme).into())
    }

    /// The cookie, without the oldest flashes where all of them do not fit.
    fn seal_what_fits(
        &self,
        session: &mut Session,
        sealed: u64,
    ) -> Result<Cookie<'static>, SaveError> {
        let mut cookie = self.seal(session, sealed);
        if let Err(SaveError::SessionTooLarge { .. }) = cookie {
            let before = session.values.clone();
            while matches!(cookie, Err(SaveError::SessionTooLarge { .. }))
                && session.drop_oldest_flash()
            {
                cookie = self.seal(session, sealed);
            }
            if cookie.is_err() {
                *session.values_mut() = before;
            }
            session.is_told = true;
        }
        cookie
    }

    fn seal(&self, session: &Session, sealed: u64) -> Result<Cookie<'static>, SaveError> {
        let (version, payload) = match self.storage {
            Storage::Cookie => (Version::Values, payload::encode(&session.values).into_bytes()),
            Storage::Store(_) => (Version::Stored, STORED_PAYLOAD.to_vec()),
        };
        let lifetime = session.lifetime();
        let header = Header { version, id: session.id, created: session.created, sealed, lifetime };
        let name = self.cookies.name(session.scheme);
        let value = self.keyring.seal(name, &header, &payload);
        let size = name.len() + value.len();
        if size > MAX_COOKIE {
            return Err(SaveError::SessionTooLarge { size, limit: MAX_COOKIE });
        }
        let max_age = self.expires(session, sealed).saturating_sub(sealed);
        let max_age = (!lifetime.ends_with_browser()).then_some(max_age);
        Ok(self.cookies.make(session.scheme, value, max_age))
    }

    /// The settings' lifetimes, or the session's own where they are shorter.
    fn lifetimes(&self, session: &Session) -> Lifetimes {
        self.settings.lifetimes.shortened_by(&session.lifetime())
    }

    /// Whether a session was given a lifetime that is over already.
    fn is_over(&self, session: &Session, now: u64) -> bool {
        let absolute = self.lifetimes(session).absolute.as_secs();
        session.is_lifetime_changed() && now.saturating_sub(session.created) >= absolute
    }

    /// When a session saved now ends unless it is saved again, in unix seconds.
    fn expires(&self, session: &Session, now: u64) -> u64 {
        let lifetimes = self.lifetimes(session);
        let idle = now.saturating_add(lifetimes.idle.as_secs());
        idle.min(session.created.saturating_add(lifetimes.absolute.as_secs()))
    }

    fn commit(&self, session: &Session, now: u64) -> Result<CommitOutcome, StoreError> {
        if self.has_ended(session.id, &session.values, session.created) {
            return Ok(CommitOutcome::Gone);
        }
        match &self.storage {
            Storage::Cookie => Ok(CommitOutcome::Done),
            Storage::Store(stored) => {
                let lifetime = self.expires(session, now).saturating_sub(now);
                stored.commit(session, now, Duration::from_secs(lifetime))
            }
        }
    }
}
