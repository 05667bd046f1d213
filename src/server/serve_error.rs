//! Why serving ended.

use std::{fmt, io};

/// Why serving ended, or did not begin.
///
/// ```
/// use waxseal::server::ServeError;
///
/// /// Whether to start the program again helps: its supervisor does, by this exit code.
/// fn exit_code(error: &ServeError) -> u8 {
///     if matches!(error, ServeError::Stuck(_)) { 70 } else { 1 }
/// }
/// # let _ = exit_code;
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// It could not begin.
    Start(String),
    /// The event loop cannot wait for events any more.
    Poll(io::Error),
    /// It could not go on: tiny_http gives no more requests, no lane to it can be opened, or every worker has
    /// been at the same request for a minute.
    Stuck(&'static str),
    /// A second SIGTERM or SIGINT came before the drain was over.
    Interrupted,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Start(why) => write!(f, "the server cannot start: {why}"),
            ServeError::Poll(error) => write!(f, "the server cannot wait for events: {error}"),
            ServeError::Stuck(why) => write!(f, "the server cannot go on: {why}"),
            ServeError::Interrupted => f.write_str("a second signal ended the drain"),
        }
    }
}

impl std::error::Error for ServeError {}
