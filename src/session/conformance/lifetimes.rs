//! The rules for how long a record lives.

use std::thread;
use std::time::Duration;

use super::{GRACE, HOUR, Record, SOON};
use crate::session::Store;

/// Once its time has come, and not before, a record is none, and an update of it is `Gone`.
pub fn nothing_revives_an_expired_record(store: &dyn Store) {
    let record = Record::new("nothing_revives_an_expired_record", store, SOON, &[("a", "1")]);
    record.holds(&[("a", "1")]);
    thread::sleep(SOON + GRACE);
    record.is_none();
    record.is_gone();
}

/// Every update moves the expiry, later or sooner; an empty one does that and nothing else.
pub fn an_update_moves_the_expiry(store: &dyn Store) {
    let rule = "an_update_moves_the_expiry";
    let later = Record::new(rule, store, SOON, &[("a", "1")]);
    let changed = Record::new(rule, store, SOON, &[("a", "1")]);
    let sooner = Record::new(rule, store, HOUR, &[("a", "1")]);
    later.update(&[], HOUR);
    changed.update(&[("a", Some("2"))], HOUR);
    sooner.update(&[], SOON);
    thread::sleep(SOON + GRACE);
    later.holds(&[("a", "1")]);
    changed.holds(&[("a", "2")]);
    sooner.is_none();
}

/// A lifetime of nothing ends a record within a second or two, one that is longer than any store can
/// count ends none, and neither is an error: at first and as an update.
pub fn a_lifetime_may_have_any_length(store: &dyn Store) {
    let rule = "a_lifetime_may_have_any_length";
    let pairs = [("a", "1")];
    let ended = Record::new(rule, store, Duration::ZERO, &pairs);
    let ended_later = Record::new(rule, store, HOUR, &pairs);
    ended_later.update(&[], Duration::ZERO);
    let endless = Record::new(rule, store, Duration::MAX, &pairs);
    let endless_later = Record::new(rule, store, HOUR, &pairs);
    endless_later.update(&[("b", Some("2"))], Duration::MAX);
    thread::sleep(SOON + GRACE);
    ended.is_none();
    ended_later.is_none();
    endless.holds(&pairs);
    endless_later.holds(&[("a", "1"), ("b", "2")]);
}
