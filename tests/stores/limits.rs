//! Fewer connections than there are calls.

use super::visitors::{count, home_of_a_visitor, visits};
use crate::support::Waxseal;

/// A server that allows fewer connections than half of these workers: calls wait for those that there
/// are.
pub fn of_the_server(name: &str, vars: &[(&str, &str)]) {
    let vars = [&[("SESSION_STORE", name), ("WORKER_THREADS", "32")], vars].concat();
    let waxseal = Waxseal::start(&vars);
    let home = home_of_a_visitor(&waxseal);
    assert_eq!(visits(&waxseal, &home, 32, 30), count([200; 960]));
    assert!(!waxseal.log().contains("at=error"), "{}", waxseal.log());
}

/// `STORE_CONNECTIONS` connections and no more; `connections` counts those that the server has.
pub fn of_our_own(name: &str, vars: &[(&str, &str)], connections: impl Fn() -> usize) {
    for most in [1, 3] {
        let before = connections();
        let text = most.to_string();
        let own = [("SESSION_STORE", name), ("STORE_CONNECTIONS", &text), ("WORKER_THREADS", "16")];
        let waxseal = Waxseal::start(&[&own, vars].concat());
        let home = home_of_a_visitor(&waxseal);
        assert_eq!(visits(&waxseal, &home, 16, 40), count([200; 640]));
        // A reaper may have had one of its own for a moment.
        let open = connections().saturating_sub(before);
        assert!((1..=most).contains(&open), "{open} of {most}");
    }
}
