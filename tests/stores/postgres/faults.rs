//! Small faults of PostgreSQL: late answers, limits, refusals, damage, clocks, a table that is gone.

use waxseal::session::{Key, PostgresStore, Store, StoreError};

use super::super::records::{any_key, put};
use super::super::{clocks, damage, late, limits, pages, refusals};
use super::cluster::Cluster;
use super::{unavailable, update};
use crate::support::{Browser, Waxseal, get, post};

/// Puts another value in the place of a record's.
pub fn damage(cluster: &Cluster, key: &Key) {
    let damaged = ["[1]", "\"x\"", "{\"theme\": null}"][usize::from(key.as_bytes()[0] % 3)];
    cluster.sql(&format!(
        "UPDATE waxseal_sessions SET values = '{damaged}' WHERE key = decode('{key}', 'hex')"
    ));
}

#[test]
fn who_waits_for_a_late_answer_waits_and_nobody_else() {
    let cluster = Cluster::start(&[]);
    let at = |port| format!("postgres://admin@127.0.0.1:{port}/postgres");
    late::late_answers(&cluster.server, "postgres", "DATABASE_URL", at);
}

#[test]
fn calls_wait_for_the_connections_that_there_may_be() {
    let cluster = Cluster::start(&[]);
    cluster.sql(PostgresStore::SCHEMA);
    cluster.sql("CREATE ROLE few LOGIN CONNECTION LIMIT 3; GRANT ALL ON waxseal_sessions TO few");
    let few = cluster.address().replace("admin", "few");
    limits::of_the_server("postgres", &[("DATABASE_URL", &few)]);
    let connections = || {
        let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waxseal'";
        cluster.sql(ours).parse().unwrap()
    };
    limits::of_our_own("postgres", &[("DATABASE_URL", &cluster.address())], connections);
}

#[test]
fn a_server_that_takes_no_changes_can_be_read() {
    let cluster = Cluster::start(&[]);
    let set = |on: &str| {
        cluster.sql(&format!(
            "SET default_transaction_read_only = off; \
             ALTER SYSTEM SET default_transaction_read_only = {on}"
        ));
        cluster.sql("SELECT pg_reload_conf()");
        cluster.server.wait(|_| cluster.sql("SHOW default_transaction_read_only") == on);
    };
    let vars = [("DATABASE_URL", cluster.address())];
    let vars = [(vars[0].0, vars[0].1.as_str())];
    refusals::changes_are_refused("postgres", &vars, || set("on"), || set("off"), false);
}

#[test]
fn a_record_that_is_damaged_locks_nobody_out() {
    let cluster = Cluster::start(&[]);
    let address = cluster.address();
    damage::locks_nobody_out("postgres", &[("DATABASE_URL", &address)], |key| {
        damage(&cluster, key);
    });
}

#[test]
fn its_clock_decides() {
    let cluster = Cluster::start(&[]);
    clocks::another_clock("postgres", &[("DATABASE_URL", &cluster.address())]);
}

#[test]
fn a_table_or_a_database_that_is_gone_is_made_again() {
    let cluster = Cluster::start(&[]);
    cluster.sql("CREATE DATABASE sessions");
    let address = cluster.address().replace("/postgres", "/sessions");
    let waxseal = Waxseal::start(&[("SESSION_STORE", "postgres"), ("DATABASE_URL", &address)]);
    let mut browser = Browser::by_http();
    let mut sign_in_and_be_there = || {
        browser.sign_in(&waxseal);
        assert!(browser.is_signed_in(&waxseal));
    };
    let sql = |sql: &str| cluster.sql_at(&address, sql);
    sign_in_and_be_there();
    sql("DROP TABLE waxseal_sessions");
    let visit = get("/").with("X-Request-ID", "afterwards");
    assert!(visit.sent_to(&waxseal).is_anonymous());
    sign_in_and_be_there();
    sql("DROP TABLE waxseal_sessions");
    sign_in_and_be_there();
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'waxseal_sessions'";
    assert_eq!(sql(indexes), "3");
    assert!(!waxseal.log().contains("at=error"), "{}", waxseal.log());
    cluster.sql("DROP DATABASE sessions WITH (FORCE)");
    let sign_in = post("/login", "username=foo&password=secret");
    assert_eq!(sign_in.sent_to(&waxseal).status, 503);
    cluster.sql("CREATE DATABASE sessions");
    cluster.server.wait(|_| sign_in.sent_to(&waxseal).status == 303);
    sign_in_and_be_there();
    // A role that may not make it is refused.
    let role = "CREATE ROLE app LOGIN; GRANT ALL ON waxseal_sessions TO app";
    sql(role);
    let store = PostgresStore::open(&address.replace("admin", "app")).unwrap();
    put(&store, &[("a", "1")]);
    sql("DROP TABLE waxseal_sessions");
    let refused = store.find(&any_key());
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
}

#[test]
fn an_update_is_isolated_as_it_needs_it_whatever_the_role_says() {
    let cluster = Cluster::start(&[]);
    cluster.sql("ALTER ROLE admin SET default_transaction_isolation = 'serializable'");
    let store = cluster.open();
    waxseal::session::conformance::many_threads_lose_no_change(&store);
    // The address's own options count too.
    cluster.sql("CREATE SCHEMA other");
    let address = cluster.address() + "?options=-csearch_path%3Dother";
    let elsewhere = PostgresStore::open(&address).unwrap();
    let key = put(&elsewhere, &[("a", "1")]);
    update(&elsewhere, &key, "b", Some("2"));
    assert_eq!(cluster.sql("SELECT count(*) FROM other.waxseal_sessions"), "1");
    let nowhere = cluster.address() + "?options=-csearch_path%3Dnowhere";
    assert!(unavailable(&PostgresStore::open(&nowhere).unwrap()).contains("missing"));
}

#[test]
fn a_connection_in_the_clear_to_another_machine_is_warned_of() {
    let logged = |address: &str| {
        pages::logged_at_start(&[("SESSION_STORE", "postgres"), ("DATABASE_URL", address)])
    };
    let warning = "DATABASE_URL leads to another machine";
    for address in ["postgres://db.invalid/db", "postgres:///db?host=db.invalid"] {
        assert!(logged(address).contains(warning), "{address}");
    }
    for address in [
        "postgres://db.invalid/db?sslmode=require",
        "postgres://127.0.0.1:1/db",
        "postgres://localhost/db",
        "postgres://[::1]:1/db",
        "postgres://%2Fno-such-directory/db",
        "postgres:///db?host=/no-such-directory",
    ] {
        assert!(!logged(address).contains(warning), "{address}");
    }
}
