//! Whatever is sent, and whatever is done.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use waxseal::session::{Level, Outcome, SaveError, Saved, Scheme, Session, SessionLifetime};

use super::support::{
    ABSOLUTE, HOUR, IDLE, NAME, Site, at, header, is_removal, life, max_age, names_and_values,
    texts,
};

/// One pair of a `Cookie` header: arbitrary, nearly right, or the genuine one.
fn pair(genuine: String) -> impl Strategy<Value = String> {
    let name = prop_oneof![Just(NAME.to_owned()), Just("waxseal".to_owned()), ".{0,12}"];
    let value = genuine.split_once('=').unwrap().1.to_owned();
    let (cut, changed) = (value.clone(), value);
    let value = prop_oneof![
        ".{0,40}",
        "[A-Za-z0-9_-]{0,5000}",
        (0..cut.len()).prop_map(move |length| cut[..length].to_owned()),
        (0..changed.len(), "[A-Za-z0-9_=-]").prop_map(move |(at, c)| format!(
            "{}{c}{}",
            &changed[..at],
            &changed[at + 1..]
        )),
    ];
    let pair = (name, "[ \t=;]{0,2}", value).prop_map(|(n, sign, v)| format!("{n}={sign}{v}"));
    prop_oneof![4 => pair, 1 => Just(genuine), 1 => ".{0,40}"]
}

proptest! {
    #[test]
    fn no_cookie_header_panics_or_is_an_error(
        (stored, header) in any::<bool>().prop_flat_map(|stored| {
            let site = if stored { Site::stored() } else { Site::sealed() };
            let pairs = vec(pair(site.foo()), 0..8);
            (Just(stored), (pairs, "[;, ]{1,2}").prop_map(|(pairs, by)| pairs.join(&by)))
        })
    ) {
        let site = if stored { Site::stored() } else { Site::sealed() };
        for scheme in [Scheme::Http, Scheme::Https] {
            let mut session = site.sessions.load(&header, scheme).unwrap();
            let cookie = site.sessions.save(&mut session).unwrap().into_cookie();
            let is_cleared = cookie.as_ref().is_some_and(is_removal);
            prop_assert_eq!(cookie.is_some(), is_cleared);
            let may_be_cleared = matches!(session.outcome(), Outcome::Malformed | Outcome::Expired);
            prop_assert!(may_be_cleared || !is_cleared);
            session.insert("name", "foo").unwrap();
            let cookie = site.sessions.save(&mut session).unwrap().into_cookie();
            prop_assert!(cookie.is_some() || session.outcome() == Outcome::Valid);
        }
    }

    #[test]
    fn three_strays_sign_nobody_out_wherever_they_are(
        strays in vec("[!-:<-~]{0,200}", 0..4), // all of ASCII that can stand in a value
        position: prop::sample::Index,
        stored: bool,
    ) {
        let site = if stored { Site::stored() } else { Site::sealed() };
        let mut pairs: Vec<_> = strays.iter().map(|stray| format!("{NAME}={stray}")).collect();
        pairs.insert(position.index(pairs.len() + 1), site.foo());
        let mut session = site.load(&pairs.join("; "));
        prop_assert_eq!(session.get("name"), Some("foo"));
        prop_assert_eq!(site.save(&mut session), None);
    }

    #[test]
    fn any_values_and_flashes_come_back(
        values in btree_map(any::<String>(), any::<String>(), 0..8),
        flashes in vec(any::<String>(), 0..4),
        stored: bool,
    ) {
        let site = if stored { Site::stored() } else { Site::sealed() };
        let mut session = site.load("");
        let mut kept = Vec::new();
        for (name, value) in &values {
            let reserved = name.starts_with('_');
            prop_assert_eq!(session.insert(name, value).is_err(), reserved);
            kept.extend((!reserved).then_some((name.as_str(), value.as_str())));
        }
        flashes.iter().for_each(|flash| session.flash(Level::Info, flash).unwrap());
        match site.sessions.save(&mut session).map(Saved::into_cookie) {
            Err(SaveError::SessionTooLarge { .. }) => {}
            Err(error) => panic!("{error:?}"),
            Ok(None) => prop_assert!(kept.is_empty() && flashes.is_empty()),
            Ok(Some(cookie)) => {
                let mut session = site.load(&header(&cookie));
                prop_assert_eq!(names_and_values(&session), kept);
                prop_assert_eq!(texts(session.take_flashes()), flashes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_sequence_of_operations_does_what_a_plain_map_does(
        stored: bool,
        operations in vec(operation(), 0..40),
    ) {
        let mut model = Model::new(if stored { Site::stored() } else { Site::sealed() });
        operations.into_iter().for_each(|operation| model.run(operation));
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(String, String),
    Remove(String),
    Flash(String),
    TakeFlashes,
    Clear,
    Renew,
    Destroy,
    SetLifetime(Own),
    Save,
    /// The next visit, this many seconds later.
    Load(u64),
}

/// A lifetime of its own: the idle and the absolute time, the greatest of which are the settings', and
/// whether the cookie ends with the browser.
type Own = (u64, u64, bool);

const NOT_OWN: Own = (u64::MAX, u64::MAX, false);

fn own() -> impl Strategy<Value = Own> {
    let idle = prop_oneof![Just(u64::MAX), 1..2 * HOUR, any::<u64>()];
    let absolute = prop_oneof![Just(u64::MAX), 1..10 * HOUR, any::<u64>()];
    (idle, absolute, any::<bool>())
}

fn lifetime((idle, absolute, ends_with_browser): Own) -> SessionLifetime {
    let times = SessionLifetime::default().with_idle(life(idle)).with_absolute(life(absolute));
    if ends_with_browser { times.until_browser_closes() } else { times }
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = || "[abcé]";
    let value = || ".{0,3}";
    prop_oneof![
        4 => (name(), value()).prop_map(|(name, value)| Operation::Insert(name, value)),
        2 => name().prop_map(Operation::Remove),
        2 => value().prop_map(Operation::Flash),
        2 => Just(Operation::TakeFlashes),
        1 => Just(Operation::Clear),
        1 => Just(Operation::Renew),
        1 => Just(Operation::Destroy),
        1 => own().prop_map(Operation::SetLifetime),
        5 => Just(Operation::Save),
        5 => prop_oneof![Just(0), Just(HOUR), 0..IDLE + 2].prop_map(Operation::Load),
    ]
}

/// What a session holds. A flash is told from another with the same text by its number.
#[derive(Clone, Debug, Default, PartialEq)]
struct Contents {
    values: BTreeMap<String, String>,
    flashes: Vec<(usize, String)>,
}

/// What the browser holds.
#[derive(Clone)]
struct Kept {
    cookies: String,
    contents: Contents,
    created: u64,
    sealed: u64,
    own: Own,
}

/// A browser and a request, told in the plainest way, beside the real ones.
struct Model {
    site: Site,
    session: Session,
    kept: Option<Kept>,
    /// What the request found, unless it found nothing.
    found: Option<Kept>,
    now: Contents,
    created: u64,
    own: Own,
    is_renewed: bool,
    flashes: usize,
    /// Cookies of sessions that were signed out or renewed.
    dead: Vec<String>,
}

impl Model {
    fn new(site: Site) -> Model {
        let session = site.load("");
        Model {
            created: site.now(),
            site,
            session,
            kept: None,
            found: None,
            now: Contents::default(),
            own: NOT_OWN,
            is_renewed: false,
            flashes: 0,
            dead: Vec::new(),
        }
    }

    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Insert(name, value) => {
                self.session.insert(&name, &value).unwrap();
                self.now.values.insert(name, value);
            }
            Operation::Remove(name) => {
                assert_eq!(self.session.remove(&name), self.now.values.remove(&name));
            }
            Operation::Flash(text) => {
                self.session.flash(Level::Info, &text).unwrap();
                self.flashes += 1;
                self.now.flashes.push((self.flashes, text));
            }
            Operation::TakeFlashes => {
                let taken = std::mem::take(&mut self.now.flashes);
                let expected: Vec<_> = taken.into_iter().map(|flash| flash.1).collect();
                assert_eq!(texts(self.session.take_flashes()), expected);
            }
            Operation::Clear => {
                self.session.clear();
                self.now = Contents::default();
            }
            Operation::Renew => {
                self.session.renew();
                self.begin_anew();
            }
            Operation::Destroy => {
                self.session.destroy();
                self.now = Contents::default();
                self.own = NOT_OWN;
                self.begin_anew();
            }
            Operation::SetLifetime((idle, absolute, ends_with_browser)) => {
                self.own = (idle.max(1), absolute.max(1), ends_with_browser);
                self.session.set_lifetime(lifetime(self.own));
            }
            Operation::Save => self.save(),
            Operation::Load(seconds) => self.load(seconds),
        }
        let values: Vec<_> = self.session.iter().collect();
        let expected = self.now.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(values, expected.collect::<Vec<_>>());
        let before = self.found.as_ref().map(|found| found.contents.clone());
        let is_lifetime_changed = self.found.as_ref().is_some_and(|found| found.own != self.own);
        let is_changed = is_lifetime_changed || before.unwrap_or_default() != self.now;
        assert_eq!(self.session.is_changed(), is_changed);
        assert_eq!(self.session.lifetime(), lifetime(self.own));
        assert_eq!(self.session.created(), at(self.created));
    }

    fn begin_anew(&mut self) {
        self.is_renewed = true;
        self.created = self.site.now();
    }

    fn save(&mut self) {
        let time = self.site.now();
        let (idle, absolute) = (IDLE.min(self.own.0), ABSOLUTE.min(self.own.1));
        let is_lifetime_changed = self.found.as_ref().is_some_and(|found| found.own != self.own);
        if is_lifetime_changed && time - self.created >= absolute {
            self.now = Contents::default();
            self.own = NOT_OWN;
            self.begin_anew();
        }
        let (is_empty, was_found) = (self.now == Contents::default(), self.found.is_some());
        let is_due = match &self.found {
            _ if is_empty => self.kept.is_some(),
            Some(found) => {
                self.is_renewed
                    || self.now != found.contents
                    || is_lifetime_changed
                    || time - found.sealed >= idle.div_ceil(4)
            }
            None => true,
        };
        let cookie = self.site.save(&mut self.session);
        assert_eq!(cookie.is_some(), is_due);
        let Some(cookie) = cookie else { return };
        assert_eq!(is_removal(&cookie), is_empty);
        if self.is_renewed {
            self.dead.extend(self.found.take().map(|found| found.cookies));
        }
        self.is_renewed = false;
        self.kept = (!is_empty).then(|| Kept {
            cookies: header(&cookie),
            contents: self.now.clone(),
            created: self.created,
            sealed: time,
            own: self.own,
        });
        self.found = self.kept.clone();
        if is_empty {
            self.created = time;
            // One that was not begun yet keeps what it was given.
            if was_found {
                self.own = NOT_OWN;
            }
        } else if self.own.2 {
            assert_eq!(cookie.max_age(), None);
        } else {
            let left = (self.created + absolute - time).min(idle);
            assert_eq!(max_age(&cookie), left);
        }
    }

    fn load(&mut self, seconds: u64) {
        self.site.wait(seconds);
        let time = self.site.now();
        let cookies = self.kept.as_ref().map_or("", |kept| &kept.cookies);
        self.session = self.site.load(cookies);
        let is_alive = |kept: &&Kept| {
            time - kept.sealed < IDLE.min(kept.own.0)
                && time - kept.created < ABSOLUTE.min(kept.own.1)
        };
        self.found = self.kept.as_ref().filter(is_alive).cloned();
        let expected = match (&self.kept, &self.found) {
            (None, _) => Outcome::New,
            (Some(_), None) => Outcome::Expired,
            (Some(_), Some(_)) => Outcome::Valid,
        };
        assert_eq!(self.session.outcome(), expected);
        self.now = self.found.as_ref().map(|found| found.contents.clone()).unwrap_or_default();
        self.created = self.found.as_ref().map_or(time, |found| found.created);
        self.own = self.found.as_ref().map_or(NOT_OWN, |found| found.own);
        self.is_renewed = false;
        for cookies in &self.dead {
            assert!(matches!(self.site.outcome(cookies), Outcome::Revoked | Outcome::Expired));
        }
    }
}
