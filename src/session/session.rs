//! One visitor's session, as a handler sees it.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use log::warn;

use super::clock::from_unix_seconds;
use super::loaded::{BrowserCookie, Loaded, Other};
use super::store::{Change, Values};
use super::user_index::{MARK, USERNAME};
use super::{Outcome, Scheme, flashes};
use crate::seal::{Id, SessionLifetime};

/// A map of strings, in key order, that knows whether it changed.
///
/// `username`, which [`Session::sign_in`] sets, and names that begin with `_` are Waxseal's own: they can be read,
/// and not written.
///
/// See the [module](super) for an example. `Debug` shows names and no value.
pub struct Session {
    pub(super) id: Id,
    /// Unix seconds.
    pub(super) created: u64,
    pub(super) values: Values,
    /// The lifetime that it was given since it was loaded.
    pub(super) new_lifetime: Option<SessionLifetime>,
    /// What [`Sessions::load`](super::Sessions::load) found; `None` for a session that is new.
    pub(super) loaded: Option<Loaded>,
    pub(super) outcome: Outcome,
    pub(super) cookie: BrowserCookie,
    /// The browser sent a cookie of the name.
    pub(super) came_with_cookie: bool,
    /// Other sessions whose cookies the browser holds under the same name. They end where this one is
    /// renewed or destroyed: without its cookie, one of them would be the session.
    pub(super) others: Vec<Other>,
    /// Some of what saving it ended, other processes do not know yet.
    pub(super) has_pending_sign_out: bool,
    /// It was renewed or destroyed since it was loaded.
    pub(super) ends_others: bool,
    pub(super) scheme: Scheme,
    /// The number of the [`Sessions`](super::Sessions) that loaded it.
    pub(super) loaded_through: u64,
    /// It was saved since its last change, or that was tried.
    pub(super) is_told: bool,
    /// Its values are gone, and are no user's any more: it was destroyed, or another user signed in.
    pub(super) is_emptied: bool,
    /// When it was loaded, in unix seconds.
    now: u64,
}

impl Session {
    /// An empty session that nothing is known of yet.
    pub(super) fn new(
        outcome: Outcome,
        cookie: BrowserCookie,
        others: Vec<Other>,
        scheme: Scheme,
        now: u64,
    ) -> Session {
        Session {
            id: Id::random(),
            created: now,
            values: Values::new(),
            new_lifetime: None,
            loaded: None,
            outcome,
            cookie,
            came_with_cookie: cookie.is_held,
            others,
            has_pending_sign_out: false,
            ends_others: false,
            scheme,
            loaded_through: 0,
            is_told: false,
            is_emptied: false,
            now,
        }
    }

    /// A session that was opened.
    pub(super) fn opened(
        loaded: Loaded,
        values: Values,
        others: Vec<Other>,
        scheme: Scheme,
        now: u64,
    ) -> Session {
        let outcome = if loaded.key > 0 { Outcome::PreviousKey } else { Outcome::Valid };
        Session {
            id: loaded.id,
            created: loaded.created,
            values,
            new_lifetime: None,
            loaded: Some(loaded),
            outcome,
            cookie: BrowserCookie { is_held: true, is_to_go: true },
            came_with_cookie: true,
            others,
            has_pending_sign_out: false,
            ends_others: false,
            scheme,
            loaded_through: 0,
            is_told: false,
            is_emptied: false,
            now,
        }
    }

    /// How loading it went.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Its id: random, new at every sign-in.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// When it began: at its first value, or at the last [`Session::renew`]. Whole seconds.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        from_unix_seconds(self.created)
    }

    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value under `name` as a `T`; `None` where there is none, or where it is no `T`.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// session.insert("items", 3)?;
    /// assert_eq!(session.get_as("items"), Some(3_u32));
    /// assert_eq!(session.get_as::<bool>("items"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn get_as<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Names and values, in key order, without Waxseal's own.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// session.insert("theme", "dark")?;
    /// session.insert("items", 3)?;
    /// assert!(session.iter().eq([("items", "3"), ("theme", "dark")]));
    /// assert_eq!(session.remove("theme"), Some("dark".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .filter(|(name, _)| !is_reserved(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sets the value under `name`.
    ///
    /// # Errors
    ///
    /// [`ReservedName`] where `name` is `username` or begins with `_`.
    pub fn insert(&mut self, name: &str, value: impl ToString) -> Result<(), ReservedName> {
        if is_reserved(name) {
            return Err(ReservedName);
        }
        self.values_mut().insert(name.to_owned(), value.to_string());
        Ok(())
    }

    /// Removes and returns the value under `name`. Waxseal's own stay.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        if is_reserved(name) || !self.values.contains_key(name) {
            return None;
        }
        self.values_mut().remove(name)
    }

    /// Removes everything, waiting flashes too. To sign someone out, [`destroy`](Session::destroy)
    /// it: of a sealed session that is merely cleared, a copied cookie still opens.
    pub fn clear(&mut self) {
        self.values_mut().clear();
    }

    /// Makes a new session of it, with a new id, begun now; the values stay, and so does a lifetime of its
    /// own, which counts anew. The old id is revoked when the session is saved.
    ///
    /// [`Session::sign_in`] does it. Who does without that calls it at every sign-in, once the
    /// password was found right, and nowhere else: a cookie that somebody planted before (session
    /// fixation) is then worth nothing. Unlike other changes, it holds even where the old id was
    /// signed out while the request was under way: the password was right, and a form that was sent
    /// twice signs in twice.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// let before = session.id();
    /// session.renew();
    /// assert_ne!(session.id(), before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn renew(&mut self) {
        self.is_told = false;
        self.id = Id::random();
        self.created = self.now;
        self.ends_others = true;
    }

    /// Ends it: the values are gone, and when it is saved, the browser's cookie is removed and the
    /// id revoked, so that a copy of the cookie is dead too.
    ///
    /// What is put in afterwards (a flash, say) begins a new session.
    pub fn destroy(&mut self) {
        self.empty();
        self.renew();
        self.new_lifetime = Some(SessionLifetime::default());
        self.cookie.is_to_go = self.cookie.is_held;
    }

    /// Whether saving it ended a session, and the other processes that share their sign-outs
    /// ([`Sessions::with_revocations`](super::Sessions::with_revocations)) could not be told yet. The
    /// sign-out holds in this process, and there as soon as the store is back; it is lost if this process
    /// dies before. Whoever signed out should read that.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// # session.insert("theme", "dark")?;
    /// # sessions.save(&mut session)?;
    /// session.destroy();
    /// sessions.save(&mut session)?;
    /// let text = match session.has_pending_sign_out() {
    ///     true => "You are signed out. Elsewhere it may take a while.",
    ///     false => "You are signed out.",
    /// };
    /// assert_eq!(text, "You are signed out.");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn has_pending_sign_out(&self) -> bool {
        self.has_pending_sign_out
    }

    /// Whether its values or its lifetime differ from what was loaded.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        match &self.loaded {
            Some(loaded) => {
                self.is_lifetime_changed()
                    || loaded.values.as_ref().is_some_and(|before| *before != self.values)
            }
            None => !self.values.is_empty(),
        }
    }

    /// Undoes what the handler of a page changed that was not shown in the end, but for what must hold: who is
    /// signed in and for how long, the id, and flashes that were left.
    pub(super) fn keep_what_must_hold(&mut self) {
        let nothing = Values::new();
        let before = match &self.loaded {
            Some(loaded) => loaded.values.as_ref().unwrap_or(&self.values),
            None => &nothing,
        };
        let mut kept = if self.is_emptied { Values::new() } else { before.clone() };
        kept.extend(flashes::new_ones(&self.values, before));
        for name in [USERNAME, MARK] {
            if let Some(value) = self.values.get(name) {
                kept.insert(name.to_owned(), value.clone());
            }
        }
        *self.values_mut() = kept;
        self.bound_flashes();
        if !self.ends_others {
            self.new_lifetime = None;
        }
    }

    /// Whether a store has no record of it under its id yet.
    pub(super) fn is_new(&self) -> bool {
        self.loaded.is_none() || self.is_renewed()
    }

    /// Whether its id is another than the one that was loaded.
    pub(super) fn is_renewed(&self) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| loaded.id != self.id)
    }

    /// What a store needs to be told.
    pub(super) fn change(&self) -> Change {
        match &self.loaded {
            Some(loaded) if loaded.id == self.id => {
                Change::between(loaded.values.as_ref().unwrap_or(&self.values), &self.values)
            }
            _ => Change::New(self.values.clone()),
        }
    }

    /// The values to write to; what was loaded is kept aside at the first call.
    pub(super) fn values_mut(&mut self) -> &mut Values {
        self.is_told = false;
        if let Some(loaded) = &mut self.loaded {
            loaded.values.get_or_insert_with(|| self.values.clone());
        }
        &mut self.values
    }
}

impl Drop for Session {
    /// Tells of a change that is lost.
    fn drop(&mut self) {
        if !self.is_told && (self.is_changed() || self.is_renewed()) && !std::thread::panicking() {
            warn!(
                "a session was changed and not saved; call Sessions::save, or use Sessions::handle"
            );
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("outcome", &self.outcome)
            .field("names", &self.values.keys())
            .finish_non_exhaustive()
    }
}

fn is_reserved(name: &str) -> bool {
    name == USERNAME || name.starts_with('_')
}

/// `username` and names that begin with `_` are Waxseal's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReservedName;

impl fmt::Display for ReservedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("username, and names of values that begin with _, are reserved")
    }
}

impl Error for ReservedName {}
