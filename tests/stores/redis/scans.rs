//! The list of all sessions, in a database that has more than them.

use std::collections::BTreeSet;

use redis::pipe;
use waxseal::session::{
    Counted, Cursor, Key, Listing, RedisStore, Store, StoreSettings, Tls, USERNAME, conformance,
};

use super::super::records::{any_key, put};
use super::{connection, open, redis};

const SESSIONS: usize = 3000;

/// The keys of all steps, of which none has more than `limit`; `between` happens after each.
fn listed(
    listing: &dyn Listing,
    user: Option<&str>,
    limit: usize,
    mut between: impl FnMut(usize),
) -> Vec<Key> {
    let (mut all, mut after): (Vec<Key>, Option<Cursor>) = (Vec::new(), None);
    for step in 0..100_000 {
        let listed = listing.list_some(user, after.as_ref(), limit, &[]).unwrap();
        assert!(listed.records.len() <= limit, "{} of {limit}", listed.records.len());
        all.extend(listed.records.iter().map(|record| record.key));
        let Some(next) = listed.next else { return all };
        assert!(next.as_str().len() < 200, "{next}");
        after = Some(next.to_string().parse().unwrap());
        between(step);
    }
    panic!("the list has no end");
}

#[test]
fn each_is_listed_once_among_all_else_that_the_database_has() {
    let server = redis(&[]);
    let store = open(&server);
    let keys: BTreeSet<Key> = (0..SESSIONS).map(|_| put(&store, &[("a", "1")])).collect();
    let prefix = "shop:".parse().unwrap();
    let settings = StoreSettings::default().with_prefix(prefix);
    let address = format!("redis://127.0.0.1:{}", server.port);
    let shop = RedisStore::open_with(&address, Tls::Verified, &settings).unwrap();
    let of_the_shop: BTreeSet<Key> = (0..5).map(|_| put(&shop, &[("a", "1")])).collect();
    let mut others = pipe();
    for at in 0..20_000 {
        others.set(format!("another:{at}"), at).ignore();
    }
    others.set("waxseal:session:none", 1).ignore();
    others.query::<()>(&mut connection(&server)).unwrap();
    for limit in [1, 10, 1000] {
        let all = listed(&store, None, limit, |_| {});
        assert_eq!(all.len(), SESSIONS, "none twice: nothing is resized");
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), keys);
    }
    assert_eq!(listed(&shop, None, 2, |_| {}).into_iter().collect::<BTreeSet<_>>(), of_the_shop);
    // To end those of one site ends no other's, and nothing else.
    assert_eq!(total(|after| shop.delete_some(after).unwrap()), 5);
    let left = redis::cmd("DBSIZE").query::<usize>(&mut connection(&server)).unwrap();
    assert_eq!(left, SESSIONS + 20_001);
}

/// The server's table of keys grows to many times its size, and shrinks, while it is listed.
#[test]
fn those_that_stay_are_listed_while_the_table_is_resized() {
    let server = redis(&[]);
    let store = open(&server);
    for limit in [1, 7, 100] {
        let stay: BTreeSet<Key> = (0..200).map(|_| put(&store, &[])).collect();
        let mut others: Vec<Key> = (0..300).map(|_| put(&store, &[])).collect();
        let all = listed(&store, None, limit, |step| match step {
            // Few at a time: a step of a list is a call, and so is each of these.
            0..20 => others.extend((0..200).map(|_| put(&store, &[]))),
            20..40 => others.drain(..200).for_each(|key| store.delete(&key).unwrap()),
            _ => {}
        });
        let all: BTreeSet<Key> = all.into_iter().collect();
        assert!(stay.is_subset(&all), "{} of 200", all.intersection(&stay).count());
        let counted = total(|after| store.count_some(None, after).unwrap());
        assert_eq!(counted, (stay.len() + others.len()) as u64);
        stay.iter().chain(&others).for_each(|key| store.delete(key).unwrap());
    }
}

fn total(step: impl Fn(Option<&Cursor>) -> Counted) -> u64 {
    let (mut total, mut after) = (0, None);
    loop {
        let counted = step(after.as_ref());
        total += counted.records;
        let Some(next) = counted.next else { return total };
        after = Some(next);
    }
}

/// A few are in a list of Redis's that is always told whole, many in one that is scanned.
#[test]
fn a_user_may_have_few_or_many() {
    let server = redis(&[]);
    let address = format!("redis://127.0.0.1:{}", server.port);
    let settings = StoreSettings::default().with_sessions_per_user(usize::MAX);
    let store = RedisStore::open_with(&address, Tls::Verified, &settings).unwrap();
    for (user, sessions) in [("few", 100), ("some", 200), ("many", 2000)] {
        let keys: BTreeSet<Key> = (0..sessions).map(|_| put(&store, &[(USERNAME, user)])).collect();
        assert_eq!(store.count_some(Some(user), None).unwrap().records, sessions);
        for limit in [1, 9, 1000] {
            let mut more = Vec::new();
            let all = listed(&store, Some(user), limit, |step| {
                if step < 30 {
                    more.push(put(&store, &[(USERNAME, user)]));
                }
            });
            let all: BTreeSet<Key> = all.into_iter().collect();
            assert!(keys.is_subset(&all), "{user} {limit}");
            more.iter().for_each(|key| store.delete(key).unwrap());
        }
    }
    conformance::all(&store);
}

/// However much there is: a visitor's call goes in between.
#[test]
fn no_call_looks_at_more_than_a_little() {
    let server = redis(&[]);
    let store = open(&server);
    let mut connection = connection(&server);
    for _ in 0..20 {
        let mut fill = pipe();
        for _ in 0..5000 {
            let record = format!("waxseal:session:{}", any_key());
            fill.hset(&record, ".", "").ignore().pexpire(&record, 3_600_000).ignore();
        }
        fill.query::<()>(&mut connection).unwrap();
    }
    let mut calls = || {
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).unwrap();
        let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:calls="));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
        calls.map_or(0, |calls| calls.parse::<u64>().unwrap())
    };
    let before = calls();
    assert_eq!(total(|after| store.count_some(None, after).unwrap()), 100_000);
    let counted = calls();
    assert!(counted - before >= 50, "{} calls", counted - before);
    assert_eq!(listed(&store, None, 1000, |_| {}).len(), 100_000);
    assert!(calls() - counted >= 100, "{} calls", calls() - counted);
    assert_eq!(total(|after| store.delete_some(after).unwrap()), 100_000);
    assert_eq!(total(|after| store.count_some(None, after).unwrap()), 0);
}
