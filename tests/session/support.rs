//! A site to visit, and a store that remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use waxseal::seal::{Header, Id, Keyring, Lifetimes, Opened, SessionLifetime, Version};
use waxseal::session::{
    Change, Clock, CommitOutcome, Cookie, Flash, Key, ManualClock, MemoryStore, Outcome, Scheme,
    Session, Sessions, Settings, Store, StoreError, Values,
};

pub const NOW: u64 = 1_795_395_600;
pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;
pub const IDLE: u64 = 7 * DAY;
pub const ABSOLUTE: u64 = 30 * DAY;
/// Of revoked ids, for the clocks of others.
pub const SKEW: u64 = 60;
pub const NAME: &str = "__Host-waxseal";

pub fn keyring() -> Keyring {
    Keyring::new(b"an authentication key of any length", b"0123456789abcdef").unwrap()
}

pub fn new_keyring() -> Keyring {
    Keyring::new(b"a new authentication key", b"a new encryption").unwrap()
}

pub fn rotated_keyring() -> Keyring {
    let old = (b"an authentication key of any length", b"0123456789abcdef");
    new_keyring().with_previous(old.0, old.1).unwrap()
}

pub fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A lifetime in seconds.
pub fn life(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What was asked of a [`Probe`].
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    Find(Key),
    Commit(Key, Change, Duration),
    Delete(Key),
}

/// Tells the calls that are to fail.
pub type Which = fn(&Call) -> bool;

/// A memory store that remembers what it was asked, and fails when it is told to.
#[derive(Clone)]
pub struct Probe {
    store: Arc<MemoryStore>,
    calls: Arc<Mutex<Vec<Call>>>,
    fails: Arc<Mutex<Which>>,
}

impl Probe {
    pub fn new(clock: Arc<dyn Clock>) -> Probe {
        let store = Arc::new(MemoryStore::with_clock(clock));
        Probe { store, calls: Arc::default(), fails: Arc::new(Mutex::new(|_| false)) }
    }

    /// The calls since the last look.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// What is kept under `key`, unheard.
    pub fn record(&self, key: &Key) -> Option<Values> {
        self.store.find(key).unwrap()
    }

    pub fn fail(&self, which: Which) {
        *self.fails.lock().unwrap() = which;
    }

    pub fn hear(&self, call: Call) -> Result<(), StoreError> {
        let fails = (self.fails.lock().unwrap())(&call);
        self.calls.lock().unwrap().push(call);
        if fails { Err(StoreError::Unavailable("it is down".into())) } else { Ok(()) }
    }
}

impl Store for Probe {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        self.hear(Call::Find(*key))?;
        self.store.find(key)
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        self.hear(Call::Commit(*key, change.clone(), lifetime))?;
        self.store.commit(key, change, lifetime)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.hear(Call::Delete(*key))?;
        self.store.delete(key)
    }
}

/// One process of a site that is visited by HTTPS, its clock, and the store that it may use.
pub struct Site {
    pub sessions: Sessions,
    pub clock: Arc<ManualClock>,
    pub store: Probe,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Cookie,
    Store,
}

impl Site {
    pub fn new(place: Place, keyring: Keyring, settings: Settings) -> Site {
        let clock = Arc::new(ManualClock::new(at(NOW)));
        let store = Probe::new(clock.clone());
        Site::of(place, keyring, settings, clock, store)
    }

    pub fn of(
        place: Place,
        keyring: Keyring,
        settings: Settings,
        clock: Arc<ManualClock>,
        store: Probe,
    ) -> Site {
        let sessions = match place {
            Place::Cookie => Sessions::sealed(keyring),
            Place::Store => Sessions::stored(keyring, store.clone()),
        };
        let sessions = sessions.with_settings(settings).unwrap().with_clock(clock.clone());
        Site { sessions, clock, store }
    }

    pub fn sealed() -> Site {
        Site::new(Place::Cookie, keyring(), Settings::default())
    }

    pub fn stored() -> Site {
        Site::new(Place::Store, keyring(), Settings::default())
    }

    pub fn both() -> [Site; 2] {
        [Site::sealed(), Site::stored()]
    }

    pub fn with(settings: Settings) -> Site {
        Site::new(Place::Cookie, keyring(), settings)
    }

    /// Another process with the same clock and store, and its own memory.
    pub fn other_process(&self, place: Place, keyring: Keyring) -> Site {
        Site::of(place, keyring, Settings::default(), self.clock.clone(), self.store.clone())
    }

    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn now(&self) -> u64 {
        self.clock.now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    pub fn load(&self, cookies: &str) -> Session {
        self.sessions.load(cookies, Scheme::Https).unwrap()
    }

    pub fn outcome(&self, cookies: &str) -> Outcome {
        self.load(cookies).outcome()
    }

    pub fn save(&self, session: &mut Session) -> Option<Cookie<'static>> {
        self.sessions.save(session).unwrap().into_cookie()
    }

    /// Saves what must have something due, and gives the `Cookie` header of the next visit.
    pub fn saved(&self, session: &mut Session) -> String {
        header(&self.save(session).expect("something is due"))
    }

    /// The `Cookie` header of a visitor whose session holds these values.
    pub fn visitor(&self, values: &[(&str, &str)]) -> String {
        let mut session = self.load("");
        for (name, value) in values {
            session.insert(name, value).unwrap();
        }
        self.saved(&mut session)
    }

    pub fn foo(&self) -> String {
        self.visitor(&[("name", "foo")])
    }

    /// The header and payload inside a cookie of this site.
    pub fn opened(&self, cookies: &str) -> Opened {
        let value = cookies.split_once('=').unwrap().1;
        let lifetimes = Lifetimes::default();
        let open = |version| keyring().open(NAME, value, version, lifetimes, self.now());
        open(Version::Values).or_else(|_| open(Version::Stored)).unwrap()
    }

    /// Whether a visitor with these cookies is signed in as foo.
    pub fn greets_foo(&self, cookies: &str) -> bool {
        self.load(cookies).get("name") == Some("foo")
    }
}

pub fn header(cookie: &Cookie) -> String {
    format!("{}={}", cookie.name(), cookie.value())
}

/// A cookie that was sealed by hand, under the name that is read by HTTPS.
pub fn by_hand(created: u64, sealed: u64, payload: &str) -> String {
    let lifetime = SessionLifetime::default();
    let header =
        Header::new(Version::Values, Id::random(), created, sealed).with_lifetime(lifetime);
    format!("{NAME}={}", keyring().seal(NAME, &header, payload.as_bytes()))
}

pub fn max_age(cookie: &Cookie) -> u64 {
    cookie.max_age().unwrap().whole_seconds().try_into().unwrap()
}

pub fn is_removal(cookie: &Cookie) -> bool {
    cookie.value().is_empty()
        && max_age(cookie) == 0
        && cookie.expires_datetime().is_some_and(|date| date < SystemTime::now())
}

pub fn names_and_values(session: &Session) -> Vec<(&str, &str)> {
    session.iter().collect()
}

/// What flashes say.
pub fn texts(flashes: Vec<Flash>) -> Vec<String> {
    flashes.into_iter().map(|flash| flash.text).collect()
}
