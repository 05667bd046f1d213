//! Loading sessions from a `Cookie` header, saving them into a `Set-Cookie`.

mod administration;
mod handling;
mod loading;
mod revoking;
mod saving;
mod stored;
mod users;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cookie::Cookie;

pub use self::administration::{
    Administration, CannotList, LARGEST_PAGE, SessionEntry, SessionPage,
};
pub use self::handling::HandleError;
use self::stored::Stored;
use super::clock::unix_seconds;
use super::cookie::CookieMaker;
use super::revocations::{List, RevocationStatus, Revocations, Sharing};
use super::session::Session;
use super::store::{Store, StoreError};
use super::{Clock, Counts, Health, Scheme, Settings, SettingsError, SystemClock};
use crate::seal::{Fingerprint, Keyring};

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

    /// Whether sessions that began at `created` are over, by the settings.
    fn is_too_early(&self, created: u64) -> bool {
        self.settings.not_before.is_some_and(|not_before| created < unix_seconds(not_before))
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
