//! `MemcachedStore` over a real Memcached.

mod faults;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use waxseal::session::{
    Change, CommitOutcome, Key, MemcachedStore, Store, StoreError, StoreSettings,
};

use super::records::{HOUR, any_key, put, update, values};
use super::server::Server;
use super::{administration, cases, outage, pages};

/// Nothing in it may be shown.
const PASSWORD: &str = "p@ss: /w#rd%";
const ENCODED: &str = "p%40ss%3A%20%2Fw%23rd%25";

fn memcached(options: &'static [&'static str]) -> Server {
    let mut server = Server::new(move |port, _| {
        let mut command = Command::new("memcached");
        // It does not run as root without being told so. One thread counts connections in the
        // order in which they came.
        let port = port.to_string();
        command.args(["-l", "127.0.0.1", "-u", "root", "-t", "1", "-p", &port]).args(options);
        command
    });
    server.start();
    server
}

fn open(server: &Server) -> MemcachedStore {
    MemcachedStore::open(&format!("memcached://127.0.0.1:{}", server.port)).unwrap()
}

fn shown(error: &StoreError) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "{text}");
    text
}

/// The server, spoken to by the test in the protocol of lines.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn of(server: &Server) -> Lines {
        Lines(BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).unwrap()))
    }

    /// What it answers to `command`, until the line `END`.
    fn ask(&mut self, command: &str) -> Vec<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let lines = self.0.by_ref().lines().map(Result::unwrap);
        lines.take_while(|line| line != "END").collect()
    }

    /// A number for each name of `stats`.
    fn statistics(&mut self) -> BTreeMap<String, i64> {
        let lines = self.ask("stats");
        let number = |line: &String| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        };
        lines.iter().filter_map(number).collect()
    }
}

#[test]
fn all_that_must_be_so_with_every_store() {
    let server = memcached(&[]);
    let dump = || {
        let mut lines = Lines::of(&server);
        let all = lines.ask("lru_crawler metadump all");
        let keys = all.iter().filter_map(|line| line.strip_prefix("key=")?.split(' ').next());
        let keys = keys.map(|key| key.replace("%3A", ":"));
        keys.flat_map(|key| lines.ask(&format!("get {key}")).join("\n").into_bytes()).collect()
    };
    cases::all(open(&server), dump, |key| faults::damage(&server, key));
}

#[test]
fn one_round_trip_to_load_and_one_to_commit() {
    let server = memcached(&[]);
    let (store, mut lines) = (open(&server), Lines::of(&server));
    let key = put(&store, &[("a", "1")]);
    let so_far = lines.statistics()["total_connections"];
    // Requests to get and to set, and all bytes sent.
    let mut traffic = |call: &dyn Fn()| {
        let before = lines.statistics();
        call();
        let after = lines.statistics();
        let more = |name: &str| after[name] - before[name];
        (more("cmd_get"), more("cmd_set"), more("bytes_read") - "stats\r\n".len() as i64)
    };
    let (get, item) = (24 + 72, "1\na=1".len() as i64);
    let replace = get + 8 + item;
    assert_eq!(traffic(&|| {}), (0, 0, 0));
    assert_eq!(traffic(&|| drop(store.find(&key).unwrap().unwrap())), (1, 0, get));
    let commit = || assert_eq!(update(&store, &key, "a", "2"), CommitOutcome::Done);
    assert_eq!(traffic(&commit), (0, 1, replace), "the item is remembered");
    assert_eq!(traffic(&commit), (1, 1, get + replace), "for one commit");
    // Somebody else comes between.
    store.find(&key).unwrap();
    assert_eq!(update(&open(&server), &key, "a", "3"), CommitOutcome::Done);
    assert_eq!(traffic(&commit), (1, 2, get + 2 * replace));
    assert_eq!(traffic(&|| _ = put(&store, &[("a", "1")])), (0, 1, replace));
    assert_eq!(traffic(&|| store.delete(&key).unwrap()), (0, 0, get));
    assert_eq!(lines.statistics()["total_connections"], so_far + 1, "that of the other store");
}

#[test]
fn any_text_is_kept_with_a_nul_too() {
    let server = memcached(&[]);
    let store = open(&server);
    let pairs = [("\0", "a\0b"), ("", ""), ("=", "&"), ("\n", "\r\n"), ("_flash", "+")];
    let key = put(&store, &pairs);
    assert_eq!(store.find(&key).unwrap(), Some(values(&pairs)));
    assert_eq!(update(&store, &key, "_flash", "\0"), CommitOutcome::Done);
    assert_eq!(store.find(&key).unwrap().unwrap()["_flash"], "\0");
}

#[test]
fn more_than_the_server_takes_is_too_large_and_changes_nothing() {
    for (options, expected) in [(&[][..], 1 << 20), (&["-I", "2m"], 2 << 20)] {
        let server = memcached(options);
        let store = open(&server);
        let key = put(&store, &[("a", "1")]);
        let connections = || Lines::of(&server).statistics()["total_connections"];
        let so_far = connections();
        let changed = Change::Update([("a".to_owned(), Some("x".repeat(expected)))].into());
        let new = Change::New(values(&[("a", &"x".repeat(expected))]));
        for change in [changed, new] {
            let at = if matches!(change, Change::New(_)) { any_key() } else { key };
            let done = store.commit(&at, &change, HOUR);
            let Err(StoreError::TooLarge { size, limit }) = done else { panic!("{done:?}") };
            assert!(limit == expected && size > limit && size < limit + 100, "{size} {limit}");
            // The connection is as good as before.
            assert_eq!(store.find(&key).unwrap(), Some(values(&[("a", "1")])));
        }
        let nearly = "x".repeat(expected - 1000);
        assert_eq!(update(&store, &key, "a", nearly.as_str()), CommitOutcome::Done);
        assert_eq!(store.find(&key).unwrap().unwrap()["a"], nearly);
        assert_eq!(connections(), so_far + 1, "the test's own");
    }
}

/// To the second, that is, and never too early.
#[test]
fn a_record_expires_by_the_servers_clock_and_leaves_nothing() {
    let server = memcached(&[]);
    let (store, mut lines) = (open(&server), Lines::of(&server));
    let new = |lifetime: Duration| {
        let (key, change) = (any_key(), Change::New(values(&[("a", "1")])));
        assert_eq!(store.commit(&key, &change, lifetime).unwrap(), CommitOutcome::Done);
        key
    };
    let (soon, nothing) = (new(Duration::from_millis(1500)), new(Duration::ZERO));
    // Thirty days and more are no moment of 1970.
    let (month, later) = (new(24 * 30 * HOUR), new(24 * 60 * HOUR));
    let expiry = |lines: &mut Lines, key: &Key| {
        let all = lines.ask("lru_crawler metadump all");
        let digits = key.to_string();
        let line = all.iter().find(|line| line.contains(&digits)).unwrap();
        let expiry = line.split(' ').find_map(|word| word.strip_prefix("exp=")).unwrap();
        expiry.parse::<i64>().unwrap() - lines.statistics()["time"]
    };
    let days = 24 * 3600;
    assert!((days * 30..days * 30 + 5).contains(&expiry(&mut lines, &month)));
    assert!((days * 60..days * 60 + 5).contains(&expiry(&mut lines, &later)));
    thread::sleep(Duration::from_millis(1400));
    assert!(store.find(&soon).unwrap().is_some());
    thread::sleep(Duration::from_millis(2700));
    assert_eq!([soon, nothing].map(|key| store.find(&key).unwrap()), [None, None]);
    assert_eq!(update(&store, &soon, "a", "2"), CommitOutcome::Gone);
    assert_eq!(lines.ask("lru_crawler metadump all").len(), 2, "those of months");
}

/// What another process has extended is not taken for expired because of what is remembered here.
#[test]
fn what_is_remembered_decides_nothing() {
    let server = memcached(&[]);
    let (store, other) = (open(&server), open(&server));
    let key = any_key();
    let change = Change::New(values(&[("a", "1")]));
    let soon = Duration::from_secs(1);
    assert_eq!(store.commit(&key, &change, soon).unwrap(), CommitOutcome::Done);
    assert!(store.find(&key).unwrap().is_some());
    assert_eq!(update(&other, &key, "b", "2"), CommitOutcome::Done);
    thread::sleep(Duration::from_millis(3100));
    assert_eq!(update(&store, &key, "c", "3"), CommitOutcome::Done);
    let expected = values(&[("a", "1"), ("b", "2"), ("c", "3")]);
    assert_eq!(store.find(&key).unwrap(), Some(expected));
}

#[test]
fn a_connection_that_was_dropped_while_idle_is_replaced_in_silence() {
    let mut server = memcached(&["-o", "idle_timeout=1"]);
    let store = open(&server);
    let key = put(&store, &[("a", "1")]);
    let dropped = |server: &Server, so_far: i64| {
        server.wait(|server| Lines::of(server).statistics()["idle_kicks"] > so_far);
    };
    dropped(&server, 0);
    assert_eq!(store.find(&key).unwrap(), Some(values(&[("a", "1")])));
    server.stop();
    let down = store.find(&key).unwrap_err();
    assert!(matches!(down, StoreError::Unavailable(_)), "{}", shown(&down));
    server.start();
    server.wait(|_| store.find(&key).is_ok());
    assert_eq!(store.find(&key).unwrap(), None);
    put(&store, &[("a", "1")]);
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let server = memcached(&[]);
    let store = open(&server);
    let key = put(&store, &[("a", "1")]);
    server.pause();
    let began = Instant::now();
    let silent = store.find(&key).unwrap_err();
    assert!(matches!(silent, StoreError::Unavailable(_)));
    assert!(shown(&silent).contains("no answer in time"), "{silent}");
    assert!(began.elapsed() < Duration::from_millis(1800), "{:?}", began.elapsed());
    server.resume();
    server.wait(|_| store.find(&key).is_ok());
    assert!(store.find(&key).unwrap().is_some());
}

/// One that says what it is told, say.
#[test]
fn a_server_that_is_no_memcached_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            let mut echo = stream.try_clone().unwrap();
            thread::spawn(move || io::copy(&mut stream, &mut echo));
        }
    });
    let store = MemcachedStore::open(&format!("memcached://127.0.0.1:{port}")).unwrap();
    let error = store.find(&any_key()).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[test]
fn every_server_of_a_list_has_its_share() {
    let (one, other) = (memcached(&[]), memcached(&[]));
    let list = format!("memcached://127.0.0.1:{}, localhost:{}/", one.port, other.port);
    let store = MemcachedStore::open(&list).unwrap();
    let keys: Vec<Key> = (0..64).map(|_| put(&store, &[("a", "1")])).collect();
    assert!(keys.iter().all(|key| store.find(key).unwrap().is_some()));
    let [one, other] = [one, other].map(|server| Lines::of(&server).statistics()["curr_items"]);
    assert!(one > 8 && other > 8 && one + other == 64, "{one} {other}");
}

/// A server with SASL that knows `user` with [`PASSWORD`].
fn with_sasl() -> Server {
    let mut server = Server::new(|port, directory| {
        let mut command = Command::new("memcached");
        command.args(["-S", "-l", "127.0.0.1", "-u", "root", "-p", &port.to_string()]);
        command.env("SASL_CONF_PATH", directory);
        command
    });
    let users = server.directory.join("users");
    let configuration = format!("mech_list: plain\nsasldb_path: {}\n", users.display());
    fs::write(server.directory.join("memcached.conf"), configuration).unwrap();
    let mut saslpasswd2 = Command::new("saslpasswd2");
    saslpasswd2.args(["-p", "-c", "-a", "memcached", "-f"]).arg(users).arg("user");
    let mut saslpasswd2 = saslpasswd2.stdin(Stdio::piped()).spawn().unwrap();
    saslpasswd2.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(saslpasswd2.wait().unwrap().success());
    server.start();
    server
}

#[test]
fn sasl_lets_in_who_has_the_password() {
    let server = with_sasl();
    let host = format!("127.0.0.1:{}", server.port);
    let with_login = |login: &str| MemcachedStore::open(&format!("memcached://{login}{host}"));
    let by_address = with_login(&format!("user:{ENCODED}@")).unwrap();
    let by_parts =
        MemcachedStore::open_as(&host, "user", PASSWORD, &StoreSettings::default()).unwrap();
    let key = put(&by_address, &[("a", "1")]);
    assert_eq!(update(&by_parts, &key, "b", "2"), CommitOutcome::Done);
    assert_eq!(by_address.find(&key).unwrap(), Some(values(&[("a", "1"), ("b", "2")])));
    assert_eq!(format!("{by_address:?}"), "MemcachedStore { .. }");

    let wrong = with_login(&format!("user:{ENCODED}x@")).unwrap().find(&key).unwrap_err();
    assert!(matches!(wrong, StoreError::Unavailable(_)));
    assert!(shown(&wrong).contains("Memcached refused the user or the password"), "{wrong}");
    let without = with_login("").unwrap().find(&key).unwrap_err();
    assert!(shown(&without).contains("Memcached wants a user and a password"), "{without}");
    let open_to_all = memcached(&[]);
    let host = format!("127.0.0.1:{}", open_to_all.port);
    let needless =
        MemcachedStore::open_as(&host, "user", PASSWORD, &StoreSettings::default()).unwrap();
    let needless = needless.find(&key).unwrap_err();
    assert!(shown(&needless).contains("takes no user and password"), "{needless}");
}

#[test]
fn an_address_that_is_none_is_an_error_without_the_password() {
    for (address, problem) in [
        ("", "is not memcached://"),
        ("localhost:11211", "is not memcached://"),
        ("memcache://:p@ss@localhost", "is not memcached://"),
        ("memcached://", "has a host that is none"),
        ("memcached://user:p%40ss@", "has a host that is none"),
        ("memcached://user:p%40ss@a,,b", "has a host that is none"),
        ("memcached://user:p%40ss@a/p%40ss", "has a host that is none"),
        ("memcached://::1", "has a host that is none"),
        ("memcached://user:p%40ss@localhost:p%40ss", "has a port that is none"),
        ("memcached://[::1]:66666", "has a port that is none"),
        ("memcached://p%40ss@localhost", "has a user without a password"),
        ("memcached://user:p%40ss%ff@localhost", "not UTF-8"),
        ("memcached://user:p%40ss%00@localhost", "has a NUL"),
    ] {
        let error = MemcachedStore::open(address).unwrap_err();
        assert!(error.to_string().contains(problem), "{address}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
    }
    for address in ["memcached://localhost", "memcached://[::1],[::1]:5,127.0.0.1:5/"] {
        assert!(MemcachedStore::open(address).is_ok(), "{address}");
    }
}

#[test]
fn the_site_stays_up_while_the_server_is_away() {
    let mut server = memcached(&[]);
    let address = format!("memcached://127.0.0.1:{}", server.port);
    outage::outage(&mut server, "memcached", &[("MEMCACHED_URL", &address)], false);
}

#[test]
fn an_administrator_is_told_that_there_is_no_list() {
    let server = memcached(&[]);
    let address = format!("memcached://127.0.0.1:{}", server.port);
    administration::is_refused("memcached", &[("MEMCACHED_URL", &address)]);
}

#[test]
fn people_sign_in_and_out_on_all_processes() {
    let server = memcached(&[]);
    let address = format!("memcached://127.0.0.1:{}", server.port);
    pages::people("memcached", &[("MEMCACHED_URL", &address)], false);
    pages::refused_at_start("memcached", "MEMCACHED_URL", "memcached://user:hunter2@a:b");
}

#[test]
fn the_variables_of_the_add_on_do_as_well() {
    let server = with_sasl();
    let servers = format!("127.0.0.1:{}", server.port);
    let vars = [
        ("MEMCACHIER_SERVERS", servers.as_str()),
        ("MEMCACHIER_USERNAME", "user"),
        ("MEMCACHIER_PASSWORD", PASSWORD),
    ];
    pages::people("memcached", &vars, false);
}
