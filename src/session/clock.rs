//! What time it is: the system's, or the one that a test sets.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time. [`ManualClock`] has an example.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still until it is told otherwise, for tests.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use waxseal::session::{Clock, ManualClock};
///
/// let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct ManualClock(Mutex<SystemTime>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: SystemTime) -> ManualClock {
        ManualClock(Mutex::new(now))
    }

    /// Moves the clock on by `step`.
    pub fn advance(&self, step: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += step;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unix seconds of `time`; 0 for what lies before 1970.
pub(super) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The milliseconds of a lifetime; a thousand years at most, which every store can add to its time.
#[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
pub(super) fn milliseconds(lifetime: Duration) -> i64 {
    const MOST: i64 = 1000 * 365 * 24 * 3600 * 1000;
    i64::try_from(lifetime.as_millis()).unwrap_or(MOST).min(MOST)
}

/// The last second that every platform can tell: that of the year 9999.
const END_OF_9999: u64 = 253_402_300_799;

/// The time at `seconds` after 1970; the end of 9999 for what lies beyond.
pub(super) fn from_unix_seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(END_OF_9999))
}

/// The time so long after `time`; the end of 9999 for what lies beyond.
pub(super) fn after(time: SystemTime, lifetime: Duration) -> SystemTime {
    time.checked_add(lifetime).unwrap_or_else(|| from_unix_seconds(END_OF_9999))
}
