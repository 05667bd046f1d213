//! What saving a session makes due.

use super::Cookie;

/// What saving a session makes due: a cookie to set, or to remove, or nothing.
///
/// An answer that sets a cookie must not be kept by any cache: `Cache-Control: no-store`.
///
/// A program that drops it is warned, since the browser would then keep the session as it was:
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # use waxseal::session::{SaveError, Session, Sessions};
/// fn answer(sessions: &Sessions, session: &mut Session) -> Result<(), SaveError> {
///     sessions.save(session)?;
///     Ok(())
/// }
/// ```
///
/// ```
/// #![deny(unused_must_use)]
/// # use waxseal::session::{SaveError, Session, Sessions};
/// fn answer(sessions: &Sessions, session: &mut Session) -> Result<(), SaveError> {
///     if let Some(cookie) = sessions.save(session)?.cookie() {
///         println!("Set-Cookie: {cookie}");
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, PartialEq)]
#[must_use = "the browser keeps the session as it was, unless the answer sets this cookie"]
pub struct Saved {
    pub(super) cookie: Option<Cookie<'static>>,
}

impl Saved {
    pub(super) const NOTHING: Saved = Saved { cookie: None };

    /// The cookie; as text it is the value of a `Set-Cookie` field.
    #[must_use]
    pub fn cookie(&self) -> Option<&Cookie<'static>> {
        self.cookie.as_ref()
    }

    /// The cookie.
    #[must_use]
    pub fn into_cookie(self) -> Option<Cookie<'static>> {
        self.cookie
    }
}

impl From<Cookie<'static>> for Saved {
    fn from(cookie: Cookie<'static>) -> Saved {
        Saved { cookie: Some(cookie) }
    }
}
