//! Answers that the front door gives itself.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::server::message::Answer;

/// Why a request does not reach a worker, or has no answer from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Rejection {
    pub(in crate::server) status: u16,
    pub(in crate::server) why: &'static str,
}

/// Shorthand for a [`Rejection`].
pub(in crate::server) const fn reject(status: u16, why: &'static str) -> Rejection {
    Rejection { status, why }
}

pub(in crate::server) const BUSY: Rejection = reject(503, "too many requests are waiting");
pub(in crate::server) const NO_ANSWER: Rejection = reject(504, "no answer in time");
pub(in crate::server) const BROKEN_LANE: Rejection = reject(500, "the answer was lost");
pub(super) const SLOW_HEAD: Rejection = reject(408, "the head took too long");
pub(super) const SLOW_BODY: Rejection = reject(408, "the body took too long");
pub(super) const EMPTY_LINES: Rejection = reject(400, "too many empty lines");
pub(super) const CUT_SHORT: Rejection = reject(400, "the request ends in the middle");

impl Rejection {
    fn reason(self) -> &'static str {
        match self.status {
            400 => "Bad Request",
            408 => "Request Timeout",
            413 => "Content Too Large",
            414 => "URI Too Long",
            417 => "Expectation Failed",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            _ => "Rejected",
        }
    }

    /// The answer.
    pub(super) fn render(self, head_only: bool) -> Answer {
        let (status, reason) = (self.status, self.reason());
        let body = format!("{status} {reason}: {}\n", self.why);
        let date = httpdate::fmt_http_date(SystemTime::now());
        let retry = if status == 503 { "Retry-After: 1\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n{retry}Content-Length: {}\r\n",
            body.len()
        );
        let body = if head_only { String::new() } else { body };
        Answer { head: head.into_bytes(), body: Cow::Owned(body.into_bytes()) }
    }
}
