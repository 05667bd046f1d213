//! How long revocations are of use.

use std::sync::Arc;

use crate::seal::CLOCK_SKEW;
use crate::session::Clock;
use crate::session::clock::unix_seconds;

/// Clocks of processes that share their sign-outs may be so many seconds apart.
const CLOCKS_APART: u64 = 600;

/// The clock, and the longest life of a session in seconds.
#[derive(Clone)]
pub(in super::super) struct Terms {
    pub(in super::super) clock: Arc<dyn Clock>,
    pub(in super::super) lifetime: u64,
}

impl Terms {
    /// The time now, in unix seconds.
    pub(in super::super) fn now(&self) -> u64 {
        unix_seconds(self.clock.now())
    }

    /// Cookies of sessions that began before this unix second cannot open any more.
    pub(in super::super) fn oldest(&self) -> u64 {
        self.now().saturating_sub(self.lifetime).saturating_sub(CLOCK_SKEW)
    }

    /// The unix second after which no process opens a cookie of a session that began at `begun`.
    pub(super) fn until(&self, begun: u64) -> u64 {
        begun.saturating_add(self.lifetime).saturating_add(CLOCK_SKEW + CLOCKS_APART)
    }

    /// The last second at which a session can have begun by now, in any process that shares sign-outs.
    pub(in super::super) fn latest(&self) -> u64 {
        self.now().saturating_add(CLOCKS_APART)
    }
}
