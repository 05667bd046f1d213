//! How the loading of a session went.

/// How the loading of a session went.
///
/// ```
/// use waxseal::{seal::Keyring, session::{Outcome, Scheme, Sessions}};
///
/// let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
/// let session = sessions.load("waxseal=made up", Scheme::Http)?; // no error: nobody's fault
/// assert_eq!(session.outcome(), Outcome::Malformed);
/// assert_eq!(session.outcome().as_str(), "malformed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// There was no cookie of the name.
    New,
    /// Opened with the current keys.
    Valid,
    /// Opened with a previous pair of keys; it will be sealed anew.
    PreviousKey,
    /// Not a sealed cookie at all, or a genuine one that cannot be used here: its values are in a
    /// store and there is none, or the other way round; or it comes from the future.
    Malformed,
    /// No key authenticates it.
    Forged,
    /// Its idle time or its lifetime has run out.
    Expired,
    /// It was signed out, or began before `not_before`, or its record is gone from the store.
    Revoked,
}

impl Outcome {
    /// All of them, each at the place of its number.
    pub(super) const ALL: [Outcome; 7] = [
        Outcome::New,
        Outcome::Valid,
        Outcome::PreviousKey,
        Outcome::Malformed,
        Outcome::Forged,
        Outcome::Expired,
        Outcome::Revoked,
    ];

    /// The outcome as one lower-case word, for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::New => "new",
            Outcome::Valid => "valid",
            Outcome::PreviousKey => "previous_key",
            Outcome::Malformed => "malformed",
            Outcome::Forged => "forged",
            Outcome::Expired => "expired",
            Outcome::Revoked => "revoked",
        }
    }
}
