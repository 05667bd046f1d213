//! Whole requests and whole answers, as they pass between the parts of the server.

use std::borrow::Cow;

use crate::http::{Head, Method, Response};

/// An answer with a body above this is a large one: its body is not copied behind its head, and
/// the next request of that connection waits behind those of the others.
pub(super) const LARGE_ANSWER: usize = 64 << 10;
/// Room for the end of a head: the `Connection` field and the empty line.
const ADDED: usize = 32;
/// tiny_http reads a body up to this together with the head, a longer one only when a worker does.
const READ_WITH_HEAD: usize = 1024;

/// A whole, valid request.
#[derive(Debug)]
pub(super) struct CompleteRequest {
    pub(super) head: Head,
    /// Without any transfer coding.
    pub(super) body: Vec<u8>,
    /// It came with a body, if perhaps an empty one.
    pub(super) has_body: bool,
}

impl CompleteRequest {
    /// tiny_http reads nothing behind it on its lane until a worker has read its body.
    pub(super) fn needs_lane_alone(&self) -> bool {
        needs_lane_alone(self.body.len())
    }
}

/// See [`CompleteRequest::needs_lane_alone`], for a body of this length.
pub(super) fn needs_lane_alone(body_length: usize) -> bool {
    body_length > READ_WITH_HEAD
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Without the empty line at its end.
    pub(super) head: Vec<u8>,
    pub(super) body: Cow<'static, [u8]>,
}

impl Answer {
    /// The answer to a request with `method`.
    pub(super) fn render(response: Response, method: Method) -> Answer {
        let length = response.body().len();
        // A small body will be copied behind the head.
        let room = ADDED + if length > LARGE_ANSWER { 0 } else { length };
        let (head, body) = response.into_parts(method, room);
        Answer { head, body }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether it takes much memory. A body that lies in the program takes none.
    pub(super) fn is_heavy(&self) -> bool {
        matches!(&self.body, Cow::Owned(body) if body.len() > LARGE_ANSWER)
    }
}

/// A client knows the end of an answer by its final status and by the one length that was rendered.
/// A field that says otherwise would make the next answer on the connection look like part of this
/// one.
pub(super) fn hides_its_end(response: &Response) -> bool {
    let framing = ["Content-Length", "Transfer-Encoding"];
    !(200..600).contains(&response.status())
        || framing.iter().any(|name| response.header(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_body_fits_behind_the_head() {
        let whole = |response| Answer::render(response, Method::Get);
        let Answer { head, body } = whole(Response::text(200, "x".repeat(LARGE_ANSWER)));
        assert!(head.capacity() >= head.len() + ADDED + body.len());
        assert!(head.ends_with(b"\r\n") && !head.ends_with(b"\r\n\r\n"));
        let Answer { head, body } = whole(Response::text(200, "x".repeat(LARGE_ANSWER + 1)));
        assert!(head.capacity() < 1 << 10 && body.len() == LARGE_ANSWER + 1);
    }

    #[test]
    fn an_answer_without_a_body_has_none() {
        let body = |response, method| Answer::render(response, method).body.len();
        assert_eq!(body(Response::text(200, "ok"), Method::Get), 2);
        assert_eq!(body(Response::text(200, "ok"), Method::Head), 0);
        assert_eq!(body(Response::text(304, "ok"), Method::Get), 0);
        assert_eq!(body(Response::text(204, "ok"), Method::Get), 0);
    }
}
