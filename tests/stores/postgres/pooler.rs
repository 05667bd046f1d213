//! Through PgBouncer in transaction mode: each statement may run over another of the server's connections.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use waxseal::session::PostgresStore;

use super::super::server::Server;
use super::super::visitors::{count, home_of_a_visitor};
use super::super::{cases, pages};
use super::cluster::{Cluster, as_owner, give_away};
use super::faults;
use crate::support::{Browser, Waxseal, get, post};

/// A PgBouncer before `cluster`, with few connections for many clients.
fn pooler(cluster: &Cluster) -> Server {
    pooler_with(cluster, 3)
}

/// A PgBouncer with so many connections to `cluster`.
fn pooler_with(cluster: &Cluster, connections: usize) -> Server {
    let mut server = Server::new(|_, directory| {
        // It does not run as root either.
        let mut command = as_owner(directory, Command::new("pgbouncer"));
        command.arg(directory.join("pgbouncer.ini")).current_dir(directory);
        command
    });
    let configuration = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {}\nauth_type = trust\nauth_file = users\nunix_socket_dir =\n\
         pool_mode = transaction\ndefault_pool_size = {connections}\n",
        cluster.server.port, server.port
    );
    fs::write(server.directory.join("pgbouncer.ini"), configuration).unwrap();
    fs::write(server.directory.join("users"), "\"admin\" \"\"\n").unwrap();
    give_away(&server.directory);
    server.start();
    server
}

fn address(pooler: &Server) -> String {
    format!("postgres://admin@127.0.0.1:{}/postgres", pooler.port)
}

#[test]
fn everything_that_every_store_does() {
    let cluster = Cluster::start(&[]);
    let pooler = pooler(&cluster);
    let store = PostgresStore::open(&address(&pooler)).unwrap();
    cases::all(store, || cluster.dump(), |key| faults::damage(&cluster, key));
    pages::people("postgres", &[("DATABASE_URL", &address(&pooler))], true);
}

/// Processes sign people out while others visit: who was told to be signed out is.
#[test]
fn under_load_no_sign_out_is_lost_and_nobody_else_is_signed_out() {
    let cluster = Cluster::start(&[]);
    let pooler = pooler(&cluster);
    let (direct, pooled) = (cluster.address(), address(&pooler));
    let start =
        |address: &str| Waxseal::start(&[("SESSION_STORE", "postgres"), ("DATABASE_URL", address)]);
    let directly = start(&direct);
    let stay: Vec<_> = (0..40).map(|_| home_of_a_visitor(&directly)).collect();
    let leave: Vec<_> = (0..40)
        .map(|_| {
            let mut browser = Browser::by_http();
            browser.sign_in(&directly);
            browser.cookie().unwrap().to_owned()
        })
        .collect();
    let all = [(); 3].map(|()| start(&pooled));
    let (visits, sign_outs) = thread::scope(|scope| {
        let visits: Vec<_> = (0..8)
            .map(|visitor| {
                let (all, stay) = (&all, &stay);
                scope.spawn(move || {
                    let visit = |at: usize| stay[(visitor + at) % 40].sent_to(&all[at % 2]).status;
                    (0..75).map(visit).collect::<Vec<_>>()
                })
            })
            .collect();
        let sign_outs: Vec<_> = leave
            .chunks(10)
            .map(|cookies| {
                let all = &all;
                let sign_out = |cookie: &String| {
                    thread::sleep(Duration::from_millis(10));
                    post("/logout", "").cookie(cookie).sent_to(&all[2]).status
                };
                scope.spawn(move || cookies.iter().map(sign_out).collect::<Vec<_>>())
            })
            .collect();
        let joined = |threads: Vec<thread::ScopedJoinHandle<'_, Vec<u16>>>| {
            count(threads.into_iter().flat_map(|thread| thread.join().unwrap()))
        };
        (joined(visits), joined(sign_outs))
    });
    assert_eq!((visits, sign_outs), (count([200; 600]), count([303; 40])));
    let status = |cookie: &String| get("/").cookie(cookie).sent_to(&directly).status;
    assert_eq!(count(leave.iter().map(status)), count([303; 40]), "they are signed out");
    assert_eq!(count(stay.iter().map(|home| home.sent_to(&directly).status)), count([200; 40]));
    // Nothing is set in a connection that others get too.
    assert_eq!(cluster.sql_at(&pooled, "SHOW statement_timeout"), "0");
    assert_eq!(cluster.sql_at(&pooled, "SHOW default_transaction_isolation"), "read committed");
    assert_eq!(cluster.sql_at(&pooled, "SELECT count(*) FROM pg_prepared_statements"), "0");
    for waxseal in &all {
        assert!(!waxseal.log().contains("at=error"), "{}", waxseal.log());
    }
}

/// Expired records are deleted over it too.
#[test]
fn the_expired_go() {
    let cluster = Cluster::start(&[]);
    let pooler = pooler(&cluster);
    cluster.sql(PostgresStore::SCHEMA);
    cluster.fill(3000, "'foo'", "now() - interval '1h'");
    let _store = PostgresStore::open(&address(&pooler)).unwrap();
    cluster.server.wait(|_| cluster.sql("SELECT count(*) FROM waxseal_sessions") == "0");
}

/// Nothing ends a statement that waits for a lock there: no more than so many threads wait with it.
#[test]
fn a_lock_that_is_held_for_long_does_not_pile_up_threads() {
    let cluster = Cluster::start(&[]);
    let pooler = pooler_with(&cluster, 20);
    let address = address(&pooler);
    let vars =
        [("SESSION_STORE", "postgres"), ("DATABASE_URL", &address), ("STORE_CONNECTIONS", "1")];
    let waxseal = Waxseal::start(&vars);
    let home = home_of_a_visitor(&waxseal);
    thread::scope(|scope| {
        scope.spawn(|| {
            cluster.sql("BEGIN; LOCK TABLE waxseal_sessions; SELECT pg_sleep(12); COMMIT")
        });
        let is_locked = "SELECT count(*) FROM pg_locks \
            WHERE mode = 'AccessExclusiveLock' AND relation = 'waxseal_sessions'::regclass";
        cluster.server.wait(|_| cluster.sql(is_locked) == "1");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(9) {
            assert_eq!(home.sent_to(&waxseal).status, 503);
            thread::sleep(Duration::from_millis(50));
        }
        let threads = fs::read_dir(format!("/proc/{}/task", waxseal.id())).unwrap();
        let names =
            threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
        let remote = names.filter(|name| name.starts_with("store remote")).count();
        // Twice as many as there are connections.
        assert!(remote <= 2, "{remote}");
    });
    cluster.server.wait(|_| home.sent_to(&waxseal).status == 200);
}
