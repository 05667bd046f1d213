//! Fingerprints: what a session keeps of the credential that somebody signed in with.
//!
//! A fingerprint is a keyed hash, so that it tells nothing of the credential to whoever reads the
//! session, in a store for one. Its key is derived from the authentication key by HKDF-SHA256 with
//! the salt of the seal and the info `fingerprint`; it is the first 16 bytes of the HMAC-SHA256 of
//! the user's name, its length before it as a big-endian u64, and the credential.
//!
//! In a store, the mark is bound to the session, so that nobody who can write there makes one user of
//! another by copying it: behind it stand the first 16 bytes of the HMAC-SHA256 of the mark and the
//! session's id, under a key that is derived in the same way with the info `binding`.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Mac;
use subtle::ConstantTimeEq;

use super::{Id, Keyring};

/// Length in bytes: nobody finds another credential with the same one without the key.
const LEN: usize = 16;

/// A user's name together with a keyed hash of their credential, under every key of a keyring.
///
/// ```
/// use waxseal::seal::Keyring;
///
/// let keyring = Keyring::new(b"any length, but not empty", b"0123456789abcdef")?;
/// let fingerprint = keyring.fingerprint("foo", b"$argon2id$v=19$...");
/// assert_eq!(fingerprint.user(), "foo");
/// # Ok::<(), waxseal::seal::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Fingerprint {
    user: String,
    /// One for each pair of keys, the current one first.
    marks: Vec<[u8; LEN]>,
}

/// What a fingerprint is to a session that carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// The same, under the current key.
    Current,
    /// The same, under a previous key.
    Previous,
    /// Another user's or another credential's.
    None,
}

impl Keyring {
    /// The fingerprint of what `user` signs in with: the stored hash of a password, say.
    #[must_use]
    pub fn fingerprint(&self, user: &str, credential: &[u8]) -> Fingerprint {
        let length = (user.len() as u64).to_be_bytes();
        let mark = |mac: &hmac::Hmac<_>| {
            let mac = mac.clone().chain_update(length).chain_update(user).chain_update(credential);
            let full = mac.finalize().into_bytes();
            std::array::from_fn(|at| full[at])
        };
        let marks = self.pairs().iter().map(|pair| mark(&pair.fingerprint_mac)).collect();
        Fingerprint { user: user.to_owned(), marks }
    }

    /// The mark of a fingerprint as a store keeps it for the session with this id, under the current
    /// key: base64url of the mark and its binding. Of what is no mark, nothing is kept.
    pub(crate) fn bind(&self, mark: &str, id: Id) -> String {
        let mut bound = [0; 2 * LEN];
        if BASE64_URL_SAFE_NO_PAD.decode_slice(mark, &mut bound[..LEN]) != Ok(LEN) {
            return String::new();
        }
        let (mark, binding) = bound.split_at_mut(LEN);
        binding.copy_from_slice(&binding_of(&self.current().binding_mac, mark, id));
        BASE64_URL_SAFE_NO_PAD.encode(bound)
    }

    /// The mark that [`Keyring::bind`] was given, where it was bound to this id, under any of the keys.
    pub(crate) fn unbind(&self, bound: &str, id: Id) -> Option<String> {
        let mut bytes = [0; 2 * LEN];
        if BASE64_URL_SAFE_NO_PAD.decode_slice(bound, &mut bytes) != Ok(2 * LEN) {
            return None;
        }
        let (mark, binding) = bytes.split_at(LEN);
        let is_bound = |mac| bool::from(binding_of(mac, mark, id).as_slice().ct_eq(binding));
        let is_bound = self.pairs().iter().any(|pair| is_bound(&pair.binding_mac));
        is_bound.then(|| BASE64_URL_SAFE_NO_PAD.encode(mark))
    }
}

/// Both parts have one length each, and are not mistaken for another two.
fn binding_of(mac: &hmac::Hmac<sha2::Sha256>, mark: &[u8], id: Id) -> [u8; LEN] {
    let full = mac.clone().chain_update(mark).chain_update(id.0).finalize().into_bytes();
    std::array::from_fn(|at| full[at])
}

impl Fingerprint {
    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What is kept of it: base64url, under the current key.
    #[must_use]
    pub fn mark(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.marks[0])
    }

    /// Whether `mark` is what was kept of this fingerprint, under any of the keys, in constant time.
    ///
    /// ```
    /// # let keyring = waxseal::seal::Keyring::new(b"key", b"0123456789abcdef")?;
    /// let mark = keyring.fingerprint("foo", b"$argon2id$v=19$...").mark();
    /// assert!(keyring.fingerprint("foo", b"$argon2id$v=19$...").is(&mark));
    /// assert!(!keyring.fingerprint("foo", b"the hash of another password").is(&mark));
    /// # Ok::<(), waxseal::seal::KeyError>(())
    /// ```
    #[must_use]
    pub fn is(&self, mark: &str) -> bool {
        self.matches(mark) != Match::None
    }

    /// Whether `text` was this fingerprint, under any of the keys: while keys are rotated, processes
    /// with the old order and with the new one serve together.
    pub(crate) fn matches(&self, text: &str) -> Match {
        let mut kept = [0; LEN];
        if BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut kept) != Ok(LEN) {
            return Match::None;
        }
        let matches = |mark: &[u8; LEN]| bool::from(mark.ct_eq(&kept));
        match self.marks.iter().position(matches) {
            Some(0) => Match::Current,
            Some(_) => Match::Previous,
            None => Match::None,
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: (&[u8], &[u8]) = (b"the old authentication key", b"the old encryption key..");
    const NEW: (&[u8], &[u8]) = (b"the new authentication key", b"the new encryption key..");

    fn keyring(current: (&[u8], &[u8])) -> Keyring {
        Keyring::new(current.0, current.1).unwrap()
    }

    #[test]
    fn user_and_credential_are_told_apart() {
        let keyring = keyring(OLD);
        let text = keyring.fingerprint("foo", b"hash").mark();
        assert_eq!(keyring.fingerprint("foo", b"hash").matches(&text), Match::Current);
        for (user, credential) in [("foo", "hush"), ("bar", "hash"), ("fooh", "ash"), ("", "")] {
            let other = keyring.fingerprint(user, credential.as_bytes());
            assert_eq!(other.matches(&text), Match::None, "{user} {credential}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_matches_none() {
        let fingerprint = keyring(OLD).fingerprint("foo", b"hash");
        let text = fingerprint.mark();
        for other in ["", "=", &text[1..], &format!("{text}A"), &format!("{text}=")] {
            assert_eq!(fingerprint.matches(other), Match::None, "{other:?}");
        }
    }

    #[test]
    fn it_is_known_under_previous_keys_and_unknown_under_others() {
        let with_old = keyring(OLD).fingerprint("foo", b"hash").mark();
        let rotated = keyring(NEW).with_previous(OLD.0, OLD.1).unwrap();
        assert_eq!(rotated.fingerprint("foo", b"hash").matches(&with_old), Match::Previous);
        assert_eq!(rotated.fingerprint("foo", b"hush").matches(&with_old), Match::None);
        assert_eq!(keyring(NEW).fingerprint("foo", b"hash").matches(&with_old), Match::None);
    }

    #[test]
    fn a_mark_counts_for_the_session_that_it_was_bound_to_alone() {
        let keyring = keyring(OLD);
        let mark = keyring.fingerprint("foo", b"hash").mark();
        let (id, other) = (Id([1; 16]), Id([2; 16]));
        let bound = keyring.bind(&mark, id);
        assert_eq!(keyring.unbind(&bound, id).as_ref(), Some(&mark));
        assert_eq!(keyring.unbind(&bound, other), None);
        assert_ne!(keyring.bind(&mark, other), bound);
        for no_binding in ["", &mark, &bound[1..], &format!("{bound}A"), &format!("{mark}{mark}")] {
            assert_eq!(keyring.unbind(no_binding, id), None, "{no_binding}");
        }
        assert_eq!(keyring.bind("no mark", id), "");
    }

    #[test]
    fn a_binding_is_known_under_previous_keys_and_made_under_the_current_one() {
        let mark = keyring(OLD).fingerprint("foo", b"hash").mark();
        let id = Id([1; 16]);
        let under_old = keyring(OLD).bind(&mark, id);
        let rotated = keyring(NEW).with_previous(OLD.0, OLD.1).unwrap();
        assert_eq!(rotated.unbind(&under_old, id).as_ref(), Some(&mark));
        assert_eq!(keyring(NEW).unbind(&under_old, id), None);
        assert_eq!(rotated.bind(&mark, id), keyring(NEW).bind(&mark, id));
    }

    #[test]
    fn debug_shows_the_name_alone() {
        let fingerprint = keyring(OLD).fingerprint("foo", b"hash");
        assert_eq!(format!("{fingerprint:?}"), "Fingerprint { user: \"foo\", .. }");
    }
}
