//! Loading sessions from a `Cookie` header, saving them into a `Set-Cookie`.

mod administration;
mod handling;
mod loading;
mod revoking;
mod stored;
mod users;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cookie::Cookie;
use log::debug;

pub use self::administration::{
    Administration, CannotList, LARGEST_PAGE, SessionEntry, SessionPage,
};
pub use self::handling::HandleError;
use self::stored::Stored;
use super::clock::unix_seconds;
use super::cookie::CookieMaker;
use super::loaded::{BrowserCookie, Loaded};
use super::revocations::{List, RevocationStatus, Revocations, Sharing};
use super::session::Session;
use super::store::{CommitOutcome, Store, StoreError};
use super::{
    Clock, Counts, Health, SaveError, Saved, Scheme, Settings, SettingsError, SystemClock, payload,
};
use crate::seal::{Fingerprint, Header, Keyring, Lifetimes, MAX_COOKIE, STORED_PAYLOAD, Version};

/// How many ids are tried for one whose server is up: of two servers, one is down for all of them once
/// in a million times.
const MAX_IDS: usize = 20;
/// A new session is tried again, under another id, as long as its visitor has not waited for longer.
const PROMPT: Duration = Duration::from_millis(500);

/// The number of the next [`Sessions`] of this process.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// All sessions under one cookie name.
///
/// A site may have several, each with a name and settings of its own; a cookie sealed under one
/// name opens under no other, even with the same keys.
///
/// See the [module](super) for an example.
pub struct Sessions {
    /// Tells these from others.
    number: u64,
    keyring: Arc<Keyring>,
    storage: Storage,
    revoked: Arc<List>,
    sharing: Option<Sharing>,
    settings: Settings,
    cookies: CookieMaker,
    clock: Arc<dyn Clock>,
    counts: Counts,
}

/// Where the values are.
enum Storage {
    Cookie,
    Store(Stored),
}

impl Sessions {
    /// Sessions that are sealed, values and all, into their cookie.
    ///
    /// Signing out revokes a session in the memory of this process, until it restarts. Other processes
    /// learn of it, and remember it, [with a shared store](Sessions::with_revocations).
    #[must_use]
    pub fn sealed(keyring: impl Into<Arc<Keyring>>) -> Sessions {
        Sessions::new(keyring.into(), Storage::Cookie)
    }

    /// Sessions whose cookie carries only their sealed id; the values are in `store`, which is
    /// asked only for ids whose seal opened.
    #[must_use]
    pub fn stored(keyring: impl Into<Arc<Keyring>>, store: impl Store + 'static) -> Sessions {
        let keyring = keyring.into();
        let stored = Stored::new(Arc::clone(&keyring), store);
        Sessions::new(keyring, Storage::Store(stored))
    }

    fn new(keyring: Arc<Keyring>, storage: Storage) -> Sessions {
        let settings = Settings::default();
        let cookies = CookieMaker::new(&settings);
        let counts = Counts::new(keyring.pair_count());
        let (revoked, sharing) = (Arc::default(), None);
        let clock = Arc::new(SystemClock);
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        Sessions { number, keyring, storage, revoked, sharing, settings, cookies, clock, counts }
    }

    /// The same, whose sign-outs hold in all processes that share `store`, and after a restart.
    ///
    /// A visit asks nobody: it looks into a list in memory, which a thread keeps up to date. A sign-out,
    /// and whatever else ends a session, is told to the store before [`Sessions::save`] or
    /// [`Sessions::revoke_user`] returns, and holds in the other processes within a second. What cannot
    /// be told at once ([`Session::has_pending_sign_out`]) holds here at once, and is told as soon as
    /// the store is back. A sign-in asks the store once for what is new.
    ///
    /// Until everything was learnt for the first time, [`Sessions::load`] fails for cookies that would
    /// open, unless [`Settings::open_before_learnt`] says otherwise. The list takes 40 MB at most, for a
    /// million revocations.
    ///
    /// Sessions in a [`Store`] need none of it: it is the store that ends them.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use waxseal::seal::Keyring;
    /// use waxseal::session::{MemoryRevocations, Outcome, Scheme, Sessions};
    ///
    /// // Two processes, with the same keys and the same store.
    /// let store = Arc::new(MemoryRevocations::default());
    /// let process = || {
    ///     let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
    ///     Sessions::sealed(keyring).with_revocations(Arc::clone(&store)).map_err(Box::<dyn std::error::Error>::from)
    /// };
    /// let (one, other) = (process()?, process()?);
    /// # assert!(one.wait_until_learnt(std::time::Duration::from_secs(60)));
    /// # assert!(other.wait_until_learnt(std::time::Duration::from_secs(60)));
    ///
    /// let mut session = one.load("", Scheme::Http)?;
    /// session.insert("theme", "dark")?;
    /// let cookie = one.save(&mut session)?.into_cookie().unwrap().stripped().to_string();
    /// assert_eq!(other.load(&cookie, Scheme::Http)?.outcome(), Outcome::Valid);
    ///
    /// session.destroy();
    /// one.save(&mut session)?;
    /// assert!(!session.has_pending_sign_out());
    /// # std::thread::sleep(std::time::Duration::from_secs(1));
    /// // Within a second:
    /// assert_eq!(other.load(&cookie, Scheme::Http)?.outcome(), Outcome::Revoked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_revocations(self, store: impl Revocations + 'static) -> io::Result<Sessions> {
        let sharing = Sharing::start(store, Arc::clone(&self.revoked), self.terms())?;
        Ok(Sessions { sharing: Some(sharing), ..self })
    }

    /// The same with other settings.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] where they cannot work.
    pub fn with_settings(self, settings: Settings) -> Result<Sessions, SettingsError> {
        settings.check()?;
        Ok(Sessions { cookies: CookieMaker::new(&settings), settings, ..self }.with_terms())
    }

    /// The same by another clock, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Sessions {
        Sessions { clock, ..self }.with_terms()
    }

    /// The session of a visitor who sent this `Cookie` header (empty where there was none; several
    /// lines are joined by `; `).
    ///
    /// Of the cookies of the name that one of the keys made, the one that was sealed last is the
    /// session. Where it does not open, the session is empty and its [`outcome`](Session::outcome)
    /// says why; an older one is not taken instead. Sixteen cookies of the name are looked at, four of
    /// which a key made.
    ///
    /// # Errors
    ///
    /// Never for what the visitor sent: only [`StoreError`], where the store cannot be reached.
    pub fn load(&self, cookie_header: &str, scheme: Scheme) -> Result<Session, StoreError> {
        let mut session = self.newest(cookie_header, scheme)?;
        session.loaded_through = self.number;
        self.counts.add(&session);
        Ok(session)
    }

    /// How the store is, as far as its last calls tell; up where there is none. Where sign-outs are shared,
    /// down until sessions are opened.
    #[must_use]
    pub fn health(&self) -> Health {
        match &self.storage {
            Storage::Cookie if self.check_learnt().is_err() => Health::Down,
            Storage::Cookie => Health::Up,
            Storage::Store(stored) => stored.health(),
        }
    }

    /// The list of sessions that were signed out, and how far those of other processes are known; `None`
    /// where sessions are in a store.
    #[must_use]
    pub fn revocation_status(&self) -> Option<RevocationStatus> {
        match (&self.storage, &self.sharing) {
            (Storage::Store(_), _) => None,
            (Storage::Cookie, Some(sharing)) => Some(sharing.status()),
            (Storage::Cookie, None) => Some(RevocationStatus::unshared(&self.revoked)),
        }
    }

    /// Waits until all sign-outs that other processes shared are known, or the store cannot be reached, no
    /// longer than `patience`; whether they are known. Where none are shared, it does not wait.
    pub fn wait_until_learnt(&self, patience: Duration) -> bool {
        self.sharing.as_ref().is_none_or(|sharing| sharing.wait_until_learnt(patience))
    }

    /// How the loads so far went.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The fingerprint of what `user` signs in with, for [`Session::sign_in`] and
    /// [`Session::confirm`]: of the stored hash of a password, say.
    #[must_use]
    pub fn fingerprint(&self, user: &str, credential: &[u8]) -> Fingerprint {
        self.keyring.fingerprint(user, credential)
    }

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

    /// Whether sessions that began at `created` are over, by the settings.
    fn is_too_early(&self, created: u64) -> bool {
        self.settings.not_before.is_some_and(|not_before| created < unix_seconds(not_before))
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
        loop {
            match self.seal(session, sealed) {
                Err(SaveError::SessionTooLarge { .. }) if session.drop_oldest_flash() => {}
                cookie_or_fault => return cookie_or_fault,
            }
        }
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

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("keyring", &self.keyring)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
