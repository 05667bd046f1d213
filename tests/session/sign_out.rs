//! Renewing, destroying, and what that is worth to a copied cookie.

use waxseal::session::{Change, Key, Level, Outcome, Scheme, Settings, Values};

use super::support::{
    ABSOLUTE, Call, DAY, IDLE, NOW, Place, SKEW, Site, at, header, is_removal, keyring, life,
    max_age, names_and_values, new_keyring, texts,
};

#[test]
fn renewing_gives_a_new_id() {
    for site in Site::both() {
        let mut session = site.load(&site.foo());
        let before = session.id();
        session.renew();
        assert_ne!(session.id(), before);
        let after = session.id();
        assert_eq!(site.load(&site.saved(&mut session)).id(), after);
    }
}

#[test]
fn renewing_begins_the_session_anew() {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(DAY);
        let mut session = site.load(&cookies);
        session.renew();
        let cookies = site.saved(&mut session);
        assert_eq!(site.load(&cookies).created(), at(NOW + DAY));
        assert_eq!(site.opened(&cookies).header.created, NOW + DAY);
    }
}

#[test]
fn renewing_keeps_the_values() {
    for site in Site::both() {
        let mut session = site.load(&site.visitor(&[("cart", "1"), ("theme", "dark")]));
        session.flash(Level::Info, "hello").unwrap();
        session.renew();
        assert!(!site.load("").is_changed());
        let mut session = site.load(&site.saved(&mut session));
        assert_eq!(names_and_values(&session), [("cart", "1"), ("theme", "dark")]);
        assert_eq!(texts(session.take_flashes()), ["hello"]);
    }
}

#[test]
fn renewing_revokes_the_old_id() {
    for site in Site::both() {
        let planted = site.foo();
        let mut session = site.load(&planted);
        session.renew();
        assert!(site.greets_foo(&planted), "until it is saved");
        site.saved(&mut session);
        assert_eq!(site.outcome(&planted), Outcome::Revoked);
    }
}

#[test]
fn renewing_twice_revokes_both() {
    for site in Site::both() {
        let first = site.foo();
        let mut session = site.load(&first);
        session.renew();
        let second = site.saved(&mut session);
        session.renew();
        session.renew();
        let third = site.saved(&mut session);
        assert_eq!(site.outcome(&first), Outcome::Revoked);
        assert_eq!(site.outcome(&second), Outcome::Revoked);
        assert_eq!(site.outcome(&third), Outcome::Valid);
    }
}

#[test]
fn renewing_moves_the_record_to_the_new_key() {
    let site = Site::stored();
    let mut session = site.load(&site.foo());
    let old = Key::of(session.id());
    session.renew();
    site.store.calls();
    site.saved(&mut session);
    let values = Values::from([("name".to_owned(), "foo".to_owned())]);
    let new = Call::Commit(Key::of(session.id()), Change::New(values), life(IDLE));
    assert_eq!(site.store.calls(), [new, Call::Delete(old)]);
}

#[test]
fn destroying_gives_an_empty_expired_cookie_with_the_same_path_and_domain() {
    for domain in [None, Some("example.com")] {
        for scheme in [Scheme::Http, Scheme::Https] {
            let domain = domain.map(str::to_owned);
            let mut settings = Settings::default();
            settings.domain = domain;
            let sessions = Site::with(settings).sessions;
            let mut session = sessions.load("", scheme).unwrap();
            session.insert("name", "foo").unwrap();
            let set = sessions.save(&mut session).unwrap().into_cookie().unwrap();
            session.destroy();
            let removal = sessions.save(&mut session).unwrap().into_cookie().unwrap();
            assert!(is_removal(&removal));
            assert_eq!(removal.name(), set.name());
            assert_eq!(removal.path(), Some("/"));
            assert_eq!((removal.path(), removal.domain()), (set.path(), set.domain()));
            assert_eq!(removal.secure(), set.secure(), "the browser drops a bare __Host-");
        }
    }
}

#[test]
fn destroying_empties_the_session() {
    let site = Site::sealed();
    let mut session = site.load(&site.foo());
    session.flash(Level::Info, "hello").unwrap();
    session.destroy();
    assert_eq!(names_and_values(&session), []);
    assert_eq!(texts(session.take_flashes()), [""; 0]);
}

#[test]
fn destroying_deletes_the_record() {
    let site = Site::stored();
    let mut session = site.load(&site.foo());
    let key = Key::of(session.id());
    session.destroy();
    site.store.calls();
    site.save(&mut session);
    assert_eq!(site.store.calls(), [Call::Delete(key)]);
    assert_eq!(site.store.record(&key), None);
}

#[test]
fn after_destroying_every_copied_cookie_of_the_session_is_dead() {
    for site in Site::both() {
        let first = site.foo();
        let mut session = site.load(&first);
        session.insert("a", 1).unwrap();
        let second = site.saved(&mut session);
        session.destroy();
        site.save(&mut session);
        for copy in [first, second] {
            assert_eq!(site.outcome(&copy), Outcome::Revoked);
        }
    }
}

#[test]
fn destroying_one_session_leaves_the_same_users_others() {
    for site in Site::both() {
        let (desk, telephone) = (site.foo(), site.foo());
        let mut session = site.load(&desk);
        session.destroy();
        site.save(&mut session);
        assert!(site.greets_foo(&telephone));
    }
}

#[test]
fn destroying_what_the_browser_does_not_hold_sets_no_cookie() {
    for site in Site::both() {
        let mut session = site.load("");
        session.insert("a", 1).unwrap();
        session.destroy();
        assert_eq!(site.save(&mut session), None);
    }
}

#[test]
fn what_is_put_in_after_destroying_begins_a_new_session() {
    for site in Site::both() {
        let old = site.foo();
        let mut session = site.load(&old);
        let id = session.id();
        session.destroy();
        session.flash(Level::Info, "signed out").unwrap();
        let cookies = site.saved(&mut session);
        assert_eq!(site.outcome(&old), Outcome::Revoked);
        let mut session = site.load(&cookies);
        assert_ne!(session.id(), id);
        assert_eq!(texts(session.take_flashes()), ["signed out"]);
        assert_eq!(names_and_values(&session), []);
    }
}

#[test]
fn a_revoked_id_is_kept_until_its_lifetime_and_a_minute_are_over() {
    let site = Site::sealed();
    let cookies = site.foo();
    let mut slow = site.load(&cookies);
    let sign_out = |cookies: &str| {
        let mut session = site.load(cookies);
        session.destroy();
        site.save(&mut session);
    };
    sign_out(&cookies);
    site.wait(ABSOLUTE + SKEW);
    sign_out(&site.foo()); // the list is tidied when an id is added, once a minute
    slow.insert("a", 1).unwrap();
    assert_eq!(site.save(&mut slow), None);
    site.wait(60);
    sign_out(&site.foo());
    let forgotten = site.save(&mut slow).unwrap();
    assert_eq!(max_age(&forgotten), 0);
    assert_eq!(site.outcome(&header(&forgotten)), Outcome::Expired, "no list is needed any more");
}

#[test]
fn a_sealed_session_is_revoked_in_this_process_alone() {
    let site = Site::sealed();
    let cookies = site.foo();
    let mut session = site.load(&cookies);
    session.destroy();
    site.save(&mut session);
    assert_eq!(site.outcome(&cookies), Outcome::Revoked);
    assert!(site.other_process(Place::Cookie, keyring()).greets_foo(&cookies));
}

#[test]
fn a_store_carries_a_logout_to_every_process() {
    let site = Site::stored();
    let cookies = site.foo();
    let other = site.other_process(Place::Store, keyring());
    assert!(other.greets_foo(&cookies));
    let mut session = site.load(&cookies);
    session.destroy();
    site.save(&mut session);
    assert_eq!(other.outcome(&cookies), Outcome::Revoked);
}

#[test]
fn a_change_of_keys_ends_every_session() {
    for place in [Place::Cookie, Place::Store] {
        let site = Site::new(place, keyring(), Settings::default());
        let other = site.other_process(place, new_keyring());
        assert_eq!(other.outcome(&site.foo()), Outcome::Forged);
    }
}

#[test]
fn sessions_that_began_before_a_set_time_are_revoked() {
    for place in [Place::Cookie, Place::Store] {
        let site = Site::new(place, keyring(), Settings::default());
        let before = site.foo();
        site.wait(DAY);
        let since = site.foo();
        let settings = Settings::default().with_not_before(at(NOW + DAY));
        let restarted =
            Site::of(place, keyring(), settings, site.clock.clone(), site.store.clone());
        assert_eq!(restarted.outcome(&before), Outcome::Revoked);
        assert!(restarted.greets_foo(&since));
        let mut kept = site.load(&before);
        kept.insert("a", 1).unwrap();
        let resealed = site.saved(&mut kept);
        assert_eq!(restarted.outcome(&resealed), Outcome::Revoked, "a fresh seal does not help");
    }
}
