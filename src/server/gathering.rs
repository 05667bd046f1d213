//! A request on its way in, and what it is once it is whole.

use super::chunked::Decoder;
use super::head::{Body, Head, Persistence};
use super::refusal::Refusal;

/// A request on its way in: its head is accepted, its body may be on its way.
#[derive(Debug)]
pub(super) struct Gathering {
    head: Head,
    body: Vec<u8>,
    missing: Missing,
}

/// What is still to come of a body.
#[derive(Debug)]
enum Missing {
    Bytes(usize),
    Chunks(Decoder),
}

/// A complete, valid request, for a lane.
#[derive(Debug)]
pub(super) struct Request {
    lines: Vec<u8>,
    body: Vec<u8>,
    with_length: bool,
    /// The answer has no body, whatever its head says.
    pub(super) head_only: bool,
}

impl Request {
    /// The bytes for the lane: `own` is the front's own field.
    pub(super) fn into_bytes(self, own: std::fmt::Arguments<'_>) -> Vec<u8> {
        use std::io::Write;
        let mut bytes = self.lines;
        // Writing into a Vec cannot fail.
        if self.with_length {
            let _ = write!(bytes, "Content-Length: {}\r\n", self.body.len());
        }
        let _ = write!(bytes, "{own}\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Gathering {
    pub(super) fn new(head: Head) -> Self {
        let missing = match head.body {
            Body::None => Missing::Bytes(0),
            Body::Length(length) => Missing::Bytes(length),
            Body::Chunked => Missing::Chunks(Decoder::new()),
        };
        Gathering { head, body: Vec::new(), missing }
    }

    pub(super) fn is_whole(&self) -> bool {
        match &self.missing {
            Missing::Bytes(missing) => *missing == 0,
            Missing::Chunks(decoder) => decoder.is_done(),
        }
    }

    /// How many bytes are still to come, where that is known.
    pub(super) fn missing(&self) -> Option<usize> {
        match &self.missing {
            Missing::Bytes(missing) => Some(*missing),
            Missing::Chunks(_) => None,
        }
    }

    /// The answer has no body, whatever its head says.
    pub(super) fn head_only(&self) -> bool {
        self.head.head_only
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.head.lines.capacity() + self.body.capacity()
    }

    pub(super) fn into_request(self) -> (Request, Persistence) {
        let Gathering { head, body, .. } = self;
        let Head { head_only, persistence, lines, body: framing, .. } = head;
        (Request { lines, body, with_length: framing != Body::None, head_only }, persistence)
    }

    /// Takes what belongs to the body; how many bytes those were.
    pub(super) fn take(&mut self, bytes: &[u8], limit: usize) -> Result<usize, Refusal> {
        match &mut self.missing {
            Missing::Bytes(missing) => {
                let used = bytes.len().min(*missing);
                // No more than it may need, and no more than twice what has come.
                self.body.reserve_exact(used.max(self.body.len()).min(*missing));
                self.body.extend_from_slice(&bytes[..used]);
                *missing -= used;
                Ok(used)
            }
            Missing::Chunks(decoder) => decoder.decode(bytes, &mut self.body, limit),
        }
    }
}
