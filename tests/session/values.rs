//! What a session holds, and how it is read and changed.

use waxseal::session::{Level, Session, Settings};

use super::support::{
    DAY, NOW, Place, Site, at, by_hand, is_removal, keyring, names_and_values, texts,
};

#[test]
fn values_come_in_key_order_and_come_back_so() {
    for site in Site::both() {
        let mut session = site.load("");
        for name in ["b", "ä", "", "B", "a"] {
            session.insert(name, name.to_uppercase()).unwrap();
        }
        let sorted = [("", ""), ("B", "B"), ("a", "A"), ("b", "B"), ("ä", "Ä")];
        assert_eq!(names_and_values(&session), sorted);
        let cookies = site.saved(&mut session);
        assert_eq!(names_and_values(&site.load(&cookies)), sorted);
    }
}

#[test]
fn a_value_is_read_as_text() {
    let site = Site::sealed();
    let session = site.load(&site.visitor(&[("a", "1"), ("empty", "")]));
    assert_eq!((session.get("a"), session.get("empty")), (Some("1"), Some("")));
    assert_eq!(session.get("never"), None);
}

#[test]
fn a_value_is_read_as_the_type_asked_for_and_otherwise_there_is_none() {
    let site = Site::sealed();
    let session = site.load(&site.visitor(&[("items", "3"), ("vip", "true")]));
    assert_eq!(session.get_as::<u8>("items"), Some(3));
    assert_eq!(session.get_as::<bool>("vip"), Some(true));
    assert_eq!(session.get_as::<bool>("items"), None);
    assert_eq!(session.get_as::<u8>("never"), None);
}

#[test]
fn insert_replaces() {
    let site = Site::sealed();
    let mut session = site.load(&site.visitor(&[("a", "1")]));
    session.insert("a", 2).unwrap();
    assert_eq!(session.get("a"), Some("2"));
    assert_eq!(site.load(&site.saved(&mut session)).get("a"), Some("2"));
}

#[test]
fn remove_gives_the_value_back_and_takes_only_it() {
    for site in Site::both() {
        let mut session = site.load(&site.visitor(&[("a", "1"), ("b", "2")]));
        assert_eq!(session.remove("a"), Some("1".to_owned()));
        assert_eq!(session.remove("a"), None);
        let cookies = site.saved(&mut session);
        assert_eq!(names_and_values(&site.load(&cookies)), [("b", "2")]);
    }
}

#[test]
fn clear_removes_everything_waiting_flashes_too() {
    for site in Site::both() {
        let mut session = site.load(&site.visitor(&[("a", "1"), ("b", "2")]));
        session.flash(Level::Info, "hello").unwrap();
        let mut session = site.load(&site.saved(&mut session));
        session.clear();
        assert_eq!(names_and_values(&session), []);
        assert_eq!(texts(session.take_flashes()), [""; 0]);
        assert!(is_removal(&site.save(&mut session).unwrap()));
    }
}

#[test]
fn a_flash_waits_for_the_next_page_and_is_shown_once() {
    for site in Site::both() {
        let mut session = site.load(&site.foo());
        session.flash(Level::Info, "signed in & <well>").unwrap();
        let mut session = site.load(&site.saved(&mut session));
        assert_eq!(texts(session.take_flashes()), ["signed in & <well>"]);
        assert_eq!(texts(session.take_flashes()), [""; 0]);
        let mut session = site.load(&site.saved(&mut session));
        assert_eq!(texts(session.take_flashes()), [""; 0]);
        assert_eq!(site.save(&mut session), None);
    }
}

#[test]
fn flashes_come_oldest_first_over_several_visits() {
    for site in Site::both() {
        let mut session = site.load(&site.foo());
        session.flash(Level::Info, "z").unwrap();
        session.flash(Level::Info, "a").unwrap();
        let mut session = site.load(&site.saved(&mut session));
        session.flash(Level::Info, "m").unwrap();
        session.flash(Level::Info, "a").unwrap();
        let mut session = site.load(&site.saved(&mut session));
        assert_eq!(texts(session.take_flashes()), ["z", "a", "m", "a"]);
    }
}

#[test]
fn flashes_are_not_among_the_values() {
    let site = Site::sealed();
    let mut session = site.load(&site.foo());
    session.flash(Level::Info, "hello").unwrap();
    assert_eq!(names_and_values(&session), [("name", "foo")]);
    let session = site.load(&site.saved(&mut session));
    assert_eq!(names_and_values(&session), [("name", "foo")]);
}

#[test]
fn a_flash_alone_makes_a_session() {
    for site in Site::both() {
        let mut session = site.load("");
        session.flash(Level::Info, "goodbye").unwrap();
        let mut session = site.load(&site.saved(&mut session));
        assert_eq!(texts(session.take_flashes()), ["goodbye"]);
        assert!(is_removal(&site.save(&mut session).unwrap()), "nothing is left in it");
    }
}

#[test]
fn each_session_has_an_id_of_its_own_that_stays() {
    for site in Site::both() {
        let cookies = site.foo();
        let id = site.load(&cookies).id();
        assert_eq!(site.load(&cookies).id(), id);
        let mut session = site.load(&cookies);
        session.insert("a", 1).unwrap();
        assert_eq!(site.load(&site.saved(&mut session)).id(), id);
        assert_ne!(site.load(&site.foo()).id(), id);
        assert_ne!(site.load("").id(), site.load("").id());
    }
}

#[test]
fn created_is_when_the_session_began_and_stays() {
    for site in Site::both() {
        let cookies = site.foo();
        site.wait(DAY);
        let mut session = site.load(&cookies);
        assert_eq!(session.created(), at(NOW));
        session.insert("a", 1).unwrap();
        assert_eq!(site.load(&site.saved(&mut session)).created(), at(NOW));
    }
}

#[test]
fn a_session_knows_whether_it_changed() {
    for site in Site::both() {
        assert!(!site.load("").is_changed());
        let cookies = site.visitor(&[("a", "1")]);
        let changed = |change: fn(&mut Session)| {
            let mut session = site.load(&cookies);
            assert!(!session.is_changed());
            change(&mut session);
            session.is_changed()
        };
        assert!(changed(|session| session.insert("a", "2").unwrap()));
        assert!(changed(|session| session.insert("b", "1").unwrap()));
        assert!(changed(|session| drop(session.remove("a"))));
        assert!(changed(Session::clear));
        assert!(changed(|session| session.flash(Level::Info, "hello").unwrap()));
        assert!(!changed(|session| session.insert("a", "1").unwrap()), "the same value again");
        assert!(!changed(|session| drop(session.remove("never"))));
        assert!(!changed(|session| drop(session.take_flashes())), "there was none");
        assert!(
            !changed(|session| {
                session.insert("b", "1").unwrap();
                session.remove("b");
            }),
            "there and back"
        );
    }
}

#[test]
fn names_that_begin_with_an_underscore_are_read_and_not_written() {
    let site = Site::sealed();
    let mut session = site.load(&by_hand(NOW, NOW, "_auth=x&a=1"));
    assert_eq!(session.get("_auth"), Some("x"));
    assert!(session.insert("_auth", "y").is_err());
    assert!(session.insert("_", "y").is_err());
    assert!(session.insert("_flash", "y").is_err());
    assert_eq!(session.remove("_auth"), None);
    assert_eq!(session.get("_auth"), Some("x"));
    assert_eq!(names_and_values(&session), [("a", "1")]);
    assert!(!session.is_changed());
}

#[test]
fn a_session_that_nobody_asks_for_calls_no_store() {
    let site = Site::stored();
    let cookies = site.foo();
    let other = Settings::default().with_name("cart");
    let cart = Site::of(Place::Store, keyring(), other, site.clock.clone(), site.store.clone());
    site.store.calls();
    cart.save(&mut cart.load(&cookies));
    assert_eq!(site.store.calls(), []);
}

#[test]
fn debug_shows_no_value() {
    for site in Site::both() {
        let mut session = site.load(&site.visitor(&[("a", "visible")]));
        session.flash(Level::Info, "visible").unwrap();
        let shown = format!("{session:?} {session:#?} {:?}", site.sessions);
        assert!(!shown.contains("visible"), "{shown}");
        site.save(&mut session);
        assert!(!format!("{:?}", site.store.calls()).contains("visible"));
    }
}
