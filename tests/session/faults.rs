//! Sessions whose store fails in part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use waxseal::session::{
    Change, CommitOutcome, Health, Key, Level, MemoryStore, Outcome, SaveError, Scheme, Session,
    Sessions, Store, StoreError, Values,
};

use super::support::{Call, DAY, IDLE, Site, header, keyring};

fn is_commit(call: &Call) -> bool {
    matches!(call, Call::Commit(..))
}

#[test]
fn a_visit_that_changes_nothing_is_served_where_its_touch_fails_and_the_next_one_tries_again() {
    let site = Site::stored();
    let cookies = site.foo();
    site.wait(IDLE / 4);
    site.store.fail(is_commit);
    for _ in 0..2 {
        site.store.calls();
        let mut session = site.load(&cookies);
        assert_eq!(session.get("name"), Some("foo"));
        assert_eq!(site.save(&mut session), None, "without a renewed cookie");
        assert_eq!(site.store.calls().len(), 2, "it was tried");
    }
    site.store.fail(|_| false);
    let renewed = site.saved(&mut site.load(&cookies));
    site.wait(IDLE - DAY);
    assert!(site.greets_foo(&renewed) && !site.greets_foo(&cookies));
}

#[test]
fn a_change_that_cannot_be_stored_is_an_error() {
    let site = Site::stored();
    let cookies = site.foo();
    site.wait(IDLE / 4);
    let changes: [fn(&mut Session); 3] = [
        |session| session.insert("a", 1).unwrap(),
        |session| session.flash(Level::Info, "saved").unwrap(),
        Session::renew,
    ];
    for change in changes {
        site.store.fail(is_commit);
        let mut session = site.load(&cookies);
        change(&mut session);
        let saved = site.sessions.save(&mut session);
        assert!(matches!(saved, Err(SaveError::Store(_))), "{saved:?}");
    }
    site.store.fail(|call| matches!(call, Call::Delete(_)));
    let mut session = site.load(&cookies);
    session.destroy();
    assert!(site.sessions.save(&mut session).is_err(), "nor a sign-out");
}

/// Refuses changes when it is told to.
#[derive(Default)]
struct Full {
    store: MemoryStore,
    is_full: AtomicBool,
}

impl Full {
    fn refuse(&self) -> Result<(), StoreError> {
        match self.is_full.load(Ordering::SeqCst) {
            true => Err(StoreError::Rejected("its memory is full".into())),
            false => Ok(()),
        }
    }
}

impl Store for Full {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        self.store.find(key)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        life: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        self.refuse()?;
        self.store.commit(key, change, life)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.refuse()?;
        self.store.delete(key)
    }
}

#[test]
fn that_changes_are_refused_is_known_until_one_is_taken() {
    let store = Arc::new(Full::default());
    let sessions = Sessions::stored(keyring(), Arc::clone(&store));
    let begin = || {
        let mut session = sessions.load("", Scheme::Http).unwrap();
        session.insert("a", 1).unwrap();
        sessions.save(&mut session)
    };
    let cookies = header(&begin().unwrap().into_cookie().unwrap());
    assert_eq!(sessions.health(), Health::Up);
    store.is_full.store(true, Ordering::SeqCst);
    assert!(begin().is_err());
    assert_eq!(sessions.health(), Health::Refuses);
    sessions.load(&cookies, Scheme::Http).unwrap();
    assert_eq!(sessions.health(), Health::Refuses, "to load one tells nothing");
    store.is_full.store(false, Ordering::SeqCst);
    assert!(begin().is_ok());
    assert_eq!(sessions.health(), Health::Up);
    // So is a sign-out that is refused.
    store.is_full.store(true, Ordering::SeqCst);
    let mut session = sessions.load(&cookies, Scheme::Http).unwrap();
    session.destroy();
    assert!(sessions.save(&mut session).is_err());
    assert_eq!(sessions.health(), Health::Refuses);
    assert_eq!(Sessions::sealed(keyring()).health(), Health::Up);
}

/// A store of two servers, by whether the first byte of a key is even: that of the even ones is down.
#[derive(Default)]
struct Halved {
    store: MemoryStore,
    /// Whether it is known already.
    is_known: AtomicBool,
    in_vain: AtomicUsize,
}

impl Store for Halved {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        self.store.find(key)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        life: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        if key.as_bytes()[0].is_multiple_of(2) {
            self.is_known.store(true, Ordering::SeqCst);
            self.in_vain.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("it is down".into()));
        }
        self.store.commit(key, change, life)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.store.delete(key)
    }

    fn takes(&self, key: &Key) -> bool {
        !key.as_bytes()[0].is_multiple_of(2) || !self.is_known.load(Ordering::SeqCst)
    }
}

#[test]
fn a_new_session_gets_an_id_whose_server_is_up() {
    let store = Arc::new(Halved::default());
    let sessions = Sessions::stored(keyring(), Arc::clone(&store));
    let mut kept = Vec::new();
    for _ in 0..64 {
        let mut session = sessions.load("", Scheme::Http).unwrap();
        session.sign_in(&sessions.fingerprint("foo", b"hash"));
        kept.push(header(&sessions.save(&mut session).unwrap().into_cookie().unwrap()));
    }
    assert!(store.in_vain.load(Ordering::SeqCst) <= 1, "it is tried once more, under another id");
    for cookies in &kept {
        let mut session = sessions.load(cookies, Scheme::Http).unwrap();
        assert!(
            session.confirm(&sessions.fingerprint("foo", b"hash")),
            "the mark is bound to that id"
        );
        // One that it has already is kept, and so is where it is.
        let id = session.id();
        session.insert("a", 1).unwrap();
        let _ = sessions.save(&mut session).unwrap();
        assert_eq!(session.id(), id);
        session.renew();
        let renewed = header(&sessions.save(&mut session).unwrap().into_cookie().unwrap());
        assert_eq!(sessions.load(&renewed, Scheme::Http).unwrap().outcome(), Outcome::Valid);
    }
}

/// All servers are down: it is told at once.
#[test]
fn where_no_id_will_do_it_is_an_error_at_once() {
    struct Down;

    impl Store for Down {
        fn find(&self, _: &Key) -> Result<Option<Values>, StoreError> {
            Ok(None)
        }

        fn commit(&self, _: &Key, _: &Change, _: Duration) -> Result<CommitOutcome, StoreError> {
            Err(StoreError::Unavailable("it is down".into()))
        }

        fn delete(&self, _: &Key) -> Result<(), StoreError> {
            Ok(())
        }

        fn takes(&self, _: &Key) -> bool {
            false
        }
    }

    let sessions = Sessions::stored(keyring(), Down);
    let mut session = sessions.load("", Scheme::Http).unwrap();
    session.insert("a", 1).unwrap();
    let began = std::time::Instant::now();
    assert!(matches!(sessions.save(&mut session), Err(SaveError::Store(_))));
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
}
