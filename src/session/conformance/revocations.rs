//! The rules for a store of sign-outs.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::super::clock::unix_seconds;
use super::super::revocations::{Entry, User};
use super::super::{Learned, MOST_AT_ONCE, Position, Revocation, Revocations};
use super::{GRACE, SOON};
use crate::seal::Id;

/// More than any store tells in one page.
const MANY: usize = 12_000;
/// How long a rule waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Puts `store` through every rule for [`Revocations`], in some seconds.
///
/// ```
/// use waxseal::session::{MemoryRevocations, conformance};
///
/// conformance::revocations(&MemoryRevocations::default());
/// ```
///
/// # Panics
///
/// With the name of the first rule that `store` breaks, and what it did.
pub fn revocations(store: &dyn Revocations) {
    what_is_published_is_learnt(store);
    what_is_new_is_learnt_after_a_position(store);
    a_revocation_is_there_once(store);
    what_is_withdrawn_is_not_there(store);
    an_unknown_position_is_lost(store);
    more_than_a_page_is_learnt(store);
    what_is_published_at_once_is_learnt(store);
    what_is_over_goes(store);
}

/// A revocation that was published is learnt from the beginning, with all its bytes.
pub fn what_is_published_is_learnt(store: &dyn Revocations) {
    let rule = "what_is_published_is_learnt";
    let all = some(100, Duration::from_secs(3600));
    publish(rule, store, &all);
    let (learnt, _) = learn_all(rule, store, None);
    assert!(all.iter().all(|revocation| learnt.contains(revocation)), "{rule}");
    withdraw(rule, store, &all);
}

/// After a position, what came later is learnt; and it is a position in its turn.
pub fn what_is_new_is_learnt_after_a_position(store: &dyn Revocations) {
    let rule = "what_is_new_is_learnt_after_a_position";
    let (_, mut position) = learn_all(rule, store, None);
    for _ in 0..3 {
        let new = some(3, Duration::from_secs(3600));
        publish(rule, store, &new);
        let (learnt, after) = learn_all(rule, store, Some(position));
        assert!(new.iter().all(|revocation| learnt.contains(revocation)), "{rule}");
        position = after;
        withdraw(rule, store, &new);
    }
}

/// A revocation that is published again is no error, and is kept once.
pub fn a_revocation_is_there_once(store: &dyn Revocations) {
    let rule = "a_revocation_is_there_once";
    let one = some(1, Duration::from_secs(3600));
    (0..3).for_each(|_| publish(rule, store, &one));
    let (learnt, _) = learn_all(rule, store, None);
    assert_eq!(learnt.iter().filter(|learnt| **learnt == one[0]).count(), 1, "{rule}");
    withdraw(rule, store, &one);
}

/// A withdrawn revocation may stay until it is over; withdrawing it removes no other.
pub fn what_is_withdrawn_is_not_there(store: &dyn Revocations) {
    let rule = "what_is_withdrawn_is_not_there";
    let (gone, kept) = (some(3, Duration::from_secs(3600)), some(3, Duration::from_secs(3600)));
    publish(rule, store, &gone);
    publish(rule, store, &kept);
    withdraw(rule, store, &gone);
    withdraw(rule, store, &gone);
    let (learnt, _) = learn_all(rule, store, None);
    assert!(kept.iter().all(|revocation| learnt.contains(revocation)), "{rule}");
    withdraw(rule, store, &kept);
}

/// A position of another store, or of data that were lost, cannot be continued from.
pub fn an_unknown_position_is_lost(store: &dyn Revocations) {
    let rule = "an_unknown_position_is_lost";
    let learnt = store.learn(Some(&Position("of another store".to_owned())));
    assert_eq!(learnt.unwrap_or_else(|error| panic!("{rule}: {error}")), Learned::Lost, "{rule}");
}

/// However many there are, all are learnt, a page at a time.
pub fn more_than_a_page_is_learnt(store: &dyn Revocations) {
    let rule = "more_than_a_page_is_learnt";
    let (_, position) = learn_all(rule, store, None);
    let all = some(MANY, Duration::from_secs(3600));
    publish(rule, store, &all);
    for after in [None, Some(position)] {
        let (learnt, _) = learn_all(rule, store, after);
        let learnt: HashSet<_> = learnt.into_iter().collect();
        assert!(all.iter().all(|revocation| learnt.contains(revocation)), "{rule}");
    }
    withdraw(rule, store, &all);
}

/// A process that learns while others publish misses nothing.
pub fn what_is_published_at_once_is_learnt(store: &dyn Revocations) {
    let rule = "what_is_published_at_once_is_learnt";
    let parts: Vec<_> = (0..4).map(|_| some(200, Duration::from_secs(3600))).collect();
    let (_, mut position) = learn_all(rule, store, None);
    let mut learnt = HashSet::new();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let publishers: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(|| part.chunks(3).for_each(|some| publish(rule, store, some))))
            .collect();
        scope.spawn(|| {
            publishers.into_iter().for_each(|publisher| drop(publisher.join()));
            is_done.store(true, Ordering::Release);
        });
        loop {
            let is_last_look = is_done.load(Ordering::Acquire);
            let (new, after) = learn_all(rule, store, Some(position.clone()));
            learnt.extend(new);
            position = after;
            if is_last_look {
                break;
            }
        }
    });
    let missed = parts.iter().flatten().filter(|revocation| !learnt.contains(*revocation)).count();
    assert_eq!(missed, 0, "{rule}");
    parts.iter().for_each(|part| withdraw(rule, store, part));
}

/// A revocation is learnt until its time is over, and then no more.
pub fn what_is_over_goes(store: &dyn Revocations) {
    let rule = "what_is_over_goes";
    let (short, long) = (some(3, SOON), some(3, PATIENCE));
    publish(rule, store, &short);
    publish(rule, store, &long);
    let (learnt, _) = learn_all(rule, store, None);
    assert!(short.iter().chain(&long).all(|revocation| learnt.contains(revocation)), "{rule}");
    thread::sleep(SOON + GRACE);
    let (learnt, _) = learn_all(rule, store, None);
    assert!(!short.iter().any(|revocation| learnt.contains(revocation)), "{rule}: not over");
    assert!(long.iter().all(|revocation| learnt.contains(revocation)), "{rule}: over too early");
    withdraw(rule, store, &long);
}

/// Revocations of random sessions of random users, which are of use for so long.
fn some(count: usize, lasts: Duration) -> Vec<Revocation> {
    let now = unix_seconds(SystemTime::now());
    let until = now + lasts.as_secs();
    let one = |_| {
        let user = User::named(&format!("{:?}", Id::random().0));
        Entry::session(user, Id::random(), now).revocation(until)
    };
    (0..count).map(one).collect()
}

fn publish(rule: &str, store: &dyn Revocations, all: &[Revocation]) {
    for some in all.chunks(MOST_AT_ONCE) {
        store.publish(some).unwrap_or_else(|error| panic!("{rule}: {error}"));
    }
}

fn withdraw(rule: &str, store: &dyn Revocations, all: &[Revocation]) {
    for some in all.chunks(MOST_AT_ONCE) {
        store.withdraw(some).unwrap_or_else(|error| panic!("{rule}: {error}"));
    }
}

/// All pages after a position, and the position after them.
fn learn_all(
    rule: &str,
    store: &dyn Revocations,
    mut after: Option<Position>,
) -> (Vec<Revocation>, Position) {
    let mut all = Vec::new();
    loop {
        match store.learn(after.as_ref()).unwrap_or_else(|error| panic!("{rule}: {error}")) {
            Learned::Lost => panic!("{rule}: lost"),
            Learned::Page { revocations, position, is_last } => {
                all.extend(revocations);
                if is_last {
                    return (all, position);
                }
                after = Some(position);
            }
        }
    }
}
