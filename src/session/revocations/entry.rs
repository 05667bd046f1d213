//! One revocation, as the list keeps it.

use sha2::{Digest, Sha256};

use super::Revocation;
use crate::seal::Id;

/// The end of the ids that a mark spares.
pub(in super::super) type Spared = [u8; 4];

/// A user by half of the SHA-256 of the name, which takes the same room for every name; or nobody, for
/// sessions without a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct User([u8; 16]);

impl User {
    pub(in super::super) const NOBODY: User = User([0; 16]);

    pub(in super::super) fn named(name: &str) -> User {
        let mut half = [0; 16];
        half.copy_from_slice(&Sha256::digest(name)[..16]);
        User(half)
    }

    /// The sixteen bytes, of which any are as random as others.
    pub(super) fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// The kinds of revocations, in the order in which a user's stand in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    /// The sessions of the user that began by then: it stands for the revocations of many of them.
    Folded = 1,
    /// The sessions of the user that began by then, but for those whose id it spares.
    Everywhere = 2,
    /// One session.
    Session = 3,
}

/// 40 bytes for each: a million take 40 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Entry {
    pub(super) user: User,
    pub(super) kind: Kind,
    /// The session; for a mark, the end of the ids that it spares, and zeros.
    pub(super) id: Id,
    /// When the session began; for a mark, the last second at which a session that it ends began. Unix
    /// seconds, until 2106.
    pub(super) begun: u32,
}

impl Entry {
    /// The session with this id, which began at this unix second.
    pub(in super::super) fn session(user: User, id: Id, begun: u64) -> Entry {
        Entry { user, kind: Kind::Session, id, begun: seconds(begun) }
    }

    /// All sessions of the user that began by this unix second, but for those whose id ends with `spared`.
    pub(in super::super) fn everywhere(user: User, begun: u64, spared: Spared) -> Entry {
        let mut id = Id([0; Id::LEN]);
        id.0[..spared.len()].copy_from_slice(&spared);
        Entry { user, kind: Kind::Everywhere, id, begun: seconds(begun) }
    }

    /// All sessions of the user that began by then.
    pub(super) fn folded(user: User, begun: u32) -> Entry {
        Entry { user, kind: Kind::Folded, id: Id([0; Id::LEN]), begun }
    }

    pub(super) fn is_mark(&self) -> bool {
        self.kind != Kind::Session
    }

    /// The end of the ids that a mark of the kind [`Kind::Everywhere`] spares.
    pub(super) fn spared(&self) -> Spared {
        let [a, b, c, d, ..] = self.id.0;
        [a, b, c, d]
    }

    /// Whether this mark ends the session of its user with this id that began then.
    pub(super) fn ends(&self, id: Id, begun: u32) -> bool {
        let is_spared = self.kind == Kind::Everywhere && id.0.ends_with(&self.spared());
        begun <= self.begun && !is_spared
    }

    /// As a store keeps it, with the unix second up to which it is of use.
    pub(in super::super) fn revocation(&self, until: u64) -> Revocation {
        let mut bytes = [0; Revocation::LEN];
        bytes[0] = self.kind as u8;
        bytes[1..17].copy_from_slice(&self.user.0);
        bytes[17..33].copy_from_slice(&self.id.0);
        bytes[33..41].copy_from_slice(&u64::from(self.begun).to_be_bytes());
        bytes[41..].copy_from_slice(&until.to_be_bytes());
        Revocation(bytes)
    }

    /// The entry of a revocation; none where it is of a kind that this version does not know.
    pub(super) fn of(revocation: &Revocation) -> Option<Entry> {
        let bytes = &revocation.0;
        let kind = match bytes[0] {
            1 => Kind::Folded,
            2 => Kind::Everywhere,
            3 => Kind::Session,
            _ => return None,
        };
        let user = User(bytes[1..17].try_into().ok()?);
        let id = Id(bytes[17..33].try_into().ok()?);
        let begun = seconds(u64::from_be_bytes(bytes[33..41].try_into().ok()?));
        // A mark of nobody would end the sessions of all who have no user.
        (kind == Kind::Session || user != User::NOBODY).then_some(Entry { user, kind, id, begun })
    }
}

fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_its_bytes() {
        let foo = User::named("foo");
        let all = [
            Entry::session(foo, Id([7; 16]), 1_000),
            Entry::session(User::NOBODY, Id([8; 16]), 2_000),
            Entry::everywhere(foo, 3_000, *b"abcd"),
            Entry::folded(foo, 4_000),
        ];
        for entry in all {
            let revocation = entry.revocation(5_000);
            assert_eq!(Entry::of(&revocation), Some(entry));
            assert_eq!(revocation.until_seconds(), 5_000);
            assert_eq!(Revocation::from_bytes(revocation.as_bytes()), Some(revocation));
        }
    }

    #[test]
    fn what_is_no_revocation_is_none() {
        let mut bytes = *Entry::folded(User::named("foo"), 1).revocation(2).as_bytes();
        assert_eq!(Revocation::from_bytes(&bytes[1..]), None);
        bytes[0] = 9;
        assert_eq!(Revocation::from_bytes(&bytes), None, "a kind of a later version");
        let of_nobody = Entry::folded(User::NOBODY, 1).revocation(2);
        assert_eq!(Revocation::from_bytes(of_nobody.as_bytes()), None);
    }

    #[test]
    fn entries_take_forty_bytes() {
        assert_eq!(size_of::<Entry>(), 40);
    }
}
