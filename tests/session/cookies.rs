//! Size and attributes of the cookie, and the names under which it is read.

use std::time::Duration;

use waxseal::seal::{Lifetimes, MAX_COOKIE};
use waxseal::session::{
    Change, CommitOutcome, Cookie, Key, Outcome, SameSite, SaveError, Scheme, Secure, Sessions,
    Settings, SettingsError, Store, StoreError, Values,
};

use super::support::{Place, Site, header, is_removal, keyring};

#[test]
fn name_and_value_together_take_4096_bytes_and_no_more() {
    for scheme in [Scheme::Http, Scheme::Https] {
        let (mut largest, mut smallest_refused) = (0, usize::MAX);
        for length in 2800..3100 {
            let sessions = Site::sealed().sessions;
            let mut session = sessions.load("", scheme).unwrap();
            session.insert("a", "x".repeat(length)).unwrap();
            match sessions.save(&mut session) {
                Ok(cookie) => {
                    let cookie = cookie.into_cookie().unwrap();
                    let size = cookie.name().len() + cookie.value().len();
                    largest = largest.max(size);
                    assert!(sessions.load(&header(&cookie), scheme).unwrap().get("a").is_some());
                }
                Err(SaveError::SessionTooLarge { size, limit: 4096 }) => {
                    smallest_refused = smallest_refused.min(size);
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(MAX_COOKIE, 4096);
        // A byte more of payload is one character more, or two.
        assert!((4095..=4096).contains(&largest), "{largest}");
        assert!((4097..=4098).contains(&smallest_refused), "{smallest_refused}");
    }
}

#[test]
fn a_session_that_is_too_large_is_not_changed_by_the_attempt() {
    let site = Site::sealed();
    let cookies = site.foo();
    let mut session = site.load(&cookies);
    session.renew();
    session.insert("large", "x".repeat(5000)).unwrap();
    let error = site.sessions.save(&mut session).unwrap_err();
    let SaveError::SessionTooLarge { size, limit } = error else { panic!("{error:?}") };
    assert!(error.to_string().contains(&size.to_string()));
    assert!(error.to_string().contains(&limit.to_string()));
    assert!(site.greets_foo(&cookies), "the old id is not revoked");
    session.remove("large");
    let cookies = site.saved(&mut session);
    assert!(site.greets_foo(&cookies));
}

#[test]
fn in_a_store_a_session_may_be_larger_than_a_cookie() {
    let site = Site::stored();
    let cookies = site.visitor(&[("large", &"x".repeat(100_000))]);
    assert!(cookies.len() < 200);
    assert_eq!(site.load(&cookies).get("large").unwrap().len(), 100_000);
}

#[test]
fn a_session_larger_than_the_store_allows_is_too_large_as_well() {
    struct Small;
    impl Store for Small {
        fn find(&self, _: &Key) -> Result<Option<Values>, StoreError> {
            Ok(None)
        }
        fn commit(&self, _: &Key, _: &Change, _: Duration) -> Result<CommitOutcome, StoreError> {
            Err(StoreError::TooLarge { size: 2, limit: 1 })
        }
        fn delete(&self, _: &Key) -> Result<(), StoreError> {
            Ok(())
        }
    }
    let sessions = Sessions::stored(keyring(), Small);
    let mut session = sessions.load("", Scheme::Http).unwrap();
    session.insert("a", 1).unwrap();
    let error = sessions.save(&mut session).unwrap_err();
    assert!(matches!(error, SaveError::SessionTooLarge { size: 2, limit: 1 }), "{error:?}");
}

/// What follows name and value in a `Set-Cookie`, sorted; `Expires` without its date.
fn attributes(cookie: &Cookie) -> Vec<String> {
    let line = cookie.to_string();
    let shown = |part: &str| if part.starts_with("Expires=") { "Expires" } else { part }.to_owned();
    let mut attributes: Vec<String> = line.split("; ").skip(1).map(shown).collect();
    attributes.sort();
    attributes
}

/// The cookie that is set for a visitor who came this way.
fn cookie(settings: Settings, scheme: Scheme) -> Cookie<'static> {
    let sessions = Site::with(settings).sessions;
    let mut session = sessions.load("", scheme).unwrap();
    session.insert("a", 1).unwrap();
    sessions.save(&mut session).unwrap().into_cookie().unwrap()
}

#[test]
fn by_http_the_cookie_has_path_httponly_lax_and_max_age_and_no_prefix() {
    let cookie = cookie(Settings::default(), Scheme::Http);
    assert_eq!(cookie.name(), "waxseal");
    assert_eq!(attributes(&cookie), ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax"]);
}

#[test]
fn by_https_it_is_secure_as_well_and_has_the_host_prefix() {
    let cookie = cookie(Settings::default(), Scheme::Https);
    assert_eq!(cookie.name(), "__Host-waxseal");
    let expected = ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax", "Secure"];
    assert_eq!(attributes(&cookie), expected);
}

#[test]
fn with_a_domain_the_prefix_is_secure() {
    let settings = Settings::default().with_domain("example.com");
    let secure = cookie(settings.clone(), Scheme::Https);
    assert_eq!(secure.name(), "__Secure-waxseal");
    assert!(attributes(&secure).contains(&"Domain=example.com".to_owned()));
    let bare = cookie(settings, Scheme::Http);
    assert_eq!(bare.name(), "waxseal");
    assert!(attributes(&bare).contains(&"Domain=example.com".to_owned()));
}

#[test]
fn always_is_secure_by_http_too_and_never_by_https_neither() {
    for (secure, expected) in [(Secure::Always, true), (Secure::Never, false)] {
        for scheme in [Scheme::Http, Scheme::Https] {
            let cookie = cookie(Settings::default().with_secure(secure), scheme);
            assert_eq!(cookie.secure().unwrap_or(false), expected);
            assert_eq!(cookie.name().starts_with("__Host-"), expected);
        }
    }
}

#[test]
fn by_https_only_the_prefixed_name_is_read_and_by_http_only_the_bare_one() {
    for place in [Place::Cookie, Place::Store] {
        let sessions = Site::new(place, keyring(), Settings::default()).sessions;
        let visitor = |scheme| {
            let mut session = sessions.load("", scheme).unwrap();
            session.insert("name", "foo").unwrap();
            sessions.save(&mut session).unwrap().into_cookie().unwrap()
        };
        let (bare, prefixed) = (visitor(Scheme::Http), visitor(Scheme::Https));
        let outcome = |cookies: &str, scheme| sessions.load(cookies, scheme).unwrap().outcome();
        assert_eq!(outcome(&header(&bare), Scheme::Https), Outcome::New);
        assert_eq!(outcome(&header(&prefixed), Scheme::Http), Outcome::New);
        assert_eq!(outcome(&header(&bare), Scheme::Http), Outcome::Valid);
        assert_eq!(outcome(&header(&prefixed), Scheme::Https), Outcome::Valid);
        // Nor is a value of one good under the other's name.
        let moved = format!("__Host-waxseal={}", bare.value());
        assert_eq!(outcome(&moved, Scheme::Https), Outcome::Forged);
        let other_case = format!("__host-waxseal={}", prefixed.value());
        assert_eq!(outcome(&other_case, Scheme::Https), Outcome::New);
    }
}

#[test]
fn with_a_domain_the_host_prefix_is_not_read() {
    let settings = Settings::default().with_domain("example.com");
    assert_eq!(Site::with(settings).outcome(&Site::sealed().foo()), Outcome::New);
}

#[test]
fn the_same_attributes_are_on_the_cookie_that_clears() {
    for scheme in [Scheme::Http, Scheme::Https] {
        for domain in [None, Some("example.com".to_owned())] {
            let mut settings = Settings::default();
            settings.domain = domain;
            let set = cookie(settings.clone(), scheme);
            let sessions = Site::with(settings).sessions;
            let mut stray = sessions.load(&format!("{}=x", set.name()), scheme).unwrap();
            let cleared = sessions.save(&mut stray).unwrap().into_cookie().unwrap();
            assert_eq!(cleared.name(), set.name());
            let lasting = |cookie| {
                let mut attributes = attributes(cookie);
                attributes.retain(|a| !a.starts_with("Max-Age") && !a.starts_with("Expires"));
                attributes
            };
            assert_eq!(lasting(&cleared), lasting(&set));
        }
    }
}

#[test]
fn same_site_is_what_the_settings_say() {
    for (same_site, shown) in [
        (SameSite::Strict, "SameSite=Strict"),
        (SameSite::Lax, "SameSite=Lax"),
        (SameSite::None, "SameSite=None"),
    ] {
        let settings = Settings::default().with_same_site(same_site).with_secure(Secure::Always);
        assert!(attributes(&cookie(settings, Scheme::Https)).contains(&shown.to_owned()));
    }
}

#[test]
fn same_site_none_needs_always() {
    for secure in [Secure::Auto, Secure::Never, Secure::Always] {
        let settings = Settings::default().with_same_site(SameSite::None).with_secure(secure);
        let expected = (secure != Secure::Always).then_some(SettingsError::SameSiteNoneNeedsSecure);
        assert_eq!(Sessions::sealed(keyring()).with_settings(settings).err(), expected);
    }
}

#[test]
fn partitioned_needs_always() {
    for secure in [Secure::Auto, Secure::Never, Secure::Always] {
        let settings = Settings::default().with_partitioned(true).with_secure(secure);
        let expected = (secure != Secure::Always).then_some(SettingsError::PartitionedNeedsSecure);
        assert_eq!(Sessions::sealed(keyring()).with_settings(settings).err(), expected);
    }
    let settings = Settings::default().with_partitioned(true).with_secure(Secure::Always);
    assert!(attributes(&cookie(settings, Scheme::Http)).contains(&"Partitioned".to_owned()));
    assert!(
        !attributes(&cookie(Settings::default(), Scheme::Https))
            .contains(&"Partitioned".to_owned())
    );
}

#[test]
fn other_contradictions_are_errors_at_start_too() {
    let check = |settings: Settings| Sessions::sealed(keyring()).with_settings(settings).err();
    for (name, error) in [
        ("", SettingsError::Name),
        ("a b", SettingsError::Name),
        ("a;b", SettingsError::Name),
        ("a=b", SettingsError::Name),
        ("ä", SettingsError::Name),
        ("a\r\nSet-Cookie: x", SettingsError::Name),
        ("__Host-a", SettingsError::Prefix),
        ("__secure-a", SettingsError::Prefix),
    ] {
        let settings = Settings::default().with_name(name);
        assert_eq!(check(settings), Some(error), "{name}");
    }
    for domain in
        ["", ".example.com", "example.com.", "a b", "a;b", "-a.com", "é.com", "a\r\nb", "com"]
    {
        let settings = Settings::default().with_domain(domain);
        assert_eq!(check(settings), Some(SettingsError::Domain), "{domain}");
    }
    let (none, second) = (Duration::from_millis(999), Duration::from_secs(1));
    for (idle, absolute) in [(none, second), (second, none)] {
        let lifetimes = Lifetimes { idle, absolute };
        let settings = Settings::default().with_lifetimes(lifetimes);
        assert_eq!(check(settings), Some(SettingsError::Lifetime));
    }
}

/// Of the host and the domains between it and the cookie's, and of no other.
#[test]
fn a_sign_out_removes_what_an_earlier_domain_left() {
    let settings = Settings::default().with_domain("example.com");
    let sessions = Sessions::sealed(keyring()).with_settings(settings).unwrap();
    let removed = |host: &str, cookies: &str, renews: bool| {
        let mut session = sessions.load(cookies, Scheme::Https).unwrap();
        if renews {
            session.destroy();
        }
        let _ = sessions.save(&mut session).unwrap();
        let cookies = sessions.leftovers(&session, host);
        assert!(
            cookies
                .iter()
                .all(|cookie| cookie.value().is_empty() && cookie.name() == "__Secure-waxseal")
        );
        cookies.iter().map(|cookie| cookie.domain().map(str::to_owned)).collect::<Vec<_>>()
    };
    let some = |domains: &[&str]| {
        let domains = domains.iter().map(|domain| Some((*domain).to_owned()));
        std::iter::once(None).chain(domains).collect::<Vec<_>>()
    };
    let held = "__Secure-waxseal=anything";
    assert_eq!(removed("example.com", held, true), some(&[]));
    assert_eq!(removed("WWW.Example.com", held, true), some(&["www.example.com"]));
    let deep = ["a.b.www.example.com", "b.www.example.com", "www.example.com"];
    assert_eq!(removed("a.b.www.example.com", held, true), some(&deep));
    for host in ["other.example", "notexample.com", "com", "", "127.0.0.1"] {
        assert_eq!(removed(host, held, true), [], "{host}");
    }
    assert_eq!(removed("www.example.com", held, false), [], "nobody signed in or out");
    assert_eq!(removed("www.example.com", "", true), [], "the browser holds none");
    let long = format!("{}example.com", "a.".repeat(60));
    assert!(removed(&long, held, true).len() <= 8);
}

#[test]
fn a_cookie_for_a_path_has_the_path_and_the_prefix_that_allows_it() {
    let settings = Settings::default().with_path("/shop/");
    let sessions = Sessions::sealed(keyring()).with_settings(settings).unwrap();
    for (scheme, name) in [(Scheme::Http, "waxseal"), (Scheme::Https, "__Secure-waxseal")] {
        let mut session = sessions.load("", scheme).unwrap();
        session.insert("a", 1).unwrap();
        let cookie = sessions.save(&mut session).unwrap().into_cookie().unwrap();
        assert_eq!((cookie.name(), cookie.path()), (name, Some("/shop/")));
        let mut session = sessions.load(&header(&cookie), scheme).unwrap();
        assert_eq!(session.outcome(), Outcome::Valid);
        session.destroy();
        let removal = sessions.save(&mut session).unwrap().into_cookie().unwrap();
        assert!(is_removal(&removal) && removal.path() == Some("/shop/"));
    }
    for path in ["", "shop", "/a;b", "/a b", "/\n", "/ü"] {
        let settings = Settings::default().with_path(path);
        assert_eq!(settings.check(), Err(SettingsError::Path), "{path}");
    }
}
