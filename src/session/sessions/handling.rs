//! One visit, from the cookie that came to the cookie that goes.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use log::error;

use super::super::visit::{Reply, Visit};
use super::super::{SaveError, Saved, Session, StoreError};
use super::Sessions;

impl Sessions {
    /// Loads the session of a visit, lets `handler` answer, saves the session, and attaches what that makes due
    /// to the answer: the cookie, and `Cache-Control: no-store` with it. So nothing of it can be forgotten.
    ///
    /// After an answer below 500 everything is saved. After one of 500 and above, or a panic, only what must hold:
    /// a sign-in, a sign-out, a renewal, and flashes that were left for the next page; flashes that this page
    /// took wait for the next. Of a renewal only the new id holds, and not the values. (After a panic, which goes
    /// on, there is no answer: a sign-out holds, and of a sign-in or a renewal nothing is left.)
    ///
    /// # Errors
    ///
    /// [`HandleError`] where the store does not do its part, or the session is too large. An answer of the
    /// handler's is dropped then: what it says may not be true.
    ///
    /// ```
    /// use waxseal::seal::Keyring;
    /// use waxseal::session::{Reply, Scheme, Sessions, Visit};
    ///
    /// /// The answer of some server.
    /// struct Page(u16, Vec<String>);
    ///
    /// impl Reply for Page {
    ///     fn status(&self) -> u16 {
    ///         self.0
    ///     }
    ///
    ///     fn add_header(&mut self, name: &'static str, value: String) {
    ///         self.1.push(format!("{name}: {value}"));
    ///     }
    /// }
    ///
    /// let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
    /// let visit = Visit::new("", Scheme::Http);
    /// let page = sessions.handle(&visit, |session| {
    ///     let visits = session.get_as("visits").unwrap_or(0) + 1;
    ///     session.insert("visits", visits).map_or(Page(500, vec![]), |()| Page(200, vec![]))
    /// })?;
    /// assert!(page.1[0].starts_with("Set-Cookie: waxseal="));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle<R: Reply>(
        &self,
        visit: &Visit<'_>,
        handler: impl FnOnce(&mut Session) -> R,
    ) -> Result<R, HandleError> {
        let mut session = self.load(&visit.cookies, visit.scheme).map_err(HandleError::Load)?;
        let mut reply = match catch_unwind(AssertUnwindSafe(|| handler(&mut session))) {
            Ok(reply) => reply,
            Err(panic) => {
                self.save_after_panic(&mut session);
                resume_unwind(panic);
            }
        };
        if reply.status() >= 500 {
            session.keep_what_must_hold();
        }
        let saved = self.save_or_end(&mut session).map_err(HandleError::Save)?;
        let host = visit.host.as_deref();
        let leftovers = host.map(|host| self.leftovers(&session, host)).unwrap_or_default();
        let cookies: Vec<_> = saved.into_cookie().into_iter().chain(leftovers).collect();
        for cookie in &cookies {
            reply.add_header("Set-Cookie", cookie.to_string());
        }
        if !cookies.is_empty() {
            reply.add_header("Cache-Control", "no-store".to_owned());
        }
        Ok(reply)
    }

    /// Saves it; where it is too large, a sign-out holds all the same, though no answer can say so.
    fn save_or_end(&self, session: &mut Session) -> Result<Saved, SaveError> {
        let saved = self.save(session);
        if let Err(SaveError::SessionTooLarge { .. }) = saved {
            session.keep_what_must_hold();
            if session.is_emptied {
                self.save(session).map(drop)?;
            }
            session.is_told = true;
        }
        saved
    }

    /// Saves what holds without an answer: a sign-out, and flashes where the id is the same. To end the id that the
    /// browser has, for one that it never hears of, would sign its visitor out.
    fn save_after_panic(&self, session: &mut Session) {
        session.keep_what_must_hold();
        if !session.is_emptied && session.is_renewed() {
            session.is_told = true;
        } else if let Err(error) = self.save(session) {
            error!(error:%; "a session could not be saved after a panic");
        }
    }
}

/// Why [`Sessions::handle`] has no answer.
///
/// ```
/// use waxseal::session::{HandleError, SaveError};
///
/// /// A store that is away comes back; a session that is too large does not get smaller.
/// fn status(error: &HandleError) -> u16 {
///     match error {
///         HandleError::Load(_) | HandleError::Save(SaveError::Store(_)) => 503,
///         _ => 500,
///     }
/// }
/// # let _ = status;
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum HandleError {
    /// The session could not be loaded, and the handler was not called.
    Load(StoreError),
    /// The session could not be saved, and the handler's answer was dropped.
    Save(SaveError),
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandleError::Load(_) => "the session could not be loaded",
            HandleError::Save(_) => "the session could not be saved",
        })
    }
}

impl Error for HandleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            HandleError::Load(error) => Some(error),
            HandleError::Save(error) => Some(error),
        }
    }
}
