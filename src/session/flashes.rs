//! Flashes: messages that the next page shows once.

use std::error::Error;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use form_urlencoded::byte_serialize;

use super::Session;
use super::store::Values;

/// Bytes that all flashes of a session have together, as they are sealed. Django's cookie of messages has the
/// same bound.
const MAX_FLASHES: usize = 2048;

/// Name of a flash in the payload, before a dot and its level; in a map, before a dot, its order, and that.
const FLASH: &str = "_flash";

/// How a flash is to be shown. The levels are Django's.
///
/// ```
/// use waxseal::session::Level;
///
/// assert!(Level::Error > Level::Warning);
/// assert_eq!(Level::Success.as_str(), "success");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// For those who develop the site.
    Debug,
    /// Something that is good to know.
    Info,
    /// What was asked for is done.
    Success,
    /// What was asked for is done, and something should be looked at.
    Warning,
    /// What was asked for could not be done.
    Error,
}

impl Level {
    const ALL: [Level; 5] =
        [Level::Debug, Level::Info, Level::Success, Level::Warning, Level::Error];

    /// It, as one lower-case word: for a class in a page, say.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Success => "success",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }

    /// The end of a flash's name: nothing for [`Level::Info`].
    fn suffix(self) -> String {
        if self == Level::Info { String::new() } else { format!(".{}", self.as_str()) }
    }

    fn of_suffix(suffix: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.suffix() == suffix)
    }
}

/// A message that the next page shows once.
///
/// ```
/// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
/// use waxseal::session::Level;
///
/// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
/// # let mut session = sessions.load("", Scheme::Http)?;
/// session.flash(Level::Success, "Saved.")?;
/// let flash = &session.take_flashes()[0];
/// assert_eq!((flash.level, flash.text.as_str()), (Level::Success, "Saved."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flash {
    /// How it is to be shown.
    pub level: Level,
    /// What it says; a page has to escape it.
    pub text: String,
}

/// The flash is longer than all flashes of a session may be together: 2,048 bytes as they are sealed, where a
/// letter of ASCII takes one byte, and most other characters three for each of their bytes in UTF-8.
///
/// ```
/// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
/// use waxseal::session::Level;
///
/// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
/// # let mut session = sessions.load("", Scheme::Http)?;
/// assert!(session.flash(Level::Info, "x".repeat(3000)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlashTooLong;

impl fmt::Display for FlashTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a flash takes more than {MAX_FLASHES} bytes")
    }
}

impl Error for FlashTooLong {}

impl Session {
    /// Leaves a message that the next page shows once.
    ///
    /// All flashes of a session have 2,048 bytes together, and where the values leave less room in the cookie, as
    /// much as that; beyond, the oldest go. So no number of them makes a session too large to be saved.
    ///
    /// # Errors
    ///
    /// [`FlashTooLong`] where this one alone is larger than that. Nothing is changed then.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// use waxseal::session::Level;
    ///
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// session.flash(Level::Success, "Saved.")?;
    /// session.flash(Level::Warning, "The disk is nearly full.")?;
    /// for flash in session.take_flashes() {
    ///     println!("<p class=\"{}\">{}</p>", flash.level.as_str(), flash.text);
    /// }
    /// assert!(session.take_flashes().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flash(&mut self, level: Level, text: impl Into<String>) -> Result<(), FlashTooLong> {
        let text = text.into();
        if sealed_size(level, &text) > MAX_FLASHES {
            return Err(FlashTooLong);
        }
        // Named by the clock: of two requests at once, neither takes the other's name.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let youngest = self.values.keys().filter_map(|name| of_name(name)).max();
        let after_youngest = youngest.map_or(0, |(order, _)| order.saturating_add(1));
        let order = u64::try_from(clock).unwrap_or(u64::MAX).max(after_youngest);
        self.values_mut().insert(name(order, level), text);
        self.bound_flashes();
        Ok(())
    }

    /// Removes and returns the waiting messages, oldest first.
    #[must_use = "they are gone from the session"]
    pub fn take_flashes(&mut self) -> Vec<Flash> {
        let waiting: Vec<(String, Level)> =
            levels(&self.values).map(|(name, level)| (name.to_owned(), level)).collect();
        if waiting.is_empty() {
            return Vec::new();
        }
        let values = self.values_mut();
        let take =
            |(name, level): (String, Level)| values.remove(&name).map(|text| Flash { level, text });
        waiting.into_iter().filter_map(take).collect()
    }

    /// Keeps the youngest that have room together.
    pub(super) fn bound_flashes(&mut self) {
        while size_of_all(&self.values) > MAX_FLASHES {
            self.drop_oldest_flash();
        }
    }

    /// Makes room where the cookie has none; false where there is no flash.
    pub(super) fn drop_oldest_flash(&mut self) -> bool {
        let oldest = levels(&self.values).next().map(|(name, _)| name.to_owned());
        oldest.is_some_and(|name| self.values_mut().remove(&name).is_some())
    }
}

/// The name of a flash in a map; `order` is greater for a younger one.
pub(super) fn name(order: u64, level: Level) -> String {
    format!("{FLASH}.{order:016x}{}", level.suffix())
}

/// The order and the level of the flash with this name in a map, where it is one.
pub(super) fn of_name(name: &str) -> Option<(u64, Level)> {
    let rest = name.strip_prefix(FLASH)?.strip_prefix('.')?;
    let (digits, suffix) = rest.split_at_checked(16)?;
    Some((u64::from_str_radix(digits, 16).ok()?, Level::of_suffix(suffix)?))
}

/// The name that a flash has in the payload.
pub(super) fn payload_name(level: Level) -> String {
    format!("{FLASH}{}", level.suffix())
}

/// The level of the flash that has this name in the payload, where it is one.
pub(super) fn of_payload_name(name: &str) -> Option<Level> {
    Level::of_suffix(name.strip_prefix(FLASH)?)
}

/// The names of the flashes and their levels, oldest first.
fn levels(values: &Values) -> impl Iterator<Item = (&str, Level)> {
    values.keys().filter_map(|name| Some((name.as_str(), of_name(name)?.1)))
}

/// The flashes that are in `values` and not in `before`.
pub(super) fn new_ones(values: &Values, before: &Values) -> Values {
    let is_new =
        |(name, _): &(&String, &String)| of_name(name).is_some() && !before.contains_key(*name);
    values.iter().filter(is_new).map(|(name, text)| (name.clone(), text.clone())).collect()
}

fn size_of_all(values: &Values) -> usize {
    let flash = |(name, text): (&String, &String)| Some(sealed_size(of_name(name)?.1, text));
    values.iter().filter_map(flash).sum()
}

/// Bytes that a flash takes in the payload: name, text, and what parts them.
fn sealed_size(level: Level, text: &str) -> usize {
    let encoded: usize = byte_serialize(text.as_bytes()).map(str::len).sum();
    payload_name(level).len() + encoded + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_age_whatever_the_level() {
        let orders = [0, 1, 15, 16, 255, 1 << 40, u64::MAX];
        for (older, younger) in orders.iter().zip(&orders[1..]) {
            for level in Level::ALL {
                assert!(
                    Level::ALL.iter().all(|other| name(*older, level) < name(*younger, *other))
                );
                assert_eq!(of_name(&name(*older, level)), Some((*older, level)));
                assert_eq!(of_payload_name(&payload_name(level)), Some(level));
            }
        }
        for other in
            ["_flash", "_flash.", "_flash.0", "_flash.000000000000000g", "username", "_auth"]
        {
            assert_eq!(of_name(other), None, "{other}");
        }
        for other in ["_flash.loud", "_flash.info", "_flashy", "_auth"] {
            assert_eq!(of_payload_name(other), None, "{other}");
        }
    }
}
