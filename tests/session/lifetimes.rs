//! How long a session lives, and how long its cookie.

use std::sync::Arc;
use std::time::Duration;

use waxseal::seal::Lifetimes;
use waxseal::session::{Level, ManualClock, Outcome, Settings};

use super::support::{
    ABSOLUTE, Call, DAY, IDLE, NOW, Place, SKEW, Site, at, by_hand, keyring, life, max_age,
};

#[test]
fn the_idle_time_counts_from_the_last_seal_whatever_the_browser_says() {
    let site = Site::sealed();
    assert!(site.load(&by_hand(NOW - 2 * IDLE, NOW - IDLE + 1, "a=1")).get("a").is_some());
    assert_eq!(site.outcome(&by_hand(NOW - 2 * IDLE, NOW - IDLE, "a=1")), Outcome::Expired);
}

#[test]
fn the_absolute_lifetime_counts_from_the_sign_in_however_fresh_the_seal() {
    let site = Site::sealed();
    assert!(site.load(&by_hand(NOW - ABSOLUTE + 1, NOW, "a=1")).get("a").is_some());
    assert_eq!(site.outcome(&by_hand(NOW - ABSOLUTE, NOW, "a=1")), Outcome::Expired);
}

#[test]
fn created_and_sealed_are_inside_the_seal() {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(DAY);
        let mut session = site.load(&cookies);
        session.insert("a", 1).unwrap();
        let header = site.opened(&site.saved(&mut session)).header;
        assert_eq!((header.created, header.sealed), (NOW, NOW + DAY));
        assert_eq!(header.id, session.id());
    }
}

#[test]
fn max_age_is_the_smaller_of_the_idle_time_and_what_is_left_of_the_lifetime() {
    for site in Site::both() {
        let mut session = site.load(&site.foo());
        session.insert("a", 0).unwrap();
        assert_eq!(max_age(&site.save(&mut session).unwrap()), IDLE);
        for day in 1..30 {
            site.wait(DAY);
            session.insert("a", day).unwrap();
            let left = ABSOLUTE - day * DAY;
            assert_eq!(max_age(&site.save(&mut session).unwrap()), left.min(IDLE), "day {day}");
        }
    }
}

#[test]
fn a_record_expires_with_its_cookie() {
    let site = Site::stored();
    let mut session = site.load(&site.foo());
    for day in 0..30 {
        site.store.calls();
        session.insert("a", day).unwrap();
        let age = max_age(&site.save(&mut session).unwrap());
        let calls = site.store.calls();
        let [Call::Commit(_, _, lifetime)] = calls[..] else { panic!("{calls:?}") };
        assert_eq!(lifetime, life(age));
        site.wait(DAY);
    }
}

#[test]
fn lifetimes_without_end_lose_no_session() {
    for place in [Place::Cookie, Place::Store] {
        let lifetimes = Lifetimes { idle: Duration::MAX, absolute: Duration::MAX };
        let settings = Settings::default().with_lifetimes(lifetimes);
        let site = Site::new(place, keyring(), settings);
        let cookies = site.foo();
        site.wait(1000 * 365 * DAY);
        assert!(site.greets_foo(&cookies));
        assert_eq!(site.save(&mut site.load(&cookies)), None);
    }
}

#[test]
fn a_process_whose_clock_is_behind_keeps_the_session() {
    for place in [Place::Cookie, Place::Store] {
        let ahead = Site::new(place, keyring(), Settings::default());
        let clock = Arc::new(ManualClock::new(at(NOW - SKEW)));
        let behind =
            Site::of(place, keyring(), Settings::default(), clock.clone(), ahead.store.clone());
        let mut session = behind.load(&ahead.foo());
        session.flash(Level::Info, "hello").unwrap();
        let cookies = behind.saved(&mut session);
        for site in [&behind, &ahead] {
            assert_eq!(site.outcome(&cookies), Outcome::Valid);
        }
    }
}
