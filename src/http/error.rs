//! Why a request gets no page of its own.

use std::fmt;

use super::{FormError, Response};

/// Why a handler, or the router, answers with an error. What it shows is meant for the visitor.
///
/// ```
/// use waxseal::http::{Error, Response};
///
/// let response = Response::from(Error::MethodNotAllowed("GET, HEAD".to_owned()));
/// assert_eq!(response.status(), 405);
/// assert_eq!(response.header("Allow"), Some("GET, HEAD"));
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
    /// What is needed cannot be reached now: 503.
    Unavailable,
    /// A fault of ours, whose cause is in the log: 500.
    Internal,
}

impl Error {
    /// The status that answers it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Error::NotFound => 404,
            Error::MethodNotAllowed(_) => 405,
            Error::Form(error) => error.status(),
            Error::CrossSite | Error::InsecureTransport => 403,
            Error::Unavailable => 503,
            Error::Internal => 500,
        }
    }

    /// Adds the headers that the status asks for to `response`.
    #[must_use]
    pub fn with_headers(&self, response: Response) -> Response {
        match self {
            Error::MethodNotAllowed(allow) => response.with_header("Allow", allow.clone()),
            Error::Unavailable => response.with_header("Retry-After", "1"),
            _ => response,
        }
    }
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
            Error::Unavailable => f.write_str(
                "Your session cannot be reached right now. You have not been signed out.",
            ),
            Error::Internal => f.write_str("The fault is on our side. Please try again later."),
        }
    }
}

impl std::error::Error for Error {}
