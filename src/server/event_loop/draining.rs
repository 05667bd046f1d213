//! How the event loop comes to its end.

use std::time::Instant;

use log::{info, warn};

use super::EventLoop;
use crate::server::lifecycle::drain::Drain;
use crate::server::lifecycle::signals::Told;
use crate::server::serve_error::ServeError;

impl EventLoop {
    pub(super) fn is_drained(&self) -> bool {
        self.drain.is_some_and(|drain| drain.is_ending()) && self.connections.len() == 0
    }

    pub(super) fn signalled(&mut self, now: Instant) -> Result<(), ServeError> {
        match self.signals.take() {
            Told::Drain if self.drain.is_none() => self.begin_drain(now),
            Told::Nothing | Told::Drain => {}
            Told::End => return Err(ServeError::Interrupted),
        }
        Ok(())
    }

    fn begin_drain(&mut self, now: Instant) {
        info!(connections = self.connections.len(); "draining");
        let has_grace = self.connections.deserve_grace();
        self.drain = Some(Drain::begin(now, &self.limits, has_grace));
        self.connections.begin_grace();
        self.drain(now);
    }

    /// Does what is due in a drain.
    pub(super) fn drain(&mut self, now: Instant) {
        let Some(drain) = &mut self.drain else { return };
        if drain.ends_grace(now) {
            for key in self.connections.end_grace(now) {
                self.advance(now, key);
            }
        } else if drain.is_overdue(now) {
            let connections = self.connections.len();
            warn!(connections; "the drain took too long; connections are cut off");
            self.connections.close_all();
        }
    }
}
