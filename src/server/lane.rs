//! One lane: a connection to tiny_http on which requests are asked, several at a time.
//!
//! tiny_http reads one request after another from it without waiting for answers, as pipelining
//! (RFC 9112, section 9.3.2) wants. Answers do not come back on it, but from the workers, in
//! `answers.rs`, each with the number of its question, in any order. A number that was not asked, or
//! a byte on the lane itself, and it is closed: what cannot be told apart must not be passed on. Once
//! it is given up, a number that was not asked may be one that was forgotten.
//!
//! A question whose answer is overdue is left: nobody waits for it any more, but it may still keep a
//! worker busy, and its answer may still come. Something may be wrong with its lane, which is given
//! up where another can take its place: it takes no more questions, and is closed when it has none.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::time::Instant;

use mio::net::UnixStream;

use super::gathering::Request;
use super::slots::Key;

/// The field that the front adds to every request: the lane, the number, the visitor's address.
pub(super) const OWN_FIELD: &str = "Waxseal-Lane";
/// Stands in place of an address where a new lane is probed.
pub(super) const PROBE: &str = "probe";
/// Questions that a lane takes at a time: many, since what is written and read at once costs one
/// call and wakes one thread.
const SEATS: usize = 16;
/// A buffer that has grown beyond this is not kept for the next questions.
const BUFFER_KEPT: usize = 16 << 10;

/// A lane can serve no more; why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) &'static str);

/// What a lane is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    /// Who waits for the answer; `None` for a probe, and for one that is overdue. The visitor may
    /// have left meanwhile.
    pub(super) visitor: Option<Key>,
    /// When the answer is due.
    pub(super) due: Instant,
}

/// A question with where it ends, counted in bytes since the lane was opened.
struct Asked {
    question: Question,
    end: usize,
}

/// See the module's documentation.
pub(super) struct Lane {
    pub(super) socket: UnixStream,
    /// Those without an answer, the oldest first.
    asked: Vec<Asked>,
    /// Those that nobody waits for any more, until they are due once more.
    left: Vec<Question>,
    /// Its question has a body that tiny_http does not read before the worker does, which nothing
    /// can be asked behind.
    alone: bool,
    /// It takes no more questions.
    given_up: bool,
    outgoing: Vec<u8>,
    /// Of what is outgoing.
    sent: usize,
    /// All bytes before what is outgoing.
    before: usize,
}

impl Lane {
    pub(super) fn new(socket: UnixStream) -> Self {
        Lane {
            socket,
            asked: Vec::new(),
            left: Vec::new(),
            alone: false,
            given_up: false,
            outgoing: Vec::new(),
            sent: 0,
            before: 0,
        }
    }

    /// What it is asked, the oldest first, and what is left.
    pub(super) fn questions(&self) -> impl Iterator<Item = &Question> {
        self.asked.iter().map(|asked| &asked.question).chain(&self.left)
    }

    /// How many questions these are.
    pub(super) fn count(&self) -> usize {
        self.asked.len() + self.left.len()
    }

    /// When to look for overdue answers next.
    pub(super) fn due(&self) -> Option<Instant> {
        let asked = self.asked.first().map(|asked| asked.question.due);
        asked.into_iter().chain(self.left.first().map(|left| left.due)).min()
    }

    /// Whether it can be asked one more.
    pub(super) fn has_seat(&self, alone: bool) -> bool {
        let shares = !alone && !self.alone && self.asked.len() < SEATS;
        !self.given_up && (shares || self.count() == 0)
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.outgoing.capacity()
    }

    /// Asks one more, behind what is to be sent already; [`Lane::send`] writes it.
    pub(super) fn ask(&mut self, question: Question, request: &Request, own: Arguments<'_>) {
        self.alone = request.is_read_late();
        request.write_to(&mut self.outgoing, own);
        self.asked.push(Asked { question, end: self.before + self.outgoing.len() });
    }

    /// Something is to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Writes what can be written; true where nothing is left.
    pub(super) fn send(&mut self) -> io::Result<bool> {
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
    }

    /// The question with this number is answered, if all of it was sent.
    pub(super) fn answered(&mut self, number: u64) -> Option<Question> {
        if let Some(at) = self.left.iter().position(|left| left.number == number) {
            return Some(self.left.remove(at));
        }
        let at = self.asked.iter().position(|asked| asked.question.number == number)?;
        if self.asked[at].end > self.before + self.sent {
            return None;
        }
        Some(self.asked.remove(at).question)
    }

    /// Leaves the questions that are overdue: these. They are due once more at `again`, and
    /// forgotten then, so that one that is lost does not keep the lane for ever.
    pub(super) fn leave_overdue(&mut self, now: Instant, again: Instant) -> Vec<Question> {
        self.left.retain(|left| left.due > now);
        let count = self.asked.iter().take_while(|asked| asked.question.due <= now).count();
        let overdue: Vec<_> = self.asked.drain(..count).map(|asked| asked.question).collect();
        let left =
            overdue.iter().map(|question| Question { visitor: None, due: again, ..*question });
        self.left.extend(left);
        overdue
    }

    /// Nothing more is asked over it.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Why it is broken, if there is anything to read. tiny_http writes only where it has refused a
    /// question by itself.
    pub(super) fn listen(&mut self) -> Option<Broken> {
        match self.socket.read(&mut [0]) {
            Ok(0) => Some(Broken("it was closed")),
            Ok(_) => Some(Broken("it speaks by itself")),
            Err(e) if e.kind() == ErrorKind::WouldBlock => None,
            Err(_) => Some(Broken("it cannot be read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix;

    use std::time::Duration;

    use crate::server::gathering::Gathering;
    use crate::server::head;
    use crate::server::limits::Limits;

    fn lane() -> (Lane, unix::net::UnixStream) {
        let (ours, theirs) = unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Lane::new(UnixStream::from_std(ours)), theirs)
    }

    fn request(body: usize) -> Request {
        let limits = Limits { body: 8 << 20, ..Limits::default() };
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {body}\r\n\r\n");
        let head = head::read(head.as_bytes(), &limits).unwrap().unwrap();
        let mut gathering = Gathering::new(head);
        gathering.take(&vec![b'x'; body], limits.body).unwrap();
        gathering.into_request().0
    }

    fn ask(lane: &mut Lane, number: u64, body: usize) {
        let due = Instant::now() + Duration::from_secs(number);
        let question = Question { number, visitor: None, due };
        lane.ask(question, &request(body), format_args!("{OWN_FIELD}: {number}"));
    }

    fn answered(lane: &mut Lane, number: u64) -> bool {
        lane.answered(number).is_some_and(|question| question.number == number)
    }

    #[test]
    fn answered_in_any_order_each_once() {
        let (mut lane, _theirs) = lane();
        (1..=3).for_each(|number| ask(&mut lane, number, 0));
        assert!(lane.has_unsent() && lane.send().unwrap() && !lane.has_unsent());
        for (number, left) in [(2, 2), (1, 1), (3, 0)] {
            assert!(!answered(&mut lane, 0) && !answered(&mut lane, 4));
            assert!(answered(&mut lane, number) && !answered(&mut lane, number));
            assert_eq!(lane.count(), left);
        }
    }

    #[test]
    fn not_answered_before_it_was_sent_whole() {
        let (mut lane, mut theirs) = lane();
        ask(&mut lane, 1, 0);
        assert!(!answered(&mut lane, 1));
        assert!(lane.send().unwrap());
        // More than a socket takes at once.
        ask(&mut lane, 2, 0);
        ask(&mut lane, 3, 4 << 20);
        assert!(!lane.send().unwrap() && lane.has_unsent());
        assert!(answered(&mut lane, 1) && answered(&mut lane, 2) && !answered(&mut lane, 3));
        let mut read = vec![0; 1 << 20];
        while !lane.send().unwrap() {
            assert!(theirs.read(&mut read).unwrap() > 0);
        }
        assert!(answered(&mut lane, 3));
        assert!(lane.memory() <= BUFFER_KEPT);
    }

    #[test]
    fn a_lane_that_is_never_quite_empty_does_not_grow() {
        const BODY: usize = 60_000;
        let (mut lane, mut theirs) = lane();
        (0..20).for_each(|number| ask(&mut lane, number, BODY));
        for number in 20..2_000 {
            assert!(!lane.send().unwrap());
            theirs.read_exact(&mut [0; BODY]).unwrap();
            ask(&mut lane, number, BODY);
        }
        assert!(lane.memory() < 100 * BODY, "{}", lane.memory());
        // Nothing was lost on the way, or sent twice.
        let sent = lane.before + lane.sent;
        assert!(!answered(&mut lane, 1_999) && sent < lane.asked[1_999].end);
        let mut read = vec![0; 1 << 20];
        let mut total = (2_000 - 20) * BODY;
        while !lane.send().unwrap() {
            total += theirs.read(&mut read).unwrap();
        }
        drop(lane.socket);
        total += theirs.read_to_end(&mut read).unwrap();
        assert_eq!(total, lane.asked[1_999].end);
    }

    #[test]
    fn what_is_read_late_has_the_lane_alone() {
        let (mut lane, _theirs) = lane();
        assert!(lane.has_seat(true));
        for number in 0..SEATS as u64 {
            assert!(lane.has_seat(false));
            ask(&mut lane, number, 1024);
            assert!(!lane.has_seat(true));
        }
        assert!(!lane.has_seat(false));
        assert!(lane.send().unwrap());
        (0..SEATS as u64).for_each(|number| assert!(answered(&mut lane, number)));
        assert!(lane.has_seat(true) && lane.has_seat(false));
        ask(&mut lane, 16, 1025);
        assert!(lane.send().unwrap() && !lane.has_seat(true) && !lane.has_seat(false));
        assert!(answered(&mut lane, 16) && lane.has_seat(true) && lane.has_seat(false));
    }

    #[test]
    fn what_is_overdue_is_left_and_the_others_keep_their_time() {
        let (mut lane, _theirs) = lane();
        let begin = Instant::now();
        let after = |seconds: u64| begin + Duration::from_secs(seconds);
        for number in 10..=13 {
            ask(&mut lane, number, 0);
            lane.asked.last_mut().unwrap().question.due = after(number);
        }
        assert!(lane.send().unwrap() && lane.leave_overdue(begin, after(20)).is_empty());
        assert!(!lane.is_given_up() && lane.has_seat(false) && lane.due() == Some(after(10)));

        let overdue = lane.leave_overdue(after(11), after(20));
        assert_eq!(overdue.iter().map(|question| question.number).collect::<Vec<_>>(), [10, 11]);
        assert!(!lane.is_given_up() && lane.has_seat(false));
        lane.give_up();
        assert!(lane.is_given_up() && !lane.has_seat(false) && !lane.has_seat(true));
        assert_eq!((lane.count(), lane.due()), (4, Some(after(12))));
        // A late answer comes, and others in time.
        assert!(answered(&mut lane, 10) && !answered(&mut lane, 10) && answered(&mut lane, 12));
        assert!(answered(&mut lane, 13));
        assert_eq!((lane.count(), lane.due()), (1, Some(after(20))));
        assert!(lane.questions().all(|left| left.visitor.is_none()));
        // The last never comes.
        assert!(lane.leave_overdue(after(20), after(30)).is_empty());
        assert_eq!((lane.count(), lane.due()), (0, None));
        assert!(lane.is_given_up() && !lane.has_seat(false) && !lane.has_seat(true));
    }

    #[test]
    fn behind_a_long_body_that_is_overdue_nothing_is_asked() {
        let (mut lane, _theirs) = lane();
        ask(&mut lane, 1, 1025);
        assert!(lane.send().unwrap());
        let due = lane.due().unwrap();
        assert_eq!(lane.leave_overdue(due, due + Duration::from_secs(1)).len(), 1);
        assert!(!lane.has_seat(false) && !lane.has_seat(true));
        assert!(answered(&mut lane, 1) && lane.has_seat(false) && lane.has_seat(true));
    }

    #[test]
    fn breaks_at_whatever_can_be_read() {
        let (mut speaking, mut theirs) = lane();
        assert_eq!(speaking.listen(), None);
        theirs.write_all(b"x").unwrap();
        assert_eq!(speaking.listen(), Some(Broken("it speaks by itself")));
        let (mut closed, theirs) = lane();
        drop(theirs);
        assert!(closed.listen().is_some());
    }
}
