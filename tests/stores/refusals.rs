//! A server that can be read and takes no changes, through the running binary.

use std::thread;
use std::time::Duration;

use crate::support::{Browser, Waxseal, get, post};

/// A visit is due to extend its session after three seconds.
const IDLE: &str = "12s";

/// Visits that change nothing go on as they are; what must be stored is told, and `/healthz` tells.
/// `refuse` makes the server refuse changes, `allow` ends that; `deletes` tells whether it deletes all
/// the same.
pub fn changes_are_refused(
    name: &str,
    vars: &[(&str, &str)],
    refuse: impl Fn(),
    allow: impl Fn(),
    deletes: bool,
) {
    let vars = [&[("SESSION_STORE", name), ("SESSION_IDLE_TIMEOUT", IDLE)], vars].concat();
    let waxseal = Waxseal::start(&vars);
    let signed_in = || {
        let mut browser = Browser::by_http();
        browser.sign_in(&waxseal);
        browser.cookie().unwrap().to_owned()
    };
    let (stays, leaves) = (signed_in(), signed_in());
    let home = get("/").cookie(&stays);
    let logout = post("/logout", "").cookie(&leaves);
    let sign_in = post("/login", "username=foo&password=secret");
    let refuses = format!("ok, but the session store refuses changes: {name}");
    let health = || get("/healthz").sent_to(&waxseal).text().to_owned();
    thread::sleep(Duration::from_millis(4100));
    refuse();
    for _ in 0..2 {
        let visit = home.sent_to(&waxseal);
        assert!(visit.greets("foo"), "{visit:?}");
        assert_eq!(visit.set_cookie(), None, "it is not renewed");
        assert_eq!(health(), refuses);
    }
    assert_eq!(logout.sent_to(&waxseal).status, if deletes { 303 } else { 503 });
    assert_eq!(sign_in.sent_to(&waxseal).status, 503);
    assert_eq!(health(), refuses);
    assert!(home.sent_to(&waxseal).greets("foo"));
    let is_out = get("/").cookie(&leaves).sent_to(&waxseal).is_anonymous();
    assert_eq!(is_out, deletes, "no sign-out is claimed that is none");
    allow();
    let visit = home.sent_to(&waxseal);
    assert!(visit.greets("foo") && visit.set_cookie().is_some(), "it is renewed now: {visit:?}");
    assert_eq!(health(), "ok");
    assert_eq!(logout.sent_to(&waxseal).status, 303);
    assert!(get("/").cookie(&leaves).sent_to(&waxseal).is_anonymous());
    assert_eq!(sign_in.sent_to(&waxseal).status, 303);
    let log = waxseal.log();
    assert!(log.contains("the session store refuses changes"), "{log}");
    assert!(log.contains("the session store takes changes again"), "{log}");
    assert!(!log.contains("the session store is down"), "it is no outage: {log}");
}
