//! What a store of sign-outs may lose, trim or commit late: no process ever misses any of it.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use redis::Commands;
use waxseal::session::{RedisRevocations, Revocations, Tls, conformance};

use super::super::server::Server;
use super::{Backing, learnt, opens, signed_in, wait, wait_until_ended};
use crate::support::{Browser, Waxseal};

fn connection(server: &Server) -> redis::Connection {
    let address = format!("redis://127.0.0.1:{}", server.port);
    redis::Client::open(address).unwrap().get_connection().unwrap()
}

/// The copies of some browsers that signed out.
fn sign_outs(waxseal: &Waxseal, count: usize) -> Vec<Browser> {
    let sign_out = |_| {
        let mut browser = signed_in(waxseal);
        let copy = browser.clone();
        assert_eq!(browser.post(waxseal, "/logout", "").status, 303);
        copy
    };
    (0..count).map(sign_out).collect()
}

#[test]
fn what_redis_loses_is_told_again() {
    let mut backing = Backing::redis(&[]);
    let all = [(); 2].map(|()| backing.process(&[]));
    let copies = sign_outs(&all[0], 5);
    copies.iter().for_each(|copy| wait_until_ended(copy, &all));
    let losses: [fn(&mut Backing); 5] = [
        |backing| {
            backing.stop();
            backing.start_again();
        },
        |backing| of_redis(backing, |it| redis::cmd("FLUSHALL").query(it).unwrap()),
        |backing| of_redis(backing, |it| it.zremrangebyrank("waxseal:revocations", 0, 1).unwrap()),
        |backing| of_redis(backing, |it| it.del("waxseal:revocations").unwrap()),
        |backing| of_redis(backing, |it| it.set("waxseal:revocations", "not a set").unwrap()),
    ];
    for lose in losses {
        lose(&mut backing);
        let Backing::Redis(server) = &backing else { unreachable!() };
        wait("all is told again", || {
            let count: Result<usize, _> = connection(server).zcard("waxseal:revocations");
            count.is_ok_and(|count| count == 5)
        });
        let new = backing.process(&[]);
        assert!(!copies.iter().any(|copy| opens(copy, &new)));
    }
    // What came in between is known to all.
    let later = sign_outs(&all[1], 1);
    wait_until_ended(&later[0], &all);
}

fn of_redis(backing: &mut Backing, lose: impl FnOnce(&mut redis::Connection)) {
    let Backing::Redis(server) = backing else { unreachable!() };
    lose(&mut connection(server));
}

/// It comes back with an earlier state, and has as many as before when the process looks again that knows what
/// was lost.
#[test]
fn what_redis_forgets_in_a_crash_is_told_again() {
    let mut backing = Backing::redis(&[]);
    let first = backing.process(&[]);
    sign_outs(&first, 3);
    of_redis(&mut backing, |it| redis::cmd("SAVE").query(it).unwrap());
    let forgotten = sign_outs(&first, 2);
    signal(&first, "-STOP");
    backing.stop();
    backing.start_again();
    let second = backing.process(&[]);
    assert!(forgotten.iter().all(|copy| opens(copy, &second)), "it is forgotten");
    sign_outs(&second, 2);
    signal(&first, "-CONT");
    forgotten.iter().for_each(|copy| wait_until_ended(copy, std::slice::from_ref(&second)));
    let new = backing.process(&[]);
    assert!(!forgotten.iter().any(|copy| opens(copy, &new)));
}

#[test]
fn what_redis_keeps_goes_by_itself() {
    let backing = Backing::redis(&[]);
    let lifetimes = [("SESSION_LIFETIME", "1s"), ("SESSION_IDLE_TIMEOUT", "1s")];
    let waxseal = backing.process(&lifetimes);
    sign_outs(&waxseal, 1);
    let Backing::Redis(server) = &backing else { unreachable!() };
    let keys = ["waxseal:revocations", "waxseal:revocations:about"];
    for key in keys {
        let left: i64 = connection(server).ttl(key).unwrap();
        // A second, the minute by which clocks may differ, and ten minutes for other processes.
        assert!((600..=700).contains(&left), "{key}: {left}");
    }
}

/// What is over leaves the store, though nobody asks for it any more.
#[test]
fn what_is_over_is_deleted() {
    let digits = |revocation: &waxseal::session::Revocation| -> String {
        revocation.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let mut bytes = *many(1)[0].as_bytes();
    bytes[41..].copy_from_slice(&1_000_u64.to_be_bytes());
    let over = waxseal::session::Revocation::from_bytes(&bytes).unwrap();

    let backing = Backing::redis(&[]);
    let Backing::Redis(server) = &backing else { unreachable!() };
    let store = backing.open();
    store.publish(&many(3)).unwrap();
    let mut own = connection(server);
    own.zadd::<_, _, _, ()>("waxseal:revocations", &over.as_bytes()[..], 1).unwrap();
    own.hincr::<_, _, _, ()>("waxseal:revocations:about", "count", 1).unwrap();
    wait_for(60, || {
        store.learn(None).unwrap();
        connection(server).zcard::<_, usize>("waxseal:revocations").unwrap() == 3
    });

    let backing = Backing::postgres();
    let Backing::Postgres(cluster) = &backing else { unreachable!() };
    backing.open().publish(&many(3)).unwrap();
    cluster.sql(&format!(
        "INSERT INTO waxseal_revocations VALUES ('\\x{}', now() - interval '1 second')",
        digits(&over)
    ));
    let _sweeps = backing.open();
    wait_for(60, || cluster.sql("SELECT count(*) FROM waxseal_revocations") == "3");

    let backing = Backing::sqlite();
    let Backing::Sqlite(server) = &backing else { unreachable!() };
    backing.open().publish(&many(3)).unwrap();
    backing.open().publish(&[over]).unwrap();
    let _sweeps = backing.open();
    let file = rusqlite::Connection::open(Backing::file(server)).unwrap();
    let count = "SELECT count(*) FROM waxseal_revocations";
    wait_for(60, || file.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap() == 3);
}

/// Waits for so many seconds at most.
fn wait_for(seconds: u64, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "it is never so");
        thread::sleep(Duration::from_millis(200));
    }
}

/// The rule that docs/stores.md tells.
const RIGHTS: &str = "~waxseal:revocations* +evalsha +script|load +type +del +hget +hset +hincrby +zcard \
    +zrevrange +zscore +zadd +zrem +zrangebyscore +expireat +time";

#[test]
fn redis_needs_these_rights_and_no_others() {
    let told = include_str!("../../../docs/stores.md");
    let told: String = told.split_whitespace().map(|word| format!("{word} ")).collect();
    assert!(told.contains(RIGHTS), "the page says what is tested");
    let backing = Backing::redis(&[]);
    let Backing::Redis(server) = &backing else { unreachable!() };
    let allow = |rights: &[&str]| {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg("app").arg("reset").arg("on").arg(">secret").arg(rights);
        command.query::<()>(&mut connection(server)).unwrap();
    };
    let open = || {
        let address = format!("redis://app:secret@127.0.0.1:{}", server.port);
        RedisRevocations::open(&address, Tls::Verified).unwrap()
    };
    let rights: Vec<&str> = RIGHTS.split(' ').collect();
    allow(&rights);
    conformance::revocations(&open());
    // Every call, so that every command is used.
    let all_calls = |store: &RedisRevocations| {
        connection(server).set::<_, _, ()>("waxseal:revocations", "not a set").unwrap();
        connection(server).del::<_, ()>("waxseal:revocations:about").unwrap();
        store.learn(None)?;
        store.publish(&many(3))?;
        store.learn(None)?;
        store.withdraw(&many(3))
    };
    all_calls(&open()).unwrap();
    for needless in &rights {
        let fewer: Vec<&str> = rights.iter().copied().filter(|right| right != needless).collect();
        allow(&fewer);
        redis::cmd("SCRIPT").arg("FLUSH").query::<()>(&mut connection(server)).unwrap();
        assert!(all_calls(&open()).is_err(), "{needless}");
    }
}

/// A transaction that began earlier is committed after others were learnt.
#[test]
fn postgres_commits_one_late_and_nobody_misses_it() {
    let backing = Backing::postgres();
    let Backing::Postgres(cluster) = &backing else { unreachable!() };
    let store = backing.open();
    let all = [(); 2].map(|()| backing.process(&[]));
    sign_outs(&all[0], 1);
    let mut psql = cluster.psql();
    let begin = "BEGIN; INSERT INTO waxseal_revocations (revocation, expires) \
        SELECT revocation, now() + interval '1 hour' FROM held;\n\\echo held\n";
    // What is held back is that of a session which ends meanwhile.
    let copies = sign_outs(&all[0], 1);
    wait_until_ended(&copies[0], &all);
    cluster.sql(
        "CREATE TABLE held AS SELECT * FROM waxseal_revocations ORDER BY transaction DESC LIMIT 1; \
         DELETE FROM waxseal_revocations USING held \
         WHERE waxseal_revocations.revocation = held.revocation;",
    );
    let late = backing.process(&[]);
    assert!(opens(&copies[0], &late), "it is not there");
    psql.say(begin);
    psql.wait_for("held");
    let others = sign_outs(&all[1], 3);
    for other in &others {
        wait_until_ended(other, std::slice::from_ref(&late));
    }
    assert!(opens(&copies[0], &late), "it is not committed");
    psql.say("COMMIT;\n");
    wait_until_ended(&copies[0], std::slice::from_ref(&late));
    assert_eq!(learnt(&*store).len(), 5);
}

#[test]
fn a_table_that_is_emptied_or_made_anew_is_filled_again() {
    let backing = Backing::postgres();
    let Backing::Postgres(cluster) = &backing else { unreachable!() };
    let all = [(); 2].map(|()| backing.process(&[]));
    let copies = sign_outs(&all[0], 3);
    copies.iter().for_each(|copy| wait_until_ended(copy, &all));
    for lose in ["TRUNCATE waxseal_revocations", "DROP TABLE waxseal_revocations"] {
        cluster.sql(lose);
        let count = || backing.open().learn(None).is_ok() && learnt(&*backing.open()).len() == 3;
        wait("all is told again", count);
        let new = backing.process(&[]);
        assert!(!copies.iter().any(|copy| opens(copy, &new)));
    }
}

#[test]
fn a_file_that_is_replaced_is_filled_again() {
    let backing = Backing::sqlite();
    let Backing::Sqlite(server) = &backing else { unreachable!() };
    let all = [(); 2].map(|()| backing.process(&[]));
    let copies = sign_outs(&all[0], 3);
    copies.iter().for_each(|copy| wait_until_ended(copy, &all));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", Backing::file(server).display()));
    }
    wait("all is told again", || learnt(&*backing.open()).len() == 3);
    assert!(!copies.iter().any(|copy| opens(copy, &backing.process(&[]))));
}

/// A process sleeps while more is revoked than a store tells at once.
#[test]
fn a_process_that_slept_learns_all() {
    for backing in Backing::all() {
        let all = [(); 2].map(|()| backing.process(&[]));
        signal(&all[1], "-STOP");
        let copies = sign_outs(&all[0], 3);
        let store = backing.open();
        for some in many(12_000).chunks(1000) {
            store.publish(some).unwrap();
        }
        copies.iter().for_each(|copy| wait_until_ended(copy, &all[..1]));
        thread::sleep(Duration::from_secs(2));
        signal(&all[1], "-CONT");
        copies.iter().for_each(|copy| wait_until_ended(copy, &all));
    }
}

fn signal(waxseal: &Waxseal, signal: &str) {
    let id = waxseal.id().to_string();
    let kill = Command::new("kill").args([signal, &id]).stdin(Stdio::null()).status();
    assert!(kill.unwrap().success());
}

/// So many revocations of nobody's sessions.
fn many(count: u64) -> Vec<waxseal::session::Revocation> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let one = |number: u64| {
        let mut bytes = [0; waxseal::session::Revocation::LEN];
        bytes[0] = 3;
        bytes[17..25].copy_from_slice(&number.to_be_bytes());
        bytes[33..41].copy_from_slice(&now.to_be_bytes());
        bytes[41..].copy_from_slice(&(now + 3600).to_be_bytes());
        waxseal::session::Revocation::from_bytes(&bytes).unwrap()
    };
    (0..count).map(one).collect()
}
