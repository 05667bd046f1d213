//! Small faults of a Redis: late answers, limits, refusals, damage, clocks, rights.

use redis::Commands;
use waxseal::session::{Key, RedisStore, Store, StoreError, Tls, USERNAME, UserIndex};

use super::super::records::{any_key, put};
use super::super::server::{Server, free_port};
use super::super::visitors::key_of;
use super::super::{cases, clocks, damage, late, limits, pages, refusals};
use super::{connection, open, redis, shown};
use crate::support::{Browser, SECRET_HASH, Waxseal};

fn address(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port)
}

/// Puts in the place of a record, in turn, a value of another kind and one that is no text.
pub fn damage(server: &Server, key: &Key) {
    let (mut own, record) = (connection(server), format!("waxseal:session:{key}"));
    if key.as_bytes()[0].is_multiple_of(2) {
        own.del::<_, ()>(&record).unwrap();
        own.set::<_, _, ()>(&record, "no hash").unwrap();
    } else {
        own.hset::<_, _, _, ()>(&record, "=theme", &b"\xff\xfe"[..]).unwrap();
    }
}

#[test]
fn who_waits_for_a_late_answer_waits_and_nobody_else() {
    let at = |port| format!("redis://127.0.0.1:{port}");
    late::late_answers(&redis(&[]), "redis", "REDIS_URL", at);
}

#[test]
fn calls_wait_for_the_connections_that_there_may_be() {
    let server = redis(&["--maxclients", "4"]);
    limits::of_the_server("redis", &[("REDIS_URL", &address(&server))]);
    let server = redis(&[]);
    let connections = || {
        let list: String =
            redis::cmd("CLIENT").arg("LIST").query(&mut connection(&server)).unwrap();
        list.lines().count()
    };
    limits::of_our_own("redis", &[("REDIS_URL", &address(&server))], connections);
}

#[test]
fn a_server_that_takes_no_changes_can_be_read() {
    let server = redis(&[]);
    let say = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query::<()>(&mut connection(&server)).unwrap();
    };
    let vars = [("REDIS_URL", address(&server))];
    let vars = [(vars[0].0, vars[0].1.as_str())];
    // Its memory is full.
    let full = || say(&["CONFIG", "SET", "maxmemory", "1"]);
    let empty = || say(&["CONFIG", "SET", "maxmemory", "0"]);
    refusals::changes_are_refused("redis", &vars, full, empty, true);
    // It is a replica by now, of a master that is gone.
    let demote = || say(&["REPLICAOF", "127.0.0.1", "1"]);
    let promote = || say(&["REPLICAOF", "NO", "ONE"]);
    refusals::changes_are_refused("redis", &vars, demote, promote, false);
}

/// It could not write its snapshot (MISCONF).
#[test]
fn a_server_that_cannot_save_can_be_read() {
    let server = redis(&["--save", "3600 1", "--dbfilename", "dump.rdb"]);
    let in_the_way = server.directory.join("dump.rdb");
    let fail = || {
        std::fs::create_dir(&in_the_way).unwrap();
        let mut own = connection(&server);
        redis::cmd("BGSAVE").query::<()>(&mut own).unwrap();
        server.wait(|server| {
            let mut own = connection(server);
            let info: String = redis::cmd("INFO").arg("persistence").query(&mut own).unwrap();
            info.contains("rdb_last_bgsave_status:err")
        });
    };
    let mend = || {
        std::fs::remove_dir(&in_the_way).unwrap();
        redis::cmd("SAVE").query::<()>(&mut connection(&server)).unwrap();
    };
    let address = address(&server);
    refusals::changes_are_refused("redis", &[("REDIS_URL", &address)], fail, mend, false);
}

#[test]
fn a_record_that_is_damaged_locks_nobody_out() {
    let server = redis(&[]);
    let vars = [("REDIS_URL", address(&server))];
    damage::locks_nobody_out("redis", &[(vars[0].0, &vars[0].1)], |key| damage(&server, key));
    // Nor does a list of a user's sessions.
    let (store, mut own) = (open(&server), connection(&server));
    for deed in [0, 1, 2] {
        own.set::<_, _, ()>("waxseal:user:foo", "no list").unwrap();
        match deed {
            0 => assert_eq!(store.find_by_user("foo", &[], 9).unwrap(), []),
            1 => store.delete_by_user("foo").unwrap(),
            _ => drop(put(&store, &[(USERNAME, "foo")])),
        }
    }
    assert_eq!(store.find_by_user("foo", &[], 9).unwrap().len(), 1);
}

#[test]
fn its_clock_decides() {
    let server = redis(&[]);
    clocks::another_clock("redis", &[("REDIS_URL", &address(&server))]);
}

/// Somebody who can write the store copies the user of one record into another.
#[test]
fn a_copied_user_is_nobody() {
    let server = redis(&[]);
    let users = format!("alice:{SECRET_HASH} mallory:{SECRET_HASH}");
    let address = address(&server);
    let vars = [("SESSION_STORE", "redis"), ("REDIS_URL", &address), ("USERS", &users)];
    let waxseal = Waxseal::start(&vars);
    let sign_in = |user: &str| {
        let mut browser = Browser::by_http();
        let form = format!("username={user}&password=secret");
        assert_eq!(browser.post(&waxseal, "/login", &form).location(), Some("/"));
        browser
    };
    let (mut alice, mut mallory) = (sign_in("alice"), sign_in("mallory"));
    let [from, to] = [&alice, &mallory]
        .map(|browser| format!("waxseal:session:{}", key_of(browser.cookie().unwrap())));
    let mut own = connection(&server);
    for field in ["=username", "=_auth"] {
        let copied: String = own.hget(&from, field).unwrap();
        own.hset::<_, _, _, ()>(&to, field, copied).unwrap();
    }
    assert!(mallory.get(&waxseal, "/").is_anonymous());
    assert!(alice.get(&waxseal, "/").greets("alice"));
    assert!(sign_in("mallory").get(&waxseal, "/").greets("mallory"));
}

/// The rule that docs/stores.md tells.
const RIGHTS: &str = "~waxseal:* +hgetall +evalsha +script|load +del +exists +hdel +hget +hmget +hset \
    +pexpire +pexpireat +pttl +scan +time +type +zadd +zcard +zcount +zrange +zrem +zremrangebyscore \
    +zrevrange +zrevrangebyscore +zscan";

#[test]
fn a_user_needs_these_rights_and_no_others() {
    let told = include_str!("../../../docs/stores.md");
    let told: String = told.split_whitespace().map(|word| format!("{word} ")).collect();
    assert!(told.contains(RIGHTS), "the page says what is tested");
    let server = redis(&[]);
    let allow = |rights: &[&str]| {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg("app").arg("reset").arg("on").arg(">secret").arg(rights);
        command.query::<()>(&mut connection(&server)).unwrap();
    };
    let open = || {
        let address = format!("redis://app:secret@127.0.0.1:{}", server.port);
        RedisStore::open(&address, Tls::Verified).unwrap()
    };
    let rights: Vec<&str> = RIGHTS.split(' ').collect();
    allow(&rights);
    cases::all(open(), || dump(&server), |key| damage(&server, key));
    // Without any of them, something fails.
    for needless in &rights {
        let fewer: Vec<&str> = rights.iter().copied().filter(|right| right != needless).collect();
        allow(&fewer);
        redis::cmd("SCRIPT").arg("FLUSH").query::<()>(&mut connection(&server)).unwrap();
        assert!(all_calls(&open()).is_err(), "{needless}");
    }
}

fn dump(server: &Server) -> Vec<u8> {
    let mut own = connection(server);
    let keys: Vec<String> = own.keys("waxseal:session:*").unwrap();
    let all = keys.into_iter().map(|key| {
        let fields: Vec<Vec<u8>> = own.hgetall(&key).unwrap();
        [key.into_bytes(), fields.concat()].concat()
    });
    all.collect::<Vec<_>>().concat()
}

/// Every call, so that every command is used.
fn all_calls(store: &RedisStore) -> Result<(), StoreError> {
    use super::super::records::{HOUR, values};
    use waxseal::session::Change;
    let key = any_key();
    let new = Change::New(values(&[(USERNAME, "rights"), ("a", "1")]));
    let change = |name: &str, value: Option<&str>| {
        Change::Update([(name.to_owned(), value.map(str::to_owned))].into())
    };
    // Two more than there may be: that looks at all, and deletes.
    for _ in 0..102 {
        let _ = store.commit(&any_key(), &new, HOUR)?;
    }
    let _ = store.commit(&key, &new, HOUR)?;
    store.find(&key)?;
    let _ = store.commit(&key, &change("a", None), HOUR)?;
    let _ = store.commit(&key, &change(USERNAME, Some("others")), HOUR)?;
    store.find_by_user("rights", &["a"], 9)?;
    let listing = store.listing().expect("a list");
    for user in [None, Some("rights")] {
        listing.list_some(user, None, 9, &[])?;
        listing.count_some(user, None)?;
    }
    store.delete(&key)?;
    store.delete_by_user("rights")?;
    listing.delete_some(None).map(drop)
}

#[test]
fn a_cluster_is_refused_with_what_to_use_instead() {
    // Its usual one, 10,000 above the other, may be another server's.
    let cluster_port = free_port().to_string().leak();
    let options = vec!["--cluster-enabled", "yes", "--cluster-port", cluster_port];
    let server = redis(options.leak());
    let mut own = connection(&server);
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).query::<()>(&mut own).unwrap();
    let refused = open(&server).find(&any_key()).unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    let told = shown(&refused);
    assert!(told.contains("Sentinel") && told.contains("PostgreSQL"), "{told}");
}

#[test]
fn a_connection_in_the_clear_to_another_machine_is_warned_of() {
    let logged = |address: &str| {
        pages::logged_at_start(&[("SESSION_STORE", "redis"), ("REDIS_URL", address)])
    };
    for address in
        ["redis://db.invalid", "redis://u:p@db.invalid:1/2", "redis://127.0.0.1,10.0.0.1"]
    {
        let is_url = RedisStore::open(address, Tls::Verified).is_ok();
        assert!(!is_url || logged(address).contains("in the clear"), "{address}");
    }
    let sentinel = "redis+sentinel://127.0.0.1,db.invalid/name";
    assert!(logged(sentinel).contains("in the clear"));
    for address in
        ["rediss://db.invalid", "redis://127.0.0.1:1", "redis://localhost", "redis://[::1]"]
    {
        assert!(!logged(address).contains("in the clear"), "{address}");
    }
}
