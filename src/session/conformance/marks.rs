//! The rule for the mark that says with which credential somebody signed in.

use std::sync::Arc;

use super::{HOUR, any_user};
use crate::seal::{Fingerprint, Keyring};
use crate::session::{
    Change, CommitOutcome, Key, MARK, Saved, Scheme, Session, Sessions, Store, USERNAME, Values,
};

/// A user who signed in is confirmed, in several sessions at once and after a session is renewed. A record
/// that somebody who can write the store has copied from another's, in part or whole, names nobody.
pub fn a_mark_counts_for_its_own_session_alone(store: Arc<dyn Store>) {
    let rule = "a_mark_counts_for_its_own_session_alone";
    let site = Site::new(rule, Arc::clone(&store));
    let (alice, mallory) = (site.credential(&any_user()), site.credential(&any_user()));
    let victims = [site.signed_in(&alice), site.signed_in(&alice)];
    for cookies in &victims {
        site.expects(&mut site.load(cookies), &alice, true);
    }
    let mut renewed = site.load(&victims[0]);
    renewed.renew();
    let renewed = site.saved(&mut renewed);
    site.expects(&mut site.load(&renewed), &alice, true);

    let values = site.record(&victims[1]);
    let fields = [USERNAME, MARK].map(|name| (name.to_owned(), values.get(name).cloned()));
    for copied in [Change::Update(fields.into()), Change::New(values)] {
        let cookies = site.signed_in(&mallory);
        site.expects(&mut site.load(&cookies), &mallory, true);
        let key = Key::of(site.load(&cookies).id());
        let done = store.commit(&key, &copied, HOUR);
        assert!(matches!(done, Ok(CommitOutcome::Done)), "{rule}: commit: {done:?}");
        let mut session = site.load(&cookies);
        site.expects(&mut session, &alice, false);
        site.expects(&mut session, &mallory, false);
        assert!(session.user().is_none(), "{rule}: a copied record names a user");
    }
    site.delete_all(&[alice.user(), mallory.user()]);
}

struct Site {
    rule: &'static str,
    sessions: Sessions,
    store: Arc<dyn Store>,
}

impl Site {
    fn new(rule: &'static str, store: Arc<dyn Store>) -> Site {
        let keyring = Keyring::new(b"an authentication key", b"0123456789abcdef");
        let keyring = keyring.unwrap_or_else(|error| panic!("{rule}: {error}"));
        Site { rule, sessions: Sessions::stored(keyring, Arc::clone(&store)), store }
    }

    fn credential(&self, user: &str) -> Fingerprint {
        self.sessions.fingerprint(user, b"the stored hash of a password")
    }

    /// The cookies of somebody who has just signed in.
    fn signed_in(&self, credential: &Fingerprint) -> String {
        let mut session = self.load("");
        session.sign_in(credential);
        self.saved(&mut session)
    }

    fn saved(&self, session: &mut Session) -> String {
        match self.sessions.save(session).map(Saved::into_cookie) {
            Ok(Some(cookie)) => cookie.stripped().to_string(),
            other => panic!("{}: save: {other:?}", self.rule),
        }
    }

    fn load(&self, cookies: &str) -> Session {
        let loaded = self.sessions.load(cookies, Scheme::Http);
        loaded.unwrap_or_else(|error| panic!("{}: load: {error}", self.rule))
    }

    fn expects(&self, session: &mut Session, credential: &Fingerprint, expected: bool) {
        let confirmed = session.confirm(credential);
        let (rule, user) = (self.rule, credential.user());
        assert!(confirmed == expected, "{rule}: {user} is confirmed: {confirmed}");
    }

    fn record(&self, cookies: &str) -> Values {
        let found = self.store.find(&Key::of(self.load(cookies).id()));
        found.ok().flatten().unwrap_or_else(|| panic!("{}: there is no record", self.rule))
    }

    /// Nothing is left behind on a shared server that has an index.
    fn delete_all(&self, users: &[&str]) {
        if let Some(index) = self.store.users() {
            users.iter().for_each(|user| drop(index.delete_by_user(user)));
        }
    }
}
