//! Why a session was not saved.

use std::error::Error;
use std::fmt;

use super::StoreError;

/// Why a session could not be saved.
///
/// ```
/// use waxseal::{seal::Keyring, session::{SaveError, Scheme, Sessions}};
///
/// let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
/// let mut session = sessions.load("", Scheme::Http)?;
/// session.insert("novel", "x".repeat(5000))?;
/// let error = sessions.save(&mut session).unwrap_err();
/// assert!(matches!(error, SaveError::SessionTooLarge { limit: 4096, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// More than a browser, or the store, would keep.
    SessionTooLarge {
        /// The size in bytes: in a cookie, its name and value together.
        size: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The store failed.
    Store(StoreError),
    /// The session was loaded through other [`Sessions`](super::Sessions): its cookie would go out under a wrong
    /// name, or its change into a wrong store.
    OtherSessions,
}

impl From<StoreError> for SaveError {
    fn from(error: StoreError) -> SaveError {
        match error {
            StoreError::TooLarge { size, limit } => SaveError::SessionTooLarge { size, limit },
            other => SaveError::Store(other),
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::SessionTooLarge { size, limit } => {
                write!(f, "the session would take {size} bytes; {limit} are allowed")
            }
            SaveError::Store(_) => f.write_str("the session could not be saved"),
            SaveError::OtherSessions => f.write_str(
                "the session was loaded through other Sessions than it is saved through",
            ),
        }
    }
}

impl Error for SaveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SaveError::SessionTooLarge { .. } | SaveError::OtherSessions => None,
            SaveError::Store(error) => Some(error),
        }
    }
}
