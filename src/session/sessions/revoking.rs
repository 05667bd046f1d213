//! Ending sessions before their time, and getting around what was ended.

use super::super::revocations::{Entry, Marks, Reach, Terms, User};
use super::super::store::{StoreError, Values};
use super::super::{Session, user_of};
use super::{Cookie, Sessions, Storage};
use crate::seal::Id;

impl Sessions {
    /// Ends all sessions of `user` that began before now, this one included.
    ///
    /// In a store with an index of users they are deleted, for all processes. Else it
    /// is remembered in the memory of this process, until it restarts, and in the processes that share
    /// their sign-outs ([`Sessions::with_revocations`]). A new password reaches further: see
    /// [`Session::confirm`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store of the sessions did not do its part. A store of sign-outs that
    /// cannot be reached is no error, but [`Reach::Pending`].
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Outcome, Reach, Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// session.sign_in(&sessions.fingerprint("foo", b"hash of foo's password"));
    /// let cookie = sessions.save(&mut session)?.into_cookie().unwrap();
    /// assert_eq!(sessions.revoke_user("foo")?, Reach::Confirmed);
    /// let session = sessions.load(&cookie.stripped().to_string(), Scheme::Http)?;
    /// assert_eq!(session.outcome(), Outcome::Revoked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revoke_user(&self, user: &str) -> Result<Reach, StoreError> {
        if let Storage::Store(stored) = &self.storage {
            stored.delete_by_user(user)?;
        }
        let terms = self.terms();
        // Another process may have begun a session by a clock that is ahead. One that does not share its
        // sign-outs knows nothing of this, and goes on beginning sessions.
        let last = if self.sharing.is_some() { terms.latest() } else { terms.now() };
        let [a, b, c, d, ..] = Id::random().0;
        Ok(self.end_all(&[Entry::everywhere(User::named(user), last, [a, b, c, d])]))
    }

    /// Removals of other cookies of the session's name that the browser may hold, to be set beside the one that
    /// [`Sessions::save`] returns: those that were set before [`Settings::domain`](super::super::Settings::domain)
    /// was changed, for this `host` alone or for a domain between it and the present one. There are some only
    /// where the browser sent a cookie of the name, and the session was renewed, as by a sign-in, or destroyed.
    ///
    /// ```
    /// # use waxseal::seal::Keyring;
    /// use waxseal::session::{Scheme, Sessions, Settings};
    ///
    /// # let keyring = Keyring::new(b"key", b"0123456789abcdef")?;
    /// let settings = Settings::default().with_domain("example.com");
    /// let sessions = Sessions::sealed(keyring).with_settings(settings)?;
    /// let mut session = sessions.load("__Secure-waxseal=old", Scheme::Https)?;
    /// session.destroy();
    /// sessions.save(&mut session)?;
    /// let removed = sessions.leftovers(&session, "www.example.com");
    /// let domains: Vec<_> = removed.iter().map(|cookie| cookie.domain()).collect();
    /// assert_eq!(domains, [None, Some("www.example.com")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn leftovers(&self, session: &Session, host: &str) -> Vec<Cookie<'static>> {
        match session.ends_others && session.came_with_cookie {
            true => self.cookies.leftovers(session.scheme, host),
            false => Vec::new(),
        }
    }

    /// Whether the session with this id and these values, which began at `created`, was ended.
    pub(super) fn has_ended(&self, id: Id, values: &Values, created: u64) -> bool {
        if user_of(values).is_some_and(|user| self.is_user_revoked(id, user, created)) {
            return true;
        }
        match &self.storage {
            Storage::Cookie => self.revoked.has_ended(id, user_of(values), created),
            Storage::Store(_) => false,
        }
    }

    /// Whether all sessions of `user` that began at `created` were ended, but for those that are spared.
    pub(super) fn is_user_revoked(&self, id: Id, user: &str, created: u64) -> bool {
        self.revoked.has_user_ended(id, user, created)
    }

    /// Begins a session so that no mark of its user ends it.
    pub(super) fn begin(&self, session: &mut Session) {
        let Some(user) = session.user() else { return };
        if let Some(sharing) = &self.sharing {
            sharing.catch_up();
        }
        let Marks { folded, everywhere } = self.revoked.marks(user);
        // Times are whole seconds: in the very second up to which sessions ended, it begins with the next.
        let first = folded.map_or(0, |folded| folded + 1);
        session.created = session.created.max(first);
        if everywhere.is_some_and(|(_, spared)| !session.id.0.ends_with(&spared)) {
            session.id = self.fresh_id(session);
        }
    }

    /// An id that the marks of the session's user spare.
    pub(super) fn fresh_id(&self, session: &Session) -> Id {
        let mut id = Id::random();
        let marks = session.user().map(|user| self.revoked.marks(user));
        if let Some((_, spared)) = marks.and_then(|marks| marks.everywhere) {
            id.0[Id::LEN - spared.len()..].copy_from_slice(&spared);
        }
        id
    }

    /// Revokes the id that a renewed session had before.
    pub(super) fn revoke_renewed(&self, session: &mut Session) -> Result<(), StoreError> {
        let Some(old) = session.loaded.as_ref().filter(|_| session.is_renewed()) else {
            return Ok(());
        };
        let user = user_of(old.values.as_ref().unwrap_or(&session.values));
        let reach = self.end_session(old.id, user, old.created)?;
        session.has_pending_sign_out |= reach == Reach::Pending;
        Ok(())
    }

    /// Revokes the other sessions of the browser, where this one was renewed or destroyed.
    pub(super) fn revoke_others(&self, session: &mut Session) -> Result<(), StoreError> {
        if !session.ends_others {
            return Ok(());
        }
        while let Some(other) = session.others.last() {
            let header = &other.header;
            if header.version == self.version() && header.id != session.id {
                let reach = self.end_session(header.id, other.user.as_deref(), header.created)?;
                session.has_pending_sign_out |= reach == Reach::Pending;
            }
            session.others.pop();
        }
        Ok(())
    }

    /// Ends the session with this id, which began at `created`.
    fn end_session(&self, id: Id, user: Option<&str>, created: u64) -> Result<Reach, StoreError> {
        match &self.storage {
            Storage::Store(stored) => stored.delete(id).map(|()| Reach::Confirmed),
            Storage::Cookie => {
                let user = user.filter(|_| !self.settings.shared_users);
                let user = user.map_or(User::NOBODY, User::named);
                Ok(self.end_all(&[Entry::session(user, id, created)]))
            }
        }
    }

    fn end_all(&self, entries: &[Entry]) -> Reach {
        let terms = self.terms();
        let folds = self.revoked.insert(entries, terms.oldest(), terms.now());
        match &self.sharing {
            Some(sharing) if !sharing.publish(entries, folds) => Reach::Pending,
            _ => Reach::Confirmed,
        }
    }

    /// Whether sessions may be opened: all that others ended is known.
    pub(super) fn check_learnt(&self) -> Result<(), StoreError> {
        match &self.sharing {
            Some(sharing) if !self.settings.open_before_learnt && !sharing.is_learnt() => {
                let cause = "the sign-outs of other processes are not known yet";
                Err(StoreError::Unavailable(cause.into()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn terms(&self) -> Terms {
        let lifetime = self.settings.lifetimes.absolute.as_secs();
        Terms { clock: self.clock.clone(), lifetime }
    }

    /// The same, with the thread that shares sign-outs going by its settings and clock.
    pub(super) fn with_terms(self) -> Sessions {
        if let Some(sharing) = &self.sharing {
            sharing.set_terms(self.terms());
        }
        self
    }
}
