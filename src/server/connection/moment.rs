//! The circumstances of an event, and the deadlines that follow from them.

use std::time::{Duration, Instant};

use crate::server::limits::Limits;
use crate::server::phase::Phase;
use crate::server::rejection_pages::RejectionPages;

/// The time for which input is discarded after an answer while the server ends, so that nobody who goes on
/// sending delays its end.
const LAST_LINGER: Duration = Duration::from_millis(75);

/// The circumstances of an event.
#[derive(Clone, Copy)]
pub(in crate::server) struct Moment<'a> {
    pub(in crate::server) now: Instant,
    pub(in crate::server) limits: &'a Limits,
    /// The answers to what is rejected.
    pub(in crate::server) pages: &'a RejectionPages,
    pub(in crate::server) phase: Phase,
}

impl Moment<'_> {
    /// The time until something must have come from the client: what the limits say, and in the end no more
    /// than the last call.
    pub(super) fn deadline_to_send(&self, time: Duration) -> Instant {
        let deadline = self.now + time;
        match self.phase {
            Phase::Ending { last_call } => deadline.min(last_call),
            Phase::Serving | Phase::Grace => deadline,
        }
    }

    /// The time until which input is discarded after the last answer.
    pub(super) fn deadline_to_linger(&self) -> Instant {
        self.now
            + match self.phase {
                Phase::Ending { .. } => self.limits.linger_time.min(LAST_LINGER),
                Phase::Serving | Phase::Grace => self.limits.linger_time,
            }
    }
}
