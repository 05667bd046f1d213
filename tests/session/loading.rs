//! Loading: whatever the visitor sent, and whatever the store answers.

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
        assert_eq!(names_and_values(&session), [("username", "foo")]);
    }
}

#[test]
fn a_cookie_of_a_previous_pair_of_keys_opens() {
    for place in [Place::Cookie, Place::Store] {
        let before = Site::new(place, keyring(), Settings::default());
        let session = before.other_process(place, rotated_keyring()).load(&before.foo());
        assert_eq!(session.outcome(), Outcome::PreviousKey);
        assert_eq!(names_and_values(&session), [("username", "foo")]);
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
fn the_first_cookie_that_opens_is_the_session() {
    for site in Site::both() {
        let (foo, bar) = (site.foo(), site.visitor(&[("username", "bar")]));
        assert_eq!(site.load(&format!("{foo}; {bar}")).get("username"), Some("foo"));
        assert_eq!(site.load(&format!("{bar}; {foo}")).get("username"), Some("bar"));
    }
}

#[test]
fn a_stray_cookie_planted_beside_it_signs_nobody_out() {
    for site in Site::both() {
        let cookies = site.foo();
        let mut signed_out = site.load(&cookies);
        signed_out.destroy();
        site.save(&mut signed_out);
        let old = by_hand(NOW - ABSOLUTE, NOW - IDLE, "username=bar");
        for stray in [format!("{NAME}=x"), format!("{NAME}="), old, cookies] {
            let foo = site.foo();
            for cookies in [format!("{stray}; {foo}"), format!("{foo}; {stray}")] {
                let mut session = site.load(&cookies);
                assert_eq!(session.outcome(), Outcome::Valid);
                assert_eq!(session.get("username"), Some("foo"));
                assert_eq!(site.save(&mut session), None, "nothing is due, nothing is cleared");
            }
        }
    }
}

#[test]
fn up_to_four_cookies_of_the_name_are_looked_at() {
    for site in Site::both() {
        let stray = format!("{NAME}=x; ");
        let foo = site.foo();
        assert!(site.greets_foo(&format!("{}{foo}", stray.repeat(3))));
        assert_eq!(site.outcome(&format!("{}{foo}", stray.repeat(4))), Outcome::Malformed);
        let others = "theme=dark; waxseal=x; ".repeat(50);
        assert!(site.greets_foo(&format!("{others}{foo}")), "other names do not count");
    }
}

#[test]
fn of_several_cookies_that_do_not_open_the_first_says_why() {
    let site = Site::sealed();
    let expired = by_hand(NOW - 2 * IDLE, NOW - IDLE, "a=1");
    let malformed = format!("{NAME}=x");
    assert_eq!(site.outcome(&format!("{expired}; {malformed}")), Outcome::Expired);
    assert_eq!(site.outcome(&format!("{malformed}; {expired}")), Outcome::Malformed);
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
    session.insert("username", "foo").unwrap();
    assert!(matches!(site.sessions.save(&mut session), Err(SaveError::Store(_))));
    assert_eq!(site.store.record(&Key::of(session.id())), None, "invented");
    site.store.fail(|_| false);
    let cookies = site.saved(&mut session);
    assert!(site.greets_foo(&cookies), "the next save makes up for it");

    site.store.fail(|call| matches!(call, Call::Commit(..)));
    let mut session = site.load(&cookies);
    session.insert("username", "bar").unwrap();
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
        session.insert("username", "foo").unwrap();
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
