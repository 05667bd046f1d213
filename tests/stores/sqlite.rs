//! `SqliteStore`: a file, several processes, and what may happen to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use waxseal::session::{
    Change, CommitOutcome, Key, SqliteStore, Store, StoreError, StoreSettings, USERNAME, UserIndex,
};

use super::records::{HOUR, any_key, commit, put, update, values};
use super::visitors::{count, home_of_a_visitor, visits};
use super::{administration, cases, damage, pages};
use crate::support::{Browser, Waxseal, get, post, run};

/// A directory of a test's own, gone with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let directory = std::env::temp_dir().join(format!("waxseal-sqlite-{}", any_key()));
        fs::create_dir(&directory).unwrap();
        Place(directory)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sessions.db")
    }

    fn path(&self) -> String {
        self.file().to_str().unwrap().to_owned()
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(self.file()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A connection of the test's own.
fn sql(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection
}

fn is_sound(path: &Path) -> bool {
    let check: String =
        sql(path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    check == "ok"
}

/// Puts something else in the place of a record.
fn damage(path: &Path, key: &Key) {
    let damaged = if key.as_bytes()[0].is_multiple_of(2) { "x'80'" } else { "'1' || char(10)" };
    let update = format!("UPDATE waxseal_sessions SET \"values\" = {damaged} WHERE key = ?");
    assert_eq!(sql(path).execute(&update, [key.as_bytes()]).unwrap(), 1);
}

#[test]
fn an_administrator_looks_after_the_sessions() {
    let place = Place::new();
    administration::beside_the_server("sqlite", &[("SQLITE_PATH", &place.path())]);
    let missing = place.0.join("another.db").to_str().unwrap().to_owned();
    let vars = [("SESSION_STORE", "sqlite"), ("SQLITE_PATH", missing.as_str())];
    let output = run(&["sessions", "count"], &vars);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("SQLITE_PATH names a file that is not there"), "{told}");
    assert!(!Path::new(&missing).exists(), "and none is made");
}

#[test]
fn everything_that_every_store_does() {
    let place = Place::new();
    let dump = || {
        let connection = sql(&place.file());
        let mut all = connection.prepare("SELECT key || \"values\" FROM waxseal_sessions").unwrap();
        let rows = all.query_map([], |row| Ok(row.get_ref(0)?.as_bytes()?.to_vec())).unwrap();
        rows.flat_map(Result::unwrap).collect()
    };
    cases::all(place.open(), dump, |key| damage(&place.file(), key));
    assert!(is_sound(&place.file()));
}

#[test]
fn people_sign_in_and_out_on_all_processes() {
    let place = Place::new();
    pages::people("sqlite", &[("SQLITE_PATH", &place.path())], true);
    pages::refused_at_start("sqlite", "SQLITE_PATH", "/hunter/sessions.db");
    fs::write(
        place.0.join("text"),
        "no database, but some text that is long enough to be looked at",
    )
    .unwrap();
    let text = place.0.join("text");
    pages::refused_at_start("sqlite", "SQLITE_PATH", text.to_str().unwrap());
    let vars = [("SESSION_STORE", "sqlite"), ("SQLITE_PATH", &place.path())];
    let on_dyno = [&[("DYNO", "web.1")], &vars[..]].concat();
    assert!(pages::logged_at_start(&on_dyno).contains("the disk of a dyno"));
    assert!(!pages::logged_at_start(&vars).contains("the disk of a dyno"));
}

#[test]
fn a_record_that_is_damaged_locks_nobody_out() {
    let place = Place::new();
    let path = place.path();
    damage::locks_nobody_out("sqlite", &[("SQLITE_PATH", &path)], |key| damage(&place.file(), key));
}

#[test]
fn sessions_and_sign_outs_survive_a_restart() {
    let place = Place::new();
    let path = place.path();
    let vars = [("SESSION_STORE", "sqlite"), ("SQLITE_PATH", path.as_str())];
    let mut waxseal = Waxseal::start(&vars);
    let (mut stays, mut leaves) = (Browser::by_http(), Browser::by_http());
    stays.sign_in(&waxseal);
    leaves.sign_in(&waxseal);
    let copied = leaves.clone();
    leaves.post(&waxseal, "/logout", "");
    assert!(waxseal.terminate().success());
    let waxseal = Waxseal::start(&vars);
    assert!(stays.is_signed_in(&waxseal));
    assert!(!copied.clone().is_signed_in(&waxseal));
}

/// Killed again and again while two processes commit: what was confirmed is there.
#[test]
fn a_crash_in_the_middle_of_commits_loses_nothing_that_was_confirmed() {
    let place = Place::new();
    let path = place.path();
    let vars = [("SESSION_STORE", "sqlite"), ("SQLITE_PATH", path.as_str())];
    let other = Waxseal::start(&vars);
    let (signed_in, signed_out) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    for round in 0..5 {
        let waxseal = Waxseal::start(&vars);
        let port = waxseal.port();
        let waxseal = Mutex::new(waxseal);
        thread::scope(|scope| {
            for at in 0..6 {
                let (signed_in, signed_out, other) = (&signed_in, &signed_out, &other);
                scope.spawn(move || {
                    let port = if at < 4 { port } else { other.port() };
                    for number in 0..60 {
                        let login = post("/login", "username=foo&password=secret");
                        let Some(cookie) = confirmed(port, &login.bytes()) else { return };
                        let cookie = cookie.expect("a cookie");
                        if number % 2 == 0 {
                            signed_in.lock().unwrap().push(cookie);
                        } else {
                            let logout = post("/logout", "").cookie(&cookie);
                            if confirmed(port, &logout.bytes()).is_none() {
                                return;
                            }
                            signed_out.lock().unwrap().push(cookie);
                        }
                    }
                });
            }
            thread::sleep(Duration::from_millis(60 + 50 * round));
            waxseal.lock().unwrap().kill();
        });
        assert!(is_sound(&place.file()));
    }
    let (signed_in, signed_out) =
        (signed_in.into_inner().unwrap(), signed_out.into_inner().unwrap());
    println!("confirmed: {} signed in, {} signed out", signed_in.len(), signed_out.len());
    assert!(signed_in.len() > 100 && signed_out.len() > 100);
    let waxseal = Waxseal::start(&vars);
    for waxseal in [&waxseal, &other] {
        let status = |cookie: &String| get("/").cookie(cookie).sent_to(waxseal).status;
        assert_eq!(count(signed_in.iter().map(status)), count(vec![200; signed_in.len()]));
        assert_eq!(count(signed_out.iter().map(status)), count(vec![303; signed_out.len()]));
    }
}

/// The cookie of an answer that says 303, where one comes: its server may be killed meanwhile.
fn confirmed(port: u16, request: &[u8]) -> Option<Option<String>> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(request).ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let cookie = answer.split("Set-Cookie: waxseal=").nth(1);
    let cookie = cookie.and_then(|rest| rest.split(';').next()).map(str::to_owned);
    answer.starts_with("HTTP/1.1 303 ").then_some(cookie)
}

/// A disk of a megabyte. Needs root, as `.ci/run` has.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &Place) -> Option<SmallDisk> {
        let directory = place.0.join("disk");
        fs::create_dir(&directory).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&directory);
        mount.output().is_ok_and(|output| output.status.success()).then_some(SmallDisk(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_an_error_and_no_damage() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place) else {
        return eprintln!("a disk can be mounted by root alone: nothing was tested");
    };
    let path = disk.0.join("sessions.db");
    let vars = [("SESSION_STORE", "sqlite"), ("SQLITE_PATH", path.to_str().unwrap())];
    let waxseal = Waxseal::start(&vars);
    let home = home_of_a_visitor(&waxseal);
    let ballast = disk.0.join("ballast");
    let fill = || {
        let mut size = 1 << 20;
        while size > 0 {
            let mut full = fs::read(&ballast).unwrap_or_default();
            full.resize(full.len() + size, 1);
            if fs::write(&ballast, full).is_err() {
                size /= 2;
            }
        }
    };
    fill();
    let sign_in = post("/login", "username=foo&password=secret");
    let refused = (0..200).filter(|_| sign_in.sent_to(&waxseal).status == 503).count();
    assert!(refused > 100, "{refused}");
    let health = get("/healthz").sent_to(&waxseal);
    assert_eq!(health.text(), "ok, but the session store refuses changes: sqlite");
    assert!(home.sent_to(&waxseal).greets("foo"), "who is signed in goes on");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(sign_in.sent_to(&waxseal).status, 303);
    assert_eq!(get("/healthz").sent_to(&waxseal).text(), "ok");
    assert!(home.sent_to(&waxseal).greets("foo"));
    drop(waxseal);
    assert!(is_sound(&path));
}

#[test]
fn a_file_or_a_table_that_is_gone_is_made_again() {
    let place = Place::new();
    let path = place.path();
    let waxseal = Waxseal::start(&[("SESSION_STORE", "sqlite"), ("SQLITE_PATH", &path)]);
    let mut browser = Browser::by_http();
    for remove in
        [&|| _ = sql(&place.file()).execute("DROP TABLE waxseal_sessions", []).unwrap(), &|| {
            ["", "-wal", "-shm"]
                .iter()
                .for_each(|end| drop(fs::remove_file(format!("{path}{end}"))))
        }] as [&dyn Fn(); 2]
    {
        browser.sign_in(&waxseal);
        assert!(browser.is_signed_in(&waxseal));
        remove();
        assert!(!browser.is_signed_in(&waxseal));
        browser.sign_in(&waxseal);
        assert!(browser.is_signed_in(&waxseal));
        let rows: i64 = sql(&place.file())
            .query_row("SELECT count(*) FROM waxseal_sessions", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1, "in the file that is there now");
    }
    assert!(!waxseal.log().contains("at=error"), "{}", waxseal.log());
}

/// Others wait for a commit that takes long, but not for ever; to read, nobody waits.
#[test]
fn a_lock_holds_up_those_who_write_alone_and_not_for_long() {
    let place = Place::new();
    let store = place.open();
    let key = put(&store, &[("a", "1")]);
    let holder = sql(&place.file());
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = std::time::Instant::now();
    let waited = commit(&store, &key, &Change::Update([].into()));
    assert!(matches!(waited, Err(StoreError::Unavailable(_))), "{waited:?}");
    assert!((1000..2500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    thread::sleep(Duration::from_millis(1100));
    assert!(store.find(&key).unwrap().is_some(), "a probe, and it is read");
    thread::scope(|scope| {
        let committed = scope.spawn(|| update(&store, &key, "b", "2"));
        thread::sleep(Duration::from_millis(400));
        holder.execute_batch("ROLLBACK").unwrap();
        assert_eq!(committed.join().unwrap(), CommitOutcome::Done);
    });
}

#[test]
fn several_processes_lose_no_visit_under_load() {
    let place = Place::new();
    let path = place.path();
    let vars = [("SESSION_STORE", "sqlite"), ("SQLITE_PATH", path.as_str())];
    let all = [(); 2].map(|()| Waxseal::start(&vars));
    let home = home_of_a_visitor(&all[0]);
    thread::scope(|scope| {
        for waxseal in &all {
            scope.spawn(|| assert_eq!(visits(waxseal, &home, 8, 50), count([200; 400])));
            scope.spawn(|| (0..50).for_each(|_| drop(home_of_a_visitor(waxseal))));
        }
    });
}

#[test]
fn many_make_the_file_at_once_and_it_is_for_nobody_else_to_read() {
    use std::os::unix::fs::PermissionsExt;
    for _ in 0..10 {
        let place = Place::new();
        let together = std::sync::Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    put(&place.open(), &[("a", "1")]);
                });
            }
        });
        let _held = place.open();
        for file in fs::read_dir(&place.0).unwrap().map(Result::unwrap) {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{file:?}");
        }
    }
}

#[test]
fn the_expired_go_and_the_file_belongs_to_several_sites() {
    let place = Place::new();
    let settings = |prefix: &str| StoreSettings::default().with_prefix(prefix.parse().unwrap());
    let (one, other) = (settings("a:"), settings("b"));
    let one = SqliteStore::open_with(place.file(), &one).unwrap();
    let other = SqliteStore::open_with(place.file(), &other).unwrap();
    let key = put(&one, &[(USERNAME, "foo")]);
    assert_eq!(other.find(&key).unwrap(), None);
    assert_eq!(other.find_by_user("foo", &[], 9).unwrap(), []);
    let soon = Change::New(values(&[("a", "1")]));
    for _ in 0..1500 {
        let done = one.commit(&any_key(), &soon, Duration::from_millis(1)).unwrap();
        assert_eq!(done, CommitOutcome::Done);
    }
    let _ = one.commit(&key, &Change::Update([].into()), HOUR).unwrap();
    let third = SqliteStore::open_with(place.file(), &settings("a:")).unwrap();
    let rows = || -> i64 {
        let count = "SELECT count(*) FROM \"a:waxseal_sessions\"";
        sql(&place.file()).query_row(count, [], |row| row.get(0)).unwrap()
    };
    let began = std::time::Instant::now();
    while rows() > 1 {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", rows());
        thread::sleep(Duration::from_millis(50));
    }
    drop(third);
    assert!(one.find(&key).unwrap().is_some());
}
