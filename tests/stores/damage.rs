//! A record that is damaged, through the running binary.

use waxseal::session::Key;

use super::visitors::{home_of_a_visitor, key_of};
use crate::support::{Browser, Waxseal, get, post};

/// Its visitor is anonymous, and can sign in and out again; nobody else notices. `damage` damages the
/// record under a key.
pub fn locks_nobody_out(name: &str, vars: &[(&str, &str)], damage: impl Fn(&Key)) {
    let vars = [&[("SESSION_STORE", name)], vars].concat();
    let waxseal = Waxseal::start(&vars);
    let other = home_of_a_visitor(&waxseal);
    let mut browser = Browser::by_http();
    let sign_in = post("/login", "username=foo&password=secret");
    let deeds = [get("/"), sign_in.clone(), post("/logout", "")];
    for (deed, expected) in
        deeds.into_iter().zip([Some("/public/login.html"), Some("/"), Some("/")])
    {
        browser.sign_in(&waxseal);
        let cookie = browser.cookie().unwrap().to_owned();
        damage(&key_of(&cookie));
        let answer = deed.cookie(&cookie).sent_to(&waxseal);
        assert_eq!((answer.status, answer.location()), (303, expected), "{answer:?}");
        for _ in 0..5 {
            assert!(get("/").cookie(&cookie).sent_to(&waxseal).is_anonymous());
            assert!(other.sent_to(&waxseal).greets("foo"));
            assert_eq!(sign_in.sent_to(&waxseal).status, 303);
        }
    }
    assert_eq!(get("/healthz").sent_to(&waxseal).text(), "ok");
    let log = waxseal.log();
    assert_eq!(log.matches("is damaged").count(), 3, "each is logged once: {log}");
    assert!(!log.contains("at=error"), "{log}");
}
