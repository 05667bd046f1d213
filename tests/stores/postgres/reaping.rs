//! Expired sessions are deleted beside the requests.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use waxseal::session::{Key, PostgresStore, Store};

use super::super::records::put;
use super::cluster::Cluster;
use super::update;

/// Far more than there is with a quiet machine, where it is a few milliseconds, and far less than
/// a visitor notices.
const LONGEST: Duration = Duration::from_secs(1);

/// The longest that a load or a commit took until the sender of `is_over` is gone.
fn longest_call(store: &PostgresStore, expired: &[Key], is_over: &Receiver<()>) -> Duration {
    let key = put(store, &[("a", "1")]);
    let mut longest = Duration::ZERO;
    for expired in expired.iter().cycle() {
        let began = Instant::now();
        assert!(store.find(&key).unwrap().is_some());
        let found = Instant::now();
        update(store, &key, "a", Some("2"));
        longest = longest.max(found - began).max(found.elapsed());
        assert_eq!(store.find(expired).unwrap(), None);
        if is_over.try_recv() == Err(TryRecvError::Disconnected) {
            break;
        }
    }
    longest
}

#[test]
fn of_a_million_sessions_the_expired_go_and_no_request_waits() {
    let cluster = Cluster::start(&[]);
    cluster.sql(PostgresStore::SCHEMA);
    let store = cluster.open();
    thread::sleep(Duration::from_secs(3)); // its reaper has nothing to do
    cluster.fill(
        1_000_000,
        "'user' || g",
        "now() + CASE WHEN g % 10 = 0 THEN '-1h' ELSE '1h' END::interval",
    );
    let count = || cluster.sql("SELECT count(*) FROM waxseal_sessions WHERE expires <= now()");
    assert_eq!(count(), "100000");
    let keys = "SELECT encode(key, 'hex') FROM waxseal_sessions WHERE expires <= now() LIMIT 100";
    let keys: Vec<Key> = cluster.sql(keys).lines().map(|key| key.parse().unwrap()).collect();

    let measure = |meanwhile: &dyn Fn()| {
        thread::scope(|scope| {
            let (going_on, is_over) = channel();
            let (store, keys) = (&store, &keys);
            let calls = scope.spawn(move || longest_call(store, keys, &is_over));
            meanwhile();
            drop(going_on);
            calls.join().unwrap()
        })
    };
    let without = measure(&|| thread::sleep(Duration::from_secs(4)));
    let began = Instant::now();
    let with = measure(&|| {
        // Two processes that begin at once.
        let others = [cluster.open(), cluster.open()];
        let mut counts: Vec<usize> = vec![100_000];
        while counts.last() != Some(&0) {
            assert!(began.elapsed() < Duration::from_secs(40), "{counts:?}");
            thread::sleep(Duration::from_millis(200));
            counts.push(count().parse().unwrap());
        }
        counts.dedup();
        assert!(counts.len() > 5, "a few at a time: {counts:?}");
        drop(others);
    });
    println!("longest call: {with:?}, without the reaper {without:?}; {:?}", began.elapsed());
    assert!(with < without + LONGEST, "{with:?}, without the reaper {without:?}");
    assert_eq!(cluster.sql("SELECT count(*) >= 900000 FROM waxseal_sessions"), "t");
}

#[test]
fn one_process_at_a_time_reaps() {
    let cluster = Cluster::start(&[]);
    cluster.sql(PostgresStore::SCHEMA);
    cluster.fill(5000, "'foo'", "now() - interval '1h'");
    let count = || cluster.sql("SELECT count(*) FROM waxseal_sessions");
    thread::scope(|scope| {
        // As another process would, by the one lock that the reaper is known to ask for.
        scope.spawn(|| cluster.sql("SELECT pg_advisory_lock(6734557895273406466), pg_sleep(4)"));
        thread::sleep(Duration::from_millis(500));
        let _store = cluster.open();
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(count(), "5000");
    });
    let _store = cluster.open();
    cluster.server.wait(|_| count() == "0");
}
