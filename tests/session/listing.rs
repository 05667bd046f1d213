//! The sessions of one user, where the store has an index: listed, and ended one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use waxseal::seal::Id;
use waxseal::session::{
    Change, CommitOutcome, Cookie, Key, ManualClock, MemoryStore, Outcome, Reach, Scheme, Session,
    Sessions, Settings, Store, StoreError, UserIndex, UserSession, Values,
};

use super::support::{DAY, HOUR, IDLE, NOW, Site, at, header, keyring};

/// A site whose store has an index.
struct Indexed {
    sessions: Sessions,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl Indexed {
    fn new(settings: Settings) -> Indexed {
        let clock = Arc::new(ManualClock::new(at(NOW)));
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let sessions =
            Sessions::stored(keyring(), Arc::clone(&store)).with_settings(settings).unwrap();
        Indexed { sessions: sessions.with_clock(clock.clone()), store, clock }
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn signed_in(&self, user: &str) -> (Key, String) {
        let mut session = self.load("");
        session.sign_in(&self.sessions.fingerprint(user, b"hash"));
        let cookies = self.save(&mut session).as_ref().map(header).unwrap();
        (Key::of(session.id()), cookies)
    }

    fn load(&self, cookies: &str) -> Session {
        self.sessions.load(cookies, Scheme::Https).unwrap()
    }

    fn save(&self, session: &mut Session) -> Option<Cookie<'static>> {
        self.sessions.save(session).unwrap().into_cookie()
    }

    fn of(&self, user: &str) -> Vec<UserSession> {
        self.sessions.of_user(user).unwrap().expect("the store has an index")
    }

    fn keys(&self, user: &str) -> Vec<Key> {
        self.of(user).iter().map(|session| session.key).collect()
    }
}

#[test]
fn sessions_are_listed_with_their_times_the_last_seen_first() {
    let site = Indexed::new(Settings::default());
    let (first, cookies) = site.signed_in("foo");
    site.wait(HOUR);
    let (second, _) = site.signed_in("foo");
    site.signed_in("bar");
    assert_eq!(site.keys("foo"), [second, first]);
    // A visit counts once a quarter of the idle time is over, as the cookie does.
    site.wait(IDLE / 8);
    assert!(site.save(&mut site.load(&cookies)).is_none());
    assert_eq!(site.keys("foo"), [second, first]);
    site.wait(IDLE / 4);
    assert!(site.save(&mut site.load(&cookies)).is_some());
    let all = site.of("foo");
    assert_eq!([all[0].key, all[1].key], [first, second]);
    let now = NOW + HOUR + IDLE / 8 + IDLE / 4;
    assert_eq!([all[0].begun, all[0].last_seen], [at(NOW), at(now)]);
    assert_eq!([all[1].begun, all[1].last_seen], [at(NOW + HOUR); 2]);
}

#[test]
fn what_is_noted_for_the_list_is_no_value_of_the_session() {
    let site = Indexed::new(Settings::default());
    let (key, cookies) = site.signed_in("foo");
    let noted = site.store.find(&key).unwrap().unwrap();
    assert!(noted.contains_key("_begun") && noted.contains_key("_seen"));
    let mut session = site.load(&cookies);
    assert_eq!((session.get("_begun"), session.get("_seen")), (None, None));
    assert!(!session.is_changed() && site.save(&mut session).is_none());
    // Who is not signed in is in no list.
    let mut anonymous = site.load("");
    anonymous.insert("cart", 1).unwrap();
    site.save(&mut anonymous);
    let record = site.store.find(&Key::of(anonymous.id())).unwrap().unwrap();
    assert_eq!(record.into_keys().collect::<Vec<_>>(), ["cart"]);
}

#[test]
fn what_has_ended_is_not_listed() {
    let site = Indexed::new(Settings::default());
    let (_, idle) = site.signed_in("foo");
    site.wait(IDLE + 1);
    assert_eq!(site.of("foo"), []);
    assert_eq!(site.load(&idle).outcome(), Outcome::Expired);
    let (_, cookies) = site.signed_in("foo");
    let mut session = site.load(&cookies);
    session.destroy();
    site.save(&mut session);
    assert_eq!(site.of("foo"), []);
    site.signed_in("foo");
    assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
    assert_eq!(site.of("foo"), []);
    // What began before its time is over, although the store has it still.
    let not_before = Settings::default().with_not_before(at(NOW + 30 * DAY));
    let site = Indexed::new(not_before);
    let (key, cookies) = site.signed_in("foo");
    assert!(site.store.find(&key).unwrap().is_some());
    assert_eq!((site.of("foo"), site.load(&cookies).outcome()), (vec![], Outcome::Revoked));
}

#[test]
fn fifty_are_listed_and_all_are_ended() {
    let site = Indexed::new(Settings::default());
    let all: Vec<_> = (0..60).map(|_| (site.wait(1), site.signed_in("foo")).1).collect();
    let last: Vec<Key> = all.iter().rev().map(|(key, _)| *key).take(50).collect();
    assert_eq!(site.keys("foo"), last);
    assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
    assert!(all.iter().all(|(key, _)| site.store.find(key).unwrap().is_none()));
}

#[test]
fn one_is_ended_by_its_key_and_only_by_its_own_user() {
    let site = Indexed::new(Settings::default());
    let ((key, phone), (_, desk)) = (site.signed_in("foo"), site.signed_in("foo"));
    assert!(!site.sessions.revoke(&key, "bar").unwrap());
    assert!(!site.sessions.revoke(&Key::of(Id::random()), "foo").unwrap());
    assert_eq!(site.load(&phone).outcome(), Outcome::Valid);
    assert!(site.sessions.revoke(&key, "foo").unwrap());
    assert!(!site.sessions.revoke(&key, "foo").unwrap());
    assert_eq!(site.load(&phone).outcome(), Outcome::Revoked);
    assert_eq!(site.load(&desk).outcome(), Outcome::Valid);
}

/// An index that fails once.
struct Failing {
    store: MemoryStore,
    fails: AtomicBool,
}

impl Store for Failing {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        self.store.find(key)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        life: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        self.store.commit(key, change, life)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.store.delete(key)
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        Some(self)
    }
}

impl UserIndex for Failing {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        self.store.find_by_user(user, names, limit)
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is down".into()));
        }
        self.store.delete_by_user(user)
    }
}

#[test]
fn ending_all_can_be_tried_again_where_it_failed() {
    let store = Failing { store: MemoryStore::default(), fails: AtomicBool::new(true) };
    let sessions = Sessions::stored(keyring(), store);
    let mut session = sessions.load("", Scheme::Https).unwrap();
    session.sign_in(&sessions.fingerprint("foo", b"hash"));
    let cookies = header(&sessions.save(&mut session).unwrap().into_cookie().unwrap());
    let outcome = || sessions.load(&cookies, Scheme::Https).unwrap().outcome();
    assert!(sessions.revoke_user("foo").is_err());
    assert_eq!(outcome(), Outcome::Valid, "nothing was done, and the user is there to see it");
    assert_eq!(sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
    assert_eq!(outcome(), Outcome::Revoked);
}

#[test]
fn without_an_index_nobody_can_tell() {
    for site in Site::both() {
        let mut session = site.load("");
        session.sign_in(&site.sessions.fingerprint("foo", b"hash"));
        let cookies = site.saved(&mut session);
        assert_eq!(site.sessions.of_user("foo").unwrap(), None);
        let key = Key::of(site.load(&cookies).id());
        // The store has the record all the same, and its key is enough to end it.
        let is_stored = site.store.record(&key).is_some();
        assert_eq!(site.sessions.revoke(&key, "foo").unwrap(), is_stored);
    }
}
