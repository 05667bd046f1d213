//! Sign-outs of sealed sessions: what is known of them, and how processes share them.
//!
//! A sealed session is in its cookie, and a copy of the cookie opens until a process knows that its
//! session has ended. Each process keeps the list of these sessions in memory, where a visit looks.
//! Sign-outs alone travel, through a store that all processes share.

mod entry;
mod list;
mod memory;
mod shard;
mod sharing;
mod terms;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::StoreError;
use super::clock::from_unix_seconds;

pub(super) use entry::{Entry, User};
pub(super) use list::{List, Marks};
pub use memory::MemoryRevocations;
pub use sharing::RevocationStatus;
pub(super) use sharing::Sharing;
pub(super) use terms::Terms;

/// A store through which processes share the sign-outs of their sealed sessions, for
/// [`Sessions::with_revocations`](super::Sessions::with_revocations).
///
/// It keeps a set of [`Revocation`]s, each until its time is over, and tells in which order they came.
/// Every implementation passes `session::conformance::revocations` (Cargo feature `conformance`);
/// [`MemoryRevocations`] is the worked example. A call may block, for two seconds at most: a store that
/// cannot be reached is an error.
///
/// ```
/// use waxseal::session::{Learned, Position, Revocation, Revocations, StoreError};
///
/// /// Another store, whose failures are printed.
/// struct Loud<R>(R);
///
/// impl<R: Revocations> Revocations for Loud<R> {
///     fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
///         self.0.publish(revocations).inspect_err(|error| eprintln!("publish: {error}"))
///     }
///
///     fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
///         self.0.withdraw(revocations).inspect_err(|error| eprintln!("withdraw: {error}"))
///     }
///
///     fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
///         self.0.learn(after).inspect_err(|error| eprintln!("learn: {error}"))
///     }
/// }
/// ```
pub trait Revocations: Send + Sync {
    /// Keeps these, each until its [time](Revocation::until) is over. One that is there already is
    /// no error, and does not count as new. At most [`MOST_AT_ONCE`] are published in one call.
    ///
    /// Once this returned, they must outlast a crash of the store, as far as the store can promise.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where it is not known to be done; it can be done again.
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError>;

    /// Drops these, which others that were published stand for. One that is not there is no error. It may
    /// do nothing, and let them go when their time is over.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where it is not known to be done.
    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError>;

    /// The revocations that came after a position, at most some thousand at a time; from the beginning,
    /// all that are of use, where there is no position. None may be missed that was committed late,
    /// out of its order; one may be told twice.
    ///
    /// A store that cannot continue from the position answers [`Learned::Lost`]: its data was lost,
    /// trimmed or replaced, or its server was restarted and may have lost the last of it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where it cannot be told.
    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError>;
}

/// Most revocations in one [`Revocations::publish`] or [`Revocations::withdraw`].
pub const MOST_AT_ONCE: usize = 1000;

/// A shared store is one: several [`Sessions`](super::Sessions) may use the same.
impl<R: Revocations + ?Sized> Revocations for Arc<R> {
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        (**self).publish(revocations)
    }

    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        (**self).withdraw(revocations)
    }

    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
        (**self).learn(after)
    }
}

/// The answer to [`Revocations::learn`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// Some revocations.
    Page {
        /// They, in any order.
        revocations: Vec<Revocation>,
        /// The position after them.
        position: Position,
        /// No more are there now.
        is_last: bool,
    },
    /// The store cannot continue: it is to be learnt from the beginning, and told again what is known.
    Lost,
}

/// A position in the order in which revocations came to a store: text that the store alone understands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position(pub String);

/// One revocation, as a store keeps it: a session, or sessions of a user that began by some time.
///
/// It names a user by half of the SHA-256 of the name, and a session by its id. Whoever can read it
/// learns who was signed out when; it is of no use for making a cookie. Whoever can write it can sign
/// people out.
///
/// ```
/// use waxseal::session::Revocation;
///
/// assert_eq!(Revocation::from_bytes(b"anything"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revocation([u8; Revocation::LEN]);

impl Revocation {
    /// Length in bytes: kind (1), user (16), session (16), the second at which the session began or up to
    /// which sessions began (8), the second up to which it is of use (8). Seconds are unix time, the
    /// most significant byte first.
    pub const LEN: usize = 49;
    const UNTIL: usize = Revocation::LEN - 8;

    /// Its bytes, by which two are the same or not.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Revocation::LEN] {
        &self.0
    }

    /// The revocation of these bytes; none where they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Revocation> {
        let revocation = Revocation(bytes.try_into().ok()?);
        Entry::of(&revocation).map(|_| revocation)
    }

    /// When it is over: no cookie that it refuses could open any more.
    #[must_use]
    pub fn until(&self) -> SystemTime {
        from_unix_seconds(self.until_seconds())
    }

    pub(super) fn until_seconds(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[Revocation::UNTIL..]);
        u64::from_be_bytes(bytes)
    }
}

/// The first four bytes of the session's id at most.
impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Entry::of(self) {
            Some(entry) => write!(f, "Revocation({entry:?}, until {})", self.until_seconds()),
            None => f.write_str("Revocation(unknown)"),
        }
    }
}

/// How far a sign-out has come when the call that made it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reach {
    /// It holds in all processes that share their sign-outs, within a second, and after a restart.
    Confirmed,
    /// It holds in this process. The others are told as soon as the store can be reached; it is lost if
    /// this process dies before.
    Pending,
}

/// A name for a set of revocations that no other has: sixteen hexadecimal digits.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(super) fn random_name() -> String {
    let [a, b, c, d, e, f, g, h, ..] = crate::seal::Id::random().0;
    format!("{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// The bytes of a revocation in hexadecimal digits.
#[cfg(feature = "postgres")]
pub(super) fn hex(revocation: &Revocation) -> String {
    let mut digits = String::with_capacity(2 * Revocation::LEN);
    for byte in revocation.0 {
        for half in [byte >> 4, byte & 15] {
            digits.extend(char::from_digit(half.into(), 16));
        }
    }
    digits
}

/// The revocation of these hexadecimal digits.
#[cfg(feature = "postgres")]
pub(super) fn from_hex(digits: &str) -> Option<Revocation> {
    let byte = |pair: &[u8]| {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        u8::try_from(high? << 4 | low?).ok()
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks_exact(2).map(byte).collect();
    Revocation::from_bytes(&bytes?)
}
