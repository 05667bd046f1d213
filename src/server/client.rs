//! One visitor's connection, as a state machine without a socket.
//!
//! The front door tells it what happened ([`Client::receive`], [`Client::wrote`], …) and asks what
//! it wants next ([`Client::want`]). It knows no sockets and no clock, so a test, or a fuzzer, can
//! drive it with any bytes in any pieces.
//!
//! ```text
//!        ┌──────────────────────────────────────────────────────────────┐
//!        ▼                                                              │ next request
//!      Idle ──► Head ──► Body ──► Ready ──► Waiting ──► Answering ──────┤
//!                │        │   (whole, valid) (a lane has it)            │ last answer
//!                └────────┴───── refused: 400, 408, 413 … ──► Answering ┤
//!                                                                       ▼
//!      Closed ◄─────────────────────────────────────── Lingering ◄── ShuttingDown
//! ```

mod reading;

use std::mem;
use std::time::Instant;

use super::answers::Answer;
use super::budget::{LARGE_ANSWER, SMALL_BODY};
use super::deadlines::Class;
use super::gathering::{Gathering, Request};
use super::head::Persistence;
use super::limits::Limits;
use super::output::Output;
use super::refusal::{self, Refusal};

/// What every event needs to know besides itself.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: Instant,
    pub(super) limits: &'a Limits,
    /// The server is about to stop: every answer is the last of its connection.
    pub(super) draining: bool,
}

/// Where a connection stands. The one place where this changes is [`Client::enter`].
#[derive(Debug)]
enum State {
    /// Between two requests: nothing of the next has come, but perhaps empty lines.
    Idle,
    /// Part of a head is in `input`.
    Head,
    /// The head is accepted, the body is being gathered.
    Body(Gathering),
    /// A request is whole and valid; the front has not taken it yet.
    Ready(Gathering),
    /// The front has it; an answer is awaited.
    Waiting(Asked),
    /// An answer is being written.
    Answering(After),
    /// The last answer is written; nothing more will be.
    ShuttingDown,
    /// Input is discarded, so that no reset destroys the last answer on its way.
    Lingering {
        discarded: usize,
    },
    Closed,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    NextRequest,
    Close,
}

/// What must be remembered of a request until its answer comes.
#[derive(Clone, Copy, Debug)]
struct Asked {
    head_only: bool,
    persistence: Persistence,
}

/// What a connection wants from the front door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// So many bytes from the visitor, at most; the rest shall stay in the kernel.
    Read(usize),
    /// [`Client::output`] is to be written.
    Write,
    /// [`Client::take_request`].
    Pass,
    /// Nothing, until the answer comes.
    Answer,
    /// The writing side is to be shut down.
    ShutDown,
    /// It is over.
    Close,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Client {
    state: State,
    deadline: Option<Instant>,
    /// Received and not yet understood; while a request is under way, what came behind it.
    input: Vec<u8>,
    output: Output,
    /// The last answer was a large one.
    had_large_answer: bool,
    /// Empty lines since the last request.
    empty_lines: usize,
    /// The visitor has sent its last byte.
    ended: bool,
}

impl Client {
    pub(super) fn new(moment: Moment<'_>) -> Self {
        Client {
            state: State::Idle,
            deadline: Some(moment.now + moment.limits.idle_time),
            input: Vec::new(),
            output: Output::default(),
            had_large_answer: false,
            empty_lines: 0,
            ended: false,
        }
    }

    /// Every change of state comes through here, and brings its deadline with it.
    fn enter(&mut self, moment: Moment<'_>, state: State) {
        let Moment { now, limits, .. } = moment;
        self.deadline = match &state {
            State::Idle => Some(now + limits.idle_time),
            State::Head => Some(now + limits.head_time),
            State::Body(_) => Some(now + limits.body_time),
            State::Answering(_) => Some(now + limits.time_for_answer(self.output.len())),
            State::ShuttingDown | State::Lingering { .. } => Some(now + limits.linger_time),
            State::Ready(_) => Some(now + limits.lane_time),
            State::Waiting(_) | State::Closed => None,
        };
        if matches!(state, State::ShuttingDown | State::Closed) {
            self.input = Vec::new();
        }
        self.state = state;
    }

    pub(super) fn want(&self, limits: &Limits) -> Want {
        match &self.state {
            State::Body(_) if !self.output().is_empty() => Want::Write,
            _ if self.ended && self.reads() => Want::Close,
            State::Idle | State::Head => {
                Want::Read(limits.head - self.input.len().min(limits.head - 1))
            }
            State::Body(gathering) => Want::Read(gathering.missing().unwrap_or(limits.head)),
            State::Ready(_) => Want::Pass,
            State::Waiting(_) => Want::Answer,
            State::Answering(_) => Want::Write,
            State::ShuttingDown => Want::ShutDown,
            State::Lingering { .. } => Want::Read(limits.linger_bytes),
            State::Closed => Want::Close,
        }
    }

    fn reads(&self) -> bool {
        matches!(self.state, State::Idle | State::Head | State::Body(_) | State::Lingering { .. })
    }

    /// When something must have happened, and what it is that has been going on.
    pub(super) fn deadline(&self) -> Option<(Class, Instant)> {
        let class = match self.state {
            State::Idle => Class::Idle,
            State::Head => Class::Head,
            State::Body(_) => Class::Body,
            State::Answering(_) if self.output.len() > LARGE_ANSWER => Class::LargeAnswer,
            State::Answering(_) => Class::Answer,
            State::ShuttingDown | State::Lingering { .. } => Class::Linger,
            State::Ready(_) if self.had_large_answer => Class::QueueForMore,
            State::Ready(_) => Class::Queue,
            // The lane has a deadline of its own.
            State::Waiting(_) | State::Closed => return None,
        };
        self.deadline.map(|deadline| (class, deadline))
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        let gathered = match &self.state {
            State::Body(gathering) | State::Ready(gathering) => gathering.memory(),
            _ => 0,
        };
        gathered + self.input.capacity() + self.output.memory()
    }

    /// Nothing of a request is here, and none is being answered.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Much of a body is still to come, or nobody knows how much: it can wait in the kernel.
    pub(super) fn awaits_large_body(&self) -> bool {
        match &self.state {
            State::Body(gathering) => gathering.missing().is_none_or(|n| n > SMALL_BODY),
            _ => false,
        }
    }

    // What happened.

    /// Bytes came from the visitor.
    pub(super) fn receive(&mut self, moment: Moment<'_>, bytes: &[u8]) {
        match &mut self.state {
            State::Idle | State::Head => self.receive_head(moment, bytes),
            State::Body(_) => self.receive_body(moment, bytes),
            State::Lingering { discarded } => {
                *discarded += bytes.len();
                if *discarded > moment.limits.linger_bytes {
                    self.enter(moment, State::Closed);
                }
            }
            State::ShuttingDown | State::Closed => {}
            State::Ready(_) | State::Waiting(_) | State::Answering(_) => {
                self.input.extend_from_slice(bytes);
            }
        }
    }

    /// The visitor has sent its last byte. What was begun is still answered.
    pub(super) fn end(&mut self, moment: Moment<'_>) {
        self.ended = true;
        match self.state {
            State::Idle | State::ShuttingDown | State::Lingering { .. } => {
                self.enter(moment, State::Closed);
            }
            State::Head | State::Body(_) => self.refuse(moment, refusal::CUT_SHORT),
            _ => {}
        }
    }

    /// The request that is ready needs a lane of its own.
    pub(super) fn needs_lane_alone(&self) -> bool {
        matches!(&self.state, State::Ready(gathering) if gathering.is_read_late())
    }

    /// The front takes the request that is ready.
    pub(super) fn take_request(&mut self, moment: Moment<'_>) -> Option<Request> {
        if !matches!(self.state, State::Ready(_)) {
            return None;
        }
        let State::Ready(ready) = mem::replace(&mut self.state, State::Idle) else { return None };
        let (request, persistence) = ready.into_request();
        let head_only = request.head_only;
        self.enter(moment, State::Waiting(Asked { head_only, persistence }));
        Some(request)
    }

    /// The answer of a worker came.
    pub(super) fn answer(&mut self, moment: Moment<'_>, answer: Answer) {
        let State::Waiting(asked) = self.state else { return };
        let after = match asked.persistence {
            Persistence::Close => After::Close,
            _ if moment.draining => After::Close,
            _ => After::NextRequest,
        };
        self.write(answer, after, asked.persistence);
        self.had_large_answer = self.output.len() > LARGE_ANSWER;
        self.enter(moment, State::Answering(after));
    }

    /// The front answers itself. Unless it had taken the request, nothing can follow it: to refuse
    /// all that a visitor sends at once, one after another, would keep the front from everybody else.
    pub(super) fn refuse(&mut self, moment: Moment<'_>, refusal: Refusal) {
        match &self.state {
            State::Waiting(asked) => {
                let answer = refusal.render(asked.head_only);
                self.answer(moment, answer);
            }
            State::Idle | State::Head => self.refuse_at_last(moment, refusal, false),
            State::Body(gathering) | State::Ready(gathering) => {
                let head_only = gathering.head_only();
                self.refuse_at_last(moment, refusal, head_only);
            }
            _ => {}
        }
    }

    fn refuse_at_last(&mut self, moment: Moment<'_>, refusal: Refusal, head_only: bool) {
        self.write(refusal.render(head_only), After::Close, Persistence::Close);
        self.enter(moment, State::Answering(After::Close));
    }

    fn write(&mut self, answer: Answer, after: After, persistence: Persistence) {
        let Answer { mut head, body } = answer;
        head.extend_from_slice(match (after, persistence) {
            (After::Close, _) => b"Connection: close\r\n\r\n",
            (After::NextRequest, Persistence::SayKeepAlive) => b"Connection: keep-alive\r\n\r\n",
            (After::NextRequest, _) => b"\r\n",
        });
        if body.len() > LARGE_ANSWER {
            self.output.append(head);
            self.output.follow(body);
        } else {
            head.extend_from_slice(&body);
            self.output.append(head);
        }
    }

    /// What is to be written.
    pub(super) fn output(&self) -> &[u8] {
        self.output.next()
    }

    /// So many bytes of the output were written.
    pub(super) fn wrote(&mut self, moment: Moment<'_>, count: usize) {
        if !self.output.wrote(count) {
            return;
        }
        match self.state {
            State::Answering(After::Close) => self.enter(moment, State::ShuttingDown),
            State::Answering(After::NextRequest) => {
                self.enter(moment, State::Idle);
                let behind = mem::take(&mut self.input);
                self.receive_head(moment, &behind);
                if moment.draining && self.is_idle() {
                    self.enter(moment, State::Closed);
                }
            }
            _ => {}
        }
    }

    /// The writing side was shut down.
    pub(super) fn shut_down(&mut self, moment: Moment<'_>) {
        let next = if self.ended { State::Closed } else { State::Lingering { discarded: 0 } };
        self.enter(moment, next);
    }

    /// The deadline has passed.
    pub(super) fn expire(&mut self, moment: Moment<'_>) {
        match self.state {
            State::Head => self.refuse(moment, refusal::SLOW_HEAD),
            State::Body(_) => self.refuse(moment, refusal::SLOW_BODY),
            State::Ready(_) => self.refuse(moment, refusal::BUSY),
            State::Waiting(_) => {}
            _ => self.enter(moment, State::Closed),
        }
    }

    /// It must go, in silence.
    pub(super) fn close(&mut self, moment: Moment<'_>) {
        self.enter(moment, State::Closed);
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
