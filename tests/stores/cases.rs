//! What must be so with every store, over its real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use waxseal::seal::{Keyring, Lifetimes};
use waxseal::session::{
    Breaker, CannotList, Change, CommitOutcome, Key, Level, Outcome, Reach, Scheme, Session,
    SessionLifetime, Sessions, Settings, Store, StoreError, StoreSettings, UserIndex, Values,
    conformance,
};

/// All of them. `dump` is everything that the server has, as bytes; `damage` damages the record under a
/// key.
pub fn all<S: Store + 'static>(store: S, dump: impl Fn() -> Vec<u8>, damage: impl Fn(&Key)) {
    let store = Arc::new(store);
    conformance::all(&*store);
    conformance::all(&Breaker::new(Arc::clone(&store), 16));
    conformance::a_damaged_record_is_none(&*store, &damage);
    conformance::a_mark_counts_for_its_own_session_alone(store.clone());
    if let Some(users) = store.users() {
        let StoreSettings { sessions_per_user, .. } = StoreSettings::default();
        conformance::a_user_has_so_many_records(&*store, users, sessions_per_user);
    }
    requests_at_once_keep_both_changes(&store);
    a_slow_request_revives_nothing(&store);
    an_expired_session_is_not_made_anew(&store);
    neither_id_nor_cookie_is_in_the_server(&store, dump);
    calls_are_few(&store);
    a_lifetime_of_its_own_holds(&store);
    a_user_sees_and_ends_their_sessions(&store);
    an_administrator_sees_and_ends_all(&store);
}

fn keyring() -> Keyring {
    Keyring::new(b"an authentication key", b"0123456789abcdef").unwrap()
}

fn sessions<S: Store + 'static>(store: &Arc<S>) -> Sessions {
    Sessions::stored(keyring(), Arc::clone(store))
}

/// A session with a value, and the cookies that bring it back.
fn begun(sessions: &Sessions, user: Option<&str>) -> (Session, String) {
    let mut session = sessions.load("", Scheme::Http).unwrap();
    session.insert("basket", 1).unwrap();
    if let Some(user) = user {
        session.sign_in(&sessions.fingerprint(user, b"hash"));
    }
    let cookie = sessions.save(&mut session).unwrap().into_cookie().expect("a cookie is due");
    (session, cookie.stripped().to_string())
}

/// Two requests load one session, change different values, and save, one after the other.
fn requests_at_once_keep_both_changes<S: Store + 'static>(store: &Arc<S>) {
    let sessions = sessions(store);
    let (_, cookies) = begun(&sessions, None);
    let load = || sessions.load(&cookies, Scheme::Http).unwrap();
    let (mut one, mut other) = (load(), load());
    one.insert("one", 1).unwrap();
    one.remove("basket");
    one.flash(Level::Info, "from one").unwrap();
    other.insert("other", 2).unwrap();
    other.flash(Level::Info, "from the other").unwrap();
    for session in [&mut one, &mut other] {
        assert!(sessions.save(session).unwrap().into_cookie().is_some());
    }
    let mut after = load();
    assert!(after.iter().eq([("one", "1"), ("other", "2")]), "{after:?}");
    let texts: Vec<_> = after.take_flashes().into_iter().map(|flash| flash.text).collect();
    assert_eq!(texts, ["from one", "from the other"]);
}

/// A request loads its session; before it saves, another signs out.
fn a_slow_request_revives_nothing<S: Store + 'static>(store: &Arc<S>) {
    let sessions = sessions(store);
    let end_by_destroying = |cookies: &str| {
        let mut session = sessions.load(cookies, Scheme::Http).unwrap();
        session.destroy();
        let _ = sessions.save(&mut session).unwrap();
    };
    let end_by_renewing = |cookies: &str| {
        let mut session = sessions.load(cookies, Scheme::Http).unwrap();
        session.renew();
        let _ = sessions.save(&mut session).unwrap();
    };
    let end_all = |_: &str| assert_eq!(sessions.revoke_user("slow").unwrap(), Reach::Confirmed);
    let ends: [&dyn Fn(&str); 3] = [&end_by_destroying, &end_by_renewing, &end_all];
    // The records of a user cannot be deleted where there is no index of them.
    let deletes = [true, true, store.users().is_some()];
    for (end, deletes) in ends.into_iter().zip(deletes) {
        let (_, cookies) = begun(&sessions, Some("slow"));
        let mut slow = sessions.load(&cookies, Scheme::Http).unwrap();
        assert_eq!(slow.outcome(), Outcome::Valid);
        slow.insert("late", 1).unwrap();
        end(&cookies);
        assert!(sessions.save(&mut slow).unwrap().into_cookie().is_none(), "nothing is revived");
        let after = sessions.load(&cookies, Scheme::Http).unwrap();
        assert_eq!(after.outcome(), Outcome::Revoked);
        if deletes {
            assert_eq!(store.find(&Key::of(slow.id())).unwrap(), None);
        }
    }
}

/// A request loads its session; before it saves, the record expires.
fn an_expired_session_is_not_made_anew<S: Store + 'static>(store: &Arc<S>) {
    let second = Duration::from_secs(1);
    let lifetimes = Lifetimes { idle: 2 * second, absolute: 1000 * second };
    let settings = Settings::default().with_lifetimes(lifetimes);
    let sessions = sessions(store).with_settings(settings).unwrap();
    let (_, cookies) = begun(&sessions, None);
    let mut slow = sessions.load(&cookies, Scheme::Http).unwrap();
    slow.insert("late", 1).unwrap();
    thread::sleep(Duration::from_millis(3500));
    assert!(sessions.save(&mut slow).unwrap().into_cookie().is_none());
    assert_eq!(store.find(&Key::of(slow.id())).unwrap(), None);
}

fn neither_id_nor_cookie_is_in_the_server<S: Store + 'static>(
    store: &Arc<S>,
    dump: impl Fn() -> Vec<u8>,
) {
    let sessions = sessions(store);
    let (session, cookies) = begun(&sessions, Some("dumped"));
    let dump = dump();
    let key = Key::of(session.id());
    let has = |bytes: &[u8]| dump.windows(bytes.len()).any(|window| window == bytes);
    let is_shown = has(key.to_string().as_bytes()) || has(key.as_bytes());
    assert!(is_shown, "the record is in the dump, under its key");
    assert!(has(b"basket"), "with its values");
    let (_, cookie) = cookies.split_once('=').unwrap();
    let id = session.id().0;
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in [&id[..], digits.as_bytes(), &cookie.as_bytes()[..64]] {
        assert!(!has(secret), "{}", String::from_utf8_lossy(secret));
    }
}

/// Counts calls.
struct Counting<S> {
    store: Arc<S>,
    finds: AtomicUsize,
    writes: AtomicUsize,
}

impl<S: Store> Store for Counting<S> {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        self.finds.fetch_add(1, Ordering::SeqCst);
        self.store.find(key)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        life: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.commit(key, change, life)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.delete(key)
    }

    fn users(&self) -> Option<&dyn UserIndex> {
        self.store.users()
    }
}

/// A forged cookie causes no call; a visit that changes nothing one look, until a quarter of the
/// idle time is over.
fn calls_are_few<S: Store + 'static>(store: &Arc<S>) {
    let counting = Arc::new(Counting {
        store: Arc::clone(store),
        finds: AtomicUsize::new(0),
        writes: AtomicUsize::new(0),
    });
    let calls =
        || (counting.finds.swap(0, Ordering::SeqCst), counting.writes.swap(0, Ordering::SeqCst));
    let idle = Duration::from_secs(8);
    let lifetimes = Lifetimes { idle, absolute: 100 * idle };
    let settings = Settings::default().with_lifetimes(lifetimes);
    let sessions =
        Sessions::stored(keyring(), Arc::clone(&counting)).with_settings(settings).unwrap();
    let (_, cookies) = begun(&sessions, None);
    assert_eq!(calls(), (0, 1), "a new session is written once");

    for at in (cookies.find('=').unwrap() + 1..cookies.len()).step_by(7) {
        let mut forged = cookies.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let mut session = sessions.load(&forged, Scheme::Http).unwrap();
        assert_ne!(session.outcome(), Outcome::Valid);
        let _ = sessions.save(&mut session).unwrap();
    }
    assert_eq!(calls(), (0, 0), "a forged cookie never gets to the store");

    for _ in 0..5 {
        let mut session = sessions.load(&cookies, Scheme::Http).unwrap();
        session.insert("basket", 1).unwrap();
        assert!(sessions.save(&mut session).unwrap().into_cookie().is_none());
    }
    assert_eq!(calls(), (5, 0), "nothing is written where nothing changed");

    thread::sleep(idle / 4 + Duration::from_millis(1100));
    let mut session = sessions.load(&cookies, Scheme::Http).unwrap();
    let renewed =
        sessions.save(&mut session).unwrap().into_cookie().expect("the idle time is extended");
    assert_eq!(calls(), (1, 1));
    let mut session = sessions.load(&renewed.stripped().to_string(), Scheme::Http).unwrap();
    assert!(sessions.save(&mut session).unwrap().into_cookie().is_none());
    assert_eq!(calls(), (1, 0), "once in a quarter of it");
}

/// Of two requests at once, one shortens the lifetime, the other seals the old one; and a record ends with the
/// shorter lifetime.
fn a_lifetime_of_its_own_holds<S: Store + 'static>(store: &Arc<S>) {
    let sessions = sessions(store);
    let load = |cookies: &str| sessions.load(cookies, Scheme::Http).unwrap();
    let hour = SessionLifetime::default().with_idle(Duration::from_secs(3600));
    let two_seconds = SessionLifetime::default().with_idle(Duration::from_secs(2));

    let (mut short, short_cookies) = begun(&sessions, Some("short"));
    short.set_lifetime(two_seconds.until_browser_closes());
    let cookie = sessions.save(&mut short).unwrap().into_cookie().expect("the lifetime is another");
    assert_eq!(cookie.max_age(), None);
    let saved = Instant::now();
    let after = load(&cookie.stripped().to_string());
    // On a machine that is very busy, it has ended already.
    assert!(after.lifetime() == short.lifetime() || saved.elapsed() > Duration::from_secs(1));

    let (_, cookies) = begun(&sessions, None);
    let (mut one, mut other) = (load(&cookies), load(&cookies));
    one.set_lifetime(hour);
    other.insert("other", 2).unwrap();
    sessions.save(&mut one).unwrap().into_cookie().expect("the lifetime is another");
    let cookie = sessions.save(&mut other).unwrap().into_cookie().expect("a value is another");
    for cookies in [cookies, cookie.stripped().to_string()] {
        let mut session = load(&cookies);
        assert_eq!((session.get("other"), session.lifetime()), (Some("2"), hour));
        assert!(session.iter().eq([("basket", "1"), ("other", "2")]));
        assert!(
            sessions.save(&mut session).unwrap().into_cookie().is_some(),
            "the seal says another lifetime"
        );
    }
    let mut session = load(&cookie.stripped().to_string());
    session.set_lifetime(SessionLifetime::default());
    let cookie =
        sessions.save(&mut session).unwrap().into_cookie().expect("the lifetime is another");
    assert_eq!(load(&cookie.stripped().to_string()).lifetime(), SessionLifetime::default());

    thread::sleep(Duration::from_millis(3500).saturating_sub(saved.elapsed()));
    assert_eq!(
        load(&short_cookies).outcome(),
        Outcome::Revoked,
        "the seal lives, the record is gone"
    );
    assert_eq!(load(&cookie.stripped().to_string()).outcome(), Outcome::Valid);
    assert_eq!(store.find(&Key::of(short.id())).unwrap(), None);
}

fn an_administrator_sees_and_ends_all<S: Store + 'static>(store: &Arc<S>) {
    let sessions = sessions(store);
    let Some(listing) = store.listing() else {
        return assert_eq!(sessions.administration().unwrap_err(), CannotList::Store);
    };
    conformance::all_records_are_ended(store, listing);
    let administration = sessions.administration().unwrap();
    assert_eq!(administration.end_all().unwrap(), 0);
    let (signed_in, cookies) = begun(&sessions, Some("foo"));
    let (_, others) = begun(&sessions, Some("foo"));
    let (anonymous, nobodys) = begun(&sessions, None);
    let counts = || (administration.count().unwrap(), administration.count_of("foo").unwrap());
    assert_eq!(counts(), (3, 2));

    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = administration.list(after.as_ref(), 1).unwrap();
        assert!(page.sessions.len() <= 1);
        all.extend(page.sessions);
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    let entry = |key: Key| all.iter().find(|entry| entry.key == key).expect("it is listed");
    let now = SystemTime::now();
    let is_near = |time: SystemTime| {
        now.duration_since(time).unwrap_or_else(|error| error.duration()) < Duration::from_secs(60)
    };
    let foos = entry(Key::of(signed_in.id()));
    assert_eq!((all.len(), foos.user.as_deref()), (3, Some("foo")));
    assert!(foos.begun.is_some_and(is_near) && foos.last_seen.is_some_and(is_near), "{foos:?}");
    assert!(is_near(foos.expires - Lifetimes::default().idle), "{foos:?}");
    let nobody = entry(Key::of(anonymous.id()));
    assert_eq!((&nobody.user, nobody.begun, nobody.last_seen), (&None, None, None));
    let of_foo = administration.list_of("foo", None, 10).unwrap();
    assert!(of_foo.next.is_none() && of_foo.sessions.len() == 2, "{of_foo:?}");
    assert!(of_foo.sessions.iter().any(|entry| entry.key == foos.key), "{of_foo:?}");

    let outcome = |cookies: &str| sessions.load(cookies, Scheme::Http).unwrap().outcome();
    assert!(administration.end(&foos.key).unwrap() && !administration.end(&foos.key).unwrap());
    assert_eq!((outcome(&cookies), outcome(&others)), (Outcome::Revoked, Outcome::Valid));
    assert_eq!(administration.end_user("foo").unwrap(), 1);
    assert_eq!((outcome(&others), outcome(&nobodys)), (Outcome::Revoked, Outcome::Valid));
    assert_eq!(counts(), (1, 0));
    assert_eq!(administration.end_all().unwrap(), 1);
    assert_eq!((outcome(&nobodys), counts()), (Outcome::Revoked, (0, 0)));
}

fn a_user_sees_and_ends_their_sessions<S: Store + 'static>(store: &Arc<S>) {
    let sessions = sessions(store);
    let user = format!("user {}", Key::of(waxseal::seal::Id::random()));
    let (phone, phones) = begun(&sessions, Some(&user));
    let (desk, desks) = begun(&sessions, Some(&user));
    let (_, other) = begun(&sessions, Some("somebody else"));
    let outcome = |cookies: &str| sessions.load(cookies, Scheme::Http).unwrap().outcome();
    let Some(all) = sessions.of_user(&user).unwrap() else {
        assert!(store.users().is_none());
        // Without an index, ending all of them works in this process.
        thread::sleep(Duration::from_millis(1100));
        assert_eq!(sessions.revoke_user(&user).unwrap(), Reach::Confirmed);
        assert_eq!([&phones, &desks].map(|cookies| outcome(cookies)), [Outcome::Revoked; 2]);
        return assert_eq!(outcome(&other), Outcome::Valid);
    };
    let mut keys: Vec<Key> = all.iter().map(|session| session.key).collect();
    keys.sort();
    let mut expected = [Key::of(phone.id()), Key::of(desk.id())];
    expected.sort();
    assert_eq!(keys, expected);
    for session in &all {
        let age = SystemTime::now().duration_since(session.begun).unwrap();
        assert!(age < Duration::from_secs(60) && session.last_seen >= session.begun);
    }
    let key = Key::of(phone.id());
    assert!(!sessions.revoke(&key, "somebody else").unwrap());
    assert_eq!(outcome(&phones), Outcome::Valid);
    assert!(sessions.revoke(&key, &user).unwrap());
    assert_eq!((outcome(&phones), outcome(&desks)), (Outcome::Revoked, Outcome::Valid));
    assert_eq!(sessions.revoke_user(&user).unwrap(), Reach::Confirmed);
    assert_eq!((outcome(&desks), outcome(&other)), (Outcome::Revoked, Outcome::Valid));
    // Another process, which remembers nothing, agrees.
    let elsewhere = Sessions::stored(keyring(), Arc::clone(store));
    assert_eq!(elsewhere.load(&desks, Scheme::Http).unwrap().outcome(), Outcome::Revoked);
}
