//! A request on its way in, and what it is once it is whole.

use std::fmt::Arguments;
use std::io::Write;

use super::chunked::Decoder;
use super::head::{Body, Head, Persistence};
use super::refusal::Refusal;

/// A body of no more than this tiny_http reads together with its head, a longer one only when the
/// worker does.
const READ_WITH_HEAD: usize = 1024;
/// Room for the two fields that are added to a head, and its end.
const ADDED: usize = 160;

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
    /// One without a body, of a head's lines.
    pub(super) fn of_lines(lines: &str) -> Request {
        Request { lines: lines.into(), body: Vec::new(), with_length: false, head_only: false }
    }

    /// Writes it for the lane, behind what lies there: `own` is the front's own field.
    pub(super) fn write_to(&self, bytes: &mut Vec<u8>, own: Arguments<'_>) {
        bytes.reserve(self.lines.len() + self.body.len() + ADDED);
        bytes.extend_from_slice(&self.lines);
        // Writing into a Vec cannot fail.
        if self.with_length {
            let _ = write!(bytes, "Content-Length: {}\r\n", self.body.len());
        }
        let _ = write!(bytes, "{own}\r\n\r\n");
        bytes.extend_from_slice(&self.body);
    }

    /// tiny_http reads nothing behind it on its lane until a worker has read it.
    pub(super) fn is_read_late(&self) -> bool {
        is_read_late(&self.body)
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

    /// See [`Request::is_read_late`].
    pub(super) fn is_read_late(&self) -> bool {
        is_read_late(&self.body)
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

fn is_read_late(body: &[u8]) -> bool {
    body.len() > READ_WITH_HEAD
}
