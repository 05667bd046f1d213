//! Who is signed in, and with which credential.

use super::Session;
use super::store::Values;
use super::user_index::{MARK, USERNAME};
use crate::seal::{Fingerprint, Match};

impl Session {
    /// Signs somebody in, whose credential was found right: makes a new session of it (as
    /// [`Session::renew`] does), with the user's name as the value `username`, and the fingerprint
    /// of the credential among Waxseal's own. The values stay, unless they are another user's; so does a
    /// [lifetime of its own](Session::set_lifetime).
    ///
    /// See [`Session::confirm`] for what the fingerprint is good for.
    pub fn sign_in(&mut self, fingerprint: &Fingerprint) {
        let is_another = |user: Option<&str>| user.is_some_and(|user| user != fingerprint.user());
        if is_another(self.user()) {
            self.empty();
        }
        // Values that were cleared before are another's too, and must not come back after a page that failed.
        if is_another(self.user_before()) {
            self.is_emptied = true;
            self.new_lifetime.get_or_insert_default();
        }
        self.renew();
        let values = self.values_mut();
        values.insert(USERNAME.to_owned(), fingerprint.user().to_owned());
        values.insert(MARK.to_owned(), fingerprint.mark());
    }

    /// The user who was signed in when the session was loaded.
    fn user_before(&self) -> Option<&str> {
        let loaded = self.loaded.as_ref()?;
        user_of(loaded.values.as_ref().unwrap_or(&self.values))
    }

    pub(super) fn empty(&mut self) {
        self.clear();
        self.is_emptied = true;
    }

    /// The user who signed in. Whether that user is still there, with the same credential, is for
    /// [`Session::confirm`] to say.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        user_of(&self.values)
    }

    /// Whether this user signed in with this credential.
    ///
    /// Call it wherever the user matters, with the fingerprint of the credential as it is stored
    /// now: with another password, the user's sessions made before are worth nothing, everywhere
    /// and across restarts, although nothing was stored about them. Where it is false although
    /// [`Session::user`] names somebody, call [`Session::destroy`].
    ///
    /// A fingerprint under a previous key is right, and is replaced by one under the current key.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// session.sign_in(&sessions.fingerprint("foo", b"hash of the old password"));
    /// assert!(session.confirm(&sessions.fingerprint("foo", b"hash of the old password")));
    /// assert!(!session.confirm(&sessions.fingerprint("foo", b"hash of the new password")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A program that ignores the answer is warned, since everybody would stay signed in:
    ///
    /// ```compile_fail
    /// #![deny(unused_must_use)]
    /// # use waxseal::session::{Fingerprint, Session};
    /// fn greet(session: &mut Session, fingerprint: &Fingerprint) {
    ///     session.confirm(fingerprint);
    /// }
    /// ```
    #[must_use = "where it is false, nobody may be taken for signed in"]
    pub fn confirm(&mut self, fingerprint: &Fingerprint) -> bool {
        if self.user() != Some(fingerprint.user()) {
            return false;
        }
        match fingerprint.matches(self.get(MARK).unwrap_or_default()) {
            Match::Current => true,
            Match::Previous => {
                self.values_mut().insert(MARK.to_owned(), fingerprint.mark());
                true
            }
            Match::None => false,
        }
    }
}

/// The user who signed in, by the values of a session or of its record.
///
/// ```
/// use waxseal::session::{MARK, USERNAME, Values, user_of};
///
/// let mut values = Values::from([(USERNAME.to_owned(), "foo".to_owned())]);
/// assert_eq!(user_of(&values), None, "the name alone is anybody's word");
/// values.insert(MARK.to_owned(), "the mark of a credential".to_owned());
/// assert_eq!(user_of(&values), Some("foo"));
/// ```
#[must_use]
pub fn user_of(values: &Values) -> Option<&str> {
    values.get(USERNAME).map(String::as_str).filter(|_| values.contains_key(MARK))
}
