//! Saving: what is due, what is written, and what a slow request cannot do.

use std::collections::BTreeMap;
use std::thread;

use waxseal::session::{Change, Key, Level, Outcome, Session, Settings};

use super::support::{
    ABSOLUTE, Call, DAY, IDLE, NAME, NOW, Place, Site, at, header, is_removal, keyring, life,
    names_and_values, new_keyring, rotated_keyring, texts,
};

#[test]
fn nothing_is_due_when_nothing_changed() {
    for site in Site::both() {
        let cookies = site.foo();
        let mut session = site.load(&cookies);
        assert_eq!(site.save(&mut session), None);
        assert_eq!(site.save(&mut session), None);
        assert_eq!(site.save(&mut site.load("")), None);
        assert_eq!(site.save(&mut site.load("theme=dark")), None);
    }
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let site = Site::stored();
    let cookies = site.foo();
    site.store.calls();
    let mut session = site.load(&cookies);
    let key = Key::of(session.id());
    session.insert("name", "foo").unwrap();
    site.save(&mut session);
    assert_eq!(site.store.calls(), [Call::Find(key)]);
    let mut session = site.load("");
    site.save(&mut session);
    session.destroy();
    site.save(&mut session);
    assert_eq!(site.store.calls(), []);
}

#[test]
fn what_was_saved_is_not_saved_again() {
    let site = Site::stored();
    let mut session = site.load(&site.foo());
    session.insert("a", 1).unwrap();
    assert!(site.save(&mut session).is_some());
    assert!(!session.is_changed());
    site.store.calls();
    assert_eq!(site.save(&mut session), None);
    assert_eq!(site.store.calls(), []);
}

#[test]
fn a_change_is_due() {
    for site in Site::both() {
        let changes: [fn(&mut Session); 4] = [
            |session| session.insert("a", "2").unwrap(),
            |session| drop(session.remove("a")),
            |session| session.flash(Level::Info, "hello").unwrap(),
            |session| drop(session.take_flashes()),
        ];
        for change in changes {
            let mut session = site.load(&site.visitor(&[("a", "1"), ("b", "2")]));
            session.flash(Level::Info, "before").unwrap();
            let mut session = site.load(&site.saved(&mut session));
            change(&mut session);
            assert!(site.save(&mut session).is_some());
        }
    }
}

#[test]
fn a_cookie_that_did_not_open_is_cleared() {
    for site in Site::both() {
        let signed_out = site.foo();
        let mut session = site.load(&signed_out);
        session.destroy();
        site.save(&mut session);
        let expired = site.foo();
        site.wait(IDLE);
        for cookies in [signed_out, expired, format!("{NAME}=x"), format!("{NAME}=")] {
            let mut session = site.load(&cookies);
            assert!(is_removal(&site.save(&mut session).unwrap()), "{:?}", session.outcome());
            assert_eq!(site.save(&mut session), None, "once");
        }
    }
}

/// A page that is loaded while its visitor signs in brings the old cookie: to clear it would take
/// the new one away, which goes by the same name.
#[test]
fn a_late_request_with_the_old_cookie_does_not_take_the_new_one_away() {
    for site in Site::both() {
        let old = site.foo();
        let mut signing_in = site.load(&old);
        signing_in.renew();
        let new = site.saved(&mut signing_in);
        let mut late = site.load(&old);
        assert_eq!(late.outcome(), Outcome::Revoked);
        assert_eq!(site.save(&mut late), None);
        assert!(site.greets_foo(&new));
    }
}

#[test]
fn a_cookie_that_did_not_open_is_replaced_where_there_is_something_to_say() {
    for site in Site::both() {
        let mut session = site.load(&format!("{NAME}=x"));
        session.insert("name", "foo").unwrap();
        let cookies = site.saved(&mut session);
        assert!(site.greets_foo(&cookies));
    }
}

#[test]
fn what_a_previous_pair_sealed_is_sealed_under_the_current_one() {
    for place in [Place::Cookie, Place::Store] {
        let before = Site::new(place, keyring(), Settings::default());
        let rotated = before.other_process(place, rotated_keyring());
        let mut session = rotated.load(&before.foo());
        let cookies = rotated.saved(&mut session);
        assert_eq!(rotated.save(&mut session), None, "once");
        let after = before.other_process(place, new_keyring()).load(&cookies);
        assert_eq!(after.outcome(), Outcome::Valid);
        assert_eq!(after.get("name"), Some("foo"));
        assert_eq!((after.id(), after.created()), (session.id(), at(NOW)));
    }
}

#[test]
fn a_visit_extends_the_session_once_a_quarter_of_the_idle_time_has_gone() {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(IDLE / 4 - 1);
        assert_eq!(site.save(&mut site.load(&cookies)), None);
        site.wait(1);
        let mut session = site.load(&cookies);
        let extended = site.saved(&mut session);
        assert_eq!(site.save(&mut session), None, "once");
        site.wait(IDLE - 1);
        assert!(site.greets_foo(&extended));
    }
}

#[test]
fn the_effective_idle_time_is_three_quarters_of_the_setting_or_more() {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(IDLE / 4 - 1);
        assert_eq!(site.save(&mut site.load(&cookies)), None, "the last visit extends nothing");
        site.wait(IDLE * 3 / 4);
        assert_eq!(site.outcome(&cookies), Outcome::Valid);
        site.wait(1);
        assert_eq!(site.outcome(&cookies), Outcome::Expired);
    }
}

#[test]
fn whoever_visits_often_enough_stays_until_the_absolute_lifetime_ends() {
    for site in Site::both() {
        let mut cookies = site.foo();
        for _ in 1..ABSOLUTE / DAY {
            site.wait(DAY);
            let mut session = site.load(&cookies);
            assert_eq!(session.outcome(), Outcome::Valid);
            if let Some(cookie) = site.save(&mut session) {
                cookies = header(&cookie);
            }
        }
        site.wait(DAY - 1);
        assert_eq!(site.outcome(&cookies), Outcome::Valid);
        site.wait(1);
        assert_eq!(site.outcome(&cookies), Outcome::Expired);
    }
}

#[test]
fn reading_moves_the_records_expiry_with_the_cookies() {
    let site = Site::stored();
    let cookies = site.foo();
    site.wait(IDLE / 4);
    let mut session = site.load(&cookies);
    site.store.calls();
    site.save(&mut session);
    let untouched = Change::Update(BTreeMap::new());
    let commit = Call::Commit(Key::of(session.id()), untouched, life(IDLE));
    assert_eq!(site.store.calls(), [commit]);
}

/// What a slow request does in the end, after a logout that it has not heard of.
fn after_a_logout(slowly: impl Fn(&mut Session)) {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(IDLE / 4);
        let mut slow = site.load(&cookies);
        let mut logout = site.load(&cookies);
        logout.destroy();
        assert!(is_removal(&site.save(&mut logout).unwrap()));
        slowly(&mut slow);
        assert_eq!(site.save(&mut slow), None);
        assert_eq!(site.save(&mut slow), None, "nor at a second attempt");
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
        assert_eq!(site.store.record(&Key::of(slow.id())), None);
    }
}

#[test]
fn a_slow_request_cannot_undo_a_logout() {
    after_a_logout(|slow| slow.insert("a", 1).unwrap());
}

#[test]
fn a_slow_request_that_only_reads_cannot_undo_a_logout() {
    after_a_logout(|_| {});
}

#[test]
fn a_slow_request_that_leaves_a_flash_cannot_undo_a_logout() {
    after_a_logout(|slow| slow.flash(Level::Info, "hello").unwrap());
}

#[test]
fn a_slow_request_that_empties_its_session_and_fills_it_again_cannot_undo_a_logout() {
    for site in Site::both() {
        let cookies = site.foo();
        let mut slow = site.load(&cookies);
        let mut logout = site.load(&cookies);
        logout.destroy();
        site.save(&mut logout);
        slow.clear();
        site.save(&mut slow);
        slow.insert("a", 1).unwrap();
        site.save(&mut slow);
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
    }
}

#[test]
fn a_slow_request_cannot_undo_a_sign_in() {
    for site in Site::both() {
        let planted = site.visitor(&[("cart", "1")]);
        let mut slow = site.load(&planted);
        let mut sign_in = site.load(&planted);
        sign_in.renew();
        sign_in.insert("name", "foo").unwrap();
        let cookies = site.saved(&mut sign_in);
        slow.insert("cart", "2").unwrap();
        assert_eq!(site.save(&mut slow), None);
        assert_eq!(site.outcome(&planted), Outcome::Revoked);
        assert!(site.greets_foo(&cookies));
    }
}

#[test]
fn a_sign_in_form_sent_twice_signs_in() {
    for site in Site::both() {
        let cookies = site.visitor(&[("cart", "1")]);
        let mut twice = [site.load(&cookies), site.load(&cookies)];
        for session in &mut twice {
            session.renew();
            session.insert("name", "foo").unwrap();
        }
        for cookies in twice.each_mut().map(|session| site.saved(session)) {
            assert!(site.greets_foo(&cookies));
        }
    }
}

#[test]
fn a_logout_amid_many_requests_stands() {
    for site in Site::both() {
        let cookies = site.foo();
        let saved: Vec<String> = thread::scope(|scope| {
            let requests: Vec<_> = (0..4)
                .map(|worker| {
                    let (site, cookies) = (&site, &cookies);
                    scope.spawn(move || {
                        let request = |round| {
                            let mut session = site.load(cookies);
                            if worker == 0 && round == 10 {
                                session.destroy();
                            } else if session.outcome() == Outcome::Valid {
                                session.insert(&format!("{worker}"), round).unwrap();
                            }
                            site.save(&mut session).map(|cookie| header(&cookie))
                        };
                        (0..20).filter_map(request).collect::<Vec<_>>()
                    })
                })
                .collect();
            requests.into_iter().flat_map(|request| request.join().unwrap()).collect()
        });
        for cookies in saved.iter().chain([&cookies]) {
            assert!(!site.greets_foo(cookies));
        }
    }
}

#[test]
fn two_requests_at_once_that_change_different_names_both_keep_their_change() {
    let site = Site::stored();
    let cookies = site.visitor(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let (mut one, mut other) = (site.load(&cookies), site.load(&cookies));
    one.insert("a", "one").unwrap();
    one.flash(Level::Info, "one").unwrap();
    other.remove("b");
    other.flash(Level::Info, "other").unwrap();
    assert!(site.save(&mut one).is_some());
    assert!(site.save(&mut other).is_some());
    let mut session = site.load(&cookies);
    assert_eq!(names_and_values(&session), [("a", "one"), ("c", "3")]);
    assert_eq!(texts(session.take_flashes()), ["one", "other"]);
}
