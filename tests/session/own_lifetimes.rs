//! The lifetime of a single session: "remember me", and a cookie that ends with the browser.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use waxseal::seal::{Header, Id, Lifetimes, Version};
use waxseal::session::{
    Change, CommitOutcome, Cookie, Key, Level, MemoryRevocations, Outcome, Session,
    SessionLifetime, Settings, Store,
};

use super::support::{
    ABSOLUTE, Call, DAY, HOUR, IDLE, NAME, NOW, Place, Site, at, by_hand, header, is_removal,
    keyring, life, max_age, rotated_keyring,
};

const PLACES: [Place; 2] = [Place::Cookie, Place::Store];

fn idle(seconds: u64) -> SessionLifetime {
    SessionLifetime::default().with_idle(life(seconds))
}

fn absolute(seconds: u64) -> SessionLifetime {
    SessionLifetime::default().with_absolute(life(seconds))
}

fn until_browser_closes() -> SessionLifetime {
    SessionLifetime::default().until_browser_closes()
}

/// A new session with a value and this lifetime, and its cookie.
fn begun(site: &Site, lifetime: SessionLifetime) -> (Session, Cookie<'static>) {
    let mut session = site.load("");
    session.insert("name", "foo").unwrap();
    session.set_lifetime(lifetime);
    let cookie = site.save(&mut session).unwrap();
    (session, cookie)
}

fn visitor(site: &Site, lifetime: SessionLifetime) -> String {
    header(&begun(site, lifetime).1)
}

/// Gives the session of these cookies a lifetime.
fn set(site: &Site, cookies: &str, lifetime: SessionLifetime) -> String {
    let mut session = site.load(cookies);
    session.set_lifetime(lifetime);
    site.saved(&mut session)
}

#[test]
fn an_idle_time_of_its_own_ends_a_session() {
    for site in Site::both() {
        let (session, cookie) = begun(&site, idle(HOUR));
        assert_eq!(max_age(&cookie), HOUR);
        assert_eq!(session.lifetime(), idle(HOUR));
        let cookies = header(&cookie);
        site.wait(HOUR - 1);
        assert_eq!(site.load(&cookies).lifetime(), idle(HOUR));
        assert!(site.greets_foo(&cookies));
        site.wait(1);
        let mut session = site.load(&cookies);
        assert_eq!(session.outcome(), Outcome::Expired);
        assert_eq!(session.lifetime(), SessionLifetime::default());
        assert!(is_removal(&site.save(&mut session).unwrap()));
        assert_eq!(site.store.record(&Key::of(session.id())), None);
    }
}

#[test]
fn an_absolute_time_of_its_own_ends_a_session_however_often_it_is_used() {
    for site in Site::both() {
        let (_, cookie) = begun(&site, absolute(DAY));
        assert_eq!(max_age(&cookie), DAY);
        let mut cookies = header(&cookie);
        for hour in 1..24 {
            site.wait(HOUR);
            let mut session = site.load(&cookies);
            session.insert("hour", hour).unwrap();
            let cookie = site.save(&mut session).unwrap();
            assert_eq!(max_age(&cookie), DAY - hour * HOUR);
            cookies = header(&cookie);
        }
        site.wait(HOUR);
        assert_eq!(site.outcome(&cookies), Outcome::Expired);
    }
}

#[test]
fn a_cookie_that_ends_with_the_browser_says_no_time_and_its_idle_time_holds() {
    for site in Site::both() {
        let (_, cookie) = begun(&site, until_browser_closes());
        assert_eq!((cookie.max_age(), cookie.expires()), (None, None));
        assert!(!cookie.to_string().contains("Max-Age") && !cookie.to_string().contains("xpires"));
        let mut cookies = header(&cookie);
        for _ in 0..3 {
            site.wait(2 * DAY);
            let mut session = site.load(&cookies);
            let cookie = site.save(&mut session).expect("a quarter of the idle time has gone");
            assert_eq!(cookie.max_age(), None);
            assert!(site.load(&header(&cookie)).lifetime().ends_with_browser());
            cookies = header(&cookie);
        }
        site.wait(IDLE);
        assert_eq!(site.outcome(&cookies), Outcome::Expired, "whatever the browser says");
        let mut session = site.load(&cookies);
        assert!(is_removal(&site.save(&mut session).unwrap()), "a removal says its time");
    }
}

#[test]
fn a_longer_lifetime_counts_as_that_of_the_settings() {
    let longer = [
        idle(IDLE + 1).with_absolute(life(ABSOLUTE + 1)),
        SessionLifetime::default().with_idle(Duration::MAX).with_absolute(Duration::MAX),
        idle(u64::MAX - 1).with_absolute(life(u64::MAX - 1)),
    ];
    for (place, lifetime) in PLACES.into_iter().flat_map(|place| longer.map(|own| (place, own))) {
        let site = Site::new(place, keyring(), Settings::default());
        let (_, cookie) = begun(&site, lifetime);
        assert_eq!(max_age(&cookie), IDLE);
        let cookies = header(&cookie);
        site.wait(IDLE - 1);
        assert!(site.greets_foo(&cookies));
        site.wait(1);
        assert_eq!(site.outcome(&cookies), Outcome::Expired);
        let mut cookies = visitor(&site, lifetime);
        for day in 0..29 {
            site.wait(DAY);
            let mut session = site.load(&cookies);
            session.insert("day", day).unwrap();
            cookies = site.saved(&mut session);
        }
        assert!(site.greets_foo(&cookies));
        site.wait(DAY);
        assert_eq!(site.outcome(&cookies), Outcome::Expired);
    }
}

#[test]
fn a_time_below_a_second_is_a_second() {
    for site in Site::both() {
        let zero = SessionLifetime::default().with_idle(Duration::ZERO);
        let zero = zero.with_absolute(Duration::from_nanos(1));
        let (_, cookie) = begun(&site, zero);
        assert_eq!(max_age(&cookie), 1);
        assert!(site.greets_foo(&header(&cookie)));
        site.wait(1);
        assert_eq!(site.outcome(&header(&cookie)), Outcome::Expired);
    }
}

#[test]
fn a_session_without_one_is_sealed_as_ever() {
    for (site, version) in Site::both().into_iter().zip([Version::Values, Version::Stored]) {
        let (session, cookie) = begun(&site, SessionLifetime::default());
        let payload = if version == Version::Values { "name=foo" } else { "stored" };
        let lifetime = SessionLifetime::default();
        let by_hand = Header::new(version, session.id(), NOW, NOW).with_lifetime(lifetime);
        assert_eq!(cookie.value(), keyring().seal(NAME, &by_hand, payload.as_bytes()));
        assert_eq!(by_hand.version_byte(), version as u8);
        let calls = site.store.calls();
        if let [Call::Commit(_, change, _)] = &calls[..] {
            assert!(!format!("{change:?}").contains("_lifetime"), "{change:?}");
        }
    }
}

#[test]
fn a_record_expires_with_the_shorter_lifetime() {
    let site = Site::stored();
    for lifetime in [idle(HOUR), absolute(HOUR), idle(HOUR).until_browser_closes()] {
        site.store.calls();
        begun(&site, lifetime);
        let calls = site.store.calls();
        let [Call::Commit(_, _, found)] = calls[..] else { panic!("{calls:?}") };
        assert_eq!(found, life(HOUR));
    }
    site.store.calls();
    begun(&site, until_browser_closes());
    let calls = site.store.calls();
    let [Call::Commit(_, _, found)] = calls[..] else { panic!("{calls:?}") };
    assert_eq!(found, life(IDLE), "the browser does not tell the store that it was closed");
}

#[test]
fn a_lifetime_is_no_value() {
    for site in Site::both() {
        let (mut session, cookie) = begun(&site, idle(HOUR));
        for session in [&mut session, &mut site.load(&header(&cookie))] {
            assert!(session.iter().eq([("name", "foo")]));
            assert_eq!(session.get("_lifetime"), None);
            session.clear();
            session.insert("a", 1).unwrap();
            assert_eq!(session.lifetime(), idle(HOUR), "it stays where values go");
        }
    }
}

#[test]
fn it_can_be_set_later_shorter_and_longer_and_away() {
    for site in Site::both() {
        let mut cookies = site.foo();
        for lifetime in
            [idle(HOUR), idle(DAY), until_browser_closes(), absolute(DAY), Default::default()]
        {
            let before = site.load(&cookies);
            let mut session = site.load(&cookies);
            session.set_lifetime(lifetime);
            assert!(session.is_changed());
            cookies = site.saved(&mut session);
            assert!(!session.is_changed());
            let mut after = site.load(&cookies);
            assert_eq!((after.lifetime(), after.id()), (lifetime, before.id()));
            after.set_lifetime(lifetime);
            assert!(!after.is_changed());
            assert_eq!(site.save(&mut after), None, "nothing is due where it is the same");
        }
        assert_eq!(site.opened(&cookies).header.version_byte() & !3, 0);
        site.wait(IDLE - 1);
        assert!(site.greets_foo(&cookies));
    }
}

#[test]
fn without_values_there_is_nothing_to_live() {
    for site in Site::both() {
        let mut session = site.load("");
        session.set_lifetime(idle(HOUR));
        assert!(!session.is_changed());
        assert_eq!(site.save(&mut session), None);
        session.insert("a", 1).unwrap();
        assert_eq!(max_age(&site.save(&mut session).unwrap()), HOUR);
        session.clear();
        assert!(is_removal(&site.save(&mut session).unwrap()));
        session.insert("a", 1).unwrap();
        assert_eq!(max_age(&site.save(&mut session).unwrap()), IDLE, "a new session");
    }
}

#[test]
fn a_renewal_and_a_sign_in_keep_it_and_begin_its_time_anew() {
    for site in Site::both() {
        let foo = site.sessions.fingerprint("foo", b"hash");
        let renewals: [&dyn Fn(&mut Session); 2] =
            [&|session| session.renew(), &|session| session.sign_in(&foo)];
        for renew in renewals {
            let cookies = visitor(&site, absolute(DAY).until_browser_closes());
            site.wait(DAY - 1);
            let mut session = site.load(&cookies);
            renew(&mut session);
            let cookies = site.saved(&mut session);
            site.wait(DAY - 1);
            assert_eq!(site.load(&cookies).lifetime(), absolute(DAY).until_browser_closes());
            site.wait(1);
            assert_eq!(site.outcome(&cookies), Outcome::Expired);
        }
    }
}

#[test]
fn a_sign_in_of_another_user_resets_it_unless_it_was_just_set() {
    for site in Site::both() {
        let foo = site.sessions.fingerprint("foo", b"hash");
        let bar = site.sessions.fingerprint("bar", b"hash");
        let mut session = site.load("");
        session.sign_in(&foo);
        session.set_lifetime(idle(HOUR));
        let cookies = site.saved(&mut session);
        let signed_in = |user, before: Option<SessionLifetime>| {
            let mut session = site.load(&cookies);
            if let Some(lifetime) = before {
                session.set_lifetime(lifetime);
            }
            session.sign_in(user);
            session.lifetime()
        };
        assert_eq!(signed_in(&foo, None), idle(HOUR));
        assert_eq!(signed_in(&bar, None), SessionLifetime::default());
        assert_eq!(signed_in(&bar, Some(idle(DAY))), idle(DAY));
        assert_eq!(signed_in(&bar, Some(idle(HOUR))), idle(HOUR));
        session.sign_in(&bar);
        assert_eq!(session.lifetime(), SessionLifetime::default(), "it was saved as foo's");
    }
}

#[test]
fn destroying_resets_it() {
    for site in Site::both() {
        let mut session = site.load(&visitor(&site, idle(HOUR)));
        session.set_lifetime(idle(DAY));
        session.destroy();
        assert_eq!(session.lifetime(), SessionLifetime::default());
        session.flash(Level::Info, "You are signed out.").unwrap();
        assert_eq!(max_age(&site.save(&mut session).unwrap()), IDLE);
    }
}

#[test]
fn it_is_sealed_anew_after_a_quarter_of_its_own_idle_time() {
    for site in Site::both() {
        let cookies = visitor(&site, idle(HOUR));
        site.wait(HOUR / 4 - 1);
        assert_eq!(site.save(&mut site.load(&cookies)), None);
        site.wait(1);
        assert_eq!(max_age(&site.save(&mut site.load(&cookies)).unwrap()), HOUR);

        let longer = visitor(&site, idle(2 * IDLE));
        site.wait(IDLE / 4 - 1);
        assert_eq!(site.save(&mut site.load(&longer)), None);
        site.wait(1);
        assert!(site.save(&mut site.load(&longer)).is_some(), "a quarter of the settings' time");
    }
}

#[test]
fn a_new_key_keeps_it() {
    for place in PLACES {
        let before = Site::new(place, keyring(), Settings::default());
        let cookies = visitor(&before, idle(HOUR).until_browser_closes());
        let after = before.other_process(place, rotated_keyring());
        let mut session = after.load(&cookies);
        assert_eq!(session.outcome(), Outcome::PreviousKey);
        let cookies = after.saved(&mut session);
        assert_eq!(after.load(&cookies).lifetime(), idle(HOUR).until_browser_closes());
    }
}

#[test]
fn a_session_that_is_older_than_its_new_lifetime_ends() {
    for (place, site) in PLACES.into_iter().zip(Site::both()) {
        let cookies = site.foo();
        site.wait(DAY);
        let mut session = site.load(&cookies);
        let key = Key::of(session.id());
        session.set_lifetime(absolute(DAY));
        assert!(is_removal(&site.save(&mut session).unwrap()));
        assert_eq!(session.iter().count(), 0);
        assert_eq!(site.outcome(&cookies), Outcome::Revoked, "a copy is dead too");
        assert_eq!(site.store.record(&key), None);
        assert_eq!(site.save(&mut session), None);

        let other = site.other_process(place, keyring());
        let expected = if place == Place::Store { Outcome::Revoked } else { Outcome::Valid };
        assert_eq!(other.outcome(&cookies), expected, "as with every sign-out");
    }
}

#[test]
fn revocations_and_not_before_hold_for_the_settings_lifetime() {
    let cookies = visitor(&Site::sealed(), idle(HOUR));
    let later = Settings::default().with_not_before(at(NOW + 1));
    assert_eq!(Site::with(later).outcome(&cookies), Outcome::Revoked);

    let site = Site::sealed();
    let long = site.foo();
    let short = set(&site, &long, idle(HOUR));
    let mut session = site.load(&short);
    session.destroy();
    site.save(&mut session);
    site.wait(DAY);
    assert_eq!(site.outcome(&long), Outcome::Revoked, "the older cookie lives for longer");
}

#[test]
fn a_store_keeps_a_new_lifetime_though_another_request_seals_the_old_one() {
    for new in [idle(HOUR), idle(2 * DAY), until_browser_closes(), Default::default()] {
        let site = Site::stored();
        let other_site = site.other_process(Place::Store, keyring());
        let cookies = visitor(&site, absolute(20 * DAY).with_idle(life(4 * DAY)));
        site.wait(DAY);
        let (mut one, mut other) = (site.load(&cookies), other_site.load(&cookies));
        one.set_lifetime(new);
        other.insert("a", 1).unwrap();
        let (changed, sealed_as_before) = (site.saved(&mut one), other_site.saved(&mut other));
        for cookies in [&changed, &sealed_as_before] {
            let mut session = other_site.load(cookies);
            assert_eq!((session.lifetime(), session.get("a")), (new, Some("1")));
            // The cookie that says otherwise is replaced.
            let anew = other_site.save(&mut session);
            assert_eq!(anew.is_some(), *cookies == sealed_as_before);
            if let Some(anew) = anew {
                assert_eq!(site.opened(&header(&anew)).header.lifetime, new);
                assert_eq!(site.save(&mut site.load(&header(&anew))), None);
            }
        }
    }
}

#[test]
fn requests_under_way_when_the_idle_time_becomes_shorter_sign_nobody_out() {
    let site = Site::stored();
    let cookies = site.foo();
    site.wait(DAY);
    let set = set(&site, &cookies, idle(HOUR));
    for seconds in [0, 1, HOUR - 2] {
        site.wait(seconds);
        let mut session = site.load(&cookies);
        assert_eq!((session.outcome(), session.lifetime()), (Outcome::Valid, idle(HOUR)));
        let anew = site.saved(&mut session);
        assert_eq!(site.opened(&anew).header.lifetime, idle(HOUR));
    }
    site.wait(1);
    assert_eq!(site.outcome(&cookies), Outcome::Expired);
    assert_eq!(site.outcome(&set), Outcome::Expired);
}

#[test]
fn a_copied_cookie_of_a_session_in_a_store_gains_no_time() {
    let site = Site::stored();
    let copied = site.foo();
    let mut slow = site.load(&copied);
    let cookies = set(&site, &copied, idle(HOUR));
    // The slow request makes the record live for as long as it did before.
    slow.insert("a", 1).unwrap();
    site.saved(&mut slow);
    site.wait(HOUR);
    for cookies in [&copied, &cookies] {
        let mut session = site.load(cookies);
        assert_eq!(session.outcome(), Outcome::Expired);
        assert!(is_removal(&site.save(&mut session).unwrap()));
    }
}

/// A sealed session is where its cookie is: of two requests at once, the later answer wins, as with its values.
/// A sign-in leaves no such choice.
#[test]
fn a_lifetime_that_is_set_at_the_sign_in_is_not_undone_by_a_slow_request() {
    for (place, site) in PLACES.into_iter().zip(Site::both()) {
        let before = site.foo();
        site.wait(IDLE / 2);
        let mut slow = site.load(&before);
        let mut session = site.load(&before);
        session.sign_in(&site.sessions.fingerprint("foo", b"hash"));
        session.set_lifetime(idle(HOUR));
        let cookies = site.saved(&mut session);
        assert_eq!(site.save(&mut slow), None, "{place:?}");
        assert_eq!(site.outcome(&before), Outcome::Revoked);
        assert_eq!(site.load(&cookies).lifetime(), idle(HOUR));
    }
}

#[test]
fn a_lifetime_that_the_store_did_not_take_is_an_error() {
    let site = Site::stored();
    let cookies = site.foo();
    let mut session = site.load(&cookies);
    session.set_lifetime(idle(HOUR));
    site.store.fail(|call| matches!(call, Call::Commit(..)));
    site.sessions.save(&mut session).unwrap_err();
    site.store.fail(|_| false);
    let cookie = site.save(&mut session).expect("it can be saved again");
    assert_eq!(max_age(&cookie), HOUR);
    assert_eq!(site.load(&cookies).lifetime(), idle(HOUR));
}

#[test]
fn a_lifetime_in_a_record_that_cannot_be_read_is_that_of_the_seal() {
    let site = Site::stored();
    let (session, cookie) = begun(&site, idle(HOUR));
    let mut values = site.store.record(&Key::of(session.id())).unwrap();
    assert_eq!(values["_lifetime"], format!("{HOUR} {} 0 {NOW}", u64::MAX));
    values.insert("_lifetime".to_owned(), "for ever".to_owned());
    let change = Change::New(values);
    let key = Key::of(session.id());
    assert_eq!(site.store.commit(&key, &change, life(DAY)).unwrap(), CommitOutcome::Done);
    assert_eq!(site.load(&header(&cookie)).lifetime(), idle(HOUR));
}

#[test]
fn all_processes_that_share_sign_outs_know_that_it_ended() {
    let store = Arc::new(MemoryRevocations::default());
    let process = |site: Site| Site {
        sessions: site.sessions.with_revocations(Arc::clone(&store)).unwrap(),
        clock: site.clock,
        store: site.store,
    };
    let one = process(Site::sealed());
    assert!(one.sessions.wait_until_learnt(Duration::from_secs(60)));
    let cookies = one.foo();
    one.wait(DAY);
    let mut session = one.load(&cookies);
    session.set_lifetime(absolute(HOUR));
    one.save(&mut session);
    assert!(!session.has_pending_sign_out());
    let other = process(Site::sealed());
    other.wait(DAY);
    assert!(other.sessions.wait_until_learnt(Duration::from_secs(60)));
    assert_eq!(other.outcome(&cookies), Outcome::Revoked);
}

#[test]
fn settings_that_become_shorter_shorten_it_too() {
    let cookies = visitor(&Site::sealed(), idle(DAY));
    let lifetimes = Lifetimes { idle: life(HOUR), absolute: life(HOUR) };
    let site = Site::with(Settings::default().with_lifetimes(lifetimes));
    site.wait(HOUR - 1);
    assert!(site.greets_foo(&cookies));
    site.wait(1);
    assert_eq!(site.outcome(&cookies), Outcome::Expired);
}

#[test]
fn a_seal_by_hand_with_a_lifetime_is_a_session() {
    let site = Site::sealed();
    let lifetime = idle(HOUR);
    let by_hand = Header::new(Version::Values, Id::random(), NOW - DAY, NOW - HOUR + 1);
    let by_hand = by_hand.with_lifetime(lifetime);
    let cookies = format!("{NAME}={}", keyring().seal(NAME, &by_hand, b"name=foo"));
    assert!(site.greets_foo(&cookies));
    let stored = Site::stored();
    assert_eq!(stored.outcome(&cookies), Outcome::Malformed);
    assert_eq!(stored.save(&mut stored.load(&cookies)), None, "it is another process's");
}

/// As versions 3 and 4 are to processes that do not know them.
#[test]
fn a_cookie_of_an_unknown_version_is_left_alone() {
    for site in Site::both() {
        let genuine = by_hand(NOW, NOW, "name=foo");
        let mut bytes = BASE64.decode(&genuine[NAME.len() + 1..]).unwrap();
        for version in [0, 5, 6, 255] {
            bytes[0] = version;
            let cookies = format!("{NAME}={}", BASE64.encode(&bytes));
            let mut session = site.load(&cookies);
            assert_eq!(session.outcome(), Outcome::Malformed);
            assert_eq!(site.save(&mut session), None);
        }
    }
}
