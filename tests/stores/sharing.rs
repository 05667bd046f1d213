//! Sealed sessions whose sign-outs are shared: several processes, each over the real store.

mod kills;
mod losses;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use waxseal::session::{
    Learned, PostgresRevocations, RedisRevocations, Revocation, Revocations, SqliteRevocations,
    Tls, conformance,
};

use super::clocks;
use super::postgres::cluster::Cluster;
use super::server::Server;
use crate::support::{Browser, DEADLINE, SECRET_HASH, Waxseal, get, run};

/// A store of sign-outs.
enum Backing {
    Redis(Server),
    Postgres(Cluster),
    /// A file in the directory of a server that never runs.
    Sqlite(Server),
}

impl Backing {
    fn redis(options: &'static [&'static str]) -> Backing {
        let mut server = Server::new(move |port, directory| {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.arg("--dir").arg(directory).args(options);
            command
        });
        server.start();
        Backing::Redis(server)
    }

    fn postgres() -> Backing {
        Backing::Postgres(Cluster::start(&[]))
    }

    fn sqlite() -> Backing {
        Backing::Sqlite(Server::new(|_, _| Command::new("true")))
    }

    fn all() -> [Backing; 3] {
        [Backing::redis(&[]), Backing::postgres(), Backing::sqlite()]
    }

    fn file(server: &Server) -> PathBuf {
        server.directory.join("signed-out.db")
    }

    /// The variables that name it.
    fn vars(&self) -> Vec<(&'static str, String)> {
        match self {
            Backing::Redis(server) => vec![
                ("SESSION_REVOCATIONS", "redis".to_owned()),
                ("REDIS_URL", format!("redis://127.0.0.1:{}", server.port)),
            ],
            Backing::Postgres(cluster) => vec![
                ("SESSION_REVOCATIONS", "postgres".to_owned()),
                ("DATABASE_URL", cluster.address()),
            ],
            Backing::Sqlite(server) => vec![
                ("SESSION_REVOCATIONS", "sqlite".to_owned()),
                ("SQLITE_PATH", Backing::file(server).to_str().unwrap().to_owned()),
            ],
        }
    }

    fn open(&self) -> Arc<dyn Revocations> {
        match self {
            Backing::Redis(server) => {
                let address = format!("redis://127.0.0.1:{}", server.port);
                Arc::new(RedisRevocations::open(&address, Tls::Verified).unwrap())
            }
            Backing::Postgres(cluster) => {
                Arc::new(PostgresRevocations::open(&cluster.address()).unwrap())
            }
            Backing::Sqlite(server) => {
                Arc::new(SqliteRevocations::open(Backing::file(server)).unwrap())
            }
        }
    }

    /// Ends its server at once, as a crash would.
    fn stop(&mut self) {
        match self {
            Backing::Redis(server) | Backing::Sqlite(server) => server.stop(),
            Backing::Postgres(cluster) => cluster.server.stop(),
        }
    }

    fn start_again(&mut self) {
        match self {
            Backing::Redis(server) => server.start(),
            Backing::Postgres(cluster) => cluster.start_again(),
            Backing::Sqlite(_) => {}
        }
    }

    /// A process of a site whose one user is foo, with more variables.
    fn process(&self, more: &[(&str, &str)]) -> Waxseal {
        let users = format!("foo:{SECRET_HASH}");
        let own = self.vars();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let vars: Vec<_> =
            own.chain([("USERS", users.as_str())]).chain(more.iter().copied()).collect();
        Waxseal::start(&vars)
    }
}

/// All that the store has.
fn learnt(store: &dyn Revocations) -> Vec<Revocation> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        match store.learn(after.as_ref()).unwrap() {
            Learned::Page { revocations, position, is_last } => {
                all.extend(revocations);
                if is_last {
                    return all;
                }
                after = Some(position);
            }
            Learned::Lost => panic!("lost"),
        }
    }
}

/// Waits until `is_so`.
#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "it is never so: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn signed_in(waxseal: &Waxseal) -> Browser {
    let mut browser = Browser::by_http();
    browser.sign_in(waxseal);
    browser
}

/// Whether a copy of the browser's cookie opens there.
#[track_caller]
fn opens(browser: &Browser, waxseal: &Waxseal) -> bool {
    browser.clone().is_signed_in(waxseal)
}

#[track_caller]
fn wait_until_ended(browser: &Browser, waxseals: &[Waxseal]) {
    for waxseal in waxseals {
        wait("the session has ended there", || !opens(browser, waxseal));
    }
}

fn health(waxseal: &Waxseal) -> String {
    get("/healthz").sent_to(waxseal).text().to_owned()
}

#[test]
fn every_store_of_sign_outs_keeps_the_rules() {
    for backing in Backing::all() {
        conformance::revocations(&*backing.open());
        // Over a prefix of its own, nothing is seen of another's.
        assert!(learnt(&*backing.open()).is_empty());
    }
}

#[test]
fn a_sign_out_holds_in_every_process_and_after_a_restart() {
    for backing in Backing::all() {
        let all = [(); 3].map(|()| backing.process(&[]));
        for at in 0..3 {
            let mut browser = signed_in(&all[at]);
            let copy = browser.clone();
            assert!(all.iter().all(|waxseal| opens(&copy, waxseal)));
            let answer = browser.post(&all[at], "/logout", "");
            assert_eq!((answer.status, browser.cookie()), (303, None), "it is confirmed");
            assert!(!opens(&copy, &all[at]), "it holds there at once");
            wait_until_ended(&copy, &all);
            let new = backing.process(&[]);
            assert!(!opens(&copy, &new), "from the first request on");
        }
        assert!(all.iter().all(|waxseal| health(waxseal) == "ok"));
    }
}

#[test]
fn everywhere_and_the_session_before_a_sign_in_end_in_every_process() {
    for backing in Backing::all() {
        let all = [(); 3].map(|()| backing.process(&[]));
        let (mut phone, desk) = (signed_in(&all[0]), signed_in(&all[1]));
        let before = phone.clone();
        phone.sign_in(&all[2]);
        wait_until_ended(&before, &all);
        assert!(opens(&phone, &all[0]) && opens(&desk, &all[0]));

        let copies = [phone.clone(), desk];
        assert_eq!(phone.post(&all[0], "/logout", "everywhere=1").status, 303);
        // At another process, which learns of it before it begins the session.
        let again = signed_in(&all[1]);
        for waxseal in &all {
            assert!(opens(&again, waxseal), "a session from after it lives");
        }
        copies.iter().for_each(|copy| wait_until_ended(copy, &all));
        let new = backing.process(&[]);
        assert!(!copies.iter().any(|copy| opens(copy, &new)) && opens(&again, &new));
    }
}

#[test]
fn without_the_store_visits_go_on_and_sign_outs_are_told_later() {
    for mut backing in [Backing::redis(&["--appendonly", "yes"]), Backing::postgres()] {
        let all = [(); 2].map(|()| backing.process(&[("METRICS", "1")]));
        let (mut earlier, mut browser, stays) =
            (signed_in(&all[0]), signed_in(&all[0]), signed_in(&all[0]));
        let (dead, copy) = (earlier.clone(), browser.clone());
        assert_eq!(earlier.post(&all[0], "/logout", "").status, 303);
        wait_until_ended(&dead, &all);

        backing.stop();
        assert!(all.iter().all(|waxseal| opens(&stays, waxseal)), "visits go on");
        assert!(!all.iter().any(|waxseal| opens(&dead, waxseal)), "what was learnt holds");
        let answer = browser.post(&all[0], "/logout", "");
        assert_eq!((answer.status, browser.cookie()), (200, None), "{answer:?}");
        assert!(answer.text().contains("it may take a while"), "{}", answer.text());
        assert!(!opens(&copy, &all[0]) && opens(&copy, &all[1]));
        for waxseal in &all {
            wait("it says so", || health(waxseal).contains("sign-outs are not shared"));
            waxseal.wait_for_log("sign-outs are not shared");
        }
        assert!(health(&all[0]).contains("1 to tell"), "{}", health(&all[0]));
        let metrics = get("/metrics").sent_to(&all[0]).text().to_owned();
        assert!(metrics.contains("\nwaxseal_revocations_unpublished 1\n"), "{metrics}");
        assert!(signed_in(&all[1]).is_signed_in(&all[0]), "people sign in");

        backing.start_again();
        wait_until_ended(&copy, &all);
        all.iter().for_each(|waxseal| wait("it is up", || health(waxseal) == "ok"));
        all[0].wait_for_log("sign-outs are shared again");
        assert!(!opens(&copy, &backing.process(&[])) && opens(&stays, &all[1]));
    }
}

#[test]
fn a_start_without_the_store_opens_no_session_unless_it_is_told_to() {
    for mut backing in [Backing::redis(&["--appendonly", "yes"]), Backing::postgres()] {
        let one = backing.process(&[]);
        let (mut browser, stays) = (signed_in(&one), signed_in(&one));
        let copy = browser.clone();
        assert_eq!(browser.post(&one, "/logout", "").status, 303);
        drop(one);
        backing.stop();

        let open = backing.process(&[("SESSION_REVOCATIONS_REQUIRED", "0")]);
        open.wait_for_log("sessions that were signed out may open");
        assert!(opens(&stays, &open) && opens(&copy, &open));

        let closed = backing.process(&[]);
        closed.wait_for_log("no session is opened");
        assert!(health(&closed).contains("not known yet"), "{}", health(&closed));
        for browser in [&copy, &stays] {
            let answer = get("/").cookie(browser.cookie().unwrap()).sent_to(&closed);
            assert_eq!((answer.status, answer.header("Set-Cookie")), (503, None), "{answer:?}");
        }
        assert_eq!(get("/public/login.html").sent_to(&closed).status, 200, "others are served");

        backing.start_again();
        for waxseal in [&open, &closed] {
            wait("the sign-outs are learnt", || health(waxseal) == "ok");
            assert!(opens(&stays, waxseal) && !opens(&copy, waxseal));
        }
    }
}

#[test]
fn two_clocks_are_five_minutes_apart() {
    let library = clocks::library();
    let late = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME", "-5m"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    for backing in Backing::all() {
        let (right, behind) = (backing.process(&[]), backing.process(&late));
        // A session of either clock, signed out by either.
        for (begins, ends) in [(&right, &right), (&behind, &right), (&behind, &behind)] {
            let mut browser = signed_in(begins);
            let copy = browser.clone();
            assert_eq!(browser.post(ends, "/logout", "").status, 303);
            wait_until_ended(&copy, &[backing.process(&late), backing.process(&[])]);
        }
        // "Everywhere", by a clock that is behind that of a session's beginning.
        let ahead = signed_in(&right);
        assert_eq!(signed_in(&behind).post(&behind, "/logout", "everywhere=1").status, 303);
        wait_until_ended(&ahead, std::slice::from_ref(&right));
        let again = signed_in(&behind);
        assert!(opens(&again, &behind) && opens(&again, &right), "a new session lives");
        let again = signed_in(&right);
        assert!(opens(&again, &right), "by the clock that is ahead, too");
    }
}

#[test]
fn a_command_asks_the_list() {
    for backing in Backing::all() {
        let waxseal = backing.process(&[]);
        let (mut browser, lives) = (signed_in(&waxseal), signed_in(&waxseal));
        let cookie = browser.cookie().unwrap().to_owned();
        browser.post(&waxseal, "/logout", "");
        let keys = [
            ("SESSION_AUTHENTICATION_KEY", crate::support::AUTHENTICATION_KEY),
            ("SESSION_ENCRYPTION_KEY", crate::support::ENCRYPTION_KEY),
        ];
        let own = backing.vars();
        let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let inspect = |cookie: &str, vars: &[(&str, &str)]| {
            let output = run(&["inspect", cookie], vars);
            String::from_utf8(output.stdout).unwrap()
        };
        let (with, without) = ([&keys[..], &own].concat(), keys);
        assert!(inspect(&cookie, &with).contains("no: its session was signed out"));
        assert!(inspect(&cookie, &without).contains("opens         yes"));
        let living = inspect(lives.cookie().unwrap(), &with);
        assert!(living.contains("signed out    no"), "{living}");
    }
}
