//! Why serving ended.

use std::{fmt, io};

/// Why serving ended, or did not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// It could not begin.
    Start(String),
    /// The event loop cannot wait for events any more.
    Poll(io::Error),
    /// A second SIGTERM or SIGINT came before the drain was over.
    Interrupted,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Start(why) => write!(f, "the server cannot start: {why}"),
            ServeError::Poll(error) => write!(f, "the server cannot wait for events: {error}"),
            ServeError::Interrupted => f.write_str("a second signal ended the drain"),
        }
    }
}

impl std::error::Error for ServeError {}
