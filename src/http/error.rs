//! Why a request gets no page of its own.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::{FormError, Response};

/// Why a handler, or the router, answers with an error. What it shows is meant for the visitor.
///
/// ```
/// use waxseal::http::{Error, Response};
///
/// let response = Response::from(Error::MethodNotAllowed("GET, HEAD".to_owned()));
/// assert_eq!(response.status(), 405);
/// assert_eq!(response.header("Allow"), Some("GET, HEAD"));
///
/// let taken = Error::new(409, "Somebody else has this name.");
/// assert_eq!(taken.to_string(), "Somebody else has this name.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is at this path: 404.
    NotFound,
    /// The path is there, and does not take this method: 405 with these in `Allow`.
    MethodNotAllowed(String),
    /// The form could not be taken: 400, 413 or 415.
    Form(FormError),
    /// A state change that another site asked for: 403.
    CrossSite,
    /// Something that is done over HTTPS alone came in the clear: 403.
    InsecureTransport,
    /// Tried too often; the next try is welcome after this time: 429.
    TooManyRequests(Duration),
    /// Others are being served and as many are waiting as may: 503.
    Busy,
    /// A service that is needed cannot be reached now: 503.
    Unavailable,
    /// A fault of ours, whose cause is in the log: 500.
    Internal,
    /// Anything else: this status, and this text for the visitor. [`Error::new`] makes one.
    Other(u16, Cow<'static, str>),
}

impl Error {
    /// An error with a status and a text of one's own. The text is plain, not HTML, and meant for the visitor.
    ///
    /// ```
    /// use waxseal::http::{Error, Form, Request, Response};
    ///
    /// fn register(taken: &[&str], request: &mut Request) -> Result<Response, Error> {
    ///     let form = Form::read(request, 1024)?;
    ///     let name = form.get("name").ok_or(Error::new(422, "Please choose a name."))?;
    ///     if taken.contains(&name) {
    ///         return Err(Error::new(409, format!("Somebody else is called {name} already.")));
    ///     }
    ///     Ok(Response::redirect(303, "/"))
    /// }
    /// ```
    #[must_use]
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Error {
        Error::Other(status, text.into())
    }

    /// The status that answers it: 400 to 599. An [`Error::Other`] with another one is a fault of the program's,
    /// and answered with 500.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Error::Other(status @ 400..600, _) => *status,
            Error::Other(..) => 500,
            Error::NotFound => 404,
            Error::MethodNotAllowed(_) => 405,
            Error::Form(error) => error.status(),
            Error::CrossSite | Error::InsecureTransport => 403,
            Error::TooManyRequests(_) => 429,
            Error::Busy | Error::Unavailable => 503,
            Error::Internal => 500,
        }
    }

    /// Adds the headers that the status asks for to `response`.
    #[must_use]
    pub fn with_headers(&self, response: Response) -> Response {
        match self {
            Error::MethodNotAllowed(allow) => response.with_header("Allow", allow.clone()),
            Error::TooManyRequests(wait) => {
                response.with_header("Retry-After", whole_seconds(*wait).to_string())
            }
            Error::Busy | Error::Unavailable => response.with_header("Retry-After", "1"),
            _ => response,
        }
    }
}

/// Rounded up, and one at least: who comes back then has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// "1 second", "59 seconds", "1 minute", "2 minutes": minutes are rounded up.
fn in_words(seconds: u64) -> String {
    let (number, unit) = match seconds {
        ..60 => (seconds, "second"),
        _ => (seconds.div_ceil(60), "minute"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

impl From<FormError> for Error {
    fn from(error: FormError) -> Error {
        Error::Form(error)
    }
}

impl From<Error> for Response {
    /// An answer in plain text.
    fn from(error: Error) -> Response {
        error.with_headers(Response::text(error.status(), error.to_string()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound => f.write_str("There is no page at this address."),
            Error::MethodNotAllowed(_) => {
                f.write_str("This address does not accept that kind of request.")
            }
            Error::Form(error) => error.fmt(f),
            Error::CrossSite => {
                f.write_str("This request came from another site, so nothing was changed.")
            }
            Error::InsecureTransport => f.write_str("This address is served over HTTPS only."),
            Error::TooManyRequests(wait) => write!(
                f,
                "That was one try too many in a short time. Please try again in {}.",
                in_words(whole_seconds(*wait))
            ),
            Error::Busy => {
                f.write_str("Many people are signing in right now. Please try again in a moment.")
            }
            Error::Unavailable => f.write_str(
                "Your session cannot be reached right now. You have not been signed out.",
            ),
            Error::Internal => f.write_str("The fault is on our side. Please try again later."),
            Error::Other(_, text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_one_s_own_is_an_error_in_any_case() {
        for (status, answered) in
            [(400, 400), (418, 418), (599, 599), (0, 500), (200, 500), (399, 500), (600, 500)]
        {
            let response = Response::from(Error::new(status, "a text"));
            assert_eq!((response.status(), response.body()), (answered, &b"a text"[..]));
        }
    }

    #[test]
    fn the_time_to_wait_is_rounded_up() {
        for (millis, header, words) in [
            (0, "1", "1 second"),
            (1, "1", "1 second"),
            (1_001, "2", "2 seconds"),
            (59_000, "59", "59 seconds"),
            (59_001, "60", "1 minute"),
            (60_001, "61", "2 minutes"),
            (3_600_000, "3600", "60 minutes"),
        ] {
            let error = Error::TooManyRequests(Duration::from_millis(millis));
            let response = Response::from(error.clone());
            assert_eq!((response.status(), response.header("Retry-After")), (429, Some(header)));
            assert!(error.to_string().ends_with(&format!(" in {words}.")), "{error}");
        }
    }
}
