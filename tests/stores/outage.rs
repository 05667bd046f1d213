//! A store's server is stopped, paused and started again, while people use the site.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::server::Server;
use crate::support::{Ask, Browser, Waxseal, get, post};

/// In which a visitor is told of an outage.
const TOLD_IN: Duration = Duration::from_secs(2);
/// Requests at once that need their session: twice the workers.
const VISITORS: usize = 16;

/// What can be away.
pub trait Away {
    fn server(&mut self) -> &mut Server;

    /// Starts it again; returns when it is ready.
    fn start(&mut self) {
        self.server().start();
    }
}

impl Away for Server {
    fn server(&mut self) -> &mut Server {
        self
    }
}

/// What came of all requests of a kind.
#[derive(Debug, Default)]
struct Seen {
    statuses: Vec<u16>,
    longest: Duration,
    texts: Vec<String>,
}

/// Asks again and again until told to stop.
fn keep_asking(waxseal: &Waxseal, ask: &Ask, stop: &AtomicBool, seen: &Mutex<Seen>) {
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let answer = ask.sent_to(waxseal);
        let mut seen = seen.lock().unwrap();
        seen.longest = seen.longest.max(began.elapsed());
        seen.statuses.push(answer.status);
        if !seen.texts.iter().any(|text| text == answer.text()) {
            seen.texts.push(answer.text().to_owned());
        }
        drop(seen);
        thread::sleep(Duration::from_millis(20));
    }
}

/// What visitors see for some seconds: those who need their session, those who don't, and a probe.
fn look(waxseal: &Waxseal, home: &Ask) -> [Seen; 3] {
    let stop = AtomicBool::new(false);
    let seen = [(); 3].map(|()| Mutex::<Seen>::default());
    let (file, health) = (get("/public/style.css"), get("/healthz"));
    thread::scope(|scope| {
        let [homes, files, healths] = &seen;
        let stop = &stop;
        for _ in 0..VISITORS {
            scope.spawn(move || keep_asking(waxseal, home, stop, homes));
        }
        scope.spawn(|| keep_asking(waxseal, &file, stop, files));
        scope.spawn(|| keep_asking(waxseal, &health, stop, healths));
        thread::sleep(Duration::from_secs(4));
        stop.store(true, Ordering::SeqCst);
    });
    seen.map(|seen| seen.into_inner().unwrap())
}

/// All were answered with `status`.
fn only(seen: &Seen, status: u16) -> bool {
    seen.statuses.iter().all(|seen| *seen == status)
}

/// The store is away: who needs it is told, everybody else is served as ever.
fn is_told(waxseal: &Waxseal, home: &Ask, name: &str) {
    let [homes, files, healths] = look(waxseal, home);
    assert!(only(&homes, 503) && homes.longest < TOLD_IN, "{homes:?}");
    assert!(homes.texts.iter().all(|text| text.contains("<h1>")), "a page: {:?}", homes.texts);
    assert!(homes.statuses.len() > 2 * VISITORS, "they fail at once: {}", homes.statuses.len());
    assert!(only(&files, 200) && files.longest < Duration::from_secs(1), "{files:?}");
    assert!(only(&healths, 200) && healths.longest < Duration::from_secs(1), "{healths:?}");
    let last = healths.texts.last().unwrap();
    assert!(last.contains(&format!("the session store is down: {name}")), "{last}");
}

/// The store is back: so are the sessions, without anybody's doing.
fn recovers(waxseal: &Waxseal, is_back: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_back() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not recover");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(get("/healthz").sent_to(waxseal).text(), "ok");
}

/// The whole of it, with the server and what `waxseal` needs to know to use it. `keeps` tells whether
/// the server's records survive a restart.
pub fn outage(away: &mut impl Away, name: &str, vars: &[(&str, &str)], keeps: bool) {
    let vars = [&[("SESSION_STORE", name)], vars].concat();
    let waxseal = Waxseal::start(&vars);
    let mut browser = Browser::by_http();
    browser.sign_in(&waxseal);
    let home = get("/").cookie(browser.cookie().unwrap());
    let home = &home;
    let greets = || home.sent_to(&waxseal).greets("foo");
    assert!(greets());

    // Connections that were closed while nobody used them: nobody notices.
    away.server().stop();
    away.start();
    assert_eq!(home.sent_to(&waxseal).status, if keeps { 200 } else { 303 });

    browser.sign_in(&waxseal);
    let home = get("/").cookie(browser.cookie().unwrap());
    let home = &home;
    let greets = || home.sent_to(&waxseal).greets("foo");

    // Silence, under load.
    away.server().pause();
    is_told(&waxseal, home, name);
    away.server().resume();
    recovers(&waxseal, greets);

    // The end of it, under load.
    away.server().stop();
    is_told(&waxseal, home, name);
    away.start();
    let is_answered = || home.sent_to(&waxseal).status != 503;
    recovers(&waxseal, || if keeps { greets() } else { is_answered() });

    // It was away before we began.
    away.server().stop();
    let waxseal = Waxseal::start(&vars);
    is_told(&waxseal, home, name);
    away.start();
    let sign_in = post("/login", "username=foo&password=secret");
    recovers(&waxseal, || sign_in.sent_to(&waxseal).status == 303);
}
