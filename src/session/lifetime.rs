//! The lifetime of one session: given to it, and kept beside its values in a store.

use std::time::Duration;

use super::session::Session;
use super::store::{Change, Values};
use crate::seal::SessionLifetime;

/// The name under which a record tells the lifetime of its session, where that is not the settings' one.
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
    /// let cookie = sessions.save(&mut session)?.expect("a change is due");
    /// assert_eq!(cookie.max_age(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_lifetime(&mut self, lifetime: SessionLifetime) {
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

/// Notes the lifetime of a session beside its values.
pub(super) fn note(change: &mut Change, lifetime: SessionLifetime) {
    match lifetime.is_default() {
        true => change.remove(LIFETIME),
        false => change.set(LIFETIME, write(lifetime)),
    }
}

/// Takes the lifetime out of the values of a record; where it cannot be read, it is `sealed`.
pub(super) fn take(values: &mut Values, sealed: SessionLifetime) -> SessionLifetime {
    match values.remove(LIFETIME) {
        None => SessionLifetime::default(),
        Some(text) => read(&text).unwrap_or(sealed),
    }
}

/// Both times in seconds and whether it ends with the browser; the greatest number is the settings' time.
fn write(lifetime: SessionLifetime) -> String {
    let seconds = |time: Option<Duration>| time.map_or(u64::MAX, |time| time.as_secs());
    let (idle, absolute) = (seconds(lifetime.idle()), seconds(lifetime.absolute()));
    format!("{idle} {absolute} {}", u8::from(lifetime.ends_with_browser()))
}

fn read(text: &str) -> Option<SessionLifetime> {
    let mut parts = text.split(' ');
    let mut time = || parts.next()?.parse().ok().map(Duration::from_secs);
    let lifetime = SessionLifetime::default().with_idle(time()?).with_absolute(time()?);
    match (parts.next(), parts.next()) {
        (Some("0"), None) => Some(lifetime),
        (Some("1"), None) => Some(lifetime.until_browser_closes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(idle: Duration, absolute: Duration, ends_with_browser: bool) {
            let mut lifetime = SessionLifetime::default().with_idle(idle).with_absolute(absolute);
            if ends_with_browser {
                lifetime = lifetime.until_browser_closes();
            }
            prop_assert_eq!(read(&write(lifetime)), Some(lifetime));
        }

        #[test]
        fn no_text_panics(text: String) {
            read(&text);
        }
    }

    #[test]
    fn what_was_not_written_is_not_read() {
        assert_eq!(read(&write(SessionLifetime::default())), Some(SessionLifetime::default()));
        for text in ["", "1", "1 1", "1 1 2", "1 1 1 ", "1 1 1 1", "-1 1 0", "1  1 0", "x 1 0"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
