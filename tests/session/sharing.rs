//! Sealed sessions whose sign-outs several processes share, and the list of them in each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use waxseal::session::{
    Learned, ManualClock, MemoryRevocations, Outcome, Position, Reach, Revocation, Revocations,
    Scheme, Session, Sessions, Settings, StoreError,
};

use super::support::{NOW, at, keyring};

const PATIENCE: Duration = Duration::from_secs(30);

/// A store that fails when it is told to, and may lose all it has.
#[derive(Clone, Default)]
struct Faulty {
    fails: Arc<AtomicBool>,
    inner: Arc<Mutex<Arc<MemoryRevocations>>>,
}

impl Faulty {
    fn inner(&self) -> Result<Arc<MemoryRevocations>, StoreError> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("as a test".into())),
            false => Ok(Arc::clone(&self.inner.lock().unwrap())),
        }
    }

    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn lose_all(&self) {
        *self.inner.lock().unwrap() = Arc::default();
    }

    fn count(&self) -> usize {
        let mut after = None;
        let mut count = 0;
        loop {
            let inner = Arc::clone(&self.inner.lock().unwrap());
            match inner.learn(after.as_ref()).unwrap() {
                Learned::Lost => panic!("lost"),
                Learned::Page { revocations, position, is_last } => {
                    count += revocations.len();
                    after = Some(position);
                    if is_last {
                        return count;
                    }
                }
            }
        }
    }
}

impl Revocations for Faulty {
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.inner()?.publish(revocations)
    }

    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.inner()?.withdraw(revocations)
    }

    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
        let learnt = self.inner()?.learn(after)?;
        // Numbers begin anew in an empty store.
        let is_before = matches!((&learnt, after), (Learned::Page { position, .. }, Some(after))
            if position == after && after.0 != "0" && self.count() == 0);
        Ok(if is_before { Learned::Lost } else { learnt })
    }
}

fn process(store: &Faulty) -> Sessions {
    let sessions = Sessions::sealed(keyring()).with_revocations(store.clone()).unwrap();
    assert!(sessions.wait_until_learnt(PATIENCE));
    sessions
}

fn load(sessions: &Sessions, cookies: &str) -> Session {
    sessions.load(cookies, Scheme::Https).unwrap()
}

fn saved(sessions: &Sessions, session: &mut Session) -> String {
    sessions.save(session).unwrap().into_cookie().unwrap().stripped().to_string()
}

fn signed_in(sessions: &Sessions, user: &str) -> String {
    let mut session = load(sessions, "");
    session.sign_in(&keyring().fingerprint(user, b"hash of the password"));
    saved(sessions, &mut session)
}

/// Signs out; whether that is confirmed.
fn sign_out(sessions: &Sessions, cookies: &str) -> bool {
    let mut session = load(sessions, cookies);
    session.destroy();
    let _ = sessions.save(&mut session).unwrap();
    !session.has_pending_sign_out()
}

fn is_open(sessions: &Sessions, cookies: &str) -> bool {
    load(sessions, cookies).outcome() == Outcome::Valid
}

#[track_caller]
fn wait(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it is never so");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_sign_out_that_cannot_be_told_holds_here_and_elsewhere_later() {
    let store = Faulty::default();
    let (one, other) = (process(&store), process(&store));
    let [first, second, third] = [(); 3].map(|()| signed_in(&one, "foo"));
    store.fail(true);
    assert!(!sign_out(&one, &first), "it is pending");
    assert!(!is_open(&one, &first) && is_open(&other, &first));
    assert_eq!(one.revoke_user("bar").unwrap(), Reach::Pending);
    wait(|| one.revocation_status().is_some_and(|status| !status.is_up && status.unpublished == 2));
    assert!(is_open(&one, &second), "visits go on");
    store.fail(false);
    wait(|| !is_open(&other, &first));
    wait(|| one.revocation_status().is_some_and(|status| status.is_up && status.unpublished == 0));
    assert!(sign_out(&one, &second), "it is confirmed");
    assert_eq!(one.revoke_user("foo").unwrap(), Reach::Confirmed);
    wait(|| !is_open(&other, &third));
}

#[test]
fn until_all_is_learnt_a_session_opens_only_where_the_settings_say_so() {
    let store = Faulty::default();
    let cookies = signed_in(&process(&store), "foo");
    store.fail(true);
    let start = |settings: Settings| {
        let sessions = Sessions::sealed(keyring()).with_revocations(store.clone()).unwrap();
        let sessions = sessions.with_settings(settings).unwrap();
        assert!(!sessions.wait_until_learnt(PATIENCE), "the store fails");
        sessions
    };
    let closed = start(Settings::default());
    assert!(matches!(closed.load(&cookies, Scheme::Https), Err(StoreError::Unavailable(_))));
    assert_eq!(load(&closed, "").outcome(), Outcome::New, "who has no cookie is served");
    let open = start(Settings::default().with_open_before_learnt(true));
    assert!(is_open(&open, &cookies));
    store.fail(false);
    wait(|| closed.load(&cookies, Scheme::Https).is_ok());
}

#[test]
fn a_store_that_has_lost_all_is_told_all_again() {
    let store = Faulty::default();
    let (one, other) = (process(&store), process(&store));
    let cookies = [(); 3].map(|()| signed_in(&one, "foo"));
    assert!(cookies.iter().all(|cookies| sign_out(&one, cookies)));
    wait(|| !is_open(&other, &cookies[2]));
    drop(one);
    store.lose_all();
    wait(|| store.count() == 3);
    let new = process(&store);
    assert!(!cookies.iter().any(|cookies| is_open(&new, cookies)));
}

/// Whoever signs out too often pays: a user's earlier sessions end, those of others and later ones live.
#[test]
fn a_user_with_too_many_sign_outs_has_a_mark_for_the_earliest() {
    let store = Faulty::default();
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let sessions = process(&store).with_clock(clock.clone());
    let victim = signed_in(&sessions, "alice");
    let alive = signed_in(&sessions, "alice");
    assert!(sign_out(&sessions, &victim));
    let early = signed_in(&sessions, "mallory");
    let mut ended = Vec::new();
    for _ in 0..1100 {
        clock.advance(Duration::from_secs(1));
        let cookies = signed_in(&sessions, "mallory");
        assert!(sign_out(&sessions, &cookies));
        ended.push(cookies);
    }
    let late = signed_in(&sessions, "mallory");
    assert!(!ended.iter().any(|cookies| is_open(&sessions, cookies)));
    assert!(!is_open(&sessions, &victim) && is_open(&sessions, &alive));
    assert!(!is_open(&sessions, &early), "it began before the mark");
    assert!(is_open(&sessions, &late));
    let status = sessions.revocation_status().unwrap();
    assert!(status.known < 1005 && status.dropped == 0, "{status:?}");
    wait(|| store.count() < 1005);
    let new = process(&store).with_clock(clock);
    assert!(!ended.iter().any(|cookies| is_open(&new, cookies)) && is_open(&new, &late));
}

/// In a demonstration all are the same user: none pays for another.
#[test]
fn where_visitors_share_a_user_their_sign_outs_are_nobody_s() {
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let settings = Settings::default().with_shared_users(true);
    let sessions =
        Sessions::sealed(keyring()).with_settings(settings).unwrap().with_clock(clock.clone());
    let early = signed_in(&sessions, "foo");
    for _ in 0..1100 {
        clock.advance(Duration::from_secs(1));
        assert!(sign_out(&sessions, &signed_in(&sessions, "foo")));
    }
    assert!(is_open(&sessions, &early));
    assert_eq!(sessions.revocation_status().unwrap().known, 1100);
}

#[test]
fn the_thread_ends_with_its_sessions() {
    let store = Faulty::default();
    let sessions = process(&store);
    assert!(Arc::strong_count(&store.fails) > 1);
    drop(sessions);
    wait(|| Arc::strong_count(&store.fails) == 1);
}

#[test]
fn a_session_of_another_cookie_of_the_browser_ends_as_its_user_s() {
    let store = Faulty::default();
    let sessions = process(&store);
    let (one, other) = (signed_in(&sessions, "foo"), signed_in(&sessions, "bar"));
    assert!(sign_out(&sessions, &format!("{one}; {other}")));
    assert!(!is_open(&sessions, &one) && !is_open(&sessions, &other));
    assert_eq!(sessions.revoke_user("bar").unwrap(), Reach::Confirmed);
    // The mark takes in the revocation of bar's session: that it was bar's is known.
    assert_eq!(sessions.revocation_status().unwrap().known, 2);
}
