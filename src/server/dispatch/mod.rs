//! Decides which request goes to the workers, and when: the waiting queue, and the requests in
//! flight.
//!
//! It knows no sockets, and is handed the time.
//!
//! | file | what it does |
//! |---|---|
//! | `queue.rs`, `queue/` | keep the requests that wait, in a line for each subscriber, and tell whose turn it is |
//! | `in_flight.rs` | keeps the requests that were passed on, and tells which are overdue |
//! | `numbers.rs` | makes the numbers that answers must name |

mod in_flight;
mod numbers;
mod queue;

use std::io;
use std::time::{Duration, Instant};

use super::limits::Limits;
use super::ticket::Ticket;
use super::tokens::{ConnectionKey, LaneKey};
pub(super) use in_flight::Overdue;
use in_flight::{Completed, InFlight};
use queue::Queue;
pub(super) use queue::{Next, Waiting};

/// Requests in flight for each worker, at most: a worker that is done finds the next one waiting.
const AHEAD: usize = 2;
/// The same while answers are quick: the more goes over a lane together, the less each costs. But
/// a request in flight cannot be overtaken any more.
const AHEAD_WHILE_QUICK: usize = 4;
/// An answer is quick that comes so soon after its request was passed on.
const QUICK: Duration = Duration::from_millis(50);

/// See the module's documentation.
pub(super) struct Dispatch {
    queue: Queue,
    in_flight: InFlight,
    workers: usize,
    /// The last answer was quick.
    quick: bool,
    /// Time in which a request must be passed on, and in which it must be answered then.
    lane_time: Duration,
}

/// Requests in flight for so many workers, at most.
pub(super) fn capacity(workers: usize) -> usize {
    workers * AHEAD_WHILE_QUICK
}

impl Dispatch {
    pub(super) fn new(workers: usize, limits: &Limits) -> io::Result<Self> {
        Ok(Dispatch {
            queue: Queue::new(limits.queue),
            in_flight: InFlight::new(capacity(workers))?,
            workers,
            quick: false,
            lane_time: limits.lane_time,
        })
    }

    /// When the next thing is due, if anything is.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let queued = self.queue.oldest_since().map(|since| since + self.lane_time);
        queued.into_iter().chain(self.in_flight.next_due()).min()
    }

    /// How many requests are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// A request is whole, and waits for its turn.
    pub(super) fn arrive(&mut self, now: Instant, waiting: Waiting) {
        self.queue.push(now, waiting);
    }

    /// A connection that is turned away because too many wait. It is to be asked for once all have
    /// gone for whom there is room.
    pub(super) fn pop_excess(&mut self, now: Instant) -> Option<ConnectionKey> {
        self.queue.pop_excess(now)
    }

    /// The request whose turn it is, if one more can be passed on.
    pub(super) fn next(&self, now: Instant) -> Option<Next> {
        let ahead = if self.quick { AHEAD_WHILE_QUICK } else { AHEAD };
        let has_room = self.in_flight.len() < self.workers * ahead;
        if has_room { self.queue.next(now) } else { None }
    }

    /// The one whose turn it is goes over this lane.
    pub(super) fn start(&mut self, now: Instant, next: Next, lane: LaneKey) -> Option<Ticket> {
        self.queue.remove_next(next);
        self.in_flight.insert(now, self.lane_time, lane, next.connection)
    }

    /// A request was answered. `None` where none of this name is in flight.
    pub(super) fn complete(&mut self, now: Instant, ticket: Ticket) -> Option<Completed> {
        let completed = self.in_flight.remove(ticket)?;
        if completed.connection.is_some() {
            self.quick = now.saturating_duration_since(completed.started) <= QUICK;
        }
        Some(completed)
    }

    /// Takes out a connection that has gone. Its ticket, if its request is in flight: the answer will
    /// be dropped.
    pub(super) fn leave(&mut self, connection: ConnectionKey) -> Option<Ticket> {
        if self.queue.remove(connection) { None } else { self.in_flight.leave(connection) }
    }

    /// A lane was closed. The requests that were in flight over it, with the connections that wait
    /// for their answers.
    pub(super) fn lane_closed(&mut self, lane: LaneKey) -> Vec<(Ticket, Option<ConnectionKey>)> {
        self.in_flight.remove_lane(lane)
    }

    /// A connection whose request has waited for too long.
    pub(super) fn pop_stale(&mut self, now: Instant) -> Option<ConnectionKey> {
        self.queue.pop_stale(now, self.lane_time)
    }

    /// A request whose answer is overdue.
    pub(super) fn pop_overdue(&mut self, now: Instant) -> Option<Overdue> {
        let overdue = self.in_flight.pop_overdue(now, self.lane_time)?;
        self.quick = false;
        Some(overdue)
    }
}

#[cfg(test)]
mod tests;
