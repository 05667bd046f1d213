//! Who is signed in, with which credential, and ending all of a user's sessions.

use waxseal::seal::{Fingerprint, Keyring};
use waxseal::session::{Change, CommitOutcome, Key, Outcome, Reach, Session, Store};

use super::support::{
    ABSOLUTE, DAY, IDLE, NOW, Place, SKEW, Site, by_hand, keyring, life, new_keyring,
    rotated_keyring,
};

fn fingerprint(keyring: &Keyring, user: &str) -> Fingerprint {
    keyring.fingerprint(user, b"hash of the password")
}

/// The cookies of `user`, who has just signed in.
fn signed_in(site: &Site, user: &str) -> String {
    let mut session = site.load("");
    session.sign_in(&fingerprint(&keyring(), user));
    site.saved(&mut session)
}

fn auth(session: &Session) -> String {
    session.get("_auth").unwrap().to_owned()
}

#[test]
fn who_signed_in_is_the_user() {
    for site in Site::both() {
        let mut session = site.load(&signed_in(&site, "foo"));
        assert_eq!((session.user(), session.get("username")), (Some("foo"), Some("foo")));
        assert!(session.confirm(&fingerprint(&keyring(), "foo")));
        assert!(!session.is_changed());
        assert_eq!(site.load("").user(), None);
    }
}

#[test]
fn signing_in_renews() {
    for site in Site::both() {
        let planted = site.visitor(&[("cart", "1")]);
        let mut session = site.load(&planted);
        let before = session.id();
        session.sign_in(&fingerprint(&keyring(), "foo"));
        assert_ne!(session.id(), before);
        let session = site.load(&site.saved(&mut session));
        assert_eq!((session.user(), session.get("cart")), (Some("foo"), Some("1")));
        assert_eq!(site.outcome(&planted), Outcome::Revoked);
    }
}

/// As a cookie has it whose program put the name in, when that was allowed: it opens as before.
#[test]
fn a_name_alone_is_nobody_signed_in() {
    let site = Site::sealed();
    let cookies = by_hand(NOW, NOW, "username=foo");
    let mut session = site.load(&cookies);
    assert_eq!((session.user(), session.get("username")), (None, Some("foo")));
    assert!(!session.confirm(&fingerprint(&keyring(), "foo")));
    site.wait(1);
    let _ = site.sessions.revoke_user("foo").unwrap();
    assert_eq!(site.outcome(&cookies), Outcome::Valid, "it is none of foo's");
}

#[test]
fn no_handler_can_say_who_the_user_is() {
    for site in Site::both() {
        let mut session = site.load(&signed_in(&site, "foo"));
        assert!(session.insert("username", "admin").is_err());
        assert_eq!(session.remove("username"), None);
        assert_eq!(session.user(), Some("foo"));
        assert!(session.iter().next().is_none());
        assert!(session.confirm(&fingerprint(&keyring(), "foo")));
    }
}

#[test]
fn another_credential_is_not_confirmed() {
    for site in Site::both() {
        let mut session = site.load(&signed_in(&site, "foo"));
        assert!(!session.confirm(&keyring().fingerprint("foo", b"hash of a new password")));
        assert!(session.confirm(&fingerprint(&keyring(), "foo")), "asking changed nothing");
    }
}

/// Two processes, one with the new pair as previous, the other swapped already.
#[test]
fn a_credential_is_confirmed_all_through_a_rotation_of_keys() {
    for site in Site::both() {
        let old = (b"an authentication key of any length", b"0123456789abcdef");
        let new = (b"a new authentication key", b"a new encryption");
        let first_step = keyring().with_previous(new.0, new.1).unwrap();
        let second_step = new_keyring().with_previous(old.0, old.1).unwrap();
        let mut session = site.load(&signed_in(&site, "foo"));
        let under_old = auth(&session);

        assert!(session.confirm(&fingerprint(&first_step, "foo")) && !session.is_changed());
        assert!(session.confirm(&fingerprint(&second_step, "foo")));
        assert!(session.is_changed(), "it is kept under the new key from now on");
        let under_new = auth(&session);
        assert_ne!(under_new, under_old);
        assert!(session.confirm(&fingerprint(&new_keyring(), "foo")), "the old pair may go");

        assert!(session.confirm(&fingerprint(&first_step, "foo")), "one of the old processes");
        assert_eq!(auth(&session), under_old);
        assert!(session.confirm(&fingerprint(&rotated_keyring(), "foo")));
        assert!(
            !session.confirm(&fingerprint(&keyring(), "foo")),
            "which knows the old pair alone"
        );
    }
}

/// A store shows the mark to everybody who can read it; a sealed cookie does not.
#[test]
fn in_a_store_the_mark_is_bound_to_the_sessions_id_and_bound_anew_when_that_changes() {
    let site = Site::stored();
    let cookies = signed_in(&site, "foo");
    let kept =
        |session: &Session| site.store.record(&Key::of(session.id())).unwrap()["_auth"].clone();
    let mut session = site.load(&cookies);
    let (mark, bound) = (auth(&session), kept(&session));
    assert_eq!(mark, fingerprint(&keyring(), "foo").mark());
    assert_ne!(bound, mark);
    // A change of something else leaves it.
    session.insert("a", 1).unwrap();
    site.saved(&mut session);
    assert_eq!(kept(&session), bound);
    session.renew();
    let renewed = site.saved(&mut session);
    assert_ne!(kept(&session), bound);
    let mut session = site.load(&renewed);
    assert!(session.confirm(&fingerprint(&keyring(), "foo")) && !session.is_changed());
    assert_eq!(auth(&session), mark);
}

#[test]
fn an_unbound_mark_counts_in_a_sealed_cookie_alone() {
    let payload = format!("_auth={}&username=foo&cart=1", fingerprint(&keyring(), "foo").mark());
    let mut sealed = Site::sealed().load(&by_hand(NOW, NOW, &payload));
    assert!(sealed.confirm(&fingerprint(&keyring(), "foo")));

    // One in a store from before, or one that somebody put there, signs in again, once.
    let site = Site::stored();
    let cookies = signed_in(&site, "foo");
    let key = Key::of(site.load(&cookies).id());
    for mark in [fingerprint(&keyring(), "foo").mark(), "nonsense".to_owned(), String::new()] {
        let change = Change::Update([("_auth".to_owned(), Some(mark))].into());
        assert_eq!(site.store.commit(&key, &change, life(IDLE)).unwrap(), CommitOutcome::Done);
        let mut session = site.load(&cookies);
        assert_eq!(session.user(), None);
        assert!(!session.confirm(&fingerprint(&keyring(), "foo")));
        assert!(!session.is_changed());
    }
    let mut session = site.load(&cookies);
    session.sign_in(&fingerprint(&keyring(), "foo"));
    let mut session = site.load(&site.saved(&mut session));
    assert!(session.confirm(&fingerprint(&keyring(), "foo")));
}

#[test]
fn in_a_store_a_binding_outlives_a_rotation_of_keys() {
    let site = Site::stored();
    let cookies = signed_in(&site, "foo");
    let rotated = site.other_process(Place::Store, rotated_keyring());
    let mut session = rotated.load(&cookies);
    assert!(session.confirm(&fingerprint(&rotated_keyring(), "foo")));
    let cookies = rotated.saved(&mut session);
    let new_alone = site.other_process(Place::Store, new_keyring());
    let mut session = new_alone.load(&cookies);
    assert!(session.confirm(&fingerprint(&new_keyring(), "foo")), "the old pair may go");
}

#[test]
fn the_fingerprint_is_neither_listed_nor_removed_alone() {
    for site in Site::both() {
        let mut session = site.load(&signed_in(&site, "foo"));
        assert!(session.iter().next().is_none());
        assert_eq!((session.remove("_auth"), session.remove("username")), (None, None));
        assert_eq!(session.user(), Some("foo"));
    }
}

#[test]
fn revoking_a_user_ends_all_sessions_of_that_user_and_no_others() {
    for site in Site::both() {
        let (here, there) = (signed_in(&site, "foo"), signed_in(&site, "foo"));
        let (other, anonymous) = (signed_in(&site, "bar"), site.visitor(&[("cart", "1")]));
        site.wait(DAY);
        assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
        assert_eq!([site.outcome(&here), site.outcome(&there)], [Outcome::Revoked; 2]);
        assert_eq!([site.outcome(&other), site.outcome(&anonymous)], [Outcome::Valid; 2]);
    }
}

#[test]
fn in_the_same_second_sessions_from_before_end_and_a_new_one_begins() {
    for site in Site::both() {
        let before = signed_in(&site, "foo");
        assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
        let after = signed_in(&site, "foo");
        assert_eq!(
            [site.outcome(&before), site.outcome(&after)],
            [Outcome::Revoked, Outcome::Valid]
        );
        assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
        site.wait(1);
        assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
        assert_eq!(site.outcome(&after), Outcome::Revoked);
    }
}

#[test]
fn a_slow_request_revives_no_session_of_a_revoked_user() {
    for site in Site::both() {
        let cookies = signed_in(&site, "foo");
        let mut slow = site.load(&cookies);
        slow.insert("cart", "1").unwrap();
        site.wait(1);
        assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
        assert!(site.sessions.save(&mut slow).unwrap().into_cookie().is_none());
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
    }
}

#[test]
fn a_revocation_lasts_as_long_as_any_session_from_before_could() {
    for site in Site::both() {
        let mut cookies = signed_in(&site, "foo");
        for _ in 0..5 {
            site.wait(5 * DAY);
            let mut session = site.load(&cookies);
            cookies = site.saved(&mut session);
        }
        assert_eq!(site.sessions.revoke_user("foo").unwrap(), Reach::Confirmed);
        site.wait(ABSOLUTE - 25 * DAY - 1);
        assert_eq!(site.sessions.revoke_user("bar").unwrap(), Reach::Confirmed);
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
        site.wait(25 * DAY + SKEW + 2);
        assert_eq!(site.sessions.revoke_user("bar").unwrap(), Reach::Confirmed);
        assert_eq!(site.outcome(&signed_in(&site, "foo")), Outcome::Valid);
    }
}
