//! The times of a drain.

use std::time::Instant;

use crate::server::limits::Limits;

/// A drain that has begun.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Drain {
    /// The end of the grace time, as long as that lasts.
    grace_until: Option<Instant>,
    /// When all is to be over.
    drained_by: Instant,
}

impl Drain {
    pub(in crate::server) fn begin(now: Instant, limits: &Limits, has_grace: bool) -> Drain {
        let grace = if has_grace { limits.drain_grace } else { Default::default() };
        let drained_by = now + limits.drain_time;
        Drain { grace_until: Some(drained_by.min(now + grace)), drained_by }
    }

    pub(in crate::server) fn next_deadline(&self) -> Instant {
        self.grace_until.unwrap_or(self.drained_by)
    }

    /// The grace time ends now; true once.
    pub(in crate::server) fn ends_grace(&mut self, now: Instant) -> bool {
        self.grace_until.take_if(|due| *due <= now).is_some()
    }

    /// Only what has begun is finished.
    pub(in crate::server) fn is_ending(&self) -> bool {
        self.grace_until.is_none()
    }

    /// It took all the time that it has.
    pub(in crate::server) fn is_overdue(&self, now: Instant) -> bool {
        self.drained_by <= now
    }
}
