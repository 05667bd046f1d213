//! How a connection makes requests of the bytes that it gets.

use std::mem;

use super::parser::{self, ParsedHead};
use super::partial_request::PartialRequest;
use super::{Connection, Moment, State};
use crate::server::rejection;

/// Empty lines that may stand before a request.
const MAX_EMPTY_LINES: usize = 8;

impl Connection {
    pub(super) fn receive_head(&mut self, moment: Moment<'_>, bytes: &[u8]) {
        let limits = moment.limits;
        let before = self.input.len();
        let after = before + bytes.len();
        let crosses = |limit| before < limit && after >= limit;
        // Parsing the head again with every byte would be work in the square of its length.
        let due = self.is_idle()
            || before == 0
            || bytes.contains(&b'\n')
            || crosses(limits.request_line)
            || crosses(limits.head);
        if !due {
            return self.input.extend_from_slice(bytes);
        }
        if before == 0 {
            // The usual case: the whole head in one piece, and no copy of it.
            self.parse_head(moment, bytes);
        } else {
            let mut joined = mem::take(&mut self.input);
            joined.extend_from_slice(bytes);
            self.parse_head(moment, &joined);
        }
    }

    fn parse_head(&mut self, moment: Moment<'_>, mut bytes: &[u8]) {
        // RFC 9112, section 2.2: empty lines before a request are to be ignored. Not for ever:
        // they change nothing that a deadline would end.
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            bytes = rest;
            self.empty_lines += 1;
            if self.empty_lines > MAX_EMPTY_LINES {
                return self.reject_at_last(moment, rejection::EMPTY_LINES, false);
            }
        }
        if bytes.is_empty() || bytes == b"\r" {
            return self.input.extend_from_slice(bytes);
        }
        if self.is_idle() {
            self.enter(moment, State::Head);
        }
        match parser::parse(bytes, moment.limits) {
            Ok(None) => self.input = bytes.to_vec(),
            Ok(Some(parsed)) => self.begin_body(moment, parsed, bytes),
            Err(rejection) => {
                let head_only = bytes.starts_with(b"HEAD ");
                self.reject_at_last(moment, rejection, head_only);
            }
        }
    }

    fn begin_body(&mut self, moment: Moment<'_>, parsed: ParsedHead, bytes: &[u8]) {
        let rest = &bytes[parsed.length..];
        let expects_continue = parsed.expects_continue;
        self.empty_lines = 0;
        let request = PartialRequest::new(parsed);
        if request.is_whole() {
            self.input.extend_from_slice(rest);
            return self.enter(moment, State::Ready(request));
        }
        if expects_continue {
            self.output.append(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
        }
        self.enter(moment, State::Body(request));
        self.receive_body(moment, rest);
    }

    pub(super) fn receive_body(&mut self, moment: Moment<'_>, bytes: &[u8]) {
        let State::Body(request) = &mut self.state else { return };
        let used = match request.take(bytes, moment.limits.body) {
            Ok(used) => used,
            Err(rejection) => return self.reject(moment, rejection),
        };
        if request.is_whole()
            && let State::Body(whole) = mem::replace(&mut self.state, State::Idle)
        {
            self.input.extend_from_slice(&bytes[used..]);
            self.enter(moment, State::Ready(whole));
        }
    }
}
