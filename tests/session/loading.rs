//! Loading: whatever the visitor sent, and whatever the store answers.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use waxseal::session::{Key, Outcome, SaveError, Scheme, Settings, Store, StoreError};

use super::support::{
    ABSOLUTE, Call, IDLE, NAME, NOW, Place, Site, Which, by_hand, is_removal, keyring,
    names_and_values, new_keyring, rotated_keyring,
};

#[test]
fn without_a_cookie_the_session_is_new() {
    for site in Site::both() {
        for cookies in ["", "theme=dark", "waxseal", "waxseals=x; __Host-waxseal2=x", "; ;=;"] {
            let session = site.load(cookies);
            assert_eq!(session.outcome(), Outcome::New, "{cookies}");
            assert_eq!(names_and_values(&session), []);
        }
    }
}

#[test]
fn a_cookie_of_the_current_keys_is_valid() {
    for site in Site::both() {
        let session = site.load(&site.foo());
        assert_eq!(session.outcome(), Outcome::Valid);
        assert_eq!(names_and_values(&session), [("name", "foo")]);
    }
}

#[test]
fn a_cookie_of_a_previous_pair_of_keys_opens() {
    for place in [Place::Cookie, Place::Store] {
        let before = Site::new(place, keyring(), Settings::default());
        let session = before.other_process(place, rotated_keyring()).load(&before.foo());
        assert_eq!(session.outcome(), Outcome::PreviousKey);
        assert_eq!(names_and_values(&session), [("name", "foo")]);
    }
}

#[test]
fn what_is_no_seal_is_malformed() {
    for site in Site::both() {
        for value in ["", "x", "!!!", "a=b=c", "\"quoted\"", "é", &"A".repeat(5000)] {
            let session = site.load(&format!("{NAME}={value}"));
            assert_eq!(session.outcome(), Outcome::Malformed, "{value}");
            assert_eq!(names_and_values(&session), []);
        }
        assert_eq!(site.outcome(&format!("{}=", site.foo())), Outcome::Malformed, "padded");
    }
}

#[test]
fn a_seal_of_the_other_version_is_malformed() {
    let (sealed, stored) = (Site::sealed(), Site::stored());
    assert_eq!(stored.outcome(&sealed.foo()), Outcome::Malformed);
    assert_eq!(sealed.outcome(&stored.foo()), Outcome::Malformed);
}

#[test]
fn what_no_key_of_the_keyring_made_is_forged() {
    for place in [Place::Cookie, Place::Store] {
        let site = Site::new(place, keyring(), Settings::default());
        let cookies = site.foo();
        let end = if cookies.ends_with("A") { "Q" } else { "A" };
        let changed = format!("{}{end}", &cookies[..cookies.len() - 1]);
        assert_ne!(site.outcome(&changed), Outcome::Valid);
        let session = site.other_process(place, new_keyring()).load(&cookies);
        assert_eq!(session.outcome(), Outcome::Forged);
        assert_eq!(names_and_values(&session), []);
    }
}

#[test]
fn a_session_that_was_idle_too_long_is_expired() {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(IDLE - 1);
        assert_eq!(site.outcome(&cookies), Outcome::Valid);
        site.wait(1);
        let session = site.load(&cookies);
        assert_eq!(session.outcome(), Outcome::Expired);
        assert_eq!(names_and_values(&session), []);
    }
}

#[test]
fn a_session_that_was_signed_out_is_revoked() {
    for site in Site::both() {
        let cookies = site.foo();
        let mut session = site.load(&cookies);
        session.destroy();
        site.save(&mut session);
        let session = site.load(&cookies);
        assert_eq!(session.outcome(), Outcome::Revoked);
        assert_eq!(names_and_values(&session), []);
    }
}

#[test]
fn a_session_whose_record_is_gone_is_revoked() {
    let site = Site::stored();
    let cookies = site.foo();
    site.store.delete(&Key::of(site.load(&cookies).id())).unwrap();
    assert_eq!(site.outcome(&cookies), Outcome::Revoked);
}

#[test]
fn the_cookie_that_was_sealed_last_is_the_session() {
    for site in Site::both() {
        let foo = site.foo();
        site.wait(1);
        let bar = site.visitor(&[("name", "bar")]);
        for cookies in [format!("{foo}; {bar}"), format!("{bar}; {foo}")] {
            assert_eq!(site.load(&cookies).get("name"), Some("bar"));
        }
    }
}

#[test]
fn where_the_last_was_signed_out_no_older_one_is_taken() {
    for site in Site::both() {
        let older = site.foo();
        site.wait(1);
        let last = site.visitor(&[("name", "bar")]);
        let mut session = site.load(&last);
        session.destroy();
        site.save(&mut session);
        for cookies in [format!("{older}; {last}"), format!("{last}; {older}")] {
            assert_eq!(site.outcome(&cookies), Outcome::Revoked);
        }
    }
}

#[test]
fn where_the_last_has_expired_no_older_one_is_taken() {
    let site = Site::sealed();
    let older = by_hand(NOW - 2, NOW - 2, "name=foo");
    let last = by_hand(NOW - ABSOLUTE - 1, NOW - 1, "name=bar");
    for cookies in [format!("{older}; {last}"), format!("{last}; {older}")] {
        assert_eq!(site.outcome(&cookies), Outcome::Expired);
    }
}

/// Without the cookie that a sign-out removes, the other one would be the session.
#[test]
fn a_sign_out_ends_all_sessions_whose_cookies_the_browser_holds() {
    for site in Site::both() {
        let older = site.foo();
        site.wait(1);
        let last = site.visitor(&[("name", "bar")]);
        let mut session = site.load(&format!("{older}; {last}"));
        session.destroy();
        assert!(is_removal(&site.save(&mut session).unwrap()));
        assert_eq!(site.outcome(&older), Outcome::Revoked);
        assert_eq!(site.outcome(&last), Outcome::Revoked);
    }
}

#[test]
fn a_sign_in_ends_all_sessions_whose_cookies_the_browser_holds() {
    for site in Site::both() {
        let older = site.foo();
        site.wait(1);
        let last = site.visitor(&[("name", "bar")]);
        let mut session = site.load(&format!("{older}; {last}"));
        session.sign_in(&site.sessions.fingerprint("carol", b"a hash"));
        let carol = site.saved(&mut session);
        assert_eq!(site.outcome(&older), Outcome::Revoked);
        assert_eq!(site.outcome(&last), Outcome::Revoked);
        assert_eq!(site.load(&format!("{carol}; {older}")).user(), Some("carol"));
    }
}

/// What another process may open is its own: a clock that goes wrong, or keys that were changed in
/// one step, sign nobody out for good.
#[test]
fn a_cookie_that_cannot_be_judged_is_left_where_it_is() {
    let site = Site::sealed();
    let future = by_hand(NOW + 300, NOW + 300, "name=foo");
    let other_keys = Site::new(Place::Cookie, new_keyring(), Settings::default()).foo();
    let other_store = Site::stored().foo();
    let mut unknown = site.opened(&site.foo()).header.id.0.to_vec();
    unknown.resize(150, 0);
    unknown[0] = 99;
    let unknown = format!("{NAME}={}", BASE64_URL_SAFE_NO_PAD.encode(unknown));
    for cookies in [future, other_keys, other_store, unknown] {
        let mut session = site.load(&cookies);
        assert!(matches!(session.outcome(), Outcome::Malformed | Outcome::Forged), "{cookies}");
        assert_eq!(site.save(&mut session), None, "{cookies}");
        session.destroy();
        assert!(is_removal(&site.save(&mut session).unwrap()), "a sign-out clears it");
        let dead = format!("{NAME}=x");
        for both in [format!("{cookies}; {dead}"), format!("{dead}; {cookies}")] {
            assert_eq!(site.save(&mut site.load(&both)), None, "the removal could hit the other");
        }
        let mut session = site.load(&cookies);
        session.insert("name", "bar").unwrap();
        assert!(site.save(&mut session).is_some(), "a sign-in replaces it");
    }
    site.wait(300);
    assert!(site.greets_foo(&by_hand(NOW + 300, NOW + 300, "name=foo")));
}

#[test]
fn a_cookie_that_is_dead_is_cleared() {
    let site = Site::sealed();
    let idle = by_hand(NOW - IDLE, NOW - IDLE, "a=1");
    let too_old = by_hand(NOW - ABSOLUTE - 1, NOW, "a=1");
    let before_its_session = by_hand(NOW, NOW - 1, "a=1");
    for cookies in [idle, too_old, before_its_session, format!("{NAME}=x"), format!("{NAME}=")] {
        let mut session = site.load(&cookies);
        assert!(is_removal(&site.save(&mut session).unwrap()), "{cookies}");
    }
}

#[test]
fn a_value_may_stand_in_quotes() {
    for site in Site::both() {
        let foo = site.foo();
        let value = foo.split_once('=').unwrap().1;
        for cookies in [
            format!("{NAME}=\"{value}\""),
            format!("$Version=1; {NAME}=\"{value}\"; $Path=\"/\""),
            format!("$Version=\"1\"; {NAME}={value}"),
        ] {
            assert!(site.greets_foo(&cookies), "{cookies}");
        }
        for value in [format!("\"{value}"), format!("{value}\""), format!("\"\"{value}\"\"")] {
            assert!(!site.greets_foo(&format!("{NAME}={value}")), "{value}");
        }
    }
}

#[test]
fn a_stray_cookie_planted_beside_it_signs_nobody_out() {
    for site in Site::both() {
        let cookies = site.foo();
        let mut signed_out = site.load(&cookies);
        signed_out.destroy();
        site.save(&mut signed_out);
        let old = by_hand(NOW - ABSOLUTE, NOW - IDLE, "name=bar");
        for stray in [format!("{NAME}=x"), format!("{NAME}="), old, cookies] {
            site.wait(1);
            let foo = site.foo();
            for cookies in [format!("{stray}; {foo}"), format!("{foo}; {stray}")] {
                let mut session = site.load(&cookies);
                assert_eq!(session.outcome(), Outcome::Valid);
                assert_eq!(session.get("name"), Some("foo"));
                assert_eq!(site.save(&mut session), None, "nothing is due, nothing is cleared");
            }
        }
    }
}

#[test]
fn up_to_sixteen_cookies_of_the_name_are_looked_at() {
    for site in Site::both() {
        let other_keys = Site::new(Place::Cookie, new_keyring(), Settings::default()).foo();
        for stray in [format!("{NAME}=x; "), format!("{other_keys}; ")] {
            let foo = site.foo();
            assert!(site.greets_foo(&format!("{}{foo}", stray.repeat(15))));
            assert!(!site.greets_foo(&format!("{}{foo}", stray.repeat(16))));
        }
        let others = "theme=dark; waxseal=x; ".repeat(50);
        assert!(site.greets_foo(&format!("{others}{}", site.foo())), "other names do not count");
    }
}

#[test]
fn up_to_four_cookies_that_a_key_made_count() {
    for site in Site::both() {
        let older: Vec<String> = (0..4).map(|_| site.visitor(&[("name", "bar")])).collect();
        site.wait(1);
        let foo = site.foo();
        assert!(site.greets_foo(&format!("{}; {foo}", older[..3].join("; "))));
        assert!(!site.greets_foo(&format!("{}; {foo}", older.join("; "))));
    }
}

#[test]
fn cookies_that_no_key_made_are_counted() {
    let site = Site::sealed();
    let other_keys = Site::new(Place::Cookie, new_keyring(), Settings::default()).foo();
    assert!(site.greets_foo(&format!("{other_keys}; {}; {other_keys}; {NAME}=x", site.foo())));
    assert_eq!(site.sessions.counts().forged_cookies(), 2);
}

#[test]
fn of_several_cookies_that_do_not_open_one_that_a_key_made_says_why_else_the_first() {
    let site = Site::sealed();
    let expired = by_hand(NOW - 2 * IDLE, NOW - IDLE, "a=1");
    let malformed = format!("{NAME}=x");
    let forged = Site::new(Place::Cookie, new_keyring(), Settings::default()).foo();
    assert_eq!(site.outcome(&format!("{expired}; {malformed}")), Outcome::Expired);
    assert_eq!(site.outcome(&format!("{malformed}; {expired}")), Outcome::Expired);
    assert_eq!(site.outcome(&format!("{malformed}; {forged}")), Outcome::Malformed);
    assert_eq!(site.outcome(&format!("{forged}; {malformed}")), Outcome::Forged);
}

#[test]
fn a_store_that_cannot_be_reached_is_an_error_and_the_session_is_there_afterwards() {
    let site = Site::stored();
    let cookies = site.foo();
    site.store.fail(|_| true);
    let error = site.sessions.load(&cookies, Scheme::Https).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)));
    assert!(error.to_string().contains("it is down"));
    site.store.fail(|_| false);
    assert!(site.greets_foo(&cookies));
}

#[test]
fn while_the_store_cannot_be_reached_visitors_without_a_genuine_cookie_are_served() {
    let site = Site::stored();
    site.store.fail(|_| true);
    for cookies in ["", "theme=dark", &format!("{NAME}=x")] {
        let mut session = site.load(cookies);
        site.save(&mut session);
    }
}

#[test]
fn a_store_that_fails_at_save_neither_loses_nor_invents_a_session() {
    let site = Site::stored();
    site.store.fail(|call| matches!(call, Call::Commit(..)));
    let mut session = site.load("");
    session.insert("name", "foo").unwrap();
    assert!(matches!(site.sessions.save(&mut session), Err(SaveError::Store(_))));
    assert_eq!(site.store.record(&Key::of(session.id())), None, "invented");
    site.store.fail(|_| false);
    let cookies = site.saved(&mut session);
    assert!(site.greets_foo(&cookies), "the next save makes up for it");

    site.store.fail(|call| matches!(call, Call::Commit(..)));
    let mut session = site.load(&cookies);
    session.insert("name", "bar").unwrap();
    assert!(matches!(site.sessions.save(&mut session), Err(SaveError::Store(_))));
    assert!(site.greets_foo(&cookies), "lost");
}

#[test]
fn a_sign_in_that_the_store_fails_leaves_the_old_session() {
    let site = Site::stored();
    let cookies = site.visitor(&[("cart", "1")]);
    let calls: [Which; 2] =
        [|call| matches!(call, Call::Commit(..)), |call| matches!(call, Call::Delete(_))];
    for fails in calls {
        site.store.fail(fails);
        let mut session = site.load(&cookies);
        session.renew();
        session.insert("name", "foo").unwrap();
        assert!(matches!(site.sessions.save(&mut session), Err(SaveError::Store(_))));
        assert_eq!(names_and_values(&site.load(&cookies)), [("cart", "1")]);
    }
    site.store.fail(|_| false);
    let mut session = site.load(&cookies);
    session.renew();
    assert!(site.save(&mut session).is_some());
    assert_eq!(site.outcome(&cookies), Outcome::Revoked);
}

#[test]
fn a_logout_that_the_store_fails_is_an_error_and_can_be_tried_again() {
    let site = Site::stored();
    let cookies = site.foo();
    let mut session = site.load(&cookies);
    session.destroy();
    site.store.fail(|_| true);
    assert!(matches!(site.sessions.save(&mut session), Err(SaveError::Store(_))));
    site.store.fail(|_| false);
    assert!(site.greets_foo(&cookies), "the visitor must not be told that it worked");
    assert!(is_removal(&site.save(&mut session).unwrap()));
    assert_eq!(site.outcome(&cookies), Outcome::Revoked);
}

#[test]
fn a_name_behind_unicode_space_is_another_name() {
    // A browser lets any subdomain plant such a cookie: to it, the name has no prefix.
    for space in ['\u{85}', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2028}', '\u{3000}', '\u{b}'] {
        for site in Site::both() {
            let foo = site.foo();
            assert_eq!(site.outcome(&format!("{space}{foo}")), Outcome::New, "{space:?}");
            let (name, value) = foo.split_once('=').unwrap();
            assert_eq!(site.outcome(&format!("{name}{space}={value}")), Outcome::New, "{space:?}");
        }
    }
}

#[test]
fn spaces_and_tabs_around_names_and_values_do_not_matter() {
    for site in Site::both() {
        let foo = site.foo().replacen('=', " =\t", 1);
        for cookies in [foo.clone(), format!("a=b;{foo};c=d"), format!("\t {foo} \t;; ")] {
            assert!(site.greets_foo(&cookies), "{cookies:?}");
        }
    }
}
