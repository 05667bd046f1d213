//! A request on its way in: its head is accepted, its body may still be coming.

use super::chunked::Decoder;
use super::parser::{Framing, ParsedHead, Persistence};
use crate::http::{Head, Method};
use crate::server::message::{CompleteRequest, needs_lane_alone};
use crate::server::rejection::Rejection;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct PartialRequest {
    head: Head,
    has_body: bool,
    persistence: Persistence,
    body: Vec<u8>,
    missing: Missing,
}

/// The part of a body that is still to come.
#[derive(Debug)]
enum Missing {
    Bytes(usize),
    Chunks(Decoder),
}

impl PartialRequest {
    pub(super) fn new(parsed: ParsedHead) -> Self {
        let ParsedHead { head, framing, persistence, .. } = parsed;
        let missing = match framing {
            Framing::NoBody => Missing::Bytes(0),
            Framing::Length(length) => Missing::Bytes(length),
            Framing::Chunked => Missing::Chunks(Decoder::new()),
        };
        let has_body = framing != Framing::NoBody;
        PartialRequest { head, has_body, persistence, body: Vec::new(), missing }
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

    /// Bytes of the body that have come.
    pub(super) fn received(&self) -> usize {
        self.body.len()
    }

    /// See [`CompleteRequest::needs_lane_alone`].
    pub(super) fn needs_lane_alone(&self) -> bool {
        needs_lane_alone(self.body.len())
    }

    /// The answer has no body, whatever its head says.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn head_only(&self) -> bool {
        self.head.method() == Method::Head
    }

    pub(super) fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.head.memory() + self.body.capacity()
    }

    pub(super) fn into_complete(self) -> CompleteRequest {
        let PartialRequest { head, has_body, body, .. } = self;
        CompleteRequest { head, body, has_body }
    }

    /// Takes what belongs to the body; how many bytes those were.
    pub(super) fn take(&mut self, bytes: &[u8], limit: usize) -> Result<usize, Rejection> {
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
