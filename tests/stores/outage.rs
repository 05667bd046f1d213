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
    /// With when each was asked.
    statuses: Vec<(Instant, u16)>,
    longest: Duration,
    texts: Vec<String>,
}

impl Seen {
    /// The statuses of what was asked since `moment`.
    fn since(&self, moment: Instant) -> Vec<u16> {
        let later = self.statuses.iter().filter(|(asked, _)| *asked >= moment);
        later.map(|(_, status)| *status).collect()
    }
}

/// Asks again and again until told to stop.
fn keep_asking(waxseal: &Waxseal, ask: &Ask, stop: &AtomicBool, seen: &Mutex<Seen>) {
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let answer = ask.sent_to(waxseal);
        let mut seen = seen.lock().unwrap();
        seen.longest = seen.longest.max(began.elapsed());
        seen.statuses.push((began, answer.status));
        if !seen.texts.iter().any(|text| text == answer.text()) {
            seen.texts.push(answer.text().to_owned());
        }
        drop(seen);
        thread::sleep(Duration::from_millis(20));
    }
}

/// What visitors see while `deed` is done under their hands and for some seconds more: those who need
/// their session, those who don't, and a probe.
fn look(waxseal: &Waxseal, home: &Ask, deed: impl FnOnce()) -> [Seen; 3] {
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
        thread::sleep(Duration::from_millis(300));
        deed();
        thread::sleep(Duration::from_secs(4));
        stop.store(true, Ordering::SeqCst);
    });
    seen.map(|seen| seen.into_inner().unwrap())
}

/// The store goes away: who needs it is told, everybody else is served as ever.
fn is_told(waxseal: &Waxseal, home: &Ask, name: &str, go_away: impl FnOnce()) {
    let mut away = Instant::now();
    let [homes, files, healths] = look(waxseal, home, || {
        go_away();
        away = Instant::now();
    });
    assert!(homes.longest < TOLD_IN, "{homes:?}");
    assert!(homes.since(away).iter().all(|status| *status == 503), "{homes:?}");
    assert!(homes.since(away).len() > 2 * VISITORS, "they fail at once: {homes:?}");
    assert!(homes.texts.iter().all(|text| text.contains("<h1>")), "a page: {:?}", homes.texts);
    for others in [&files, &healths] {
        let all_well = others.statuses.iter().all(|(_, status)| *status == 200);
        assert!(all_well && others.longest < Duration::from_secs(1), "{others:?}");
    }
    let last = healths.texts.last().unwrap();
    assert!(last.contains(&format!("the session store is down: {name}")), "{last}");
}

/// The store comes back under load: so do the sessions, without anybody's doing.
fn recovers(waxseal: &Waxseal, home: &Ask, come_back: impl FnOnce(), is_back: impl Fn() -> bool) {
    let [homes, files, _] = look(waxseal, home, || {
        come_back();
        let began = Instant::now();
        while !is_back() {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not recover");
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(homes.longest < TOLD_IN, "{homes:?}");
    assert!(files.statuses.iter().all(|(_, status)| *status == 200), "{files:?}");
    assert_ne!(homes.statuses.last().map(|(_, status)| *status), Some(503), "{homes:?}");
    assert_eq!(get("/healthz").sent_to(waxseal).text(), "ok");
}

/// The whole of it, with the server and what `waxseal` needs to know to use it. `keeps` tells whether
/// the server's records survive a restart.
pub fn outage(away: &mut impl Away, name: &str, vars: &[(&str, &str)], keeps: bool) {
    let vars = [&[("SESSION_STORE", name)], vars].concat();
    let waxseal = Waxseal::start(&vars);
    let signed_in = || {
        let mut browser = Browser::by_http();
        browser.sign_in(&waxseal);
        get("/").cookie(browser.cookie().unwrap())
    };
    let home = signed_in();
    assert!(home.sent_to(&waxseal).greets("foo"));

    // Connections that were closed while nobody used them: nobody notices.
    away.server().stop();
    away.start();
    assert_eq!(home.sent_to(&waxseal).status, if keeps { 200 } else { 303 });

    // Silence.
    let home = signed_in();
    let greets = || home.sent_to(&waxseal).greets("foo");
    is_told(&waxseal, &home, name, || away.server().pause());
    recovers(&waxseal, &home, || away.server().resume(), greets);

    // The end of it, and a new beginning.
    is_told(&waxseal, &home, name, || away.server().stop());
    let is_answered = || home.sent_to(&waxseal).status != 503;
    recovers(&waxseal, &home, || away.start(), || if keeps { greets() } else { is_answered() });

    // It was away before we began.
    away.server().stop();
    let waxseal = Waxseal::start(&vars);
    is_told(&waxseal, &home, name, || ());
    let sign_in = post("/login", "username=foo&password=secret");
    recovers(&waxseal, &home, || away.start(), || sign_in.sent_to(&waxseal).status == 303);
}
