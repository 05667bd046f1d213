//! Sessions in a store: how a record is made of one, and what is noticed of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{error, info};

use super::super::lifetime::Noted;
use super::super::store::{CommitOutcome, Key, Store, StoreError, Values};
use super::super::user_index::{self, MARK, UserIndex};
use super::super::{Health, Listing};
use super::super::{Session, user_of};
use crate::seal::{Id, Keyring, SessionLifetime};

/// A store, with what binds the marks in it.
pub(super) struct Stored {
    store: Box<dyn Store>,
    keyring: Arc<Keyring>,
    /// Whether it refused the last change.
    refuses: AtomicBool,
}

impl Stored {
    pub(super) fn new(keyring: Arc<Keyring>, store: impl Store + 'static) -> Stored {
        Stored { store: Box::new(store), keyring, refuses: AtomicBool::new(false) }
    }

    /// The values of the session with this id, with the mark of the credential as it is in a cookie. It
    /// counts only where it was bound to this id: somebody who can write the store may have put another's
    /// there. Its lifetime is what the record says, which the last of several requests changed, and not what
    /// its cookie says.
    pub(super) fn find(
        &self,
        id: Id,
        sealed: SessionLifetime,
    ) -> Result<Option<(Values, Noted)>, StoreError> {
        let Some(values) = self.store.find(&Key::of(id))? else { return Ok(None) };
        let mut values = user_index::without_notes(values);
        if let Some(mark) = values.remove(MARK).and_then(|bound| self.keyring.unbind(&bound, id)) {
            values.insert(MARK.to_owned(), mark);
        }
        let noted = Noted::take(&mut values, sealed);
        Ok(Some((values, noted)))
    }

    /// Commits what changed of a session, with its mark bound to its id.
    pub(super) fn commit(
        &self,
        session: &Session,
        now: u64,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        let mut change = session.change();
        if let Some(mark) = change.get(MARK) {
            let bound = self.keyring.bind(mark, session.id);
            change.set(MARK, bound);
        }
        if session.is_new() || session.is_lifetime_changed() {
            Noted { lifetime: session.lifetime(), since: now }.write(&mut change);
        }
        if session.user().is_some() && self.users().is_some() {
            user_index::note(&mut change, session.created, now);
        }
        self.noticed(self.store.commit(&Key::of(session.id), &change, lifetime))
    }

    pub(super) fn delete(&self, id: Id) -> Result<(), StoreError> {
        self.noticed(self.store.delete(&Key::of(id)))
    }

    /// Deletes the record under `key`, where it is one of `user`'s; whether it was.
    pub(super) fn delete_if_of(&self, key: &Key, user: &str) -> Result<bool, StoreError> {
        let values = self.store.find(key)?;
        let is_theirs = values.is_some_and(|values| user_of(&values) == Some(user));
        if is_theirs {
            self.noticed(self.store.delete(key))?;
        }
        Ok(is_theirs)
    }

    /// Deletes the record under `key`; whether there was one.
    pub(super) fn delete_key(&self, key: &Key) -> Result<bool, StoreError> {
        let is_there = self.store.find(key)?.is_some();
        if is_there {
            self.noticed(self.store.delete(key))?;
        }
        Ok(is_there)
    }

    /// Deletes all records of `user`, where the store has an index of them; whether it has.
    pub(super) fn delete_by_user(&self, user: &str) -> Result<bool, StoreError> {
        match self.users() {
            Some(users) => self.noticed(users.delete_by_user(user)).map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn users(&self) -> Option<&dyn UserIndex> {
        self.store.users()
    }

    pub(super) fn listing(&self) -> Option<&dyn Listing> {
        self.store.listing()
    }

    /// Whether a new session may have this id.
    pub(super) fn takes(&self, id: Id) -> bool {
        self.store.takes(&Key::of(id))
    }

    pub(super) fn health(&self) -> Health {
        match self.store.health() {
            Health::Up if self.refuses.load(Ordering::Relaxed) => Health::Refuses,
            noticed => noticed,
        }
    }

    /// Takes notice of how a change went; the log tells once that changes are refused.
    pub(super) fn noticed<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        match &done {
            Err(StoreError::Rejected(cause)) if !self.refuses.swap(true, Ordering::Relaxed) => {
                error!(error:% = cause; "the session store refuses changes");
            }
            // To look costs less than to write, which each change would.
            Ok(_)
                if self.refuses.load(Ordering::Relaxed)
                    && self.refuses.swap(false, Ordering::Relaxed) =>
            {
                info!("the session store takes changes again");
            }
            _ => {}
        }
        done
    }
}
