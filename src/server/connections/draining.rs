//! How the connections come to their end in a drain.

use std::time::{Duration, Instant};

use super::{Connections, Moment};
use crate::server::connection::Stage;
use crate::server::phase::Phase;
use crate::server::tokens::ConnectionKey;

/// From the end of the grace time until connections without a whole request are closed: enough for what is
/// on its way over connections that were accepted last.
const LAST_CALL: Duration = Duration::from_millis(75);

impl Connections {
    /// Somebody is connected who has asked and may ask again, or whose request has begun. Nothing has begun for a
    /// client whose first head is not whole.
    pub(in crate::server) fn deserve_grace(&self) -> bool {
        self.entries.values().any(|entry| match entry.connection.stage() {
            Stage::Idle | Stage::Head => entry.connection.has_asked(),
            Stage::Body | Stage::Waiting | Stage::Answering => true,
            Stage::Closing => false,
        })
    }

    /// From here on every answer is the last of its connection.
    pub(in crate::server) fn begin_grace(&mut self) {
        self.phase = Phase::Grace;
    }

    /// Accepts no more, and closes soon what has no whole request. All connections are to be advanced.
    pub(in crate::server) fn end_grace(&mut self, now: Instant) -> Vec<ConnectionKey> {
        self.stop_accepting(now);
        self.phase = Phase::Ending { last_call: now + LAST_CALL };
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase: self.phase };
        for entry in self.entries.values_mut() {
            // Something may have come that no event has told of yet.
            entry.readable = true;
            entry.connection.hasten(moment);
        }
        self.entries.keys().collect()
    }

    /// Closes all connections, whatever is under way.
    pub(in crate::server) fn close_all(&mut self) {
        self.entries.clear();
    }
}
