//! One connection, and what a valid request is.
//!
//! A connection is a state machine without a socket and without a clock: the server tells it what
//! happened ([`Connection::receive`], [`Connection::wrote`], …) and asks what it wants next
//! ([`Connection::want`]). So a test, or a fuzzer, can drive it with any bytes in any pieces.
//!
//! ```text
//!        ┌──────────────────────────────────────────────────────────────┐
//!        ▼                                                              │ next request
//!      Idle ──► Head ──► Body ──► Ready ──► InFlight ──► Answering ─────┤
//!                │        │   (whole, valid) (a lane has it)            │ last answer
//!                └────────┴───── rejected: 400, 408, 413 … ─► Answering ┤
//!                                                                       ▼
//!      Closed ◄─────────────────────────────────────── Lingering ◄── ShuttingDown
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `reading.rs` | makes requests of bytes |
//! | `answering.rs` | makes bytes of answers |
//! | `parser.rs`, `target.rs`, `chunked.rs` | tell what a valid head, target and chunked body are |
//! | `partial_request.rs` | keeps a request whose body is still coming |
//! | `moment.rs` | tells the deadlines that follow from limits, and from how far the end has come |
//! | `output.rs` | keeps an answer that is being written |

mod answering;
mod chunked;
mod moment;
mod output;
mod parser;
mod partial_request;
mod reading;
mod target;

use std::mem;
use std::time::Instant;

use super::limits::Limits;
use super::message::CompleteRequest;
use super::phase::Phase;
use super::rejection;
use crate::http::Head;
pub(super) use moment::Moment;
use output::Output;
use parser::Persistence;
use partial_request::PartialRequest;

/// A body with no more than this to come is read even when memory is short: a form, so that nobody
/// who sends large ones can keep others from signing in.
const SMALL_BODY: usize = 4 << 10;

/// The state of a connection. The one place where it changes is [`Connection::enter`].
#[derive(Debug)]
enum State {
    /// Between two requests: nothing of the next has come, but perhaps empty lines.
    Idle,
    /// Part of a head is in `input`.
    Head,
    /// The head is accepted, the body is coming.
    Body(PartialRequest),
    /// A request is whole and valid, and has not been taken yet.
    Ready(PartialRequest),
    /// The request was taken; an answer is awaited.
    InFlight(InFlight),
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

/// The state that follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    NextRequest,
    Close,
}

/// The part of a request that is kept until its answer comes.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    head_only: bool,
    persistence: Persistence,
    /// Bytes that the head takes, wherever it is.
    head_memory: usize,
}

/// The next thing that a connection wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// So many bytes from the client, at most; the rest shall stay in the kernel.
    Read(usize),
    /// [`Connection::output`] is to be written.
    Write,
    /// [`Connection::take_request`].
    Pass,
    /// Nothing, until the answer comes.
    Answer,
    /// The writing side is to be shut down.
    ShutDown,
    /// It is over.
    Close,
}

/// The stage of a connection, as far as it matters for who has to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It is between two requests.
    Idle,
    /// A head is coming.
    Head,
    /// A body is coming.
    Body,
    /// A request is whole, and not answered yet.
    Waiting,
    /// An answer is being taken.
    Answering,
    /// The last answer was taken.
    Closing,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection {
    state: State,
    /// When the state was entered.
    since: Instant,
    deadline: Option<Instant>,
    /// Received and not yet understood; while a request is under way, what came behind it.
    input: Vec<u8>,
    output: Output,
    /// The last answer was a large one, or the next request was there when it was written.
    is_again: bool,
    /// A request of it was taken.
    has_asked: bool,
    /// Bytes of answers that were written, ever, and when the last of them were.
    taken: usize,
    taken_at: Instant,
    /// Empty lines since the last request.
    empty_lines: usize,
    /// The client has sent its last byte.
    ended: bool,
}

impl Connection {
    pub(super) fn new(moment: Moment<'_>) -> Self {
        Connection {
            state: State::Idle,
            since: moment.now,
            deadline: Some(moment.deadline_to_send(moment.limits.idle_time)),
            input: Vec::new(),
            output: Output::default(),
            is_again: false,
            has_asked: false,
            taken: 0,
            taken_at: moment.now,
            empty_lines: 0,
            ended: false,
        }
    }

    /// Every change of state comes through here, and brings its deadline with it.
    fn enter(&mut self, moment: Moment<'_>, state: State) {
        let Moment { now, limits, .. } = moment;
        self.since = now;
        self.deadline = match &state {
            State::Idle => Some(moment.deadline_to_send(limits.idle_time)),
            State::Head => Some(moment.deadline_to_send(limits.head_time)),
            State::Body(_) => Some(moment.deadline_to_send(limits.body_time)),
            State::Answering(_) => Some(now + limits.time_for_answer(self.output.len())),
            State::ShuttingDown | State::Lingering { .. } => Some(moment.deadline_to_linger()),
            State::Ready(_) | State::InFlight(_) | State::Closed => None,
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
            State::Body(request) => Want::Read(request.missing().unwrap_or(limits.head)),
            State::Ready(_) => Want::Pass,
            State::InFlight(_) => Want::Answer,
            State::Answering(_) => Want::Write,
            State::ShuttingDown => Want::ShutDown,
            State::Lingering { .. } => Want::Read(limits.linger_bytes),
            State::Closed => Want::Close,
        }
    }

    fn reads(&self) -> bool {
        matches!(self.state, State::Idle | State::Head | State::Body(_) | State::Lingering { .. })
    }

    /// When something must have happened.
    ///
    /// A request that is whole has none here: how long it may wait for a lane, and for its answer,
    /// the dispatch decides.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn stage(&self) -> Stage {
        match self.state {
            State::Idle => Stage::Idle,
            State::Head => Stage::Head,
            State::Body(_) => Stage::Body,
            State::Ready(_) | State::InFlight(_) => Stage::Waiting,
            State::Answering(_) => Stage::Answering,
            State::ShuttingDown | State::Lingering { .. } | State::Closed => Stage::Closing,
        }
    }

    /// When its stage began.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Bytes that have come in this stage; of answers, bytes that were taken since the connection began.
    pub(super) fn progress(&self) -> usize {
        match &self.state {
            State::Head => self.input.len(),
            State::Body(request) => request.received(),
            State::Answering(_) => self.taken,
            _ => 0,
        }
    }

    /// When its stage began; of an answer, when any of it was taken last.
    pub(super) fn waits_since(&self) -> Instant {
        match &self.state {
            State::Answering(_) => self.since.max(self.taken_at),
            _ => self.since,
        }
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        let request = match &self.state {
            State::Body(request) | State::Ready(request) => request.memory(),
            State::InFlight(in_flight) => in_flight.head_memory,
            _ => 0,
        };
        request + self.input.capacity() + self.output.memory()
    }

    /// Nothing of a request is here, and none is being answered.
    fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// It has just had its turn: its last answer was a large one, or its next request was there already when
    /// that was written.
    pub(super) fn is_again(&self) -> bool {
        self.is_again
    }

    /// It has had a request, and need not be a newcomer whose first one is on its way.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// The head of the request that is ready.
    pub(super) fn ready_head(&self) -> Option<&Head> {
        match &self.state {
            State::Ready(request) => Some(request.head()),
            _ => None,
        }
    }

    /// Much of a body is still to come, or an unknown amount: it can wait in the kernel.
    pub(super) fn awaits_large_body(&self) -> bool {
        match &self.state {
            State::Body(request) => request.missing().is_none_or(|n| n > SMALL_BODY),
            _ => false,
        }
    }

    // Events.

    /// Bytes came from the client.
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
            State::Ready(_) | State::InFlight(_) | State::Answering(_) => {
                self.input.extend_from_slice(bytes);
            }
        }
    }

    /// The client has sent its last byte. What was begun is still answered.
    pub(super) fn end(&mut self, moment: Moment<'_>) {
        self.ended = true;
        match self.state {
            State::Idle | State::ShuttingDown | State::Lingering { .. } => {
                self.enter(moment, State::Closed);
            }
            State::Head | State::Body(_) => self.reject(moment, rejection::CUT_SHORT),
            _ => {}
        }
    }

    /// The request that is ready needs a lane of its own.
    pub(super) fn needs_lane_alone(&self) -> bool {
        matches!(&self.state, State::Ready(request) if request.needs_lane_alone())
    }

    /// Hands out the request that is ready.
    pub(super) fn take_request(&mut self, moment: Moment<'_>) -> Option<CompleteRequest> {
        if !matches!(self.state, State::Ready(_)) {
            return None;
        }
        let State::Ready(ready) = mem::replace(&mut self.state, State::Idle) else { return None };
        self.has_asked = true;
        let (head_only, persistence) = (ready.head_only(), ready.persistence());
        let request = ready.into_complete();
        let head_memory = request.head.memory();
        self.enter(moment, State::InFlight(InFlight { head_only, persistence, head_memory }));
        Some(request)
    }

    /// The writing side was shut down.
    pub(super) fn shut_down(&mut self, moment: Moment<'_>) {
        let next = if self.ended { State::Closed } else { State::Lingering { discarded: 0 } };
        self.enter(moment, next);
    }

    /// The deadline has passed. While the server ends, an unfinished request is closed in silence: its client
    /// is not to blame.
    pub(super) fn expire(&mut self, moment: Moment<'_>) {
        let is_ending = matches!(moment.phase, Phase::Ending { .. });
        match self.state {
            State::Head if !is_ending => self.reject(moment, rejection::SLOW_HEAD),
            State::Body(_) if !is_ending => self.reject(moment, rejection::SLOW_BODY),
            State::Ready(_) | State::InFlight(_) => {}
            _ => self.enter(moment, State::Closed),
        }
    }

    /// The server ends: whatever the client has yet to send must come sooner.
    pub(super) fn hasten(&mut self, moment: Moment<'_>) {
        let Phase::Ending { last_call } = moment.phase else { return };
        let latest = match self.stage() {
            Stage::Idle | Stage::Head | Stage::Body => last_call,
            Stage::Closing => moment.deadline_to_linger(),
            Stage::Waiting | Stage::Answering => return,
        };
        self.deadline = self.deadline.map(|deadline| deadline.min(latest));
    }
}

#[cfg(test)]
mod tests;
