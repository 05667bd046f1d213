//! Sessions in PostgreSQL. Its programs are found by pg_config, or where Debian has them.

pub mod cluster;
mod faults;
mod pooler;
mod reaping;

use std::fs::read_to_string;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use waxseal::session::{
    Change, CommitOutcome, Key, PostgresStore, Store, StoreError, StoreSettings, USERNAME, Values,
};

use self::cluster::Cluster;
use super::records::{self, any_key, commit, put, values};
use super::{administration, cases, outage, pages};

/// The longest that a call may take, and something for a busy machine.
const PROMPT: Duration = Duration::from_millis(2500);

fn update(store: &PostgresStore, key: &Key, name: &str, value: Option<&str>) {
    assert_eq!(records::update(store, key, name, value), CommitOutcome::Done);
}

/// Waits until calls are let through again.
fn is_back(cluster: &Cluster, store: &PostgresStore) {
    cluster.server.wait(|_| store.find(&any_key()).is_ok());
}

/// The error of a call now, which must come soon.
fn unavailable(store: &PostgresStore) -> String {
    let began = Instant::now();
    let error = store.find(&any_key()).unwrap_err();
    assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!format!("{error} {error:?} {store:?}").contains("secret"), "{error:?}");
    error.to_string()
}

#[test]
fn everything_that_every_store_does() {
    let cluster = Cluster::start(&[]);
    cases::all(cluster.open(), || cluster.dump(), |key| faults::damage(&cluster, key));
}

#[test]
fn an_administrator_looks_after_the_sessions() {
    let mut cluster = Cluster::start(&[]);
    let address = cluster.address();
    administration::beside_the_server("postgres", &[("DATABASE_URL", &address)]);
    cluster.server.stop();
    administration::away("postgres", &[("DATABASE_URL", &address)]);
}

#[test]
fn to_load_is_one_statement_and_to_save_another_in_one_round_trip_each() {
    let cluster = Cluster::start(&["log_min_duration_statement=0"]);
    let store = cluster.open();
    let key = put(&store, &[("a", "1")]);
    let visit = |value: &str| {
        assert_eq!(store.find(&key).unwrap().unwrap().len(), 1);
        update(&store, &key, "a", Some(value));
    };
    visit("2");
    cluster.wait_until_logged("SKIP LOCKED"); // the reaper's turn
    thread::sleep(Duration::from_millis(300));
    // What the protocol's messages are called in the log.
    let steps = |values: &[&str]| -> Vec<String> {
        let lines = cluster.logged(|| values.iter().for_each(|value| visit(value)));
        let steps = lines.iter().filter_map(|line| line.split_once(" ms  "));
        steps.map(|(_, step)| step.split([' ', ':']).next().unwrap().to_owned()).collect()
    };
    // All three are sent at once. Nothing is kept by the server, and nothing was set in it.
    assert_eq!(steps(&["3"]), ["parse", "bind", "execute"].repeat(2));
    assert_eq!(steps(&["4"; 50]), ["parse", "bind", "execute"].repeat(100));
    let kept = "SELECT count(*) FROM pg_prepared_statements";
    assert_eq!(cluster.sql(kept), "0");
}

#[test]
fn a_user_is_found_by_the_index_among_a_million_others() {
    let cluster = Cluster::start(&[
        "session_preload_libraries=auto_explain",
        "auto_explain.log_min_duration=0",
        "auto_explain.log_analyze=on",
        "auto_explain.log_buffers=on",
        "autovacuum=off",
    ]);
    let store = cluster.open();
    let own: Vec<Key> = (0..3).map(|_| put(&store, &[(USERNAME, "foo"), ("note", "n")])).collect();
    // They expire later, so that whoever looks by expiry alone walks all of them.
    cluster.fill(1_000_000, "CASE WHEN g % 2 = 0 THEN 'user' || g ELSE NULL END", "now() + '2h'");
    // A server that has not counted yet how many each user has takes them for many.
    cluster.sql(
        "DELETE FROM pg_statistic WHERE starelid IN (\
        'waxseal_sessions'::regclass, 'waxseal_sessions_user'::regclass)",
    );
    let find = || store.users().unwrap().find_by_user("foo", &["note"], 10).unwrap();
    for _ in 0..2 {
        let plan = cluster.logged(|| assert_eq!(find().len(), 3)).join("\n");
        assert!(plan.contains("waxseal_sessions_user"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(buffers(&plan) < 20, "{plan}");
    }
    // A step of the list looks at so many keys and no more, and at no other user's records.
    let listing = store.listing().unwrap();
    let list = |user: Option<&str>, limit| {
        let listed = || listing.list_some(user, None, limit, &["note"]).unwrap().records.len();
        cluster.logged(|| assert_eq!(listed(), if user.is_some() { 3 } else { limit })).join("\n")
    };
    let count = || assert_eq!(listing.count_some(None, None).unwrap().records, 2000);
    for (plan, index, most) in [
        (list(Some("foo"), 100), "waxseal_sessions_user", 20),
        (list(None, 100), "waxseal_sessions_pkey", 600),
        (cluster.logged(count).join("\n"), "waxseal_sessions_pkey", 8000),
    ] {
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{plan}");
        assert!(buffers(&plan) < most, "{plan}");
    }
    // To sign in once more than there may be is as cheap.
    let few = StoreSettings::default().with_sessions_per_user(3);
    let few = PostgresStore::open_with(&cluster.address(), &few).unwrap();
    put(&few, &[(USERNAME, "foo")]);
    let plan = cluster.logged(|| _ = put(&few, &[(USERNAME, "foo")])).join("\n");
    let plan = plan.split_once("DELETE FROM").expect("one is ended").1;
    assert!(plan.contains("waxseal_sessions_user") && !plan.contains("Seq Scan"), "{plan}");
    assert!(buffers(plan) < 60, "{plan}");
    for (name, key) in [("foo", &own[0]), ("user2", &any_key())] {
        let delete = || store.users().unwrap().delete_by_user(name).unwrap();
        let plan = cluster.logged(delete).join("\n");
        assert!(plan.contains("waxseal_sessions_user"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert_eq!(store.find(key).unwrap(), None);
    }
    assert_eq!(cluster.sql("SELECT count(*) FROM waxseal_sessions"), "999999");
}

/// How many pages the first plan of a log needed, at its root.
fn buffers(log: &str) -> usize {
    let told = log.split_once("Buffers: shared hit=").expect("buffers").1;
    told.split(|other: char| !other.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn no_text_is_an_error() {
    let cluster = Cluster::start(&[]);
    let store = cluster.open();
    let long = "🦭".repeat(20_000);
    let texts = ["\0", "a\0b\0", "\u{1a}", "\u{1a}0", "\u{1a}1", "\0\u{1a}10", "", "$1 $", &long];
    for text in texts {
        for other in texts {
            let key = put(&store, &[(USERNAME, text), (&format!("_{other}"), text)]);
            let expected = |value: &str| -> Values {
                values(&[(USERNAME, value), (&format!("_{other}"), text)])
            };
            assert!(store.find(&key).unwrap() == Some(expected(text)), "{text:.9} {other:.9}");
            update(&store, &key, USERNAME, Some(other));
            assert!(store.find(&key).unwrap() == Some(expected(other)), "{text:.9} {other:.9}");
            let users = store.users().unwrap();
            let name = format!("_{other}");
            let found = users.find_by_user(other, &[&name], 9).unwrap();
            let told = Values::from([(name.clone(), text.to_owned())]);
            assert!(found == [(key, told)], "{text:.9} {other:.9}");
            update(&store, &key, &name, None);
            assert_eq!(store.find(&key).unwrap().unwrap().len(), 2);
            users.delete_by_user(other).unwrap();
            assert_eq!(store.find(&key).unwrap(), None);
        }
    }
    // Longer than an index entry may be, and alike until then.
    let noise: String = (0..400).map(|_| any_key().to_string()).collect();
    let (one, other) = (format!("{noise}1"), format!("{noise}2"));
    let keys = [&one, &other].map(|user| put(&store, &[(USERNAME, user)]));
    let found = store.users().unwrap().find_by_user(&one, &[], 9).unwrap();
    assert_eq!(found, [(keys[0], Values::new())]);
    // No lifetime is one either.
    for lifetime in [Duration::MAX, Duration::ZERO] {
        let done = store.commit(&keys[0], &Change::Update([].into()), lifetime);
        assert_eq!(done.unwrap(), CommitOutcome::Done);
        let _ = commit(&store, &keys[0], &Change::New(Values::new())).unwrap();
    }
}

#[test]
fn the_table_is_made_once_by_many_at_once() {
    let cluster = Cluster::start(&[]);
    for _ in 0..10 {
        cluster.sql("SET client_min_messages = warning; DROP TABLE IF EXISTS waxseal_sessions");
        let stores: Vec<_> = (0..8).map(|_| cluster.open()).collect();
        let together = Barrier::new(stores.len());
        let log = cluster.logged(|| {
            thread::scope(|scope| {
                for store in &stores {
                    scope.spawn(|| {
                        together.wait();
                        assert_eq!(store.find(&any_key()).unwrap(), None);
                    });
                }
            });
        });
        assert!(!log.iter().any(|line| line.contains("ERROR")), "{log:?}");
    }
    let indexes =
        "SELECT indexname FROM pg_indexes WHERE tablename = 'waxseal_sessions' ORDER BY 1";
    assert_eq!(
        cluster.sql(indexes).lines().collect::<Vec<_>>(),
        ["waxseal_sessions_expires", "waxseal_sessions_pkey", "waxseal_sessions_user"]
    );
}

#[test]
fn who_may_not_create_the_table_is_told_and_may_use_it() {
    let cluster = Cluster::start(&[]);
    cluster.sql("CREATE ROLE app LOGIN");
    let address = cluster.address().replace("admin", "app");
    let store = PostgresStore::open(&address).unwrap();
    let error = unavailable(&store);
    assert!(error.contains("waxseal_sessions is missing: permission denied"), "{error}");
    assert!(error.contains("PostgresStore::SCHEMA"), "{error}");
    // Without an index it is slow, but it works.
    let (table, indexes) = PostgresStore::SCHEMA.split_once("CREATE INDEX").unwrap();
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON waxseal_sessions TO app;";
    cluster.sql(&format!("{table}{grant}"));
    is_back(&cluster, &store);
    update(&store, &put(&store, &[(USERNAME, "foo")]), "a", Some("1"));
    cluster.sql(&format!("CREATE INDEX{indexes}"));
    let store = PostgresStore::open(&address).unwrap();
    let key = put(&store, &[(USERNAME, "foo")]);
    assert_eq!(store.users().unwrap().find_by_user("foo", &[], 9).unwrap().len(), 2);
    store.users().unwrap().delete_by_user("foo").unwrap();
    assert_eq!(store.find(&key).unwrap(), None);
    // What the server refuses later is no outage.
    cluster.sql("REVOKE SELECT ON waxseal_sessions FROM app");
    let refused = store.find(&key);
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    // More connections than there may be are.
    cluster.sql("ALTER ROLE app CONNECTION LIMIT 0");
    unavailable(&PostgresStore::open(&address).unwrap());
    cluster.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let latin = PostgresStore::open(&cluster.address().replace("/postgres", "/latin")).unwrap();
    assert!(unavailable(&latin).contains("UTF8"));
    // A server that is the primary no more cannot do what it is there for.
    cluster.sql("ALTER ROLE admin SET default_transaction_read_only = on");
    let written = commit(&cluster.open(), &key, &Change::New(Values::new()));
    assert!(matches!(written, Err(StoreError::Rejected(_))), "{written:?}");
}

#[test]
fn a_server_may_come_later_go_pause_and_come_back() {
    let mut cluster = Cluster::new(&[]);
    let store = cluster.open();
    assert!(unavailable(&store).contains("refused"));
    cluster.start_again();
    is_back(&cluster, &store);
    let key = put(&store, &[("a", "1")]);
    let is_there = || assert_eq!(store.find(&key).unwrap().unwrap().len(), 1);
    for _ in 0..2 {
        cluster.server.stop();
        unavailable(&store);
        cluster.start_again();
        is_back(&cluster, &store);
        is_there();
        // With a kept connection this time.
        cluster.server.stop();
        cluster.start_again();
        is_there();
    }
    cluster.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waxseal'",
    );
    is_there();
    cluster.server.pause();
    for _ in 0..3 {
        unavailable(&store);
    }
    cluster.server.resume();
    is_back(&cluster, &store);
    is_there();
    cluster.server.pause();
    unavailable(&store);
    cluster.server.stop();
    unavailable(&store);
    cluster.start_again();
    is_back(&cluster, &store);
    is_there();
}

/// Threads of the stores in this process, those of other tests too.
fn store_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("store ")).count()
}

/// Nor without a breaker: an attempt to connect ends after two seconds, though we wait for one.
#[test]
fn a_long_pause_does_not_pile_up_threads() {
    let cluster = Cluster::start(&[]);
    let store = cluster.open();
    assert_eq!(store.find(&any_key()).unwrap(), None);
    cluster.server.pause();
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while began.elapsed() < Duration::from_secs(12) {
                    unavailable(&store);
                }
            });
        }
    });
    let threads = store_threads();
    cluster.server.resume();
    assert!(threads < 130, "{threads}");
    // Once the server has seen that those who knocked are gone.
    cluster.server.wait(|_| store.find(&any_key()).is_ok());
}

#[test]
fn a_lock_holds_up_nobody_for_long_here_or_in_the_server() {
    let cluster = Cluster::start(&[]);
    let store = cluster.open();
    let key = put(&store, &[("a", "1")]);
    thread::scope(|scope| {
        scope.spawn(|| {
            cluster.sql("BEGIN; LOCK TABLE waxseal_sessions; SELECT pg_sleep(4); COMMIT")
        });
        thread::sleep(Duration::from_secs(1));
        for _ in 0..2 {
            unavailable(&store);
        }
        thread::sleep(Duration::from_millis(200));
        let waiting = "SELECT count(*) FROM pg_stat_activity \
            WHERE application_name = 'waxseal' AND wait_event_type = 'Lock' \
                AND query NOT LIKE '%SKIP LOCKED%'"; // the reaper has time
        assert_eq!(cluster.sql(waiting), "0");
    });
    update(&store, &key, "a", Some("2"));
}

#[test]
fn tls_and_a_password_are_used_and_shown_to_nobody() {
    let mut cluster = Cluster::new(&["ssl=on"]);
    cluster.make_certificate();
    cluster.start_again();
    cluster.sql("CREATE ROLE app LOGIN PASSWORD 'se@cret/'; GRANT ALL ON SCHEMA public TO app");
    cluster.ask_for_the_password_of("app");
    let address = |password: &str| {
        let app = format!("app:{password}@");
        cluster.address().replace("admin@", &app) + "?sslmode=require"
    };
    let store = PostgresStore::open(&address("se%40cret%2F")).unwrap();
    let key = put(&store, &[("a", "1")]);
    update(&store, &key, "a", Some("2"));
    let encrypted = "SELECT DISTINCT ssl, usename FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'waxseal'";
    assert_eq!(cluster.sql(encrypted), "t|app");
    let wrong = PostgresStore::open(&address("wrong-secret")).unwrap();
    assert!(unavailable(&wrong).contains("password authentication failed"));
    for fault in [address("se@cret"), address("se/cret"), address("secret%"), "secret".to_owned()] {
        let error = PostgresStore::open(&fault).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("cret"), "{error:?}");
    }
    cluster.server.stop();
    let plain = Cluster::start(&["ssl=off"]);
    let demanding = PostgresStore::open(&(plain.address() + "?sslmode=require")).unwrap();
    assert!(unavailable(&demanding).contains("SSL"));
}

#[test]
fn the_site_stays_up_while_the_server_is_away() {
    let mut cluster = Cluster::start(&[]);
    let address = cluster.address();
    outage::outage(&mut cluster, "postgres", &[("DATABASE_URL", &address)], true);
}

#[test]
fn people_sign_in_and_out_on_all_processes() {
    let cluster = Cluster::start(&[]);
    pages::people("postgres", &[("DATABASE_URL", &cluster.address())], true);
    pages::refused_at_start("postgres", "DATABASE_URL", "mysql://user:hunter2@localhost/db");
    for parameter in ["schema=public", "pgbouncer=true", "sslmode=no-verify", "connection_limit=5"]
    {
        let address = format!("postgres://user:hunter2@localhost/db?{parameter}");
        pages::refused_at_start("postgres", "DATABASE_URL", &address);
    }
}
