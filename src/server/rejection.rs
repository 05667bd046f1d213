//! The answers that the server gives itself.

use std::fmt;

use crate::http::reason_phrase;

/// Why a request does not reach the handler, or has no answer from it.
///
/// ```
/// use waxseal::server::RejectionPages;
///
/// let mut all = Vec::new();
/// RejectionPages::new(|rejection| {
///     all.push(rejection.to_string());
///     waxseal::http::Response::text(rejection.status(), rejection.why())
/// });
/// assert!(all.contains(&"413 Content Too Large: the body is too large".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    status: u16,
    why: &'static str,
    place: usize,
}

impl Rejection {
    /// The status that answers it.
    #[must_use]
    pub fn status(self) -> u16 {
        self.status
    }

    /// The reason phrase of its status.
    #[must_use]
    pub fn reason(self) -> &'static str {
        reason_phrase(self.status)
    }

    /// The cause, for whoever made the request; a few words of plain text.
    #[must_use]
    pub fn why(self) -> &'static str {
        self.why
    }

    /// Its place in [`ALL`].
    pub(super) fn place(self) -> usize {
        self.place
    }
}

impl fmt::Display for Rejection {
    /// Status, reason phrase and cause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.reason(), self.why)
    }
}

/// Makes a constant of each rejection, and the list of all of them: there is no other way to make one.
macro_rules! rejections {
    ($($name:ident = $status:literal $why:literal)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Place {
            $($name),*
        }

        $(pub(in crate::server) const $name: Rejection =
            Rejection { status: $status, why: $why, place: Place::$name as usize };)*

        /// All of them, each in its place.
        pub(super) const ALL: &[Rejection] = &[$($name),*];
    };
}

rejections! {
    BAD_BEGINNING = 400 "that does not begin like a request"
    EMPTY_LINES = 400 "too many empty lines"
    BARE_LF = 400 "a line ends without CR"
    BAD_LINE = 400 "malformed request line"
    BAD_TARGET = 400 "malformed request target"
    BAD_VERSION = 400 "malformed HTTP version"
    BAD_NAME = 400 "malformed field name"
    BAD_VALUE = 400 "malformed field value"
    NO_HOST = 400 "no Host field"
    BAD_HOST = 400 "malformed Host field"
    TWO_HOSTS = 400 "two Host fields"
    TWO_LENGTHS = 400 "two Content-Length fields"
    BAD_LENGTH = 400 "Content-Length is not a plain number"
    TWO_CODINGS = 400 "two Transfer-Encoding fields"
    CODING_AND_LENGTH = 400 "both Transfer-Encoding and Content-Length"
    CODING_IN_HTTP_1_0 = 400 "Transfer-Encoding in HTTP/1.0"
    NOT_CHUNKED = 400 "the transfer coding is not chunked"
    BAD_CHUNKS = 400 "malformed chunked body"
    MANY_EXTENSIONS = 400 "too many chunk extensions"
    TWO_EXPECTATIONS = 400 "two Expect fields"
    CUT_SHORT = 400 "the request ends in the middle"
    SLOW_HEAD = 408 "the head took too long"
    SLOW_BODY = 408 "the body took too long"
    LARGE_BODY = 413 "the body is too large"
    LONG_LINE = 414 "the request line is too long"
    OTHER_EXPECTATION = 417 "an expectation other than 100-continue"
    LARGE_HEAD = 431 "the head is too large"
    MANY_FIELDS = 431 "too many header fields"
    MANY_TRAILERS = 431 "too many trailers"
    FAULT = 500 "the fault is on our side"
    LOST_ANSWER = 500 "the answer was lost"
    OTHER_METHOD = 501 "this method is not served"
    OTHER_CODING = 501 "a transfer coding other than chunked"
    BUSY = 503 "too many requests are waiting"
    NO_ANSWER = 504 "no answer in time"
    OTHER_VERSION = 505 "HTTP/1.1 is spoken here"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place() {
        assert!(ALL.iter().enumerate().all(|(place, rejection)| rejection.place() == place));
        assert_eq!(BUSY.to_string(), "503 Service Unavailable: too many requests are waiting");
    }
}
