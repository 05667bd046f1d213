//! `RedisStore` over a real Redis.

mod faults;
mod scans;
mod sentinel;

use std::env;
use std::process::Command;
use std::thread;
use std::time::Duration;

use redis::{Commands, Connection};
use waxseal::session::{
    Change, CommitOutcome, Key, RedisStore, Store, StoreError, StoreSettings, Tls, USERNAME,
    UserIndex, Values,
};

use super::records::{HOUR, any_key, put, update, values};
use super::server::Server;
use super::{administration, cases, outage, pages};

/// Nothing in it may be shown.
const PASSWORD: &str = "p@ss: /w#rd%";
const ENCODED: &str = "p%40ss%3A%20%2Fw%23rd%25";

fn redis(options: &'static [&'static str]) -> Server {
    let mut server = Server::new(move |port, directory| {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(directory).args(options);
        command
    });
    server.start();
    server
}

fn open(server: &Server) -> RedisStore {
    open_at(&format!("redis://127.0.0.1:{}", server.port))
}

fn open_at(address: &str) -> RedisStore {
    RedisStore::open(address, Tls::Verified).unwrap()
}

/// A connection of the test's own.
fn connection(server: &Server) -> Connection {
    let address = format!("redis://127.0.0.1:{}", server.port);
    redis::Client::open(address).unwrap().get_connection().unwrap()
}

/// A number that `INFO` tells.
fn info(connection: &mut Connection, name: &str) -> i64 {
    let info: String = redis::cmd("INFO").arg("all").query(connection).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {info}")).parse().unwrap()
}

fn shown(error: &StoreError) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "{text}");
    text
}

#[test]
fn all_that_must_be_so_with_every_store() {
    let server = redis(&[]);
    let dump = || {
        let mut connection = connection(&server);
        let mut dump = Vec::new();
        for key in connection.keys::<_, Vec<String>>("*").unwrap() {
            let kind: String = redis::cmd("TYPE").arg(&key).query(&mut connection).unwrap();
            let all: Vec<Vec<u8>> = match kind.as_str() {
                "hash" => connection.hgetall(&key).unwrap(),
                "zset" => connection.zrange(&key, 0, -1).unwrap(),
                other => panic!("{key} is a {other}"),
            };
            dump.extend_from_slice(key.as_bytes());
            dump.extend(all.concat());
        }
        dump
    };
    cases::all(open(&server), dump, |key| faults::damage(&server, key));
}

#[test]
fn an_administrator_looks_after_the_sessions() {
    let mut server = redis(&[]);
    let address = format!("redis://127.0.0.1:{}", server.port);
    administration::beside_the_server("redis", &[("REDIS_URL", &address)]);
    server.stop();
    administration::away("redis", &[("REDIS_URL", &address)]);
}

#[test]
fn one_round_trip_to_load_and_one_to_commit() {
    let server = redis(&[]);
    let (store, mut connection) = (open(&server), connection(&server));
    // The server learns the scripts.
    let key = put(&store, &[(USERNAME, "foo"), ("a", "1")]);
    store.find_by_user("foo", &[], 1).unwrap();
    store.delete(&any_key()).unwrap();
    store.delete_by_user("nobody").unwrap();
    let mut trips = |call: &dyn Fn()| {
        let before = info(&mut connection, "total_reads_processed");
        call();
        // One read is that of INFO.
        info(&mut connection, "total_reads_processed") - before - 1
    };
    assert_eq!(trips(&|| {}), 0);
    assert_eq!(trips(&|| drop(store.find(&key).unwrap().unwrap())), 1);
    assert_eq!(trips(&|| assert_eq!(update(&store, &key, "a", Some("2")), CommitOutcome::Done)), 1);
    assert_eq!(
        trips(&|| assert_eq!(update(&store, &any_key(), "a", None), CommitOutcome::Gone)),
        1
    );
    assert_eq!(trips(&|| _ = put(&store, &[(USERNAME, "foo")])), 1);
    assert_eq!(trips(&|| drop(store.find_by_user("foo", &["a"], 9).unwrap())), 1);
    assert_eq!(trips(&|| store.delete(&key).unwrap()), 1);
    assert_eq!(trips(&|| store.delete_by_user("foo").unwrap()), 1);
    assert_eq!(info(&mut connection, "connected_clients"), 2, "a connection is kept");
}

#[test]
fn any_text_is_kept_with_a_nul_too() {
    let server = redis(&[]);
    let store = open(&server);
    let pairs = [("\0", "a\0b"), ("", ""), (".", "="), ("=", "."), ("=username", "\u{10ffff}")];
    let key = put(&store, &pairs);
    assert_eq!(store.find(&key).unwrap(), Some(values(&pairs)));
    assert_eq!(update(&store, &key, ".", None), CommitOutcome::Done);
    assert_eq!(store.find(&key).unwrap().unwrap().len(), pairs.len() - 1);
    let user = "a\0*?[]\r\nb";
    let key = put(&store, &[(USERNAME, user), ("\0", "\0")]);
    let found = store.find_by_user(user, &["\0", "none"], 9).unwrap();
    assert_eq!(found, [(key, values(&[("\0", "\0")]))]);
}

/// More than a Lua function takes as arguments.
#[test]
fn a_record_may_have_any_number_of_names() {
    let server = redis(&[]);
    let store = open(&server);
    let many: Values = (0..20_000).map(|at| (at.to_string(), "v".to_owned())).collect();
    let key = any_key();
    let done = store.commit(&key, &Change::New(many.clone()), HOUR).unwrap();
    assert_eq!(done, CommitOutcome::Done);
    assert_eq!(store.find(&key).unwrap().as_ref(), Some(&many));
    let all = Change::Update(many.into_keys().map(|name| (name, None)).collect());
    assert_eq!(store.commit(&key, &all, HOUR).unwrap(), CommitOutcome::Done);
    assert_eq!(store.find(&key).unwrap(), Some(Values::new()));
}

#[test]
fn more_than_any_session_should_have_is_too_large() {
    let server = redis(&[]);
    let store = open(&server);
    let limit = 16 << 20;
    let commit = |length: usize| {
        let change = Change::New(values(&[("a", &"x".repeat(length - 1))]));
        store.commit(&any_key(), &change, HOUR)
    };
    let refused = commit(limit + 1).unwrap_err();
    let StoreError::TooLarge { size, limit: told } = refused else { panic!("{refused:?}") };
    assert_eq!((size, told), (limit + 1, limit));
    assert_eq!(commit(limit).unwrap(), CommitOutcome::Done);
}

/// More than one script deletes.
#[test]
fn all_of_a_user_are_ended_however_many_there_are() {
    let server = redis(&[]);
    let address = format!("redis://127.0.0.1:{}", server.port);
    let settings = StoreSettings::default().with_sessions_per_user(usize::MAX);
    let store = RedisStore::open_with(&address, Tls::Verified, &settings).unwrap();
    let keys: Vec<Key> = (0..2500).map(|_| put(&store, &[(USERNAME, "foo")])).collect();
    let other = put(&store, &[(USERNAME, "bar")]);
    store.delete_by_user("foo").unwrap();
    assert!(keys.iter().all(|key| store.find(key).unwrap().is_none()));
    assert!(store.find(&other).unwrap().is_some());
}

#[test]
fn a_server_whose_memory_is_full_refuses_and_keeps_what_it_has() {
    let server = redis(&["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]);
    let store = open(&server);
    let first = put(&store, &[("a", "1")]);
    let change = Change::New(values(&[("a", &"x".repeat(1000))]));
    let commit = || store.commit(&any_key(), &change, HOUR);
    let refused = (0..20_000).find_map(|_| commit().err()).expect("it is full");
    assert!(matches!(refused, StoreError::Rejected(_)), "{refused:?}");
    assert!(store.find(&first).unwrap().is_some());
}

#[test]
fn nothing_is_left_once_all_has_expired() {
    let server = redis(&[]);
    let (store, mut connection) = (open(&server), connection(&server));
    let soon = Duration::from_millis;
    let new = |millis| {
        let (key, change) = (any_key(), Change::New(values(&[(USERNAME, "foo")])));
        assert_eq!(store.commit(&key, &change, soon(millis)).unwrap(), CommitOutcome::Done);
        key
    };
    let (_, later) = (new(300), new(1500));
    assert_eq!(store.find_by_user("foo", &[], 9).unwrap().len(), 2);
    thread::sleep(Duration::from_millis(400));
    assert_eq!(store.find_by_user("foo", &[], 9).unwrap(), [(later, Values::new())]);
    // The set is tidied by who touches it.
    let change = Change::Update([].into());
    assert_eq!(store.commit(&later, &change, soon(500)).unwrap(), CommitOutcome::Done);
    assert_eq!(connection.zcard::<_, i64>("waxseal:user:foo").unwrap(), 1);
    thread::sleep(Duration::from_millis(700));
    assert_eq!(redis::cmd("DBSIZE").query::<i64>(&mut connection).unwrap(), 0);
    // One that lives for nothing is not kept for a moment.
    let key = any_key();
    let change = Change::New(values(&[(USERNAME, "foo")]));
    assert_eq!(store.commit(&key, &change, Duration::ZERO).unwrap(), CommitOutcome::Done);
    assert_eq!(redis::cmd("DBSIZE").query::<i64>(&mut connection).unwrap(), 0);
}

#[test]
fn a_connection_that_was_dropped_while_idle_is_replaced_in_silence() {
    let mut server = redis(&[]);
    let store = open(&server);
    let key = put(&store, &[("a", "1")]);
    let mut own = connection(&server);
    let mut command = redis::cmd("CLIENT");
    command.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
    let killed: i64 = command.query(&mut own).unwrap();
    assert_eq!(killed, 1);
    assert_eq!(store.find(&key).unwrap(), Some(values(&[("a", "1")])));
    let killed: i64 = command.query(&mut own).unwrap();
    assert_eq!(killed, 1);
    assert_eq!(update(&store, &key, "a", Some("2")), CommitOutcome::Done);
    // A server that was replaced has neither the connections nor the scripts of before.
    server.stop();
    let down = store.find(&key).unwrap_err();
    assert!(matches!(down, StoreError::Unavailable(_)), "{}", shown(&down));
    server.start();
    server.wait(|_| store.find(&key).is_ok());
    put(&store, &[("a", "1")]);
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let server = redis(&[]);
    let store = open(&server);
    let key = put(&store, &[("a", "1")]);
    server.pause();
    let began = std::time::Instant::now();
    let silent = store.find(&key).unwrap_err();
    assert!(matches!(silent, StoreError::Unavailable(_)), "{}", shown(&silent));
    assert!(began.elapsed() < Duration::from_millis(1800), "{:?}", began.elapsed());
    server.resume();
    server.wait(|_| store.find(&key).is_ok());
    assert!(store.find(&key).unwrap().is_some());
}

#[test]
fn the_servers_own_error_is_told_as_such() {
    let server = redis(&[]);
    let (store, mut own) = (open(&server), connection(&server));
    // A replica takes no change: its place may have been taken by another server.
    let key = put(&store, &[("a", "1")]);
    let replica = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).query::<()>(&mut own);
    replica.unwrap();
    let refused = store.commit(&key, &Change::New(Values::new()), HOUR);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StoreError::Rejected(_)), "{}", shown(&refused));
    assert!(shown(&refused).contains("ReadOnly"), "{refused}");
    assert!(store.find(&key).unwrap().is_some(), "it is no outage");
}

#[test]
fn a_password_and_a_database_are_in_the_address() {
    let server = redis(&["--requirepass", PASSWORD]);
    let at = |before: &str, after: &str| {
        open_at(&format!("redis://{before}127.0.0.1:{}{after}", server.port))
    };
    let (first, third) =
        (at(&format!(":{ENCODED}@"), ""), at(&format!("default:{ENCODED}@"), "/3"));
    let key = put(&third, &[("a", "1")]);
    assert!(third.find(&key).unwrap().is_some());
    assert_eq!(first.find(&key).unwrap(), None, "it is in another database");
    assert_eq!(format!("{third:?}"), "RedisStore { .. }");

    let wrong = at(&format!(":{ENCODED}x@"), "").find(&key).unwrap_err();
    assert!(shown(&wrong).contains("Password authentication failed"), "{wrong}");
    let without = at("", "").find(&key).unwrap_err();
    assert!(shown(&without).contains("NOAUTH"), "{without}");
    let database = at(&format!(":{ENCODED}@"), "/99").find(&key).unwrap_err();
    assert!(shown(&database).contains("database"), "{database}");
}

#[test]
fn an_address_that_is_none_is_an_error_without_the_password() {
    for (address, problem) in [
        ("", "is not redis://"),
        ("localhost:6379", "is not redis://"),
        ("http://:p@ss@localhost", "is not redis://"),
        ("redis://:p%40ss@", "is not redis://"),
        ("redis://:p%40ss#word@localhost", "is not redis://"),
        ("rediss://:p%40ss@localhost#insecure", "has a `#`"),
        ("redis://:p%40ss@localhost/p%40ss", "database that is none"),
        ("redis://:p%40ss%ff@localhost", "password or database that is none"),
        ("redis://:p%40ss@localhost?protocol=p@ss", "that is none"),
        ("redis+sentinel://:p%40ss@localhost", "is not redis+sentinel://"),
        ("redis+sentinel://:p%40ss@localhost/", "is not redis+sentinel://"),
        ("http+sentinel://:p%40ss@localhost/name", "is not redis+sentinel://"),
        ("redis+sentinel://:p%40ss@/name", "has a host"),
        ("redis+sentinel://:p%40ss@a,b:p%40ss/name", "is not redis://"),
        ("redis+sentinel://:p%40ss@a/name/p%40ss", "database that is none"),
    ] {
        let error = RedisStore::open(address, Tls::Verified).unwrap_err();
        assert!(error.to_string().contains(problem), "{address}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
    }
    for address in [
        "redis+sentinel://a/name",
        "redis+sentinel://user:p%40ss@a:1,b,[::1]:2,[::1]/name/3",
        "rediss+sentinel://a,b/name",
    ] {
        assert!(RedisStore::open(address, Tls::Verified).is_ok(), "{address}");
    }
}

/// A server that speaks TLS alone, with a certificate for `host` that it signed itself.
fn with_tls(host: &str) -> Server {
    let mut server = Server::new(|port, directory| {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
        command.args(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--save", ""]);
        command.args(["--requirepass", PASSWORD]).arg("--dir").arg(directory);
        command.current_dir(directory);
        command
    });
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args("-subj /CN=waxseal -keyout key.pem -out cert.pem".split(' '))
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .current_dir(&server.directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    server.start();
    server
}

#[test]
fn a_certificate_signed_by_itself_is_for_those_who_ask_for_it() {
    let mut server = with_tls("another.example");
    let address = format!("rediss://:{ENCODED}@localhost:{}", server.port);
    let verified = RedisStore::open(&address, Tls::Verified).unwrap();
    let error = verified.find(&any_key()).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)));
    assert!(shown(&error).contains("certificate"), "{error}");

    let unverified = RedisStore::open(&address, Tls::Unverified).unwrap();
    let key = put(&unverified, &[("a", "1")]);
    assert_eq!(update(&unverified, &key, "b", Some("2")), CommitOutcome::Done);
    assert_eq!(unverified.find(&key).unwrap(), Some(values(&[("a", "1"), ("b", "2")])));
    // The server drops it: with TLS too, nobody notices.
    server.stop();
    server.start();
    assert_eq!(unverified.find(&key).unwrap(), None);

    let vars = [("REDIS_URL", address.as_str()), ("REDIS_TLS_INSECURE", "1")];
    pages::people("redis", &vars, true);

    let plain = open_at(&format!("redis://:{ENCODED}@localhost:{}", server.port));
    assert!(matches!(plain.find(&key), Err(StoreError::Unavailable(_))), "no TLS, no answer");
}

/// Which authorities are trusted is said by a variable, so another process looks.
#[test]
fn a_certificate_is_verified_where_its_signer_is_trusted() {
    for (host, is_its_own) in [("localhost", true), ("another.example", false)] {
        let server = with_tls(host);
        let looked = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "stores::redis::looks_by_verified_tls"])
            .env("WAXSEAL_TEST_REDIS", format!("rediss://:{ENCODED}@localhost:{}", server.port))
            .env("SSL_CERT_FILE", server.directory.join("cert.pem"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&looked.stdout);
        assert!(told.contains("1 passed") || told.contains("1 failed"), "{told}");
        assert_eq!(looked.status.success(), is_its_own, "{host}: {told}");
    }
}

#[test]
#[ignore = "the test above runs it, in a process of its own"]
fn looks_by_verified_tls() {
    let address = env::var("WAXSEAL_TEST_REDIS").unwrap();
    let store = RedisStore::open(&address, Tls::Verified).unwrap();
    put(&store, &[("a", "1")]);
}

#[test]
fn the_site_stays_up_while_the_server_is_away() {
    let mut server = redis(&["--appendonly", "yes", "--appendfsync", "always"]);
    let address = format!("redis://127.0.0.1:{}", server.port);
    outage::outage(&mut server, "redis", &[("REDIS_URL", &address)], true);
}

#[test]
fn people_sign_in_and_out_on_all_processes() {
    let server = redis(&[]);
    pages::people("redis", &[("REDIS_URL", &format!("redis://127.0.0.1:{}", server.port))], true);
    pages::refused_at_start("redis", "REDIS_URL", "https://user:hunter2@localhost");
    let sentinel = "redis+sentinel://user:hunter2@localhost";
    pages::refused_at_start("redis", "REDIS_URL", sentinel);
}
