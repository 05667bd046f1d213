//! The lifetime of a single session, which shortens that of the settings.

use std::time::Duration;

use super::Lifetimes;

/// Says that a time is the settings' one.
const UNBOUNDED: u64 = u64::MAX;
/// The bit of the flags that says that the cookie ends with the browser.
const ENDS_WITH_BROWSER: u8 = 1;

/// How long one session lives, where it is to be shorter than the settings say, and whether its cookie
/// ends with the browser.
///
/// It only shortens: where a time is longer than that of the [`Lifetimes`] in the settings, those count.
/// It is sealed into the cookie, so that no browser has to be trusted. Times are whole seconds, rounded down,
/// and a second at least.
///
/// ```
/// use std::time::Duration;
/// use waxseal::seal::SessionLifetime;
///
/// let hour = Duration::from_secs(3600);
/// let lifetime = SessionLifetime::default().with_idle(hour).with_absolute(12 * hour).until_browser_closes();
/// assert_eq!((lifetime.idle(), lifetime.absolute()), (Some(hour), Some(12 * hour)));
/// assert!(lifetime.ends_with_browser());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLifetime {
    /// In seconds.
    idle: u64,
    /// In seconds.
    absolute: u64,
    ends_with_browser: bool,
}

impl Default for SessionLifetime {
    /// That of the settings, with a cookie that outlives the browser.
    fn default() -> SessionLifetime {
        SessionLifetime { idle: UNBOUNDED, absolute: UNBOUNDED, ends_with_browser: false }
    }
}

impl SessionLifetime {
    /// Length in bytes: two times, and flags.
    pub(super) const LEN: usize = 8 + 8 + 1;

    /// The same, ending after this long without a visit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use waxseal::seal::SessionLifetime;
    ///
    /// let lifetime = SessionLifetime::default().with_idle(Duration::ZERO);
    /// assert_eq!(lifetime.idle(), Some(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn with_idle(self, idle: Duration) -> SessionLifetime {
        SessionLifetime { idle: idle.as_secs().max(1), ..self }
    }

    /// The same, ending this long after the session began, whatever happens.
    ///
    /// ```
    /// use std::time::Duration;
    /// use waxseal::seal::SessionLifetime;
    ///
    /// let day = Duration::from_secs(24 * 3600);
    /// assert_eq!(SessionLifetime::default().with_absolute(day).absolute(), Some(day));
    /// ```
    #[must_use]
    pub fn with_absolute(self, absolute: Duration) -> SessionLifetime {
        SessionLifetime { absolute: absolute.as_secs().max(1), ..self }
    }

    /// The same with a cookie that says no `Max-Age`: the browser forgets it when it is closed. Browsers that
    /// open yesterday's windows again keep such cookies too; the times hold all the same, since they are
    /// inside the seal.
    ///
    /// ```
    /// use waxseal::seal::SessionLifetime;
    ///
    /// assert!(SessionLifetime::default().until_browser_closes().ends_with_browser());
    /// ```
    #[must_use]
    pub fn until_browser_closes(self) -> SessionLifetime {
        SessionLifetime { ends_with_browser: true, ..self }
    }

    /// After how long without a visit it ends; `None` where the settings say.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        duration(self.idle)
    }

    /// How long after it began it ends; `None` where the settings say.
    #[must_use]
    pub fn absolute(&self) -> Option<Duration> {
        duration(self.absolute)
    }

    /// Whether the browser is to forget the cookie when it is closed.
    #[must_use]
    pub fn ends_with_browser(&self) -> bool {
        self.ends_with_browser
    }

    /// Whether it says nothing that the settings do not.
    pub(crate) fn is_default(&self) -> bool {
        *self == SessionLifetime::default()
    }

    pub(crate) fn to_bytes(self) -> [u8; SessionLifetime::LEN] {
        let mut bytes = [0; SessionLifetime::LEN];
        bytes[..8].copy_from_slice(&self.idle.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.absolute.to_be_bytes());
        bytes[16] = if self.ends_with_browser { ENDS_WITH_BROWSER } else { 0 };
        bytes
    }

    /// Every number of this many bytes is a lifetime: flags without a meaning are passed over.
    pub(crate) fn from_bytes(bytes: &[u8; SessionLifetime::LEN]) -> SessionLifetime {
        let be_u64 = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        SessionLifetime {
            idle: be_u64(0),
            absolute: be_u64(8),
            ends_with_browser: bytes[16] & ENDS_WITH_BROWSER != 0,
        }
    }
}

fn duration(seconds: u64) -> Option<Duration> {
    (seconds != UNBOUNDED).then(|| Duration::from_secs(seconds))
}

impl Lifetimes {
    /// The shorter times of these and a session's own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use waxseal::seal::{Lifetimes, SessionLifetime};
    ///
    /// let (hour, year) = (Duration::from_secs(3600), Duration::from_secs(365 * 24 * 3600));
    /// let own = SessionLifetime::default().with_idle(hour).with_absolute(year);
    /// let both = Lifetimes::default().shortened_by(&own);
    /// assert_eq!(both, Lifetimes { idle: hour, ..Lifetimes::default() });
    /// ```
    #[must_use]
    pub fn shortened_by(&self, own: &SessionLifetime) -> Lifetimes {
        Lifetimes {
            idle: self.idle.min(own.idle().unwrap_or(Duration::MAX)),
            absolute: self.absolute.min(own.absolute().unwrap_or(Duration::MAX)),
        }
    }
}
