//! How loading went, counted: so that an operator sees when an old pair of keys can go.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Outcome, Session};

/// How many sessions were loaded, by their outcome and by the pair of keys that opened them.
///
/// Counted since [`Sessions`](super::Sessions) was made, without a lock. A pair of keys that has
/// opened nothing for as long as the idle time, in all processes, can go: whatever it sealed has
/// expired, or was sealed anew.
///
/// ```
/// use waxseal::seal::Keyring;
/// use waxseal::session::{Outcome, Scheme, Sessions};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?
///     .with_previous(b"last year's authentication key", b"last year's 24-byte key.")?;
/// let sessions = Sessions::sealed(keyring);
/// sessions.load("waxseal=from the Cookie header", Scheme::Http)?;
///
/// let malformed = (Outcome::Malformed, 1);
/// assert!(sessions.counts().outcomes().any(|count| count == malformed));
/// assert!(sessions.counts().keys().eq([0, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Counts {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    /// In the order of the keyring.
    keys: Box<[AtomicU64]>,
    forged: AtomicU64,
}

impl Counts {
    pub(super) fn new(pairs_of_keys: usize) -> Counts {
        let outcomes = [const { AtomicU64::new(0) }; Outcome::ALL.len()];
        let keys = (0..pairs_of_keys).map(|_| AtomicU64::new(0)).collect();
        Counts { outcomes, keys, forged: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, session: &Session) {
        // Nothing else is read by what is counted here: relaxed will do.
        self.outcomes[session.outcome as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(loaded) = &session.loaded {
            self.keys[loaded.key].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn add_forged(&self, cookies: u64) {
        if cookies > 0 {
            self.forged.fetch_add(cookies, Ordering::Relaxed);
        }
    }

    /// How many cookies came that no key authenticates, be it beside one that opened.
    pub fn forged_cookies(&self) -> u64 {
        load(&self.forged)
    }

    /// How many sessions were loaded with each outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.outcomes.iter().map(load))
    }

    /// How many sessions each pair of keys has opened; the first is the current one, the others
    /// are the previous ones in their order.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.keys.iter().map(load)
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
