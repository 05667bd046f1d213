//! The requests that were passed on and are not answered yet, by number.

use std::io;
use std::time::{Duration, Instant};

use super::numbers::Numbers;
use crate::server::ticket::Ticket;
use crate::server::tokens::{ConnectionKey, LaneKey};

#[derive(Clone, Copy)]
struct RequestInFlight {
    number: u64,
    lane: LaneKey,
    /// The connection that waits for the answer; `None` once it is overdue or the connection has
    /// gone.
    connection: Option<ConnectionKey>,
    started: Instant,
    due: Instant,
    /// The time for its answer has passed once.
    is_overdue: bool,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Completed {
    pub(in crate::server) lane: LaneKey,
    pub(in crate::server) connection: Option<ConnectionKey>,
    pub(super) started: Instant,
}

/// A request whose answer is overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Overdue {
    /// For the first time: who waits for it waits no longer. It still counts, since it may keep a
    /// worker busy, and its answer may still come.
    Late { ticket: Ticket, lane: LaneKey, connection: Option<ConnectionKey> },
    /// For the second time: it is forgotten, so that an answer that is lost is not counted for ever.
    Lost { ticket: Ticket, lane: LaneKey },
}

/// See the module's documentation.
pub(super) struct InFlight {
    slots: Vec<Option<RequestInFlight>>,
    vacant: Vec<usize>,
    numbers: Numbers,
}

impl InFlight {
    pub(super) fn new(capacity: usize) -> io::Result<Self> {
        Ok(InFlight {
            slots: vec![None; capacity],
            vacant: (0..capacity).rev().collect(),
            numbers: Numbers::unguessable()?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Adds a request; `None` where no slot is free.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        time: Duration,
        lane: LaneKey,
        connection: ConnectionKey,
    ) -> Option<Ticket> {
        let slot = self.vacant.pop()?;
        let number = self.numbers.draw();
        self.slots[slot] = Some(RequestInFlight {
            number,
            lane,
            connection: Some(connection),
            started: now,
            due: now + time,
            is_overdue: false,
        });
        Some(Ticket { slot, number })
    }

    fn get_mut(&mut self, ticket: Ticket) -> Option<&mut RequestInFlight> {
        let request = self.slots.get_mut(ticket.slot)?.as_mut()?;
        (request.number == ticket.number).then_some(request)
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Completed> {
        let RequestInFlight { lane, connection, started, .. } = *self.get_mut(ticket)?;
        self.slots[ticket.slot] = None;
        self.vacant.push(ticket.slot);
        Some(Completed { lane, connection, started })
    }

    /// The connection waits no longer.
    pub(super) fn leave(&mut self, connection: ConnectionKey) -> Option<Ticket> {
        let mut slots = self.slots.iter_mut().enumerate();
        slots.find_map(|(slot, request)| {
            let request = request.as_mut().filter(|r| r.connection == Some(connection))?;
            request.connection = None;
            Some(Ticket { slot, number: request.number })
        })
    }

    pub(super) fn remove_lane(&mut self, lane: LaneKey) -> Vec<(Ticket, Option<ConnectionKey>)> {
        let of_lane = |(slot, request): (usize, &Option<RequestInFlight>)| {
            let request = request.as_ref().filter(|request| request.lane == lane)?;
            Some((Ticket { slot, number: request.number }, request.connection))
        };
        let requests: Vec<_> = self.slots.iter().enumerate().filter_map(of_lane).collect();
        for (ticket, _) in &requests {
            self.remove(*ticket);
        }
        requests
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.slots.iter().flatten().map(|request| request.due).min()
    }

    /// A request that is overdue. If it is so for the first time, it is due `again` once more.
    pub(super) fn pop_overdue(&mut self, now: Instant, again: Duration) -> Option<Overdue> {
        let mut slots = self.slots.iter_mut().enumerate();
        let (slot, request) = slots.find_map(|(slot, request)| {
            Some((slot, request.as_mut().filter(|request| request.due <= now)?))
        })?;
        let (ticket, lane) = (Ticket { slot, number: request.number }, request.lane);
        if request.is_overdue {
            self.remove(ticket);
            return Some(Overdue::Lost { ticket, lane });
        }
        request.is_overdue = true;
        request.due = now + again;
        let connection = request.connection.take();
        Some(Overdue::Late { ticket, lane, connection })
    }
}
