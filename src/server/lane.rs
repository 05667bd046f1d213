//! One lane: a connection to tiny_http on which one request at a time is asked.
//!
//! The answer does not come back on it, but from the worker, in `answers.rs`. A lane serves again
//! only after the answer to the question that it was asked. Anything else, another number or a byte
//! on the lane itself, and it is closed: what cannot be told apart must not be passed on.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::UnixStream;

use super::slots::Key;

/// The field that the front adds to every request: the lane, the number, the visitor's address.
pub(super) const OWN_FIELD: &str = "Waxseal-Lane";
/// Stands in place of an address where a new lane is probed.
pub(super) const PROBE: &str = "probe";
/// A lane can serve no more; why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) &'static str);

/// What a lane is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    /// Who waits for the answer; `None` for a probe. The visitor may have left meanwhile.
    pub(super) visitor: Option<Key>,
}

/// See the module's documentation.
pub(super) struct Lane {
    pub(super) socket: UnixStream,
    question: Option<Question>,
    outgoing: Vec<u8>,
    sent: usize,
}

impl Lane {
    pub(super) fn new(socket: UnixStream) -> Self {
        Lane { socket, question: None, outgoing: Vec::new(), sent: 0 }
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.question
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.outgoing.capacity()
    }

    /// Asks; [`Lane::send`] writes it.
    pub(super) fn ask(&mut self, question: Question, bytes: Vec<u8>) {
        self.question = Some(question);
        self.outgoing = bytes;
        self.sent = 0;
    }

    /// Writes what can be written; true where nothing is left.
    pub(super) fn send(&mut self) -> io::Result<bool> {
        while self.sent < self.outgoing.len() {
            match self.socket.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.outgoing = Vec::new();
        Ok(true)
    }

    /// Its question is answered, if that has this number and all of it was sent.
    pub(super) fn answered(&mut self, number: u64) -> Option<Question> {
        let asked = self.question.filter(|asked| asked.number == number)?;
        if !self.outgoing.is_empty() {
            return None;
        }
        self.question = None;
        Some(asked)
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

    fn asked(number: u64) -> (Lane, unix::net::UnixStream) {
        let (ours, theirs) = unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut lane = Lane::new(UnixStream::from_std(ours));
        lane.ask(Question { number, visitor: None }, b"question".to_vec());
        assert!(lane.send().unwrap());
        (lane, theirs)
    }

    #[test]
    fn answered_once_with_its_own_number() {
        let (mut lane, _theirs) = asked(7);
        assert!(lane.answered(6).is_none() && lane.answered(8).is_none());
        assert_eq!(lane.answered(7).map(|question| question.number), Some(7));
        assert!(lane.answered(7).is_none());
    }

    #[test]
    fn not_answered_before_it_was_asked() {
        let (mut lane, _theirs) = asked(7);
        lane.ask(Question { number: 8, visitor: None }, b"question".to_vec());
        assert!(lane.answered(8).is_none());
        assert!(lane.send().unwrap() && lane.answered(8).is_some());
    }

    #[test]
    fn breaks_at_whatever_can_be_read() {
        let (mut lane, mut theirs) = asked(7);
        assert_eq!(lane.listen(), None);
        theirs.write_all(b"x").unwrap();
        assert_eq!(lane.listen(), Some(Broken("it speaks by itself")));
        let (mut lane, theirs) = asked(7);
        drop(theirs);
        assert!(lane.listen().is_some());
    }
}
