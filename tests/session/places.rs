//! Where the values are, and several named sessions beside each other.

use sha2::{Digest, Sha256};
use waxseal::seal::{Header, Version};
use waxseal::session::{Change, Key, Outcome, Settings, Values};

use super::support::{Call, IDLE, NAME, Place, Site, keyring, life, names_and_values, new_keyring};

#[test]
fn sealed_values_are_inside_the_cookie_and_no_store_is_needed() {
    let site = Site::sealed();
    let cookies = site.foo();
    assert_eq!(site.opened(&cookies).header.version, Version::Values);
    assert_eq!(site.opened(&cookies).payload(), b"name=foo");
    assert!(site.other_process(Place::Cookie, keyring()).greets_foo(&cookies));
}

#[test]
fn stored_values_are_kept_under_the_sha256_of_the_id() {
    let site = Site::stored();
    let session = site.load(&site.foo());
    let calls = site.store.calls();
    let Some(Call::Commit(key, ..)) = calls.first() else { panic!("{calls:?}") };
    let sha256: [u8; 32] = Sha256::digest(session.id().0).into();
    assert_eq!(key.as_bytes(), &sha256);
    let found = site.store.record(key);
    assert_eq!(found, Some(Values::from([("name".to_owned(), "foo".to_owned())])));
}

#[test]
fn the_cookie_of_a_stored_session_carries_its_sealed_id_alone() {
    let site = Site::stored();
    let (small, large) = (site.foo(), site.visitor(&[("a", &"x".repeat(1000))]));
    assert_eq!(small.len(), large.len());
    assert_eq!(site.opened(&large).header.version, Version::Stored);
    assert_eq!(site.opened(&large).payload(), b"stored");
}

#[test]
fn a_forged_id_never_reaches_the_store() {
    let site = Site::stored();
    let cookies = site.foo();
    let value = cookies.split_once('=').unwrap().1;
    let header = site.opened(&cookies).header;
    let forged = new_keyring().seal(NAME, &header, b"stored");
    let elsewhere = keyring().seal("cart", &header, b"stored");
    let inside = keyring().seal(
        NAME,
        &Header::new(Version::Values, header.id, header.created, header.sealed),
        b"a=1",
    );
    let mut flipped = value.to_owned().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    site.store.calls();
    for value in ["", "x", &value[1..], &forged, &elsewhere, &inside, &flipped] {
        let mut session = site.load(&format!("{NAME}={value}"));
        assert!(matches!(session.outcome(), Outcome::Malformed | Outcome::Forged));
        site.save(&mut session);
    }
    site.wait(IDLE);
    assert_eq!(site.outcome(&cookies), Outcome::Expired);
    assert_eq!(site.store.calls(), []);
}

#[test]
fn a_commit_sends_what_changed_and_never_the_whole_map() {
    let site = Site::stored();
    let mut session = site.load(&site.visitor(&[("a", "1"), ("b", "2"), ("c", "3")]));
    session.insert("a", "one").unwrap();
    session.insert("c", "3").unwrap();
    session.remove("b");
    session.insert("d", "4").unwrap();
    site.store.calls();
    site.save(&mut session);
    let some = |value: &str| Some(value.to_owned());
    let changes = [("a", some("one")), ("b", None), ("d", some("4"))];
    let changes = changes.map(|(name, value)| (name.to_owned(), value)).into();
    let commit = Call::Commit(Key::of(session.id()), Change::Update(changes), life(IDLE));
    assert_eq!(site.store.calls(), [commit]);
}

#[test]
fn a_record_that_expired_meanwhile_is_not_revived() {
    let site = Site::stored();
    let cookies = site.foo();
    let mut slow = site.load(&cookies);
    site.wait(IDLE);
    slow.insert("a", 1).unwrap();
    assert_eq!(site.save(&mut slow), None);
    assert_eq!(site.store.record(&Key::of(slow.id())), None);
}

#[test]
fn sessions_are_shared_between_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(&Site::sealed().sessions);
    is_shared(&Site::stored().sessions);
}

fn named(place: Place, name: &str, site: &Site) -> Site {
    let settings = Settings::default().with_name(name);
    Site::of(place, keyring(), settings, site.clock.clone(), site.store.clone())
}

#[test]
fn one_request_may_have_several_named_sessions() {
    for place in [Place::Cookie, Place::Store] {
        let site = Site::new(place, keyring(), Settings::default());
        let cart = named(place, "cart", &site);
        let cookies = format!("{}; {}", site.foo(), cart.visitor(&[("item", "1")]));
        let (mut login, mut item) = (site.load(&cookies), cart.load(&cookies));
        assert_eq!(names_and_values(&login), [("name", "foo")]);
        assert_eq!(names_and_values(&item), [("item", "1")]);
        item.insert("item", 2).unwrap();
        assert_eq!(site.save(&mut login), None);
        assert_eq!(cart.save(&mut item).unwrap().name(), "__Host-cart");
        login.destroy();
        assert_eq!(site.save(&mut login).unwrap().name(), "__Host-waxseal");
        assert_eq!(cart.outcome(&cookies), Outcome::Valid);
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
    }
}

#[test]
fn cookies_swapped_between_two_names_are_forged() {
    for place in [Place::Cookie, Place::Store] {
        let site = Site::new(place, keyring(), Settings::default());
        let cart = named(place, "cart", &site);
        let (login, item) = (site.foo(), cart.visitor(&[("name", "admin")]));
        let (login, item) = (login.split_once('=').unwrap().1, item.split_once('=').unwrap().1);
        let swapped = format!("__Host-waxseal={item}; __Host-cart={login}");
        assert_eq!(site.outcome(&swapped), Outcome::Forged);
        assert_eq!(cart.outcome(&swapped), Outcome::Forged);
    }
}
