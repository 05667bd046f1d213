//! One lane: a connection to tiny_http on which requests are sent, several at a time.
//!
//! tiny_http reads one request after another from it without waiting for answers, as pipelining
//! (RFC 9112, section 9.3.2) wants. Answers do not come back on it, but from the workers
//! (`completions.rs`), in any order. So a byte on the lane itself means that tiny_http has refused a
//! request on its own: the lane is broken.
//!
//! A lane that is given up takes no more requests, and is closed when it has none.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use mio::net::UnixStream;
use mio::{Interest, Registry};
use slotmap::Key;

use crate::server::message::CompleteRequest;
use crate::server::ticket::Ticket;
use crate::server::tokens::{LaneKey, TokenKey};

/// The field that carries a request's ticket.
pub(super) const TICKET_FIELD: &str = "Waxseal-Request";
/// Stands before lane and number where a new lane is probed.
pub(super) const PROBE: &str = "probe";
/// Requests in flight that a lane takes at a time: many, since what is written and read at once
/// costs one call and wakes one thread.
const PIPELINE: usize = 16;
/// A buffer that has grown beyond this is not kept for the next requests.
const BUFFER_KEPT: usize = 16 << 10;

/// A lane can serve no more; why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Broken(pub(in crate::server) &'static str);

/// See the module's documentation.
pub(super) struct Lane {
    socket: UnixStream,
    /// Requests in flight: those that are overdue too.
    in_flight: usize,
    /// Its request has a body that tiny_http does not read before the worker does, behind which
    /// nothing can be sent.
    alone: bool,
    given_up: bool,
    outgoing: Vec<u8>,
    /// Bytes of `outgoing` that were sent.
    sent: usize,
    /// All bytes before what is outgoing.
    before: usize,
    /// Requests that are not sent whole, with where each ends, counted from the lane's first byte.
    unsent: VecDeque<(u64, usize)>,
    /// Readiness to write is asked for.
    watches_writing: bool,
}

impl Lane {
    pub(super) fn new(socket: UnixStream) -> Self {
        Lane {
            socket,
            in_flight: 0,
            alone: false,
            given_up: false,
            outgoing: Vec::new(),
            sent: 0,
            before: 0,
            unsent: VecDeque::new(),
            watches_writing: false,
        }
    }

    /// Has the lane's events reported under its key.
    pub(super) fn register(&mut self, registry: &Registry, key: LaneKey) -> io::Result<()> {
        registry.register(&mut self.socket, key.token(), Interest::READABLE)
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether it can take one more request: one that may share the lane, or one that may not.
    pub(super) fn has_room(&self, alone: bool) -> bool {
        let shares = !alone && !self.alone && self.in_flight < PIPELINE;
        !self.given_up && (shares || self.in_flight == 0)
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.outgoing.capacity()
    }

    /// Adds a request behind what is to be sent already; [`Lane::send`] writes it.
    pub(super) fn push(&mut self, ticket: Ticket, request: &CompleteRequest) {
        self.alone = request.needs_lane_alone();
        write_request(&mut self.outgoing, ticket, request);
        self.unsent.push_back((ticket.number, self.before + self.outgoing.len()));
        self.in_flight += 1;
    }

    /// Adds the request that shows whether tiny_http serves the lane.
    pub(super) fn push_probe(&mut self, key: LaneKey, number: u64) {
        let key = key.data().as_ffi();
        let probe = format!(
            "GET / HTTP/1.1\r\nHost: lane\r\n{TICKET_FIELD}: {PROBE}.{key:x}.{number:x}\r\n\r\n"
        );
        self.outgoing.extend_from_slice(probe.as_bytes());
        self.in_flight += 1;
    }

    /// Something is to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Writes what can be written, and asks to be told of room for the rest. It does not ask where
    /// there is no rest: the kernel tells of room whenever the other end of a Unix socket has read.
    pub(super) fn send(&mut self, registry: &Registry, key: LaneKey) -> io::Result<()> {
        let wanted = !self.send_now()?;
        if wanted != self.watches_writing {
            self.watches_writing = wanted;
            let both = Interest::READABLE | Interest::WRITABLE;
            let interest = if wanted { both } else { Interest::READABLE };
            registry.reregister(&mut self.socket, key.token(), interest)?;
        }
        Ok(())
    }

    /// Writes what can be written; true where nothing is left.
    fn send_now(&mut self) -> io::Result<bool> {
        while self.sent < self.outgoing.len() {
            match self.socket.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.drop_sent();
                    return Ok(false);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.drop_sent();
        self.outgoing.shrink_to(BUFFER_KEPT);
        Ok(true)
    }

    /// Drops what was sent, once it is half of all: a lane that is never quite empty does not grow.
    fn drop_sent(&mut self) {
        if self.sent >= self.outgoing.len() - self.sent {
            self.outgoing.drain(..self.sent);
            self.before += mem::take(&mut self.sent);
        }
        let sent = self.before + self.sent;
        while self.unsent.front().is_some_and(|(_, end)| *end <= sent) {
            self.unsent.pop_front();
        }
    }

    /// A request is answered.
    pub(super) fn answered(&mut self, number: u64) -> Result<(), Broken> {
        if self.unsent.iter().any(|(unsent, _)| *unsent == number) {
            return Err(Broken("an answer to a request that was not sent whole"));
        }
        self.forget();
        Ok(())
    }

    /// A request is no longer counted, though it may be answered some time.
    pub(super) fn forget(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// No more requests are sent over it.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Looks whether there is anything to read.
    pub(super) fn listen(&mut self) -> Result<(), Broken> {
        match self.socket.read(&mut [0]) {
            Ok(0) => Err(Broken("it was closed")),
            Ok(_) => Err(Broken("tiny_http refused a request")),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(Broken("it cannot be read")),
        }
    }
}

/// Writes a request for tiny_http: short, and without the client's fields, which the worker finds
/// under the ticket.
pub(in crate::server) fn write_request(
    out: &mut Vec<u8>,
    ticket: Ticket,
    request: &CompleteRequest,
) {
    let CompleteRequest { head, body, has_body } = request;
    let host = head.values("Host").next().unwrap_or_default();
    for part in [
        head.method().as_str().as_bytes(),
        b" ",
        head.target().as_bytes(),
        b" HTTP/1.1\r\nHost: ",
        host,
    ] {
        out.extend_from_slice(part);
    }
    // Writing into a Vec cannot fail.
    let _ = write!(out, "\r\n{TICKET_FIELD}: {ticket}\r\n");
    if *has_body {
        let _ = write!(out, "Content-Length: {}\r\n", body.len());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix;
    use std::time::Duration;

    use mio::{Events, Poll};

    use crate::http::{Head, Method};

    /// A lane, its other end, and what tells of its events.
    struct Pair {
        lane: Lane,
        theirs: unix::net::UnixStream,
        poll: Poll,
        key: LaneKey,
    }

    fn pair() -> Pair {
        let (ours, theirs) = unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (poll, key) = (Poll::new().unwrap(), LaneKey::default());
        let mut lane = Lane::new(UnixStream::from_std(ours));
        lane.register(poll.registry(), key).unwrap();
        Pair { lane, theirs, poll, key }
    }

    impl Pair {
        fn push(&mut self, number: u64, body: usize) {
            self.lane.push(Ticket { slot: 0, number }, &request(body));
        }

        /// Whether all was sent.
        fn send(&mut self) -> bool {
            self.lane.send(self.poll.registry(), self.key).unwrap();
            !self.lane.has_unsent()
        }

        fn answered(&mut self, number: u64) -> bool {
            self.lane.answered(number).is_ok()
        }
    }

    fn request(body: usize) -> CompleteRequest {
        let mut head = Head::new(Method::Post, "/a?b");
        head.append("Host", b"c");
        head.append("Cookie", b"\xff");
        CompleteRequest { head, body: vec![b'x'; body], has_body: true }
    }

    #[test]
    fn a_request_is_short_and_has_no_field_of_the_clients() {
        let mut out = Vec::new();
        write_request(&mut out, Ticket { slot: 3, number: 255 }, &request(2));
        let expected = "POST /a?b HTTP/1.1\r\nHost: c\r\nWaxseal-Request: 3.ff\r\n\
                        Content-Length: 2\r\n\r\nxx";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn no_answer_counts_before_its_request_was_sent_whole() {
        let mut pair = pair();
        pair.push(1, 0);
        assert!(!pair.answered(1));
        assert!(pair.send());
        // More than a socket takes at once.
        pair.push(2, 0);
        pair.push(3, 4 << 20);
        assert!(!pair.send());
        assert!(pair.answered(1) && pair.answered(2) && !pair.answered(3));
        let mut read = vec![0; 1 << 20];
        while !pair.send() {
            assert!(pair.theirs.read(&mut read).unwrap() > 0);
        }
        assert!(pair.answered(3));
        assert!(pair.lane.memory() <= BUFFER_KEPT && pair.lane.in_flight() == 0);
    }

    #[test]
    fn a_lane_that_is_never_quite_empty_does_not_grow() {
        const BODY: usize = 60_000;
        let mut pair = pair();
        (0..20).for_each(|number| pair.push(number, BODY));
        for number in 20..2_000 {
            assert!(!pair.send());
            pair.theirs.read_exact(&mut [0; BODY]).unwrap();
            pair.push(number, BODY);
        }
        assert!(pair.lane.memory() < 100 * BODY, "{}", pair.lane.memory());
        assert!(pair.lane.unsent.len() < 100);
        // Nothing was lost on the way, or sent twice.
        let end = pair.lane.unsent.back().unwrap().1;
        let mut read = vec![0; 1 << 20];
        let mut total = (2_000 - 20) * BODY;
        while !pair.send() {
            total += pair.theirs.read(&mut read).unwrap();
        }
        drop(pair.lane);
        total += pair.theirs.read_to_end(&mut read).unwrap();
        assert_eq!(total, end);
    }

    #[test]
    fn a_long_body_has_the_lane_alone() {
        let mut pair = pair();
        assert!(pair.lane.has_room(true));
        for number in 0..PIPELINE as u64 {
            assert!(pair.lane.has_room(false));
            pair.push(number, 1024);
            assert!(!pair.lane.has_room(true));
        }
        assert!(!pair.lane.has_room(false));
        assert!(pair.send());
        (0..PIPELINE as u64).for_each(|number| assert!(pair.answered(number)));
        assert!(pair.lane.has_room(true) && pair.lane.has_room(false));
        pair.push(16, 1025);
        assert!(pair.send() && !pair.lane.has_room(true) && !pair.lane.has_room(false));
        assert!(pair.answered(16) && pair.lane.has_room(true) && pair.lane.has_room(false));
    }

    #[test]
    fn a_lane_that_is_given_up_takes_nothing() {
        let mut pair = pair();
        pair.push(1, 0);
        pair.lane.give_up();
        assert!(!pair.lane.has_room(false) && !pair.lane.has_room(true));
        pair.lane.forget();
        assert_eq!(pair.lane.in_flight(), 0);
        assert!(!pair.lane.has_room(false) && !pair.lane.has_room(true));
    }

    #[test]
    fn whatever_can_be_read_breaks_it() {
        let mut speaking = pair();
        assert_eq!(speaking.lane.listen(), Ok(()));
        speaking.theirs.write_all(b"x").unwrap();
        assert_eq!(speaking.lane.listen(), Err(Broken("tiny_http refused a request")));
        let mut closed = pair();
        drop(closed.theirs);
        assert!(closed.lane.listen().is_err());
    }

    #[test]
    fn room_to_write_is_told_of_only_while_something_is_left() {
        let mut pair = pair();
        let mut events = Events::with_capacity(8);
        let mut read = vec![0; 1 << 20];
        pair.push(1, 4 << 20);
        assert!(!pair.send());
        // The kernel tells of room once most of what it holds has been read.
        while !events.iter().any(|event| event.is_writable()) {
            assert!(pair.theirs.read(&mut read).unwrap() > 0);
            pair.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        }
        while !pair.send() {
            assert!(pair.theirs.read(&mut read).unwrap() > 0);
        }
        // Drops what it was told before that.
        pair.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        pair.push(2, 0);
        assert!(pair.send());
        while pair.theirs.read(&mut read).unwrap() == read.len() {}
        pair.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(!events.iter().any(|event| event.is_writable()));
    }
}
