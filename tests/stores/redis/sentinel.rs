//! Redis with Sentinel: the master fails, and a replica takes its place.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redis::Commands;
use waxseal::session::{Change, RedisStore, Store, StoreError, Tls, Values};

use super::super::pages;
use super::super::records::{HOUR, any_key, put, update};
use super::super::server::Server;
use super::super::visitors::key_of;
use super::connection;
use crate::support::{Browser, Waxseal, get};

const PASSWORD: &str = "a password";
const ENCODED: &str = "a%20password";

/// Longer than a busy machine makes anybody wait, in milliseconds.
const PATIENT: u32 = 60_000;

/// A master with two replicas, and three Sentinels.
struct Group {
    servers: Vec<Server>,
    sentinels: Vec<Server>,
}

impl Group {
    /// The Sentinels take a master that is silent for so many milliseconds for failed.
    fn start(silence: u32) -> Group {
        let new = |master: Option<u16>| {
            let mut server = Server::new(move |port, directory| {
                let mut command = Command::new("redis-server");
                command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
                command.args(["--requirepass", PASSWORD, "--masterauth", PASSWORD]);
                command.args(["--repl-diskless-sync-delay", "0"]);
                if let Some(master) = master {
                    command.args(["--replicaof", "127.0.0.1", &master.to_string()]);
                }
                command.arg("--dir").arg(directory);
                command
            });
            server.start();
            server
        };
        let master = new(None);
        let port = master.port;
        let servers = vec![master, new(Some(port)), new(Some(port))];
        let mut sentinels: Vec<_> = (0..3).map(|_| sentinel(port, silence)).collect();
        sentinels.iter_mut().for_each(Server::start);
        let group = Group { servers, sentinels };
        // Until all know of all.
        for sentinel in &group.sentinels {
            sentinel.wait(|sentinel| {
                let known = |what: &str| {
                    let mut command = redis::cmd("SENTINEL");
                    let list: Vec<redis::Value> =
                        command.arg(what).arg("sessions").query(&mut connection(sentinel)).unwrap();
                    list.len()
                };
                known("REPLICAS") == 2 && known("SENTINELS") == 2
            });
        }
        group
    }

    fn address(&self) -> String {
        let hosts = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("redis+sentinel://:{ENCODED}@{hosts}/sessions")
    }

    fn open(&self) -> RedisStore {
        RedisStore::open(&self.address(), Tls::Verified).unwrap()
    }

    /// The server that the last Sentinel says is the master.
    fn master(&self) -> usize {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg("sessions");
        let (_, port): (String, u16) = command.query(&mut connection(&self.sentinels[2])).unwrap();
        self.servers.iter().position(|server| server.port == port).unwrap()
    }

    fn wait_for_another_master(&self, than: usize) -> usize {
        self.sentinels[2].wait(|_| self.master() != than);
        self.master()
    }
}

fn sentinel(master: u16, silence: u32) -> Server {
    let server = Server::new(|_, directory| {
        let mut command = Command::new("redis-sentinel");
        command.arg(directory.join("sentinel.conf"));
        command
    });
    let configuration = format!(
        "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor sessions 127.0.0.1 {master} 2\n\
         sentinel auth-pass sessions {PASSWORD:?}\nsentinel down-after-milliseconds sessions {silence}\n\
         sentinel failover-timeout sessions 5000\n",
        server.port,
        server.directory.display()
    );
    fs::write(server.directory.join("sentinel.conf"), configuration).unwrap();
    server
}

#[test]
fn the_master_is_where_sentinel_says() {
    let mut group = Group::start(PATIENT);
    let store = group.open();
    let key = put(&store, &[("a", "1")]);
    // One that is silent, and one that is gone, are passed over.
    group.sentinels[0].pause();
    group.sentinels[1].stop();
    let other = group.open();
    assert!(other.find(&key).unwrap().is_some());
    group.sentinels[0].resume();
    // A change is on a replica too once it is done.
    let master = group.master();
    for (at, server) in group.servers.iter().enumerate() {
        if at != master {
            let record = format!("waxseal:session:{key}");
            server.wait(|server| authenticated(server).exists(&record).unwrap());
        }
    }
    let strange = group.address().replace("/sessions", "/others");
    let unknown = RedisStore::open(&strange, Tls::Verified).unwrap().find(&key).unwrap_err();
    assert!(unknown.to_string().contains("no master of this name"), "{unknown}");
}

/// A Sentinel that has not heard of a failover yet names a former master that was started again, empty.
#[test]
fn a_sentinel_that_is_behind_is_not_believed() {
    let mut group = Group::start(1500);
    let key = put(&group.open(), &[("a", "1")]);
    let first = group.master();
    group.servers[first].stop();
    group.wait_for_another_master(first);
    group.servers[first].start();
    let behind = sentinel_that_is_behind(group.servers[first].port);
    let address = group.address().replace('@', &format!("@127.0.0.1:{behind},"));
    let store = RedisStore::open(&address, Tls::Verified).unwrap();
    group.servers[first].wait(|_| store.find(&key).is_ok());
    assert!(store.find(&key).unwrap().is_some());
    let _ = update(&store, &key, "b", "2");
    assert_eq!(group.open().find(&key).unwrap().unwrap().len(), 2);
}

/// A port that answers as Sentinel did before any failover.
fn sentinel_that_is_behind(master: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let at = format!("{}{}", bulk("127.0.0.1"), bulk(&master.to_string()));
    let answer = format!("*2\r\n{at}*2\r\n{}{}", bulk("config-epoch"), bulk("0"));
    thread::spawn(move || {
        for mut client in listener.incoming().map(Result::unwrap) {
            let mut asked = Vec::new();
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = client.read(&mut bytes) {
                asked.extend_from_slice(&bytes[..length]);
                if asked.windows(8).filter(|word| *word == b"sessions").count() == 2 {
                    client.write_all(answer.as_bytes()).unwrap();
                    break;
                }
            }
        }
    });
    port
}

/// Sentinel may make any replica the master: a change that one of them lacks is not done.
#[test]
fn a_change_that_a_replica_lacks_is_not_confirmed() {
    let mut group = Group::start(PATIENT);
    let store = group.open();
    let key = put(&store, &[("a", "1")]);
    let master = group.master();
    let replicas: Vec<usize> = (0..3).filter(|at| *at != master).collect();
    let change = Change::New(Values::new());
    let commit = |store: &RedisStore| store.commit(&any_key(), &change, HOUR);
    group.servers[replicas[0]].pause();
    let refused = commit(&store);
    let Err(StoreError::Rejected(cause)) = refused else { panic!("{refused:?}") };
    assert!(cause.to_string().contains("a replica does not have"), "{cause}");
    assert!(store.find(&key).unwrap().is_some());
    group.servers[replicas[0]].resume();
    group.servers[master].wait(|_| commit(&store).is_ok());
    // Without any replica, the master is all there is.
    for at in replicas {
        group.servers[at].stop();
    }
    group.servers[master].wait(|_| commit(&store).is_ok());
    let _ = update(&store, &key, "b", "2");
}

/// Under load, the master is killed, and then its successor is paused: no session whose sign-in was
/// confirmed is lost, and none that was signed out is back.
#[test]
fn a_failover_loses_no_session_that_was_confirmed() {
    let mut group = Group::start(1500);
    let address = group.address();
    let vars = [("SESSION_STORE", "redis"), ("REDIS_URL", &address)];
    let (one, other) = (Waxseal::start(&vars), Waxseal::start(&vars));
    let (signed_in, signed_out) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let stop = AtomicBool::new(false);
    let load = |waxseal: &Waxseal| {
        while !stop.load(Ordering::SeqCst) {
            let mut browser = Browser::by_http();
            let answer = browser.post(waxseal, "/login", "username=foo&password=secret");
            assert!(matches!(answer.status, 303 | 503), "{answer:?}");
            let Some(cookie) = browser.cookie().map(str::to_owned) else { continue };
            let is_even = key_of(&cookie).as_bytes()[0].is_multiple_of(2);
            let kept = if is_even { &signed_in } else { &signed_out };
            if is_even || browser.post(waxseal, "/logout", "").status == 303 {
                kept.lock().unwrap().push((Instant::now(), cookie));
            }
        }
    };
    let mut masters = Vec::new();
    let mut failovers = Vec::new();
    thread::scope(|scope| {
        for waxseal in [&one, &other] {
            (0..4).for_each(|_| drop(scope.spawn(|| load(waxseal))));
        }
        thread::sleep(Duration::from_secs(1));
        let first = group.master();
        failovers.push(Instant::now());
        group.servers[first].stop();
        let second = group.wait_for_another_master(first);
        served_again(&one);
        group.servers[first].start();
        let replicas = |group: &Group| -> usize {
            let role: (String, i64, Vec<redis::Value>) = redis::cmd("ROLE")
                .query(&mut authenticated(&group.servers[second]))
                .unwrap_or_default();
            role.2.len()
        };
        let began = Instant::now();
        while replicas(&group) < 2 {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the old master follows the new one"
            );
            thread::sleep(Duration::from_millis(100));
        }
        failovers.push(Instant::now());
        group.servers[second].pause();
        let third = group.wait_for_another_master(second);
        served_again(&one);
        // It comes back, and does not know yet what it is.
        group.servers[second].resume();
        thread::sleep(Duration::from_secs(2));
        masters = vec![first, second, third];
        stop.store(true, Ordering::SeqCst);
    });
    assert!(masters[0] != masters[1] && masters[1] != masters[2], "{masters:?}");
    served_again(&one);
    let status = |cookie: &String| get("/").cookie(cookie).sent_to(&other).status;
    for (what, all, expected) in [
        ("in", signed_in.into_inner().unwrap(), 200),
        ("out", signed_out.into_inner().unwrap(), 303),
    ] {
        let between = |from: usize| {
            let later = all.iter().filter(|(when, _)| *when > failovers[from]);
            later.filter(|(when, _)| failovers.get(from + 1).is_none_or(|next| when < next)).count()
        };
        println!("signed {what}: {}, after each failure {} {}", all.len(), between(0), between(1));
        assert!(between(0) > 20 && between(1) > 20, "there was load after each");
        let lost = all.iter().filter(|(_, cookie)| status(cookie) != expected).count();
        assert_eq!(lost, 0, "of {} signed {what}", all.len());
    }
}

fn authenticated(server: &Server) -> redis::Connection {
    let address = format!("redis://:{ENCODED}@127.0.0.1:{}", server.port);
    redis::Client::open(address).unwrap().get_connection().unwrap()
}

/// Waits until sign-ins are taken.
fn served_again(waxseal: &Waxseal) {
    let began = Instant::now();
    let sign_in = crate::support::post("/login", "username=foo&password=secret");
    while sign_in.sent_to(waxseal).status != 303 {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", waxseal.log());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn people_sign_in_and_out_on_all_processes() {
    let group = Group::start(PATIENT);
    pages::people("redis", &[("REDIS_URL", &group.address())], true);
}
