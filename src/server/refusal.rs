//! Answers that the front door gives itself.

use std::borrow::Cow;
use std::time::SystemTime;

use super::answers::Answer;

/// Why a request is not passed on, or not answered by a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) why: &'static str,
}

/// Shorthand for a [`Refusal`].
pub(super) const fn refuse(status: u16, why: &'static str) -> Refusal {
    Refusal { status, why }
}

pub(super) const BUSY: Refusal = refuse(503, "too many requests are waiting");
pub(super) const NO_ANSWER: Refusal = refuse(504, "no answer in time");
pub(super) const BROKEN_LANE: Refusal = refuse(500, "the answer was lost");
pub(super) const SLOW_HEAD: Refusal = refuse(408, "the head took too long");
pub(super) const SLOW_BODY: Refusal = refuse(408, "the body took too long");
pub(super) const EMPTY_LINES: Refusal = refuse(400, "too many empty lines");
pub(super) const CUT_SHORT: Refusal = refuse(400, "the request ends in the middle");

impl Refusal {
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
            _ => "Refused",
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
