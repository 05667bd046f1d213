//! What workers hand to the front: whole answers.
//!
//! An answer is one value, with the lane and the number of its question. It does not go back over
//! the lane as bytes, so there is nothing to be framed, and nothing that another's could be taken
//! for. No more are under way than questions were asked, which are a few for each worker, and one of
//! those that take much memory for each worker: it waits with such a one until the front, which
//! counts what it holds, has taken it.

use std::borrow::Cow;
use std::io;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::error;
use mio::{Registry, Token, Waker};
use tiny_http::Method;

use super::budget::LARGE_ANSWER;
use super::slots::Key;
use crate::http::Response;

/// Room for what the front adds to a head: what becomes of the connection, and the empty line.
const ADDED: usize = 32;

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Without the empty line at its end.
    pub(super) head: Vec<u8>,
    pub(super) body: Cow<'static, [u8]>,
}

impl Answer {
    /// What goes back to a visitor who asked with `method`.
    pub(super) fn render(response: Response, method: &Method) -> Answer {
        let length = response.body().len();
        // A small body will be copied behind the head.
        let room = ADDED + if length > LARGE_ANSWER { 0 } else { length };
        let (head, body) = response.into_parts(method, room);
        Answer { head, body }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// It takes much memory; what lies in the program takes none.
    fn is_heavy(&self) -> bool {
        matches!(&self.body, Cow::Owned(body) if body.len() > LARGE_ANSWER)
    }
}

/// An answer on its way to the front.
pub(super) struct Handed {
    /// The lane that the question came over.
    pub(super) lane: Key,
    /// The question's number.
    pub(super) number: u64,
    pub(super) answer: Answer,
}

/// See the module's documentation.
pub(super) struct Answers {
    queue: Mutex<Queue>,
    waker: Waker,
    /// What was waited for has been taken.
    taken: Condvar,
    /// The longest that a worker waits: nobody wants the answer after that.
    patience: Duration,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Handed>,
    /// How often all were taken.
    turn: usize,
    /// A worker waits for the next turn.
    awaited: bool,
}

impl Answers {
    /// For the front that waits for `token`.
    pub(super) fn new(
        registry: &Registry,
        token: Token,
        patience: Duration,
    ) -> io::Result<Answers> {
        let waker = Waker::new(registry, token)?;
        Ok(Answers { queue: Mutex::default(), waker, taken: Condvar::new(), patience })
    }

    /// Hands an answer over. Where others lie there already, the front has been woken for them.
    /// Once it has gone, nobody takes what lies there, which does no harm.
    pub(super) fn hand_over(&self, handed: Handed) {
        let heavy = handed.answer.is_heavy();
        let (first, turn) = {
            let mut queue = self.queue();
            queue.waiting.push(handed);
            queue.awaited |= heavy;
            (queue.waiting.len() == 1, queue.turn)
        };
        if first && let Err(error) = self.waker.wake() {
            error!(error:% = error; "the front cannot be woken");
        }
        if heavy {
            let waits = |queue: &mut Queue| queue.turn == turn;
            drop(self.taken.wait_timeout_while(self.queue(), self.patience, waits));
        }
    }

    /// Takes all that lie there into `room`, which is empty and serves for the next.
    pub(super) fn take(&self, room: &mut Vec<Handed>) {
        let mut queue = self.queue();
        mem::swap(&mut queue.waiting, room);
        queue.turn = queue.turn.wrapping_add(1);
        if mem::take(&mut queue.awaited) {
            self.taken.notify_all();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    use mio::{Events, Poll};

    fn answers(poll: &Poll, patience: u64) -> Answers {
        Answers::new(poll.registry(), Token(7), Duration::from_millis(patience)).unwrap()
    }

    fn handed(number: u64) -> Handed {
        with_body(number, b"ok"[..].into())
    }

    fn with_body(number: u64, body: Cow<'static, [u8]>) -> Handed {
        let answer = Answer::render(Response::new(200, "text/plain", body), &Method::Get);
        Handed { lane: Key::name(0), number, answer }
    }

    #[test]
    fn the_first_wakes_the_front_and_the_others_ride_along() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let answers = answers(&poll, 0);
        let mut woken = || {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().map(|event| event.token()).collect::<Vec<_>>()
        };
        let mut taken = Vec::new();
        for _ in 0..2 {
            assert_eq!(woken(), []);
            answers.hand_over(handed(1));
            assert_eq!(woken(), [Token(7)]);
            answers.hand_over(handed(2));
            assert_eq!(woken(), []);
            answers.take(&mut taken);
            assert_eq!(taken.drain(..).map(|handed| handed.number).collect::<Vec<_>>(), [1, 2]);
        }
    }

    #[test]
    fn once_the_front_has_gone_it_does_no_harm() {
        let poll = Poll::new().unwrap();
        let answers = answers(&poll, 1);
        drop(poll);
        answers.hand_over(handed(1));
        answers.hand_over(with_body(2, vec![b'x'; LARGE_ANSWER + 1].into()));
    }

    #[test]
    fn a_worker_waits_until_what_is_heavy_was_taken() {
        static IN_THE_PROGRAM: [u8; LARGE_ANSWER + 1] = [b'x'; LARGE_ANSWER + 1];
        let poll = Poll::new().unwrap();
        let answers = answers(&poll, 60_000);
        answers.hand_over(with_body(1, vec![b'x'; LARGE_ANSWER].into()));
        answers.hand_over(with_body(2, IN_THE_PROGRAM[..].into()));
        let mut taken = Vec::new();
        thread::scope(|scope| {
            let heavy = with_body(3, vec![b'x'; LARGE_ANSWER + 1].into());
            let worker = scope.spawn(|| answers.hand_over(heavy));
            while answers.queue().waiting.len() < 3 {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            assert!(!worker.is_finished());
            answers.take(&mut taken);
        });
        assert_eq!(taken.len(), 3);
    }

    #[test]
    fn a_small_body_fits_behind_the_head() {
        let whole = |response| Answer::render(response, &Method::Get);
        let Answer { head, body } = whole(Response::text(200, "x".repeat(LARGE_ANSWER)));
        assert!(head.capacity() >= head.len() + ADDED + body.len());
        assert!(head.ends_with(b"\r\n") && !head.ends_with(b"\r\n\r\n"));
        let Answer { head, body } = whole(Response::text(200, "x".repeat(LARGE_ANSWER + 1)));
        assert!(head.capacity() < 1 << 10 && body.len() == LARGE_ANSWER + 1);
    }

    #[test]
    fn what_has_no_body_has_none() {
        let body = |response, method| Answer::render(response, &method).body.len();
        assert_eq!(body(Response::text(200, "ok"), Method::Get), 2);
        assert_eq!(body(Response::text(200, "ok"), Method::Head), 0);
        assert_eq!(body(Response::text(304, "ok"), Method::Get), 0);
        assert_eq!(body(Response::text(204, "ok"), Method::Get), 0);
    }
}
