//! Sessions that nobody can forget to save: one call a visit, and what is said where a program does without it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use waxseal::session::{
    HandleError, Level, Outcome, Reply, SaveError, Scheme, Session, Settings, Visit,
};

use super::support::{Call, NAME, Place, Site, keyring, texts};

/// An answer with a status and header fields.
struct Page(u16, Vec<(String, String)>);

impl Reply for Page {
    fn status(&self) -> u16 {
        self.0
    }

    fn add_header(&mut self, name: &'static str, value: String) {
        self.1.push((name.to_owned(), value));
    }
}

impl Page {
    fn set_cookies(&self) -> Vec<&str> {
        let set = self.1.iter().filter(|(name, _)| name == "Set-Cookie");
        set.map(|(_, value)| value.split(';').next().unwrap()).collect()
    }
}

/// The answer with this status to a visit with these cookies, and the cookies that the browser has then.
fn visit(
    site: &Site,
    cookies: &str,
    status: u16,
    handler: impl Fn(&mut Session),
) -> (Page, String) {
    let handle = |session: &mut Session| {
        handler(session);
        Page(status, Vec::new())
    };
    let page = site.sessions.handle(&Visit::new(cookies, Scheme::Https), handle).unwrap();
    let after =
        page.set_cookies().first().map_or(cookies.to_owned(), |cookie| (*cookie).to_owned());
    (page, after)
}

fn sign_in(session: &mut Session) {
    session.sign_in(&keyring().fingerprint("foo", b"hash"));
}

#[test]
fn a_visit_saves_its_session_and_attaches_the_cookie() {
    for site in Site::both() {
        for status in [200, 303, 404, 499] {
            let (page, cookies) = visit(&site, "", status, |session| {
                session.insert("cart", 1).unwrap();
            });
            assert_eq!(page.set_cookies().len(), 1);
            assert!(page.1.contains(&("Cache-Control".to_owned(), "no-store".to_owned())));
            assert_eq!(site.load(&cookies).get("cart"), Some("1"));
            // A visit that changes nothing sets nothing.
            assert!(visit(&site, &cookies, 200, |_| ()).0.1.is_empty());
        }
    }
}

#[test]
fn after_an_error_only_what_must_hold_is_saved() {
    for site in Site::both() {
        let (_, cookies) = visit(&site, "", 200, |session| {
            session.insert("cart", 1).unwrap();
            session.flash(Level::Info, "before").unwrap();
        });
        // Changes are undone; a flash that was taken waits, and one that was left is there.
        let (_, cookies) = visit(&site, &cookies, 500, |session| {
            session.insert("cart", 2).unwrap();
            session.insert("other", 1).unwrap();
            assert_eq!(texts(session.take_flashes()), ["before"]);
            session.flash(Level::Error, "it failed").unwrap();
        });
        let mut session = site.load(&cookies);
        assert_eq!((session.get("cart"), session.get("other")), (Some("1"), None));
        assert_eq!(texts(session.take_flashes()), ["before", "it failed"]);
        site.save(&mut session);

        // A sign-in holds, with the values from before.
        let before = cookies.clone();
        let (_, cookies) = visit(&site, &cookies, 503, |session| {
            session.insert("cart", 3).unwrap();
            sign_in(session);
        });
        let session = site.load(&cookies);
        assert_eq!((session.user(), session.get("cart")), (Some("foo"), Some("1")));
        assert_eq!(site.outcome(&before), Outcome::Revoked);

        // A sign-out holds, and nothing is left.
        let (page, _) = visit(&site, &cookies, 500, Session::destroy);
        assert!(page.set_cookies()[0].ends_with('='));
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
    }
}

#[test]
fn another_user_who_signs_in_on_a_page_that_fails_gets_no_value_of_the_first() {
    for site in Site::both() {
        let (_, cookies) = visit(&site, "", 200, |session| {
            sign_in(session);
            session.insert("cart", 1).unwrap();
        });
        let (_, cookies) = visit(&site, &cookies, 500, |session| {
            session.sign_in(&keyring().fingerprint("bar", b"hash"));
            session.insert("cart", 2).unwrap();
        });
        let session = site.load(&cookies);
        assert_eq!((session.user(), session.get("cart")), (Some("bar"), None));
    }
}

#[test]
fn a_sign_out_holds_though_its_page_panics() {
    for site in Site::both() {
        let (_, cookies) = visit(&site, "", 200, sign_in);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            visit(&site, &cookies, 200, |session| {
                session.destroy();
                panic!("as asked");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(site.outcome(&cookies), Outcome::Revoked);
    }
}

#[test]
fn a_sign_in_removes_what_an_earlier_domain_left() {
    let settings = Settings::default().with_domain("example.com");
    let site = Site::new(Place::Cookie, keyring(), settings);
    let visit = Visit::new("__Secure-waxseal=old", Scheme::Https).to_host("www.example.com");
    let handle = |session: &mut Session| {
        sign_in(session);
        Page(200, Vec::new())
    };
    let page = site.sessions.handle(&visit, handle).unwrap();
    assert_eq!(page.set_cookies().len(), 3);
}

#[test]
fn a_store_that_fails_is_told_and_the_answer_is_dropped() {
    let site = Site::stored();
    let handle = |session: &mut Session| {
        session.insert("cart", 1).unwrap();
        Page(200, Vec::new())
    };
    site.store.fail(|call| matches!(call, Call::Commit(..)));
    let failed = site.sessions.handle(&Visit::new("", Scheme::Https), handle);
    assert!(matches!(failed, Err(HandleError::Save(SaveError::Store(_)))));
    site.store.fail(|_| false);
    let (_, cookies) = visit(&site, "", 200, sign_in);
    site.store.fail(|call| matches!(call, Call::Find(_)));
    let failed = site.sessions.handle(&Visit::new(cookies, Scheme::Https), |_| -> Page {
        panic!("nothing is to be handled");
    });
    assert!(matches!(failed, Err(HandleError::Load(_))));
}

#[test]
fn a_session_is_saved_through_the_sessions_that_loaded_it() {
    let settings = |name: &str| Settings::default().with_name(name);
    let cart = Site::new(Place::Cookie, keyring(), settings("cart"));
    let login = Site::new(Place::Cookie, keyring(), settings("login"));
    let mut session = cart.load("");
    session.insert("item", 1).unwrap();
    assert!(matches!(login.sessions.save(&mut session), Err(SaveError::OtherSessions)));
    assert!(cart.save(&mut session).is_some(), "nothing of it was lost");
}

#[test]
fn flashes_have_a_bound_and_the_oldest_go() {
    for site in Site::both() {
        let mut session = site.load("");
        for number in 0..500 {
            session.flash(Level::Success, format!("saved {number}")).unwrap();
        }
        let mut session = site.load(&site.saved(&mut session));
        let kept = texts(session.take_flashes());
        assert!((60..200).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().map(String::as_str), Some("saved 499"));
        assert_eq!(kept[0], format!("saved {}", 500 - kept.len()));
        site.save(&mut session);
    }
}

#[test]
fn a_flash_that_is_too_long_alone_is_refused() {
    let mut session = Site::sealed().load("");
    session.flash(Level::Info, "first").unwrap();
    assert!(
        session.flash(Level::Info, "x".repeat(2040)).is_ok(),
        "with its name it is 2,048 bytes"
    );
    assert!(session.flash(Level::Info, "x".repeat(2041)).is_err());
    assert!(session.flash(Level::Info, "ß".repeat(350)).is_err(), "six bytes each");
    let kept = texts(session.take_flashes());
    assert_eq!(kept, ["x".repeat(2040)], "the first made room");
}

/// The values fill the cookie; what is left of it is the flashes', and a sign-in never fails for them.
#[test]
fn flashes_leave_where_the_cookie_has_no_room() {
    let site = Site::sealed();
    let mut session = site.load("");
    session.insert("cart", "x".repeat(2500)).unwrap();
    for number in 0..79 {
        session.flash(Level::Info, format!("flash {number}")).unwrap();
    }
    sign_in(&mut session);
    let mut session = site.load(&site.saved(&mut session));
    assert_eq!(session.user(), Some("foo"));
    let kept = texts(session.take_flashes());
    assert!((1..79).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().map(String::as_str), Some("flash 78"));
    site.save(&mut session);
}

#[test]
fn a_flash_keeps_its_level() {
    let levels = [Level::Debug, Level::Info, Level::Success, Level::Warning, Level::Error];
    for site in Site::both() {
        let mut session = site.load("");
        levels.iter().for_each(|level| session.flash(*level, level.as_str()).unwrap());
        let mut session = site.load(&site.saved(&mut session));
        let kept: Vec<_> = session.take_flashes().iter().map(|flash| flash.level).collect();
        assert_eq!(kept, levels);
        site.save(&mut session);
    }
}

#[test]
fn values_that_were_cleared_do_not_come_back_for_another_user() {
    for site in Site::both() {
        let (_, cookies) = visit(&site, "", 200, |session| {
            session.sign_in(&keyring().fingerprint("bar", b"hash"));
            session.insert("card", "bar's").unwrap();
        });
        let (_, cookies) = visit(&site, &cookies, 500, |session| {
            session.clear();
            sign_in(session);
        });
        let session = site.load(&cookies);
        assert_eq!((session.user(), session.get("card")), (Some("foo"), None));
    }
}

#[test]
fn a_sign_out_holds_though_its_session_is_too_large_to_be_saved() {
    let site = Site::sealed();
    let (_, cookies) = visit(&site, "", 200, sign_in);
    let handle = |session: &mut Session| {
        session.destroy();
        session.insert("novel", "x".repeat(5000)).unwrap();
        Page(200, Vec::new())
    };
    let failed = site.sessions.handle(&Visit::new(&*cookies, Scheme::Https), handle);
    assert!(matches!(failed, Err(HandleError::Save(SaveError::SessionTooLarge { .. }))));
    assert_eq!(site.outcome(&cookies), Outcome::Revoked);
}

#[test]
fn a_panic_after_a_sign_in_leaves_the_session_that_there_was() {
    for site in Site::both() {
        let (_, cookies) = visit(&site, "", 200, |session| session.insert("cart", 1).unwrap());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            visit(&site, &cookies, 200, |session| {
                sign_in(session);
                panic!("as asked");
            })
        }));
        assert!(panicked.is_err());
        let session = site.load(&cookies);
        assert_eq!((session.user(), session.get("cart")), (None, Some("1")));
    }
}

#[test]
fn flashes_of_pages_that_fail_have_their_bound_too() {
    let site = Site::stored();
    let mut cookies = String::new();
    for _ in 0..5 {
        cookies = visit(&site, &cookies, 500, |session| {
            drop(session.take_flashes());
            session.flash(Level::Error, "x".repeat(1000)).unwrap();
        })
        .1;
    }
    let mut session = site.load(&cookies);
    assert_eq!(session.take_flashes().len(), 2);
    site.save(&mut session);
}

#[test]
fn a_session_that_is_too_large_keeps_its_flashes() {
    let site = Site::sealed();
    let mut session = site.load("");
    session.flash(Level::Info, "hello").unwrap();
    session.insert("novel", "x".repeat(5000)).unwrap();
    assert!(site.sessions.save(&mut session).is_err());
    assert_eq!(texts(session.take_flashes()), ["hello"]);
    session.remove("novel");
    site.save(&mut session);
}

#[test]
fn what_was_saved_by_hand_stays_after_a_page_that_fails() {
    for site in Site::both() {
        let (_, cookies) = visit(&site, "", 200, sign_in);
        let mut kept = String::new();
        let page = site.sessions.handle(&Visit::new(&*cookies, Scheme::Https), |session| {
            session.destroy();
            session.insert("kept", 1).unwrap();
            kept = site.saved(session);
            Page(500, Vec::new())
        });
        assert!(page.unwrap().set_cookies().is_empty());
        assert_eq!(site.load(&kept).get("kept"), Some("1"));
    }
}

#[test]
fn a_host_with_a_port_has_leftovers_too() {
    let settings = Settings::default().with_domain("example.com");
    let site = Site::new(Place::Cookie, keyring(), settings);
    for host in ["www.example.com:5000", "www.example.com.", "WWW.example.com"] {
        let visit = Visit::new("__Secure-waxseal=old", Scheme::Https).to_host(host);
        let page = site.sessions.handle(&visit, |session| {
            sign_in(session);
            Page(200, Vec::new())
        });
        assert_eq!(page.unwrap().set_cookies().len(), 3, "{host}");
    }
}

#[test]
fn a_genuine_cookie_behind_many_strays_is_not_removed() {
    let site = Site::sealed();
    let (_, cookies) = visit(&site, "", 200, sign_in);
    let strays = format!("{}{cookies}", format!("{NAME}=x; ").repeat(16));
    let (page, _) = visit(&site, &strays, 200, |_| ());
    assert!(page.set_cookies().is_empty());
}
