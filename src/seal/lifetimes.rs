//! How long a sealed cookie lives: since it was made, and since its session began.

use std::time::Duration;

use super::{Header, Refusal};

/// How far ahead another process's clock may be, in seconds.
pub const CLOCK_SKEW: u64 = 60;

/// How long a session lives; counted in whole seconds.
///
/// ```
/// use std::time::Duration;
/// use waxseal::seal::Lifetimes;
///
/// assert_eq!(Lifetimes::default().idle, Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(Lifetimes::default().absolute, Duration::from_secs(30 * 24 * 3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// After this long without a visit a session ends. Visits extend it once a quarter of it has
    /// gone, so that the time that counts is three quarters of this, or more.
    pub idle: Duration,
    /// After this long a session ends whatever happens.
    pub absolute: Duration,
}

impl Default for Lifetimes {
    /// Seven days idle, thirty days in all.
    fn default() -> Lifetimes {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Lifetimes { idle: 7 * DAY, absolute: 30 * DAY }
    }
}

impl Lifetimes {
    /// Refuses what is too old, by these or by the header's own lifetime, and what no honest clock has made.
    pub(crate) fn check(&self, header: &Header, now: u64) -> Result<(), Refusal> {
        if header.sealed > now.saturating_add(CLOCK_SKEW) {
            return Err(Refusal::Future);
        }
        if header.created > header.sealed {
            return Err(Refusal::CreatedAfterSealed);
        }
        let Lifetimes { idle, absolute } = self.shortened_by(&header.lifetime);
        if now.saturating_sub(header.sealed) >= idle.as_secs() {
            return Err(Refusal::Idle);
        }
        if now.saturating_sub(header.created) >= absolute.as_secs() {
            return Err(Refusal::TooOld);
        }
        Ok(())
    }
}
