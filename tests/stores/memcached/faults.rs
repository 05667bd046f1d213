//! Small faults of Memcached: late answers, limits, damage, clocks, one server of two.

use std::io::Write;
use std::thread;
use std::time::Duration;

use waxseal::session::{Health, Key, MemcachedStore, Store, StoreError};

use super::super::records::{any_key, put};
use super::super::server::Server;
use super::super::visitors::{count, home_of_a_visitor};
use super::super::{clocks, damage, late, limits};
use super::{Lines, memcached, open, shown};
use crate::support::{Waxseal, get, post};

fn address(server: &Server) -> String {
    format!("memcached://127.0.0.1:{}", server.port)
}

/// Puts another item in the place of a record.
pub fn damage(server: &Server, key: &Key) {
    let damaged = if key.as_bytes()[0].is_multiple_of(2) { "x" } else { "1\na=%FF" };
    let mut lines = Lines::of(server);
    let command = format!("set waxseal:{key} 0 0 {}\r\n{damaged}\r\n", damaged.len());
    lines.0.get_mut().write_all(command.as_bytes()).unwrap();
    lines.ask("get nothing");
}

#[test]
fn who_waits_for_a_late_answer_waits_and_nobody_else() {
    let at = |port| format!("memcached://127.0.0.1:{port}");
    late::late_answers(&memcached(&[]), "memcached", "MEMCACHED_URL", at);
}

#[test]
fn calls_wait_for_the_connections_that_there_may_be() {
    for options in [&["-c", "16"][..], &["-c", "16", "-o", "no_maxconns_fast"]] {
        let server = memcached(options);
        limits::of_the_server("memcached", &[("MEMCACHED_URL", &address(&server))]);
    }
    let server = memcached(&[]);
    let connections = || Lines::of(&server).statistics()["curr_connections"] as usize;
    limits::of_our_own("memcached", &[("MEMCACHED_URL", &address(&server))], connections);
}

#[test]
fn a_record_that_is_damaged_locks_nobody_out() {
    let server = memcached(&[]);
    let address = address(&server);
    damage::locks_nobody_out("memcached", &[("MEMCACHED_URL", &address)], |key| {
        damage(&server, key);
    });
}

#[test]
fn its_clock_decides() {
    let server = memcached(&[]);
    clocks::another_clock("memcached", &[("MEMCACHED_URL", &address(&server))]);
}

#[test]
fn a_server_without_the_binary_protocol_is_told_of() {
    let server = memcached(&["-B", "ascii"]);
    let error = open(&server).find(&any_key()).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(shown(&error).contains("has its binary protocol off"), "{error}");
}

/// Sessions on the living one never notice, and new ones begin there.
#[test]
fn of_two_servers_one_may_be_down() {
    let (living, mut other) = (memcached(&[]), memcached(&[]));
    let list = format!("{},127.0.0.1:{}", address(&living), other.port);
    let waxseal = Waxseal::start(&[("SESSION_STORE", "memcached"), ("MEMCACHED_URL", &list)]);
    let homes: Vec<_> = (0..16).map(|_| home_of_a_visitor(&waxseal)).collect();
    let visit_all = || homes.iter().map(|home| home.sent_to(&waxseal).status).collect::<Vec<_>>();
    assert_eq!(count(visit_all()), count([200; 16]));
    // Silence costs the first who wait for it; the end of it is known at once.
    for silence in [true, false] {
        if silence {
            other.pause()
        } else {
            other.stop()
        }
        let first = visit_all();
        let on_living: Vec<bool> = first.iter().map(|status| *status == 200).collect();
        let living = on_living.iter().filter(|lives| **lives).count();
        assert!((1..16).contains(&living), "{first:?}");
        for _ in 0..40 {
            for (status, lives) in visit_all().into_iter().zip(&on_living) {
                assert_eq!(status, if *lives { 200 } else { 503 });
            }
            thread::sleep(Duration::from_millis(20));
        }
        let sign_in = post("/login", "username=foo&password=secret");
        let sign_ins = (0..20).map(|_| sign_in.sent_to(&waxseal).status);
        assert_eq!(count(sign_ins), count([303; 20]), "they begin on the living one");
        let health = get("/healthz").sent_to(&waxseal);
        let expected = "ok, but a server of the session store is down: memcached";
        assert_eq!(health.text(), expected);
        if silence {
            other.resume()
        } else {
            other.start()
        }
        other.wait(|_| visit_all().iter().all(|status| *status != 503));
        assert_eq!(get("/healthz").sent_to(&waxseal).text(), "ok");
    }
}

/// It is noticed although nobody asks for a session that is there.
#[test]
fn a_server_that_is_back_gets_its_share_of_new_sessions() {
    let (one, mut other) = (memcached(&[]), memcached(&[]));
    let list = format!("{},127.0.0.1:{}", address(&one), other.port);
    let waxseal = Waxseal::start(&[("SESSION_STORE", "memcached"), ("MEMCACHED_URL", &list)]);
    let sign_in = post("/login", "username=foo&password=secret");
    for silence in [true, false] {
        if silence {
            other.pause()
        } else {
            other.stop()
        }
        // The first who meets it may be told.
        other.wait(|_| {
            get("/healthz").sent_to(&waxseal).text() != "ok" || {
                sign_in.sent_to(&waxseal);
                false
            }
        });
        for _ in 0..40 {
            assert_eq!(sign_in.sent_to(&waxseal).status, 303);
            thread::sleep(Duration::from_millis(50));
        }
        if silence {
            other.resume()
        } else {
            other.start()
        }
        let before = Lines::of(&other).statistics()["curr_items"];
        other.wait(|other| {
            assert_eq!(sign_in.sent_to(&waxseal).status, 303);
            thread::sleep(Duration::from_millis(10));
            Lines::of(other).statistics()["curr_items"] > before
        });
        assert_eq!(get("/healthz").sent_to(&waxseal).text(), "ok");
    }
}

#[test]
fn how_many_of_its_servers_are_down_is_known() {
    let (mut one, mut other) = (memcached(&[]), memcached(&[]));
    let list = format!("{},127.0.0.1:{}", address(&one), other.port);
    let store = MemcachedStore::open(&list).unwrap();
    let keys: Vec<Key> = (0..32).map(|_| put(&store, &[("a", "1")])).collect();
    let look = || keys.iter().filter(|key| store.find(key).is_err()).count();
    assert_eq!((look(), store.health()), (0, Health::Up));
    other.stop();
    assert!(look() > 0);
    assert_eq!(store.health(), Health::Partly);
    assert!(keys.iter().any(|key| store.takes(key)) && !keys.iter().all(|key| store.takes(key)));
    one.stop();
    assert_eq!((look(), store.health()), (32, Health::Down));
    assert!(!keys.iter().any(|key| store.takes(key)));
}
