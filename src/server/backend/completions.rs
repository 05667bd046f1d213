//! Completions: the whole answers that workers hand to the event loop.
//!
//! An answer is one value, with the lane and the ticket of its request. It does not go back over
//! the lane as bytes, so there is nothing to be framed, and nothing that another's could be taken
//! for. No more are under way than requests were passed on, which are a few for each worker, and one
//! of those that take much memory for each worker: it waits with such a one until the event loop,
//! which counts what it holds, has taken it.

use std::io;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::error;
use mio::{Registry, Token, Waker};

use crate::server::message::Answer;
use crate::server::ticket::Ticket;
use crate::server::tokens::LaneKey;

/// A request that a worker is done with.
#[derive(Debug)]
pub(in crate::server) enum Completion {
    /// A new lane answers.
    Probe { lane: LaneKey, number: u64 },
    /// A request was answered. There is no answer to one that was withdrawn.
    Request { lane: LaneKey, ticket: Ticket, answer: Option<Answer> },
}

impl Completion {
    fn is_heavy(&self) -> bool {
        matches!(self, Completion::Request { answer: Some(answer), .. } if answer.is_heavy())
    }
}

/// See the module's documentation.
pub(in crate::server) struct Completions {
    queue: Mutex<Queue>,
    waker: Waker,
    /// The event loop has taken all completions.
    taken: Condvar,
    /// The longest that a worker waits: after that the client has got another answer.
    patience: Duration,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Completion>,
    /// The event loop waits for events, and must be woken.
    loop_waits: bool,
    /// How often all were taken.
    turn: usize,
    /// A worker waits for the next turn.
    awaited: bool,
}

impl Completions {
    /// For an event loop that waits for `token`.
    pub(in crate::server) fn new(
        registry: &Registry,
        token: Token,
        patience: Duration,
    ) -> io::Result<Completions> {
        let waker = Waker::new(registry, token)?;
        Ok(Completions { queue: Mutex::default(), waker, taken: Condvar::new(), patience })
    }

    /// Wakes the event loop, though nothing is handed over.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            error!(error:% = error; "the event loop cannot be woken");
        }
    }

    /// Hands a completion over. Once the event loop has gone, it is never taken, which does
    /// no harm.
    pub(in crate::server) fn push(&self, completion: Completion) {
        let heavy = completion.is_heavy();
        let (wakes, turn) = {
            let mut queue = self.queue();
            queue.waiting.push(completion);
            queue.awaited |= heavy;
            (mem::take(&mut queue.loop_waits), queue.turn)
        };
        if wakes {
            self.wake();
        }
        if heavy {
            let waits = |queue: &mut Queue| queue.turn == turn;
            drop(self.taken.wait_timeout_while(self.queue(), self.patience, waits));
        }
    }

    /// The event loop is about to wait for events. False where something lies here: then it is not
    /// to wait.
    pub(in crate::server) fn begin_wait(&self) -> bool {
        let mut queue = self.queue();
        queue.loop_waits = queue.waiting.is_empty();
        queue.loop_waits
    }

    /// Takes all that lies here into `room`, which is empty and serves for the next.
    pub(in crate::server) fn take(&self, room: &mut Vec<Completion>) {
        let mut queue = self.queue();
        queue.loop_waits = false;
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
    use std::borrow::Cow;
    use std::thread;

    use mio::{Events, Poll};

    use crate::http::{Method, Response};
    use crate::server::message::LARGE_ANSWER;

    fn completions(poll: &Poll, patience: u64) -> Completions {
        Completions::new(poll.registry(), Token(7), Duration::from_millis(patience)).unwrap()
    }

    fn completion(number: u64) -> Completion {
        with_body(number, b"ok"[..].into())
    }

    fn with_body(number: u64, body: Cow<'static, [u8]>) -> Completion {
        let answer = Answer::render(Response::new(200, "text/plain", body), Method::Get);
        let (lane, ticket) = (LaneKey::default(), Ticket { slot: 0, number });
        Completion::Request { lane, ticket, answer: Some(answer) }
    }

    fn number(completion: &Completion) -> u64 {
        match completion {
            Completion::Probe { number, .. } => *number,
            Completion::Request { ticket, .. } => ticket.number,
        }
    }

    #[test]
    fn the_loop_is_woken_once_and_only_while_it_waits() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let completions = completions(&poll, 0);
        let mut woken = || {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().map(|event| event.token()).collect::<Vec<_>>()
        };
        let mut taken = Vec::new();
        for _ in 0..2 {
            completions.push(completion(1));
            assert_eq!(woken(), [], "it does not wait");
            assert!(!completions.begin_wait(), "something lies there");
            completions.take(&mut taken);
            assert_eq!(taken.drain(..).map(|it| number(&it)).collect::<Vec<_>>(), [1]);
            assert!(completions.begin_wait());
            completions.push(completion(2));
            assert_eq!(woken(), [Token(7)]);
            completions.push(completion(3));
            assert_eq!(woken(), [], "once is enough");
            completions.take(&mut taken);
            assert_eq!(taken.drain(..).map(|it| number(&it)).collect::<Vec<_>>(), [2, 3]);
        }
    }

    #[test]
    fn once_the_loop_has_gone_it_does_no_harm() {
        let poll = Poll::new().unwrap();
        let completions = completions(&poll, 1);
        assert!(completions.begin_wait());
        drop(poll);
        completions.push(completion(1));
        completions.push(with_body(2, vec![b'x'; LARGE_ANSWER + 1].into()));
    }

    #[test]
    fn a_worker_waits_until_a_heavy_answer_was_taken() {
        static IN_THE_PROGRAM: [u8; LARGE_ANSWER + 1] = [b'x'; LARGE_ANSWER + 1];
        let poll = Poll::new().unwrap();
        let completions = completions(&poll, 60_000);
        completions.push(with_body(1, vec![b'x'; LARGE_ANSWER].into()));
        completions.push(with_body(2, IN_THE_PROGRAM[..].into()));
        let mut taken = Vec::new();
        thread::scope(|scope| {
            let heavy = with_body(3, vec![b'x'; LARGE_ANSWER + 1].into());
            let worker = scope.spawn(|| completions.push(heavy));
            while completions.queue().waiting.len() < 3 {
                thread::yield_now();
            }
            assert!(!worker.is_finished());
            completions.take(&mut taken);
        });
        assert_eq!(taken.len(), 3);
    }
}
