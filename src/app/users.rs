//! Who may sign in: the users of a list, or the one pair of the demonstration.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use waxseal::seal::{Fingerprint, Keyring};

use super::password_hash::{Memory, PasswordHash};
use super::user_list::UserList;

/// The pair of the demonstration. It stands in the README.
pub const DEMO: (&str, &str) = ("foo", "secret");
/// Its entry. No user is configured with this hash: where users are configured, a session of the
/// demonstration ends, even one of a user called foo.
const DEMO_ENTRY: &str = concat!(
    "foo:$argon2id$v=19$m=8,t=1,p=1$YKQMosCr6UP7NqpP7udA1g$",
    "Nsj+AImdJHXeXTK00DyfnUbZxCaOsseal6/kJ279yoA"
);

/// Everybody who may sign in.
pub struct Users {
    known: RwLock<Arc<Known>>,
    is_demo: bool,
    keyring: Arc<Keyring>,
}

/// A list, with what every request compares its session with.
struct Known {
    user_list: UserList,
    fingerprints: HashMap<String, Arc<Fingerprint>>,
}

impl Known {
    fn new(user_list: UserList, keyring: &Keyring) -> Known {
        let fingerprint = |(name, hash): (&str, &PasswordHash)| {
            let fingerprint = keyring.fingerprint(name, hash.as_str().as_bytes());
            (name.to_owned(), Arc::new(fingerprint))
        };
        Known { fingerprints: user_list.iter().map(fingerprint).collect(), user_list }
    }
}

impl Users {
    /// The users of `user_list`.
    pub fn new(user_list: UserList, keyring: Arc<Keyring>) -> Users {
        let known = RwLock::new(Arc::new(Known::new(user_list, &keyring)));
        Users { known, is_demo: false, keyring }
    }

    /// The demonstration's.
    pub fn demo(keyring: Arc<Keyring>) -> Users {
        // A test signs in with it.
        let user_list = UserList::parse(DEMO_ENTRY).expect("the demonstration's entry is one");
        Users { is_demo: true, ..Users::new(user_list, keyring) }
    }

    /// Whether anybody may sign in with the pair that stands in the README.
    pub fn is_demo(&self) -> bool {
        self.is_demo
    }

    /// Whether there is a user called `name`.
    pub fn knows(&self, name: &str) -> bool {
        self.fingerprint(name).is_some()
    }

    /// The fingerprint of the user called `name`, if `password` is right. Takes as long where there
    /// is no such user.
    pub fn verify(
        &self,
        name: &str,
        password: &str,
        memory: &mut Memory,
    ) -> Option<Arc<Fingerprint>> {
        let known = self.known();
        let is_right = known.user_list.verify(name, password, self.decoy(name), memory);
        known.fingerprints.get(name).filter(|_| is_right).cloned()
    }

    /// The fingerprint of the user called `name`, as the stored hash is now.
    pub fn fingerprint(&self, name: &str) -> Option<Arc<Fingerprint>> {
        self.known().fingerprints.get(name).cloned()
    }

    /// From now on the users of `user_list` may sign in, and no others.
    pub fn replace(&self, user_list: UserList) {
        let known = Arc::new(Known::new(user_list, &self.keyring));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Chooses whose hash is verified for a name that is unknown: by the keys, so that it is the same after a
    /// restart, and in every process, as it would be for a name that is known.
    fn decoy(&self, name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.keyring.fingerprint(name, b"decoy").mark().hash(&mut hasher);
        hasher.finish()
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::super::password_hash::Cost;
    use super::*;

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new(b"authentication", b"0123456789abcdef").unwrap())
    }

    fn user_list(name: &str, password: &str) -> UserList {
        let cost = Cost { memory: 8, iterations: 1, parallelism: 1 };
        let hash = PasswordHash::new(password, cost).unwrap();
        UserList::parse(&format!("{name}:{}", hash.as_str())).unwrap()
    }

    #[test]
    fn the_demonstration_has_its_one_pair() {
        let users = Users::demo(keyring());
        assert!(users.is_demo() && users.verify(DEMO.0, DEMO.1, &mut Memory::new()).is_some());
        for (name, password) in [("foo", "Secret"), ("Foo", "secret"), ("", "secret"), ("foo", "")]
        {
            assert!(users.verify(name, password, &mut Memory::new()).is_none());
        }
    }

    #[test]
    fn a_decoy_is_the_same_after_a_restart_and_another_with_other_keys() {
        let decoys = |keyring| {
            let users = Users::new(user_list("alice", "a"), keyring);
            ["bob", "carol"].map(|name| users.decoy(name))
        };
        let (before, after) = (decoys(keyring()), decoys(keyring()));
        assert!(before == after && before[0] != before[1]);
        let other = Keyring::new(b"other", b"0123456789abcdef").unwrap();
        assert_ne!(decoys(Arc::new(other)), before);
    }

    #[test]
    fn with_users_the_pair_does_not_exist() {
        let users = Users::new(user_list("alice", "a"), keyring());
        assert!(!users.is_demo() && !users.knows("foo"));
        assert!(
            users.verify("foo", "secret", &mut Memory::new()).is_none()
                && users.verify("alice", "a", &mut Memory::new()).is_some()
        );
    }

    #[test]
    fn another_list_ends_what_was_signed_with_the_first() {
        let users = Users::new(user_list("alice", "a"), keyring());
        assert!(users.fingerprint("alice").is_some());
        users.replace(user_list("bob", "b"));
        assert!(
            users.fingerprint("alice").is_none()
                && users.verify("bob", "b", &mut Memory::new()).is_some()
        );
    }
}
