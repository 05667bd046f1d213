//! The lifetime of one session: given to it, and kept beside its values in a store.

use std::time::Duration;

use super::session::Session;
use super::store::{Change, Values};
use crate::seal::SessionLifetime;

/// The name under which a record tells the lifetime of its session, where it has one of its own.
/// No session has a value of this name.
const LIFETIME: &str = "_lifetime";

impl Session {
    /// Gives the session a lifetime of its own, shorter than [`Settings::lifetimes`](super::Settings), and says
    /// whether its cookie ends with the browser.
    ///
    /// Call it at the sign-in ("remember me"), or at any time later. It holds until it is set again: through
    /// later visits, [`Session::renew`] and [`Session::sign_in`], which begin the time anew. A sign-in of
    /// another user resets what the session had before this request, and [`Session::destroy`] resets all. A time
    /// that is longer than the settings' one counts as that. A session that is older than its new absolute time
    /// ends when it is saved.
    ///
    /// It is inside the seal: a browser that keeps its cookie for longer gains nothing. A session without values
    /// has no cookie: where it loses its last one, its lifetime is forgotten.
    ///
    /// ```
    /// use std::time::Duration;
    /// use waxseal::session::SessionLifetime;
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// # let stays_signed_in = false;
    ///
    /// session.sign_in(&sessions.fingerprint("foo", b"hash of foo's password"));
    /// session.set_lifetime(match stays_signed_in {
    ///     true => SessionLifetime::default(),
    ///     false => {
    ///         let hour = Duration::from_secs(3600);
    ///         SessionLifetime::default().with_idle(hour).until_browser_closes()
    ///     }
    /// });
    /// let cookie = sessions.save(&mut session)?.into_cookie().expect("a change is due");
    /// assert_eq!(cookie.max_age(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_lifetime(&mut self, lifetime: SessionLifetime) {
        self.is_told = false;
        self.new_lifetime = Some(lifetime);
    }

    /// The lifetime of its own, as it was set or loaded; the default where it has none.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// use waxseal::session::SessionLifetime;
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    ///
    /// assert_eq!(session.lifetime(), SessionLifetime::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lifetime(&self) -> SessionLifetime {
        let loaded = self.loaded.as_ref().map(|loaded| loaded.lifetime);
        self.new_lifetime.or(loaded).unwrap_or_default()
    }

    /// Whether its lifetime is another than the one that was loaded.
    pub(super) fn is_lifetime_changed(&self) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| loaded.lifetime != self.lifetime())
    }
}

/// The lifetime of a session, as it is known beside its seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) lifetime: SessionLifetime,
    /// When it was given to the session, in unix seconds; 0 where that is not known.
    pub(super) since: u64,
}

impl Noted {
    /// Notes it beside the values of the session.
    pub(super) fn write(&self, change: &mut Change) {
        match self.lifetime.is_default() {
            true => change.remove(LIFETIME),
            false => change.set(LIFETIME, self.to_text()),
        }
    }

    /// Takes it out of the values of a record; where it cannot be read, it is `sealed`.
    pub(super) fn take(values: &mut Values, sealed: SessionLifetime) -> Noted {
        match values.remove(LIFETIME) {
            None => Noted::default(),
            Some(text) => Noted::read(&text).unwrap_or(Noted { lifetime: sealed, since: 0 }),
        }
    }

    /// Both times in seconds, the greatest of which is the settings' one, 1 where it ends with the browser, and
    /// since when.
    fn to_text(self) -> String {
        let seconds = |time: Option<Duration>| time.map_or(u64::MAX, |time| time.as_secs());
        let Noted { lifetime, since } = self;
        let (idle, absolute) = (seconds(lifetime.idle()), seconds(lifetime.absolute()));
        format!("{idle} {absolute} {} {since}", u8::from(lifetime.ends_with_browser()))
    }

    fn read(text: &str) -> Option<Noted> {
        let mut parts = text.split(' ');
        let mut time = || parts.next()?.parse().ok().map(Duration::from_secs);
        let times = SessionLifetime::default().with_idle(time()?).with_absolute(time()?);
        let lifetime = match parts.next()? {
            "0" => times,
            "1" => times.until_browser_closes(),
            _ => return None,
        };
        let since = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Noted { lifetime, since })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(idle: u64, absolute: u64, ends: bool, since: u64) {
            let times = SessionLifetime::default().with_idle(Duration::from_secs(idle));
            let times = times.with_absolute(Duration::from_secs(absolute));
            let lifetime = if ends { times.until_browser_closes() } else { times };
            let noted = Noted { lifetime, since };
            prop_assert_eq!(Noted::read(&noted.to_text()), Some(noted));
        }

        #[test]
        fn no_text_panics(text: String) {
            Noted::read(&text);
        }
    }

    #[test]
    fn what_was_not_written_is_not_read() {
        assert_eq!(Noted::read(&Noted::default().to_text()), Some(Noted::default()));
        for text in ["", "1", "1 1 1", "1 1 2 1", "1 1 1 1 ", "1 1 1 1 1", "-1 1 0 1", "1  1 0 1"] {
            assert_eq!(Noted::read(text), None, "{text:?}");
        }
    }
}
