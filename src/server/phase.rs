//! How far the server has come towards its end.

use std::time::Instant;

/// See the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It serves.
    Serving,
    /// A drain has begun. It serves on, and every answer is the last of its connection.
    Grace,
    /// Only what has begun is finished, and what still comes until `last_call`.
    Ending {
        /// From here on a connection without a whole request is closed.
        last_call: Instant,
    },
}

impl Phase {
    /// Every answer is the last of its connection.
    pub(super) fn is_draining(self) -> bool {
        self != Phase::Serving
    }
}
