//! Many visitors at once, each signed in, and what they see.

use std::collections::BTreeMap;
use std::thread;

use waxseal::seal::{Keyring, Lifetimes, Version};
use waxseal::session::Key;

use crate::support::{AUTHENTICATION_KEY, Ask, Browser, COOKIE, ENCRYPTION_KEY, Waxseal, get};

/// How often each status came.
pub type Statuses = BTreeMap<u16, usize>;

/// The home page, as somebody asks for it who has just signed in.
pub fn home_of_a_visitor(waxseal: &Waxseal) -> Ask {
    let mut browser = Browser::by_http();
    browser.sign_in(waxseal);
    get("/").cookie(browser.cookie().unwrap())
}

/// So many visitors ask so often, one request after the other.
pub fn visits(waxseal: &Waxseal, home: &Ask, visitors: usize, times: usize) -> Statuses {
    let all = thread::scope(|scope| {
        let visit = || (0..times).map(|_| home.sent_to(waxseal).status).collect::<Vec<_>>();
        let visitors: Vec<_> = (0..visitors).map(|_| scope.spawn(visit)).collect();
        visitors.into_iter().flat_map(|visitor| visitor.join().unwrap()).collect::<Vec<_>>()
    });
    count(all)
}

pub fn count(statuses: impl IntoIterator<Item = u16>) -> Statuses {
    let mut counts = Statuses::new();
    statuses.into_iter().for_each(|status| *counts.entry(status).or_default() += 1);
    counts
}

/// The key of the record behind a cookie.
pub fn key_of(cookie: &str) -> Key {
    let keyring = Keyring::new(AUTHENTICATION_KEY.as_bytes(), ENCRYPTION_KEY.as_bytes()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let opened = keyring.open(COOKIE, cookie, Version::Stored, Lifetimes::default(), now.as_secs());
    Key::of(opened.expect("a cookie of ours").header.id)
}
